//! The operations on queues and messages.

use super::routes::Asked;
use super::wire::{self, Listing, Messages, NewText, OneMessage, OneQueue};
use super::{NEVER, POLICIES, QueueStorage, RETENTION, expires, settings};
use crate::storage::address::Query;
use crate::storage::answer::{date, empty, set, xml};
use crate::storage::fault::{Fault, code};
use crate::storage::names;
use crate::storage::sas::Service;
use crate::storage::{policy, properties};
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::{Cause, Scope, Timestamp};
use mlemu_engine::queues::{
    Extended, Extension, Fault as Core, Message, NewMessage, Notes, Receipt, Received, Standing, TopicId,
    Want,
};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Largest text of a message, in bytes.
const LARGEST: usize = 64 * 1024;
/// Longest a message is hidden, in seconds.
const LONGEST: u64 = 7 * 24 * 60 * 60;
/// Queues of one page.
const PAGE: usize = 5000;
const META: &str = "x-ms-meta-";

/// One request: whom it is for, and what is said in its head.
pub(super) struct Call<'a> {
    pub parts: &'a Parts,
    pub query: &'a Query,
    pub account: String,
    pub scope: Arc<Scope>,
    pub cause: Cause,
    pub now: Timestamp,
}

impl Call<'_> {
    fn topic(&self, name: &str) -> TopicId {
        TopicId::new(&self.scope, name)
    }
}

impl QueueStorage {
    pub(super) async fn run(&self, call: &Call<'_>, asked: Asked, body: Bytes) -> Result<Response, Fault> {
        match asked {
            Asked::ListQueues => self.list(call),
            Asked::ServiceProperties => {
                Ok(xml(StatusCode::OK, &properties::of(&self.objects, &call.scope, Service::Queue)))
            }
            Asked::SetServiceProperties => {
                properties::set(&self.objects, &call.scope, Service::Queue, &body)?;
                Ok(empty(StatusCode::ACCEPTED))
            }
            Asked::ServiceStats => {
                let inner = format!("<Status>live</Status><LastSyncTime>{}</LastSyncTime>", date(call.now));
                let text = format!(
                    "<StorageServiceStats><GeoReplication>{inner}</GeoReplication></StorageServiceStats>"
                );
                Ok(xml(StatusCode::OK, &text))
            }
            Asked::Create(queue) => self.create(call, &queue),
            Asked::Delete(queue) => {
                self.queues.delete_topic(&call.topic(&queue)).map(|()| done(204)).map_err(Fault::from)
            }
            Asked::GetMetadata(queue) => self.metadata(call, &queue),
            Asked::SetMetadata(queue) => {
                let fresh = said(call.parts);
                self.queues.note(&call.topic(&queue), |notes, _| *notes = fresh)?;
                Ok(done(204))
            }
            Asked::GetAcl(queue) => {
                let view = self.queues.topic(&call.topic(&queue))?;
                let policies = policy::read(view.tags.get(POLICIES).map_or(&[][..], |text| text.as_bytes()))?;
                Ok(xml(StatusCode::OK, &policy::written(&policies)))
            }
            Asked::SetAcl(queue) => {
                let text = policy::written(&policy::read(&body)?);
                self.queues.note(&call.topic(&queue), |_, kept| kept.insert(POLICIES.into(), text))?;
                Ok(done(204))
            }
            Asked::Put(queue) => self.put(call, &queue, &body),
            Asked::Get(queue) => self.get(call, &queue).await,
            Asked::Peek(queue) => self.peek(call, &queue),
            Asked::Clear(queue) => {
                self.queues.purge(&call.topic(&queue).only()).map(|()| done(204)).map_err(Fault::from)
            }
            Asked::DeleteMessage(queue, id) => self.delete(call, &queue, &id),
            Asked::Update(queue, id) => self.update(call, &queue, &id, &body),
        }
    }

    fn create(&self, call: &Call<'_>, queue: &str) -> Result<Response, Fault> {
        names::check(queue)?;
        let (id, notes) = (call.topic(queue), said(call.parts));
        match self.queues.create_queue(&id, settings(), notes.clone(), Notes::new()) {
            Ok(()) => Ok(done(201)),
            Err(Core::TopicExists { .. }) if self.queues.topic(&id)?.notes == notes => Ok(done(204)),
            Err(fault) => Err(fault.into()),
        }
    }

