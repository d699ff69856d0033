//! What custom handlers of Azure get and give by their bindings, and where their functions are called.

use super::house::{House, is};
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const HANDLER: &str = r#"#!/usr/bin/env python3
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer

def store(data, metadata):
    picture = data["req"]["Body"]
    body = {"headers": data["req"]["Headers"], "params": data["req"]["Params"]}
    return {"Outputs": {"res": {"statusCode": 201, "body": body, "isRaw": True},
                        "item": {"status": "done"}, "picture": picture}}

def item(data, metadata):
    return {"Logs": ["ITEM " + data["item"] + " " + metadata["DequeueCount"]]}

def odd(data, metadata):
    return ["no object"]

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(globals()[self.path[1:]](asked["Data"], asked["Metadata"])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"])), Handler).serve_forever()
"#;

fn house() -> House {
    let http = |route: &str| json!({"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous", "route": route});
    let res = || json!({"type": "http", "direction": "out", "name": "res"});
    let storage = "AzureWebJobsStorage";
    let functions = [
        (
            "store",
            json!([http("files/{name}.{ending}"), res(),
            {"type": "queue", "direction": "out", "name": "item", "queueName": "items", "connection": storage},
            {"type": "blob", "direction": "out", "name": "picture", "path": "pictures/one", "connection": storage}]),
        ),
        (
            "item",
            json!([{"type": "queueTrigger", "direction": "in", "name": "item", "queueName": "items", "connection": storage}]),
        ),
        ("odd", json!([http("odd"), res()])),
        ("numbered", json!([http("numbered/{id:color}"), res()])),
    ];
    let values =
        json!({"AzureWebJobsStorage": "UseDevelopmentStorage=true", "FUNCTIONS_WORKER_RUNTIME": "custom"});
    let plan = Plan::new()
        .file(
            "own/host.json",
            r#"{"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "handler"}}}"#,
        )
        .file("own/local.settings.json", &json!({ "Values": values }).to_string())
        .file("own/handler", HANDLER);
    let plan = functions.into_iter().fold(plan, |plan, (name, bindings)| {
        plan.file(&format!("own/{name}/function.json"), &json!({ "bindings": bindings }).to_string())
    });
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(plan.path("own/handler"), executable).expect("made executable");
    plan.up()
}

fn said(house: &House, function: &str, kind: &str, text: &str) -> Value {
    house.wait(0, text, |record| {
        is(record, function, kind)
            && record["what"][kind]["text"].as_str().is_some_and(|line| line.contains(text))
    })
}

#[test]
fn outputs_go_by_their_bindings_and_bytes_stay_bytes() {
    let house = house();
    let headers = [("Content-Type", "application/octet-stream")];
    let answer = http::send(house.azure(), "POST /api/files/a.b.png", &headers, b"\xff\x00\xfe");
    assert_eq!(answer.status, 201, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["params"], json!({"name": "a.b", "ending": "png"}));
    assert_eq!(body["headers"]["Content-Type"], json!(["application/octet-stream"]));
    let picture = http::send(house.blob(), "GET /devstoreaccount1/pictures/one", &[], b"");
    assert_eq!((picture.status, &picture.body[..]), (200, &b"\xff\x00\xfe"[..]));
    let item = said(&house, "item", "log", r#"{\"status\":\"done\"}"#);
    let text = item["what"]["log"]["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("ITEM ") && text.ends_with(" 1"), "{text}");
}

#[test]
fn what_a_handler_did_wrong_is_told() {
    let house = house();
    assert_eq!(http::send(house.azure(), "POST /api/odd", &[], b"x").status, 500);
    let line = said(&house, "odd", "log", "InvalidOperationException");
    let text = line["what"]["log"]["text"].as_str().unwrap_or_default();
    assert!(text.contains("no JSON object") && text.ends_with(r#": ["no object"]"#), "{text}");
    said(&house, "own", "warning", "there is no constraint `color`");
    assert_eq!(http::send(house.azure(), "POST /api/numbered/123", &[], b"x").status, 404);
}
