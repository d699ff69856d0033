//! What of a source folder matters.

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{DirEntry, WalkBuilder};
use std::path::{Path, PathBuf};

const PROJECT_RULES: &str = ".gitignore";

/// Folders and files that never are a function's code, whatever the project says.
const NEVER: [&str; 8] = [".*/", "venv/", "node_modules/", "__pycache__/", "*.pyc", "*.log", "*.sw?", "*~"];

/// Trained models are code here, although most projects keep them out of git.
const MODELS: [&str; 10] = [
    "!*.onnx",
    "!*.joblib",
    "!*.pkl",
    "!*.pt",
    "!*.pth",
    "!*.h5",
    "!*.keras",
    "!*.tflite",
    "!*.safetensors",
    "!*.npz",
];

pub(super) struct Rules {
    root: PathBuf,
    ignored: Gitignore,
}

impl Rules {
    /// `also`: patterns that the project leaves out, as in `.gitignore`.
    pub(super) fn read(root: &Path, also: &[String]) -> Self {
        let mut builder = GitignoreBuilder::new(root);
        // A file that cannot be read adds no rule. The constants parse, and the last rule wins.
        let _ = builder.add(root.join(PROJECT_RULES));
        let ours = MODELS.iter().chain(&NEVER).copied();
        for pattern in ours.chain(also.iter().map(String::as_str)) {
            let _ = builder.add_line(None, pattern);
        }
        let ignored = builder.build().unwrap_or_else(|_| Gitignore::empty());
        Self { root: root.to_owned(), ignored }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a change of this path is a change of the code. `folder`: whether it is, or was, one, if that is
    /// known; of what is gone and unknown both are possible, and what would be ignored as either is.
    pub(super) fn matter(&self, path: &Path, folder: Option<bool>) -> bool {
        let ignored = |folder| self.ignored.matched_path_or_any_parents(path, folder).is_ignore();
        let there = || path.symlink_metadata().ok().map(|there| there.is_dir());
        path.starts_with(&self.root)
            && path != self.root
            && match folder.or_else(there) {
                Some(folder) => !ignored(folder),
                None => !ignored(false) && !ignored(true),
            }
    }

    /// Whether this file holds the project's own rules.
    pub(super) fn are_in(&self, path: &Path) -> bool {
        path == self.root.join(PROJECT_RULES)
    }

    /// `path` itself, if it is a folder that matters, and every such folder in it. Links are not followed.
    pub(super) fn folders_from(&self, path: &Path) -> Vec<PathBuf> {
        let inner = path != self.root;
        if !path.is_dir() || (inner && (path.is_symlink() || !self.matter(path, Some(true)))) {
            return Vec::new();
        }
        let (ignored, top) = (self.ignored.clone(), path.to_owned());
        let matters = move |entry: &DirEntry| {
            let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            entry.path() == top || (folder && !ignored.matched(entry.path(), true).is_ignore())
        };
        let walk =
            WalkBuilder::new(path).standard_filters(false).follow_links(false).filter_entry(matters).build();
        walk.filter_map(Result::ok).map(DirEntry::into_path).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_and_ignored_files_do_not_matter() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        std::fs::write(root.join(".gitignore"), "data/\n*.log\n*.onnx\n").expect("written");
        for folder in ["pkg", "data", "node_modules/x", "pkg/__pycache__"] {
            std::fs::create_dir_all(root.join(folder)).expect("made");
        }
        let rules = Rules::read(root, &["notes.md".into()]);
        assert!(rules.matter(&root.join("app.py"), None));
        assert!(rules.matter(&root.join("pkg/model.onnx"), None));
        assert!(!rules.matter(&root.join("gone/__pycache__"), None), "whatever it was");
        for path in [
            "notes.md",
            "data/rows.csv",
            "x.log",
            "notes.md",
            "node_modules/x/index.js",
            "pkg/__pycache__/a.pyc",
            ".app.py.swp",
            "app.py~",
        ] {
            assert!(!rules.matter(&root.join(path), None), "{path}");
        }
        assert_eq!(rules.folders_from(root), [root.to_owned(), root.join("pkg")]);
    }
}
