//! A part of the store, for one owner.

use super::inbox::Write;
use super::{Durability, Store, StoreError, Unwritten, decode};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A record that is another now.
#[derive(Debug)]
pub(crate) enum Change {
    Put(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
    /// All of the shelf.
    Clear,
}

/// Where one owner's records are. That of `default` keeps nothing.
#[derive(Clone, Default)]
pub struct Shelf {
    place: Option<Arc<Place>>,
}

struct Place {
    store: Store,
    world: String,
    /// Before every key.
    prefix: Vec<u8>,
}

impl Shelf {
    pub(super) fn of(store: Store, world: &str) -> Self {
        let prefix = [world.as_bytes(), b"\0"].concat();
        Self { place: Some(Arc::new(Place { store, world: world.into(), prefix })) }
    }

    /// A part of it under a name of its own.
    pub fn part(&self, name: &str) -> Self {
        let part = |place: &Arc<Place>| {
            let prefix = [&place.prefix[..], name.as_bytes(), b"\0"].concat();
            Arc::new(Place { store: place.store.clone(), world: place.world.clone(), prefix })
        };
        Self { place: self.place.as_ref().map(part) }
    }

    pub fn keeps(&self) -> bool {
        self.place.is_some()
    }

    /// Completes when everything that was changed before is written as its durability promises; at once where nothing
    /// is kept.
    pub async fn written(&self) -> Result<(), Unwritten> {
        match &self.place {
            Some(place) => place.store.written().await,
            None => Ok(()),
        }
    }

    /// Whether bodies have to be on the disk before a record names them.
    pub(crate) fn syncs(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.store.durability() == Durability::Durable)
    }

    /// Where the files of this world are.
    pub(crate) fn bodies(&self) -> Option<PathBuf> {
        self.place.as_ref().map(|place| place.store.shared.folder.bodies(&place.world))
    }

    /// The files of this world that were there when the store was opened.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let of = |place: &Arc<Place>| place.store.shared.folder.found(&place.world);
        self.place.as_ref().map(of).unwrap_or_default()
    }

    /// All of it becomes one commit, after what was given before.
    pub(crate) fn write(&self, changes: impl IntoIterator<Item = Change>) {
        let Some(place) = &self.place else { return };
        let key = |key: Vec<u8>| [&place.prefix[..], &key].concat();
        let writes = changes.into_iter().map(|change| match change {
            Change::Put(at, value) => Write::Put(key(at), value),
            Change::Remove(at) => Write::Remove(key(at)),
            Change::Clear => Write::Clear(place.prefix.clone()),
        });
        place.store.submit(writes.collect());
    }

    /// Keeps bytes under a name, for what is too large to be a part of a table.
    pub fn keep(&self, name: &str, bytes: &[u8]) {
        if self.keeps() {
            self.write([Change::Put(name.into(), bytes.into())]);
        }
    }

    /// Keeps nothing under that name any more.
    pub fn forget(&self, name: &str) {
        self.write([Change::Remove(name.into())]);
    }

    /// What was kept so when the store was opened; the second time there is nothing.
    pub fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        let named = |(name, bytes): (Vec<u8>, _)| (String::from_utf8_lossy(&name).into_owned(), bytes);
        self.found().into_iter().map(named).collect()
    }

    /// Nothing of it is left.
    pub fn clear(&self) {
        self.write([Change::Clear]);
    }

    /// Removes a file when everything that was given before is written. `false`: nothing is kept, nothing was done.
    pub(crate) fn unlink(&self, file: PathBuf) -> bool {
        if let Some(place) = &self.place {
            place.store.submit(vec![Write::Unlink(file)]);
        }
        self.keeps()
    }

    /// What was there when the store was opened; the second time there is nothing.
    pub(crate) fn found(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.place.as_ref().map(|place| place.store.take(&place.prefix)).unwrap_or_default()
    }

    pub(crate) fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, StoreError> {
        decode(bytes).map_err(|why| self.unreadable(why))
    }

    pub(super) fn blame(&self, error: StoreError) {
        if let Some(place) = &self.place {
            place.store.blame(error);
        }
    }

    /// Fails where something that was found could not be read. To be asked before anything is written.
    pub fn sound(&self) -> Result<(), StoreError> {
        self.place.as_ref().and_then(|place| place.store.blamed()).map_or(Ok(()), Err)
    }

    pub(crate) fn unreadable(&self, why: String) -> StoreError {
        let path = self.place.as_ref().map(|place| place.store.shared.folder.records()).unwrap_or_default();
        StoreError::Unreadable { path, why }
    }
}
