//! `mlemu.toml` and the ways to start: files in, a project or a located error out.

use super::{ConfigError, Loaded, Overrides, load};
use mlemu_core::declare::{HttpForm, QueueOptions, TriggerDeclaration};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn read_at(path: &Path) -> Result<Loaded, ConfigError> {
    load(path, &Overrides::default())
}

/// What a `mlemu.toml` gives, in a folder with `src/` and a template.
fn read(text: &str) -> (TempDir, Result<Loaded, ConfigError>) {
    let folder = folder(&[("mlemu.toml", text), ("template.yaml", TEMPLATE), ("src/app.py", "")]);
    let loaded = read_at(folder.path());
    (folder, loaded)
}

/// An error as it is shown, its file without the folder.
fn refusal(text: &str) -> String {
    let (folder, loaded) = read(text);
    let shown = loaded.expect_err("must be refused").to_string();
    shown.replace(&format!("{}/", folder.path().display()), "")
}

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Score:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: score
      Handler: index.score
      Runtime: python3.12
      Environment: {Variables: {A: template, B: template}}
      Events: {Get: {Type: Api, Properties: {Path: /score, Method: get}}}
";

pub(super) const EVERYTHING: &str = concat!(
    r#"
[project]
name = "flowers"
env_file = ".env"

[functions.which_flower]
provider = "aws"
handler = "index.which_flower"
runtime = "python3.12"
source = "."
memory = "1024MB"
timeout = "30s"
tmp = "512MB"
concurrency = 1
maximum_retry_attempts = 1
maximum_event_age_seconds = 600
on_success = "good"
on_failure = "arn:aws:s3:::bad"
env = { MODEL = "m.onnx" }
triggers = [
    { http = "get /which_flower", payload = "1.0", cors = ["*"] },
    { bucket = "uploads", events = ["s3:ObjectCreated:Put"], prefix = "in/", suffix = ".png" },
    { queue = "jobs", batch = 5 },
    { schedule = "rate(5 minutes)" },
    { url = true, streaming = true },
]

[functions.stored]
provider = "gcp"
handler = "stored"
runtime = "python311"
generation = 1
signature = "event"
retry = true
path_pattern = "in/{day}/*.csv"
instance_concurrency = 1
min_instances = 2
triggers = [{ topic = "news" }]

[buckets.uploads]
provider = "aws"
seed = "images"

[queues.jobs]
provider = "aws"
visibility = "30s"
dlq = "jobs-dlq"
max_receives = 3

[prepare]
run = ["python", "train.py"]
requirements = ["scikit-learn"]
inputs = ["train.py"]
outputs = ["model.joblib"]
folder = "training"

[persist]
dir = ".state"
durability = "durable"

[watch]
ignore = ["*.log", "data/**"]

[simulate]
cpu = "share"
cold_starts = "sampled"
time = "real"
profiles = { azure-consumption = "azure-flex" }

[profiles.aws-lambda.simulation]
placement_ms = { p50 = 80, sigma = 0.2 }
fetch_ms_per_mb = 12

[budgets.which_flower]
cold = "3s"
warm_p95 = "800ms"
memory = "800MB"
size = "200MB"
price_per_million = 12.5

[aws]
region = "eu-central-1"
s3_event_version = "2.5"
account = "123456789012"
parameters = { Stage = "dev" }

[gcp]
project = "demo-flowers"
region = "europe-west1"
service_account = "key.json"

[azure.accounts]
flowers = "a2V5"

[azure.subscriptions.uploads]
to = "http://127.0.0.1:9/hook"
events = ["Microsoft.Storage.BlobCreated"]
container = "uploads"
prefix = "in/"
suffix = ".jpg"
schema = "CloudEventSchemaV1_0"

[ports]
aws = 0
gcp = 8085
azure = 7071
blob = 10000
queue = 10001
control = 4600
"#,
    include_str!("everything/models.toml")
);

