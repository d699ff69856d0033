//! Sending to whatever an ARN names: functions, queues, topics and event buses.
//!
//! Services that tell others of something know neither the others nor their forms: they write a [`Letter`] and name
//! its receiver.

use bytes::Bytes;
use mlemu_core::{Boxed, Cause};
use mlemu_engine::queues::Attribute;
use thiserror::Error;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The event of a function, the body of a message, the detail of an event.
    pub body: Bytes,
    /// Of messages.
    pub attributes: Vec<Attribute>,
    /// Of messages of topics.
    pub subject: Option<String>,
    /// Of messages in queues that keep an order.
    pub group: Option<String>,
    /// What makes a message a duplicate there; the body, where nothing says.
    pub once: Option<String>,
    /// Of the object, in a bucket.
    pub key: Option<String>,
    /// What an event bus wants to know besides.
    pub detail: Option<Detail>,
    pub cause: Cause,
}

/// What an event bus knows of an event beside its detail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    pub source: String,
    pub kind: String,
    pub resources: Vec<String>,
}

impl Letter {
    pub fn of(body: impl Into<Bytes>, cause: Cause) -> Self {
        Self {
            body: body.into(),
            attributes: Vec::new(),
            subject: None,
            group: None,
            once: None,
            key: None,
            detail: None,
            cause,
        }
    }

    /// The body; whatever is no text in it is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why a letter did not arrive, and never will.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct Lost {
    pub why: String,
}

impl Lost {
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

/// Everything that an ARN can name here.
pub trait Reach: Send + Sync {
    /// Whether there is such a resource.
    fn has(&self, arn: &str) -> bool;

    /// Whatever comes of it is under way when this completes.
    fn send<'a>(&'a self, arn: &'a str, letter: Letter) -> Boxed<'a, Result<(), Lost>>;
}

/// The service in an ARN.
pub fn service(arn: &str) -> &str {
    let mut parts = arn.split(':');
    match (parts.next(), parts.nth(1)) {
        (Some("arn"), Some(service)) => service,
        _ => "",
    }
}

/// What tests reach: it keeps what was sent.
#[cfg(test)]
pub(crate) mod fake {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Default)]
    pub struct Mailbox {
        pub sent: Mutex<Vec<(String, Letter)>>,
        /// ARNs that nobody has.
        pub absent: Mutex<Vec<String>>,
    }

    impl Mailbox {
        pub fn new() -> Arc<Self> {
            Arc::default()
        }

        /// What was sent so far; it is forgotten.
        pub fn take(&self) -> Vec<(String, Letter)> {
            std::mem::take(&mut self.sent.lock().unwrap())
        }
    }

    impl Reach for Mailbox {
        fn has(&self, arn: &str) -> bool {
            !self.absent.lock().unwrap().iter().any(|absent| absent == arn)
        }

        fn send<'a>(&'a self, arn: &'a str, letter: Letter) -> Boxed<'a, Result<(), Lost>> {
            Box::pin(async move {
                if !self.has(arn) {
                    return Err(Lost::because("nobody is there"));
                }
                self.sent.lock().unwrap().push((arn.to_owned(), letter));
                Ok(())
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::service;

    #[test]
    fn the_service_of_an_arn() {
        assert_eq!(service("arn:aws:sqs:us-east-1:000000000000:q"), "sqs");
        assert_eq!(service("arn:aws-cn:lambda:r:a:function:f"), "lambda");
        for wrong in ["", "q", "arn", "arn:aws", "urn:aws:sqs:r:a:q"] {
            assert_eq!(service(wrong), "", "{wrong}");
        }
    }
}
