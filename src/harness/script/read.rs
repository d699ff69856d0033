//! From a file to tests; what is wrong in it is said with its place.

use super::fields;
use super::model::{Expectation, Placed, Step, Subject, Suite, Test, moment};
use crate::clouds::CLOUDS;
use crate::config::{ConfigError, Map, Node, NodeKind, Position, SourceText, bytes, nearest, parse_yaml};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub const FILE: [&str; 5] = ["seed", "clock", "on", "matrix", "tests"];
pub const TEST: [&str; 10] =
    ["name", "seed", "clock", "cold", "memory", "on", "matrix", "faults", "steps", "expect"];
pub const STEPS: [&str; 10] =
    ["put", "send", "invoke", "wait", "advance", "clock", "fault", "fire", "cold", "expect"];
pub const SUBJECTS: [&str; 6] = ["last", "invocations", "object", "bucket", "queue", "logs"];
/// Tests of one matrix.
const MOST: usize = 1000;

/// # Errors
/// The first thing that is not understood.
pub fn suite(path: &Path) -> Result<Suite, ConfigError> {
    of_text(SourceText::read(path)?)
}

pub fn of_text(text: SourceText) -> Result<Suite, ConfigError> {
    let root = parse_yaml(&text)?;
    let reader = Reader { text: &text };
    let map = reader.map(&root, "a file of tests", &FILE)?;
    let outer = Outer {
        clock: reader.clock(map)?,
        seed: reader.read_at(map, "seed")?,
        on: reader.on(map)?,
        matrix: map.get("matrix").map(|matrix| reader.matrix(matrix)).transpose()?.unwrap_or_default(),
    };
    let mut tests = Vec::new();
    for node in reader.list_at(&root, map, "tests")? {
        tests.extend(reader.tests(node, &outer)?);
    }
    Ok(Suite { text: Arc::new(text), tests })
}

/// What a file says for all of its tests.
struct Outer {
    clock: Option<String>,
    seed: Option<u64>,
    /// Clouds; none: tests are not about one.
    on: Vec<String>,
    matrix: Matrix,
}

/// Names and what each stands for, one after the other.
type Matrix = Vec<(String, Vec<String>)>;

struct Reader<'a> {
    text: &'a SourceText,
}

