//! From declared and given parameters to the values that a template sees.

use crate::error::FixtureError;
use crate::files::{Files, MAX_FILE, read_text};
use crate::front_matter::ParamSpec;
use crate::kind::Kind;
use crate::param::{Given, Param};
use crate::suggest::similar;
use serde_json::{Map, Value};

/// Nested names in one parameter: `a.b.c`.
const MAX_DOTS: usize = 16;

/// Values of all declared parameters: defaults, overwritten by what was given, in the given order.
///
/// # Errors
/// Unknown names, values that are not of their kind or not among the choices, missing ones, unreadable files.
pub(crate) fn bind(
    fixture: &str,
    specs: &[ParamSpec],
    params: &[Param],
    files: &mut Files,
) -> Result<Map<String, Value>, FixtureError> {
    let mut values: Map<String, Value> =
        specs.iter().map(|spec| (spec.name.clone(), spec.default.clone())).collect();
    for param in params {
        let Some(spec) = specs.iter().find(|spec| spec.name == param.name || spec.name == param.root())
        else {
            return Err(unknown(fixture, specs, param));
        };
        let slot = values.entry(spec.name.clone()).or_insert(Value::Null);
        set(slot, spec, param, files)?;
    }
    for spec in specs {
        let value = values.get(&spec.name).unwrap_or(&Value::Null);
        if spec.required && value.is_null() {
            return Err(FixtureError::MissingParam { fixture: fixture.into(), name: spec.name.clone() });
        }
    }
    Ok(values)
}

fn unknown(fixture: &str, specs: &[ParamSpec], param: &Param) -> FixtureError {
    let known: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    FixtureError::UnknownParam {
        fixture: fixture.into(),
        name: param.root().into(),
        similar: similar(param.root(), known.iter().map(String::as_str)),
        known,
    }
}

fn set(slot: &mut Value, spec: &ParamSpec, param: &Param, files: &mut Files) -> Result<(), FixtureError> {
    let bad = |why: String, hint: Option<&str>| FixtureError::BadParam {
        name: param.name.clone(),
        why,
        hint: hint.map(str::to_owned),
    };
    let Some(inner) = param.inner().filter(|_| spec.name != param.name) else {
        let value = value_of(spec.kind, param, files)?;
        if !spec.choices.is_empty() && !value.is_null() && !spec.choices.contains(&value) {
            let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let choices: Vec<String> = spec.choices.iter().map(shown).collect();
            let meant = similar(&shown(&value), choices.iter().map(String::as_str));
            let why = format!("`{}` is not one of {}", shown(&value), choices.join(", "));
            return Err(bad(why, crate::error::did_you_mean(&meant).as_deref()));
        }
        *slot = value;
        return Ok(());
    };
    if !spec.kind.has_inside() {
        return Err(bad(format!("`{}` is of kind {} and has nothing inside", spec.name, spec.kind), None));
    }
    let value = match spec.kind {
        Kind::Object => value_of(Kind::Any, param, files)?,
        _ => value_of(Kind::String, param, files)?,
    };
    let map = open(slot);
    match spec.kind {
        Kind::Object if inner.split('.').count() > MAX_DOTS => Err(bad("too many dots".into(), None)),
        Kind::Object => {
            nest(map, inner, value);
            Ok(())
        }
        Kind::Headers => {
            let same = map.keys().find(|name| name.eq_ignore_ascii_case(inner)).cloned();
            add(map, &same.unwrap_or_else(|| inner.to_owned()), value);
            Ok(())
        }
        _ => {
            add(map, inner, value);
            Ok(())
        }
    }
}

fn value_of(kind: Kind, param: &Param, files: &mut Files) -> Result<Value, FixtureError> {
    let read = match &param.given {
        Given::Json(value) => kind.check(value.clone()),
        Given::Text(text) => kind.read(text),
        Given::File(path) if kind == Kind::File => Ok(Value::String(files.grant(path)?)),
        Given::File(path) => kind.read(&read_text(path, MAX_FILE)?),
    };
    let hint = (kind == Kind::String).then(|| format!("give text: {}=...", param.name));
    read.map_err(|why| FixtureError::BadParam { name: param.name.clone(), why: why.to_string(), hint })
}

/// The object in a slot, made if there is none.
fn open(slot: &mut Value) -> &mut Map<String, Value> {
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object"),
    }
}

/// A name given twice has both values.
fn add(map: &mut Map<String, Value>, name: &str, value: Value) {
    match map.get_mut(name) {
        None => {
            map.insert(name.to_owned(), value);
        }
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn nest(map: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            map.insert(path.to_owned(), value);
        }
        Some((name, rest)) => nest(open(map.entry(name).or_insert(Value::Null)), rest, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(name: &str, kind: Kind, default: Value) -> ParamSpec {
        ParamSpec { name: name.into(), kind, default, doc: String::new(), choices: vec![], required: false }
    }

    fn specs() -> Vec<ParamSpec> {
        vec![
            spec("bucket", Kind::String, json!("uploads")),
            spec("query", Kind::Map, Value::Null),
            spec("headers", Kind::Headers, json!({"Accept": "*/*"})),
            spec("claims", Kind::Object, Value::Null),
            ParamSpec {
                choices: vec![json!("GET"), json!("POST")],
                ..spec("method", Kind::String, json!("GET"))
            },
        ]
    }

    fn bound(params: &[&str]) -> Result<Map<String, Value>, FixtureError> {
        let params: Vec<Param> = params.iter().map(|text| text.parse().unwrap()).collect();
        bind("x", &specs(), &params, &mut Files::default())
    }

    #[test]
    fn defaults_then_what_was_given() {
        let values = bound(&["bucket=a", "bucket=b"]).unwrap();
        assert_eq!((&values["bucket"], &values["method"]), (&json!("b"), &json!("GET")));
    }

    #[test]
    fn dotted_names_go_inside() {
        let values = bound(&["query.url=u", "query.a.b=1", "query.tag=x", "query.tag=y"]).unwrap();
        assert_eq!(values["query"], json!({"url": "u", "a.b": "1", "tag": ["x", "y"]}));
        let values = bound(&["claims.a.b=1", "claims.a.c:=2"]).unwrap();
        assert_eq!(values["claims"], json!({"a": {"b": "1", "c": 2}}));
        let values = bound(&["headers.X-A=1"]).unwrap();
        assert_eq!(values["headers"], json!({"Accept": "*/*", "X-A": "1"}));
    }

    #[test]
    fn mistakes_are_named() {
        let error = bound(&["bukcet=a"]).unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean `bucket`?");
        let error = bound(&["method=POTS"]).unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean `POST`?");
        assert!(bound(&["bucket.x=1"]).unwrap_err().to_string().contains("nothing inside"));
        assert!(bound(&["bucket:=7"]).unwrap_err().to_string().contains("expected text"));
        assert!(bound(&[&format!("claims.{}=1", "a.".repeat(100_000))]).is_err());
    }

    #[test]
    fn a_required_parameter_must_be_there() {
        let specs = [ParamSpec { required: true, ..spec("url", Kind::String, Value::Null) }];
        let error = bind("x", &specs, &[], &mut Files::default()).unwrap_err();
        assert_eq!(error.hint().unwrap(), "add -p url=...");
    }
}
