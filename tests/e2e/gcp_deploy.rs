//! Functions that come by API: Google's own client and command line deploy, change, call and remove them.

use super::clients;
use super::house::House;
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

const MAIN: &str = "\
import os
import functions_framework

@functions_framework.http
def hello(request):
    return 'hello ' + os.environ.get('WHOM', 'nobody')

@functions_framework.cloud_event
def told(event):
    print('TOLD', event['type'], flush=True)
";
const API: &str = "/v2/projects/demo-mlemu/locations/us-central1";

fn house() -> House {
    Plan::new().up()
}

/// An archive of these files, as Python makes it.
fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("python3");
    command.current_dir(folder.path()).args(["-m", "zipfile", "-c", "code.zip"]);
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
        command.arg(name);
    }
    assert!(command.status().expect("python3 runs").success());
    std::fs::read(folder.path().join("code.zip")).expect("zipped")
}

fn ask(house: &House, line: &str, body: &Value) -> http::Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    http::send(house.gcp(), line, &[("Content-Type", "application/json")], body.as_bytes())
}

/// The source of uploaded code.
fn upload(house: &House, files: &[(&str, &str)]) -> Value {
    let given = ask(house, &format!("POST {API}/functions:generateUploadUrl"), &json!({})).json();
    let url = given["uploadUrl"].as_str().expect("an address");
    let path = url.split_once(&house.gcp().to_string()).expect("our own address").1;
    let sent =
        http::send(house.gcp(), &format!("PUT {path}"), &[("Content-Type", "application/zip")], &zip(files));
    assert_eq!(sent.status, 200, "{}", sent.text());
    given["storageSource"].clone()
}

/// The operation once it is done.
#[track_caller]
fn done(house: &House, begun: &http::Answer) -> Value {
    assert_eq!(begun.status, 200, "{}", begun.text());
    let name = begun.json()["name"].as_str().expect("a name").to_owned();
    let path = if name.starts_with("operations/") { format!("/v1/{name}") } else { format!("/v2/{name}") };
    let end = Instant::now() + Duration::from_secs(240);
    loop {
        let now = ask(house, &format!("GET {path}"), &Value::Null).json();
        if now["done"] == true {
            return now;
        }
        assert!(Instant::now() < end, "{now}");
        std::thread::yield_now();
    }
}

fn function(source: &Value) -> Value {
    json!({
        "buildConfig": { "runtime": "python311", "entryPoint": "hello", "source": { "storageSource": source } },
        "serviceConfig": { "environmentVariables": { "WHOM": "you" }, "availableMemory": "256M" },
        "labels": { "stage": "test" },
    })
}

#[test]
fn a_function_is_deployed_changed_and_removed() {
    let house = house();
    let source = upload(&house, &[("main.py", MAIN), ("requirements.txt", "")]);
    let create = format!("POST {API}/functions?functionId=greeter");
    let made = done(&house, &ask(&house, &create, &function(&source)));
    assert_eq!(
        (&made["response"]["state"], &made["response"]["labels"]["stage"]),
        (&json!("ACTIVE"), &json!("test"))
    );
    let hello = || http::send(house.gcp(), "GET /demo-mlemu/us-central1/greeter", &[], b"").text();
    assert_eq!(hello(), "hello you");
    let again = ask(&house, &create, &function(&source));
    assert_eq!((again.status, again.json()["error"]["status"].clone()), (409, json!("ALREADY_EXISTS")));
    let change = json!({ "serviceConfig": { "environmentVariables": { "WHOM": "all" } } });
    let patch = format!("PATCH {API}/functions/greeter?updateMask=serviceConfig.environmentVariables");
    let changed = done(&house, &ask(&house, &patch, &change));
    assert_eq!(changed["metadata"]["operationType"], "UPDATE_FUNCTION");
    assert_eq!(hello(), "hello all");
    let code = upload(&house, &[("main.py", &MAIN.replace("'hello '", "'welcome '"))]);
    let change = json!({ "buildConfig": { "source": { "storageSource": code } } });
    done(
        &house,
        &ask(&house, &format!("PATCH {API}/functions/greeter?updateMask=build_config.source"), &change),
    );
    assert_eq!(hello(), "welcome all");
    let shown = ask(&house, &format!("GET {API}/functions/greeter"), &Value::Null).json();
    assert_eq!(
        (&shown["labels"]["stage"], &shown["buildConfig"]["runtime"]),
        (&json!("test"), &json!("python311"))
    );
    let url = ask(&house, &format!("POST {API}/functions/greeter:generateDownloadUrl"), &json!({})).json();
    let path = url["downloadUrl"]
        .as_str()
        .expect("an address")
        .split_once(&house.gcp().to_string())
        .expect("ours")
        .1
        .to_owned();
    assert!(http::send(house.gcp(), &format!("GET {path}"), &[], b"").status == 200);
    let removed = done(&house, &ask(&house, &format!("DELETE {API}/functions/greeter"), &Value::Null));
    assert_eq!(removed["response"]["@type"], "type.googleapis.com/google.protobuf.Empty");
    assert_eq!(http::send(house.gcp(), "GET /demo-mlemu/us-central1/greeter", &[], b"").status, 404);
}

