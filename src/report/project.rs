//! A project in lines: what runs, how, on what, and where that was said.

use super::table::table;
use crate::clouds::{memory_of, timeout_of};
use mlemu_core::declare::{
    FunctionDeclaration, Project, Provenance, ResourceDeclaration, TriggerDeclaration,
};
use mlemu_engine::endpoints;

const MIB: u64 = 1024 * 1024;

/// One line a function, then one a bucket, one a queue and one an endpoint.
pub fn lines(project: &Project) -> Vec<String> {
    let functions = project.functions.iter().map(|function| function_row(function, project));
    let buckets = project.buckets.iter();
    let buckets =
        buckets.map(|bucket| store_row(&bucket.name, &bucket.cloud, "bucket", &bucket.from, project));
    let queues = project.queues.iter();
    let queues = queues.map(|queue| store_row(&queue.name, &queue.cloud, "queue", &queue.from, project));
    let endpoints = project.resources.iter().filter(|resource| resource.kind == endpoints::KIND);
    let endpoints = endpoints.map(|endpoint| endpoint_row(endpoint, project));
    table(&[], functions.chain(buckets).chain(queues).chain(endpoints)).lines().map(str::to_owned).collect()
}

/// Of what holds things and runs nothing.
fn store_row(name: &str, cloud: &str, kind: &str, from: &Provenance, project: &Project) -> Vec<String> {
    let place = place(&from.file, from.line, project);
    let none = String::new;
    vec![name.into(), cloud.into(), kind.into(), none(), none(), none(), place]
}

/// With the path at which its cloud's clients ask it.
fn endpoint_row(endpoint: &ResourceDeclaration, project: &Project) -> Vec<String> {
    let name = &endpoint.name;
    let path = match endpoint.cloud.as_str() {
        "aws" => format!("POST /endpoints/{name}/invocations"),
        "gcp" => format!("POST /v1/models/{name}:predict"),
        "azure" => format!("POST /onlineEndpoints/{name}/score"),
        _ => String::new(),
    };
    let mut row = store_row(name, &endpoint.cloud, "endpoint", &endpoint.from, project);
    row[5] = path;
    row
}

fn function_row(function: &FunctionDeclaration, project: &Project) -> Vec<String> {
    let (memory, timeout) = limits(function);
    let triggers: Vec<_> = function.triggers.iter().map(trigger).collect();
    vec![
        function.name.clone(),
        function.cloud.clone(),
        function.runtime.clone(),
        memory,
        timeout,
        triggers.join(", "),
        place(&function.from.file, function.from.line, project),
    ]
}

/// Memory and timeout, said or the cloud's own.
fn limits(function: &FunctionDeclaration) -> (String, String) {
    let unknown = || "default".to_owned();
    (
        memory_of(function).map_or_else(unknown, |bytes| format!("{} MB", bytes / MIB)),
        timeout_of(function).map_or_else(unknown, |time| format!("{} s", time.as_secs_f64())),
    )
}

fn trigger(trigger: &TriggerDeclaration) -> String {
    match trigger {
        TriggerDeclaration::Http { method, path, .. } => format!("{method} {path}"),
        TriggerDeclaration::Bucket { bucket, prefix, suffix, .. } => {
            let (prefix, suffix) = (prefix.as_deref().unwrap_or(""), suffix.as_deref().unwrap_or(""));
            format!("bucket {bucket}/{prefix}*{suffix}")
        }
        TriggerDeclaration::Queue { queue, .. } => format!("queue {queue}"),
        TriggerDeclaration::Schedule { expression } => expression.clone(),
        TriggerDeclaration::Url { .. } => "function URL".into(),
    }
}

fn place(file: &std::path::Path, line: usize, project: &Project) -> String {
    let file = file.strip_prefix(&project.root).unwrap_or(file);
    format!("{}:{line}", file.display())
}
