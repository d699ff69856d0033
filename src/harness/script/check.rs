//! Looks at what came of a test's steps.

use super::matching::{at, matches};
use super::model::{Expectation, Subject};
use super::snapshots::Snapshots;
use crate::config::Position;
use crate::daemon::control::invocations::Shown;
use crate::daemon::control::queues;
use crate::daemon::world::World;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mlemu_engine::history::Past;
use mlemu_engine::settle::Which;
use mlemu_engine::wait::{Key, Stored};
use serde_json::{Value, json};
use std::sync::Arc;

/// Largest object whose content is compared, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Where results are looked at.
pub struct Bench<'a> {
    pub world: &'a Arc<World>,
    /// The one cloud in which names are looked for; `None`: any.
    pub cloud: Option<&'a str>,
}

/// Where in the file a fact is written, and how many characters of it are marked.
type Mark = (Position, usize);

impl Bench<'_> {
    /// What is not as it should be.
    pub async fn check(&self, expectation: &Expectation, snapshots: &Snapshots) -> Vec<(Mark, String)> {
        // The last line of a log and the memory are known when the function has asked for more.
        if !matches!(expectation.subject, Subject::Queue { .. }) {
            let settled = self.world.engine.settle().settled(&Which::Everything);
            let _ = tokio::time::timeout(SETTLES, settled).await;
        }
        let found = self.find(&expectation.subject).await;
        let mut wrong = Vec::new();
        for fact in &expectation.facts {
            let (path, wanted) = &fact.what;
            let mark = (fact.at, fact.width);
            let checked = match &found {
                Err(why) => Err(why.clone()),
                Ok(document) => fits(document, path, wanted, snapshots),
            };
            if let Err(why) = checked {
                wrong.push((mark, format!("{path}: {why}")));
            }
        }
        wrong
    }

    async fn find(&self, subject: &Subject) -> Result<Value, String> {
        match subject {
            Subject::Last { function } => {
                let known = self.known(function.as_deref())?;
                let last = known.last().ok_or("nothing was invoked")?;
                Ok(self.told(last))
            }
            Subject::Invocations { function, status } => {
                let mut known = self.known(function.as_deref())?;
                known.retain(|past| {
                    status.as_ref().is_none_or(|status| past.status().is_some_and(|is| is.word() == *status))
                });
                let all: Vec<Value> = known.iter().map(|past| self.told(past)).collect();
                Ok(json!({ "count": all.len(), "all": all }))
            }
            Subject::Object { bucket, key } => self.object(bucket, key).await,
            Subject::Bucket { name, prefix } => {
                let bucket = self.world.bucket(name, self.cloud).map_err(|fault| fault.to_string())?;
                let accounts = self.cloud.map(|_| vec![bucket.scope.account.clone()]);
                let key = Key::Prefix(prefix.clone());
                let stored = Stored { bucket: name.clone(), accounts, key, count: 0 };
                let keys: Vec<_> =
                    stored.find(&self.world.objects).iter().map(|object| object.key.to_string()).collect();
                Ok(json!({ "objects": keys.len(), "keys": keys }))
            }
            Subject::Queue { name } => {
                let id = queues::find_on(self.world, self.cloud, name).map_err(|fault| fault.1)?;
                let counts = self.world.queues.counts(&id).unwrap_or_default();
                let depth = counts.visible + counts.leased + counts.delayed;
                let messages = queues::messages(self.world, &id, 100);
                Ok(json!({
                    "depth": depth, "visible": counts.visible, "leased": counts.leased,
                    "delayed": counts.delayed, "messages": messages,
                }))
            }
            Subject::Logs { function } => Ok(self.log(function.as_deref()).join("\n").into()),
        }
    }

    fn known(&self, function: Option<&str>) -> Result<Vec<Arc<Past>>, String> {
        let function = function.map(|name| self.world.find_on(self.cloud, name)).transpose();
        let function = function.map_err(|refused| refused.to_string())?;
        let mut known = self.world.engine.history().after(0);
        let here = |past: &Past| self.cloud.is_none_or(|cloud| *past.function.scope.cloud == *cloud);
        known.retain(|past| {
            function.as_ref().map_or_else(|| here(past), |function| past.function == *function)
        });
        Ok(known)
    }

    /// As the control API shows it, with short names for what is asked most.
    fn told(&self, past: &Past) -> Value {
        let mut document = serde_json::to_value(Shown::of(self.world, past)).unwrap_or_default();
        let log = document["log"].as_array().into_iter().flatten();
        let log: Vec<_> = log.filter_map(|line| line["text"].as_str().map(str::to_owned)).collect();
        let short = [
            ("duration", document["handler_ms"].clone()),
            ("max_memory", document["peak_memory"].clone()),
            ("log", log.join("\n").into()),
        ];
        if let Some(map) = document.as_object_mut() {
            map.extend(short.map(|(name, value)| (name.to_owned(), value)));
        }
        document
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Value, String> {
        let bucket = self.world.bucket(bucket, self.cloud).map_err(|fault| fault.to_string())?;
        let Ok(object) = self.world.objects.get(&bucket.id, key) else {
            return Ok(json!({ "exists": false }));
        };
        let size = object.content.size();
        let body =
            if size <= LARGEST { object.content.body.bytes().await.unwrap_or_default() } else { "".into() };
        let base64 = BASE64_STANDARD.encode(&body);
        let body = String::from_utf8_lossy(&body).into_owned();
        let parsed: Option<Value> = serde_json::from_str(&body).ok();
        Ok(json!({
            "exists": true, "size": size, "etag": object.content.etag.to_string(), "body": body,
            "base64": base64, "json": parsed,
        }))
    }

    /// Everything that functions wrote since the last reset.
    pub fn log(&self, function: Option<&str>) -> Vec<String> {
        let known = self.known(function).unwrap_or_default();
        let lines = known.iter().flat_map(|past| past.course().log);
        lines.map(|line| line.text).collect()
    }
}

/// How long an expectation waits for the last word of functions that have answered.
const SETTLES: std::time::Duration = std::time::Duration::from_secs(10);

fn fits(document: &Value, path: &str, wanted: &Value, snapshots: &Snapshots) -> Result<(), String> {
    // What is said of a log is said of the whole.
    let found = if document.is_string() { Some(document.clone()) } else { at(document, path) };
    if let Some(name) = wanted.get("snapshot").and_then(Value::as_str) {
        return snapshots.hold(name, found.as_ref());
    }
    if document.is_string() {
        return matches(&json!({ path: wanted }), found.as_ref());
    }
    matches(wanted, found.as_ref())
}
