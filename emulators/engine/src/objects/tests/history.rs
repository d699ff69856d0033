//! Versions of keys against the simplest model: a list of entries for each key.

use super::*;
use crate::store::reopened::Reopened;

/// The entries of each key, oldest first. No body: a marker.
type Model = BTreeMap<String, History>;
type History = Vec<(VersionName, Option<Vec<u8>>)>;

#[derive(Clone, Debug)]
enum Step {
    Put(String, Vec<u8>),
    Delete(String),
    /// The version at this place of the key's history, counted around.
    Remove(String, usize),
    Keep(Versioning),
    Describe(String, String),
    Restore,
    /// The daemon ends and another begins, where there is a store.
    Reopen,
    List(String, String, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let versioning = prop_oneof![3 => Just(Versioning::Enabled), 1 => Just(Versioning::Suspended), 1 => Just(Versioning::Off)];
    prop_oneof![
        6 => (key(), proptest::collection::vec(any::<u8>(), 0..4)).prop_map(|(key, body)| Step::Put(key, body)),
        3 => key().prop_map(Step::Delete),
        3 => (key(), any::<usize>()).prop_map(|(key, at)| Step::Remove(key, at)),
        2 => versioning.prop_map(Step::Keep),
        1 => (key(), "[a-z]{0,3}").prop_map(|(key, tag)| Step::Describe(key, tag)),
        1 => Just(Step::Restore),
        1 => Just(Step::Reopen),
        3 => ("[ab/]{0,2}", "(|/|b|ab)", 1..4_usize).prop_map(|(p, d, l)| Step::List(p, d, l)),
    ]
}

fn key() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ab/]{1,3}").unwrap()
}

/// A store beside its model.
struct Pair {
    objects: Objects,
    bucket: BucketId,
    model: Model,
    versioning: Versioning,
    kept: Option<Reopened>,
}

impl Pair {
    /// What is made with this name takes the place of another of the same name.
    fn push(&mut self, key: &str, name: VersionName, body: Option<Vec<u8>>) {
        assert_eq!(name == VersionName::Unnamed, self.versioning != Versioning::Enabled);
        let entries = self.model.entry(key.to_owned()).or_default();
        entries.retain(|(known, _)| *known != name);
        entries.push((name, body));
    }

    fn delete(&mut self, key: &str) {
        match self.objects.delete(&self.bucket, key, origin(), |_| Ok::<_, Fault>(())).unwrap() {
            Deletion::Marked(marker) => {
                assert_ne!(self.versioning, Versioning::Off);
                self.push(key, marker.name, None);
            }
            Deletion::Removed(version) => {
                assert_eq!(self.versioning, Versioning::Off);
                assert_eq!(version.name(), VersionName::Unnamed);
                assert!(self.model.remove(key).is_some());
            }
            Deletion::Nothing => assert!(self.versioning == Versioning::Off && !self.model.contains_key(key)),
        }
    }

    fn remove(&mut self, key: &str, at: usize) {
        let Some(entries) = self.model.get_mut(key) else { return };
        let (name, body) = entries.remove(at % entries.len());
        if entries.is_empty() {
            self.model.remove(key);
        }
        let gone = self.objects.delete_version(&self.bucket, key, name, origin(), |_| Ok::<_, Fault>(()));
        let Deletion::Removed(version) = gone.unwrap() else { panic!("it was there") };
        assert_eq!((version.name(), version.object().is_none()), (name, body.is_none()));
    }

    /// Pages of any size, with each entry's name and whether it is the newest of its key.
    fn listed(
        &self,
        prefix: &str,
        delimiter: &str,
        limit: usize,
    ) -> Vec<(String, Option<(VersionName, bool)>)> {
        let (mut entries, mut after, mut within) = (Vec::new(), String::new(), None);
        loop {
            let query = ListQuery { prefix, delimiter, after: &after, limit };
            let page = self.objects.list_versions(&self.bucket, query, within).unwrap();
            assert!(page.versions.len() + page.prefixes.len() <= limit);
            let mut both: Vec<_> = page.prefixes.into_iter().map(|prefix| (prefix, None)).collect();
            let named = |listed: &Listed| Some((listed.version.name(), listed.is_newest));
            both.extend(page.versions.iter().map(|listed| (listed.version.key().to_string(), named(listed))));
            both.sort_by(|a, b| a.0.cmp(&b.0));
            entries.extend(both);
            match page.next {
                Some((key, name)) => (after, within) = (key, name),
                None => return entries,
            }
        }
    }

