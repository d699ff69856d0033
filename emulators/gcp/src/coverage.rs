//! The methods of the REST APIs beside Cloud Storage's, and which of them are here: each is asked of the routes.
//!
//! Source: the REST references of Cloud Functions v1 and v2, Pub/Sub v1 and Cloud Tasks v2.

use crate::functions::routes::{Admin, admin};
use crate::{pubsub, tasks};
use http::Method;

/// Name, verb and a path of each.
const FUNCTIONS: [(&str, &str, &str); 35] = [
    ("v1.functions.call", "POST", "/v1/projects/p/locations/l/functions/f:call"),
    ("v1.functions.create", "POST", "/v1/projects/p/locations/l/functions"),
    ("v1.functions.delete", "DELETE", "/v1/projects/p/locations/l/functions/f"),
    (
        "v1.functions.generateDownloadUrl",
        "POST",
        "/v1/projects/p/locations/l/functions/f:generateDownloadUrl",
    ),
    ("v1.functions.generateUploadUrl", "POST", "/v1/projects/p/locations/l/functions:generateUploadUrl"),
    ("v1.functions.get", "GET", "/v1/projects/p/locations/l/functions/f"),
    ("v1.functions.getIamPolicy", "GET", "/v1/projects/p/locations/l/functions/f:getIamPolicy"),
    ("v1.functions.list", "GET", "/v1/projects/p/locations/l/functions"),
    ("v1.functions.patch", "PATCH", "/v1/projects/p/locations/l/functions/f"),
    ("v1.functions.setIamPolicy", "POST", "/v1/projects/p/locations/l/functions/f:setIamPolicy"),
    ("v1.functions.testIamPermissions", "POST", "/v1/projects/p/locations/l/functions/f:testIamPermissions"),
    ("v1.locations.list", "GET", "/v1/projects/p/locations"),
    ("v1.operations.get", "GET", "/v1/operations/o"),
    ("v1.operations.list", "GET", "/v1/operations"),
    (
        "v2.functions.abortFunctionUpgrade",
        "POST",
        "/v2/projects/p/locations/l/functions/f:abortFunctionUpgrade",
    ),
    (
        "v2.functions.commitFunctionUpgrade",
        "POST",
        "/v2/projects/p/locations/l/functions/f:commitFunctionUpgrade",
    ),
    (
        "v2.functions.commitFunctionUpgradeAsGen2",
        "POST",
        "/v2/projects/p/locations/l/functions/f:commitFunctionUpgradeAsGen2",
    ),
    ("v2.functions.create", "POST", "/v2/projects/p/locations/l/functions"),
    ("v2.functions.delete", "DELETE", "/v2/projects/p/locations/l/functions/f"),
    ("v2.functions.detachFunction", "POST", "/v2/projects/p/locations/l/functions/f:detachFunction"),
    (
        "v2.functions.generateDownloadUrl",
        "POST",
        "/v2/projects/p/locations/l/functions/f:generateDownloadUrl",
    ),
    ("v2.functions.generateUploadUrl", "POST", "/v2/projects/p/locations/l/functions:generateUploadUrl"),
    ("v2.functions.get", "GET", "/v2/projects/p/locations/l/functions/f"),
    ("v2.functions.getIamPolicy", "GET", "/v2/projects/p/locations/l/functions/f:getIamPolicy"),
    ("v2.functions.list", "GET", "/v2/projects/p/locations/l/functions"),
    ("v2.functions.patch", "PATCH", "/v2/projects/p/locations/l/functions/f"),
    (
        "v2.functions.redirectFunctionUpgradeTraffic",
        "POST",
        "/v2/projects/p/locations/l/functions/f:redirectFunctionUpgradeTraffic",
    ),
    (
        "v2.functions.rollbackFunctionUpgradeTraffic",
        "POST",
        "/v2/projects/p/locations/l/functions/f:rollbackFunctionUpgradeTraffic",
    ),
    ("v2.functions.setIamPolicy", "POST", "/v2/projects/p/locations/l/functions/f:setIamPolicy"),
    (
        "v2.functions.setupFunctionUpgradeConfig",
        "POST",
        "/v2/projects/p/locations/l/functions/f:setupFunctionUpgradeConfig",
    ),
    ("v2.functions.testIamPermissions", "POST", "/v2/projects/p/locations/l/functions/f:testIamPermissions"),
    ("v2.locations.list", "GET", "/v2/projects/p/locations"),
    ("v2.operations.get", "GET", "/v2/projects/p/locations/l/operations/o"),
    ("v2.operations.list", "GET", "/v2/projects/p/locations/l/operations"),
    ("v2.runtimes.list", "GET", "/v2/projects/p/locations/l/runtimes"),
];

