//! Cloud Storage from Google's own client libraries; uploads that start functions of either generation.

use super::clients;
use super::house::{House, is};
use super::http;
use super::plan::Plan;
use super::program::Program;
use serde_json::Value;
use std::process::Command;

const CONFIG: &str = r#"
[gcp]
project = "demo-flowers"

[functions.stored]
provider = "gcp"
memory = "512MB"
triggers = [{ bucket = "uploads", prefix = "in/", suffix = ".csv" }]

[functions.deleted]
provider = "gcp"
runtime = "python311"
handler = "deleted"
generation = 1
triggers = [{ bucket = "uploads", events = ["google.storage.object.delete"] }]
"#;

/// Say their events in their logs, as one line.
const MAIN: &str = "\
import json
import functions_framework

@functions_framework.cloud_event
def stored(event):
    print('EVENT ' + json.dumps({**event.get_attributes(), 'data': event.data}))

def deleted(data, context):
    print('EVENT ' + json.dumps({'type': context.event_type, 'resource': context.resource, 'data': data}))
";

fn house() -> House {
    Plan::new().file("mlemu.toml", CONFIG).file("main.py", MAIN).up()
}

#[track_caller]
fn case(name: &str) -> Option<House> {
    let python = clients::google_python()?;
    let house = Plan::new().up();
    python.drive(&house, "gcs.py", name);
    Some(house)
}

#[test]
fn objects_and_their_names() {
    case("objects");
}

#[test]
fn large_objects_in_pieces() {
    case("large");
}

#[test]
fn preconditions() {
    case("conditions");
}

#[test]
fn generations() {
    case("versions");
}

#[test]
fn access_lists_policies_and_keys() {
    case("access");
}

#[test]
fn what_is_said_of_buckets() {
    case("buckets");
}

#[test]
fn batches() {
    case("batches");
}

#[test]
fn the_transfer_manager() {
    case("parts");
}

#[test]
fn the_clients_own_retries_get_over_googles_faults() {
    case("retries");
}

/// A daemon that verifies what the key in its project signed, and admits nobody else.
#[track_caller]
fn strict() -> Option<(clients::Clients, Program)> {
    let python = clients::google_python()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/clients/gcs_key.py");
    let output = python.program("python").arg(script).output().expect("python");
    let key = String::from_utf8(output.stdout).expect("a key file");
    let config = "[gcp]\nservice_account = \"key.json\"\n";
    let plan = Plan::new().file("key.json", &key).file("mlemu.toml", config).arg("--strict-auth");
    Some((python, plan.arg("--gcp-port").arg("0").program()))
}

#[test]
fn signed_urls_and_forms() {
    let Some((python, house)) = strict() else { return };
    python.drive(&house, "gcs.py", "signed");
}

#[test]
fn signed_urls_and_forms_of_the_client_for_node() {
    let Some((_, house)) = strict() else { return };
    let Some(node) = clients::google_node() else { return };
    node.drive(&house, "gcs.mjs", "signed");
}

#[test]
fn the_client_for_node() {
    let Some(node) = clients::google_node() else { return };
    let house = Plan::new().up();
    for case in ["objects", "versions", "access"] {
        node.drive(&house, "gcs.mjs", case);
    }
}

/// `gcloud` as it is installed; says so when there is none.
fn gcloud(house: &House, args: &[&str]) -> Option<String> {
    let mut command = Command::new("gcloud");
    command.args(args).envs(house.env()).env("CLOUDSDK_CONFIG", house.plan.path(".gcloud"));
    command.env("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1").env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1");
    let Ok(output) = command.current_dir(house.plan.path("")).output() else {
        eprintln!("skipped: there is no gcloud");
        return None;
    };
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "gcloud {args:?}\n{complained}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn gclouds_own_commands() {
    let house = Plan::new().file("rose.txt", "red\n").up();
    let Some(_) = gcloud(&house, &["storage", "buckets", "create", "gs://garden", "--location=EU"]) else {
        return;
    };
    let run = |args: &[&str]| gcloud(&house, args).expect("it was there");
    run(&["storage", "cp", "rose.txt", "gs://garden/in/rose.txt"]);
    assert_eq!(run(&["storage", "cat", "gs://garden/in/rose.txt"]), "red\n");
    assert_eq!(run(&["storage", "ls", "gs://garden/in/"]).trim(), "gs://garden/in/rose.txt");
    run(&["storage", "cp", "gs://garden/in/rose.txt", "back.txt"]);
    assert_eq!(std::fs::read_to_string(house.plan.path("back.txt")).expect("it came back"), "red\n");
    run(&["storage", "mv", "gs://garden/in/rose.txt", "gs://garden/out.txt"]);
    assert_eq!(run(&["storage", "ls", "gs://garden/**"]).trim(), "gs://garden/out.txt");
    run(&["storage", "rm", "--recursive", "gs://garden"]);
}

