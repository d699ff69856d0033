//! Blob Storage on the wire: requests in, answers out, whoever sends them.

use super::BlobStorage;
use crate::place::Place;
use crate::storage::account::Accounts;
use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use mlemu_core::Clock as _;
use mlemu_engine::SteeredClock;
use mlemu_engine::clock::Course;
use mlemu_engine::objects::Objects;
use std::sync::Arc;
use tempfile::TempDir;

const ROOT: &str = "http://127.0.0.1:10000/devstoreaccount1";

pub(crate) struct Fixture {
    pub blobs: BlobStorage,
    clock: Arc<SteeredClock>,
    _folder: TempDir,
}

pub(crate) struct Answer {
    pub status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn code(&self) -> (u16, &str) {
        (self.status, self.header("x-ms-error-code"))
    }
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SteeredClock::new());
    let objects = Objects::new(folder.path().into(), clock.clone());
    let accounts = Accounts::new(Place::new("subscription", "local", ""), "");
    let connection = accounts.connection(None, None).into();
    let blobs = BlobStorage {
        objects,
        accounts,
        clock: clock.clone(),
        strict: false,
        address: Arc::default(),
        connection,
    };
    Fixture { blobs, clock, _folder: folder }
}

impl Fixture {
    /// `line`: method and what comes after the account.
    pub async fn send(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request =
            Request::builder().method(method).uri(format!("{ROOT}{path}")).header("host", "127.0.0.1:10000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.blobs.answer(request.body(Body::from(body.to_vec())).unwrap()).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub async fn with_container() -> Self {
        let fixture = fixture();
        assert_eq!(fixture.send("PUT /pics?restype=container", &[], b"").await.status, 201);
        fixture
    }

    async fn put(&self, name: &str, body: &[u8]) -> Answer {
        self.send(&format!("PUT /pics/{name}"), &[("x-ms-blob-type", "BlockBlob")], body).await
    }
}

#[tokio::test]
async fn a_blob_comes_and_goes() {
    let fixture = Fixture::with_container().await;
    let made = fixture.put("a%20b/c", b"hello").await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.header("content-md5"), "XUFAKrxLKna5cZ2REBfFkg==");
    assert!(made.header("etag").starts_with("\"0x8D"), "{}", made.header("etag"));
    let got = fixture.send("GET /pics/a%20b/c", &[("x-ms-range", "bytes=1-2")], b"").await;
    assert_eq!((got.status, got.text.as_str(), got.header("content-range")), (206, "el", "bytes 1-2/5"));
    assert_eq!(got.header("x-ms-blob-content-md5"), made.header("content-md5"));
    let asks = [("x-ms-range", "bytes=0-0"), ("x-ms-range-get-content-md5", "true")];
    assert_eq!(
        fixture.send("GET /pics/a%20b/c", &asks, b"").await.header("content-md5"),
        "JRDDkBHFvnBBgkI+OmlekQ=="
    );
    let head = fixture.send("HEAD /pics/a%20b/c", &[("x-ms-version", "2099-01-01")], b"").await;
    assert_eq!(
        (head.status, head.header("content-length"), head.header("x-ms-version")),
        (200, "5", "2099-01-01")
    );
    assert_eq!(fixture.send("DELETE /pics/a%20b/c", &[], b"").await.status, 202);
    let gone = fixture.send("GET /pics/a%20b/c", &[("x-ms-client-request-id", "mine")], b"").await;
    assert_eq!(gone.code(), (404, "BlobNotFound"));
    assert!(gone.text.contains("<Code>BlobNotFound</Code>"), "{}", gone.text);
    assert_eq!((gone.header("x-ms-client-request-id"), gone.header("x-ms-request-id").len()), ("mine", 36));
    let head = fixture.send("HEAD /pics/a%20b/c", &[], b"").await;
    assert_eq!((head.code(), head.text.as_str()), ((404, "BlobNotFound"), ""));
}

/// A request and its headers and body, and how it is refused.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], (u16, &'a str));

