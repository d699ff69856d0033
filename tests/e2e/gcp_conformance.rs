//! What Google's conformance suite asks of function frameworks, for Python and Node behind this emulator: requests,
//! typed requests, CloudEvents and legacy events, each in every form that it may come in, and several at a time.

use super::house::{House, is};
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};

const PYTHON: &str = "\
import json
import threading

import functions_framework

meeting = threading.Barrier(3)

def tell(what):
    print('GOT ' + json.dumps(what, sort_keys=True))

@functions_framework.http
def web(request):
    tell(request.get_json())
    return 'OK', 201

@functions_framework.http
def meets(request):
    meeting.wait(60)
    return 'OK'

class Payload:
    def __init__(self, document):
        self.document = document

    @staticmethod
    def from_dict(document):
        return Payload(document)

    def to_dict(self):
        return {'payload': self.document}

@functions_framework.typed
def typed(payload: Payload):
    return payload

@functions_framework.cloud_event
def cloud(event):
    names = ('id', 'source', 'specversion', 'subject', 'time', 'type')
    tell({**{name: event.get(name) for name in names}, 'data': event.data})

def legacy(data, context):
    told = {'eventId': context.event_id, 'timestamp': context.timestamp}
    tell({'data': data, 'context': {**told, 'eventType': context.event_type, 'resource': context.resource}})
";

const NODE: &str = "\
const functions = require('@google-cloud/functions-framework');

const sorted = (value) => Array.isArray(value) || value === null || typeof value !== 'object' ? value
  : Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
const tell = (what) => console.log('GOT ' + JSON.stringify(sorted(what)));
let waiting = [];

functions.http('web', (request, response) => {
  tell(request.body);
  response.status(201).send('OK');
});
functions.http('meets', (request, response) => {
  waiting.push(response);
  if (waiting.length === 3) waiting.forEach((each) => each.send('OK'));
});
functions.cloudEvent('cloud', ({ id, source, specversion, subject = null, time, type, data }) => {
  tell({ id, source, specversion, subject, time, type, data });
});
exports.legacy = (data, { eventId, timestamp, eventType, resource }) => {
  tell({ data, context: { eventId, timestamp, eventType, resource } });
};
";

fn house(runtime: &str) -> House {
    let config = format!(
        "[functions.meets]\ninstance_concurrency = 3\n\
         [functions.legacy]\nprovider = \"gcp\"\nruntime = \"{runtime}\"\nhandler = \"legacy\"\nsignature = \"event\"\n"
    );
    let plan = Plan::new().file("mlemu.toml", &config);
    if runtime.starts_with("python") {
        return plan.file("main.py", PYTHON).up();
    }
    let package = r#"{"main":"index.js","dependencies":{"@google-cloud/functions-framework":"5.0.5"}}"#;
    plan.file("package.json", package).file("index.js", NODE).up()
}

type Headers<'a> = &'a [(&'a str, &'a str)];

/// One fact as a CloudEvent and as the older form of the same.
struct Fact {
    name: &'static str,
    cloud: Value,
    legacy: Value,
}

fn fact(name: &'static str, cloud: Value, legacy: Value) -> Fact {
    let time = "2026-01-02T03:04:05.678Z";
    let with = |mut event: Value, known: Value| {
        for (key, value) in known.as_object().expect("an object") {
            event[key] = value.clone();
        }
        event
    };
    let cloud = with(cloud, json!({ "id": "77", "specversion": "1.0", "time": time }));
    let mut legacy = legacy;
    legacy["context"] = with(legacy["context"].take(), json!({ "eventId": "77", "timestamp": time }));
    Fact { name, cloud, legacy }
}

