//! The store against a plain map, and its promises about files, epochs and the log.

mod generations;
mod history;
mod keeping;

use super::*;
use bytes::Bytes;
use futures_util::stream;
use mlemu_core::occurrence::{Created, Fact, ObjectChange};
use mlemu_core::{Cause, Scope};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

fn store(folder: &Path) -> (Objects, BucketId) {
    let objects = Objects::new(folder.into(), clock());
    let bucket = shelf(&objects);
    (objects, bucket)
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(crate::SystemClock::new())
}

fn shelf(objects: &Objects) -> BucketId {
    let scope = Arc::new(Scope::new("cloud", "one", "here"));
    objects.create_bucket(&scope, "shelf").unwrap()
}

fn origin() -> Origin {
    Origin { cause: Cause::Mlemu, source_ip: "127.0.0.1".into(), request_id: "r".into() }
}

async fn receive(objects: &Objects, body: &[u8]) -> Content {
    let chunks = body.chunks(50_000).map(|chunk| Ok::<_, Fault>(Bytes::copy_from_slice(chunk)));
    let chunks: Vec<_> = chunks.collect();
    objects.receive(stream::iter(chunks), &[ChecksumKind::Crc32], u64::MAX).await.unwrap()
}

async fn put(objects: &Objects, bucket: &BucketId, key: &str, body: &[u8]) -> Result<Arc<Object>, Fault> {
    let content = receive(objects, body).await;
    let new = NewObject {
        key: key.into(),
        content,
        attributes: Attributes::default(),
        how: Created::Put,
        origin: origin(),
    };
    objects.put(bucket, new, |_| Ok::<_, Fault>(()))
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Looking at all parts for each one would take minutes here.
#[tokio::test]
async fn an_upload_of_many_parts_is_as_fast_as_one_of_few() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, bucket) = store(folder.path());
    let content = receive(&objects, b"x").await;
    let id = UploadId("blocks".into());
    assert!(matches!(objects.first_part(&bucket, "a", &id), Err(Fault::NoUpload { .. })));
    objects.open_upload(&bucket, "a", &id).unwrap();
    assert_eq!(objects.first_part(&bucket, "a", &id), Ok((None, 0)));
    for at in 0..100_000_u32 {
        let name = PartName(at.to_be_bytes().into());
        let (first, count) = objects.first_part(&bucket, "a", &id).unwrap();
        assert_eq!((first.is_some(), count), (at > 0, at as usize));
        objects.put_part(&bucket, "a", &id, name, content.clone()).unwrap();
    }
}

#[tokio::test]
async fn large_bodies_are_files_that_copies_share() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, bucket) = store(folder.path());
    let body: Vec<u8> = (0..5_000_000_u32).map(|at| (at % 253) as u8).collect();
    let first = put(&objects, &bucket, "../../etc/passwd", &body).await.unwrap();
    assert_eq!(first.content.body.bytes().await.unwrap(), body);
    assert_eq!(first.content.checksums[0].value, ChecksumKind::Crc32.of(&body));
    let copy = NewObject {
        key: "copy".into(),
        content: first.content.clone(),
        attributes: Attributes::default(),
        how: Created::Copy,
        origin: origin(),
    };
    let copy = objects.put(&bucket, copy, |_| Ok::<_, Fault>(())).unwrap();
    assert_eq!(files(folder.path()), 1);
    let digests = copy.content.body.digest(&[ChecksumKind::Sha1]).await.unwrap();
    assert_eq!((Some(digests.md5), digests.checksums.len()), (copy.content.md5, 1));
}

