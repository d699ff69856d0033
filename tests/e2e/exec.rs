//! `mlemu exec`: a command with functions of its own, in the environment that tests need.

use super::lives;
use super::plan::Plan;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};
use std::time::Duration;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: my-echo, Runtime: python3.12, CodeUri: src/, Handler: app.echo, Timeout: 30 }
";

const APP: &str = "\
def echo(event, context):
    print('echoing')
    return event
";

fn plan() -> Plan {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP)
}

fn exec(plan: &Plan, flags: &[&str], script: &str) -> Output {
    let args = [&["exec"], flags, &["--", "sh", "-c", script]].concat();
    plan.mlemu(&args).output().expect("the program runs")
}

#[track_caller]
fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_command_calls_functions_and_reads_what_became_of_them() {
    let plan = plan();
    let script = "
        curl -sS --fail -d '{\"n\": 1}' \"$MLEMU_FUNCTION_MY_ECHO_URL\" &&
        curl -sS --fail -XPOST -H \"Authorization: Bearer $MLEMU_TOKEN\" \"$MLEMU_URL/_mlemu/wait\" >waited.json";
    let output = exec(&plan, &["--report", "report.json"], script);
    assert_eq!(stdout(&output), "{\"n\": 1}", "nothing but the command's own words");
    let report: Value =
        serde_json::from_slice(&std::fs::read(plan.path("report.json")).expect("written")).expect("JSON");
    assert_eq!(report["invocations"][0]["status"], "ok", "{report}");
    assert!(report["invocations"][0]["log"].to_string().contains("echoing"), "{report}");
}

