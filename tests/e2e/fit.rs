//! `mlemu fit`: the real example weighed with its real packages, and a function that no Lambda would take.

use super::plan::Plan;
use serde_json::Value;
use std::fs::File;

const LAMBDA_UNZIPPED: u64 = 262_144_000;

/// The one function's report, and the exit code.
fn fit(plan: &Plan, args: &[&str]) -> (Value, i32) {
    let output = plan.mlemu(&[&["fit", "--json"], args].concat()).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let all: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (all[0].clone(), output.status.code().unwrap_or(-1))
}

fn finding<'a>(fit: &'a Value, profile: &str, what: &str) -> &'a Value {
    let clouds = fit["clouds"].as_array().expect("clouds");
    let cloud = clouds.iter().find(|cloud| cloud["profile"] == profile).expect("the profile");
    let findings = cloud["findings"].as_array().expect("findings");
    findings.iter().find(|finding| finding["what"] == what).expect("the finding")
}

#[test]
fn the_example_is_weighed_with_what_it_installs() {
    let plan = Plan::of_example("diabetes");
    let (fit, code) = fit(&plan, &["Predict"]);
    let packages = fit["packages"].as_array().expect("packages");
    let sizes: Vec<_> = packages.iter().map(|one| one["unzipped"].as_u64().expect("bytes")).collect();
    for name in ["scipy ", "scikit_learn ", "numpy ", "joblib "] {
        assert!(packages.iter().any(|one| one["name"].as_str().expect("a name").starts_with(name)), "{name}");
    }
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    let source = fit["source"]["unzipped"].as_u64().expect("bytes");
    let unzipped = fit["unzipped"].as_u64().expect("bytes");
    assert_eq!(unzipped, source + sizes.iter().sum::<u64>());
    assert!(fit["zipped"].as_u64().expect("bytes") < unzipped);
    assert!((80 << 20..600 << 20).contains(&unzipped), "{unzipped} bytes of scikit-learn");
    // Releases grow: whether it fits is not ours to say, but it must be one and the same everywhere.
    let fits = unzipped <= LAMBDA_UNZIPPED;
    assert_eq!(finding(&fit, "aws-lambda", "unzipped")["fits"], fits);
    assert_eq!(finding(&fit, "aws-lambda", "memory")["have"], 512 << 20);
    assert_eq!(code, i32::from(!fits));
}

#[test]
fn what_its_target_would_refuse_fails() {
    let plan = Plan::new().file("app.py", "def run(event, context):\n    return 1\n").file(
        "mlemu.toml",
        "[functions.Score]\nhandler = \"app.run\"\nruntime = \"python3.12\"\ntimeout = \"600s\"\n",
    );
    let (small, code) = fit(&plan, &[]);
    assert_eq!((code, &finding(&small, "aws-lambda", "unzipped")["fits"]), (0, &Value::Bool(true)));
    // Another cloud's limit is no failure, until it is a target.
    assert_eq!(finding(&small, "gcf-gen1", "timeout")["fits"], false);
    assert_eq!(fit(&plan, &["--target", "gcf-gen1"]).1, 1);

    let model = File::create(plan.path("model.onnx")).expect("a file");
    model.set_len(LAMBDA_UNZIPPED).expect("room");
    let (large, code) = fit(&plan, &["Score"]);
    let unzipped = finding(&large, "aws-lambda", "unzipped");
    assert_eq!(code, 1);
    assert_eq!(unzipped["says"], "Unzipped size must be smaller than 262144000 bytes");
    assert!(large["zipped"].as_u64().expect("bytes") < 2 << 20, "zeros are small: {}", large["zipped"]);
}

#[test]
fn mistakes_are_named() {
    let plan = Plan::new().file("app.py", "def run(event, context):\n    return 1\n");
    let says = |args: &[&str], code: i32, words: &str| {
        let output = plan.mlemu(args).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
    };
    says(&["fit", "Nobody", "--project", "app.py:run"], 3, "there is no function `Nobody`");
    says(&["fit", "--project", "app.py:run", "--target", "gcf-gen3"], 2, "did you mean `gcf-gen");
    says(&["profiles", "show", "lambda"], 3, "there is no profile `lambda`");
}

/// What it takes and answers is known by calling it, with all the memory that there is.
#[test]
fn a_call_tells_what_it_needs() {
    let code = "def hold(event, context):\n    return {\"held\": len(b'x' * (event[\"mb\"] << 20)), \"text\": \"x\" * event[\"answer\"]}\n";
    let toml = "[functions.Hold]\nruntime = \"python3\"\nhandler = \"app.hold\"\nmemory = \"128MB\"\n";
    let plan = Plan::new().file("mlemu.toml", toml).file("app.py", code);
    let called = |event: &str| fit(&plan, &["Hold", "--event", event]);
    let (small, code) = called(r#"{"mb": 1, "answer": 10}"#);
    let peak = finding(&small, "aws-lambda", "peak");
    assert_eq!((&peak["fits"], &peak["limits"][0], code), (&true.into(), &(128 << 20).into(), 0), "{small}");
    assert_eq!(finding(&small, "gcf-gen2", "request")["have"], 23);
    let (large, code) = called(r#"{"mb": 200, "answer": 2000000}"#);
    let peak = finding(&large, "aws-lambda", "peak");
    assert!(peak["fits"] == false && peak["have"].as_u64() > Some(200 << 20) && code == 1, "{peak}");
    let answer = finding(&large, "aws-lambda", "response");
    assert!(answer["fits"] == true && answer["have"].as_u64() > Some(2_000_000), "{answer}");
    for (event, why) in
        [("{}", "KeyError"), (r#"{"mb": 1, "answer": 7000000}"#, "Response payload size exceeded")]
    {
        let output = plan.mlemu(&["fit", "Hold", "--event", event]).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{said}");
    }
}
