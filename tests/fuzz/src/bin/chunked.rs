//! Bodies in the vendor's chunks, as any client might cut them or get them wrong.
#![no_main]

use axum::body::Body;
use http::Request;
use libfuzzer_sys::fuzz_target;
use mlemu_fuzz::{Answer, World, in_pieces, run};

const FORMS: [&str; 4] = [
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
];
const TRAILERS: [&str; 4] = ["", "x-amz-checksum-crc32", "x-amz-checksum-sha256", "x-amz-checksum-crc64nvme"];

fuzz_target!(|input: &[u8]| {
    let [kind, length, rest @ ..] = input else { return };
    run(async |world| one(world, *kind, *length, rest).await);
});

async fn one(world: &World, kind: u8, length: u8, body: &[u8]) {
    let whole = put(world, kind, length, Body::from(body.to_vec())).await;
    let stored = get(world).await;
    let cut = put(world, kind, length, in_pieces(body, &[1, 2, 5, 64])).await;
    assert_eq!(whole.status, cut.status, "it depends on where the network cuts");
    if whole.status == 200 {
        assert_eq!(stored.body, get(world).await.body, "it depends on where the network cuts");
        let decoded = decoded(body).expect("what is no chunks was taken");
        assert_eq!(stored.body, decoded, "the framing is in the object, or bytes are lost");
    }
}

async fn put(world: &World, kind: u8, length: u8, body: Body) -> Answer {
    let mut request = Request::put("/box/k")
        .header("host", "127.0.0.1:4566")
        .header("content-encoding", "aws-chunked")
        .header("x-amz-content-sha256", FORMS[usize::from(kind & 3)]);
    let trailer = TRAILERS[usize::from(kind >> 2 & 3)];
    if !trailer.is_empty() {
        request = request.header("x-amz-trailer", trailer);
    }
    // The longest are not said.
    if length < 0xf0 {
        request = request.header("x-amz-decoded-content-length", length.to_string());
    }
    world.ask(request.body(body).expect("a request")).await
}

async fn get(world: &World) -> Answer {
    let request = Request::get("/box/k").header("host", "127.0.0.1:4566").body(Body::empty());
    world.ask(request.expect("a request")).await
}

/// What the chunks hold, by the plainest reading of the vendor's page; `None`: they are none.
fn decoded(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n")?;
        let line = std::str::from_utf8(&body[..end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        body = &body[end + 2..];
        if size == 0 {
            return Some(all);
        }
        all.extend_from_slice(body.get(..size)?);
        body = body.get(size..)?.strip_prefix(b"\r\n")?;
    }
}
