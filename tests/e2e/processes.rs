//! Functions are processes: none outlives its daemon, whatever it does, and the daemon stays as it was.

use super::house::is;
use super::plan::Plan;
use super::program::Program;
use super::{http, lives};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: python3.12
    CodeUri: src/
    Handler: app.handler
    Timeout: 60
    MemorySize: 256
    Environment: { Variables: { HOUSE: HOUSE_MARK } }
Resources:
  Does: { Type: AWS::Serverless::Function }
  Stubborn: { Type: AWS::Serverless::Function, Properties: { Timeout: 1 } }
";

const APP: &str = r#"
import os, signal, subprocess, sys

def handler(event, context):
    return globals()[event["do"]](event)

def nothing(event):
    return os.getpid()

def leave_children(event):
    subprocess.Popen(["tail", "-f", "/dev/null"])
    subprocess.Popen(["tail", "-f", "/dev/null"], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:  # a daemon of its own, by the book
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            while True:
                signal.pause()
        os._exit(0)
    os.wait()
    return "left"

def block(event):
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    print("blocking", flush=True)
    while True:
        pass

def stop_shim(event):
    shim = os.getppid()
    os.kill(shim, signal.SIGSTOP)
    print("stopping", flush=True)
    while True:
        os.kill(shim, signal.SIGSTOP)

def flood(event):
    sys.stdout.flush()
    piece = event["piece"].encode("latin-1") * (65536 // len(event["piece"]))
    for _ in range(event["megabytes"] * 16):
        os.write(1, piece)
    return "flooded"

def close_output(event):
    os.close(1)
    os.close(2)
    return "closed"
"#;

/// A daemon whose functions carry a mark of its own in their environment, and that mark.
fn house(name: &str) -> (Program, String) {
    let mark = format!("{name}-{}", std::process::id());
    let template = TEMPLATE.replace("HOUSE_MARK", &mark);
    (Plan::new().file("template.yaml", &template).file("src/app.py", APP).program(), mark)
}

fn invoke(house: &Program, function: &str, event: &Value) -> http::Answer {
    let line = format!("POST /2015-03-31/functions/{function}/invocations");
    http::send(house.aws(), &line, &[("X-Amz-Log-Type", "Tail")], event.to_string().as_bytes())
}

#[track_caller]
fn does(house: &Program, event: Value) -> Value {
    let answer = invoke(house, "Does", &event);
    assert!(answer.header("x-amz-function-error").is_none(), "{}", answer.text());
    answer.json()
}

/// Each process with the mark ends within three seconds, and no other comes.
#[track_caller]
fn all_end(mark: &str) {
    for pid in lives::with_variable("HOUSE", mark) {
        assert!(lives::ends_within(pid, Duration::from_secs(3)), "process {pid} lives on");
    }
    assert_eq!(lives::with_variable("HOUSE", mark), [0; 0], "processes of functions are left");
}

#[track_caller]
fn ends_by(name: &str, signal: Signal, code: i32) {
    let (mut house, mark) = house(name);
    does(&house, json!({"do": "leave_children"}));
    assert!(lives::with_variable("HOUSE", &mark).len() >= 4, "the function and its descendants");
    let (aws, control) = (house.aws(), house.control());
    house.signal(signal);
    assert_eq!(house.ended().code(), Some(code));
    all_end(&mark);
    for address in [aws, control] {
        TcpListener::bind(address).unwrap_or_else(|error| panic!("{address} is not free: {error}"));
    }
    let left = house.mlemu(&["ps"]);
    assert_eq!(left.status.code(), Some(4), "no daemon is found any more");
}

#[test]
fn sigterm_ends_everything() {
    ends_by("term", Signal::TERM, 143);
}

#[test]
fn sigint_ends_everything() {
    ends_by("int", Signal::INT, 130);
}

#[test]
fn sighup_ends_everything() {
    ends_by("hup", Signal::HUP, 143);
}

#[test]
fn a_running_invocation_does_not_keep_the_daemon() {
    let (mut house, mark) = house("running");
    std::thread::scope(|scope| {
        let running = scope.spawn(|| invoke(&house, "Does", &json!({"do": "block"})));
        house.wait(0, "the handler blocks", |record| record["what"]["log"]["text"] == "blocking");
        house.signal(Signal::TERM);
        let answer = running.join().expect("its caller hears something");
        assert!(answer.status >= 500 || answer.header("x-amz-function-error").is_some(), "{}", answer.text());
    });
    assert_eq!(house.ended().code(), Some(143));
    all_end(&mark);
}

#[test]
fn nothing_outlives_a_daemon_that_was_killed() {
    let (mut house, mark) = house("killed");
    does(&house, json!({"do": "leave_children"}));
    assert!(lives::with_variable("HOUSE", &mark).len() >= 4, "the function and its descendants");
    house.signal(Signal::KILL);
    house.ended();
    all_end(&mark);
}

#[test]
fn a_function_that_keeps_stopping_its_shim_does_not_outlive_a_killed_daemon() {
    let (mut house, mark) = house("stops");
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let line = "POST /2015-03-31/functions/Does/invocations";
            let body = json!({"do": "stop_shim"}).to_string();
            let mut stream = http::connect(house.aws());
            let head =
                format!("{line} HTTP/1.1\r\nHost: x.localhost\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).expect("written");
            http::rest(stream)
        });
        house.wait(0, "the shim is stopped", |record| record["what"]["log"]["text"] == "stopping");
        house.signal(Signal::KILL);
        assert!(running.join().expect("its caller hears the end").is_none(), "the daemon was killed");
    });
    house.ended();
    all_end(&mark);
}

