//! The front ends of the harness, used as a new user would: a bare project, tests beside it, one command.

use super::clients;
use super::plan::{Plan, cache};
use mlemu::harness::Session;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, Timeout: 30 }
Resources:
  Uploads: { Type: AWS::S3::Bucket, Properties: { BucketName: uploads } }
  Seen: { Type: AWS::S3::Bucket, Properties: { BucketName: seen } }
  Copies:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.copies
      Events: { Put: { Type: S3, Properties: { Bucket: !Ref Uploads, Events: 's3:ObjectCreated:*' } } }
  Divides: { Type: AWS::Serverless::Function, Properties: { Handler: app.divides } }
";

const APP: &str = "\
import boto3

s3 = boto3.client('s3')
calls = 0

def copies(event, context):
    for record in event['Records']:
        key = record['s3']['object']['key']
        s3.put_object(Bucket='seen', Key=key, Body=b'seen')

def divides(event, context):
    global calls
    calls += 1
    print('dividing by', event['by'])
    return {'quotient': 10 / event['by'], 'calls': calls}
";

const PYTEST: &str = r#"
import os
import pytest
from pytest_mlemu import NotSettled

@pytest.mark.parametrize("round", range(25))
def test_an_upload_is_seen_once_and_every_test_begins_afresh(mlemu, round):
    assert mlemu.objects("seen") == []
    mlemu.put("uploads", f"{round}.txt", b"x")
    mlemu.wait_idle()
    assert mlemu.objects("seen") == [f"{round}.txt"]
    assert [one["status"] for one in mlemu.invocations(function="Copies")] == ["ok"]

def test_answers_failures_and_replays(mlemu):
    assert mlemu.invoke("Divides", {"by": 4}).result["quotient"] == 2.5
    failed = mlemu.invoke("Divides", {"by": 0}, check=False)
    assert failed.status == "error" and failed.result["errorType"] == "ZeroDivisionError"
    with pytest.raises(AssertionError, match="dividing by 0"):
        mlemu.invoke("Divides", {"by": 0})
    assert mlemu.replay("last", {"by": 5}).result["quotient"] == 2

def test_a_wait_in_vain_says_why_at_once(mlemu):
    mlemu.invoke("Divides", {"by": 0}, queue=True)
    with pytest.raises(NotSettled, match="(?s)0 of 1 invocations of Divides.*ZeroDivisionError"):
        mlemu.wait_invocations("Divides", status="ok", timeout=60)

def test_state_and_cold_starts(mlemu):
    mlemu.put("seen", "a", b"1")
    mlemu.snapshot("with a")
    mlemu.reset()
    assert mlemu.objects("seen") == []
    mlemu.restore("with a")
    assert mlemu.get("seen", "a") == b"1"
    mlemu.invoke("Divides", {"by": 1})
    mlemu.cold("Divides")
    assert mlemu.invoke("Divides", {"by": 1}).result["calls"] == 1

def test_a_reset_leaves_instances_warm(mlemu):
    calls = []
    for _ in range(10):
        calls.append(mlemu.invoke("Divides", {"by": 1}).result["calls"])
        mlemu.reset()
    assert calls == list(range(calls[0], calls[0] + 10))

def test_scopes_and_faults(mlemu, mlemu_scope, mlemu_faults):
    mlemu_scope.put("uploads", "mine", b"x")
    mlemu_scope.wait_idle()
    assert mlemu_scope.objects("seen") == ["mine"] and mlemu.objects("seen") == []
    mlemu_faults("oom", function="*Divides*", times=1)
    assert mlemu.invoke("Divides", {"by": 1}, check=False).status == "error"
    assert mlemu.invoke("Divides", {"by": 1}).ok
    assert [rule["struck"] for rule in mlemu.faults()] == [1]