#[test]
fn the_first_version_deploys_functions_of_events() {
    let house = house();
    let given = ask(&house, "POST /v1/projects/p/locations/l/functions:generateUploadUrl", &json!({})).json();
    let url = given["uploadUrl"].as_str().expect("an address").to_owned();
    let path = url.split_once(&house.gcp().to_string()).expect("ours").1;
    http::send(house.gcp(), &format!("PUT {path}"), &[], &zip(&[("main.py", MAIN)]));
    let document = json!({
        "name": "projects/demo-mlemu/locations/us-central1/functions/Told_1", "runtime": "python311", "entryPoint": "told",
        "availableMemoryMb": 256, "timeout": "60s", "sourceUploadUrl": url,
        "eventTrigger": { "eventType": "google.pubsub.topic.publish", "resource": "projects/demo-mlemu/topics/news" },
    });
    let made =
        done(&house, &ask(&house, "POST /v1/projects/demo-mlemu/locations/us-central1/functions", &document));
    assert_eq!(made["response"]["eventTrigger"]["resource"], "projects/demo-mlemu/topics/news", "{made}");
    let publish = "POST /v1/projects/demo-mlemu/topics/news:publish";
    assert_eq!(ask(&house, publish, &json!({ "messages": [{ "data": "cmVk" }] })).status, 200);
    house.wait(0, "the message", |record| {
        record["what"]["log"]["text"] == "TOLD google.cloud.pubsub.topic.v1.messagePublished"
    });
}

#[test]
fn what_cannot_be_deployed_is_refused_or_fails() {
    let house = house();
    let refused = |line: &str, body: &Value| {
        let answer = ask(&house, line, body);
        (answer.status, answer.json()["error"]["status"].as_str().unwrap_or_default().to_owned())
    };
    let source = upload(&house, &[("main.py", MAIN)]);
    let create = |name: &str| format!("POST {API}/functions?functionId={name}");
    let invalid = (400, "INVALID_ARGUMENT".to_owned());
    assert_eq!(refused(&create("Upper"), &function(&source)), invalid);
    assert_eq!(refused(&create(""), &function(&source)), invalid);
    assert_eq!(refused(&create("greeter"), &json!({})), invalid);
    let nowhere = json!({ "bucket": "none", "object": "none.zip" });
    assert_eq!(refused(&create("greeter"), &function(&nowhere)).0, 404);
    let answer = http::send(house.gcp(), &create("greeter"), &[], b"not json");
    assert_eq!(answer.status, 400);
    let given = ask(&house, &format!("POST {API}/functions:generateUploadUrl"), &json!({})).json();
    let path = given["uploadUrl"]
        .as_str()
        .expect("an address")
        .split_once(&house.gcp().to_string())
        .expect("ours")
        .1
        .to_owned();
    http::send(house.gcp(), &format!("PUT {path}"), &[], b"no archive");
    assert_eq!(refused(&create("greeter"), &function(&given["storageSource"])), invalid);
    assert_eq!(refused(&format!("PATCH {API}/functions/none"), &json!({})).0, 404);
    assert_eq!(refused(&format!("DELETE {API}/functions/none"), &Value::Null).0, 404);
    assert_eq!(refused(&format!("GET {API}/operations/none"), &Value::Null).0, 404);
    let mut strange = function(&source);
    strange["buildConfig"]["runtime"] = "cobol68".into();
    let failed = done(&house, &ask(&house, &create("greeter"), &strange));
    assert_eq!(failed["error"]["code"], 3, "{failed}");
    assert_eq!(refused(&format!("GET {API}/functions/greeter"), &Value::Null).0, 404, "it is not there");
}

