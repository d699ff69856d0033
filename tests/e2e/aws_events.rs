//! Asynchronous invocations with their retries and destinations, SNS, EventBridge and aliases, from boto3 and a
//! template; hours of waiting pass on the clock.

use super::clients;
use super::house::House;
use super::plan::Plan;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 30 }
Resources:
  Inbox:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: inbox
      NotificationConfiguration:
        EventBridgeConfiguration: { EventBridgeEnabled: true }
        TopicConfigurations: [{ Topic: !Ref News, Event: 's3:ObjectCreated:*' }]
  Good: { Type: AWS::SQS::Queue, Properties: { QueueName: good } }
  Bad: { Type: AWS::SQS::Queue, Properties: { QueueName: bad } }
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  Heard: { Type: AWS::SQS::Queue, Properties: { QueueName: heard } }
  News: { Type: AWS::SNS::Topic, Properties: { TopicName: news } }
  Hears:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref News
      Protocol: sqs
      Endpoint: !GetAtt Heard.Arn
      RawMessageDelivery: true
      FilterPolicy: { kind: [flower] }
  Uploads:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: { source: [aws.s3], detail-type: [Object Created] }
      Targets: [{ Id: q, Arn: !GetAtt Heard.Arn, InputPath: '$.detail.object.key' }]
  Moody:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: Moody
      Handler: app.moody
      AutoPublishAlias: live
      DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Dead.Arn }
      EventInvokeConfig:
        MaximumRetryAttempts: 1
        DestinationConfig:
          OnSuccess: { Type: SQS, Destination: !GetAtt Good.Arn }
          OnFailure: { Type: SQS, Destination: !GetAtt Bad.Arn }
  Listener:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: Listener
      Handler: app.listener
      Events:
        News: { Type: SNS, Properties: { Topic: !Ref News } }
        Orders:
          Type: EventBridgeRule
          Properties:
            Pattern: { source: [shop], detail: { total: [{ numeric: ['>', 10] }] } }
            InputPath: '$.detail'
";

const APP: &str = "\
def moody(event, context):
    print('TRY ' + context.aws_request_id)
    if event.get('fail'):
        raise ValueError('told to')
    return {'n': event.get('n'), 'by': context.function_version}

def listener(event, context):
    if 'Records' in event:
        print('HEARD ' + event['Records'][0]['Sns']['Message'])
    else:
        print('ORDER ' + str(event['total']))
";

#[track_caller]
fn case(name: &str) -> Option<House> {
    let python = clients::python()?;
    let house = Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).up();
    python.drive(&house, "events.py", name);
    Some(house)
}

/// What functions said after a word, in its order.
fn said(house: &House, word: &str) -> Vec<String> {
    let text = |record: &serde_json::Value| {
        let text = record["what"]["log"]["text"].as_str()?;
        Some(text.strip_prefix(word)?.trim().to_owned())
    };
    house.records(0).iter().filter_map(text).collect()
}

#[test]
fn a_failed_invocation_is_tried_again_and_ends_at_its_destination() {
    let Some(house) = case("destinations") else { return };
    let tries = said(&house, "TRY");
    assert_eq!(tries.len(), 3, "one that went well, and one that was tried twice: {tries:?}");
    assert_eq!(tries[1], tries[2], "a retry is the same request");
}

#[test]
fn six_hours_of_throttles_pass_on_the_clock() {
    case("throttles");
}

#[test]
fn what_becomes_of_invocations_is_configured_as_on_aws() {
    case("configurations");
}

#[test]
fn topics_reach_queues_functions_and_endpoints() {
    let Some(house) = case("topics") else { return };
    assert!(said(&house, "HEARD").contains(&"to all".to_owned()));
}

#[test]
fn topics_that_keep_an_order_and_a_bucket_that_hears_of_failures() {
    case("ordered");
}

#[test]
fn buckets_tell_topics_and_the_bus() {
    case("buckets");
}

#[test]
fn events_reach_the_targets_of_the_rules_that_they_fit() {
    let Some(house) = case("rules") else { return };
    assert_eq!(said(&house, "ORDER"), ["12"]);
}

#[test]
fn aliases_lead_to_versions_by_their_weights() {
    case("aliases");
}

#[test]
fn a_moment_has_its_topics_and_rules() {
    case("moments");
}

#[test]
fn time_goes_faster_by_a_rate() {
    case("rates");
}
