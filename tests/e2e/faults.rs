//! Faults that a test asks for: each vendor's own words to the client, true failures to the function's callers,
//! and a record that names the rule. Queues as a test sees them, and triggers that pause.

use super::clients;
use super::house::House;
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 30 }
Resources:
  In: { Type: AWS::S3::Bucket, Properties: { BucketName: inbox } }
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: jobs
      VisibilityTimeout: 7200
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }
  Plain: { Type: AWS::SQS::Queue, Properties: { QueueName: plain } }
  Echo: { Type: AWS::Serverless::Function, Properties: { Handler: app.echo } }
  Writes: { Type: AWS::Serverless::Function, Properties: { Handler: app.writes } }
  Seen:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.echo
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref In, Events: 's3:ObjectCreated:*' } } }
  Nightly:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.echo
      Events: { Night: { Type: Schedule, Properties: { Schedule: 'cron(0 2 * * ? *)' } } }
  Works:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.works
      Events: { Job: { Type: SQS, Properties: { Queue: !GetAtt Jobs.Arn, BatchSize: 1 } } }
";

const APP: &str = "\
import errno

def echo(event, context):
    return event

def writes(event, context):
    try:
        with open('/tmp/' + context.aws_request_id, 'wb') as file:
            file.write(b'x' * 100_000)
        return 'written'
    except OSError as error:
        return errno.errorcode[error.errno]

def works(event, context):
    for record in event['Records']:
        if 'bad' in record['body']:
            raise ValueError('told to')
";

fn house() -> House {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).up()
}

impl House {
    fn send(&self, queue: &str, body: &str) {
        let url = format!("http://{}/000000000000/{queue}", self.aws());
        let document = json!({ "QueueUrl": url, "MessageBody": body }).to_string();
        let headers =
            [("X-Amz-Target", "AmazonSQS.SendMessage"), ("Content-Type", "application/x-amz-json-1.0")];
        let sent = http::send(self.aws(), "POST /", &headers, document.as_bytes());
        assert_eq!(sent.status, 200, "{}", sent.text());
    }
}

#[test]
fn calls_fail_as_asked_and_the_log_says_who_asked() {
    let house = house();
    assert_eq!(house.call("Echo", &json!({ "a": 1 }))["status"], "ok");
    for (effect, status) in [
        ("oom", "out-of-memory"),
        ("crash-handler", "exited"),
        ("crash-init", "exited"),
        ("timeout", "timeout"),
    ] {
        house.fault(&json!({ "match": { "fn": "*Echo*" }, "effect": effect, "times": 1 }));
        let failed = house.call("Echo", &json!({ "a": 1 }));
        assert_eq!(failed["status"], status, "{failed}");
        assert!(failed["log"].to_string().contains("a fault that was asked for strikes"), "{failed}");
        assert_eq!(house.call("Echo", &json!({ "a": 1 }))["status"], "ok", "once is enough: {effect}");
    }
    assert_eq!(house.call("Echo", &json!({ "a": 1 }))["cold"], false);
    house.fault(&json!({ "match": { "fn": "*Echo*" }, "effect": "cold", "times": 1 }));
    assert_eq!(house.call("Echo", &json!({ "a": 1 }))["cold"], true);
    house.fault(&json!({ "match": { "fn": "*Echo*" }, "effect": "latency:300ms", "times": 1 }));
    assert!(house.call("Echo", &json!({ "a": 1 }))["handler_ms"].as_f64().expect("a time") > 250.0);
    house.fault(&json!({ "match": { "fn": "*Echo*" }, "effect": "throttle", "times": 1 }));
    let refused = house.ask("POST /_mlemu/functions/Echo/invoke", &json!({}));
    assert_eq!(refused.status, 429, "{}", refused.text());
    let standing = house.ask("GET /_mlemu/faults", &Value::Null).json();
    let all_struck = standing.as_array().expect("rules").iter().all(|rule| rule["struck"] == 1);
    assert!(all_struck, "{standing}");
    let named = house.wait(0, "a fault names itself", |record| {
        record["what"]["injected"]["effect"] == "oom" && record["what"]["injected"]["rule"] == 1
    });
    assert!(named["subject"]["invocation"].is_string(), "{named}");
    house.reset();
    assert_eq!(house.ask("GET /_mlemu/faults", &Value::Null).json(), json!([]));
}

