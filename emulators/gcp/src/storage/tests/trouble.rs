//! Failures that a test asks for in the words of Google's testbench.

use super::*;

#[tokio::test]
async fn trouble_that_was_asked_for_comes_once() {
    let shop = Shop::open().await;
    let plan = r#"{"instructions":{"storage.objects.get":["return-503","return-broken-stream-final-chunk-after-2B"]}}"#;
    let made = shop.json("POST", "/retry_test", plan, 200).await;
    let id = made["id"].as_str().unwrap().to_owned();
    shop.json("POST", "/upload/storage/v1/b/pics/o?uploadType=media&name=x", "12345", 200).await;
    let ask = async || {
        let path = "/storage/v1/b/pics/o/x?alt=media";
        let answer = shop.ask("GET", path, &[("x-retry-test-id", &id)], "").await;
        (
            answer.status().as_u16(),
            answer.into_body().collect().await.map(http_body_util::Collected::to_bytes),
        )
    };
    assert_eq!(ask().await.0, 503);
    let shown = shop.json("GET", &format!("/retry_test/{id}"), "", 200).await;
    assert_eq!(shown["completed"], false);
    assert!(ask().await.1.is_err(), "it breaks off");
    assert_eq!(ask().await.1.unwrap(), "12345");
    let shown = shop.json("GET", &format!("/retry_test/{id}"), "", 200).await;
    assert_eq!(shown["completed"], true);
    shop.json("DELETE", &format!("/retry_test/{id}"), "", 200).await;
    shop.json("GET", &format!("/retry_test/{id}"), "", 404).await;
    shop.json("POST", "/retry_test", r#"{"instructions":{"storage.objects.get":["explode"]}}"#, 400).await;
    let spoilt = [("x-goog-emulator-instructions", "return-corrupted-data")];
    let answer = shop.ask("GET", "/storage/v1/b/pics/o/x?alt=media", &spoilt, "").await;
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes()[1..], b"2345"[..]);
}

/// Asks for one failure, and gives the header that meets with it.
async fn plan(shop: &Shop, operation: &str, instruction: &str) -> String {
    let plan = json!({ "instructions": { operation: [instruction] } }).to_string();
    let made = shop.json("POST", "/retry_test", &plan, 200).await;
    made["id"].as_str().unwrap().to_owned()
}

async fn begin(shop: &Shop) -> String {
    let begin = "/upload/storage/v1/b/pics/o?uploadType=resumable&name=long";
    let begun = shop.ask("POST", begin, &[], "").await;
    header(&begun, "location").strip_prefix("http://127.0.0.1:8085").unwrap().to_owned()
}

#[tokio::test]
async fn an_upload_fails_past_a_point_and_goes_on_from_there() {
    let shop = Shop::open().await;
    let id = plan(&shop, "storage.objects.insert", "return-503-after-1K").await;
    let path = begin(&shop).await;
    let put = async |range: &str, length: usize| {
        let headers =
            [("content-range", range), ("content-length", &*length.to_string()), ("x-retry-test-id", &id)];
        shop.ask("PUT", &path, &headers, "x".repeat(length)).await
    };
    assert_eq!(put("bytes 0-511/*", 512).await.status(), 308, "it has not come so far");
    let failed = put("bytes 512-1535/*", 1024).await;
    assert_eq!(failed.status(), 503);
    let asked = put("bytes */*", 0).await;
    assert_eq!((asked.status().as_u16(), header(&asked, "range")), (308, "bytes=0-1023"));
    let done = put("bytes 1024-1535/1536", 512).await;
    assert_eq!(done.status(), 200);
    assert_eq!(shop.json("GET", &format!("/retry_test/{id}"), "", 200).await["completed"], true);
    assert_eq!(text(shop.ask("GET", "/b/pics/o/long?alt=media", &[], "").await).await.len(), 1536);
}

#[tokio::test]
async fn the_last_chunk_of_an_upload_breaks_off() {
    let shop = Shop::open().await;
    let id = plan(&shop, "storage.objects.insert", "return-broken-stream-final-chunk-after-3B").await;
    let path = begin(&shop).await;
    let put = async |range: &str, body: &'static str| {
        let length = body.len().to_string();
        let headers = [("content-range", range), ("content-length", &*length), ("x-retry-test-id", &id)];
        shop.ask("PUT", &path, &headers, body).await
    };
    assert_eq!(put("bytes 0-3/*", "abcd").await.status(), 308);
    assert!(put("bytes 4-9/10", "efghij").await.into_body().collect().await.is_err());
    let asked = put("bytes */10", "").await;
    assert_eq!(header(&asked, "range"), "bytes=0-6");
    assert_eq!(put("bytes 7-9/10", "hij").await.status(), 200);
}

#[tokio::test]
async fn downloads_break_off_stall_and_go_on_from_where_they_were() {
    let shop = Shop::open().await;
    shop.json("POST", "/upload/storage/v1/b/pics/o?uploadType=media&name=x", &"y".repeat(4000), 200).await;
    let id = plan(&shop, "storage.objects.get", "return-broken-stream-after-2K").await;
    let get = async |headers: &[(&str, &str)]| {
        let answer = shop.ask("GET", "/b/pics/o/x?alt=media", headers, "").await;
        answer.into_body().collect().await.map(|body| body.to_bytes().len()).ok()
    };
    assert_eq!(get(&[("x-retry-test-id", &id)]).await, None);
    assert_eq!(get(&[("x-retry-test-id", &id)]).await, Some(4000));
    let header = |text| [("x-goog-emulator-instructions", text)];
    assert_eq!(get(&header("return-503-after-1K")).await, None);
    assert_eq!(get(&header("return-503-after-1K/retry-3")).await, Some(4000));
    assert_eq!(get(&header("stall-for-0s-after-1K")).await, Some(4000));
    assert_eq!(get(&[("x-goog-testbench-instructions", "return-503-after-1K")]).await, None, "its old name");
    assert_eq!(
        get(&[("x-goog-emulator-instructions", "return-503-after-1K"), ("range", "bytes=1024-")]).await,
        Some(2976)
    );
}

#[tokio::test]
async fn lists_that_make_no_sense_are_refused() {
    let shop = Shop::open().await;
    for wrong in [
        r#"{"instructions":{"storage.objects.explode":["return-503"]}}"#,
        r#"{"instructions":{"storage.objects.get":["return-503-if-dp-enforced"]}}"#,
        r#"{"instructions":{"storage.objects.get":["return-503"]},"transport":"PIGEON"}"#,
        r#"{"instructions":[]}"#,
        "",
    ] {
        shop.json("POST", "/retry_test", wrong, 400).await;
    }
    let grpc = r#"{"instructions":{"storage.buckets.list":["return-503"]},"transport":"GRPC"}"#;
    let made = shop.json("POST", "/retry_test", grpc, 200).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let answer = shop.ask("GET", "/b?project=p", &[("x-retry-test-id", &id)], "").await;
    assert_eq!(answer.status(), 200, "it concerns the other transport");
}
