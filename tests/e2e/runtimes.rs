//! Runtimes beside Python: Node, executables; what is declared and not installed; dependencies.

use super::house::{House, is};
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn template(functions: &str) -> String {
    format!(
        "Transform: AWS::Serverless-2016-10-31\nGlobals:\n  Function: {{ Timeout: 30, MemorySize: 512 }}\nResources:\n{functions}"
    )
}

fn function(name: &str, runtime: &str, handler: &str, folder: &str) -> String {
    format!(
        "  {name}: {{ Type: AWS::Serverless::Function, Properties: \
         {{ Runtime: {runtime}, Handler: {handler}, CodeUri: {folder}/ }} }}\n"
    )
}

fn invoke(house: &House, name: &str, event: &Value) -> (Option<String>, Value) {
    let line = format!("POST /2015-03-31/functions/{name}/invocations");
    let answer = http::send(house.aws(), &line, &[], event.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    (answer.header("x-amz-function-error").map(str::to_owned), answer.json())
}

#[track_caller]
fn fine(house: &House, name: &str, event: &Value) -> Value {
    let (error, document) = invoke(house, name, event);
    assert_eq!(error, None, "{document}");
    document
}

/// Whether a program is there; says so if not.
fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("skipped: there is no {program} on this machine");
    }
    there
}

#[test]
fn node_in_both_module_systems() {
    if !has("node") {
        return;
    }
    let esm = "console.log('loading');\nexport const handler = async (event, context) => {\n  \
               console.log('called');\n  if (event.raise) throw new TypeError('told to');\n  \
               if (event.exit) process.exit(4);\n  return { echo: event, name: context.functionName, id: context.awsRequestId };\n};\n";
    let cjs = "exports.handler = (event, context, callback) => setImmediate(() => callback(null, { cjs: event }));\n\
               exports.rejects = async () => { throw new RangeError('too far'); };\n";
    let functions = function("Esm", "nodejs20.x", "index.handler", "esm")
        + &function("Cjs", "nodejs20.x", "index.handler", "cjs")
        + &function("Rejects", "nodejs20.x", "index.rejects", "cjs")
        + &function("Newer", "nodejs24.x", "index.handler", "esm")
        + &function("Missing", "nodejs20.x", "nothing.handler", "cjs");
    let house = Plan::new()
        .file("template.yaml", &template(&functions))
        .file("esm/index.mjs", esm)
        .file("cjs/index.js", cjs)
        .up();
    let answer = fine(&house, "Esm", &json!({"a": "é"}));
    assert_eq!((&answer["echo"], &answer["name"]), (&json!({"a": "é"}), &json!("Esm")));
    house.wait(0, "console.log is a log line", |record| {
        is(record, "Esm", "log")
            && record["what"]["log"]["text"].as_str().is_some_and(|text| text.contains("called"))
    });
    let (error, document) = invoke(&house, "Esm", &json!({"raise": true}));
    assert_eq!((error.as_deref(), &document["errorType"]), (Some("Unhandled"), &json!("TypeError")));
    assert_eq!(document["errorMessage"], "told to");
    assert!(document["trace"].is_array(), "{document}");
    let (_, document) = invoke(&house, "Esm", &json!({"exit": true}));
    assert_eq!(document["errorType"], "Runtime.ExitError");
    assert!(
        document["errorMessage"].as_str().is_some_and(|text| text.ends_with("exit status 4")),
        "{document}"
    );
    fine(&house, "Esm", &json!({}));

    assert_eq!(fine(&house, "Cjs", &json!(1)), json!({"cjs": 1}));
    assert_eq!(fine(&house, "Newer", &json!(2))["echo"], 2);
    let (_, document) = invoke(&house, "Rejects", &json!({}));
    assert_eq!(
        (&document["errorType"], &document["errorMessage"]),
        (&json!("RangeError"), &json!("too far"))
    );
    let (_, document) = invoke(&house, "Missing", &json!({}));
    assert_eq!(document["errorType"], "Runtime.ImportModuleError", "{document}");
}

#[test]
fn node_streams_its_answer() {
    if !has("node") {
        return;
    }
    let code = "export const handler = awslambda.streamifyResponse(async (event, stream) => {\n  \
                const head = { statusCode: 201, headers: { 'X-Made-By': 'stream' } };\n  \
                stream = awslambda.HttpResponseStream.from(stream, head);\n  \
                for (const word of ['one ', 'two ', 'three']) stream.write(word);\n  stream.end();\n});\n";
    let url = "FunctionUrlConfig: { AuthType: NONE, InvokeMode: RESPONSE_STREAM }";
    let streaming = |name: &str, runtime: &str| {
        function(name, runtime, "index.handler", "code").replace("CodeUri:", &format!("{url}, CodeUri:"))
    };
    let functions = streaming("Older", "nodejs20.x") + &streaming("Newer", "nodejs24.x");
    let house = Plan::new().file("template.yaml", &template(&functions)).file("code/index.mjs", code).up();
    for name in ["Older", "Newer"] {
        let told = http::send(house.aws(), &format!("GET /2021-10-31/functions/{name}/url"), &[], b"").json();
        let url = told["FunctionUrl"].as_str().unwrap_or_else(|| panic!("no URL in {told}"));
        let host = url.trim_start_matches("http://").trim_end_matches('/');
        let answer = http::send_exactly(house.aws(), "GET /", &[("Host", host)], b"");
        assert_eq!((answer.status, answer.text().as_str()), (201, "one two three"), "{name}");
        assert_eq!(answer.header("x-made-by"), Some("stream"), "{name}");
    }
}

