//! Servers elsewhere, which answer for an endpoint: the clouds are given this way to ask them.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mlemu_core::{Answer, ResponseHead};
use mlemu_engine::endpoints::{NoAnswer, Post, Posted};
use std::sync::Arc;

/// Largest answer in bytes.
const LARGEST: usize = 6 * 1024 * 1024;

/// Plain HTTP: what an endpoint of a project names is on this machine, most likely.
pub fn post() -> Post {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    Arc::new(move |posted| {
        let client = client.clone();
        Box::pin(async move { send(&client, posted).await.map_err(NoAnswer) })
    })
}

async fn send(client: &Client<HttpConnector, Full<Bytes>>, posted: Posted) -> Result<Answer, String> {
    let Posted { url, body, content_type } = posted;
    let request = Request::post(&url)
        .header(header::CONTENT_TYPE, content_type.unwrap_or_else(|| "application/json".into()))
        .body(Full::new(body))
        .map_err(|error| format!("{url}: {error}"))?;
    let response =
        client.request(request).await.map_err(|error| format!("{url} does not answer: {error}"))?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, LARGEST).collect().await;
    let body = body.map_err(|error| format!("{url}: its answer breaks off: {error}"))?.to_bytes();
    let content_type =
        parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let head = Some(ResponseHead { status: parts.status, headers: parts.headers });
    Ok(Answer { body, content_type, head, streamed: false })
}