#[tokio::test]
async fn small_bodies_make_no_file_and_a_broken_body_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, bucket) = store(folder.path());
    put(&objects, &bucket, "k", &vec![7; 32 * 1024]).await.unwrap();
    assert_eq!(files(folder.path()), 0);
    let chunks = (0..40).map(|_| Ok::<_, Fault>(Bytes::from(vec![1; 100_000])));
    let refused = objects.receive(stream::iter(chunks), &[], 3_500_000).await;
    assert_eq!(refused.unwrap_err(), Fault::TooLarge { limit: 3_500_000 });
    let broken =
        (0..40).map(|at| if at < 30 { Ok(Bytes::from(vec![1; 100_000])) } else { Err(Fault::Stale) });
    assert_eq!(objects.receive(stream::iter(broken), &[], u64::MAX).await.unwrap_err(), Fault::Stale);
}

#[tokio::test]
async fn a_refused_precondition_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, bucket) = store(folder.path());
    put(&objects, &bucket, "k", b"old").await.unwrap();
    let content = receive(&objects, b"new").await;
    let new = NewObject {
        key: "k".into(),
        content,
        attributes: Attributes::default(),
        how: Created::Put,
        origin: origin(),
    };
    let refused =
        objects.put(&bucket, new, |now| if now.is_some() { Err(Fault::Stale) } else { Ok(()) }).unwrap_err();
    assert_eq!(refused, Fault::Stale);
    assert_eq!(objects.sequence(), 1);
    assert_eq!(objects.get(&bucket, "k").unwrap().content.body.bytes().await.unwrap(), "old");
}

#[tokio::test]
async fn what_was_received_before_a_reset_is_refused_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, bucket) = store(folder.path());
    let content = receive(&objects, b"late").await;
    objects.reset();
    assert!(matches!(objects.get(&bucket, "k"), Err(Fault::NoBucket { .. })));
    objects.create_bucket(&Arc::new(Scope::new("cloud", "one", "here")), "shelf").unwrap();
    let new = NewObject {
        key: "k".into(),
        content,
        attributes: Attributes::default(),
        how: Created::Put,
        origin: origin(),
    };
    assert_eq!(objects.put(&bucket, new, |_| Ok::<_, Fault>(())).unwrap_err(), Fault::Stale);
}

#[tokio::test]
async fn every_reader_of_the_log_sees_every_commit_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, bucket) = store(folder.path());
    put(&objects, &bucket, "before", b"").await.unwrap();
    let mut early = objects.changes();
    let mut late = objects.changes();
    let reading = tokio::spawn(async move { (early.next().await.sequence, early.next().await.sequence) });
    put(&objects, &bucket, "a", b"x").await.unwrap();
    objects.delete(&bucket, "a", origin(), |_| Ok::<_, Fault>(())).unwrap();
    objects.delete(&bucket, "a", origin(), |_| Ok::<_, Fault>(())).unwrap();
    assert_eq!(reading.await.unwrap(), (2, 3));
    late.next().await;
    let Fact::Object(fact) = &late.next().await.fact;
    assert_eq!((&*fact.key, fact.change), ("a", ObjectChange::Deleted));
}

#[tokio::test]
async fn parts_join_in_the_order_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, bucket) = store(folder.path());
    let id = objects.begin_upload(&bucket, "k", Attributes::default(), None).unwrap();
    for (number, body) in [(2_u16, "two"), (1, "wrong"), (10, "ten"), (1, "one")] {
        let content = receive(&objects, body.as_bytes()).await;
        objects.put_part(&bucket, "k", &id, number.into(), content).unwrap();
    }
    let view = objects.upload(&bucket, "k", &id).unwrap();
    let joined = Joined { parts: &view.parts, etag: "e-3".into(), checksums: vec![], origin: origin() };
    let object = objects.complete_upload(&bucket, &view, joined.clone(), |_| Ok::<_, Fault>(())).unwrap();
    assert_eq!(object.content.body.bytes().await.unwrap(), "onetwoten");
    let sizes: Vec<_> = object.content.parts.iter().map(|part| part.size).collect();
    assert_eq!(sizes, [3, 3, 3]);
    let again = objects.complete_upload(&bucket, &view, joined, |_| Ok::<_, Fault>(())).unwrap_err();
    assert_eq!(again, Fault::NoUpload { id: id.to_string() });
    assert_eq!(objects.delete_bucket(&bucket), Err(Fault::BucketNotEmpty { name: "shelf".into() }));
}

