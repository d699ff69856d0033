//! Messages to HTTP endpoints on this machine, tried again on the clock until they arrive.
//!
//! Amazon SNS developer guide, "Amazon SNS message delivery retries" (customer-managed endpoints) and "HTTP/HTTPS
//! headers".

use super::Front;
use super::store::Subscription;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mlemu_core::Scope;
use mlemu_engine::queues::BackOff;
use mlemu_engine::settle::{self, Work};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How long an answer may take; it really passes.
const PATIENCE: Duration = Duration::from_secs(15);
/// Tries after the first, and the seconds before each, when no policy says.
const RETRIES: u64 = 3;
const PAUSE: u64 = 20;

/// One message on its way to an endpoint.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// `Notification`, `SubscriptionConfirmation` or `UnsubscribeConfirmation`.
    pub kind: &'static str,
    pub id: String,
    pub body: String,
    pub raw: bool,
}

/// Sends single requests. Clones share their connections.
#[derive(Clone)]
pub struct Post(Client<HttpConnector, Full<Bytes>>);

impl Post {
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Whether the endpoint took it.
    async fn send(&self, to: &Subscription, parcel: &Parcel) -> bool {
        let Some(request) = request(to, parcel) else { return false };
        let answer = self.0.request(request).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }
}

fn request(to: &Subscription, parcel: &Parcel) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::post(&to.endpoint)
        .header(header::CONTENT_TYPE, "text/plain; charset=UTF-8")
        .header(header::USER_AGENT, "Amazon Simple Notification Service Agent")
        .header("x-amz-sns-message-type", parcel.kind)
        .header("x-amz-sns-message-id", &parcel.id)
        .header("x-amz-sns-topic-arn", &to.topic);
    if parcel.kind == "Notification" {
        request = request.header("x-amz-sns-subscription-arn", &to.arn);
    }
    if parcel.raw {
        request = request.header("x-amz-sns-rawdelivery", HeaderValue::from_static("true"));
    }
    request.body(Full::new(Bytes::from(parcel.body.clone()))).ok()
}

/// How often and when a subscription's messages are tried again.
fn policy(to: &Subscription) -> (u64, BackOff) {
    let said: Value =
        to.attribute("DeliveryPolicy").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let said = &said["healthyRetryPolicy"];
    let seconds = |name: &str| Duration::from_secs(said[name].as_u64().unwrap_or(PAUSE));
    let back_off = BackOff { first: seconds("minDelayTarget"), longest: seconds("maxDelayTarget") };
    (said["numRetries"].as_u64().unwrap_or(RETRIES).min(100), back_off)
}

impl Front {
    /// Sends a parcel in a task of its own, which counts as under way. What never arrives goes to the
    /// subscription's dead letters.
    pub(super) fn dispatch(self: &Arc<Self>, to: Subscription, parcel: Parcel, cause: mlemu_core::Cause) {
        let front = self.clone();
        let parts = &self.parts;
        let scope: Arc<Scope> = parts.settings.scope.clone();
        let work = || Work::Due { what: format!("{} to {}", parcel.kind, to.endpoint).into() };
        let trace = settle::trace(&cause);
        let mut pending = parts.settle.enter(&scope, trace.clone(), work());
        let (work, cleared) = (work(), parts.gate.cleared());
        tokio::spawn(async move {
            let (retries, back_off) = policy(&to);
            let mut cleared = std::pin::pin!(cleared);
            for count in 0..=retries {
                let arrived = tokio::select! {
                    arrived = front.post.send(&to, &parcel) => arrived,
                    () = front.parts.clock.sleep(PATIENCE) => false,
                };
                if arrived {
                    return;
                }
                if count == retries {
                    break;
                }
                let wait = back_off.after(u32::try_from(count).unwrap_or(u32::MAX) + 1);
                let clock = &front.parts.clock;
                let waiting = front.parts.settle.enter_waiting(&scope, trace.clone(), work.clone());
                drop(pending);
                let due = tokio::select! {
                    () = &mut cleared => return,
                    due = clock.until(clock.now().plus(wait)) => due,
                };
                pending = front.parts.settle.enter(&scope, trace.clone(), work.clone());
                drop((due, waiting));
            }
            let why = format!("{} did not take it {} times", to.endpoint, retries + 1);
            front.bury(&to, parcel.body, &why, cause).await;
            drop(pending);
        });
    }
}
