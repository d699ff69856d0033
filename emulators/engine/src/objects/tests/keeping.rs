//! What a store brings back of objects, and what becomes of their files.

use super::*;
use crate::store::reopened::Reopened;

struct Bench {
    kept: Reopened,
    objects: Objects,
    bucket: BucketId,
}

impl Bench {
    fn new() -> Self {
        let kept = Reopened::new();
        let objects = Objects::kept_on(&kept.shelf(), clock(), crate::Ids::default()).unwrap();
        let bucket = super::shelf(&objects);
        Self { kept, objects, bucket }
    }

    fn reopen(&mut self) {
        self.kept.reopen();
        self.objects = Objects::kept_on(&self.kept.shelf(), clock(), crate::Ids::default()).unwrap();
    }

    fn files(&self) -> usize {
        super::files(&self.kept.folder().join("bodies/one"))
    }
}

#[tokio::test]
async fn everything_said_of_an_object_comes_back() {
    let mut bench = Bench::new();
    let body = vec![9; 1_500_000];
    let content = receive(&bench.objects, &body).await;
    let attributes = Attributes {
        headers: BTreeMap::from([("content-type", "text/plain".to_owned())]),
        metadata: BTreeMap::from([("who".to_owned(), "me".to_owned())]),
        tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        documents: BTreeMap::from([("lock".into(), "<x/>".into())]),
    };
    let (key, how) = ("käse\u{0}".into(), Created::Put);
    let new = NewObject { key, content, attributes, how, origin: origin() };
    let put = bench.objects.put(&bench.bucket, new, |_| Ok::<_, Fault>(())).unwrap();
    bench.objects.set_document(&bench.bucket, "cors", Some("<c/>".into())).unwrap();
    bench.reopen();
    let held = bench.objects.get(&bench.bucket, "käse\u{0}").unwrap();
    assert_eq!(held.content.body.bytes().await.unwrap(), body);
    assert_eq!(held.attributes, put.attributes);
    assert_eq!((held.sequence, held.created, held.version), (put.sequence, put.created, put.version));
    assert_eq!((&held.content.etag, held.content.md5), (&put.content.etag, put.content.md5));
    assert_eq!(held.content.checksums, put.content.checksums);
    let view = bench.objects.bucket(&bench.bucket).unwrap();
    assert_eq!(view.document("cors").map(|text| &**text), Some("<c/>"));
}

#[tokio::test]
async fn an_upload_goes_on_where_it_was() {
    let mut bench = Bench::new();
    let id = bench.objects.begin_upload(&bench.bucket, "k", Attributes::default(), None).unwrap();
    let large = vec![1; 2_000_000];
    for (number, body) in [(1_u16, &large[..]), (2, b"two")] {
        let content = receive(&bench.objects, body).await;
        bench.objects.put_part(&bench.bucket, "k", &id, number.into(), content).unwrap();
    }
    bench.reopen();
    let view = bench.objects.upload(&bench.bucket, "k", &id).unwrap();
    let joined = Joined { parts: &view.parts, etag: "e-2".into(), checksums: vec![], origin: origin() };
    bench.objects.complete_upload(&bench.bucket, &view, joined, |_| Ok::<_, Fault>(())).unwrap();
    drop(view);
    bench.reopen();
    let held = bench.objects.get(&bench.bucket, "k").unwrap();
    assert_eq!(held.content.size(), 2_000_003);
    assert!(bench.objects.uploads(&bench.bucket).unwrap().is_empty());
    assert_eq!(bench.files(), 1);
}

#[tokio::test]
async fn files_that_nothing_points_at_go_and_others_stay() {
    let mut bench = Bench::new();
    let large = vec![7; 2_000_000];
    put(&bench.objects, &bench.bucket, "stays", &large).await.unwrap();
    let copy = bench.objects.get(&bench.bucket, "stays").unwrap().content.clone();
    let new = NewObject {
        key: "copy".into(),
        content: copy,
        attributes: Attributes::default(),
        how: Created::Copy,
        origin: origin(),
    };
    bench.objects.put(&bench.bucket, new, |_| Ok::<_, Fault>(())).unwrap();
    put(&bench.objects, &bench.bucket, "goes", &large).await.unwrap();
    bench.objects.delete(&bench.bucket, "stays", origin(), |_| Ok::<_, Fault>(())).unwrap();
    bench.objects.delete(&bench.bucket, "goes", origin(), |_| Ok::<_, Fault>(())).unwrap();
    let orphan = bench.kept.folder().join("bodies/one/0123.part");
    std::fs::write(&orphan, "half").unwrap();
    // One is still pointed at when the daemon ends; that is no reason to remove it.
    bench.reopen();
    let held = bench.objects.get(&bench.bucket, "copy").unwrap();
    assert_eq!(held.content.body.bytes().await.unwrap(), large);
    bench.kept.store().written().await.unwrap();
    bench.reopen();
    assert_eq!(bench.files(), 1);
    assert!(!orphan.exists());
}

#[tokio::test]
async fn a_reset_is_kept_too() {
    let mut bench = Bench::new();
    put(&bench.objects, &bench.bucket, "before", b"x").await.unwrap();
    let snapshot = bench.objects.snapshot();
    put(&bench.objects, &bench.bucket, "after", b"x").await.unwrap();
    bench.objects.restore(&snapshot);
    bench.reopen();
    assert!(bench.objects.get(&bench.bucket, "before").is_ok());
    assert!(bench.objects.get(&bench.bucket, "after").is_err());
}

#[tokio::test]
async fn a_change_that_nobody_has_acted_on_is_told_after_the_end_of_the_daemon() {
    use futures_util::FutureExt;
    let key = |occurrence: Arc<mlemu_core::Occurrence>| {
        let Fact::Object(fact) = &occurrence.fact;
        fact.key.to_string()
    };
    let mut bench = Bench::new();
    put(&bench.objects, &bench.bucket, "unread", b"").await.unwrap();
    let mut reader = bench.objects.changes();
    for name in ["a", "b", "c"] {
        put(&bench.objects, &bench.bucket, name, b"x").await.unwrap();
    }
    let acted_on = reader.next().await.sequence;
    // Whoever asks has acted on what came before.
    assert_eq!(key(reader.next().await), "b");
    bench.reopen();
    assert_eq!(bench.objects.since(), acted_on);
    let mut reader = bench.objects.changes();
    assert!(reader.next().now_or_never().is_none(), "nobody is there yet");
    put(&bench.objects, &bench.bucket, "d", b"x").await.unwrap();
    bench.objects.go_on();
    for name in ["b", "c", "d"] {
        assert_eq!(key(reader.next().await), name);
    }
    assert!(reader.next().now_or_never().is_none());
    bench.reopen();
    assert_eq!(bench.objects.since(), bench.objects.sequence());
    assert!(bench.objects.changes().next().now_or_never().is_none());
}