fn event(record: &Value) -> Option<Value> {
    let text = record["what"]["log"]["text"].as_str()?;
    Some(serde_json::from_str(text.strip_prefix("EVENT ")?).expect("an event"))
}

#[test]
fn an_upload_and_a_removal_start_functions_with_their_own_kind_of_event() {
    let Some(python) = clients::google_python() else { return };
    let house = house();
    python.drive(&house, "gcs.py", "tells");
    let told = |name: &'static str| {
        let record = house.wait(0, name, |record| is(record, name, "log") && event(record).is_some());
        event(&record).expect("the event")
    };
    let (stored, deleted) = (told("stored"), told("deleted"));
    assert_eq!(stored["type"], "google.cloud.storage.object.v1.finalized");
    assert_eq!(stored["source"], "//storage.googleapis.com/projects/_/buckets/uploads");
    // Python's SDK leaves the encoding of header values as it came.
    assert_eq!(stored["subject"], "objects/in/red%20flower%20%C3%A9.csv");
    assert_eq!(stored["data"]["name"], "in/red flower é.csv");
    assert_eq!((&stored["bucket"], &stored["data"]["size"]), (&"uploads".into(), &"4".into()));
    assert_eq!(stored["data"]["contentType"], "text/csv");
    assert_eq!(deleted["type"], "google.storage.object.delete");
    assert_eq!(deleted["resource"]["type"], "storage#object");
    let (was, is) = (&stored["data"]["generation"], &deleted["data"]["generation"]);
    assert_eq!(was, is, "the generation that is gone");
    house.wait_ended(0, "stored");
    house.wait_ended(0, "deleted");
    let events = house.records(0).iter().filter_map(event).count();
    assert_eq!(events, 2, "only what the filters let through");
}

#[test]
fn malformed_requests_get_the_vendors_errors_and_the_daemon_lives() {
    let house = Plan::new().up();
    let ask =
        |line: &str, headers: &[(&str, &str)], body: &[u8]| http::send(house.gcp(), line, headers, body);
    assert_eq!(ask("POST /storage/v1/b?project=demo-mlemu", &[], br#"{"name":"pics"}"#).status, 200);
    let multipart = "POST /upload/storage/v1/b/pics/o?uploadType=multipart";
    for kind in
        ["multipart/related", "multipart/related; boundary=", "text/plain", "multipart/related; boundary=x"]
    {
        let answer = ask(multipart, &[("Content-Type", kind)], b"--x\r\n\r\n{\r\n--x\r\n\r\n\xff\r\n--x--");
        assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (400, 400.into()), "{kind}");
    }
    let begun = ask("POST /upload/storage/v1/b/pics/o?uploadType=resumable&name=x", &[], b"");
    let location = begun.header("location").expect("a session").to_owned();
    let path = location.trim_start_matches("http://").trim_start_matches(&house.gcp().to_string());
    for range in [
        "bytes",
        "bytes 9-1/3",
        "bytes 0-99999999999999999999/*",
        "bytes 5-9/10",
        "lines 0-1/2",
        "bytes 0-3/2",
    ] {
        let answer = ask(&format!("PUT {path}"), &[("Content-Range", range)], b"12345");
        assert_eq!(answer.status, 400, "{range}: {}", answer.text());
    }
    assert_eq!(ask(&format!("PUT {path}"), &[("Content-Range", "bytes 0-4/5")], b"12345").status, 200);
    for path in
        ["/storage/v1/b/pics/o/%ff", "/storage/v1/b/pics/o?maxResults=x", "/storage/v1/b/pics/o?pageToken=@"]
    {
        assert_eq!(ask(&format!("GET {path}"), &[], b"").status, 400, "{path}");
    }
    assert_eq!(ask("POST /storage/v1/b/pics/folders", &[], b"").status, 501);
    assert_eq!(ask("GET /storage/v1/b/pics/o/x?alt=media", &[], b"").body, b"12345");
}
