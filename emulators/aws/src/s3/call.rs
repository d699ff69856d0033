//! One request, as the operations see it.

use super::fault::Fault;
use super::query::Query;
use crate::auth::Verified;
use http::HeaderMap;
use mlemu_core::{Cause, Scope};
use mlemu_engine::objects::{BucketId, Origin};
use std::sync::Arc;

pub(super) struct Call {
    pub headers: HeaderMap,
    pub query: Query,
    /// As it was asked for, with its port.
    pub host: String,
    /// As it was sent, percent-encoded.
    pub path: String,
    /// Empty where there is none.
    pub bucket: String,
    /// Empty where there is none.
    pub key: String,
    /// Of the bucket where there is one, else of who asks.
    pub scope: Arc<Scope>,
    /// The account that asks; `None`: nobody says who asks.
    pub requester: Option<Arc<str>>,
    pub request_id: String,
    pub source_ip: String,
    /// Of the request that began this chain of causes.
    pub trace: Arc<str>,
    /// There when signatures are verified and this one was good.
    pub verified: Option<Verified>,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn bucket_id(&self) -> BucketId {
        BucketId::new(&self.scope, &self.bucket)
    }

    pub fn origin(&self) -> Origin {
        Origin {
            cause: Cause::Request(self.trace.clone()),
            source_ip: self.source_ip.clone(),
            request_id: self.request_id.clone(),
        }
    }

    /// A number in the query. Absent: `usual`; more than `most`: `most`.
    pub fn number(&self, name: &'static str, usual: usize, most: usize) -> Result<usize, Fault> {
        match self.query.get(name) {
            None | Some("") => Ok(usual),
            Some(text) => match text.parse::<i32>() {
                Ok(number) if number >= 0 => Ok((number as usize).min(most)),
                _ => {
                    let message = format!("Provided {name} not an integer or within integer range");
                    Err(Fault::argument(name, text, message))
                }
            },
        }
    }

    /// The URL of an object of this bucket, for answers that name it.
    pub fn url_of(&self, key: &str) -> String {
        let key = super::encode::encode_key(key);
        if super::is_s3_host(&self.host) && !self.path.starts_with(&format!("/{}", self.bucket)) {
            format!("http://{}/{key}", self.host)
        } else {
            format!("http://{}/{}/{key}", self.host, self.bucket)
        }
    }
}
