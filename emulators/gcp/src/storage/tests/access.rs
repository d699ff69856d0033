//! Access lists, policies and keys: kept as they were said, and never enforced.

use super::*;

#[tokio::test]
async fn access_lists_are_kept_entry_by_entry() {
    let shop = Shop::open().await;
    shop.put("x", "1").await;
    let usual = shop.json("GET", "/b/pics/o/x/acl", "", 200).await;
    assert_eq!((usual["items"].as_array().unwrap().len(), &usual["items"][0]["role"]), (3, &json!("OWNER")));
    for path in ["/b/pics/acl", "/b/pics/defaultObjectAcl", "/b/pics/o/x/acl"] {
        let made = shop.json("POST", path, r#"{"entity":"user-a@example.com","role":"READER"}"#, 200).await;
        assert_eq!((&made["email"], &made["role"]), (&json!("a@example.com"), &json!("READER")), "{path}");
        let one = format!("{path}/user-a%40example.com");
        shop.json("PATCH", &one, r#"{"role":"OWNER"}"#, 200).await;
        assert_eq!(shop.json("GET", &one, "", 200).await["role"], "OWNER", "{path}");
        shop.json("PUT", &one, r#"{"role":"KING"}"#, 400).await;
        shop.json("DELETE", &one, "", 204).await;
        shop.json("GET", &one, "", 404).await;
        shop.json("POST", path, r#"{"entity":"somebody","role":"READER"}"#, 400).await;
    }
    shop.json("POST", "/b/pics/defaultObjectAcl", r#"{"entity":"allUsers","role":"READER"}"#, 200).await;
    shop.put("y", "1").await;
    assert_eq!(shop.json("GET", "/b/pics/o/y/acl/allUsers", "", 200).await["role"], "READER");
    let full = shop.json("GET", "/b/pics/o/y?projection=full", "", 200).await;
    assert_eq!(full["acl"].as_array().unwrap().len(), 4);
    assert_eq!(shop.json("GET", "/b/pics/o/y", "", 200).await.get("acl"), None);
    shop.json("PATCH", "/b/pics/o/y?predefinedAcl=private", r#"{"acl":null}"#, 200).await;
    assert_eq!(shop.json("GET", "/b/pics/o/y/acl", "", 200).await["items"].as_array().unwrap().len(), 1);
    let upload = "/upload/storage/v1/b/pics/o?uploadType=media&name=z&predefinedAcl=publicRead";
    shop.json("POST", upload, "1", 200).await;
    shop.json("GET", "/b/pics/o/z/acl/allUsers", "", 200).await;
    shop.json("POST", &upload.replace("publicRead", "everybody"), "1", 400).await;
    let uniform = r#"{"iamConfiguration":{"uniformBucketLevelAccess":{"enabled":true}}}"#;
    shop.json("PATCH", "/b/pics", uniform, 200).await;
    shop.json("GET", "/b/pics/o/z/acl", "", 400).await;
}

#[tokio::test]
async fn policies_are_kept_as_they_were_last_read() {
    let shop = Shop::open().await;
    let usual = shop.json("GET", "/b/pics/iam?optionsRequestedPolicyVersion=3", "", 200).await;
    assert_eq!(usual["bindings"][0]["role"], "roles/storage.legacyBucketOwner");
    let mine =
        json!({"etag": usual["etag"], "bindings": [{"role": "r", "members": ["allUsers"]}]}).to_string();
    let set = shop.json("PUT", "/b/pics/iam", &mine, 200).await;
    assert_ne!(set["etag"], usual["etag"]);
    shop.json("PUT", "/b/pics/iam", &mine, 412).await;
    assert_eq!(shop.json("GET", "/b/pics/iam", "", 200).await["bindings"][0]["members"], json!(["allUsers"]));
    shop.json("PUT", "/b/pics/iam", r#"{"bindings":[{"members":"me"}]}"#, 400).await;
    let path = "/b/pics/iam/testPermissions?permissions=a.b&permissions=c.d";
    assert_eq!(shop.json("GET", path, "", 200).await["permissions"], json!(["a.b", "c.d"]));
}

#[tokio::test]
async fn keys_of_service_accounts_are_made_and_retired() {
    let shop = Shop::open().await;
    let keys = "/storage/v1/projects/demo-p/hmacKeys";
    shop.json("POST", keys, "", 400).await;
    let made = shop.json("POST", &format!("{keys}?serviceAccountEmail=a%40p.iam"), "", 200).await;
    let id = made["metadata"]["accessId"].as_str().unwrap();
    assert_eq!((id.len(), made["secret"].as_str().unwrap().len()), (61, 40), "{made}");
    assert_eq!(shop.json("GET", "/projects/demo-p/hmacKeys", "", 200).await["items"][0]["accessId"], id);
    let one = format!("{keys}/{id}");
    shop.json("DELETE", &one, "", 400).await;
    let retired = shop.json("PUT", &one, r#"{"state":"INACTIVE"}"#, 200).await;
    assert_eq!((&retired["state"], retired.get("secret")), (&json!("INACTIVE"), None));
    shop.json("DELETE", &one, "", 204).await;
    shop.json("GET", &one, "", 404).await;
    let account = shop.json("GET", "/storage/v1/projects/demo-p/serviceAccount", "", 200).await;
    assert!(account["email_address"].as_str().unwrap().contains('@'));
}

#[tokio::test]
async fn what_is_said_of_buckets_has_its_types_and_its_preconditions() {
    let shop = Shop::open().await;
    for wrong in [r#"{"labels":1}"#, r#"{"cors":{}}"#, r#"{"versioning":true}"#, "[]", "{"] {
        shop.json("PATCH", "/b/pics", wrong, 400).await;
    }
    let said = r#"{"labels":{"a":"b","c":"d"},"cors":[{"maxAgeSeconds":1}],"lifecycle":{"rule":[]}}"#;
    shop.json("PATCH", "/b/pics?ifMetagenerationMatch=7", said, 412).await;
    shop.json("PATCH", "/b/pics?ifMetagenerationMatch=1", said, 200).await;
    let shown = shop.json("PATCH", "/b/pics", r#"{"labels":{"a":null}}"#, 200).await;
    assert_eq!((&shown["labels"], &shown["location"]), (&json!({"c": "d"}), &json!("EU")));
    let replaced = shop.json("PUT", "/b/pics", r#"{"labels":{"e":"f"}}"#, 200).await;
    assert_eq!((&replaced["labels"], replaced.get("cors")), (&json!({"e": "f"}), None));
    shop.json("GET", "/b/pics?ifMetagenerationNotMatch=4", "", 304).await;
    shop.json("DELETE", "/b/pics?ifMetagenerationMatch=1", "", 412).await;
}
