//! Concurrency, URLs, tags, permissions, account.

use super::*;

const F: &str = "/2015-03-31/functions/f";
const URL: &str = "/2021-10-31/functions/f/url";
const TAGS: &str = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af";

#[tokio::test]
async fn reservations() {
    let bench = Bench::with_f().await;
    let read = "/2019-09-30/functions/f/concurrency";
    let write = "/2017-10-31/functions/f/concurrency";
    assert_eq!(bench.get(read).await.json(), json!({}));
    let put = bench.put(write, &json!({ "ReservedConcurrentExecutions": 3 })).await;
    assert_eq!((put.status, put.json()), (200, json!({ "ReservedConcurrentExecutions": 3 })));
    assert_eq!(bench.get(read).await.json(), json!({ "ReservedConcurrentExecutions": 3 }));
    assert_eq!(bench.get(F).await.json()["Concurrency"], json!({ "ReservedConcurrentExecutions": 3 }));
    bench.put(&format!("{F}/configuration"), &json!({ "Timeout": 5 })).await;
    assert_eq!(bench.get(read).await.json(), json!({ "ReservedConcurrentExecutions": 3 }));
    for wrong in [json!(901), json!(-1), json!(null), json!(i64::MAX)] {
        assert_eq!(bench.put(write, &json!({ "ReservedConcurrentExecutions": wrong })).await.status, 400);
    }
    let account = bench.get("/2016-08-19/account-settings").await.json();
    assert_eq!(account["AccountLimit"]["UnreservedConcurrentExecutions"], 997);
    assert_eq!(account["AccountUsage"], json!({ "TotalCodeSize": 6, "FunctionCount": 1 }));
    assert_eq!(bench.delete(write).await.status, 204);
    assert_eq!(bench.get(read).await.json(), json!({}));
}

#[tokio::test]
async fn urls() {
    let bench = Bench::with_f().await;
    assert_eq!(bench.get(URL).await.status, 404);
    let cors = json!({ "AllowOrigins": ["http://localhost:3000"], "AllowMethods": ["*"], "MaxAge": 60 });
    let created = bench.post(URL, &json!({ "AuthType": "NONE", "Cors": cors })).await;
    assert_eq!(created.status, 201);
    let document = created.json();
    assert!(document["FunctionUrl"].as_str().unwrap().ends_with(".lambda-url.us-east-1.localhost:4566/"));
    assert_eq!((&document["Cors"], &document["InvokeMode"]), (&cors, &json!("BUFFERED")));
    assert_eq!(document["CreationTime"], "2026-01-01T00:00:00.123Z");
    assert_eq!(bench.post(URL, &json!({ "AuthType": "NONE" })).await.fault().1, "ResourceConflictException");
    let updated = bench.put(URL, &json!({ "InvokeMode": "RESPONSE_STREAM" })).await.json();
    assert_eq!((&updated["InvokeMode"], &updated["Cors"]), (&json!("RESPONSE_STREAM"), &cors));
    let list = bench.get("/2021-10-31/functions/f/urls").await.json();
    assert_eq!(list["FunctionUrlConfigs"], json!([updated]));
    for wrong in [json!({ "AuthType": "OPEN" }), json!({ "InvokeMode": "x" })] {
        assert_eq!(bench.put(URL, &wrong).await.status, 400);
    }
    assert_eq!(bench.delete(URL).await.status, 204);
    assert_eq!(bench.delete(URL).await.status, 404);
}

#[tokio::test]
async fn tags() {
    let bench = Bench::with_f().await;
    assert_eq!(bench.post(TAGS, &json!({ "Tags": { "a": "1", "b": "2", "c": "3" } })).await.status, 204);
    assert_eq!(bench.delete(&format!("{TAGS}?tagKeys=a&tagKeys=c&tagKeys=none")).await.status, 204);
    assert_eq!(bench.get(TAGS).await.json(), json!({ "Tags": { "b": "2" } }));
    let many: serde_json::Map<_, _> = (0..51).map(|n| (n.to_string(), json!(""))).collect();
    assert_eq!(bench.post(TAGS, &json!({ "Tags": many })).await.status, 400);
    assert_eq!(bench.get("/2017-03-31/tags/f").await.fault().1, "ValidationException");
    assert_eq!(bench.get(&format!("{TAGS}g")).await.status, 404);
}

#[tokio::test]
async fn permissions() {
    let bench = Bench::with_f().await;
    let path = format!("{F}/policy");
    assert_eq!(bench.get(&path).await.fault().2, "The resource you requested does not exist.");
    let request = json!({
        "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::photos", "SourceAccount": "000000000000"
    });
    let added = bench.post(&path, &request).await;
    let statement: Value = serde_json::from_str(added.json()["Statement"].as_str().unwrap()).unwrap();
    let expected = json!({
        "Sid": "s3", "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" },
        "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Condition": {
            "StringEquals": { "AWS:SourceAccount": "000000000000" },
            "ArnLike": { "AWS:SourceArn": "arn:aws:s3:::photos" }
        }
    });
    assert_eq!((added.status, &statement), (201, &expected));
    assert_eq!(bench.post(&path, &request).await.fault().1, "ResourceConflictException");
    let policy: Value =
        serde_json::from_str(bench.get(&path).await.json()["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"], json!([expected]));
    assert_eq!(bench.delete(&format!("{path}/s3")).await.status, 204);
    assert_eq!(bench.delete(&format!("{path}/s3")).await.status, 404);
    let wrong = json!({ "StatementId": "a b", "Action": "lambda:InvokeFunction", "Principal": "*" });
    assert_eq!(bench.post(&path, &wrong).await.status, 400);
    assert_eq!(bench.post("/2015-03-31/functions/g/policy", &request).await.status, 404);
}

#[tokio::test]
async fn settings_that_cannot_be_changed() {
    let bench = Bench::with_f().await;
    let signing = bench.get("/2020-06-30/functions/f/code-signing-config").await.json();
    assert_eq!(signing, json!({ "CodeSigningConfigArn": "", "FunctionName": "f" }));
    let runtime = bench.get("/2021-07-20/functions/f/runtime-management-config").await.json();
    assert_eq!(runtime["UpdateRuntimeOn"], "Auto");
    assert_eq!(bench.get("/2024-08-31/functions/g/recursion-config").await.status, 404);
}
