//! A task as the request that its target gets.
//!
//! Source: Cloud Tasks, "Create HTTP target tasks", "HTTP target task handlers".

use super::{queue, seconds};
use crate::courier::{Letter, Round};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use mlemu_core::Timestamp;
use mlemu_engine::queues::{Received, SubscriptionId};
use serde_json::Value;
use std::time::Duration;

/// How long a target may take: the vendor's default.
const DEADLINE: Duration = Duration::from_secs(600);

#[derive(PartialEq)]
pub(super) struct TaskRound {
    pub from: SubscriptionId,
    /// Its whole name.
    pub queue: String,
    /// Attempts; `None`: without end.
    pub most: Option<u32>,
}

impl Round for TaskRound {
    fn from(&self) -> &SubscriptionId {
        &self.from
    }

    fn patience(&self) -> Duration {
        DEADLINE
    }

    fn has_arrived(&self, status: StatusCode) -> bool {
        status.is_success()
    }

    fn gives_up(&self, one: &Received) -> bool {
        self.most.is_some_and(|most| one.count >= most)
    }

    fn letter(&self, one: &Received, _now: Timestamp) -> Option<Letter> {
        let task: Value = serde_json::from_slice(&one.message.body).ok()?;
        let said = &task["httpRequest"];
        let method = said["httpMethod"].as_str().unwrap_or("POST");
        let body = BASE64_STANDARD.decode(said["body"].as_str().unwrap_or_default()).ok()?;
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).ok()?)
            .uri(said["url"].as_str()?)
            .header(header::USER_AGENT, "Google-Cloud-Tasks")
            .body(Full::new(body.into()))
            .ok()?;
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let eta = queue::time(&task["scheduleTime"]).ok().flatten().unwrap_or(one.message.enqueued);
        let own = [
            ("x-cloudtasks-queuename", last(&self.queue)),
            ("x-cloudtasks-taskname", last(&one.message.id)),
            ("x-cloudtasks-taskretrycount", (one.count - 1).to_string()),
            ("x-cloudtasks-taskexecutioncount", (one.count - 1).to_string()),
            ("x-cloudtasks-tasketa", seconds(eta)),
        ];
        let given = said["headers"].as_object().into_iter().flatten();
        let given = given.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?.to_owned())));
        for (name, value) in given.chain(own) {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
                request.headers_mut().insert(name, value);
            }
        }
        let octets = HeaderValue::from_static("application/octet-stream");
        request.headers_mut().entry(header::CONTENT_TYPE).or_insert(octets);
        Some(request)
    }
}