/// What a listing must give, said in the simplest way.
fn expected(keys: &BTreeMap<String, Vec<u8>>, prefix: &str, delimiter: &str) -> Vec<String> {
    let mut entries = Vec::new();
    for key in keys.keys().filter(|key| key.starts_with(prefix)) {
        let rest = &key[prefix.len()..];
        let entry = match rest.find(delimiter) {
            Some(at) if !delimiter.is_empty() => key[..prefix.len() + at + delimiter.len()].to_owned(),
            _ => key.clone(),
        };
        if entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    entries
}

fn listed(objects: &Objects, bucket: &BucketId, prefix: &str, delimiter: &str, limit: usize) -> Vec<String> {
    let (mut entries, mut after) = (Vec::new(), String::new());
    loop {
        let query = ListQuery { prefix, delimiter, after: &after, limit };
        let page = objects.list(bucket, query).unwrap();
        let mut both: Vec<String> = page.objects.iter().map(|object| object.key.to_string()).collect();
        both.extend(page.prefixes);
        assert!(both.len() <= limit);
        both.sort();
        entries.extend(both);
        match page.next {
            Some(next) => after = next,
            None => return entries,
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(String, Vec<u8>),
    Copy(String, String),
    Delete(String),
    List(String, String, usize),
}

fn key() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ab/é\u{10FFFF}]{1,5}").unwrap()
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (key(), proptest::collection::vec(any::<u8>(), 0..8)).prop_map(|(k, b)| Step::Put(k, b)),
        1 => (key(), key()).prop_map(|(from, to)| Step::Copy(from, to)),
        1 => key().prop_map(Step::Delete),
        2 => ("[ab/]{0,2}", "(|/|b|ab)", 1..4_usize).prop_map(|(p, d, l)| Step::List(p, d, l)),
    ]
}

fn copy(objects: &Objects, bucket: &BucketId, from: &str, to: &str) -> Result<(), Fault> {
    let source = objects.get(bucket, from)?;
    let new = NewObject {
        key: to.into(),
        content: source.content.clone(),
        attributes: source.attributes.clone(),
        how: Created::Copy,
        origin: origin(),
    };
    objects.put(bucket, new, |_| Ok(())).map(drop)
}

proptest! {
    #[test]
    fn the_store_is_a_map(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (objects, bucket) = store(Path::new("unused"));
        let mut model = BTreeMap::<String, Vec<u8>>::new();
        for step in steps {
            match step {
                Step::Put(key, body) => {
                    runtime.block_on(put(&objects, &bucket, &key, &body)).unwrap();
                    model.insert(key, body);
                }
                Step::Copy(from, to) => {
                    let copied = copy(&objects, &bucket, &from, &to).is_ok();
                    prop_assert_eq!(copied, model.contains_key(&from));
                    if let Some(body) = model.get(&from).cloned() {
                        model.insert(to, body);
                    }
                }
                Step::Delete(key) => {
                    let gone = objects.delete(&bucket, &key, origin(), |_| Ok::<_, Fault>(())).unwrap();
                    prop_assert_eq!(matches!(gone, Deletion::Removed(_)), model.remove(&key).is_some());
                }
                Step::List(prefix, delimiter, limit) => {
                    let entries = listed(&objects, &bucket, &prefix, &delimiter, limit);
                    prop_assert_eq!(entries, expected(&model, &prefix, &delimiter));
                }
            }
        }
        for (key, body) in &model {
            let object = objects.get(&bucket, key).unwrap();
            prop_assert_eq!(&object.content.body.inline().unwrap()[..], &body[..]);
        }
    }
}
