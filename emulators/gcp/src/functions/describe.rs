//! Functions as the v1 and v2 APIs show them.
//!
//! Source: the REST references of `CloudFunction` (v1) and `Function` (v2).

use super::catalog::EventSource;
use super::deploy::mask;
use super::fault::Fault;
use super::routes::Version;
use super::{Entry, Functions};
use crate::framework::revision_name;
use crate::profile::{Generation, MIB};
use mlemu_core::Revision;
use serde_json::{Value, json};

impl Functions {
    pub(super) fn list(&self, version: Version) -> Value {
        // Tools ask both and show what either says.
        let own = |entry: &&std::sync::Arc<Entry>| {
            (version == Version::One) == (entry.traits.generation == Generation::First)
        };
        let all = self.catalog.all();
        let shown: Vec<Value> =
            all.iter().filter(own).filter_map(|entry| self.shown(version, entry)).collect();
        json!({ "functions": shown })
    }

    pub(crate) fn describe(&self, version: Version, name: &str) -> Result<Value, Fault> {
        let entry = self.catalog.get(name);
        entry.and_then(|entry| self.shown(version, &entry)).ok_or_else(|| self.no_function(name))
    }

    pub(super) fn locations(&self, version: Version) -> Value {
        let (project, region) = (self.place.project(), self.place.region());
        let name = format!("projects/{project}/locations/{region}");
        let api = if version == Version::One { "v1" } else { "v2" };
        json!({ "locations": [{ "name": name, "locationId": region, "metadata": { "api": api } }] })
    }

    fn shown(&self, version: Version, entry: &Entry) -> Option<Value> {
        let revision = self.engine.function(&entry.id)?.latest;
        let deployed = self.deployments.known().get(&*entry.id.name).map(|known| known.document.clone());
        Some(match version {
            Version::One => {
                let mut shown = self.first(entry, &revision);
                for kept in ["labels", "description", "updateTime"] {
                    if let Some(value) = deployed.as_ref().and_then(|document| document.get(kept)) {
                        shown[kept] = value.clone();
                    }
                }
                shown
            }
            Version::Two => {
                let known = self.second(entry, &revision);
                deployed.map_or_else(|| known.clone(), |document| mask::joined(document, &known))
            }
        })
    }

    pub(crate) fn whole_name(&self, function: &str) -> String {
        let (project, region) = (self.place.project(), self.place.region());
        format!("projects/{project}/locations/{region}/functions/{function}")
    }

    fn first(&self, entry: &Entry, revision: &Revision) -> Value {
        let url = self.place.url_of(&entry.id.name);
        let mut shown = json!({
            "name": self.whole_name(&entry.id.name),
            "status": "ACTIVE",
            "entryPoint": revision.handler,
            "runtime": revision.runtime,
            "timeout": format!("{}s", revision.limits.timeout.as_secs()),
            "availableMemoryMb": revision.limits.memory / MIB,
            "versionId": revision.number.to_string(),
            "environmentVariables": revision.env,
            "ingressSettings": "ALLOW_ALL",
        });
        let instances = [("maxInstances", revision.limits.concurrency), ("minInstances", least(entry))];
        for (key, count) in instances {
            if let Some(count) = count {
                shown[key] = count.into();
            }
        }
        match &entry.event {
            Some(event) => {
                let (resource, service) = match &event.source {
                    EventSource::Bucket(bucket) => {
                        (format!("projects/_/buckets/{bucket}"), "storage.googleapis.com")
                    }
                    EventSource::Topic(topic) => (topic.clone(), "pubsub.googleapis.com"),
                };
                shown["eventTrigger"] =
                    json!({ "eventType": event.kind, "resource": resource, "service": service });
                if event.retry {
                    shown["eventTrigger"]["failurePolicy"] = json!({ "retry": {} });
                }
            }
            None => shown["httpsTrigger"] = json!({ "url": url, "securityLevel": "SECURE_OPTIONAL" }),
        }
        shown
    }

    fn second(&self, entry: &Entry, revision: &Revision) -> Value {
        let url = self.place.url_of(&entry.id.name);
        let environment = if entry.traits.generation == Generation::First { "GEN_1" } else { "GEN_2" };
        let mut shown = json!({
            "name": self.whole_name(&entry.id.name),
            "environment": environment,
            "state": "ACTIVE",
            "url": url,
            "buildConfig": { "runtime": revision.runtime, "entryPoint": revision.handler },
            "serviceConfig": {
                "service": format!(
                    "projects/{}/locations/{}/services/{}",
                    self.place.project(), self.place.region(), entry.id.name,
                ),
                "revision": revision_name(revision, entry.traits.generation),
                "uri": url,
                "timeoutSeconds": revision.limits.timeout.as_secs(),
                "availableMemory": format!("{}M", revision.limits.memory / MIB),
                "maxInstanceCount": revision.limits.concurrency,
                "maxInstanceRequestConcurrency": entry.traits.concurrency,
                "environmentVariables": revision.env,
                "minInstanceCount": least(entry),
                "ingressSettings": "ALLOW_ALL",
                "allTrafficOnLatestRevision": true,
            },
        });
        if let Some(event) = &entry.event {
            shown["eventTrigger"] = json!({
                "triggerRegion": self.place.region(),
                "eventType": event.kind,
                "retryPolicy": if event.retry { "RETRY_POLICY_RETRY" } else { "RETRY_POLICY_DO_NOT_RETRY" },
            });
            match &event.source {
                EventSource::Bucket(bucket) => {
                    let filters = json!([{ "attribute": "bucket", "value": bucket }]);
                    shown["eventTrigger"]["eventFilters"] = filters;
                }
                EventSource::Topic(topic) => shown["eventTrigger"]["pubsubTopic"] = topic.clone().into(),
            }
        }
        shown
    }
}

fn least(entry: &Entry) -> Option<u32> {
    (entry.traits.least > 0).then_some(entry.traits.least)
}
