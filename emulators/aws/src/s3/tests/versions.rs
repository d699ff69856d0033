//! Versions and the markers that hide them.

use super::*;

async fn kept() -> World {
    let world = world();
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(world.send(&format!("PUT /pics?versioning\n\n{enabled}")).await.status, 200);
    world
}

#[tokio::test]
async fn what_is_replaced_and_removed_can_still_be_read() {
    let world = kept().await;
    let first = world.send("PUT /pics/k\n\none").await.header("x-amz-version-id").to_owned();
    let second = world.send("PUT /pics/k\n\ntwo").await.header("x-amz-version-id").to_owned();
    assert_ne!(first, second);
    let marker = world.send("DELETE /pics/k").await;
    assert_eq!((marker.status.as_u16(), marker.header("x-amz-delete-marker")), (204, "true"));
    let gone = world.send("GET /pics/k").await;
    assert_eq!((gone.code(), gone.header("x-amz-delete-marker")), ((404, "NoSuchKey"), "true"));
    let id = marker.header("x-amz-version-id");
    let hidden = world.send(&format!("GET /pics/k?versionId={id}")).await;
    assert_eq!((hidden.code(), hidden.header("allow")), ((405, "MethodNotAllowed"), "DELETE"));
    let old = world.send(&format!("GET /pics/k?versionId={first}")).await;
    assert_eq!((old.body.as_str(), old.header("x-amz-version-id")), ("one", first.as_str()));
    assert_eq!(world.send("DELETE /pics").await.code(), (409, "BucketNotEmpty"));
    let shown = world.send(&format!("DELETE /pics/k?versionId={id}")).await;
    assert_eq!((shown.header("x-amz-delete-marker"), shown.header("x-amz-version-id")), ("true", id));
    assert_eq!(world.send("GET /pics/k").await.body, "two");
    world.send(&format!("DELETE /pics/k?versionId={second}")).await;
    assert_eq!(world.send("GET /pics/k").await.body, "one");
    let none = world.send(&format!("GET /pics/k?versionId={second}")).await;
    assert_eq!(none.code(), (404, "NoSuchVersion"));
    assert_eq!(world.send("GET /pics/k?versionId=x").await.code(), (400, "InvalidArgument"));
}

#[tokio::test]
async fn a_suspended_bucket_replaces_the_null_version_only() {
    let world = kept().await;
    let named = world.send("PUT /pics/k\n\nkept").await.header("x-amz-version-id").to_owned();
    let suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    world.send(&format!("PUT /pics?versioning\n\n{suspended}")).await;
    assert_eq!(world.send("PUT /pics/k\n\na").await.header("x-amz-version-id"), "");
    world.send("PUT /pics/k\n\nb").await;
    let listed = world.send("GET /pics?versions").await;
    assert_eq!(listed.elements("VersionId"), ["null", &named]);
    assert_eq!(world.send("GET /pics/k").await.header("x-amz-version-id"), "null");
    assert_eq!(world.send("DELETE /pics/k").await.header("x-amz-version-id"), "null");
    let listed = world.send("GET /pics?versions").await;
    assert_eq!((listed.elements("Version").len(), listed.elements("DeleteMarker").len()), (1, 1));
    assert_eq!(world.send(&format!("GET /pics/k?versionId={named}")).await.body, "kept");
}

#[tokio::test]
async fn versions_are_listed_in_pages_of_any_size() {
    let world = kept().await;
    for key in ["a", "a", "b/1", "b/2", "c", "c", "c"] {
        world.send(&format!("PUT /pics/{key}\n\nx")).await;
    }
    world.send("DELETE /pics/c").await;
    let whole = world.send("GET /pics?versions").await;
    let all = whole.elements("VersionId");
    assert_eq!((all.len(), whole.elements("IsLatest")[..3].to_vec()), (8, vec!["true", "false", "true"]));
    for size in 1..9 {
        let (mut seen, mut from) = (Vec::new(), String::new());
        loop {
            let page = world.send(&format!("GET /pics?versions&max-keys={size}{from}")).await;
            seen.extend(page.elements("VersionId").into_iter().map(str::to_owned));
            if page.element("IsTruncated") == "false" {
                break;
            }
            let (key, id) = (page.element("NextKeyMarker"), page.element("NextVersionIdMarker"));
            from = format!("&key-marker={key}&version-id-marker={id}");
        }
        assert_eq!(seen, all, "in pages of {size}");
    }
    let rolled = world.send("GET /pics?versions&delimiter=/&max-keys=3").await;
    assert_eq!(rolled.elements("CommonPrefixes"), ["<Prefix>b/</Prefix>"]);
    assert_eq!((rolled.element("NextKeyMarker"), rolled.element("NextVersionIdMarker")), ("b/", ""));
    let rest = world.send("GET /pics?versions&delimiter=/&key-marker=b/").await;
    assert_eq!((rest.elements("VersionId").len(), rest.elements("CommonPrefixes").len()), (4, 0));
    assert_eq!(world.send("GET /pics?list-type=2&delimiter=/").await.elements("Key"), ["a"]);
}

#[tokio::test]
async fn many_are_removed_at_once_and_copies_name_their_source() {
    let world = kept().await;
    let first = world.send("PUT /pics/k\n\none").await.header("x-amz-version-id").to_owned();
    world.send("PUT /pics/k\n\ntwo").await;
    let copy = world.send(&format!("PUT /pics/copy\nx-amz-copy-source: pics/k?versionId={first}")).await;
    assert_eq!(copy.header("x-amz-copy-source-version-id"), first);
    assert_eq!(world.send("GET /pics/copy").await.body, "one");
    let back = world.send(&format!("PUT /pics/k\nx-amz-copy-source: pics/k?versionId={first}")).await;
    assert_eq!((back.status.as_u16(), world.send("GET /pics/k").await.body.as_str()), (200, "one"));
    let body = format!(
        "<Delete><Object><Key>k</Key></Object><Object><Key>k</Key><VersionId>{first}</VersionId></Object>\
         <Object><Key>k</Key><VersionId>nonsense</VersionId></Object></Delete>"
    );
    let reply =
        world.send(&format!("POST /pics?delete\nx-amz-checksum-crc32: {}\n\n{body}", crc32(&body))).await;
    assert_eq!(reply.elements("Deleted").len(), 2);
    assert_eq!(reply.elements("DeleteMarkerVersionId").len(), 1);
    assert_eq!(reply.element("Code"), "NoSuchVersion");
}

fn crc32(text: &str) -> String {
    use base64::Engine as _;
    let sum = mlemu_engine::objects::ChecksumKind::Crc32.of(text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(sum)
}
