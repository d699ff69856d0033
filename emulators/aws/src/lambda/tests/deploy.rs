//! Creating, reading, changing, publishing and deleting.

use super::*;
use crate::lambda::routes::Operation;
use mlemu_core::declare::{FunctionDeclaration, Provenance, TriggerDeclaration};
use mlemu_core::{Source, What};
use std::path::PathBuf;

const FUNCTIONS: &str = "/2015-03-31/functions";
const F: &str = "/2015-03-31/functions/f";

#[tokio::test]
async fn a_created_function_reads_as_lambda_writes_it() {
    let bench = Bench::new();
    let request = creation_with(json!({
        "MemorySize": 256, "Timeout": 7, "Description": "d", "Environment": { "Variables": { "MODEL": "1" } },
        "Tags": { "team": "ml" }, "EphemeralStorage": { "Size": 1024 }
    }));
    let created = bench.post(FUNCTIONS, &request).await;
    assert_eq!(created.status, 201);
    let configuration = created.json();
    let expected = json!({
        "FunctionName": "f", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler", "CodeSize": 6, "Description": "d",
        "Timeout": 7, "MemorySize": 256, "LastModified": "2026-01-01T00:00:00.123+0000", "Version": "$LATEST",
        "Environment": { "Variables": { "MODEL": "1" } }, "State": "Active", "LastUpdateStatus": "Successful",
        "PackageType": "Zip", "EphemeralStorage": { "Size": 1024 }, "TracingConfig": { "Mode": "PassThrough" },
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(configuration[member], *value, "{member}");
    }
    let read = bench.get(F).await.json();
    assert_eq!(read["Configuration"], configuration);
    assert_eq!(read["Tags"], json!({ "team": "ml" }));
    assert_eq!(read["Code"]["Location"], "file:///unpacked");
    assert_eq!(bench.get(&format!("{F}/configuration")).await.json(), configuration);
}

#[tokio::test]
async fn defaults_are_lambdas() {
    let bench = Bench::with_f().await;
    let configuration = bench.get(&format!("{F}/configuration")).await.json();
    assert_eq!(configuration["MemorySize"], 128);
    assert_eq!(configuration["Timeout"], 3);
    assert_eq!(configuration["EphemeralStorage"]["Size"], 512);
    assert_eq!(configuration["Description"], "");
    assert_eq!(configuration.get("Environment"), None);
}

/// Creates `f` with these changes and expects an error whose text begins so.
async fn refuses(bench: &Bench, changes: Value, status: u16, code: &str, text: &str) {
    let (got_status, got_code, got_text) = bench.post(FUNCTIONS, &creation_with(changes)).await.fault();
    assert_eq!((got_status, got_code.as_str()), (status, code), "{got_text}");
    assert!(got_text.starts_with(text), "{got_text}");
}

#[tokio::test]
async fn refused_configurations() {
    let bench = Bench::new();
    let validation = "ValidationException";
    let value = |value: &str, member: &str| {
        format!("1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: ")
    };
    let cases = [
        (json!({ "Role": "r" }), value("r", "role")),
        (json!({ "Role": null }), value("null", "role")),
        (json!({ "Code": null }), value("null", "code")),
        (json!({ "FunctionName": null }), value("null", "functionName")),
        (json!({ "FunctionName": "a b" }), value("a b", "functionName")),
        (json!({ "Timeout": 0 }), value("0", "timeout")),
        (json!({ "MemorySize": 10_241 }), value("10241", "memorySize")),
        (json!({ "Architectures": ["mips"] }), value("[mips]", "architectures")),
    ];
    for (changes, text) in cases {
        refuses(&bench, changes, 400, validation, &text).await;
    }
    let mandatory =
        "Runtime and Handler are mandatory parameters for functions created with deployment packages.";
    for member in ["Handler", "Runtime"] {
        refuses(&bench, json!({ member: null }), 400, "InvalidParameterValueException", mandatory).await;
    }
    let not_read = "Could not parse request body into json: ";
    refuses(&bench, json!({ "Timeout": "x" }), 400, "InvalidRequestContentException", not_read).await;
    let images = "mlemu does not run container images yet";
    refuses(&bench, json!({ "PackageType": "Image" }), 501, "NotImplementedException", images).await;
    let layers = "mlemu does not have Layers of Lambda's CreateFunction yet";
    refuses(&bench, json!({ "Layers": ["arn"] }), 501, "NotImplementedException", layers).await;
    assert_eq!(bench.get(FUNCTIONS).await.json(), json!({ "Functions": [] }));
}

#[tokio::test]
async fn refused_code() {
    let bench = Bench::new();
    let zip = |bytes: &str| json!({ "ZipFile": BASE64.encode(bytes) });
    let no_key = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.";
    let cases = [
        (json!({}), "Please provide a source for function code."),
        (
            zip("not a zip"),
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (zip("PK bomb"), "Unzipped size must be smaller than 262144000 bytes"),
        (zip(""), "Uploaded file must be a non-empty zip"),
        (json!({ "S3Bucket": "code", "S3Key": "none.zip" }), no_key),
        (
            json!({ "ZipFile": "", "S3Bucket": "code", "S3Key": "k" }),
            "Please do not provide other FunctionCode",
        ),
    ];
    for (code, text) in cases {
        refuses(&bench, json!({ "Code": code }), 400, "InvalidParameterValueException", text).await;
    }
    assert_eq!(bench.get(FUNCTIONS).await.json(), json!({ "Functions": [] }));
}

#[tokio::test]
async fn packages_that_are_too_large() {
    let bench = Bench::new();
    let zipped = creation_with(json!({ "Code": { "ZipFile": BASE64.encode(vec![b'P'; 52_428_801]) } }));
    let large = bench.post(FUNCTIONS, &zipped).await.fault();
    let text = "Zipped size must be smaller than 52428800 bytes".to_owned();
    // As a request it is within bounds only just: 52428801 bytes are 69905068 letters.
    assert_eq!(large, (413, "RequestEntityTooLargeException".to_owned(), text));
    let huge = bench.send("POST", FUNCTIONS, &[], vec![b' '; 70_167_212]).await.fault();
    let text = "Request must be smaller than 70167211 bytes for the CreateFunction operation".to_owned();
    assert_eq!(huge, (413, "RequestEntityTooLargeException".to_owned(), text));
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let bench = Bench::with_f().await;
    let again = bench.post(FUNCTIONS, &creation("f")).await.fault();
    assert_eq!(again, (409, "ResourceConflictException".into(), "Function already exist: f".into()));
}

#[tokio::test]
async fn code_from_a_bucket_and_from_a_folder() {
    let bench = Bench::new();
    let from_bucket = creation_with(json!({ "Code": { "S3Bucket": "code", "S3Key": "good.zip" } }));
    assert_eq!(bench.post(FUNCTIONS, &from_bucket).await.status, 201);
    let folder = std::env::temp_dir();
    let hot = json!({ "S3Bucket": "hot-reload", "S3Key": folder.to_str().unwrap() });
    assert_eq!(bench.put(&format!("{F}/code"), &hot).await.json()["CodeSize"], 1234);
    let id = bench.lambda.resolve("f").unwrap();
    assert_eq!(bench.lambda.functions().function(&id).unwrap().latest.source, Source::Folder(folder));
    for key in ["relative/path", "/no/such/folder"] {
        let hot = json!({ "S3Bucket": "hot-reload", "S3Key": key });
        let (status, code, _) = bench.put(&format!("{F}/code"), &hot).await.fault();
        assert_eq!((status, code.as_str()), (400, "InvalidParameterValueException"), "{key}");
    }
}

#[tokio::test]
async fn a_function_is_gone_after_its_deletion() {
    let bench = Bench::with_f().await;
    assert_eq!(bench.delete(&format!("{F}?Qualifier=$LATEST")).await.status, 400);
    assert_eq!(bench.delete(F).await.status, 204);
    let text = "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f".to_owned();
    assert_eq!(bench.delete(F).await.fault(), (404, "ResourceNotFoundException".into(), text));
    assert_eq!(bench.get(F).await.status, 404);
    assert_eq!(bench.lambda.resolve("f"), None);
}

#[tokio::test]
async fn a_changed_configuration_is_merged() {
    let bench = Bench::with_f().await;
    let path = format!("{F}/configuration");
    let before = bench.get(&path).await.json();
    let after = bench
        .put(&path, &json!({ "MemorySize": 512, "Environment": { "Variables": { "MODEL": "2" } } }))
        .await;
    let after = after.json();
    assert_eq!((&after["MemorySize"], &after["Timeout"]), (&json!(512), &json!(3)));
    assert_eq!(after["Environment"], json!({ "Variables": { "MODEL": "2" } }));
    assert_ne!(after["RevisionId"], before["RevisionId"]);
    let stale = bench.put(&path, &json!({ "Timeout": 5, "RevisionId": before["RevisionId"] })).await.fault();
    assert_eq!((stale.0, stale.1.as_str()), (412, "PreconditionFailedException"));
    let id = bench.lambda.resolve("f").unwrap();
    let number = || bench.lambda.functions().function(&id).unwrap().latest.number;
    let warm = number();
    assert_eq!(bench.put(&path, &json!({ "Description": "words" })).await.json()["Description"], "words");
    assert_eq!(number(), warm, "words alone do not restart a function");
}

#[tokio::test]
async fn new_code_and_a_dry_run_of_it() {
    let bench = Bench::with_f().await;
    let path = format!("{F}/code");
    let before = bench.get(&format!("{F}/configuration")).await.json();
    let dry = bench.put(&path, &json!({ "ZipFile": zip("two"), "DryRun": true })).await.json();
    assert_eq!(dry["CodeSha256"], before["CodeSha256"]);
    let changed = bench.put(&path, &json!({ "ZipFile": zip("two") })).await.json();
    assert_ne!(changed["CodeSha256"], before["CodeSha256"]);
    let published = bench.put(&path, &json!({ "ZipFile": zip("three"), "Publish": true })).await.json();
    assert_eq!(published["Version"], "1");
    assert_eq!(published["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:f:1");
}

#[tokio::test]
async fn versions_are_published_once_for_each_change() {
    let bench = Bench::with_f().await;
    let path = format!("{F}/versions");
    let first = bench.post(&path, &json!({ "Description": "one" })).await;
    assert_eq!((first.status, first.json()["Version"].clone()), (201, json!("1")));
    assert_eq!(bench.post(&path, &json!({})).await.json()["Version"], "1");
    bench.put(&format!("{F}/configuration"), &json!({ "Timeout": 9 })).await;
    assert_eq!(bench.post(&path, &json!({})).await.json()["Version"], "2");
    let list = bench.get(&path).await.json();
    let labels: Vec<_> =
        list["Versions"].as_array().unwrap().iter().map(|one| one["Version"].clone()).collect();
    assert_eq!(labels, ["$LATEST", "1", "2"]);
    let old = bench.get(&format!("{F}?Qualifier=1")).await.json()["Configuration"].clone();
    assert_eq!((&old["Timeout"], &old["Description"]), (&json!(3), &json!("one")));
    assert_eq!(old["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:f:1");
    assert_eq!(bench.get(&format!("{F}:7")).await.status, 404);
    assert_eq!(bench.delete(&format!("{F}?Qualifier=1")).await.status, 204);
    assert_eq!(bench.get(&format!("{F}:1")).await.status, 404);
    let other = bench.post(&path, &json!({ "CodeSha256": "other" })).await.fault();
    assert_eq!(other.1, "InvalidParameterValueException");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let bench = Bench::new();
    for name in ["c", "a", "b"] {
        bench.post(FUNCTIONS, &creation(name)).await;
    }
    let names = |list: &Value| -> Vec<String> {
        let functions = list["Functions"].as_array().unwrap();
        functions.iter().map(|one| one["FunctionName"].as_str().unwrap().to_owned()).collect()
    };
    let first = bench.get(&format!("{FUNCTIONS}?MaxItems=2")).await.json();
    assert_eq!(names(&first), ["a", "b"]);
    let marker = first["NextMarker"].as_str().unwrap();
    let rest =
        bench.get(&format!("{FUNCTIONS}?MaxItems=2&Marker={}", marker.replace(':', "%3A"))).await.json();
    assert_eq!((names(&rest), rest.get("NextMarker")), (vec!["c".to_owned()], None));
    bench.post(&format!("{FUNCTIONS}/a/versions"), &json!({})).await;
    let all = bench.get(&format!("{FUNCTIONS}?FunctionVersion=ALL")).await.json();
    assert_eq!(names(&all), ["a", "a", "b", "c"]);
    assert_eq!(bench.get(&format!("{FUNCTIONS}?MaxItems=0")).await.status, 400);
}

#[tokio::test]
async fn declared_functions_are_in_the_same_catalog() {
    let bench = Bench::new();
    let declared = FunctionDeclaration {
        cloud: "aws".into(),
        name: "which-flower".into(),
        alias: Some("WhichFlower".into()),
        runtime: "python3.6".into(),
        handler: "index.which_flower".into(),
        source: PathBuf::from("/project"),
        memory: None,
        timeout: None,
        tmp: None,
        env: std::collections::BTreeMap::new(),
        concurrency: Some(2),
        triggers: vec![TriggerDeclaration::Url { cors: None, streaming: true }],
        options: std::collections::BTreeMap::new(),
        from: Provenance { file: "template.yaml".into(), line: 4 },
    };
    let revision = bench.lambda.declare(&declared, true);
    assert_eq!((revision.number, revision.label.as_str()), (1, "$LATEST"));
    let id = bench.lambda.resolve("WhichFlower").unwrap();
    assert_eq!(&*id.name, "which-flower");
    assert_eq!(
        bench.lambda.resolve("arn:aws:lambda:us-east-1:000000000000:function:which-flower"),
        Some(id.clone())
    );
    let read = bench.get("/2015-03-31/functions/WhichFlower").await.json();
    assert_eq!(read["Configuration"]["FunctionName"], "which-flower");
    assert_eq!(read["Concurrency"], json!({ "ReservedConcurrentExecutions": 2 }));
    let url = bench.get("/2021-10-31/functions/which-flower/url").await.json();
    assert_eq!(url["InvokeMode"], "RESPONSE_STREAM");
    assert_eq!(bench.lambda.declare(&declared, true).number, 2);
    assert!(bench.lambda.forget(&id));
    assert_eq!(bench.lambda.resolve("which-flower"), None);
}

#[tokio::test]
async fn what_is_not_there_says_its_name() {
    let bench = Bench::with_f().await;
    let got = bench
        .send("PUT", &format!("{}/recursion-config", F.replace("2015-03-31", "2024-08-31")), &[], "{}")
        .await;
    let text = "mlemu does not have Lambda's PutFunctionRecursionConfig yet".to_owned();
    assert_eq!(got.fault(), (501, "NotImplementedException".into(), text));
    let records = bench.functions.records.lock().unwrap();
    assert!(
        matches!(records.last(), Some(What::Unsupported { operation, .. }) if operation == "PutFunctionRecursionConfig")
    );
    assert_eq!(Operation::CreateAlias.name(), "CreateAlias");
}

#[tokio::test]
async fn paths_outside_the_model() {
    let bench = Bench::new();
    for (method, path) in [("PATCH", F), ("GET", "/2015-03-31/functions/f/nonsense")] {
        let got = bench.send(method, path, &[], "").await;
        assert_eq!(got.fault().1, "UnknownOperationException");
    }
}

#[tokio::test]
async fn hostile_documents_are_refused() {
    let bench = Bench::with_f().await;
    let deep = format!(r#"{{"VpcConfig":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for body in [deep.as_str(), "{", "[]", "\u{0}", r#"{"Environment":{"Variables":{"A":{}}}}"#] {
        let got = bench.send("PUT", &format!("{F}/configuration"), &[], body.to_owned()).await;
        assert_eq!(got.fault().1, "InvalidRequestContentException", "{}", &body[..body.len().min(40)]);
    }
}
