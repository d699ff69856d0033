//! What a request's host and path mean: a function and the rest of the path, or an operation of the API.
//!
//! Source: Cloud Functions documentation, "HTTP triggers"; the REST references of v1 and v2.

use super::deploy::UPLOADS;
use crate::place::Place;
use http::uri::PathAndQuery;
use http::{Method, Uri};

/// A function called by HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub function: String,
    /// What the function sees as its path and query.
    pub rest: PathAndQuery,
}

/// Which of the two APIs is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

/// An operation of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admin {
    List {
        version: Version,
    },
    Get {
        version: Version,
        function: String,
    },
    Call {
        function: String,
    },
    Create {
        version: Version,
    },
    Update {
        version: Version,
        function: String,
    },
    Delete {
        version: Version,
        function: String,
    },
    Operations {
        version: Version,
    },
    Operation {
        id: String,
    },
    /// Asks where code may be sent.
    UploadUrl {
        version: Version,
    },
    /// Code that is sent there.
    Upload {
        name: String,
    },
    DownloadUrl {
        function: String,
    },
    Runtimes,
    Policy,
    Locations {
        version: Version,
    },
    Unsupported {
        operation: String,
    },
}

/// Either form: `REGION-PROJECT.cloudfunctions.…/NAME/rest`, or `/PROJECT/REGION/NAME/rest` on any host.
pub fn target(host: &str, uri: &Uri, place: &Place) -> Option<Target> {
    let here = if is_host(host, place) {
        uri.path().strip_prefix('/')?
    } else {
        let path = uri.path().strip_prefix('/')?.strip_prefix(place.project())?;
        path.strip_prefix('/')?.strip_prefix(place.region())?.strip_prefix('/')?
    };
    let name = here.split('/').next().filter(|name| !name.is_empty())?;
    let path = &here[name.len()..];
    let path = if path.is_empty() { "/" } else { path };
    let rest = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    Some(Target { function: name.to_owned(), rest: rest.parse().ok()? })
}

/// `us-central1-demo-mlemu.cloudfunctions.net`; tools that insist on a name of this machine say `.localhost`.
pub fn is_host(host: &str, place: &Place) -> bool {
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let own = format!("{}-{}.cloudfunctions.", place.region(), place.project());
    matches!(host.strip_prefix(&own), Some("net" | "localhost"))
}

