//! `mlemu test`, as its users run it.

use super::plan::Plan;
use serde_json::Value;
use std::process::Output;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 30 }
Resources:
  In: { Type: AWS::S3::Bucket, Properties: { BucketName: uploads } }
  Out: { Type: AWS::S3::Bucket, Properties: { BucketName: thumbs } }
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: jobs-dlq } }
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: jobs
      VisibilityTimeout: 7200
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }
  Resize:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.resize
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref In, Events: 's3:ObjectCreated:*' } } }
  Works:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.works
      Events: { Job: { Type: SQS, Properties: { Queue: !GetAtt Jobs.Arn, BatchSize: 1 } } }
  Label: { Type: AWS::Serverless::Function, Properties: { Handler: app.label } }
";

const APP: &str = "\
import json, os, urllib.parse
import boto3

def resize(event, context):
    for record in event['Records']:
        key = urllib.parse.unquote_plus(record['s3']['object']['key'])
        print('resizing', key)
        boto3.client('s3').put_object(Bucket='thumbs', Key=key, Body=b'small')

def works(event, context):
    raise ValueError('never works')

def label(event, context):
    memory = int(os.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'])
    return {'statusCode': 200, 'memory': memory, 'body': json.dumps({'label': event.get('is', 'rose')})}
";

const TESTS: &str = "\
seed: 7
tests:
  - name: an upload makes a thumbnail, and a second delivery changes nothing
    faults: [{ match: { fn: '*Resize*' }, effect: duplicate, nth: [1] }]
    steps:
      - put: { bucket: uploads, key: a b.png, body: big }
      - wait: { fn: Resize, count: 2, timeout: 60s }
    expect:
      - invocations: { fn: Resize, status: ok, count: 2 }
      - object: { bucket: thumbs, key: a b.png, body: small }
      - bucket: { name: thumbs, objects: 1, keys: [a b.png] }
      - logs: { fn: Resize, contains: resizing a b.png, not_contains: Traceback }
      - last: { fn: Resize, status: ok, duration: { lt: 20s }, max_memory: { lt: 400MB, gt: 1MB } }
  - name: a job that never works is dead after six hours
    clock: 2030-01-01T00:00:00Z
    steps:
      - send: { queue: jobs, body: hello }
      - advance: 6h
    expect:
      - queue: { name: jobs, depth: 0 }
      - queue: { name: jobs-dlq, depth: 1, messages.0.body: hello }
      - invocations: { fn: Works, count: 3 }
  - name: out of memory is told
    cold: true
    steps:
      - fault: { match: { fn: '*Label*' }, effect: oom, times: 1 }
      - invoke: { fn: Label }
      - expect: { last: { status: out-of-memory, cold: true } }
      - invoke: { fn: Label, event: { is: tulip } }
      - expect: { last: { status: ok, result.body.label: { in: [rose, tulip] } } }
  - name: labels
    matrix: { memory: [512MB, 1GB] }
    steps: [{ invoke: { fn: Label } }]
    expect:
      - last: { result.statusCode: 200, result.body: { snapshot: label }, result.memory: { in: [512, 1024] } }
";

const WRONG: &str = "\
tests:
  - name: wrong
    steps:
      - invoke: { fn: Label }
    expect:
      - last: { status: ok, result: { statusCode: 200, body: none } }
      - queue: { name: jobs, depth: 3 }
  - name: good
    steps:
      - invoke: { fn: Label }
";

fn plan() -> Plan {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).file("tests/a.mlemu.yaml", TESTS)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn test(plan: &Plan, args: &[&str]) -> Output {
    let mut all = vec!["test"];
    all.extend_from_slice(args);
    plan.mlemu(&all).output().expect("it runs")
}

#[test]
fn a_suite_runs_beside_itself_and_keeps_its_snapshots() {
    let plan = plan();
    let first = test(&plan, &[]);
    assert_eq!(first.status.code(), Some(1), "{}", said(&first));
    assert!(said(&first).contains("--update-snapshots"), "{}", said(&first));
    let updated = test(&plan, &["--update-snapshots"]);
    assert!(updated.status.success(), "{}", said(&updated));
    let kept = std::fs::read_to_string(plan.path("tests/a.mlemu.yaml.snap.json")).expect("kept");
    assert!(kept.contains("label"), "{kept}");
    for workers in ["1", "3"] {
        let again = test(&plan, &["--workers", workers]);
        let said = said(&again);
        assert!(again.status.success() && said.contains("5 tests: 5 passed, 0 failed"), "{said}");
    }
    let one = test(&plan, &["--filter", "memory=1GB", "--format", "json"]);
    let document: Value = serde_json::from_slice(&one.stdout).expect("JSON");
    assert_eq!(document["tests"].as_array().map(Vec::len), Some(1), "{document}");
    assert_eq!(document["tests"][0]["name"], "labels [memory=1GB]");
}

#[test]
fn a_failure_points_at_its_line_with_a_difference() {
    let plan = plan().file("tests/a.mlemu.yaml", WRONG);
    let failed = test(&plan, &["--format", "pretty"]);
    let said = said(&failed);
    assert_eq!(failed.status.code(), Some(1), "{said}");
    for part in [
        "FAILED wrong",
        "a.mlemu.yaml:6:29",
        "- expected, + got",
        "-   \"body\": \"none\"",
        "^^^^^^",
        "a.mlemu.yaml:7:30",
        "depth: expected 3, got 0",
        "2 tests: 1 passed, 1 failed",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let junit = test(&plan, &["--format", "junit", "--output", "out.xml"]);
    assert_eq!(junit.status.code(), Some(1));
    let text = std::fs::read_to_string(plan.path("out.xml")).expect("written");
    assert!(text.contains("tests=\"2\" failures=\"1\""), "{text}");
    let broken = plan.file("tests/b.mlemu.yaml", "tests:\n  - name: a\n    stebs: []\n");
    let output = test(&broken, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("b.mlemu.yaml:3:5"), "{output:?}");
}

const STRICT: &str = "\
tests:
  - name: nobody expects it to fail
    steps: [{ invoke: { fn: Works } }]
    expect: [{ queue: { name: jobs, depth: 0 } }]
  - name: it is expected to
    steps: [{ invoke: { fn: Works } }]
    expect: [{ last: { fn: Works, status: error, result.errorMessage: never works } }]
  - name: nothing waits for ever
    clock: 2030-01-01T00:00:00Z
    steps:
      - send: { queue: jobs, base64: aGVsbG8= }
      - wait: still
      - expect: { queue: { name: jobs, leased: 1 } }
      - clock: 2030-01-01T06:00:00Z
      - expect: { queue: { name: jobs-dlq, messages.0.body: hello } }
";

#[test]
fn a_call_that_fails_fails_its_test_unless_that_is_expected() {
    let plan = plan().file("tests/a.mlemu.yaml", STRICT);
    let output = test(&plan, &[]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("FAILED nobody expects it to fail") && said.contains("a.mlemu.yaml:3:15"),
        "{said}"
    );
    assert!(said.contains("Works failed: ") && said.contains("never works"), "{said}");
    assert!(said.contains("3 tests: 2 passed, 1 failed"), "{said}");
}

const SEEDED: &str = "\
tests:
  - name: ids
    seed: 7
    clock: 2030-01-01T00:00:00Z
    steps:
      - send: { queue: jobs, body: hello }
      - advance: 6h
    expect:
      - queue: { name: jobs-dlq, messages.0.id: { snapshot: message } }
      - invocations: { fn: Works, all.0.id: { snapshot: invocation } }
  - name: by chance
    steps: [{ put: { bucket: thumbs, key: a, body: b } }]
";

/// With a seed in the file, or on the command line, ids are the same in each run.
#[test]
fn a_seed_makes_a_test_repeat() {
    let plan = plan().file("tests/a.mlemu.yaml", SEEDED);
    assert!(test(&plan, &["--update-snapshots"]).status.success());
    let kept = std::fs::read_to_string(plan.path("tests/a.mlemu.yaml.snap.json")).expect("kept");
    for args in [&[][..], &["--workers", "1"], &["--seed", "7"]] {
        let again = test(&plan, args);
        assert!(again.status.success(), "{args:?}\n{}\n{kept}", said(&again));
    }
    let other = test(&plan, &["--seed", "8"]);
    assert_eq!(other.status.code(), Some(1), "{}", said(&other));
    assert!(said(&other).contains("messages.0.id"), "{}", said(&other));
}

const ON_AZURE: &str = "\
on: [azure]
tests:
  - name: a row is weighed
    steps:
      - send: { queue: rows, body: '12' }
      - wait: idle
    expect:
      - last: { fn: weigh, status: ok, cause: occurrence }
      - queue: { name: rows, depth: 0 }
      - logs: { fn: weigh, contains: 'WEIGHED 12 on ${on}' }
";

const WEIGHS: &str = "\
import logging
import azure.functions as func

app = func.FunctionApp()

@app.queue_trigger(arg_name='row', queue_name='rows', connection='AzureWebJobsStorage')
def weigh(row: func.QueueMessage) -> None:
    logging.info('WEIGHED %s on azure', row.get_body().decode())
";

#[test]
fn a_suite_runs_on_azure() {
    let settings = r#"{"Values": {"FUNCTIONS_WORKER_RUNTIME": "python", "AzureWebJobsStorage": "UseDevelopmentStorage=true"}}"#;
    let plan = Plan::new()
        .file(
            "rows/host.json",
            r#"{"version": "2.0", "extensions": {"queues": {"messageEncoding": "none"}}}"#,
        )
        .file("rows/local.settings.json", settings)
        .file("rows/requirements.txt", "azure-functions\n")
        .file("rows/function_app.py", WEIGHS)
        .file("tests/a.mlemu.yaml", ON_AZURE);
    let output = test(&plan, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("1 test: 1 passed, 0 failed"), "{}", said(&output));
}
