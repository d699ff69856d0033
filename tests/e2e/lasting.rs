//! What outlives the daemon: everything that it acknowledged, and nothing that it took back.

mod comeback;
mod events;
mod exact;
mod kills;
mod large;
mod ledger;
mod talk;

use super::plan::Plan;
use super::program::Program;
use serde_json::json;
use std::path::Path;
use talk::{Queue, sqs};

fn house(folder: &Path, durability: &str) -> Program {
    let plan = Plan::new().arg("--persist").arg(&folder.to_string_lossy());
    plan.arg("--durability").arg(durability).program()
}

/// Ends the daemon as nothing can be ready for.
fn kill(house: &mut Program) {
    house.signal(rustix::process::Signal::KILL);
    house.ended();
}

#[test]
fn a_message_in_flight_stays_hidden_until_its_time_on_the_wall_clock() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = house(folder.path(), "durable");
    let queue = Queue::create(first.aws(), "jobs", &json!({}));
    queue.send(first.aws(), "one").expect("sent");
    let lease = std::time::Duration::from_secs(6);
    let before = std::time::SystemTime::now();
    let taken = queue.receive(first.aws(), lease.as_secs(), 0).expect("answered").pop().expect("a message");
    kill(&mut first);
    let second = house(folder.path(), "durable");
    assert!(queue.receive(second.aws(), 30, 0).expect("answered").is_empty());
    // The answer comes when the time has come, and tells when that was.
    let again = queue.receive(second.aws(), 30, 20).expect("answered").pop().expect("the same message");
    let hidden = before.elapsed().expect("time goes on");
    assert_eq!(again.id, taken.id);
    assert!(hidden >= lease, "visible after {hidden:?}");
    assert!(hidden < lease * 3, "visible after {hidden:?}");
}

#[test]
fn receipts_keys_and_attributes_are_as_good_as_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = house(folder.path(), "disk");
    let said = json!({ "FifoQueue": "true", "VisibilityTimeout": "77" });
    let queue = Queue::create(first.aws(), "once.fifo", &said);
    let sent = queue.send_once(first.aws(), "a", "key").expect("sent");
    let taken = queue.receive(first.aws(), 600, 0).expect("answered").pop().expect("a message");
    kill(&mut first);
    let second = house(folder.path(), "disk");
    assert_eq!(queue.send_once(second.aws(), "a", "key").expect("sent"), sent);
    assert!(queue.receive(second.aws(), 600, 0).expect("answered").is_empty());
    assert!(queue.delete(second.aws(), &taken.receipt).is_some());
    let asked = json!({ "QueueUrl": queue.url, "AttributeNames": ["All"] });
    let told = sqs(second.aws(), "GetQueueAttributes", &asked).expect("answered");
    let attributes = &told["Attributes"];
    assert_eq!(attributes["VisibilityTimeout"], "77");
    assert_eq!(attributes["ApproximateNumberOfMessagesNotVisible"], "0");
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = house(folder.path(), "disk");
    let plan = Plan::new();
    let dir = folder.path().to_string_lossy().into_owned();
    let second = plan.mlemu(&["up", "--aws-port", "0", "--control-port", "0", "--persist", &dir]);
    let output = { second }.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("is used by another mlemu") && said.contains(&first.pid().to_string()), "{said}");
    Queue::create(first.aws(), "still-here", &json!({}));
}
