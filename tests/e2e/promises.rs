//! What tests cost: the times that the harness promises. Of several attempts the best must keep the promise, since a
//! debug build on a busy machine is in each of them.

use super::plan::Plan;
use mlemu::harness::Session;
use std::time::{Duration, Instant};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Uploads: { Type: AWS::S3::Bucket, Properties: { BucketName: uploads } }
  Seen:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      CodeUri: src/
      Handler: app.seen
      Timeout: 30
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref Uploads, Events: 's3:ObjectCreated:*' } } }
";

const APP: &str = "def seen(event, context):\n    return 'seen'\n";
const ATTEMPTS: usize = 20;

async fn session(plan: &Plan) -> Session {
    let builder = Session::of(plan.path(".")).program(env!("CARGO_BIN_EXE_mlemu"));
    let mlemu = builder.patience(Duration::from_secs(120)).start().await.expect("it starts");
    // The first call installs and starts; what follows finds an instance.
    mlemu.put("uploads", "first", "x").await.expect("put");
    mlemu.idle().await.expect("settled");
    mlemu
}

#[track_caller]
fn best(mut took: Vec<Duration>, promised: Duration) {
    took.sort();
    eprintln!("best {:?}, median {:?}, worst {:?}", took[0], took[took.len() / 2], took[took.len() - 1]);
    assert!(took[0] < promised, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_takes_less_than_five_milliseconds() {
    let plan = Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP);
    let mlemu = session(&plan).await;
    let mut took = Vec::new();
    for number in 0..ATTEMPTS {
        mlemu.put("uploads", &number.to_string(), "x").await.expect("put");
        mlemu.idle().await.expect("settled");
        let start = Instant::now();
        mlemu.reset().await.expect("reset");
        took.push(start.elapsed());
        assert!(mlemu.keys("uploads", "").await.expect("listed").is_empty());
    }
    best(took, Duration::from_millis(5));
    mlemu.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_returns_within_two_milliseconds_of_the_last_completion() {
    let plan = Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP);
    let mlemu = session(&plan).await;
    let mut took = Vec::new();
    for number in 0..ATTEMPTS {
        mlemu.reset().await.expect("reset");
        mlemu.put("uploads", &number.to_string(), "x").await.expect("put");
        let ended = mlemu.ended("Seen", "ok", 1).await.expect("ended");
        let late = mlemu.now().await.expect("a time").0 - ended[0].ended.expect("it has ended");
        took.push(Duration::from_micros(late.try_into().expect("time goes forward")));
    }
    best(took, Duration::from_millis(2));
    mlemu.stop().await;
}
