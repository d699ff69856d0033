//! Buckets that tell a topic what happens to their objects.
//!
//! Source: Cloud Storage, "Pub/Sub notifications for Cloud Storage"; JSON API reference, `notifications`.

use super::Storage;
use super::call::Call;
use super::event::{Kind, StorageEvent};
use super::fault::{Fault, json};
use super::ops::hmac::HmacKeys;
use super::{body, wire};
use crate::pubsub::PubSub;
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use mlemu_core::occurrence::{Fact, ObjectChange};
use mlemu_core::{EventShape, Occurrence};
use mlemu_engine::queues::{Attribute, NewMessage};
use mlemu_engine::triggers::{Rule, Target};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const TOPICS: &str = "//pubsub.googleapis.com/";
/// Each event's name in notifications.
const EVENTS: [(&str, Kind); 4] = [
    ("OBJECT_FINALIZE", Kind::Finalized),
    ("OBJECT_DELETE", Kind::Deleted),
    ("OBJECT_ARCHIVE", Kind::Archived),
    ("OBJECT_METADATA_UPDATE", Kind::Updated),
];

/// One configuration, as it was said and as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Notification {
    id: String,
    topic: String,
    event_types: Vec<String>,
    custom_attributes: BTreeMap<String, String>,
    object_name_prefix: String,
    payload_format: String,
}

/// Makes the payload, or none.
struct Payload {
    event: StorageEvent,
    empty: bool,
}

impl EventShape for Payload {
    fn event(&self, occurrence: &Occurrence, _subscription: &str) -> bytes::Bytes {
        if self.empty {
            return bytes::Bytes::new();
        }
        let Fact::Object(fact) = &occurrence.fact;
        self.event.data(occurrence, fact).to_string().into()
    }

    fn concerns(&self, occurrence: &Occurrence) -> bool {
        self.event.concerns(occurrence)
    }
}

impl Notification {
    fn shown(&self, bucket: &str, base: &str) -> Value {
        let mut shown = json!(self);
        shown["kind"] = "storage#notification".into();
        shown["selfLink"] = format!("{base}/storage/v1/b/{bucket}/notificationConfigs/{}", self.id).into();
        shown["etag"] = self.id.clone().into();
        if let Value::Object(shown) = &mut shown {
            shown.retain(|_, value| *value != json!("") && *value != json!([]) && *value != json!({}));
        }
        shown
    }

    fn kinds(&self) -> Result<Vec<Kind>, Fault> {
        if self.event_types.is_empty() {
            return Ok(Kind::ALL.to_vec());
        }
        let kind = |name: &String| {
            let known = EVENTS.iter().find(|(known, _)| known == name);
            known.map(|(_, kind)| *kind).ok_or_else(|| Fault::invalid(format!("Invalid argument: {name}")))
        };
        self.event_types.iter().map(kind).collect()
    }

    /// What a message says beside its payload.
    fn attributes(&self, kind: Kind, occurrence: &Occurrence) -> Vec<Attribute> {
        let Fact::Object(fact) = &occurrence.fact;
        let generation = |sequence: u64| (wire::FIRST_GENERATION + sequence).to_string();
        let name = EVENTS.iter().find(|(_, one)| *one == kind).map_or("", |(name, _)| name);
        let config = format!("projects/_/buckets/{}/notificationConfigs/{}", fact.bucket, self.id);
        let mut said: BTreeMap<&str, String> = BTreeMap::from([
            ("notificationConfig", config),
            ("eventType", name.into()),
            ("payloadFormat", self.payload_format.clone()),
            ("bucketId", fact.bucket.to_string()),
            ("objectId", fact.key.to_string()),
            ("objectGeneration", generation(kind.about(occurrence).unwrap_or(occurrence.sequence))),
            ("eventTime", wire::time(occurrence.at)),
        ]);
        let is_write = matches!(fact.change, ObjectChange::Created(_));
        match (kind, fact.previous) {
            (Kind::Finalized, Some(previous)) => {
                drop(said.insert("overwroteGeneration", generation(previous)));
            }
            (Kind::Deleted | Kind::Archived, Some(_)) if is_write => {
                said.insert("overwrittenByGeneration", generation(occurrence.sequence));
            }
            _ => {}
        }
        let custom = self.custom_attributes.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let attribute = |(name, value): (&str, String)| Attribute {
            name: name.into(),
            kind: "".into(),
            value: value.into(),
        };
        custom.chain(said).map(attribute).collect()
    }