/// Each of the services whose events frameworks convert.
fn facts() -> Vec<Fact> {
    let object =
        json!({ "bucket": "garden", "name": "beds/rose.txt", "size": "5", "kind": "storage#object" });
    let document = json!({ "value": { "fields": { "petals": { "integerValue": "5" } } }, "updateMask": {} });
    let change = json!({ "data": null, "delta": { "petals": 5 } });
    vec![
        fact(
            "storage",
            json!({
                "type": "google.cloud.storage.object.v1.finalized", "subject": "objects/beds/rose.txt",
                "source": "//storage.googleapis.com/projects/_/buckets/garden", "data": object,
            }),
            json!({ "data": object, "context": {
                "eventType": "google.storage.object.finalize",
                "resource": {
                    "service": "storage.googleapis.com", "type": "storage#object",
                    "name": "projects/_/buckets/garden/objects/beds/rose.txt",
                },
            }}),
        ),
        fact(
            "pubsub",
            json!({
                "type": "google.cloud.pubsub.topic.v1.messagePublished", "subject": null,
                "source": "//pubsub.googleapis.com/projects/demo-p/topics/seeds",
                "data": { "message": {
                    "@type": "type.googleapis.com/google.pubsub.v1.PubsubMessage",
                    "data": "cmVk", "attributes": { "kind": "rose" },
                    "messageId": "77", "publishTime": "2026-01-02T03:04:05.678Z",
                }},
            }),
            json!({
                "data": {
                    "@type": "type.googleapis.com/google.pubsub.v1.PubsubMessage",
                    "data": "cmVk", "attributes": { "kind": "rose" },
                },
                "context": {
                    "eventType": "google.pubsub.topic.publish",
                    "resource": {
                        "service": "pubsub.googleapis.com", "name": "projects/demo-p/topics/seeds",
                        "type": "type.googleapis.com/google.pubsub.v1.PubsubMessage",
                    },
                },
            }),
        ),
        fact(
            "firestore",
            json!({
                "type": "google.cloud.firestore.document.v1.written", "subject": "documents/beds/rose",
                "source": "//firestore.googleapis.com/projects/demo-p/databases/(default)", "data": document,
            }),
            json!({ "data": document, "context": {
                "eventType": "providers/cloud.firestore/eventTypes/document.write",
                "resource": "projects/demo-p/databases/(default)/documents/beds/rose",
            }}),
        ),
        fact(
            "auth",
            json!({
                "type": "google.firebase.auth.user.v1.created", "subject": "users/u1",
                "source": "//firebaseauth.googleapis.com/projects/demo-p",
                "data": { "uid": "u1", "metadata": {
                    "createTime": "2026-01-01T00:00:00Z", "lastSignInTime": "2026-01-02T00:00:00Z",
                }},
            }),
            json!({
                "data": { "uid": "u1", "metadata": {
                    "createdAt": "2026-01-01T00:00:00Z", "lastSignedInAt": "2026-01-02T00:00:00Z",
                }},
                "context": {
                    "eventType": "providers/firebase.auth/eventTypes/user.create",
                    "resource": "projects/demo-p",
                },
            }),
        ),
        fact(
            "database",
            json!({
                "type": "google.firebase.database.ref.v1.written", "subject": "refs/beds/rose",
                "source": "//firebasedatabase.googleapis.com/projects/_/locations/us-central1/instances/demo-p",
                "data": change,
            }),
            json!({ "data": change, "domain": "firebaseio.com", "context": {
                "eventType": "providers/google.firebase.database/eventTypes/ref.write",
                "resource": "projects/_/instances/demo-p/refs/beds/rose",
            }}),
        ),
    ]
}

/// What a function said that it got.
#[track_caller]
fn got(house: &House, function: &str, headers: Headers<'_>, body: &Value, what: &str) -> Value {
    let mark = house.mark();
    let line = format!("POST /demo-mlemu/us-central1/{function}");
    let answer = http::send(house.gcp(), &line, headers, body.to_string().as_bytes());
    assert!((200..300).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
    let told = house.wait(mark, what, |record| {
        is(record, function, "log")
            && record["what"]["log"]["text"].as_str().is_some_and(|text| text.starts_with("GOT "))
    });
    let text = told["what"]["log"]["text"].as_str().expect("text");
    serde_json::from_str(&text["GOT ".len()..]).expect("JSON")
}

fn binary(event: &Value) -> (Vec<(String, String)>, Value) {
    let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    for (key, value) in event.as_object().expect("an object") {
        if let (true, Some(text)) = (key != "data", value.as_str()) {
            headers.push((format!("ce-{key}"), text.to_owned()));
        }
    }
    (headers, event["data"].clone())
}

fn structured(event: &Value) -> Value {
    let mut event = event.clone();
    event["datacontenttype"] = "application/json".into();
    event.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    event
}

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];
const STRUCTURED: [(&str, &str); 1] = [("Content-Type", "application/cloudevents+json")];

