//! What is said of buckets, and what may not be said.

use super::*;

#[tokio::test]
async fn a_bucket_is_somebodys_and_somewhere() {
    let shop = Shop::open().await;
    for (path, body, why) in [
        ("/b", r#"{"name":"other"}"#, "Required parameter: project"),
        ("/b?project=p", r#"{"name":"other","location":"the moon"}"#, "location constraint"),
        ("/b?project=p", r#"{"name":"other","location":7}"#, "location constraint"),
        ("/b?project=p", r#"{"name":"other","storageClass":"FAST"}"#, "storage class"),
        ("/b?project=p", r#"{"name":"Other"}"#, "Invalid bucket name"),
    ] {
        let fault = shop.json("POST", path, body, 400).await;
        let said = fault["error"]["message"].as_str().unwrap();
        assert!(said.contains(why), "{body}: {said}");
    }
    shop.json("GET", "/b", "", 400).await;
    shop.json("GET", "/b/other", "", 404).await;
    for place in ["us", "EUR4", "us-central1", "NORTHAMERICA-NORTHEAST1"] {
        shop.json("PATCH", "/b/pics", &json!({ "location": place }).to_string(), 200).await;
    }
    shop.json("PATCH", "/b/pics", r#"{"storageClass":"NEARLINE"}"#, 200).await;
    shop.json("PATCH", "/b/pics", r#"{"storageClass":"nearly"}"#, 400).await;
    shop.put("x", "1").await;
    shop.json("POST", "/b/pics/o/x/rewriteTo/b/pics/o/y?rewriteToken=abc", "", 400).await;
}
