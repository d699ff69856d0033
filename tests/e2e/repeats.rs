//! With a seed and a clock that stands still, a run repeats: ids, order and times, in answers and in the journal.

use super::house::House;
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};

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
      VisibilityTimeout: 60
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2 }
  Splits:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.splits
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref In, Events: 's3:ObjectCreated:*' } } }
  Works:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.works
      Events:
        Job: { Type: SQS, Properties: { Queue: !GetAtt Jobs.Arn, BatchSize: 2 } }
        Night: { Type: Schedule, Properties: { Schedule: 'cron(0 2 * * ? *)' } }
";

/// Functions that print everything they are given and are told.
const APP: &str = "\
import json, os
import boto3

def splits(event, context):
    print('IN', json.dumps(event, sort_keys=True), context.aws_request_id, os.environ['_X_AMZN_TRACE_ID'])
    print('STREAM', context.log_stream_name)
    sqs = boto3.client('sqs')
    url = sqs.get_queue_url(QueueName='jobs')['QueueUrl']
    for number in range(5):
        body = 'bad' if number == 3 else f'part {number}'
        sent = sqs.send_message(QueueUrl=url, MessageBody=body)
        print('SENT', sent['MessageId'], sent['ResponseMetadata']['RequestId'])
    other = boto3.client('lambda').invoke(FunctionName='Works', InvocationType='Event', Payload=b'{\"at\": \"once\"}')
    print('CALLED', other['ResponseMetadata']['RequestId'])

def works(event, context):
    print('WORK', json.dumps(event, sort_keys=True).replace(os.environ['AWS_ENDPOINT_URL'], ''), context.aws_request_id)
    if 'bad' in [record['body'] for record in event.get('Records', [])]:
        raise ValueError('told to')
";

const CONFIG: &str = "\
[functions.told]
provider = \"gcp\"
source = \"gcp\"
runtime = \"python312\"
handler = \"told\"
triggers = [{ topic = \"news\" }]
";

const MAIN: &str = "\
import functions_framework

@functions_framework.cloud_event
def told(event):
    print('TOLD', event['id'], event['time'], event.data)
";

/// What is measured, or is of this machine.
const MEASURED: [&str; 5] = ["duration_ms", "handler_ms", "queued_ms", "took_ms", "peak_memory"];

fn forget_measured(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, _| !MEASURED.contains(&name.as_str()));
            map.values_mut().for_each(forget_measured);
        }
        Value::Array(all) => all.iter_mut().for_each(forget_measured),
        _ => {}
    }
}

impl House {
    fn journal(&self) -> Vec<String> {
        let told = self.ask("GET /_mlemu/stream?once=true", &Value::Null).text();
        let records = told.lines().filter_map(|line| line.strip_prefix("data: "));
        let folder = self.plan.path("").to_string_lossy().into_owned();
        let without = |text: &str| {
            let mut record: Value = serde_json::from_str(&text.replace(&folder, "PROJECT/")).expect("JSON");
            // REPORT lines tell what was measured once more.
            record.as_object_mut().expect("a record").remove("lines");
            forget_measured(&mut record);
            record.to_string()
        };
        // What was installed before need not be installed again.
        records.map(without).filter(|record| !record.contains("\"building\"")).collect()
    }

    /// A request, and what came back of it that is not of this machine.
    fn tell(&self, line: &str, headers: &[(&str, &str)], body: &str) -> String {
        let at = if line.contains("/topics/") { self.gcp() } else { self.aws() };
        let answer = http::send(at, line, headers, body.as_bytes());
        assert!(answer.status < 300, "{line}: {}", answer.text());
        let headers: Vec<_> = answer.headers.iter().filter(|(name, _)| *name != "date").collect();
        format!("{line} {headers:?} {}", answer.text()).replace(&at.port().to_string(), "PORT")
    }

    /// Goes on until nothing moves any more; redeliveries come on the way.
    fn goes_on(&self, by: &str) {
        let advanced = self.ask("POST /_mlemu/clock", &json!({ "advance": by }));
        assert_eq!(advanced.status, 200, "{}", advanced.text());
    }
}

/// Everything that a run of the same requests shows.
fn run(seed: u64) -> Vec<String> {
    let house = Plan::new()
        .file("template.yaml", TEMPLATE)
        .file("src/app.py", APP)
        .file("mlemu.toml", CONFIG)
        .file("gcp/main.py", MAIN)
        .repeating(seed, "2030-01-01T00:00:00Z")
        .up();
    let half = json!({ "match": { "service": "sqs", "resource": "jobs" }, "effect": "duplicate", "probability": 0.5 });
    assert_eq!(house.ask("POST /_mlemu/faults", &half).status, 200);
    let mut told = Vec::new();
    for key in ["a", "b"] {
        told.push(house.tell(&format!("PUT /inbox/{key}"), &[], "x"));
        house.goes_on("3m");
    }
    told.push(house.tell("POST /inbox/large?uploads", &[], ""));
    let sqs = [("X-Amz-Target", "AmazonSQS.ReceiveMessage"), ("Content-Type", "application/x-amz-json-1.0")];
    house.goes_on("24h");
    let url = format!("http://{}/000000000000/dead", house.aws());
    let ask = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"] });
    told.push(house.tell("POST /", &sqs, &ask.to_string()));
    let news = json!({ "messages": [{ "data": "aGVsbG8=" }, { "data": "YWdhaW4=" }] }).to_string();
    told.push(house.tell("POST /v1/projects/demo-mlemu/topics/news:publish", &[], &news));
    house.goes_on("1s");
    told.extend(house.journal());
    told
}

#[test]
fn a_seed_and_a_still_clock_make_a_run_repeat() {
    // The first run may install packages, which is told of once and moves the numbers of records.
    let (other, first, second) = (run(8), run(7), run(7));
    assert!(first.len() > 60, "{} lines", first.len());
    for text in ["TOLD", "WORK", "told to", "injected", "Scheduled Event", "MessageId", "UploadId"] {
        assert!(first.iter().any(|line| line.contains(text)), "no {text} in\n{}", first.join("\n"));
    }
    let differs = first.iter().zip(&second).position(|(one, two)| one != two);
    if let Some(number) = differs {
        let near = |all: &[String]| all[number.saturating_sub(3)..(number + 3).min(all.len())].join("\n");
        panic!("line {number} differs; first:\n{}\nsecond:\n{}", near(&first), near(&second));
    }
    assert_eq!(first.len(), second.len());
    assert_ne!(first, other);
}
