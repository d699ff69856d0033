//! Hot reload of Google's functions: production's own server stays, and only what was saved starts anew.

use super::house::House;
use super::http::{self, Answer};
use super::plan::Plan;
use serde_json::Value;

/// Says which words it has, which process it is, and what serves it.
const ROSE: &str = "\
import os
import functions_framework

@functions_framework.http
def rose(request):
    server = request.environ['SERVER_SOFTWARE']
    return {'words': 'red', 'process': os.getpid(), 'parent': os.getppid(), 'server': server}
";

const CONFIG: &str = r#"
[functions.rose]
provider = "gcp"
runtime = "python311"
handler = "rose"
source = "rose"

[functions.poppy]
provider = "gcp"
runtime = "python311"
handler = "poppy"
source = "poppy"
"#;

fn house() -> House {
    let poppy = ROSE.replace("rose", "poppy");
    let plan =
        Plan::new().file("mlemu.toml", CONFIG).file("rose/main.py", ROSE).file("poppy/main.py", &poppy);
    plan.watching().up()
}

fn call(house: &House, function: &str) -> Answer {
    http::send(house.gcp(), &format!("GET /demo-mlemu/us-central1/{function}"), &[], b"")
}

/// What it says of itself.
#[track_caller]
fn asked(house: &House, function: &str) -> Value {
    let answer = call(house, function);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn save(house: &House, text: &str) {
    let mark = house.mark();
    std::fs::write(house.plan.path("rose/main.py"), text).expect("saved");
    house.wait_published(mark, "rose");
}

#[test]
fn a_saved_file_restarts_its_own_function_and_no_other() {
    let house = house();
    let (rose, poppy) = (asked(&house, "rose"), asked(&house, "poppy"));
    assert!(rose["server"].as_str().is_some_and(|server| server.starts_with("gunicorn/")), "{rose}");
    save(&house, &ROSE.replace("red", "white"));
    let white = asked(&house, "rose");
    assert_eq!((&white["words"], &white["server"]), (&"white".into(), &rose["server"]));
    assert_ne!((&white["process"], &white["parent"]), (&rose["process"], &rose["parent"]), "it started anew");
    assert_eq!(asked(&house, "poppy"), poppy, "the other one is the process that it was");
}

#[test]
fn a_slip_is_told_with_its_traceback_and_stops_nothing_else() {
    let house = house();
    let (_, poppy) = (asked(&house, "rose"), asked(&house, "poppy"));
    for _ in 0..2 {
        save(&house, &ROSE.replace("return {", "return {{"));
        for _ in 0..2 {
            let told = call(&house, "rose");
            assert_eq!(told.status, 500);
            let text = told.text();
            assert!(text.contains("main.py\", line 7") && text.contains("SyntaxError"), "{text}");
        }
        assert_eq!(asked(&house, "poppy"), poppy, "it goes on");
        save(&house, ROSE);
        assert_eq!(asked(&house, "rose")["words"], "red");
    }
    save(&house, "import nothing_of_this_name\n");
    let told = call(&house, "rose");
    assert_eq!(told.status, 500);
    assert!(
        told.text().contains("ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        "{}",
        told.text()
    );
    assert_eq!(asked(&house, "poppy"), poppy, "it goes on");
}
