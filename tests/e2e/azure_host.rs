//! What the host of Azure's functions does beside calling them: web pages, answers in pieces, runs that are tried again,
//! and what `host.json` says.

use super::house::{House, is};
use super::http::{self, Answer};
use super::plan::Plan;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

fn call(house: &House, line: &str, headers: &[(&str, &str)]) -> Answer {
    http::send(house.azure(), line, headers, b"")
}

fn said(house: &House, mark: usize, function: &str, text: &str) -> Value {
    house.wait(mark, text, |record| {
        let what = &record["what"];
        let line = what["log"]["text"].as_str().or(what["warning"]["text"].as_str()).unwrap_or_default();
        record["subject"]["function"]["name"] == function && line.contains(text)
    })
}

/// Waits until the worker of an app has said what it has.
fn up(plan: Plan, app: &str) -> House {
    let house = plan.up();
    house.wait(0, "the app is up", |record| is(record, app, "ended"));
    house
}

const HELLO: &str = r#"
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello", headers={"X-Own": "yes"})
"#;

fn app(name: &str, code: &str) -> Plan {
    let settings = r#"{"Values": {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}}"#;
    Plan::new()
        .file(&format!("{name}/host.json"), r#"{"version": "2.0"}"#)
        .file(&format!("{name}/function_app.py"), code)
        .file(&format!("{name}/local.settings.json"), settings)
}

#[test]
fn pages_that_an_app_lets_in_may_call_it() {
    let settings = r#"{"Values": {}, "Host": {"CORS": "http://localhost:3000,https://a.example", "CORSCredentials": true}}"#;
    let house = up(app("open", HELLO).file("open/local.settings.json", settings), "open");
    let page = ("Origin", "http://localhost:3000");
    let asked = call(
        &house,
        "OPTIONS /api/hello",
        &[
            page,
            ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "x-own,content-type"),
        ],
    );
    assert_eq!(asked.status, 204, "{}", asked.text());
    let told =
        ["access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers"];
    assert_eq!(
        told.map(|name| asked.header(name).unwrap_or_default()),
        ["http://localhost:3000", "PUT", "x-own,content-type"]
    );
    let answer = call(&house, "GET /api/hello", &[page, ("Sec-Fetch-Site", "same-site")]);
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    let mark = house.mark();
    let stranger = ("Origin", "https://evil.example");
    assert_eq!(call(&house, "GET /api/hello", &[stranger]).status, 403);
    assert_eq!(
        call(&house, "OPTIONS /api/hello", &[stranger, ("Access-Control-Request-Method", "PUT")]).status,
        403
    );
    for hosts in ["POST /admin/functions/hello", "GET /admin/host/status", "POST /runtime/webhooks/EventGrid"]
    {
        assert_eq!(
            call(&house, hosts, &[page]).status,
            403,
            "{hosts}: the host's own API is open to no page"
        );
    }
    assert!(!house.records(mark).iter().any(|record| is(record, "hello", "started")), "nothing was started");
    let no_page = call(&house, "GET /api/hello", &[]);
    assert_eq!((no_page.status, no_page.header("access-control-allow-origin")), (200, None));
}

