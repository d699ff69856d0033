//! The reports that call functions, `profile-init`, `tune` and `report`, on small functions of every cloud.

use super::plan::Plan;
use serde_json::Value;
use std::process::Output;

const AWS: &str =
    "import json\n\ndef handler(event, context):\n    return {\"sum\": sum(event[\"numbers\"])}\n";
const GOOGLE: &str = "import functions_framework\n\n@functions_framework.http\ndef total(request):\n    \
                      return {\"sum\": sum(request.get_json()[\"numbers\"])}\n";
const AZURE: &str = "import azure.functions as func\n\napp = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n\n\
                     @app.route(route=\"total\")\ndef total(req: func.HttpRequest) -> str:\n    \
                     return str(sum(req.get_json()[\"numbers\"]))\n\n\
                     @app.route(route=\"other\")\ndef other(req: func.HttpRequest) -> str:\n    return \"other\"\n";
const NUMBERS: &str = r#"{"numbers": [1, 2, 3]}"#;

fn aws() -> Plan {
    let toml = "[functions.Sum]\nruntime = \"python3\"\nhandler = \"app.handler\"\nmemory = \"512MB\"\n";
    Plan::new().file("mlemu.toml", toml).file("app.py", AWS)
}

fn google() -> Plan {
    Plan::new().file("main.py", GOOGLE).file("requirements.txt", "functions-framework\n")
}

fn azure() -> Plan {
    Plan::new()
        .file("host.json", "{\"version\": \"2.0\"}")
        .file("function_app.py", AZURE)
        .file("mlemu.toml", "[project]\nname = \"sums\"\n")
}

fn run(plan: &Plan, args: &[&str]) -> Output {
    plan.mlemu(&[args, &["--json"]].concat()).output().expect("the program runs")
}

fn told(plan: &Plan, args: &[&str]) -> Value {
    let output = run(plan, args);
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {said}"))
}

fn tuned(plan: &Plan, function: &str, memory: &str, profile: &str) {
    let args = ["tune", function, "--event", NUMBERS, "--memory", memory, "-n", "2", "--cold", "1"];
    let tuned = told(plan, &args);
    assert_eq!(tuned["profile"], profile, "{tuned}");
    let rows = tuned["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), memory.split(',').count(), "{tuned}");
    for row in rows {
        assert_eq!(row["failed"], Value::Null, "{row}");
        assert!(row["cold_p50_ms"].as_f64() > row["warm_p50_ms"].as_f64(), "{row}");
        assert!(row["usd_per_million"].as_f64() > Some(0.0) && row["peak_mb"].as_f64() > Some(1.0), "{row}");
    }
}

#[test]
fn functions_are_tuned_on_every_cloud() {
    tuned(&aws(), "Sum", "256,1769", "aws-lambda");
    tuned(&google(), "total", "256,1024", "gcf-gen2");
}

/// Its functions have names of their own, and one worker runs all of them.
#[test]
fn a_function_of_an_app_is_meant_by_its_name() {
    let plan = azure();
    let config = told(&plan, &["config"]);
    let app = config["functions"][0]["name"].as_str().expect("a name").to_owned();
    tuned(&plan, "total", "1536", "azure-consumption");
    let event = format!("{app}/total={NUMBERS}");
    let report = told(&plan, &["report", "-n", "2", "--event", &event]);
    let mine = &report["functions"][0];
    assert_eq!((&mine["failed"], &mine["memory_mb"]), (&Value::Null, &1536.into()), "{report}");
    assert!(mine["peak_mb"].as_f64() > Some(1.0), "{report}");
    for (args, why) in [
        (&["tune", "--event", NUMBERS][..], "which function of"),
        (&["tune", "totl", "--event", NUMBERS][..], "has no function `totl`"),
        (&["profile-init", "nowhere/total"][..], "there is no function `nowhere/total`"),
    ] {
        let output = run(&plan, args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{args:?}: {said}");
    }
}

#[test]
fn a_start_is_told_in_its_parts_on_every_cloud() {
    for (plan, function) in [(aws(), "Sum"), (google(), "total"), (azure(), "total")] {
        let start = told(&plan, &["profile-init", function, "--event", NUMBERS]);
        let part = |name: &str| start[name].as_f64().unwrap_or(-1.0);
        assert!(
            part("runtime_ms") > 0.0 && part("first_call_ms") > 0.0 && part("placement_ms") > 0.0,
            "{start}"
        );
        assert!(part("imports_ms") >= 0.0 && part("model_ms") >= 0.0, "{start}");
    }
}
