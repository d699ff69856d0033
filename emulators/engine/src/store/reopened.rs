//! For tests of what uses a store: one that is closed and opened again.

use super::{Durability, Shelf, Store};
use tempfile::TempDir;

pub(crate) struct Reopened {
    folder: TempDir,
    store: Option<Store>,
}

impl Reopened {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Some(Store::open(folder.path(), Durability::Disk).unwrap());
        Self { folder, store }
    }

    pub fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    pub fn shelf(&self) -> Shelf {
        self.store().world("one")
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What was handed to the store before is there afterwards; what uses it now is handed nothing any more.
    pub fn reopen(&mut self) {
        self.store().close();
        self.store = Some(Store::open(self.folder.path(), Durability::Disk).unwrap());
    }
}
