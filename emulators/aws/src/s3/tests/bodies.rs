//! Bodies: lengths, digests, framing, signatures.

use super::*;

const FRAMED: &str =
    "content-encoding: aws-chunked\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER";

#[tokio::test]
async fn digests_are_checked_and_answered() {
    let world = world();
    let good = world.send("PUT /pics/k\nx-amz-checksum-crc32: NhCmhg==\n\nhello").await;
    assert_eq!((good.status.as_u16(), good.header("x-amz-checksum-crc32")), (200, "NhCmhg=="));
    let kept = world.send("GET /pics/k\nx-amz-checksum-mode: ENABLED").await;
    assert_eq!(kept.header("x-amz-checksum-crc32"), "NhCmhg==");
    let wrong = world.send("PUT /pics/k\nx-amz-checksum-crc32: AAAAAA==\n\nhello").await;
    assert_eq!(wrong.code(), (400, "BadDigest"));
    assert_eq!(wrong.element("Message"), "The CRC32 you specified did not match the calculated checksum.");
    assert_eq!(world.send("PUT /pics/k\ncontent-md5: AAAA\n\nhello").await.code(), (400, "InvalidDigest"));
    let other = world.send("PUT /pics/k\ncontent-md5: 1B2M2Y8AsgTpgAmY7PhCfg==\n\nhello").await;
    assert_eq!(other.code(), (400, "BadDigest"));
    assert_eq!(world.send("PUT /pics/k\ncontent-md5: XUFAKrxLKna5cZ2REBfFkg==\n\nhello").await.status, 200);
    let named = world.send("PUT /pics/k\nx-amz-sdk-checksum-algorithm: SHA256\n\nhello").await;
    assert_eq!(named.header("x-amz-checksum-sha256"), "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
}

#[tokio::test]
async fn framed_bodies_with_trailers() {
    let world = world();
    let send = async |headers: &str, body: &str| {
        world.send_with(&format!("PUT /pics/k\n{FRAMED}\n{headers}"), body.as_bytes().to_vec()).await
    };
    let announced = "x-amz-decoded-content-length: 5\nx-amz-trailer: x-amz-checksum-crc32";
    let good = send(announced, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n").await;
    assert_eq!((good.status.as_u16(), good.header("x-amz-checksum-crc32")), (200, "NhCmhg=="));
    let got = world.send("GET /pics/k").await;
    assert_eq!((got.body.as_str(), got.header("content-encoding")), ("hello", ""));
    let lied = send(announced, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n").await;
    assert_eq!(lied.code(), (400, "BadDigest"));
    let silent = send(announced, "5\r\nhello\r\n0\r\n\r\n").await;
    assert_eq!(silent.code(), (400, "MalformedTrailerError"));
    let cut = send(announced, "5\r\nhel").await;
    assert_eq!(cut.code(), (400, "IncompleteBody"));
    let long = send("x-amz-decoded-content-length: 4", "5\r\nhello\r\n0\r\n\r\n").await;
    assert_eq!(long.code(), (400, "IncompleteBody"));
    assert_eq!(send("", "5\r\nhello\r\n0\r\n\r\n").await.code(), (411, "MissingContentLength"));
    let absurd = send("x-amz-decoded-content-length: -1", "0\r\n\r\n").await;
    assert_eq!(absurd.code(), (400, "InvalidArgument"));
    let huge = send("x-amz-decoded-content-length: 5368709121", "0\r\n\r\n").await;
    assert_eq!(huge.code(), (400, "EntityTooLarge"));
}

#[tokio::test]
async fn documents_have_a_size() {
    let world = world();
    let head = "PUT /pics?notification";
    let reply = world.send_with(head, vec![b' '; 2 * 1024 * 1024 + 1]).await;
    assert_eq!(reply.code(), (400, "MaxMessageLengthExceeded"));
    assert_eq!(
        world.send("PUT /pics/k\nx-amz-server-side-encryption-customer-algorithm: AES256\n\nx").await.code(),
        (501, "NotImplemented")
    );
}

#[tokio::test]
async fn large_bodies_stream_through_files() {
    let world = world();
    let body: Vec<u8> = (0..3_000_000_u32).map(|at| b'a' + (at % 23) as u8).collect();
    assert_eq!(world.send_with("PUT /pics/k", body.clone()).await.status, 200);
    let got = world.send("GET /pics/k").await;
    assert!(got.body.as_bytes() == body && got.header("content-length") == "3000000");
    let tail = world.send("GET /pics/k\nrange: bytes=-3").await;
    assert_eq!(tail.body.as_bytes(), &body[2_999_997..]);
}

#[tokio::test]
async fn strict_signatures_let_only_known_keys_in() {
    let strict = Settings { strict_auth: true, ..settings() };
    let world = world_with(strict);
    assert_eq!(world.send("GET /").await.code(), (403, "AccessDenied"));
    let unknown = "authorization: AWS4-HMAC-SHA256 Credential=who/20300101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00\nx-amz-date: 20300101T000000Z";
    assert_eq!(world.send(&format!("GET /\n{unknown}")).await.code(), (403, "RequestTimeTooSkewed"));
    let presigned = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=key/20300101/us-east-1/s3/aws4_request&X-Amz-Date=20300101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    let wrong = world.send(&format!("GET /pics?{presigned}")).await;
    assert_eq!((wrong.code(), wrong.element("AWSAccessKeyId")), ((403, "SignatureDoesNotMatch"), "key"));
    let who = presigned.replace("=key/", "=who/");
    assert_eq!(world.send(&format!("GET /pics?{who}")).await.code(), (403, "InvalidAccessKeyId"));
}

#[tokio::test]
async fn an_expired_url_is_refused_even_unverified() {
    let world = world();
    let url = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=any/20200101/us-east-1/s3/aws4_request&X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    let late = world.send(&format!("PUT /pics/k?{url}\n\nx")).await;
    assert_eq!((late.code(), late.element("Message")), ((403, "AccessDenied"), "Request has expired"));
    assert_eq!(late.element("Expires"), "2020-01-01T00:01:00Z");
    assert_eq!(
        world.send("GET /pics/k?AWSAccessKeyId=a&Signature=s&Expires=1").await.code(),
        (403, "AccessDenied")
    );
    assert_eq!(world.send("GET /pics/k").await.code(), (404, "NoSuchKey"));
}