#[test]
fn a_full_disk_is_the_functions_own_trouble() {
    let house = house();
    let write = |house: &House| house.call("Writes", &json!({}));
    assert_eq!(write(&house)["result"], "written");
    house.fault(&json!({ "match": { "fn": "*Writes*" }, "effect": "disk-full", "times": 1 }));
    let full = write(&house);
    let log = full["log"].to_string();
    assert!(log.contains("a fault that was asked for strikes: DiskFull"), "{full}");
    if log.contains("/tmp has no size of its own") {
        eprintln!("skipped: mounting is not allowed here, and the log says so");
    } else {
        assert_eq!((&full["result"], &full["cold"]), (&json!("ENOSPC"), &json!(false)), "{full}");
    }
    assert_eq!(write(&house)["result"], "written", "there is room again");
}

#[test]
fn clients_see_their_vendors_own_words() {
    let Some(python) = clients::python() else { return };
    let house = house();
    house.fault(&json!([
        { "match": { "service": "s3", "op": "PutObject" }, "effect": "throttle" },
        { "match": { "service": "s3", "op": "GetObject" }, "effect": "status:503" },
        { "match": { "service": "sqs", "resource": "plain" }, "effect": "throttle" },
        { "match": { "service": "lambda", "op": "Invoke" }, "effect": "throttle" },
    ]));
    let script = r#"
import boto3, botocore.config, botocore.exceptions
config = botocore.config.Config(retries={"total_max_attempts": 1})
def code(call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
s3, sqs, functions = (boto3.client(name, config=config) for name in ("s3", "sqs", "lambda"))
print(code(s3.put_object, Bucket="inbox", Key="a", Body=b"x"))
print(code(s3.get_object, Bucket="inbox", Key="a"))
url = sqs.get_queue_url(QueueName="jobs")["QueueUrl"].replace("jobs", "plain")
print(code(sqs.send_message, QueueUrl=url, MessageBody="x"))
print(code(functions.invoke, FunctionName="Echo"))
print(code(s3.list_objects_v2, Bucket="inbox"))
"#;
    let output = python.program("python").args(["-c", script]).envs(house.env()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = "('SlowDown', 503)\n('ServiceUnavailable', 503)\n('RequestThrottled', 400)\n\
        ('TooManyRequestsException', 429)\nNone\n";
    assert_eq!(said, expected, "{}", String::from_utf8_lossy(&output.stderr));
}

/// What comes back over a connection of our own, to its end.
fn over_the_wire(house: &House, line: &str) -> (std::io::Result<usize>, String) {
    let mut stream = std::net::TcpStream::connect(house.aws()).expect("connected");
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("set");
    let request = format!("{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", house.aws());
    stream.write_all(request.as_bytes()).expect("sent");
    let mut text = Vec::new();
    let read = stream.read_to_end(&mut text);
    (read, String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn connections_break_off_hang_and_slow_down() {
    let house = house();
    http::send(house.aws(), "PUT /inbox/a", &[], &[b'x'; 5000]);
    let get = |effect: &str| {
        house.fault(&json!({ "match": { "op": "GetObject" }, "effect": effect, "times": 1 }));
        over_the_wire(&house, "GET /inbox/a")
    };
    let (read, text) = get("reset");
    assert!(read.is_err() && text.is_empty(), "{read:?} {text}");
    let (_, text) = get("truncate:100");
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with(&"x".repeat(100)), "{text}");
    assert!(!text.ends_with(&"x".repeat(101)), "{text}");
    let (read, text) = get("hang");
    assert!(read.is_err() && text.is_empty(), "{read:?} {text}");
    let start = Instant::now();
    let (_, text) = get("latency:200ms");
    assert!(text.starts_with("HTTP/1.1 200") && start.elapsed() >= Duration::from_millis(200));
    house.fault(&json!({ "match": { "service": "s3" }, "effect": "disk-full" }));
    assert_eq!(http::send(house.aws(), "PUT /inbox/b", &[], b"x").status, 500);
    assert_eq!(http::send(house.aws(), "GET /inbox/a", &[], b"").status, 200, "reading needs no room");
}

#[test]
fn deliveries_come_twice_later_or_never() {
    let house = house();
    let put =
        |key: &str| assert_eq!(http::send(house.aws(), &format!("PUT /inbox/{key}"), &[], b"x").status, 200);
    house.fault(&json!({ "match": { "fn": "*Seen*" }, "effect": "duplicate", "nth": [1] }));
    put("twice");
    house.idle();
    assert_eq!(house.known("Seen").len(), 2);
    house.fault(&json!({ "match": { "fn": "*Seen*" }, "effect": "drop", "times": 1 }));
    put("never");
    house.idle();
    assert_eq!(house.known("Seen").len(), 2);
    house.freeze("2040-01-01T00:00:00Z");
    house.fault(&json!({ "match": { "fn": "*Seen*" }, "effect": "delay:5m", "times": 1 }));
    put("later");
    let still = house.ask("POST /_mlemu/wait", &json!({ "timeout_ms": 1 }));
    assert_eq!(still.status, 408, "it is under way");
    house.advance("6m");
    house.idle();
    assert_eq!(house.known("Seen").len(), 3);
    house.fault(
        &json!({ "match": { "service": "sqs", "resource": "plain" }, "effect": "duplicate", "times": 1 }),
    );
    house.send("plain", "one");
    let seen = house.ask("GET /_mlemu/queues/plain/messages", &Value::Null).json();
    let seen = seen.as_array().expect("messages");
    assert!(seen.len() == 2 && seen[0]["id"] == seen[1]["id"], "{seen:?}");
}

#[test]
fn queues_are_looked_into_waited_for_purged_and_redriven() {
    let house = house();
    house.freeze("2040-01-01T00:00:00Z");
    house.send("jobs", "bad one");
    let empty = json!({ "until": { "queue_empty": "jobs" }, "timeout_ms": 3000 });
    let stuck = house.ask("POST /_mlemu/wait", &empty);
    assert_eq!(stuck.status, 408, "{}", stuck.text());
    let stuck = stuck.json();
    assert!(stuck["error"].as_str().expect("words").contains("jobs is not empty"), "{stuck}");
    let message = &stuck["queues"][0]["messages"][0];
    assert_eq!((&message["sight"], &message["received"]), (&json!("leased"), &json!(1)), "{stuck}");
    let until = message["until"].as_str().expect("a time");
    assert!(until.starts_with("2040-01-01T02:00:00"), "{stuck}");
    let said = house.mlemu(&["wait", "--queue", "jobs", "--timeout", "10ms"]);
    let words = String::from_utf8_lossy(&said.stderr);
    assert!(words.contains("is leased until 2040-01-01T02:00:00"), "{words}");
    // Three times two hours, in order, and then it is dead. A machine that is not busy takes a third of a second, most
    // of it for the function's cold starts.
    let start = Instant::now();
    house.advance("6h");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(house.ask("POST /_mlemu/wait", &empty).status, 200);
    assert_eq!(house.known("Works").len(), 3);
    let peeked = house.mlemu(&["queue", "peek", "dead"]);
    let words = String::from_utf8_lossy(&peeked.stdout);
    assert!(words.contains("visible") && words.contains("bad one"), "{words}");
    let moved = house.ask("POST /_mlemu/queues/dead/redrive", &Value::Null).json();
    assert_eq!(moved, json!({ "moved": 1, "left": 0 }));
    house.send("plain", "x");
    assert!(house.mlemu(&["queue", "purge", "plain"]).status.success());
    let lines = String::from_utf8_lossy(&house.mlemu(&["queue", "list"]).stdout).into_owned();
    assert!(lines.contains("plain  0 visible"), "{lines}");
    assert_eq!(house.mlemu(&["queue", "peek", "none"]).status.code(), Some(3));
}

#[test]
fn triggers_pause_and_go_on() {
    let house = house();
    house.does(house.client.pause_triggers());
    http::send(house.aws(), "PUT /inbox/a", &[], b"x");
    house.send("jobs", "good");
    let stuck = house.ask("POST /_mlemu/wait", &json!({ "timeout_ms": 200 }));
    assert_eq!((stuck.status, &stuck.json()["paused"]), (408, &json!(true)));
    assert!(house.known("Seen").is_empty() && house.known("Works").is_empty());
    house.does(house.client.resume_triggers());
    house.idle();
    assert_eq!((house.known("Seen").len(), house.known("Works").len()), (1, 1));
    // What waits when everything is reset never comes.
    house.does(house.client.pause_triggers());
    http::send(house.aws(), "PUT /inbox/b", &[], b"x");
    house.reset();
    house.idle();
    assert!(house.known("Seen").is_empty());
}

#[test]
fn a_nightly_schedule_comes_by_advancing_and_now() {
    let house = house();
    house.freeze("2030-01-01T12:00:00Z");
    house.idle();
    assert!(house.known("Nightly").is_empty(), "what a jump leaves behind is skipped");
    let start = Instant::now();
    house.advance("24h");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    house.advance("48h");
    let nights: Vec<_> = house.known("Nightly").iter().map(|line| line["arrived"].as_i64()).collect();
    let night = |day: i64| Some(1_893_463_200_000_000 + day * 86_400_000_000);
    assert_eq!(nights, [night(1), night(2), night(3)]);
    let last = house.last();
    assert_eq!(
        (&last["event"]["source"], &last["event"]["time"]),
        (&json!("aws.events"), &json!("2030-01-04T02:00:00Z"))
    );
    let listed = house.does(house.client.schedules());
    house.does(house.client.fire(&listed[0].id));
    house.idle();
    let causes: Vec<_> = house.known("Nightly").iter().map(|line| line["cause"].clone()).collect();
    assert_eq!(causes, ["schedule"; 4]);
}
