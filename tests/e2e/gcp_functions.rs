//! Cloud Functions behind the real functions-framework: called by HTTP, by events and by the API.

use super::house::{House, is};
use super::http::{self, Answer};
use super::plan::Plan;
use serde_json::{Value, json};
use std::net::TcpListener;

/// Not a word in a `mlemu.toml` is needed for functions like these.
const MAIN: &str = "\
import os
import socket
import sys
import threading

import functions_framework

@functions_framework.http
def hello(request):
    print('called')
    names = ('K_SERVICE', 'K_REVISION', 'K_CONFIGURATION', 'FUNCTION_TARGET', 'FUNCTION_SIGNATURE_TYPE', 'HOST')
    return {
        'path': request.path,
        'args': request.args.to_dict(flat=False),
        'method': request.method,
        'body': request.get_data(as_text=True),
        'forwarded': request.headers.get('X-Forwarded-Proto'),
        'execution': request.headers.get('Function-Execution-Id'),
        'env': {name: os.environ.get(name) for name in names},
    }, 207, {'X-Own': 'yes', 'Set-Cookie': 'a=b'}

@functions_framework.http
def fails(request):
    raise ValueError('no such flower')

@functions_framework.http
def slow(request):
    with socket.create_connection(('127.0.0.1', int(request.args['door']))) as door:
        door.recv(1)
    print('went on')
    return 'late'

@functions_framework.http
def dies(request):
    os.kill(os.getppid(), 9)
    os._exit(1)

@functions_framework.http
def leaves(request):
    # What the framework's server takes for a worker that cannot start: all of it ends soon after.
    if 'now' in request.args:
        os._exit(3)
    return 'here'

@functions_framework.http
def eats(request):
    return str(len(bytearray(900_000_000)))

meeting = threading.Barrier(3)

@functions_framework.http
def meets(request):
    meeting.wait(60)
    return str(os.getpid())

@functions_framework.cloud_event
def stored(event):
    print('got', event['type'], event.data['name'], flush=True)

class Flower:
    def __init__(self, name):
        self.name = name

    @staticmethod
    def from_dict(document):
        return Flower(document['name'])

    def to_dict(self):
        return {'name': self.name}

@functions_framework.typed
def typed(flower: Flower):
    return Flower(flower.name.upper())
";

const CONFIG: &str = r#"
[functions.meets]
instance_concurrency = 3

[functions.slow]
timeout = "1s"

[functions.slow_first]
provider = "gcp"
runtime = "python311"
handler = "slow"
timeout = "1s"
generation = 1

[functions.slow_second]
provider = "gcp"
runtime = "python311"
handler = "slow"
timeout = "1s"
"#;

fn house() -> House {
    Plan::new().file("main.py", MAIN).file("mlemu.toml", CONFIG).up()
}

fn call(house: &House, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    http::send(house.gcp(), &format!("{method} /demo-mlemu/us-central1/{path}"), headers, body)
}

#[test]
fn a_function_sees_the_request_and_the_caller_its_answer() {
    let house = Plan::new().file("main.py", MAIN).up();
    let answer =
        call(&house, "PATCH hello/a%20b/c?x=1&x=2", &[("Content-Type", "text/plain")], "süß".as_bytes());
    assert_eq!(answer.status, 207, "{}", answer.text());
    let seen = answer.json();
    assert_eq!((&seen["path"], &seen["args"]), (&json!("/a b/c"), &json!({"x": ["1", "2"]})));
    assert_eq!(
        (&seen["method"], &seen["body"], &seen["forwarded"]),
        (&json!("PATCH"), &json!("süß"), &json!("http"))
    );
    let env = &seen["env"];
    assert_eq!(
        (&env["K_SERVICE"], &env["K_CONFIGURATION"], &env["HOST"]),
        (&json!("hello"), &json!("hello"), &json!("127.0.0.1"))
    );
    assert_eq!((&env["FUNCTION_TARGET"], &env["FUNCTION_SIGNATURE_TYPE"]), (&json!("hello"), &json!("http")));
    assert_eq!((answer.header("x-own"), answer.header("set-cookie")), (Some("yes"), Some("a=b")));
    assert_eq!(answer.header("server"), Some("Google Frontend"));
    let id = answer.header("function-execution-id").expect("an id").to_owned();
    assert_eq!(seen["execution"], id.as_str());
    let ended = house.wait(0, "its end", |record| is(record, "hello", "ended"));
    assert_eq!(ended["subject"]["invocation"], id.as_str());
    let host = ("Host", format!("us-central1-demo-mlemu.cloudfunctions.localhost:{}", house.gcp().port()));
    let by_host = http::send_exactly(house.gcp(), "GET /hello/x", &[(host.0, &host.1)], b"");
    assert_eq!(by_host.json()["path"], "/x");
    assert_eq!(call(&house, "GET nowhere", &[], b"").status, 404);
}

