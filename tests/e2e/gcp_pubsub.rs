//! Pub/Sub from Google's own client libraries, what topics start, and malformed requests.

use super::clients;
use super::house::{House, is};
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};
use std::io::{Read, Write};

#[track_caller]
fn case(name: &str) {
    let Some(python) = clients::google_python() else { return };
    python.drive(&plain(), "pubsub.py", name);
}

fn plain() -> House {
    Plan::new().up()
}

#[test]
fn topics_and_subscriptions() {
    case("resources");
}

#[test]
fn ten_thousand_messages() {
    case("many");
}

#[test]
fn leases_and_dead_letters() {
    case("leases");
}

#[test]
fn ordering_keys_and_filters() {
    case("order");
}

#[test]
fn exactly_once() {
    case("once");
}

#[test]
fn snapshots_and_seeking() {
    case("time");
}

#[test]
fn endpoints_that_are_pushed_to() {
    case("push");
}

#[test]
fn schemas_of_topics() {
    case("schemas");
}

#[test]
fn policies_are_kept() {
    case("policies");
}

#[test]
fn the_client_for_node() {
    let Some(node) = clients::google_node() else { return };
    node.drive(&plain(), "pubsub.mjs", "");
}

const MAIN: &str = "\
import functions_framework

tries = {}

@functions_framework.cloud_event
def told(event):
    print('TOLD', event['type'], event['source'], event.data['message']['attributes'])

@functions_framework.cloud_event
def fails_once(event):
    tries[event['id']] = tries.get(event['id'], 0) + 1
    print('TRY', tries[event['id']])
    if tries[event['id']] == 1:
        raise ValueError('not yet')

@functions_framework.cloud_event
def gives_up(event):
    print('ONLY TRY')
    raise ValueError('never')

def old(data, context):
    print('OLD', context.event_type, context.resource['name'], data['data'])
";

const CONFIG: &str = r#"
[functions.told]
provider = "gcp"
triggers = [{ topic = "news" }, { topic = "changes" }]

[functions.fails_once]
provider = "gcp"
retry = true
triggers = [{ topic = "news" }]

[functions.gives_up]
provider = "gcp"
triggers = [{ topic = "news" }]

[functions.old]
provider = "gcp"
runtime = "python311"
handler = "old"
generation = 1
signature = "event"
triggers = [{ topic = "news" }]
"#;

fn functions() -> House {
    Plan::new().file("main.py", MAIN).file("mlemu.toml", CONFIG).up()
}

fn said(house: &House, mark: usize, function: &str, start: &str) -> String {
    let record = house.wait(mark, start, |record| {
        let text = record["what"]["log"]["text"].as_str().unwrap_or_default();
        is(record, function, "log") && text.starts_with(start)
    });
    record["what"]["log"]["text"].as_str().expect("text").to_owned()
}

