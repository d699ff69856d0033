//! The examples as their users have them, and whether the numbers of a REPORT are true.

use super::house::is;
use super::http;
use super::plan::Plan;
use serde_json::Value;

/// Beside the example's own handler: its answer, and the kernel's word for the process's highest memory.
const MEASURED: &str = "\
import app

def predict(event, context):
    answer = app.predict(event, context)
    status = open('/proc/self/status').read()
    return {**answer, 'high_water_kib': int(status.split('VmHWM:')[1].split()[0])}
";

#[test]
fn max_memory_used_is_the_process_trees_own_peak() {
    let plan = Plan::of_example("diabetes");
    let template = std::fs::read_to_string(plan.path("template.yaml")).expect("a template");
    let house = plan
        .file("template.yaml", &template.replace("app.predict", "measured.predict"))
        .file("measured.py", MEASURED)
        .up();
    let event = std::fs::read(house.plan.path("event.json")).expect("an event");
    for _ in 0..3 {
        let mark = house.mark();
        let answer =
            http::send(house.aws(), "POST /2015-03-31/functions/Predict/invocations", &[], &event).json();
        assert_eq!(answer["prediction"], 199.42, "{answer}");
        let told = house.wait_ended(mark, "Predict")["usage"]["peak_memory"].as_f64().expect("a number");
        let own = answer["high_water_kib"].as_f64().expect("a number") * 1024.0;
        let ratio = told / own;
        assert!((0.95..1.05).contains(&ratio), "told {told}, the process's own is {own}: {ratio}");
    }
}

#[test]
fn diabetes_is_predicted_over_http_as_well() {
    let house = Plan::of_example("diabetes").up();
    let event = std::fs::read(house.plan.path("event.json")).expect("an event");
    let answer = http::send(house.aws(), "POST /predict", &[("Content-Type", "application/json")], &event);
    assert_eq!((answer.status, &answer.json()["prediction"]), (200, &Value::from(199.42)));
    let wrong =
        http::send(house.aws(), "POST /predict", &[("Content-Type", "application/json")], b"{\"age\": 59}");
    assert_eq!(wrong.status, 400, "{}", wrong.text());
}

#[test]
fn which_flower_finds_the_daisy_in_a_bucket() {
    let house = Plan::of_example("which-flower").up();
    let flower = std::fs::read(house.plan.path("flower.jpg")).expect("made by the prepare step");
    assert_eq!(http::send(house.aws(), "PUT /pictures", &[], b"").status, 200);
    assert_eq!(http::send(house.aws(), "PUT /pictures/flower.jpg", &[], &flower).status, 200);
    let ask = |key: &str| {
        let line = format!("GET /which_flower?url=http%3A%2F%2F{}%2Fpictures%2F{key}", house.aws());
        http::send(house.aws(), &line, &[], b"")
    };
    let answer = ask("flower.jpg");
    assert_eq!((answer.status, &answer.json()["label"]), (200, &Value::from("daisy")), "{}", answer.text());
    assert_eq!(ask("none.jpg").status, 422);
    let warned = house.wait(0, "a word on Python 3.6", |record| record["what"].get("warning").is_some());
    assert!(warned.to_string().contains("python3.6"), "{warned}");
}

#[test]
fn the_thumbnailer_makes_thumbnails_of_uploads() {
    let house = Plan::of_example("thumbnailer").up();
    let picture = std::fs::read(house.plan.path("meadow.jpg")).expect("a picture");
    let put = http::send(
        house.aws(),
        "PUT /uploads/my%20holiday%2B1.jpg",
        &[("Content-Type", "image/jpeg")],
        &picture,
    );
    assert_eq!(put.status, 200, "{}", put.text());
    let ended = house.wait(0, "the thumbnailer ended", |record| is(record, "Thumbnailer", "ended"));
    assert_eq!(ended["what"]["ended"]["status"]["status"], "ok", "{ended}");
    let thumbnail = http::send(house.aws(), "GET /thumbnails/thumb-my%20holiday%2B1.jpg", &[], b"");
    assert_eq!((thumbnail.status, thumbnail.header("content-type")), (200, Some("image/jpeg")));
    assert!(
        thumbnail.body.starts_with(&[0xff, 0xd8]) && thumbnail.body.len() < picture.len(),
        "a small JPEG"
    );
}