/// The runtime's protocol spoken by a shell, as custom runtimes of the vendor's tutorial do.
const BOOTSTRAP: &str = r#"#!/bin/sh
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while true; do
  headers=$(mktemp)
  event=$(curl -sS -D "$headers" "$api/invocation/next")
  id=$(grep -i '^lambda-runtime-aws-request-id' "$headers" | tr -d '\r' | cut -d' ' -f2)
  curl -sS -X POST "$api/invocation/$id/response" -d "{\"handler\": \"$_HANDLER\", \"event\": $event}" > /dev/null
done
"#;

#[test]
fn an_executable_bootstrap() {
    if !has("curl") {
        return;
    }
    let functions = function("Custom", "provided.al2023", "any.name", "code");
    let plan = Plan::new().file("template.yaml", &template(&functions)).file("code/bootstrap", BOOTSTRAP);
    std::fs::set_permissions(plan.path("code/bootstrap"), std::fs::Permissions::from_mode(0o755))
        .expect("executable");
    let house = plan.up();
    for number in 0..3 {
        let answer = fine(&house, "Custom", &json!({"n": number}));
        assert_eq!(answer, json!({"handler": "any.name", "event": {"n": number}}));
    }
}

#[test]
fn a_bootstrap_that_is_missing_is_explained() {
    let functions = function("Custom", "provided.al2023", "any.name", "code");
    let house = Plan::new().file("template.yaml", &template(&functions)).file("code/readme", "").up();
    let (error, document) = invoke(&house, "Custom", &json!({}));
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert!(document["errorMessage"].as_str().is_some_and(|text| text.contains("bootstrap")), "{document}");
}

#[test]
fn a_python_that_is_not_installed_is_replaced_and_said() {
    let functions = function("Old", "python3.6", "app.handler", "code");
    let app = "import sys\ndef handler(event, context):\n    return list(sys.version_info[:2])\n";
    let house = Plan::new().file("template.yaml", &template(&functions)).file("code/app.py", app).up();
    let version = fine(&house, "Old", &json!({}));
    assert!(version[0] == 3 && version[1].as_u64() >= Some(9), "{version}");
    let warned = house.wait(0, "a warning", |record| record["what"].get("warning").is_some());
    let text = warned["what"]["warning"]["text"].as_str().expect("text");
    assert!(text.starts_with("python3.6 is not ") && text.contains(&format!("3.{}", version[1])), "{text}");
}

#[test]
fn declared_packages_are_installed_once_and_not_into_the_project() {
    let functions = function("Packed", "python3.12", "app.handler", "code");
    let app =
        "import idna\ndef handler(event, context):\n    return idna.encode('bücher.example').decode()\n";
    let plan = Plan::new()
        .file("template.yaml", &template(&functions))
        .file("code/app.py", app)
        .file("code/requirements.txt", "idna>=3,<4\n");
    let house = plan.up();
    assert_eq!(fine(&house, "Packed", &json!({})), "xn--bcher-kva.example");
    let init = house.wait_ended(0, "Packed")["usage"]["init"]["duration_ms"].as_f64().expect("a cold start");
    assert!(init < 5000.0, "installing is no part of a cold start: {init} ms");
    let mut files: Vec<_> =
        std::fs::read_dir(house.plan.path("code")).expect("there").filter_map(Result::ok).collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    let names: Vec<_> = files.iter().map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["app.py", "requirements.txt"], "the folder is as it was");
}

#[test]
fn offline_uses_what_is_there_and_explains_what_is_not() {
    let functions = function("Plain", "python3.12", "app.handler", "plain")
        + &function("Packed", "python3.12", "app.handler", "packed");
    let app = "def handler(event, context):\n    return 'plain'\n";
    let plan = Plan::new()
        .file("template.yaml", &template(&functions))
        .file("plain/app.py", app)
        .file("packed/app.py", app)
        .file("packed/requirements.txt", "no-such-package-of-anybody==99.9\n");
    // The client of the runtime is in the cache from here on.
    let first = plan.mlemu(&["invoke", "Plain"]).output().expect("runs");
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let house = plan.offline().up();
    assert_eq!(fine(&house, "Plain", &json!({})), "plain");
    let (error, document) = invoke(&house, "Packed", &json!({}));
    assert_eq!(error.as_deref(), Some("Unhandled"));
    let why = document["errorMessage"].as_str().expect("text");
    assert!(why.contains("no-such-package-of-anybody") || why.contains("offline"), "{why}");
    assert_eq!(fine(&house, "Plain", &json!({})), "plain", "the others are well");
}