#[test]
fn endings_have_the_vendors_statuses() {
    let house = house();
    let fails = call(&house, "GET fails", &[], b"");
    assert_eq!((fails.status, fails.header("x-google-status")), (500, Some("crash")), "{}", fails.text());
    house.wait(0, "its traceback", |record| {
        record["what"]["log"]["text"].as_str().is_some_and(|text| text == "ValueError: no such flower")
    });
    let ended = house.wait(0, "its end", |record| is(record, "fails", "ended"));
    assert_eq!(ended["what"]["ended"]["status"]["kind"], "crash");
    assert_eq!(call(&house, "GET dies", &[], b"").status, 503);
    assert_eq!(call(&house, "GET hello", &[], b"").status, 207, "the others live");
    let eats = call(&house, "GET eats", &[], b"");
    assert_eq!(eats.status, 500, "{}", eats.text());
    let ended = house.wait(0, "its end", |record| is(record, "eats", "ended"));
    assert_eq!(ended["what"]["ended"]["status"]["status"], "out-of-memory");
}

#[test]
fn after_an_ending_the_next_call_works() {
    let house = house();
    for _ in 0..2 {
        assert_eq!(call(&house, "GET leaves?now=1", &[], b"").status, 503);
        let next = call(&house, "GET leaves", &[], b"");
        assert_eq!((next.status, next.text()), (200, "here".into()));
    }
}

/// Its code takes longer to load than a call may take.
const HEAVY: &str = "\
import threading
import functions_framework

never = threading.Event()
never.wait(1.5)

@functions_framework.http
def heavy(request):
    if 'hang' in request.args:
        never.wait(60)
    return 'here'
";

#[test]
fn a_start_has_a_time_of_its_own() {
    let config = "[functions.heavy]\nprovider = \"gcp\"\nruntime = \"python311\"\nhandler = \"heavy\"\n\
                  generation = 1\ntimeout = \"1s\"\n";
    let house = Plan::new().file("main.py", HEAVY).file("mlemu.toml", config).up();
    for _ in 0..2 {
        let here = call(&house, "GET heavy", &[], b"");
        assert_eq!((here.status, here.text()), (200, "here".into()));
        assert_eq!(call(&house, "GET heavy?hang=1", &[], b"").status, 408);
    }
}

#[test]
fn requests_meet_in_one_instance_where_it_takes_several() {
    let house = house();
    let callers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..3).map(|_| scope.spawn(|| call(&house, "GET meets", &[], b"").text().clone())).collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    });
    assert!(callers.iter().all(|pid| *pid == callers[0] && pid.parse::<u32>().is_ok()), "{callers:?}");
}

#[test]
fn the_second_generation_goes_on_past_its_deadline_and_the_first_is_stopped() {
    let house = house();
    // Who knocks here works until the door is shut.
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = door.local_addr().expect("bound").port();
    let second = call(&house, &format!("GET slow_second?door={port}"), &[], b"");
    assert_eq!((second.status, second.text().as_str()), (504, "upstream request timeout"));
    drop(door.accept().expect("it has knocked"));
    house.wait(0, "work that goes on", |record| {
        is(record, "slow_second", "log") && record["what"]["log"]["text"] == "went on"
    });
    let first = call(&house, &format!("GET slow_first?door={port}"), &[], b"");
    assert_eq!(first.status, 408);
    call(&house, &format!("GET slow_first?door={port}"), &[], b"");
    let lines: Vec<_> =
        house.records(0).iter().filter(|record| is(record, "slow_first", "log")).cloned().collect();
    assert!(lines.is_empty(), "{lines:?}");
}

