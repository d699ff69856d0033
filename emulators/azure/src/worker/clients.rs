//! Which of the vendor's packages each language needs, and how its worker is started.
//!
//! Source: Azure Functions documentation, "Supported languages"; the packages' own metadata.

use super::{core_tools, proto};
use crate::app::App;
use mlemu_core::runtime::Unsupported;
use mlemu_core::{Built, Language, Needs, Revision, Source};
use mlemu_engine::aids;
use mlemu_engine::ids::unguessable;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The vendor's own worker code, for both models, and what our worker speaks with.
const PYTHON_CLIENT: [&str; 7] = [
    "azure-functions-runtime==1.3.0",
    "azure-functions-runtime-v1==1.2.0",
    "azurefunctions-extensions-base==1.2.0",
    // The newest for interpreters before and after the vendor's new line.
    "azure-functions==2.3.0; python_version >= \"3.13\"",
    "azure-functions==1.26.0; python_version < \"3.13\"",
    "grpcio==1.85.1",
    "protobuf>=6.33,<8",
];
/// What our worker speaks with; the vendor's library is a package of every app.
const NODE_CLIENT: [&str; 2] = ["@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.1"];
/// Apps that are a model run without a language: the vendor would take them with a custom handler.
pub(super) const MODEL: &str = "onnx";
const PYTHON_WORKER: &str = include_str!("worker.py");
const PYTHON_WORKER_NAME: &str = concat!("azure-worker-", env!("CARGO_PKG_VERSION"), ".py");
const NODE_WORKER: &str = include_str!("worker.cjs");
const NODE_WORKER_NAME: &str = concat!("azure-worker-", env!("CARGO_PKG_VERSION"), ".cjs");
const MESSAGES_NAME: &str = concat!("azure-messages-", env!("CARGO_PKG_VERSION"), ".b64");
const PROTO_NAME: &str = concat!("azure-messages-", env!("CARGO_PKG_VERSION"), ".proto");

/// The folder of a complete worker that the app's settings name, as in an installation of Core Tools.
fn installed(app: &App) -> Option<PathBuf> {
    let name = format!("languageWorkers__{}__workerDirectory", app.language);
    let also = name.replace("__", ":");
    let is_it = |known: &str| known.eq_ignore_ascii_case(&name) || known.eq_ignore_ascii_case(&also);
    app.bindings.settings.iter().find(|(known, _)| is_it(known)).map(|(_, folder)| folder.into())
}

fn language(runtime: &str) -> Option<(Language, Vec<String>)> {
    if runtime == MODEL {
        return Some((Language::Model, Vec::new()));
    }
    let owned = |packages: &[&str]| packages.iter().map(|&package| package.to_owned()).collect();
    if let Some(version) = runtime.strip_prefix("python") {
        return Some((Language::Python { version: version.into() }, owned(&PYTHON_CLIENT)));
    }
    let version = runtime.strip_prefix("nodejs")?.trim_end_matches(".x").to_owned();
    Some((Language::Node { version }, owned(&NODE_CLIENT)))
}

/// The program of a custom handler: its own, an interpreter, or another of this machine by its name.
fn handler(app: &App, source: &Path) -> Option<(Language, Vec<String>)> {
    let path = app.host.custom.as_ref()?.description.default_executable_path.as_str();
    let language = match path {
        "python" | "python3" => Language::Python { version: "3".into() },
        "node" => Language::Node { version: "22".into() },
        name if !name.contains('/') && !source.join(name).is_file() => {
            Language::Program { name: name.to_owned() }
        }
        path => Language::Executable { name: path.trim_start_matches("./").to_owned() },
    };
    Some((language, Vec::new()))
}

pub(super) fn needs(revision: &Revision, app: &App) -> Result<Needs, Unsupported> {
    let Some((language, client_packages)) =
        language(&revision.runtime).or_else(|| handler(app, revision.source.folder()))
    else {
        return Err(Unsupported {
            why: format!("function apps of `{}` cannot run here yet", revision.runtime),
            hint: Some("apps in Python, in Node and with a customHandler in host.json can".into()),
        });
    };
    let client_packages = if installed(app).is_some() { Vec::new() } else { client_packages };
    Ok(Needs {
        source: revision.source.folder().to_owned(),
        language,
        client_packages,
        client_for_newer: true,
        provided_packages: Vec::new(),
        self_contained: matches!(revision.source, Source::Unpacked { .. }),
    })
}

/// The program of a worker and its arguments.
pub(super) async fn command(
    built: &Built,
    folder: &Path,
    host: SocketAddr,
    app: &App,
) -> std::io::Result<(PathBuf, Vec<String>)> {
    let mut args = built.program_args.clone();
    if let Some(folder) = installed(app) {
        args.extend(core_tools::start(&folder, &built.version).await?);
    } else if app.language == "node" {
        let worker = aids::keep(folder, NODE_WORKER_NAME, NODE_WORKER).await?;
        let messages = aids::keep(folder, PROTO_NAME, proto::SOURCE).await?;
        let packages = built.client.clone().unwrap_or_default();
        args.extend([text(&worker), "--proto".into(), text(&messages), "--packages".into(), text(&packages)]);
    } else {
        let worker = aids::keep(folder, PYTHON_WORKER_NAME, PYTHON_WORKER).await?;
        let messages = aids::keep(folder, MESSAGES_NAME, &proto::descriptor_text()?).await?;
        args.extend([text(&worker), "--messages".into(), text(&messages)]);
    }
    args.extend(introduction(host));
    Ok((built.program.clone(), args))
}

/// What every worker is started with, in the older and in the newer spelling.
fn introduction(host: SocketAddr) -> Vec<String> {
    let (worker, request) = (unguessable(), unguessable());
    let most = i32::MAX.to_string();
    let (ip, port, uri) = (host.ip().to_string(), host.port().to_string(), format!("http://{host}/"));
    let pairs = [
        ("--host", &ip),
        ("--port", &port),
        ("--workerId", &worker),
        ("--requestId", &request),
        ("--grpcMaxMessageLength", &most),
        ("--functions-uri", &uri),
        ("--functions-worker-id", &worker),
        ("--functions-request-id", &request),
        ("--functions-grpc-max-message-length", &most),
    ];
    pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value.clone()]).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
