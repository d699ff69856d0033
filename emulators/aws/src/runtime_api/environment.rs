//! The variables of an instance: the vendor's, the declared ones, and nothing of the developer's own.
//!
//! Source: AWS Lambda Developer Guide, "Defined runtime environment variables".

use super::Surroundings;
use mlemu_core::{Built, Environment, InstanceId, Revision};
use std::net::SocketAddr;

/// What is known of this instance's place.
pub(super) struct Here<'a> {
    pub(super) surroundings: &'a Surroundings,
    pub(super) endpoint: Option<&'a str>,
    pub(super) runtime_api: SocketAddr,
    pub(super) instance: InstanceId,
}

/// Declared variables win over ours but for those that Lambda reserves, which cannot be declared.
pub(super) fn of(revision: &Revision, built: &Built, here: &Here<'_>) -> Environment {
    let mut env = platform(revision, built);
    env.extend(credentials(here));
    env.extend(built.env.clone());
    env.extend(revision.env.clone());
    env.extend(reserved(revision, built, here));
    env
}

fn platform(revision: &Revision, built: &Built) -> Environment {
    let code = built.code.display();
    let programs = built.program.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let pairs = [
        ("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin:/opt/bin")),
        ("LD_LIBRARY_PATH", format!("{code}:{code}/lib:/opt/lib")),
        ("LANG", "en_US.UTF-8".into()),
        ("TZ", ":UTC".into()),
        // Clouds have no home folder; the private scratch folder is the one place that can be written.
        ("HOME", "/tmp".into()),
        ("AWS_LAMBDA_LOG_FORMAT", "Text".into()),
        ("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", runtime(revision, built))),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The runtime as the vendor names it, also where the project leaves the version to this machine.
fn runtime(revision: &Revision, built: &Built) -> String {
    let mut parts = built.version.split('.');
    match (&*revision.runtime, parts.next(), parts.next()) {
        ("python3", Some(major), Some(minor)) => format!("python{major}.{minor}"),
        ("nodejs", Some(major), _) => format!("nodejs{}.x", major.trim_start_matches('v')),
        (declared, ..) => declared.to_owned(),
    }
}

/// Credentials that open nothing, and the way to the emulated AWS. `127.0.0.1`, not `localhost`: SDKs turn
/// the latter into host-style names that do not resolve everywhere.
fn credentials(here: &Here<'_>) -> Environment {
    let mut pairs = vec![
        ("AWS_ACCESS_KEY_ID", here.surroundings.account.clone()),
        ("AWS_SECRET_ACCESS_KEY", "mlemu".into()),
        ("AWS_SESSION_TOKEN", "mlemu".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("AWS_CONFIG_FILE", "/dev/null".into()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into()),
    ];
    if let Some(endpoint) = here.endpoint {
        pairs.push(("AWS_ENDPOINT_URL", endpoint.to_owned()));
    }
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn reserved(revision: &Revision, built: &Built, here: &Here<'_>) -> Environment {
    let name = &revision.function.name;
    let memory = revision.limits.memory / crate::profile::MIB;
    let pairs = [
        ("_HANDLER", revision.handler.clone()),
        ("AWS_REGION", here.surroundings.region.clone()),
        ("AWS_DEFAULT_REGION", here.surroundings.region.clone()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", revision.label.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("mlemu/[{}]{:032x}", revision.label, here.instance.0)),
        ("AWS_LAMBDA_RUNTIME_API", here.runtime_api.to_string()),
        ("LAMBDA_TASK_ROOT", built.code.display().to_string()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".into()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
