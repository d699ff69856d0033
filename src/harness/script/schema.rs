//! The JSON Schema of test files, for editors. [`super::read`] says more than a schema can; what keys there are is
//! said by both, and a test holds them equal.
#![expect(dead_code, reason = "of these types only the schema is wanted")]

use super::fields;
use super::model::{Invoke, Put, Send, WaitFor};
use super::read::SUBJECTS;
use crate::clouds::CLOUDS;
use crate::config::without_null;
use crate::daemon::control::faults::WantedFault;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Other spellings of keys, that serde reads as well.
const SHORT: [(&str, &str); 2] = [("function", "fn"), ("operation", "op")];

/// The JSON Schema of `*.mlemu.yaml`.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<File>().to_value();
    schema["definitions"]["Cloud"]["enum"] = CLOUDS.iter().map(|cloud| cloud.name).collect();
    without_null(&mut schema);
    with_fields(&mut schema);
    with_short_names(&mut schema);
    schema
}

/// Fields that need no words of their own here, and the paths that lead into documents.
fn with_fields(schema: &mut Value) {
    let wanted = json!({ "$ref": "#/definitions/Wanted" });
    for about in SUBJECTS {
        let (first, rest) = about.split_at(1);
        let of = &mut schema["definitions"][first.to_uppercase() + rest];
        let fields = fields::of(about);
        if let Some(properties) = of["properties"].as_object_mut() {
            for field in [fields.plain, fields.deep].concat() {
                properties.entry(field).or_insert_with(|| wanted.clone());
            }
        }
        if !fields.deep.is_empty() {
            of["patternProperties"] = json!({ format!(r"^({})\.", fields.deep.join("|")): wanted });
        }
        of["additionalProperties"] = false.into();
    }
}

fn with_short_names(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            let mut renamed = false;
            if let Some(Value::Object(properties)) = entries.get_mut("properties") {
                for (long, short) in SHORT {
                    if let Some(of) = properties.get(long).cloned() {
                        properties.insert(short.into(), of);
                        renamed = true;
                    }
                }
            }
            if renamed && let Some(Value::Array(required)) = entries.get_mut("required") {
                // One of both is; a schema that says which would only confuse the messages of editors.
                required.retain(|name| !SHORT.iter().any(|(long, _)| name == long));
            }
            entries.values_mut().for_each(with_short_names);
        }
        Value::Array(items) => items.iter_mut().for_each(with_short_names),
        _ => {}
    }
}

/// Tests that `mlemu test` runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    /// What tests repeat by, where one says nothing else: ids, order, the dice of faults, fixtures.
    seed: Option<u64>,
    /// Where emulated time stands still, where a test says nothing else; e.g. `2026-01-01T00:00:00Z`.
    clock: Option<String>,
    on: Option<Clouds>,
    matrix: Option<Matrix>,
    tests: Vec<Test>,
}

/// The clouds that tests are for: each runs once for each, `${on}` is its name, and names are looked for in it.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Clouds {
    One(Cloud),
    Many(Vec<Cloud>),
}

#[derive(Deserialize, JsonSchema)]
struct Cloud(String);

