//! Waiting instead of sleeping: chains of functions through the real clients, and what the control API knows
//! of each invocation.

use super::house::House;
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// An upload into `in` is copied to `middle` by a function with its vendor's client, and from there to `out`.
const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 30 }
Resources:
  In: { Type: AWS::S3::Bucket, Properties: { BucketName: inbox } }
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
  Fails:
    Type: AWS::Serverless::Function
    Properties: { Handler: app.fails, EventInvokeConfig: { MaximumRetryAttempts: 0 } }
  Slow: { Type: AWS::Serverless::Function, Properties: { Handler: app.slow } }
  Knocks: { Type: AWS::Serverless::Function, Properties: { Handler: app.knocks } }
";

const APP: &str = "\
import socket, threading, urllib.parse
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

def knocks(event, context):
    with socket.create_connection(('127.0.0.1', event['door'])) as door:
        door.recv(1)
    s3.put_object(Bucket='out', Key='late', Body=b'late')
";

fn house() -> House {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).up()
}

impl House {
    fn put(&self, path: &str) -> http::Answer {
        let answer = http::send(self.aws(), &format!("PUT {path}"), &[], b"content");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }
}

#[test]
fn a_chain_of_functions_has_settled_when_the_last_has_ended() {
    let house = house();
    let put = house.put("/inbox/a%20b.txt");
    let trace = put.header("x-amz-request-id").expect("an id");
    house.settled(trace);
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
    house.idle();
}

#[test]
fn one_request_settles_while_others_run() {
    let house = house();
    let put = house.put("/inbox/first.txt");
    house.idle();
    house.queue("Slow", &json!({}));
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
    house.queue("Fails", &json!({}));
    let wanted = json!({
        "until": { "invocations": { "function": "Fails", "status": "ok" } },
        "while_busy": true, "timeout_ms": 120_000,
    });
    let waited = house.ask("POST /_mlemu/wait", &wanted);
    assert_eq!(waited.status, 408, "{}", waited.text());
    let diagnosis = waited.json();
    assert_eq!(diagnosis["idle"], true);
    assert!(
        diagnosis["error"].as_str().expect("words").contains("0 of 1 invocations of Fails"),
        "{diagnosis}"
    );
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
    let shown = house.call("Fails", &json!({ "n": 1 }));
    assert_eq!((&shown["status"], &shown["event"]), (&json!("error"), &json!({ "n": 1 })));
    assert_eq!(shown["cold"], true);
    let phases: Vec<_> =
        shown["phases"].as_array().expect("phases").iter().map(|p| p["phase"].clone()).collect();
    assert_eq!(phases, ["queued", "init", "handler"]);
    assert!(shown["peak_memory"].as_u64().expect("bytes") > 1_000_000, "{shown}");
    assert!(shown["log"].to_string().contains("about to fail"), "{shown}");
    let id = shown["id"].as_str().expect("an id");
    let again = house.ask(&format!("POST /_mlemu/invocations/{id}/replay"), &Value::Null).json();
    assert_eq!(again["status"], "error");
    assert_ne!(again["invocation"], shown["id"]);
    let edited = house.ask(&format!("POST /_mlemu/invocations/{id}/replay"), &json!({ "n": 2 }));
    assert_eq!(edited.status, 200);
    house.idle();
    let listed =
        house.ask("GET /_mlemu/invocations?function=Fails&status=error&since=1", &Value::Null).json();
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
    let said = house.mlemu(&["wait", "--trace", "nobody"]);
    assert_eq!(said.status.code(), Some(3), "{said:?}");
    assert!(
        String::from_utf8_lossy(&said.stderr).contains("no request of this scope has had the id `nobody`"),
        "{said:?}"
    );
    let read = http::send(house.aws(), "GET /inbox?list-type=2", &[], b"");
    house.settled(read.header("x-amz-request-id").expect("an id"));
    assert_eq!(house.ask("GET /_mlemu/invocations/none", &Value::Null).status, 404);
    assert_eq!(http::send(house.control(), "POST /_mlemu/wait", &[], b"").status, 401);
}