impl Reader<'_> {
    fn error(&self, at: Position, width: usize, what: impl Into<String>) -> ConfigError {
        self.text.error(at, width.max(1), what)
    }

    /// A mapping that has these keys and no others.
    fn map<'n>(&self, node: &'n Node, what: &str, keys: &[&str]) -> Result<&'n Map, ConfigError> {
        let map = node.as_map().ok_or_else(|| self.error(node.at, 1, format!("{what} is a mapping")))?;
        for (key, _) in map.iter() {
            if !keys.contains(&key.text.as_str()) {
                let error =
                    self.error(key.at, key.text.chars().count(), format!("{what} has no `{}`", key.text));
                let meant = nearest(&key.text, keys).map(|meant| format!("did you mean `{meant}`?"));
                return Err(error.hint(meant.unwrap_or_else(|| format!("there are: {}", keys.join(", ")))));
            }
        }
        Ok(map)
    }

    fn list<'n>(&self, node: &'n Node, what: &str) -> Result<&'n [Arc<Node>], ConfigError> {
        node.as_list().ok_or_else(|| self.error(node.at, 1, format!("{what} is a list")))
    }

    fn list_at<'n>(&self, node: &Node, map: &'n Map, name: &str) -> Result<&'n [Arc<Node>], ConfigError> {
        let found = map.get(name).ok_or_else(|| self.error(node.at, 1, format!("`{name}` is missing")))?;
        self.list(found, &format!("`{name}`"))
    }

    fn text_at(&self, map: &Map, name: &str) -> Result<Option<String>, ConfigError> {
        let Some(node) = map.get(name) else { return Ok(None) };
        let text = node.as_text().ok_or_else(|| self.error(node.at, 1, format!("`{name}` is a text")))?;
        Ok(Some(text.to_owned()))
    }

    fn read_at<T: DeserializeOwned>(&self, map: &Map, name: &str) -> Result<Option<T>, ConfigError> {
        map.get(name).map(|node| self.read(node, &value(node))).transpose()
    }

    /// Reads what `node` says; an error points at the key that it names, if there is one.
    fn read<T: DeserializeOwned>(&self, node: &Node, document: &Value) -> Result<T, ConfigError> {
        serde_json::from_value(document.clone()).map_err(|error| {
            let why = error.to_string();
            let named = why.split('`').nth(1).and_then(|name| find(node, name));
            let (at, width) = named.unwrap_or((node.at, 1));
            self.error(at, width, why)
        })
    }

    fn clock(&self, map: &Map) -> Result<Option<String>, ConfigError> {
        let text = self.text_at(map, "clock")?;
        if let (Some(text), Some(node)) = (&text, map.get("clock")) {
            moment(text).map_err(|why| self.error(node.at, text.chars().count(), why))?;
        }
        Ok(text)
    }

    /// The clouds of `on`: one, or a list.
    fn on(&self, map: &Map) -> Result<Vec<String>, ConfigError> {
        let Some(node) = map.get("on") else { return Ok(Vec::new()) };
        let one = |node: &Node| {
            let word = node.as_text().unwrap_or_default();
            let known: Vec<&str> = CLOUDS.iter().map(|cloud| cloud.name).collect();
            let error = || {
                let what = format!("`{word}` is no cloud of mlemu");
                self.error(node.at, word.chars().count(), what)
                    .hint(format!("there are: {}", known.join(", ")))
            };
            if known.contains(&word) { Ok(word.to_owned()) } else { Err(error()) }
        };
        match node.as_list() {
            Some(list) => list.iter().map(|node| one(node)).collect(),
            None => Ok(vec![one(node)?]),
        }
    }

    /// Memory by function, in words that are sizes.
    fn memory(&self, map: &Map) -> Result<BTreeMap<String, String>, ConfigError> {
        let Some(node) = map.get("memory") else { return Ok(BTreeMap::new()) };
        let sizes = node
            .as_map()
            .ok_or_else(|| self.error(node.at, 1, "`memory` is a mapping from function to size"))?;
        let each = sizes.iter().map(|(function, size)| {
            let text = size.as_text().unwrap_or_default();
            let why = || format!("`{text}` is no size: write 512MB or 1GB");
            bytes(text).ok_or_else(|| self.error(size.at, text.chars().count(), why()))?;
            Ok((function.text.clone(), text.to_owned()))
        });
        each.collect()
    }

    fn matrix(&self, node: &Node) -> Result<Matrix, ConfigError> {
        let map = node.as_map().ok_or_else(|| self.error(node.at, 1, "a matrix is a mapping of lists"))?;
        let each = map.iter().map(|(key, list)| {
            let list = self.list(list, &format!("`{}`", key.text))?;
            let texts = list.iter().map(|item| {
                item.as_text()
                    .map(str::to_owned)
                    .ok_or_else(|| self.error(item.at, 1, "a text is needed here"))
            });
            Ok((key.text.clone(), texts.collect::<Result<Vec<_>, ConfigError>>()?))
        });
        each.collect()
    }

    /// One test, or all of its matrix.
    fn tests(&self, node: &Node, outer: &Outer) -> Result<Vec<Test>, ConfigError> {
        let map = self.map(node, "a test", &TEST)?;
        let own = map.get("matrix").map(|matrix| self.matrix(matrix)).transpose()?;
        let mut matrix = own.unwrap_or_else(|| outer.matrix.clone());
        let on = if map.get("on").is_some() { self.on(map)? } else { outer.on.clone() };
        if !on.is_empty() {
            matrix.insert(0, ("on".into(), on));
        }
        let combinations = combine(&matrix);
        if combinations.len() > MOST {
            return Err(self.error(node.at, 1, format!("a matrix of more than {MOST} tests")));
        }
        combinations.iter().map(|chosen| self.test(node, map, outer, chosen)).collect()
    }

    fn test(
        &self,
        node: &Node,
        map: &Map,
        outer: &Outer,
        chosen: &BTreeMap<String, String>,
    ) -> Result<Test, ConfigError> {
        let name = self.text_at(map, "name")?;
        let name = name.ok_or_else(|| self.error(node.at, 1, "a test needs a `name`"))?;
        let mut name = fill_text(&name, chosen);
        if !chosen.is_empty() {
            let pairs: Vec<_> = chosen.iter().map(|(key, value)| format!("{key}={value}")).collect();
            name = format!("{name} [{}]", pairs.join(", "));
        }
        let mut memory = self.memory(map)?;
        if let Some(size) = chosen.get("memory") {
            // Of the function that the matrix names, or of all.
            memory.insert(chosen.get("function").cloned().unwrap_or_else(|| "*".into()), size.clone());
        }
        let mut steps = Vec::new();
        for fault in
            map.get("faults").map(|list| self.list(list, "`faults`")).transpose()?.unwrap_or_default()
        {
            let what = self.read(fault, &filled(fault, chosen)).map(Step::Fault)?;
            what.check().map_err(|why| self.error(fault.at, 1, why))?;
            steps.push(Placed { at: fault.at, width: 1, what });
        }
        for step in map.get("steps").map(|list| self.list(list, "`steps`")).transpose()?.unwrap_or_default() {
            steps.push(self.step(step, chosen)?);
        }
        if let Some(expect) = map.get("expect") {
            steps.push(Placed { at: expect.at, width: 1, what: self.expect(expect, chosen)? });
        }
        Ok(Test {
            name,
            at: node.at,
            on: chosen.get("on").cloned(),
            seed: self.read_at(map, "seed")?.or(outer.seed),
            clock: self.clock(map)?.or_else(|| outer.clock.clone()),
            cold: self.read_at(map, "cold")?.unwrap_or_default(),
            memory,
            steps,
        })
    }

    fn step(&self, node: &Node, chosen: &BTreeMap<String, String>) -> Result<Placed<Step>, ConfigError> {
        let map = self.map(node, "a step", &STEPS)?;
        let (key, inner) = map.single().ok_or_else(|| self.error(node.at, 1, "a step is one thing"))?;
        let what = if key.text == "expect" {
            self.expect(inner, chosen)?
        } else {
            let document = serde_json::json!({ key.text.clone(): filled(inner, chosen) });
            let what: Step = self.read(node, &document)?;
            let width = inner.as_text().map_or(1, |text| text.chars().count());
            what.check().map_err(|why| self.error(inner.at, width, why))?;
            what
        };
        Ok(Placed { at: key.at, width: key.text.chars().count(), what })
    }

    /// One expectation or a list of them.
    fn expect(&self, node: &Node, chosen: &BTreeMap<String, String>) -> Result<Step, ConfigError> {
        let one = |node: &Node| {
            let map = self.map(node, "an expectation", &SUBJECTS)?;
            let (key, facts) =
                map.single().ok_or_else(|| self.error(node.at, 1, "an expectation is about one thing"))?;
            self.expectation(&key.text, facts, chosen)
        };
        let all = match node.as_list() {
            Some(list) => list.iter().map(|node| one(node)).collect::<Result<_, _>>()?,
            None => vec![one(node)?],
        };
        Ok(Step::Expect(all))
    }

    fn expectation(
        &self,
        about: &str,
        node: &Node,
        chosen: &BTreeMap<String, String>,
    ) -> Result<Expectation, ConfigError> {
        let map = node.as_map().ok_or_else(|| self.error(node.at, 1, "what is expected is a mapping"))?;
        let said =
            |name: &str| map.get(name).and_then(|node| node.as_text()).map(|text| fill_text(text, chosen));
        let must = |name: &str| {
            said(name)
                .ok_or_else(|| self.error(node.at, 1, format!("`{name}` is missing: which one is meant?")))
        };
        let function = said("function").or_else(|| said("fn"));
        let fields = fields::of(about);
        for (key, node) in map.iter() {
            let wrong =
                |(why, hint): (String, String)| self.error(key.at, key.text.chars().count(), why).hint(hint);
            fields.check(about, &key.text).map_err(wrong)?;
            fields.check_wanted(&key.text, &value(node)).map_err(wrong)?;
        }
        let subject = match about {
            "last" => Subject::Last { function },
            "invocations" => Subject::Invocations { function, status: said("status") },
            "object" => Subject::Object { bucket: must("bucket")?, key: must("key")? },
            "bucket" => Subject::Bucket { name: must("name")?, prefix: said("prefix").unwrap_or_default() },
            "queue" => Subject::Queue { name: must("name")? },
            _ => Subject::Logs { function },
        };
        let facts = map.iter().filter(|(key, _)| !fields.chosen_by.contains(&key.text.as_str()));
        let facts = facts.map(|(key, node)| Placed {
            at: key.at,
            width: key.text.chars().count(),
            what: (key.text.clone(), filled(node, chosen)),
        });
        Ok(Expectation { subject, facts: facts.collect() })
    }
}