#[test]
fn pages_that_storage_lets_in_may_use_it() {
    let house = Plan::new().up();
    let page = ("Origin", "http://localhost:3000");
    let ask = |to: SocketAddr, line: &str, headers: &[(&str, &str)], body: &str| {
        http::send(to, line, headers, body.as_bytes())
    };
    let queue = house.place("azure-queue");
    for (to, ok) in [(house.blob(), 202), (queue, 202)] {
        let blob = [page, ("x-ms-blob-type", "BlockBlob")];
        assert_eq!(
            ask(to, "GET /devstoreaccount1/?comp=list", &blob, "").status,
            403,
            "nobody was let in yet"
        );
        let rules = "<StorageServiceProperties><Cors><CorsRule><AllowedOrigins>http://localhost:3000</AllowedOrigins>\
            <AllowedMethods>GET,PUT</AllowedMethods><AllowedHeaders>x-ms-*</AllowedHeaders>\
            <ExposedHeaders>x-ms-request-id</ExposedHeaders><MaxAgeInSeconds>60</MaxAgeInSeconds></CorsRule></Cors></StorageServiceProperties>";
        let set = ask(to, "PUT /devstoreaccount1/?restype=service&comp=properties", &[], rules);
        assert_eq!(set.status, ok, "{}", set.text());
        let asks = |method, headers| {
            let asked = [
                page,
                ("Access-Control-Request-Method", method),
                ("Access-Control-Request-Headers", headers),
            ];
            ask(to, "OPTIONS /devstoreaccount1/pics/a.jpg", &asked, "")
        };
        let good = asks("PUT", "x-ms-blob-type");
        assert_eq!(
            (good.status, good.header("access-control-allow-methods")),
            (200, Some("PUT")),
            "{}",
            good.text()
        );
        assert_eq!(good.header("access-control-max-age"), Some("60"));
        for (method, headers) in [("DELETE", ""), ("PUT", "authorization")] {
            let bad = asks(method, headers);
            assert_eq!((bad.status, bad.header("x-ms-error-code")), (403, Some("CorsPreflightFailure")));
        }
        let listed = ask(to, "GET /devstoreaccount1/?comp=list", &[page], "");
        assert_eq!((listed.status, listed.header("access-control-allow-origin")), (200, Some(page.1)));
        assert_eq!(listed.header("access-control-expose-headers"), Some("x-ms-request-id"));
        assert_eq!(
            ask(to, "GET /devstoreaccount1/?comp=list", &[("Origin", "http://b.example")], "").status,
            403
        );
        assert_eq!(
            ask(to, "GET /another/?comp=list", &[page], "").status,
            403,
            "each account has rules of its own"
        );
    }
}

/// Where a function waits for the test, in the middle of its answer.
struct Hold {
    listener: TcpListener,
}

impl Hold {
    fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").expect("a port") }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().expect("an address").port()
    }

    fn release(&self) {
        let (mut stream, _) = self.listener.accept().expect("the function waits");
        stream.write_all(b"go\n").expect("written");
    }
}

/// Reads until the answer has `text`.
fn until(stream: &mut TcpStream, text: &str) -> String {
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).expect("readable");
        seen.extend_from_slice(&buffer[..read]);
        let so_far = String::from_utf8_lossy(&seen).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
        assert!(read > 0, "it ended without {text}: {so_far}");
    }
}

/// The first piece is there while the function waits, and the last after it went on.
fn streams(house: &House, hold: &Hold) {
    let mut stream = http::connect(house.azure());
    let request = "POST /api/count/rose?by=two HTTP/1.1\r\nHost: localhost\r\nX-Own: mine\r\nContent-Length: 6\r\nConnection: close\r\n\r\npetals";
    stream.write_all(request.as_bytes()).expect("written");
    let first = until(&mut stream, "one");
    assert!(
        first.starts_with("HTTP/1.1 207") && first.to_ascii_lowercase().contains("x-kind: rose"),
        "{first}"
    );
    assert!(!house.records(0).iter().any(|record| is(record, "count", "ended")), "it goes on");
    hold.release();
    let rest = until(&mut stream, "by two, mine, petals");
    assert!(!rest.contains("one"), "{rest}");
    assert_eq!(house.wait_ended(0, "count")["status"]["status"], "ok");
}

