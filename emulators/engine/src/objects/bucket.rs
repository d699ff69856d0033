//! Buckets: their identity, and what one holds.

use super::keep::Item;
use super::object::Object;
use super::upload::{Upload, UploadId};
use super::version::{Versioning, Versions};
use super::{Fault, Objects};
use mlemu_core::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A bucket's identity: its cloud, its account and its name. The region is a property, not a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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

/// What a dialect keeps beside a bucket or an object, by names of its own. The store never looks into them.
pub type Documents = BTreeMap<Arc<str>, Arc<str>>;

/// What there is to know of a bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BucketView {
    pub id: BucketId,
    /// Where it was created.
    pub scope: Arc<Scope>,
    pub created: Timestamp,
    pub versioning: Versioning,
    pub documents: Arc<Documents>,
}

impl BucketView {
    pub fn document(&self, name: &str) -> Option<&Arc<str>> {
        self.documents.get(name)
    }
}

pub(super) struct Bucket {
    pub view: BucketView,
    pub objects: BTreeMap<Arc<str>, Versions>,
    pub uploads: BTreeMap<(Arc<str>, UploadId), Upload>,
}

impl Bucket {
    pub fn new(view: BucketView, objects: BTreeMap<Arc<str>, Versions>) -> Self {
        Self { view, objects, uploads: BTreeMap::new() }
    }

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
        let view = BucketView {
            id: id.clone(),
            scope: scope.clone(),
            created,
            versioning: Versioning::Off,
            documents: Arc::default(),
        };
        store.buckets.insert(id.clone(), Bucket::new(view, BTreeMap::new()));
        store.diary.note(|| Item::Bucket(id.clone()));
        Ok(id)
    }

    /// Forgets a bucket that holds no version of anything. Uploads that were begun in it are given up.
    pub fn delete_bucket(&self, id: &BucketId) -> Result<(), Fault> {
        let mut store = self.lock();
        if !store.bucket(id)?.objects.is_empty() {
            return Err(Fault::BucketNotEmpty { name: id.name.to_string() });
        }
        store.note_bucket(id);
        let gone = store.buckets.remove(id);
        drop(store);
        drop(gone);
        Ok(())
    }

    /// Forgets a bucket with all that is in it, unless `check` refuses. Nothing is told of what was in it.
    pub fn delete_bucket_whole<E: From<Fault>>(
        &self,
        id: &BucketId,
        check: impl FnOnce(&BucketView) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut store = self.lock();
        check(&store.bucket(id)?.view)?;
        store.note_bucket(id);
        let gone = store.buckets.remove(id);
        drop(store);
        drop(gone);
        Ok(())
    }

    /// Changes what is kept with the bucket, unless `change` refuses.
    pub fn describe_bucket<T, E: From<Fault>>(
        &self,
        id: &BucketId,
        change: impl FnOnce(&mut Documents) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut store = self.lock();
        let documents = Arc::make_mut(&mut store.bucket_mut(id)?.view.documents);
        let changed = change(documents)?;
        store.diary.note(|| Item::Bucket(id.clone()));
        Ok(changed)
    }

    /// Fails with [`Fault::NoBucket`].
    pub fn bucket(&self, id: &BucketId) -> Result<BucketView, Fault> {
        let store = self.lock();
        store.bucket(id).map(|bucket| bucket.view.clone())
    }

    /// Says how the bucket keeps versions from now on. One that ever kept them never goes back to `Off`.
    pub fn set_versioning(&self, id: &BucketId, versioning: Versioning) -> Result<(), Fault> {
        let mut store = self.lock();
        let view = &mut store.bucket_mut(id)?.view;
        if versioning != Versioning::Off || view.versioning == Versioning::Off {
            view.versioning = versioning;
        }
        store.diary.note(|| Item::Bucket(id.clone()));
        Ok(())
    }

    /// Keeps a document with the bucket in place of the one of the same name; `None` removes it.
    pub fn set_document(&self, id: &BucketId, name: &str, document: Option<Arc<str>>) -> Result<(), Fault> {
        let mut store = self.lock();
        let documents = Arc::make_mut(&mut store.bucket_mut(id)?.view.documents);
        match document {
            Some(document) => drop(documents.insert(name.into(), document)),
            None => drop(documents.remove(name)),
        }
        store.diary.note(|| Item::Bucket(id.clone()));
        Ok(())
    }

    /// The buckets of this name, in whichever cloud and account.
    pub fn named(&self, name: &str) -> Vec<BucketView> {
        let store = self.lock();
        let found = store.buckets.iter().filter(|(id, _)| **id.name() == *name);
        found.map(|(_, bucket)| bucket.view.clone()).collect()
    }

    /// The buckets of an account, by name.
    pub fn buckets(&self, scope: &Scope) -> Vec<BucketView> {
        let first = BucketId::new(scope, "");
        let store = self.lock();
        store
            .buckets
            .range(&first..)
            .take_while(|(id, _)| id.cloud == first.cloud && id.account == first.account)
            .map(|(_, bucket)| bucket.view.clone())
            .collect()
    }
}
