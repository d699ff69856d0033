//! The Lambda API from boto3 and the AWS CLI, unmodified.

use super::clients;
use super::house::House;
use super::plan::Plan;
use serde_json::Value;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Declared:
    Type: AWS::Serverless::Function
    Properties: { Runtime: python3.12, CodeUri: src/, Handler: app.handler, Timeout: 30 }
";

const APP: &str = "\
def handler(event, context):
    if event and 'raise' in event:
        raise ValueError('told to')
    return 'declared'
";

fn plan() -> Plan {
    let hot = "def handler(event, context):\n    return 'cold'\n";
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).file("hot/app.py", hot)
}

#[track_caller]
fn case(name: &str) -> Option<House> {
    let python = clients::python()?;
    let house = plan().up();
    python.drive(&house, "lambda_api.py", name);
    Some(house)
}

#[test]
fn the_life_of_a_function() {
    case("life");
}

#[test]
fn listing_tags_and_policies() {
    case("reads");
}

#[test]
fn a_runtime_that_is_not_here_is_told_at_once() {
    case("cannot run");
}

#[test]
fn queued_invocations_run() {
    let Some(house) = case("modes") else { return };
    let ended = house.wait_ended(0, "Declared");
    assert_eq!(ended["status"]["status"], "ok", "{ended}");
}

#[test]
fn reserved_concurrency() {
    case("concurrency");
}

#[test]
fn a_second_call_is_throttled_while_the_first_runs() {
    case("one at a time");
}

#[test]
fn function_urls() {
    case("urls");
}

#[test]
fn answers_as_a_stream() {
    case("streams");
}

#[test]
fn errors_in_the_vendors_words() {
    case("errors");
}

#[test]
fn hostile_archives() {
    case("archives");
}

#[test]
fn identity_and_roles() {
    case("account");
}

#[test]
fn code_from_a_bucket_and_from_a_folder_that_is_watched() {
    let Some(python) = clients::python() else { return };
    let house = plan().watching().up();
    python.drive(&house, "lambda_api.py", "other sources");
    let mark = house.mark();
    std::fs::write(house.plan.path("hot/app.py"), "def handler(event, context):\n    return 'reloaded'\n")
        .expect("saved");
    let published = house.wait_published(mark, "hot");
    assert_eq!(published["reload"], true);
    let answer = python.aws(&house, &["lambda", "invoke", "--function-name", "hot", "/dev/stdout"]);
    assert!(answer.starts_with("\"reloaded\""), "{answer}");
}

#[test]
fn the_aws_command_line() {
    let Some(python) = clients::python() else { return };
    let house = plan().up();
    let zip = ["-m", "zipfile", "-c", "code.zip", "hot/app.py"];
    let made = std::process::Command::new("python3").args(zip).current_dir(house.plan.path("")).status();
    assert!(made.expect("python3").success());
    let create = [
        "lambda",
        "create-function",
        "--function-name",
        "shipped",
        "--runtime",
        "python3.12",
        "--timeout",
        "30",
        "--handler",
        "app.handler",
        "--role",
        "arn:aws:iam::000000000000:role/r",
        "--zip-file",
        "fileb://code.zip",
    ];
    let created: Value = serde_json::from_str(&python.aws(&house, &create)).expect("JSON");
    assert_eq!(created["FunctionName"], "shipped");
    python.aws(&house, &["lambda", "wait", "function-active-v2", "--function-name", "shipped"]);
    let invoke = [
        "lambda",
        "invoke",
        "--function-name",
        "shipped",
        "--payload",
        "{}",
        "--log-type",
        "Tail",
        "out.json",
    ];
    let told: Value = serde_json::from_str(&python.aws(&house, &invoke)).expect("JSON");
    assert_eq!((told["StatusCode"].as_u64(), told["ExecutedVersion"].as_str()), (Some(200), Some("$LATEST")));
    assert!(told["LogResult"].is_string() && told["FunctionError"].is_null(), "{told}");
    assert_eq!(std::fs::read_to_string(house.plan.path("out.json")).expect("written"), "\"cold\"");
    python.aws(&house, &["lambda", "delete-function", "--function-name", "shipped"]);
    let listed: Value =
        serde_json::from_str(&python.aws(&house, &["lambda", "list-functions"])).expect("JSON");
    assert_eq!(listed["Functions"].as_array().map(Vec::len), Some(1));
}
