//! The event that a function receives for a change of an object.
//!
//! Follows "Event message structure" of the Amazon S3 user guide.

use super::{dates, encode, versions};
use bytes::Bytes;
use mlemu_core::occurrence::{Created, Described, Fact, ObjectChange, ObjectOccurrence};
use mlemu_core::{EventShape, Occurrence};
use mlemu_engine::objects::VersionName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

/// What a key keeps in an event; a space becomes a plus.
const KEPT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

/// S3's event, one record for each change.
#[derive(Clone, Debug, Default)]
pub struct S3Event {
    /// The version that each event names; `None`: the first one that had it.
    pub version: Option<String>,
}

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "Records")]
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'a str,
    event_source: &'static str,
    aws_region: &'a str,
    event_time: String,
    event_name: &'static str,
    user_identity: Principal,
    request_parameters: RequestParameters<'a>,
    response_elements: ResponseElements<'a>,
    s3: Entity<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Principal {
    principal_id: String,
}

#[derive(Serialize)]
struct RequestParameters<'a> {
    #[serde(rename = "sourceIPAddress")]
    source_ip: &'a str,
}

#[derive(Serialize)]
struct ResponseElements<'a> {
    #[serde(rename = "x-amz-request-id")]
    request_id: &'a str,
    #[serde(rename = "x-amz-id-2")]
    host_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entity<'a> {
    #[serde(rename = "s3SchemaVersion")]
    schema_version: &'static str,
    configuration_id: &'a str,
    bucket: Bucket<'a>,
    object: Object<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bucket<'a> {
    name: &'a str,
    owner_identity: Principal,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    sequencer: String,
}

impl EventShape for S3Event {
    fn event(&self, occurrence: &Occurrence, subscription: &str) -> Bytes {
        let Fact::Object(fact) = &occurrence.fact;
        let owner = encode::owner(&fact.scope.account).id;
        let record = Record {
            event_version: self.version.as_deref().unwrap_or_else(|| version(fact.change)),
            event_source: "aws:s3",
            aws_region: &fact.scope.region,
            event_time: dates::iso(occurrence.at),
            event_name: name(fact.change),
            user_identity: Principal { principal_id: format!("AWS:{}", short(&owner)) },
            request_parameters: RequestParameters { source_ip: &fact.source_ip },
            response_elements: ResponseElements {
                request_id: &fact.request_id,
                host_id: encode::host_id(&fact.request_id),
            },
            s3: Entity {
                schema_version: "1.0",
                configuration_id: subscription,
                bucket: Bucket {
                    name: &fact.bucket,
                    owner_identity: Principal { principal_id: short(&owner) },
                    arn: format!("arn:aws:s3:::{}", fact.bucket),
                },
                object: object(fact, occurrence.sequence),
            },
        };
        // Plain strings and numbers always serialize.
        serde_json::to_vec(&Event { records: [record] }).unwrap_or_default().into()
    }
}

fn object(fact: &ObjectOccurrence, sequence: u64) -> Object<'_> {
    let is_gone = fact.change == ObjectChange::Deleted;
    Object {
        key: encode_key(&fact.key),
        size: (!is_gone).then_some(fact.size),
        e_tag: (!is_gone).then_some(&fact.etag),
        version_id: fact.version.map(|number| versions::text(VersionName::Numbered(number))),
        sequencer: encode::sequencer(sequence),
    }
}

/// What is said about objects was first told in a later version than what happens to them.
fn version(change: ObjectChange) -> &'static str {
    if matches!(change, ObjectChange::Described(_)) { "2.3" } else { "2.1" }
}

/// The name as it stands in an event, without the `s3:` of configurations.
pub(super) fn name(change: ObjectChange) -> &'static str {
    match change {
        ObjectChange::Created(Created::Put) => "ObjectCreated:Put",
        ObjectChange::Created(Created::Post) => "ObjectCreated:Post",
        ObjectChange::Created(Created::Copy) => "ObjectCreated:Copy",
        ObjectChange::Created(Created::Multipart) => "ObjectCreated:CompleteMultipartUpload",
        ObjectChange::Deleted => "ObjectRemoved:Delete",
        ObjectChange::Marked => "ObjectRemoved:DeleteMarkerCreated",
        ObjectChange::Described(Described::Tagged) => "ObjectTagging:Put",
        ObjectChange::Described(Described::Untagged) => "ObjectTagging:Delete",
        // S3 has no word for an amendment, and never says it.
        ObjectChange::Described(Described::Permitted | Described::Amended) => "ObjectAcl:Put",
        // Nobody keeps single versions by hand here.
        ObjectChange::Described(Described::Retained | Described::Kept) => "ObjectRetention:Put",
    }
}

