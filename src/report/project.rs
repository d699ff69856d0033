//! A project in lines: what runs, how, on what, and where that was said.

use super::table::table;
use mlemu_core::declare::{FunctionDeclaration, Project, TriggerDeclaration};

const MIB: u64 = 1024 * 1024;

/// One line a function, then one a bucket.
pub fn lines(project: &Project) -> Vec<String> {
    let functions = project.functions.iter().map(|function| function_row(function, project));
    let buckets = project.buckets.iter().map(|bucket| {
        let from = place(&bucket.from.file, bucket.from.line, project);
        vec![
            bucket.name.clone(),
            bucket.cloud.clone(),
            "bucket".into(),
            String::new(),
            String::new(),
            String::new(),
            from,
        ]
    });
    table(&[], functions.chain(buckets)).lines().map(str::to_owned).collect()
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
    let usual = match function.cloud.as_str() {
        "aws" => Some((mlemu_aws::profile::DEFAULT_MEMORY, mlemu_aws::profile::DEFAULT_TIMEOUT)),
        "gcp" => Some((mlemu_gcp::profile::DEFAULT_MEMORY, mlemu_gcp::profile::DEFAULT_TIMEOUT)),
        "azure" => Some((mlemu_azure::profile::DEFAULT_MEMORY, mlemu_azure::profile::DEFAULT_TIMEOUT)),
        _ => None,
    };
    let memory = function.memory.or(usual.map(|(memory, _)| memory));
    let timeout = function.timeout.or(usual.map(|(_, timeout)| timeout));
    let unknown = || "default".to_owned();
    (
        memory.map_or_else(unknown, |bytes| format!("{} MB", bytes / MIB)),
        timeout.map_or_else(unknown, |time| format!("{} s", time.as_secs_f64())),
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
