//! Uploads by HTML forms.
#![no_main]

use axum::body::Body;
use http::Request;
use libfuzzer_sys::fuzz_target;
use mlemu_fuzz::{Answer, World, in_pieces, run};

fuzz_target!(|input: &[u8]| {
    run(async |world| {
        let whole = post(world, Body::from(input.to_vec())).await;
        let cut = post(world, in_pieces(input, &[1, 3, 17, 200])).await;
        assert_eq!(whole.status, cut.status, "it depends on where the network cuts");
        assert_eq!(
            whole.headers.get("etag"),
            cut.headers.get("etag"),
            "it depends on where the network cuts"
        );
    });
});

async fn post(world: &World, body: Body) -> Answer {
    let request = Request::post("/box")
        .header("host", "127.0.0.1:4566")
        .header("content-type", "multipart/form-data; boundary=B")
        .body(body);
    world.ask(request.expect("a request")).await
}
