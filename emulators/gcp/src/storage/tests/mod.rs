//! The service as a client sees it: requests in, answers out.

mod access;
mod batch;
mod buckets;
mod generations;
mod hostile;
mod trouble;
mod xml;

use super::{Parts, Storage, Subscription};
use crate::place::Place;
use crate::pubsub::PubSub;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use http_body_util::BodyExt;
use mlemu_core::{Clock, FunctionId, Invoke, Refusal, Reply};
use mlemu_engine::objects::Objects;
use mlemu_engine::triggers::{Invoker, TriggerParts, Triggers};
use mlemu_engine::{Journal, SystemClock};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Invoke>>>);

impl Invoker for Heard {
    async fn invoke(&self, invoke: Invoke) -> Result<Reply, Refusal> {
        self.0.lock().unwrap().push(invoke);
        Ok(Reply::Accepted)
    }
}

struct Shop {
    storage: Storage,
    triggers: Triggers,
    heard: Heard,
    folder: TempDir,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let sink = Arc::new(Journal::new(100));
        let objects = Objects::new(folder.path().join("objects"), clock.clone());
        let triggers = Triggers::new(objects.clone());
        let heard = Heard::default();
        tokio::spawn(triggers.run(TriggerParts {
            invoker: heard.clone(),
            clock: clock.clone(),
            sink: sink.clone(),
            new_id: crate::functions::new_id,
        }));
        let place = Place::new("demo-p", "us-central1");
        let queues = mlemu_engine::queues::Queues::new(clock.clone());
        let (place_, sink_) = (place.clone(), sink.clone());
        let pubsub = PubSub::new(crate::pubsub::Parts {
            queues,
            sink: sink_,
            place: place_,
            shelf: mlemu_engine::Shelf::default(),
        });
        let storage = Storage::new(Parts {
            objects,
            triggers: triggers.clone(),
            clock,
            sink,
            place,
            pubsub,
            shelf: mlemu_engine::Shelf::default(),
            service_account: None,
            strict: false,
        });
        let shop = Self { storage, triggers, heard, folder };
        shop.json("POST", "/storage/v1/b?project=demo-p", r#"{"name":"pics","location":"EU"}"#, 200).await;
        shop
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8085");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.storage.handle(request.body(body.into()).unwrap()).await
    }

    #[track_caller]
    fn json(&self, method: &str, path: &str, body: &str, status: u16) -> impl Future<Output = Value> {
        let body = body.to_owned();
        async move {
            let response = self.ask(method, path, &[], body).await;
            let found = response.status().as_u16();
            let text = text(response).await;
            assert_eq!(found, status, "{method} {path}: {text}");
            serde_json::from_str(&text).unwrap_or(Value::Null)
        }
    }

    async fn put(&self, name: &str, body: &str) -> Value {
        self.json("POST", &format!("/upload/storage/v1/b/pics/o?uploadType=media&name={name}"), body, 200)
            .await
    }

    async fn resume(&self, path: &str, range: &str, body: &'static str) -> Response {
        self.ask("PUT", path, &[("content-range", range)], body).await
    }

    /// The events that functions got, once all commits have reached them.
    async fn events(&self) -> Vec<Value> {
        self.triggers.settled().await;
        let heard = self.heard.0.lock().unwrap();
        heard.iter().map(|invoke| serde_json::from_slice(&invoke.payload).unwrap()).collect()
    }

