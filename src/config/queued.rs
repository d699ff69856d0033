//! What becomes of a function's queued calls: how often and how long they are tried, and who is told in the end.

use super::error::ConfigError;
use super::model::{FunctionTable, Provider};
use super::native::Native;
use mlemu_core::declare::{FunctionDeclaration, Project, ResourceDeclaration};
use serde_json::{Map, Value, json};
use std::mem;
use std::ops::Range;
use toml::Spanned;

/// The vendor's word for what says so.
const KIND: &str = "AWS::Lambda::EventInvokeConfig";

/// The keys of a function's table that say it.
#[derive(Default)]
pub struct Queued {
    retries: Option<Spanned<u8>>,
    age: Option<Spanned<u32>>,
    on_success: Option<Spanned<String>>,
    on_failure: Option<Spanned<String>>,
}

impl Queued {
    /// Takes them out of the table.
    pub fn take(table: &mut FunctionTable) -> Self {
        Self {
            retries: mem::take(&mut table.maximum_retry_attempts),
            age: mem::take(&mut table.maximum_event_age_seconds),
            on_success: mem::take(&mut table.on_success),
            on_failure: mem::take(&mut table.on_failure),
        }
    }

    /// Where the first of them is, and which.
    fn first(&self) -> Option<(&'static str, Range<usize>)> {
        let spans = [
            self.retries.as_ref().map(|said| ("maximum_retry_attempts", said.span())),
            self.age.as_ref().map(|said| ("maximum_event_age_seconds", said.span())),
            self.on_success.as_ref().map(|said| ("on_success", said.span())),
            self.on_failure.as_ref().map(|said| ("on_failure", said.span())),
        ];
        spans.into_iter().flatten().next()
    }
}

impl Native {
    /// Lays what the file says over what a template says of the same function.
    pub(super) fn queued(
        &self,
        function: &FunctionDeclaration,
        queued: Queued,
        project: &mut Project,
    ) -> Result<(), ConfigError> {
        let Some((key, span)) = queued.first() else { return Ok(()) };
        if function.cloud != Provider::Aws.name() {
            return Err(self.fault(span, format!("`{key}` belongs to functions with `provider = \"aws\"`")));
        }
        if let Some(retries) = queued.retries.as_ref().filter(|said| *said.get_ref() > 2) {
            return Err(self.fault(retries.span(), "a failed call is tried again at most twice"));
        }
        if let Some(age) = queued.age.as_ref().filter(|said| !(60..=21_600).contains(said.get_ref())) {
            return Err(self.fault(age.span(), "an event is tried for 60 to 21600 seconds"));
        }
        let arn = |said: &Spanned<String>| self.destination(said.get_ref());
        let known = project.resources.iter().position(|one| is_of(one, &function.name));
        let mut said = known.map_or_else(Map::new, |at| properties(&project.resources.remove(at)));
        said.insert("FunctionName".into(), function.name.as_str().into());
        said.extend(queued.retries.map(|said| ("MaximumRetryAttempts".into(), said.into_inner().into())));
        said.extend(queued.age.map(|said| ("MaximumEventAgeInSeconds".into(), said.into_inner().into())));
        let destinations = said.entry("DestinationConfig").or_insert_with(|| json!({}));
        for (name, to) in [("OnSuccess", &queued.on_success), ("OnFailure", &queued.on_failure)] {
            if let Some(to) = to {
                destinations[name] = json!({ "Destination": arn(to) });
            }
        }
        project.resources.push(ResourceDeclaration {
            cloud: function.cloud.clone(),
            kind: KIND.into(),
            name: function.name.clone(),
            properties: Value::Object(said).to_string(),
            from: self.provenance(span),
        });
        Ok(())
    }

    /// What has no colon is the name of a queue.
    fn destination(&self, said: &str) -> String {
        if said.contains(':') {
            return said.to_owned();
        }
        let settings = self.settings();
        format!("arn:aws:sqs:{}:{}:{said}", settings.region, settings.account)
    }
}

fn properties(resource: &ResourceDeclaration) -> Map<String, Value> {
    serde_json::from_str(&resource.properties).unwrap_or_default()
}

/// Whether a resource says it of this function, and of no version or alias of it.
fn is_of(resource: &ResourceDeclaration, function: &str) -> bool {
    if resource.kind != KIND {
        return false;
    }
    let said = properties(resource);
    let qualifier = said.get("Qualifier").and_then(Value::as_str);
    said.get("FunctionName").and_then(Value::as_str) == Some(function)
        && matches!(qualifier, None | Some("$LATEST"))
}
