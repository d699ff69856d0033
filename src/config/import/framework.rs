//! Functions that say themselves what they are: `main.py` with decorators of Google's functions-framework, or a
//! `package.json` that depends on it.
//!
//! The code is read, never run. Which bucket or topic an event function waits for is said when it is deployed:
//! here that is `mlemu.toml`.

use super::Imported;
use mlemu_core::Environment;
use mlemu_core::declare::{FunctionDeclaration, Project, Provenance};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The newest runtimes of the vendor; a missing interpreter maps to the nearest one that is there.
const PYTHON: &str = "python313";
const NODE: &str = "nodejs22";
const DECORATORS: [&str; 3] = ["http", "cloud_event", "typed"];
const REGISTRATIONS: [&str; 3] = [".http(", ".cloudEvent(", ".typed("];
const PACKAGE: &str = "@google-cloud/functions-framework";

/// What the folder's own code declares, and the files that were read for it.
pub fn read(root: &Path) -> (Imported, Vec<PathBuf>) {
    let found = python(root).or_else(|| node(root));
    let Some((file, runtime, targets)) = found else { return (Imported::default(), Vec::new()) };
    let function = |(name, line): &(String, usize)| declared(root, &file, runtime, name, *line);
    let functions = targets.iter().map(function).collect();
    (Imported { functions, ..Imported::default() }, vec![root.join(&file)])
}

/// A function that the project's own file declares under another name is not there twice.
pub fn yield_to_named(project: &mut Project) {
    let named = project.functions.clone();
    project.functions.retain(|found| {
        let same = |other: &FunctionDeclaration| {
            (&other.cloud, &other.source, &other.handler) == (&found.cloud, &found.source, &found.handler)
        };
        let said = found.from.file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let in_code = matches!(said, "py" | "js" | "mjs" | "cjs" | "ts");
        let detected = found.cloud == "gcp" && found.name == found.handler && in_code;
        !(detected && named.iter().any(|other| other.name != found.name && same(other)))
    });
}

type Found = (PathBuf, &'static str, Vec<(String, usize)>);

fn python(root: &Path) -> Option<Found> {
    let code = std::fs::read_to_string(root.join("main.py")).ok()?;
    let mut targets = if code.contains("functions_framework") { decorated(&code) } else { Vec::new() };
    targets.extend(brought(root, &code));
    (!targets.is_empty()).then(|| ("main.py".into(), PYTHON, targets))
}

/// Decorated functions that `from MODULE import NAME` brings from another file of the folder, with the lines of the
/// imports. The framework finds them, as they are in its registry and in the main module.
fn brought(root: &Path, code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let Some((module, names)) = line.strip_prefix("from ").and_then(|rest| rest.split_once(" import "))
        else {
            continue;
        };
        let file = module.trim().trim_start_matches('.').replace('.', "/");
        let Ok(other) = std::fs::read_to_string(root.join(format!("{file}.py"))) else { continue };
        if !other.contains("functions_framework") {
            continue;
        }
        let names = names.split('#').next().unwrap_or_default().trim_matches(['(', ')', ' ']);
        let names: Vec<&str> = names.split(',').map(str::trim).collect();
        let there = decorated(&other)
            .into_iter()
            .filter(|(name, _)| names.contains(&"*") || names.contains(&&**name));
        found.extend(there.map(|(name, _)| (name, index + 1)));
    }
    found
}

/// Names of functions below a decorator of the framework, with their lines.
fn decorated(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut marked = false;
    for (index, line) in code.lines().enumerate() {
        if let Some(decorator) = line.strip_prefix('@') {
            let name = decorator.split(['(', ' ', '#']).next().unwrap_or_default();
            marked |= name.rsplit('.').next().is_some_and(|word| DECORATORS.contains(&word));
        } else if let Some(rest) = line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ") {
            let name = rest.split('(').next().unwrap_or_default().trim();
            if std::mem::take(&mut marked) && !name.is_empty() {
                found.push((name.to_owned(), index + 1));
            }
        }
    }
    found
}

fn node(root: &Path) -> Option<Found> {
    let package = std::fs::read_to_string(root.join("package.json")).ok()?;
    let package: Value = serde_json::from_str(&package).ok()?;
    package["dependencies"].get(PACKAGE)?;
    let main = package["main"].as_str().unwrap_or("index.js");
    let file = PathBuf::from(main.strip_prefix("./").unwrap_or(main));
    let code = std::fs::read_to_string(root.join(&file)).ok()?;
    let mut targets = registered(&code);
    if targets.is_empty() {
        targets.extend(started(&package).map(|name| (name, 1)));
    }
    (!targets.is_empty()).then_some((file, NODE, targets))
}