#[test]
fn a_syntax_error_is_answered_with_its_traceback_and_mended() {
    let house = Plan::new().file("main.py", MAIN).watching().up();
    assert_eq!(call(&house, "GET hello", &[], b"").status, 207);
    let save = |text: &str| {
        let mark = house.mark();
        std::fs::write(house.plan.path("main.py"), text).expect("saved");
        house.wait_published(mark, "hello");
    };
    save(&format!("{MAIN}\nx = (\n"));
    let broken = call(&house, "GET hello", &[], b"");
    assert_eq!(broken.status, 500);
    assert!(broken.text().contains("SyntaxError: '(' was never closed"), "{}", broken.text());
    save(MAIN);
    assert_eq!(call(&house, "GET hello", &[], b"").status, 207);
}

#[test]
fn events_come_in_every_form_and_bad_ones_are_refused() {
    let house = Plan::new().file("main.py", MAIN).up();
    let structured = json!({
        "specversion": "1.0", "id": "1", "source": "//storage", "type": "t.structured", "data": {"name": "a"}
    });
    let json = ("Content-Type", "application/cloudevents+json");
    let answer = call(&house, "POST stored", &[json], structured.to_string().as_bytes());
    assert_eq!((answer.status, answer.text().as_str()), (200, "OK"));
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "s"),
        ("ce-type", "t.binary"),
        ("Content-Type", "application/json"),
    ];
    assert_eq!(call(&house, "POST stored", &binary, br#"{"name":"b"}"#).status, 200);
    for body in [&b"{}"[..], b"not json", b"", b"[1]", br#"{"specversion":"1.0"}"#] {
        let refused = call(&house, "POST stored", &[("Content-Type", "application/json")], body);
        assert!([400, 500].contains(&refused.status), "{}: {}", refused.status, refused.text());
    }
    let typed = call(&house, "POST typed", &[("Content-Type", "application/json")], br#"{"name":"iris"}"#);
    assert_eq!((typed.status, typed.json()), (200, json!({"name": "IRIS"})));
    assert_eq!(call(&house, "GET stored/x", &[], b"").status, 405);
    let body = json!({"data": json!({"name": "called"}).to_string()}).to_string();
    let api = "/v1/projects/demo-mlemu/locations/us-central1/functions";
    let answer = http::send(house.gcp(), &format!("POST {api}/stored:call"), &[], body.as_bytes()).json();
    assert_eq!(answer["result"], "OK", "{answer}");
    let answer = http::send(house.gcp(), &format!("POST {api}/fails:call"), &[], b"{}").json();
    assert!(answer["error"].is_string(), "{answer}");
    for told in ["got t.structured a", "got t.binary b"] {
        house.wait(0, told, |record| record["what"]["log"]["text"] == told);
    }
    let first = http::send(house.gcp(), &format!("GET {api}"), &[], b"").json();
    assert_eq!(first, json!({ "functions": [] }), "those of the first generation");
    let all = http::send(house.gcp(), "GET /v2/projects/demo-mlemu/locations/-/functions", &[], b"").json();
    let functions = all["functions"].as_array().expect("functions");
    let names: Vec<&Value> = functions.iter().map(|one| &one["buildConfig"]["entryPoint"]).collect();
    assert_eq!(names, ["dies", "eats", "fails", "hello", "leaves", "meets", "slow", "stored", "typed"]);
    let one = http::send(house.gcp(), "GET /v2/projects/p/locations/l/functions/hello", &[], b"").json();
    assert_eq!((&one["state"], &one["environment"]), (&json!("ACTIVE"), &json!("GEN_2")));
    let none = http::send(house.gcp(), "GET /v2/projects/p/locations/l/functions/none", &[], b"");
    assert_eq!((none.status, none.json()["error"]["status"].clone()), (404, json!("NOT_FOUND")));
}

const NODE: &str = "\
const functions = require('@google-cloud/functions-framework');

functions.http('hello', (request, response) => {
  response.status(202).json({ path: request.path, body: request.body, service: process.env.K_SERVICE });
});
functions.http('fails', () => { throw new Error('no such flower'); });
functions.cloudEvent('stored', (event) => console.log('got', event.type, event.data.name));
";

#[test]
fn functions_of_node() {
    let package = r#"{"main":"index.js","dependencies":{"@google-cloud/functions-framework":"5.0.5"}}"#;
    let house = Plan::new().file("package.json", package).file("index.js", NODE).up();
    let json = [("Content-Type", "application/json")];
    let answer = call(&house, "POST hello/x", &json, br#"{"a":1}"#);
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json(), json!({"path": "/x", "body": {"a": 1}, "service": "hello"}));
    let fails = call(&house, "GET fails", &[], b"");
    assert_eq!((fails.status, fails.header("x-google-status")), (500, Some("crash")));
    let event = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"name": "a"}});
    let headers = [("Content-Type", "application/cloudevents+json")];
    let answer = call(&house, "POST stored", &headers, event.to_string().as_bytes());
    assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.text());
    house.wait(0, "its line", |record| record["what"]["log"]["text"] == "got t a");
}

