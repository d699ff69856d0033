//! Workers that are installed already, as Core Tools bring them, and what becomes of a call when one of them ends, hangs
//! or speaks no protocol: its caller hears of it as in the cloud, another worker takes the next call, and the daemon
//! lives.

use super::clients;
use super::house::{House, is};
use super::http::{self, Answer};
use super::plan::Plan;
use serde_json::{Value, json};

const WORKER: &str = include_str!("clients/azure_worker.cjs");
const CONFIG: &str = r#"{"description": {"language": "node", "extensions": [".js"], "defaultExecutablePath": "node",
    "defaultWorkerPath": "dist/worker.cjs"}}"#;

/// An app of functions that a worker of our own runs, each after its name.
fn house(functions: &[&str], begins: &str) -> Option<House> {
    clients::node_version()?;
    let plan = Plan::new().file("tools/worker.config.json", CONFIG).file("tools/dist/worker.cjs", WORKER);
    let tools = plan.path("tools").display().to_string();
    let settings = json!({ "Values": { "FUNCTIONS_WORKER_RUNTIME": "node", "BEGINS": begins,
        "languageWorkers__node__workerDirectory": tools } });
    let host =
        r#"{"version": "2.0", "functionTimeout": "00:00:03", "extensions": {"http": {"routePrefix": ""}}}"#;
    let plan = plan.file("odd/host.json", host).file("odd/local.settings.json", &settings.to_string());
    let function = r#"{"bindings": [{"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous"},
        {"type": "http", "direction": "out", "name": "$return"}]}"#;
    let plan =
        functions.iter().fold(plan, |plan, name| plan.file(&format!("odd/{name}/function.json"), function));
    Some(plan.up())
}

fn call(house: &House, name: &str) -> Answer {
    http::send(house.azure(), &format!("GET /{name}"), &[], b"")
}

/// How the one call ends, seen by its caller and by the records; the next goes to another worker.
#[track_caller]
fn broken(name: &str, expected: &Value) {
    let Some(house) = house(&["good", name], "") else { return };
    let before = call(&house, "good").text();
    assert!(before.starts_with("good "), "{before}");
    let answer = call(&house, name);
    assert_eq!((answer.status, answer.text().as_str()), (500, ""), "{name}");
    let status = house.wait_ended(0, name)["status"].clone();
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&status[key], value, "{name}: {status}");
    }
    let after = call(&house, "good").text();
    assert!(after.starts_with("good ") && after != before, "{name}: {after} after {before}");
    assert_eq!(house.ask("GET /_mlemu/invocations", &Value::Null).status, 200, "the daemon lives");
}

#[test]
fn a_worker_that_exits() {
    broken("exits", &json!({ "status": "exited", "code": 7 }));
}

#[test]
fn a_worker_that_is_killed() {
    broken("dies", &json!({ "status": "exited", "signal": 9 }));
}

#[test]
fn a_worker_that_never_answers() {
    broken("hangs", &json!({ "status": "timeout" }));
}

#[test]
fn what_else_a_worker_had_under_way_ends_with_it() {
    let Some(house) = house(&["good", "hangs", "exits"], "") else { return };
    assert_eq!(call(&house, "good").status, 200, "it is up");
    for (first, second) in [("hangs", "hangs"), ("hangs", "exits")] {
        let house = &house;
        let statuses = std::thread::scope(|scope| {
            let asks = [first, second].map(|name| scope.spawn(move || call(house, name).status));
            asks.map(|ask| ask.join().expect("it asks"))
        });
        assert_eq!(statuses, [500, 500], "{first} and {second}");
        assert!(call(house, "good").text().starts_with("good "), "another worker takes the next call");
    }
}

#[test]
fn a_worker_that_stands_still() {
    broken("stops", &json!({ "status": "timeout" }));
}

#[test]
fn a_worker_that_ends_its_stream() {
    broken("ends", &json!({ "kind": "WorkerProcessExitException" }));
}

#[test]
fn a_worker_that_says_what_is_no_message() {
    broken("garbage", &json!({ "kind": "WorkerProcessExitException" }));
}

#[test]
fn a_worker_that_promises_more_than_it_says() {
    broken("huge", &json!({ "status": "timeout" }));
}

#[test]
fn a_worker_that_breaks_its_connection() {
    broken("noframe", &json!({ "kind": "WorkerProcessExitException" }));
}

#[test]
fn a_worker_that_does_not_begin() {
    let Some(house) = house(&["good"], "garbage") else { return };
    let answer = call(&house, "good");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("Function host is not running."), "{}", answer.text());
    assert_eq!(house.ask("GET /_mlemu/invocations", &Value::Null).status, 200, "the daemon lives");
}

#[test]
fn answers_to_nobody_are_passed_over_and_logs_are_told() {
    let Some(house) = house(&["stranger", "cancelled", "failed", "logs"], "") else { return };
    assert_eq!(call(&house, "stranger").text(), "right");
    assert_eq!(call(&house, "cancelled").status, 500);
    assert_eq!(call(&house, "failed").status, 500);
    assert_eq!(house.wait_ended(0, "failed")["status"]["kind"], "ValueError");
    assert_eq!(call(&house, "logs").text(), "logged");
    let told = house.wait(0, "what it logs", |record| {
        is(record, "logs", "log") && record["what"]["log"]["text"] == "told by the stream"
    });
    assert!(told["subject"]["invocation"].is_string(), "{told}");
    house.wait(0, "what it prints", |record| record["what"]["log"]["text"] == " for the host");
    let quiet = |record: &Value| {
        let text = record["what"]["log"]["text"].as_str().unwrap_or_default().to_owned();
        text.contains("too small") || text.contains("of itself")
    };
    assert!(!house.records(0).iter().any(quiet));
}
