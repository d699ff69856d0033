//! Model endpoints, as the clouds' own clients ask them.

use super::clients;
use super::house::House;
use super::http;
use super::onnx;
use super::plan::Plan;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;

const CODE: &str = "def echo(event, context):\n    return {\"echo\": event}\n\n\n\
                    def raises(event, context):\n    raise ValueError(\"no such flower\")\n";

/// The second word comes when the caller has had the first, and says so with an object.
const STREAMS: &str = "export const handler = awslambda.streamifyResponse(async (event, stream) => {\n  \
                       stream.setContentType('text/plain');\n  stream.write('one ');\n  \
                       const heard = process.env.AWS_ENDPOINT_URL + '/requests/heard';\n  \
                       while ((await fetch(heard)).status !== 200);\n  stream.write('two');\n  stream.end();\n});\n";

/// Endpoints with each kind of back end.
fn toml(elsewhere: &str, gone: &str) -> String {
    format!(
        r#"
[functions.Sum]
{sum}
[functions.Echo]
runtime = "python3"
handler = "app.echo"

[functions.Raises]
runtime = "python3"
handler = "app.raises"

[functions.Words]
runtime = "nodejs"
handler = "words.handler"
timeout = "60s"

[endpoints]
words = {{ function = "Words" }}
own = {{ onnx = {{ file = "model.onnx", input = {{ path = "row" }}, output = {{ as = "regression" }} }} }}
model = {{ function = "Sum", output = "s3://results/scores/" }}
python = {{ function = "Echo" }}
raises = {{ function = "Raises" }}
written = {{ reply = "1,0.5", reply_type = "text/csv" }}
shaky = {{ reply = "ok", errors = 0.5, latency = "1ms" }}
elsewhere = {{ http = "http://{elsewhere}/" }}
gone = {{ http = "http://{gone}/" }}

[endpoints.split.variants]
blue = {{ weight = 0.9, reply = "\"blue\"" }}
green = {{ weight = 0.1, reply = "\"green\"" }}

[endpoints.many.models]
"m1.tar.gz" = {{ reply = "1" }}
"m2.tar.gz" = {{ reply = "2" }}

[buckets]
requests = {{}}
results = {{}}
"#,
        sum = onnx::SUM
    )
}

/// A server that answers one request, and a port where nobody listens.
fn servers() -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut head = [0; 4096];
        let _ = stream.read(&mut head);
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\n{\"a\": 1}");
    });
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    (address, nobody.local_addr().expect("an address").to_string())
}

fn up(elsewhere: &str, gone: &str) -> House {
    onnx::plan(&toml(elsewhere, gone)).file("app.py", CODE).file("words.mjs", STREAMS).up()
}

fn drive(case: &str) {
    let Some(python) = clients::python() else { return };
    let (elsewhere, gone) = servers();
    let house = up(&elsewhere, &gone);
    python.drive(&house, "sagemaker.py", case);
}

#[test]
fn sagemaker_predicts() {
    drive("predicts");
}

#[test]
fn sagemaker_splits_requests_by_weights() {
    drive("splits");
}

#[test]
fn sagemaker_fails_as_on_aws() {
    drive("fails");
}

#[test]
fn sagemaker_writes_asynchronous_answers_into_a_bucket() {
    drive("queues");
}

#[test]
fn sagemaker_streams() {
    drive("streams");
}

#[test]
fn mistakes_in_endpoints_are_named() {
    let says = |endpoint: &str, words: &str| {
        let plan = Plan::new().file("mlemu.toml", &format!("[endpoints]\ne = {endpoint}\n"));
        let output = plan.mlemu(&["config"]).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(words), "{endpoint}\n{said}");
    };
    says("{}", "exactly one of `onnx`, `function`, `reply` and `http`");
    says("{ reply = \"1\", function = \"f\" }", "exactly one of");
    says("{ http = \"ftp://x\" }", "no address");
    says("{ reply = \"1\", errors = 2.0 }", "a share from 0 to 1");
    says("{ reply = \"1\", variants = { a = { reply = \"2\" } } }", "make it one of the variants");
    says("{ onnx = {}, reply = \"1\" }", "exactly one of");
    says("{ replay = \"1\" }", "did you mean `reply`?");
}

