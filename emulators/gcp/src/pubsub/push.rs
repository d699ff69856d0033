//! Push subscriptions: each message is a request to the endpoint that its owner named, on this machine only.
//!
//! Source: Pub/Sub, "Push subscriptions", "Receive push messages", "Authenticate push subscriptions".

use super::event::wrapped;
use super::fault::Fault;
use super::ops::spelled;
use super::wire::known::rfc3339;
use super::wire::{OidcToken, PushConfig};
use super::PubSub;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mlemu_core::Timestamp;
use mlemu_engine::queues::{Extension, Queues, Received, SubscriptionId, Want};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Requests to one endpoint at once.
const AT_ONCE: usize = 64;
/// What an endpoint says when it has the message.
const TAKEN: [u16; 5] = [102, 200, 201, 202, 204];

type Http = Client<HttpConnector, Full<Bytes>>;

/// Those who push, by the names of their subscriptions.
pub(super) struct Pushers {
    queues: Queues,
    client: Http,
    table: Mutex<BTreeMap<String, (Pusher, DropGuard)>>,
}

/// One subscription's way to its endpoint.
#[derive(Clone, PartialEq)]
struct Pusher {
    name: String,
    from: SubscriptionId,
    config: PushConfig,
    attempts: bool,
    deadline: Duration,
}

/// Whether an endpoint may be pushed to.
pub(super) fn check(config: &PushConfig) -> Result<(), Fault> {
    if config.push_endpoint.is_empty() {
        return Ok(());
    }
    let uri: Option<Uri> = config.push_endpoint.parse().ok();
    let here = uri.as_ref().is_some_and(|uri| uri.scheme_str() == Some("http") && is_here(uri));
    if here { Ok(()) } else { Err(Fault::invalid(format!(
        "Invalid push endpoint given: (endpoint={}). mlemu pushes by http to this machine only: 127.0.0.1, [::1], localhost and *.localhost.",
        config.push_endpoint
    ))) }
}

fn is_here(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    match literal.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

impl Pushers {
    pub fn new(queues: Queues) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { queues, client: Client::builder(TokioExecutor::new()).build(connector), table: Mutex::default() }
    }

    /// Exactly these push from now on. Those that did before, and are as they were, go on.
    fn set(&self, wanted: Vec<Pusher>) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *table);
        for pusher in wanted {
            let kept = old.remove(&pusher.name).filter(|(known, _)| *known == pusher);
            let name = pusher.name.clone();
            let entry = kept.unwrap_or_else(|| {
                let stop = CancellationToken::new();
                let work = pusher.clone().run(self.queues.clone(), self.client.clone());
                let stopped = stop.clone();
                tokio::spawn(async move { stopped.run_until_cancelled(work).await });
                (pusher, stop.drop_guard())
            });
            table.insert(name, entry);
        }
    }

    pub fn stop(&self) {
        self.set(Vec::new());
    }
}

impl PubSub {
    /// Lets those push that shall, as the subscriptions are now.
    pub(super) fn push_anew(&self) {
        let registry = self.registry();
        let wanted = registry.subscriptions.values().filter_map(|held| {
            let config = held.said.push_config.clone().filter(|config| !config.push_endpoint.is_empty())?;
            Some(Pusher {
                name: held.said.name.clone(),
                from: held.core.clone()?,
                config,
                attempts: held.said.dead_letter_policy.is_some(),
                deadline: Duration::from_secs(held.said.ack_deadline_seconds.unsigned_abs().into()),
            })
        });
        self.shared.pushers.set(wanted.collect());
    }
}

impl Pusher {
    /// For ever; a reset may take the subscription away for a moment.
    async fn run(self, queues: Queues, client: Http) {
        let mut commits = queues.commits();
        let this = Arc::new(self);
        loop {
            if let Ok(consumer) = queues.consumer(&this.from) {
                this.clone().work_off(&queues, &client).await;
                drop(consumer);
            }
            // The sender lives as long as the queues.
            let _ = commits.changed().await;
        }
    }

