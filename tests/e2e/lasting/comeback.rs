//! Functions, what feeds them, topics: everything that was made by an API is there again.

use super::talk::attempt;
use super::{house, kill};
use crate::clients;
use crate::plan::Plan;
use crate::program::Program;
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn functions_with_their_code_and_what_starts_them() {
    let Some(python) = clients::python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = house(folder.path(), "durable");
    python.drive(&first, "lasting.py", "before");
    kill(&mut first);
    let second = house(folder.path(), "durable");
    let mark = second.mark();
    python.drive(&second, "lasting.py", "after");
    // Two calls, and the one that an upload starts.
    for _ in 0..3 {
        second.wait_ended(mark, "kept");
    }
    assert_eq!(second.ask("POST /_mlemu/wait", &json!({ "until": { "idle": true } })).status, 200);
    let ended = second.records(mark).into_iter().filter(|one| crate::house::is(one, "kept", "ended")).count();
    assert_eq!(ended, 3);
}

fn both_clouds(folder: &Path) -> Program {
    let plan = Plan::new().arg("--gcp-port").arg("0");
    plan.arg("--persist").arg(&folder.to_string_lossy()).program()
}

/// A call of the REST API.
#[track_caller]
fn rest(house: &Program, line: &str, body: &Value) -> Value {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let headers = [("Content-Type", "application/json")];
    let answer = attempt(house.gcp(), line, &headers, text.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 200, "{line}: {}", answer.text());
    answer.json()
}

#[test]
fn topics_and_the_filters_of_their_subscriptions() {
    const BASE: &str = "/v1/projects/demo-mlemu";
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = both_clouds(folder.path());
    let topic = "projects/demo-mlemu/topics/news";
    rest(&first, &format!("PUT {BASE}/topics/news"), &json!({}));
    let said = json!({ "topic": topic, "filter": "attributes.kind = \"good\"" });
    rest(&first, &format!("PUT {BASE}/subscriptions/reader"), &said);
    let publish = |house: &Program, text: &str, kind: &str| {
        let message = json!({ "messages": [{ "data": text, "attributes": { "kind": kind } }] });
        rest(house, &format!("POST {BASE}/topics/news:publish"), &message);
    };
    publish(&first, "b25l", "good");
    kill(&mut first);
    let second = both_clouds(folder.path());
    publish(&second, "YmFk", "bad");
    publish(&second, "dHdv", "good");
    let pulled =
        rest(&second, &format!("POST {BASE}/subscriptions/reader:pull"), &json!({ "maxMessages": 9 }));
    let data = |one: &Value| one["message"]["data"].as_str().expect("data").to_owned();
    let data: Vec<String> =
        pulled["receivedMessages"].as_array().expect("messages").iter().map(data).collect();
    assert_eq!(data, ["b25l", "dHdv"]);
}

#[test]
fn a_reset_lasts_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = house(folder.path(), "disk");
    for line in ["PUT /before", "PUT /before/k"] {
        assert_eq!(attempt(first.aws(), line, &[], b"").expect("an answer").status, 200);
    }
    assert_eq!(first.ask("POST /_mlemu/snapshots/here", &Value::Null).status / 100, 2);
    assert_eq!(attempt(first.aws(), "PUT /later", &[], b"").expect("an answer").status, 200);
    assert_eq!(first.ask("POST /_mlemu/snapshots/here/restore", &Value::Null).status / 100, 2);
    kill(&mut first);
    let mut second = house(folder.path(), "disk");
    let status =
        |house: &Program, line: &str| attempt(house.aws(), line, &[], b"").expect("an answer").status;
    assert_eq!((status(&second, "HEAD /before/k"), status(&second, "HEAD /later")), (200, 404));
    assert_eq!(status(&second, "PUT /gone-again"), 200);
    // To how it was when the project was ready: that is as it was kept.
    assert_eq!(second.ask("POST /_mlemu/reset", &json!({})).status / 100, 2);
    kill(&mut second);
    let third = house(folder.path(), "disk");
    assert_eq!((status(&third, "HEAD /before/k"), status(&third, "HEAD /gone-again")), (200, 404));
}

/// The project's preparation tells the door, and waits until it is let in.
const PREPARE: &str = "\
import os, socket
with socket.create_connection(('127.0.0.1', int(open('door').read()))) as door:
    door.recv(1)
open('made', 'w').close()
";

#[test]
fn nobody_is_answered_before_everything_is_there() {
    let door = std::net::TcpListener::bind("127.0.0.1:0").expect("a door");
    let number = door.local_addr().expect("its number").port().to_string();
    let config = "[prepare]\nrun = [\"python\", \"prepare.py\"]\noutputs = [\"made\"]\n\n\
                  [functions.declared]\nruntime = \"python3.11\"\nhandler = \"prepare.handler\"\n";
    let plan = Plan::new().file("mlemu.toml", config).file("prepare.py", PREPARE).file("door", &number);
    let mut up = plan.mlemu(&["up", "--aws-port", "0", "--control-port", "0"]);
    let null = std::process::Stdio::null;
    let mut child = up.stdout(null()).stderr(null()).spawn().expect("the program starts");
    let (waits, _) = door.accept().expect("it prepares");
    let located = plan.located();
    let aws = located["clouds"]["aws"].as_str().expect("an address").trim_start_matches("http://");
    let aws: std::net::SocketAddr = aws.parse().expect("an address");
    let asks = std::thread::spawn(move || crate::http::send(aws, "GET /2015-03-31/functions/", &[], b""));
    drop(waits);
    let listed = asks.join().expect("it asks");
    assert!(listed.text().contains("\"FunctionName\":\"declared\""), "{}", listed.text());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .expect("it lives");
    child.wait().expect("it ends");
}
