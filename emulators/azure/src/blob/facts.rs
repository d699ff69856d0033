//! What is known of a blob beside its bytes and what its writer said of it.

use super::lease::Lease;
use mlemu_core::Timestamp;
use mlemu_engine::Ids;
use mlemu_engine::objects::{Attributes, Documents};
use serde::{Deserialize, Serialize};

/// The document that holds it, of a blob and of a container.
const DOCUMENT: &str = "facts";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    #[default]
    Block,
    Append,
    Page,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Block => "BlockBlob",
            Kind::Append => "AppendBlob",
            Kind::Page => "PageBlob",
        }
    }

    pub fn read(text: &str) -> Option<Self> {
        [Kind::Block, Kind::Append, Kind::Page]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text))
    }
}

/// A copy that made a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub id: String,
    pub source: String,
    pub bytes: u64,
    pub at: Timestamp,
}

/// Of a blob; of a container the first lines and the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    /// Without quotes. It changes with everything that is said anew, but for leases, tags and tiers.
    pub etag: String,
    pub modified: Timestamp,
    pub created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    pub kind: Kind,
    /// `None`: it follows from the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<(String, Timestamp)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy: Option<Copied>,
    /// The moment that a snapshot is called by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Of a page blob.
    pub sequence: u64,
    /// Blocks of an append blob.
    pub appends: u32,
    pub sealed: bool,
}

impl Default for Facts {
    fn default() -> Self {
        let never = Timestamp(0);
        Self {
            etag: String::new(),
            modified: never,
            created: never,
            lease: None,
            kind: Kind::Block,
            tier: None,
            copy: None,
            snapshot: None,
            sequence: 0,
            appends: 0,
            sealed: false,
        }
    }
}

impl Facts {
    pub fn new(kind: Kind, etag: String, now: Timestamp) -> Self {
        Self { etag, modified: now, created: now, kind, ..Self::default() }
    }

    pub fn of(attributes: &Attributes) -> Self {
        Self::of_documents(&attributes.documents)
    }

    pub fn of_documents(documents: &Documents) -> Self {
        let said = documents.get(DOCUMENT).and_then(|text| serde_json::from_str(text).ok());
        said.unwrap_or_default()
    }

    pub fn keep(&self, documents: &mut Documents) {
        // Strings and numbers always serialize.
        let text = serde_json::to_string(self).unwrap_or_default();
        documents.insert(DOCUMENT.into(), text.into());
    }

    /// Something was said anew.
    pub fn touch(&mut self, ids: &Ids, now: Timestamp) {
        self.etag = etag(ids);
        self.modified = now;
    }
}

/// As the service spells them.
pub(crate) fn etag(ids: &Ids) -> String {
    format!("0x8D{:013X}", ids.fresh("etag").number() >> 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back_and_strangers_have_none() {
        let mut attributes = Attributes::default();
        assert_eq!(Facts::of(&attributes), Facts::default());
        let mut facts = Facts::new(Kind::Page, etag(&Ids::seeded(1)), Timestamp(7));
        facts.tier = Some(("Cool".into(), Timestamp(8)));
        facts.keep(&mut attributes.documents);
        assert_eq!(Facts::of(&attributes), facts);
        let before = facts.etag.clone();
        facts.touch(&Ids::seeded(2), Timestamp(9));
        assert!(facts.etag != before && facts.etag.starts_with("0x8D") && facts.etag.len() == 17);
        attributes.documents.insert(DOCUMENT.into(), "{".into());
        assert_eq!(Facts::of(&attributes), Facts::default());
    }
}
