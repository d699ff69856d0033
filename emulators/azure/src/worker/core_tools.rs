//! Complete language workers as Azure Functions Core Tools bring them: a folder with a `worker.config.json`.
//!
//! Source: Azure Functions documentation, "app settings reference" (`languageWorkers`); the file itself.

use serde_json::Value;
use std::io;
use std::path::Path;

const FILE: &str = "worker.config.json";

/// What follows the interpreter: arguments of its own, and the worker's program.
pub(super) async fn start(folder: &Path, version: &str) -> io::Result<Vec<String>> {
    let text = tokio::fs::read_to_string(folder.join(FILE))
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.join(FILE).display())))?;
    let said: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(io::Error::other)?;
    Ok(of(&said["description"], folder, version))
}

fn of(description: &Value, folder: &Path, version: &str) -> Vec<String> {
    let own = description["arguments"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let path = description["defaultWorkerPath"].as_str().unwrap_or("worker.py");
    let version = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let path = path
        .replace("%FUNCTIONS_WORKER_RUNTIME_VERSION%", &version)
        .replace("{os}", system())
        .replace("{architecture}", if cfg!(target_arch = "aarch64") { "Arm64" } else { "X64" });
    own.map(str::to_owned).chain([folder.join(path).display().to_string()]).collect()
}

fn system() -> &'static str {
    if cfg!(target_os = "macos") { "OSX" } else { "LINUX" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn a_worker_says_where_its_program_is() {
        let folder = Path::new("/tools/workers/python");
        let said = json!({
            "defaultWorkerPath": "%FUNCTIONS_WORKER_RUNTIME_VERSION%/{os}/{architecture}/worker.py",
            "arguments": ["-X", "utf8"],
        });
        let args = of(&said, folder, "3.11.7");
        assert_eq!(args[..2], ["-X", "utf8"]);
        let (begins, ends) = ("/tools/workers/python/3.11/", "/worker.py");
        assert!(args[2].starts_with(begins) && args[2].ends_with(ends), "{args:?}");
        assert!(!args[2].contains(['{', '%']), "{args:?}");
        let none = start(Path::new("/nowhere"), "3.11").await.unwrap_err();
        assert!(none.to_string().contains("worker.config.json"), "{none}");
    }
}
