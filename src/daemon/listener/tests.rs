//! A listener on a real socket, with few places and paused time: what its clients hear when they are slow or many.

use super::*;
use std::pin::pin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// More than fits into the buffers of a connection.
const MUCH: usize = 64 << 20;

/// Answers `/` at once, `/long` when it is let, `/much` with a lot, and everything else with what the body was.
#[derive(Default)]
struct Parrot {
    came: Notify,
    let_go: Notify,
}

impl Service for Parrot {
    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async move {
            if request.uri().path() == "/long" {
                self.came.notify_one();
                self.let_go.notified().await;
            }
            if request.uri().path() == "/much" {
                return Response::new(Body::from(vec![0; MUCH]));
            }
            let Ok(body) = request.into_body().collect().await else {
                return refusal(StatusCode::INTERNAL_SERVER_ERROR, "the body broke off");
            };
            Response::new(Body::from(body.to_bytes()))
        })
    }

    fn admits_origin(&self, _: &Parts) -> bool {
        false
    }

    fn apology(&self, strain: Strain, parts: Option<&Parts>) -> Response<Body> {
        let status = match strain {
            Strain::Slow => StatusCode::REQUEST_TIMEOUT,
            Strain::Crowded => StatusCode::SERVICE_UNAVAILABLE,
        };
        refusal(status, parts.map_or("no head", |parts| parts.uri.path()))
    }
}

async fn open(places: usize) -> (Serving, Arc<Parrot>) {
    let parrot = Arc::new(Parrot::default());
    let wish = Wish { port: 0, exact: true };
    let listener = bind(std::net::Ipv4Addr::LOCALHOST.into(), wish).await.expect("a port");
    (serve_at_most(places, listener, parrot.clone()).expect("served"), parrot)
}

async fn connect(to: &Serving) -> TcpStream {
    TcpStream::connect(to.address).await.expect("a listener")
}

async fn send(client: &mut TcpStream, line: &str, rest: &str) {
    let request = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\n{rest}");
    client.write_all(request.as_bytes()).await.expect("written");
}

/// What comes until `end` has come, or the connection ends.
async fn heard(client: &mut TcpStream, end: &str) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(end.as_bytes()) || end.is_empty() {
        match client.read_u8().await {
            Ok(byte) => heard.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(heard).expect("text")
}

/// A client that has had an answer and keeps its connection.
async fn resting(to: &Serving) -> TcpStream {
    let mut client = connect(to).await;
    send(&mut client, "POST /", "Content-Length: 4\r\n\r\nrest").await;
    assert!(heard(&mut client, "rest").await.starts_with("HTTP/1.1 200"));
    client
}

#[tokio::test(start_paused = true)]
async fn who_does_not_finish_its_head_is_told_and_leaves_its_place() {
    let (serving, _) = open(1).await;
    let mut slow = connect(&serving).await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: 127").await.expect("written");
    let told = heard(&mut slow, "").await;
    assert!(told.starts_with("HTTP/1.1 408") && told.ends_with(r#"{"error":"no head"}"#), "{told}");
    resting(&serving).await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_finish_its_body_is_told_by_the_service() {
    let (serving, _) = open(1).await;
    let mut slow = connect(&serving).await;
    send(&mut slow, "PUT /thing", "Content-Length: 10\r\n\r\nhalf").await;
    let told = heard(&mut slow, "").await;
    assert!(told.starts_with("HTTP/1.1 408") && told.ends_with(r#"{"error":"/thing"}"#), "{told}");
    resting(&serving).await;
}

#[tokio::test(start_paused = true)]
async fn who_only_rests_is_closed_without_a_word() {
    let (serving, _) = open(1).await;
    let mut client = resting(&serving).await;
    assert_eq!(heard(&mut client, "").await, "", "nothing that could be taken for an answer");
}

#[tokio::test]
async fn a_newcomer_gets_the_place_of_who_rested_longest() {
    let (serving, _) = open(2).await;
    let mut first = resting(&serving).await;
    let mut second = resting(&serving).await;
    let _third = resting(&serving).await;
    assert_eq!(heard(&mut first, "").await, "", "closed");
    send(&mut second, "POST /", "Content-Length: 2\r\n\r\nup").await;
    assert!(heard(&mut second, "up").await.starts_with("HTTP/1.1 200"), "it was not its turn");
}

#[tokio::test]
async fn half_a_head_keeps_no_place_that_others_need() {
    let (serving, _) = open(1).await;
    let mut slow = connect(&serving).await;
    slow.write_all(b"GET / HT").await.expect("written");
    resting(&serving).await;
}

#[tokio::test]
async fn neither_does_half_a_preface_or_a_conversation_without_requests() {
    for preface in ["PRI * HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        let (serving, _) = open(1).await;
        let mut silent = connect(&serving).await;
        silent.write_all(preface.as_bytes()).await.expect("written");
        resting(&serving).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_its_answer_is_left() {
    let (serving, _) = open(1).await;
    let mut deaf = connect(&serving).await;
    send(&mut deaf, "GET /much", "\r\n").await;
    // Time passes where nobody has anything to do.
    let _ = tokio::time::timeout(Duration::from_mins(2), std::future::pending::<()>()).await;
    resting(&serving).await;
    let mut taken = Vec::new();
    let _ = deaf.read_to_end(&mut taken).await;
    assert!(taken.len() < MUCH, "it broke off");
}

#[tokio::test]
async fn where_all_are_at_work_a_newcomer_is_told_to_come_again() {
    let (serving, parrot) = open(1).await;
    let mut working = connect(&serving).await;
    send(&mut working, "POST /long", "Content-Length: 4\r\n\r\nlong").await;
    parrot.came.notified().await;
    let mut turned_away = connect(&serving).await;
    send(&mut turned_away, "POST /now", "Content-Length: 3\r\n\r\nnow").await;
    let told = heard(&mut turned_away, "").await;
    assert!(told.starts_with("HTTP/1.1 503") && told.ends_with(r#"{"error":"/now"}"#), "{told}");
    assert!(told.contains("retry-after: 1\r\n"), "{told}");
    let mut stranger = connect(&serving).await;
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").await.expect("written");
    assert!(heard(&mut stranger, "").await.starts_with("HTTP/1.1 421"), "the guard comes first");
    parrot.let_go.notify_one();
    assert!(heard(&mut working, "long").await.starts_with("HTTP/1.1 200"));
    resting(&serving).await;
}

#[tokio::test]
async fn where_even_the_corridor_is_full_connections_are_closed() {
    let (serving, parrot) = open(1).await;
    let mut working = connect(&serving).await;
    send(&mut working, "GET /long", "\r\n").await;
    parrot.came.notified().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(connect(&serving).await);
    }
    let ended = pin!(futures_util::future::join_all(silent.iter_mut().map(|one| heard(one, ""))));
    let ended = tokio::time::timeout(Duration::from_secs(5), ended).await.expect("nobody hangs");
    assert!(ended.iter().all(String::is_empty));
}
