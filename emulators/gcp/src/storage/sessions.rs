//! Resumable uploads that have begun: what the object shall be, and what has come so far.

use super::conditions::Conditions;
use super::fault::Fault;
use super::wire::Metadata;
use mlemu_engine::ids::Id;
use mlemu_engine::objects::Content;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// One upload.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub bucket: String,
    pub object: String,
    pub metadata: Metadata,
    pub conditions: Conditions,
    /// In the order of their bytes, without gaps.
    pub pieces: Vec<Content>,
}

impl Upload {
    /// In bytes.
    pub fn received(&self) -> u64 {
        self.pieces.iter().map(Content::size).sum()
    }
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<String, Upload>>,
}

impl Sessions {
    /// Returns the id of the upload.
    pub fn begin(&self, upload: Upload, id: Id) -> String {
        let id = id.hex();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), upload);
        id
    }

    pub fn get(&self, id: &str) -> Result<Upload, Fault> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(id).cloned().ok_or_else(Fault::no_session)
    }

    /// Adds a piece behind `offset` bytes. Fails when others came in between.
    pub fn add(&self, id: &str, offset: u64, piece: Content) -> Result<Upload, Fault> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let upload = open.get_mut(id).ok_or_else(Fault::no_session)?;
        if upload.received() != offset {
            return Err(Fault::invalid("Two requests wrote to this upload at once."));
        }
        if piece.size() > 0 || upload.pieces.is_empty() {
            upload.pieces.push(piece);
        }
        Ok(upload.clone())
    }

    pub fn end(&self, id: &str) -> Result<Upload, Fault> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(id).ok_or_else(Fault::no_session)
    }
}
