//! Schemas of Avro: what is in a definition, and whether data fits it in either encoding.
//!
//! Source: Apache Avro, "Specification", 1.11: schema declaration, binary and JSON encoding.

use super::Encoding;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const DEEPEST: usize = 100;

#[derive(Clone, Debug)]
enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(Box<Shape>),
    Map(Box<Shape>),
    Union(Vec<Shape>),
    /// A record, an enum or a fixed, by its name.
    Named(String),
}

#[derive(Clone, Debug)]
enum Definition {
    Record(Vec<(String, Shape)>),
    Enum(Vec<String>),
    Fixed(usize),
}

#[derive(Clone, Debug)]
pub struct Form {
    root: Shape,
    named: BTreeMap<String, Definition>,
}

impl Form {
    pub fn read(definition: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(definition).map_err(|error| error.to_string())?;
        let mut reader = Reader::default();
        let root = reader.shape(&schema, "", 0)?;
        Ok(Self { root, named: reader.named })
    }

    pub fn fits(&self, data: &[u8], encoding: Encoding) -> bool {
        match encoding {
            Encoding::Json => {
                serde_json::from_slice(data).is_ok_and(|value| self.json(&self.root, &value, 0).is_some())
            }
            Encoding::Binary => {
                let mut rest = data;
                self.binary(&self.root, &mut rest, 0).is_some() && rest.is_empty()
            }
        }
    }

    fn json(&self, shape: &Shape, value: &Value, depth: usize) -> Option<()> {
        let holds = |fits: bool| fits.then_some(());
        if depth > DEEPEST {
            return None;
        }
        match shape {
            Shape::Null => value.as_null(),
            Shape::Boolean => holds(value.is_boolean()),
            Shape::Int => holds(value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())),
            Shape::Long => holds(value.is_i64()),
            Shape::Float | Shape::Double => holds(value.is_number()),
            Shape::Bytes => holds(value.as_str()?.chars().all(|letter| u32::from(letter) < 256)),
            Shape::String => holds(value.is_string()),
            Shape::Array(inner) => {
                value.as_array()?.iter().try_for_each(|one| self.json(inner, one, depth + 1).ok_or(())).ok()
            }
            Shape::Map(inner) => value
                .as_object()?
                .values()
                .try_for_each(|one| self.json(inner, one, depth + 1).ok_or(()))
                .ok(),
            Shape::Union(shapes) => self.union(shapes, value, depth),
            Shape::Named(name) => match self.named.get(name)? {
                Definition::Record(fields) => self.record(fields, value.as_object()?, depth),
                Definition::Enum(symbols) => holds(symbols.iter().any(|symbol| value == symbol)),
                Definition::Fixed(size) => holds(value.as_str()?.chars().count() == *size),
            },
        }
    }

    fn record(&self, fields: &[(String, Shape)], value: &Map<String, Value>, depth: usize) -> Option<()> {
        for (name, shape) in fields {
            self.json(shape, value.get(name)?, depth + 1)?;
        }
        (value.len() == fields.len()).then_some(())
    }

    /// `null`, or an object whose one key is the type.
    fn union(&self, shapes: &[Shape], value: &Value, depth: usize) -> Option<()> {
        if value.is_null() {
            return shapes.iter().any(|shape| matches!(shape, Shape::Null)).then_some(());
        }
        let (name, inner) = value.as_object().filter(|object| object.len() == 1)?.iter().next()?;
        let shape = shapes.iter().find(|shape| shape.name() == *name)?;
        self.json(shape, inner, depth + 1)
    }

    fn binary(&self, shape: &Shape, rest: &mut &[u8], depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match shape {
            Shape::Null => Some(()),
            Shape::Boolean => taken(rest, 1).filter(|byte| byte[0] < 2).map(drop),
            Shape::Int => i32::try_from(long(rest)?).ok().map(drop),
            Shape::Long => long(rest).map(drop),
            Shape::Float => taken(rest, 4).map(drop),
            Shape::Double => taken(rest, 8).map(drop),
            Shape::Bytes => prefixed(rest).map(drop),
            Shape::String => std::str::from_utf8(prefixed(rest)?).ok().map(drop),
            Shape::Array(inner) => self.blocks(rest, |form, rest| form.binary(inner, rest, depth + 1)),
            Shape::Map(inner) => self.blocks(rest, |form, rest| {
                prefixed(rest)?;
                form.binary(inner, rest, depth + 1)
            }),
            Shape::Union(shapes) => {
                let at = usize::try_from(long(rest)?).ok()?;
                self.binary(shapes.get(at)?, rest, depth + 1)
            }
            Shape::Named(name) => match self.named.get(name)? {
                Definition::Record(fields) => fields
                    .iter()
                    .try_for_each(|(_, shape)| self.binary(shape, rest, depth + 1).ok_or(()))
                    .ok(),
                Definition::Enum(symbols) => {
                    usize::try_from(long(rest)?).ok().filter(|at| *at < symbols.len()).map(drop)
                }
                Definition::Fixed(size) => taken(rest, *size).map(drop),
            },
        }
    }

    /// Items come in blocks; an empty one ends them. A negative count is followed by the block's size.
    fn blocks(&self, rest: &mut &[u8], item: impl Fn(&Self, &mut &[u8]) -> Option<()>) -> Option<()> {
        loop {
            let mut count = long(rest)?;
            if count == 0 {
                return Some(());
            }
            if count < 0 {
                long(rest)?;
                count = count.checked_neg()?;
            }
            for _ in 0..count {
                // Items without any bytes could be without number.
                let before = rest.len();
                item(self, rest)?;
                if rest.len() == before {
                    break;
                }
            }
        }
    }
}