#[test]
fn a_report_has_what_resets_wiped_and_what_other_scopes_did() {
    let plan = plan();
    let script = "
        ask() { curl -sS --fail -XPOST -H \"Authorization: Bearer $MLEMU_TOKEN\" \"$MLEMU_URL/_mlemu/$1\" -d \"$2\"; }
        for n in 1 2; do ask functions/my-echo/invoke $n && ask reset ''; done >said.txt
        ask 'functions/my-echo/invoke?scope=w1' 3 >>said.txt";
    exec(&plan, &["--report", "report.json", "--workers", "1"], script);
    let report: Value =
        serde_json::from_slice(&std::fs::read(plan.path("report.json")).expect("written")).expect("JSON");
    let told = report["invocations"].as_array().expect("a list").iter();
    let told: Vec<_> =
        told.map(|one| (one["scope"].as_str(), one["event"].as_u64(), one["status"].as_str())).collect();
    let first = Some("000000000000");
    let expected =
        [(first, 1), (first, 2), (Some("w1"), 3)].map(|(scope, event)| (scope, Some(event), Some("ok")));
    assert_eq!(told, expected, "{report}");
}

#[test]
fn other_verbs_find_the_daemon_that_they_run_in() {
    let plan = plan();
    let mlemu = env!("CARGO_BIN_EXE_mlemu");
    let script =
        format!("'{mlemu}' invoke my-echo -q -e '[1]' && '{mlemu}' wait && '{mlemu}' ps | grep -c my-echo");
    assert_eq!(stdout(&exec(&plan, &[], &script)), "[1]\n1\n");
}

#[test]
fn it_ends_as_the_command_does_and_leaves_nothing() {
    let plan = plan();
    let killed =
        [("kill -INT $$", 130), ("kill -KILL $$", 137), ("kill -TERM $$", 143), ("kill -SEGV $$", 139)];
    for (script, code) in [("exit 0", 0), ("exit 7", 7)].into_iter().chain(killed) {
        assert_eq!(exec(&plan, &[], script).status.code(), Some(code), "{script}");
    }
    let missing = plan.mlemu(&["exec", "no-such-program"]).output().expect("the program runs");
    assert_eq!(missing.status.code(), Some(127), "{missing:?}");
    let folder = plan.mlemu(&["exec", "/"]).output().expect("the program runs");
    assert_eq!(folder.status.code(), Some(126), "{folder:?}");
    let broken =
        Plan::new().file("template.yaml", TEMPLATE).file("mlemu.toml", "[functions.x]\nnonsense = 1\n");
    assert_eq!(exec(&broken, &[], "exit 0").status.code(), Some(2));
}

#[test]
fn the_developers_own_clouds_are_out_of_reach() {
    let plan = plan()
        .env("AWS_PROFILE", "production")
        .env("AWS_SESSION_TOKEN", "real")
        .env("GOOGLE_APPLICATION_CREDENTIALS", "/real.json")
        .env("AZURE_CLIENT_SECRET", "real")
        .env("KEPT", "mine");
    let names = stdout(&exec(&plan, &[], "env"));
    for gone in
        ["AWS_PROFILE=", "AWS_SESSION_TOKEN=", "GOOGLE_APPLICATION_CREDENTIALS=", "AZURE_CLIENT_SECRET="]
    {
        assert!(!names.lines().any(|line| line.starts_with(gone)), "{gone}");
    }
    for set in ["KEPT=mine", "MLEMU=1", "AWS_CONFIG_FILE=/dev/null", "AWS_ENDPOINT_URL=http://127.0.0.1:"] {
        assert!(names.lines().any(|line| line.starts_with(set)), "{set} in {names}");
    }
}

#[test]
fn a_signal_reaches_the_command_and_everything_ends() {
    let plan = plan();
    let script = "trap 'exit 9' TERM; trap 'exit 8' INT; exec 3<fifo; read -r line <&3";
    std::process::Command::new("mkfifo").arg(plan.path("fifo")).status().expect("a fifo");
    for (signal, code) in [(Signal::TERM, 9), (Signal::HUP, 9), (Signal::INT, 8)] {
        let mut child = plan.mlemu(&["exec", "--", "sh", "-c", script]).spawn().expect("the program starts");
        // Opening it returns when the command reads: it runs, and its traps are set.
        let fifo = std::fs::OpenOptions::new().write(true).open(plan.path("fifo")).expect("opened");
        kill_process(Pid::from_child(&child), signal).expect("it lives");
        assert!(lives::ends_within(child.id(), Duration::from_secs(20)), "it ends by {signal:?}");
        assert_eq!(child.wait().expect("a child").code(), Some(code), "{signal:?}");
        drop(fifo);
    }
}

#[test]
fn what_failed_is_kept_until_it_is_ended() {
    let plan = plan();
    let mut command = plan.mlemu(&["exec", "--keep", "--", "sh", "-c", "exit 3"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines().map_while(Result::ok);
    let kept = lines.find(|line| line.contains("MLEMU_URL=")).expect("what is kept");
    let variable = |name: &str| {
        let word = kept.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        word.unwrap_or_else(|| panic!("no {name} in {kept}")).to_owned()
    };
    let mut ps = plan.mlemu(&["ps"]);
    ps.env("MLEMU_URL", variable("MLEMU_URL")).env("MLEMU_TOKEN", variable("MLEMU_TOKEN"));
    let there = String::from_utf8_lossy(&ps.output().expect("the program runs").stdout).into_owned();
    assert!(there.contains("my-echo"), "it still runs, and other verbs find it: {there}");
    assert!(lines.any(|line| line.contains("Ctrl-C ends it")), "it says how it ends");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it lives");
    assert!(lives::ends_within(child.id(), Duration::from_secs(20)), "it ends");
    assert_eq!(child.wait().expect("a child").code(), Some(3), "as the command did");
    // What succeeds has nothing to be looked at.
    assert_eq!(exec(&plan, &["--keep"], "exit 0").status.code(), Some(0));
}

#[test]
fn workers_find_their_scopes_ready() {
    let plan = plan();
    let scopes = "curl -sS --fail -H \"Authorization: Bearer $MLEMU_TOKEN\" \"$MLEMU_URL/_mlemu/scopes\"";
    let listed: Value =
        serde_json::from_str(&stdout(&exec(&plan, &["--workers", "3"], scopes))).expect("JSON");
    let names: Vec<_> =
        listed.as_array().expect("scopes").iter().map(|scope| scope["name"].clone()).collect();
    assert_eq!(names.len(), 4, "{listed}");
    for worker in ["w1", "w2", "w3"] {
        assert!(names.contains(&worker.into()), "{worker} in {listed}");
    }
}

#[test]
fn a_daemon_that_is_up_can_be_used() {
    let house = plan().program();
    let control = house.control().to_string();
    let output =
        house.mlemu(&["exec", "--reuse", "--", "sh", "-c", "echo $MLEMU_URL $MLEMU_FUNCTION_MY_ECHO_URL"]);
    let said = stdout(&output);
    assert!(said.contains(&control) && said.contains("/functions/my-echo/invocations"), "{said}");
    // It has a scope of its own, which goes with it.
    let scope = stdout(&house.mlemu(&["exec", "--reuse", "--", "sh", "-c", "echo $MLEMU_SCOPE"]));
    assert!(scope.starts_with("exec-"), "{scope}");
    let left = house.ask("GET /_mlemu/scopes", &Value::Null).json();
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    // Without it the command gets a daemon of its own.
    let own = stdout(&house.mlemu(&["exec", "--", "sh", "-c", "echo $MLEMU_URL"]));
    assert!(!own.contains(&control), "{own}");
}

const REACHES: &str = "\
import urllib.request

def handler(event, context):
    try:
        urllib.request.urlopen('http://models.example/weights.bin', timeout=5)
    except Exception as error:
        return str(error)
";

#[test]
fn whoever_reaches_out_is_refused_and_named() {
    let config = "[functions.downloads]\nhandler = \"app.handler\"\nruntime = \"python3.12\"\n";
    let plan = Plan::new().file("mlemu.toml", config).file("app.py", REACHES);
    let exec = |command: &str| {
        let output = plan.mlemu(&["exec", "--offline-guard", "--", "sh", "-c", command]).output();
        let output = output.expect("it runs");
        let words = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        (output.status.code(), words.concat())
    };
    let binary = env!("CARGO_BIN_EXE_mlemu");
    let (code, said) = exec(&format!("{binary} invoke downloads"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("403"), "{said}");
    assert!(said.contains("offline guard: downloads tried models.example (1 times)"), "{said}");
    let (code, said) =
        exec("python3 -c 'import urllib.request as r; r.urlopen(\"http://a.example/\")'; true");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("offline guard: the command tried a.example"), "{said}");
    let (code, said) = exec(&format!("{binary} ps"));
    assert_eq!(code, Some(0), "nobody reached out: {said}");
}