#[test]
fn answers_of_python_come_in_pieces() {
    let hold = Hold::new();
    let code = r#"
import asyncio

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response, StreamingResponse

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

async def pieces(req, body):
    yield "one\n"
    reader, _ = await asyncio.open_connection("127.0.0.1", PORT)
    await reader.readline()
    yield f"by {req.query_params['by']}, {req.headers['x-own']}, {body}\n"

@app.route(route="count/{kind}")
async def count(req: Request) -> StreamingResponse:
    body = (await req.body()).decode()
    headers = {"X-Kind": req.path_params["kind"]}
    return StreamingResponse(pieces(req, body), status_code=207, headers=headers)

@app.route(route="fails")
async def fails(req: Request) -> Response:
    raise ValueError("no such flower")

@app.route(route="plain")
async def plain(req: Request) -> Response:
    return Response("plain", status_code=201)
"#;
    let plan = app("pieces", &code.replace("PORT", &hold.port().to_string()));
    let packages = "azure-functions\nazurefunctions-extensions-http-fastapi\n";
    let house = up(plan.file("pieces/requirements.txt", packages), "pieces");
    streams(&house, &hold);
    let plain = call(&house, "GET /api/plain", &[]);
    assert_eq!((plain.status, plain.text().as_str()), (201, "plain"));
    assert_eq!(call(&house, "GET /api/fails", &[]).status, 500);
    assert_eq!(house.wait_ended(0, "fails")["status"]["kind"], "ValueError");
    assert_eq!(call(&house, "GET /api/plain", &[]).status, 201, "the worker goes on");
}

