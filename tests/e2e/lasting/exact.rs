//! Triggers lose nothing and invent nothing: as many invocations as uploads, and each message in one place at the end.

use super::talk::{attempt, sqs};
use crate::house::House;
use crate::plan::Plan;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// `MLEMU_EVENTS`, or a few.
fn events() -> u64 {
    std::env::var("MLEMU_EVENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(300)
}

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 1 }
Resources:
  In: { Type: AWS::S3::Bucket, Properties: { BucketName: inbox } }
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: jobs
      VisibilityTimeout: 6
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }
  Uploaded:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.uploaded
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref In, Events: 's3:ObjectCreated:*' } } }
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.work
      Events:
        Jobs:
          Type: SQS
          Properties: { Queue: !GetAtt Jobs.Arn, BatchSize: 10, FunctionResponseTypes: [ReportBatchItemFailures] }
";

/// One try in three fails, by the message and how often it came.
const APP: &str = "\
import zlib

def uploaded(event, context):
    for record in event['Records']:
        print('KEY ' + record['s3']['object']['key'])

def work(event, context):
    failed = []
    for record in event['Records']:
        count = record['attributes']['ApproximateReceiveCount']
        if zlib.crc32((record['body'] + '/' + count).encode()) % 3 == 0:
            print('FAILED ' + record['body'])
            failed.append({'itemIdentifier': record['messageId']})
        else:
            print('DONE ' + record['body'])
    return {'batchItemFailures': failed}
";

fn house() -> House {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).up()
}

/// How often a function said each thing after `word`.
fn said(house: &House, word: &str) -> BTreeMap<String, u64> {
    let mut times = BTreeMap::new();
    for record in house.records(0) {
        if let Some(text) = record["what"]["log"]["text"].as_str().and_then(|text| text.strip_prefix(word)) {
            *times.entry(text.trim().to_owned()).or_default() += 1;
        }
    }
    times
}

/// Time goes on until nothing is left to do.
fn settle(house: &House) {
    let idle = json!({ "until": { "idle": true }, "timeout_ms": 600_000 });
    let waited = house.ask("POST /_mlemu/wait", &idle);
    assert_eq!(waited.status, 200, "{}", waited.text());
}

#[test]
fn every_upload_starts_one_invocation() {
    let house = house();
    std::thread::scope(|threads| {
        for uploader in 0..4 {
            let to = house.aws();
            threads.spawn(move || {
                for number in (uploader..events()).step_by(4) {
                    let answer = attempt(to, &format!("PUT /inbox/k{number}"), &[], b"x").expect("an answer");
                    assert_eq!(answer.status, 200);
                }
            });
        }
    });
    settle(&house);
    let seen = RefCell::new(BTreeSet::new());
    house.wait(0, "each upload was seen", |record| {
        let text = record["what"]["log"]["text"].as_str().and_then(|text| text.strip_prefix("KEY "));
        text.is_some_and(|key| seen.borrow_mut().insert(key.to_owned()))
            && seen.borrow().len() as u64 == events()
    });
    let said = said(&house, "KEY ");
    assert_eq!(said.len() as u64, events());
    let twice: Vec<_> = said.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let ended = house.records(0).iter().filter(|one| crate::house::is(one, "Uploaded", "ended")).count();
    assert_eq!(ended as u64, events());
}

#[test]
fn every_message_ends_in_success_or_among_the_dead() {
    let house = house();
    let to = house.aws();
    let url = sqs(to, "GetQueueUrl", &json!({ "QueueName": "jobs" })).expect("answered")["QueueUrl"].clone();
    for first in (0..events()).step_by(10) {
        let entry = |number: u64| json!({ "Id": number.to_string(), "MessageBody": format!("m{number}") });
        let entries: Vec<Value> = (first..events().min(first + 10)).map(entry).collect();
        sqs(to, "SendMessageBatch", &json!({ "QueueUrl": url, "Entries": entries })).expect("answered");
    }
    settle(&house);
    let (done, failed) = (said(&house, "DONE "), said(&house, "FAILED "));
    let mut dead = BTreeMap::<String, u64>::new();
    let url = sqs(to, "GetQueueUrl", &json!({ "QueueName": "dead" })).expect("answered")["QueueUrl"].clone();
    loop {
        let want = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600 });
        let received = sqs(to, "ReceiveMessage", &want).expect("answered");
        let Some(messages) = received["Messages"].as_array().filter(|some| !some.is_empty()) else { break };
        for message in messages {
            *dead.entry(message["Body"].as_str().expect("a body").to_owned()).or_default() += 1;
        }
    }
    for number in 0..events() {
        let body = format!("m{number}");
        let times = |of: &BTreeMap<String, u64>| of.get(&body).copied().unwrap_or_default();
        let (done, failed, dead) = (times(&done), times(&failed), times(&dead));
        assert_eq!(done + dead, 1, "{body}: done {done} times, dead {dead} times");
        assert_eq!(failed, if dead == 1 { 3 } else { failed.min(2) }, "{body}: failed {failed} times");
    }
    eprintln!("{} messages: {} done, {} dead", events(), done.len(), dead.len());
    assert!(!dead.is_empty() || events() < 100);
}
