//! A session with real clients becomes a test that finds what has changed since, and keeps no secret.

use super::clients;
use super::plan::Plan;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 30 }
Resources:
  In: { Type: AWS::S3::Bucket, Properties: { BucketName: inbox } }
  Out: { Type: AWS::S3::Bucket, Properties: { BucketName: labels } }
  Jobs: { Type: AWS::SQS::Queue, Properties: { QueueName: jobs } }
  Labels:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.labels
      Environment: { Variables: { API_TOKEN: hush-hush-hush } }
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref In, Events: 's3:ObjectCreated:*' } } }
  Works:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.works
      Events: { Job: { Type: SQS, Properties: { Queue: !GetAtt Jobs.Arn } } }
";

const APP: &str = "\
import os
import boto3

def labels(event, context):
    key = event['Records'][0]['s3']['object']['key']
    boto3.client('s3').put_object(Bucket='labels', Key=key, Body=b'rose')
    sqs = boto3.client('sqs')
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName='jobs')['QueueUrl'], MessageBody='from ' + key)
    return {'label': 'rose', 'by': os.environ['API_TOKEN'], 'id': context.aws_request_id}

def works(event, context):
    return {'did': [record['body'] for record in event['Records']]}
";

const SESSION: &str = "\
import boto3, json
boto3.client('s3').put_object(Bucket='inbox', Key='a.png', Body=b'petals of hush-hush-hush')
sqs = boto3.client('sqs')
sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName='jobs')['QueueUrl'], MessageBody='by hand')
answer = boto3.client('lambda').invoke(FunctionName='Works', Payload=json.dumps({'Records': [{'body': 'called'}]}))
print(answer['Payload'].read().decode())
";

#[test]
fn a_recorded_session_replays_until_something_changes() {
    let Some(python) = clients::python() else { return };
    let plan =
        Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).file("session.py", SESSION);
    let program = python.program("python");
    let program = program.get_program().to_string_lossy().into_owned();
    let recorded = plan.mlemu(&["record", "--", &program, "session.py"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&recorded.stderr).into_owned();
    assert!(recorded.status.success() && said.contains("recorded 3 steps"), "{said}");
    let text = std::fs::read_to_string(plan.path("recorded.mlemu.yaml")).expect("a file");
    assert!(!text.contains("hush-hush") && text.contains("petals of REDACTED"), "{text}");
    for step in ["put", "send", "invoke"] {
        assert_eq!(text.matches(&format!("- {{\"{step}\"")).count(), 1, "{text}");
    }
    let replay = || plan.mlemu(&["replay", "recorded.mlemu.yaml"]).output().expect("it runs");
    let green = replay();
    let told = String::from_utf8_lossy(&green.stdout).into_owned();
    assert!(green.status.success(), "{told}\n{text}\n{}", String::from_utf8_lossy(&green.stderr));
    std::fs::write(plan.path("src/app.py"), APP.replace("'label': 'rose'", "'label': 'tulip'"))
        .expect("written");
    let red = replay();
    let told = String::from_utf8_lossy(&red.stdout).into_owned();
    let line = 1 + text.lines().position(|line| line.contains("result.label")).expect("a line");
    assert_eq!(red.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("recorded.mlemu.yaml:{line}:")), "line {line} of\n{text}\n{told}");
    assert!(told.contains("expected \"rose\", got \"tulip\""), "{told}");
}

/// What somebody does by hand in a project that is up, time and trouble included.
#[test]
fn a_running_project_is_recorded_with_its_clock_faults_and_bytes() {
    let house = Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).up();
    house.freeze("2030-01-01T00:00:00Z");
    let mut recording = house.verb(&["record", "--output", "by-hand.mlemu.yaml"]);
    let mut recording = recording.stderr(Stdio::piped()).spawn().expect("it runs");
    let mut said = BufReader::new(recording.stderr.take().expect("stderr")).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("Ctrl-C ends it")), "it records");
    house.fault(&json!({ "match": { "fn": "Works" }, "effect": "crash-handler", "times": 1 }));
    house.does(house.client.message("jobs", "later"));
    house.advance("1h");
    let photo = [0xff, 0xd8, 0xff, 0x00];
    house.does(house.client.put("inbox", "photo.jpg", photo.to_vec()));
    house.still();
    kill_process(Pid::from_child(&recording), Signal::INT).expect("it lives");
    assert!(recording.wait().expect("a child").success(), "{:?}", said.collect::<Vec<_>>());
    let text = std::fs::read_to_string(house.plan.path("by-hand.mlemu.yaml")).expect("a file");
    for part in [
        "clock: 2030-01-01T00:00:00Z",
        r#"{"fault":{"match":{"function":"Works"},"effect":"crash-handler","times":1}}"#,
        r#"{"advance":"1h"}"#,
        r#"{"put":{"bucket":"inbox","key":"photo.jpg","base64":"/9j/AA=="}}"#,
        "queue: { name: \"jobs\", depth: 0 }",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let replayed = house.mlemu(&["replay", "by-hand.mlemu.yaml"]);
    let told = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert!(replayed.status.success(), "{told}\n{text}\n{}", String::from_utf8_lossy(&replayed.stderr));
}
