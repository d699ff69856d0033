//! The triggers of `mlemu.toml`: one table becomes one declaration.

use super::error::ConfigError;
use super::limits::bucket_name_fault;
use super::model::{Payload, TriggerTable};
use mlemu_core::declare::{Cors, HttpForm, QueueOptions, TriggerDeclaration};

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"];
const DEFAULT_BATCH: u32 = 10;
const MOST_BATCH: u32 = 10_000;

/// Reads one trigger of a function of `cloud`. The error does not know its place.
pub fn read(cloud: &str, table: &TriggerTable) -> Result<TriggerDeclaration, ConfigError> {
    let kind = kind(table)?;
    refuse_strangers(kind, table)?;
    match kind {
        "http" => http(table),
        "bucket" => bucket(cloud, table),
        "queue" => queue(table),
        "topic" => topic(cloud, table),
        "schedule" => schedule(cloud, table),
        _ => Ok(TriggerDeclaration::Url { cors: cors(table), streaming: table.streaming.unwrap_or(false) }),
    }
}

/// The one key that says what the trigger is.
fn kind(table: &TriggerTable) -> Result<&'static str, ConfigError> {
    let kinds = [
        ("http", table.http.is_some()),
        ("bucket", table.bucket.is_some()),
        ("queue", table.queue.is_some()),
        ("topic", table.topic.is_some()),
        ("schedule", table.schedule.is_some()),
        ("url", table.url == Some(true)),
    ];
    let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(kind, _)| *kind).collect();
    match given.as_slice() {
        [kind] => Ok(kind),
        [] => Err(ConfigError::new(
            "a trigger needs one of `http`, `bucket`, `queue`, `topic`, `schedule` and `url`",
        )),
        many => Err(ConfigError::new(format!(
            "one trigger cannot be `{}` at once; write two tables",
            many.join("` and `")
        ))),
    }
}

/// Keys that mean something for other kinds of triggers only.
fn refuse_strangers(kind: &str, table: &TriggerTable) -> Result<(), ConfigError> {
    let keys: [(&str, bool, &[&str]); 7] = [
        ("payload", table.payload.is_some(), &["http"]),
        ("cors", table.cors.is_some(), &["http", "url"]),
        ("events", table.events.is_some(), &["bucket"]),
        ("prefix", table.prefix.is_some(), &["bucket"]),
        ("suffix", table.suffix.is_some(), &["bucket"]),
        ("batch", table.batch.is_some(), &["queue"]),
        ("streaming", table.streaming.is_some(), &["url"]),
    ];
    match keys.iter().find(|(_, given, kinds)| *given && !kinds.contains(&kind)) {
        Some((key, _, kinds)) => Err(ConfigError::new(format!(
            "`{key}` belongs to `{}` triggers, this one is `{kind}`",
            kinds.join("` and `")
        ))),
        None => Ok(()),
    }
}

fn http(table: &TriggerTable) -> Result<TriggerDeclaration, ConfigError> {
    let route = table.http.as_deref().unwrap_or_default();
    let (method, path) = route.trim().split_once(char::is_whitespace).unwrap_or((route, ""));
    let (method, path) = (method.to_ascii_uppercase(), path.trim());
    if !METHODS.contains(&method.as_str()) || !path.starts_with('/') {
        return Err(ConfigError::new(format!(
            "`{route}` is no route; write a method and a path, like \"GET /flowers/{{id}}\""
        )));
    }
    let (form, api) = match table.payload {
        Some(Payload::One) => (HttpForm::Rest, "ServerlessRestApi"),
        Some(Payload::Two) | None => (HttpForm::Lean, "ServerlessHttpApi"),
    };
    Ok(TriggerDeclaration::Http { api: api.into(), method, path: path.into(), form, cors: cors(table) })
}

fn bucket(cloud: &str, table: &TriggerTable) -> Result<TriggerDeclaration, ConfigError> {
    let bucket = table.bucket.clone().unwrap_or_default();
    if let Some(fault) = bucket_name_fault(cloud, &bucket) {
        return Err(ConfigError::new(fault));
    }
    let created = match cloud {
        "gcp" => "google.cloud.storage.object.v1.finalized",
        "azure" => "Microsoft.Storage.BlobCreated",
        _ => "s3:ObjectCreated:*",
    };
    Ok(TriggerDeclaration::Bucket {
        bucket,
        events: table.events.clone().unwrap_or_else(|| vec![created.into()]),
        prefix: table.prefix.clone(),
        suffix: table.suffix.clone(),
    })
}

fn queue(table: &TriggerTable) -> Result<TriggerDeclaration, ConfigError> {
    let batch = table.batch.unwrap_or(DEFAULT_BATCH);
    if !(1..=MOST_BATCH).contains(&batch) {
        return Err(ConfigError::new(format!(
            "a batch of {batch}; there are 1 to {MOST_BATCH} messages in one"
        )));
    }
    Ok(TriggerDeclaration::Queue {
        queue: table.queue.clone().unwrap_or_default(),
        batch,
        options: QueueOptions::default(),
    })
}

fn topic(cloud: &str, table: &TriggerTable) -> Result<TriggerDeclaration, ConfigError> {
    if cloud != "gcp" {
        return Err(ConfigError::new("`topic` triggers belong to functions with `provider = \"gcp\"`"));
    }
    let queue = table.topic.clone().unwrap_or_default();
    Ok(TriggerDeclaration::Queue { queue, batch: 1, options: QueueOptions::default() })
}

fn schedule(cloud: &str, table: &TriggerTable) -> Result<TriggerDeclaration, ConfigError> {
    let expression = table.schedule.clone().unwrap_or_default();
    let known = ["rate(", "cron(", "at("].iter().any(|start| expression.starts_with(start));
    let words = expression.split_whitespace().count();
    let bare = cloud == "gcp" && (expression.starts_with("every ") || words == 5);
    if known && expression.ends_with(')') || bare {
        Ok(TriggerDeclaration::Schedule { expression })
    } else {
        Err(ConfigError::new(format!("`{expression}` is no schedule; write it like \"rate(5 minutes)\"")))
    }
}

fn cors(table: &TriggerTable) -> Option<Cors> {
    let origins = table.cors.clone()?;
    let any = || vec!["*".to_owned()];
    Some(Cors { origins, methods: any(), headers: any(), credentials: false, max_age: None })
}
