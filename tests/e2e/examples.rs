//! The examples' own tests, as a new user runs them: in a copy of the project, with `mlemu` in `PATH` and the front
//! end of their language installed from its folder here.

use super::clients;
use super::plan::Plan;
use mlemu::harness::Session;
use std::process::Command;
use std::time::Duration;

/// A command as it is typed in the project's folder, by somebody who has clouds of their own.
fn typed(plan: &Plan, words: &[&str]) -> Command {
    let bin = plan.path(".bin");
    if !bin.exists() {
        std::fs::create_dir_all(&bin).expect("a folder");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mlemu"), bin.join("mlemu")).expect("linked");
    }
    let path = std::env::var("PATH").unwrap_or_default();
    // Any verb of ours has the clean environment that every tool is started in here.
    let mut command = plan.mlemu(&[]);
    let environment: Vec<_> =
        command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(plan.path("")).stdin(std::process::Stdio::null());
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("PATH", format!("{}:{path}", bin.display())).env("AWS_PROFILE", "production");
    command
}

#[track_caller]
fn passes(plan: &Plan, words: &[&str], says: &str) {
    let output = typed(plan, words).output().unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success() && out.contains(says), "{words:?}\n{out}\n{err}");
}

#[test]
fn diabetes_with_mlemu_test() {
    let plan = Plan::of_example("diabetes");
    // Each worker would import scikit-learn, on a machine that may be busy.
    passes(&plan, &["mlemu", "test", "--workers", "1"], "4 tests: 4 passed, 0 failed");
}

#[test]
fn which_flower_with_mlemu_test() {
    let plan = Plan::of_example("which-flower");
    passes(&plan, &["mlemu", "test"], "3 tests: 3 passed, 0 failed");
}

#[test]
fn thumbnailer_with_mlemu_test() {
    let plan = Plan::of_example("thumbnailer");
    passes(&plan, &["mlemu", "test"], "3 tests: 3 passed, 0 failed");
}

#[test]
fn sentiment_with_mlemu_test() {
    let plan = Plan::of_example("sentiment");
    passes(&plan, &["mlemu", "test"], "6 tests: 6 passed, 0 failed");
}

#[test]
fn diabetes_with_pytest() {
    let plan = Plan::of_example("diabetes");
    if clients::venv_with_plugin(&plan.path("")) {
        passes(&plan, &[".venv/bin/pytest", "-q"], "9 passed");
        passes(&plan, &["mlemu", "exec", "--", ".venv/bin/pytest", "-q"], "9 passed");
    }
}

#[test]
fn sentiment_with_pytest() {
    let plan = Plan::of_example("sentiment");
    let Some(python) = clients::pytest() else { return };
    let pytest = python.program("pytest").get_program().to_string_lossy().into_owned();
    passes(&plan, &[&pytest, "-q"], "5 passed");
}

#[test]
fn thumbnailer_with_node_test() {
    let plan = Plan::of_example("thumbnailer");
    if clients::node_version().is_some_and(|version| version >= 20)
        && clients::npm_install(&plan.path(""), "--no-save")
    {
        passes(&plan, &["npm", "test"], "pass 5");
        passes(&plan, &["mlemu", "exec", "--", "npm", "test"], "pass 5");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentiment_inside_of_a_rust_test() {
    let plan = Plan::of_example("sentiment");
    let builder = Session::of(plan.path("")).program(env!("CARGO_BIN_EXE_mlemu"));
    let mlemu = builder.patience(Duration::from_secs(240)).start().await.expect("it starts");
    for (review, mood) in [("What a wonderful garden", "kind"), ("I hate wilted roses", "unkind")] {
        let trace = mlemu.put("reviews", "monday.txt", review).await.expect("put");
        mlemu.settled(&trace).await.expect("settled");
        let scored = mlemu.get("scores", "monday.txt.json").await.expect("scored");
        let scores: serde_json::Value = serde_json::from_slice(&scored).expect("JSON");
        assert_eq!(scores["mood"], mood, "{review}");
    }
    let ended = mlemu.ended("review_stored", "ok", 2).await.expect("two");
    assert_eq!(ended.iter().map(|line| line.cold).collect::<Vec<_>>(), [Some(true), Some(false)]);
    mlemu.reset().await.expect("reset");
    assert!(mlemu.keys("scores", "").await.expect("listed").is_empty());
    mlemu.stop().await;
}

/// One payload, through the twins of one function.
#[test]
fn twins_of_each_cloud_predict_the_same() {
    let plan = Plan::of_all_examples();
    let row = "row=[59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87]";
    let predicted = |folder: &str, function: &str| {
        let words = ["mlemu", "-q", "invoke", function, "--event", "ml/tabular", "-p", row];
        let output = typed(&plan, &words).current_dir(plan.path(folder)).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let answer: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|error| {
            panic!("{folder}: {error}: {said}{}", String::from_utf8_lossy(&output.stderr))
        });
        answer["prediction"].as_f64().unwrap_or_else(|| panic!("{folder}: {answer}"))
    };
    let aws = predicted("diabetes", "Predict");
    assert!((25.0..346.0).contains(&aws), "{aws}");
    let twins = [("diabetes-azure", "predict"), ("diabetes-gcf", "diabetes-gcf")];
    for (folder, function) in twins.into_iter().filter(|(folder, _)| plan.path(folder).exists()) {
        assert!((predicted(folder, function) - aws).abs() < 1e-9, "{folder}");
    }
}
