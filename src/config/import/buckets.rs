//! `AWS::S3::Bucket` and `AWS::SQS::Queue`: what functions keep things in and read them from.

use super::Import;
use super::events::notification;
use super::properties::Properties;
use super::template::Resource;
use crate::config::error::ConfigError;
use crate::config::limits::bucket_name_fault;
use mlemu_core::declare::{BucketDeclaration, QueueDeclaration, TriggerDeclaration};
use std::time::Duration;

pub fn bucket(import: &Import<'_>, resource: &Resource<'_>) -> Result<BucketDeclaration, ConfigError> {
    let properties = import.properties(resource);
    properties.identity("BucketName")?;
    let name = import.resolver.physical_name(resource).unwrap_or_default();
    match bucket_name_fault("aws", &name) {
        Some(fault) if properties.raw("BucketName").is_some() => Err(properties.error("BucketName", fault)),
        Some(fault) => Err(import.error(resource, fault)),
        None => {
            Ok(BucketDeclaration { cloud: "aws".into(), name, seed: None, from: import.provenance(resource) })
        }
    }
}

/// What a bucket's own configuration invokes: the reference to a function, and the trigger that it gets.
pub fn notifications(
    import: &Import<'_>,
    resource: &Resource<'_>,
) -> Result<Vec<(String, TriggerDeclaration)>, ConfigError> {
    let properties = import.properties(resource);
    let Some(configuration) = properties.inside("NotificationConfiguration") else { return Ok(Vec::new()) };
    let bucket = import.resolver.physical_name(resource).unwrap_or_default();
    let Some(lambdas) = configuration.get("LambdaConfigurations") else { return Ok(Vec::new()) };
    let entries = lambdas.as_list().unwrap_or_default().iter();
    entries
        .map(|entry| {
            let entry = Properties::new(&import.resolver, entry.clone());
            let function = entry.identity("Function")?.unwrap_or_default();
            let filter = entry.inside("Filter").and_then(|filter| filter.inside("S3Key"));
            Ok((function, notification(bucket.clone(), entry.texts("Event"), filter.as_ref())))
        })
        .collect()
}

/// Properties of a queue that are attributes of the same name.
const ATTRIBUTES: [&str; 7] = [
    "ContentBasedDeduplication",
    "DelaySeconds",
    "FifoQueue",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
];

pub fn queue(import: &Import<'_>, resource: &Resource<'_>) -> Result<QueueDeclaration, ConfigError> {
    let properties = import.properties(resource);
    properties.identity("QueueName")?;
    let redrive = properties.inside("RedrivePolicy");
    let redrive_count =
        redrive.as_ref().map(|redrive| redrive.number("maxReceiveCount")).transpose()?.flatten();
    let target = redrive.and_then(|redrive| redrive.text("deadLetterTargetArn"));
    Ok(QueueDeclaration {
        cloud: "aws".into(),
        name: import.resolver.physical_name(resource).unwrap_or_default(),
        visibility: properties.number("VisibilityTimeout")?.map(Duration::from_secs),
        dlq: target.and_then(|arn| arn.rsplit(':').next().map(str::to_owned)),
        attributes: ATTRIBUTES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), properties.text(name)?.to_ascii_lowercase())))
            .collect(),
        max_receives: redrive_count.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        from: import.provenance(resource),
    })
}
