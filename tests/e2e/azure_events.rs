//! Events of blobs, as Event Grid tells them: to functions, to addresses with their handshakes, in both schemas.

use super::house::{House, is};
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const APP: &str = r#"
import json
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.event_grid_trigger(arg_name="event")
def grid(event: func.EventGridEvent):
    if "bad" in event.subject:
        raise ValueError("no such flower")
    logging.info("GRID %s %s %s %s", event.event_type, event.subject, event.id, json.dumps(event.get_json()))

@app.blob_trigger(arg_name="blob", path="uploads/{name}", connection="AzureWebJobsStorage", source="EventGrid")
def shown(blob: func.InputStream) -> None:
    logging.info("SHOWN %s", blob.name)
"#;
const SETTINGS: &str = r#"{"Values": {"FUNCTIONS_WORKER_RUNTIME": "python",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true"}}"#;

/// What a hook was asked.
#[derive(Debug)]
struct Heard {
    line: String,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// Listens as a handler of events does, answers its handshakes, and tells what it was asked.
fn hook() -> (SocketAddr, Receiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let tell = tell.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
                while let Some(asked) = request(&mut reader) {
                    let code = &asked.body[0]["data"]["validationCode"];
                    let body = if code.is_null() {
                        String::new()
                    } else {
                        json!({ "validationResponse": code }).to_string()
                    };
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nWebHook-Allowed-Origin: *\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    let _ = (&stream).write_all(format!("{head}{body}").as_bytes());
                    let _ = tell.send(asked);
                }
            });
        }
    });
    (address, heard)
}

