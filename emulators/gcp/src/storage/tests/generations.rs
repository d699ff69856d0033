//! Buckets that keep what is replaced and removed, what functions hear of that, and what may not be removed.

use super::*;

async fn versioned() -> Shop {
    let shop = Shop::open().await;
    shop.json("PATCH", "/b/pics", r#"{"versioning":{"enabled":true}}"#, 200).await;
    shop
}

/// Name, generation and whether it is noncurrent, of all generations.
async fn listed(shop: &Shop, query: &str) -> Vec<(String, String, bool)> {
    let list = shop.json("GET", &format!("/b/pics/o?versions=true&{query}"), "", 200).await;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    items
        .iter()
        .map(|item| (text(item, "name"), text(item, "generation"), item["timeDeleted"].is_string()))
        .collect()
}

fn generation(made: &Value) -> &str {
    made["generation"].as_str().unwrap()
}

#[tokio::test]
async fn what_is_replaced_or_removed_stays_as_a_generation() {
    let shop = versioned().await;
    let (first, second) = (shop.put("x", "1").await, shop.put("x", "2").await);
    let (first, second) = (generation(&first), generation(&second));
    let expected = [("x", first, true), ("x", second, false)];
    let is = |found: Vec<(String, String, bool)>, expected: &[(&str, &str, bool)]| {
        let found: Vec<_> = found.iter().map(|(name, one, gone)| (&**name, &**one, *gone)).collect();
        assert_eq!(found, expected);
    };
    is(listed(&shop, "").await, &expected);
    let old = shop.ask("GET", &format!("/b/pics/o/x?alt=media&generation={first}"), &[], "").await;
    assert_eq!(text(old).await, "1");
    shop.json("DELETE", "/b/pics/o/x", "", 204).await;
    shop.json("GET", "/b/pics/o/x", "", 404).await;
    shop.json("DELETE", "/b/pics/o/x", "", 404).await;
    is(listed(&shop, "").await, &[("x", first, true), ("x", second, true)]);
    assert_eq!(shop.json("GET", "/b/pics/o", "", 200).await.get("items"), None);
    // An old one comes back as a copy of itself.
    let copied =
        shop.json("POST", &format!("/b/pics/o/x/copyTo/b/pics/o/x?sourceGeneration={first}"), "", 200).await;
    assert_eq!(text(shop.ask("GET", "/b/pics/o/x?alt=media", &[], "").await).await, "1");
    shop.json("DELETE", &format!("/b/pics/o/x?generation={second}"), "", 204).await;
    shop.json("DELETE", &format!("/b/pics/o/x?generation={second}"), "", 404).await;
    // What was current is not followed by an older one.
    shop.json("DELETE", &format!("/b/pics/o/x?generation={}", generation(&copied)), "", 204).await;
    shop.json("GET", "/b/pics/o/x", "", 404).await;
    is(listed(&shop, "").await, &[("x", first, true)]);
    shop.json("DELETE", "/b/pics", "", 409).await;
    shop.json("DELETE", &format!("/b/pics/o/x?generation={first}"), "", 204).await;
    shop.json("DELETE", "/b/pics", "", 204).await;
}

#[tokio::test]
async fn a_bucket_that_keeps_no_more_leaves_the_old_ones() {
    let shop = versioned().await;
    let first = shop.put("x", "1").await;
    shop.put("x", "2").await;
    let shown = shop.json("PATCH", "/b/pics", r#"{"versioning":{"enabled":false}}"#, 200).await;
    assert_eq!(shown["versioning"]["enabled"], false);
    let third = shop.put("x", "3").await;
    let fourth = shop.put("x", "4").await;
    let left: Vec<String> = listed(&shop, "").await.into_iter().map(|(_, one, _)| one).collect();
    assert_eq!(left, [generation(&first), generation(&fourth)], "{third} went with what replaced it");
    shop.json("DELETE", "/b/pics/o/x", "", 204).await;
    shop.json("GET", "/b/pics/o/x", "", 404).await;
    assert_eq!(listed(&shop, "").await.len(), 1);
}

#[tokio::test]
async fn generations_are_listed_in_pages() {
    let shop = versioned().await;
    for name in ["a", "a", "a", "b", "d%2Fx", "d%2Fx"] {
        shop.put(name, "1").await;
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let path = format!("/b/pics/o?versions=True&delimiter=/&maxResults=2&pageToken={token}");
        let page = shop.json("GET", &path, "", 200).await;
        for item in page["items"].as_array().into_iter().flatten() {
            assert_eq!(
                item["timeDeleted"].is_string(),
                item["name"] == "a"
                    && seen.len() < 3
                    && item["generation"] != shop.json("GET", "/b/pics/o/a", "", 200).await["generation"]
            );
            seen.push(item["name"].as_str().unwrap().to_owned());
        }
        seen.extend(
            page["prefixes"].as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()),
        );
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["a", "a", "a", "b", "d/"]);
}

#[tokio::test]
async fn each_change_is_told_by_its_own_name() {
    let shop = Shop::open().await;
    let all = ["finalized", "deleted", "archived", "metadataUpdated"];
    let all = all.map(|kind| format!("google.cloud.storage.object.v1.{kind}"));
    shop.wait_for(&all.each_ref().map(String::as_str), false);
    let first = shop.put("in%2Fx", "1").await;
    let second = shop.put("in%2Fx", "22").await;
    shop.json("PATCH", "/b/pics/o/in%2Fx", r#"{"metadata":{"a":"1"}}"#, 200).await;
    shop.json("PATCH", "/b/pics", r#"{"versioning":{"enabled":true}}"#, 200).await;
    let third = shop.put("in%2Fx", "333").await;
    shop.json("DELETE", "/b/pics/o/in%2Fx", "", 204).await;
    shop.json("DELETE", &format!("/b/pics/o/in%2Fx?generation={}", generation(&third)), "", 204).await;
    let events = shop.events().await;
    let told: Vec<(String, String, String)> = events
        .iter()
        .map(|event| {
            let kind = event["type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
            (kind, generation(&event["data"]).to_owned(), event["data"]["size"].as_str().unwrap().to_owned())
        })
        .collect();
    let is = |kind: &str, of: &Value| {
        (kind.to_owned(), generation(of).to_owned(), of["size"].as_str().unwrap().to_owned())
    };
    let expected = [
        is("finalized", &first),
        is("finalized", &second),
        is("deleted", &first),
        is("metadataUpdated", &second),
        is("finalized", &third),
        is("archived", &second),
        is("archived", &third),
        is("deleted", &third),
    ];
    assert_eq!(told, expected);
    assert_eq!(events[3]["data"]["metadata"], json!({"a": "1"}));
    assert!(events[5]["data"]["timeDeleted"].is_string(), "{}", events[5]);
    assert_eq!(events[2]["data"]["md5Hash"], first["md5Hash"], "what it was is told, though it is gone");
    let ids: std::collections::BTreeSet<&str> =
        events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "each has an id of its own");
}

#[tokio::test]
async fn paths_are_matched_by_patterns() {
    let shop = Shop::open().await;
    let function = FunctionId::new(shop.storage.place.scope.clone(), "f");
    let wanted = |pattern: &str| Subscription {
        id: "f-0".into(),
        function: function.clone(),
        events: vec!["google.cloud.storage.object.v1.finalized".into()],
        prefix: None,
        suffix: None,
        pattern: Some(pattern.into()),
        background: false,
    };
    assert!(shop.storage.subscribe("pics", wanted("[a")).is_err());
    shop.storage.subscribe("pics", wanted("/objects/{day}/*.csv")).unwrap();
    for name in ["mon%2Fa.csv", "mon%2Fdeep%2Fa.csv", "a.csv", "tue%2Fb.csv"] {
        shop.put(name, "1").await;
    }
    let names: Vec<Value> = shop.events().await.iter().map(|event| event["data"]["name"].clone()).collect();
    assert_eq!(names, ["mon/a.csv", "tue/b.csv"]);
}

#[tokio::test]
async fn what_is_held_or_retained_stays() {
    let shop = Shop::open().await;
    shop.put("x", "1").await;
    shop.json("PATCH", "/b/pics/o/x", r#"{"temporaryHold":true}"#, 200).await;
    let refused = shop.json("DELETE", "/b/pics/o/x", "", 403).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("Temporary hold"), "{refused}");
    shop.json("POST", "/upload/storage/v1/b/pics/o?uploadType=media&name=x", "2", 403).await;
    shop.json("PATCH", "/b/pics/o/x", r#"{"temporaryHold":false}"#, 200).await;
    shop.json("PATCH", "/b/pics", r#"{"retentionPolicy":{"retentionPeriod":"soon"}}"#, 400).await;
    let policy = r#"{"retentionPolicy":{"retentionPeriod":"3600"}}"#;
    let shown = shop.json("PATCH", "/b/pics", policy, 200).await;
    assert!(shown["retentionPolicy"]["effectiveTime"].is_string(), "{shown}");
    let kept = shop.json("GET", "/b/pics/o/x", "", 200).await;
    assert!(kept["retentionExpirationTime"].is_string(), "{kept}");
    let refused = shop.json("DELETE", "/b/pics/o/x", "", 403).await;
    assert_eq!(refused["error"]["errors"][0]["reason"], "retentionPolicyNotMet");
    shop.json("POST", "/b/pics/lockRetentionPolicy?ifMetagenerationMatch=1", "", 412).await;
    shop.json("POST", "/b/pics/lockRetentionPolicy?ifMetagenerationMatch=2", "", 200).await;
    shop.json("PATCH", "/b/pics", r#"{"retentionPolicy":{"retentionPeriod":"60"}}"#, 403).await;
    shop.json("PATCH", "/b/pics", r#"{"retentionPolicy":null}"#, 403).await;
    shop.json("PATCH", "/b/pics", r#"{"retentionPolicy":{"retentionPeriod":"7200"}}"#, 200).await;
}