    fn list(&self, call: &Call<'_>) -> Result<Response, Fault> {
        let (parts, query) = (call.parts, call.query);
        let prefix = query.get("prefix").cloned().unwrap_or_default();
        let most = number(query, "maxresults", PAGE as u64, 1..=PAGE as u64)?;
        let after = query.get("marker").cloned().unwrap_or_default();
        let with = query.get("include").is_some_and(|include| include.contains("metadata"));
        // Queues of our own begin with a sign that no queue of a user can have.
        let all = self.queues.topics(&call.scope).into_iter().filter(|view| !view.id.name.starts_with('$'));
        let mut all = all.filter(|view| view.id.name.starts_with(&prefix) && *view.id.name >= *after);
        let page: Vec<OneQueue> = all
            .by_ref()
            .take(most as usize)
            .map(|view| OneQueue { name: view.id.name.to_string(), metadata: with.then_some(view.notes) })
            .collect();
        let next_marker = all.next().map(|view| view.id.name.to_string()).unwrap_or_default();
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        document(
            200,
            &Listing {
                service_endpoint: format!("http://{host}/{}", call.account),
                prefix,
                max_results: most as usize,
                queues: wire::Queues { all: page },
                next_marker,
            },
        )
    }

    fn metadata(&self, call: &Call<'_>, queue: &str) -> Result<Response, Fault> {
        let id = call.topic(queue);
        let view = self.queues.topic(&id)?;
        let counts = self.queues.counts(&id.only())?;
        let mut response = done(200);
        let count = counts.visible + counts.leased + counts.delayed;
        response.headers_mut().insert("x-ms-approximate-messages-count", HeaderValue::from(count));
        for (name, value) in view.notes {
            set(&mut response, &format!("{META}{name}"), &value);
        }
        Ok(response)
    }

    fn put(&self, call: &Call<'_>, queue: &str, body: &[u8]) -> Result<Response, Fault> {
        let query = call.query;
        let text = text_of(body)?;
        let delay = number(query, "visibilitytimeout", 0, 0..=LONGEST)?;
        let now = self.queues.clock().now();
        let life = match query.get("messagettl").map(String::as_str) {
            None => None,
            Some("-1") => Some(Duration::MAX),
            Some(_) => Some(Duration::from_secs(number(query, "messagettl", 1, 1..=u64::from(u32::MAX))?)),
        };
        let id = self.queues.ids().fresh("message").uuid();
        let new = NewMessage {
            id: id.as_str().into(),
            delay: Some(Duration::from_secs(delay)),
            life,
            ..NewMessage::of(text, call.cause.clone())
        };
        let sent = self.queues.send(&call.topic(queue), new)?;
        let receipt = self.queues.receipt_of(&sent);
        let one = OneMessage {
            message_id: id,
            insertion_time: date(now),
            expiration_time: end(now.plus(life.unwrap_or(RETENTION))),
            pop_receipt: Some(wire::pop_receipt(&receipt)),
            time_next_visible: Some(date(now.plus(Duration::from_secs(delay)))),
            ..OneMessage::default()
        };
        document(201, &Messages { all: vec![one] })
    }

    async fn get(&self, call: &Call<'_>, queue: &str) -> Result<Response, Fault> {
        let query = call.query;
        let most = number(query, "numofmessages", 1, 1..=32)?;
        let lease = Duration::from_secs(number(query, "visibilitytimeout", 30, 1..=LONGEST)?);
        let only = call.topic(queue).only();
        let received =
            self.queues.receive(&only, Want { lease: Some(lease), ..Want::now(most as usize) }).await?;
        let one = |one: &Received| OneMessage {
            pop_receipt: Some(wire::pop_receipt(&one.receipt)),
            time_next_visible: Some(date(one.until)),
            ..shown(&one.message, one.count)
        };
        document(200, &Messages { all: received.iter().map(one).collect() })
    }

    fn peek(&self, call: &Call<'_>, queue: &str) -> Result<Response, Fault> {
        let most = number(call.query, "numofmessages", 1, 1..=32)?;
        let next = self.queues.peek_next(&call.topic(queue).only(), most as usize)?;
        document(200, &Messages { all: next.iter().map(|one| shown(&one.message, one.count)).collect() })
    }

