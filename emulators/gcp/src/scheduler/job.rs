//! A job: what is said of it, when it falls due, and what it does then.
//!
//! Source: Cloud Scheduler, REST reference, `Job`; "Create HTTP target jobs" for the headers.

use super::cron::Schedule;
use crate::courier::{Letter, Post};
use crate::functions::fault::Fault;
use crate::pubsub::PubSub;
use crate::pubsub::wire::known::{Span, rfc3339};
use crate::pubsub::wire::{PublishRequest, PubsubMessage};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use mlemu_core::{Cause, Clock, Timestamp};
use mlemu_engine::settle::{Moving, Settle};
use serde_json::{Value, json};
use std::time::Duration;

/// The vendor's defaults: how long an answer may take, and between two tries.
const DEADLINE: Duration = Duration::from_secs(180);
const FIRST_BACK_OFF: Duration = Duration::from_secs(5);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(3600);
const MOST_RETRIES: u64 = 5;

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub name: String,
    said: Value,
    /// A project declares it.
    pub declared: bool,
    pub schedule: Schedule,
    attempted: Option<Timestamp>,
    /// Of the last attempt: a code of `google.rpc` and words.
    status: Option<(i32, String)>,
}

/// How an attempt ended.
pub(super) type Ending = Result<(), (i32, String)>;

/// What a job is fired with.
pub(super) struct Attempt<'a> {
    pub pubsub: &'a PubSub,
    pub post: &'a Post,
    pub clock: &'a dyn Clock,
    /// The time that it was due at.
    pub at: Timestamp,
    pub cause: Cause,
}

impl Job {
    /// Fails where the vendor would refuse it.
    pub fn read(mut said: Value) -> Result<Self, Fault> {
        let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
        let (name, cron, zone) = (text("name"), text("schedule"), text("timeZone"));
        let schedule = Schedule::read(&cron, &zone)
            .ok_or_else(|| Fault::invalid(format!("Schedule or time zone is invalid: `{cron}` `{zone}`.")))?;
        let (http, topic) = (said.get("httpTarget"), said.get("pubsubTarget"));
        match (http, topic, said.get("appEngineHttpTarget")) {
            (Some(http), None, None) => {
                let uri = http["uri"].as_str().unwrap_or_default();
                if !mlemu_core::is_here(uri) {
                    return Err(Fault::invalid(format!(
                        "httpTarget.uri `{uri}` must be http and of this machine: 127.0.0.1, [::1], localhost and *.localhost."
                    )));
                }
                bytes(&http["body"])?;
            }
            (None, Some(topic), None) => drop(bytes(&topic["data"])?),
            (None, None, Some(_)) => return Err(Fault::unimplemented("a target of App Engine")),
            _ => return Err(Fault::invalid("A job needs exactly one target.")),
        }
        if zone.is_empty() {
            said["timeZone"] = "Etc/UTC".into();
        }
        if said.get("state").is_none() {
            said["state"] = "ENABLED".into();
        }
        Ok(Self { name, said, declared: false, schedule, attempted: None, status: None })
    }

    pub fn changed(&self, said: Value) -> Result<Self, Fault> {
        let mut all = self.said.clone();
        if let (Value::Object(all), Value::Object(said)) = (&mut all, said) {
            let one_target = ["httpTarget", "pubsubTarget"];
            if let Some(target) = one_target.iter().find(|target| said.contains_key(**target)) {
                all.retain(|key, _| !one_target.contains(&key.as_str()) || key == target);
            }
            all.extend(said);
        }
        all["name"] = self.name.clone().into();
        let (attempted, status) = (self.attempted, self.status.clone());
        Ok(Self { attempted, status, declared: self.declared, ..Self::read(all)? })
    }

    pub fn said(&self) -> &Value {
        &self.said
    }

    pub fn is_enabled(&self) -> bool {
        self.said["state"] == "ENABLED"
    }