/// A test for each choice of one value for each name, which is filled in as `${name}`; `memory` is that of `function`,
/// or of all functions.
#[derive(Deserialize, JsonSchema)]
struct Matrix(BTreeMap<String, Vec<Plain>>);

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Plain {
    Text(String),
    Number(f64),
    Bool(bool),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Test {
    name: String,
    /// What the test repeats by: ids, order, the dice of faults, fixtures.
    seed: Option<u64>,
    /// Where emulated time stands still, e.g. `2026-01-01T00:00:00Z`.
    clock: Option<String>,
    /// The first call of each function is a cold start.
    cold: Option<bool>,
    /// Other memory than declared, by function; `*` is all.
    memory: Option<BTreeMap<String, String>>,
    on: Option<Clouds>,
    matrix: Option<Matrix>,
    /// What goes wrong from the start.
    faults: Option<Vec<WantedFault>>,
    steps: Option<Vec<Step>>,
    /// What shall be so after the last step.
    expect: Option<Expectations>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// Puts an object.
    Put(Put),
    /// Sends a message.
    Send(Send),
    /// Calls a function.
    Invoke(Invoke),
    /// Goes on when something is so: `idle`, or what is said.
    Wait(WaitFor),
    /// Emulated time goes forward, e.g. by `6h`; ends when everything that fell due has settled.
    Advance(String),
    /// Emulated time stands still, here, e.g. `2026-01-01T00:00:00Z`; `real`: it passes as the machine's.
    Clock(String),
    /// What goes wrong from now on.
    Fault(WantedFault),
    /// This schedule comes now.
    Fire(String),
    /// This function's next call is a cold start.
    Cold(String),
    /// What shall be so now.
    Expect(Expectations),
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Expectations {
    One(Box<Expectation>),
    Many(Vec<Expectation>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Expectation {
    /// The newest invocation. Paths lead into JSON, e.g. `result.body.label`.
    Last(Last),
    /// All invocations since the test began: `count`, `all.0.status` and so on.
    Invocations(Invocations),
    Object(Object),
    Bucket(Bucket),
    Queue(Queue),
    /// Everything that functions wrote since the test began.
    Logs(Logs),
}

/// A value; or operators that must all be so of what is found; or `snapshot: NAME`, held against the file beside.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Wanted {
    Operators(Box<Operators>),
    Value(Value),
}

/// Durations are written as `2s`, sizes as `400MB`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Operators {
    lt: Option<Value>,
    le: Option<Value>,
    gt: Option<Value>,
    ge: Option<Value>,
    not: Option<Value>,
    /// One of these.
    #[serde(rename = "in")]
    one_of: Option<Vec<Value>>,
    /// A part of a text, or an item of a list.
    contains: Option<Value>,
    not_contains: Option<Value>,
    /// `*` stands for any letters.
    like: Option<String>,
    exists: Option<bool>,
    snapshot: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Last {
    function: Option<String>,
    /// `ok`, `error`, `timeout`, `exited`, `out-of-memory`.
    status: Option<Wanted>,
    /// The answer, or the vendor's error document.
    result: Option<Wanted>,
    cold: Option<Wanted>,
    /// From handing over the event to the answer.
    duration: Option<Wanted>,
    max_memory: Option<Wanted>,
    log: Option<Wanted>,
}

#[derive(Deserialize, JsonSchema)]
struct Invocations {
    function: Option<String>,
    /// Only those that ended so are counted.
    status: Option<String>,
    count: Option<Wanted>,
}

#[derive(Deserialize, JsonSchema)]
struct Object {
    bucket: String,
    key: String,
    exists: Option<Wanted>,
    /// In bytes.
    size: Option<Wanted>,
    body: Option<Wanted>,
    /// The body, if it is JSON.
    json: Option<Wanted>,
}

#[derive(Deserialize, JsonSchema)]
struct Bucket {
    name: String,
    /// Only keys that begin so are counted.
    prefix: Option<String>,
    /// How many there are.
    objects: Option<Wanted>,
    keys: Option<Wanted>,
}

#[derive(Deserialize, JsonSchema)]
struct Queue {
    name: String,
    /// All messages, hidden ones included.
    depth: Option<Wanted>,
    visible: Option<Wanted>,
    leased: Option<Wanted>,
    delayed: Option<Wanted>,
}

#[derive(Deserialize, JsonSchema)]
struct Logs {
    function: Option<String>,
    contains: Option<String>,
    not_contains: Option<String>,
    like: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::matching::OPERATORS;
    use super::super::read::{FILE, STEPS, TEST};
    use super::*;

    fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut names: Vec<_> = names.into_iter().map(str::to_owned).collect();
        names.sort();
        names
    }

    fn keys(schema: &Value) -> Vec<String> {
        sorted(schema["properties"].as_object().expect("properties").keys().map(String::as_str))
    }

    /// The one key of each alternative.
    fn variants(schema: &Value) -> Vec<String> {
        let each = schema["oneOf"].as_array().expect("alternatives").iter();
        sorted(each.map(|one| one["required"][0].as_str().expect("a key")))
    }

    #[test]
    fn the_schema_has_the_keys_that_are_read() {
        let schema = schema();
        let of = |name: &str| &schema["definitions"][name];
        assert_eq!(keys(&schema), sorted(FILE));
        assert_eq!(keys(of("Test")), sorted(TEST));
        assert_eq!(variants(of("Step")), sorted(STEPS));
        assert_eq!(variants(of("Expectation")), sorted(SUBJECTS));
        let operators = OPERATORS.into_iter().filter(|name| *name != "has").chain(["snapshot"]);
        assert_eq!(keys(of("Operators")), sorted(operators));
        for about in SUBJECTS {
            let (first, rest) = about.split_at(1);
            let all = fields::of(about);
            let known = [all.chosen_by, all.plain, all.deep].concat();
            assert_eq!(keys(of(&(first.to_uppercase() + rest))), sorted(known));
        }
        assert_eq!(of("Cloud")["enum"][0], "aws");
        assert_eq!(keys(of("Invoke")), ["as", "base64", "event", "fn", "function", "params", "queue"]);
    }
}
