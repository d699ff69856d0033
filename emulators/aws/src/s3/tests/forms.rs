//! Upload forms.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const POLICY: &str = r#"{"expiration": "2999-01-01T00:00:00Z", "conditions": [{"bucket": "pics"},
    ["starts-with", "$key", "up/"], ["starts-with", "$success_action_status", ""],
    ["starts-with", "$success_action_redirect", ""], ["content-length-range", 2, 10]]}"#;

const SIGNED: (&str, &str) = ("x-amz-signature", "00");

fn form(fields: &[(&str, &str)], file: &str) -> Vec<u8> {
    let part = |(name, value): &(&str, &str)| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let fields: Vec<String> = fields.iter().map(part).collect();
    let file = format!(
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"red flower.jpg\"\r\n\
         Content-Type: image/jpeg\r\n\r\n{file}\r\n--B--\r\n"
    );
    (fields.concat() + &file).into_bytes()
}

async fn post(world: &World, fields: &[(&str, &str)], file: &str) -> Reply {
    let head = "POST /pics\ncontent-type: multipart/form-data; boundary=B";
    world.send_with(head, form(fields, file)).await
}

#[tokio::test]
async fn a_form_uploads_under_the_name_of_its_file() {
    let mut world = world();
    let scope = Arc::new(Scope::new("aws", "000000000000", "us-east-1"));
    let subscription = Subscription {
        id: None,
        events: vec!["s3:ObjectCreated:Post".into()],
        prefix: None,
        suffix: None,
        function: FunctionId::new(scope, "score"),
    };
    world.s3.subscribe("pics", subscription).unwrap();
    let policy = STANDARD.encode(POLICY);
    let fields = [("key", "up/${filename}"), ("policy", &policy), SIGNED, ("success_action_status", "201")];
    let made = post(&world, &fields, "hello").await;
    assert_eq!((made.status.as_u16(), made.element("Key")), (201, "up/red flower.jpg"));
    assert_eq!(made.element("Location"), "http://127.0.0.1:4566/pics/up/red%20flower.jpg");
    assert_eq!(made.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(world.send("GET /pics/up/red%20flower.jpg").await.body, "hello");
    assert_eq!(world.events().await[0]["eventName"], "ObjectCreated:Post");
    assert_eq!(post(&world, &[("key", "k"), ("Content-Type", "text/x")], "hello").await.status, 204);
    assert_eq!(world.send("HEAD /pics/k").await.header("content-type"), "text/x");
    let redirect = [("key", "k"), ("success_action_redirect", "http://localhost:1/done")];
    let seen = post(&world, &redirect, "hello").await;
    assert_eq!(seen.status, 303);
    assert!(seen.header("location").starts_with("http://localhost:1/done?bucket=pics&key=k&etag=%22"));
}

#[tokio::test]
async fn the_policy_always_holds() {
    let world = world();
    let policy = STANDARD.encode(POLICY);
    let refused = async |key: &str, extra: &[(&str, &str)], file: &str| {
        let fields = [&[("key", key), ("policy", &policy), SIGNED], extra].concat();
        post(&world, &fields, file).await.code().1.to_owned()
    };
    assert_eq!(refused("down/x", &[], "hello").await, "AccessDenied");
    assert_eq!(refused("up/x", &[("acl", "public-read")], "hello").await, "AccessDenied");
    assert_eq!(refused("up/x", &[], "more than ten bytes").await, "EntityTooLarge");
    assert_eq!(refused("up/x", &[], "1").await, "EntityTooSmall");
    let late = STANDARD.encode(POLICY.replace("2999", "2001"));
    let expired = post(&world, &[("key", "up/x"), ("policy", &late), SIGNED], "hello").await;
    assert_eq!(expired.element("Message"), "Invalid according to Policy: Policy expired.");
    assert_eq!(world.send("GET /pics").await.elements("Key").len(), 0);
}

#[tokio::test]
async fn forms_that_are_none() {
    let world = world();
    assert_eq!(world.send("POST /pics\n\nx").await.code(), (400, "MalformedPOSTRequest"));
    assert_eq!(post(&world, &[], "hello").await.code(), (400, "InvalidArgument"));
    let cut = world.send("POST /pics\ncontent-type: multipart/form-data; boundary=B\n\n--B\r\nContent").await;
    assert_eq!(cut.code(), (400, "MalformedPOSTRequest"));
    let long = "x".repeat(30_000);
    let reply = post(&world, &[("key", "k"), ("x-amz-meta-a", &long)], "hello").await;
    assert_eq!(reply.code(), (400, "MaxPostPreDataLengthExceededError"));
    let endless = vec![b'x'; 2_000_000];
    let reply = world.send_with("POST /pics\ncontent-type: multipart/form-data; boundary=B", endless).await;
    assert_eq!(reply.code(), (400, "MaxPostPreDataLengthExceededError"));
    let policy = STANDARD.encode(POLICY);
    let unsigned = post(&world, &[("key", "up/x"), ("policy", &policy)], "hello").await;
    assert_eq!(unsigned.code(), (400, "InvalidArgument"));
    let strict = world_with(Settings { strict_auth: true, ..settings() });
    assert_eq!(post(&strict, &[("key", "k")], "hello").await.code(), (403, "AccessDenied"));
}
