//! Scopes: tests that run beside each other in one daemon and never meet.

use super::house::House;
use super::plan::Plan;
use super::program::Program;
use super::{clients, http};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 30 }
Resources:
  In: { Type: AWS::S3::Bucket, Properties: { BucketName: inbox } }
  Out: { Type: AWS::S3::Bucket, Properties: { BucketName: out } }
  Jobs: { Type: AWS::SQS::Queue, Properties: { QueueName: jobs } }
  Copies:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.copies
      Environment: { Variables: { JOBS: !Ref Jobs, JOBS_ARN: !GetAtt Jobs.Arn } }
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref In, Events: 's3:ObjectCreated:*' } } }
";

const APP: &str = "\
import os
import boto3

def copies(event, context):
    for record in event['Records']:
        key = record['s3']['object']['key']
        body = os.environ['AWS_ACCESS_KEY_ID'].encode()
        boto3.client('s3').put_object(Bucket='out', Key=key, Body=body)
        assert os.environ['JOBS'].startswith(os.environ['AWS_ENDPOINT_URL']), os.environ['JOBS']
        boto3.client('sqs').send_message(QueueUrl=os.environ['JOBS'], MessageBody=os.environ['JOBS_ARN'])
";

fn plan() -> Plan {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP)
}

fn house() -> House {
    plan().up()
}

impl House {
    fn make(&self, scope: &str) -> Value {
        let made = self.ask(&format!("PUT /_mlemu/scopes/{scope}"), &Value::Null);
        assert_eq!(made.status, 200, "{}", made.text());
        made.json()
    }

    fn keys(&self, scope: &str) -> String {
        http::send(self.aws(), "GET /out?list-type=2", &[("x-mlemu-scope", scope)], b"").text()
    }
}

