//! How instances of Cloud Functions are kept and reached: ports of their own, hosts, caps, freezing, and whose lines
//! are whose.

use super::house::{House, is};
use super::http::{self, Answer};
use super::plan::Plan;
use std::net::TcpListener;

const MAIN: &str = "\
import json
import os
import socket
import threading

import functions_framework

ticks = 0
pause = threading.Event()

def tick():
    global ticks
    while True:
        pause.wait(0.001)
        ticks += 1

@functions_framework.http
def hello(request):
    return request.path + '?' + request.query_string.decode()

@functions_framework.http
def ticking(request):
    # The server has forked since this file was loaded, and threads stay behind.
    if ticks == 0:
        threading.Thread(target=tick, daemon=True).start()
        pause.wait(0.1)
    return str(ticks)

@functions_framework.http
def teapot(request):
    print('short', 'and', 'stout')
    print(json.dumps({'severity': 'WARNING', 'message': 'hot', 'cups': 2}))
    return 'no coffee', 418

met = {}
# The framework gives stdout back when the first of several requests ends, and from then on knows nobody's lines.
spoken = threading.Barrier(3)

@functions_framework.http
def talks(request):
    name = request.args['name']
    met.setdefault(name, threading.Event()).set()
    other = met.setdefault(request.args['after'], threading.Event())
    print('first of', name)
    other.wait(60)
    print('then', name, flush=True)
    spoken.wait(60)
    raise ValueError('no more of ' + name)

@functions_framework.http
def waits(request):
    with socket.create_connection(('127.0.0.1', int(request.args['door']))) as door:
        door.recv(1)
    return str(os.getpid())
";

const CONFIG: &str = r#"
[functions.talks]
instance_concurrency = 4

[functions.gate]
provider = "gcp"
runtime = "python311"
handler = "waits"
concurrency = 1
instance_concurrency = 2

[functions.first]
provider = "gcp"
runtime = "python311"
handler = "ticking"
generation = 1

[functions.second]
provider = "gcp"
runtime = "python311"
handler = "ticking"

[functions.pot]
provider = "gcp"
runtime = "python311"
handler = "teapot"
generation = 1

[functions.ready]
provider = "gcp"
runtime = "python311"
handler = "hello"
min_instances = 1
"#;

fn house() -> House {
    Plan::new().file("main.py", MAIN).file("mlemu.toml", CONFIG).up()
}

fn call(house: &House, path: &str) -> Answer {
    http::send(house.gcp(), &format!("GET /demo-mlemu/us-central1/{path}"), &[], b"")
}

#[test]
fn a_function_at_the_root_of_its_own_port_and_at_its_own_host() {
    let house = Plan::new().file("main.py", MAIN).arg("--serve").arg("hello=0").program();
    let served = house.served("hello");
    assert_eq!(http::send(served, "GET /a%20b/c?x=1", &[], b"").text(), "/a b/c?x=1");
    assert_eq!(http::send(served, "GET /", &[], b"").text(), "/?");
    let foreign = [("Host", "evil.example")];
    assert_eq!(
        http::send_exactly(served, "GET /", &foreign, b"").status,
        421,
        "it is guarded like every port"
    );
    let own = [("Host", "us-central1-demo-mlemu.cloudfunctions.net")];
    assert_eq!(http::send_exactly(house.gcp(), "GET /hello/x?y", &own, b"").text(), "/x?y");
    let other = [("Host", "us-central1-other.cloudfunctions.net")];
    assert_eq!(http::send_exactly(house.gcp(), "GET /hello/x", &other, b"").status, 421);
}

#[test]
fn only_functions_of_google_have_ports_of_their_own() {
    let plan = Plan::new().file("mlemu.toml", "[functions.f]\nruntime = \"python3.12\"\nhandler = \"a.b\"\n");
    let refused = plan
        .mlemu(&["up", "--gcp-port", "0", "--aws-port", "0", "--control-port", "0", "--serve", "f=0"])
        .output();
    let refused = refused.expect("it runs");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("`f` cannot have a port of its own"), "{said}");
    let wrong = plan.mlemu(&["up", "--serve", "f"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("score=8080"));
}

