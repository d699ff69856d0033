//! DeleteFunction: the whole function, or one version of it.

use super::super::Lambda;
use super::super::catalog::Alias;
use super::super::decode::Call;
use super::super::encode;
use super::super::fault::{Code, Fault};
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
                let leads = |alias: &Alias| {
                    alias.version == qualifier
                        || alias.aside.as_ref().is_some_and(|(other, _)| other == qualifier)
                };
                let names = entry.aliases.iter().filter(|(_, alias)| leads(alias)).map(|(name, _)| &**name);
                let names = names.collect::<Vec<_>>().join(", ");
                if !names.is_empty() {
                    let why = "Unable to delete version because the following aliases reference it";
                    return Err(Fault::new(Code::ResourceConflict, format!("{why}: [{names}]")));
                }
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