#[test]
fn every_key_arrives() {
    let folder =
        folder(&[("mlemu.toml", EVERYTHING), (".env", "SHARED=1\nMODEL=other\n"), ("images/a.png", "")]);
    let root = folder.path();
    let Loaded { project, settings, files } = read_at(root).unwrap_or_else(|error| panic!("{error}"));
    let [function, stored, model, of_endpoints @ ..] = project.functions.as_slice() else {
        panic!("functions")
    };
    let spec: mlemu_onnx::Spec = serde_json::from_str(&model.env[mlemu_onnx::SPEC]).unwrap();
    assert_eq!((spec.input.size, spec.output.count), (Some([224, 224]), Some(3)));
    let names: Vec<_> = of_endpoints.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["scores-model", "flowers-own", "flowers-own2"]);
    let options: Vec<_> = stored.options.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        (stored.cloud.as_str(), options),
        (
            "gcp",
            vec![
                ("generation", "1"),
                ("instance_concurrency", "1"),
                ("min_instances", "2"),
                ("path_pattern", "in/{day}/*.csv"),
                ("retry", "true"),
                ("signature", "event")
            ]
        )
    );
    assert_eq!(
        (settings.gcp.account.as_str(), settings.gcp.region.as_str()),
        ("demo-flowers", "europe-west1")
    );
    assert_eq!(settings.options("gcp")["service_account"], root.join("key.json").to_string_lossy());
    assert_eq!(settings.figures["aws-lambda"]["simulation"]["fetch_ms_per_mb"], 12);
    assert_eq!(settings.simulate.profiles["azure-consumption"], "azure-flex");
    let budget = &settings.budgets["which_flower"];
    assert_eq!(budget.warm_p95.map(|span| span.0), Some(Duration::from_millis(800)));
    assert_eq!((budget.memory.map(|size| size.0), budget.price_per_million), (Some(800 << 20), Some(12.5)));
    assert_eq!((project.name.as_str(), project.root.as_path()), ("flowers", root));
    assert_eq!((function.cloud.as_str(), function.name.as_str()), ("aws", "which_flower"));
    assert_eq!((function.handler.as_str(), function.runtime.as_str()), ("index.which_flower", "python3.12"));
    assert_eq!((function.source.as_path(), function.memory), (root, Some(1 << 30)));
    assert_eq!((function.timeout, function.tmp), (Some(Duration::from_secs(30)), Some(512 << 20)));
    assert_eq!((function.concurrency, function.from.line), (Some(1), 6));
    let [queued, endpoints @ ..] = project.resources.as_slice() else { panic!("a resource") };
    assert_eq!(endpoints.len(), 5);
    let said: serde_json::Value = serde_json::from_str(&queued.properties).unwrap();
    assert_eq!(
        (queued.kind.as_str(), queued.name.as_str()),
        ("AWS::Lambda::EventInvokeConfig", "which_flower")
    );
    assert_eq!((&said["MaximumRetryAttempts"], &said["MaximumEventAgeInSeconds"]), (&1.into(), &600.into()));
    let told = &said["DestinationConfig"];
    assert_eq!(told["OnSuccess"]["Destination"], "arn:aws:sqs:eu-central-1:123456789012:good");
    assert_eq!(told["OnFailure"]["Destination"], "arn:aws:s3:::bad");
    assert_eq!((function.env["MODEL"].as_str(), function.env["SHARED"].as_str()), ("m.onnx", "1"));
    let [http, bucket, queue, schedule, url] = function.triggers.as_slice() else { panic!("five triggers") };
    assert!(
        matches!(http, TriggerDeclaration::Http { method, path, form: HttpForm::Rest, cors: Some(_), .. }
        if method == "GET" && path == "/which_flower")
    );
    assert!(
        matches!(bucket, TriggerDeclaration::Bucket { bucket, prefix: Some(_), .. } if bucket == "uploads")
    );
    assert_eq!(
        queue,
        &TriggerDeclaration::Queue { queue: "jobs".into(), batch: 5, options: QueueOptions::default() }
    );
    assert_eq!(schedule, &TriggerDeclaration::Schedule { expression: "rate(5 minutes)".into() });
    assert_eq!(url, &TriggerDeclaration::Url { cors: None, streaming: true });
    assert_eq!(project.buckets[0].seed, Some(root.join("images")));
    let prepare = &project.prepare[0];
    assert_eq!(
        (prepare.run.as_slice(), prepare.folder.clone()),
        (&["python".into(), "train.py".into()][..], root.join("training"))
    );
    assert_eq!(prepare.outputs, [root.join("training/model.joblib")]);
    assert_eq!((settings.region.as_str(), settings.account.as_str()), ("eu-central-1", "123456789012"));
    assert_eq!((settings.ports.aws, settings.ports.control), (Some(0), Some(4600)));
    let azure = settings.options("azure-blob");
    assert_eq!(azure[mlemu_azure::ACCOUNTS], "flowers:a2V5");
    let told: serde_json::Value = serde_json::from_str(&azure[mlemu_azure::SUBSCRIPTIONS]).expect("JSON");
    let filter = &told["uploads"]["filter"];
    assert_eq!(filter["subjectBeginsWith"], "/blobServices/default/containers/uploads/blobs/in/");
    assert_eq!((settings.watch_ignore.len(), project.queues[0].max_receives), (2, Some(3)));
    assert_eq!(files, [root.join(".env"), root.join("mlemu.toml")]);
    assert_eq!(project.warnings, Vec::<String>::new());
}

