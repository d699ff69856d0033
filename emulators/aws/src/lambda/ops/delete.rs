//! DeleteFunction: the whole function, or one version of it.

use super::super::Lambda;
use super::super::decode::Call;
use super::super::encode;
use super::super::fault::Fault;
use super::super::target::LATEST;
use axum::response::Response;
use http::StatusCode;

pub fn run(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    let mut catalog = lambda.catalog();
    let unknown = || Fault::no_function(&target.arn(&lambda.settings));
    match target.qualifier.as_deref() {
        Some(LATEST) => {
            return Err(Fault::parameter("$LATEST version cannot be deleted without deleting the function."));
        }
        Some(qualifier) => {
            let entry = catalog.get_mut(&target.name).ok_or_else(unknown)?;
            // Deleting a version that is not there succeeds, as it does at the vendor's.
            if let Ok(number) = qualifier.parse() {
                entry.versions.remove(&number);
                lambda.functions.unpin(&entry.id, qualifier);
            }
        }
        None => {
            let id = catalog.get(&target.name).ok_or_else(unknown)?.id.clone();
            catalog.remove(&id.name);
            lambda.functions.delete(&id);
        }
    }
    Ok(encode::empty(StatusCode::NO_CONTENT))
}