#[test]
fn a_reader_goes_on_where_it_was_cut_off() {
    let house = house();
    house.call("Fails", &json!({}));
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
        house.put(&format!("/inbox/x/{number}"));
    }
    let waited = house.ask("POST /_mlemu/wait", &wanted);
    assert_eq!(waited.status, 200, "{}", waited.text());
    let keys: Vec<_> =
        waited.json()["objects"].as_array().expect("objects").iter().map(|o| o["key"].clone()).collect();
    assert_eq!(keys, ["x/0", "x/1", "x/2"]);
    let start = Instant::now();
    assert_eq!(house.ask("POST /_mlemu/wait", &wanted).status, 200);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_reset_ends_what_runs_and_nothing_is_written_afterwards() {
    let house = house();
    let before = house.put("/inbox/before.txt");
    let trace = before.header("x-amz-request-id").expect("an id");
    house.settled(trace);
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = door.local_addr().expect("bound").port();
    for number in 0..100 {
        house.put(&format!("/inbox/{number}"));
        house.queue("Knocks", &json!({ "door": port }));
    }
    // One is at the door, and would write as soon as it is let in; an upload has half of its body.
    let (mut guest, _) = door.accept().expect("it knocks");
    let mut half = http::connect(house.aws());
    let head = format!(
        "PUT /out/half HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n",
        house.aws()
    );
    half.write_all(head.as_bytes()).expect("sent");
    let mut go_on = [0; 25];
    half.read_exact(&mut go_on).expect("it is read");
    half.write_all(b"half").expect("sent");
    let start = Instant::now();
    house.reset();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // Whoever was at the door is gone: nobody holds the other end any more.
    let mut nothing = [0; 1];
    assert!(matches!(guest.read(&mut nothing), Ok(0) | Err(_)), "the function is ended");
    half.write_all(b"half").expect("sent");
    let told = http::rest(half).expect("an answer");
    assert_ne!(told.status, 200, "what began before the reset is refused: {}", told.text());
    let idle = house.ask("POST /_mlemu/wait", &json!({ "until": { "idle": true }, "timeout_ms": 1 }));
    assert_eq!(idle.status, 200, "{}", idle.text());
    for bucket in ["inbox", "middle", "out"] {
        let listed = http::send(house.aws(), &format!("GET /{bucket}?list-type=2"), &[], b"");
        assert!(
            listed.status == 200 && listed.text().contains("<KeyCount>0</KeyCount>"),
            "{}",
            listed.text()
        );
    }
    let listed = house.ask("GET /_mlemu/invocations", &Value::Null).json();
    assert_eq!(listed["invocations"], json!([]));
    // Declared triggers work as before.
    let after = house.put("/inbox/after.txt");
    let trace = after.header("x-amz-request-id").expect("an id");
    house.settled(trace);
    assert_eq!(http::send(house.aws(), "GET /out/after.txt", &[], b"").status, 200);
}

#[test]
fn snapshots_keep_a_moment_and_bring_it_back() {
    let house = house();
    house.put("/out/kept.txt");
    assert_eq!(house.ask("POST /_mlemu/snapshots/one", &Value::Null).status, 204);
    http::send(house.aws(), "DELETE /out/kept.txt", &[], b"");
    house.put("/out/more.txt");
    assert_eq!(house.ask("POST /_mlemu/snapshots/one/restore", &Value::Null).status, 204);
    assert_eq!(http::send(house.aws(), "GET /out/kept.txt", &[], b"").text(), "content");
    assert_eq!(http::send(house.aws(), "GET /out/more.txt", &[], b"").status, 404);
    // What was brought back can be copied and changed like anything else.
    let copied = http::send(house.aws(), "PUT /out/copy.txt", &[("x-amz-copy-source", "/out/kept.txt")], b"");
    assert_eq!(copied.status, 200, "{}", copied.text());
    assert_eq!(house.ask("GET /_mlemu/snapshots", &Value::Null).json(), json!(["one"]));
    assert_eq!(house.ask("POST /_mlemu/snapshots/two/restore", &Value::Null).status, 404);
    assert_eq!(house.ask("POST /_mlemu/reset", &json!({ "scope": "everything" })).status, 400);
    assert_eq!(house.ask("POST /_mlemu/reset", &json!({ "scope": "state" })).status, 204);
    assert_eq!(http::send(house.aws(), "GET /out/kept.txt", &[], b"").status, 404);
}

#[test]
fn time_stands_still_is_set_and_goes_forward() {
    let house = house();
    let face =
        house.ask("POST /_mlemu/clock", &json!({ "now": "2040-01-01T00:00:00Z", "frozen": true })).json();
    assert_eq!((&face["now"], &face["mode"]), (&json!("2040-01-01T00:00:00Z"), &json!("frozen")));
    house.put("/out/dated.txt");
    let dated = http::send(house.aws(), "GET /out/dated.txt", &[], b"");
    assert_eq!(dated.header("last-modified"), Some("Sun, 01 Jan 2040 00:00:00 GMT"));
    // A function's own time limit is measured in the time that really passes.
    let invoked = house.call("Fails", &json!({}));
    assert_eq!(invoked["result"]["errorMessage"], "told to", "{invoked}");
    let instances = |house: &House| {
        let functions = house.ask("GET /_mlemu/functions", &Value::Null).json();
        let fails =
            functions.as_array().expect("functions").iter().find(|f| f["handler"] == "app.fails").cloned();
        fails.expect("it is there")["instances"].clone()
    };
    assert_eq!(instances(&house), 1);
    let start = Instant::now();
    let face = house.ask("POST /_mlemu/clock", &json!({ "advance": "6h" })).json();
    assert_eq!((&face["now"], &face["mode"]), (&json!("2040-01-01T06:00:00Z"), &json!("frozen")));
    assert_eq!(instances(&house), 0, "nobody called it for six hours");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let real = house.ask("POST /_mlemu/clock", &json!({ "real": true })).json();
    assert_eq!((&real["mode"], &real["offset_ms"]), (&json!("real"), &json!(0)));
    assert_eq!(house.ask("POST /_mlemu/clock", &json!({ "advance": "soon" })).status, 400);
}

#[test]
fn a_cold_start_comes_on_demand() {
    let house = house();
    let cold = |house: &House| house.call("Fails", &json!({}))["cold"].clone();
    assert_eq!((cold(&house), cold(&house)), (json!(true), json!(false)));
    house.does(house.client.cold("Fails"));
    assert_eq!(cold(&house), json!(true));
    assert_eq!(house.ask("POST /_mlemu/functions/Nobody/cold", &Value::Null).status, 404);
}
