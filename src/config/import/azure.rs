//! Function apps of Azure: a folder with `host.json`, and its `local.settings.json`.
//!
//! Which functions an app has is said by its worker, not here: the code is not read.

use super::Imported;
use crate::config::error::ConfigError;
use crate::config::paths;
use ignore::WalkBuilder;
use mlemu_azure::functions::{CORS, CORS_CREDENTIALS};
use mlemu_azure::profile::LONGEST_TIMEOUT;
use mlemu_azure::settings::HostFile;
use mlemu_core::Environment;
use mlemu_core::declare::{FunctionDeclaration, Provenance};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const HOST: &str = "host.json";
const SETTINGS: &str = "local.settings.json";
/// The newest runtimes that the vendor's own code is made for.
const PYTHON: &str = "python3.13";
const NODE: &str = "nodejs22";
const CUSTOM: &str = "custom";
/// Folders below the start that are looked into.
const DEPTH: usize = 4;
const SKIPPED: [&str; 7] =
    ["node_modules", ".venv", "venv", ".git", "__pycache__", "site-packages", ".python_packages"];

/// The apps under `root`, and the files that were read for them.
pub fn read(root: &Path) -> Result<(Imported, Vec<PathBuf>), ConfigError> {
    let (mut imported, mut files) = (Imported::default(), Vec::new());
    for folder in folders(root) {
        let host = folder.join(HOST);
        let text = std::fs::read_to_string(&host)
            .map_err(|why| ConfigError::new(format!("cannot be read: {why}")).in_file(&host))?;
        let Local { settings, pages, port } = local(&folder.join(SETTINGS))?;
        let said = HostFile::read(&text).map_err(|why| ConfigError::new(why.to_string()).in_file(&host))?;
        if let Some(mut app) = app(root, &folder, &text, said.custom.is_some(), settings) {
            app.timeout = said.timeout;
            if said.timeout.is_some_and(|timeout| timeout > LONGEST_TIMEOUT) {
                app.timeout = Some(LONGEST_TIMEOUT);
                let file = paths::shown(root, &host).display().to_string();
                imported.warnings.push(format!(
                    "{file}: functionTimeout is longer than the Consumption plan lets a function run; its most, 10 minutes, is taken"
                ));
            }
            app.options.extend(pages);
            imported.azure_port = imported.azure_port.or(port);
            imported.functions.push(app);
            files.extend([host, folder.join(SETTINGS)]);
        }
    }
    Ok((imported, files))
}

/// Outermost first. An app within an app is part of it.
fn folders(root: &Path) -> Vec<PathBuf> {
    let skipped = |path: &Path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| SKIPPED.contains(&name))
    };
    let walk = WalkBuilder::new(root)
        .max_depth(Some(DEPTH))
        .require_git(false)
        .git_global(false)
        .filter_entry(move |entry| !skipped(entry.path()))
        .build();
    let mut found: Vec<PathBuf> = walk
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name() == HOST && entry.path().is_file())
        .filter_map(|entry| entry.path().parent().map(Path::to_owned))
        .collect();
    found.sort_by_key(|folder| (folder.components().count(), folder.clone()));
    let mut apps: Vec<PathBuf> = Vec::new();
    for folder in found {
        if !apps.iter().any(|app| folder.starts_with(app)) {
            apps.push(folder);
        }
    }
    apps
}

/// What `local.settings.json` says.
#[derive(Default)]
struct Local {
    /// App settings, which become the environment.
    settings: Environment,
    /// Options that say from which pages the app may be called.
    pages: BTreeMap<String, String>,
    port: Option<u16>,
}

fn local(file: &Path) -> Result<Local, ConfigError> {
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(Local::default()) };
    let said: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| ConfigError::new(format!("this is no JSON: {error}")).in_file(file))?;
    if said["IsEncrypted"] == true {
        let error = ConfigError::new("the settings are encrypted for another tool").in_file(file);
        return Err(
            error.hint("run `func settings decrypt` once, or write them anew with \"IsEncrypted\": false")
        );
    }
    let values = said["Values"].as_object().into_iter().flatten();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut settings: Environment = values.map(|(name, value)| (name.clone(), text(value))).collect();
    for (name, value) in said["ConnectionStrings"].as_object().into_iter().flatten() {
        settings.insert(format!("ConnectionStrings:{name}"), text(value));
    }
    let port = said["Host"]["LocalHttpPort"].as_u64().and_then(|port| u16::try_from(port).ok());
    Ok(Local { settings, pages: pages(&said["Host"]), port })
}

fn pages(host: &Value) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    if let Some(origins) = host["CORS"].as_str() {
        options.insert(CORS.to_owned(), origins.to_owned());
        options.insert(CORS_CREDENTIALS.to_owned(), (host["CORSCredentials"] == true).to_string());
    }
    options
}