/// The operation that a path of the API means; `None`: it is of another API.
pub fn admin(method: &Method, path: &str) -> Option<Admin> {
    if let (&Method::PUT, Some(name)) = (method, path.strip_prefix(UPLOADS)) {
        return Some(Admin::Upload { name: name.to_owned() });
    }
    if let (&Method::GET, Some(id)) = (method, path.strip_prefix("/v1/operations/")) {
        return Some(Admin::Operation { id: id.to_owned() });
    }
    let (version, rest) = match path.strip_prefix("/v1/projects/") {
        Some(rest) => (Version::One, rest),
        None => (Version::Two, path.strip_prefix("/v2/projects/")?),
    };
    let segments: Vec<&str> = rest.split('/').collect();
    let unsupported = || {
        let shown = segments.get(3..).unwrap_or_default().join("/");
        Admin::Unsupported { operation: format!("{method} {shown}") }
    };
    Some(match (method, segments.as_slice()) {
        (&Method::GET, [_, "locations"]) => Admin::Locations { version },
        (&Method::GET, [_, "locations", _, "functions"]) => Admin::List { version },
        (&Method::GET, [_, "locations", _, "functions", name]) if !name.contains(':') => {
            Admin::Get { version, function: (*name).to_owned() }
        }
        (&Method::POST, [_, "locations", _, "functions"]) => Admin::Create { version },
        (&Method::POST, [_, "locations", _, "functions:generateUploadUrl"]) => Admin::UploadUrl { version },
        (_, [_, "locations", _, "functions", name]) => match (method, name.split_once(':')) {
            (&Method::PATCH, None) => Admin::Update { version, function: (*name).to_owned() },
            (&Method::DELETE, None) => Admin::Delete { version, function: (*name).to_owned() },
            (_, Some((_, "getIamPolicy" | "setIamPolicy" | "testIamPermissions"))) => Admin::Policy,
            (&Method::POST, Some((name, "call"))) if version == Version::One => {
                Admin::Call { function: name.to_owned() }
            }
            (&Method::POST, Some((name, "generateDownloadUrl"))) => {
                Admin::DownloadUrl { function: name.to_owned() }
            }
            _ => unsupported(),
        },
        (&Method::GET, [_, "locations", _, "operations"]) => Admin::Operations { version },
        (&Method::GET, [_, "locations", _, "operations", id]) => Admin::Operation { id: (*id).to_owned() },
        (&Method::GET, [_, "locations", _, "runtimes"]) => Admin::Runtimes,
        (_, [_, "locations", _, functions, ..]) if functions.starts_with("functions") => unsupported(),
        (_, [_, "locations", _, "operations" | "runtimes", ..]) => unsupported(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::new("demo-p", "europe-west1")
    }

    fn found(host: &str, uri: &str) -> Option<(String, String)> {
        let target = target(host, &uri.parse().unwrap(), &place())?;
        Some((target.function, target.rest.to_string()))
    }

    #[test]
    fn a_function_is_found_by_path_and_by_host() {
        let by_path = |uri| found("127.0.0.1:8085", uri);
        let pair = |function: &str, rest: &str| Some((function.to_owned(), rest.to_owned()));
        assert_eq!(by_path("/demo-p/europe-west1/score"), pair("score", "/"));
        assert_eq!(by_path("/demo-p/europe-west1/score/a%2Fb/c?x=1&y"), pair("score", "/a%2Fb/c?x=1&y"));
        assert_eq!(by_path("/demo-p/europe-west1/score?x=1"), pair("score", "/?x=1"));
        for other in ["/", "/demo-p", "/demo-p/europe-west1/", "/demo-px/europe-west1/score", "/a/b/c"] {
            assert_eq!(by_path(other), None, "{other}");
        }
        let host = "europe-west1-demo-p.cloudfunctions.localhost:8085";
        assert_eq!(found(host, "/score/x"), pair("score", "/x"));
        assert_eq!(found("EUROPE-west1-demo-p.cloudfunctions.net", "/score"), pair("score", "/"));
        assert_eq!(found("us-demo-p.cloudfunctions.localhost", "/score"), None);
    }

    #[test]
    fn operations() {
        let get = |path| admin(&Method::GET, path);
        assert_eq!(get("/v1/projects/p/locations/-/functions"), Some(Admin::List { version: Version::One }));
        let score = Admin::Get { version: Version::Two, function: "score".into() };
        assert_eq!(get("/v2/projects/p/locations/l/functions/score"), Some(score));
        let call = admin(&Method::POST, "/v1/projects/p/locations/l/functions/score:call");
        assert_eq!(call, Some(Admin::Call { function: "score".into() }));
        let strange = admin(&Method::POST, "/v2/projects/p/locations/l/functions/score:call");
        assert!(matches!(strange, Some(Admin::Unsupported { .. })));
        let upload = admin(&Method::POST, "/v1/projects/p/locations/l/functions:generateUploadUrl");
        assert_eq!(upload, Some(Admin::UploadUrl { version: Version::One }));
        let sent = admin(&Method::PUT, "/functions/uploads/a.zip");
        assert_eq!(sent, Some(Admin::Upload { name: "a.zip".into() }));
        assert_eq!(get("/v1/operations/x"), Some(Admin::Operation { id: "x".into() }));
        let gone = admin(&Method::DELETE, "/v2/projects/p/locations/l/functions/score");
        assert_eq!(gone, Some(Admin::Delete { version: Version::Two, function: "score".into() }));
        assert_eq!(get("/v1/projects/p/topics/t"), None);
        assert_eq!(get("/storage/v1/b"), None);
    }
}