const PUBSUB: [(&str, &str, &str); 46] = [
    ("schemas.commit", "POST", "/v1/projects/p/schemas/s:commit"),
    ("schemas.create", "POST", "/v1/projects/p/schemas"),
    ("schemas.delete", "DELETE", "/v1/projects/p/schemas/s"),
    ("schemas.deleteRevision", "DELETE", "/v1/projects/p/schemas/s:deleteRevision"),
    ("schemas.get", "GET", "/v1/projects/p/schemas/s"),
    ("schemas.getIamPolicy", "GET", "/v1/projects/p/schemas/s:getIamPolicy"),
    ("schemas.list", "GET", "/v1/projects/p/schemas"),
    ("schemas.listRevisions", "GET", "/v1/projects/p/schemas/s:listRevisions"),
    ("schemas.rollback", "POST", "/v1/projects/p/schemas/s:rollback"),
    ("schemas.setIamPolicy", "POST", "/v1/projects/p/schemas/s:setIamPolicy"),
    ("schemas.testIamPermissions", "POST", "/v1/projects/p/schemas/s:testIamPermissions"),
    ("schemas.validate", "POST", "/v1/projects/p/schemas:validate"),
    ("schemas.validateMessage", "POST", "/v1/projects/p/schemas:validateMessage"),
    ("snapshots.create", "PUT", "/v1/projects/p/snapshots/s"),
    ("snapshots.delete", "DELETE", "/v1/projects/p/snapshots/s"),
    ("snapshots.get", "GET", "/v1/projects/p/snapshots/s"),
    ("snapshots.getIamPolicy", "GET", "/v1/projects/p/snapshots/s:getIamPolicy"),
    ("snapshots.list", "GET", "/v1/projects/p/snapshots"),
    ("snapshots.patch", "PATCH", "/v1/projects/p/snapshots/s"),
    ("snapshots.setIamPolicy", "POST", "/v1/projects/p/snapshots/s:setIamPolicy"),
    ("snapshots.testIamPermissions", "POST", "/v1/projects/p/snapshots/s:testIamPermissions"),
    ("subscriptions.acknowledge", "POST", "/v1/projects/p/subscriptions/s:acknowledge"),
    ("subscriptions.create", "PUT", "/v1/projects/p/subscriptions/s"),
    ("subscriptions.delete", "DELETE", "/v1/projects/p/subscriptions/s"),
    ("subscriptions.detach", "POST", "/v1/projects/p/subscriptions/s:detach"),
    ("subscriptions.get", "GET", "/v1/projects/p/subscriptions/s"),
    ("subscriptions.getIamPolicy", "GET", "/v1/projects/p/subscriptions/s:getIamPolicy"),
    ("subscriptions.list", "GET", "/v1/projects/p/subscriptions"),
    ("subscriptions.modifyAckDeadline", "POST", "/v1/projects/p/subscriptions/s:modifyAckDeadline"),
    ("subscriptions.modifyPushConfig", "POST", "/v1/projects/p/subscriptions/s:modifyPushConfig"),
    ("subscriptions.patch", "PATCH", "/v1/projects/p/subscriptions/s"),
    ("subscriptions.pull", "POST", "/v1/projects/p/subscriptions/s:pull"),
    ("subscriptions.seek", "POST", "/v1/projects/p/subscriptions/s:seek"),
    ("subscriptions.setIamPolicy", "POST", "/v1/projects/p/subscriptions/s:setIamPolicy"),
    ("subscriptions.testIamPermissions", "POST", "/v1/projects/p/subscriptions/s:testIamPermissions"),
    ("topics.create", "PUT", "/v1/projects/p/topics/t"),
    ("topics.delete", "DELETE", "/v1/projects/p/topics/t"),
    ("topics.get", "GET", "/v1/projects/p/topics/t"),
    ("topics.getIamPolicy", "GET", "/v1/projects/p/topics/t:getIamPolicy"),
    ("topics.list", "GET", "/v1/projects/p/topics"),
    ("topics.patch", "PATCH", "/v1/projects/p/topics/t"),
    ("topics.publish", "POST", "/v1/projects/p/topics/t:publish"),
    ("topics.setIamPolicy", "POST", "/v1/projects/p/topics/t:setIamPolicy"),
    ("topics.snapshots.list", "GET", "/v1/projects/p/topics/t/snapshots"),
    ("topics.subscriptions.list", "GET", "/v1/projects/p/topics/t/subscriptions"),
    ("topics.testIamPermissions", "POST", "/v1/projects/p/topics/t:testIamPermissions"),
];

