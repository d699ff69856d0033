//! What a function gets of a commit: a CloudEvent, or the first generation's event.
//!
//! Source: Eventarc, "Cloud Storage events"; Cloud Functions, "Cloud Storage triggers (1st gen)".

use super::wire;
use crate::place::Place;
use bytes::Bytes;
use mlemu_core::occurrence::{Created, Fact, ObjectChange, ObjectOccurrence};
use mlemu_core::{EventShape, Occurrence};
use mlemu_engine::objects::{BucketId, Objects};
use serde_json::{Value, json};

const CREATED: [ObjectChange; 4] = [
    ObjectChange::Created(Created::Put),
    ObjectChange::Created(Created::Post),
    ObjectChange::Created(Created::Copy),
    ObjectChange::Created(Created::Multipart),
];

/// The changes that an event's name stands for, in either generation's spelling. `None`: there is no such event.
pub fn kinds(name: &str) -> Option<Vec<ObjectChange>> {
    let second = name.strip_prefix("google.cloud.storage.object.v1.");
    let first = name.strip_prefix("google.storage.object.");
    match (second, first) {
        (Some("finalized"), _) | (_, Some("finalize")) => Some(CREATED.to_vec()),
        (Some("deleted"), _) | (_, Some("delete")) => Some(vec![ObjectChange::Deleted]),
        (Some("archived"), _) | (_, Some("archive")) => Some(vec![ObjectChange::Marked]),
        (Some("metadataUpdated"), _) | (_, Some("metadataUpdate")) => Some(Vec::new()),
        _ => None,
    }
}

/// The two names of a change.
fn names(change: ObjectChange) -> (&'static str, &'static str) {
    match change {
        ObjectChange::Created(_) => ("finalized", "finalize"),
        ObjectChange::Deleted => ("deleted", "delete"),
        ObjectChange::Marked => ("archived", "archive"),
        ObjectChange::Described(_) => ("metadataUpdated", "metadataUpdate"),
    }
}

/// Makes events. Looks the object up, since a fact tells only so much of it.
pub(super) struct StorageEvent {
    pub objects: Objects,
    pub place: Place,
    /// `(data, context)` of the first generation.
    pub background: bool,
}

impl EventShape for StorageEvent {
    fn event(&self, occurrence: &Occurrence, _subscription: &str) -> Bytes {
        let Fact::Object(fact) = &occurrence.fact;
        let data = self.data(occurrence, fact);
        let event = if self.background {
            background(occurrence, fact, data)
        } else {
            cloud_event(occurrence, fact, data)
        };
        Bytes::from(event.to_string())
    }
}

impl StorageEvent {
    /// The object's resource, or what is left of it when it is gone already.
    pub fn data(&self, occurrence: &Occurrence, fact: &ObjectOccurrence) -> Value {
        let base = self.place.base();
        let found = self.objects.get(&BucketId::new(&fact.scope, &fact.bucket), &fact.key);
        match found {
            Ok(object) if object.sequence == occurrence.sequence => {
                wire::object(&fact.bucket, &object, &base)
            }
            _ => remains(occurrence, fact),
        }
    }
}

fn remains(occurrence: &Occurrence, fact: &ObjectOccurrence) -> Value {
    let gone = !matches!(fact.change, ObjectChange::Created(_));
    let sequence = if gone { fact.previous.unwrap_or_default() } else { occurrence.sequence };
    let generation = wire::FIRST_GENERATION + sequence;
    let (bucket, name) = (&*fact.bucket, &*fact.key);
    let mut data = json!({
        "kind": "storage#object",
        "id": format!("{bucket}/{name}/{generation}"),
        "name": name,
        "bucket": bucket,
        "generation": generation.to_string(),
        "metageneration": "1",
        "storageClass": "STANDARD",
        "size": fact.size.to_string(),
        "updated": wire::time(occurrence.at),
    });
    if gone {
        data["timeDeleted"] = wire::time(occurrence.at).into();
    }
    data
}

fn id(occurrence: &Occurrence) -> String {
    (wire::FIRST_GENERATION + occurrence.sequence).to_string()
}

fn cloud_event(occurrence: &Occurrence, fact: &ObjectOccurrence, data: Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": id(occurrence),
        "type": format!("google.cloud.storage.object.v1.{}", names(fact.change).0),
        "source": format!("//storage.googleapis.com/projects/_/buckets/{}", fact.bucket),
        "subject": format!("objects/{}", fact.key),
        "bucket": &*fact.bucket,
        "time": wire::time(occurrence.at),
        "datacontenttype": "application/json",
        "data": data,
    })
}

fn background(occurrence: &Occurrence, fact: &ObjectOccurrence, data: Value) -> Value {
    let resource = json!({
        "service": "storage.googleapis.com",
        "name": format!("projects/_/buckets/{}/objects/{}", fact.bucket, fact.key),
        "type": "storage#object",
    });
    json!({
        "context": {
            "eventId": id(occurrence),
            "timestamp": wire::time(occurrence.at),
            "eventType": format!("google.storage.object.{}", names(fact.change).1),
            "resource": resource,
        },
        "data": data,
    })
}
