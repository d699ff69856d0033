//! Functions that say themselves what they are: `main.py` with decorators of Google's functions-framework, or a
//! `package.json` that depends on it.
//!
//! The text of the code is read. Where it registers functions in a way that only running it can tell, that code is
//! declared beside those that are told by the text, and its cloud asks the framework's own registry. Which bucket or
//! topic an event function waits for is said when it is deployed: here that is `mlemu.toml`.

use super::Imported;
use mlemu_core::Environment;
use mlemu_core::declare::{FunctionDeclaration, Project, Provenance, ResourceDeclaration};
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
    let Some(Found { file, runtime, targets, untold }) = found else {
        return (Imported::default(), Vec::new());
    };
    let function = |(name, line): &(String, usize)| declared(root, &file, runtime, name, *line);
    let functions = targets.iter().map(function).collect();
    let resources = untold.map(|line| code(root, &file, runtime, line)).into_iter().collect();
    (Imported { functions, resources, ..Imported::default() }, vec![root.join(&file)])
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

struct Found {
    file: PathBuf,
    runtime: &'static str,
    targets: Vec<(String, usize)>,
    /// Where functions are registered whose names only running code tells.
    untold: Option<usize>,
}

fn python(root: &Path) -> Option<Found> {
    let code = std::fs::read_to_string(root.join("main.py")).ok()?;
    let mut targets = if code.contains("functions_framework") { decorated(&code) } else { Vec::new() };
    targets.extend(brought(root, &code));
    let untold = untold(&code);
    let found = Found { file: "main.py".into(), runtime: PYTHON, targets, untold };
    (!found.targets.is_empty() || found.untold.is_some()).then_some(found)
}

/// The first line that uses the framework otherwise than by importing it or decorating a function of the module.
fn untold(code: &str) -> Option<usize> {
    let mut names: Vec<String> = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let said = line.split('#').next().unwrap_or_default();
        if said.trim_start().starts_with("import ") || said.trim_start().starts_with("from ") {
            names.extend(brings(said.trim()));
        } else if !said.starts_with('@') && names.iter().any(|name| uses(said, name)) {
            return Some(index + 1);
        }
    }
    None
}

/// What an import line of the framework is called by: `functions_framework`, `ff.http`, `cloud_event`.
fn brings(line: &str) -> Vec<String> {
    let (words, of_framework) = match line.strip_prefix("from functions_framework import ") {
        Some(names) => (names, true),
        None => (line.strip_prefix("import ").unwrap_or_default(), false),
    };
    let called = words.trim_matches(['(', ')', ' ']).split(',').filter_map(|one| {
        let mut words = one.split_whitespace();
        let name = words.next()?;
        let alias = words.nth(1).unwrap_or(name);
        let is_meant = if of_framework { DECORATORS.contains(&name) } else { name == "functions_framework" };
        is_meant.then_some((alias, of_framework))
    });
    let spelled = |(alias, is_decorator): (&str, bool)| -> Vec<String> {
        if is_decorator {
            vec![alias.to_owned()]
        } else {
            DECORATORS.iter().map(|decorator| format!("{alias}.{decorator}")).collect()
        }
    };
    called.flat_map(spelled).collect()
}

/// Whether a name stands in a line as a word of its own.
fn uses(line: &str, name: &str) -> bool {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let behind = line[at + name.len()..].chars().next();
        !before.is_some_and(|c| is_of_word(c) || c == '\'' || c == '"')
            && !behind.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
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
    (!targets.is_empty()).then_some(Found { file, runtime: NODE, targets, untold: None })
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

/// Code that its cloud shall ask for the names of its functions.
fn code(root: &Path, file: &Path, runtime: &str, line: usize) -> ResourceDeclaration {
    ResourceDeclaration {
        cloud: "gcp".into(),
        kind: mlemu_gcp::registered::KIND.into(),
        name: file.display().to_string(),
        properties: serde_json::json!({ "source": root, "runtime": runtime }).to_string(),
        from: Provenance { file: file.to_owned(), line },
    }
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
    fn what_only_running_code_tells() {
        let line = |code: &str| untold(code);
        assert_eq!(line("import functions_framework\n\n@functions_framework.http\ndef a(r): ...\n"), None);
        assert_eq!(line("import functions_framework\n# functions_framework.http is fine\n"), None);
        assert_eq!(line("import os, functions_framework as ff\n\nfor f in fs:\n    ff.http(f)\n"), Some(4));
        assert_eq!(
            line("import functions_framework\nif x:\n    @functions_framework.typed\n    def f(a): ...\n"),
            Some(3)
        );
        assert_eq!(line("from functions_framework import http as web\nweb(f)\n"), Some(2));
        assert_eq!(
            line("from functions_framework import http\nimport x\nx.http(f)\n'http'\nhttps = 1\n"),
            None
        );
        assert_eq!(line("from flask import http\nhttp(f)\n"), None);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("main.py"), "import functions_framework as ff\nx = ff.http(f)\n")
            .unwrap();
        let (imported, files) = read(folder.path());
        assert_eq!((imported.functions.len(), imported.resources.len(), files.len()), (0, 1, 1));
        assert_eq!((imported.resources[0].cloud.as_str(), imported.resources[0].from.line), ("gcp", 2));
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