fn request(reader: &mut impl BufRead) -> Option<Heard> {
    let line = || String::new();
    let mut first = line();
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut next = line();
        reader.read_line(&mut next).ok()?;
        let Some((name, value)) = next.trim().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length =
        headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, length)| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Heard {
        line: first.trim().to_owned(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}

fn house(config: &str) -> House {
    let plan = Plan::new().file("shop/host.json", r#"{"version": "2.0"}"#).file("shop/function_app.py", APP);
    let plan = plan.file("shop/local.settings.json", SETTINGS).file("mlemu.toml", config);
    let house = plan.up();
    house.wait(0, "the app is up", |record| is(record, "shop", "ended"));
    house
}

/// A request to Blob Storage, without a signature.
fn blob(house: &House, line: &str, body: &[u8]) -> u16 {
    let (method, path) = line.split_once(' ').expect("a method");
    let headers =
        [("x-ms-blob-type", "BlockBlob"), ("Content-Type", "image/jpeg"), ("x-ms-client-request-id", "mine")];
    http::send(house.blob(), &format!("{method} /devstoreaccount1{path}"), &headers, body).status
}

fn said(house: &House, mark: usize, function: &str, text: &str) -> String {
    let record = house.wait(mark, text, |record| {
        is(record, function, "log")
            && record["what"]["log"]["text"].as_str().is_some_and(|line| line.contains(text))
    });
    record["what"]["log"]["text"].as_str().unwrap_or_default().to_owned()
}

fn next(heard: &Receiver<Heard>) -> Heard {
    heard.recv_timeout(Duration::from_secs(60)).expect("the hook is told")
}

#[test]
fn functions_and_hooks_are_told_of_blobs() {
    let (address, heard) = hook();
    let config = format!(
        "[buckets.uploads]\nprovider = \"azure\"\n[azure.subscriptions.grid]\nto = \"grid\"\ncontainer = \"uploads\"\n\
         [azure.subscriptions.hook]\nto = \"http://{address}/hook?code=1\"\nsuffix = \".jpg\"\n\
         [azure.subscriptions.cloud]\nto = \"http://{address}/cloud\"\nevents = [\"Microsoft.Storage.BlobDeleted\"]\nschema = \"CloudEventSchemaV1_0\"\n"
    );
    let house = house(&config);
    assert_eq!(blob(&house, "PUT /uploads/rose.jpg", b"red"), 201);
    let line = said(&house, 0, "grid", "GRID Microsoft.Storage.BlobCreated");
    assert!(line.contains("/blobServices/default/containers/uploads/blobs/rose.jpg"), "{line}");
    let data: Value = serde_json::from_str(&line[line.find('{').expect("data")..]).expect("JSON");
    assert_eq!(
        (&data["api"], &data["contentLength"], &data["contentType"]),
        (&json!("PutBlob"), &json!(3), &json!("image/jpeg"))
    );
    assert!(data["eTag"].as_str().is_some_and(|etag| etag.starts_with("0x8D")), "{data}");
    assert!(
        data["url"].as_str().is_some_and(|url| url.ends_with("/devstoreaccount1/uploads/rose.jpg")),
        "{data}"
    );
    said(&house, 0, "shown", "SHOWN uploads/rose.jpg");

    let asked = next(&heard);
    assert_eq!(
        (asked.line.as_str(), asked.header("aeg-event-type")),
        ("POST /hook?code=1 HTTP/1.1", "SubscriptionValidation")
    );
    let told = next(&heard);
    assert_eq!(
        (told.header("aeg-event-type"), told.header("aeg-subscription-name")),
        ("Notification", "hook")
    );
    let event = &told.body[0];
    assert_eq!(
        (&event["eventType"], &event["data"]["clientRequestId"]),
        (&json!("Microsoft.Storage.BlobCreated"), &json!("mine"))
    );
    assert_eq!(event["metadataVersion"], "1");
    let id = event["id"].as_str().expect("an id");
    assert!(line.contains(&format!(" {id} ")), "one event, whoever is told of it: {id}, {line}");

    assert_eq!(blob(&house, "PUT /uploads/tulip.png", b"red"), 201);
    assert_eq!(blob(&house, "DELETE /uploads/tulip.png", b""), 202);
    assert!(next(&heard).line.starts_with("OPTIONS /cloud"), "the handshake of CloudEvents");
    let told = next(&heard);
    assert_eq!(told.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(
        (&told.body["specversion"], &told.body["type"]),
        (&json!("1.0"), &json!("Microsoft.Storage.BlobDeleted"))
    );
    assert_eq!((&told.body["data"]["api"], &told.body["data"]["eTag"]), (&json!("DeleteBlob"), &Value::Null));
    assert_eq!(house.mlemu(&["wait"]).status.code(), Some(0));
}

#[test]
fn subscriptions_are_made_while_the_daemon_runs() {
    let house = house("[buckets.uploads]\nprovider = \"azure\"\n");
    let account =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/devstoreaccount1";
    let path = |name: &str| format!("{account}/providers/Microsoft.EventGrid/eventSubscriptions/{name}");
    let ask = |method: &str, name: &str, body: &Value| {
        http::send(house.azure(), &format!("{method} {}", path(name)), &[], body.to_string().as_bytes())
    };
    let (address, heard) = hook();
    let to = |url: String| json!({ "properties": { "destination": { "endpointType": "WebHook", "properties": { "endpointUrl": url } } } });
    let made = ask("PUT", "hook", &to(format!("http://{address}/hook")));
    assert_eq!((made.status, &made.json()["properties"]["provisioningState"]), (201, &json!("Succeeded")));
    assert_eq!(next(&heard).header("aeg-event-type"), "SubscriptionValidation");
    assert_eq!(blob(&house, "PUT /uploads/rose.jpg", b"red"), 201);
    // The worker that delivers asks once more, since it may be another one than the one that made it.
    let told = std::iter::from_fn(|| Some(next(&heard)))
        .find(|told| told.header("aeg-event-type") == "Notification");
    assert_eq!(told.map(|told| told.body[0]["data"]["api"].clone()), Some(json!("PutBlob")));
    assert_eq!(ask("GET", "", &Value::Null).json()["value"][0]["name"], "hook");
    assert_eq!(ask("DELETE", "hook", &Value::Null).status, 200);
    assert_eq!(ask("GET", "hook", &Value::Null).status, 404);
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    for bad in [to(format!("http://{nobody}/")), to("https://example.com/".into()), json!({})] {
        let refused = ask("PUT", "bad", &bad);
        assert_eq!(refused.status, 400, "{bad}: {}", refused.text());
    }
}

#[test]
fn events_come_by_http_as_event_grid_sends_them() {
    let house = house("[buckets.uploads]\nprovider = \"azure\"\n");
    let post = |path: &str, kind: &str, body: &Value| {
        let headers = [("aeg-event-type", kind), ("Content-Type", "application/json")];
        http::send(
            house.azure(),
            &format!("POST /runtime/webhooks/{path}"),
            &headers,
            body.to_string().as_bytes(),
        )
    };
    let validation = json!([{ "id": "1", "data": { "validationCode": "secret" } }]);
    let answer = post("EventGrid?functionName=grid", "SubscriptionValidation", &validation);
    assert_eq!((answer.status, answer.json()), (200, json!({ "validationResponse": "secret" })));
    let event = |subject: &str| {
        json!([{ "id": "1", "subject": subject, "eventType": "Microsoft.Storage.BlobCreated", "topic": "t",
            "eventTime": "2026-11-21T10:00:00Z", "dataVersion": "1", "data": { "url": "u" } }])
    };
    assert_eq!(post("EventGrid?functionName=grid", "Notification", &event("/good")).status, 202);
    said(&house, 0, "grid", "GRID Microsoft.Storage.BlobCreated /good");
    assert_eq!(post("EventGrid?functionName=grid", "Notification", &event("/bad")).status, 500);
    assert_eq!(post("EventGrid?functionName=none", "Notification", &event("/good")).status, 404);
    assert_eq!(post("EventGrid?functionName=grid", "Notification", &json!("text")).status, 400);
    assert_eq!(blob(&house, "PUT /uploads/rose.jpg", b"red"), 201);
    said(&house, 0, "shown", "SHOWN uploads/rose.jpg");
    let mark = house.mark();
    let subject = "/blobServices/default/containers/uploads/blobs/rose.jpg";
    assert_eq!(
        post("blobs?functionName=Host.Functions.shown&code=x", "Notification", &event(subject)).status,
        202
    );
    said(&house, mark, "shown", "SHOWN uploads/rose.jpg");
    let options = http::send(
        house.azure(),
        "OPTIONS /runtime/webhooks/EventGrid?functionName=grid",
        &[("WebHook-Request-Origin", "eventgrid.azure.net")],
        b"",
    );
    assert_eq!(options.header("webhook-allowed-origin"), Some("eventgrid.azure.net"));
}