const TASKS: [(&str, &str, &str); 21] = [
    ("locations.get", "GET", "/v2/projects/p/locations/l"),
    ("locations.getCmekConfig", "GET", "/v2/projects/p/locations/l/cmekConfig"),
    ("locations.list", "GET", "/v2/projects/p/locations"),
    ("locations.updateCmekConfig", "PATCH", "/v2/projects/p/locations/l/cmekConfig"),
    ("queues.create", "POST", "/v2/projects/p/locations/l/queues"),
    ("queues.delete", "DELETE", "/v2/projects/p/locations/l/queues/q"),
    ("queues.get", "GET", "/v2/projects/p/locations/l/queues/q"),
    ("queues.getIamPolicy", "GET", "/v2/projects/p/locations/l/queues/q:getIamPolicy"),
    ("queues.list", "GET", "/v2/projects/p/locations/l/queues"),
    ("queues.patch", "PATCH", "/v2/projects/p/locations/l/queues/q"),
    ("queues.pause", "POST", "/v2/projects/p/locations/l/queues/q:pause"),
    ("queues.purge", "POST", "/v2/projects/p/locations/l/queues/q:purge"),
    ("queues.resume", "POST", "/v2/projects/p/locations/l/queues/q:resume"),
    ("queues.setIamPolicy", "POST", "/v2/projects/p/locations/l/queues/q:setIamPolicy"),
    ("queues.tasks.buffer", "POST", "/v2/projects/p/locations/l/queues/q/tasks/t:buffer"),
    ("queues.tasks.create", "POST", "/v2/projects/p/locations/l/queues/q/tasks"),
    ("queues.tasks.delete", "DELETE", "/v2/projects/p/locations/l/queues/q/tasks/t"),
    ("queues.tasks.get", "GET", "/v2/projects/p/locations/l/queues/q/tasks/t"),
    ("queues.tasks.list", "GET", "/v2/projects/p/locations/l/queues/q/tasks"),
    ("queues.tasks.run", "POST", "/v2/projects/p/locations/l/queues/q/tasks/t:run"),
    ("queues.testIamPermissions", "POST", "/v2/projects/p/locations/l/queues/q:testIamPermissions"),
];

/// Cloud Functions' methods by their names, and whether each is here.
pub fn functions() -> impl Iterator<Item = (&'static str, bool)> {
    asked(&FUNCTIONS, |method, path| {
        admin(method, path).is_some_and(|admin| !matches!(admin, Admin::Unsupported { .. }))
    })
}

/// Those of Pub/Sub, which gRPC has by the same operations.
pub fn pubsub() -> impl Iterator<Item = (&'static str, bool)> {
    asked(&PUBSUB, pubsub::serves)
}

/// Those of Cloud Tasks, which gRPC has by the same operations.
pub fn tasks() -> impl Iterator<Item = (&'static str, bool)> {
    asked(&TASKS, tasks::serves)
}

fn asked(
    all: &'static [(&str, &str, &str)],
    is_here: impl Fn(&Method, &str) -> bool,
) -> impl Iterator<Item = (&'static str, bool)> {
    all.iter().map(move |(name, verb, path)| {
        (*name, is_here(&Method::from_bytes(verb.as_bytes()).unwrap_or_default(), path))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_here_is_told_from_what_is_not() {
        let has = |all: &[(&str, bool)], name: &str| {
            all.iter().find(|(known, _)| *known == name).map(|(_, here)| *here)
        };
        let functions: Vec<_> = super::functions().collect();
        assert_eq!(has(&functions, "v1.functions.call"), Some(true));
        assert_eq!(has(&functions, "v2.functions.detachFunction"), Some(false));
        let (pubsub, tasks): (Vec<_>, Vec<_>) = (super::pubsub().collect(), super::tasks().collect());
        assert_eq!(
            (has(&pubsub, "subscriptions.seek"), has(&tasks, "queues.tasks.buffer")),
            (Some(true), Some(false))
        );
    }
}
