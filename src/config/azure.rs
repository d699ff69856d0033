//! The table of `mlemu.toml` for Azure: storage accounts, and who is told of blobs.

use super::model::{AzureTable, SubscriptionTable};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the services are told, by their options.
pub fn options(table: &AzureTable) -> BTreeMap<String, String> {
    let accounts: Vec<String> = table.accounts.iter().map(|(name, key)| format!("{name}:{key}")).collect();
    let subscriptions = table.subscriptions.iter();
    let subscriptions: BTreeMap<&str, Value> =
        subscriptions.map(|(name, said)| (name.get_ref().as_str(), resource(said))).collect();
    let mut options = BTreeMap::new();
    if !accounts.is_empty() {
        options.insert(mlemu_azure::ACCOUNTS.to_owned(), accounts.join(";"));
    }
    if !subscriptions.is_empty() {
        options.insert(mlemu_azure::SUBSCRIPTIONS.to_owned(), json!(subscriptions).to_string());
    }
    options
}

/// Says what is wrong with a subscription.
pub fn check(name: &str, said: &SubscriptionTable) -> Result<(), String> {
    if said.container.is_none() && said.prefix.is_some() {
        return Err("`prefix` is of names in a container: say `container` too".into());
    }
    mlemu_azure::check_subscription(name, &resource(said))
}

/// As the vendor writes it.
fn resource(said: &SubscriptionTable) -> Value {
    let destination = if said.to.contains("://") {
        json!({ "endpointType": "WebHook", "properties": { "endpointUrl": said.to } })
    } else {
        json!({ "endpointType": "AzureFunction", "properties": { "resourceId": said.to } })
    };
    let prefix = said.prefix.as_deref().unwrap_or_default();
    let begins = said
        .container
        .as_ref()
        .map(|container| format!("/blobServices/default/containers/{container}/blobs/{prefix}"));
    json!({
        "destination": destination,
        "filter": {
            "subjectBeginsWith": begins.unwrap_or_default(),
            "subjectEndsWith": said.suffix,
            "isSubjectCaseSensitive": true,
            "includedEventTypes": said.events,
        },
        "eventDeliverySchema": said.schema,
    })
}
