//! The command line: results alone on stdout, documented exit codes, nothing that a program could not read.

use super::plan::Plan;
use serde_json::Value;
use std::io::Write;
use std::process::{Output, Stdio};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 30 }
Resources:
  Echo: { Type: AWS::Serverless::Function, Properties: { Handler: app.echo } }
  Fails: { Type: AWS::Serverless::Function, Properties: { Handler: app.fails } }
";

const APP: &str = "\
def echo(event, context):
    print('echoing')
    return event

def fails(event, context):
    raise ValueError('told to')
";

fn plan() -> Plan {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP)
}

fn run(plan: &Plan, args: &[&str]) -> Output {
    plan.mlemu(args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Checks the exit code, shows stderr if it is another, and gives stdout.
#[track_caller]
fn exits(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn invoke_alone_prints_the_result_alone() {
    let plan = plan();
    let output = run(&plan, &["invoke", "Echo", "--event", r#"{"a": [1, "é"]}"#]);
    assert_eq!(exits(&output, 0), "{\"a\": [1, \"é\"]}\n");
    let said = text(&output.stderr);
    for line in ["START RequestId:", "echoing", "REPORT RequestId:", "limit held by"] {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert!(!said.contains('\u{1b}'), "no colours for a pipe: {said:?}");
    let failed = run(&plan, &["invoke", "Fails"]);
    let document: Value = serde_json::from_str(&exits(&failed, 1)).expect("JSON");
    assert_eq!(document["errorType"], "ValueError");
    assert!(text(&failed.stderr).contains("\nfailed: ValueError (cold, init "), "{}", text(&failed.stderr));
    let quiet = run(&plan, &["invoke", "Echo", "-q"]);
    assert_eq!((exits(&quiet, 0).as_str(), text(&quiet.stderr).as_str()), ("{}\n", ""));
}

#[test]
fn invoke_prints_one_json_document_for_programs() {
    let plan = plan();
    for (function, code, status) in [("Echo", 0, "ok"), ("Fails", 1, "error")] {
        let output = run(&plan, &["invoke", function, "--json"]);
        let document: Value = serde_json::from_str(&exits(&output, code)).expect("one document");
        assert_eq!(
            (&document["schema_version"], &document["status"]),
            (&Value::from(1), &Value::from(status))
        );
        assert!(document["log"].as_array().is_some_and(|log| log.len() >= 3), "{document}");
        assert!(document["report"]["peak_memory"].as_u64() > Some(1_000_000), "{document}");
    }
}

#[test]
fn invoke_through_the_daemon() {
    let house = plan().program();
    for _ in 0..2 {
        let output = house.mlemu(&["invoke", "Echo", "--event", "[1]"]);
        assert_eq!(exits(&output, 0), "[1]\n");
    }
    let warm = text(&house.mlemu(&["invoke", "Echo"]).stderr);
    assert!(warm.contains("warm, "), "{warm}");
    exits(&house.mlemu(&["invoke", "Fails"]), 1);
    let queued = house.mlemu(&["invoke", "Echo", "--queue", "--json"]);
    let document: Value = serde_json::from_str(&exits(&queued, 0)).expect("one document");
    assert_eq!(document["status"], "queued");
    let id = document["invocation"].clone();
    house.wait(0, "the queued invocation ended", |record| {
        record["subject"]["invocation"] == id && record["what"].get("ended").is_some()
    });
}

#[test]
fn events_come_from_stdin_files_fixtures_and_arguments() {
    let plan = plan().file("event.json", "{\"from\": \"a file\"}");
    let mut child = plan
        .mlemu(&["invoke", "Echo", "--event", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("stdin").write_all(b"{\"from\": \"stdin\"}").expect("written");
    assert_eq!(exits(&child.wait_with_output().expect("ends"), 0), "{\"from\": \"stdin\"}\n");
    for (event, expected) in
        [("event.json", "{\"from\": \"a file\"}\n"), ("7", "7\n"), ("null", "null\n"), ("\"a\"", "\"a\"\n")]
    {
        assert_eq!(exits(&run(&plan, &["invoke", "Echo", "--event", event]), 0), expected, "{event}");
    }
    let fixture =
        run(&plan, &["invoke", "Echo", "--event", "aws/s3/put", "-p", "key=a b.png", "-p", "bucket=mine"]);
    let event: Value = serde_json::from_str(&exits(&fixture, 0)).expect("JSON");
    assert_eq!(event["Records"][0]["s3"]["object"]["key"], "a+b.png");
}

#[test]
fn mistakes_have_their_codes_and_say_what_to_do() {
    let plan = plan();
    let cases: [(&[&str], i32, &str); 13] = [
        (&["invoke", "Eco"], 3, "Echo, Fails"),
        (&["invoke", "Eco"], 3, "did you mean `Echo`?"),
        (&["invoke"], 2, "Echo, Fails\nhint: name one of them: `mlemu invoke Echo`"),
        (&["invoke", "Echo", "-p", "a.b=1"], 2, "-p needs a fixture\nhint: "),
        (&["events", "gen", "aws/s3/put", "-p", "key"], 2, "`key` is not a parameter"),
        (&["invoke", "Echo", "--event", "aws/s3/putt"], 3, "aws/s3/put"),
        (&["ps"], 4, "mlemu up"),
        (&["logs"], 4, "mlemu up"),
        (&["env"], 4, "mlemu up"),
        (&["config", "--parameter", "Men=300"], 2, "there is no parameter `Men`"),
        (&["invoke", "Echo", "--no-such-flag"], 2, "--no-such-flag"),
        (&["invoke", "Echo", "--project", "nowhere"], 2, "nowhere"),
        (&["up", "--host", "0.0.0.0"], 2, "loopback"),
    ];
    for (args, code, hint) in cases {
        let output = run(&plan, args);
        assert_eq!(exits(&output, code), "", "{args:?} prints nothing on stdout");
        assert!(text(&output.stderr).contains(hint), "{args:?}: {}", text(&output.stderr));
    }
    let broken = Plan::new().file("mlemu.toml", "[functions.a]\nhandlerr = \"x\"\n");
    let output = run(&broken, &["config"]);
    exits(&output, 2);
    let said = text(&output.stderr);
    assert!(said.contains("mlemu.toml:2") && said.contains("handler"), "{said}");
}

#[test]
fn colours_are_for_who_asks() {
    let plan = plan();
    let colored = |args: &[&str], no_color: bool| {
        let mut command = plan.mlemu(args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        text(&command.output().expect("runs").stderr).contains('\u{1b}')
    };
    assert!(!colored(&["invoke", "Nobody"], false));
    assert!(colored(&["invoke", "Nobody", "--color", "always"], false));
    assert!(!colored(&["invoke", "Nobody"], true));
    let mut forced = plan.mlemu(&["invoke", "Nobody"]);
    let forced = forced.env("FORCE_COLOR", "1").env("NO_COLOR", "1").output().expect("runs");
    assert!(!text(&forced.stderr).contains('\u{1b}'), "NO_COLOR is stronger");
}

#[test]
fn fixtures_are_listed_shown_and_made() {
    let plan = plan().file("row.json", "{\"x\": 1}");
    let list = exits(&run(&plan, &["events", "list"]), 0);
    for name in ["aws/s3/put", "aws/sqs/message", "aws/apigw/http-v2", "ml/tabular"] {
        assert!(list.contains(name), "{name} in {list}");
    }
    let names: Value =
        serde_json::from_str(&exits(&run(&plan, &["events", "list", "--json"]), 0)).expect("JSON");
    assert!(names.as_array().is_some_and(|names| names.len() >= 14), "{names}");
    let show = exits(&run(&plan, &["events", "show", "aws/s3/put"]), 0);
    assert!(show.contains("bucket") && show.contains("uploads"), "{show}");
    let args = ["events", "gen", "aws/sqs/message", "-p", "body=@row.json", "--count", "2", "--seed", "7"];
    let made: Value = serde_json::from_str(&exits(&run(&plan, &args), 0)).expect("JSON");
    assert_eq!(made["Records"].as_array().map(Vec::len), Some(2));
    assert_eq!(made["Records"][0]["body"], "{\"x\": 1}");
    exits(&run(&plan, &["events", "gen", "aws/s3/put", "-o", "out.json"]), 0);
    assert!(plan.path("out.json").is_file());
    exits(&run(&plan, &["events", "show", "nothing/like/it"]), 3);
}

#[test]
fn a_running_project_is_told_about() {
    let house = plan().program();
    exits(&house.mlemu(&["invoke", "Echo"]), 0);
    let ps = exits(&house.mlemu(&["ps"]), 0);
    let line = ps.lines().find(|line| line.starts_with("Echo")).expect("a line for Echo");
    assert!(
        line.contains("python3.12") && line.contains("128 MB") && line.contains("template.yaml:5"),
        "{ps}"
    );
    let functions: Value = serde_json::from_str(&exits(&house.mlemu(&["ps", "--json"]), 0)).expect("JSON");
    assert_eq!(functions.as_array().map(Vec::len), Some(2));

    let logs = exits(&house.mlemu(&["logs", "Echo"]), 0);
    assert!(logs.contains("echoing") && logs.contains("REPORT RequestId"), "{logs}");
    assert_eq!(exits(&house.mlemu(&["logs", "Fails"]), 0), "");
    let last = exits(&house.mlemu(&["logs", "Echo", "-n", "1"]), 0);
    assert_eq!(Some(last.trim_end()), logs.lines().last());
    let nobody = house.mlemu(&["logs", "Eco"]);
    exits(&nobody, 3);
    assert!(text(&nobody.stderr).contains("Echo, Fails; did you mean `Echo`?"), "{}", text(&nobody.stderr));
    let lines = exits(&house.mlemu(&["logs", "--json"]), 0);
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");

    let url = format!("http://{}", house.aws());
    for (format, expected) in [
        ("sh", format!("export AWS_ENDPOINT_URL='{url}'")),
        ("dotenv", format!("AWS_ENDPOINT_URL=\"{url}\"")),
        ("github", format!("AWS_ENDPOINT_URL={url}")),
    ] {
        let env = exits(&house.mlemu(&["env", "--format", format]), 0);
        assert!(env.lines().any(|line| line == expected), "{expected} in {env}");
    }
}

#[test]
fn a_second_daemon_of_a_project_says_that_one_is_up() {
    let house = plan().program();
    let second = house.mlemu(&["up", "--aws-port", "0", "--control-port", "0"]);
    exits(&second, 2);
    let said = text(&second.stderr);
    assert!(said.contains("already up") && said.contains(&house.pid().to_string()), "{said}");
    assert!(said.contains(&house.control().to_string()), "{said}");
    // Another project is another matter.
    let other = plan().program();
    assert_ne!(other.aws(), house.aws());
}

#[test]
fn a_taken_port_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let output = run(&plan(), &["up", "--aws-port", &port, "--control-port", "0"]);
    exits(&output, 2);
    assert!(text(&output.stderr).contains(&port), "{}", text(&output.stderr));
}

#[test]
fn what_mlemu_reads_and_finds() {
    let plan = plan();
    let config: Value = serde_json::from_str(&exits(&run(&plan, &["config", "--json"]), 0)).expect("JSON");
    let functions = config["functions"].as_array().expect("functions");
    assert_eq!(functions.iter().map(|one| one["name"].clone()).collect::<Vec<_>>(), ["Echo", "Fails"]);
    let lines = exits(&run(&plan, &["config"]), 0);
    assert!(lines.contains("template.yaml:5"), "{lines}");

    let findings: Value = serde_json::from_str(&exits(&run(&plan, &["doctor", "--json"]), 0)).expect("JSON");
    let names: Vec<_> =
        findings.as_array().expect("a list").iter().map(|one| one["name"].to_string()).collect();
    assert!(
        names.iter().any(|name| name.contains("python")) && names.iter().any(|name| name.contains("cache")),
        "{names:?}"
    );
    for shell in ["bash", "zsh", "fish"] {
        assert!(exits(&run(&plan, &["completions", shell]), 0).contains("mlemu"), "{shell}");
    }
    assert!(exits(&run(&plan, &["--help"]), 0).contains("mlemu up"));
    assert!(exits(&run(&plan, &["--version"]), 0).starts_with("mlemu "));
}

#[test]
fn one_file_is_a_project() {
    let plan = Plan::new().file("score.py", "def run(event, context):\n    return event['x'] * 2\n");
    let output = run(&plan, &["invoke", "--project", "score.py:run", "--event", "{\"x\": 21}"]);
    assert_eq!(exits(&output, 0), "42\n");
}
