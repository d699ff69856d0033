//! What `host.json` and an app's settings say, followed: queues, functions that are turned off, apps beside each other.

use super::clients;
use super::house::{House, is};
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};

const APP: &str = r#"
import logging
import os
import threading

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
place = threading.Lock()

@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return f"{os.getpid()}"

@app.route(route="off")
def off(req: func.HttpRequest) -> str:
    return "on"

@app.queue_trigger(arg_name="row", queue_name="rows", connection="AzureWebJobsStorage")
def row(row: func.QueueMessage) -> None:
    alone = place.acquire(blocking=False)
    logging.info("ROW %s %s%s", row.get_body().decode(), row.dequeue_count, "" if alone else " together")
    if alone:
        place.release()
    if row.get_body() == b"bad":
        raise ValueError("no such row")

@app.queue_trigger(arg_name="row", queue_name="idle", connection="AzureWebJobsStorage")
def idle(row: func.QueueMessage) -> None:
    logging.info("IDLE %s", row.get_body().decode())

@app.timer_trigger(schedule="*/5 * * * * *", arg_name="timer")
def tick(timer: func.TimerRequest) -> None:
    logging.info("TICK")
"#;

fn app(plan: Plan, name: &str, host: &Value, more: &[(&str, &str)]) -> Plan {
    let mut values = json!({ "AzureWebJobsStorage": "UseDevelopmentStorage=true" });
    for (name, value) in more {
        values[*name] = json!(value);
    }
    plan.file(&format!("{name}/host.json"), &host.to_string())
        .file(&format!("{name}/function_app.py"), APP)
        .file(&format!("{name}/local.settings.json"), &json!({ "Values": values }).to_string())
}

fn queue(house: &House, line: &str, text: &str) -> http::Answer {
    let (method, path) = line.split_once(' ').expect("a method");
    let body = format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
    let body = if method == "POST" { body.as_bytes() } else { b"" };
    http::send(house.place("azure-queue"), &format!("{method} /devstoreaccount1{path}"), &[], body)
}

/// The lines of a function that begin so.
fn lines(house: &House, mark: usize, begins: &str) -> Vec<String> {
    let texts = house.records(mark).into_iter();
    let texts = texts.filter_map(|record| record["what"]["log"]["text"].as_str().map(str::to_owned));
    texts.filter(|text| text.starts_with(begins)).collect()
}

#[test]
fn queues_are_worked_off_as_host_json_says() {
    let host = json!({ "version": "2.0", "extensions": {
        "http": { "routePrefix": "v1/my" },
        "queues": { "batchSize": 1, "newBatchThreshold": 0, "maxDequeueCount": 2, "messageEncoding": "none",
            "visibilityTimeout": "00:00:30" },
    } });
    let house = app(Plan::new(), "rows", &host, &[("AzureWebJobs.tick.Disabled", "1")]).up();
    assert_eq!(http::send(house.azure(), "GET /v1/my/hello", &[], b"").status, 200);
    assert_eq!(http::send(house.azure(), "GET /api/hello", &[], b"").status, 404);
    house.freeze("2026-11-21T10:00:00Z");
    assert_eq!(queue(&house, "POST /rows/messages", "bad").status, 201);
    house.still();
    assert_eq!(lines(&house, 0, "ROW"), ["ROW bad 1"], "as it is: nothing is encoded");
    house.advance("29s");
    assert_eq!(lines(&house, 0, "ROW").len(), 1, "it stays hidden");
    house.advance("1s");
    assert_eq!(lines(&house, 0, "ROW"), ["ROW bad 1", "ROW bad 2"]);
    house.advance("10m");
    assert_eq!(lines(&house, 0, "ROW").len(), 2, "it is put aside");
    let poisoned = queue(&house, "GET /rows-poison/messages?peekonly=true", "").text();
    assert!(poisoned.contains("<MessageText>bad</MessageText>"), "{poisoned}");
    let mark = house.mark();
    for at in 0..6 {
        assert_eq!(queue(&house, "POST /rows/messages", &format!("good{at}")).status, 201);
    }
    house.idle();
    let rows = lines(&house, mark, "ROW");
    assert!(rows.len() == 6 && !rows.iter().any(|row| row.ends_with("together")), "one at a time: {rows:?}");
}

