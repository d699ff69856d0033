//! Uploads that cannot be kept, and bodies that are not what they say.

use super::*;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// A body of many chunks, how many were taken of it, and who is told of the last.
fn counted(chunks: usize) -> (Body, Arc<AtomicUsize>, Arc<Notify>) {
    let (taken, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (count, last) = (taken.clone(), over.clone());
    let body = stream::iter(0..chunks).map(move |at| {
        count.fetch_add(1, Ordering::SeqCst);
        if at + 1 == chunks {
            last.notify_one();
        }
        Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 512 * 1024]))
    });
    (Body::from_stream(body), taken, over)
}

#[tokio::test]
async fn an_upload_that_the_disk_does_not_take_is_heard_out_and_answered() {
    let shop = Shop::open().await;
    std::fs::write(shop.folder.path().join("objects"), "no folder").unwrap();
    for path in [
        "/upload/storage/v1/b/pics/o?uploadType=media&name=x",
        "/upload/storage/v1/b/pics/o?uploadType=multipart",
    ] {
        let (body, taken, over) = counted(64);
        let kind = [("content-type", "multipart/related; boundary=x")];
        let begin = "--x\n\n{\"name\":\"x\"}\n--x\n\n";
        let head = stream::iter([Ok::<_, axum::Error>(Bytes::from(begin))]);
        let whole = head.chain(body.into_data_stream());
        let answer = shop.ask("POST", path, &kind, Body::from_stream(whole)).await;
        assert_eq!(answer.status(), 503, "{path}");
        let said: Value = serde_json::from_str(&text(answer).await).unwrap();
        assert_eq!(said["error"]["errors"][0]["reason"], "backendError");
        over.notified().await;
        assert_eq!(taken.load(Ordering::SeqCst), 64, "{path}");
    }
}

#[tokio::test]
async fn what_breaks_off_is_not_kept() {
    let shop = Shop::open().await;
    let broken = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    for (path, begin) in [
        ("/upload/storage/v1/b/pics/o?uploadType=media&name=x", "half of it"),
        ("/upload/storage/v1/b/pics/o?uploadType=multipart", "--x\n\n{\"name\":\"x\"}\n--x\n\nhalf of it"),
    ] {
        let kind = [("content-type", "multipart/related; boundary=x")];
        let body = stream::iter([Ok(Bytes::from(begin)), Err(broken())]);
        let answer = shop.ask("POST", path, &kind, Body::from_stream(body)).await;
        assert_eq!(answer.status(), 400, "{path}");
        shop.json("GET", "/b/pics/o/x", "", 404).await;
    }
}

#[tokio::test]
async fn metadata_that_is_no_metadata_is_refused() {
    let shop = Shop::open().await;
    let upload = "/upload/storage/v1/b/pics/o?uploadType=multipart";
    let kind = [("content-type", "multipart/related; boundary=x")];
    let huge = format!(r#"{{"name":"x","metadata":{{"a":"{}"}}}}"#, "y".repeat(3 << 20));
    let deep = format!(r#"{{"name":{}1{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    for document in [
        "[]",
        "nothing",
        r#"{"name":""}"#,
        r#"{"name":"x","metadata":7}"#,
        r#"{"name":"x","acl":7}"#,
        &huge,
        &deep,
    ] {
        let body = format!("--x\n\n{document}\n--x\n\nhi\n--x--");
        let answer = shop.ask("POST", upload, &kind, body).await;
        assert_eq!(answer.status(), 400, "{document:.100}");
        let said: Value = serde_json::from_str(&text(answer).await).unwrap();
        assert_eq!(said["error"]["code"], 400);
    }
    for query in ["versions=true&pageToken=/", "matchGlob=%5Ba", "maxResults=-1", "matchGlob=%7B"] {
        shop.json("GET", &format!("/b/pics/o?{query}"), "", 400).await;
    }
}
