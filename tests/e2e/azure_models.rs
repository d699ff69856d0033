//! One app in every model that runs: functions of HTTP, a queue, blobs, a timer and Event Grid, in the older and the
//! newer model of Python, in Node, and behind a custom handler in Rust; the same walk through each.

use super::clients;
use super::house::{House, is};
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};

const SETTINGS: &str = r#"{"Values": {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}}"#;

/// What its functions are, as `function.json` has it.
fn functions() -> Vec<(&'static str, Value)> {
    let http = || json!({"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous"});
    let storage = "AzureWebJobsStorage";
    vec![
        ("sync", json!([http(), {"type": "http", "direction": "out", "name": "res"}])),
        ("wait", json!([http(), {"type": "http", "direction": "out", "name": "res"}])),
        ("fails", json!([http(), {"type": "http", "direction": "out", "name": "res"}])),
        (
            "send",
            json!([http(), {"type": "http", "direction": "out", "name": "res"},
            {"type": "queue", "direction": "out", "name": "word", "queueName": "words", "connection": storage}]),
        ),
        (
            "word",
            json!([
            {"type": "queueTrigger", "direction": "in", "name": "word", "queueName": "words", "connection": storage},
            {"type": "blob", "direction": "out", "name": "made", "path": "made/{queueTrigger}.txt", "connection": storage}]),
        ),
        (
            "made",
            json!([
            {"type": "blobTrigger", "direction": "in", "name": "made", "path": "made/{name}.txt", "connection": storage},
            {"type": "blob", "direction": "in", "name": "title", "path": "titles/{name}", "connection": storage}]),
        ),
        (
            "tick",
            json!([{"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 0 0 1 1 *"}]),
        ),
        ("grid", json!([{"type": "eventGridTrigger", "direction": "in", "name": "event"}])),
    ]
}

