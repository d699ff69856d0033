//! Payload and envelope: one fixture put into another.
//!
//! An envelope says in its front matter which of its parameters becomes the payload. HTTP envelopes take
//! more: a media type, a length, bytes that are not text as base64, and payloads that travel in the query.

use crate::error::FixtureError;
use crate::front_matter::{HttpPlace, ParamSpec, Wraps};
use crate::mime;
use crate::param::Param;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What a payload is put into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Nothing: the payload is the event.
    Bare,
    /// A fixture that can carry one, e.g. `aws/apigw/rest`.
    Fixture(String),
}

impl Envelope {
    /// `bare` or the name of a fixture.
    pub fn named(name: &str) -> Self {
        match name {
            "bare" => Envelope::Bare,
            fixture => Envelope::Fixture(fixture.to_owned()),
        }
    }
}

/// Divides parameters between a payload and its envelope: each goes to the one that declares it, to both
/// when both do. What neither declares goes to the payload, which will complain.
pub(crate) fn divide(
    params: &[Param],
    payload: &[ParamSpec],
    envelope: &[ParamSpec],
) -> (Vec<Param>, Vec<Param>) {
    let declares = |specs: &[ParamSpec], param: &Param| {
        specs.iter().any(|spec| spec.name == param.name || spec.name == param.root())
    };
    let to_envelope = params.iter().filter(|param| declares(envelope, param)).cloned().collect();
    let to_payload = params.iter().filter(|param| declares(payload, param) || !declares(envelope, param));
    (to_payload.cloned().collect(), to_envelope)
}

/// The parameters by which an envelope takes a payload; those that were `given` come last and win.
///
/// # Errors
/// [`FixtureError::BinaryPayload`] for bytes that are not text in an envelope that is not HTTP.
pub(crate) fn carry(
    envelope: &str,
    wraps: &Wraps,
    place: HttpPlace,
    payload: &[u8],
    given: Vec<Param>,
) -> Result<Vec<Param>, FixtureError> {
    let text = std::str::from_utf8(payload).ok();
    let mut params = match (wraps.http, place, text) {
        (false, _, Some(text)) => vec![Param::text(&wraps.into, text)],
        (false, _, None) => return Err(FixtureError::BinaryPayload { fixture: envelope.into() }),
        (true, HttpPlace::Query, _) => query(payload),
        (true, HttpPlace::Body, _) => body(&wraps.into, payload, text),
    };
    // A header that was given replaces ours; it doesn't become a second value of it.
    params.retain(|ours| !given.iter().any(|theirs| theirs.name.eq_ignore_ascii_case(&ours.name)));
    params.extend(given);
    Ok(params)
}

fn body(into: &str, payload: &[u8], text: Option<&str>) -> Vec<Param> {
    let content = text.map_or_else(|| STANDARD.encode(payload), str::to_owned);
    vec![
        Param::text("method", "POST"),
        Param::text("headers.content-type", mime::of_content(payload)),
        Param::text("headers.content-length", &payload.len().to_string()),
        Param::text(into, &content),
        Param::json("binary", text.is_none().into()),
    ]
}

/// The fields of a payload as the query string of a GET.
fn query(payload: &[u8]) -> Vec<Param> {
    let fields: Value = serde_json::from_slice(payload).unwrap_or_default();
    vec![Param::text("method", "GET"), Param::json("query", fields)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Given;

    const HTTP: fn() -> Wraps = || Wraps { into: "body".into(), http: true };

    fn text_of<'a>(params: &'a [Param], name: &str) -> Option<&'a str> {
        params.iter().rev().find(|param| param.name == name).and_then(|param| match &param.given {
            Given::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    #[test]
    fn bytes_become_base64_over_http_only() {
        let params = carry("e", &HTTP(), HttpPlace::Body, b"\xff\xd8\xff\xe0", vec![]).unwrap();
        assert_eq!(text_of(&params, "body"), Some("/9j/4A=="));
        assert_eq!(text_of(&params, "headers.content-type"), Some("image/jpeg"));
        assert!(params.contains(&Param::json("binary", true.into())));
        let queue = Wraps { into: "body".into(), http: false };
        let refused = carry("q", &queue, HttpPlace::Body, b"\xff", vec![]);
        assert_eq!(refused, Err(FixtureError::BinaryPayload { fixture: "q".into() }));
    }

    #[test]
    fn what_was_given_wins() {
        let given = vec![Param::text("method", "PUT"), Param::text("headers.Content-Type", "text/csv")];
        let params = carry("e", &HTTP(), HttpPlace::Body, b"{}", given).unwrap();
        assert_eq!(text_of(&params, "method"), Some("PUT"));
        assert_eq!(text_of(&params, "headers.content-type"), None);
        assert_eq!(text_of(&params, "headers.Content-Type"), Some("text/csv"));
    }
}
