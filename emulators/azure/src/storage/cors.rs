//! Requests of web pages: what a service's rules let them do, and what the answers must say for it.
//!
//! Source: Azure Storage documentation, "Cross-Origin Resource Sharing (CORS) support for Azure Storage".

use super::account::Accounts;
use super::address::Address;
use super::answer::{empty, set};
use super::fault::{Fault, code};
use super::properties;
use super::sas::Service;
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};
use mlemu_engine::objects::Objects;
use serde::Deserialize;

/// Most rules of a service.
const MOST_RULES: usize = 5;

#[derive(Debug, Default, Deserialize)]
struct Document {
    #[serde(rename = "Cors", default)]
    cors: Rules,
}

/// A service's rules, in their order.
#[derive(Debug, Default, Deserialize)]
struct Rules {
    #[serde(rename = "CorsRule", default)]
    all: Vec<Rule>,
}

/// Lists are words between commas.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Rule {
    allowed_origins: String,
    allowed_methods: String,
    allowed_headers: String,
    exposed_headers: String,
    max_age_in_seconds: String,
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// Whether `text` fits a pattern with at most one `*`.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        }
    }
}

impl Rule {
    fn is_for(&self, origin: &str) -> bool {
        words(&self.allowed_origins).any(|pattern| fits(pattern, origin))
    }

    fn allows(&self, origin: &str, method: &str, headers: &str) -> bool {
        self.is_for(origin)
            && words(&self.allowed_methods).any(|allowed| allowed.eq_ignore_ascii_case(method))
            && words(headers).all(|header| words(&self.allowed_headers).any(|pattern| fits(pattern, header)))
    }

    fn write(&self, response: &mut Response, origin: &str) {
        let is_anybody = words(&self.allowed_origins).any(|allowed| allowed == "*");
        set(response, "access-control-allow-origin", if is_anybody { "*" } else { origin });
        if !is_anybody {
            set(response, "access-control-allow-credentials", "true");
            set(response, "vary", "Origin");
        }
    }
}

/// Refuses properties whose rules are none.
pub(crate) fn check(document: &str) -> Result<(), Fault> {
    let read: Document = quick_xml::de::from_str(document).map_err(|_| code::InvalidXmlDocument)?;
    let is_whole = |rule: &Rule| {
        !rule.allowed_origins.is_empty()
            && !rule.allowed_methods.is_empty()
            && rule.max_age_in_seconds.trim().parse::<u32>().is_ok()
    };
    if read.cors.all.len() > MOST_RULES || !read.cors.all.iter().all(is_whole) {
        return Err(Fault::from(code::InvalidXmlNodeValue).with("XmlNodeName", "CorsRule"));
    }
    Ok(())
}

/// The page that sends a request, and the rules of the service that it is sent to.
pub(crate) struct Page<'a> {
    parts: &'a Parts,
    origin: &'a str,
    rules: Rules,
}

impl<'a> Page<'a> {
    /// `None`: no page sends it.
    pub fn of(parts: &'a Parts, objects: &Objects, accounts: &Accounts, service: Service) -> Option<Self> {
        let origin = header(parts, "origin")?;
        let address = Address::read(parts)?;
        let document = properties::of(objects, &accounts.scope(&address.account), service);
        // It was checked when it came.
        let rules = quick_xml::de::from_str::<Document>(&document).unwrap_or_default().cors;
        Some(Self { parts, origin, rules })
    }

    /// Whether a page of this origin may do anything at all here.
    pub fn is_known(&self) -> bool {
        self.rules.all.iter().any(|rule| rule.is_for(self.origin))
    }

    /// The answer to who asks before it sends. `None`: that is not what it does.
    pub fn preflight(&self) -> Option<Result<Response, Fault>> {
        if self.parts.method != Method::OPTIONS {
            return None;
        }
        let Some(method) = header(self.parts, "access-control-request-method") else {
            return Some(Err(Fault::header("Access-Control-Request-Method", "")));
        };
        let headers = header(self.parts, "access-control-request-headers").unwrap_or_default();
        let rule = self.rules.all.iter().find(|rule| rule.allows(self.origin, method, headers));
        Some(rule.ok_or_else(|| code::CorsPreflightFailure.into()).map(|rule| {
            let mut response = empty(StatusCode::OK);
            rule.write(&mut response, self.origin);
            set(&mut response, "access-control-allow-methods", method);
            if !headers.is_empty() {
                set(&mut response, "access-control-allow-headers", headers);
            }
            set(&mut response, "access-control-max-age", rule.max_age_in_seconds.trim());
            response
        }))
    }

    /// Adds to an answer what the page's browser wants to see.
    pub fn tell(&self, response: &mut Response) {
        let method = self.parts.method.as_str();
        let Some(rule) = self.rules.all.iter().find(|rule| rule.allows(self.origin, method, "")) else {
            return;
        };
        rule.write(response, self.origin);
        let exposed: Vec<&str> = words(&rule.exposed_headers).collect();
        if !exposed.is_empty() {
            set(response, "access-control-expose-headers", &exposed.join(","));
        }
    }
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(rules: &str) -> String {
        format!("<StorageServiceProperties><Cors>{rules}</Cors></StorageServiceProperties>")
    }

    #[test]
    fn rules_name_origins_methods_and_headers() {
        let rule = Rule {
            allowed_origins: "http://a.example, https://*.b.example".into(),
            allowed_methods: "GET,PUT".into(),
            allowed_headers: "x-ms-*,content-type".into(),
            ..Rule::default()
        };
        assert!(rule.allows("http://A.example", "PUT", "x-ms-blob-type, Content-Type"));
        assert!(rule.allows("https://pics.b.example", "GET", ""));
        for (origin, method, headers) in [
            ("http://b.example", "GET", ""),
            ("http://a.example", "DELETE", ""),
            ("http://a.example", "GET", "authorization"),
            ("http://a.example.evil.example", "GET", ""),
        ] {
            assert!(!rule.allows(origin, method, headers), "{origin} {method} {headers}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let rule = |age: &str| {
            format!(
                "<CorsRule><AllowedOrigins>*</AllowedOrigins><AllowedMethods>GET</AllowedMethods>\
                 <AllowedHeaders/><ExposedHeaders/><MaxAgeInSeconds>{age}</MaxAgeInSeconds></CorsRule>"
            )
        };
        for good in [String::new(), rule("0"), rule("5").repeat(5)] {
            assert!(check(&document(&good)).is_ok(), "{good}");
        }
        assert!(check("<StorageServiceProperties/>").is_ok());
        for bad in [rule("long"), rule("1").repeat(6), "<CorsRule/>".into()] {
            assert!(check(&document(&bad)).is_err(), "{bad}");
        }
    }
}
