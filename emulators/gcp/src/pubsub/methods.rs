//! The one table of operations: what gRPC and REST call by the same names.

use super::PubSub;
use super::fault::Fault;
use super::wire::json;
use bytes::Bytes;
use mlemu_core::Cause;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::Future;

/// A request's message in either spelling.
#[derive(Debug)]
pub(super) enum Ask {
    Proto(Bytes),
    Json(Value),
}

/// An answer in the spelling of its request.
#[derive(Debug)]
pub(super) enum Said {
    Proto(Bytes),
    Json(Value),
}

/// One call of an operation.
pub(super) struct Call {
    ask: Ask,
    /// What began it.
    pub cause: Cause,
}

impl Call {
    pub fn new(ask: Ask, cause: Cause) -> Self {
        Self { ask, cause }
    }

    fn run<A, R>(self, operation: impl FnOnce(A) -> Result<R, Fault>) -> Result<Said, Fault>
    where
        A: Message + Default + DeserializeOwned,
        R: Message + Serialize,
    {
        match self.ask {
            Ask::Proto(bytes) => Ok(Said::Proto(operation(proto(bytes)?)?.encode_to_vec().into())),
            Ask::Json(value) => said_in_json(&operation(json(value)?)?),
        }
    }

    async fn wait<A, R, F>(self, operation: impl FnOnce(A) -> F) -> Result<Said, Fault>
    where
        A: Message + Default + DeserializeOwned,
        R: Message + Serialize,
        F: Future<Output = Result<R, Fault>>,
    {
        match self.ask {
            Ask::Proto(bytes) => Ok(Said::Proto(operation(proto(bytes)?).await?.encode_to_vec().into())),
            Ask::Json(value) => said_in_json(&operation(json(value)?).await?),
        }
    }
}

/// A message of Protocol Buffers.
pub(super) fn proto<A: Message + Default>(bytes: Bytes) -> Result<A, Fault> {
    A::decode(bytes).map_err(|error| Fault::invalid(format!("Malformed request: {error}")))
}

/// A message of JSON. Its fields may be spelled either way, `ackIds` or `ack_ids`; one that it does not have is refused.
pub(super) fn json<A: DeserializeOwned>(mut value: Value) -> Result<A, Fault> {
    let mut read = strangers::<A>(&value)?;
    let mut is_respelled = false;
    for path in &read.1 {
        is_respelled |= json::respell(&mut value, path);
    }
    if is_respelled {
        read = strangers(&value)?;
    }
    match read.1.first() {
        None => Ok(read.0),
        Some(path) => Err(Fault::invalid(json::unknown(path))),
    }
}

/// What is read, and the paths of the fields that it does not have.
fn strangers<A: DeserializeOwned>(value: &Value) -> Result<(A, Vec<Vec<String>>), Fault> {
    let mut strangers = Vec::new();
    let read = serde_ignored::deserialize(value, |path| strangers.push(json::segments(&path)));
    let read = read.map_err(|error| Fault::invalid(format!("Invalid JSON payload received. {error}")))?;
    strangers.retain(|path| !json::is_elsewhere(path));
    Ok((read, strangers))
}

fn said_in_json<R: Serialize>(answer: &R) -> Result<Said, Fault> {
    let value = serde_json::to_value(answer);
    value.map(Said::Json).map_err(|error| Fault::new(tonic::Code::Internal, error.to_string()))
}

