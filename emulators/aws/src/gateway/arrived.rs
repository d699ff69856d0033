//! A request as the gateway took it, in the pieces that events are made of.

use crate::lambda::query::Pairs;
use axum::extract::ConnectInfo;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use mlemu_core::Timestamp;
use mlemu_engine::ids::Id;
use std::net::SocketAddr;

/// Headers of the connection, and those that the front door writes itself.
const NOT_PASSED: [&str; 9] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "expect",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-amzn-trace-id",
];

#[derive(Debug)]
pub struct Arrived {
    pub id: String,
    pub at: Timestamp,
    pub method: String,
    /// As it was sent: not decoded.
    pub path: String,
    /// As it was sent, without the question mark.
    pub raw_query: String,
    pub query: Pairs,
    pub headers: HeaderMap,
    /// Host name without port.
    pub host: String,
    pub port: u16,
    pub source_ip: String,
    pub trace: String,
    /// The caller sent the trace itself.
    pub traced: bool,
    pub body: Bytes,
}

impl Arrived {
    /// `port`: where it came in, if the host does not say.
    pub fn new(parts: &Parts, body: Bytes, at: Timestamp, port: u16, id: Id) -> Self {
        let authority = authority(parts);
        let (host, said) = split_port(authority);
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let sent = text(&parts.headers, "x-amzn-trace-id");
        let raw_query = parts.uri.query().unwrap_or_default();
        Self {
            id: id.uuid(),
            at,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            raw_query: raw_query.to_owned(),
            query: Pairs::read(raw_query),
            headers: parts.headers.clone(),
            host: host.to_owned(),
            port: said.unwrap_or(port),
            source_ip: peer.map_or_else(|| "127.0.0.1".to_owned(), |peer| peer.0.ip().to_string()),
            trace: sent.map_or_else(
                || format!("Root=1-{:08x}-{}", at.millis() / 1000, &id.hex()[..24]),
                str::to_owned,
            ),
            traced: sent.is_some(),
            body,
        }
    }

    /// The names and values that a function sees, in order: those that came, and what the vendor's front
    /// door adds.
    pub fn seen_headers(&self) -> Vec<(String, String)> {
        let came = self.headers.iter().filter(|(name, _)| !NOT_PASSED.contains(&name.as_str()));
        let mut seen: Vec<(String, String)> = came
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let forwarded = match text(&self.headers, "x-forwarded-for") {
            Some(before) => format!("{before}, {}", self.source_ip),
            None => self.source_ip.clone(),
        };
        seen.push(("x-amzn-trace-id".into(), self.trace.clone()));
        seen.push(("x-forwarded-for".into(), forwarded));
        seen.push(("x-forwarded-port".into(), self.port.to_string()));
        seen.push(("x-forwarded-proto".into(), "http".into()));
        seen
    }

    pub fn user_agent(&self) -> &str {
        text(&self.headers, header::USER_AGENT.as_str()).unwrap_or_default()
    }

    /// First label of the host.
    pub fn domain_prefix(&self) -> &str {
        self.host.split('.').next().unwrap_or_default()
    }

    /// The body as an event carries it, and whether that is base64. `as_text`: it may be text.
    pub fn carried_body(&self, as_text: bool) -> (Option<String>, bool) {
        if self.body.is_empty() {
            return (None, false);
        }
        match std::str::from_utf8(&self.body) {
            Ok(text) if as_text => (Some(text.to_owned()), false),
            _ => (Some(BASE64.encode(&self.body)), true),
        }
    }

    pub fn content_type(&self) -> Option<&str> {
        text(&self.headers, header::CONTENT_TYPE.as_str())
    }

    /// `21/Apr/2020:15:08:21 +0000`
    pub fn time(&self) -> String {
        let at = jiff::Timestamp::from_microsecond(self.at.0).unwrap_or_default();
        at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
    }
}

/// Host and port as the request names them.
pub fn authority(parts: &Parts) -> &str {
    let said = parts.uri.authority().map(http::uri::Authority::as_str);
    said.or_else(|| text(&parts.headers, header::HOST.as_str())).unwrap_or("localhost")
}

/// Divides `host:port`; an IPv6 host keeps its brackets.
pub fn split_port(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

/// A header that is text.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        assert_eq!(split_port("a.localhost:4566"), ("a.localhost", Some(4566)));
        assert_eq!(split_port("localhost"), ("localhost", None));
        assert_eq!(split_port("[::1]:80"), ("[::1]", Some(80)));
        assert_eq!(split_port("[::1]"), ("[::1]", None));
        assert_eq!(split_port("h:x"), ("h", None));
    }
}
