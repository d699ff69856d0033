//! The control API does what its OpenAPI file says: every operation is asked, and every answer is held against
//! the schema of its status.

use super::house::House;
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Jobs: { Type: AWS::SQS::Queue, Properties: { QueueName: jobs } }
  In: { Type: AWS::S3::Bucket, Properties: { BucketName: inbox } }
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      CodeUri: src/
      Handler: app.echo
      Timeout: 30
      EventInvokeConfig: { MaximumRetryAttempts: 0 }
";

const APP: &str = "\
def echo(event, context):
    if event:
        raise ValueError('told to')
    return event
";

/// What is sent beside the usual, and the status that it shall have.
const CASES: &[(&str, &str, &str, u16)] = &[
    ("post", "/_mlemu/functions/Echo/invoke", "{}", 200),
    ("post", "/_mlemu/functions/Echo/invoke?queue=true", "{\"fail\": 1}", 200),
    ("post", "/_mlemu/functions/Nobody/invoke", "{}", 404),
    ("post", "/_mlemu/wait", "", 200),
    ("post", "/_mlemu/wait", r#"{ "until": { "invocations": { "count": 9 } }, "while_busy": true }"#, 408),
    ("post", "/_mlemu/wait", r#"{ "until": { "nothing": 1 } }"#, 400),
    ("post", "/_mlemu/wait", r#"{ "until": { "invocations": { "function": "Nobody" } } }"#, 404),
    ("post", "/_mlemu/wait", r#"{ "until": { "trace": "nobody" } }"#, 404),
    ("get", "/_mlemu/health", "", 200),
    ("get", "/_mlemu/openapi.json", "", 200),
    ("get", "/_mlemu/functions", "", 200),
    ("get", "/_mlemu/env", "", 200),
    ("get", "/_mlemu/invocations", "", 200),
    ("get", "/_mlemu/invocations?function=Nobody", "", 404),
    ("get", "/_mlemu/invocations?color=red", "", 400),
    ("get", "/_mlemu/invocations/last", "", 200),
    ("get", "/_mlemu/invocations/none", "", 404),
    ("get", "/_mlemu/invocations/last/event", "", 200),
    ("post", "/_mlemu/invocations/last/replay", "", 200),
    ("post", "/_mlemu/invocations/last/replay", "{", 400),
    ("post", "/_mlemu/functions/Echo/cold", "", 204),
    ("post", "/_mlemu/functions/Nobody/cold", "", 404),
    ("get", "/_mlemu/clock", "", 200),
    ("post", "/_mlemu/clock", r#"{ "advance": "1h" }"#, 200),
    ("post", "/_mlemu/clock", r#"{ "advance": "later" }"#, 400),
    ("post", "/_mlemu/recordings/start", "", 204),
    ("post", "/_mlemu/recordings/start", "", 409),
    ("post", "/_mlemu/recordings/stop", "", 200),
    ("post", "/_mlemu/recordings/stop", "", 404),
    ("post", "/_mlemu/snapshots/one", "", 204),
    ("get", "/_mlemu/snapshots", "", 200),
    ("post", "/_mlemu/snapshots/one/restore", "", 204),
    ("post", "/_mlemu/snapshots/two/restore", "", 404),
    ("post", "/_mlemu/reset", r#"{ "scope": "journal" }"#, 204),
    ("post", "/_mlemu/reset", r#"{ "scope": "queues" }"#, 204),
    ("post", "/_mlemu/reset", r#"{ "scope": "half" }"#, 400),
    ("put", "/_mlemu/scopes/one", "", 200),
    ("put", "/_mlemu/scopes/One", "", 400),
    ("get", "/_mlemu/scopes", "", 200),
    ("delete", "/_mlemu/scopes/one", "", 204),
    ("delete", "/_mlemu/scopes/one", "", 404),
    ("post", "/_mlemu/faults", r#"{ "effect": "hang", "times": 0 }"#, 200),
    ("post", "/_mlemu/faults", r#"{ "seed": 7, "rules": [{ "effect": "oom", "nth": [9] }] }"#, 200),
    ("post", "/_mlemu/faults", r#"{ "effect": "explode" }"#, 400),
    ("post", "/_mlemu/faults", r#"{ "effect": "oom", "often": 1 }"#, 400),
    ("get", "/_mlemu/faults", "", 200),
    ("delete", "/_mlemu/faults/1", "", 204),
    ("delete", "/_mlemu/faults/1", "", 404),
    ("delete", "/_mlemu/faults", "", 204),
    ("post", "/_mlemu/seed", r#"{ "seed": 7 }"#, 204),
    ("post", "/_mlemu/seed", r#"{ "seed": -7 }"#, 400),
    ("post", "/_mlemu/triggers/pause", "", 204),
    ("post", "/_mlemu/triggers/resume", "", 204),
    ("get", "/_mlemu/schedules", "", 200),
    ("post", "/_mlemu/schedules/none/fire", "", 404),
    ("get", "/_mlemu/queues", "", 200),
    ("get", "/_mlemu/queues/jobs/messages", "", 200),
    ("get", "/_mlemu/queues/none/messages", "", 404),
    ("post", "/_mlemu/queues/jobs/messages", "hello", 200),
    ("post", "/_mlemu/queues/none/messages", "hello", 404),
    ("put", "/_mlemu/buckets/inbox/objects/a%2Fb.txt", "hello", 200),
    ("put", "/_mlemu/buckets/none/objects/a", "hello", 404),
    ("get", "/_mlemu/buckets/inbox/objects/a%2Fb.txt", "", 200),
    ("get", "/_mlemu/buckets/inbox/objects/none", "", 404),
    ("post", "/_mlemu/queues/jobs/redrive", "", 200),
    ("post", "/_mlemu/queues/jobs/purge", "", 204),
    ("post", "/_mlemu/queues/none/purge", "", 404),
    ("get", "/_mlemu/stream?once=true", "", 200),
    ("post", "/_mlemu/stop", "", 202),
];

fn ask(house: &House, token: &str, method: &str, path: &str, body: &str) -> http::Answer {
    let line = format!("{} {path}", method.to_uppercase());
    http::send(house.control(), &line, &[("Authorization", token)], body.as_bytes())
}

#[test]
fn every_operation_answers_as_it_is_described() {
    let house = Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).up();
    let api = http::send(house.control(), "GET /_mlemu/openapi.json", &[], b"").json();
    let token = format!("Bearer {}", house.token());
    let mut asked = std::collections::BTreeSet::new();
    for (method, path, body, status) in CASES {
        let template = described(&api, path.split('?').next().expect("a path"));
        let operation = &api["paths"][&template][*method];
        assert!(operation.is_object(), "{method} {template} is not described");
        if operation["security"] != json!([]) {
            let stranger = ask(&house, "Bearer wrong", method, path, body);
            assert_eq!(stranger.status, 401, "{method} {path}");
        }
        let answer = ask(&house, &token, method, path, body);
        assert_eq!(answer.status, *status, "{method} {path} {body}: {}", answer.text());
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{method} {template} does not describe {status}");
        let schema = &response["content"]["application/json"]["schema"];
        if schema.is_object() {
            let broken = breaks(&api, schema, &answer.json(), "$");
            assert!(broken.is_empty(), "{method} {path} {status}: {broken:#?}\n{}", answer.text());
        }
        asked.insert((template, (*method).to_owned()));
    }
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            assert!(asked.contains(&(path.clone(), method.clone())), "nobody asked {method} {path}");
        }
    }
}

/// The described path that a real one is an example of.
fn described(api: &Value, path: &str) -> String {
    let fits = |template: &str| {
        let (parts, wanted): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
        let same = |(part, wanted): (&&str, &&str)| wanted.starts_with('{') || part == wanted;
        parts.len() == wanted.len() && parts.iter().zip(&wanted).all(same)
    };
    let mut found: Vec<_> = api["paths"].as_object().expect("paths").keys().filter(|key| fits(key)).collect();
    // What is spelled out comes before what varies.
    found.sort_by_key(|key| key.matches('{').count());
    (*found.first().unwrap_or_else(|| panic!("{path} is not described"))).clone()
}

/// Where a value is not what its schema says.
fn breaks(api: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.trim_start_matches('#');
        return breaks(api, api.pointer(pointer).expect("a schema"), value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let all: Vec<_> = any.iter().map(|one| breaks(api, one, value, at)).collect();
        let fits = all.iter().any(Vec::is_empty);
        return if fits { Vec::new() } else { all.concat() };
    }
    let mut broken = Vec::new();
    let kinds: Vec<_> = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return broken,
    };
    if !kinds.iter().any(|kind| is(value, kind)) {
        return vec![format!("{at}: {value} is no {kinds:?}")];
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        broken.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            broken.push(format!("{at}.{name} is missing"));
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(schema) => broken.extend(breaks(api, schema, inner, &format!("{at}.{name}"))),
            None if schema["properties"].is_object() => broken.push(format!("{at}.{name} is not described")),
            None => {}
        }
    }
    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
        broken.extend(breaks(api, &schema["items"], inner, &format!("{at}[{index}]")));
    }
    broken
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("a schema of type {other}"),
    }
}
