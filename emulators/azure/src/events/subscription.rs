//! Subscriptions to events: who is told of which, and how. In the words of the vendor's resource.
//!
//! Source: Azure Resource Manager reference, `Microsoft.EventGrid/eventSubscriptions`.

use super::event::{CREATED, DELETED, Schema};
use serde_json::{Value, json};

/// How often a message is tried, where nothing is said.
const TRIES: u64 = 30;

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A function of an app that runs here.
    Function(String),
    WebHook(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub name: String,
    pub to: Destination,
    /// None: all that there are.
    pub events: Vec<String>,
    pub begins: String,
    pub ends: String,
    pub exact_case: bool,
    pub schema: Schema,
    pub tries: u32,
}

impl Subscription {
    /// Of a resource's `properties`. `Err` says what is wrong with them.
    pub fn read(name: &str, said: &Value) -> Result<Self, String> {
        let destination = &said["destination"];
        let inner = &destination["properties"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let to = match destination["endpointType"].as_str() {
            Some("WebHook") => Destination::WebHook(url(&text(&inner["endpointUrl"]))?),
            Some("AzureFunction") => Destination::Function(function(&text(&inner["resourceId"]))?),
            Some(other) => {
                return Err(format!(
                    "mlemu delivers no events to a {other}: only to WebHook and AzureFunction"
                ));
            }
            None => return Err("the destination has no endpointType".into()),
        };
        let filter = &said["filter"];
        if filter["advancedFilters"].as_array().is_some_and(|all| !all.is_empty()) {
            return Err("mlemu does not have advancedFilters: filter by subject and by type".into());
        }
        let schema = match &said["eventDeliverySchema"] {
            Value::Null => Schema::default(),
            said => said
                .as_str()
                .and_then(Schema::read)
                .ok_or_else(|| format!("{said} is no eventDeliverySchema of mlemu"))?,
        };
        let events: Vec<String> =
            filter["includedEventTypes"].as_array().into_iter().flatten().map(text).collect();
        if let Some(other) = events.iter().find(|event| ![CREATED, DELETED].contains(&event.as_str())) {
            return Err(format!("mlemu raises no {other}: only {CREATED} and {DELETED}"));
        }
        let tries = said["retryPolicy"]["maxDeliveryAttempts"].as_u64().unwrap_or(TRIES).clamp(1, TRIES);
        Ok(Self {
            name: name.to_owned(),
            to,
            events,
            begins: text(&filter["subjectBeginsWith"]),
            ends: text(&filter["subjectEndsWith"]),
            exact_case: filter["isSubjectCaseSensitive"].as_bool().unwrap_or_default(),
            schema,
            tries: u32::try_from(tries).unwrap_or(1),
        })
    }

    /// As the resource is shown.
    pub fn shown(&self) -> Value {
        let destination = match &self.to {
            Destination::WebHook(url) => {
                json!({ "endpointType": "WebHook", "properties": { "endpointBaseUrl": url, "endpointUrl": url } })
            }
            Destination::Function(name) => {
                json!({ "endpointType": "AzureFunction", "properties": { "resourceId": format!("/functions/{name}") } })
            }
        };
        json!({
            "destination": destination,
            "filter": {
                "subjectBeginsWith": self.begins,
                "subjectEndsWith": self.ends,
                "isSubjectCaseSensitive": self.exact_case,
                "includedEventTypes": self.events,
            },
            "eventDeliverySchema": self.schema.name(),
            "retryPolicy": { "maxDeliveryAttempts": self.tries, "eventTimeToLiveInMinutes": 1440 },
            "provisioningState": "Succeeded",
        })
    }

    pub fn wants(&self, kind: &str, subject: &str) -> bool {
        let fold = |text: &str| if self.exact_case { text.to_owned() } else { text.to_lowercase() };
        let subject = fold(subject);
        (self.events.is_empty() || self.events.iter().any(|event| event == kind))
            && subject.starts_with(&fold(&self.begins))
            && subject.ends_with(&fold(&self.ends))
    }
}

/// Only this machine is told anything.
fn url(text: &str) -> Result<String, String> {
    if mlemu_core::is_here(text) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` is not on this machine: mlemu sends events to http://127.0.0.1 and localhost only"
        ))
    }
}

/// The last part of a function's resource id, or its bare name.
fn function(id: &str) -> Result<String, String> {
    let name = id.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if name.is_empty() { Err("the destination names no function".into()) } else { Ok(name.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(url: &str) -> Value {
        json!({ "endpointType": "WebHook", "properties": { "endpointUrl": url } })
    }

    #[test]
    fn subscriptions_are_read_and_choose() {
        let said = json!({
            "destination": hook("http://127.0.0.1:9/hook?code=x"),
            "filter": {
                "subjectBeginsWith": "/blobServices/default/containers/Uploads/",
                "subjectEndsWith": ".jpg",
                "includedEventTypes": [CREATED],
            },
            "eventDeliverySchema": "CloudEventSchemaV1_0",
        });
        let read = Subscription::read("uploads", &said).unwrap();
        assert_eq!((read.schema, read.tries), (Schema::Cloud, 30));
        let subject = |name: &str| format!("/blobServices/default/containers/uploads/blobs/{name}");
        assert!(read.wants(CREATED, &subject("a.JPG")));
        assert!(!read.wants(DELETED, &subject("a.jpg")) && !read.wants(CREATED, &subject("a.png")));
        assert_eq!(Subscription::read("uploads", &read.shown()), Ok(read.clone()));
        let exact = Subscription { exact_case: true, ..read };
        assert!(!exact.wants(CREATED, &subject("a.jpg")));
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/app/functions/grid";
        let to =
            json!({ "destination": { "endpointType": "AzureFunction", "properties": { "resourceId": id } } });
        assert_eq!(Subscription::read("f", &to).unwrap().to, Destination::Function("grid".into()));
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        let bad = [
            json!({}),
            json!({ "destination": { "endpointType": "EventHub" } }),
            json!({ "destination": hook("https://example.com/hook") }),
            json!({ "destination": hook("http://127.0.0.1.nip.io/") }),
            json!({ "destination": hook("http://127.0.0.1/"), "eventDeliverySchema": "CustomInputSchema" }),
            json!({ "destination": hook("http://127.0.0.1/"), "filter": { "includedEventTypes": ["Own"] } }),
            json!({ "destination": hook("http://127.0.0.1/"), "filter": { "advancedFilters": [{}] } }),
            json!({ "destination": { "endpointType": "AzureFunction", "properties": {} } }),
        ];
        for said in bad {
            assert!(Subscription::read("x", &said).is_err(), "{said}");
        }
    }
}
