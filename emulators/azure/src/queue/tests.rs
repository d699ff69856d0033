//! Queue Storage on the wire: requests in, answers out.

use super::QueueStorage;
use crate::place::Place;
use crate::storage::account::Accounts;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use mlemu_core::Clock as _;
use mlemu_engine::SteeredClock;
use mlemu_engine::clock::Course;
use mlemu_engine::objects::Objects;
use mlemu_engine::queues::Queues;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const ROOT: &str = "http://127.0.0.1:10001/devstoreaccount1/jobs";

struct Fixture {
    service: QueueStorage,
    clock: Arc<SteeredClock>,
    _folder: TempDir,
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn code(&self) -> (u16, &str) {
        (self.status, self.header("x-ms-error-code"))
    }

    /// What is in the elements of that name.
    fn all(&self, name: &str) -> Vec<&str> {
        let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
        self.text.split(&begin).skip(1).filter_map(|rest| Some(rest.split_once(&end)?.0)).collect()
    }

    /// The path of its first message, with its receipt.
    fn message(&self) -> (String, String) {
        let receipt = self.all("PopReceipt")[0].replace('=', "%3D").replace('+', "%2B");
        (format!("/messages/{}", self.all("MessageId")[0]), format!("popreceipt={receipt}"))
    }
}

impl Fixture {
    async fn with_queue() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SteeredClock::new());
        let accounts = Accounts::new(Place::new("subscription", "local", ""), "");
        let service = QueueStorage {
            queues: Queues::new(clock.clone()),
            objects: Objects::new(folder.path().into(), clock.clone()),
            connection: accounts.connection(None, None).into(),
            accounts,
            strict: false,
        };
        let fixture = Self { service, clock, _folder: folder };
        assert_eq!(fixture.send("PUT ", "").await.status, 201);
        fixture
    }

    /// `line`: method and what comes after the queue.
    async fn send(&self, line: &str, body: &str) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder()
            .method(method)
            .uri(format!("{ROOT}{path}"))
            .header("host", "127.0.0.1:10001")
            .body(Body::from(body.to_owned()));
        let (parts, body) = self.service.answer(request.unwrap()).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    async fn put(&self, text: &str, query: &str) -> Answer {
        let body = format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
        let put = self.send(&format!("POST /messages?{query}"), &body).await;
        assert_eq!(put.status, 201, "{}", put.text);
        put
    }

    async fn advance(&self, by: Duration) {
        let later = self.clock.now().plus(by);
        self.clock.set(Course::Steered { at: later, rate: 0.0 }).await;
    }
}

#[tokio::test]
async fn messages_live_for_as_long_as_their_senders_say() {
    let fixture = Fixture::with_queue().await;
    let day = Duration::from_hours(24);
    fixture.put("short", "messagettl=60").await;
    fixture.put("usual", "").await;
    fixture.put("long", "messagettl=2592000").await;
    let forever = fixture.put("forever", "messagettl=-1").await;
    assert_eq!(forever.all("ExpirationTime"), ["Fri, 31 Dec 9999 23:59:59 GMT"]);
    for (by, left) in [
        (Duration::ZERO, &["short", "usual", "long", "forever"][..]),
        (Duration::from_secs(60), &["usual", "long", "forever"]),
        (day * 7, &["long", "forever"]),
        (day * 30, &["forever"]),
        (day * 3650, &["forever"]),
    ] {
        fixture.advance(by).await;
        let peeked = fixture.send("GET /messages?peekonly=true&numofmessages=32", "").await;
        assert_eq!(peeked.all("MessageText"), left);
        let counted = fixture.send("GET ?comp=metadata", "").await;
        assert_eq!(counted.header("x-ms-approximate-messages-count"), left.len().to_string());
        let got = fixture.send("GET /messages?numofmessages=1&visibilitytimeout=1", "").await;
        assert_eq!(got.all("MessageText").len(), 1, "{}", got.text);
        fixture.advance(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn a_receipt_is_only_good_for_its_own_message() {
    let fixture = Fixture::with_queue().await;
    let ((one, own), (_, another)) =
        (fixture.put("one", "").await.message(), fixture.put("two", "").await.message());
    let body = "<QueueMessage><MessageText>x</MessageText></QueueMessage>";
    for (method, more, done) in [("PUT", "&visibilitytimeout=0", 204), ("DELETE", "", 204)] {
        let code = async |path: &str, receipt: &str| {
            let answer = fixture.send(&format!("{method} {path}?{receipt}{more}"), body).await;
            (answer.status, answer.header("x-ms-error-code").to_owned())
        };
        assert_eq!(code(&one, &another).await, (400, "PopReceiptMismatch".into()), "{method}");
        assert_eq!(code("/messages/none", &own).await, (404, "MessageNotFound".into()), "{method}");
        let fresh = fixture.send("GET /messages?numofmessages=32&visibilitytimeout=600", "").await;
        let at = fresh.all("MessageId").iter().position(|id| one.ends_with(id));
        let receipt = at.map(|at| format!("popreceipt={}", fresh.all("PopReceipt")[at].replace('=', "%3D")));
        assert_eq!(code(&one, &receipt.unwrap()).await.0, done, "{method}");
    }
    assert_eq!(fixture.send(&format!("DELETE {one}?{own}"), "").await.code(), (404, "MessageNotFound"));
}

#[tokio::test]
async fn peeking_shows_what_comes_next() {
    let fixture = Fixture::with_queue().await;
    for text in ["a", "b", "c"] {
        fixture.put(text, "").await;
    }
    fixture.put("later", "visibilitytimeout=60").await;
    assert_eq!(fixture.send("GET /messages", "").await.all("MessageText"), ["a"]);
    let peek = async |most: u8| {
        let line = format!("GET /messages?peekonly=true&numofmessages={most}");
        fixture.send(&line, "").await.all("MessageText").join(" ")
    };
    assert_eq!((peek(1).await, peek(9).await), ("b".into(), "b c".into()));
}
