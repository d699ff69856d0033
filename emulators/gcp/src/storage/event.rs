//! What a function gets of a commit: a CloudEvent, or the first generation's event.
//!
//! One commit can be two events: an object that replaces another is finalized, and the other deleted, or archived where
//! the bucket keeps generations.
//!
//! Source: Eventarc, "Cloud Storage events"; Cloud Functions, "Cloud Storage triggers (1st gen)"; Cloud Storage,
//! "Pub/Sub notifications for Cloud Storage", "Event types".

use super::farewell::Farewells;
use super::glob::Glob;
use super::ops::objects::hidden_since;
use super::wire;
use crate::place::Place;
use bytes::Bytes;
use mlemu_core::occurrence::{Created, Described, Fact, ObjectChange, ObjectOccurrence};
use mlemu_core::{EventShape, Occurrence};
use mlemu_engine::objects::{BucketId, Objects, Version};
use serde_json::{Value, json};
use std::sync::Arc;

const CREATED: [ObjectChange; 4] = [
    ObjectChange::Created(Created::Put),
    ObjectChange::Created(Created::Post),
    ObjectChange::Created(Created::Copy),
    ObjectChange::Created(Created::Multipart),
];

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Finalized,
    Deleted,
    Archived,
    Updated,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Finalized, Kind::Deleted, Kind::Archived, Kind::Updated];

    /// By its name in either generation's spelling.
    pub fn read(name: &str) -> Option<Self> {
        let second = name.strip_prefix("google.cloud.storage.object.v1.");
        let first = name.strip_prefix("google.storage.object.");
        Self::ALL.into_iter().find(|kind| {
            let (of_second, of_first) = kind.names();
            second == Some(of_second) || first == Some(of_first)
        })
    }

    /// Its names in CloudEvents and in events of the first generation.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::Finalized => ("finalized", "finalize"),
            Kind::Deleted => ("deleted", "delete"),
            Kind::Archived => ("archived", "archive"),
            Kind::Updated => ("metadataUpdated", "metadataUpdate"),
        }
    }

    /// The changes that may be such an event.
    pub fn changes(self) -> Vec<ObjectChange> {
        let and_created = |one: ObjectChange| CREATED.into_iter().chain([one]).collect();
        match self {
            Kind::Finalized => CREATED.to_vec(),
            Kind::Deleted => and_created(ObjectChange::Deleted),
            Kind::Archived => and_created(ObjectChange::Marked),
            Kind::Updated => vec![ObjectChange::Described(Described::Amended)],
        }
    }

    /// Whether a commit is such an event. What replaces an object keeps it where it has a name of its own.
    pub fn is_of(self, fact: &ObjectOccurrence) -> bool {
        let (replaces, keeps) = (fact.previous.is_some(), fact.version.is_some());
        match (self, fact.change) {
            (Kind::Finalized, ObjectChange::Created(_))
            | (Kind::Deleted, ObjectChange::Deleted)
            | (Kind::Updated, ObjectChange::Described(_)) => true,
            (Kind::Deleted, ObjectChange::Created(_)) => replaces && !keeps,
            (Kind::Archived, ObjectChange::Created(_)) => replaces && keeps,
            (Kind::Archived, ObjectChange::Marked) => replaces,
            _ => false,
        }
    }

    /// The commit that made the object which the event is about. `None`: the fact does not tell.
    pub fn about(self, occurrence: &Occurrence) -> Option<u64> {
        let Fact::Object(fact) = &occurrence.fact;
        match self {
            Kind::Finalized => Some(occurrence.sequence),
            Kind::Deleted | Kind::Archived => fact.previous,
            Kind::Updated => fact.version,
        }
    }
}

/// The changes that an event's name stands for, in either generation's spelling. `None`: there is no such event.
pub fn kinds(name: &str) -> Option<Vec<ObjectChange>> {
    Kind::read(name).map(Kind::changes)
}

