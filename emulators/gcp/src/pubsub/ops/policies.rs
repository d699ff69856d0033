//! Access policies: kept for those who ask, never enforced. Everything is allowed.

use crate::pubsub::PubSub;
use crate::pubsub::fault::Fault;
use crate::pubsub::wire::{
    GetIamPolicyRequest, Policy, SetIamPolicyRequest, TestIamPermissionsRequest, TestIamPermissionsResponse,
};

/// Of a resource that nobody gave a policy.
const FIRST_ETAG: &str = "ACAB";

impl PubSub {
    pub(in crate::pubsub) fn set_policy(&self, ask: SetIamPolicyRequest) -> Result<Policy, Fault> {
        self.must_exist(&ask.resource)?;
        let mut registry = self.registry();
        let etag = self.queues().ids().fresh("policy").bytes()[..6].to_vec().into();
        let policy = Policy { etag, ..ask.policy.unwrap_or_default() };
        registry.policies.insert(ask.resource, policy.clone());
        Ok(policy)
    }

    pub(in crate::pubsub) fn policy(&self, ask: GetIamPolicyRequest) -> Result<Policy, Fault> {
        self.must_exist(&ask.resource)?;
        let kept = self.registry().policies.get(&ask.resource).cloned();
        Ok(kept.unwrap_or_else(|| Policy { version: 1, etag: FIRST_ETAG.into(), bindings: Vec::new() }))
    }

    pub(in crate::pubsub) fn permissions(
        &self,
        ask: TestIamPermissionsRequest,
    ) -> Result<TestIamPermissionsResponse, Fault> {
        self.must_exist(&ask.resource)?;
        Ok(TestIamPermissionsResponse { permissions: ask.permissions })
    }

    fn must_exist(&self, resource: &str) -> Result<(), Fault> {
        let registry = self.registry();
        match resource.split('/').nth(2).unwrap_or_default() {
            "topics" => registry.topic(resource).map(drop),
            "subscriptions" => registry.subscription(resource).map(drop),
            "snapshots" => registry.snapshot(resource).map(drop),
            "schemas" => registry.schema(resource).map(drop),
            _ => Err(Fault::invalid(format!("Invalid resource name: {resource}."))),
        }
    }
}