    fn wait_for(&self, events: &[&str], background: bool) {
        let function = FunctionId::new(self.storage.place.scope.clone(), "f");
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        let (prefix, suffix, pattern) = (Some("in/".into()), None, None);
        let wanted = Subscription { id: "f-0".into(), function, events, prefix, suffix, pattern, background };
        self.storage.subscribe("pics", wanted).unwrap();
    }
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn an_object_goes_in_and_out() {
    let shop = Shop::open().await;
    let made = shop.put("a%2Fb.txt", "hello").await;
    assert_eq!(
        (&made["name"], &made["size"], &made["bucket"]),
        (&json!("a/b.txt"), &json!("5"), &json!("pics"))
    );
    assert_eq!(made["md5Hash"], "XUFAKrxLKna5cZ2REBfFkg==");
    assert_eq!(made["crc32c"], "mnG7TA==");
    let got = shop
        .ask("GET", "/download/storage/v1/b/pics/o/a%2Fb.txt?alt=media", &[("range", "bytes=1-2")], "")
        .await;
    assert_eq!((got.status().as_u16(), header(&got, "content-range")), (206, "bytes 1-2/5"));
    assert_eq!(header(&got, "x-goog-generation"), made["generation"].as_str().unwrap());
    assert_eq!(header(&got, "x-goog-hash"), "crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg==");
    assert_eq!(text(got).await, "el");
    shop.json("DELETE", "/b/pics/o/a%2Fb.txt", "", 204).await;
    let gone = shop.ask("GET", "/b/pics/o/a%2Fb.txt?alt=media", &[], "").await;
    assert_eq!((gone.status().as_u16(), text(gone).await.as_str()), (404, "No such object: pics/a/b.txt"));
}

#[tokio::test]
async fn generations_guard_writes_and_reads() {
    let shop = Shop::open().await;
    let first = shop.put("x", "1").await;
    let generation = first["generation"].as_str().unwrap();
    let upload = |condition: &str| format!("/upload/storage/v1/b/pics/o?uploadType=media&name=x&{condition}");
    let refused = shop.json("POST", &upload("ifGenerationMatch=0"), "2", 412).await;
    assert_eq!(refused["error"]["errors"][0]["reason"], "conditionNotMet");
    shop.json("GET", &format!("/b/pics/o/x?ifGenerationNotMatch={generation}"), "", 304).await;
    let second = shop.json("POST", &upload(&format!("ifGenerationMatch={generation}")), "2", 200).await;
    assert!(second["generation"].as_str().unwrap() > generation);
    shop.json("GET", &format!("/b/pics/o/x?generation={generation}"), "", 404).await;
    let patched =
        shop.json("PATCH", "/b/pics/o/x", r#"{"metadata":{"a":"1","b":"2"},"contentType":"a/b"}"#, 200).await;
    assert_eq!((&patched["metageneration"], &patched["contentType"]), (&json!("2"), &json!("a/b")));
    let patched =
        shop.json("PATCH", "/b/pics/o/x?ifMetagenerationMatch=2", r#"{"metadata":{"a":null}}"#, 200).await;
    assert_eq!((&patched["metadata"], &patched["metageneration"]), (&json!({"b": "2"}), &json!("3")));
    shop.json("DELETE", "/b/pics/o/x?ifMetagenerationMatch=2", "", 412).await;
    shop.json("GET", "/b/pics/o/x?ifGenerationMatch=many", "", 400).await;
}

#[tokio::test]
async fn a_resumable_upload_comes_in_pieces_and_can_be_asked_about() {
    let shop = Shop::open().await;
    let begin = "/upload/storage/v1/b/pics/o?uploadType=resumable";
    let begun =
        shop.ask("POST", begin, &[("x-upload-content-type", "text/plain")], r#"{"name":"long"}"#).await;
    let location = header(&begun, "location").to_owned();
    let path = location.strip_prefix("http://127.0.0.1:8085").expect("found where the client found us");
    let put = |range: &'static str, body: &'static str| shop.resume(path, range, body);
    let asked = put("bytes */*", "").await;
    assert_eq!((asked.status().as_u16(), header(&asked, "range")), (308, ""));
    let first = put("bytes 0-2/*", "abc").await;
    assert_eq!((first.status().as_u16(), header(&first, "range")), (308, "bytes=0-2"));
    let gap = put("bytes 7-8/9", "xx").await;
    assert_eq!(gap.status(), 400);
    let lies = put("bytes 3-8/9", "x").await;
    assert_eq!(lies.status(), 400);
    // The answer to the first piece was lost: some of it comes again.
    let last = put("bytes 2-5/6", "cdef").await;
    assert_eq!(last.status(), 200);
    let made: Value = serde_json::from_str(&text(last).await).unwrap();
    assert_eq!((&made["size"], &made["contentType"]), (&json!("6"), &json!("text/plain")));
    assert!(made["md5Hash"].is_string(), "{made}");
    assert_eq!(text(shop.ask("GET", "/b/pics/o/long?alt=media", &[], "").await).await, "abcdef");
    assert_eq!(put("bytes 0-0/1", "a").await.status(), 404);
}

#[tokio::test]
async fn promised_checksums_are_kept() {
    let shop = Shop::open().await;
    let path = "/upload/storage/v1/b/pics/o?uploadType=multipart";
    let kind = [("content-type", "multipart/related; boundary=x")];
    let body = |sum: &str| {
        format!(
            "--x\nContent-Type: application/json\n\n{{\"name\":\"s\",\"crc32c\":\"{sum}\"}}\n--x\nContent-Type: text/plain\n\nhello\n--x--\n"
        )
    };
    let bad = shop.ask("POST", path, &kind, body("AAAAAA==")).await;
    assert_eq!(bad.status(), 400);
    assert!(text(bad).await.contains("doesn't match calculated CRC32C"));
    assert_eq!(shop.ask("POST", path, &kind, body("mnG7TA==")).await.status(), 200);
    assert_eq!(shop.ask("POST", path, &kind, "--x\nrubbish").await.status(), 400);
}

#[tokio::test]
async fn copies_and_compositions_share_bytes() {
    let shop = Shop::open().await;
    shop.put("a", "hello ").await;
    shop.put("b", "world").await;
    let composed = shop
        .json("POST", "/b/pics/o/c/compose", r#"{"sourceObjects":[{"name":"a"},{"name":"b"}]}"#, 200)
        .await;
    assert_eq!((&composed["componentCount"], composed.get("md5Hash")), (&json!(2), None));
    let whole = shop.put("d", "hello world").await;
    assert_eq!(composed["crc32c"], whole["crc32c"]);
    let done = shop.json("POST", "/b/pics/o/c/rewriteTo/b/pics/o/e", "", 200).await;
    assert_eq!((&done["done"], &done["resource"]["name"]), (&json!(true), &json!("e")));
    assert_eq!(text(shop.ask("GET", "/b/pics/o/e?alt=media", &[], "").await).await, "hello world");
    shop.json("POST", "/b/pics/o/f/compose", r#"{"sourceObjects":[{"name":"nope"}]}"#, 404).await;
}

#[tokio::test]
async fn a_listing_has_prefixes_and_pages() {
    let shop = Shop::open().await;
    for name in ["a", "d%2Fx", "d%2Fy", "e"] {
        shop.put(name, "1").await;
    }
    let first = shop.json("GET", "/storage/v1/b/pics/o?delimiter=/&maxResults=2", "", 200).await;
    assert_eq!((&first["items"][0]["name"], &first["prefixes"]), (&json!("a"), &json!(["d/"])));
    let next = first["nextPageToken"].as_str().unwrap();
    let rest = shop.json("GET", &format!("/b/pics/o?delimiter=/&pageToken={next}"), "", 200).await;
    assert_eq!((&rest["items"][0]["name"], rest["items"].as_array().unwrap().len()), (&json!("e"), 1));
    shop.json("GET", "/b/pics/o?pageToken=%00", "", 400).await;
    shop.json("GET", "/b/nowhere/o", "", 404).await;
}

#[tokio::test]
async fn commits_become_events_of_either_generation() {
    let shop = Shop::open().await;
    shop.wait_for(&["google.cloud.storage.object.v1.finalized"], false);
    shop.wait_for(&["google.storage.object.delete"], true);
    let made = shop.put("in%2Fred%20flower.jpg", "12345").await;
    shop.put("elsewhere", "1").await;
    shop.json("DELETE", "/b/pics/o/in%2Fred%20flower.jpg", "", 204).await;
    let events = shop.events().await;
    assert_eq!(events.len(), 2, "{events:?}");
    let (stored, deleted) = (&events[0], &events[1]);
    assert_eq!(stored["type"], "google.cloud.storage.object.v1.finalized");
    assert_eq!(stored["source"], "//storage.googleapis.com/projects/_/buckets/pics");
    assert_eq!(
        (&stored["subject"], &stored["bucket"]),
        (&json!("objects/in/red flower.jpg"), &json!("pics"))
    );
    assert_eq!(deleted["context"]["eventType"], "google.storage.object.delete");
    assert_eq!(deleted["context"]["resource"]["name"], "projects/_/buckets/pics/objects/in/red flower.jpg");
    assert_eq!(deleted["data"]["generation"], made["generation"], "the generation that is gone");
}

#[tokio::test]
async fn buckets_are_made_described_and_removed() {
    let shop = Shop::open().await;
    let shown = shop.json("GET", "/b/pics", "", 200).await;
    assert_eq!((&shown["location"], &shown["metageneration"]), (&json!("EU"), &json!("1")));
    shop.json("POST", "/b?project=demo-p", r#"{"name":"pics"}"#, 409).await;
    shop.json("POST", "/b?project=demo-p", r#"{"name":"No"}"#, 400).await;
    shop.json("POST", "/b?project=demo-p", "not json", 400).await;
    let shown = shop.json("PATCH", "/b/pics", r#"{"labels":{"a":"b"},"name":"other"}"#, 200).await;
    assert_eq!(
        (&shown["labels"], &shown["name"], &shown["metageneration"]),
        (&json!({"a": "b"}), &json!("pics"), &json!("2"))
    );
    shop.put("x", "1").await;
    shop.json("DELETE", "/b/pics", "", 409).await;
    shop.json("DELETE", "/b/pics/o/x", "", 204).await;
    shop.json("DELETE", "/b/pics", "", 204).await;
    shop.json("GET", "/b/pics", "", 404).await;
}
