//! `mlemu onnx-worker`: the process in which one model runs, in a sandbox like any function's.
//!
//! It speaks whichever protocol its surroundings say, as a custom runtime of that vendor would: [`pull`] asks Lambda's
//! Runtime API, [`push`] listens for Google's requests and for those of Azure's host. [`envelope`] takes the event out of
//! what the vendors put around it, [`object`] fetches what it only names. A model that ends the process ends an instance and nothing else.

mod envelope;
mod object;
mod pull;
mod push;

use mlemu_bundle::{MODEL_LIBRARY, MODEL_VERSION};
use mlemu_onnx::{Fault, Model, SPEC, Spec};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where an instance of Lambda asks for its events.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Where instances of the others are to listen.
const PORTS: [&str; 2] = ["FUNCTIONS_CUSTOMHANDLER_PORT", "PORT"];

/// Serves until it is ended. With `version LIBRARY` it only says which ONNX Runtime that is.
pub fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let done = match (args.next(), args.next()) {
        (Some(verb), Some(library)) if verb == MODEL_VERSION => version(Path::new(&library)),
        _ => serve(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(std::io::stderr(), "error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let model = load();
    if let Ok(address) = std::env::var(RUNTIME_API) {
        return runtime.block_on(pull::serve(&address, model));
    }
    let port = PORTS.iter().find_map(|name| std::env::var(name).ok()?.parse().ok());
    let port = port.ok_or("this verb is for functions of runtime `onnx`, which mlemu starts itself")?;
    runtime.block_on(push::serve(port, model.map_err(|fault| fault.to_string())?))
}

fn version(library: &Path) -> Result<(), String> {
    let minor = mlemu_onnx::library_version(library);
    let minor = minor.ok_or_else(|| format!("{} is no ONNX Runtime 1.17 or newer", library.display()))?;
    writeln!(std::io::stdout(), "1.{minor}").map_err(|error| error.to_string())
}

fn load() -> Result<Model, Fault> {
    let library = PathBuf::from(std::env::var_os(MODEL_LIBRARY).unwrap_or_default());
    let folder = std::env::current_dir().unwrap_or_default();
    let spec: Spec = serde_json::from_str(&std::env::var(SPEC).unwrap_or_default()).map_err(|error| {
        let (file, why) = (folder.clone(), format!("{SPEC} says nothing of a model: {error}"));
        Fault::File { file, why, hint: "; declare the function with `runtime = \"onnx\"` in mlemu.toml" }
    })?;
    Model::load(&library, &folder, spec)
}
