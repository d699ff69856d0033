//! Blob Storage from its own client libraries, and functions that blobs start and that make blobs.

use super::clients;
use super::house::{House, is};
use super::plan::Plan;

/// Makes a blob of each that comes, and fails where it is told to.
const APP: &str = r#"
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.blob_trigger(arg_name="blob", path="%From%/in/{name}.{ext}", connection="AzureWebJobsStorage")
@app.blob_input(arg_name="labels", path="uploads/labels.txt", connection="AzureWebJobsStorage")
@app.blob_output(arg_name="out", path="results/{name}-out.{ext}", connection="AzureWebJobsStorage")
def shout(blob: func.InputStream, labels: func.InputStream, out: func.Out[str]) -> None:
    text = blob.read().decode()
    logging.info("BLOB %s %s %s %s", blob.name, blob.length, text, blob.uri)
    if text == "bad":
        raise ValueError("no such flower")
    out.set(text.upper() + " " + labels.read().decode())

@app.blob_trigger(arg_name="blob", path="results/{name}", connection="AzureWebJobsStorage", source="EventGrid")
def show(blob: func.InputStream) -> None:
    logging.info("SHOWN %s %s", blob.name, blob.read().decode())

@app.queue_trigger(arg_name="message", queue_name="webjobs-blobtrigger-poison", connection="AzureWebJobsStorage")
def poisoned(message: func.QueueMessage) -> None:
    logging.info("POISON %s", message.get_json()["BlobName"])
"#;
const SETTINGS: &str = r#"{"Values": {"FUNCTIONS_WORKER_RUNTIME": "python", "From": "uploads",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true"}}"#;
const CONFIG: &str = "[buckets.uploads]\nprovider = \"azure\"\nseed = \"seed\"\n";

fn house() -> House {
    let plan = Plan::new().file("shop/host.json", r#"{"version": "2.0"}"#).file("shop/function_app.py", APP);
    let plan = plan.file("shop/local.settings.json", SETTINGS).file("mlemu.toml", CONFIG);
    plan.file("seed/labels.txt", "labels").up()
}

#[track_caller]
fn cases(names: &[&str]) {
    let Some(python) = clients::azure_python() else { return };
    for name in names {
        let house = Plan::new().up();
        python.drive(&house, "azure_blob.py", name);
    }
}

#[test]
fn containers_and_blobs_by_the_client_library() {
    cases(&["containers", "blobs", "listing", "conditions"]);
}

#[test]
fn blocks_appends_and_pages_by_the_client_library() {
    cases(&["blocks", "appends", "pages"]);
}

#[test]
fn leases_snapshots_copies_and_batches_by_the_client_library() {
    cases(&["leases", "snapshots", "copies", "batches"]);
}

#[test]
fn signatures_are_verified() {
    cases(&["sas"]);
    let Some(python) = clients::azure_python() else { return };
    let strict = || {
        let ports = Plan::new().arg("--blob-port").arg("0").arg("--queue-port").arg("0");
        ports.arg("--strict-auth").program()
    };
    python.drive(&strict(), "azure_blob.py", "public");
    python.drive(&strict(), "azure_blob.py", "sas");
}

#[test]
fn large_blobs_do_not_stay_in_memory() {
    cases(&["large"]);
}

#[test]
fn the_client_library_for_node() {
    let Some(node) = clients::azure_node() else { return };
    node.drive(&Plan::new().up(), "azure_blob.mjs", "");
}

#[test]
fn blobs_start_functions_and_functions_make_blobs() {
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
    house.wait(0, "the app is up", |record| is(record, "shop", "ended"));
    python.drive(&house, "azure_blob.py", "feed");
    said("shout", "BLOB uploads/in/good.txt 4 good http://127.0.0.1:");
    said("show", "SHOWN results/good-out.txt GOOD labels");
    said(
        "shout",
        "Message has reached MaxDequeueCount of 5. Moving message to queue 'webjobs-blobtrigger-poison'.",
    );
    said("poisoned", "POISON in/bad.txt");
    assert_eq!(house.mlemu(&["wait"]).status.code(), Some(0));
    python.drive(&house, "azure_blob.py", "result");
    let starts = house.records(0).iter().filter(|record| is(record, "shout", "started")).count();
    assert_eq!(starts, 6, "one that went well, and five tries");
}
