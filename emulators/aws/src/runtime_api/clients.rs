//! Which client each runtime needs, and how it is started.
//!
//! Source: AWS Lambda Developer Guide, "Lambda runtimes"; the clients' own read-me files.

use mlemu_core::runtime::Unsupported;
use mlemu_core::{Built, Language, Needs, Revision, Source};
use mlemu_engine::aids;
use std::path::{Path, PathBuf};

/// The newest that was tried; the last one has no wheel for Python 3.9.
const PYTHON_CLIENTS: [&str; 2] =
    ["awslambdaric==4.0.4; python_version < \"3.10\"", "awslambdaric==4.2.2; python_version >= \"3.10\""];
/// Models run without a language; the vendor has no such runtime, and would take it as a custom one.
const MODEL: &str = "onnx";
const NODE_CLIENT: &str = "aws-lambda-ric@4.0.2";
/// The client of runtimes before Node 24, which still take handlers with a callback.
const CALLBACK_NODE_CLIENT: &str = "aws-lambda-ric@3.3.0";
const FIRST_NODE_WITHOUT_CALLBACKS: u32 = 24;

/// Starts the older client without the line that its own program writes into the log.
const CALLBACK_NODE_START: &str = "import { pathToFileURL } from 'node:url'; \
     const { run } = await import(pathToFileURL(process.argv[1])); \
     await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);";

/// Stands in for the Node client's native addon, which needs a C++ build.
const ADDON_STAND_IN: &str = include_str!("rapid_client.cjs");
const ADDON_NAME: &str = concat!("rapid_client-", env!("CARGO_PKG_VERSION"), ".cjs");

pub(super) fn needs(revision: &Revision) -> Result<Needs, Unsupported> {
    let (language, client_packages, provided) = family(&revision.runtime)?;
    Ok(Needs {
        source: revision.source.folder().to_owned(),
        language,
        client_packages,
        client_for_newer: false,
        provided_packages: provided
            .iter()
            .map(|(module, package)| ((*module).into(), (*package).into()))
            .collect(),
        self_contained: matches!(revision.source, Source::Unpacked { .. }),
    })
}

/// Whether functions of this runtime can run here.
pub(super) fn can_run(runtime: &str) -> Result<(), Unsupported> {
    family(runtime).map(|_| ())
}

type Family = (Language, Vec<String>, &'static [(&'static str, &'static str)]);

fn family(runtime: &str) -> Result<Family, Unsupported> {
    if let Some(version) = runtime.strip_prefix("python") {
        let provided = &[("boto3", "boto3"), ("botocore", "boto3")];
        return Ok((
            Language::Python { version: version.into() },
            PYTHON_CLIENTS.map(Into::into).into(),
            provided,
        ));
    }
    if let Some(version) = runtime.strip_prefix("nodejs") {
        let client = if takes_callbacks(runtime) { CALLBACK_NODE_CLIENT } else { NODE_CLIENT };
        let version = version.trim_end_matches(".x").into();
        let provided = &[("@aws-sdk/", "@aws-sdk/*@3"), ("@smithy/", "@smithy/*")];
        return Ok((Language::Node { version }, vec![client.into()], provided));
    }
    if runtime == MODEL {
        return Ok((Language::Model, Vec::new(), &[]));
    }
    if runtime.starts_with("provided") {
        return Ok((Language::Executable { name: "bootstrap".into() }, Vec::new(), &[]));
    }
    Err(Unsupported {
        why: format!("runtime `{runtime}` cannot run here yet"),
        hint: Some("python3.x, nodejsNN.x and provided.* (an executable named `bootstrap`) can".into()),
    })
}

/// Whether handlers of this Node runtime may answer through a callback; in those without a number they may.
fn takes_callbacks(runtime: &str) -> bool {
    let number = runtime.trim_start_matches("nodejs").split(['.', '-']).next().unwrap_or_default();
    number.parse::<u32>().map_or(true, |number| number < FIRST_NODE_WITHOUT_CALLBACKS)
}

/// The program of an instance and its arguments.
pub(super) async fn command(
    revision: &Revision,
    built: &Built,
    folder: &Path,
) -> std::io::Result<(PathBuf, Vec<String>)> {
    let mut args = built.program_args.clone();
    if revision.runtime.starts_with("python") {
        args.extend(["-m".into(), "awslambdaric".into(), revision.handler.clone()]);
    } else if revision.runtime.starts_with("nodejs") {
        let client = built.client.clone().unwrap_or_default().join("aws-lambda-ric");
        args.extend(["--require".into(), text(&aids::keep(folder, ADDON_NAME, ADDON_STAND_IN).await?)]);
        if takes_callbacks(&revision.runtime) {
            args.extend(["--input-type=module", "--eval", CALLBACK_NODE_START].map(Into::into));
            args.push(text(&client.join("dist/index.mjs")));
        } else {
            args.extend([text(&client.join("index.mjs")), revision.handler.clone()]);
        }
    }
    Ok((built.program.clone(), args))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::takes_callbacks;

    #[test]
    fn callbacks_end_with_node_24() {
        for runtime in ["nodejs", "nodejs4.3", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs4.3-edge"] {
            assert!(takes_callbacks(runtime), "{runtime}");
        }
        assert!(!takes_callbacks("nodejs24.x") && !takes_callbacks("nodejs26.x"));
    }
}
