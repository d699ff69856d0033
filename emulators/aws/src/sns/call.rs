//! What arrived: which action, for which account, and from where the caller came.

use super::fault::{Code, Fault};
use super::{Parts, decode};
use crate::auth::{self, Signable};
use crate::lambda::body;
use crate::lambda::query::Pairs;
use axum::body::Body;
use http::Request;
use http::request::Parts as Head;
use mlemu_core::Cause;
use serde_json::Value;

/// Largest request, in bytes: a full batch in the worst escaping.
const LARGEST: u64 = 4 * 1024 * 1024;
const VERSION: &str = "Version=2010-03-31";

/// One request, whatever it asks for.
pub struct Call {
    pub action: String,
    pub request_id: String,
    pub account: String,
    pub cause: Cause,
}

pub fn claims(head: &Head) -> bool {
    let query = head.uri.query().unwrap_or_default();
    let action = query.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let by_link = matches!(action, Some("ConfirmSubscription" | "Unsubscribe"));
    head.uri.path() == "/" && (query.contains(VERSION) || by_link)
}

impl Call {
    /// The call and its form, unfolded.
    pub async fn read(request: Request<Body>, parts: &Parts) -> Result<(Self, Value), (Self, Fault)> {
        let (head, body) = request.into_parts();
        let mut call = Self::of(&head, parts);
        let bytes = match body::read(body, LARGEST).await {
            Ok(bytes) => bytes,
            Err(fault) => return Err((call, Fault::new(Code::InvalidParameter, fault.to_string()))),
        };
        let query = head.uri.query().unwrap_or_default();
        let form = Pairs::read(&format!("{query}&{}", String::from_utf8_lossy(&bytes)));
        form.get("Action").unwrap_or_default().clone_into(&mut call.action);
        match decode::form(&form) {
            Ok(value) => Ok((call, value)),
            Err(fault) => Err((call, fault)),
        }
    }

    fn of(head: &Head, parts: &Parts) -> Self {
        let request_id = parts.ids.fresh("sns request").uuid();
        let pairs = Pairs::read(head.uri.query().unwrap_or_default());
        let signed = Signable {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: &pairs.0,
            headers: &head.headers,
        };
        let account = signed.access_key().and_then(auth::account_of).unwrap_or(&parts.settings.account);
        let trace = head.headers.get("x-amzn-trace-id").and_then(|header| header.to_str().ok());
        let trace = trace.map_or(&*request_id, crate::trace::of);
        Self {
            action: String::new(),
            account: account.to_owned(),
            cause: Cause::Request(trace.into()),
            request_id,
        }
    }
}