#[test]
fn googles_own_client_for_python() {
    let Some(python) = clients::google_functions() else { return };
    let house = house();
    let archive = house.plan.path("code.zip");
    std::fs::write(&archive, zip(&[("main.py", MAIN)])).expect("written");
    python.drive(&house, "functions.py", &archive.display().to_string());
}

/// The command line as it is, with nothing but what `mlemu env` says and `env`.
#[track_caller]
fn gcloud(house: &House, words: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = Command::new("gcloud");
    command.current_dir(house.plan.path("")).args(words).envs(house.env()).envs(env.iter().copied());
    command.env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1").env("CLOUDSDK_CONFIG", house.plan.path(".gcloud"));
    let output = command.output().expect("gcloud runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words:?}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn has_gcloud() -> bool {
    let is_there = Command::new("gcloud").arg("--version").output().is_ok();
    if !is_there {
        eprintln!("skipped: there is no gcloud");
    }
    is_there
}

/// It wants an identity token first, which a service account of nobody's gets here.
#[test]
fn gcloud_calls_a_function_of_the_second_generation() {
    let Some(python) = clients::google_python().filter(|_| has_gcloud()) else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/clients/gcs_key.py");
    let key = python.program("python").arg(script).output().expect("python");
    let house =
        Plan::new().file("main.py", MAIN).file("key.json", &String::from_utf8_lossy(&key.stdout)).up();
    let (host, key) =
        (format!("http://{}/token", house.gcp()), house.plan.path("key.json").display().to_string());
    let env = [("CLOUDSDK_AUTH_TOKEN_HOST", &*host), ("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", &*key)];
    let words = ["functions", "call", "hello", "--gen2", "--region=us-central1", "--data", "{}"];
    let called = gcloud(&house, &words, &env);
    assert!(called.contains("hello nobody"), "{called}");
    let token = gcloud(&house, &["auth", "print-identity-token"], &env);
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
}

#[test]
fn gcloud_deploys_lists_describes_calls_and_deletes() {
    if !has_gcloud() {
        return;
    }
    let config = "[functions.greeter]\nprovider = \"gcp\"\nruntime = \"python311\"\nhandler = \"hello\"\ngeneration = 1\nenv = { WHOM = \"gcloud\" }\n";
    let house = Plan::new().file("main.py", MAIN).file("mlemu.toml", config).up();
    let gcloud = |words: &[&str]| gcloud(&house, words, &[]);
    let listed = gcloud(&["functions", "list", "--format=value(name)"]);
    assert!(listed.contains("greeter") && listed.contains("told"), "{listed}");
    let region = "--region=us-central1";
    let shown =
        gcloud(&["functions", "describe", "told", region, "--v2", "--format=value(buildConfig.entryPoint)"]);
    assert_eq!(shown.trim(), "told");
    let called = gcloud(&[
        "functions",
        "call",
        "greeter",
        region,
        "--no-gen2",
        "--data",
        "{}",
        "--format=value(result)",
    ]);
    assert_eq!(called.trim(), "hello gcloud");
    gcloud(&["functions", "delete", "told", region, "--gen2", "--quiet"]);
    let listed = gcloud(&["functions", "list", "--format=value(name)"]);
    assert!(!listed.contains("told"), "{listed}");
    std::fs::write(house.plan.path("requirements.txt"), "").expect("written");
    let code = ["--source=.", "--runtime=python311", "--entry-point=hello", "--trigger-http"];
    for (name, generation) in [("early", "--no-gen2"), ("late", "--gen2")] {
        let words = ["functions", "deploy", name, region, generation, "--allow-unauthenticated"];
        gcloud(&[&words[..], &code[..]].concat());
        let hello = http::send(house.gcp(), &format!("GET /demo-mlemu/us-central1/{name}"), &[], b"").text();
        assert_eq!(hello, "hello nobody");
    }
    gcloud(&["pubsub", "topics", "create", "seeds"]);
    gcloud(&["pubsub", "subscriptions", "create", "bed", "--topic=seeds"]);
    gcloud(&["pubsub", "topics", "publish", "seeds", "--message=poppy"]);
    let pulled =
        gcloud(&["pubsub", "subscriptions", "pull", "bed", "--auto-ack", "--format=value(message.data)"]);
    assert_eq!(pulled.trim(), "poppy");
}

#[test]
fn cloud_tasks_over_grpc() {
    let Some(python) = clients::google_functions() else { return };
    python.drive(&house(), "tasks.py", "");
}
