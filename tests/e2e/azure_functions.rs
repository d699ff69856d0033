//! Function apps of Azure behind the vendor's own worker code: by HTTP, by the admin API, by time.

use super::house::{House, is};
use super::http::{self, Answer};
use super::plan::Plan;
use serde_json::{Value, json};

/// Decorators: the newer model.
const APP: &str = r#"
import json
import logging
import os
import threading

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("hello was called")
    print("printed")
    seen = {
        "method": req.method, "url": req.url, "query": dict(req.params), "own": req.headers.get("x-own"),
        "body": req.get_body().decode(), "setting": os.environ.get("OWN"), "pid": os.getpid(),
        "language": os.environ.get("FUNCTIONS_WORKER_RUNTIME"),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json", status_code=207,
                             headers={"X-Own": "yes"})

@app.route(route="flowers/{kind:alpha}/{id:int?}", methods=["GET", "PUT"])
async def flowers(req: func.HttpRequest) -> str:
    return json.dumps(dict(req.route_params))

@app.route(route="files/{*rest}")
def files(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.route_params["rest"])

@app.route(route="nothing")
def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=204)

@app.route(route="fails")
def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("no such flower")

@app.route(route="large", methods=["POST"])
def large(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body() * 2)

@app.route(route="slow")
def slow(req: func.HttpRequest) -> func.HttpResponse:
    threading.Event().wait()
    return func.HttpResponse("late")

@app.route(route="dies")
def dies(req: func.HttpRequest) -> func.HttpResponse:
    os._exit(3)

@app.route(route="hangs")
def hangs(req: func.HttpRequest) -> func.HttpResponse:
    os.kill(os.getpid(), 19)
    return func.HttpResponse("woken")

@app.route(route="babbles")
def babbles(req: func.HttpRequest) -> func.HttpResponse:
    for name in os.listdir("/proc/self/fd"):
        if os.path.exists(f"/proc/self/fd/{name}") is False and int(name) > 2:
            try:
                os.write(int(name), b"\xff" * 4096)
            except OSError:
                pass
    threading.Event().wait()
    return func.HttpResponse("said")

@app.route(route="eats")
def eats(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(str(len(bytearray(b"x") * 400_000_000)))

@app.timer_trigger(schedule="%Often%", arg_name="timer")
def tick(timer: func.TimerRequest) -> None:
    logging.info("ticked, past due: %s", timer.past_due)

@app.event_grid_trigger(arg_name="event")
def grid(event: func.EventGridEvent):
    logging.info("grid %s %s", event.subject, event.get_json()["url"])

@app.queue_trigger(arg_name="message", queue_name="jobs", connection="AzureWebJobsStorage")
def job(message: func.QueueMessage):
    logging.info("job %s", message.get_body().decode())

@app.function_name("Admin")
@app.route(route="secret", auth_level=func.AuthLevel.FUNCTION)
def secret(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("opened")
"#;
const HOST: &str = r#"{"version": "2.0", "functionTimeout": "00:00:05"}"#;
const SETTINGS: &str = r#"{"IsEncrypted": false, "Values": {
    "FUNCTIONS_WORKER_RUNTIME": "python", "OWN": "from settings", "Often": "0 */5 * * * *"}}"#;

fn plan() -> Plan {
    let plan = Plan::new().file("flowers/function_app.py", APP).file("flowers/host.json", HOST);
    let plan = plan.file("flowers/local.settings.json", SETTINGS);
    plan.file("flowers/requirements.txt", "azure-functions\n")
}

fn call(house: &House, line: &str) -> Answer {
    http::send(house.azure(), line, &[], b"")
}

fn said(house: &House, mark: usize, function: &str, text: &str) -> Value {
    house.wait(mark, text, |record| {
        is(record, function, "log")
            && record["what"]["log"]["text"].as_str().is_some_and(|line| line.contains(text))
    })
}