fn app(language: &str) -> Plan {
    let settings: Value = serde_json::from_str(SETTINGS).expect("JSON");
    let mut values = settings["Values"].clone();
    values["FUNCTIONS_WORKER_RUNTIME"] = json!(language);
    Plan::new()
        .file("app/host.json", r#"{"version": "2.0"}"#)
        .file("app/local.settings.json", &json!({ "Values": values }).to_string())
        .file("mlemu.toml", "[buckets.titles]\nprovider = \"azure\"\nseed = \"titles\"\n")
        .file("titles/rose", "of the garden")
}

/// Calls every function, and sees what it makes and says.
fn walk(house: &House) {
    house.wait(0, "the app is up", |record| is(record, "app", "ended"));
    let ask = |line: &str, headers: &[(&str, &str)], body: &str| {
        http::send(house.azure(), line, headers, body.as_bytes())
    };
    // A process with several calls at a time does not say which of them a plain line is of.
    let said = |function: &str, text: &str| {
        house.wait(0, text, |record| {
            (is(record, function, "log") || is(record, "app", "log"))
                && record["what"]["log"]["text"].as_str().is_some_and(|line| line.contains(text))
        })
    };
    for name in ["sync", "wait"] {
        let answer = ask(&format!("POST /api/{name}"), &[("Content-Type", "text/plain")], "petals");
        assert_eq!((answer.status, answer.text()), (203, format!("{name} petals")), "{name}");
    }
    let failed = ask("GET /api/fails", &[], "");
    assert_eq!((failed.status, failed.text().as_str()), (500, ""));
    assert_eq!(house.wait_ended(0, "fails")["status"]["status"], "error");
    let sent = ask("POST /api/send", &[("Content-Type", "text/plain")], "rose");
    assert_eq!(sent.status, 202, "{}", sent.text());
    said("word", "WORD rose");
    said("made", "MADE ROSE of the garden");
    let made = http::send(house.blob(), "GET /devstoreaccount1/made/rose.txt", &[], b"");
    assert_eq!((made.status, made.text().as_str()), (200, "ROSE"));
    assert_eq!(house.ask("POST /_mlemu/schedules/tick/fire", &Value::Null).status, 204);
    said("tick", "TICK false");
    let event = json!([{ "id": "1", "subject": "/flowers/rose", "eventType": "Own.Bloomed", "topic": "t",
        "eventTime": "2026-11-21T10:00:00Z", "dataVersion": "1", "data": { "petals": 5 } }]);
    let told = [("aeg-event-type", "Notification"), ("Content-Type", "application/json")];
    let answer = ask("POST /runtime/webhooks/EventGrid?functionName=grid", &told, &event.to_string());
    assert_eq!(answer.status, 202);
    said("grid", "GRID /flowers/rose 5");
    assert_eq!(house.mlemu(&["wait"]).status.code(), Some(0));
}

#[test]
fn decorators_of_python() {
    let code = r#"
import asyncio
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
STORAGE = "AzureWebJobsStorage"

@app.route(route="sync")
def sync(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("sync " + req.get_body().decode(), status_code=203)

@app.route(route="wait")
async def wait(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.get_running_loop().run_in_executor(None, str)
    return func.HttpResponse("wait " + req.get_body().decode(), status_code=203)

@app.route(route="fails")
def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("no such flower")

@app.route(route="send")
@app.queue_output(arg_name="word", queue_name="words", connection=STORAGE)
def send(req: func.HttpRequest, word: func.Out[str]) -> func.HttpResponse:
    word.set(req.get_body().decode())
    return func.HttpResponse(status_code=202)

@app.queue_trigger(arg_name="word", queue_name="words", connection=STORAGE)
@app.blob_output(arg_name="made", path="made/{queueTrigger}.txt", connection=STORAGE)
def word(word: func.QueueMessage, made: func.Out[str]) -> None:
    logging.info("WORD %s", word.get_body().decode())
    made.set(word.get_body().decode().upper())

@app.blob_trigger(arg_name="made", path="made/{name}.txt", connection=STORAGE)
@app.blob_input(arg_name="title", path="titles/{name}", connection=STORAGE)
def made(made: func.InputStream, title: func.InputStream) -> None:
    logging.info("MADE %s %s", made.read().decode(), title.read().decode())

@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer")
async def tick(timer: func.TimerRequest) -> None:
    logging.info("TICK %s", str(timer.past_due).lower())

@app.event_grid_trigger(arg_name="event")
def grid(event: func.EventGridEvent) -> None:
    logging.info("GRID %s %s", event.subject, event.get_json()["petals"])
"#;
    walk(&app("python").file("app/function_app.py", code).up());
}

#[test]
fn folders_of_python() {
    let code = |name: &str| {
        let body = match name {
            "sync" => {
                "def main(req: func.HttpRequest, res: func.Out[func.HttpResponse]):\n    res.set(func.HttpResponse('sync ' + req.get_body().decode(), status_code=203))"
            }
            "wait" => {
                "async def main(req: func.HttpRequest, res: func.Out[func.HttpResponse]):\n    res.set(func.HttpResponse('wait ' + req.get_body().decode(), status_code=203))"
            }
            "fails" => {
                "def main(req: func.HttpRequest, res: func.Out[func.HttpResponse]):\n    raise ValueError('no such flower')"
            }
            "send" => {
                "def main(req: func.HttpRequest, res: func.Out[func.HttpResponse], word: func.Out[str]):\n    word.set(req.get_body().decode())\n    res.set(func.HttpResponse(status_code=202))"
            }
            "word" => {
                "def main(word: func.QueueMessage, made: func.Out[str]):\n    logging.info('WORD %s', word.get_body().decode())\n    made.set(word.get_body().decode().upper())"
            }
            "made" => {
                "def main(made: func.InputStream, title: func.InputStream):\n    logging.info('MADE %s %s', made.read().decode(), title.read().decode())"
            }
            "tick" => {
                "def main(timer: func.TimerRequest):\n    logging.info('TICK %s', str(timer.past_due).lower())"
            }
            _ => {
                "def main(event: func.EventGridEvent):\n    logging.info('GRID %s %s', event.subject, event.get_json()['petals'])"
            }
        };
        format!("import logging\n\nimport azure.functions as func\n\n{body}\n")
    };
    let plan = functions().into_iter().fold(app("python"), |plan, (name, bindings)| {
        plan.file(&format!("app/{name}/function.json"), &json!({ "bindings": bindings }).to_string())
            .file(&format!("app/{name}/__init__.py"), &code(name))
    });
    walk(&plan.up());
}

#[test]
fn functions_of_node() {
    let code = r"
const { app, input, output } = require('@azure/functions');
const connection = 'AzureWebJobsStorage';
const any = { methods: ['GET', 'POST'], authLevel: 'anonymous' };
const words = output.storageQueue({ queueName: 'words', connection });
const made = output.storageBlob({ path: 'made/{queueTrigger}.txt', connection });
const title = input.storageBlob({ path: 'titles/{name}', connection });

app.http('sync', { ...any, handler: (request) => request.text().then((body) => ({ status: 203, body: `sync ${body}` })) });
app.http('wait', { ...any, handler: async (request) => ({ status: 203, body: `wait ${await request.text()}` }) });
app.http('fails', { ...any, handler: () => { throw new TypeError('no such flower'); } });
app.http('send', { ...any, extraOutputs: [words], handler: async (request, context) => {
  context.extraOutputs.set(words, await request.text());
  return { status: 202 };
} });
app.storageQueue('word', { queueName: 'words', connection, return: made, handler: async (word, context) => {
  context.log('WORD', word);
  return word.toUpperCase();
} });
app.storageBlob('made', { path: 'made/{name}.txt', connection, extraInputs: [title], handler: async (blob, context) => {
  context.log('MADE', blob.toString(), context.extraInputs.get(title).toString());
} });
app.timer('tick', { schedule: '0 0 0 1 1 *', handler: async (timer, context) => context.log('TICK', timer.isPastDue) });
app.eventGrid('grid', { handler: async (event, context) => context.log('GRID', event.subject, event.data.petals) });
";
    let package = r#"{"main": "app.js", "dependencies": {"@azure/functions": "4.16.5"}}"#;
    walk(&app("node").file("app/package.json", package).file("app/app.js", code).up());
}

/// Listens as a custom handler does, with nothing but the standard library.
const HANDLER: &str = r##"
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// The text of a name in a document, as it stands there.
fn text<'a>(document: &'a str, name: &str) -> &'a str {
    let from = document.split_once(&format!("\"{name}\":")).map_or("", |(_, rest)| rest.trim_start());
    let from = from.strip_prefix('"').unwrap_or(from);
    // Text within text, as the host sends it.
    let from = from.strip_prefix("\\\"").unwrap_or(from);
    &from[..from.find(['"', '\\', ',', '}']).unwrap_or(from.len())]
}

fn decoded(base64: &str) -> String {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for byte in base64.bytes().filter(|byte| *byte != b'=') {
        bits = bits << 6 | u32::from(value(byte));
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

fn answer(function: &str, asked: &str) -> Option<String> {
    Some(match function {
        "sync" | "wait" => {
            let body = text(asked, "Body");
            format!(r#"{{"Outputs": {{"res": {{"statusCode": 203, "body": "{function} {body}"}}}}}}"#)
        }
        "send" => {
            let word = text(asked, "Body");
            format!(r#"{{"Outputs": {{"res": {{"statusCode": 202}}, "word": "{word}"}}}}"#)
        }
        "word" => {
            let word = text(asked, "word");
            println!("WORD {word}");
            format!(r#"{{"Outputs": {{"made": "{}"}}}}"#, word.to_uppercase())
        }
        "made" => {
            println!("MADE {} {}", decoded(text(asked, "made")), decoded(text(asked, "title")));
            "{}".into()
        }
        "tick" => {
            println!("TICK {}", text(asked, "IsPastDue"));
            "{}".into()
        }
        "grid" => {
            println!("GRID {} {}", text(asked, "subject"), text(asked, "petals"));
            "{}".into()
        }
        _ => return None,
    })
}

fn serve(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let function = line.split(' ').nth(1)?.trim_start_matches('/').to_owned();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let said = answer(&function, &String::from_utf8_lossy(&body));
        let (status, body) = said.map_or(("500 Bad", "no such flower".to_owned()), |said| ("200 OK", said));
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        (&stream).write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
}

fn main() {
    let port = std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT").expect("a port");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).expect("a listener");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(|| serve(stream));
    }
}
"##;

#[test]
fn a_custom_handler_in_rust() {
    let host =
        r#"{"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "handler"}}}"#;
    let plan = app("custom").file("app/host.json", host).file("handler.rs", HANDLER);
    let (source, program) = (plan.path("handler.rs"), plan.path("app/handler"));
    if !clients::rustc(&source, &program) {
        return;
    }
    let plan = functions().into_iter().fold(plan, |plan, (name, mut bindings)| {
        for binding in bindings.as_array_mut().into_iter().flatten() {
            // Otherwise blobs come as text, and `rose` goes out as the bytes that it is in base64.
            let is_blob = binding["type"].as_str().is_some_and(|kind| kind.starts_with("blob"));
            if is_blob || binding["direction"] == "out" {
                binding["dataType"] = json!("binary");
            }
        }
        plan.file(&format!("app/{name}/function.json"), &json!({ "bindings": bindings }).to_string())
    });
    walk(&plan.up());
}
