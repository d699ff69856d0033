//! The Rust sources of the workspace.

use std::path::{Path, PathBuf};

/// One file, with its path from the root and its text.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The lines before the file's own tests.
    pub fn body(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.text.lines().position(|line| line.starts_with("#[cfg(test)]")).unwrap_or(usize::MAX);
        self.text.lines().enumerate().take(tests).map(|(index, line)| (index + 1, line))
    }

    /// Whether the whole file is a test.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("/fake.rs")
            || self.path.starts_with("benches/")
            || self.path.contains("/benches/")
            || self.path.contains("/examples/")
    }

    pub fn is_generated(&self) -> bool {
        self.text.lines().take(5).any(|line| line.to_lowercase().contains("generated"))
    }
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn rust_sources() -> Vec<Source> {
    files("rs")
}

/// All files with that ending that git would see.
pub fn files(ending: &str) -> Vec<Source> {
    let root = root();
    let mut sources = Vec::new();
    for entry in ignore::WalkBuilder::new(&root).hidden(false).build().filter_map(Result::ok) {
        let path = entry.path();
        let relative = path.strip_prefix(&root).unwrap_or(path);
        if relative.starts_with(".git") || relative.starts_with("target") {
            continue;
        }
        if path.extension().is_some_and(|found| found == ending)
            && let Ok(text) = std::fs::read_to_string(path)
        {
            sources.push(Source { path: slashes(relative), text });
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn slashes(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
