//! The variables of a worker: the vendor's, the app's settings, and nothing of the developer's own.
//!
//! Source: Azure Functions documentation, "App settings reference for Azure Functions".

use crate::app::App;
use crate::place::Place;
use mlemu_core::{Built, Environment, Revision};
use std::path::Path;

/// The app's settings win over ours but for what the host says of itself.
pub(super) fn of(revision: &Revision, built: &Built, app: &App, place: &Place) -> Environment {
    let programs = built.program.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let folder = built.code.display().to_string();
    let mut env = named([
        ("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin")),
        ("LANG", "C.UTF-8".into()),
        // The private scratch folder is the one place that can be written.
        ("HOME", "/tmp".into()),
        // Lines come out one by one and in order, also without a terminal.
        ("PYTHONUNBUFFERED", "1".into()),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development".into()),
        ("FUNCTIONS_EXTENSION_VERSION", "~4".into()),
        ("WEBSITE_SITE_NAME", app.id.name.to_string()),
        ("WEBSITE_HOSTNAME", place.authority()),
        ("REGION_NAME", place.scope.region.to_string()),
    ]);
    env.extend(built.env.clone());
    env.extend(revision.env.clone());
    env.extend(named([
        ("FUNCTIONS_WORKER_RUNTIME", app.language.clone()),
        ("FUNCTIONS_WORKER_RUNTIME_VERSION", short(&built.version)),
        ("FUNCTIONS_APPLICATION_DIRECTORY", folder.clone()),
        ("AzureWebJobsScriptRoot", folder),
    ]));
    env
}

/// What a custom handler is told: where it is to listen.
pub(super) fn of_handler(port: u16, folder: &Path) -> Environment {
    let (port, id) = (port.to_string(), mlemu_engine::ids::unguessable());
    named([
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port.clone()),
        ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", id.clone()),
        ("FUNCTIONS_HTTPWORKER_PORT", port),
        ("FUNCTIONS_HTTPWORKER_ID", id),
        ("FUNCTIONS_APP_ROOT_PATH", folder.display().to_string()),
    ])
}

/// `3.11` of `3.11.7`.
fn short(version: &str) -> String {
    version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

fn named<const N: usize>(pairs: [(&str, String); N]) -> Environment {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