    fn expected(&self, prefix: &str, delimiter: &str) -> Vec<(String, Option<(VersionName, bool)>)> {
        let plain = self.model.keys().map(|key| (key.clone(), Vec::new())).collect();
        let entries = super::expected(&plain, prefix, delimiter).into_iter().flat_map(|entry| {
            let is_group = !delimiter.is_empty() && entry[prefix.len()..].contains(delimiter);
            let versions = self.model.get(&entry).filter(|_| !is_group);
            let Some(versions) = versions else { return vec![(entry, None)] };
            let newest_first = versions.iter().rev().enumerate();
            newest_first.map(|(at, (name, _))| (entry.clone(), Some((*name, at == 0)))).collect()
        });
        entries.collect()
    }

    /// The keys that stand for an object now.
    fn current(&self) -> BTreeMap<String, Vec<u8>> {
        let newest = |(key, entries): (&String, &History)| Some((key.clone(), entries.last()?.1.clone()?));
        self.model.iter().filter_map(newest).collect()
    }

    fn check_all(&self) {
        for (key, entries) in &self.model {
            for (name, body) in entries {
                let version = self.objects.version(&self.bucket, key, Which::Named(*name)).unwrap();
                let held = version.object().map(|object| object.content.body.inline().unwrap().to_vec());
                assert_eq!(held, *body, "{key} {name:?}");
            }
        }
        let current = self.current();
        for key in self.model.keys() {
            let held = self.objects.get(&self.bucket, key).ok();
            let held = held.map(|object| object.content.body.inline().unwrap().to_vec());
            assert_eq!(held.as_ref(), current.get(key), "{key}");
        }
        let is_empty = self.model.is_empty();
        let listed = super::listed(&self.objects, &self.bucket, "", "", 2);
        assert_eq!(listed, current.keys().cloned().collect::<Vec<_>>());
        assert_eq!(self.listed("", "", 3).is_empty(), is_empty);
    }

    fn take(&mut self, step: Step, runtime: &tokio::runtime::Runtime) {
        match step {
            Step::Put(key, body) => {
                let object = runtime.block_on(put(&self.objects, &self.bucket, &key, &body)).unwrap();
                self.push(&key, object.version, Some(body));
            }
            Step::Delete(key) => self.delete(&key),
            Step::Remove(key, at) => self.remove(&key, at),
            Step::Keep(versioning) => {
                self.objects.set_versioning(&self.bucket, versioning).unwrap();
                if versioning != Versioning::Off {
                    self.versioning = versioning;
                }
            }
            Step::Describe(key, tag) => {
                let said = self.objects.describe(&self.bucket, &key, |attributes| {
                    attributes.tags.insert("tag".into(), tag.clone());
                });
                assert_eq!(said.is_ok(), self.current().contains_key(&key));
            }
            Step::Reopen => {
                let Some(kept) = &mut self.kept else { return };
                let newest = self.objects.sequence();
                kept.reopen();
                self.objects = Objects::kept_on(&kept.shelf(), clock(), crate::Ids::default()).unwrap();
                assert_eq!(self.objects.sequence(), newest);
            }
            Step::Restore => self.objects.restore(&self.objects.snapshot()),
            Step::List(prefix, delimiter, limit) => {
                assert_eq!(self.listed(&prefix, &delimiter, limit), self.expected(&prefix, &delimiter));
                let keys = super::listed(&self.objects, &self.bucket, &prefix, &delimiter, limit);
                assert_eq!(keys, super::expected(&self.current(), &prefix, &delimiter));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_key_is_a_list_of_versions(steps in proptest::collection::vec(step(), 1..80)) {
        let (objects, bucket) = store(Path::new("unused"));
        run(objects, bucket, None, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn also_in_a_store_that_is_opened_again(steps in proptest::collection::vec(step(), 1..80)) {
        let kept = Reopened::new();
        let objects = Objects::kept_on(&kept.shelf(), clock(), crate::Ids::default()).unwrap();
        let bucket = shelf(&objects);
        run(objects, bucket, Some(kept), steps);
    }
}

fn run(objects: Objects, bucket: BucketId, kept: Option<Reopened>, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut pair = Pair { objects, bucket, model: Model::new(), versioning: Versioning::Off, kept };
    for step in steps {
        pair.take(step, &runtime);
    }
    pair.check_all();
}

#[tokio::test]
async fn a_body_leaves_the_disk_with_the_last_version_that_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, bucket) = store(folder.path());
    objects.set_versioning(&bucket, Versioning::Enabled).unwrap();
    let large = vec![7; 2_000_000];
    let first = put(&objects, &bucket, "k", &large).await.unwrap();
    put(&objects, &bucket, "k", b"small").await.unwrap();
    objects.delete(&bucket, "k", origin(), |_| Ok::<_, Fault>(())).unwrap();
    assert_eq!(files(folder.path()), 1);
    let name = first.version;
    drop(first);
    let gone = objects.delete_version(&bucket, "k", name, origin(), |_| Ok::<_, Fault>(())).unwrap();
    // Files are unlinked beside the runtime; without one, at once.
    std::thread::spawn(move || drop(gone)).join().unwrap();
    assert_eq!(files(folder.path()), 0);
}