#[test]
fn functions_that_are_turned_off_start_only_by_hand() {
    let off = |name| format!("AzureWebJobs.{name}.Disabled");
    let (http_off, timer_off) = (off("off"), off("tick"));
    let more =
        [(http_off.as_str(), "true"), ("AzureWebJobs__idle__Disabled", "true"), (timer_off.as_str(), "True")];
    let house = app(Plan::new(), "rows", &json!({}), &more).up();
    assert_eq!(http::send(house.azure(), "GET /api/hello", &[], b"").status, 200);
    assert_eq!(http::send(house.azure(), "GET /api/off", &[], b"").status, 404);
    assert_eq!(queue(&house, "PUT /idle", "").status, 201, "nobody has made its queue");
    queue(&house, "POST /idle/messages", "aGVsbG8=");
    house.advance("1m");
    assert!(
        !house.records(0).iter().any(|record| is(record, "idle", "started") || is(record, "tick", "started"))
    );
    let peeked = queue(&house, "GET /idle/messages?peekonly=true", "").text();
    assert!(peeked.contains("<DequeueCount>0</DequeueCount>"), "{peeked}");
    let shown = http::send(house.azure(), "GET /admin/functions/idle", &[], b"").json();
    assert_eq!(shown["isDisabled"], true);
    let asked = [("Content-Type", "application/json")];
    let started = http::send(house.azure(), "POST /admin/functions/idle", &asked, br#"{"input": "by hand"}"#);
    assert_eq!(started.status, 202);
    house.wait(0, "it runs", |record| record["what"]["log"]["text"] == "IDLE by hand");
}

#[test]
fn a_saved_file_restarts_its_own_app_only_and_what_is_stored_lives_on() {
    let plan = app(Plan::new(), "one", &json!({}), &[("AzureWebJobs.tick.Disabled", "1")]);
    let host = json!({ "extensions": { "http": { "routePrefix": "two" } } });
    let code = APP.replace("rows", "more").replace("idle", "still").replace("hello", "greet");
    let plan =
        app(plan, "two", &host, &[("AzureWebJobs.tick.Disabled", "1")]).file("two/function_app.py", &code);
    let house = plan.watching().up();
    let pid = |path: &str| http::send(house.azure(), &format!("GET {path}"), &[], b"").text();
    let (one, two) = (pid("/api/hello"), pid("/two/greet"));
    let blob = |line: &str, body: &[u8]| {
        let headers = [("x-ms-blob-type", "BlockBlob")];
        http::send(house.blob(), line, &headers, body)
    };
    assert_eq!(blob("PUT /devstoreaccount1/pics?restype=container", b"").status, 201);
    assert_eq!(blob("PUT /devstoreaccount1/pics/a", b"kept").status, 201);
    queue(&house, "PUT /kept", "");
    queue(&house, "POST /kept/messages", "waits");
    let mark = house.mark();
    std::fs::write(house.plan.path("two/function_app.py"), code.replace("getpid()}", "getpid()} anew"))
        .expect("saved");
    house.wait_published(mark, "two");
    let after = pid("/two/greet");
    assert!(after.ends_with(" anew") && !after.starts_with(&two), "{after} after {two}");
    assert_eq!(pid("/api/hello"), one, "the other app's worker goes on");
    assert_eq!(blob("GET /devstoreaccount1/pics/a", b"").text(), "kept");
    assert!(queue(&house, "GET /kept/messages?peekonly=true", "").text().contains("waits"));
}

const STARTS: &str = r#"
import logging
import os

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer", run_on_startup=True)
def first(timer: func.TimerRequest) -> None:
    logging.info("STARTED")

@app.route(route="end")
def end(req: func.HttpRequest) -> str:
    os._exit(3)

@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return "hi"
"#;

/// A worker that is replaced is no start of the host; a saved file is.
#[test]
fn a_timer_that_runs_on_startup_does_so_once_a_start() {
    let house = app(Plan::new(), "starts", &json!({}), &[]).file("starts/function_app.py", STARTS);
    let house = house.watching().up();
    let get = |path: &str| http::send(house.azure(), &format!("GET {path}"), &[], b"");
    let started = |record: &Value| record["what"]["log"]["text"] == "STARTED";
    house.wait(0, "its first start", started);
    assert_eq!(get("/api/end").status, 500);
    assert_eq!(get("/api/hello").text(), "hi", "of another worker");
    assert_eq!(house.mlemu(&["wait"]).status.code(), Some(0));
    assert_eq!(lines(&house, 0, "STARTED").len(), 1);
    let mark = house.mark();
    std::fs::write(house.plan.path("starts/function_app.py"), STARTS.replace("hi", "ho")).expect("saved");
    house.wait(mark, "its second start", started);
}

/// The vendor's own code is for 3.13 and newer.
#[test]
fn an_older_python_runs_it_too_and_that_is_said() {
    let Some((python, version)) = clients::older_python() else { return };
    let plan = app(Plan::new(), "older", &json!({}), &[("AzureWebJobs.tick.Disabled", "1")]);
    let (bin, home) = (plan.path("bin"), plan.path("home"));
    std::fs::create_dir_all(&bin).and_then(|()| std::fs::create_dir_all(&home)).expect("made");
    std::os::unix::fs::symlink(python, bin.join(format!("python{version}"))).expect("linked");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    // No newer one is found, wherever people keep them.
    let hidden = ["HOME", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"].into_iter();
    let house =
        hidden.fold(plan.env("PATH", &path), |plan, name| plan.env(name, &home.display().to_string()));
    let house = house.program();
    assert_eq!(http::send(house.azure(), "GET /api/hello", &[], b"").status, 200);
    let records = house.records(0);
    let mut told = records.iter().filter_map(|record| record["what"]["warning"]["text"].as_str());
    let told = told.find(|text| text.contains("python3.13 is not installed"));
    assert!(told.is_some_and(|text| text.contains(&format!("python {version}"))), "{told:?}");
}

/// What a process began with, and what it knows when its functions are called.
const MET: &str = "import os\nimport azure.functions as func\n\n\
    BEGAN = open('/proc/self/environ').read()\nSEEN = os.environ.get('OWN')\n\n\
    def met():\n    \
    return f\"{'OWN=' in BEGAN} {SEEN} {os.environ.get('WEBSITE_PLACEHOLDER_MODE')} {os.path.exists('host.json')}\"\n\n";

fn placeholder(name: &str) -> Plan {
    let values = json!({ "WEBSITE_PLACEHOLDER_MODE": "1", "OWN": "mine" });
    Plan::new()
        .file(&format!("{name}/host.json"), r#"{"version": "2.0"}"#)
        .file(&format!("{name}/local.settings.json"), &json!({ "Values": values }).to_string())
}

/// As in the cloud: what is read as the process begins is not there, what is read by the app is.
#[test]
fn a_placeholder_becomes_the_apps_worker_in_every_model() {
    let newer = "app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n\n\
        @app.route(route='met')\ndef hello(req: func.HttpRequest) -> str:\n    return met()\n";
    let older = "def main(req: func.HttpRequest) -> str:\n    return met()\n";
    let bindings = r#"{"scriptFile": "__init__.py", "bindings": [
        {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous", "route": "met"},
        {"type": "http", "direction": "out", "name": "$return"}]}"#;
    let node = "const { app } = require('@azure/functions');\nconst fs = require('fs');\n\
        const began = fs.readFileSync('/proc/self/environ', 'utf8').includes('OWN=') ? 'True' : 'False';\n\
        const seen = process.env.OWN;\napp.http('met', { authLevel: 'anonymous', handler: () => ({ body: \
        `${began} ${seen} ${process.env.WEBSITE_PLACEHOLDER_MODE} ${fs.existsSync('host.json') ? 'True' : 'False'}` }) });\n";
    let package = r#"{"main": "index.js", "dependencies": {"@azure/functions": "4.16.5"}}"#;
    let apps = [
        ("newer", placeholder("newer").file("newer/function_app.py", &format!("{MET}{newer}"))),
        (
            "older",
            placeholder("older")
                .file("older/Met/function.json", bindings)
                .file("older/Met/__init__.py", &format!("{MET}{older}")),
        ),
        ("node", placeholder("node").file("node/package.json", package).file("node/index.js", node)),
    ];
    for (name, plan) in apps {
        let house = plan.up();
        let answer = http::send(house.azure(), "GET /api/met", &[], b"");
        assert_eq!((answer.status, answer.text().as_str()), (200, "False mine 0 True"), "{name}");
    }
}

#[test]
fn what_an_app_does_wrong_as_it_is_loaded_is_told_of_a_placeholder_too() {
    let house = placeholder("broken").file("broken/function_app.py", "import no_such_flower\n").up();
    assert_eq!(http::send(house.azure(), "GET /api/met", &[], b"").status, 503);
    house.wait(0, "why", |record| {
        let text = record["what"]["log"]["text"].as_str().unwrap_or_default();
        text.contains("No module named 'no_such_flower'")
    });
}