fn google() -> House {
    let toml = format!(
        "[functions.sum]\nprovider = \"gcp\"\n{}\n[endpoints.sums]\nprovider = \"gcp\"\n\
         variants.new = {{ weight = 9, function = \"sum\" }}\nvariants.old = {{ weight = 1, reply = \"[0]\" }}\n",
        onnx::SUM
    );
    onnx::plan(&toml).up()
}

#[test]
fn ai_platform_predicts_and_tells_of_models() {
    let Some(python) = clients::google_predict() else { return };
    python.drive(&google(), "predict.py", "models");
}

#[test]
fn vertex_predicts_and_splits() {
    let Some(python) = clients::google_predict() else { return };
    python.drive(&google(), "predict.py", "endpoints");
}

#[test]
fn vertex_predicts_for_its_own_library() {
    let Some(python) = clients::google_vertex() else { return };
    python.drive(&google(), "vertex.py", "predicts");
}

#[test]
fn the_protocols_of_model_servers() {
    let house = google();
    let ask = |line: &str, body: Value| {
        let answer = http::send(house.gcp(), line, &[], body.to_string().as_bytes());
        (answer.status, answer.json())
    };
    let rows = json!([[1, 2, 3], [4, 5, 6]]);
    let predict = "POST /v1/models/sums/versions/new:predict";
    assert_eq!(ask(predict, json!({"instances": rows})), (200, json!({"predictions": [6.0, 15.0]})));
    assert_eq!(ask(predict, json!({"inputs": rows})), (200, json!({"outputs": [6.0, 15.0]})));
    assert_eq!(ask(predict, json!({})), (400, json!({"error": "Missing 'inputs' or 'instances' key"})));
    assert_eq!(ask("POST /v1/models/none:predict", json!({"instances": rows})).0, 404);
    let status = ask("GET /v1/models/sums", json!(null)).1;
    assert_eq!(status["model_version_status"][0]["state"], "AVAILABLE");
    let input = json!({"name": "row", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]});
    let (code, came) = ask("POST /v2/models/sums/versions/new/infer", json!({"id": "7", "inputs": [input]}));
    let output = json!({"name": "predictions", "shape": [2], "datatype": "FP32", "data": [6.0, 15.0]});
    assert_eq!((code, &came["id"], &came["outputs"][0]), (200, &json!("7"), &output), "{came}");
    assert_eq!(ask("GET /v2/models/sums/ready", json!(null)).1["ready"], true);
}

fn azure() -> House {
    let toml = format!(
        "[functions.broken]\nprovider = \"azure\"\nruntime = \"onnx\"\nhandler = \"none.onnx\"\n\n\
         [functions.sum]\nprovider = \"azure\"\n{}\n[endpoints.sums]\nprovider = \"azure\"\nkey = \"sesame\"\n\
         variants.blue = {{ weight = 90, function = \"sum\" }}\n\
         variants.green = {{ weight = 10, onnx = {{ file = \"model.onnx\", input = {{ path = \"row\" }} }} }}\n\
         [endpoints.open]\nprovider = \"azure\"\nreply = \"{{\\\"a\\\": 1}}\"\n",
        onnx::SUM
    );
    onnx::plan(&toml).up()
}

#[test]
fn endpoints_are_listed_with_where_they_are_asked() {
    let plan = Plan::new().file("mlemu.toml", "[endpoints]\ne = { provider = \"azure\", reply = \"1\" }\n");
    let output = plan.mlemu(&["config"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("POST /onlineEndpoints/e/score"), "{said}");
}

#[test]
fn azure_ml_scores() {
    let Some(python) = clients::azure_python() else { return };
    python.drive(&azure(), "azureml.py", "scores");
}

#[test]
fn azure_ml_fails_as_on_azure() {
    let Some(python) = clients::azure_python() else { return };
    python.drive(&azure(), "azureml.py", "fails");
}
