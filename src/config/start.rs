//! What `mlemu up PATH` was pointed at.

use super::error::ConfigError;
use super::paths;
use mlemu_core::declare::{FunctionDeclaration, Provenance};
use mlemu_core::function::Environment;
use std::path::{Path, PathBuf};

/// Runtimes without a version: whatever this machine has.
const PYTHON: &str = "python3";
const NODE: &str = "nodejs";
/// Names that say nothing: such a function is called as its file.
const EVERYMAN: [&str; 4] = ["handler", "lambda_handler", "main", "default"];

#[derive(Debug, PartialEq, Eq)]
pub enum Start {
    /// A folder: read what is in it.
    Folder(PathBuf),
    /// A `mlemu.toml`, under whatever name.
    Native(PathBuf),
    /// A template, under whatever name.
    Template(PathBuf),
    /// `app.py:handler`
    Single { file: PathBuf, handler: String },
}

impl Start {
    pub fn of(path: &Path) -> Result<Self, ConfigError> {
        let here = std::env::current_dir().unwrap_or_default();
        let absolute = paths::join(&here, path);
        if absolute.is_dir() {
            return Ok(Start::Folder(absolute));
        }
        if absolute.is_file() {
            return Self::of_file(absolute);
        }
        let text = path.to_string_lossy();
        let Some((file, handler)) = text.rsplit_once(':') else {
            return Err(ConfigError::new(format!("there is no file or folder {text}")));
        };
        let single = paths::join(&here, file.as_ref());
        if !single.is_file() {
            return Err(ConfigError::new(format!("there is no file {file}")));
        }
        if runtime(&single).is_none() || handler.is_empty() {
            return Err(ConfigError::new(format!("cannot tell how to run {text}"))
                .hint("name a .py, .js, .mjs or .cjs file and its handler, like `app.py:handler`"));
        }
        Ok(Start::Single { file: single, handler: handler.to_owned() })
    }

    fn of_file(file: PathBuf) -> Result<Self, ConfigError> {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => Ok(Start::Native(file)),
            Some("yaml" | "yml" | "json" | "template") => Ok(Start::Template(file)),
            _ => {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Err(ConfigError::new(format!("{name} is no project")).hint(format!(
                    "name a folder, a mlemu.toml, a template, or a handler in the file: `{name}:handler`"
                )))
            }
        }
    }
}

/// The one function of the single-file form.
pub fn single(file: &Path, handler: &str) -> FunctionDeclaration {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = if EVERYMAN.contains(&handler) { &*stem } else { handler };
    FunctionDeclaration {
        cloud: "aws".into(),
        // A name of the vendor's: whatever else a file may be called becomes a hyphen.
        name: name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
            .take(64)
            .collect(),
        alias: None,
        runtime: runtime(file).unwrap_or(PYTHON).into(),
        handler: format!("{stem}.{handler}"),
        source: file.parent().unwrap_or(Path::new("/")).to_owned(),
        memory: None,
        timeout: None,
        tmp: None,
        env: Environment::new(),
        concurrency: None,
        triggers: Vec::new(),
        from: Provenance { file: file.file_name().unwrap_or_default().into(), line: 1 },
    }
}

fn runtime(file: &Path) -> Option<&'static str> {
    match file.extension()?.to_str()? {
        "py" => Some(PYTHON),
        "js" | "mjs" | "cjs" => Some(NODE),
        _ => None,
    }
}
