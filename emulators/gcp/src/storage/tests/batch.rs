//! Batches, and what is hostile about them.

use super::*;

async fn batch(shop: &Shop, body: &str) -> (u16, String) {
    let kind = [("content-type", "multipart/mixed; boundary=\"===x\"")];
    let answer = shop.ask("POST", "/batch/storage/v1", &kind, body.to_owned()).await;
    (answer.status().as_u16(), text(answer).await)
}

fn part(id: &str, call: &str) -> String {
    format!("--===x\nContent-Type: application/http\nMIME-Version: 1.0\nContent-ID: <{id}>\n\n{call}\n")
}

#[tokio::test]
async fn calls_are_answered_in_their_order() {
    let shop = Shop::open().await;
    shop.put("x", "1").await;
    let patch = "PATCH /storage/v1/b/pics/o/x HTTP/1.1\nContent-Type: application/json\n\n{\"metadata\":{\"a\":\"b\"}}";
    let get = "GET http://127.0.0.1:8085/storage/v1/b/pics/o/nothing HTTP/1.1\r\n\r\n";
    let delete = "DELETE /storage/v1/b/pics/o/x HTTP/1.1\nMIME-Version: 1.0\n\n";
    let body = format!("{}{}{}--===x--\n", part("one", patch), part("two", get), part("three", delete));
    let (status, answers) = batch(&shop, &body).await;
    assert_eq!(status, 200, "{answers}");
    let found: Vec<&str> = answers.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).collect();
    assert_eq!(found, ["200 OK", "404 Not Found", "204 No Content"], "{answers}");
    assert!(answers.contains("Content-ID: <response-two>"), "{answers}");
    assert!(answers.contains("\"metadata\":{\"a\":\"b\"}"), "{answers}");
    shop.json("GET", "/b/pics/o/x", "", 404).await;
}

#[tokio::test]
async fn hostile_batches_are_refused() {
    let shop = Shop::open().await;
    let nested = part("a", "POST /batch/storage/v1 HTTP/1.1\n\n");
    let upload = part("a", "POST /upload/storage/v1/b/pics/o?uploadType=media&name=x HTTP/1.1\n\nx");
    let media = part("a", "GET /storage/v1/b/pics/o/x?alt=media HTTP/1.1\n\n");
    let many = part("a", "GET /storage/v1/b HTTP/1.1\n\n").repeat(101);
    for body in [
        "",
        "--===x--\n",
        "--===x\n\n",
        &format!("{nested}--===x--"),
        &format!("{upload}--===x--"),
        &format!("{media}--===x--"),
        &format!("{many}--===x--"),
        &format!("{}--===x--", part("a", "rubbish")),
        &format!("{}--===x--", part("a", "GET /b HTTP/1.1\nno header\n\n")),
        &format!("{}--===x--", part("a", "\u{1}\u{2} /b HTTP/1.1\n\n")),
    ] {
        let (status, answer) = batch(&shop, body).await;
        assert_eq!(status, 400, "{answer} to {body:.300}");
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["error"]["code"], 400);
    }
    let huge = format!(r#"{{"metadata":{{"a":"{}"}}}}"#, "x".repeat(3 << 20));
    shop.json("POST", "/b?project=p", &huge, 400).await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    shop.json("POST", "/b?project=p", &deep, 400).await;
}