/// The target that a script of the package starts the framework with, for functions that are plain exports.
fn started(package: &Value) -> Option<String> {
    let scripts = package["scripts"].as_object()?.values().filter_map(Value::as_str);
    let words =
        scripts.filter(|script| script.contains("functions-framework")).flat_map(str::split_whitespace);
    let targets = words.filter_map(|word| word.strip_prefix("--target="));
    targets.map(|name| name.trim_matches(['"', '\'']).to_owned()).find(|name| !name.is_empty())
}

/// Names in `functions.http('name', …)`.
fn registered(code: &str) -> Vec<(String, usize)> {
    let name = |line: &str| {
        let rest = REGISTRATIONS.iter().find_map(|call| line.split_once(call))?.1.trim_start();
        let quote = rest.chars().next().filter(|first| ['\'', '"', '`'].contains(first))?;
        let name = rest[1..].split(quote).next()?;
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_').then(|| name.to_owned())
    };
    code.lines().enumerate().filter_map(|(index, line)| Some((name(line)?, index + 1))).collect()
}

fn declared(root: &Path, file: &Path, runtime: &str, name: &str, line: usize) -> FunctionDeclaration {
    FunctionDeclaration {
        cloud: "gcp".into(),
        name: name.to_owned(),
        alias: None,
        runtime: runtime.into(),
        handler: name.to_owned(),
        source: root.to_owned(),
        memory: None,
        timeout: None,
        tmp: None,
        env: Environment::new(),
        concurrency: None,
        triggers: Vec::new(),
        options: BTreeMap::new(),
        from: Provenance { file: file.to_owned(), line },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<(String, String, usize)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let (imported, _) = read(folder.path());
        let told = |function: FunctionDeclaration| (function.name, function.runtime, function.from.line);
        imported.functions.into_iter().map(told).collect()
    }

    #[test]
    fn decorated_functions_of_python() {
        let code = "import functions_framework as ff\n\n@ff.http\ndef hello(request): ...\n\ndef plain(): ...\n\n@ff.cloud_event\n@traced(1)\nasync def stored(event): ...\n";
        let told = found(&[("main.py", code)]);
        assert_eq!(told, [("hello".into(), PYTHON.into(), 4), ("stored".into(), PYTHON.into(), 10)]);
        let main =
            "from greetings import hello, helper\nfrom more import *\nfrom gone import bye\nimport os\n";
        let told = found(&[
            ("main.py", main),
            (
                "greetings.py",
                "import functions_framework\n@functions_framework.http\ndef hello(r): ...\n@functions_framework.http\ndef other(r): ...\n",
            ),
            ("more.py", "from functions_framework import cloud_event\n@cloud_event\ndef stored(e): ...\n"),
        ]);
        assert_eq!(told, [("hello".into(), PYTHON.into(), 1), ("stored".into(), PYTHON.into(), 2)]);
        assert!(found(&[("main.py", "@app.http\ndef route(): ...\n")]).is_empty(), "another framework's");
        assert!(found(&[("main.py", "import functions_framework\n")]).is_empty());
    }

    #[test]
    fn registered_functions_of_javascript() {
        let package = r#"{"main":"./app.js","dependencies":{"@google-cloud/functions-framework":"^5"}}"#;
        let code = "const ff = require('@google-cloud/functions-framework');\nff.http('hello', (q, r) => r.send('x'));\nff.cloudEvent(\"stored\", e => {});\napp.http(name);\n";
        let told = found(&[("package.json", package), ("app.js", code)]);
        assert_eq!(told, [("hello".into(), NODE.into(), 2), ("stored".into(), NODE.into(), 3)]);
        let package = r#"{"scripts":{"start":"functions-framework --target=main --port=8080"},"dependencies":{"@google-cloud/functions-framework":"^5"}}"#;
        let told =
            found(&[("package.json", package), ("index.js", "exports.main = (q, r) => r.send('x');\n")]);
        assert_eq!(told, [("main".into(), NODE.into(), 1)]);
        assert!(found(&[("package.json", "{}"), ("index.js", code)]).is_empty());
        assert!(found(&[("package.json", "not json")]).is_empty());
    }
}
