//! The history of a key: its versions, the markers that hide them, and how a bucket keeps them.

use super::object::Object;
use mlemu_core::{Epoch, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Whether a bucket keeps what is replaced and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// It never did.
    #[default]
    Off,
    Enabled,
    /// Versions from before stay; new ones replace the unnamed one.
    Suspended,
}

/// The name of a version within its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VersionName {
    /// Written while the bucket kept none. A key has at most one such version.
    Unnamed,
    /// Named by the commit that made it.
    Numbered(u64),
}

impl VersionName {
    pub fn number(self) -> Option<u64> {
        match self {
            VersionName::Unnamed => None,
            VersionName::Numbered(number) => Some(number),
        }
    }
}

/// Which version of a key is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Newest,
    Named(VersionName),
}

/// What stands for an object that was removed while its bucket kept versions.
#[derive(Clone, Debug)]
pub struct Marker {
    pub key: Arc<str>,
    pub name: VersionName,
    /// The commit that made it.
    pub sequence: u64,
    pub created: Timestamp,
}

/// One entry in the history of a key.
#[derive(Clone, Debug)]
pub enum Version {
    Object(Arc<Object>),
    Marker(Arc<Marker>),
}

impl Version {
    pub fn key(&self) -> &Arc<str> {
        match self {
            Version::Object(object) => &object.key,
            Version::Marker(marker) => &marker.key,
        }
    }

    pub fn name(&self) -> VersionName {
        match self {
            Version::Object(object) => object.version,
            Version::Marker(marker) => marker.name,
        }
    }

    pub fn sequence(&self) -> u64 {
        match self {
            Version::Object(object) => object.sequence,
            Version::Marker(marker) => marker.sequence,
        }
    }

    pub fn created(&self) -> Timestamp {
        match self {
            Version::Object(object) => object.created,
            Version::Marker(marker) => marker.created,
        }
    }

    /// `None`: a marker.
    pub fn object(&self) -> Option<&Arc<Object>> {
        match self {
            Version::Object(object) => Some(object),
            Version::Marker(_) => None,
        }
    }
}

/// All versions of one key, newest last. Never empty while a bucket holds it.
#[derive(Clone, Default)]
pub(super) struct Versions(Vec<Version>);

impl Versions {
    /// The object that the key stands for; `None`: it was removed.
    pub fn current(&self) -> Option<&Arc<Object>> {
        self.0.last().and_then(Version::object)
    }

    pub fn find(&self, which: Which) -> Option<&Version> {
        match which {
            Which::Newest => self.0.last(),
            Which::Named(name) => self.0.iter().rev().find(|version| version.name() == name),
        }
    }

    /// Newest first.
    pub fn all(&self) -> impl Iterator<Item = &Version> {
        self.0.iter().rev()
    }

    pub fn committed(&self, sequence: u64) -> Option<&Version> {
        self.0.iter().rev().find(|version| version.sequence() == sequence)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes `version` the newest. Gives what it replaced: another unnamed one.
    pub fn push(&mut self, version: Version) -> Option<Version> {
        let replaced = match version.name() {
            VersionName::Unnamed => self.remove(VersionName::Unnamed),
            VersionName::Numbered(_) => None,
        };
        self.0.push(version);
        replaced
    }

    pub fn remove(&mut self, name: VersionName) -> Option<Version> {
        let at = self.0.iter().rposition(|version| version.name() == name)?;
        Some(self.0.remove(at))
    }

    /// Puts `object` in the place of the version of the same name.
    pub fn amend(&mut self, object: Arc<Object>) {
        if let Some(held) = self.0.iter_mut().rev().find(|version| version.name() == object.version) {
            *held = Version::Object(object);
        }
    }

    /// The same versions, as contents of another epoch.
    pub fn of_epoch(&self, epoch: Epoch) -> Self {
        let restamped = |version: &Version| match version {
            Version::Object(object) => {
                let mut object = Object::clone(object);
                object.content.epoch = epoch;
                Version::Object(Arc::new(object))
            }
            marker @ Version::Marker(_) => marker.clone(),
        };
        Self(self.0.iter().map(restamped).collect())
    }
}