/// Makes events. Looks the object up, since a fact tells only so much of it.
#[derive(Clone)]
pub(super) struct StorageEvent {
    pub objects: Objects,
    pub place: Place,
    pub farewells: Arc<Farewells>,
    pub kind: Kind,
    /// What the object's path must be like.
    pub pattern: Option<Glob>,
    /// `(data, context)` of the first generation.
    pub background: bool,
}

impl EventShape for StorageEvent {
    fn event(&self, occurrence: &Occurrence, _subscription: &str) -> Bytes {
        let Fact::Object(fact) = &occurrence.fact;
        let data = self.data(occurrence, fact);
        let event = if self.background {
            self.background(occurrence, fact, data)
        } else {
            self.cloud_event(occurrence, fact, data)
        };
        Bytes::from(event.to_string())
    }

    fn concerns(&self, occurrence: &Occurrence) -> bool {
        let Fact::Object(fact) = &occurrence.fact;
        self.kind.is_of(fact) && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&fact.key))
    }
}

impl StorageEvent {
    /// The object's resource, or what is left of it when it is gone already.
    pub fn data(&self, occurrence: &Occurrence, fact: &ObjectOccurrence) -> Value {
        let (base, about) = (self.place.base(), self.kind.about(occurrence));
        let history = self.objects.history(&BucketId::new(&fact.scope, &fact.bucket), &fact.key);
        let history = history.unwrap_or_default();
        let found = history.iter().filter_map(Version::object);
        let found = match about {
            Some(sequence) => found.into_iter().find(|object| object.sequence == sequence),
            None => found.into_iter().find(|object| object.version.number().is_none()),
        };
        let mut data = match (found, about) {
            (Some(object), _) => wire::object(&fact.bucket, object, &base),
            (None, Some(sequence)) => {
                self.farewells.of(sequence).unwrap_or_else(|| remains(occurrence, fact, sequence))
            }
            (None, None) => remains(occurrence, fact, occurrence.sequence),
        };
        if matches!(self.kind, Kind::Deleted | Kind::Archived) {
            let hidden = about.and_then(|sequence| hidden_since(&history, sequence));
            data["timeDeleted"] = wire::time(hidden.unwrap_or(occurrence.at)).into();
        }
        data
    }

    fn id(&self, occurrence: &Occurrence) -> String {
        format!("{}{}", wire::FIRST_GENERATION + occurrence.sequence, self.kind as u8)
    }

    fn cloud_event(&self, occurrence: &Occurrence, fact: &ObjectOccurrence, data: Value) -> Value {
        json!({
            "specversion": "1.0",
            "id": self.id(occurrence),
            "type": format!("google.cloud.storage.object.v1.{}", self.kind.names().0),
            "source": format!("//storage.googleapis.com/projects/_/buckets/{}", fact.bucket),
            "subject": format!("objects/{}", fact.key),
            "bucket": &*fact.bucket,
            "time": wire::time(occurrence.at),
            "datacontenttype": "application/json",
            "data": data,
        })
    }

    fn background(&self, occurrence: &Occurrence, fact: &ObjectOccurrence, data: Value) -> Value {
        let resource = json!({
            "service": "storage.googleapis.com",
            "name": format!("projects/_/buckets/{}/objects/{}", fact.bucket, fact.key),
            "type": "storage#object",
        });
        json!({
            "context": {
                "eventId": self.id(occurrence),
                "timestamp": wire::time(occurrence.at),
                "eventType": format!("google.storage.object.{}", self.kind.names().1),
                "resource": resource,
            },
            "data": data,
        })
    }
}

fn remains(occurrence: &Occurrence, fact: &ObjectOccurrence, sequence: u64) -> Value {
    let generation = wire::FIRST_GENERATION + sequence;
    let (bucket, name) = (&*fact.bucket, &*fact.key);
    json!({
        "kind": "storage#object",
        "id": format!("{bucket}/{name}/{generation}"),
        "name": name,
        "bucket": bucket,
        "generation": generation.to_string(),
        "metageneration": "1",
        "storageClass": "STANDARD",
        "size": fact.size.to_string(),
        "updated": wire::time(occurrence.at),
    })
}
