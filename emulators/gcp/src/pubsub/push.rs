//! Push subscriptions: each message is a request to the endpoint that its owner named, on this machine only.
//!
//! Source: Pub/Sub, "Push subscriptions", "Receive push messages", "Authenticate push subscriptions".

use super::PubSub;
use super::event::wrapped;
use super::fault::Fault;
use super::ops::spelled;
use super::wire::known::rfc3339;
use super::wire::{OidcToken, PushConfig};
use crate::courier::{Letter, Round};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use mlemu_core::Timestamp;
use mlemu_engine::queues::{Received, SubscriptionId};
use serde_json::json;
use std::time::Duration;

/// What an endpoint says when it has the message.
const TAKEN: [u16; 5] = [102, 200, 201, 202, 204];

/// One subscription's way to its endpoint.
#[derive(PartialEq)]
pub(super) struct Pusher {
    name: String,
    from: SubscriptionId,
    config: PushConfig,
    attempts: bool,
    deadline: Duration,
}

/// Whether an endpoint may be pushed to.
pub(super) fn check(config: &PushConfig) -> Result<(), Fault> {
    let endpoint = &config.push_endpoint;
    if endpoint.is_empty() || mlemu_core::is_here(endpoint) {
        return Ok(());
    }
    Err(Fault::invalid(format!(
        "Invalid push endpoint given: (endpoint={endpoint}). mlemu pushes by http to this machine only: 127.0.0.1, [::1], localhost and *.localhost."
    )))
}

impl PubSub {
    /// Lets those push that shall, as the subscriptions are now.
    pub(super) fn push_anew(&self) {
        let registry = self.registry();
        let wanted = registry.subscriptions.values().filter_map(|held| {
            let config = held.said.push_config.clone().filter(|config| !config.push_endpoint.is_empty())?;
            let name = held.said.name.clone();
            let pusher = Pusher {
                name: name.clone(),
                from: held.core.clone()?,
                config,
                attempts: held.said.dead_letter_policy.is_some(),
                deadline: Duration::from_secs(held.said.ack_deadline_seconds.unsigned_abs().into()),
            };
            Some((name, pusher))
        });
        self.shared.pushers.set(wanted);
    }
}

impl Round for Pusher {
    fn from(&self) -> &SubscriptionId {
        &self.from
    }

    fn patience(&self) -> Duration {
        self.deadline
    }

    fn has_arrived(&self, status: StatusCode) -> bool {
        TAKEN.contains(&status.as_u16())
    }

    fn letter(&self, one: &Received, now: Timestamp) -> Option<Letter> {
        let request = Request::post(&self.config.push_endpoint)
            .header(header::USER_AGENT, "CloudPubSub-Google")
            .header(header::FROM, "noreply@google.com")
            .header(header::ACCEPT, "application/json");
        let body = if self.config.no_wrapper.is_some() {
            one.message.body.clone()
        } else {
            let attempt = self.attempts.then_some(one.count);
            wrapped(&one.message, &self.name, attempt).to_string().into()
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
}

impl Pusher {
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
