//! What is told of blobs, and the subscriptions that are kept.

use super::event::{Event, Schema};
use super::*;
use crate::blob::tests::Fixture;
use mlemu_core::{Invoke, Refusal, Reply};
use mlemu_engine::sources::SourceParts;
use mlemu_engine::triggers::Invoker;
use mlemu_engine::{Journal, SystemClock};

#[derive(Clone)]
struct Deaf;

impl Invoker for Deaf {
    async fn invoke(&self, _: Invoke) -> Result<Reply, Refusal> {
        Ok(Reply::Accepted)
    }
}

fn hearers(blobs: &BlobStorage) -> Hearers {
    let queues = Queues::new(Arc::new(SystemClock::new()));
    let sink: Arc<dyn Sink> = Arc::new(Journal::new(10));
    let sources = Sources::new(SourceParts {
        queues: queues.clone(),
        invoker: Deaf,
        sink: sink.clone(),
        new_id: crate::functions::new_id,
        cap: 1,
    });
    let own = blobs.accounts.scope(blobs.accounts.own());
    Hearers::new(queues, blobs.clone(), sources, sink, own)
}

#[tokio::test]
async fn events_tell_what_the_blob_was_like_that_is_gone() {
    let fixture = Fixture::with_container().await;
    let mut changes = fixture.blobs.objects.changes();
    let headers = [("x-ms-blob-type", "AppendBlob"), ("x-ms-blob-content-type", "text/css")];
    assert_eq!(fixture.send("PUT /pics/a", &headers, b"").await.status, 201);
    assert_eq!(fixture.send("DELETE /pics/a", &[], b"").await.status, 202);
    for kind in [event::CREATED, event::DELETED] {
        let event = Event::of(&*changes.next().await, &fixture.blobs).unwrap().written(Schema::Grid);
        let event: Value = serde_json::from_str(&event).unwrap();
        let data = &event["data"];
        assert_eq!(
            (&event["eventType"], &data["contentType"], &data["blobType"]),
            (&kind.into(), &"text/css".into(), &"AppendBlob".into())
        );
    }
}

#[tokio::test]
async fn subscriptions_that_are_made_at_once_are_all_kept() {
    let fixture = Fixture::with_container().await;
    let parts = hearers(&fixture.blobs).parts;
    std::thread::scope(|scope| {
        for one in 0..4 {
            let parts = &parts;
            scope.spawn(move || {
                for other in 0..50 {
                    parts.keep(|all| drop(all.insert(format!("{one}-{other}"), Value::Null))).unwrap();
                }
            });
        }
    });
    assert_eq!(parts.kept().len(), 200);
}
