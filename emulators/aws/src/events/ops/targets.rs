//! PutTargets, RemoveTargets, ListTargetsByRule.

use super::rules::with_next;
use super::{page, want};
use crate::events::Front;
use crate::events::fault::Fault;
use crate::events::wire::{Named, PutTargets, RemoveTargets, Target};
use crate::reach;
use crate::sqs::Sqs;
use serde_json::{Value, json};

/// Most targets of a rule.
const MOST: usize = 5;

pub fn put(front: &Front, request: PutTargets) -> Result<Value, Fault> {
    let rule = want(request.rule.as_deref(), "rule")?;
    let mut store = front.store();
    let rule = store.rule_mut(request.event_bus_name.as_deref(), rule)?;
    let mut failed = Vec::new();
    for target in request.targets {
        match check(&target) {
            Ok(()) if rule.targets.len() < MOST || rule.targets.contains_key(&target.id) => {
                rule.targets.insert(target.id.clone(), target);
            }
            Ok(()) => failed.push(refused(
                &target,
                "LimitExceededException",
                "The requested resource exceeds the maximum number allowed.",
            )),
            Err(Problem::Whole(fault)) => return Err(fault),
            Err(Problem::One(text)) => failed.push(refused(&target, "ValidationException", &text)),
        }
    }
    Ok(json!({ "FailedEntryCount": failed.len(), "FailedEntries": failed }))
}

fn refused(target: &Target, code: &str, text: &str) -> Value {
    json!({ "TargetId": target.id, "ErrorCode": code, "ErrorMessage": text })
}

enum Problem {
    /// The request is refused.
    Whole(Fault),
    One(String),
}

fn check(target: &Target) -> Result<(), Problem> {
    if target.id.is_empty() {
        return Err(Problem::Whole(Fault::missing("targets.1.member.id")));
    }
    let service = reach::service(&target.arn);
    if service.is_empty() {
        let text =
            format!("Parameter {} is not valid. Reason: Provided Arn is not in correct format.", target.arn);
        return Err(Problem::Whole(Fault::validation(text)));
    }
    let ways = [target.input.is_some(), target.input_path.is_some(), target.input_transformer.is_some()];
    if ways.into_iter().filter(|given| *given).count() > 1 {
        let text = format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {}.",
            target.id
        );
        return Err(Problem::Whole(Fault::validation(text)));
    }
    if target.input.as_ref().is_some_and(|input| serde_json::from_str::<Value>(input).is_err()) {
        let text = format!("JSON syntax error in input for target {}", target.id);
        return Err(Problem::Whole(Fault::validation(text)));
    }
    if Sqs::is_fifo(&target.arn) && target.sqs_parameters.is_none() {
        let text = format!("Parameter(s) SqsParameters must be specified for target: {}.", target.id);
        return Err(Problem::Whole(Fault::validation(text)));
    }
    match service {
        "lambda" | "sqs" | "sns" | "events" => Ok(()),
        other => Err(Problem::One(format!("mlemu does not have targets of {other} yet"))),
    }
}

pub fn remove(front: &Front, request: &RemoveTargets) -> Result<Value, Fault> {
    let rule = want(request.rule.as_deref(), "rule")?;
    let mut store = front.store();
    let rule = store.rule_mut(request.event_bus_name.as_deref(), rule)?;
    rule.targets.retain(|id, _| !request.ids.contains(id));
    Ok(json!({ "FailedEntryCount": 0, "FailedEntries": [] }))
}

pub fn list(front: &Front, request: &Named) -> Result<Value, Fault> {
    let name = want(request.rule.as_deref(), "rule")?;
    let store = front.store();
    let rule = store.rule(request.event_bus_name.as_deref(), name)?;
    let all: Vec<Target> = rule.targets.values().cloned().collect();
    let (targets, next) = page(all, request, |target| target.id.clone());
    Ok(with_next(json!({ "Targets": targets }), next))
}
