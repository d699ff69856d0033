//! The variables of a worker: the vendor's, the app's settings, and nothing of the developer's own.
//!
//! Source: Azure Functions documentation, "App settings reference for Azure Functions".

use crate::app::App;
use crate::place::Place;
use mlemu_core::{Built, Environment, Revision};
use std::path::Path;

/// The app's setting with which its workers begin as they do in the cloud: generic ones, started before anybody knew
/// whose they would be.
const PLACEHOLDER: &str = "WEBSITE_PLACEHOLDER_MODE";

/// The app's settings win over ours but for what the host says of itself.
pub(super) fn of(revision: &Revision, built: &Built, app: &App, place: &Place) -> Environment {
    let mut env = of_host(built, app, place);
    env.extend(revision.env.clone());
    let folder = built.code.display().to_string();
    env.extend(of_runtime(built, app));
    env.extend(named([
        ("FUNCTIONS_APPLICATION_DIRECTORY", folder.clone()),
        ("AzureWebJobsScriptRoot", folder),
    ]));
    env
}

pub(super) fn wants_placeholder(revision: &Revision) -> bool {
    revision.env.get(PLACEHOLDER).is_some_and(|said| said == "1")
}

/// Of a worker that is no app's yet: it knows its language only.
pub(super) fn of_placeholder(built: &Built, app: &App, place: &Place) -> Environment {
    let mut env = of_host(built, app, place);
    env.extend(of_runtime(built, app));
    env.insert(PLACEHOLDER.into(), "1".into());
    env
}

/// What such a worker is told when it becomes the app's.
pub(super) fn specialized(mut env: Environment) -> Environment {
    env.insert(PLACEHOLDER.into(), "0".into());
    env
}

fn of_runtime(built: &Built, app: &App) -> Environment {
    named([
        ("FUNCTIONS_WORKER_RUNTIME", app.language.clone()),
        ("FUNCTIONS_WORKER_RUNTIME_VERSION", short(&built.version)),
    ])
}

fn of_host(built: &Built, app: &App, place: &Place) -> Environment {
    let programs = built.program.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
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
