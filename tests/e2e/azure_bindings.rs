//! Where bindings of Azure's functions lead, and what the host's console says of what triggers them.

use super::house::{House, is};
use super::http::{self, Answer};
use super::plan::Plan;
use serde_json::{Value, json};
use std::process::Command;

const APP: &str = r#"
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="order")
@app.queue_output(arg_name="out", queue_name="orders", connection="Shop")
@app.blob_output(arg_name="bill", path="bills/last.txt", connection="Shop")
@app.blob_input(arg_name="price", path="prices/rose.txt", connection="Shop")
def order(req: func.HttpRequest, out: func.Out[str], bill: func.Out[str], price: func.InputStream) -> str:
    text = price.read().decode() if price else "nothing"
    out.set("a rose")
    bill.set(text)
    return text

@app.blob_trigger(arg_name="photo", path="photos/{name}", connection="Shop")
def photo(photo: func.InputStream) -> None:
    logging.info("PHOTO %s %s", photo.name, photo.uri)

@app.queue_trigger(arg_name="row", queue_name="%Rows%", connection="")
def row(row: func.QueueMessage) -> None:
    raise ValueError("no such row")

@app.queue_trigger(arg_name="lost", queue_name="lost", connection="Nowhere")
def lost(lost: func.QueueMessage) -> None:
    pass

@app.route(route="astray")
@app.blob_output(arg_name="out", path="nowhere", connection="")
def astray(req: func.HttpRequest, out: func.Out[str]) -> str:
    out.set("x")
    return "done"

@app.route(route="hidden")
def hidden(req: func.HttpRequest) -> str:
    return "seen"
"#;

const SHOP: &str =
    "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=a2V5;EndpointSuffix=core.windows.net";

fn house() -> House {
    let host = json!({
        "version": "2.0",
        "functions": ["order", "photo", "row", "lost", "astray"],
        "extensions": {
            "http": { "customHeaders": { "X-Shop": "open" } },
            "queues": { "messageEncoding": "none", "maxDequeueCount": 2 },
        },
    });
    let values = json!({ "AzureWebJobsStorage": "UseDevelopmentStorage=true", "Shop": SHOP, "Rows": "rows" });
    Plan::new()
        .file("shop/host.json", &host.to_string())
        .file("shop/function_app.py", APP)
        .file("shop/local.settings.json", &json!({ "Values": values }).to_string())
        .up()
}

fn blob(house: &House, line: &str, body: &[u8]) -> Answer {
    http::send(house.blob(), line, &[("x-ms-blob-type", "BlockBlob")], body)
}

fn queue(house: &House, line: &str) -> Answer {
    let body = "<QueueMessage><MessageText>seven</MessageText></QueueMessage>";
    let body = if line.starts_with("POST") { body.as_bytes() } else { b"" };
    http::send(house.place("azure-queue"), line, &[], body)
}

