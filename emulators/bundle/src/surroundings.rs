//! What the developer's environment tells: where tools are. Read once, so that tests can give another.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    variables: HashMap<String, OsString>,
    /// Where package managers put programs, besides `PATH`.
    system: Vec<PathBuf>,
}

impl Surroundings {
    pub fn of_this_process() -> Self {
        Self {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
            system: ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/opt/local/bin"]
                .map(PathBuf::from)
                .to_vec(),
        }
    }

    #[cfg(test)]
    pub fn of(variables: &[(&str, &Path)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
        Self { variables: variables.collect(), system: Vec::new() }
    }

    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The folder that a variable names, or one below the home folder.
    pub fn folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        match self.variable(variable) {
            Some(folder) => Some(folder.into()),
            None => self.variable("HOME").map(|home| Path::new(home).join(below_home)),
        }
    }

    pub fn path(&self) -> Option<&OsStr> {
        self.variable("PATH")
    }

    /// The folders of `PATH` that hold programs themselves and not version-switching stand-ins for them.
    pub fn program_folders(&self) -> impl Iterator<Item = PathBuf> {
        self.path_folders().filter(|folder| !is_shims(folder))
    }

    /// The folders of `PATH` that hold stand-ins, which fail when their version is not switched on.
    pub fn shim_folders(&self) -> impl Iterator<Item = PathBuf> {
        self.path_folders().filter(|folder| is_shims(folder))
    }

    pub fn system_folders(&self) -> impl Iterator<Item = PathBuf> {
        self.system.iter().cloned()
    }

    pub fn path_folders(&self) -> impl Iterator<Item = PathBuf> {
        std::env::split_paths(self.path().unwrap_or_default()).filter(|folder| folder.is_absolute())
    }

    /// The first program of this name on `PATH`, a stand-in only for want of anything else.
    pub fn which(&self, name: &str) -> Option<PathBuf> {
        self.program_folders()
            .chain(self.shim_folders())
            .map(|folder| folder.join(name))
            .find(|program| is_program(program))
    }
}

/// Whether a folder holds a version switcher's stand-ins for programs.
pub(crate) fn is_shims(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "shims")
}

pub(crate) fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The folders in `root`, the highest version first: `3.11.10` before `3.11.9`.
pub(crate) fn versions_in(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root).into_iter().flatten().filter_map(|item| Some(item.ok()?.path())).collect();
    folders.sort_by_cached_key(|folder| std::cmp::Reverse(numbers_in(folder)));
    folders
}

fn numbers_in(folder: &Path) -> Vec<u64> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_newest_first() {
        let root = tempfile::tempdir().unwrap();
        for name in ["3.9.18", "3.11.9", "3.11.10"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let names: Vec<_> =
            versions_in(root.path()).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["3.11.10", "3.11.9", "3.9.18"]);
        assert!(versions_in(&root.path().join("none")).is_empty());
    }

    #[test]
    fn shims_are_told_from_programs() {
        let surroundings = Surroundings::of(&[("PATH", Path::new("/a/shims:/b/bin:relative"))]);
        assert_eq!(surroundings.program_folders().collect::<Vec<_>>(), [PathBuf::from("/b/bin")]);
        assert_eq!(surroundings.shim_folders().collect::<Vec<_>>(), [PathBuf::from("/a/shims")]);
    }
}
