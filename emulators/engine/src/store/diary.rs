//! Noting what changes under a lock, and writing just that when the lock is left.

use super::{Change, Shelf, encode};
use serde::Serialize;
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The marks of what has changed; a mark is also the key of its record. Clones share one diary. That of `default`
/// notes nothing.
pub(crate) struct Diary<M> {
    pages: Option<Arc<Pages<M>>>,
}

struct Pages<M> {
    shelf: Shelf,
    noted: Mutex<Noted<M>>,
}

struct Noted<M> {
    marks: BTreeSet<M>,
    /// Nothing of before is left but what is noted.
    anew: bool,
}

impl<M> Default for Diary<M> {
    fn default() -> Self {
        Self { pages: None }
    }
}

impl<M> Clone for Diary<M> {
    fn clone(&self) -> Self {
        Self { pages: self.pages.clone() }
    }
}

impl<M: Ord + Serialize> Diary<M> {
    pub fn new(shelf: Shelf) -> Self {
        let noted = Mutex::new(Noted { marks: BTreeSet::new(), anew: false });
        Self { pages: shelf.keeps().then(|| Arc::new(Pages { shelf, noted })) }
    }

    pub fn keeps(&self) -> bool {
        self.pages.is_some()
    }

    /// What this mark stands for has changed, or is new or gone.
    pub fn note(&self, mark: impl FnOnce() -> M) {
        if let Some(pages) = &self.pages {
            pages.noted().marks.insert(mark());
        }
    }

    /// Everything has changed: what is there now has to be noted after this.
    pub fn begin_anew(&self) {
        if let Some(pages) = &self.pages {
            let mut noted = pages.noted();
            noted.marks.clear();
            noted.anew = true;
        }
    }

    /// Writes the records of what was noted; `None`: it is gone.
    pub fn write(&self, record: impl Fn(&M) -> Option<Vec<u8>>) {
        let Some(pages) = &self.pages else { return };
        let (marks, anew) = {
            let mut noted = pages.noted();
            (std::mem::take(&mut noted.marks), std::mem::take(&mut noted.anew))
        };
        if marks.is_empty() && !anew {
            return;
        }
        let each = marks.iter().map(|mark| match record(mark) {
            Some(value) => Change::Put(encode(mark), value),
            None => Change::Remove(encode(mark)),
        });
        pages.shelf.write(anew.then_some(Change::Clear).into_iter().chain(each));
    }
}

impl<M> Pages<M> {
    fn noted(&self) -> MutexGuard<'_, Noted<M>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something whose changes are kept.
pub(crate) trait Keeps {
    /// Hands over what has changed. Called under the lock: the order of changes is the order of the lock.
    fn hand_over(&mut self);
}

/// A lock on something whose changes are kept, and handed over when it is left.
pub(crate) struct Held<'a, T: Keeps>(pub MutexGuard<'a, T>);

impl<T: Keeps> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Keeps> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Keeps> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.0.hand_over();
    }
}
