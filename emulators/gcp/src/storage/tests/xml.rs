//! The XML API: objects by their paths, forms, uploads in parts.

use super::*;

impl Shop {
    async fn xml(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Response) {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8085");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.storage.handle_xml(request.body(Body::from(body.to_owned())).unwrap()).await;
        (response.status().as_u16(), response)
    }

    /// What stands between the tags of that name.
    async fn said(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        tag: &str,
    ) -> String {
        let (_, response) = self.xml(method, path, headers, body).await;
        let text = text(response).await;
        let (begin, end) = (format!("<{tag}>"), format!("</{tag}>"));
        let rest = text.split_once(&begin).unwrap_or_else(|| panic!("{tag} in {text}")).1;
        rest.split_once(&end).unwrap().0.to_owned()
    }
}

#[tokio::test]
async fn objects_are_written_and_read_by_their_paths() {
    let shop = Shop::open().await;
    let headers =
        [("content-type", "text/plain"), ("x-goog-meta-day", "monday"), ("x-goog-acl", "public-read")];
    let (status, made) = shop.xml("PUT", "/pics/a%20b/c.txt", &headers, "hello").await;
    assert_eq!((status, header(&made, "x-goog-hash")), (200, "crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg=="));
    let shown = shop.json("GET", "/b/pics/o/a%20b%2Fc.txt?projection=full", "", 200).await;
    assert_eq!(
        (&shown["metadata"], &shown["contentType"]),
        (&json!({"day": "monday"}), &json!("text/plain"))
    );
    assert_eq!(shown["acl"][1]["entity"], "allUsers");
    let path = "/pics/a%20b/c.txt?response-content-type=a%2Fb";
    let (status, got) = shop.xml("GET", path, &[("range", "bytes=1-")], "").await;
    assert_eq!(
        (status, header(&got, "content-type"), header(&got, "x-goog-meta-day")),
        (206, "a/b", "monday")
    );
    assert_eq!(text(got).await, "ello");
    let (_, copied) = shop.xml("PUT", "/pics/copy", &[("x-goog-copy-source", "/pics/a%20b/c.txt")], "").await;
    assert!(text(copied).await.contains("<CopyObjectResult"));
    assert_eq!(shop.said("GET", "/pics?prefix=a", &[], "", "Key").await, "a b/c.txt");
    let guarded = [("x-goog-if-generation-match", "0")];
    assert_eq!(shop.said("PUT", "/pics/copy", &guarded, "x", "Code").await, "PreconditionFailed");
    assert_eq!(
        shop.said("PUT", "/pics/copy", &[("content-md5", "AAAA")], "x", "Code").await,
        "InvalidArgument"
    );
    assert_eq!(shop.xml("DELETE", "/pics/copy", &[], "").await.0, 204);
    assert_eq!(shop.said("GET", "/pics/copy", &[], "", "Code").await, "NoSuchKey");
    assert_eq!(shop.said("GET", "/nowhere/copy", &[], "", "Code").await, "NoSuchBucket");
    let long = format!("/pics/{}", "k".repeat(1025));
    assert_eq!(shop.said("PUT", &long, &[], "x", "Message").await, "Invalid object name.");
    assert_eq!(shop.said("GET", "/pics/x?acl", &[], "", "Code").await, "NotImplemented");
}