/// Says what it was given, in either generation's form.
const LISTENER: &str = "\
import functions_framework

@functions_framework.cloud_event
def second(event):
    print('heard', event['type'], sorted(event.data))

def first(data, context):
    print('heard', context.event_type, sorted(data))

@functions_framework.http
def asked(request):
    print('heard', request.method, request.full_path, dict(request.headers).get('X-Own'), request.get_data(as_text=True))
    return 'OK'
";

const LISTENER_CONFIG: &str = "\
[functions.first]
provider = \"gcp\"
runtime = \"python311\"
handler = \"first\"
generation = 1
signature = \"event\"
";

#[test]
fn every_fixture_is_taken_by_the_framework() {
    let house = Plan::new().file("main.py", LISTENER).file("mlemu.toml", LISTENER_CONFIG).up();
    let object = "storage.object.v1";
    let published = "google.cloud.pubsub.topic.v1.messagePublished";
    for (fixture, function, kind) in [
        ("gcp/storage/finalized", "second", format!("google.cloud.{object}.finalized")),
        ("gcp/storage/deleted", "second", format!("google.cloud.{object}.deleted")),
        ("gcp/storage/metadata-updated", "second", format!("google.cloud.{object}.metadataUpdated")),
        ("gcp/storage/finalized-gen1", "second", format!("google.cloud.{object}.finalized")),
        ("gcp/storage/finalized", "first", "google.storage.object.finalize".into()),
        ("gcp/storage/finalized-gen1", "first", "google.storage.object.finalize".into()),
        ("gcp/pubsub/message", "second", published.into()),
        ("gcp/pubsub/message-gen1", "second", published.into()),
        ("gcp/pubsub/message-gen1", "first", "google.pubsub.topic.publish".into()),
        ("gcp/pubsub/push", "first", "google.pubsub.topic.publish".into()),
        ("gcp/pubsub/from-storage", "second", published.into()),
        ("gcp/scheduler", "second", published.into()),
        ("gcp/scheduler", "first", "google.pubsub.topic.publish".into()),
        ("gcp/pubsub/push", "second", published.into()),
        ("gcp/pubsub/from-storage", "first", "google.pubsub.topic.publish".into()),
        ("gcp/scheduler-http", "asked", "POST /?".into()),
        ("gcp/http", "asked", "GET /?".into()),
    ] {
        let mark = house.mark();
        let output = house.mlemu(&["invoke", function, "--event", fixture]);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{fixture} for {function}: {complained}");
        house.wait(mark, fixture, |record| {
            let text = record["what"]["log"]["text"].as_str().unwrap_or_default();
            is(record, function, "log") && text.starts_with(&format!("heard {kind} "))
        });
    }
    let mark = house.mark();
    let words = ["invoke", "asked", "--event", "gcp/http", "-p", "method=PUT", "-p", "path=/a%20b"];
    let more = ["-p", "query.x=1", "-p", "headers.X-Own=yes", "-p", "body=red"];
    let output = house.mlemu(&[&words[..], &more[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    house.wait(mark, "the request", |record| record["what"]["log"]["text"] == "heard PUT /a b?x=1 yes red");
}

const TICKS: &str = "\
import functions_framework

@functions_framework.http
def ticks(request):
    return request.headers['x-cloudscheduler-scheduletime']

@functions_framework.cloud_event
def hears(event):
    print('HEARD')
";

const TICKS_CONFIG: &str = "\
[functions.ticks]
provider = \"gcp\"
handler = \"ticks\"
runtime = \"python312\"
triggers = [{ schedule = \"0 2 * * *\" }]

[functions.hears]
provider = \"gcp\"
handler = \"hears\"
runtime = \"python312\"
triggers = [{ schedule = \"every 6 hours\" }]
";

/// The jobs of Cloud Scheduler are schedules like any other: listed, fired, and met by going forward in time.
#[test]
fn jobs_are_schedules_of_the_harness() {
    let house = Plan::new().file("main.py", TICKS).file("mlemu.toml", TICKS_CONFIG).up();
    house.freeze("2030-01-01T00:00:00Z");
    let listed = house.does(house.client.schedules());
    let said: Vec<_> = listed.iter().map(|one| (one.function.as_str(), one.expression.as_str())).collect();
    assert_eq!(
        said,
        [("schedule-hears-0", "every 6 hours (Etc/UTC)"), ("schedule-ticks-0", "0 2 * * * (Etc/UTC)")]
    );
    house.does(house.client.fire(&listed[1].id));
    house.idle();
    house.advance("48h");
    for (function, times, cause) in [("ticks", 3, "schedule"), ("hears", 8, "occurrence")] {
        let known = house.known(function);
        assert_eq!(known.len(), times, "{known:?}");
        assert!(known.iter().all(|line| line["status"] == "ok" && line["cause"] == cause), "{known:?}");
    }
    let last = house.known("ticks")[2]["id"].as_str().expect("an id").to_owned();
    let shown = house.does(house.client.invocation(&last));
    assert_eq!(shown["result"], "2030-01-02T02:00:00Z", "{shown}");
}

/// Functions that no decorator at the margin tells, and one that does.
const MADE: &str = "\
import functions_framework as ff
print('loaded')

def made(word):
    def answer(request):
        return word + ' ' + request.path
    answer.__name__ = word
    return ff.http(answer)

for word in ('rose', 'poppy'):
    globals()[word] = made(word)

if word:
    @ff.cloud_event
    def hears(event):
        print('HEARD', event['type'])

hidden = ff.http(lambda request: 'nobody can call it')

@ff.http
def plain(request):
    return 'plain'
";

#[test]
fn what_the_text_does_not_tell_the_frameworks_registry_does() {
    let house = Plan::new().file("main.py", MADE).watching().up();
    assert_eq!(call(&house, "GET rose/a", &[], b"").text(), "rose /a");
    assert_eq!(call(&house, "GET plain", &[], b"").text(), "plain");
    assert_eq!(call(&house, "GET hidden", &[], b"").status, 404);
    let output = house.mlemu(&["invoke", "hears", "--event", "gcp/pubsub/message"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    house.wait(0, "the event", |record| {
        record["what"]["log"]["text"] == "HEARD google.cloud.pubsub.topic.v1.messagePublished"
    });
    let mark = house.mark();
    std::fs::write(house.plan.path("main.py"), MADE.replace("'poppy'", "'tulip'")).expect("saved");
    house.wait(mark, "the new one", |record| is(record, "tulip", "declared"));
    assert_eq!(call(&house, "GET tulip", &[], b"").text(), "tulip /");
    let output = Plan::new().file("main.py", "import functions_framework as ff\nff.http(nobody)\n").up();
    output.wait(0, "why", |record| {
        let text = record["what"]["warning"]["text"].as_str().unwrap_or_default();
        text.contains("main.py are not known") && text.contains("NameError: name 'nobody' is not defined")
    });
}
