//! What the reference says, from the program itself: its help, its schema, and what its listeners answer.

use super::generated::{check, table};
use super::stage::Daemon;
use super::tools;
use mlemu_aws::s3::Covered;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

/// The verbs whose own verbs have a help of their own.
const VERBS: [&str; 36] = [
    "up",
    "invoke",
    "exec",
    "test",
    "record",
    "replay",
    "wait",
    "logs",
    "cold",
    "ps",
    "env",
    "queue",
    "queue list",
    "queue peek",
    "queue purge",
    "queue redrive",
    "events",
    "events list",
    "events show",
    "events gen",
    "events save",
    "fit",
    "profiles",
    "profiles list",
    "profiles replay",
    "profiles show",
    "profile-init",
    "tune",
    "cost",
    "report",
    "config",
    "schema",
    "onnx",
    "onnx install",
    "doctor",
    "completions",
];

#[test]
fn cli() {
    let parts = VERBS.map(|verb| format!("## mlemu {verb}\n\n```text\n{}\n```", help(verb)));
    check("docs/reference/cli.md", &[("verbs", help_of_all()), ("help", parts.join("\n\n"))]);
}

/// The list of verbs, as `mlemu --help` has it: no verb is without its part.
fn help_of_all() -> String {
    let help = help("");
    for verb in
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty())
    {
        let verb = verb.split_whitespace().next().unwrap_or_default();
        assert!(verb == "help" || VERBS.contains(&verb), "tests/docs/reference.rs does not know `{verb}`");
    }
    format!("```text\n{help}\n```")
}

fn help(verb: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlemu"));
    command.args(verb.split_whitespace()).arg("--help").env_remove("COLUMNS").env_remove("MLEMU_OFFLINE");
    let printed = command.output().expect("mlemu starts").stdout;
    String::from_utf8_lossy(&printed)
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
        .trim_end()
        .to_owned()
}

#[test]
fn configuration() {
    let schema = mlemu::config::schema();
    let mut tables = Vec::new();
    describe(&schema, "", &mut tables);
    check("docs/reference/configuration.md", &[("keys", tables.join("\n\n"))]);
}

