//! Objects: writing, reading, copying, deleting.

use super::*;

#[tokio::test]
async fn what_is_put_is_got() {
    let world = world();
    let put = world
        .send("PUT /pics/a%20b/c.txt\ncontent-type: text/plain\nx-amz-meta-By: me\ncache-control: no-cache\n\nhello")
        .await;
    assert_eq!(put.status, 200);
    assert_eq!(put.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(put.header("x-amz-server-side-encryption"), "AES256");
    assert_eq!(put.header("x-amz-checksum-type"), "FULL_OBJECT");
    let got = world.send("GET /pics/a%20b/c.txt").await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "hello"));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-length", "5"),
        ("x-amz-meta-by", "me"),
        ("cache-control", "no-cache"),
        ("accept-ranges", "bytes"),
        ("etag", "\"5d41402abc4b2a76b9719d911017c592\""),
        ("x-amz-checksum-crc64nvme", ""),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    assert!(got.header("last-modified").ends_with(" GMT"));
    let head = world.send("HEAD /pics/a%20b/c.txt\nx-amz-checksum-mode: ENABLED").await;
    assert_eq!((head.header("content-length"), head.body.as_str()), ("5", ""));
    assert_eq!(head.header("x-amz-checksum-crc64nvme").len(), 12);
    let virtual_host = world.send("GET /a%20b/c.txt\nhost: pics.localhost:4566").await;
    assert_eq!(virtual_host.body, "hello");
}

#[tokio::test]
async fn a_presigned_url_carries_its_headers() {
    let world = world();
    let url =
        "AWSAccessKeyId=a&Signature=s&Expires=4102444800&x-amz-meta-by=me&x-amz-checksum-crc32=AAAAAA%3D%3D";
    assert_eq!(world.send(&format!("PUT /pics/k?{url}\n\nhello")).await.status, 200);
    assert_eq!(world.send("HEAD /pics/k").await.header("x-amz-meta-by"), "me");
    world.send("PUT /pics/k?x-amz-meta-by=me\n\nhello").await;
    assert_eq!(world.send("HEAD /pics/k").await.header("x-amz-meta-by"), "");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let world = world();
    let missing = world.send("GET /pics/no").await;
    assert_eq!(missing.code(), (404, "NoSuchKey"));
    assert_eq!((missing.element("Key"), missing.element("Resource")), ("no", "/pics/no"));
    assert_eq!(missing.element("RequestId"), missing.header("x-amz-request-id"));
    let head = world.send("HEAD /pics/no").await;
    assert_eq!((head.status.as_u16(), head.body.as_str()), (404, ""));
    let bucket = world.send("PUT /none/k\n\nx").await;
    assert_eq!((bucket.code(), bucket.element("BucketName")), ((404, "NoSuchBucket"), "none"));
    let id = crate::s3::versions::text(mlemu_engine::objects::VersionName::Numbered(7));
    assert_eq!(world.send(&format!("GET /pics/k?versionId={id}")).await.code(), (404, "NoSuchVersion"));
    assert_eq!(
        world.send(&format!("PUT /pics/{}\n\nx", "k".repeat(1025))).await.code(),
        (400, "KeyTooLongError")
    );
}

#[tokio::test]
async fn keys_never_touch_the_disk() {
    let world = world();
    let keys = ["../../x", "a/../../b", "%00", ".", "CON", "e%CC%81", "%C3%A9", "x/", "/abs"];
    let body = "y".repeat(40_000);
    for key in keys {
        assert_eq!(world.send(&format!("PUT /pics/{key}\n\n{body}")).await.status, 200, "{key}");
        assert_eq!(world.send(&format!("GET /pics/{key}")).await.body.len(), 40_000, "{key}");
    }
    assert_eq!(world.send("GET /pics?list-type=2").await.element("KeyCount"), keys.len().to_string());
    let names: Vec<_> =
        std::fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.len() == keys.len() && names.iter().all(|name| name.len() == 32), "{names:?}");
}

#[tokio::test]
async fn ranges_and_conditions() {
    let world = world();
    world.send("PUT /pics/k\n\n0123456789").await;
    let part = world.send("GET /pics/k\nrange: bytes=2-4").await;
    assert_eq!((part.status.as_u16(), part.body.as_str()), (206, "234"));
    assert_eq!((part.header("content-range"), part.header("content-length")), ("bytes 2-4/10", "3"));
    let past = world.send("GET /pics/k\nrange: bytes=10-").await;
    assert_eq!((past.code(), past.element("ActualObjectSize")), ((416, "InvalidRange"), "10"));
    let etag = part.header("etag");
    let same = world.send(&format!("GET /pics/k\nif-none-match: {etag}")).await;
    assert_eq!((same.status.as_u16(), same.body.as_str(), same.header("etag")), (304, "", etag));
    assert_eq!(world.send("GET /pics/k\nif-match: \"other\"").await.code(), (412, "PreconditionFailed"));
    let date = part.header("last-modified");
    assert_eq!(world.send(&format!("GET /pics/k\nif-modified-since: {date}")).await.status, 304);
    assert_eq!(world.send(&format!("GET /pics/k\nif-unmodified-since: {date}")).await.status, 200);
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(world.send(&format!("HEAD /pics/k\nif-unmodified-since: {old}")).await.status, 412);
    let renamed =
        world.send("GET /pics/k?response-content-type=text/csv&response-content-disposition=x").await;
    assert_eq!((renamed.header("content-type"), renamed.header("content-disposition")), ("text/csv", "x"));
}

