//! SQS from boto3, the AWS CLI and the AWS SDK for JavaScript; messages that functions work off.

use super::clients;
use super::house::House;
use super::plan::Plan;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: jobs
      VisibilityTimeout: 30
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1 }
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      CodeUri: src/
      Handler: app.handler
      Timeout: 30
      Events:
        Jobs:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
            BatchSize: 10
            FunctionResponseTypes: [ReportBatchItemFailures]
            FilterCriteria: { Filters: [{ Pattern: '{\"body\": {\"row\": [{\"exists\": true}]}}' }] }
";

/// Says each row in its log, and which of them failed in its answer.
const APP: &str = "\
import json

def handler(event, context):
    failed = []
    for record in event['Records']:
        row = json.loads(record['body'])['row']
        print('ROW ' + row)
        if row.startswith('bad'):
            failed.append({'itemIdentifier': record['messageId']})
    return {'batchItemFailures': failed}
";

fn house() -> House {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).up()
}

#[track_caller]
fn case(name: &str) -> Option<House> {
    let python = clients::python()?;
    let house = house();
    python.drive(&house, "sqs.py", name);
    Some(house)
}

/// The rows that a function said, sorted.
fn rows(house: &House) -> Vec<String> {
    let text = |record: &serde_json::Value| {
        let text = record["what"]["log"]["text"].as_str()?;
        Some(text.strip_prefix("ROW ")?.to_owned())
    };
    let mut rows: Vec<String> = house.records(0).iter().filter_map(text).collect();
    rows.sort();
    rows
}

#[test]
fn standard_queues() {
    case("standard");
}

#[test]
fn fifo_queues_and_dead_letters() {
    case("fifo");
}

#[test]
fn long_polls() {
    case("polls");
}

#[test]
fn the_query_protocol() {
    case("forms");
}

#[test]
fn the_sdk_for_javascript() {
    let Some(node) = clients::node() else { return };
    node.drive(&house(), "sqs.mjs", "all");
}

#[test]
fn the_aws_command_line() {
    let Some(python) = clients::python() else { return };
    let house = house();
    // Version 1 of the CLI knows a host of its own for this service, whatever the environment says.
    let endpoint = format!("http://{}", house.aws());
    let sqs = |args: &[&str]| python.aws(&house, &[&["--endpoint-url", &endpoint, "sqs"], args].concat());
    let url = sqs(&["create-queue", "--queue-name", "cli", "--query", "QueueUrl", "--output", "text"]);
    let url = url.trim();
    sqs(&["send-message", "--queue-url", url, "--message-body", "from the shell"]);
    let got =
        sqs(&["receive-message", "--queue-url", url, "--query", "Messages[0].Body", "--output", "text"]);
    assert_eq!(got.trim(), "from the shell");
}

#[test]
fn a_mapping_feeds_a_function() {
    let Some(house) = case("mappings") else { return };
    let expected: Vec<String> = (0..6).map(|number| format!("api-{number}")).collect();
    assert_eq!(rows(&house), expected);
}

#[test]
fn a_templates_queue_feeds_its_function_and_failures_go_to_the_dead() {
    let Some(house) = case("feeds") else { return };
    assert_eq!(rows(&house), ["bad-2", "good-1", "good-3"]);
}