#[test]
fn a_function_that_ignores_signals_is_ended_at_its_timeout() {
    let (house, mark) = house("stubborn");
    let answer = invoke(&house, "Stubborn", &json!({"do": "block"}));
    assert_eq!(answer.json()["errorType"], "Sandbox.Timedout");
    let ended = house.wait_ended(0, "Stubborn");
    let took = ended["usage"]["handler_ms"].as_f64().expect("a time");
    assert!((1000.0..1500.0).contains(&took), "{took} ms");
    all_end(&mark);
    let next = invoke(&house, "Stubborn", &json!({"do": "nothing"}));
    assert!(next.json().is_u64(), "{}", next.text());
}

#[test]
fn what_a_handler_leaves_behind_is_gone_with_its_instance() {
    let (house, mark) = house("reloaded");
    does(&house, json!({"do": "leave_children"}));
    let old = lives::with_variable("HOUSE", &mark);
    let seen = house.mark();
    std::fs::write(house.plan.path("src/app.py"), format!("{APP}\n# saved\n")).expect("saved");
    house.wait_published(seen, "Does");
    for pid in old {
        assert!(lives::ends_within(pid, Duration::from_secs(3)), "process {pid} lives on");
    }
}

#[test]
fn floods_of_output_are_cut_and_stall_nobody() {
    let (house, _) = house("flood");
    let before = lives::status_kib(house.pid(), "VmRSS");
    let most = if soak().is_some() { 1024 } else { 128 };
    let floods =
        [("x", most), ("line\n", 1), ("\u{1b}]0;title\u{7}\u{1b}[2J\n", 1), ("\u{0}\u{1}\u{ff}\u{fe}", 16)];
    for (piece, megabytes) in floods {
        let event = json!({"do": "flood", "megabytes": megabytes, "piece": piece});
        let answer = invoke(&house, "Does", &event);
        assert_eq!(answer.json(), "flooded");
        let tail = answer.header("x-amz-log-result").expect("a log").len();
        assert!(tail <= 4096 * 4 / 3 + 4, "the log's tail has {tail} characters");
    }
    let after = lives::status_kib(house.pid(), "VmHWM");
    // 64 MiB for the records, however short their lines, and what is on its way.
    assert!(after < before + 104 * 1024, "memory went from {before} to {after} KiB");
    house.wait(0, "a piece of a flood", |record| is(record, "Does", "log"));
    let longest = house
        .records(0)
        .iter()
        .filter_map(|record| Some(record["what"]["log"]["text"].as_str()?.len()))
        .max();
    assert!(longest.is_some_and(|longest| longest <= 3 * 256 * 1024), "{longest:?}");
    let logs = house.mlemu(&["logs", "Does"]);
    assert!(!logs.stdout.contains(&0x1b), "escapes have no power over the terminal");
    does(&house, json!({"do": "nothing"}));
}

#[test]
fn a_function_that_closes_its_output_goes_on() {
    let (house, _) = house("closed");
    assert_eq!(does(&house, json!({"do": "close_output"})), "closed");
    assert!(does(&house, json!({"do": "nothing"})).is_u64());
}

/// How many invocations the full test of endurance makes.
fn soak() -> Option<usize> {
    std::env::var("MLEMU_SOAK").ok()?.parse().ok()
}

#[test]
fn invocations_and_reloads_leave_the_daemon_as_it_was() {
    let (house, mark) = house("flat");
    let (calls, reloads) = soak().map_or((1000, 50), |calls| (calls, calls / 25));
    let run = |calls: usize, reloads: usize| {
        for _ in 0..calls {
            does(&house, json!({"do": "nothing"}));
        }
        for number in 0..reloads {
            let seen = house.mark();
            std::fs::write(house.plan.path("src/app.py"), format!("{APP}\n# {number}\n")).expect("saved");
            house.wait(seen, "reloaded", |record| is(record, "Does", "published"));
            does(&house, json!({"do": "nothing"}));
        }
    };
    let measure = || (lives::descriptors(house.pid()), lives::status_kib(house.pid(), "VmRSS"));
    // What is made once, buffers and pools, is there after a tenth.
    run(calls / 10, reloads / 10);
    let (descriptors, memory) = measure();
    run(calls, reloads);
    let (later_descriptors, later_memory) = measure();
    assert!(
        later_descriptors <= descriptors + 8,
        "descriptors went from {descriptors} to {later_descriptors}"
    );
    assert!(later_memory < memory + 24 * 1024, "memory went from {memory} to {later_memory} KiB");
    assert_eq!(lives::zombies_of(house.pid()), 0);
    assert!(lives::with_variable("HOUSE", &mark).len() <= 4, "one instance a function, with its shim");
}
