//! Invoke, and the old InvokeAsync.

use super::super::Lambda;
use super::super::attribute::{CLIENT_CONTEXT, TRACE_ID};
use super::super::decode::{self, Call};
use super::super::encode;
use super::super::ending;
use super::super::fault::{Code, Fault};
use super::super::target::Target;
use crate::profile::{QUEUED_PAYLOAD, SYNC_PAYLOAD};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::{InvocationId, Invoke, Mode, Outcome, Reply};
use serde_json::json;

pub async fn run(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    let mode = decode::mode(call.header("x-amz-invocation-type"))?;
    let invoke = request(lambda, call, &target, mode, body).await?;
    let reply = lambda.functions.invoke(invoke).await;
    match reply.map_err(|refusal| Fault::refused(&refusal, &target.arn(&lambda.settings)))? {
        Reply::Done(outcome) => answer(call, *outcome),
        Reply::Accepted => Ok(encode::empty(StatusCode::ACCEPTED)),
        Reply::WouldRun => Ok(encode::empty(StatusCode::NO_CONTENT)),
    }
}

pub async fn run_async(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    let invoke = request(lambda, call, &target, Mode::Queue, body).await?;
    let reply = lambda.functions.invoke(invoke).await;
    reply.map_err(|refusal| Fault::refused(&refusal, &target.arn(&lambda.settings)))?;
    encode::json(202, &json!({ "Status": 202 }))
}

/// What the engine is asked, from what the caller said.
pub async fn request(
    lambda: &Lambda,
    call: &Call<'_>,
    target: &Target,
    mode: Mode,
    body: Body,
) -> Result<Invoke, Fault> {
    let limit = if mode == Mode::Queue { QUEUED_PAYLOAD } else { SYNC_PAYLOAD };
    let payload = decode::event(decode::whole(body, limit, "InvokeFunction").await?)?;
    let wants_log = decode::wants_log(call.header("x-amz-log-type"))? && mode == Mode::Wait;
    let mut attributes = Vec::new();
    if let Some(context) = decode::client_context(call.header("x-amz-client-context"))? {
        attributes.push((CLIENT_CONTEXT, context));
    }
    if let Some(trace) = call.header("x-amzn-trace-id") {
        attributes.push((TRACE_ID, trace.to_owned()));
    }
    let (id, qualifier) = lambda.pick(target)?;
    Ok(Invoke {
        id: InvocationId(call.id.into()),
        target: id,
        qualifier,
        mode,
        payload,
        attributes,
        head: None,
        cause: call.cause(),
        wants_log,
        stream: None,
    })
}

/// A failed function is an answer like any other, marked in a header.
fn answer(call: &Call<'_>, outcome: Outcome) -> Result<Response, Fault> {
    let (payload, failed) = match outcome.result {
        Ok(answer) => (answer.body, false),
        Err(failure) => (ending::body(&failure, call.id), true),
    };
    let mut response = Response::new(Body::from(payload_or_null(payload)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let version = HeaderValue::from_str(&outcome.revision)
        .map_err(|_| Fault::new(Code::Service, "the version's name is no header"))?;
    headers.insert("x-amz-executed-version", version);
    if failed {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    if let Some(trace) = call.parts.headers.get("x-amzn-trace-id") {
        headers.insert("x-amzn-trace-id", trace.clone());
    }
    if !outcome.log.is_empty()
        && let Ok(tail) = HeaderValue::from_str(&encode::log_tail(&outcome.log))
    {
        headers.insert("x-amz-log-result", tail);
    }
    Ok(response)
}

/// A function that answers nothing at all has answered `null`.
fn payload_or_null(payload: Bytes) -> Bytes {
    if payload.is_empty() { Bytes::from_static(b"null") } else { payload }
}