#[test]
fn events_go_to_nobody_elsewhere() {
    let to = |to: &str| refusal(&format!("[azure.subscriptions.hook]\nto = \"{to}\"\n"));
    let shown = to("https://example.com/");
    assert!(shown.contains("subscription `hook`: `https://example.com/` is not on this machine"), "{shown}");
    assert!(to("").contains("names no function"));
}

#[test]
fn keys_of_one_cloud_are_refused_in_another() {
    let table = |runtime: &str, line: &str| {
        refusal(&format!("[functions.f]\nruntime = \"{runtime}\"\nhandler = \"a.f\"\n{line}\n"))
    };
    for (runtime, line, why) in [
        ("python3.12", "maximum_retry_attempts = 3", "at most twice"),
        ("python3.12", "maximum_event_age_seconds = 59", "60 to 21600"),
        ("python312", "provider = \"gcp\"\non_failure = \"q\"", "`on_failure` belongs to functions with"),
    ] {
        let shown = table(runtime, line);
        assert!(shown.contains(why), "{shown}");
    }
    let shown = refusal("[functions.score]\nsignature = \"event\"\n");
    assert!(shown.contains("`signature` belongs to functions with `provider = \"gcp\"`"), "{shown}");
    let shown = refusal(
        "[functions.f]\nprovider = \"gcp\"\nruntime = \"python311\"\nhandler = \"f\"\ntimeout = \"2h\"\n",
    );
    assert!(shown.contains("from 1 to 3600"), "{shown}");
}

#[test]
fn what_was_detected_can_be_changed_key_by_key() {
    for name in ["score", "Score"] {
        let (folder, loaded) = read(&format!(
            "[functions.{name}]\nmemory = \"2GB\"\nsource = \"src\"\nenv = {{ B = \"own\" }}\n"
        ));
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        let [function] = loaded.project.functions.as_slice() else { panic!("one function") };
        assert_eq!((function.name.as_str(), function.handler.as_str()), ("score", "index.score"));
        assert_eq!((function.memory, function.source.clone()), (Some(2 << 30), folder.path().join("src")));
        assert_eq!((function.env["A"].as_str(), function.env["B"].as_str()), ("template", "own"));
        assert_eq!((function.triggers.len(), function.from.line), (1, 3));
    }
    let (_folder, loaded) = read("[functions.score]\ntriggers = [{ bucket = \"in-box\" }]\n");
    let project = loaded.unwrap_or_else(|error| panic!("{error}")).project;
    assert_eq!(project.functions[0].triggers.len(), 1);
    assert_eq!(project.buckets[0].name, "in-box", "a bucket that a trigger names exists");
}

#[test]
fn several_prepare_steps_keep_their_order() {
    let (_folder, loaded) = read("[[prepare]]\nrun = [\"a\"]\n[[prepare]]\nrun = [\"b\"]\n");
    let steps = loaded.unwrap_or_else(|error| panic!("{error}")).project.prepare;
    let seen: Vec<_> = steps.iter().map(|step| (step.run[0].as_str(), step.from.line)).collect();
    assert_eq!(seen, [("a", 2), ("b", 4)]);
}

