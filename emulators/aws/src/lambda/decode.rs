//! From a request to what an operation wants to know.

use super::body::{self, BodyFault};
use super::fault::{Code, Fault};
use super::query::Pairs;
use super::settings::Settings;
use super::target::Target;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::request::Parts;
use mlemu_core::{Cause, Mode};
use serde::de::{DeserializeOwned, IgnoredAny};

/// Largest body of an operation that carries no package, in bytes.
const SMALL_BODY: u64 = 1024 * 1024;
/// Most items of a page.
const PAGE: usize = 50;

/// One request: its id, head, and the varying parts of its path.
pub struct Call<'a> {
    pub id: &'a str,
    pub parts: &'a Parts,
    pub path: Vec<String>,
    pub query: Pairs,
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub size: usize,
    /// The key of the first item.
    pub from: Option<String>,
}

impl<'a> Call<'a> {
    pub fn new(id: &'a str, parts: &'a Parts, path: Vec<String>) -> Self {
        Self { id, parts, path, query: Pairs::read(parts.uri.query().unwrap_or_default()) }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The function in the path, with the qualifier in it or in the query.
    pub fn target(&self, settings: &Settings) -> Result<Target, Fault> {
        let name = self.path.first().map_or("", String::as_str);
        Target::read(name, self.query.get("Qualifier"), settings)
    }

    /// What the caller's trace header stands for; a call without one begins a trace.
    pub fn cause(&self) -> Cause {
        Cause::Request(self.header("x-amzn-trace-id").map_or(self.id, crate::trace::of).into())
    }

    pub fn page(&self) -> Result<Page, Fault> {
        let size = match self.query.get("MaxItems") {
            None => PAGE,
            Some(text) => {
                let wrong =
                    || Fault::constraint(text, "maxItems", "Member must have value between 1 and 10000");
                let wanted: usize = text.parse().map_err(|_| wrong())?;
                if !(1..=10_000).contains(&wanted) {
                    return Err(wrong());
                }
                wanted.min(PAGE)
            }
        };
        Ok(Page { size, from: self.query.get("Marker").filter(|from| !from.is_empty()).map(str::to_owned) })
    }
}

impl Page {
    /// Cuts a list, sorted by `key`, to this page; also gives the key where the next page begins.
    pub fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        if let Some(from) = &self.from {
            items.retain(|item| key(item) >= *from);
        }
        let next = items.get(self.size).map(&key);
        items.truncate(self.size);
        (items, next)
    }
}

/// Reads a document of ordinary size.
pub async fn document<T: DeserializeOwned + Default>(body: Body, operation: &str) -> Result<T, Fault> {
    let bytes = whole(body, SMALL_BODY, operation).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) }
}

/// Reads a body up to `limit` bytes.
pub async fn whole(body: Body, limit: u64, operation: &str) -> Result<Bytes, Fault> {
    body::read(body, limit).await.map_err(|fault| match fault {
        BodyFault::TooLong(limit) => Fault::too_large(limit, operation),
        BodyFault::Broken => not_json("the body broke off"),
    })
}

pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| not_json(&error.to_string()))
}

fn not_json(why: &str) -> Fault {
    Fault::new(Code::InvalidRequestContent, format!("Could not parse request body into json: {why}"))
}

/// The event of an invocation: any JSON, however deep; nothing at all is an empty object.
pub fn event(payload: Bytes) -> Result<Bytes, Fault> {
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    let wrong = |why: &str| not_json(&format!("Could not parse payload into json: {why}"));
    let text = std::str::from_utf8(&payload).map_err(|_| wrong("Invalid UTF-8"))?;
    // Skips values without recursion and without building any.
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| wrong(&error.to_string()))?;
    Ok(payload)
}

pub fn mode(header: Option<&str>) -> Result<Mode, Fault> {
    match header {
        None | Some("RequestResponse") => Ok(Mode::Wait),
        Some("Event") => Ok(Mode::Queue),
        Some("DryRun") => Ok(Mode::DryRun),
        Some(other) => Err(Fault::constraint(
            other,
            "invocationType",
            "Member must satisfy enum value set: [Event, RequestResponse, DryRun]",
        )),
    }
}

pub fn wants_log(header: Option<&str>) -> Result<bool, Fault> {
    match header {
        None | Some("None") => Ok(false),
        Some("Tail") => Ok(true),
        Some(other) => {
            Err(Fault::constraint(other, "logType", "Member must satisfy enum value set: [None, Tail]"))
        }
    }
}

/// The client context as the runtime gets it: one line of ASCII JSON, as it travels in a header.
pub fn client_context(header: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(header) = header else { return Ok(None) };
    let wrong = || {
        let text = "Client context must be a valid Base64-encoded JSON object.";
        Fault::new(Code::InvalidRequestContent, text)
    };
    let bytes = BASE64.decode(header).map_err(|_| wrong())?;
    let context: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    let text = serde_json::Value::Object(context).to_string();
    Ok(Some(ascii(&text)))
}

/// JSON text with everything beyond ASCII escaped; such characters are only ever inside its strings.
fn ascii(json: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        if (' '..='~').contains(&letter) {
            out.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_any_json() {
        for good in ["{}", "null", " 7 ", r#""text""#, r#"{"a":[1,{"b":"\u00e9"}]}"#] {
            assert_eq!(event(Bytes::from_static(good.as_bytes())).unwrap(), good);
        }
        assert_eq!(event(Bytes::new()).unwrap(), "{}");
        for bad in ["{", "abc", "{}{}", "{'a':1}", " ", "\u{feff}{}"] {
            let fault = event(Bytes::from_static(bad.as_bytes())).unwrap_err();
            assert_eq!(fault.code, Code::InvalidRequestContent);
            assert!(fault.text.starts_with("Could not parse request body into json: "), "{}", fault.text);
        }
        assert!(event(Bytes::from_static(b"\"\xff\"")).is_err());
    }

    #[test]
    fn a_deep_event_does_not_exhaust_the_stack() {
        let deep = "[".repeat(3_000_000) + &"]".repeat(3_000_000);
        assert!(event(Bytes::from(deep)).is_ok());
        assert!(event(Bytes::from("[".repeat(3_000_000))).is_err());
    }

    #[test]
    fn a_context_is_one_ascii_line() {
        let context = |json: &str| client_context(Some(&BASE64.encode(json)));
        assert_eq!(
            context("{\"custom\":\r\n {\"k\": \"é😀\\n\"}}").unwrap().unwrap(),
            r#"{"custom":{"k":"\u00e9\ud83d\ude00\n"}}"#
        );
        assert_eq!(client_context(None).unwrap(), None);
        assert!(context("[1]").is_err());
        assert!(context("{").is_err());
        assert!(client_context(Some("not base64!")).is_err());
    }

    #[test]
    fn pages() {
        let page = |from: Option<&str>| Page { size: 2, from: from.map(str::to_owned) };
        let items = || vec!["a", "b", "c"];
        assert_eq!(page(None).cut(items(), |item| (*item).to_owned()), (vec!["a", "b"], Some("c".into())));
        assert_eq!(page(Some("c")).cut(items(), |item| (*item).to_owned()), (vec!["c"], None));
        // The item where the page should begin may have gone.
        assert_eq!(page(Some("bb")).cut(items(), |item| (*item).to_owned()), (vec!["c"], None));
    }
}