    /// The last part of its name.
    pub fn id(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    /// When it falls due, as it was said.
    pub fn expression(&self) -> String {
        let said = |key: &str| self.said[key].as_str().unwrap_or_default().to_owned();
        format!("{} ({})", said("schedule"), said("timeZone"))
    }

    /// `next`: when it falls due.
    pub fn shown(&self, next: Option<Timestamp>) -> Value {
        let mut shown = self.said.clone();
        if let Some(next) = next {
            shown["scheduleTime"] = rfc3339(next).into();
        }
        if let Some(at) = self.attempted {
            shown["lastAttemptTime"] = rfc3339(at).into();
        }
        if let Some((code, message)) = &self.status {
            shown["status"] = json!({ "code": code, "message": message });
        }
        shown
    }

    pub fn attempted(&mut self, at: Timestamp, ending: &Ending) {
        self.attempted = Some(at);
        self.status = ending.clone().err();
    }

    /// Tries until the target has taken it. While it waits to try again, `moving` is let go of, so that whoever goes
    /// forward in time meets the next try.
    pub async fn fire(&self, attempt: Attempt<'_>, settle: &Settle, moving: &mut Option<Moving>) -> Ending {
        if let Some(target) = self.said.get("pubsubTarget") {
            return publish(attempt.pubsub, target, &attempt.cause);
        }
        let clock = attempt.clock;
        let retries = &self.said["retryConfig"];
        let most = retries["retryCount"].as_u64().unwrap_or(0).min(MOST_RETRIES);
        let span = |said: &Value, otherwise| {
            serde_json::from_value::<Span>(said.clone()).ok().and_then(Span::duration).unwrap_or(otherwise)
        };
        let mut pause = span(&retries["minBackoffDuration"], FIRST_BACK_OFF);
        let longest = span(&retries["maxBackoffDuration"], LONGEST_BACK_OFF);
        let deadline = span(&self.said["attemptDeadline"], DEADLINE);
        let mut ending = Ok(());
        for number in 0..=most {
            let letter = self.letter(&attempt).ok_or((3, "the target is no request".to_owned()))?;
            ending = match attempt.post.send(letter, clock, deadline).await {
                Some(status) if status.is_success() => return Ok(()),
                Some(status) => Err((2, format!("the target answered {status}"))),
                None => Err((4, "the target did not answer".to_owned())),
            };
            if number < most {
                let later = clock.until(clock.now().plus(pause));
                drop(moving.take());
                let due = later.await;
                *moving = Some(settle.moving());
                drop(due);
                pause = (pause * 2).min(longest);
            }
        }
        ending
    }

    fn letter(&self, attempt: &Attempt) -> Option<Letter> {
        let target = self.said.get("httpTarget")?;
        let method = target["httpMethod"].as_str().unwrap_or("POST");
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).ok()?)
            .uri(target["uri"].as_str()?)
            .header(header::USER_AGENT, "Google-Cloud-Scheduler")
            .body(Full::new(bytes(&target["body"]).ok()?))
            .ok()?;
        let own = [
            ("x-cloudscheduler", "true".to_owned()),
            ("x-cloudscheduler-jobname", self.id().to_owned()),
            ("x-cloudscheduler-scheduletime", rfc3339(attempt.at)),
            // So that what it starts is known to come of this.
            ("x-cloud-trace-context", attempt.cause.trace().to_string()),
        ];
        let given = target["headers"].as_object().into_iter().flatten();
        let given = given.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?.to_owned())));
        for (name, value) in given.chain(own) {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
                request.headers_mut().insert(name, value);
            }
        }
        Some(request)
    }
}

fn bytes(said: &Value) -> Result<Bytes, Fault> {
    let decoded = BASE64_STANDARD.decode(said.as_str().unwrap_or_default());
    decoded.map(Bytes::from).map_err(|_| Fault::invalid("A target's body or data must be base64."))
}

fn publish(pubsub: &PubSub, target: &Value, cause: &Cause) -> Ending {
    let attributes = target["attributes"].as_object().into_iter().flatten();
    let attributes =
        attributes.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    let data = bytes(&target["data"]).unwrap_or_default();
    let message = PubsubMessage { data, attributes, ..PubsubMessage::default() };
    let topic = target["topicName"].as_str().unwrap_or_default().to_owned();
    let ask = PublishRequest { topic, messages: vec![message] };
    pubsub.publish(ask, cause).map(drop).map_err(|fault| (fault.code as i32, fault.message))
}
