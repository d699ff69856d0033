//! What a bucket tells EventBridge: every change, in the form of the bus.
//!
//! Amazon S3 user guide, "Using EventBridge" ("EventBridge event message structure", "EventBridge mapping"). There
//! are no filters here: rules of the bus have them.

use super::{Front, encode, versions};
use crate::reach::{Detail, Letter};
use bytes::Bytes;
use mlemu_core::occurrence::{Created, Described, Fact, ObjectChange, ObjectOccurrence};
use mlemu_core::{EventShape, Occurrence};
use mlemu_engine::objects::VersionName;
use mlemu_engine::triggers::{Deliver, Rule, Target};
use serde_json::json;
use std::sync::Arc;

const CHANGES: [ObjectChange; 9] = [
    ObjectChange::Created(Created::Put),
    ObjectChange::Created(Created::Post),
    ObjectChange::Created(Created::Copy),
    ObjectChange::Created(Created::Multipart),
    ObjectChange::Deleted,
    ObjectChange::Marked,
    ObjectChange::Described(Described::Tagged),
    ObjectChange::Described(Described::Untagged),
    ObjectChange::Described(Described::Permitted),
];

/// What `EventBridgeConfiguration` stands for.
pub(super) fn rule(front: &Front) -> Rule {
    let settings = &front.parts.settings;
    let bus = format!("arn:aws:events:{}:{}:event-bus/default", settings.region, settings.account);
    let reach = front.parts.reach.clone();
    let name: Arc<str> = bus.as_str().into();
    let deliver: Deliver = Arc::new(move |occurrence, detail, cause| {
        let (reach, bus) = (reach.clone(), bus.clone());
        let letter = Letter { detail: Some(said(occurrence)), ..Letter::of(detail, cause) };
        Box::pin(async move { reach.send(&bus, letter).await.map_err(|lost| lost.why) })
    });
    Rule {
        id: "EventBridge".into(),
        changes: CHANGES.to_vec(),
        prefix: String::new(),
        suffix: String::new(),
        target: Target::Other { name, deliver },
        shape: Arc::new(BridgeDetail),
    }
}

fn said(occurrence: &Occurrence) -> Detail {
    let Fact::Object(fact) = &occurrence.fact;
    Detail {
        source: "aws.s3".into(),
        kind: kind(fact.change).into(),
        resources: vec![format!("arn:aws:s3:::{}", fact.bucket)],
    }
}

fn kind(change: ObjectChange) -> &'static str {
    match change {
        ObjectChange::Created(_) => "Object Created",
        ObjectChange::Deleted | ObjectChange::Marked => "Object Deleted",
        ObjectChange::Described(Described::Tagged) => "Object Tags Added",
        ObjectChange::Described(Described::Untagged) => "Object Tags Deleted",
        ObjectChange::Described(_) => "Object ACL Updated",
    }
}

/// The operation that did it, where the event says so.
fn reason(change: ObjectChange) -> Option<&'static str> {
    match change {
        ObjectChange::Created(Created::Put) => Some("PutObject"),
        ObjectChange::Created(Created::Post) => Some("POST Object"),
        ObjectChange::Created(Created::Copy) => Some("CopyObject"),
        ObjectChange::Created(Created::Multipart) => Some("CompleteMultipartUpload"),
        ObjectChange::Deleted | ObjectChange::Marked => Some("DeleteObject"),
        ObjectChange::Described(_) => None,
    }
}

/// Writes the `detail`. Keys stand as they are.
struct BridgeDetail;

impl EventShape for BridgeDetail {
    fn event(&self, occurrence: &Occurrence, _: &str) -> Bytes {
        let Fact::Object(fact) = &occurrence.fact;
        let mut detail = json!({
            "version": "0",
            "bucket": { "name": &*fact.bucket },
            "object": object(fact, occurrence.sequence),
            "request-id": fact.request_id,
            "requester": &*fact.scope.account,
            "source-ip-address": fact.source_ip,
        });
        if let Some(reason) = reason(fact.change) {
            detail["reason"] = reason.into();
        }
        match fact.change {
            ObjectChange::Deleted => detail["deletion-type"] = "Permanently Deleted".into(),
            ObjectChange::Marked => detail["deletion-type"] = "Delete Marker Created".into(),
            _ => {}
        }
        detail.to_string().into()
    }
}

fn object(fact: &ObjectOccurrence, sequence: u64) -> serde_json::Value {
    let mut object = json!({ "key": &*fact.key });
    if matches!(fact.change, ObjectChange::Created(_)) {
        object["size"] = fact.size.into();
    }
    if fact.change != ObjectChange::Deleted {
        object["etag"] = fact.etag.as_str().into();
    }
    if let Some(number) = fact.version {
        object["version-id"] = versions::text(VersionName::Numbered(number)).into();
    }
    if !matches!(fact.change, ObjectChange::Described(_)) {
        object["sequencer"] = encode::sequencer(sequence).into();
    }
    object
}
