//! Buckets: their identity, and what one holds.

use super::object::Object;
use super::upload::{Upload, UploadId};
use super::{Fault, Objects};
use mlemu_core::{Epoch, Scope, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A bucket's identity: its cloud, its account and its name. The region is a property, not a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketId {
    cloud: Arc<str>,
    account: Arc<str>,
    name: Arc<str>,
}

impl BucketId {
    pub fn new(scope: &Scope, name: &str) -> Self {
        Self { cloud: scope.cloud.clone(), account: scope.account.clone(), name: name.into() }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub fn account(&self) -> &Arc<str> {
        &self.account
    }

    pub(super) fn missing(&self) -> Fault {
        Fault::NoBucket { name: self.name.to_string() }
    }
}

/// What there is to know of a bucket.
#[derive(Clone, Debug)]
pub struct BucketView {
    pub id: BucketId,
    /// Where it was created.
    pub scope: Arc<Scope>,
    pub created: Timestamp,
}

/// All versions of one key, newest last and never empty. Today a bucket keeps only one; one that keeps more
/// will push here instead of replacing, and a deletion will push a marker.
#[derive(Clone)]
pub(super) struct Versions(Vec<Arc<Object>>);

impl Versions {
    pub fn of(object: Arc<Object>) -> Self {
        Self(vec![object])
    }

    pub fn current(&self) -> Option<&Arc<Object>> {
        self.0.last()
    }

    /// The same versions, as contents of another epoch.
    pub fn of_epoch(&self, epoch: Epoch) -> Self {
        let restamped = |object: &Arc<Object>| {
            let mut object = Object::clone(object);
            object.content.epoch = epoch;
            Arc::new(object)
        };
        Self(self.0.iter().map(restamped).collect())
    }
}

pub(super) struct Bucket {
    pub scope: Arc<Scope>,
    pub created: Timestamp,
    pub objects: BTreeMap<Arc<str>, Versions>,
    pub uploads: BTreeMap<(Arc<str>, UploadId), Upload>,
}

impl Bucket {
    pub fn current(&self, key: &str) -> Option<&Arc<Object>> {
        self.objects.get(key).and_then(Versions::current)
    }
}

impl Objects {
    /// Makes an empty bucket in `scope`. Fails with [`Fault::BucketExists`].
    pub fn create_bucket(&self, scope: &Arc<Scope>, name: &str) -> Result<BucketId, Fault> {
        let id = BucketId::new(scope, name);
        let created = self.shared.clock.now();
        let mut store = self.lock();
        if store.buckets.contains_key(&id) {
            return Err(Fault::BucketExists { name: name.into() });
        }
        let bucket =
            Bucket { scope: scope.clone(), created, objects: BTreeMap::new(), uploads: BTreeMap::new() };
        store.buckets.insert(id.clone(), bucket);
        Ok(id)
    }

    /// Forgets an empty bucket. Uploads that were begun in it are given up.
    pub fn delete_bucket(&self, id: &BucketId) -> Result<(), Fault> {
        let mut store = self.lock();
        if !store.bucket(id)?.objects.is_empty() {
            return Err(Fault::BucketNotEmpty { name: id.name.to_string() });
        }
        let gone = store.buckets.remove(id);
        drop(store);
        drop(gone);
        Ok(())
    }

    /// Fails with [`Fault::NoBucket`].
    pub fn bucket(&self, id: &BucketId) -> Result<BucketView, Fault> {
        let store = self.lock();
        store.bucket(id).map(|bucket| bucket.view(id))
    }

    /// The buckets of this name, in whichever cloud and account.
    pub fn named(&self, name: &str) -> Vec<BucketView> {
        let store = self.lock();
        let found = store.buckets.iter().filter(|(id, _)| **id.name() == *name);
        found.map(|(id, bucket)| bucket.view(id)).collect()
    }

    /// The buckets of an account, by name.
    pub fn buckets(&self, scope: &Scope) -> Vec<BucketView> {
        let first = BucketId::new(scope, "");
        let store = self.lock();
        store
            .buckets
            .range(&first..)
            .take_while(|(id, _)| id.cloud == first.cloud && id.account == first.account)
            .map(|(id, bucket)| bucket.view(id))
            .collect()
    }
}

impl Bucket {
    fn view(&self, id: &BucketId) -> BucketView {
        BucketView { id: id.clone(), scope: self.scope.clone(), created: self.created }
    }
}
