//! AddPermission and RemovePermission: statements in a queue's policy. Nothing is enforced.

use super::{queue_of, want};
use crate::sqs::fault::{Code, Fault};
use crate::sqs::{Front, names, wire};
use mlemu_engine::queues::TopicView;
use serde_json::{Value, json};

/// Most actions of one statement.
const MOST_ACTIONS: usize = 7;

pub fn add(front: &Front, request: wire::Permission) -> Result<(), Fault> {
    let queue = queue_of(front, request.queue_url)?;
    let label = want(request.label, "Label")?;
    if request.accounts.is_empty() {
        return Err(Fault::missing("AWSAccountIds"));
    }
    if request.actions.is_empty() {
        return Err(Fault::missing("Actions"));
    }
    if request.actions.len() > MOST_ACTIONS {
        let text =
            format!("{} Actions were found, maximum allowed is {MOST_ACTIONS}.", request.actions.len());
        return Err(Fault::new(Code::OverLimit, text));
    }
    let (mut policy, mut statements) = read(&queue);
    if statements.iter().any(|statement| statement["Sid"] == label) {
        return Err(Fault::value(&label, "Label", "Already exists."));
    }
    let several = |mut all: Vec<String>| if all.len() == 1 { json!(all.remove(0)) } else { json!(all) };
    let accounts = request.accounts.iter().map(|account| format!("arn:aws:iam::{account}:root")).collect();
    let actions = request.actions.iter().map(|action| format!("SQS:{action}")).collect();
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": { "AWS": several(accounts) },
        "Action": several(actions),
        "Resource": names::arn_of(&queue.id),
    }));
    policy["Statement"] = statements.into();
    write(front, &queue, &policy)
}

pub fn remove(front: &Front, request: wire::Permission) -> Result<(), Fault> {
    let queue = queue_of(front, request.queue_url)?;
    let label = want(request.label, "Label")?;
    let (mut policy, mut statements) = read(&queue);
    let before = statements.len();
    statements.retain(|statement| statement["Sid"] != label);
    if statements.len() == before {
        return Err(Fault::value(&label, "Label", "can't find label on existing policy."));
    }
    policy["Statement"] = statements.into();
    write(front, &queue, &policy)
}

/// A queue's policy, and its statements.
fn read(queue: &TopicView) -> (Value, Vec<Value>) {
    let kept = queue.notes.get("Policy").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let fresh = || {
        let id = format!("{}/SQSDefaultPolicy", names::arn_of(&queue.id));
        json!({ "Version": "2008-10-17", "Id": id, "Statement": [] })
    };
    let policy = kept.filter(Value::is_object).unwrap_or_else(fresh);
    let statements = match &policy["Statement"] {
        Value::Array(all) => all.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    (policy, statements)
}

fn write(front: &Front, queue: &TopicView, policy: &Value) -> Result<(), Fault> {
    let is_empty = policy["Statement"].as_array().is_some_and(Vec::is_empty);
    Ok(front.queues().note(&queue.id, |notes, _| {
        if is_empty {
            notes.remove("Policy");
        } else {
            notes.insert("Policy".into(), policy.to_string());
        }
    })?)
}