    /// The receipt that a request brings, if it is one of the message of that id.
    fn receipt(&self, call: &Call<'_>, queue: &str, id: &str) -> Result<Receipt, Fault> {
        let said = call.query.get("popreceipt").ok_or(code::InvalidInput)?;
        let receipt = wire::lease(said).ok_or(code::PopReceiptMismatch)?;
        let standing = self.queues.standing(&call.topic(queue).only(), &receipt, id)?;
        refused(standing).map_or(Ok(receipt), Err)
    }

    fn delete(&self, call: &Call<'_>, queue: &str, id: &str) -> Result<Response, Fault> {
        let receipt = self.receipt(call, queue, id)?;
        let standing = self.queues.acknowledge(&call.topic(queue).only(), &receipt, false)?;
        refused(standing).map_or_else(|| Ok(done(204)), Err)
    }

    fn update(&self, call: &Call<'_>, queue: &str, id: &str, body: &[u8]) -> Result<Response, Fault> {
        let query = call.query;
        let receipt = self.receipt(call, queue, id)?;
        let lease = Duration::from_secs(number(query, "visibilitytimeout", 0, 0..=LONGEST)?);
        let body = if body.is_empty() { None } else { Some(Bytes::from(text_of(body)?)) };
        let wanted = Extension { body, renew: true, revives: true, ..Extension::of(lease) };
        match self.queues.extend(&call.topic(queue).only(), &receipt, wanted)? {
            Extended::Done(receipt, until) => {
                let mut response = done(204);
                set(&mut response, "x-ms-popreceipt", &wire::pop_receipt(&receipt));
                set(&mut response, "x-ms-time-next-visible", &date(until));
                Ok(response)
            }
            Extended::NotHeld(Standing::Gone) => Err(code::MessageNotFound.into()),
            Extended::NotHeld(_) | Extended::TooLong => Err(code::PopReceiptMismatch.into()),
        }
    }
}

/// What is said of a receipt that may change nothing.
fn refused(standing: Standing) -> Option<Fault> {
    match standing {
        Standing::Held | Standing::Lapsed => None,
        Standing::Superseded => Some(code::PopReceiptMismatch.into()),
        Standing::Gone => Some(code::MessageNotFound.into()),
    }
}

/// As the vendor writes it: for ever is the end of the year 9999.
fn end(at: Timestamp) -> String {
    if at < NEVER { date(at) } else { "Fri, 31 Dec 9999 23:59:59 GMT".into() }
}

fn shown(message: &Message, count: u32) -> OneMessage {
    OneMessage {
        message_id: message.id.to_string(),
        insertion_time: date(message.enqueued),
        expiration_time: end(expires(message)),
        dequeue_count: Some(count),
        message_text: Some(String::from_utf8_lossy(&message.body).into_owned()),
        ..OneMessage::default()
    }
}

fn text_of(body: &[u8]) -> Result<String, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| code::InvalidXmlDocument)?;
    let text = text.trim_start_matches('\u{feff}');
    let read: NewText = quick_xml::de::from_str(text).map_err(|_| code::InvalidXmlDocument)?;
    if read.message_text.len() > LARGEST {
        return Err(code::MessageTooLarge.into());
    }
    Ok(read.message_text)
}

fn number(query: &Query, name: &str, usual: u64, range: std::ops::RangeInclusive<u64>) -> Result<u64, Fault> {
    match query.get(name) {
        None => Ok(usual),
        Some(text) => {
            let read = text.parse().ok().filter(|number| range.contains(number));
            read.ok_or_else(|| code::OutOfRangeQueryParameterValue.into())
        }
    }
}

fn said(parts: &Parts) -> Notes {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let all =
        parts.headers.iter().filter_map(|(name, value)| Some((name.as_str().strip_prefix(META)?, value)));
    all.map(|(name, value)| (name.to_owned(), text(value))).collect()
}

fn done(status: u16) -> Response {
    empty(StatusCode::from_u16(status).unwrap_or_default())
}

fn document(status: u16, document: &impl Serialize) -> Result<Response, Fault> {
    let text = quick_xml::se::to_string(document).map_err(|_| code::InvalidInput)?;
    Ok(xml(StatusCode::from_u16(status).unwrap_or_default(), &text))
}
