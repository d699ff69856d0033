//! What each operation does.

mod permission;
mod publish;
mod subscriptions;
mod tags;
mod topics;

use super::Front;
use super::call::Call;
use super::decode::read;
use super::fault::Fault;
use super::routes::Operation;
use super::store::Attributes;
use mlemu_core::{Subject, What};
use serde_json::Value;
use std::sync::Arc;

/// What a project declares.
#[derive(Clone, Debug)]
pub enum Declared {
    Topic { name: String, attributes: Attributes },
    Subscription { topic: String, protocol: String, endpoint: String, attributes: Attributes },
}

/// Runs one operation.
pub(super) async fn run(
    front: &Arc<Front>,
    call: &Call,
    operation: Operation,
    form: Value,
) -> Result<Value, Fault> {
    use Operation as Op;
    match operation {
        Op::CreateTopic => topics::create(front, call, read(form)?),
        Op::DeleteTopic => topics::delete(front, &read(form)?),
        Op::ListTopics => Ok(topics::list(front, call, &read(form)?)),
        Op::GetTopicAttributes => topics::attributes(front, &read(form)?),
        Op::SetTopicAttributes => topics::set(front, read(form)?),
        Op::Subscribe => subscriptions::create(front, call, read(form)?),
        Op::ConfirmSubscription => subscriptions::confirm(front, read(form)?),
        Op::Unsubscribe => subscriptions::delete(front, call, &read(form)?),
        Op::ListSubscriptions => Ok(subscriptions::list(front, call, &read(form)?)),
        Op::ListSubscriptionsByTopic => subscriptions::list_of_topic(front, &read(form)?),
        Op::GetSubscriptionAttributes => subscriptions::attributes(front, &read(form)?),
        Op::SetSubscriptionAttributes => subscriptions::set(front, read(form)?),
        Op::Publish => publish::one(front, call, read(form)?).await,
        Op::PublishBatch => publish::batch(front, call, read(form)?).await,
        Op::AddPermission => permission::add(front, call, &read(form)?),
        Op::RemovePermission => permission::remove(front, &read(form)?),
        Op::TagResource => tags::add(front, read(form)?),
        Op::UntagResource => tags::remove(front, &read(form)?),
        Op::ListTagsForResource => tags::list(front, &read(form)?),
        other => {
            let what = What::Unsupported { service: "sns".into(), operation: other.name().into() };
            front.parts.sink.send(front.parts.clock.now(), Subject::default(), what);
            Err(Fault::not_implemented(other.name()))
        }
    }
}

/// Makes what a project declares.
pub(super) fn declare(front: &Arc<Front>, declared: Declared) -> Result<(), Fault> {
    match declared {
        Declared::Topic { name, attributes } => topics::declare(front, &name, attributes),
        Declared::Subscription { topic, protocol, endpoint, attributes } => {
            subscriptions::declare(front, &topic, &protocol, &endpoint, attributes)
        }
    }
}

/// A parameter that must be there.
fn want(value: Option<String>, parameter: &str) -> Result<String, Fault> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Fault::parameter(format!("{parameter} Reason: no value")))
}

/// Cuts a sorted list of ARNs to the page that a token names.
fn page<T>(all: Vec<T>, token: Option<&str>, key: impl Fn(&T) -> &str) -> (Vec<T>, Option<String>) {
    const PAGE: usize = 100;
    let mut rest: Vec<T> =
        all.into_iter().filter(|one| token.is_none_or(|token| key(one) >= token)).collect();
    let next = rest.get(PAGE).map(|one| key(one).to_owned());
    rest.truncate(PAGE);
    (rest, next)
}
