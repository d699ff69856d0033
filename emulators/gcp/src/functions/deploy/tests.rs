//! Documents of functions, read and changed.

use super::document::{bytes, checked_name, declaration, is_first};
use super::{first, mask};
use crate::place::Place;
use mlemu_core::declare::TriggerDeclaration;
use serde_json::json;
use std::path::Path;

#[test]
fn a_document_declares_a_function() {
    let document = json!({
        "environment": 2,
        "buildConfig": { "runtime": "python311", "entryPoint": "main" },
        "serviceConfig": {
            "availableMemory": "512Mi", "timeoutSeconds": 30, "maxInstanceCount": 3, "minInstanceCount": 1,
            "maxInstanceRequestConcurrency": 8, "environmentVariables": { "A": "b" },
        },
        "eventTrigger": {
            "eventType": "google.cloud.storage.object.v1.finalized",
            "eventFilters": [{ "attribute": "bucket", "value": "garden" }],
            "retryPolicy": "RETRY_POLICY_RETRY",
        },
    });
    let declared = declaration("score", &document, Path::new("/code")).unwrap();
    assert_eq!((declared.handler.as_str(), declared.runtime.as_str()), ("main", "python311"));
    assert_eq!((declared.memory, declared.concurrency), (Some(512 << 20), Some(3)));
    assert_eq!((declared.env["A"].as_str(), declared.timeout.unwrap().as_secs()), ("b", 30));
    let options: Vec<_> = declared.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(options, ["generation=2", "instance_concurrency=8", "min_instances=1", "retry=true"]);
    assert!(
        matches!(&declared.triggers[..], [TriggerDeclaration::Bucket { bucket, .. }] if bucket == "garden")
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let of = |document| declaration("score", &document, Path::new("/code")).unwrap_err().code;
    assert_eq!(of(json!({})), "INVALID_ARGUMENT");
    let with = |key: &str, value| {
        let mut document = json!({ "buildConfig": { "runtime": "python311" } });
        document[key] = value;
        document
    };
    assert_eq!(of(with("serviceConfig", json!({ "availableMemory": "lots" }))), "INVALID_ARGUMENT");
    assert_eq!(of(with("serviceConfig", json!({ "timeoutSeconds": -1 }))), "INVALID_ARGUMENT");
    assert_eq!(of(with("serviceConfig", json!({ "environmentVariables": { "A": 1 } }))), "INVALID_ARGUMENT");
    let bucketless = json!({ "eventType": "google.storage.object.finalize" });
    assert_eq!(of(with("eventTrigger", bucketless)), "INVALID_ARGUMENT");
    let other = json!({ "eventType": "google.cloud.firestore.document.v1.created" });
    assert_eq!(of(with("eventTrigger", other)), "UNIMPLEMENTED");
}

#[test]
fn names_and_amounts() {
    for (name, first, second) in [
        ("score", true, true),
        ("Score_1", true, false),
        ("1a", false, false),
        ("a-", false, false),
        ("", false, false),
    ] {
        assert_eq!(
            (checked_name(name, true).is_ok(), checked_name(name, false).is_ok()),
            (first, second),
            "{name}"
        );
    }
    assert_eq!((bytes("256M"), bytes("1Gi"), bytes("64Ki")), (Ok(256 << 20), Ok(1 << 30), Ok(64 << 10)));
    for wrong in ["", "M", "0M", "-1M", "1T", "99999999999999999999G", "17179869184G"] {
        assert!(bytes(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_first_version_says_the_same() {
    let place = Place::new("demo-p", "europe-west1");
    let said = json!({
        "name": "projects/demo-p/locations/europe-west1/functions/f", "runtime": "nodejs20", "entryPoint": "f",
        "timeout": "60s", "availableMemoryMb": 256, "maxInstances": 2,
        "sourceUploadUrl": "http://127.0.0.1:1/functions/uploads/x.zip",
        "eventTrigger": {
            "eventType": "google.pubsub.topic.publish", "resource": "projects/demo-p/topics/t",
            "failurePolicy": { "retry": {} },
        },
    });
    let document = first::to_second(&place, &said).unwrap();
    assert!(is_first(&document));
    let source = &document["buildConfig"]["source"]["storageSource"];
    assert_eq!(*source, json!({ "bucket": "gcf-v2-uploads-demo-p-europe-west1", "object": "x.zip" }));
    let declared = declaration("f", &document, Path::new("/code")).unwrap();
    assert_eq!((declared.options["retry"].as_str(), declared.concurrency), ("true", Some(2)));
    assert!(
        matches!(&declared.triggers[..], [TriggerDeclaration::Queue { queue, .. }] if queue.ends_with("/t"))
    );
    let elsewhere = json!({ "sourceUploadUrl": "http://evil.example/x.zip" });
    assert!(first::to_second(&place, &elsewhere).is_err());
}

#[test]
fn a_mask_says_what_changes() {
    let old = json!({ "labels": { "a": "1" }, "serviceConfig": { "timeoutSeconds": 60, "availableMemory": "256M" } });
    let said = json!({ "labels": { "b": "2" }, "serviceConfig": { "availableMemory": "1G" } });
    let whole = mask::laid_over(&old, &said, "");
    assert_eq!(whole["labels"], json!({ "b": "2" }), "maps are replaced");
    assert_eq!(whole["serviceConfig"], json!({ "timeoutSeconds": 60, "availableMemory": "1G" }));
    let part = mask::laid_over(&old, &said, "service_config.available_memory,serviceConfig.timeoutSeconds");
    assert_eq!(part, json!({ "labels": { "a": "1" }, "serviceConfig": { "availableMemory": "1G" } }));
    assert_eq!(mask::laid_over(&old, &said, "description"), old);
}