fn publish(house: &House, topic: &str, message: &Value) {
    let line = format!("POST /v1/projects/demo-mlemu/topics/{topic}:publish");
    let body = json!({ "messages": [message] }).to_string();
    let answer = http::send(house.gcp(), &line, &[], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn messages_start_functions_of_either_generation() {
    let house = functions();
    publish(&house, "news", &json!({ "data": "cm9zZQ==", "attributes": { "kind": "rose" } }));
    assert_eq!(
        said(&house, 0, "told", "TOLD"),
        "TOLD google.cloud.pubsub.topic.v1.messagePublished //pubsub.googleapis.com/projects/demo-mlemu/topics/news {'kind': 'rose'}"
    );
    let old = said(&house, 0, "old", "OLD");
    assert_eq!(old, "OLD google.pubsub.topic.publish projects/demo-mlemu/topics/news cm9zZQ==");
}

#[test]
fn a_message_comes_again_where_the_function_asks_for_it_and_never_elsewhere() {
    let house = functions();
    publish(&house, "news", &json!({ "data": "cm9zZQ==" }));
    house.wait_ended(0, "fails_once");
    house.wait_ended(0, "gives_up");
    // The vendor's back-off begins with ten seconds.
    let advance = |by: &str| {
        let answer = house.ask("POST /_mlemu/clock", &json!({ "advance": by }));
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    advance("15s");
    assert_eq!(said(&house, 0, "fails_once", "TRY 2"), "TRY 2");
    advance("1h");
    let tries =
        |function: &str| house.records(0).iter().filter(|record| is(record, function, "ended")).count();
    assert_eq!((tries("fails_once"), tries("gives_up")), (2, 1));
}

#[test]
fn a_bucket_tells_a_topic_which_starts_a_function() {
    let house = functions();
    let ask = |line: &str, body: &Value| {
        let answer = http::send(house.gcp(), line, &[], body.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{line}: {}", answer.text());
        answer.json()
    };
    ask("POST /storage/v1/b?project=demo-mlemu", &json!({ "name": "garden" }));
    let topic = "//pubsub.googleapis.com/projects/demo-mlemu/topics/changes";
    let config = json!({
        "topic": topic,
        "payload_format": "JSON_API_V1",
        "event_types": ["OBJECT_FINALIZE"],
        "object_name_prefix": "in/",
        "custom_attributes": { "own": "yes" },
    });
    let made = ask("POST /storage/v1/b/garden/notificationConfigs", &config);
    let missing = json!({ "topic": format!("{topic}-not"), "payload_format": "NONE" }).to_string();
    let refused =
        http::send(house.gcp(), "POST /storage/v1/b/garden/notificationConfigs", &[], missing.as_bytes());
    assert_eq!(refused.status, 400);
    for name in ["out%2Fa", "in%2Fa"] {
        let line = format!("POST /upload/storage/v1/b/garden/o?uploadType=media&name={name}");
        ask(&line, &json!("x"));
    }
    let told = said(&house, 0, "told", "TOLD");
    for part in ["topics/changes", "'objectId': 'in/a'", "'eventType': 'OBJECT_FINALIZE'", "'own': 'yes'"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let id = made["id"].as_str().expect("an id");
    let line = format!("DELETE /storage/v1/b/garden/notificationConfigs/{id}");
    assert_eq!(http::send(house.gcp(), &line, &[], b"").status, 204);
    let list = http::send(house.gcp(), "GET /storage/v1/b/garden/notificationConfigs", &[], b"").json();
    assert_eq!(list, json!({ "kind": "storage#notifications" }));
}

#[test]
fn a_reset_takes_back_what_was_made_since() {
    let house = functions();
    let made = http::send(house.gcp(), "PUT /v1/projects/demo-mlemu/topics/later", &[], b"{}");
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(house.ask("POST /_mlemu/reset", &Value::Null).status, 204);
    let gone = http::send(house.gcp(), "GET /v1/projects/demo-mlemu/topics/later", &[], b"");
    assert_eq!(gone.status, 404);
    let mark = house.mark();
    publish(&house, "news", &json!({ "attributes": { "kind": "iris" } }));
    assert!(said(&house, mark, "told", "TOLD").ends_with("{'kind': 'iris'}"));
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Headers of a gRPC request, each as a literal that is not indexed.
fn headers(path: &str, authority: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("short"));
            block.extend(text.as_bytes());
        }
    }
    block
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const DATA: u8 = 0;
const SETTINGS: u8 = 4;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;

#[test]
fn malformed_frames_and_messages_leave_the_daemon_alive() {
    let house = plain();
    let authority = house.gcp().to_string();
    let mut connections: Vec<Vec<u8>> = vec![
        b"PRI".to_vec(),
        b"PRI * HTTP/1.1\r\n\r\n".to_vec(),
        [PREFACE, &[0xff; 200]].concat(),
        [PREFACE, &frame(SETTINGS, 0, 0, &[0; 5])].concat(),
        [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_HEADERS, 1, &[0xff; 40])].concat(),
    ];
    let bodies: [&[u8]; 6] = [
        b"",
        b"\0\0",
        b"\0\xff\xff\xff\xff",
        b"\0\0\0\0\x03\xff\xff\xff",
        b"\x01\0\0\0\x03abc",
        b"\x07\0\0\0\0",
    ];
    let services = ["Publisher/Publish", "Subscriber/StreamingPull", "Subscriber/Pull", "Nobody/Nothing"];
    for (body, service) in bodies.iter().flat_map(|body| services.map(|service| (body, service))) {
        let head = headers(&format!("/google.pubsub.v1.{service}"), &authority);
        let mut all = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
        all.extend(frame(HEADERS, END_HEADERS, 1, &head));
        all.extend(frame(DATA, END_STREAM, 1, body));
        connections.push(all);
    }
    for bytes in connections {
        let mut stream = http::connect(house.gcp());
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
    for (line, body) in [
        ("PUT /v1/projects/demo-mlemu/topics/abc", &b"{"[..]),
        ("POST /v1/projects/demo-mlemu/topics/abc:publish", br#"{"messages":[{"data":"@@"}]}"#),
        ("POST /v1/projects/demo-mlemu/topics/abc:publish", br#"{"messages":"many"}"#),
        ("PUT /v1/projects/demo-mlemu/subscriptions/abc", br#"{"ackDeadlineSeconds":"x"}"#),
        ("POST /v1/projects/demo-mlemu/subscriptions/abc:seek", br#"{"time":"yesterday"}"#),
    ] {
        let answer = http::send(house.gcp(), line, &[], body);
        assert_eq!(
            (answer.status, answer.json()["error"]["status"].clone()),
            (400, json!("INVALID_ARGUMENT"))
        );
    }
    let made = http::send(house.gcp(), "PUT /v1/projects/demo-mlemu/topics/abc", &[], b"");
    assert_eq!(made.status, 200, "{}", made.text());
}