#[test]
fn a_function_sees_the_request_and_the_caller_its_answer() {
    let house = plan().up();
    let headers = [("X-Own", "mine"), ("Content-Type", "text/plain")];
    let answer = http::send(house.azure(), "PATCH /api/hello?a=1&b=x%20y", &headers, "süß".as_bytes());
    assert_eq!(answer.status, 207, "{}", answer.text());
    assert_eq!(answer.header("x-own"), Some("yes"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let seen = answer.json();
    assert_eq!(
        (&seen["method"], &seen["body"], &seen["own"]),
        (&json!("PATCH"), &json!("süß"), &json!("mine"))
    );
    assert_eq!(seen["query"], json!({"a": "1", "b": "x y"}));
    assert_eq!((&seen["setting"], &seen["language"]), (&json!("from settings"), &json!("python")));
    assert!(seen["url"].as_str().is_some_and(|url| url.ends_with("/api/hello?a=1&b=x%20y")), "{seen}");
    let ended = house.wait(0, "its end", |record| is(record, "hello", "ended"));
    assert_eq!(ended["what"]["ended"]["status"]["status"], "ok");
    said(&house, 0, "hello", "hello was called");
    said(&house, 0, "hello", "printed");

    assert_eq!(call(&house, "PUT /api/flowers/rose/3").json(), json!({"kind": "rose", "id": "3"}));
    assert_eq!(call(&house, "GET /api/Flowers/rose").json(), json!({"kind": "rose"}));
    for wrong in
        ["GET /api/flowers/ro5e/3", "GET /api/flowers/rose/x", "POST /api/flowers/rose", "GET /hello"]
    {
        assert_eq!(call(&house, wrong).status, 404, "{wrong}");
    }
    assert_eq!(call(&house, "GET /api/files/a/b.png").text(), "a/b.png");
    assert_eq!(call(&house, "GET /api/nothing").status, 204);
    let fails = call(&house, "GET /api/fails");
    assert_eq!((fails.status, fails.text().as_str()), (500, ""));
    said(&house, 0, "fails", "Exception: ValueError: no such flower");
    let ended = house.wait(0, "its end", |record| is(record, "fails", "ended"));
    assert_eq!(ended["what"]["ended"]["status"]["kind"], "ValueError");
    let payload = vec![b'x'; 9 * 1024 * 1024];
    let large = http::send(house.azure(), "POST /api/large", &[], &payload);
    assert_eq!((large.status, large.body.len()), (200, payload.len() * 2));
}

#[test]
fn a_worker_that_ends_is_replaced_and_its_caller_told() {
    let house = plan().file("mlemu.toml", "[functions.flowers]\nmemory = \"256MB\"\n").up();
    let before = call(&house, "GET /api/hello").json()["pid"].clone();
    let mark = house.mark();
    assert_eq!(call(&house, "GET /api/dies").status, 500);
    let ended = house.wait_ended(mark, "dies");
    assert_eq!((&ended["status"]["status"], &ended["status"]["code"]), (&json!("exited"), &json!(3)));
    let after = call(&house, "GET /api/hello").json()["pid"].clone();
    assert_ne!(before, after, "another worker");
    let late = call(&house, "GET /api/slow");
    assert_eq!((late.status, late.text().as_str()), (500, ""));
    assert_eq!(house.wait_ended(0, "slow")["status"]["status"], "timeout");
    assert_eq!(call(&house, "GET /api/hangs").status, 500, "stopped by a signal");
    assert_eq!(call(&house, "GET /api/hello").status, 207);
    assert_eq!(call(&house, "GET /api/babbles").status, 500, "what it wrote into its stream is no protocol");
    assert!(!house.wait_ended(0, "babbles")["status"]["status"].is_null());
    assert_eq!(call(&house, "GET /api/hello").status, 207);
    assert_eq!(call(&house, "GET /api/eats").status, 500);
    let ended = house.wait_ended(0, "eats");
    assert_eq!(ended["status"]["status"], "out-of-memory");
    assert_eq!(ended["usage"]["memory_limit"], 256 * 1024 * 1024_u64);
    let lines = house.mlemu(&["logs", "eats"]).stdout;
    let lines = String::from_utf8_lossy(&lines).into_owned();
    assert!(lines.contains("Language Worker Process exited. Exit code: 137"), "{lines}");
    assert!(lines.contains("Executed 'Functions.eats' (Failed, Id="), "{lines}");
    assert_eq!(call(&house, "GET /api/hello").status, 207);
}

#[test]
fn the_admin_api_tells_what_there_is_and_starts_it() {
    let house = plan().up();
    let all = call(&house, "GET /admin/functions").json();
    let names: Vec<_> = all.as_array().expect("a list").iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names.len(), 15, "{names:?}");
    let one = call(&house, "GET /admin/functions/TICK").json();
    assert_eq!(one["config"]["bindings"][0]["schedule"], "%Often%");
    assert_eq!(one["invoke_url_template"], Value::Null);
    let flowers = call(&house, "GET /admin/functions/flowers").json();
    let url = flowers["invoke_url_template"].as_str().expect("a url");
    assert!(url.ends_with("/api/flowers/{kind:alpha}/{id:int?}"), "{url}");
    assert_eq!(call(&house, "GET /admin/functions/none").status, 404);
    assert_eq!(call(&house, "GET /admin/host/status").json()["state"], "Running");
    assert_eq!((call(&house, "POST /admin/host/ping").status, call(&house, "GET /").status), (200, 200));

    let start = |name: &str, body: &Value| {
        let line = format!("POST /admin/functions/{name}");
        http::send(house.azure(), &line, &[("Content-Type", "application/json")], body.to_string().as_bytes())
            .status
    };
    let event = json!({
        "id": "1", "subject": "/blobs/a.png", "eventType": "Microsoft.Storage.BlobCreated", "topic": "t",
        "eventTime": "2026-11-21T10:00:00Z", "dataVersion": "1", "data": {"url": "http://x/a.png"},
    });
    assert_eq!(start("grid", &json!({"input": event.to_string()})), 202);
    said(&house, 0, "grid", "grid /blobs/a.png http://x/a.png");
    assert_eq!(start("job", &json!({"input": "water the roses"})), 202);
    said(&house, 0, "job", "job water the roses");
    assert_eq!(start("tick", &json!({})), 202);
    said(&house, 0, "tick", "ticked, past due: False");
    assert_eq!((start("none", &json!({})), start("tick", &json!("text"))), (404, 400));
    assert_eq!(call(&house, "GET /admin/vfs/x").status, 501);
}

#[test]
fn a_timer_follows_the_clock_that_a_test_steers() {
    let house = plan().up();
    assert_eq!(call(&house, "GET /api/hello").status, 207, "the app is up");
    let mark = house.mark();
    let moved = house.ask("POST /_mlemu/clock", &json!({"advance": "15m"}));
    assert_eq!(moved.status, 200, "{}", moved.text());
    let ticks = std::cell::Cell::new(0);
    house.wait(mark, "three ticks", |record| {
        ticks.set(ticks.get() + u32::from(is(record, "tick", "ended")));
        ticks.get() == 3
    });
    let mark = house.mark();
    assert_eq!(house.ask("POST /_mlemu/schedules/tick/fire", &Value::Null).status, 204);
    said(&house, mark, "tick", "ticked");
}

#[test]
fn a_saved_file_restarts_the_worker_and_a_broken_one_is_shown() {
    let house = plan().watching().up();
    let before = call(&house, "GET /api/hello").json()["pid"].clone();
    let save = |text: &str| {
        let mark = house.mark();
        std::fs::write(house.plan.path("flowers/function_app.py"), text).expect("saved");
        house.wait_published(mark, "flowers");
    };
    save(&APP.replace("route=\"nothing\"", "route=\"renamed\""));
    assert_eq!(call(&house, "GET /api/renamed").status, 204);
    assert_eq!(call(&house, "GET /api/nothing").status, 404);
    assert_ne!(call(&house, "GET /api/hello").json()["pid"], before);
    save(&format!("{APP}\nx = (\n"));
    let broken = call(&house, "GET /api/hello");
    assert_eq!(broken.status, 503);
    assert!(broken.text().contains("Function host is not running."), "{}", broken.text());
    assert!(broken.text().contains("SyntaxError: '(' was never closed"), "{}", broken.text());
    save(APP);
    assert_eq!(call(&house, "GET /api/nothing").status, 204);
}

#[test]
fn functions_are_invoked_by_hand() {
    let house = plan().up();
    assert_eq!(call(&house, "GET /api/hello").status, 207, "the app is up");
    let invoke = |name: &str, event: &str| {
        let output = house.mlemu(&["invoke", name, "--event", event]);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    std::fs::write(house.plan.path("event.json"), r#"{"petals": 5}"#).expect("written");
    let (ok, text) = invoke("hello", "event.json");
    let seen: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(ok && seen["method"] == "POST" && seen["body"] == r#"{"petals": 5}"#, "{seen}");
    let (ok, text) = invoke("fails", "event.json");
    assert!(!ok && text.contains("ValueError: no such flower"), "{text}");
    assert!(!invoke("flower", "event.json").0, "no such function");
    assert!(invoke("grid", "azure/eventgrid/blob-created").0);
    said(
        &house,
        0,
        "grid",
        "grid /blobServices/default/containers/uploads/blobs/cat.jpg http://127.0.0.1:10000/",
    );
    assert!(invoke("tick", "azure/timer").0 && invoke("job", "azure/queue/message").0);
    said(&house, 0, "job", r#"job {"key":"cat.jpg"}"#);
}

#[test]
fn keys_open_where_they_are_enforced() {
    let house = plan().arg("--enforce-keys").program();
    assert_eq!(call(&house, "GET /api/hello").status, 207, "anonymous");
    assert_eq!(call(&house, "GET /api/secret").status, 401);
    assert_eq!(call(&house, "GET /admin/functions").status, 401);
    let env = house.env();
    let master =
        &env.iter().find(|(name, _)| name == "AZURE_FUNCTIONS_MASTER_KEY").expect("the master key").1;
    let with = |line: &str, key: &str| http::send(house.azure(), line, &[("x-functions-key", key)], b"");
    assert_eq!(with("GET /api/secret", master).text(), "opened");
    let made = with("POST /admin/functions/Admin/keys/mine", master).json();
    let key = made["value"].as_str().expect("a key");
    assert_eq!(call(&house, &format!("GET /api/secret?code={key}")).text(), "opened");
    assert_eq!(with("GET /admin/functions", key).status, 401);
}

/// Folders with a `function.json`: the older model, behind the same shim.
#[test]
fn the_older_model_runs_too() {
    let score = r#"{"scriptFile": "__init__.py", "bindings": [
        {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous",
         "methods": ["get", "post"], "route": "v1/score/{kind}"},
        {"type": "http", "direction": "out", "name": "$return"}]}"#;
    let code = "import azure.functions as func\nfrom shared import model\n\n\
                def main(req: func.HttpRequest) -> func.HttpResponse:\n    \
                return func.HttpResponse(f\"{req.route_params['kind']} {model.PRICE}\", status_code=202)\n";
    let broken = "def main(req, other):\n    pass\n";
    let host = r#"{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}"#;
    let house = Plan::new()
        .file("old/host.json", host)
        .file("old/Score/function.json", score)
        .file("old/Score/__init__.py", code)
        .file("old/Broken/function.json", &score.replace("v1/score", "v1/broken"))
        .file("old/Broken/__init__.py", broken)
        .file("old/shared/model.py", "PRICE = 3\n")
        .up();
    let mut answers: Vec<_> = (0..2).map(|_| call(&house, "GET /v1/score/rose")).collect();
    let answer = answers.remove(0);
    let warned = house.wait(0, "why it was not loaded", |record| is(record, "Broken", "warning"));
    assert!(warned["what"]["warning"]["text"].as_str().is_some_and(|text| text.contains("could not load")));
    assert_eq!((answer.status, answer.text().as_str()), (202, "rose 3"));
}

/// `@azure/functions` 4, with a pattern of files as `main`.
#[test]
fn an_app_of_node_runs_behind_the_vendors_library() {
    let package = r#"{"main": "src/functions/*.js", "dependencies": {"@azure/functions": "4.16.5"}}"#;
    let code = r"
const { app } = require('@azure/functions');
app.http('hello', {
  methods: ['GET', 'POST'], authLevel: 'anonymous', route: 'hello/{name}',
  handler: async (request, context) => {
    context.log('hello was called');
    console.log('printed');
    const body = await request.text();
    return { status: 207, jsonBody: { name: request.params.name, q: request.query.get('q'), body },
             headers: { 'x-own': 'yes' }, cookies: [{ name: 'a', value: 'b', sameSite: 'Strict' }] };
  },
});
app.http('fails', { handler: async () => { throw new TypeError('no such flower'); } });
app.hook.appTerminate(() => console.log('farewell'));
";
    let timer = "const { app } = require('@azure/functions');\napp.timer('tick', { schedule: '0 0 0 * * *', \
                 handler: (timer, context) => context.log('ticked', timer.isPastDue) });\n";
    let house = Plan::new()
        .file("js/host.json", r#"{"version": "2.0"}"#)
        .file("js/package.json", package)
        .file("js/src/functions/http.js", code)
        .file("js/src/functions/timer.js", timer)
        .watching()
        .up();
    let answer = http::send(house.azure(), "POST /api/hello/iris?q=1", &[], b"petals");
    assert_eq!(answer.status, 207, "{}", answer.text());
    assert_eq!(answer.json(), json!({"name": "iris", "q": "1", "body": "petals"}));
    assert_eq!(
        (answer.header("x-own"), answer.header("set-cookie")),
        (Some("yes"), Some("a=b; samesite=strict"))
    );
    said(&house, 0, "hello", "hello was called");
    said(&house, 0, "hello", "printed");
    assert_eq!(call(&house, "GET /api/fails").status, 500);
    said(&house, 0, "fails", "Exception: TypeError: no such flower");
    assert_eq!(house.mlemu(&["invoke", "tick"]).status.code(), Some(0));
    said(&house, 0, "tick", "ticked false");
    let mark = house.mark();
    std::fs::write(house.plan.path("js/src/functions/timer.js"), timer.replace("ticked", "tocked"))
        .expect("saved");
    house.wait(mark, "its farewell", |record| record["what"]["log"]["text"] == "farewell");
    assert_eq!(house.mlemu(&["invoke", "tick"]).status.code(), Some(0));
    said(&house, mark, "tick", "tocked false");
}

/// A program that listens itself, in both forms.
#[test]
fn custom_handlers_run_wrapped_and_forwarded() {
    use std::os::unix::fs::PermissionsExt;
    let program = r#"#!/usr/bin/env python3
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(203, {"path": self.path, "form": "forwarded"})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print("asked", self.path, flush=True)
        if self.path == "/fails":
            return self.answer(500, {"why": "no such flower"})
        said = {"args": sys.argv[1:], "asked": asked, "id": self.headers["X-Azure-Functions-InvocationId"]}
        out = {"statusCode": 202, "body": said, "headers": {"X-Own": "yes"}}
        self.answer(200, {"Outputs": {"res": out}, "Logs": ["logged"]})

    def answer(self, status, said):
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"])), Handler).serve_forever()
"#;
    let function = r#"{"bindings": [
        {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous"},
        {"type": "http", "direction": "out", "name": "res"}]}"#;
    let started = |forwards: bool| {
        let host = json!({"version": "2.0", "customHandler": {
            "description": {"defaultExecutablePath": "handler", "arguments": ["--own"]},
            "enableForwardingHttpRequest": forwards,
        }});
        let plan = Plan::new()
            .file("own/host.json", &host.to_string())
            .file("own/handler", program)
            .file("own/score/function.json", function)
            .file("own/fails/function.json", function);
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(plan.path("own/handler"), executable).expect("made executable");
        plan.up()
    };
    let house = started(false);
    let answer = http::send(house.azure(), "POST /api/score?a=1", &[], b"petals");
    assert_eq!((answer.status, answer.header("x-own")), (202, Some("yes")), "{}", answer.text());
    let said_back = answer.json();
    let asked = &said_back["asked"];
    assert_eq!(
        (&said_back["args"], &asked["Metadata"]["sys"]["MethodName"]),
        (&json!(["--own"]), &json!("score"))
    );
    let request = &asked["Data"]["req"];
    assert_eq!(
        (&request["Body"], &request["Query"]["a"], &request["Method"]),
        (&json!("petals"), &json!("1"), &json!("POST"))
    );
    said(&house, 0, "score", "asked /score");
    let logged = said(&house, 0, "score", "logged");
    assert!(logged["subject"]["invocation"].is_string(), "{logged}");
    assert_eq!(call(&house, "GET /api/fails").status, 500);
    said(&house, 0, "fails", r#"the handler answered 500: {"why": "no such flower"}"#);
    let house = started(true);
    let answer = call(&house, "GET /api/score?a=1");
    assert_eq!((answer.status, answer.json()["path"].clone()), (203, json!("/api/score?a=1")));
}
