//! Waiting instead of sleeping: chains of functions through the real clients, and what the control API knows
//! of each invocation.

use super::house::{House, Plan};
use super::http;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// An upload into `in` is copied to `middle` by a function with its vendor's client, and from there to `out`.
const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 30 }
Resources:
  In: { Type: AWS::S3::Bucket, Properties: { BucketName: in } }
  Middle: { Type: AWS::S3::Bucket, Properties: { BucketName: middle } }
  Out: { Type: AWS::S3::Bucket, Properties: { BucketName: out } }
  First:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.first
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref In, Events: 's3:ObjectCreated:*' } } }
  Second:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.second
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref Middle, Events: 's3:ObjectCreated:*' } } }
  Fails: { Type: AWS::Serverless::Function, Properties: { Handler: app.fails } }
  Slow: { Type: AWS::Serverless::Function, Properties: { Handler: app.slow } }
";

const APP: &str = "\
import threading, urllib.parse
import boto3

s3 = boto3.client('s3')

def copied(event, to):
    for record in event['Records']:
        bucket = record['s3']['bucket']['name']
        key = urllib.parse.unquote_plus(record['s3']['object']['key'])
        print('copying', key)
        s3.copy_object(Bucket=to, Key=key, CopySource={'Bucket': bucket, 'Key': key})

def first(event, context):
    copied(event, 'middle')

def second(event, context):
    copied(event, 'out')

def fails(event, context):
    print('about to fail')
    raise ValueError('told to')

def slow(event, context):
    threading.Event().wait(20)
";

fn house() -> House {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).up()
}

impl House {
    /// A request to the control API.
    fn ask(&self, line: &str, body: &Value) -> http::Answer {
        let token = format!("Bearer {}", self.token());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http::send(self.control(), line, &[("Authorization", &token)], body.as_bytes())
    }

    fn put(&self, path: &str) -> http::Answer {
        let answer = http::send(self.aws(), &format!("PUT {path}"), &[], b"content");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }
}

#[test]
fn a_chain_of_functions_has_settled_when_the_last_has_ended() {
    let house = house();
    let put = house.put("/in/a%20b.txt");
    let trace = put.header("x-amz-request-id").expect("an id");
    let waited = house.ask("POST /_mlemu/wait", &json!({ "until": { "trace": trace }, "timeout_ms": 120_000 }));
    assert_eq!(waited.status, 200, "{}", waited.text());
    let there = http::send(house.aws(), "GET /out/a%20b.txt", &[], b"");
    assert_eq!((there.status, there.text().as_str()), (200, "content"));
    // Every link of the chain is known by the request that began it.
    let listed = house.ask(&format!("GET /_mlemu/invocations?trace={trace}"), &Value::Null).json();
    let seen: Vec<_> = listed["invocations"].as_array().expect("a list").iter().collect();
    let names: Vec<_> = seen.iter().map(|line| line["function"].as_str().expect("a name")).collect();
    assert_eq!(names.len(), 2, "{listed}");
    assert!(names[0].contains("First") && names[1].contains("Second"), "{names:?}");
    assert!(seen.iter().all(|line| line["status"] == "ok" && line["cause"] == "occurrence"), "{listed}");
    // Nothing of it is left when everything has settled.
    let idle = house.ask("POST /_mlemu/wait", &json!({ "until": { "idle": true } }));
    assert_eq!(idle.status, 200, "{}", idle.text());
}

#[test]
fn one_request_settles_while_others_run() {
    let house = house();
    let put = house.put("/in/first.txt");
    let all = json!({ "until": { "idle": true }, "timeout_ms": 120_000 });
    assert_eq!(house.ask("POST /_mlemu/wait", &all).status, 200);
    house.ask("POST /_mlemu/functions/Slow/invoke?queue=true", &json!({}));
    let trace = put.header("x-amz-request-id").expect("an id");
    let mine = house.ask("POST /_mlemu/wait", &json!({ "until": { "trace": trace }, "timeout_ms": 1000 }));
    assert_eq!(mine.status, 200, "{}", mine.text());
    let everything = house.ask("POST /_mlemu/wait", &json!({ "until": { "idle": true }, "timeout_ms": 1 }));
    assert_eq!(everything.status, 408);
    let diagnosis = everything.json();
    assert!(diagnosis["under_way"][0]["work"]["function"]["name"].as_str().expect("a name").contains("Slow"));
    let said = house.mlemu(&["wait", "--timeout", "1ms"]);
    assert_eq!(said.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&said.stderr).contains("under way: "), "{said:?}");
}

#[test]
fn a_diagnosis_names_the_last_failure_with_its_traceback() {
    let house = house();
    house.ask("POST /_mlemu/functions/Fails/invoke?queue=true", &json!({}));
    let wanted = json!({
        "until": { "invocations": { "function": "Fails", "status": "ok" } },
        "while_busy": true, "timeout_ms": 120_000,
    });
    let waited = house.ask("POST /_mlemu/wait", &wanted);
    assert_eq!(waited.status, 408, "{}", waited.text());
    let diagnosis = waited.json();
    assert_eq!(diagnosis["idle"], true);
    assert!(diagnosis["error"].as_str().expect("words").contains("0 of 1 invocations of Fails"), "{diagnosis}");
    let log = diagnosis["last_failed"]["log"].to_string();
    assert!(log.contains("ValueError: told to") && log.contains("app.py"), "{log}");
    assert_eq!(diagnosis["last_failed"]["result"]["errorType"], "ValueError");
    let failed = json!({ "until": { "invocations": { "function": "Fails", "status": "failed" } } });
    let waited = house.ask("POST /_mlemu/wait", &failed).json();
    assert_eq!(waited["invocations"][0]["status"], "error", "{waited}");
}

