//! All fixtures render as they are, typed parameters behave, and what a person gets wrong is explained.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use mlemu_fixtures::{FixtureError, Library, Origin, Param, Request};
use serde_json::{Value, json};

const NOW: i64 = 1_767_225_600_123_456;

fn request(params: &[&str]) -> Request {
    let params = params.iter().map(|text| text.parse::<Param>().unwrap()).collect();
    Request { params, now: NOW, seed: 7, ..Request::default() }
}

fn event(name: &str, params: &[&str]) -> Value {
    let bytes = Library::default().render(name, &request(params)).unwrap_or_else(|e| panic!("{name}: {e}"));
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn the_first_wave_is_complete() {
    let names: Vec<String> = Library::default().list().into_iter().map(|listing| listing.name).collect();
    let expected = [
        "aws/apigw/http-v2",
        "aws/apigw/rest",
        "aws/eventbridge/s3-object-created",
        "aws/function-url",
        "aws/lambda/destination",
        "aws/s3/delete",
        "aws/s3/put",
        "aws/s3/test-event",
        "aws/schedule",
        "aws/sns/notification",
        "aws/sqs/from-s3",
        "aws/sqs/message",
        "azure/blob",
        "azure/eventgrid/blob-created",
        "azure/eventgrid/validation",
        "azure/http",
        "azure/queue/message",
        "azure/queue/poison",
        "azure/timer",
        "gcp/http",
        "gcp/pubsub/from-storage",
        "gcp/pubsub/message",
        "gcp/pubsub/message-gen1",
        "gcp/pubsub/push",
        "gcp/scheduler",
        "gcp/scheduler-http",
        "gcp/storage/deleted",
        "gcp/storage/finalized",
        "gcp/storage/finalized-gen1",
        "gcp/storage/metadata-updated",
        "ml/image",
        "ml/image-url",
        "ml/tabular",
        "ml/text",
    ];
    assert_eq!(names, expected);
}

#[test]
fn each_renders_as_it_is_and_documents_itself() {
    let library = Library::default();
    for listing in library.list() {
        assert_eq!(listing.problem, None, "{}", listing.name);
        let shown = library.show(&listing.name).unwrap();
        assert!(!shown.title.is_empty() && !shown.provenance.is_empty(), "{}", listing.name);
        assert_eq!(shown.origin, Origin::BuiltIn);
        assert!(!shown.params.is_empty(), "{}", listing.name);
        assert!(shown.params.iter().all(|param| !param.doc.is_empty()), "{}", listing.name);
        let bytes = library.render(&listing.name, &request(&[])).unwrap();
        assert!(serde_json::from_slice::<Value>(&bytes).unwrap().is_object(), "{}", listing.name);
    }
}

#[test]
fn every_page_of_provenance_is_in_the_sources() {
    let sources = include_str!("../SOURCES.md");
    let library = Library::default();
    for listing in library.list() {
        let page = library.show(&listing.name).unwrap().provenance;
        assert!(sources.contains(&format!("`{}`", listing.name)), "SOURCES.md has no {}", listing.name);
        assert!(sources.contains(&page), "SOURCES.md has no {page}");
    }
}

#[test]
fn the_guide_names_every_helper() {
    let guide = include_str!("../README.md");
    for name in mlemu_fixtures::helper_names() {
        assert!(guide.contains(&format!("`{name}")), "README.md says nothing of {name}");
    }
}

#[test]
fn the_same_request_gives_the_same_bytes_and_another_seed_others() {
    let library = Library::default();
    for listing in library.list().into_iter().filter(|listing| listing.name.starts_with("aws/")) {
        let first = library.render(&listing.name, &request(&[])).unwrap();
        for _ in 0..5 {
            assert_eq!(library.render(&listing.name, &request(&[])).unwrap(), first, "{}", listing.name);
        }
        let other = Request { seed: 8, ..request(&[]) };
        assert_ne!(library.render(&listing.name, &other).unwrap(), first, "{}", listing.name);
    }
}

#[test]
fn hard_text_arrives_unharmed() {
    for text in
        [r#"{"x":1}"#, "line\nbreak\ttab", "q\"uo\\te</script>", "emoji 🌼 é", "{{uuid}}", "\u{1}\u{2028}"]
    {
        let body = format!("body={text}");
        assert_eq!(event("aws/sqs/message", &[&body])["Records"][0]["body"], json!(text));
        let message = format!("message={text}");
        assert_eq!(event("aws/sns/notification", &[&message])["Records"][0]["Sns"]["Message"], json!(text));
        assert_eq!(event("aws/apigw/rest", &[&body])["body"], json!(text));
        assert_eq!(event("ml/text", &[&format!("text={text}")])["text"], json!(text));
        let name = format!("bucket={text}");
        assert_eq!(event("aws/s3/put", &[&name])["Records"][0]["s3"]["bucket"]["name"], json!(text));
    }
}

#[test]
fn json_given_as_json_becomes_a_text_body() {
    let event = event("aws/sqs/message", &[r#"body:={"x": [1, 2.50]}"#]);
    assert_eq!(event["Records"][0]["body"], json!(r#"{"x":[1,2.5]}"#));
    // md5 of {"x":[1,2.5]}
    assert_eq!(event["Records"][0]["md5OfBody"], json!("933d2da9291b0fec3d3728a2604c1883"));
}

#[test]
fn a_batch_has_distinct_messages() {
    let batch = Request { count: 3, ..request(&[]) };
    let bytes = Library::default().render("aws/sqs/message", &batch).unwrap();
    let records: Value = serde_json::from_slice(&bytes).unwrap();
    let ids: std::collections::BTreeSet<_> =
        records["Records"].as_array().unwrap().iter().map(|r| r["messageId"].to_string()).collect();
    assert_eq!(ids.len(), 3);

    let refused = Library::default().render("aws/apigw/rest", &batch).unwrap_err();
    assert_eq!(refused, FixtureError::NotABatch { fixture: "aws/apigw/rest".into(), count: 3 });
    let huge = Request { count: u32::MAX, ..request(&[]) };
    assert!(matches!(Library::default().render("aws/s3/put", &huge), Err(FixtureError::TooMany { .. })));
    let none = Request { count: 0, ..request(&[]) };
    let bytes = Library::default().render("aws/s3/put", &none).unwrap();
    assert_eq!(bytes, br#"{"Records":[]}"#);
}

#[test]
fn a_row_of_the_table() {
    let features = |event: Value| event["features"].clone();
    let default = features(event("ml/tabular", &[]));
    assert_eq!(default.as_array().unwrap().len(), 10);
    let exact = "0.038075906433423026,0.05068011873981862";
    assert_eq!(
        features(event("ml/tabular", &[&format!("row={exact}")])).to_string(),
        format!("[{exact}]"),
        "not a digit is lost"
    );
    assert_eq!(features(event("ml/tabular", &["bmi=0.1", "s6:=-1e-3"]))[2], json!(0.1));
    assert_eq!(features(event("ml/tabular", &["row:=[[1,2],[3,4]]"])), json!([[1, 2], [3, 4]]));
}

#[test]
fn pictures_come_from_files_of_the_project() {
    let project = tempfile::tempdir().unwrap();
    std::fs::write(project.path().join("cat.jpg"), b"\xff\xd8\xff").unwrap();
    let inside = Request { project_root: Some(project.path().into()), ..request(&["file=cat.jpg"]) };
    let bytes = Library::default().render("ml/image", &inside).unwrap();
    assert_eq!(bytes, br#"{"image":"/9j/","mime":"image/jpeg"}"#);

    let put = Library::default().render("aws/s3/put", &inside).unwrap();
    let object = serde_json::from_slice::<Value>(&put).unwrap()["Records"][0]["s3"]["object"].clone();
    assert_eq!((&object["size"], &object["eTag"]), (&json!(3), &json!("d718f4d374abcade9c50585aeee2f713")));

    let outside = Request { params: vec!["file=/etc/passwd".parse().unwrap()], ..inside };
    let error = Library::default().render("ml/image", &outside).unwrap_err();
    assert!(error.to_string().contains("outside the project"), "{error}");
    let granted = format!("file=@{}", project.path().join("cat.jpg").display());
    assert_eq!(event("ml/image", &[&granted])["image"], json!("/9j/"));
}

#[test]
fn mistakes_are_answered_with_what_was_meant() {
    let library = Library::default();
    let hint =
        |name: &str, params: &[&str]| library.render(name, &request(params)).unwrap_err().hint().unwrap();
    assert_eq!(hint("aws/s3/putt", &[]), "did you mean `aws/s3/put`?");
    assert_eq!(hint("s3-put", &[]), "did you mean `aws/s3/put`?");
    assert!(hint("nonsense", &[]).contains("events list"));
    assert_eq!(hint("aws/s3/put", &["bukcet=x"]), "did you mean `bucket`?");
    assert!(hint("ml/text", &["zzz=x"]).contains("text"));
    assert_eq!(hint("aws/apigw/rest", &["method=POTS"]), "did you mean `POST`?");
    assert!(library.show("aws/s3/../s3/put").is_err());
}

#[test]
fn a_fixture_of_the_developer_hides_a_built_in() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("aws/s3")).unwrap();
    std::fs::write(folder.path().join("aws/s3/put.json"), " {\"mine\":  1.0}\n").unwrap();
    std::fs::write(folder.path().join("broken.json.hbs"), "{{!--\ntitle = 1\n--}}{}").unwrap();
    std::fs::write(folder.path().join("bad.json"), "{\"a\":\n oops}").unwrap();
    let library = Library::new(Some(folder.path().into()));

    let bytes = library.render("aws/s3/put", &request(&[])).unwrap();
    assert_eq!(bytes, b"{\"mine\":  1.0}", "plain JSON is used as it is");
    let error = library.render("aws/s3/put", &request(&["bucket=x"])).unwrap_err();
    assert!(matches!(error, FixtureError::UnknownParam { .. }));

    let listed = library.list();
    let of = |name: &str| listed.iter().find(|listing| listing.name == name).unwrap();
    assert!(matches!(of("aws/s3/put").origin, Origin::File(_)));
    assert!(of("broken").problem.as_ref().unwrap().contains("broken:2"));
    assert!(of("aws/s3/delete").problem.is_none());
    let error = library.render("bad", &request(&[])).unwrap_err();
    assert!(matches!(error, FixtureError::NotJson { line: 2, .. }), "{error}");
    let built_in = Library::default().list().len();
    assert_eq!(Library::new(Some("/nowhere".into())).list().len(), built_in);
}
