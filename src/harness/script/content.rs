//! The bytes of an object or a message, in whichever way a step says them.

use super::model::{Put, Send};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::Value;

/// Exactly one of these is said.
pub struct Content<'a> {
    pub body: Option<&'a str>,
    pub json: Option<&'a Value>,
    pub base64: Option<&'a str>,
    pub file: Option<&'a str>,
}

impl<'a> Content<'a> {
    pub fn of_put(put: &'a Put) -> Self {
        let Put { body, json, base64, file, .. } = put;
        Self::new(body.as_deref(), json.as_ref(), base64.as_deref(), file.as_deref())
    }

    pub fn of_send(send: &'a Send) -> Self {
        let Send { body, json, base64, file, .. } = send;
        Self::new(body.as_deref(), json.as_ref(), base64.as_deref(), file.as_deref())
    }

    fn new(
        body: Option<&'a str>,
        json: Option<&'a Value>,
        base64: Option<&'a str>,
        file: Option<&'a str>,
    ) -> Self {
        Self { body, json, base64, file }
    }
}

/// # Errors
/// In words, when it is no base64.
pub fn decoded(base64: &str) -> Result<Bytes, String> {
    BASE64_STANDARD.decode(base64).map(Bytes::from).map_err(|error| format!("it is no base64: {error}"))
}