/// The legacy form as the function gets it: of its resource only what both languages agree on.
fn as_given(legacy: &Value) -> Value {
    json!({ "data": legacy["data"], "context": legacy["context"] })
}

fn events_in_all_forms(house: &House) {
    for Fact { name, cloud, legacy } in facts() {
        let (headers, data) = binary(&cloud);
        let headers: Vec<_> = headers.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let forms: [(&str, Headers<'_>, &Value); 3] = [
            ("structured", &STRUCTURED, &structured(&cloud)),
            ("binary", &headers, &data),
            ("legacy", &JSON, &legacy),
        ];
        for (form, headers, body) in forms {
            let what = format!("{name}, {form}, for a function of CloudEvents");
            assert_eq!(got(house, "cloud", headers, body, &what), cloud, "{what}");
            let what = format!("{name}, {form}, for a function of legacy events");
            assert_eq!(got(house, "legacy", headers, body, &what), as_given(&legacy), "{what}");
        }
    }
    pushed(house);
}

/// A message as a push subscription sends it, without any envelope of events.
fn pushed(house: &House) {
    let message = json!({
        "data": "cmVk", "attributes": { "kind": "rose" }, "messageId": "88", "message_id": "88",
        "publishTime": "2026-01-02T03:04:05.678Z", "publish_time": "2026-01-02T03:04:05.678Z",
    });
    let body = json!({ "subscription": "projects/demo-p/subscriptions/bed", "message": message });
    let told = got(house, "cloud", &JSON, &body, "a push for a function of CloudEvents");
    assert_eq!(told["type"], "google.cloud.pubsub.topic.v1.messagePublished");
    assert_eq!((&told["id"], &told["data"]["message"]["data"]), (&json!("88"), &json!("cmVk")));
    let told = got(house, "legacy", &JSON, &body, "a push for a function of legacy events");
    assert_eq!((&told["context"]["eventId"], &told["data"]["data"]), (&json!("88"), &json!("cmVk")));
    assert_eq!(told["data"]["attributes"]["kind"], "rose");
}

fn requests(house: &House, typed: bool) {
    let body = json!({ "petals": [5, null, "süß"] });
    assert_eq!(got(house, "web", &JSON, &body, "a request"), body);
    std::thread::scope(|scope| {
        let meet = || http::send(house.gcp(), "GET /demo-mlemu/us-central1/meets", &[], b"").status;
        let calls: Vec<_> = (0..3).map(|_| scope.spawn(meet)).collect();
        assert!(calls.into_iter().all(|call| call.join().expect("an answer") == 200), "all at the same time");
    });
    if !typed {
        return;
    }
    let typed =
        http::send(house.gcp(), "POST /demo-mlemu/us-central1/typed", &JSON, body.to_string().as_bytes());
    assert_eq!((typed.status, typed.json()), (200, json!({ "payload": body })));
    let broken = http::send(house.gcp(), "POST /demo-mlemu/us-central1/typed", &JSON, b"{");
    assert!((400..=500).contains(&broken.status), "{}", broken.status);
}

#[test]
fn python_conforms() {
    let house = house("python311");
    requests(&house, true);
    events_in_all_forms(&house);
}

#[test]
fn node_conforms() {
    let house = house("nodejs20");
    // Its framework has no typed functions.
    requests(&house, false);
    events_in_all_forms(&house);
}
