//! The project that a request names, where one stands for a scope of tests: `demo-NAME`.
//!
//! Requests for objects name none. A client library says in a header which resource a call concerns, and the APIs
//! and functions have it in their path.

use http::request::Parts;

/// What Google's own tools put before the names of projects that do not exist.
const DEMO: &str = "demo-";

/// The `NAME` of the project.
pub fn project(parts: &Parts) -> Option<&str> {
    let header = || parts.headers.get("x-goog-request-params")?.to_str().ok();
    in_path(parts.uri.path()).or_else(|| after_projects(header()?))
}

fn in_path(path: &str) -> Option<&str> {
    after_projects(path).or_else(|| {
        let mut segments = path.strip_prefix('/')?.split('/');
        let (project, region) = (segments.next()?, segments.next()?);
        is_region(region).then(|| project.strip_prefix(DEMO))?
    })
}

/// Of `projects/demo-a/...`, plain or percent-encoded.
fn after_projects(text: &str) -> Option<&str> {
    let begin = text.find("projects/").map(|at| at + "projects/".len());
    let begin = begin.or_else(|| text.find("projects%2F").map(|at| at + "projects%2F".len()))?;
    let name = text[begin..].strip_prefix(DEMO)?;
    name.split(['/', '%', '&', ':']).next()
}

/// Such as `us-central1`.
fn is_region(text: &str) -> bool {
    text.contains('-') && text.ends_with(|end: char| end.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_where_each_client_writes_them() {
        let said = |uri: &str, header: &str| {
            let request = http::Request::builder().uri(uri).header("x-goog-request-params", header);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            project(&parts).map(str::to_owned)
        };
        assert_eq!(said("/v2/projects/demo-a1/locations/-/functions", "").as_deref(), Some("a1"));
        assert_eq!(said("/demo-a1/us-central1/f/rest", "").as_deref(), Some("a1"));
        let publish = "/google.pubsub.v1.Publisher/Publish";
        assert_eq!(said(publish, "topic=projects%2Fdemo-b%2Ftopics%2Ft").as_deref(), Some("b"));
        assert_eq!(said(publish, "topic=projects/demo-b/topics/t").as_deref(), Some("b"));
        for other in ["/storage/v1/b?project=demo-a", "/demo-a/object", "/v1/projects/own/topics", "/"] {
            assert_eq!(said(other, ""), None, "{other}");
        }
    }
}