fn taken<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (first, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(first)
}

fn prefixed<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let count = usize::try_from(long(rest)?).ok()?;
    taken(rest, count)
}

/// A zig-zag number of variable length.
fn long(rest: &mut &[u8]) -> Option<i64> {
    let mut bits = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = taken(rest, 1)?[0];
        bits |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((bits >> 1) as i64 ^ -((bits & 1) as i64));
        }
    }
    None
}

impl Shape {
    fn primitive(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Shape::Null,
            "boolean" => Shape::Boolean,
            "int" => Shape::Int,
            "long" => Shape::Long,
            "float" => Shape::Float,
            "double" => Shape::Double,
            "bytes" => Shape::Bytes,
            "string" => Shape::String,
            _ => return None,
        })
    }

    /// As the JSON encoding of a union calls it.
    fn name(&self) -> &str {
        match self {
            Shape::Null => "null",
            Shape::Boolean => "boolean",
            Shape::Int => "int",
            Shape::Long => "long",
            Shape::Float => "float",
            Shape::Double => "double",
            Shape::Bytes => "bytes",
            Shape::String => "string",
            Shape::Array(_) => "array",
            Shape::Map(_) => "map",
            Shape::Union(_) => "union",
            Shape::Named(name) => name,
        }
    }
}

#[derive(Default)]
struct Reader {
    named: BTreeMap<String, Definition>,
}

impl Reader {
    fn shape(&mut self, schema: &Value, space: &str, depth: usize) -> Result<Shape, String> {
        if depth > DEEPEST {
            return Err("it is too deep".into());
        }
        match schema {
            Value::String(name) => self.reference(name, space),
            Value::Array(shapes) => {
                let shapes = shapes.iter().map(|shape| self.shape(shape, space, depth + 1));
                Ok(Shape::Union(shapes.collect::<Result<_, _>>()?))
            }
            Value::Object(object) => self.object(object, space, depth),
            other => Err(format!("{other} is no type")),
        }
    }

    fn reference(&self, name: &str, space: &str) -> Result<Shape, String> {
        if let Some(shape) = Shape::primitive(name) {
            return Ok(shape);
        }
        let candidates = [whole(name, space), name.to_owned()];
        let found = candidates.into_iter().find(|name| self.named.contains_key(name));
        found.map(Shape::Named).ok_or_else(|| format!("there is no type `{name}`"))
    }

    fn object(&mut self, object: &Map<String, Value>, space: &str, depth: usize) -> Result<Shape, String> {
        let inner = |key: &str| object.get(key).ok_or_else(|| format!("`{key}` is missing"));
        match inner("type")? {
            Value::String(kind) => match kind.as_str() {
                "array" => Ok(Shape::Array(Box::new(self.shape(inner("items")?, space, depth + 1)?))),
                "map" => Ok(Shape::Map(Box::new(self.shape(inner("values")?, space, depth + 1)?))),
                "record" | "error" | "enum" | "fixed" => self.define(kind, object, space, depth),
                name => self.reference(name, space),
            },
            nested => self.shape(nested, space, depth + 1),
        }
    }

