//! AddPermission and RemovePermission: statements are kept and told, nothing is enforced.

use super::want;
use crate::sns::Front;
use crate::sns::call::Call;
use crate::sns::fault::Fault;
use crate::sns::wire::Permission;
use serde_json::{Value, json};

pub fn add(front: &Front, _call: &Call, request: &Permission) -> Result<Value, Fault> {
    let arn = want(request.topic_arn.clone(), "TopicArn")?;
    let label = want(request.label.clone(), "Label")?;
    let mut store = front.store();
    let topic = store.topics.get_mut(&arn).ok_or_else(Fault::no_topic)?;
    if topic.statements.iter().any(|statement| statement["Sid"] == *label) {
        return Err(Fault::parameter("Statement already exists"));
    }
    let roots = request.accounts.iter().map(|account| format!("arn:aws:iam::{account}:root"));
    let actions = request.actions.iter().map(|action| format!("SNS:{action}"));
    topic.statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": { "AWS": roots.collect::<Vec<_>>() },
        "Action": actions.collect::<Vec<_>>(),
        "Resource": arn,
    }));
    Ok(Value::Null)
}

pub fn remove(front: &Front, request: &Permission) -> Result<Value, Fault> {
    let arn = want(request.topic_arn.clone(), "TopicArn")?;
    let label = want(request.label.clone(), "Label")?;
    let mut store = front.store();
    let topic = store.topics.get_mut(&arn).ok_or_else(Fault::no_topic)?;
    topic.statements.retain(|statement| statement["Sid"] != *label);
    Ok(Value::Null)
}