def test_time(mlemu_clock):
    mlemu_clock.freeze("2030-01-01T00:00:00Z")
    mlemu_clock.advance("6h")
    assert mlemu_clock.now() == "2030-01-01T06:00:00Z"

def test_real_accounts_are_out_of_reach(mlemu):
    assert "AWS_PROFILE" not in os.environ
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
"#;

const FAILING: &str = "
def test_that_fails(mlemu):
    mlemu.invoke('Divides', {'by': 2})
    assert False
";

const NODE: &str = r#"
import test, { after, before, beforeEach } from "node:test";
import assert from "node:assert/strict";
import { NotSettled, useMlemu } from "mlemu-test";

const mlemu = useMlemu({ before, beforeEach, after });

for (let round = 0; round < 10; round += 1) {
  test(`an upload is seen once, round ${round}`, async () => {
    assert.deepEqual(await mlemu.objects("seen"), []);
    const trace = await mlemu.put("uploads", `${round} é.txt`, "x");
    await mlemu.waitTrace(trace);
    assert.equal((await mlemu.objects("seen")).length, 1);
    assert.deepEqual((await mlemu.invocations({ function: "Copies" })).map((one) => one.status), ["ok"]);
  });
}

test("answers, failures and time", async () => {
  assert.equal((await mlemu.invoke("Divides", { by: 4 })).result.quotient, 2.5);
  await assert.rejects(mlemu.invoke("Divides", { by: 0 }), /dividing by 0/);
  await mlemu.invoke("Divides", { by: 0 }, { queue: true });
  const late = mlemu.waitInvocations("Divides", { status: "ok", count: 2, timeoutMs: 60_000 });
  await assert.rejects(late, (error) => error instanceof NotSettled && /ZeroDivisionError/.test(error.message));
  await mlemu.clock.freeze("2030-01-01T00:00:00Z");
  await mlemu.clock.advance("6h");
  assert.equal(await mlemu.clock.now(), "2030-01-01T06:00:00Z");
  await mlemu.clock.real();
  await mlemu.fault("crash-handler", { match: { function: "*Divides*" }, times: 1 });
  await assert.rejects(mlemu.invoke("Divides", { by: 1 }), /Divides failed/);
  const alone = await mlemu.scope("alone");
  await alone.put("seen", "a", "x");
  assert.deepEqual([await alone.objects("seen"), await mlemu.objects("seen")], [["a"], []]);
  await alone.stop();
  assert.equal(process.env.AWS_PROFILE, undefined);
});
"#;

fn plan() -> Plan {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).file("tests/test_it.py", PYTEST)
}

