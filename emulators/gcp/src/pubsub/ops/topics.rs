//! Topics: made, shown, changed, removed.

use crate::pubsub::PubSub;
use crate::pubsub::fault::Fault;
use crate::pubsub::names::{self, DELETED_TOPIC, Kind, Name};
use crate::pubsub::registry::page;
use crate::pubsub::settings::span;
use crate::pubsub::wire::{
    DeleteTopicRequest, Empty, GetTopicRequest, ListOfTopicRequest, ListTopicSnapshotsResponse,
    ListTopicSubscriptionsResponse, ListTopicsRequest, ListTopicsResponse, Span, Topic, UpdateTopicRequest,
};
use mlemu_engine::queues::{Notes, TopicId};
use std::time::Duration;

const ACTIVE: i32 = 1;
const SHORTEST_RETENTION: Duration = Duration::from_secs(600);
const LONGEST_RETENTION: Duration = Duration::from_secs(31 * 24 * 3600);

impl PubSub {
    pub(in crate::pubsub) fn create_topic(&self, mut topic: Topic) -> Result<Topic, Fault> {
        let id = self.topic_id(&topic.name)?;
        self.check_topic(&topic)?;
        topic.state = ACTIVE;
        let mut registry = self.registry();
        if registry.topics.contains_key(&topic.name) {
            return Err(Fault::exists("topic", &topic.name));
        }
        self.queues().create_topic(&id, Notes::new(), Notes::new())?;
        self.queues().retain(&id, topic.message_retention_duration.and_then(Span::duration))?;
        registry.topics.insert(topic.name.clone(), topic.clone());
        Ok(topic)
    }

    fn check_topic(&self, topic: &Topic) -> Result<(), Fault> {
        if topic.ingestion_data_source_settings.is_some() {
            return Err(self.unsupported("ingestion from other services into a topic"));
        }
        if let Some(retention) = topic.message_retention_duration {
            span("message_retention_duration", retention, SHORTEST_RETENTION, LONGEST_RETENTION)?;
        }
        match &topic.schema_settings {
            Some(settings) if settings.schema != names::DELETED_SCHEMA => {
                self.registry().schema(&settings.schema).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Makes sure that a topic is there.
    pub(crate) fn ensure_topic(&self, name: &str) -> Result<(), Fault> {
        match self.create_topic(Topic { name: name.to_owned(), ..Topic::default() }) {
            Err(fault) if fault.code == tonic::Code::AlreadyExists => Ok(()),
            made => made.map(drop),
        }
    }

    pub(in crate::pubsub) fn get_topic(&self, ask: GetTopicRequest) -> Result<Topic, Fault> {
        self.registry().topic(&ask.topic).cloned()
    }

    pub(in crate::pubsub) fn update_topic(&self, ask: UpdateTopicRequest) -> Result<Topic, Fault> {
        let fresh = ask.topic.unwrap_or_default();
        self.check_topic(&fresh)?;
        let id = self.topic_id(&fresh.name)?;
        let mut registry = self.registry();
        let mut topic = registry.topic(&fresh.name)?.clone();
        let paths = ask.update_mask.unwrap_or_default().paths;
        if paths.is_empty() {
            return Err(Fault::invalid("The update_mask in the request must be specified and not empty."));
        }
        for path in &paths {
            match path.split('.').next().unwrap_or_default() {
                "labels" => topic.labels.clone_from(&fresh.labels),
                "message_storage_policy" => {
                    topic.message_storage_policy.clone_from(&fresh.message_storage_policy);
                }
                "kms_key_name" => topic.kms_key_name.clone_from(&fresh.kms_key_name),
                "schema_settings" => topic.schema_settings.clone_from(&fresh.schema_settings),
                "message_retention_duration" => {
                    topic.message_retention_duration = fresh.message_retention_duration;
                }
                _ => return Err(Fault::invalid(format!("Invalid update_mask provided: {path}."))),
            }
        }
        self.queues().retain(&id, topic.message_retention_duration.and_then(Span::duration))?;
        registry.topics.insert(topic.name.clone(), topic.clone());
        Ok(topic)
    }

    pub(in crate::pubsub) fn list_topics(&self, ask: ListTopicsRequest) -> Result<ListTopicsResponse, Fault> {
        let prefix = format!("projects/{}/", names::project(&ask.project)?);
        let registry = self.registry();
        let all = registry.topics.iter().filter(|(name, _)| name.starts_with(&prefix));
        let all = all.map(|(name, topic)| (name.clone(), topic.clone()));
        let (topics, next_page_token) = page(all, ask.page_size, &ask.page_token);
        Ok(ListTopicsResponse { topics, next_page_token })
    }

    pub(in crate::pubsub) fn list_topic_subscriptions(
        &self,
        ask: ListOfTopicRequest,
    ) -> Result<ListTopicSubscriptionsResponse, Fault> {
        let registry = self.registry();
        registry.topic(&ask.topic)?;
        let of_topic = registry
            .subscriptions
            .iter()
            .filter(|(_, held)| held.core.is_some() && held.said.topic == ask.topic);
        let all = of_topic.map(|(name, _)| (name.clone(), name.clone()));
        let (subscriptions, next_page_token) = page(all, ask.page_size, &ask.page_token);
        Ok(ListTopicSubscriptionsResponse { subscriptions, next_page_token })
    }

    pub(in crate::pubsub) fn list_topic_snapshots(
        &self,
        ask: ListOfTopicRequest,
    ) -> Result<ListTopicSnapshotsResponse, Fault> {
        let registry = self.registry();
        registry.topic(&ask.topic)?;
        let of_topic = registry.snapshots.iter().filter(|(_, kept)| kept.said.topic == ask.topic);
        let all = of_topic.map(|(name, _)| (name.clone(), name.clone()));
        let (snapshots, next_page_token) = page(all, ask.page_size, &ask.page_token);
        Ok(ListTopicSnapshotsResponse { snapshots, next_page_token })
    }

    /// Its subscriptions stay, with the messages that they have.
    pub(in crate::pubsub) fn delete_topic(&self, ask: DeleteTopicRequest) -> Result<Empty, Fault> {
        let id = self.topic_id(&ask.topic)?;
        let grave = TopicId::new(&id.scope, DELETED_TOPIC);
        let mut registry = self.registry();
        registry.topic(&ask.topic)?;
        // There already after the first.
        let _ = self.queues().create_topic(&grave, Notes::new(), Notes::new());
        self.queues().orphan(&id, &grave)?;
        registry.topics.remove(&ask.topic);
        registry.policies.remove(&ask.topic);
        for held in registry.subscriptions.values_mut().filter(|held| held.said.topic == ask.topic) {
            DELETED_TOPIC.clone_into(&mut held.said.topic);
            if let Some(core) = &mut held.core {
                core.topic = grave.clone();
            }
        }
        drop(registry);
        self.push_anew();
        Ok(Empty {})
    }

    /// Whether a name is that of a topic here.
    pub(crate) fn has_topic(&self, name: &str) -> bool {
        Name::of(Kind::Topic, name).is_ok() && self.registry().topics.contains_key(name)
    }
}