/// That each is refused so, and that nothing of it did anything to the one blob that there is.
async fn all_refused(fixture: &Fixture, cases: &[Case<'_>]) {
    for (line, headers, body, expected) in cases {
        let answer = fixture.send(line, headers, body).await;
        assert_eq!(answer.code(), *expected, "{line} {headers:?}: {}", answer.text);
    }
    assert_eq!(fixture.send("GET /pics/a", &[], b"").await.text, "x");
    let listed = fixture.send("GET /pics?restype=container&comp=list", &[], b"").await.text;
    assert_eq!(listed.matches("<Blob>").count(), 1, "{listed}");
}

#[tokio::test]
async fn what_is_not_right_is_refused_by_its_name() {
    let fixture = Fixture::with_container().await;
    fixture.put("a", b"x").await;
    let block = [("x-ms-blob-type", "BlockBlob")];
    let page = |more: &'static str| [("x-ms-blob-type", "PageBlob"), ("x-ms-blob-content-length", more)];
    let cases: &[Case] = &[
        ("GET /pics/a", &[("x-ms-version", "latest")], b"", (400, "InvalidHeaderValue")),
        ("GET /pics/a", &[("authorization", "SharedKey x")], b"", (400, "InvalidAuthenticationInfo")),
        (
            "GET /pics/a?sv=2026-10-06&sig=AAAA&sr=b&sp=r&se=2099-01-01",
            &[],
            b"",
            (403, "AuthenticationFailed"),
        ),
        ("PUT /pics/b", &[], b"x", (400, "MissingRequiredHeader")),
        ("PUT /pics/b", &[("x-ms-blob-type", "Own")], b"x", (400, "InvalidHeaderValue")),
        ("PUT /none/b", &block, b"x", (404, "ContainerNotFound")),
        ("PUT /pics/b", &[block[0], ("content-md5", "no digest")], b"x", (400, "InvalidMd5")),
        ("PUT /pics/b", &[block[0], ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")], b"x", (400, "Md5Mismatch")),
        ("PUT /pics/b", &[block[0], ("x-ms-content-crc64", "AAAAAAAAAAA=")], b"x", (400, "Crc64Mismatch")),
        ("PUT /pics/b", &[block[0], ("x-ms-access-tier", "Lukewarm")], b"x", (400, "InvalidHeaderValue")),
        ("PUT /pics/b", &[block[0], ("x-ms-meta-1", "x")], b"x", (400, "InvalidMetadata")),
        ("PUT /pics/b", &[block[0], ("x-ms-tags", "a=1&a=2")], b"x", (400, "InvalidInput")),
        ("PUT /pics/b", &page("511"), b"", (400, "InvalidHeaderValue")),
        ("PUT /pics/b", &page("99999999999999999999"), b"", (400, "InvalidHeaderValue")),
        ("PUT /pics/b", &page("512"), b"x", (400, "InvalidBlobOrBlock")),
        ("PUT /pics/a?comp=block", &[], b"x", (400, "MissingRequiredQueryParameter")),
        ("PUT /pics/a?comp=block&blockid=%21", &[], b"x", (400, "InvalidQueryParameterValue")),
        ("PUT /pics/a?comp=blocklist", &[], b"<BlockList><Latest>", (400, "InvalidXmlDocument")),
        (
            "PUT /pics/a?comp=blocklist",
            &[],
            b"<BlockList><Latest>%</Latest></BlockList>",
            (400, "InvalidBlockId"),
        ),
        (
            "PUT /pics/a?comp=blocklist",
            &[],
            b"<BlockList><Latest>YQ==</Latest></BlockList>",
            (400, "InvalidBlockList"),
        ),
        ("PUT /pics/a?comp=appendblock", &[], b"x", (409, "InvalidBlobType")),
        (
            "PUT /pics/a?comp=page",
            &[("x-ms-page-write", "update"), ("range", "bytes=0-511")],
            b"x",
            (409, "InvalidBlobType"),
        ),
        ("GET /pics/a", &[("x-ms-range", "bytes=5-2")], b"", (400, "InvalidHeaderValue")),
        ("GET /pics/a", &[("range", "bytes=7-")], b"", (416, "InvalidRange")),
        ("GET /pics/a?snapshot=yesterday", &[], b"", (400, "InvalidQueryParameterValue")),
        ("GET /pics/a", &[("if-modified-since", "yesterday")], b"", (400, "InvalidHeaderValue")),
        ("GET /pics/a", &[("x-ms-if-tags", "no filter")], b"", (400, "InvalidHeaderValue")),
        ("PUT /pics/a?comp=lease", &[("x-ms-lease-action", "steal")], b"", (400, "InvalidHeaderValue")),
    ];
    all_refused(&fixture, cases).await;
}

#[tokio::test]
async fn what_is_not_right_of_the_rest_is_refused_as_well() {
    let fixture = Fixture::with_container().await;
    fixture.put("a", b"x").await;
    let cases: &[Case] = &[
        ("PUT /pics/a?comp=tags", &[], b"<Tags>", (400, "InvalidXmlDocument")),
        ("PUT /pics/a?comp=tier", &[], b"", (400, "MissingRequiredHeader")),
        (
            "GET /pics?restype=container&comp=list&maxresults=0",
            &[],
            b"",
            (400, "OutOfRangeQueryParameterValue"),
        ),
        ("GET /pics?restype=container&comp=list&marker=%25", &[], b"", (400, "InvalidQueryParameterValue")),
        ("GET /pics?restype=container&comp=list&include=own", &[], b"", (400, "InvalidQueryParameterValue")),
        ("PUT /pics?restype=container&comp=acl", &[], b"<SignedIdentifiers>", (400, "InvalidXmlDocument")),
        ("PUT /?restype=service&comp=properties", &[], b"<Other/>", (400, "InvalidXmlDocument")),
        ("POST /?restype=service&comp=userdelegationkey", &[], b"<KeyInfo/>", (400, "InvalidXmlNodeValue")),
        ("POST /?comp=batch", &[("content-type", "text/plain")], b"", (400, "InvalidHeaderValue")),
        (
            "POST /?comp=batch",
            &[("content-type", "multipart/mixed; boundary=b")],
            b"--b",
            (400, "InvalidInput"),
        ),
        ("GET /?comp=blobs&where=nonsense", &[], b"", (400, "InvalidQueryParameterValue")),
        ("PUT /pics/a?comp=own", &[], b"", (400, "InvalidQueryParameterValue")),
        ("PUT /pics/a?comp=immutabilityPolicies", &[], b"", (501, "NotImplemented")),
        (
            "PUT /pics/b",
            &[("x-ms-copy-source", "https://example.com/a")],
            b"",
            (404, "CannotVerifyCopySource"),
        ),
        ("PUT /pics/b", &[("x-ms-copy-source", "nowhere")], b"", (400, "InvalidHeaderValue")),
    ];
    all_refused(&fixture, cases).await;
}

#[tokio::test]
async fn names_that_are_no_text_for_a_document_are_encoded() {
    let fixture = Fixture::with_container().await;
    fixture.put("a%01b", b"x").await;
    fixture.put("%3Cx%3E&amp;", b"x").await;
    let listed = fixture.send("GET /pics?restype=container&comp=list", &[], b"").await.text;
    assert!(listed.contains("<Name Encoded=\"true\">a%01b</Name>"), "{listed}");
    assert!(listed.contains("&lt;x&gt;&amp;amp;"), "{listed}");
}

#[tokio::test]
async fn a_lease_ends_by_the_clock() {
    let fixture = Fixture::with_container().await;
    fixture.put("a", b"x").await;
    let acquire = [("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", "15")];
    let leased = fixture.send("PUT /pics/a?comp=lease", &acquire, b"").await;
    assert_eq!(leased.status, 201);
    assert_eq!(fixture.put("a", b"y").await.code(), (412, "LeaseIdMissing"));
    let own = [("x-ms-blob-type", "BlockBlob"), ("x-ms-lease-id", leased.header("x-ms-lease-id"))];
    assert_eq!(fixture.send("PUT /pics/a", &own, b"y").await.status, 201);
    let later = fixture.clock.now().plus(std::time::Duration::from_secs(16));
    fixture.clock.set(Course::Steered { at: later, rate: 0.0 }).await;
    assert_eq!(fixture.send("PUT /pics/a", &own, b"y").await.code(), (412, "LeaseLost"));
    assert_eq!(fixture.put("a", b"z").await.status, 201);
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let fixture = Fixture::with_container().await;
    fixture.put("a", b"x").await;
    let ask = |account: &str| {
        let request = Request::builder().method(Method::GET).uri(format!("/{account}/pics/a"));
        fixture.blobs.answer(request.body(Body::empty()).unwrap())
    };
    assert_eq!(ask("devstoreaccount1").await.status(), 200);
    assert_eq!(ask("devstoreaccount1-secondary").await.status(), 200);
    assert_eq!(ask("another").await.status(), 404);
    assert_eq!(ask("No_Account").await.status(), 400);
}

#[tokio::test]
async fn blobs_put_together_anew_share_what_was_there() {
    let fixture = Fixture::with_container().await;
    for (id, body) in [("YQ==", "one"), ("Yg==", "two")] {
        let line = format!("PUT /pics/a?comp=block&blockid={}", id.replace('=', "%3D"));
        assert_eq!(fixture.send(&line, &[], body.as_bytes()).await.status, 201);
    }
    let list = |ids: &str| format!("<?xml version=\"1.0\"?><BlockList>{ids}</BlockList>");
    let first = list("<Uncommitted>Yg==</Uncommitted><Latest>YQ==</Latest>");
    assert_eq!(fixture.send("PUT /pics/a?comp=blocklist", &[], first.as_bytes()).await.status, 201);
    assert_eq!(fixture.send("GET /pics/a", &[], b"").await.text, "twoone");
    let second = list("<Committed>YQ==</Committed><Committed>YQ==</Committed>");
    assert_eq!(fixture.send("PUT /pics/a?comp=blocklist", &[], second.as_bytes()).await.status, 201);
    assert_eq!(fixture.send("GET /pics/a", &[], b"").await.text, "oneone");
    let listed = fixture.send("GET /pics/a?comp=blocklist&blocklisttype=all", &[], b"").await.text;
    assert!(
        listed.ends_with("</CommittedBlocks><UncommittedBlocks></UncommittedBlocks></BlockList>"),
        "{listed}"
    );
}

#[tokio::test]
async fn a_snapshot_stays_whatever_becomes_of_the_blob() {
    let fixture = Fixture::with_container().await;
    let before = fixture.put("a", b"one").await;
    let kept = fixture.send("PUT /pics/a?comp=snapshot", &[], b"").await;
    let name = kept.header("x-ms-snapshot").to_owned();
    let same = fixture.send("HEAD /pics/a", &[], b"").await;
    assert_eq!(same.header("etag"), before.header("etag"), "the blob itself is as it was");
    fixture.put("a", b"two").await;
    assert_eq!(fixture.send(&format!("GET /pics/a?snapshot={name}"), &[], b"").await.text, "one");
    assert_eq!(fixture.send("DELETE /pics/a", &[], b"").await.code(), (409, "SnapshotsPresent"));
    assert_eq!(
        fixture.send("DELETE /pics/a", &[("x-ms-delete-snapshots", "include")], b"").await.status,
        202
    );
    assert_eq!(fixture.send(&format!("GET /pics/a?snapshot={name}"), &[], b"").await.status, 404);
}

#[tokio::test]
async fn a_source_is_not_read_that_is_too_large() {
    let fixture = Fixture::with_container().await;
    let page = [("x-ms-blob-type", "PageBlob"), ("x-ms-blob-content-length", "8796093022208")];
    assert_eq!(fixture.send("PUT /pics/vast", &page, b"").await.status, 201);
    assert_eq!(fixture.send("PUT /pics/log", &[("x-ms-blob-type", "AppendBlob")], b"").await.status, 201);
    let from = ("x-ms-copy-source", "http://127.0.0.1:10000/devstoreaccount1/pics/vast");
    let of = |bytes: &'static str| [from, ("x-ms-source-range", bytes)];
    let update = [("x-ms-page-write", "update"), ("range", "bytes=0-4194815")];
    let too_large = (413, "RequestBodyTooLarge");
    let cases: [(&str, Vec<(&str, &str)>); 4] = [
        ("PUT /pics/b", vec![from, ("x-ms-blob-type", "BlockBlob")]),
        ("PUT /pics/b?comp=block&blockid=YQ%3D%3D", of("bytes=0-4194304000").to_vec()),
        ("PUT /pics/log?comp=appendblock", of("bytes=0-104857600").to_vec()),
        ("PUT /pics/vast?comp=page", [&of("bytes=0-4194815")[..], &update].concat()),
    ];
    for (line, headers) in cases {
        assert_eq!(fixture.send(line, &headers, b"").await.code(), too_large, "{line}");
    }
    let fits = fixture.send("PUT /pics/log?comp=appendblock", &of("bytes=0-511"), b"").await;
    assert_eq!(fits.status, 201, "{}", fits.text);
}

#[tokio::test]
async fn pages_are_told_that_were_written_since_a_snapshot() {
    let fixture = Fixture::with_container().await;
    let page = [("x-ms-blob-type", "PageBlob"), ("x-ms-blob-content-length", "4096")];
    assert_eq!(fixture.send("PUT /pics/p", &page, b"").await.status, 201);
    let write = async |action: &str, range: &str, body: &[u8]| {
        let headers = [("x-ms-page-write", action), ("range", range)];
        let written = fixture.send("PUT /pics/p?comp=page", &headers, body).await;
        assert_eq!(written.status, 201, "{}", written.text);
    };
    write("update", "bytes=0-1535", &[1; 1536]).await;
    let kept = fixture.send("PUT /pics/p?comp=snapshot", &[], b"").await;
    write("update", "bytes=512-1023", &[2; 512]).await;
    write("clear", "bytes=1024-1535", b"").await;
    write("update", "bytes=3584-4095", &[3; 512]).await;
    let line = format!("GET /pics/p?comp=pagelist&prevsnapshot={}", kept.header("x-ms-snapshot"));
    let told = fixture.send(&line, &[], b"").await.text;
    let range = |name, start, end| format!("<{name}><Start>{start}</Start><End>{end}</End></{name}>");
    let expected =
        [range("PageRange", 512, 1023), range("PageRange", 3584, 4095), range("ClearRange", 1024, 1535)];
    assert!(told.contains(&format!("<PageList>{}</PageList>", expected.concat())), "{told}");
}

#[tokio::test]
async fn ids_of_blocks_are_of_one_length() {
    let fixture = Fixture::with_container().await;
    let put = async |id: &str| fixture.send(&format!("PUT /pics/a?comp=block&blockid={id}"), &[], b"x").await;
    assert_eq!(put("YWE%3D").await.status, 201);
    assert_eq!(put("YQ%3D%3D").await.code(), (400, "InvalidBlobOrBlock"));
    assert_eq!(put("YmI%3D").await.status, 201);
}

#[tokio::test]
async fn tags_are_only_copied_for_who_says_so() {
    let fixture = Fixture::with_container().await;
    let tagged = [("x-ms-blob-type", "BlockBlob"), ("x-ms-tags", "kind=rose")];
    assert_eq!(fixture.send("PUT /pics/a", &tagged, b"x").await.status, 201);
    let from = ("x-ms-copy-source", "http://127.0.0.1:10000/devstoreaccount1/pics/a");
    let (sync, copy) = (("x-ms-requires-sync", "true"), ("x-ms-copy-source-tag-option", "COPY"));
    let own = ("x-ms-tags", "kind=tulip");
    let whole = ("x-ms-blob-type", "BlockBlob");
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[from], ""),
        (&[from, copy], ""),
        (&[from, own], "tulip"),
        (&[from, sync], ""),
        (&[from, sync, copy], "rose"),
        (&[from, whole], ""),
        (&[from, whole, copy], "rose"),
    ];
    for (headers, kind) in cases {
        let copied = fixture.send("PUT /pics/b", headers, b"").await;
        assert!(matches!(copied.status, 201 | 202), "{headers:?}: {}", copied.text);
        let tags = fixture.send("GET /pics/b?comp=tags", &[], b"").await.text;
        let have = tags.split_once("<Value>").map_or("", |(_, rest)| rest.split('<').next().unwrap());
        assert_eq!(have, kind, "{headers:?}: {tags}");
    }
}

#[tokio::test]
async fn blobs_are_found_page_by_page() {
    let fixture = Fixture::with_container().await;
    // Before `pics/a` by its bytes, behind it by its container.
    assert_eq!(fixture.send("PUT /pics-2?restype=container", &[], b"").await.status, 201);
    let tagged = [("x-ms-blob-type", "BlockBlob"), ("x-ms-tags", "kind=rose")];
    for name in ["pics/a", "pics/b/c", "pics/d", "pics-2/a"] {
        assert_eq!(fixture.send(&format!("PUT /{name}"), &tagged, b"x").await.status, 201);
    }
    fixture.put("untagged", b"x").await;
    let (mut found, mut marker) = (Vec::new(), String::new());
    for _ in 0..4 {
        let line = format!("GET /?comp=blobs&where=kind%3D%27rose%27&maxresults=1&marker={marker}");
        let page = fixture.send(&line, &[], b"").await.text;
        let of = |name: &str| {
            let (_, rest) = page.split_once(&format!("<{name}>"))?;
            Some(rest.split('<').next().unwrap().to_owned())
        };
        found.push(format!("{}/{}", of("ContainerName").unwrap(), of("Name").unwrap()));
        marker = of("NextMarker").unwrap_or_default();
    }
    assert_eq!((found.join(" "), marker), ("pics/a pics/b/c pics/d pics-2/a".to_owned(), String::new()));
    let of_one = fixture.send("GET /pics-2?restype=container&comp=blobs&where=kind%3D%27rose%27", &[], b"");
    assert_eq!(of_one.await.text.matches("<Blob>").count(), 1);
}