#[tokio::test]
async fn conditional_writes() {
    let world = world();
    assert_eq!(world.send("PUT /pics/k\nif-match: \"x\"\n\na").await.code(), (404, "NoSuchKey"));
    let first = world.send("PUT /pics/k\nif-none-match: *\n\na").await;
    assert_eq!(first.status, 200);
    assert_eq!(world.send("PUT /pics/k\nif-none-match: *\n\nb").await.code(), (412, "PreconditionFailed"));
    assert_eq!(world.send("PUT /pics/k\nif-match: \"x\"\n\nb").await.code(), (412, "PreconditionFailed"));
    let second = format!("PUT /pics/k\nif-match: {}\n\nb", first.header("etag"));
    assert_eq!(world.send(&second).await.status, 200);
    assert_eq!(world.send("DELETE /pics/k\nif-match: \"x\"").await.code(), (412, "PreconditionFailed"));
    assert_eq!(world.send("GET /pics/k").await.body, "b");
}

#[tokio::test]
async fn copies_keep_or_replace_what_was_said() {
    let world = world();
    world
        .send("PUT /pics/from\ncontent-type: text/plain\nx-amz-meta-a: 1\nx-amz-tagging: t=1\n\nhello")
        .await;
    let copied = world.send("PUT /pics/to\nx-amz-copy-source: /pics/from").await;
    assert_eq!(copied.element("ETag"), "&quot;5d41402abc4b2a76b9719d911017c592&quot;");
    let kept = world.send("GET /pics/to").await;
    assert_eq!((kept.body.as_str(), kept.header("x-amz-meta-a")), ("hello", "1"));
    assert_eq!(kept.header("x-amz-tagging-count"), "1");
    let replace =
        "PUT /pics/to\nx-amz-copy-source: pics/from\nx-amz-metadata-directive: REPLACE\nx-amz-meta-b: 2";
    assert_eq!(world.send(replace).await.status, 200);
    let replaced = world.send("HEAD /pics/to").await;
    assert_eq!((replaced.header("x-amz-meta-a"), replaced.header("x-amz-meta-b")), ("", "2"));
    assert_eq!(replaced.header("content-type"), "binary/octet-stream");
    let onto_itself = "PUT /pics/from\nx-amz-copy-source: pics/from";
    assert_eq!(world.send(onto_itself).await.code(), (400, "InvalidRequest"));
    assert_eq!(world.send("PUT /pics/to\nx-amz-copy-source: pics/none").await.code(), (404, "NoSuchKey"));
    let refused = "PUT /pics/to\nx-amz-copy-source: pics/from\nx-amz-copy-source-if-match: \"x\"";
    assert_eq!(world.send(refused).await.code(), (412, "PreconditionFailed"));
    let summed =
        world.send("PUT /pics/to\nx-amz-copy-source: pics/from\nx-amz-checksum-algorithm: SHA1").await;
    assert_eq!(summed.element("ChecksumSHA1"), "qvTGHdzF6KLavt4PO0gs2a6pQ00=");
}

#[tokio::test]
async fn deletions_one_by_one_and_many() {
    let world = world();
    for key in ["a", "b", "c"] {
        world.send(&format!("PUT /pics/{key}\n\nx")).await;
    }
    assert_eq!(world.send("DELETE /pics/a").await.status, 204);
    assert_eq!(world.send("DELETE /pics/a").await.status, 204);
    let list = "<Delete><Object><Key>b</Key></Object><Object><Key>none</Key></Object>\
        <Object><Key>c</Key><VersionId>9</VersionId></Object></Delete>";
    assert_eq!(world.send(&format!("POST /pics?delete\n\n{list}")).await.code(), (400, "InvalidRequest"));
    let sum = base64_of(&mlemu_engine::objects::ChecksumKind::Crc32.of(list.as_bytes()));
    let many = world.send(&format!("POST /pics?delete\nx-amz-checksum-crc32: {sum}\n\n{list}")).await;
    assert_eq!(many.elements("Deleted"), ["<Key>b</Key>", "<Key>none</Key>"]);
    assert_eq!(many.element("Code"), "NoSuchVersion");
    assert_eq!(world.send("GET /pics").await.elements("Key"), ["c"]);
    let wrong = world.send("POST /pics?delete\ncontent-md5: 1B2M2Y8AsgTpgAmY7PhCfg==\n\n<Delete/>").await;
    assert_eq!(wrong.code(), (400, "BadDigest"));
    let empty = "POST /pics?delete\nx-amz-checksum-crc32: AAAAAA==\n\n";
    assert_eq!(world.send(empty).await.code(), (400, "MalformedXML"));
}

#[tokio::test]
async fn tags_and_attributes() {
    let world = world();
    world.send("PUT /pics/k\n\nhello").await;
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1 &amp; 2</Value></Tag></TagSet></Tagging>";
    assert_eq!(world.send(&format!("PUT /pics/k?tagging\n\n{tags}")).await.status, 200);
    let got = world.send("GET /pics/k?tagging").await;
    assert_eq!((got.element("Key"), got.element("Value")), ("a", "1 &amp; 2"));
    assert_eq!(world.send("DELETE /pics/k?tagging").await.status, 204);
    assert_eq!(world.send("GET /pics/k?tagging").await.elements("Tag").len(), 0);
    let told = world.send("GET /pics/k?attributes\nx-amz-object-attributes: ETag,ObjectSize, Checksum").await;
    assert_eq!((told.element("ObjectSize"), told.element("ETag")), ("5", "5d41402abc4b2a76b9719d911017c592"));
    assert_eq!(told.element("ChecksumType"), "FULL_OBJECT");
    assert_eq!(told.element("ChecksumCRC64NVME").len(), 12);
    assert_eq!(told.element("StorageClass"), "");
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
