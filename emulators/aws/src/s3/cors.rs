//! Requests of web pages: what a bucket's rules let them do, and what the answers must say for it.
//!
//! Follows "Using cross-origin resource sharing (CORS)" of the Amazon S3 user guide.

use super::Front;
use super::address::address;
use super::admission;
use super::encode::{self, Answer};
use super::fault::{Code, Fault};
use super::kept::Kind;
use super::tree::Element;
use http::request::Parts as Head;
use http::{HeaderMap, Method, StatusCode};
use mlemu_engine::objects::{BucketId, BucketView};

const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// A bucket's rules, in their order.
pub(super) struct Rules(Vec<Element>);

impl Rules {
    /// `None`: the bucket has none.
    pub fn of(bucket: &BucketView) -> Option<Self> {
        let document = bucket.document(Kind::Cors.name())?;
        // It was checked when it came.
        Element::parse(Kind::Cors.name(), document.as_bytes()).ok().map(|root| Self(root.children))
    }

    /// The first rule that lets this origin use this method with these headers.
    fn find(&self, origin: &str, method: &str, headers: &[&str]) -> Option<Rule<'_>> {
        let allows = |rule: &&Element| {
            let has = |name, text: &str| rule.all(name).any(|pattern| fits(&pattern.text, text));
            has("AllowedOrigin", origin)
                && rule.all("AllowedMethod").any(|allowed| allowed.text == method)
                && headers.iter().all(|header| {
                    rule.all("AllowedHeader").any(|allowed| fits(&allowed.text.to_ascii_lowercase(), header))
                })
        };
        self.0.iter().find(allows).map(Rule)
    }
}

struct Rule<'a>(&'a Element);

impl Rule<'_> {
    fn write(&self, headers: &mut HeaderMap, origin: &str) {
        let is_anybody = self.0.all("AllowedOrigin").any(|allowed| allowed.text == "*");
        encode::set(headers, "access-control-allow-origin", if is_anybody { "*" } else { origin });
        if !is_anybody {
            encode::set(headers, "access-control-allow-credentials", "true");
        }
        encode::set(headers, "access-control-allow-methods", &self.list("AllowedMethod"));
        let exposed = self.list("ExposeHeader");
        if !exposed.is_empty() {
            encode::set(headers, "access-control-expose-headers", &exposed);
        }
        if let Some(age) = self.0.text_of("MaxAgeSeconds") {
            encode::set(headers, "access-control-max-age", age);
        }
        encode::set(headers, "vary", VARY);
    }

    fn list(&self, name: &str) -> String {
        self.0.all(name).map(|child| child.text.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Whether `text` fits a pattern with at most one `*`.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A page asks before it sends.
pub(super) fn preflight(bucket: Option<&BucketView>, headers: &HeaderMap) -> Answer {
    let Some(origin) = header(headers, "origin") else { return Err(Code::BadRequest.into()) };
    let Some(method) = header(headers, "access-control-request-method") else {
        let message = "Invalid Access-Control-Request-Method: null";
        return Err(Fault::because(Code::BadRequest, message));
    };
    let asked = header(headers, "access-control-request-headers").unwrap_or_default().to_ascii_lowercase();
    let asked: Vec<&str> = asked.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let rules = bucket.and_then(Rules::of).ok_or(Code::AccessForbidden)?;
    let rule = rules.find(origin, method, &asked).ok_or_else(|| {
        let message = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";
        Fault::because(Code::AccessForbidden, message)
    })?;
    let mut response = encode::empty(StatusCode::OK);
    rule.write(response.headers_mut(), origin);
    if !asked.is_empty() {
        encode::set(response.headers_mut(), "access-control-allow-headers", &asked.join(", "));
    }
    Ok(response)
}

/// The page that sends a request, and the rules of the bucket that it is sent to.
pub(super) struct Page {
    origin: String,
    /// The method that is asked about, or else the one that is used; `None`: the answer says it all itself.
    method: Option<String>,
    rules: Rules,
}

impl Page {
    /// `None`: no page sends it, or the bucket has no rules.
    pub fn of(front: &Front, head: &Head) -> Option<Self> {
        let origin = header(&head.headers, "origin")?.to_owned();
        let bucket = address(&admission::host(head), head.uri.path()).ok()?.bucket?;
        let own = front.objects().bucket(&BucketId::new(&admission::scope(front, head), &bucket));
        // Who asks before sending has not said who it is.
        let others = || {
            front.objects().named(&bucket).into_iter().find(|view| *view.scope.cloud == *front.scope.cloud)
        };
        let rules = Rules::of(&own.ok().or_else(others)?)?;
        let asked = header(&head.headers, "access-control-request-method");
        let method =
            (head.method != Method::OPTIONS).then(|| asked.unwrap_or(head.method.as_str()).to_owned());
        Some(Self { origin, method, rules })
    }

    /// Whether a page of this origin may do anything at all here.
    pub fn is_known(&self) -> bool {
        let patterns = self.rules.0.iter().flat_map(|rule| rule.all("AllowedOrigin"));
        patterns.into_iter().any(|pattern| fits(&pattern.text, &self.origin))
    }

    /// Adds to an answer what the page's browser wants to see.
    pub fn tell(&self, answered: &mut HeaderMap) {
        let Some(method) = &self.method else { return };
        if let Some(rule) = self.rules.find(&self.origin, method, &[]) {
            rule.write(answered, &self.origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_one_star() {
        let table = [
            ("*", "http://a", true),
            ("http://*.example.com", "http://x.example.com", true),
            ("http://*.example.com", "http://example.com", false),
            ("start*end", "startend", true),
            ("start*end", "starend", false),
            ("aba*aba", "aba", false),
            ("http://a", "http://A", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
