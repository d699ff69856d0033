//! Documents that S3 takes: configurations, lists of keys and of parts.
#![no_main]

use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use http::{Method, Request};
use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};
use mlemu_fuzz::{Answer, World, run};

/// Of buckets; what one takes it also tells.
const KEPT: [&str; 14] = [
    "/box?cors",
    "/box?tagging",
    "/box?lifecycle",
    "/box?versioning",
    "/box?notification",
    "/box?encryption",
    "/box?website",
    "/box?publicAccessBlock",
    "/box?ownershipControls",
    "/box?acl",
    "/box?replication",
    "/box?logging",
    "/box/k?tagging",
    "/box/k?acl",
];
const OTHERS: [&str; 4] = ["/box?delete", "/box/k?uploadId=none", "/box/k?restore", "/box?object-lock"];

fuzz_target!(|input: &[u8]| {
    let [which, document @ ..] = input else { return };
    run(async |world| one(world, usize::from(*which), document).await);
});

async fn one(world: &World, which: usize, document: &[u8]) {
    ask(world, Method::PUT, "/box/k", b"x").await;
    if let Some(path) = KEPT.get(which % (KEPT.len() + OTHERS.len())) {
        if !ask(world, Method::PUT, path, document).await.status.is_success() {
            return;
        }
        let told = ask(world, Method::GET, path, b"").await;
        assert_ne!(told.status.as_u16() / 100, 5, "{path}: {told:?}");
        if told.status == 200 {
            let again = ask(world, Method::PUT, path, &told.body).await;
            assert!(again.status.is_success(), "{path}: it does not take what it tells: {told:?} {again:?}");
        }
        return;
    }
    let path = OTHERS[which % OTHERS.len()];
    let answer = ask(world, Method::POST, path, document).await;
    assert!(answer.status != 500, "{path}: {answer:?}");
}

async fn ask(world: &World, method: Method, path: &str, body: &[u8]) -> Answer {
    // Lists of keys to delete must come with a sum.
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:4566")
        .header("content-md5", BASE64.encode(Md5::digest(body)));
    world.ask(request.body(Body::from(body.to_vec())).expect("a request")).await
}
