//! `mlemu test` while somebody works: it runs again when a file is saved. And what its files may say of clouds.

use super::lives;
use super::plan::Plan;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, PipeReader};
use std::process::{Child, Output};
use std::time::Duration;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Label:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: label-aws, Runtime: python3.12, CodeUri: src/, Handler: app.label, Timeout: 30 }
";

const TESTS: &str = "\
tests:
  - name: a rose is a rose
    steps:
      - invoke: { fn: Label }
    expect:
      - last: { result: rose }
";

fn label(word: &str) -> String {
    format!("def label(event, context):\n    return '{word}'\n")
}

/// A run that goes on until it is ended.
struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<PipeReader>>,
}

impl Watching {
    fn start(plan: &Plan) -> Self {
        let (lines, both) = std::io::pipe().expect("a pipe");
        let mut command = plan.mlemu(&["test", "--watch", "--output", "out.tap", "--format", "tap"]);
        command.stdout(both.try_clone().expect("another end")).stderr(both);
        let child = command.spawn().expect("the program starts");
        // The command holds other ends of the pipe.
        drop(command);
        Self { child, lines: BufReader::new(lines).lines() }
    }

    /// What is said until the next run is over.
    fn said(&mut self) -> String {
        let mut said = String::new();
        for line in self.lines.by_ref().map_while(Result::ok) {
            if line.contains("waiting for changes") {
                return said;
            }
            said.push_str(&line);
            said.push('\n');
        }
        panic!("it has ended:\n{said}");
    }
}

#[test]
fn an_edited_handler_and_an_edited_test_run_again() {
    let plan = Plan::new()
        .file("template.yaml", TEMPLATE)
        .file("src/app.py", &label("rose"))
        .file("tests/a.mlemu.yaml", TESTS);
    let save = |name: &str, text: &str| std::fs::write(plan.path(name), text).expect("saved");
    let results = || std::fs::read_to_string(plan.path("out.tap")).expect("results");
    let mut watching = Watching::start(&plan);
    watching.said();
    assert!(results().contains("ok 1 - a rose is a rose"), "{}", results());
    save("src/app.py", &label("tulip"));
    let said = watching.said();
    assert!(said.contains("src/app.py has changed"), "{said}");
    assert!(results().contains("not ok 1") && results().contains("got \"tulip\""), "{}", results());
    save("tests/a.mlemu.yaml", &TESTS.replace("result: rose", "result: tulip"));
    let said = watching.said();
    assert!(said.contains("tests/a.mlemu.yaml has changed"), "{said}");
    assert!(results().contains("\nok 1"), "{}", results());
    // A mistake is shown, and mended while it waits.
    save("tests/a.mlemu.yaml", "tests: 3\n");
    let said = watching.said();
    assert!(said.contains("tests/a.mlemu.yaml:1:8"), "{said}");
    save("tests/a.mlemu.yaml", TESTS);
    watching.said();
    assert!(results().contains("not ok 1"), "{}", results());
    kill_process(Pid::from_child(&watching.child), Signal::INT).expect("it lives");
    assert!(lives::ends_within(watching.child.id(), Duration::from_secs(20)), "it ends");
    assert_eq!(watching.child.wait().expect("a child").code(), Some(130));
}

const CONFIG: &str = "\
[functions.label-gcp]
provider = \"gcp\"
runtime = \"python312\"
handler = \"label\"
source = \"gcp\"
";

const MAIN: &str = "\
import functions_framework

@functions_framework.http
def label(request):
    print('labelled on gcp')
    return '\"rose\"', 200, {'Content-Type': 'application/json'}
";

const CLOUDS: &str = "\
on: [aws, gcp]
tests:
  - name: a rose on both
    steps: [{ invoke: { fn: \"label-${on}\", event: ml/text, params: { text: red } } }]
    expect:
      - last: { fn: \"label-${on}\", status: ok, result: rose }
      - invocations: { count: 1 }
  - name: a name is looked for in its cloud
    on: gcp
    steps: [{ invoke: { fn: label-aws } }]
";

fn test(plan: &Plan, args: &[&str]) -> (Output, String) {
    let output = plan.mlemu(&[&["test"], args].concat()).output().expect("it runs");
    let said =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    (output, said)
}

#[test]
fn a_test_runs_on_each_cloud_that_it_names() {
    let plan = Plan::new()
        .file("template.yaml", TEMPLATE)
        .file("src/app.py", &label("rose"))
        .file("mlemu.toml", CONFIG)
        .file("gcp/main.py", MAIN)
        .file("a.mlemu.yaml", CLOUDS);
    let (_, said) = test(&plan, &[]);
    for part in [
        "ok a rose on both [on=aws]",
        "ok a rose on both [on=gcp]",
        "FAILED a name is looked for in its cloud [on=gcp]",
        "there is no function `label-aws`; there is: label-gcp",
        "3 tests: 2 passed, 1 failed",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let (output, said) = test(&plan, &["--filter", "on=aws"]);
    assert!(output.status.success() && said.contains("1 test: 1 passed"), "{said}");
    let (output, said) = test(&plan, &["--filter", "no such test"]);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let plan = plan.file("a.mlemu.yaml", "on: [aws, clod]\ntests: []\n");
    let (output, said) = test(&plan, &[]);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("a.mlemu.yaml:1:11") && said.contains("there are: aws"), "{said}");
}

#[test]
fn editors_get_a_schema() {
    let output = Plan::new().mlemu(&["schema", "test"]).output().expect("it runs");
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(schema["required"][0], "tests", "{schema}");
}
