//! Functions that are a model and have no code: the same answers from every cloud, and what broken models do.

use super::house::House;
use super::http;
use super::plan::Plan;
use serde_json::{Value, json};

/// Protocol buffers by hand: a number, and what has a length.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

fn inside(field: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    assert!(body.len() < 1 << 14, "two bytes of length");
    let length = body.len() as u8;
    let mut bytes = (u16::from(field) << 3 | 2).to_le_bytes().to_vec();
    if field < 16 {
        bytes.pop();
    } else {
        bytes = vec![field << 3 | 0x82, 1];
    }
    if body.len() < 128 {
        bytes.push(length);
    } else {
        bytes.extend([length | 0x80, (body.len() >> 7) as u8]);
    }
    bytes.extend(body);
    bytes
}

fn text(field: u8, text: &str) -> Vec<u8> {
    inside(field, &[text.as_bytes().to_vec()])
}

/// `name`: floats of `[N, second]`.
fn value(field: u8, name: &str, second: u8) -> Vec<u8> {
    let shape = inside(2, &[inside(1, &[text(2, "N")]), inside(1, &[number(1, second)])]);
    inside(field, &[text(1, name), inside(2, &[inside(1, &[number(1, 1), shape])])])
}

/// A model of one node, with what its graph has besides.
fn of_graph(node: &[Vec<u8>], more: &[u8], second: u8, opset: u8) -> Vec<u8> {
    let node = inside(1, node);
    let ends = [value(11, "X", 3), value(12, "Y", second)].concat();
    let graph = inside(7, &[node, text(2, "g"), more.to_vec(), ends]);
    [number(1, 7), graph, inside(8, &[number(2, opset)])].concat()
}

/// A model of one operation with one attribute that is a list of one integer.
fn model(operation: &str, attribute: &str, integer: u8, second: u8) -> Vec<u8> {
    let attribute = inside(5, &[text(1, attribute), number(8, integer), vec![0xA0, 1, 7]]);
    of_graph(&[text(1, "X"), text(2, "Y"), text(4, operation), attribute], &[], second, 11)
}

/// A model that adds a tensor of floats which is said to be somewhere, or to be of some size.
fn adds(tensor: &[Vec<u8>]) -> Vec<u8> {
    let tensor = inside(5, &[tensor.concat(), number(2, 1), text(8, "W")]);
    of_graph(&[text(1, "X"), text(1, "W"), text(2, "Y"), text(4, "Add")], &tensor, 3, 11)
}

/// Three floats that are in another file.
fn elsewhere(location: &str) -> Vec<u8> {
    let place = inside(13, &[text(1, "location"), text(2, location)]);
    adds(&[number(1, 3), place, number(14, 1)])
}