#[test]
fn unknown_keys_are_shown_with_what_was_meant() {
    insta::assert_snapshot!(
        refusal("[functions.score]\nhandlr = \"x\"\n\n[prots]\naws = 1\n[[prepare]]\nrun = [\"a\"]\nzzz = 1\n"),
        @r#"
    unknown key `handlr` in [functions.score]
     --> mlemu.toml:2:1
      |
    2 | handlr = "x"
      | ^^^^^^
    hint: did you mean `handler`?

    unknown key `prots`
     --> mlemu.toml:4:2
      |
    4 | [prots]
      |  ^^^^^
    hint: did you mean `ports`?

    unknown key `zzz` in [prepare]
     --> mlemu.toml:8:1
      |
    8 | zzz = 1
      | ^^^
    hint: there are run, requirements, inputs, outputs, folder
    "#
    );
}

#[test]
fn wrong_values_are_shown_where_they_stand() {
    insta::assert_snapshot!(refusal("[functions.score]\nmemory = 1024\n"), @r#"
    must be a size like "512MB" or "2GB", not 1024
     --> mlemu.toml:2:10
      |
    2 | memory = 1024
      |          ^^^^
    "#);
    insta::assert_snapshot!(refusal("[functions.score]\ntriggers = [{ http = \"/x\" }]\n"), @r#"
    `/x` is no route; write a method and a path, like "GET /flowers/{id}"
     --> mlemu.toml:2:13
      |
    2 | triggers = [{ http = "/x" }]
      |             ^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(refusal("[functions.new]\nhandler = \"a.b\"\n"), @r#"
    function `new` has no runtime
     --> mlemu.toml:1:12
      |
    1 | [functions.new]
      |            ^^^
    hint: add `runtime = "python3.12"`, or name a function that a template declares
    "#);
}

#[test]
fn nothing_wrong_passes() {
    for (text, what, place) in [
        (
            "[functions.score]\nmemory = \"10 apples\"\n",
            "must be a size like \"512MB\" or \"2GB\", not \"10 apples\"",
            "2:10",
        ),
        (
            "[functions.score]\nruntime = \"pyton3.12\"\n",
            "there is no runtime `pyton3.12` in Lambda; did you mean `python3.12`?",
            "2:11",
        ),
        (
            "[functions.score]\nruntime = \"java17\"\n",
            "functions of runtime `java17` cannot run here yet",
            "2:11",
        ),
        ("[functions.score]\nmemory = \"64MB\"\n", "64 MB of memory", "2:10"),
        ("[functions.score]\nmemory = \"128.5MB\"\n", "128.5 MB of memory", "2:10"),
        ("[functions.score]\ntimeout = \"16m\"\n", "a timeout of 960s", "2:11"),
        ("[functions.score]\ntimeout = \"1500ms\"\n", "a timeout of 1.5s", "2:11"),
        ("[functions.score]\ntmp = \"1MB\"\n", "1 MB of ephemeral storage", "2:7"),
        ("[functions.score]\nconcurrency = -1\n", "must be a whole number, 0 or more, not -1", "2:15"),
        (
            "[functions.score]\nprovider = \"ibm\"\n",
            "must be one of `aws`, `gcp`, `azure`, not `ibm`",
            "2:12",
        ),
        ("[functions.score]\nsource = \"gone\"\n", "there is no folder gone", "2:10"),
        ("[functions.score]\nenv = { A = 1 }\n", "must be a text in quotes, not 1", "2:13"),
        ("[functions.score]\ntriggers = [{}]\n", "a trigger needs one of", "2:13"),
        (
            "[functions.score]\ntriggers = [{http=\"GET /\", queue=\"q\"}]\n",
            "one trigger cannot be `http` and `queue`",
            "2:13",
        ),
        (
            "[functions.score]\ntriggers = [{queue=\"q\", suffix=\"x\"}]\n",
            "`suffix` belongs to `bucket` triggers",
            "2:13",
        ),
        ("[functions.score]\ntriggers = [{queue=\"q\", batch=0}]\n", "a batch of 0", "2:13"),
        ("[functions.score]\ntriggers = [{schedule=\"daily\"}]\n", "`daily` is no schedule", "2:13"),
        ("[functions.score]\ntriggers = [{bucket=\"A\"}]\n", "`A` is no name for a bucket", "2:13"),
        ("[functions.\"a b\"]\nhandler=\"x\"\nruntime=\"x\"\n", "`a b` is no name for a function", "1:12"),
        ("[buckets.Bad]\n", "`Bad` is no name for a bucket", "1:10"),
        ("[prepare]\nrun = []\n", "nothing to run", "2:7"),
        ("[prepare]\nrun = \"python train.py\"\n", "must be a list, not \"python train.py\"", "2:7"),
        ("[prepare]\ninputs = []\n", "`run` is missing", "1:1"),
        ("[aws]\naccount = \"12\"\n", "an account is twelve digits", "2:11"),
        ("[ports]\naws = 70000\n", "must be a whole number from 0 to 65535, not 70000", "2:7"),
        ("[project]\nenv_file = \"gone\"\n", "there is no file gone", "2:12"),
        ("[project]\nname = \"a\"\nname = \"b\"\n", "duplicate key", "3:1"),
        ("a = [1\n", "unclosed array", "1:7"),
        ("project = 3\n", "must be a table, not 3", "1:11"),
    ] {
        let shown = refusal(text);
        assert!(shown.starts_with(what), "{text}{shown}");
        assert!(shown.contains(&format!("--> mlemu.toml:{place}\n")), "{text}{shown}");
    }
    let nested = format!("a = {}", "[".repeat(100_000));
    assert!(refusal(&nested).len() < 1000, "a long line is shortened");
}

#[test]
fn a_single_file_is_a_project() {
    let folder = folder(&[("my app.py", ""), ("index.mjs", ""), ("notes.txt", "")]);
    let start = |name: &str| read_at(&folder.path().join(name));
    let loaded = start("my app.py:handler").unwrap();
    let [function] = loaded.project.functions.as_slice() else { panic!("one function") };
    assert_eq!((function.name.as_str(), function.handler.as_str()), ("my-app", "my app.handler"));
    assert_eq!((function.runtime.as_str(), function.source.as_path()), ("python3", folder.path()));
    let loaded = start("index.mjs:resize").unwrap();
    let function = &loaded.project.functions[0];
    assert_eq!((function.name.as_str(), function.runtime.as_str()), ("resize", "nodejs"));
    for (name, what) in [
        ("gone", "there is no file or folder"),
        ("gone.py:handler", "there is no file"),
        ("notes.txt", "notes.txt is no project"),
        ("notes.txt:main", "cannot tell how to run"),
        ("index.mjs:", "cannot tell how to run"),
    ] {
        let error = start(name).expect_err(name);
        assert!(error.what.starts_with(what), "{error}");
    }
}

#[test]
fn a_file_of_any_name_can_be_named() {
    let folder = folder(&[("infra/stack.yml", TEMPLATE), ("other.toml", "[project]\nname = \"named\"\n")]);
    let template = folder.path().join("infra/stack.yml");
    let loaded = read_at(&template).unwrap();
    assert_eq!((loaded.project.root, loaded.project.functions.len()), (folder.path().join("infra"), 1));
    let loaded = read_at(&folder.path().join("other.toml")).unwrap();
    assert_eq!((loaded.project.name.as_str(), loaded.project.functions.len()), ("named", 0));
    assert_eq!(loaded.project.warnings.len(), 1, "nothing declared is said aloud");
    let overrides = Overrides { template: Some(template), ..Overrides::default() };
    assert_eq!(load(folder.path(), &overrides).unwrap().project.functions[0].name, "score");
    let missing = Overrides { template: Some("gone.yaml".into()), ..Overrides::default() };
    assert!(load(folder.path(), &missing).unwrap_err().to_string().starts_with("cannot read: "));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done to the file, it is read or refused.
    #[test]
    fn mutated_files_never_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[ -~\n\t\u{e9}]{0,6}|\\[\\[|\"\"\"|= \\{|\\]"), 1..6)
    ) {
        let mut text = EVERYTHING.to_owned();
        for (place, removed, inserted) in cuts {
            let start = text.floor_char_boundary(place.index(text.len()));
            let end = text.floor_char_boundary((start + removed).min(text.len()));
            text.replace_range(start..end.max(start), &inserted);
        }
        let folder = folder(&[("mlemu.toml", &text)]);
        if let Err(error) = read_at(folder.path()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