fn run(plan: &Plan, mut command: Command) -> Output {
    command
        .current_dir(plan.path("."))
        .stdin(Stdio::null())
        .env("MLEMU_BIN", env!("CARGO_BIN_EXE_mlemu"))
        .env("MLEMU_CACHE", cache().join("cache"))
        .env("AWS_PROFILE", "production")
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn pytest_alone_and_with_workers() {
    let Some(python) = clients::pytest() else { return };
    let plan = plan();
    for flags in [&["-q"][..], &["-q", "-n", "2"]] {
        let mut command = python.program("pytest");
        command.args(flags).arg("tests");
        let output = run(&plan, command);
        assert!(output.status.success() && said(&output).contains("32 passed"), "{}", said(&output));
    }
}

#[test]
fn a_failed_test_shows_what_its_functions_did() {
    let Some(python) = clients::pytest() else { return };
    let plan = plan().file("failing/test_it.py", FAILING);
    for flags in [&[][..], &["-n", "2"]] {
        let mut command = python.program("pytest");
        command.arg("failing").args(flags);
        let output = run(&plan, command);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in ["mlemu invocations", "Divides: ok in", "dividing by 2"] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }
}

#[test]
fn pytest_inside_of_exec_uses_its_daemon() {
    let Some(python) = clients::pytest() else { return };
    let plan = plan();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlemu"));
    command.args(["exec", "--report", "report.json", "--"]);
    command.arg(python.program("pytest").get_program()).args(["-q", "tests", "-k", "upload or answers"]);
    let output = run(&plan, command);
    assert!(output.status.success() && said(&output).contains("26 passed"), "{}", said(&output));
    let report = std::fs::read_to_string(plan.path("report.json")).expect("a report");
    assert!(report.contains("\"Divides\""), "{report}");
}

#[test]
fn node_alone_and_inside_of_exec() {
    let Some(version) = clients::node_version() else { return };
    if version < 20 {
        eprintln!("skipped: node {version} has no stable test runner");
        return;
    }
    let plan = plan().file("tests/it.test.mjs", NODE).file("package.json", "{ \"type\": \"module\" }");
    if !clients::npm_install(&plan.path(""), "--save-dev") {
        return;
    }
    for wrapped in [false, true] {
        let mut command = Command::new(if wrapped { env!("CARGO_BIN_EXE_mlemu") } else { "node" });
        if wrapped {
            command.args(["exec", "--", "node"]);
        }
        let output = run(&plan, {
            command.args(["--test", "tests/it.test.mjs"]);
            command
        });
        assert!(output.status.success() && said(&output).contains("pass 11"), "{}", said(&output));
    }
}

const VITEST: &str = r#"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { useMlemu } from "mlemu-test";

const mlemu = useMlemu({ before: beforeAll, beforeEach, after: afterAll });

for (const round of [1, 2, 3]) {
  test(`an upload is seen once, round ${round}`, async () => {
    expect(await mlemu.objects("seen")).toEqual([]);
    await mlemu.waitTrace(await mlemu.put("uploads", `${round}.txt`, "x"));
    expect(await mlemu.objects("seen")).toEqual([`${round}.txt`]);
  });
}
"#;

#[test]
fn vitest_alone_and_inside_of_exec() {
    let Some(vitest) = clients::vitest() else { return };
    // Two files, which Vitest runs in workers beside each other.
    let plan = plan()
        .file("tests/one.test.mjs", VITEST)
        .file("tests/two.test.mjs", VITEST)
        .file("package.json", "{ \"type\": \"module\" }");
    linked(&plan, &vitest);
    for wrapped in [false, true] {
        let mut command =
            Command::new(if wrapped { env!("CARGO_BIN_EXE_mlemu") } else { "node_modules/.bin/vitest" });
        if wrapped {
            command.args(["exec", "--", "node_modules/.bin/vitest"]);
        }
        command.args(["run", "--hook-timeout", "120000", "--test-timeout", "60000"]);
        let output = run(&plan, command);
        assert!(output.status.success() && said(&output).contains("6 passed"), "{}", said(&output));
    }
}

const JEST: &str = r#"
import { useMlemu } from "mlemu-test";

const mlemu = useMlemu({ before: beforeAll, beforeEach, after: afterAll });

test.each([1, 2, 3])("an upload is seen once, round %d", async (round) => {
  expect(await mlemu.objects("seen")).toEqual([]);
  await mlemu.waitTrace(await mlemu.put("uploads", `${round}.txt`, "x"));
  expect(await mlemu.objects("seen")).toEqual([`${round}.txt`]);
});
"#;

/// Jest takes modules of ECMAScript only from a Node that is told so.
const JEST_CONFIG: &str = r#"{
  "type": "module",
  "jest": { "testMatch": ["<rootDir>/tests/*.test.js"], "transform": {}, "testTimeout": 120000 }
}"#;

#[test]
fn jest_alone_and_inside_of_exec() {
    let Some(jest) = clients::jest() else { return };
    let plan = plan()
        .file("tests/one.test.js", JEST)
        .file("tests/two.test.js", JEST)
        .file("package.json", JEST_CONFIG);
    linked(&plan, &jest);
    let jest = ["node", "--experimental-vm-modules", "node_modules/jest/bin/jest.js", "--maxWorkers=2"];
    for wrapper in [&[][..], &[env!("CARGO_BIN_EXE_mlemu"), "exec", "--"]] {
        let words = [wrapper, &jest].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        let output = run(&plan, command);
        assert!(output.status.success() && said(&output).contains("6 passed"), "{}", said(&output));
    }
}

