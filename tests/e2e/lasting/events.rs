//! Events outlive the daemon: what was acknowledged starts its function, though the daemon ends first.

use super::kill;
use super::talk::attempt;
use crate::plan::Plan;
use crate::program::Program;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

const UPLOADS: usize = 6;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 900 }
Resources:
  In: { Type: AWS::S3::Bucket, Properties: { BucketName: inbox } }
  Uploaded:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.uploaded
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref In, Events: 's3:ObjectCreated:*' } } }
";

/// It never ends.
const SLOW: &str = "\
import threading

def uploaded(event, context):
    threading.Event().wait()
";

const QUICK: &str = "\
def uploaded(event, context):
    for record in event.get('Records', []):
        print('KEY ' + record['s3']['object']['key'])
    if 'called' in event:
        print('KEY ' + event['called'])
";

fn house(folder: &Path, app: &str) -> Program {
    let plan = Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", app);
    plan.arg("--persist").arg(&folder.to_string_lossy()).arg("--durability").arg("durable").program()
}

#[test]
fn every_acknowledged_event_starts_its_function_though_the_daemon_is_killed_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = house(folder.path(), SLOW);
    let mut wanted: BTreeSet<String> = (0..UPLOADS).map(|number| format!("k{number}")).collect();
    for key in &wanted {
        let answer = attempt(first.aws(), &format!("PUT /inbox/{key}"), &[], b"x").expect("an answer");
        assert_eq!(answer.status, 200);
    }
    let event = [("X-Amz-Invocation-Type", "Event")];
    let call = "POST /2015-03-31/functions/Uploaded/invocations";
    let answer = attempt(first.aws(), call, &event, br#"{"called": "by hand"}"#).expect("an answer");
    assert_eq!(answer.status, 202, "{}", answer.text());
    wanted.insert("by hand".into());
    kill(&mut first);
    let second = house(folder.path(), QUICK);
    let seen = RefCell::new(BTreeSet::new());
    second.wait(0, "each event was seen", |record| {
        let text = record["what"]["log"]["text"].as_str().and_then(|text| text.strip_prefix("KEY "));
        seen.borrow_mut().extend(text.map(|key| key.trim().to_owned()));
        *seen.borrow() == wanted
    });
    idle(&second);
    // What has ended does not come again.
    drop(second);
    let third = house(folder.path(), QUICK);
    idle(&third);
    assert!(!third.records(0).iter().any(|record| crate::house::is(record, "Uploaded", "ended")));
    assert_eq!(health(&third)["durability"], "durable");
}

fn idle(house: &Program) {
    let waited = house.ask("POST /_mlemu/wait", &json!({ "until": { "idle": true }, "timeout_ms": 60_000 }));
    assert_eq!(waited.status, 200, "{}", waited.text());
}

fn health(house: &Program) -> Value {
    house.ask("GET /_mlemu/health", &Value::Null).json()
}
