//! The variables of an instance: the vendor's, the declared ones, and nothing of the developer's own.
//!
//! Source: Cloud Functions documentation, "Configure environment variables"; Cloud Run, "Container runtime
//! contract".

use super::Framework;
use crate::profile::{Generation, MIB};
use mlemu_core::{Built, Environment, Revision};

/// Declared variables win over ours but for those that the platform reserves.
pub(super) fn of(revision: &Revision, built: &Built, framework: &Framework, port: u16) -> Environment {
    let mut env = platform(built);
    env.extend(clients(framework));
    env.extend(built.env.clone());
    env.extend(revision.env.clone());
    env.extend(reserved(revision, framework, port));
    env
}

fn named<const N: usize>(pairs: [(&str, String); N]) -> Environment {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn platform(built: &Built) -> Environment {
    let programs = built.program.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    named([
        ("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin")),
        ("LANG", "C.UTF-8".into()),
        // Clouds have no home folder; the private scratch folder is the one place that can be written.
        ("HOME", "/tmp".into()),
        // Lines come out one by one and in order, also without a terminal.
        ("PYTHONUNBUFFERED", "1".into()),
        // Every line says which request it was written for.
        ("LOG_EXECUTION_ID", "true".into()),
        // Node's framework says less about itself then.
        ("NODE_ENV", "production".into()),
        // No server of metadata answers here: clients must not look for one.
        ("NO_GCE_CHECK", "true".into()),
        ("METADATA_SERVER_DETECTION", "none".into()),
    ])
}

/// The way to the emulated services, for the vendor's client libraries.
fn clients(framework: &Framework) -> Environment {
    let project = framework.place.project();
    let mut env = named([("GOOGLE_CLOUD_PROJECT", project.into()), ("GCLOUD_PROJECT", project.into())]);
    if let Some(address) = framework.place.address() {
        env.extend(emulators(address, framework.place.prefix()));
    }
    env
}

/// The variables that the vendor's client libraries look for; only Pub/Sub wants no scheme. Models have none of their own:
/// they go by gcloud's.
pub(crate) fn emulators(address: std::net::SocketAddr, prefix: &str) -> Environment {
    let base = format!("http://{address}{prefix}");
    named([
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_ML", base.clone()),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", base.clone()),
        ("STORAGE_EMULATOR_HOST", base),
        ("PUBSUB_EMULATOR_HOST", address.to_string()),
    ])
}

fn reserved(revision: &Revision, framework: &Framework, port: u16) -> Environment {
    let name = &revision.function.name;
    let traits = framework.traits;
    let mut env = named([
        ("FUNCTION_TARGET", revision.handler.clone()),
        ("FUNCTION_SIGNATURE_TYPE", traits.signature.word().into()),
        ("HOST", "127.0.0.1".into()),
        ("PORT", port.to_string()),
        ("K_SERVICE", name.to_string()),
        ("K_REVISION", revision_name(revision, traits.generation)),
    ]);
    env.extend(match traits.generation {
        Generation::First => named([
            ("GCP_PROJECT", framework.place.project().into()),
            ("FUNCTION_NAME", name.to_string()),
            ("FUNCTION_REGION", framework.place.region().into()),
            ("FUNCTION_MEMORY_MB", (revision.limits.memory / MIB).to_string()),
            ("FUNCTION_TIMEOUT_SEC", revision.limits.timeout.as_secs().to_string()),
        ]),
        Generation::Second => named([
            ("K_CONFIGURATION", name.to_string()),
            ("CLOUD_RUN_TIMEOUT_SECONDS", revision.limits.timeout.as_secs().to_string()),
        ]),
    });
    env
}

/// Counted in the first generation; a name in the second.
pub(crate) fn revision_name(revision: &Revision, generation: Generation) -> String {
    match generation {
        Generation::First => revision.number.to_string(),
        Generation::Second => {
            let name = revision.function.name.to_ascii_lowercase().replace('_', "-");
            format!("{name}-{:05}-mlu", revision.number)
        }
    }
}
