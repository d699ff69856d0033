//! `gcloud functions deploy` lines in scripts, Makefiles, workflows and cloudbuild.yaml: read, never run.
//!
//! [`files`] finds where such lines may be, [`shell`] takes text apart into commands as a shell would, and [`flags`]
//! reads what a command deploys.

mod files;
mod flags;
mod shell;
#[cfg(test)]
mod tests;

use super::Imported;
use crate::config::paths;
use files::{Found, Line};
use mlemu_core::declare::{FunctionDeclaration, Provenance};
use std::path::{Path, PathBuf};

/// What a project's own deployments say, and the files that say it. `project`: Google's name of it.
pub fn read(root: &Path, project: &str) -> (Imported, Vec<PathBuf>) {
    let (mut imported, mut files) = (Imported::default(), Vec::new());
    for Found { path, lines } in files::all(root, project) {
        if lines.is_empty() {
            continue;
        }
        let shown = paths::shown(root, &path);
        for line in lines {
            deploy(root, &path, &shown, line, &mut imported);
        }
        files.push(path);
    }
    (imported, files)
}

fn deploy(root: &Path, path: &Path, shown: &Path, line: Line, imported: &mut Imported) {
    let folder = path.parent().unwrap_or(root).join(&line.folder);
    let at = format!("{}:{}", shown.display(), line.number);
    let (function, warnings) = flags::read(&line.words, root, &folder);
    imported.warnings.extend(warnings.into_iter().map(|what| format!("{at}: {what}")));
    let Some(mut function) = function else { return };
    function.from = Provenance { file: shown.to_owned(), line: line.number };
    let same = |other: &&FunctionDeclaration| other.name == function.name;
    match imported.functions.iter().find(same) {
        // Once for each stage, most likely: they differ in what is no matter here.
        Some(first) => {
            let first = format!("{}:{}", first.from.file.display(), first.from.line);
            let what = format!("`{}` is deployed by {first} already, which counts", function.name);
            imported.warnings.push(format!("{at}: {what}"));
        }
        None => imported.functions.push(function),
    }
}