/// Four bytes that are said to be more floats than any machine has.
fn huge() -> Vec<u8> {
    let two_to_40 = vec![1 << 3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
    adds(&[two_to_40.clone(), two_to_40, inside(9, &[vec![0; 4]])])
}

/// The sum of three numbers.
fn sum() -> Vec<u8> {
    model("ReduceSum", "axes", 1, 1)
}

pub const SUM: &str = "runtime = \"onnx\"\nmemory = \"256MB\"\ninput = { path = \"row\", columns = [\"a\", \"b\", \"c\"] }\n\
                   output = { as = \"regression\" }\n";

pub fn plan(toml: &str) -> Plan {
    let plan = Plan::new().file("mlemu.toml", toml);
    std::fs::write(plan.path("model.onnx"), sum()).expect("written");
    plan
}

fn invoke(house: &House, name: &str, event: &[u8]) -> (Option<String>, Value) {
    let answer =
        http::send(house.aws(), &format!("POST /2015-03-31/functions/{name}/invocations"), &[], event);
    assert_eq!(answer.status, 200, "{}", answer.text());
    (answer.header("x-amz-function-error").map(str::to_owned), answer.json())
}

#[test]
fn one_model_on_every_cloud() {
    let toml = format!(
        "[functions.Sum]\n{SUM}triggers = [{{ http = \"POST /sum\" }}]\n\n[functions.plus]\nprovider = \"gcp\"\n{SUM}\n\
         [functions.adds]\nprovider = \"azure\"\n{SUM}"
    );
    let house = plan(&toml).up();
    let six = json!({"prediction": 6.0});
    assert_eq!(invoke(&house, "Sum", br#"{"row": [1, 2, 3]}"#), (None, six.clone()));
    assert_eq!(invoke(&house, "Sum", br#"{"c": 3, "b": 2, "a": 1}"#), (None, six.clone()));
    let many = invoke(&house, "Sum", br#"{"instances": [[1, 2, 3], [4, 5, 6]]}"#);
    assert_eq!(many, (None, json!({"predictions": [6.0, 15.0]})));
    let (error, document) = invoke(&house, "Sum", br#"{"a": 1}"#);
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(
        (&document["errorType"], &document["errorMessage"]),
        (&json!("Model.InputError"), &json!("missing b, c"))
    );

    let routed = http::send(house.aws(), "POST /sum", &[], b"[1, 2, 3]");
    assert_eq!((routed.status, routed.json()), (200, six.clone()));
    let wrong = http::send(house.aws(), "POST /sum", &[], b"[1, 2]");
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.text().contains("the model takes `X` [?, 3], the event has [1, 2]: a, b, c"),
        "{}",
        wrong.text()
    );

    let google = http::send(house.gcp(), "POST /demo-mlemu/us-central1/plus", &[], b"1,2,3\n");
    assert_eq!((google.status, google.json()), (200, json!({"predictions": [6.0]})), "{}", google.text());
    let refused = http::send(house.gcp(), "POST /demo-mlemu/us-central1/plus", &[], b"{}");
    assert_eq!((refused.status, refused.json()), (400, json!({"error": "missing a, b, c"})));

    let azure = http::send(house.azure(), "POST /api/adds", &[], br#"{"row": [1, 2, 3]}"#);
    assert_eq!((azure.status, azure.text()), (200, six.to_string()));
}

#[test]
fn broken_models_are_explained_and_harm_nobody() {
    let function = |name: &str, file: &str| format!("[functions.{name}]\nhandler = \"{file}\"\n{SUM}\n");
    let toml = ["Good", "Missing", "Empty", "Junk", "Cut", "Folder", "Opset", "Outside", "Huge", "Labels"]
        .map(|name| function(name, if name == "Good" { "model.onnx" } else { name }))
        .concat();
    let toml = toml.replace("handler = \"Labels\"", "handler = \"model.onnx\"");
    let (kept, labels) = toml.rsplit_once("as = \"regression\"").expect("the last one");
    let plan = plan(&format!("{kept}as = \"argmax\", labels = \"none.txt\"{labels}"));
    std::fs::write(plan.path("Empty"), "").expect("written");
    std::fs::write(plan.path("Junk"), "\u{8}\u{7}:no protocol buffer at all").expect("written");
    std::fs::write(plan.path("Cut"), &sum()[..40]).expect("written");
    std::fs::create_dir(plan.path("Folder")).expect("made");
    let node = [text(1, "X"), text(2, "Y"), text(4, "Abs")];
    std::fs::write(plan.path("Opset"), of_graph(&node, &[], 3, 99)).expect("written");
    std::fs::write(plan.path("Outside"), elsewhere("../../../../../../../../etc/hostname")).expect("written");
    std::fs::write(plan.path("Huge"), huge()).expect("written");
    let house = plan.up();
    for (name, kind, words) in [
        ("Missing", "Model.FileError", "No such file"),
        ("Empty", "Model.FileError", "it is empty"),
        ("Junk", "Model.LoadError", "no model that ONNX Runtime can load"),
        ("Cut", "Model.LoadError", "no model that ONNX Runtime can load"),
        ("Folder", "Model.FileError", "it is no file"),
        ("Opset", "Model.LoadError", "99"),
        ("Outside", "Model.LoadError", "no model that ONNX Runtime can load"),
        ("Huge", "Model.LoadError", "no model that ONNX Runtime can load"),
        ("Labels", "Model.LabelsError", "none.txt"),
    ] {
        let (error, document) = invoke(&house, name, b"[1, 2, 3]");
        let told = document["errorMessage"].as_str().unwrap_or_default();
        assert_eq!(error.as_deref(), Some("Unhandled"), "{document}");
        assert_eq!(document["errorType"], kind, "{document}");
        assert!(told.contains(words), "{document}");
    }
    assert_eq!(invoke(&house, "Good", b"[1, 2, 3]"), (None, json!({"prediction": 6.0})));
}

#[test]
fn a_new_model_is_live_when_it_is_saved() {
    let house = plan(&format!("[functions.Sum]\n{SUM}")).watching().up();
    assert_eq!(invoke(&house, "Sum", b"[1, 2, 3]").1, json!({"prediction": 6.0}));
    let mark = house.mark();
    std::fs::write(house.plan.path("model.onnx"), model("ReduceMax", "axes", 1, 1)).expect("written");
    house.wait_published(mark, "Sum");
    assert_eq!(invoke(&house, "Sum", b"[1, 2, 3]").1, json!({"prediction": 3.0}));
}

#[test]
fn a_new_object_is_what_the_model_is_asked_about() {
    let house = plan(&format!(
        "[functions.Sum]\n{SUM}triggers = [{{ bucket = \"uploads\", suffix = \".csv\" }}]\n\n[buckets.uploads]\n"
    ))
    .up();
    let mark = house.mark();
    let put = http::send(house.aws(), "PUT /uploads/in/my%20row.csv", &[], b"1,2,3\n");
    assert_eq!(put.status, 200, "{}", put.text());
    house.idle();
    let said = house.records(mark).iter().map(Value::to_string).collect::<String>();
    assert!(said.contains(r#"s3://uploads/in/my row.csv {\"predictions\":[6.0]}"#), "{said}");
    assert_eq!(house.known("Sum").len(), 1);
    let gone = json!({"Records": [{"s3": {"bucket": {"name": "uploads"}, "object": {"key": "none.csv"}}}]});
    let (error, document) = invoke(&house, "Sum", gone.to_string().as_bytes());
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(
        document["errorMessage"],
        "s3://uploads/none.csv cannot be read: the store answers 404 Not Found"
    );
}

#[test]
fn a_new_object_of_cloud_storage_too() {
    let house = plan(&format!(
        "[functions.plus]\nprovider = \"gcp\"\n{SUM}triggers = [{{ bucket = \"rows\" }}]\n\n[buckets.rows]\nprovider = \"gcp\"\n"
    ))
    .up();
    let mark = house.mark();
    let line = "POST /upload/storage/v1/b/rows/o?uploadType=media&name=in%2Frow.csv";
    let put = http::send(house.gcp(), line, &[("Content-Type", "text/csv")], b"1,2,3\n");
    assert_eq!(put.status, 200, "{}", put.text());
    house.idle();
    let said = house.records(mark).iter().map(Value::to_string).collect::<String>();
    assert!(said.contains(r#"gs://rows/in/row.csv {\"predictions\":[6.0]}"#), "{said}");
}
