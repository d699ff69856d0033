//! Queue Storage from its own client library, and functions that work queues off and fill them.

use super::clients;
use super::house::{House, is};
use super::http;
use super::plan::Plan;
use serde_json::json;

/// Takes a row, doubles it into another queue, and fails where it is told to.
const APP: &str = r#"
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.queue_trigger(arg_name="row", queue_name="rows", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="twice", queue_name="%Doubled%", connection="AzureWebJobsStorage")
def double(row: func.QueueMessage, twice: func.Out[str]) -> None:
    text = row.get_body().decode()
    logging.info("ROW %s %s", text, row.dequeue_count)
    if text == "bad":
        raise ValueError("no such row")
    twice.set(text * 2)

@app.queue_trigger(arg_name="row", queue_name="doubled", connection="AzureWebJobsStorage")
def show(row: func.QueueMessage) -> None:
    logging.info("DOUBLED %s", row.get_body().decode())
"#;
const SETTINGS: &str = r#"{"Values": {"FUNCTIONS_WORKER_RUNTIME": "python", "Doubled": "doubled",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true"}}"#;

fn house() -> House {
    let plan = Plan::new().file("rows/host.json", r#"{"version": "2.0"}"#).file("rows/function_app.py", APP);
    let plan = plan.file("rows/local.settings.json", SETTINGS);
    plan.up()
}

#[test]
fn queues_and_messages_by_the_client_library() {
    let Some(python) = clients::azure_python() else { return };
    let house = Plan::new().up();
    python.drive(&house, "azure_queue.py", "queues");
    python.drive(&house, "azure_queue.py", "messages");
}

#[test]
fn queues_start_functions_and_functions_fill_queues() {
    let Some(python) = clients::azure_python() else { return };
    let house = house();
    let said = |function: &str, text: &str| {
        house.wait(0, text, |record| {
            let line = record["what"]["log"]["text"].as_str().unwrap_or_default();
            let warning = record["what"]["warning"]["text"].as_str().unwrap_or_default();
            record["subject"]["function"]["name"] == function
                && (line.contains(text) || warning.contains(text))
        })
    };
    house.wait(0, "the app is up", |record| is(record, "rows", "ended"));
    python.drive(&house, "azure_queue.py", "feed");
    said("double", "ROW good 1");
    said("show", "DOUBLED goodgood");
    said("double", "ROW bad 5");
    said("double", "Message has reached MaxDequeueCount of 5. Moving message to queue 'rows-poison'.");
    let told = said("double", "is plain text (`plain text`)");
    assert!(told["what"]["warning"]["text"].as_str().is_some_and(|text| text.contains("messageEncoding")));
    assert_eq!(house.mlemu(&["wait"]).status.code(), Some(0));
    let queues: serde_json::Value = house.ask("GET /_mlemu/queues", &json!(null)).json();
    let poisoned = queues.to_string();
    assert!(poisoned.contains("rows-poison"), "{poisoned}");
}

#[test]
fn a_storage_account_is_a_scope_and_a_throttle_a_server_that_is_busy() {
    let house = Plan::new().up();
    let queue = house.place("azure-queue");
    let ask = |line: &str| http::send(queue, line, &[("x-ms-version", "2024-11-04")], b"");
    let made = house.does(house.client.make_scope("shop1"));
    let connection = &made.environment["AZURE_STORAGE_CONNECTION_STRING"];
    assert!(connection.contains("/ns/shop1/"), "{connection}");
    assert_eq!(ask("PUT /shop1/jobs").status, 201);
    assert_eq!(
        ask(&format!("GET /{}/jobs?comp=metadata", made.account)).status,
        200,
        "the same by its digits"
    );
    assert_eq!(ask("GET /ns/shop1/devstoreaccount1/jobs?comp=metadata").status, 200, "and by the path");
    assert_eq!(ask("GET /devstoreaccount1/jobs?comp=metadata").status, 404, "the first scope has none");
    ask("PUT /devstoreaccount1/jobs");
    house.fault(&json!({ "match": { "service": "queue", "op": "PeekMessages", "resource": "jobs" }, "effect": "throttle" }));
    let busy = ask("GET /devstoreaccount1/jobs/messages?peekonly=true");
    assert_eq!((busy.status, busy.header("x-ms-error-code")), (503, Some("ServerBusy")), "{}", busy.text());
    assert_eq!(ask("GET /devstoreaccount1/jobs/messages").status, 200);
    assert_eq!(ask("GET /shop1/jobs/messages?peekonly=true").status, 200, "faults are a scope's own");
    // A snapshot has queues and messages of this cloud too.
    house.does(house.client.message("jobs", "kept"));
    house.does(house.client.snapshot("one"));
    ask("DELETE /devstoreaccount1/jobs");
    house.does(house.client.restore("one"));
    let message = &house.does(house.client.messages("jobs", 5))[0];
    assert_eq!(message.body.get(), "\"kept\"");
}
