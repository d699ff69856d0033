//! The host's own lines for a record, as people look for them in its console.
//!
//! Source: the console of `func start`, as shown in the documentation of Azure Functions Core Tools.

use super::index::Indexed;
use crate::app::App;
use crate::bindings::expression::settled;
use crate::place::Place;
use mlemu_core::record::Status;
use mlemu_core::runtime::Unwrapped;
use mlemu_core::{InvocationId, Record, Subject, Usage, What};
use mlemu_engine::history::Past;
use serde_json::Value;

/// Before what a worker writes for its host alone.
const CONSOLE: &str = "LanguageWorkerConsoleLog";
/// Around the invocation before a line that a worker of ours logs for it.
const MARK: char = '\u{1f}';
/// In the place of the ends of lines within such a line.
const BREAK: &str = "\u{1e}";

/// What a worker's line stands for: many calls write at a time, and ours say for which.
pub(super) fn unwrapped(line: &str) -> Option<Unwrapped> {
    if let Some(text) = line.strip_prefix(CONSOLE) {
        return Some(Unwrapped { text: text.to_owned(), invocation: None });
    }
    let (invocation, text) = line.strip_prefix(MARK)?.split_once(MARK)?;
    Some(Unwrapped { text: text.replace(BREAK, "\n"), invocation: Some(InvocationId(invocation.into())) })
}

/// `past`: what is known of the record's invocation.
pub(crate) fn of(record: &Record, app: &App, place: &Place, past: Option<&Past>) -> Vec<String> {
    let subject = &record.subject;
    let Some(name) = subject.function.as_ref().map(|function| &*function.name) else { return Vec::new() };
    let index = app.index();
    let function = index.as_ref().and_then(|index| index.get(name));
    match (&record.what, function) {
        (What::Log(line), _) => vec![line.text.clone()],
        (What::Started, Some(function)) => started(function, record, app, past),
        (What::Ended { status, usage, .. }, Some(function)) => {
            let mut lines: Vec<String> = trouble(status, usage).into_iter().collect();
            lines.push(ended(function, subject, status, usage));
            lines
        }
        // The app's own: its worker has said what there is.
        (What::Ended { status, .. }, None) if status.is_ok() && *name == *app.id.name => listed(app, place),
        (What::Ended { status, usage, .. }, None) => trouble(status, usage).into_iter().collect(),
        (What::InitEnded { status, .. }, _) if !status.is_ok() => failed_start(status),
        _ => Vec::new(),
    }
}

fn id(subject: &Subject) -> &str {
    subject.invocation.as_ref().map_or("", |id| &id.0)
}

/// Why a function runs, and what is known of what triggered it; a run by hand has no more than the first.
fn started(function: &Indexed, record: &Record, app: &App, past: Option<&Past>) -> Vec<String> {
    let event: Value = past.and_then(|past| serde_json::from_slice(&past.event).ok()).unwrap_or_default();
    let text = |name: &str| event[name].as_str();
    let at = jiff::Timestamp::from_microsecond(record.at.0).unwrap_or_default();
    let at = at.strftime("%Y-%m-%dT%H:%M:%S.%7f+00:00");
    let reason = match function.trigger.kind.to_ascii_lowercase().as_str() {
        "timertrigger" if event["ScheduleStatus"].is_object() => Some(format!("Timer fired at {at}")),
        "queuetrigger" if text("QueueTrigger").is_some() => {
            let said = function.trigger.text("queueName").unwrap_or_default();
            let queue = settled(said, &app.bindings.settings).unwrap_or_else(|_| said.to_owned());
            Some(format!("New queue message detected on '{queue}'."))
        }
        "blobtrigger" => text("BlobTrigger")
            .zip(text("Source"))
            .map(|(path, source)| format!("New blob detected({source}): {path}")),
        "eventgridtrigger" if event.is_object() => Some(format!("EventGrid trigger fired at {at}")),
        _ => None,
    };
    let by_hand = || "This function was programmatically called via the host APIs.".to_owned();
    let reason = reason.unwrap_or_else(by_hand);
    let executing =
        format!("Executing 'Functions.{}' (Reason='{reason}', Id={})", function.name, id(&record.subject));
    std::iter::once(executing).chain(details(&event)).collect()
}

/// Of a message, or of the one that a blob's trigger has for it within.
fn details(event: &Value) -> Option<String> {
    let text = |name: &str| event[name].as_str();
    let (id, inserted) = text("Id").zip(text("InsertionTime"))?;
    let mut details = format!(
        "Trigger Details: MessageId: {id}, DequeueCount: {}, InsertedOn: {inserted}",
        event["DequeueCount"]
    );
    if let Some((created, modified)) = text("BlobCreated").zip(text("BlobLastModified")) {
        details.push_str(&format!(", BlobCreated: {created}, BlobLastModified: {modified}"));
    }
    Some(details)
}

fn ended(function: &Indexed, subject: &Subject, status: &Status, usage: &Usage) -> String {
    let word = if status.is_ok() { "Succeeded" } else { "Failed" };
    let millis = usage.handler.as_millis();
    format!("Executed 'Functions.{}' ({word}, Id={}, Duration={millis}ms)", function.name, id(subject))
}

/// What the host writes when the worker was the reason.
fn trouble(status: &Status, usage: &Usage) -> Option<String> {
    let code = match status {
        Status::OutOfMemory => {
            let limit = usage.memory_limit / crate::profile::MIB;
            return Some(format!(
                "Language Worker Process exited. Exit code: 137 (killed at the plan's {limit} MB of memory)."
            ));
        }
        Status::Timeout { after } => {
            let seconds = after.as_secs();
            let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            return Some(format!(
                "Timeout value of {hours:02}:{minutes:02}:{seconds:02} was exceeded by function. Restarting the language worker process."
            ));
        }
        Status::Exited { code, signal } => code.or(signal.map(|signal| 128 + signal)).unwrap_or(-1),
        _ => return None,
    };
    Some(format!("Language Worker Process exited. Exit code: {code}."))
}

fn failed_start(status: &Status) -> Vec<String> {
    match status {
        Status::Error { kind } if kind == "Stopped" => Vec::new(),
        _ => vec![
            "Worker failed to load the function app. The functions of its last good version do not run."
                .into(),
        ],
    }
}

/// The list that the host shows when it has started.
fn listed(app: &App, place: &Place) -> Vec<String> {
    let Some(index) = app.index() else { return Vec::new() };
    if index.functions.is_empty() {
        return vec!["No job functions found. Try making your job classes and methods public.".into()];
    }
    let mut lines = vec!["Functions:".to_owned()];
    lines.extend(index.functions.iter().map(|function| format!("\t{}", summary(function, app, place))));
    lines
}

/// `hello: [GET,POST] http://localhost:7071/api/hello`
fn summary(function: &Indexed, app: &App, place: &Place) -> String {
    let name = &function.name;
    if !function.trigger.is("httpTrigger") {
        return format!("{name}: {}", function.trigger.kind);
    }
    let methods = function.trigger.said.get("methods").and_then(Value::as_array);
    let methods: Vec<String> =
        methods.into_iter().flatten().filter_map(Value::as_str).map(str::to_ascii_uppercase).collect();
    let methods = if methods.is_empty() { String::new() } else { format!("[{}] ", methods.join(",")) };
    format!("{name}: {methods}{}", crate::functions::url_of(function, app, place))
}
