//! From which web pages an app may be called: the origins of `local.settings.json`, as the host's middleware takes
//! them. The host's own API is open to none.
//!
//! Source: Azure Functions documentation, "Develop Azure Functions locally using Core Tools" (`Host.CORS`).

use super::{Functions, admin, fault};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};

/// What an app says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cors {
    origins: Vec<String>,
    credentials: bool,
}

impl Cors {
    /// `origins`: `*`, or some between commas.
    pub fn read(origins: &str, credentials: bool) -> Self {
        let origins = origins.split(',').map(|origin| origin.trim().trim_end_matches('/').to_owned());
        Self { origins: origins.filter(|origin| !origin.is_empty()).collect(), credentials }
    }

    fn is_open(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }

    pub fn allows(&self, origin: &str) -> bool {
        self.is_open() || self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }

    /// Adds to an answer what the page's browser wants to see.
    pub fn tell(&self, origin: &HeaderValue, headers: &mut HeaderMap) {
        if self.is_open() && !self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            return;
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// The origin of the page that sends a request. `None`: it is no page, or one from here.
pub(super) fn page(headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_own = origin.as_bytes().eq_ignore_ascii_case(&[b"http://", host].concat());
    (!is_own).then(|| origin.clone())
}

impl Functions {
    /// Whether an app lets in the web page that sends a request.
    pub fn admits_origin(&self, parts: &Parts) -> bool {
        let path = parts.uri.path();
        let is_hosts =
            admin::route(&parts.method, path).is_some() || super::grid::subscription(path).is_some();
        !is_hosts && page(&parts.headers).is_some_and(|origin| self.cors(&origin).is_some())
    }

    /// Of the first app that lets in pages of an origin.
    fn cors(&self, origin: &HeaderValue) -> Option<Cors> {
        let origin = origin.to_str().ok()?;
        self.apps().into_iter().map(|app| app.cors.clone()).find(|cors| cors.allows(origin))
    }

    /// The answer to a page that asks before it sends. `None`: that is not what it does.
    pub(super) fn preflight(&self, method: &Method, asked: &HeaderMap) -> Option<Response> {
        let wanted =
            asked.get(header::ACCESS_CONTROL_REQUEST_METHOD).filter(|_| *method == Method::OPTIONS)?;
        let origin = page(asked)?;
        let cors = self.cors(&origin)?;
        let mut response = fault::gone();
        let headers = response.headers_mut();
        cors.tell(&origin, headers);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, wanted.clone());
        if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_a_star_or_a_list() {
        let told = |cors: &Cors, origin: &'static str| {
            let mut headers = HeaderMap::new();
            cors.tell(&HeaderValue::from_static(origin), &mut headers);
            let text = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            (text(header::ACCESS_CONTROL_ALLOW_ORIGIN), text(header::ACCESS_CONTROL_ALLOW_CREDENTIALS))
        };
        let some = Cors::read("http://localhost:3000, https://a.example/", false);
        assert!(some.allows("https://A.example") && !some.allows("https://b.example"));
        assert_eq!(told(&some, "https://a.example"), (Some("https://a.example".into()), None));
        assert_eq!(told(&Cors::read("*", false), "https://a.example"), (Some("*".into()), None));
        let own = (Some("https://a.example".into()), Some("true".into()));
        assert_eq!(told(&Cors::read("*", true), "https://a.example"), own);
        assert!(!Cors::read("", false).allows("https://a.example"));
    }

    #[test]
    fn a_page_from_here_is_no_stranger() {
        let headers = |origin: &'static str| {
            HeaderMap::from_iter([
                (header::HOST, HeaderValue::from_static("localhost:7071")),
                (header::ORIGIN, HeaderValue::from_static(origin)),
            ])
        };
        assert_eq!(page(&headers("http://localhost:7071")), None);
        assert!(page(&headers("http://localhost:3000")).is_some());
    }
}
