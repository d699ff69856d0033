//! Subscriptions: made, shown, changed, detached, removed.

use crate::pubsub::PubSub;
use crate::pubsub::fault::Fault;
use crate::pubsub::names::{self, Kind, Name};
use crate::pubsub::registry::{Held, page};
use crate::pubsub::wire::{
    DetachSubscriptionRequest, Empty, ListSubscriptionsRequest, ListSubscriptionsResponse,
    ModifyPushConfigRequest, NamedSubscription, Subscription, UpdateSubscriptionRequest,
};
use crate::pubsub::{push, settings};
use mlemu_engine::queues::SubscriptionId;

const ACTIVE: i32 = 1;

impl PubSub {
    pub(crate) fn create_subscription(&self, said: Subscription) -> Result<Subscription, Fault> {
        let said = self.add_subscription(said)?;
        self.push_anew();
        Ok(said)
    }

    /// Without sending its messages anywhere.
    pub(in crate::pubsub) fn add_subscription(&self, mut said: Subscription) -> Result<Subscription, Fault> {
        Name::of(Kind::Subscription, &said.name)?;
        self.check_subscription(&mut said)?;
        // Whole names: subscriptions of another project may be of the same topic.
        let core = SubscriptionId { topic: self.topic_id(&said.topic)?, name: said.name.as_str().into() };
        let settings = self.settings(&said)?;
        let mut registry = self.registry();
        if registry.subscriptions.contains_key(&said.name) {
            return Err(Fault::exists("subscription", &said.name));
        }
        said.topic_message_retention_duration = registry.topic(&said.topic)?.message_retention_duration;
        (said.state, said.detached) = (ACTIVE, false);
        self.queues().subscribe(&core, settings)?;
        registry.subscriptions.insert(said.name.clone(), Held { said: said.clone(), core: Some(core) });
        Ok(said)
    }

    fn check_subscription(&self, said: &mut Subscription) -> Result<(), Fault> {
        let exports = [&said.bigquery_config, &said.cloud_storage_config, &said.bigtable_config];
        if exports.iter().any(|export| export.is_some()) {
            return Err(self.unsupported("subscriptions that export to another service"));
        }
        if let Some(config) = &said.push_config {
            push::check(config)?;
        }
        settings::complete(said)
    }

    pub(in crate::pubsub) fn get_subscription(&self, ask: NamedSubscription) -> Result<Subscription, Fault> {
        self.registry().subscription(&ask.subscription).map(|held| held.said.clone())
    }

    pub(in crate::pubsub) fn update_subscription(
        &self,
        ask: UpdateSubscriptionRequest,
    ) -> Result<Subscription, Fault> {
        let fresh = ask.subscription.unwrap_or_default();
        let paths = ask.update_mask.unwrap_or_default().paths;
        if paths.is_empty() {
            return Err(Fault::invalid("The update_mask in the request must be specified and not empty."));
        }
        let mut said = self.registry().subscription(&fresh.name)?.said.clone();
        for path in &paths {
            overwrite(&mut said, &fresh, path)?;
        }
        self.check_subscription(&mut said)?;
        self.describe_anew(said)
    }

    fn describe_anew(&self, said: Subscription) -> Result<Subscription, Fault> {
        let settings = self.settings(&said)?;
        let mut registry = self.registry();
        let Some(held) = registry.subscriptions.get_mut(&said.name) else {
            return Err(Fault::missing("subscription", &said.name));
        };
        held.said = said.clone();
        if let Some(core) = &held.core {
            self.queues().configure(core, |kept| *kept = settings)?;
        }
        drop(registry);
        self.push_anew();
        Ok(said)
    }

    pub(in crate::pubsub) fn list_subscriptions(
        &self,
        ask: ListSubscriptionsRequest,
    ) -> Result<ListSubscriptionsResponse, Fault> {
        let prefix = format!("projects/{}/", names::project(&ask.project)?);
        let registry = self.registry();
        let all = registry.subscriptions.iter().filter(|(name, _)| name.starts_with(&prefix));
        let all = all.map(|(name, held)| (name.clone(), held.said.clone()));
        let (subscriptions, next_page_token) = page(all, ask.page_size, &ask.page_token);
        Ok(ListSubscriptionsResponse { subscriptions, next_page_token })
    }

    pub(in crate::pubsub) fn delete_subscription(&self, ask: NamedSubscription) -> Result<Empty, Fault> {
        self.remove_subscription(&ask.subscription)?;
        self.push_anew();
        Ok(Empty {})
    }

    /// Who waits there is told.
    pub(in crate::pubsub) fn remove_subscription(&self, name: &str) -> Result<(), Fault> {
        let mut registry = self.registry();
        let gone = registry.subscriptions.remove(name);
        registry.policies.remove(name);
        let gone = gone.ok_or_else(|| Fault::missing("subscription", name))?;
        if let Some(core) = gone.core {
            self.queues().unsubscribe(&core)?;
        }
        Ok(())
    }

    /// It stays, and gets nothing any more.
    pub(in crate::pubsub) fn detach_subscription(
        &self,
        ask: DetachSubscriptionRequest,
    ) -> Result<Empty, Fault> {
        let mut registry = self.registry();
        let core = registry.place(&ask.subscription)?;
        self.queues().unsubscribe(&core)?;
        if let Some(held) = registry.subscriptions.get_mut(&ask.subscription) {
            held.core = None;
            held.said.detached = true;
        }
        drop(registry);
        self.push_anew();
        Ok(Empty {})
    }

    pub(in crate::pubsub) fn modify_push_config(&self, ask: ModifyPushConfigRequest) -> Result<Empty, Fault> {
        let mut said = self.registry().subscription(&ask.subscription)?.said.clone();
        said.push_config = ask.push_config.filter(|config| !config.push_endpoint.is_empty());
        self.check_subscription(&mut said)?;
        self.describe_anew(said).map(|_| Empty {})
    }
}

fn overwrite(said: &mut Subscription, fresh: &Subscription, path: &str) -> Result<(), Fault> {
    match path.split('.').next().unwrap_or_default() {
        "push_config" => said.push_config.clone_from(&fresh.push_config),
        "ack_deadline_seconds" => said.ack_deadline_seconds = fresh.ack_deadline_seconds,
        "retain_acked_messages" => said.retain_acked_messages = fresh.retain_acked_messages,
        "message_retention_duration" => said.message_retention_duration = fresh.message_retention_duration,
        "labels" => said.labels.clone_from(&fresh.labels),
        "expiration_policy" => said.expiration_policy.clone_from(&fresh.expiration_policy),
        "dead_letter_policy" => said.dead_letter_policy.clone_from(&fresh.dead_letter_policy),
        "retry_policy" => said.retry_policy.clone_from(&fresh.retry_policy),
        "enable_exactly_once_delivery" => {
            said.enable_exactly_once_delivery = fresh.enable_exactly_once_delivery;
        }
        "bigquery_config" | "cloud_storage_config" => {
            said.bigquery_config.clone_from(&fresh.bigquery_config);
            said.cloud_storage_config.clone_from(&fresh.cloud_storage_config);
        }
        "filter" | "enable_message_ordering" | "topic" | "name" => {
            return Err(Fault::invalid(format!(
                "Invalid update_mask provided: {path} of a subscription cannot be changed."
            )));
        }
        _ => return Err(Fault::invalid(format!("Invalid update_mask provided: {path}."))),
    }
    Ok(())
}
