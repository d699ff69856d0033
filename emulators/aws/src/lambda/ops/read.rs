//! GetFunction, GetFunctionConfiguration, ListFunctions.

use super::super::decode::Call;
use super::super::encode::{self, Described};
use super::super::fault::Fault;
use super::super::target::{LATEST, Target};
use super::super::{Lambda, wire};
use super::code;
use axum::response::Response;

pub async fn function(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    let described = lambda.described(&target)?;
    let (id, tags) = lambda.with_entry(&target, |entry| (entry.id.clone(), entry.tags.clone()))?;
    let reserved = lambda.functions.function(&id).and_then(|view| view.reserved);
    let location = format!("file://{}", described.revision.source.folder().display());
    let document = wire::GetFunction {
        configuration: self::described(lambda, described).await,
        code: wire::CodeLocation { repository_type: "S3", location },
        tags,
        concurrency: reserved
            .map(|reserved| wire::Concurrency { reserved_concurrent_executions: Some(reserved.into()) }),
    };
    encode::json(200, &document)
}

pub async fn configuration(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    encode::json(200, &described(lambda, lambda.described(&target)?).await)
}

pub async fn list(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let page = call.page()?;
    let all = call.query.get("FunctionVersion") == Some("ALL");
    let mut found = Vec::new();
    for name in names(lambda) {
        // One that has been deleted since is no longer in the list.
        let target = Target { name, qualifier: all.then(|| LATEST.to_owned()) };
        found.extend(lambda.described(&target));
        if all {
            found.extend(lambda.described_versions(&target).unwrap_or_default());
        }
    }
    let (found, next_marker) = page.cut(found, sort_key);
    let mut functions = Vec::new();
    for one in found {
        functions.push(described(lambda, one).await);
    }
    encode::json(200, &wire::ListFunctions { functions, next_marker })
}

fn names(lambda: &Lambda) -> Vec<String> {
    lambda.catalog().iter().map(|entry| entry.id.name.to_string()).collect()
}

/// Sorts by name, then `$LATEST` before numbers, and numbers by their value.
pub fn sort_key(described: &Described) -> String {
    format!("{}:{:0>20}", described.name, described.label.trim_start_matches(LATEST))
}

/// The document of a version, with the size of its code.
pub async fn described(lambda: &Lambda, described: Described) -> wire::FunctionConfiguration {
    let size = code::size(lambda, &described.revision).await;
    described.configuration(size)
}