/// Editors read it from the repository.
#[test]
fn schema_of_test_files() {
    let fresh = serde_json::to_string_pretty(&mlemu::harness::test_file_schema()).expect("JSON") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/test-file.schema.json");
    if std::env::var_os("MLEMU_BLESS").is_some() {
        std::fs::write(&path, &fresh).expect("the schema can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == fresh, "it has changed; run `MLEMU_BLESS=1 cargo test --test docs`");
}

/// The keys of a table, and then of the tables in it.
fn describe(schema: &Value, path: &str, tables: &mut Vec<String>) {
    let Some(keys) = schema["properties"].as_object() else { return };
    let plain: Vec<_> = keys.iter().filter(|(_, value)| inner(value).is_none()).collect();
    if !plain.is_empty() {
        let rows = plain.iter().map(|(key, value)| {
            let doc = value["description"].as_str().unwrap_or_default().replace('\n', " ");
            vec![format!("`{key}`"), kind(value), doc]
        });
        let doc = schema["description"].as_str().filter(|_| !path.is_empty()).unwrap_or_default();
        let doc = if doc.is_empty() { String::new() } else { format!("\n{doc}\n") };
        let heading = if path.is_empty() { "### Tables of any keys".into() } else { format!("### `{path}`") };
        tables.push(format!("{heading}\n{doc}\n{}", table(&["key", "value", "what it is"], rows)));
    }
    for (key, value) in keys {
        let Some((form, inside)) = inner(value) else { continue };
        let deeper =
            if path.is_empty() { key.clone() } else { format!("{}.{key}", path.trim_matches(['[', ']'])) };
        describe(inside, &form.replace("KEY", &deeper), tables);
    }
}

/// The table inside of a value, and how its header is written.
fn inner(value: &Value) -> Option<(&'static str, &Value)> {
    let forms = std::iter::once(value).chain(value["anyOf"].as_array().into_iter().flatten());
    forms.into_iter().find_map(|form| {
        if form["properties"].is_object() {
            return Some(("[KEY]", form));
        }
        let (map, list) = (&form["additionalProperties"], &form["items"]);
        if map["properties"].is_object() {
            return Some(("[KEY.NAME]", map));
        }
        list["properties"].is_object().then_some(("[[KEY]]", list))
    })
}

fn kind(value: &Value) -> String {
    if let Some(words) = value["enum"].as_array() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    match value["type"].as_str() {
        Some("array") => format!("list of {}", kind(&value["items"])),
        Some("object") => "table of strings".into(),
        Some(kind) => kind.into(),
        None => "string".into(),
    }
}

#[test]
fn coverage() {
    let folder = tempfile::tempdir_in(tools::kept("pages")).expect("a folder");
    let up = format!("'{}' up", env!("CARGO_BIN_EXE_mlemu"));
    let cache = ("MLEMU_CACHE".to_owned(), tools::kept("mlemu-cache").display().to_string());
    let daemon = Daemon::start(&up, folder.path(), &[cache]).expect("a daemon");
    let port = daemon.port("aws  http://127.0.0.1");
    let lambda: BTreeMap<&str, bool> = mlemu_aws::lambda::routes::coverage()
        .map(|(operation, method, path)| {
            let answer = ask(&format!("127.0.0.1{port}"), method.as_str(), &path.replace("{}", "x"));
            (
                operation.name(),
                !answer.contains(&format!("mlemu does not have Lambda's {} yet", operation.name())),
            )
        })
        .collect();
    assert!(
        lambda["Invoke"] && !lambda["PublishLayerVersion"],
        "the question is answered wrongly: {lambda:?}"
    );
    let s3: BTreeMap<&str, Covered> = mlemu_aws::s3::coverage().collect();
    let with = |wanted| s3.iter().filter(move |(_, covered)| **covered == wanted).map(|(name, _)| *name);
    check(
        "docs/reference/coverage.md",
        &[
            ("lambda", names(lambda.iter().filter(|(_, here)| **here).map(|(name, _)| *name))),
            ("lambda-missing", names(lambda.iter().filter(|(_, here)| !**here).map(|(name, _)| *name))),
            ("s3", names(with(Covered::Here))),
            ("s3-kept", names(with(Covered::Kept))),
            ("s3-as-new", names(with(Covered::AsNew))),
            ("s3-missing", names(with(Covered::Missing))),
            ("sqs", names(mlemu_aws::sqs::coverage())),
            ("sns", names(had(mlemu_aws::sns::coverage(), true))),
            ("sns-missing", names(had(mlemu_aws::sns::coverage(), false))),
            ("events", names(had(mlemu_aws::events::coverage(), true))),
            ("events-missing", names(had(mlemu_aws::events::coverage(), false))),
            ("sagemaker", names(mlemu_aws::sagemaker::coverage())),
            ("azure-triggers", names(mlemu_azure::functions::TRIGGERS.into_iter())),
            ("azure-bindings", names(mlemu_azure::functions::BINDINGS.into_iter())),
            ("azure-host", names(had(mlemu_azure::functions::coverage(), true))),
            ("azure-host-missing", names(had(mlemu_azure::functions::coverage(), false))),
            ("azure-blob", names(had(mlemu_azure::blob::coverage(), true))),
            ("azure-blob-missing", names(had(mlemu_azure::blob::coverage(), false))),
            ("azure-queue", names(mlemu_azure::queue::coverage())),
            ("gcs", names(had(mlemu_gcp::storage::coverage(), true))),
            ("gcf", names(had(mlemu_gcp::coverage::functions(), true))),
            ("gcf-missing", names(had(mlemu_gcp::coverage::functions(), false))),
            ("pubsub", names(had(mlemu_gcp::coverage::pubsub(), true))),
            ("pubsub-missing", names(had(mlemu_gcp::coverage::pubsub(), false))),
            ("tasks", names(had(mlemu_gcp::coverage::tasks(), true))),
            ("tasks-missing", names(had(mlemu_gcp::coverage::tasks(), false))),
            ("gcs-missing", names(had(mlemu_gcp::storage::coverage(), false))),
        ],
    );
}

/// The operations that are there, or those that are not.
fn had<'a>(all: impl Iterator<Item = (&'a str, bool)>, wanted: bool) -> impl Iterator<Item = &'a str> {
    all.filter(move |(_, is_had)| *is_had == wanted).map(|(name, _)| name)
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(",\n")
}

/// The answer to a request without a body, head and all.
fn ask(host: &str, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(host).expect("a connection");
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