#[test]
fn an_invocation_is_shown_whole_run_again_and_kept_as_a_fixture() {
    let house = house();
    house.ask("POST /_mlemu/functions/Fails/invoke", &json!({ "n": 1 }));
    assert_eq!(house.ask("POST /_mlemu/wait", &Value::Null).status, 200);
    let shown = house.ask("GET /_mlemu/invocations/last", &Value::Null).json();
    assert_eq!((&shown["status"], &shown["event"]), (&json!("error"), &json!({ "n": 1 })));
    assert_eq!(shown["cold"], true);
    let phases: Vec<_> = shown["phases"].as_array().expect("phases").iter().map(|p| p["phase"].clone()).collect();
    assert_eq!(phases, ["queued", "init", "handler"]);
    assert!(shown["peak_memory"].as_u64().expect("bytes") > 1_000_000, "{shown}");
    assert!(shown["log"].to_string().contains("about to fail"), "{shown}");
    let id = shown["id"].as_str().expect("an id");
    let again = house.ask(&format!("POST /_mlemu/invocations/{id}/replay"), &Value::Null).json();
    assert_eq!(again["status"], "error");
    assert_ne!(again["invocation"], shown["id"]);
    let edited = house.ask(&format!("POST /_mlemu/invocations/{id}/replay"), &json!({ "n": 2 }));
    assert_eq!(edited.status, 200);
    assert_eq!(house.ask("POST /_mlemu/wait", &Value::Null).status, 200);
    let listed = house.ask("GET /_mlemu/invocations?function=Fails&status=error&since=1", &Value::Null).json();
    assert_eq!(listed["invocations"].as_array().map(Vec::len), Some(2), "{listed}");
    let saved = house.mlemu(&["events", "save", "last", "--as", "mine/two"]);
    assert!(saved.status.success(), "{saved:?}");
    let rendered = house.mlemu(&["events", "gen", "mine/two"]);
    let rendered: Value = serde_json::from_slice(&rendered.stdout).expect("JSON");
    assert_eq!(rendered, json!({ "n": 2 }));
    assert_eq!(house.mlemu(&["events", "save", "last", "--as", "../out"]).status.code(), Some(2));
}

#[test]
fn what_the_control_api_does_not_understand_it_says() {
    let house = house();
    for body in [
        json!({ "until": { "idl": true } }),
        json!({ "until": { "invocations": { "status": "fine" } } }),
        json!({ "until": { "object": { "bucket": "out", "key": "a", "prefix": "b" } } }),
    ] {
        let answer = house.ask("POST /_mlemu/wait", &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
    let unknown = json!({ "until": { "invocations": { "function": "Nobody" } } });
    let answer = house.ask("POST /_mlemu/wait", &unknown);
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("there are: "), "{}", answer.text());
    assert_eq!(house.ask("GET /_mlemu/invocations/none", &Value::Null).status, 404);
    assert_eq!(http::send(house.control(), "POST /_mlemu/wait", &[], b"").status, 401);
}

#[test]
fn a_reader_goes_on_where_it_was_cut_off() {
    let house = house();
    house.ask("POST /_mlemu/functions/Fails/invoke", &json!({}));
    let token = format!("Bearer {}", house.token());
    let read = |headers: &[(&str, &str)]| {
        let mut all = vec![("Authorization", token.as_str())];
        all.extend_from_slice(headers);
        let text = http::send(house.control(), "GET /_mlemu/stream?once=true", &all, b"").text();
        let ids = text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse::<u64>().ok());
        ids.collect::<Vec<_>>()
    };
    let all = read(&[]);
    assert!(all.len() > 4, "{all:?}");
    assert_eq!(read(&[("Last-Event-ID", &all[2].to_string())]), all[3..]);
}

#[test]
fn a_wait_returns_at_once_when_its_object_is_there() {
    let house = house();
    let wanted = json!({ "until": { "object": { "bucket": "out", "prefix": "x/", "count": 3 } }, "timeout_ms": 120_000 });
    for number in 0..3 {
        house.put(&format!("/in/x/{number}"));
    }
    let waited = house.ask("POST /_mlemu/wait", &wanted);
    assert_eq!(waited.status, 200, "{}", waited.text());
    let keys: Vec<_> = waited.json()["objects"].as_array().expect("objects").iter().map(|o| o["key"].clone()).collect();
    assert_eq!(keys, ["x/0", "x/1", "x/2"]);
    let start = Instant::now();
    assert_eq!(house.ask("POST /_mlemu/wait", &wanted).status, 200);
    assert!(start.elapsed() < Duration::from_secs(1));
}
