//! What deploying by API needs beside running functions: uploads of code, documents of functions in both versions'
//! spelling, and long-running operations.
//!
//! [`archive`] brings the code, [`document`] reads what a function shall be, [`first`] has the first version's spelling
//! of it, [`mask`] changes part of a document, [`operations`] shows how far it is. Putting them together is
//! [`crate::deploy`]'s affair.
//!
//! Source: Cloud Functions, REST references of v1 and v2; Google AIP-151, "Long-running operations".

mod archive;
pub(crate) mod document;
pub(crate) mod first;
pub(crate) mod mask;
pub(crate) mod operations;
#[cfg(test)]
mod tests;

pub(crate) use archive::UPLOADS;

use mlemu_engine::objects::Objects;
use mlemu_engine::{Kept, KeptGuard, Shelf};
use operations::Operations;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A function as somebody deployed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deployed {
    /// In the second version's spelling.
    pub document: Value,
    /// Its code, opened.
    pub folder: PathBuf,
}

/// By their names.
pub(crate) type All = BTreeMap<String, Deployed>;

/// All that was deployed by API.
pub(crate) struct Deployments {
    pub(crate) operations: Operations,
    objects: Objects,
    known: Kept<All>,
}

impl Deployments {
    pub(crate) fn new(objects: Objects, shelf: &Shelf) -> Self {
        Self { operations: Operations::default(), objects, known: Kept::on(shelf.part("functions")) }
    }

    pub(crate) fn known(&self) -> KeptGuard<'_, All> {
        self.known.lock()
    }
}
