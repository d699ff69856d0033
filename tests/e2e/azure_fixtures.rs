//! The fixtures of Azure, each accepted by the vendor's own worker or by the host that it is for.

use super::house::{House, is};
use super::http;
use super::plan::Plan;
use serde_json::Value;

const APP: &str = r#"
import json
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
STORAGE = "AzureWebJobsStorage"

@app.route(route="flowers/{kind:alpha}/{id:int?}", methods=["GET", "PUT"])
def flowers(req: func.HttpRequest) -> str:
    seen = [req.method, dict(req.route_params), dict(req.params), req.headers.get("x-functions-key"), req.get_body().decode()]
    return json.dumps(seen)

@app.blob_trigger(arg_name="blob", path="uploads/{name}.{ext}", connection=STORAGE)
@app.queue_output(arg_name="out", queue_name="{ext}-files", connection=STORAGE)
def picture(blob: func.InputStream, out: func.Out[str]) -> None:
    logging.info("BLOB %s %s %s %s", blob.name, blob.length, blob.read().decode(), blob.metadata)
    out.set(blob.name)

@app.queue_trigger(arg_name="message", queue_name="jobs", connection=STORAGE)
def job(message: func.QueueMessage) -> None:
    logging.info("JOB %s %s %s", message.get_body().decode(), message.dequeue_count, message.expiration_time.year > 2000)

@app.queue_trigger(arg_name="message", queue_name="jobs-poison", connection=STORAGE)
def poison(message: func.QueueMessage) -> None:
    logging.info("POISON %s", message.get_json()["key"])

@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer")
def tick(timer: func.TimerRequest) -> None:
    logging.info("TICK %s %s", timer.past_due, timer.schedule["AdjustForDST"])

@app.event_grid_trigger(arg_name="event")
def grid(event: func.EventGridEvent) -> None:
    logging.info("GRID %s %s %s", event.id != "", event.subject, event.get_json()["contentLength"])
"#;

struct Garden(House);

impl Garden {
    fn new() -> Self {
        let settings = r#"{"Values": {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}}"#;
        let plan = Plan::new().file("app/host.json", "{}").file("app/function_app.py", APP);
        let house = plan.file("app/local.settings.json", settings).file("petals.txt", "five petals").up();
        house.wait(0, "the app is up", |record| is(record, "app", "ended"));
        Self(house)
    }

    /// Calls a function with a fixture; what it answered.
    #[track_caller]
    fn invoke(&self, function: &str, fixture: &str, params: &[&str]) -> String {
        let words = ["-q", "invoke", function, "--event", fixture].into_iter();
        let words: Vec<&str> = words.chain(params.iter().flat_map(|param| ["-p", *param])).collect();
        let output = self.0.mlemu(&words);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{fixture}: {complaint}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[track_caller]
    fn said(&self, function: &str, text: &str) {
        self.0.wait(0, text, |record| {
            is(record, function, "log")
                && record["what"]["log"]["text"].as_str().is_some_and(|line| line.contains(text))
        });
    }
}

#[test]
fn every_fixture_is_accepted_by_the_real_worker() {
    let garden = Garden::new();
    let route =
        ["method=PUT", "route=/api/flowers/rose/3", "params.kind=rose", "params.id=3", "query.colour=red"];
    let params: Vec<&str> = route.into_iter().chain(["key=secret", "body=petals"]).collect();
    let answered = garden.invoke("flowers", "azure/http", &params);
    let seen: Value = serde_json::from_str(&answered).unwrap_or_else(|error| panic!("{error}: {answered}"));
    let expected = r#"["PUT",{"kind":"rose","id":"3"},{"colour":"red"},"secret","petals"]"#;
    assert_eq!(seen, serde_json::from_str::<Value>(expected).expect("JSON"));

    garden.invoke("picture", "azure/blob", &["name=petals.txt", "file=petals.txt", "metadata.owner=me"]);
    garden.said("picture", "BLOB uploads/petals.txt 11 five petals {'owner': 'me'}");
    garden.invoke("picture", "azure/blob", &["name=b.json", r#"content:={"a":1}"#]);
    garden.said("picture", r#"BLOB uploads/b.json 7 {"a":1}"#);
    let queues = garden.0.ask("GET /_mlemu/queues", &Value::Null).text();
    assert!(
        queues.contains("txt-files") && queues.contains("json-files"),
        "what the path captures is known: {queues}"
    );

    garden.invoke("job", "azure/queue/message", &["message=water", "dequeue-count=3"]);
    garden.said("job", "JOB water 3 True");
    garden.invoke("job", "azure/queue/message", &["message=water", "encoding=base64"]);
    garden.said("job", "JOB d2F0ZXI= 1 True");
    garden.invoke("poison", "azure/queue/poison", &[]);
    garden.said("poison", "POISON cat.jpg");

    garden.invoke("tick", "azure/timer", &["past-due:=true"]);
    garden.said("tick", "TICK True True");

    for schema in ["EventGridSchema", "CloudEventSchemaV1_0"] {
        let params = ["name=rose.jpg", "size=77", &format!("schema={schema}")];
        garden.invoke("grid", "azure/eventgrid/blob-created", &params);
    }
    garden.said("grid", "GRID True /blobServices/default/containers/uploads/blobs/rose.jpg 77");
    let starts = garden.0.records(0).iter().filter(|record| is(record, "grid", "started")).count();
    assert_eq!(starts, 2);

    let rendered =
        garden.0.mlemu(&["events", "gen", "azure/eventgrid/validation", "-p", "code=secret"]).stdout;
    let asked = [("aeg-event-type", "SubscriptionValidation"), ("Content-Type", "application/json")];
    let path = "POST /runtime/webhooks/EventGrid?functionName=grid";
    let answer = http::send(garden.0.azure(), path, &asked, &rendered);
    assert_eq!((answer.status, &answer.json()["validationResponse"]), (200, &Value::from("secret")));
}
