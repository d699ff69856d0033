//! Versions of dialects in which nothing that was hidden comes back by itself.

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
        let bucket = shelf(&objects);
        objects.set_versioning(&bucket, Versioning::Enabled).unwrap();
        Self { kept, objects, bucket }
    }

    /// The same store after its daemon ended and another began.
    fn reopened(mut self) -> Self {
        self.kept.reopen();
        self.objects = Objects::kept_on(&self.kept.shelf(), clock(), crate::Ids::default()).unwrap();
        self
    }

    async fn put(&self, body: &[u8]) -> Arc<Object> {
        put(&self.objects, &self.bucket, "k", body).await.unwrap()
    }

    async fn supplant(&self, body: &[u8]) -> Arc<Object> {
        let content = receive(&self.objects, body).await;
        let (key, attributes, how) = ("k".into(), Attributes::default(), Created::Put);
        let new = NewObject { key, content, attributes, how, origin: origin() };
        self.objects.supplant(&self.bucket, new, |_| Ok::<_, Fault>(())).unwrap()
    }

    fn expunge(&self, object: &Object) -> Deletion {
        let done = self.objects.expunge(&self.bucket, "k", object.version, origin(), |_| Ok::<_, Fault>(()));
        done.unwrap()
    }

    /// The bodies of the versions, newest first; what is hidden by a marker comes behind an empty one.
    async fn bodies(&self) -> Vec<String> {
        let mut bodies = Vec::new();
        for version in self.objects.history(&self.bucket, "k").unwrap() {
            let bytes = match version.object() {
                Some(object) => object.content.body.bytes().await.unwrap(),
                None => Bytes::new(),
            };
            bodies.push(String::from_utf8(bytes.into()).unwrap());
        }
        bodies
    }
}

#[tokio::test]
async fn what_was_current_is_followed_by_nothing() {
    let bench = Bench::new();
    let (first, second) = (bench.put(b"1").await, bench.put(b"2").await);
    assert!(matches!(bench.expunge(&second), Deletion::Removed(_)));
    assert!(matches!(bench.expunge(&second), Deletion::Nothing));
    assert_eq!(bench.bodies().await, ["", "1"]);
    assert!(bench.objects.get(&bench.bucket, "k").is_err());
    let bench = bench.reopened();
    assert_eq!(bench.bodies().await, ["", "1"]);
    bench.expunge(&first);
    assert!(bench.bodies().await.is_empty(), "no marker stays without something to hide");
    bench.objects.delete_bucket(&bench.bucket).unwrap();
}

#[tokio::test]
async fn what_is_supplanted_is_gone_and_older_ones_stay() {
    let bench = Bench::new();
    bench.put(b"1").await;
    bench.put(b"2").await;
    bench.objects.set_versioning(&bench.bucket, Versioning::Suspended).unwrap();
    let mut changes = bench.objects.changes();
    bench.supplant(b"3").await;
    let last = bench.supplant(b"4").await;
    assert_eq!(bench.bodies().await, ["4", "1"]);
    let told = changes.next().await;
    let Fact::Object(fact) = &told.fact;
    assert_eq!((fact.change, fact.version), (ObjectChange::Created(Created::Put), None));
    assert!(fact.previous.is_some());
    assert!(last.version.number().is_some());
    let bench = bench.reopened();
    assert_eq!(bench.bodies().await, ["4", "1"]);
    bench.expunge(&last);
    assert_eq!(bench.bodies().await, ["", "1"]);
}

#[tokio::test]
async fn a_refusal_leaves_everything_as_it_was() {
    let bench = Bench::new();
    let only = bench.put(b"1").await;
    let refused =
        bench.objects.expunge(&bench.bucket, "k", only.version, origin(), |_| Err::<(), _>(Fault::Stale));
    assert_eq!(refused.unwrap_err(), Fault::Stale);
    assert_eq!(bench.bodies().await, ["1"]);
}
