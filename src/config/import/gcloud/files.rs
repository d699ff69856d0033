//! Where deployments may be written down, and the commands in such files.

use super::shell::{self, Variables};
use crate::config::import::node::{Map, Node};
use crate::config::import::yaml;
use crate::config::text::SourceText;
use ignore::WalkBuilder;
use std::path::{Path, PathBuf};

/// Folders below the start that are looked into.
const DEPTH: usize = 4;
/// Larger files are no scripts.
const LARGEST: u64 = 512 * 1024;
const SKIPPED: [&str; 6] = ["node_modules", ".venv", "venv", ".git", "__pycache__", "site-packages"];

/// A file and the deployments in it.
pub struct Found {
    pub path: PathBuf,
    pub lines: Vec<Line>,
}

/// One `gcloud functions deploy`.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub number: usize,
    /// All that follows `deploy`.
    pub words: Vec<String>,
    /// Where it is run, seen from the file's own folder.
    pub folder: PathBuf,
}

/// Every file under `root` that deployments may be in.
pub fn all(root: &Path, project: &str) -> Vec<Found> {
    let skipped = |path: &Path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| SKIPPED.contains(&name))
    };
    let walk = WalkBuilder::new(root)
        .hidden(false)
        .max_depth(Some(DEPTH))
        .require_git(false)
        .git_global(false)
        .filter_entry(move |entry| !skipped(entry.path()))
        .build();
    let mut paths: Vec<PathBuf> = walk
        .filter_map(Result::ok)
        .filter(|entry| entry.metadata().is_ok_and(|known| known.is_file() && known.len() <= LARGEST))
        .map(ignore::DirEntry::into_path)
        .filter(|path| may_deploy(path))
        .collect();
    paths.sort_by_key(|path| (path.components().count(), path.clone()));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).ok()?;
        let lines = if text.contains("functions") { lines(&path, &text, project) } else { Vec::new() };
        Some(Found { path, lines })
    };
    paths.into_iter().filter_map(read).collect()
}

fn may_deploy(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let in_workflows = path.parent().is_some_and(|folder| folder.ends_with(".github/workflows"));
    is_build(path)
        || matches!(name, "Makefile" | "makefile" | "GNUmakefile" | "Justfile" | "justfile")
        || matches!(extension, "sh" | "bash" | "mk")
        || in_workflows && matches!(extension, "yml" | "yaml")
}

fn is_build(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    name.starts_with("cloudbuild") && matches!(extension, "yaml" | "yml" | "json")
}

/// The deployments in one file.
pub fn lines(path: &Path, text: &str, project: &str) -> Vec<Line> {
    let mut variables = Variables::of(text);
    for name in ["PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "GCP_PROJECT", "PROJECT"] {
        variables.learn(name, project);
    }
    if !is_build(path) {
        return in_text(text, 1, &variables, Path::new(""));
    }
    // Steps of another form than is known deploy nothing here.
    let Ok(document) = yaml::parse(&SourceText::new(path, text)) else { return Vec::new() };
    for (key, value) in
        document.get("substitutions").and_then(|said| said.as_map()).into_iter().flat_map(Map::iter)
    {
        if let Some(value) = value.as_text() {
            variables.learn(&key.text, value);
        }
    }
    let steps = document.get("steps").and_then(|steps| steps.as_list()).unwrap_or_default();
    steps.iter().flat_map(|step| in_step(step, &variables)).collect()
}

/// A step of Cloud Build: a command as a list of words, or a script.
fn in_step(step: &Node, variables: &Variables) -> Vec<Line> {
    let text = |key: &str| step.get(key).and_then(|node| node.as_text());
    let folder = PathBuf::from(variables.put_into(text("dir").unwrap_or_default()));
    if let (Some(script), Some(node)) = (text("script"), step.get("script")) {
        return in_text(script, node.at.line, variables, &folder);
    }
    let args = step.get("args").and_then(|args| args.as_list()).unwrap_or_default();
    let words: Vec<String> =
        args.iter().filter_map(|arg| arg.as_text()).map(|arg| variables.put_into(arg)).collect();
    let image = text("name").unwrap_or_default();
    let program = text("entrypoint").unwrap_or(if image.contains("cloud-sdk") || image.contains("gcloud") {
        "gcloud"
    } else {
        ""
    });
    if program == "gcloud" {
        let rest = shell::deployment(&words);
        return rest.map(|words| Line { number: step.at.line, words, folder }).into_iter().collect();
    }
    let lines = args.iter().filter_map(|arg| Some((arg.as_text()?, arg.at.line)));
    lines.flat_map(|(script, line)| in_text(script, line, variables, &folder)).collect()
}

/// `first`: the number of the text's first line.
fn in_text(text: &str, first: usize, variables: &Variables, folder: &Path) -> Vec<Line> {
    let mut found = Vec::new();
    for (number, command) in shell::commands(text, variables) {
        let at = command.iter().position(|word| word.trim_start_matches(['@', '-']) == "gcloud");
        let rest = at.and_then(|at| shell::deployment(&command[at + 1..]));
        found.extend(rest.map(|words| Line { number: first + number, words, folder: folder.to_owned() }));
    }
    found
}
