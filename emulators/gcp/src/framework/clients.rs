//! Which framework each runtime needs, and how it is started.
//!
//! Source: Cloud Functions documentation, "Execution environments"; the frameworks' own read-me files.

use mlemu_core::runtime::Unsupported;
use mlemu_core::{Built, Language, Needs, Revision, Source};
use mlemu_engine::aids;
use std::path::{Path, PathBuf};

const PYTHON_CLIENT: &str = "functions-framework==3.10.2";
const NODE_CLIENT: &str = "@google-cloud/functions-framework@5.0.5";
const NODE_PACKAGE: &str = "@google-cloud/functions-framework";

/// Keeps Node's framework, which has no option for it, on the loopback interface.
const LOOPBACK: &str = include_str!("loopback.cjs");
const LOOPBACK_NAME: &str = concat!("loopback-", env!("CARGO_PKG_VERSION"), ".cjs");

/// Starts Python's framework so that what is printed in one go is one line of the log.
const START: &str = include_str!("start.py");
const START_NAME: &str = concat!("start-framework-", env!("CARGO_PKG_VERSION"), ".py");

/// Models run without a language, and need no framework: the vendor would take them as a container.
const MODEL: &str = "onnx";

enum Family {
    Model,
    Python(String),
    Node(String),
}

impl Family {
    fn of(runtime: &str) -> Option<Self> {
        if runtime == MODEL {
            return Some(Family::Model);
        }
        let python = runtime.strip_prefix("python").map(|version| Family::Python(dotted(version)));
        python.or_else(|| {
            let version = runtime.strip_prefix("nodejs")?;
            Some(Family::Node(version.trim_end_matches(".x").into()))
        })
    }
}

/// `311` as `3.11`; what has a point already stays.
pub(crate) fn dotted(version: &str) -> String {
    match version.split_at_checked(1) {
        Some((major, minor)) if !minor.is_empty() && !version.contains('.') => format!("{major}.{minor}"),
        _ => version.to_owned(),
    }
}

pub(super) fn needs(revision: &Revision) -> Result<Needs, Unsupported> {
    let (language, client_packages) = match Family::of(&revision.runtime) {
        Some(Family::Python(version)) => (Language::Python { version }, vec![PYTHON_CLIENT.into()]),
        Some(Family::Node(version)) => (Language::Node { version }, vec![NODE_CLIENT.into()]),
        Some(Family::Model) => (Language::Model, Vec::new()),
        None => {
            return Err(Unsupported {
                why: format!("runtime `{}` cannot run here yet", revision.runtime),
                hint: Some("python3NN and nodejsNN can".into()),
            });
        }
    };
    Ok(Needs {
        source: revision.source.folder().to_owned(),
        language,
        client_packages,
        client_for_newer: false,
        provided_packages: Vec::new(),
        self_contained: matches!(revision.source, Source::Unpacked { .. }),
    })
}

/// Whether the process listens before the function can answer: gunicorn forks its workers afterwards.
pub(super) fn forks_workers(revision: &Revision) -> bool {
    matches!(Family::of(&revision.runtime), Some(Family::Python(_)))
}

/// The program of an instance and its arguments.
pub(super) async fn command(
    revision: &Revision,
    built: &Built,
    folder: &Path,
) -> std::io::Result<(PathBuf, Vec<String>)> {
    let mut args = built.program_args.clone();
    if matches!(Family::of(&revision.runtime), Some(Family::Model)) {
        return Ok((built.program.clone(), args));
    }
    if forks_workers(revision) {
        args.push(text(&aids::keep(folder, START_NAME, START).await?));
    } else {
        args.extend(["--require".into(), text(&aids::keep(folder, LOOPBACK_NAME, LOOPBACK).await?)]);
        args.push(text(&node_framework(built).await.join("build/src/main.js")));
    }
    Ok((built.program.clone(), args))
}

/// The developer's own framework, where there is one: functions register themselves in that very copy.
async fn node_framework(built: &Built) -> PathBuf {
    let own = built.code.join("node_modules").join(NODE_PACKAGE);
    if tokio::fs::try_exists(own.join("build/src/main.js")).await.unwrap_or(false) {
        return own;
    }
    built.client.clone().unwrap_or_default().join(NODE_PACKAGE)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::dotted;

    #[test]
    fn versions_get_their_point() {
        assert_eq!(["39", "311", "3.12", "3"].map(dotted), ["3.9", "3.11", "3.12", "3"]);
    }
}
