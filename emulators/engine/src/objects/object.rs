//! What an object is: its content, what was said about it, and who wrote it.

use super::body::Body;
use super::bucket::Documents;
use super::digest::{Checksum, ChecksumKind};
use super::upload::{PartName, UploadId};
use super::version::VersionName;
use mlemu_core::{Cause, Epoch, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes and what is known of them. Cheap to clone: copies share the bytes.
#[derive(Clone, Debug)]
pub struct Content {
    pub body: Body,
    /// Absent when the content was joined from parts.
    pub md5: Option<[u8; 16]>,
    /// Lower-case hex MD5, or what the dialect made of the parts; without quotes.
    pub etag: Arc<str>,
    pub checksums: Vec<Checksum>,
    /// What it was joined from; empty when it came in one piece.
    pub parts: Arc<[PartMark]>,
    pub(super) epoch: Epoch,
}

/// What is remembered of a part of a finished upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartMark {
    pub name: PartName,
    /// In bytes.
    pub size: u64,
    pub checksums: Vec<Checksum>,
}

impl Content {
    /// In bytes.
    pub fn size(&self) -> u64 {
        self.body.len()
    }

    /// Other bytes in the place of these, e.g. a part of them or more than them; nothing is known of their digests.
    pub fn over(&self, body: Body) -> Self {
        Self { body, md5: None, checksums: Vec::new(), parts: Arc::from([]), ..self.clone() }
    }

    pub fn checksum(&self, kind: ChecksumKind) -> Option<&Checksum> {
        self.checksums.iter().find(|checksum| checksum.kind == kind)
    }
}

/// What a writer says about an object. The names in `headers` are the dialect's own; the store only keeps
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Headers that are answered as they came.
    #[serde(deserialize_with = "crate::store::names::map")]
    pub headers: BTreeMap<&'static str, String>,
    pub metadata: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// What else the dialect keeps with it.
    pub documents: Documents,
}

impl Attributes {
    /// The headers and the documents, by their names.
    pub(super) fn said(&self) -> Documents {
        let headers = self.headers.iter().map(|(name, value)| (Arc::from(*name), value.as_str().into()));
        headers.chain(self.documents.clone()).collect()
    }
}

/// Who asked for a change, and what made them ask.
#[derive(Clone, Debug)]
pub struct Origin {
    pub cause: Cause,
    pub source_ip: String,
    pub request_id: String,
}

/// One version of one object; immutable.
#[derive(Clone, Debug)]
pub struct Object {
    pub key: Arc<str>,
    pub version: VersionName,
    /// The commit that made it.
    pub sequence: u64,
    pub created: Timestamp,
    pub content: Content,
    pub attributes: Attributes,
    /// The upload that made it, so that a repeated completion can be told from a wrong one.
    pub upload: Option<UploadId>,
}