    /// Until the subscription is gone.
    async fn work_off(self: Arc<Self>, queues: &Queues, client: &Http) {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let this = self;
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let Ok(lent) = queues.lend(&this.from, Want::next(1)).await else { return };
            let (this, queues, client) = (this.clone(), queues.clone(), client.clone());
            tokio::spawn(async move {
                for one in &lent.received {
                    this.push(&queues, &client, one).await;
                }
                // Time stood until they were done with or had gone back.
                drop(lent.moving);
                drop(slot);
            });
        }
    }

    async fn push(&self, queues: &Queues, client: &Http, one: &Received) {
        let taken = match self.request(one, queues.clock().now()) {
            Some(request) => tokio::select! {
                answer = client.request(request) => answer.is_ok_and(|answer| is_taken(answer.status())),
                () = queues.clock().sleep(self.deadline) => false,
            },
            None => false,
        };
        // A subscription that is gone has taken the message along.
        let _ = if taken {
            queues.acknowledge(&self.from, &one.receipt, false).map(drop)
        } else {
            queues.extend(&self.from, &one.receipt, Extension::of(Duration::ZERO)).map(drop)
        };
    }

    fn request(&self, one: &Received, now: Timestamp) -> Option<Request<Full<Bytes>>> {
        let request = Request::post(&self.config.push_endpoint)
            .header(header::USER_AGENT, "CloudPubSub-Google")
            .header(header::FROM, "noreply@google.com")
            .header(header::ACCEPT, "application/json");
        let body = match &self.config.no_wrapper {
            Some(_) => one.message.body.clone(),
            None => {
                let attempt = self.attempts.then_some(one.count);
                wrapped(&one.message, &self.name, attempt).to_string().into()
            }
        };
        let mut request = request.body(Full::new(body)).ok()?;
        let headers = request.headers_mut();
        for (name, value) in self.said(one) {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
                headers.insert(name, value);
            }
        }
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        if let Some(token) = &self.config.oidc_token {
            let bearer = format!("Bearer {}", jwt(token, &self.config.push_endpoint, now));
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&bearer).ok()?);
        }
        Some(request)
    }

    /// Without a wrapper, attributes are headers.
    fn said(&self, one: &Received) -> Vec<(String, String)> {
        let Some(unwrapped) = &self.config.no_wrapper else { return Vec::new() };
        if !unwrapped.write_metadata {
            return Vec::new();
        }
        let message = spelled(&one.message);
        let mut said: Vec<_> = message.attributes.into_iter().collect();
        let name = |part: &str| format!("x-goog-pubsub-{part}");
        said.push((name("subscription-name"), self.name.clone()));
        said.push((name("message-id"), message.message_id));
        said.push((name("publish-time"), rfc3339(one.message.enqueued)));
        if !message.ordering_key.is_empty() {
            said.push((name("ordering-key"), message.ordering_key));
        }
        if self.attempts {
            said.push((name("delivery-attempt"), one.count.to_string()));
        }
        said
    }
}

fn is_taken(status: StatusCode) -> bool {
    TAKEN.contains(&status.as_u16())
}

/// A token with the vendor's claims. Nobody has signed it.
fn jwt(token: &OidcToken, endpoint: &str, now: Timestamp) -> String {
    let issued = now.0 / 1_000_000;
    let audience = if token.audience.is_empty() { endpoint } else { &token.audience };
    let header = json!({ "alg": "RS256", "kid": "mlemu", "typ": "JWT" });
    let claims = json!({
        "aud": audience,
        "azp": "100000000000000000000",
        "email": token.service_account_email,
        "email_verified": true,
        "exp": issued + 3600,
        "iat": issued,
        "iss": "https://accounts.google.com",
        "sub": "100000000000000000000",
    });
    let part = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(header.to_string()), part(claims.to_string()), part("not signed".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_on_this_machine() {
        let of = |endpoint: &str| {
            check(&PushConfig { push_endpoint: endpoint.into(), ..PushConfig::default() }).is_ok()
        };
        for good in ["http://127.0.0.1:8080/x?token=1", "http://[::1]:80/", "http://localhost:9", "http://a.localhost/"] {
            assert!(of(good), "{good}");
        }
        for bad in ["https://127.0.0.1/", "http://example.com/", "http://127.0.0.1.nip.io/", "http://10.0.0.1/", "localhost:80", "http://localhost.evil/"] {
            assert!(!of(bad), "{bad}");
        }
    }
}