impl PubSub {
    /// `method` is the last part of the gRPC path, e.g. `Publish`.
    pub(super) async fn call(&self, method: &str, call: Call) -> Result<Said, Fault> {
        match method {
            "Publish" => {
                let cause = call.cause.clone();
                call.run(|ask| self.publish(ask, &cause))
            }
            "Pull" => call.wait(|ask| self.pull(ask)).await,
            "Acknowledge" => call.run(|ask| self.acknowledge(ask)),
            "ModifyAckDeadline" => call.run(|ask| self.modify_ack_deadline(ask)),
            "CreateTopic" => call.run(|ask| self.create_topic(ask)),
            "GetTopic" => call.run(|ask| self.get_topic(ask)),
            "UpdateTopic" => call.run(|ask| self.update_topic(ask)),
            "ListTopics" => call.run(|ask| self.list_topics(ask)),
            "ListTopicSubscriptions" => call.run(|ask| self.list_topic_subscriptions(ask)),
            "ListTopicSnapshots" => call.run(|ask| self.list_topic_snapshots(ask)),
            "DeleteTopic" => call.run(|ask| self.delete_topic(ask)),
            "CreateSubscription" => call.run(|ask| self.create_subscription(ask)),
            "GetSubscription" => call.run(|ask| self.get_subscription(ask)),
            "UpdateSubscription" => call.run(|ask| self.update_subscription(ask)),
            "ListSubscriptions" => call.run(|ask| self.list_subscriptions(ask)),
            "DeleteSubscription" => call.run(|ask| self.delete_subscription(ask)),
            "DetachSubscription" => call.run(|ask| self.detach_subscription(ask)),
            "ModifyPushConfig" => call.run(|ask| self.modify_push_config(ask)),
            "CreateSnapshot" => call.run(|ask| self.create_snapshot(ask)),
            "GetSnapshot" => call.run(|ask| self.get_snapshot(ask)),
            "UpdateSnapshot" => call.run(|ask| self.update_snapshot(ask)),
            "ListSnapshots" => call.run(|ask| self.list_snapshots(ask)),
            "DeleteSnapshot" => call.run(|ask| self.delete_snapshot(ask)),
            "Seek" => call.run(|ask| self.seek(ask)),
            "SetIamPolicy" => call.run(|ask| self.set_policy(ask)),
            "GetIamPolicy" => call.run(|ask| self.policy(ask)),
            "TestIamPermissions" => call.run(|ask| self.permissions(ask)),
            _ => self.call_of_schemas(method, call),
        }
    }

    fn call_of_schemas(&self, method: &str, call: Call) -> Result<Said, Fault> {
        match method {
            "CreateSchema" => call.run(|ask| self.create_schema(ask)),
            "GetSchema" => call.run(|ask| self.get_schema(ask)),
            "ListSchemas" => call.run(|ask| self.list_schemas(ask)),
            "ListSchemaRevisions" => call.run(|ask| self.list_schema_revisions(ask)),
            "CommitSchema" => call.run(|ask| self.commit_schema(ask)),
            "RollbackSchema" => call.run(|ask| self.rollback_schema(ask)),
            "DeleteSchemaRevision" => call.run(|ask| self.delete_schema_revision(ask)),
            "DeleteSchema" => call.run(|ask| self.delete_schema(ask)),
            "ValidateSchema" => call.run(Self::validate_schema),
            "ValidateMessage" => call.run(|ask| self.validate_message(ask)),
            _ => Err(self.unsupported(method)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::pubsub::wire::{AcknowledgeRequest, PublishRequest, Subscription};
    use serde_json::json;

    #[test]
    fn fields_of_json_are_known_in_both_spellings_and_no_others() {
        let ask = json!({ "subscription": "s", "ack_ids": ["1"] });
        assert_eq!(super::json::<AcknowledgeRequest>(ask).unwrap().ack_ids, ["1"]);
        let ask =
            json!({ "topic": "t", "messages": [{ "ordering_key": "k", "attributes": { "a_b": "1" } }] });
        let read = super::json::<PublishRequest>(ask).unwrap();
        assert_eq!(
            (read.messages[0].ordering_key.as_str(), &read.messages[0].attributes["a_b"][..]),
            ("k", "1")
        );
        for (ask, place) in [
            (json!({ "topic": "t", "mesages": [] }), "Unknown name \"mesages\": Cannot find field."),
            (
                json!({ "messages": [{ "dat": "" }] }),
                "Unknown name \"dat\" at 'messages[0]': Cannot find field.",
            ),
            (
                json!({ "messages": [{ "ordering_key": "k", "orderingKey": "k" }] }),
                "Unknown name \"ordering_key\"",
            ),
        ] {
            let fault = super::json::<PublishRequest>(ask).unwrap_err();
            assert!(fault.message.contains(place), "{}", fault.message);
        }
        let elsewhere = json!({ "topic": "t", "bigqueryConfig": { "table": "p.d.t" } });
        assert!(super::json::<Subscription>(elsewhere).unwrap().bigquery_config.is_some());
    }
}