#[tokio::test]
async fn a_resumable_upload_needs_no_more_than_its_address() {
    let shop = Shop::open().await;
    let headers = [("x-goog-resumable", "start"), ("content-type", "text/plain")];
    let (status, begun) = shop.xml("POST", "/pics/long", &headers, "").await;
    let location = header(&begun, "location").to_owned();
    assert_eq!(status, 201);
    let path = location.strip_prefix("http://127.0.0.1:8085").unwrap();
    assert_eq!(shop.xml("PUT", path, &[("content-range", "bytes 0-2/*")], "abc").await.0, 308);
    let (status, done) = shop.xml("PUT", path, &[("content-range", "bytes 3-3/4")], "d").await;
    let md5 = "\"e2fc714c4727ee9395f324cd2e7f331f\"";
    assert_eq!((status, header(&done, "etag"), header(&done, "x-goog-metageneration")), (200, md5, "1"));
    assert_eq!(text(done).await, "", "the XML API has no document for it");
    assert_eq!(shop.json("GET", "/b/pics/o/long", "", 200).await["contentType"], "text/plain");
    let claims = |uri: &str| {
        let (parts, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
        shop.storage.claims_xml(&parts)
    };
    assert!(claims("/pics/x") && claims("/pics") && claims("/other/x?X-Goog-Signature=1"));
    // Of no bucket, but it could be: the vendor's own error says so.
    assert!(claims("/other/x") && !claims("/other") && !claims("/v1/x") && !claims("/compute/v1/x"));
    assert!(!claims("/") && !claims("/demo-p/us-central1/f"));
}

#[tokio::test]
async fn uploads_in_parts_are_joined() {
    let shop = Shop::open().await;
    let id = shop.said("POST", "/pics/big?uploads", &[("x-goog-meta-a", "b")], "", "UploadId").await;
    let mut listed = String::new();
    for (number, body) in [(2, "world"), (1, "hello ")] {
        let path = format!("/pics/big?partNumber={number}&uploadId={id}");
        let (status, made) = shop.xml("PUT", &path, &[], body).await;
        assert!(status == 200 && header(&made, "x-goog-hash").starts_with("crc32c="));
        let part =
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", header(&made, "etag"));
        listed = part + &listed;
    }
    let path = format!("/pics/big?uploadId={id}");
    let all = |parts: &str| format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    for (wrong, code) in [
        ("<Complete".to_owned(), "MalformedXML"),
        (all(""), "MalformedXML"),
        (all("<Part><PartNumber>7</PartNumber></Part>"), "InvalidPart"),
        (
            all("<Part><PartNumber>2</PartNumber></Part><Part><PartNumber>1</PartNumber></Part>"),
            "InvalidPartOrder",
        ),
        (all("<Part><PartNumber>99999999</PartNumber></Part>"), "MalformedXML"),
    ] {
        assert_eq!(shop.said("POST", &path, &[], &wrong, "Code").await, code, "{wrong}");
    }
    let (status, done) = shop.xml("POST", &path, &[], &all(&listed)).await;
    assert_eq!(status, 200, "{}", text(done).await);
    let shown = shop.json("GET", "/b/pics/o/big", "", 200).await;
    assert_eq!((&shown["size"], &shown["metadata"]), (&json!("11"), &json!({"a": "b"})));
    let whole = shop.put("whole", "hello world").await;
    assert_eq!(shown["crc32c"], whole["crc32c"]);
    assert_eq!(shop.said("POST", &path, &[], &all(&listed), "Code").await, "NoSuchUpload");
    assert_eq!(
        shop.said("PUT", "/pics/big?partNumber=1&uploadId=none", &[], "x", "Code").await,
        "NoSuchUpload"
    );
}

#[tokio::test]
async fn forms_upload_files() {
    let shop = Shop::open().await;
    let form = |fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        });
        let file = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\rose.txt\"\r\nContent-Type: text/plain\r\n\r\nred\r\n--x--\r\n";
        fields.collect::<String>() + file
    };
    let kind = [("content-type", "multipart/form-data; boundary=x")];
    let body = form(&[
        ("key", "in/${filename}"),
        ("success_action_status", "201"),
        ("x-goog-meta-a", "b"),
        ("Content-Type", "text/x"),
    ]);
    assert_eq!(shop.said("POST", "/pics", &kind, &body, "Key").await, "in/rose.txt");
    let shown = shop.json("GET", "/b/pics/o/in%2Frose.txt", "", 200).await;
    assert_eq!(
        (&shown["size"], &shown["metadata"], &shown["contentType"]),
        (&json!("3"), &json!({"a": "b"}), &json!("text/x"))
    );
    let (status, redirected) = shop
        .xml(
            "POST",
            "/pics/",
            &kind,
            &form(&[("key", "k"), ("success_action_redirect", "http://127.0.0.1/done")]),
        )
        .await;
    assert_eq!(status, 303);
    assert!(header(&redirected, "location").starts_with("http://127.0.0.1/done?bucket=pics&key=k"));
    let mut many = String::new();
    for at in 0..200 {
        many += &format!("--x\r\nContent-Disposition: form-data; name=\"a{at}\"\r\n\r\n1\r\n");
    }
    many += "--x--";
    for wrong in [
        form(&[]),
        form(&[("key", "a"), ("policy", "rubbish")]),
        "--x\r\n".to_owned(),
        "--x--".to_owned(),
        form(&[("key", &"k".repeat(70_000))]),
        many,
    ] {
        let (status, _) = shop.xml("POST", "/pics", &kind, &wrong).await;
        assert_eq!(status, 400, "{wrong:.200}");
    }
}