    fn rules(&self, storage: &Storage, pubsub: &PubSub) -> Result<Vec<Rule>, Fault> {
        let name = self.topic.trim_start_matches(TOPICS);
        let topic = pubsub.topic_id(name).map_err(|fault| Fault::invalid(fault.message))?;
        let rule = |kind: Kind| {
            let (this, pubsub_) = (self.clone(), pubsub.clone());
            let says = move |occurrence: &Occurrence, new: NewMessage| NewMessage {
                id: pubsub_.next_message_id().into(),
                attributes: this.attributes(kind, occurrence).into(),
                ..new
            };
            let event = storage.subscriptions.event(kind);
            Rule {
                id: format!("{}/{kind:?}", self.rule_id()),
                changes: kind.changes(),
                prefix: self.object_name_prefix.clone(),
                suffix: String::new(),
                target: Target::Told {
                    queues: pubsub.queues().clone(),
                    topic: topic.clone(),
                    says: Arc::new(says),
                },
                shape: Arc::new(Payload { event, empty: self.payload_format == "NONE" }),
            }
        };
        Ok(self.kinds()?.into_iter().map(rule).collect())
    }

    fn rule_id(&self) -> String {
        format!("notification-{}", self.id)
    }
}

impl Storage {
    pub(super) fn list_notifications(&self, call: &Call, bucket: &str) -> Result<Response, Fault> {
        self.must_exist(bucket)?;
        let told = self.notifications(bucket);
        let items: Vec<Value> = told.iter().map(|one| one.shown(bucket, &call.base())).collect();
        let mut list = json!({ "kind": "storage#notifications" });
        if !items.is_empty() {
            list["items"] = items.into();
        }
        Ok(json(StatusCode::OK, &list))
    }

    pub(super) async fn insert_notification(
        &self,
        call: &Call,
        bucket: &str,
        body: Body,
    ) -> Result<Response, Fault> {
        self.must_exist(bucket)?;
        let said = Value::Object(body::said(body).await?);
        let mut said: Notification =
            serde_json::from_value(said).map_err(|error| Fault::invalid(error.to_string()))?;
        if !["JSON_API_V1", "NONE"].contains(&&*said.payload_format) {
            return Err(Fault::invalid("payload_format must be JSON_API_V1 or NONE"));
        }
        if !self.pubsub.has_topic(said.topic.trim_start_matches(TOPICS)) {
            return Err(Fault::invalid(format!("Cloud Pub/Sub topic {} not found.", said.topic)));
        }
        let mut all = self.told.lock();
        let of_bucket = all.entry(bucket.to_owned()).or_default();
        let last = of_bucket.iter().filter_map(|one| one.id.parse::<u64>().ok()).max();
        said.id = (last.unwrap_or_default() + 1).to_string();
        let rules = said.rules(self, &self.pubsub)?;
        of_bucket.push(said.clone());
        drop(all);
        self.subscriptions.put(&self.bucket_id(bucket), rules);
        Ok(json(StatusCode::OK, &said.shown(bucket, &call.base())))
    }

    pub(super) fn get_notification(&self, call: &Call, bucket: &str, id: &str) -> Result<Response, Fault> {
        self.must_exist(bucket)?;
        let told = self.notifications(bucket);
        let one = told.iter().find(|one| one.id == id).ok_or_else(|| Fault::no_notification(id))?;
        Ok(json(StatusCode::OK, &one.shown(bucket, &call.base())))
    }

    pub(super) fn delete_notification(&self, bucket: &str, id: &str) -> Result<Response, Fault> {
        self.must_exist(bucket)?;
        let mut all = self.told.lock();
        let of_bucket = all.entry(bucket.to_owned()).or_default();
        let at = of_bucket.iter().position(|one| one.id == id).ok_or_else(|| Fault::no_notification(id))?;
        let gone = of_bucket.remove(at);
        drop(all);
        self.subscriptions.take(&self.bucket_id(bucket), &gone.rule_id());
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    fn notifications(&self, bucket: &str) -> Vec<Notification> {
        let all = self.told.lock();
        all.get(bucket).cloned().unwrap_or_default()
    }

    /// Goes back to another moment.
    pub fn restore(&self, saved: &Saved) {
        let old = std::mem::replace(&mut *self.told.lock(), saved.told.clone());
        for (bucket, told) in old {
            for one in told {
                self.subscriptions.take(&self.bucket_id(&bucket), &one.rule_id());
            }
        }
        for (bucket, told) in &saved.told {
            let rules = told.iter().filter_map(|one| one.rules(self, &self.pubsub).ok());
            rules.for_each(|rules| self.subscriptions.put(&self.bucket_id(bucket), rules));
        }
        self.keys.lock().clone_from(&saved.keys);
        // Commits are counted anew.
        self.farewells.forget();
    }

    /// Goes on with what was there when the daemon ended.
    pub fn awake(&self) {
        self.restore(&self.saved());
    }

    pub fn saved(&self) -> Saved {
        Saved { told: self.told.lock().clone(), keys: self.keys.lock().clone() }
    }
}

/// By bucket.
pub(super) type Told = BTreeMap<String, Vec<Notification>>;

/// What one moment has beside the object core.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    told: Told,
    keys: HmacKeys,
}