#[test]
fn lines_belong_to_their_own_requests() {
    let house = house();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let pairs = [("a", "b"), ("b", "c"), ("c", "a")];
        let ask = |(name, after): (&str, &str)| {
            let answer = call(&house, &format!("talks?name={name}&after={after}"));
            assert_eq!(answer.status, 500, "{}", answer.text());
            answer.header("function-execution-id").expect("an id").to_owned()
        };
        let calls: Vec<_> = pairs.map(|pair| scope.spawn(move || ask(pair))).into_iter().collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    });
    for (id, name) in ids.iter().zip(["a", "b", "c"]) {
        house.wait(0, "its end", |record| {
            is(record, "talks", "ended") && record["subject"]["invocation"] == id.as_str()
        });
        let lines: Vec<String> = house
            .records(0)
            .iter()
            .filter(|record| is(record, "talks", "log") && record["subject"]["invocation"] == id.as_str())
            .map(|record| record["what"]["log"]["text"].as_str().expect("text").to_owned())
            .collect();
        let place = |text: String| lines.iter().position(|line| *line == text);
        let (first, then) = (place(format!("first of {name}")), place(format!("then {name}")));
        assert!(first.is_some() && first < then, "{lines:?}");
        assert!(place(format!("ValueError: no more of {name}")).is_some(), "{lines:?}");
        let others = lines.iter().filter(|line| line.starts_with("then ") || line.starts_with("first of "));
        assert_eq!(others.count(), 2, "{lines:?}");
        let shown = house.mlemu(&["--json", "logs", "talks"]);
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        let own: Vec<&str> = shown.lines().filter(|line| line.contains(&format!("\"{id}\""))).collect();
        let of = |name: &str| own.iter().filter(|line| line.contains(&format!("\"then {name}\""))).count();
        assert!(of(name) > 0 && ["a", "b", "c"].iter().filter(|other| of(other) > 0).count() == 1, "{shown}");
    }
}

#[test]
fn the_first_generation_begins_and_ends_in_the_log() {
    let house = house();
    assert_eq!(call(&house, "pot").status, 418);
    let ended = house.wait_ended(0, "pot");
    assert_eq!(ended["http_status"], 418, "{ended}");
    let logs = String::from_utf8_lossy(&house.mlemu(&["logs", "pot"]).stdout).into_owned();
    let texts: Vec<&str> =
        logs.lines().map(|line| line.split_once(" | ").map_or(line, |(_, text)| text)).collect();
    let at = |text: &str| {
        texts.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {logs}"))
    };
    let order = [
        at("Function execution started"),
        at("short and stout"),
        at("WARNING: hot"),
        at("finished with status code: 418"),
    ];
    assert!(order.is_sorted(), "{logs}");
}

#[test]
fn no_more_instances_than_there_may_be() {
    let house = house();
    // Whoever has begun knocks there, and works until the door is shut.
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    let path = format!("gate?door={}", door.local_addr().expect("bound").port());
    let (answers, refused) = std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..2).map(|_| scope.spawn(|| call(&house, &path).text())).collect();
        let knocks = [door.accept().expect("a knock"), door.accept().expect("a knock")];
        // Both places of the one instance are taken.
        let refused = call(&house, &path);
        drop(knocks);
        (waiting.into_iter().map(|call| call.join().expect("an answer")).collect::<Vec<_>>(), refused)
    });
    assert_eq!((refused.status, refused.text().as_str()), (429, "Rate exceeded."));
    assert_eq!(answers[0], answers[1], "one process");
}

/// Calls of another function pass the time.
fn pass_time(house: &House) {
    for _ in 0..150 {
        assert_eq!(call(house, "ready").status, 200);
    }
}

#[test]
fn the_first_generation_stands_still_between_requests() {
    let house = house();
    let ticks = |function: &str| call(&house, function).text().parse::<u64>().expect("a number");
    let (first, second) = (ticks("first"), ticks("second"));
    pass_time(&house);
    let (first, second) = (ticks("first") - first, ticks("second") - second);
    assert!(first * 2 < second, "{first} ticks of the frozen one, {second} of the other");
}

#[test]
fn an_instance_that_shall_be_there_is_there_before_it_is_called() {
    let house = house();
    house.wait(0, "its init", |record| is(record, "ready", "init-ended"));
    assert_eq!(call(&house, "ready").status, 200);
    let begun = house.records(0).iter().filter(|record| is(record, "ready", "init-started")).count();
    assert_eq!(begun, 1);
}
