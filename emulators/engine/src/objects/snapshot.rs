//! The whole store as it was at one moment, and going back to it.
//!
//! Objects never change once they are there, so a snapshot shares them and their bytes with the store: it costs the
//! keys. Uploads that are begun are not a part of it.

use super::bucket::{Bucket, BucketId, BucketView};
use super::version::Versions;
use super::{Objects, Store};
use mlemu_core::Epoch;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Cheap to keep: it shares the bodies.
#[derive(Clone, Default)]
pub struct Snapshot {
    buckets: BTreeMap<BucketId, Kept>,
}

#[derive(Clone)]
struct Kept {
    view: BucketView,
    objects: BTreeMap<Arc<str>, Versions>,
}

impl Kept {
    /// A bucket of this epoch: what was read of an older one is refused when it comes back.
    fn bucket(&self, epoch: Epoch) -> Bucket {
        let objects = self.objects.iter().map(|(key, versions)| (key.clone(), versions.of_epoch(epoch)));
        Bucket::new(self.view.clone(), objects.collect())
    }
}

impl Objects {
    pub fn snapshot(&self) -> Snapshot {
        let store = self.lock();
        let keep = |(id, bucket): (&BucketId, &Bucket)| {
            (id.clone(), Kept { view: bucket.view.clone(), objects: bucket.objects.clone() })
        };
        Snapshot { buckets: store.buckets.iter().map(keep).collect() }
    }

    /// Goes back to a snapshot and begins the next epoch, at one moment for everybody. Bodies that are still being
    /// received, and contents that were read before, belong to the old epoch and will be refused; changes that no
    /// trigger has acted on are forgotten.
    pub fn restore(&self, snapshot: &Snapshot) {
        let mut store = self.lock();
        let Store { epoch, buckets, log, .. } = &mut *store;
        epoch.0 += 1;
        log.clear();
        let fresh = snapshot.buckets.iter().map(|(id, kept)| (id.clone(), kept.bucket(*epoch)));
        let old = std::mem::replace(buckets, fresh.collect());
        store.note_all();
        drop(store);
        drop(old);
    }
}