fn encode_key(key: &str) -> String {
    utf8_percent_encode(key, KEPT).to_string().replace(' ', "+")
}

/// Ids of principals are shorter than canonical ones.
fn short(owner: &str) -> String {
    owner[..14].to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::{Cause, Epoch, Scope, Timestamp};
    use std::sync::Arc;

    fn occurrence(change: ObjectChange) -> Occurrence {
        let fact = ObjectOccurrence {
            scope: Arc::new(Scope::new("aws", "000000000000", "us-east-1")),
            bucket: "pics".into(),
            key: "in/red flower.jpg".into(),
            change,
            size: 5,
            etag: "5d41402abc4b2a76b9719d911017c592".into(),
            version: None,
            previous: None,
            said: std::collections::BTreeMap::new(),
            source_ip: "127.0.0.1".into(),
            request_id: "C3D13FE58DE4C810".into(),
        };
        let at = Timestamp(784_111_777_123_456);
        Occurrence { sequence: 255, epoch: Epoch(0), at, cause: Cause::Mlemu, fact: Fact::Object(fact) }
    }

    fn record(change: ObjectChange) -> serde_json::Value {
        let event: serde_json::Value =
            serde_json::from_slice(&S3Event::default().event(&occurrence(change), "on-upload")).unwrap();
        event["Records"][0].clone()
    }

    #[test]
    fn a_creation() {
        let record = record(ObjectChange::Created(Created::Put));
        assert_eq!(record["eventVersion"], "2.1");
        assert_eq!(record["eventSource"], "aws:s3");
        assert_eq!(record["awsRegion"], "us-east-1");
        assert_eq!(record["eventTime"], "1994-11-06T08:49:37.123Z");
        assert_eq!(record["eventName"], "ObjectCreated:Put");
        assert_eq!(record["requestParameters"]["sourceIPAddress"], "127.0.0.1");
        assert_eq!(record["responseElements"]["x-amz-request-id"], "C3D13FE58DE4C810");
        let s3 = &record["s3"];
        assert_eq!(s3["configurationId"], "on-upload");
        assert_eq!(s3["bucket"]["arn"], "arn:aws:s3:::pics");
        let object = serde_json::json!({
            "key": "in/red+flower.jpg",
            "size": 5,
            "eTag": "5d41402abc4b2a76b9719d911017c592",
            "sequencer": "0000000000000000FF",
        });
        assert_eq!(s3["object"], object);
    }

    #[test]
    fn the_version_is_a_setting() {
        let shape = S3Event { version: Some("2.5".into()) };
        let event = shape.event(&occurrence(ObjectChange::Deleted), "x");
        assert!(event.starts_with(br#"{"Records":[{"eventVersion":"2.5""#));
    }

    #[test]
    fn a_removal_has_neither_size_nor_tag() {
        let record = record(ObjectChange::Deleted);
        assert_eq!(record["eventName"], "ObjectRemoved:Delete");
        let object = serde_json::json!({"key": "in/red+flower.jpg", "sequencer": "0000000000000000FF"});
        assert_eq!(record["s3"]["object"], object);
    }

    #[test]
    fn keys_are_encoded_as_s3_does() {
        let golden = [
            ("red flower.jpg", "red+flower.jpg"),
            ("a/b/c", "a/b/c"),
            ("a+b", "a%2Bb"),
            ("100%", "100%25"),
            ("é", "%C3%A9"),
            ("flower(1).jpg", "flower%281%29.jpg"),
            ("date=2024-01-01/x_y.z*", "date%3D2024-01-01/x_y.z*"),
            ("a:b", "a%3Ab"),
            ("🌸", "%F0%9F%8C%B8"),
            ("a\nb&c", "a%0Ab%26c"),
        ];
        for (key, encoded) in golden {
            assert_eq!(encode_key(key), encoded);
        }
    }
}
