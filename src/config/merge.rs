//! Several files, one project: what is declared twice is one thing or a clash.

use super::error::{ConfigError, Place};
use super::import::Imported;
use super::{Loaded, paths};
use mlemu_core::declare::{
    BucketDeclaration, FunctionDeclaration, Project, ResourceDeclaration, TriggerDeclaration,
};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Adds what a file declares to what others did.
pub fn absorb(loaded: &mut Loaded, imported: Imported, root: &Path) -> Result<(), ConfigError> {
    let ports = &mut loaded.settings.ports;
    ports.azure = ports.azure.or(imported.azure_port);
    let project = &mut loaded.project;
    let mut findings = Vec::new();
    let mut known: HashMap<String, FunctionDeclaration> =
        project.functions.iter().map(|function| (function.name.clone(), function.clone())).collect();
    for function in imported.functions {
        match known.get(&function.name) {
            Some(first) if is_same(first, &function) => {}
            Some(first) => findings.push(clash(first, &function, root)),
            None => {
                known.insert(function.name.clone(), function.clone());
                project.functions.push(function);
            }
        }
    }
    let mut buckets: HashSet<String> = project.buckets.iter().map(|bucket| bucket.name.clone()).collect();
    project.buckets.extend(imported.buckets.into_iter().filter(|bucket| buckets.insert(bucket.name.clone())));
    let queues = &mut project.queues;
    let mut names: HashSet<String> = queues.iter().map(|queue| queue.name.clone()).collect();
    queues.extend(imported.queues.into_iter().filter(|queue| names.insert(queue.name.clone())));
    for resource in imported.resources {
        let is_same =
            |known: &ResourceDeclaration| (&known.kind, &known.name) == (&resource.kind, &resource.name);
        if !project.resources.iter().any(is_same) {
            project.resources.push(resource);
        }
    }
    project.warnings.extend(imported.warnings);
    ConfigError::all(findings).map_or(Ok(()), Err)
}

/// A bucket that a trigger names exists, declared or not.
pub fn imply_buckets(project: &mut Project) {
    let key = |cloud: &str, name: &str| (cloud.to_owned(), name.to_owned());
    let mut known: HashSet<_> =
        project.buckets.iter().map(|bucket| key(&bucket.cloud, &bucket.name)).collect();
    for function in &project.functions {
        for trigger in &function.triggers {
            let TriggerDeclaration::Bucket { bucket, .. } = trigger else { continue };
            if known.insert(key(&function.cloud, bucket)) {
                project.buckets.push(BucketDeclaration {
                    cloud: function.cloud.clone(),
                    name: bucket.clone(),
                    seed: None,
                    from: function.from.clone(),
                });
            }
        }
    }
}

/// The same code under the same name, found in two files, e.g. a template and its copy.
fn is_same(one: &FunctionDeclaration, other: &FunctionDeclaration) -> bool {
    (&one.cloud, &one.runtime, &one.handler, &one.source)
        == (&other.cloud, &other.runtime, &other.handler, &other.source)
}

fn clash(first: &FunctionDeclaration, second: &FunctionDeclaration, root: &Path) -> ConfigError {
    let place =
        |function: &FunctionDeclaration| format!("{}:{}", function.from.file.display(), function.from.line);
    let what = format!("two functions are called `{}`: {} and {}", second.name, place(first), place(second));
    let place =
        Place { file: paths::join(root, &second.from.file), line: second.from.line, ..Place::default() };
    ConfigError::new(what)
        .at(place)
        .hint("give one of them a FunctionName of its own, or start one project alone: `mlemu up FOLDER`")
}