fn warning(house: &House, part: &str) -> String {
    let found = house.wait(0, part, |record| {
        record["what"]["warning"]["text"].as_str().is_some_and(|text| text.contains(part))
    });
    found["what"]["warning"]["text"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn bindings_lead_to_the_accounts_of_their_connections() {
    let house = house();
    assert_eq!(blob(&house, "PUT /shop/prices?restype=container", b"").status, 201);
    assert_eq!(blob(&house, "PUT /shop/prices/rose.txt", b"3").status, 201);
    let answer = http::send(house.azure(), "GET /api/order", &[], b"");
    assert_eq!((answer.status, answer.text().as_str(), answer.header("x-shop")), (200, "3", Some("open")));
    assert!(queue(&house, "GET /shop/orders/messages?peekonly=true").text().contains("a rose"));
    assert_eq!(queue(&house, "GET /devstoreaccount1/orders/messages?peekonly=true").status, 404);
    assert_eq!(blob(&house, "GET /shop/bills/last.txt", b"").text(), "3");
    assert_eq!(blob(&house, "GET /devstoreaccount1/bills/last.txt", b"").status, 404);

    assert_eq!(blob(&house, "PUT /shop/photos?restype=container", b"").status, 201);
    assert_eq!(blob(&house, "PUT /shop/photos/rose.jpg", b"red").status, 201);
    let told = house.wait(0, "the photo", |record| {
        record["what"]["log"]["text"].as_str().is_some_and(|text| text.starts_with("PHOTO photos/rose.jpg"))
    });
    let text = told["what"]["log"]["text"].as_str().unwrap_or_default();
    assert!(text.ends_with("/shop/photos/rose.jpg"), "{text}");
    let why = warning(&house, "'Nowhere' does not exist");
    assert!(why.contains("local.settings.json"), "{why}");

    assert_eq!(
        http::send(house.azure(), "GET /api/hidden", &[], b"").status,
        404,
        "host.json does not name it"
    );
    let all = http::send(house.azure(), "GET /admin/functions", &[], b"").json();
    let names: Vec<&Value> = all.as_array().into_iter().flatten().map(|one| &one["name"]).collect();
    assert!(names.len() == 5 && !names.contains(&&json!("hidden")), "{names:?}");
}

#[test]
fn what_a_binding_cannot_do_is_told() {
    let house = house();
    assert_eq!(http::send(house.azure(), "GET /api/astray", &[], b"").status, 500);
    let told = house.wait(0, "why", |record| {
        record["what"]["log"]["text"].as_str().is_some_and(|text| text.starts_with("OutputBindingError"))
    });
    let text = told["what"]["log"]["text"].as_str().unwrap_or_default();
    assert_eq!(text, "OutputBindingError: out: `nowhere` is no path of a blob: write container/name");
    assert_eq!(told["subject"]["function"]["name"], "astray");
}

/// It reads a file to its end, which a pipe has when its writer has gone.
const BUSY: &str = r#"
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="hold")
def hold(req: func.HttpRequest) -> str:
    open(req.params["until"]).read()
    return "held"
"#;

#[test]
fn more_requests_than_may_wait_are_sent_away() {
    let host = json!({ "version": "2.0", "extensions": { "http": { "maxOutstandingRequests": 1 } } });
    let house = Plan::new()
        .file("busy/host.json", &host.to_string())
        .file("busy/function_app.py", BUSY)
        .file("there", "")
        .up();
    let made = Command::new("mkfifo").arg(house.plan.path("later")).status().expect("mkfifo runs");
    assert!(made.success());
    let path = |name: &str| format!("GET /api/hold?until={}", house.plan.path(name).display());
    let (address, first) = (house.azure(), path("later"));
    let first = std::thread::spawn(move || http::send(address, &first, &[], b""));
    house.wait(0, "the first runs", |record| is(record, "hold", "started"));
    assert_eq!(http::send(house.azure(), &path("there"), &[], b"").status, 429);
    std::fs::write(house.plan.path("later"), "").expect("written");
    assert_eq!(first.join().expect("an answer").text(), "held");
    assert_eq!(http::send(house.azure(), &path("there"), &[], b"").status, 200);
}

#[test]
fn the_console_tells_what_triggered_a_function_and_why_its_message_is_put_aside() {
    let house = house();
    assert_eq!(http::send(house.azure(), "GET /api/order", &[], b"").status, 200, "the app is up");
    assert_eq!(queue(&house, "POST /devstoreaccount1/rows/messages").status, 201);
    let why = warning(&house, "Moving message to queue 'rows-poison'");
    assert!(why.ends_with("Its last try: ValueError: no such row"), "{why}");
    assert_eq!(blob(&house, "PUT /shop/photos?restype=container", b"").status, 201);
    assert_eq!(blob(&house, "PUT /shop/photos/rose.jpg", b"red").status, 201);
    assert_eq!(house.mlemu(&["wait"]).status.code(), Some(0));
    assert_eq!(house.mlemu(&["invoke", "photo", "--event", "azure/blob"]).status.code(), Some(0));
    let logs = house.mlemu(&["logs"]);
    let logs = String::from_utf8_lossy(&logs.stdout).into_owned();
    let details = "row | Trigger Details: MessageId: ";
    for line in [
        "row | Executing 'Functions.row' (Reason='New queue message detected on 'rows'.', Id=",
        details,
        "photo | Executing 'Functions.photo' (Reason='New blob detected(LogsAndContainerScan): photos/rose.jpg', Id=",
        "photo | Executing 'Functions.photo' (Reason='This function was programmatically called via the host APIs.', Id=",
        "photo | Executed 'Functions.photo' (Succeeded, Id=",
    ] {
        assert!(logs.contains(line), "{line} in {logs}");
    }
    let counts: Vec<&str> =
        logs.lines().filter_map(|line| line.strip_prefix(details)?.split(", ").nth(1)).collect();
    assert_eq!(counts, ["DequeueCount: 1", "DequeueCount: 2"]);
}
