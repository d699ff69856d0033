//! Events that go out by HTTP: first the handshake, then each until somebody takes it. Only to this machine.
//!
//! Source: Azure Event Grid documentation, "Webhook event delivery", "Event Grid message delivery and retry" and
//! "CloudEvents 1.0 web hooks".

use super::event::{self, Schema};
use super::subscription::Subscription;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mlemu_core::Clock;
use mlemu_engine::queues::{Extension, Queues, Received, SubscriptionId, Want};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a handler may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer to a handshake, in bytes.
const ANSWER: usize = 64 * 1024;
const ORIGIN: &str = "eventgrid.azure.net";

/// Sends single requests. Clones share their connections.
#[derive(Clone)]
pub(super) struct Post(Client<HttpConnector, Full<Bytes>>);

impl Post {
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// `None`: no answer in time, which really passes.
    async fn send(
        &self,
        request: Request<Full<Bytes>>,
        clock: &dyn Clock,
    ) -> Option<(http::response::Parts, Bytes)> {
        let answer = async {
            let (parts, body) = self.0.request(request).await.ok()?.into_parts();
            let body = Limited::new(body, ANSWER).collect().await.ok()?.to_bytes();
            Some((parts, body))
        };
        tokio::select! {
            answer = answer => answer,
            () = clock.sleep(PATIENCE) => None,
        }
    }

    /// Whether whoever is there wants events. `Err` says why not.
    pub async fn shake_hands(&self, to: &Subscription, url: &str, clock: &dyn Clock) -> Result<(), String> {
        match to.schema {
            Schema::Grid => self.validated(to, url, clock).await,
            Schema::Cloud => self.admitted(url, clock).await,
        }
    }

    async fn validated(&self, to: &Subscription, url: &str, clock: &dyn Clock) -> Result<(), String> {
        let code = mlemu_engine::ids::unguessable();
        let asked = event::validation(&code, &code, crate::profile::SUBSCRIPTION, clock.now());
        let mut request = posted(url, asked.to_string().into(), "application/json; charset=utf-8")?;
        request.headers_mut().insert("aeg-event-type", HeaderValue::from_static("SubscriptionValidation"));
        if let Ok(name) = HeaderValue::from_str(&to.name) {
            request.headers_mut().insert("aeg-subscription-name", name);
        }
        let answer = self.send(request, clock).await;
        let (parts, body) = answer.ok_or("it does not answer the validation")?;
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let echoed = said["validationResponse"] == code.as_str();
        match parts.status {
            StatusCode::OK if echoed => Ok(()),
            StatusCode::OK => {
                Err("its answer to the validation has no validationResponse with the code".into())
            }
            other => Err(format!("it answered the validation with {}", other.as_u16())),
        }
    }

    async fn admitted(&self, url: &str, clock: &dyn Clock) -> Result<(), String> {
        let request =
            Request::builder().method(Method::OPTIONS).uri(url).header("WebHook-Request-Origin", ORIGIN);
        let request = request.body(Full::default()).map_err(|error| error.to_string())?;
        let (parts, _) = self.send(request, clock).await.ok_or("it does not answer OPTIONS")?;
        let allowed = parts.headers.get("webhook-allowed-origin").and_then(|origin| origin.to_str().ok());
        match allowed {
            Some("*" | ORIGIN) if parts.status.is_success() => Ok(()),
            _ => Err(format!(
                "it answered OPTIONS with {} and without WebHook-Allowed-Origin",
                parts.status.as_u16()
            )),
        }
    }
}

fn posted(url: &str, body: Bytes, kind: &'static str) -> Result<Request<Full<Bytes>>, String> {
    let request = Request::builder().method(Method::POST).uri(url).header(CONTENT_TYPE, kind);
    request.body(Full::new(body)).map_err(|error| error.to_string())
}

/// What carries the events of one subscription.
pub(super) struct Courier {
    pub to: Subscription,
    pub url: String,
    pub queues: Queues,
    pub from: SubscriptionId,
    pub post: Post,
    pub knows: AtomicBool,
    /// Says what a person should hear of.
    pub say: Arc<dyn Fn(String) + Send + Sync>,
}

impl Courier {
    /// For ever; a reset may take the queue away for a moment.
    pub async fn run(self: Arc<Self>) {
        let mut commits = self.queues.commits();
        loop {
            if let Ok(consumer) = self.queues.consumer(&self.from) {
                self.clone().work_off().await;
                drop(consumer);
            }
            // The sender lives as long as the queues.
            let _ = commits.changed().await;
        }
    }

    /// Until the queue is gone.
    async fn work_off(self: Arc<Self>) {
        while let Ok(lent) = self.queues.lend_in_turn("eventgrid", &self.from, Want::next(1)).await {
            for one in &lent.received {
                self.carry(one).await;
            }
            // Time stood until they had arrived or had gone back.
            drop(lent.moving);
        }
    }

    async fn carry(&self, one: &Received) {
        let arrived = match self.delivered(one).await {
            Ok(()) => true,
            Err(why) => {
                let last = one.count >= self.to.tries;
                let then = if last { "it is dropped" } else { "it comes again" };
                (self.say)(format!(
                    "subscription {}: {} did not take an event: {why}; {then}",
                    self.to.name, self.url
                ));
                last
            }
        };
        // A subscription that is gone has taken the message along.
        let _ = if arrived {
            self.queues.acknowledge(&self.from, &one.receipt, false).map(drop)
        } else {
            self.queues.extend(&self.from, &one.receipt, Extension::of(pause(one.count))).map(drop)
        };
    }

    async fn delivered(&self, one: &Received) -> Result<(), String> {
        let clock = &**self.queues.clock();
        if !self.knows.load(Ordering::Acquire) {
            self.post.shake_hands(&self.to, &self.url, clock).await?;
            self.knows.store(true, Ordering::Release);
        }
        let body = &one.message.body;
        let mut request = match self.to.schema {
            Schema::Grid => {
                posted(&self.url, [b"[", &body[..], b"]"].concat().into(), "application/json; charset=utf-8")
            }
            Schema::Cloud => posted(&self.url, body.clone(), "application/cloudevents+json; charset=utf-8"),
        }?;
        let headers = request.headers_mut();
        headers.insert("aeg-event-type", HeaderValue::from_static("Notification"));
        headers.insert("aeg-delivery-count", HeaderValue::from(one.count.saturating_sub(1)));
        headers.insert("aeg-metadata-version", HeaderValue::from_static("1"));
        if let Ok(name) = HeaderValue::from_str(&self.to.name) {
            headers.insert("aeg-subscription-name", name);
        }
        match self.post.send(request, clock).await {
            Some((parts, _)) if parts.status.is_success() => Ok(()),
            Some((parts, _)) => Err(format!("it answered {}", parts.status.as_u16())),
            None => Err("it does not answer".into()),
        }
    }
}

/// Between one try and the next, as the vendor says.
fn pause(count: u32) -> Duration {
    let seconds = match count {
        0 | 1 => 10,
        2 => 30,
        3 => 60,
        4 => 5 * 60,
        5 => 10 * 60,
        6 => 30 * 60,
        7 => 3600,
        _ => 3 * 3600,
    };
    Duration::from_secs(seconds)
}
