//! Object Lock.

use super::*;

async fn locked() -> World {
    let world = world();
    let made = world.send("PUT /vault\nx-amz-bucket-object-lock-enabled: true").await;
    assert_eq!(made.status, 200);
    world
}

async fn put(world: &World, headers: &str) -> String {
    let made = world.send(&format!("PUT /vault/k\n{headers}\n\nx")).await;
    assert_eq!(made.status, 200, "{}", made.body);
    made.header("x-amz-version-id").to_owned()
}

const SOFT: &str =
    "x-amz-object-lock-mode: GOVERNANCE\nx-amz-object-lock-retain-until-date: 2999-01-01T00:00:00Z";

#[tokio::test]
async fn a_retained_version_stays() {
    let world = locked().await;
    let id = put(&world, SOFT).await;
    assert_eq!(world.send("HEAD /vault/k").await.header("x-amz-object-lock-mode"), "GOVERNANCE");
    let delete = format!("DELETE /vault/k?versionId={id}");
    assert_eq!(world.send(&delete).await.code(), (403, "AccessDenied"));
    assert_eq!(world.send("DELETE /vault/k").await.status, 204, "a marker may hide it");
    let read = world.send(&format!("GET /vault/k?retention&versionId={id}")).await;
    assert_eq!(read.element("RetainUntilDate"), "2999-01-01T00:00:00.000Z");
    let passed = world.send(&format!("{delete}\nx-amz-bypass-governance-retention: true")).await;
    assert_eq!(passed.status, 204);
}

#[tokio::test]
async fn a_held_version_stays_whoever_asks() {
    let world = locked().await;
    let id = put(&world, "x-amz-object-lock-legal-hold: ON").await;
    let delete = format!("DELETE /vault/k?versionId={id}\nx-amz-bypass-governance-retention: true");
    assert_eq!(world.send(&delete).await.code(), (403, "AccessDenied"));
    let off = "PUT /vault/k?legal-hold\n\n<LegalHold><Status>OFF</Status></LegalHold>";
    assert_eq!(world.send(off).await.status, 200);
    assert_eq!(world.send("GET /vault/k?legal-hold").await.element("Status"), "OFF");
    assert_eq!(world.send(&delete).await.status, 204);
}

#[tokio::test]
async fn a_bucket_may_retain_all_that_comes() {
    let world = locked().await;
    let usual = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
        <Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    assert_eq!(world.send(&format!("PUT /vault?object-lock\n\n{usual}")).await.status, 200);
    let id = put(&world, "").await;
    let delete = format!("DELETE /vault/k?versionId={id}\nx-amz-bypass-governance-retention: true");
    assert_eq!(world.send(&delete).await.code(), (403, "AccessDenied"));
    let none = "PUT /vault/k?retention\nx-amz-bypass-governance-retention: true\n\n<Retention/>";
    assert_eq!(world.send(none).await.code(), (403, "AccessDenied"));
    let suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let refused = world.send(&format!("PUT /vault?versioning\n\n{suspended}")).await;
    assert_eq!(refused.code(), (409, "InvalidBucketState"));
}

#[tokio::test]
async fn without_a_lock_there_is_nothing_to_lock() {
    let world = world();
    assert_eq!(world.send(&format!("PUT /pics/k\n{SOFT}\n\nx")).await.code(), (400, "InvalidRequest"));
    world.send("PUT /pics/k\n\nx").await;
    assert_eq!(world.send("GET /pics/k?retention").await.code(), (400, "InvalidRequest"));
    let bypass = "DELETE /pics/k\nx-amz-bypass-governance-retention: true";
    assert_eq!(world.send(bypass).await.code(), (400, "InvalidArgument"));
    let enabled =
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    let refused = world.send(&format!("PUT /pics?object-lock\n\n{enabled}")).await;
    assert_eq!(refused.code(), (409, "InvalidBucketState"));
}
