//! What arrived: which protocol, which action, and its input in one form.

use super::decode::{self, Input};
use super::encode::{self, Protocol};
use super::fault::{Code, Fault};
use super::{Call, Front, Operation, names};
use crate::auth::{self, Signable};
use crate::lambda::body;
use crate::lambda::query::Pairs;
use axum::body::Body;
use http::request::Parts as Head;
use http::{Method, Request, header};
use mlemu_core::{Cause, HangUp};

/// Largest request, in bytes: a full batch in the worst escaping.
const LARGEST: u64 = 8 * 1024 * 1024;
const TARGET: &str = "AmazonSQS.";
const VERSION: &str = "Version=2012-11-05";

pub struct Arrived {
    pub call: Call,
    pub action: String,
    pub input: Input,
}

pub fn claims(head: &Head) -> bool {
    let target = text(head, "x-amz-target").is_some_and(|target| target.starts_with(TARGET));
    let query = head.uri.query().unwrap_or_default();
    let action = query.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let asked = query.contains(VERSION) || action.and_then(Operation::named).is_some();
    let on_queue = names::is_queue_path(&names::decoded(head.uri.path()));
    target || (asked && (on_queue || head.uri.path() == "/")) || (is_form(head) && on_queue)
}

fn is_form(head: &Head) -> bool {
    let kind = text(head, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    head.method == Method::POST && kind.starts_with("application/x-www-form-urlencoded")
}

fn text<'a>(head: &'a Head, name: &str) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}

impl Arrived {
    pub async fn read(request: Request<Body>, front: &Front) -> Result<Self, (Call, Fault)> {
        let (head, body) = request.into_parts();
        let target = text(&head, "x-amz-target").and_then(|target| target.strip_prefix(TARGET));
        let action = target.map(str::to_owned);
        let protocol = if action.is_some() { Protocol::Json } else { Protocol::Query };
        let call = call(&head, protocol, front);
        let bytes = match body::read(body, LARGEST).await {
            Ok(bytes) => bytes,
            Err(fault) => return Err((call, Fault::new(Code::MalformedInput, fault.to_string()))),
        };
        if let Some(action) = action {
            return Ok(Self { call, action, input: Input::Json(bytes) });
        }
        let query = head.uri.query().unwrap_or_default();
        let form = Pairs::read(&format!("{query}&{}", String::from_utf8_lossy(&bytes)));
        let action = form.get("Action").unwrap_or_default().to_owned();
        let path = names::decoded(head.uri.path());
        match decode::form(&form, names::is_queue_path(&path).then_some(&*path)) {
            Ok(input) => Ok(Self { call, action, input }),
            Err(fault) => Err((call, fault)),
        }
    }
}

fn call(head: &Head, protocol: Protocol, front: &Front) -> Call {
    let request_id = encode::new_request_id(front.queues().ids());
    let pairs = Pairs::read(head.uri.query().unwrap_or_default());
    let signed = Signable {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: &pairs.0,
        headers: &head.headers,
    };
    let account = signed.access_key().and_then(auth::account_of).unwrap_or(&front.parts.account);
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    let host = text(head, "host").or(authority).unwrap_or("127.0.0.1:4566");
    let scheme = text(head, "x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
    let trace = text(head, "x-amzn-trace-id").map_or(&*request_id, crate::trace::of);
    Call {
        protocol,
        origin: format!("{scheme}://{host}"),
        scope: front.scope_of(account),
        cause: Cause::Request(trace.into()),
        hang_up: head.extensions.get::<HangUp>().cloned(),
        request_id,
    }
}