#[test]
fn worlds_never_meet() {
    let house = house();
    let (one, two) = (house.make("one"), house.make("two"));
    assert_ne!(one["account"], two["account"]);
    let put = |line: &str, header: (&str, &str)| {
        let answer = http::send(house.aws(), line, &[header], b"x");
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    // By header, by path and by access key.
    put("PUT /inbox/by-header", ("x-mlemu-scope", "one"));
    put("PUT /ns/one/inbox/by-path", ("x-any", "thing"));
    let credential = format!(
        "AWS4-HMAC-SHA256 Credential={}/20300101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
        one["account"].as_str().expect("digits")
    );
    put("PUT /inbox/by-key", ("Authorization", &credential));
    put("PUT /inbox/first", ("x-any", "thing"));
    for scope in ["?scope=one", "?scope=two", ""] {
        let waited = house.ask(&format!("POST /_mlemu/wait{scope}"), &json!({ "timeout_ms": 120_000 }));
        assert_eq!(waited.status, 200, "{}", waited.text());
    }
    let listed = house.keys("one");
    for key in ["by-header", "by-path", "by-key"] {
        assert!(listed.contains(&format!("<Key>{key}</Key>")), "{listed}");
    }
    assert!(!listed.contains("first") && house.keys("two").contains("<KeyCount>0<"), "{listed}");
    // What functions of a scope do stays there: the default account saw one upload only.
    let written = http::send(house.aws(), "GET /ns/one/out/by-key", &[], b"").text();
    assert_eq!(written, one["account"]);
    let count = |scope: &str| {
        let listed = house.ask(&format!("GET /_mlemu/invocations{scope}"), &Value::Null).json();
        listed["invocations"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((count(""), count("?scope=one"), count("?scope=two")), (1, 3, 0));
    // What a template says of its resources is said of those of the scope.
    let peeked = house.ask("GET /_mlemu/queues/jobs/messages?scope=one", &Value::Null).text();
    let arn = format!("arn:aws:sqs:us-east-1:{}:jobs", one["account"].as_str().expect("digits"));
    assert_eq!(peeked.matches(&arn).count(), 3, "{peeked}");
    // Each has a clock of its own, and is reset by itself.
    house.ask("POST /_mlemu/clock?scope=two", &json!({ "now": "2040-01-01T00:00:00Z", "frozen": true }));
    assert_eq!(house.ask("GET /_mlemu/clock?scope=one", &Value::Null).json()["mode"], "real");
    assert_eq!(house.ask("POST /_mlemu/reset?scope=one", &Value::Null).status, 204);
    assert_eq!((count(""), count("?scope=one")), (1, 0));
    assert!(house.keys("000000000000").contains("<Key>first</Key>"));
}

#[test]
fn a_scope_ends_and_begins_afresh() {
    let house = house();
    assert_eq!(house.ask("GET /_mlemu/invocations?scope=gw0", &Value::Null).status, 404);
    assert_eq!(house.ask("PUT /_mlemu/scopes/UPPER", &Value::Null).status, 400);
    assert_eq!(house.ask("DELETE /_mlemu/scopes/000000000000", &Value::Null).status, 400);
    house.make("gw0");
    http::send(house.aws(), "PUT /out/kept", &[("x-mlemu-scope", "gw0")], b"x");
    assert!(house.keys("gw0").contains("kept"));
    assert_eq!(house.ask("DELETE /_mlemu/scopes/gw0", &Value::Null).status, 204);
    assert_eq!(house.ask("DELETE /_mlemu/scopes/gw0", &Value::Null).status, 404);
    assert!(house.keys("gw0").contains("<KeyCount>0<"), "made again by whoever names it");
    let listed = house.ask("GET /_mlemu/scopes", &Value::Null).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
}

#[test]
fn a_scope_is_made_in_milliseconds() {
    let house = house();
    house.make("warm-up");
    let mut took: Vec<Duration> = (0..20)
        .map(|number| {
            let start = Instant::now();
            house.make(&format!("s{number}"));
            start.elapsed()
        })
        .collect();
    took.sort();
    // The request itself and a busy machine are in it; the best must be under what is promised.
    assert!(took[0] < Duration::from_millis(10), "{took:?}");
}

#[test]
fn the_vendors_own_clients_live_in_a_scope_by_their_environment() {
    let Some(python) = clients::python() else { return };
    let house = house();
    let environment = house.make("sdk")["environment"].clone();
    let script = "import boto3\n\
        boto3.client('s3').put_object(Bucket='inbox', Key='a', Body=b'x')\n\
        sqs = boto3.client('sqs')\n\
        url = sqs.get_queue_url(QueueName='jobs')['QueueUrl']\n\
        sqs.send_message(QueueUrl=url, MessageBody='hello')\n\
        print(boto3.client('sts').get_caller_identity()['Account'], url)";
    let mut command = python.program("python");
    command.args(["-c", script]);
    for (name, value) in environment.as_object().expect("an object") {
        command.env(name, value.as_str().expect("text"));
    }
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let account = house.make("sdk")["account"].as_str().expect("digits").to_owned();
    assert!(said.starts_with(&account) && said.contains(&format!("/{account}/jobs")), "{said}");
    assert_eq!(house.ask("POST /_mlemu/wait?scope=sdk", &json!({ "timeout_ms": 120_000 })).status, 200);
    assert!(house.keys("sdk").contains("<Key>a</Key>"));
    assert!(house.keys("000000000000").contains("<KeyCount>0<"));
}

/// Open descriptors, and resident memory in bytes.
fn held(house: &Program) -> (usize, u64) {
    let folder = format!("/proc/{}", house.pid());
    let descriptors = std::fs::read_dir(format!("{folder}/fd")).expect("it lives").count();
    let pages = std::fs::read_to_string(format!("{folder}/statm")).expect("it lives");
    let pages: u64 = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    (descriptors, pages * rustix::param::page_size() as u64)
}

#[test]
fn scopes_that_have_ended_hold_nothing() {
    let house = plan().program();
    let begin_and_end = |name: &str| {
        assert_eq!(house.ask(&format!("PUT /_mlemu/scopes/{name}"), &Value::Null).status, 200);
        // One in ten runs a function; all have one, with queues, objects and tasks of their own.
        if name.ends_with('0') {
            let called = house.ask(
                &format!("POST /_mlemu/functions/Copies/invoke?scope={name}"),
                &json!({ "Records": [] }),
            );
            assert_eq!(called.status, 200, "{}", called.text());
        }
        assert_eq!(house.ask(&format!("DELETE /_mlemu/scopes/{name}"), &Value::Null).status, 204);
    };
    (0..100).for_each(|number| begin_and_end(&format!("first-{number}")));
    let (descriptors, memory) = held(&house);
    (0..500).for_each(|number| begin_and_end(&format!("more-{number}")));
    let (now, more) = held(&house);
    let grown = more.saturating_sub(memory);
    eprintln!("descriptors {descriptors} -> {now}, {grown} bytes more after 500 scopes");
    assert!(now <= descriptors + 5, "{descriptors} descriptors, and then {now}");
    assert!(grown < 8 * 1024 * 1024, "{grown} bytes more after 500 scopes");
}
