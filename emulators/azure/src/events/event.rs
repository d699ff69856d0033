//! The event that is told of a change of a blob, in both of the vendor's schemas.
//!
//! Source: Azure Event Grid documentation, "Azure Blob Storage as an Event Grid source".

use crate::blob::BlobStorage;
use crate::blob::facts::Facts;
use crate::storage::account::ACCOUNT;
use mlemu_core::occurrence::{Created, Fact, ObjectChange, ObjectOccurrence};
use mlemu_core::{Occurrence, Timestamp};
use serde_json::{Value, json};

pub(crate) const CREATED: &str = "Microsoft.Storage.BlobCreated";
pub(crate) const DELETED: &str = "Microsoft.Storage.BlobDeleted";

/// How an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Schema {
    #[default]
    Grid,
    Cloud,
}

impl Schema {
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "EventGridSchema" => Some(Schema::Grid),
            "CloudEventSchemaV1_0" => Some(Schema::Cloud),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Schema::Grid => "EventGridSchema",
            Schema::Cloud => "CloudEventSchemaV1_0",
        }
    }
}

/// What a change is called; `None`: nobody is told of it. Blocks of append blobs, pages and snapshots raise no event.
pub(super) fn kind(fact: &ObjectOccurrence) -> Option<&'static str> {
    match fact.change {
        ObjectChange::Created(Created::Put | Created::Copy | Created::Multipart) => Some(CREATED),
        ObjectChange::Deleted if fact.version.is_none() => Some(DELETED),
        _ => None,
    }
}

pub(super) fn subject(fact: &ObjectOccurrence) -> String {
    format!("/blobServices/default/containers/{}/blobs/{}", fact.bucket, fact.key)
}

/// Where the events of a subscription's storage account come from.
pub(crate) fn topic(subscription: &str, account: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/mlemu/providers/Microsoft.Storage/storageAccounts/{account}"
    )
}

/// One event, the same for everybody who is told of it.
pub(super) struct Event {
    id: String,
    kind: &'static str,
    topic: String,
    subject: String,
    time: String,
    data: Value,
}

impl Event {
    /// `None`: nobody is told of such a change.
    pub fn of(occurrence: &Occurrence, blobs: &BlobStorage) -> Option<Self> {
        let Fact::Object(fact) = &occurrence.fact;
        Some(Self {
            kind: kind(fact)?,
            id: blobs.objects.ids().fresh("event").uuid(),
            topic: topic(&fact.scope.account, &account(blobs, fact)),
            subject: subject(fact),
            time: time(occurrence.at),
            data: data(occurrence, fact, blobs),
        })
    }

    pub fn written(&self, schema: Schema) -> String {
        let Self { id, kind, topic, subject, time, data } = self;
        let document = match schema {
            Schema::Grid => json!({
                "topic": topic,
                "subject": subject,
                "eventType": kind,
                "id": id,
                "data": data,
                "dataVersion": "",
                "metadataVersion": "1",
                "eventTime": time,
            }),
            Schema::Cloud => json!({
                "source": topic,
                "subject": subject,
                "type": kind,
                "time": time,
                "id": id,
                "data": data,
                "specversion": "1.0",
            }),
        };
        document.to_string()
    }
}

/// The scope's own account has its blobs in the scope itself.
fn account(blobs: &BlobStorage, fact: &ObjectOccurrence) -> String {
    let own = blobs.accounts.own();
    if blobs.accounts.scope(own) == fact.scope { own.to_owned() } else { fact.scope.account.to_string() }
}

fn data(occurrence: &Occurrence, fact: &ObjectOccurrence, blobs: &BlobStorage) -> Value {
    let facts = Facts::of_documents(&fact.said);
    let api = match fact.change {
        ObjectChange::Created(Created::Copy) => "CopyBlob",
        ObjectChange::Created(Created::Multipart) => "PutBlockList",
        ObjectChange::Created(_) => "PutBlob",
        _ => "DeleteBlob",
    };
    let mut data = json!({
        "api": api,
        "clientRequestId": trace(occurrence),
        "requestId": fact.request_id,
        "contentType": fact.said.get("content-type").map_or("application/octet-stream", |kind| kind),
        "blobType": facts.kind.name(),
        "url": format!("{}/{}/{}", root(blobs, fact), fact.bucket, fact.key),
        "sequencer": format!("{:048X}", occurrence.sequence),
        "identity": "",
        "storageDiagnostics": { "batchId": blobs.objects.ids().fresh("batch").uuid() },
    });
    if matches!(fact.change, ObjectChange::Created(_)) {
        data["eTag"] = fact.etag.clone().into();
        data["contentLength"] = fact.size.into();
        data["accessTier"] = facts.tier.map_or_else(|| "Default".to_owned(), |(tier, _)| tier).into();
    }
    data
}

fn root(blobs: &BlobStorage, fact: &ObjectOccurrence) -> String {
    let (base, own) = (blobs.base(), blobs.accounts.own());
    let account = account(blobs, fact);
    base.strip_suffix(own).map_or_else(|| base.clone(), |root| format!("{root}{account}"))
}

fn trace(occurrence: &Occurrence) -> String {
    mlemu_engine::settle::trace(&occurrence.cause).to_string()
}

fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or_default().to_string()
}

/// What a handler is asked before it gets events by HTTP.
pub(super) fn validation(id: &str, code: &str, subscription: &str, now: Timestamp) -> Value {
    json!([{
        "id": id,
        "topic": topic(subscription, ACCOUNT),
        "subject": "",
        "data": { "validationCode": code },
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": time(now),
        "metadataVersion": "1",
        "dataVersion": "2",
    }])
}
