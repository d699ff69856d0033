//! Every way in which an invocation can end gives the caller what Lambda gives, and the next one works.

use super::clients;
use super::house::{House, is};
use super::plan::Plan;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, CodeUri: src/, MemorySize: 128, Timeout: 30 }
Resources:
  Ends: { Type: AWS::Serverless::Function, Properties: { Handler: app.handler } }
  Waits: { Type: AWS::Serverless::Function, Properties: { Handler: app.handler, Timeout: 1 } }
  Missing: { Type: AWS::Serverless::Function, Properties: { Handler: missing.handler } }
  Broken: { Type: AWS::Serverless::Function, Properties: { Handler: broken.handler } }
  Nameless: { Type: AWS::Serverless::Function, Properties: { Handler: app.nobody } }
  Leaves: { Type: AWS::Serverless::Function, Properties: { Handler: leaves.handler } }
";

const APP: &str = "\
import ctypes, os, signal

def handler(event, context):
    end = event.get('end')
    if end == 'raise':
        raise ValueError(\"told to\")
    if end == 'exit 3':
        print('said before the end', flush=True)
        os._exit(3)
    if end == 'exit 0':
        os._exit(0)
    if end == 'kill':
        os.kill(os.getpid(), signal.SIGKILL)
    if end == 'memory':
        hoard = []
        while True:
            hoard.append(bytearray(4 * 1024 * 1024))
    if end == 'segfault':
        ctypes.string_at(0)
    if end == '7 MB':
        return 'x' * 7_000_000
    if end == 'set':
        return {1, 2}
    if end == 'wait':
        signal.pause()
    return event.get('answer', 'fine')
";

fn plan() -> Plan {
    Plan::new()
        .file("template.yaml", TEMPLATE)
        .file("src/app.py", APP)
        .file("src/missing.py", "import nothing_of_this_name\n")
        .file("src/broken.py", "def handler(event, context)\n    return 1\n")
        .file("src/leaves.py", "import os\nos._exit(7)\n")
}

/// The daemon, for who wants to look closer.
#[track_caller]
fn case(name: &str) -> Option<House> {
    let python = clients::python()?;
    let house = plan().up();
    python.drive(&house, "endings.py", name);
    Some(house)
}

#[test]
fn bad_ends_and_the_next_invocation() {
    case("ends");
}

#[test]
fn timeouts() {
    case("timeouts");
}

#[test]
fn failures_of_the_init() {
    let Some(house) = case("init failures") else { return };
    house.wait_ended(0, "Nameless");
    let records = house.records(0);
    let inits = records.iter().filter(|record| is(record, "Missing", "init-ended"));
    let phases: Vec<_> = inits.map(|record| record["what"]["init-ended"]["init"]["phase"].clone()).collect();
    assert_eq!(phases[..2], ["init", "invoke"], "{phases:?}");
}

#[test]
fn an_init_that_exits() {
    case("exits at init");
}

#[test]
fn answers_of_every_kind() {
    case("fine answers");
}
