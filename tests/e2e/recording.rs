//! A session with real clients becomes a test that finds what has changed since, and keeps no secret.

use super::clients;
use super::plan::Plan;

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
