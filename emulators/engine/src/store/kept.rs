//! A small table that is written whole whenever it has changed: what a service keeps beside the cores.

use super::shelf::Change;
use super::{Shelf, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value behind a lock.
pub struct Kept<T> {
    shelf: Shelf,
    value: Mutex<T>,
}

impl<T: Default> Default for Kept<T> {
    fn default() -> Self {
        Self { shelf: Shelf::default(), value: Mutex::default() }
    }
}

/// The lock; whatever was changed through it is written when it is left.
pub struct KeptGuard<'a, T: Serialize> {
    shelf: &'a Shelf,
    value: MutexGuard<'a, T>,
    changed: bool,
}

impl<T: Serialize + DeserializeOwned + Default> Kept<T> {
    /// The value as it was left on `shelf`, whole of which it takes. Where that cannot be read, the shelf's store is
    /// told ([`Shelf::sound`]).
    pub fn on(shelf: Shelf) -> Self {
        let read = shelf.found().remove(&[][..]).map(|bytes| shelf.read(&bytes));
        let value = read.transpose().unwrap_or_else(|error| {
            shelf.blame(error);
            None
        });
        Self { shelf, value: Mutex::new(value.unwrap_or_default()) }
    }
}

impl<T> Kept<T> {
    /// Completes what was read with what is not kept. That alone writes nothing.
    pub fn prepared(mut self, prepare: impl FnOnce(&mut T)) -> Self {
        prepare(self.value.get_mut().unwrap_or_else(PoisonError::into_inner));
        self
    }
}

impl<T: Serialize> Kept<T> {
    pub fn lock(&self) -> KeptGuard<'_, T> {
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        KeptGuard { shelf: &self.shelf, value, changed: false }
    }
}

impl<T: Serialize> Deref for KeptGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Serialize> DerefMut for KeptGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.changed = true;
        &mut self.value
    }
}

impl<T: Serialize> Drop for KeptGuard<'_, T> {
    fn drop(&mut self) {
        if self.changed && self.shelf.keeps() {
            self.shelf.write([Change::Put(Vec::new(), encode(&*self.value))]);
        }
    }
}