/// Each choice of one value for each name.
fn combine(matrix: &Matrix) -> Vec<BTreeMap<String, String>> {
    let mut all = vec![BTreeMap::new()];
    for (name, values) in matrix {
        let with = |chosen: &BTreeMap<String, String>| {
            let chosen = chosen.clone();
            values.iter().map(move |value| {
                let mut chosen = chosen.clone();
                chosen.insert(name.clone(), value.clone());
                chosen
            })
        };
        all = all.iter().flat_map(with).take(MOST + 1).collect();
    }
    all
}

/// Where a key of that name is.
fn find(node: &Node, name: &str) -> Option<(Position, usize)> {
    if let Some((key, _)) = node.as_map().and_then(|map| map.entry(name)) {
        return Some((key.at, name.chars().count()));
    }
    match &node.kind {
        NodeKind::Map(map) => map.iter().find_map(|(_, inner)| find(inner, name)),
        NodeKind::List(list) => list.iter().find_map(|inner| find(inner, name)),
        _ => None,
    }
}

pub fn fill_text(text: &str, chosen: &BTreeMap<String, String>) -> String {
    chosen.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

fn filled(node: &Node, chosen: &BTreeMap<String, String>) -> Value {
    fill(value(node), chosen)
}

pub fn fill(document: Value, chosen: &BTreeMap<String, String>) -> Value {
    match document {
        Value::String(text) => fill_text(&text, chosen).into(),
        Value::Array(items) => items.into_iter().map(|item| fill(item, chosen)).collect(),
        Value::Object(map) => map.into_iter().map(|(key, item)| (key, fill(item, chosen))).collect(),
        other => other,
    }
}

/// As JSON: what is written without quotes may be more than text.
fn value(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Null => Value::Null,
        NodeKind::Scalar { text, plain: true } => match text.as_str() {
            "true" => true.into(),
            "false" => false.into(),
            text => {
                serde_json::from_str::<serde_json::Number>(text).map_or_else(|_| text.into(), Value::Number)
            }
        },
        NodeKind::Scalar { text, .. } => text.as_str().into(),
        NodeKind::List(items) => items.iter().map(|item| value(item)).collect(),
        NodeKind::Map(map) => map.iter().map(|(key, item)| (key.text.clone(), value(item))).collect(),
    }
}