#[test]
fn answers_of_node_come_in_pieces() {
    let hold = Hold::new();
    let code = r"
const { app } = require('@azure/functions');
const net = require('net');
app.setup({ enableHttpStream: true });
async function* pieces(request, body) {
  yield 'one\n';
  const socket = net.connect(PORT, '127.0.0.1');
  await new Promise((done) => socket.once('data', done));
  socket.destroy();
  yield `by ${request.query.get('by')}, ${request.headers.get('x-own')}, ${body}\n`;
}
app.http('count', {
  methods: ['POST'], authLevel: 'anonymous', route: 'count/{kind}',
  handler: async (request) => {
    const body = await request.text();
    const { Readable } = require('stream');
    return { status: 207, headers: { 'x-kind': request.params.kind }, body: Readable.toWeb(Readable.from(pieces(request, body))) };
  },
});
app.http('plain', { authLevel: 'anonymous', handler: async () => ({ status: 201, body: 'plain' }) });
app.http('fails', { authLevel: 'anonymous', handler: async () => { throw new TypeError('no such flower'); } });
app.http('breaks', { authLevel: 'anonymous', handler: async () => {
  const { Readable } = require('stream');
  async function* half() { yield 'half\n'; throw new TypeError('no more'); }
  return { body: Readable.toWeb(Readable.from(half())) };
} });
";
    let house = Plan::new()
        .file("pieces/host.json", r#"{"version": "2.0"}"#)
        .file("pieces/package.json", r#"{"main": "app.js", "dependencies": {"@azure/functions": "4.16.5"}}"#)
        .file("pieces/app.js", &code.replace("PORT", &hold.port().to_string()));
    let house = up(house, "pieces");
    streams(&house, &hold);
    let plain = call(&house, "GET /api/plain", &[]);
    assert_eq!((plain.status, plain.text().as_str()), (201, "plain"));
    assert_eq!(call(&house, "GET /api/fails", &[]).status, 500);
    let mut stream = http::connect(house.azure());
    stream.write_all(b"GET /api/breaks HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("written");
    let mut whole = Vec::new();
    // Reset or closed, it is not whole.
    let _ = stream.read_to_end(&mut whole);
    let whole = String::from_utf8_lossy(&whole).into_owned();
    assert!(whole.contains("half") && !whole.ends_with("0\r\n\r\n"), "{whole}");
    assert_eq!(house.wait_ended(0, "breaks")["status"]["kind"], "TypeError");
    assert_eq!(call(&house, "GET /api/plain", &[]).status, 201, "the worker goes on");
}

/// How often a function ran, and at which of its tries it says that it was.
fn tries(house: &House, function: &str) -> Vec<String> {
    let records = house.records(0).into_iter().filter(|record| is(record, function, "log"));
    let lines = records.filter_map(|record| record["what"]["log"]["text"].as_str().map(str::to_owned));
    lines.filter(|line| line.starts_with("TRY")).collect()
}

#[test]
fn failed_runs_of_timers_are_tried_again_as_their_policy_says() {
    let code = r#"
import logging

import azure.functions as func

app = func.FunctionApp()

def told(context, good):
    retry = context.retry_context
    logging.info("TRY %s of %s", retry.retry_count, retry.max_retry_count)
    if retry.retry_count < good:
        raise ValueError("not yet")

@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer")
@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:30")
def fixed(timer: func.TimerRequest, context: func.Context) -> None:
    told(context, 2)

@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer")
@app.retry(strategy="exponential_backoff", max_retry_count="2", minimum_interval="00:00:10", maximum_interval="00:00:15")
def growing(timer: func.TimerRequest, context: func.Context) -> None:
    told(context, 9)

@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer")
def usual(timer: func.TimerRequest, context: func.Context) -> None:
    told(context, 1)

@app.queue_trigger(arg_name="row", queue_name="rows", connection="AzureWebJobsStorage")
@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:30")
def own(row: func.QueueMessage) -> None:
    pass
"#;
    let host = r#"{"version": "2.0", "retry": {"strategy": "fixedDelay", "maxRetryCount": 1, "delayInterval": "00:01:00"}}"#;
    let house = up(app("again", code).file("again/host.json", host), "again");
    house.freeze("2026-11-21T10:00:00Z");
    let fire = |name: &str| {
        assert_eq!(house.ask(&format!("POST /_mlemu/schedules/{name}/fire"), &Value::Null).status, 204);
        house.still();
    };
    fire("fixed");
    assert_eq!(tries(&house, "fixed"), ["TRY 0 of 3"]);
    house.advance("29s");
    assert_eq!(tries(&house, "fixed").len(), 1, "it waits");
    house.advance("31s");
    assert_eq!(tries(&house, "fixed"), ["TRY 0 of 3", "TRY 1 of 3", "TRY 2 of 3"]);
    house.advance("10m");
    assert_eq!(tries(&house, "fixed").len(), 3, "it went well");
    fire("growing");
    house.advance("10s");
    assert_eq!(tries(&house, "growing").len(), 2);
    house.advance("14s");
    assert_eq!(tries(&house, "growing").len(), 2);
    house.advance("1s");
    assert_eq!(tries(&house, "growing").len(), 3);
    house.advance("10m");
    assert_eq!(tries(&house, "growing").len(), 3, "no more than its policy says");
    fire("usual");
    house.advance("1m");
    assert_eq!(tries(&house, "usual"), ["TRY 0 of 1", "TRY 1 of 1"], "as host.json says for all");
    said(&house, 0, "own", "a queueTrigger");
    house.idle();
}

#[test]
fn policies_of_node_and_of_the_older_model() {
    let code = r"
const { app } = require('@azure/functions');
app.timer('tick', {
  schedule: '0 0 0 1 1 *',
  retry: { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: { seconds: 30 } },
  handler: async (timer, context) => {
    context.log(`TRY ${context.retryContext.retryCount} of ${context.retryContext.maxRetryCount}`);
    throw new TypeError('never');
  },
});
";
    let function = json!({
        "retry": {"strategy": "exponentialBackoff", "maxRetryCount": 1, "minimumInterval": "00:00:05", "maximumInterval": "00:00:10"},
        "bindings": [{"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 0 0 1 1 *"}],
    });
    let old = "import logging\n\ndef main(timer, context) -> None:\n    \
               logging.info('TRY %s of %s', context.retry_context.retry_count, context.retry_context.max_retry_count)\n    \
               raise ValueError('never')\n";
    let house = Plan::new()
        .file("js/host.json", "{}")
        .file("js/package.json", r#"{"main": "app.js", "dependencies": {"@azure/functions": "4.16.5"}}"#)
        .file("js/app.js", code)
        .file("old/host.json", "{}")
        .file("old/tock/function.json", &function.to_string())
        .file("old/tock/__init__.py", old);
    let house = up(house, "js");
    house.wait(0, "the other app is up", |record| is(record, "old", "ended"));
    house.freeze("2026-11-21T10:00:00Z");
    for name in ["tick", "tock"] {
        assert_eq!(house.ask(&format!("POST /_mlemu/schedules/{name}/fire"), &Value::Null).status, 204);
    }
    house.still();
    house.advance("10m");
    assert_eq!(tries(&house, "tick"), ["TRY 0 of 2", "TRY 1 of 2", "TRY 2 of 2"]);
    assert_eq!(tries(&house, "tock"), ["TRY 0 of 1", "TRY 1 of 1"]);
}

/// Calls that wait for each other, and so must be under way in one process at a time.
#[track_caller]
fn meet(house: &House, name: &str) {
    let to = house.azure();
    let both: Vec<Answer> = std::thread::scope(|scope| {
        let asks = ["rose", "iris"]
            .map(|own| scope.spawn(move || http::send(to, &format!("GET /api/{name}?own={own}"), &[], b"")));
        asks.into_iter().map(|ask| ask.join().expect("it asks")).collect()
    });
    assert_eq!((both[0].status, both[1].status), (200, 200), "{name}");
    assert_eq!(both[0].text(), both[1].text(), "{name}: one process");
    house.idle();
    let records = house.records(0);
    for own in ["rose", "iris"] {
        let lines: Vec<_> = records.iter().filter(|record| is(record, name, "log")).collect();
        let line = lines.iter().find(|record| record["what"]["log"]["text"] == format!("MET {own}"));
        let line = line.unwrap_or_else(|| panic!("{name} says nothing of {own}: {lines:?}"));
        let id = &line["subject"]["invocation"];
        let started = records
            .iter()
            .any(|record| is(record, name, "started") && record["subject"]["invocation"] == *id);
        assert!(id.is_string() && started, "{name}: a line knows its call: {line}");
        let rest = lines.iter().find(|record| {
            record["what"]["log"]["text"] == "and left" && record["subject"]["invocation"] == *id
        });
        assert!(rest.is_some(), "{name}: all lines of it do");
    }
}

#[test]
fn a_worker_of_python_has_many_calls_at_a_time() {
    let code = r#"
import asyncio
import logging
import os
import threading

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
barrier = threading.Barrier(2)
arrived, gate = [], asyncio.Event()

@app.route(route="threads")
def threads(req: func.HttpRequest) -> str:
    barrier.wait()
    logging.info("MET %s\nand left", req.params["own"])
    return str(os.getpid())

@app.route(route="tasks")
async def tasks(req: func.HttpRequest) -> str:
    arrived.append(req)
    if len(arrived) == 2:
        gate.set()
    await gate.wait()
    logging.info("MET %s\nand left", req.params["own"])
    return str(os.getpid())
"#;
    let house = up(app("many", code), "many");
    meet(&house, "threads");
    meet(&house, "tasks");
}

#[test]
fn a_worker_of_node_has_many_calls_at_a_time() {
    let code = r"
const { app } = require('@azure/functions');
const waiting = [];
app.http('promises', { authLevel: 'anonymous', handler: async (request, context) => {
  await new Promise((meet) => { waiting.push(meet); if (waiting.length === 2) waiting.forEach((one) => one()); });
  context.log(`MET ${request.query.get('own')}\nand left`);
  return { body: String(process.pid) };
} });
";
    let plan = Plan::new()
        .file("many/host.json", "{}")
        .file("many/package.json", r#"{"main": "app.js", "dependencies": {"@azure/functions": "4.16.5"}}"#)
        .file("many/app.js", code);
    meet(&up(plan, "many"), "promises");
}