/// What is installed for all projects, with our package as npm links it.
fn linked(plan: &Plan, installed: &clients::Clients) {
    let modules = installed.folder().join("node_modules");
    let ours = modules.join("mlemu-test");
    let package = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/harness/node"));
    // Another checkout may have linked its own.
    if std::fs::read_link(&ours).ok().as_deref() != Some(package) {
        let _ = std::fs::remove_file(&ours);
        std::os::unix::fs::symlink(package, ours).expect("linked");
    }
    std::os::unix::fs::symlink(modules, plan.path("node_modules")).expect("linked");
}

/// The suite that nothing may shake: an object is put, its function waited for, and everything reset.
const MANY: &str = r#"
import pytest

@pytest.mark.parametrize("number", range(COUNT))
def test_many(mlemu, number):
    assert mlemu.objects("seen") == []
    mlemu.put("uploads", f"{number}.txt", b"x")
    mlemu.wait_invocations("Copies", status="ok")
    mlemu.wait_idle()
    assert mlemu.objects("seen") == [f"{number}.txt"]
"#;

/// A thousand tests by four workers of one daemon, five times: by `MLEMU_MANY=1`, otherwise a few.
#[test]
fn many_tests_by_several_workers_never_flake() {
    let Some(python) = clients::pytest() else { return };
    let all = std::env::var_os("MLEMU_MANY").is_some();
    let (count, workers, runs) = if all { (1000, "4", 5) } else { (40, "2", 1) };
    let suite = MANY.replace("COUNT", &count.to_string());
    let plan =
        Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP).file("tests/test_it.py", &suite);
    for _ in 0..runs {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlemu"));
        command.args(["exec", "--"]).arg(python.program("pytest").get_program());
        command.args(["-q", "-n", workers, "tests"]);
        let output = run(&plan, command);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains(&format!("{count} passed")), "{}", said(&output));
    }
}

#[test]
fn a_session_inside_of_a_rust_test() {
    let plan = plan();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let builder = Session::of(plan.path(".")).program(env!("CARGO_BIN_EXE_mlemu"));
        let mlemu = builder.patience(Duration::from_secs(120)).start().await.expect("it starts");
        for round in 0..3 {
            let key = format!("{round}.txt");
            let trace = mlemu.put("uploads", &key, "x").await.expect("put");
            mlemu.settled(&trace).await.expect("settled");
            assert_eq!(mlemu.keys("seen", "").await.expect("listed"), [key.as_str()]);
            assert_eq!(mlemu.get("seen", &key).await.expect("there"), "seen");
            let ended = mlemu.ended("Copies", "ok", 1).await.expect("ended");
            assert_eq!(ended[0].trace, trace);
            mlemu.reset().await.expect("reset");
            assert!(mlemu.keys("seen", "").await.expect("listed").is_empty());
        }
        let event = mlemu.event("aws/s3/put", &["bucket=uploads", "key=made.txt"]).expect("rendered");
        assert_eq!(mlemu.invoke("Copies", event).await.expect("invoked").status, "ok");
        assert_eq!(mlemu.keys("seen", "made").await.expect("listed"), ["made.txt"]);
        mlemu.freeze("1970-01-01T00:00:00Z").await.expect("frozen");
        let began = std::time::Instant::now();
        let then = mlemu.advance(Duration::from_secs(6 * 3600)).await.expect("settled");
        assert_eq!(then.millis(), 6 * 3600 * 1000);
        assert!(began.elapsed() < Duration::from_secs(1));
        mlemu.stop().await;
    });
}
