//! Multipart uploads.

use super::*;

async fn begin(world: &World, headers: &str) -> String {
    world.send(&format!("POST /pics/k?uploads\n{headers}")).await.element("UploadId").to_owned()
}

fn list(parts: &[(u16, &str)]) -> String {
    let part = |(number, etag): &(u16, &str)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    };
    format!(
        "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
        parts.iter().map(part).collect::<String>()
    )
}

const PART: usize = 5 * 1024 * 1024;

#[tokio::test]
async fn parts_become_an_object() {
    let mut world = world();
    subscribe_to_all(&world);
    let id = begin(&world, "content-type: image/png\nx-amz-checksum-algorithm: CRC32").await;
    let mut etags = Vec::new();
    for (number, body) in [(1, vec![b'a'; PART]), (2, b"tail".to_vec())] {
        let head = format!("PUT /pics/k?partNumber={number}&uploadId={id}");
        let reply = world.send_with(&head, body).await;
        assert_eq!(reply.header("x-amz-checksum-crc32").len(), 8);
        etags.push(reply.header("etag").to_owned());
    }
    let parts = world.send(&format!("GET /pics/k?uploadId={id}")).await;
    assert_eq!(
        (parts.elements("PartNumber"), parts.elements("Size")),
        (vec!["1", "2"], vec!["5242880", "4"])
    );
    assert_eq!(world.send("GET /pics?uploads").await.element("UploadId"), id);
    let wanted = list(&[(1, &etags[0]), (2, &etags[1])]);
    let finish = format!("POST /pics/k?uploadId={id}\n\n{wanted}");
    let done = world.send(&finish).await;
    assert!(done.element("ETag").ends_with("-2&quot;") && done.element("ChecksumCRC32").ends_with("-2"));
    assert_eq!(
        (done.element("Location"), done.element("ChecksumType")),
        ("http://127.0.0.1:4566/pics/k", "COMPOSITE")
    );
    let again = world.send(&finish).await;
    assert_eq!((again.status.as_u16(), again.element("ETag")), (200, done.element("ETag")));
    let second = world.send("GET /pics/k?partNumber=2").await;
    assert_eq!((second.status.as_u16(), second.body.as_str()), (206, "tail"));
    assert_eq!((second.header("x-amz-mp-parts-count"), second.header("content-type")), ("2", "image/png"));
    assert_eq!(world.send("GET /pics/k?partNumber=3").await.code(), (416, "InvalidPartNumber"));
    let events = world.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["eventName"], "ObjectCreated:CompleteMultipartUpload");
    assert_eq!(events[0]["s3"]["object"]["size"], 5_242_884);
}

fn subscribe_to_all(world: &World) {
    let scope = Arc::new(Scope::new("aws", "000000000000", "us-east-1"));
    let subscription = Subscription {
        id: None,
        events: vec!["s3:ObjectCreated:*".into()],
        prefix: None,
        suffix: None,
        function: FunctionId::new(scope, "score"),
    };
    world.s3.subscribe("pics", subscription).unwrap();
}

#[tokio::test]
async fn a_full_checksum_is_that_of_the_bytes() {
    let world = world();
    let id = begin(&world, "").await;
    let mut whole = Vec::new();
    let mut etags = Vec::new();
    for (number, body) in [(1, vec![b'x'; PART]), (2, vec![b'y'; PART + 3])] {
        whole.extend_from_slice(&body);
        let head = format!("PUT /pics/k?partNumber={number}&uploadId={id}");
        etags.push(world.send_with(&head, body).await.header("etag").to_owned());
    }
    let wanted = list(&[(1, &etags[0]), (2, &etags[1])]);
    let done = world.send(&format!("POST /pics/k?uploadId={id}\n\n{wanted}")).await;
    let single = world.send_with("PUT /pics/single", whole).await;
    assert_eq!(done.element("ChecksumCRC64NVME"), single.header("x-amz-checksum-crc64nvme"));
    let copied = world.send("PUT /pics/copy\nx-amz-copy-source: pics/k").await;
    assert_eq!(copied.element("ETag").replace("&quot;", "\""), single.header("etag"));
}

#[tokio::test]
async fn wrong_completions_are_refused_and_the_upload_stays() {
    let world = world();
    let id = begin(&world, "").await;
    let mut etags = Vec::new();
    for number in 1..=2 {
        let reply = world.send(&format!("PUT /pics/k?partNumber={number}&uploadId={id}\n\nsmall")).await;
        etags.push(reply.header("etag").to_owned());
    }
    let complete = async |parts: &[(u16, &str)]| {
        let reply = world.send(&format!("POST /pics/k?uploadId={id}\n\n{}", list(parts))).await;
        reply.code().1.to_owned()
    };
    assert_eq!(complete(&[(2, &etags[1]), (1, &etags[0])]).await, "InvalidPartOrder");
    assert_eq!(complete(&[(1, &etags[0]), (2, &etags[1])]).await, "EntityTooSmall");
    assert_eq!(complete(&[(1, "\"x\"")]).await, "InvalidPart");
    assert_eq!(complete(&[(7, &etags[0])]).await, "InvalidPart");
    assert_eq!(complete(&[]).await, "MalformedXML");
    assert_eq!(
        world.send(&format!("PUT /pics/k?partNumber=0&uploadId={id}\n\nx")).await.code(),
        (400, "InvalidArgument")
    );
    assert_eq!(world.send("PUT /pics/k?partNumber=1&uploadId=no\n\nx").await.code(), (404, "NoSuchUpload"));
    assert_eq!(complete(&[(1, &etags[0])]).await, "");
    let id = begin(&world, "").await;
    assert_eq!(world.send(&format!("DELETE /pics/k?uploadId={id}")).await.status, 204);
    assert_eq!(world.send(&format!("DELETE /pics/k?uploadId={id}")).await.code(), (404, "NoSuchUpload"));
}

#[tokio::test]
async fn parts_can_be_copied_from_ranges() {
    let world = world();
    world.send("PUT /pics/from\n\n0123456789").await;
    let id = begin(&world, "").await;
    let head = format!("PUT /pics/k?partNumber=1&uploadId={id}\nx-amz-copy-source: pics/from");
    let wrong = world.send(&format!("{head}\nx-amz-copy-source-range: bytes=5-10")).await;
    assert_eq!(wrong.code(), (400, "InvalidArgument"));
    let part = world.send(&format!("{head}\nx-amz-copy-source-range: bytes=3-5")).await;
    let etag = part.element("ETag");
    world.send(&format!("POST /pics/k?uploadId={id}\n\n{}", list(&[(1, etag)]))).await;
    assert_eq!(world.send("GET /pics/k").await.body, "345");
}
