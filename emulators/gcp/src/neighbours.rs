//! What gcloud asks of other APIs around a deployment: whether they are enabled, who builds, which project it is and who
//! may call. Everything is enabled and everybody may: nothing of it is kept.
//!
//! Source: REST references of Service Usage v1, Cloud Build v1, Resource Manager v1 and Cloud Run v1.

use http::Method;
use serde_json::{Value, json};

/// Any number: the project is none of the vendor's.
const NUMBER: u64 = 1;

/// The answer to a question of these; `None`: it is none.
pub(crate) fn answer(method: &Method, path: &str) -> Option<Value> {
    let segments: Vec<&str> = path.strip_prefix("/v1/projects/")?.split('/').collect();
    match (method, segments.as_slice()) {
        (&Method::GET, [project]) if !project.contains(':') => Some(json!({
            "projectId": project, "projectNumber": NUMBER.to_string(), "lifecycleState": "ACTIVE", "name": project,
        })),
        (&Method::POST, [project]) if project.ends_with(":testIamPermissions") => Some(json!({
            "permissions": ["resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy"],
        })),
        (&Method::POST, [project]) if project.ends_with("IamPolicy") => Some(policy()),
        (&Method::GET, [project, "services", service]) => Some(json!({
            "name": format!("projects/{project}/services/{service}"), "parent": format!("projects/{project}"),
            "state": "ENABLED",
        })),
        (&Method::GET, [project, "locations", location, "defaultServiceAccount"]) => Some(json!({
            "name": format!("projects/{project}/locations/{location}/defaultServiceAccount"),
            "serviceAccountEmail": format!("projects/{project}/serviceAccounts/build@{project}.iam.gserviceaccount.com"),
        })),
        (_, [_, "locations", _, "services", service]) if service.ends_with("IamPolicy") => Some(policy()),
        _ => None,
    }
}

/// The policy of whatever is asked for.
pub(crate) fn policy() -> Value {
    json!({ "version": 1, "etag": "ACAB", "bindings": [] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_their_own_questions_are_answered() {
        let get = |path: &str| answer(&Method::GET, path);
        assert_eq!(get("/v1/projects/p").unwrap()["projectNumber"], "1");
        assert_eq!(get("/v1/projects/p/services/run.googleapis.com").unwrap()["state"], "ENABLED");
        for other in ["/v1/projects/p/topics", "/v1/projects/p/locations/l/functions", "/v2/projects/p", "/"]
        {
            assert_eq!(get(other), None, "{other}");
        }
        assert!(answer(&Method::POST, "/v1/projects/p/locations/l/services/s:setIamPolicy").is_some());
        assert_eq!(answer(&Method::POST, "/v1/projects/p/topics/t:setIamPolicy"), None);
    }
}