/// `None`: nothing in the folder says what would run there.
fn app(
    root: &Path,
    folder: &Path,
    host: &str,
    custom: bool,
    env: Environment,
) -> Option<FunctionDeclaration> {
    let has = |name: &str| folder.join(name).is_file();
    let said = env.get("FUNCTIONS_WORKER_RUNTIME").map(|said| said.to_ascii_lowercase());
    let script = env.get("PYTHON_SCRIPT_FILE_NAME").map_or("function_app.py", String::as_str);
    let (runtime, handler) = match said.as_deref() {
        Some("python") => (PYTHON, if has(script) { script } else { "function.json" }),
        Some("node") => (NODE, "package.json"),
        Some("custom") => (CUSTOM, HOST),
        // A language that does not run here is refused by its name.
        Some(other) => return Some(declared(root, folder, host, other, HOST, env.clone())),
        None if custom => (CUSTOM, HOST),
        None if has(script) => (PYTHON, script),
        None if has("package.json") => (NODE, "package.json"),
        None if has_folders(folder) => (PYTHON, "function.json"),
        None => return None,
    };
    Some(declared(root, folder, host, runtime, handler, env.clone()))
}

/// Whether a folder in it has a `function.json`.
fn has_folders(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.into_iter().any(|entry| entry.path().join("function.json").is_file())
}

fn declared(
    root: &Path,
    folder: &Path,
    host: &str,
    runtime: &str,
    handler: &str,
    env: Environment,
) -> FunctionDeclaration {
    let name =
        folder.file_name().map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned());
    FunctionDeclaration {
        cloud: "azure".into(),
        name,
        alias: None,
        runtime: runtime.to_owned(),
        handler: handler.to_owned(),
        source: folder.to_owned(),
        memory: None,
        timeout: None,
        tmp: None,
        env,
        concurrency: None,
        triggers: Vec::new(),
        options: BTreeMap::from([(mlemu_azure::functions::HOST_FILE.to_owned(), host.to_owned())]),
        from: Provenance { file: paths::shown(root, &folder.join(HOST)), line: 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Result<Vec<(String, String, Environment)>, String> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let (imported, _) = read(root.path()).map_err(|error| error.to_string())?;
        let told = |app: FunctionDeclaration| (app.runtime, app.handler, app.env);
        Ok(imported.functions.into_iter().map(told).collect())
    }

    #[test]
    fn apps_say_what_they_are_by_their_files() {
        let one = |files: &[(&str, &str)]| {
            let mut found = found(files).unwrap();
            assert_eq!(found.len(), 1, "{files:?}");
            let (runtime, handler, _) = found.remove(0);
            format!("{runtime} {handler}")
        };
        let host = ("app/host.json", "{}");
        assert_eq!(one(&[host, ("app/function_app.py", "")]), "python3.13 function_app.py");
        assert_eq!(one(&[host, ("app/score/function.json", "{}")]), "python3.13 function.json");
        assert_eq!(one(&[host, ("app/package.json", "{}")]), "nodejs22 package.json");
        let custom = ("app/host.json", r#"{"customHandler":{"description":{}}}"#);
        assert_eq!(one(&[custom, ("app/score/function.json", "{}")]), "custom host.json");
        let said = ("app/local.settings.json", r#"{"Values":{"FUNCTIONS_WORKER_RUNTIME":"powershell"}}"#);
        assert_eq!(one(&[host, said]), "powershell host.json");
        assert!(found(&[host, ("app/readme.md", "")]).unwrap().is_empty());
        assert!(
            found(&[("node_modules/x/host.json", "{}"), ("node_modules/x/function_app.py", "")])
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn settings_become_variables() {
        let app = [("host.json", "{}"), ("function_app.py", "")];
        let with = |text| found(&[app[0], app[1], ("local.settings.json", text)]);
        let env = with("\u{feff}{\"Values\":{\"A\":\"b\",\"N\":3}}").unwrap().remove(0).2;
        assert_eq!((env["A"].as_str(), env["N"].as_str()), ("b", "3"));
        let (told, _) = {
            let root = tempfile::tempdir().unwrap();
            std::fs::write(root.path().join("host.json"), r#"{"functionTimeout":"-1"}"#).unwrap();
            std::fs::write(root.path().join("function_app.py"), "").unwrap();
            let host =
                r#"{"Host":{"CORS":"http://localhost:3000","CORSCredentials":true,"LocalHttpPort":7072}}"#;
            std::fs::write(root.path().join("local.settings.json"), host).unwrap();
            read(root.path()).unwrap()
        };
        assert_eq!((told.azure_port, told.functions[0].timeout), (Some(7072), Some(LONGEST_TIMEOUT)));
        assert!(told.warnings[0].starts_with("host.json: functionTimeout is longer"), "{:?}", told.warnings);
        let options = &told.functions[0].options;
        assert_eq!(
            (options[CORS].as_str(), options[CORS_CREDENTIALS].as_str()),
            ("http://localhost:3000", "true")
        );
        assert!(with("{").unwrap_err().contains("no JSON"));
        assert!(with(r#"{"IsEncrypted":true,"Values":{}}"#).unwrap_err().contains("func settings decrypt"));
    }
}