    fn define(
        &mut self,
        kind: &str,
        object: &Map<String, Value>,
        space: &str,
        depth: usize,
    ) -> Result<Shape, String> {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let name = text("name").filter(|name| !name.is_empty()).ok_or("`name` is missing")?;
        let name = whole(name, text("namespace").unwrap_or(space));
        let list = |key: &str| {
            object.get(key).and_then(Value::as_array).ok_or_else(|| format!("`{key}` of `{name}` is missing"))
        };
        let definition = match kind {
            "enum" => {
                let symbols = list("symbols")?.iter().map(|symbol| symbol.as_str().map(str::to_owned));
                Definition::Enum(symbols.collect::<Option<_>>().ok_or("a symbol is no string")?)
            }
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64).ok_or("`size` is missing")?;
                Definition::Fixed(usize::try_from(size).map_err(|error| error.to_string())?)
            }
            _ => {
                let fields = list("fields")?;
                // Fields may be of the record's own type.
                self.named.insert(name.clone(), Definition::Record(Vec::new()));
                let space = name.rsplit_once('.').map_or("", |(space, _)| space);
                let mut shapes = Vec::new();
                for field in fields {
                    let own =
                        field["name"].as_str().ok_or_else(|| format!("a field of `{name}` has no name"))?;
                    let shape = field.get("type").ok_or_else(|| format!("`{own}` has no type"))?;
                    shapes.push((own.to_owned(), self.shape(shape, space, depth + 1)?));
                }
                Definition::Record(shapes)
            }
        };
        self.named.insert(name.clone(), definition);
        Ok(Shape::Named(name))
    }
}

fn whole(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() { name.to_owned() } else { format!("{space}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOWER: &str = r#"{"type": "record", "name": "Flower", "namespace": "garden", "fields": [
        {"name": "name", "type": "string"},
        {"name": "petals", "type": ["null", "int"]},
        {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}},
        {"name": "seeds", "type": {"type": "array", "items": "garden.Flower"}}
    ]}"#;

    #[test]
    fn json_that_fits_and_other() {
        let form = Form::read(FLOWER).unwrap();
        let fits = |text: &str| form.fits(text.as_bytes(), Encoding::Json);
        assert!(fits(r#"{"name":"a","petals":null,"colour":"RED","seeds":[]}"#));
        assert!(fits(
            r#"{"name":"a","petals":{"int":3},"colour":"BLUE","seeds":[{"name":"b","petals":null,"colour":"RED","seeds":[]}]}"#
        ));
        for wrong in [
            "",
            "{}",
            r#"{"name":"a","petals":3,"colour":"RED","seeds":[]}"#,
            r#"{"name":"a","petals":null,"colour":"GREEN","seeds":[]}"#,
            r#"{"name":"a","petals":null,"colour":"RED","seeds":[1]}"#,
            r#"{"name":"a","petals":null,"colour":"RED","seeds":[],"more":1}"#,
        ] {
            assert!(!fits(wrong), "{wrong}");
        }
    }

    #[test]
    fn binary_that_fits_and_other() {
        let form = Form::read(FLOWER).unwrap();
        let fits = |bytes: &[u8]| form.fits(bytes, Encoding::Binary);
        assert!(fits(b"\x02a\x02\x06\x00\x00"));
        assert!(fits(b"\x02a\x00\x02\x02\x02b\x00\x00\x00\x00"));
        for wrong in [
            &b""[..],
            b"\x02a\x02\x06\x00",
            b"\x02a\x08\x00\x00",
            b"\x02a\x00\x04\x00",
            b"\x02a\x02\x06\x00\x00\x00",
        ] {
            assert!(!fits(wrong), "{wrong:?}");
        }
        let endless = Form::read(r#"{"type":"array","items":"null"}"#).unwrap();
        assert!(endless.fits(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x00", Encoding::Binary));
    }

    #[test]
    fn what_is_no_schema() {
        for wrong in [
            "",
            "{}",
            "3",
            "\"flower\"",
            r#"{"type":"record","name":"A"}"#,
            r#"{"type":"record","name":"A","fields":[{"name":"b"}]}"#,
            r#"{"type":"array"}"#,
        ] {
            assert!(Form::read(wrong).is_err(), "{wrong}");
        }
    }
}
