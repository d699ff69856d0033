//! Files that a fixture may read: those of the project, and those that somebody named with `@`.

use crate::error::FixtureError;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of one file: base64 of it is still far above the largest payload that a cloud takes.
pub(crate) const MAX_FILE: usize = 32 << 20;

#[derive(Debug, Default)]
pub(crate) struct Files {
    root: Option<PathBuf>,
    granted: BTreeSet<PathBuf>,
}

impl Files {
    pub(crate) fn within(root: Option<&Path>) -> Self {
        Self { root: root.map(Path::to_path_buf), granted: BTreeSet::new() }
    }

    /// Lets one file be read wherever it is; the path by which templates know it.
    pub(crate) fn grant(&mut self, path: &Path) -> Result<String, FixtureError> {
        let real = resolve(path)?;
        let name = real.to_str().ok_or_else(|| unreadable(path, "its name is not UTF-8"))?.to_owned();
        self.granted.insert(real);
        Ok(name)
    }

    /// Content of a file of the project or of a granted one.
    ///
    /// # Errors
    /// No such file, one outside the project, something that is no file, or one that is too large.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, FixtureError> {
        read_whole(&self.allowed(path)?, MAX_FILE)
    }

    fn allowed(&self, path: &str) -> Result<PathBuf, FixtureError> {
        let path = Path::new(path);
        if self.granted.contains(path) {
            return Ok(path.to_path_buf());
        }
        let outside = |why: &str| FixtureError::Unreadable {
            path: path.into(),
            why: why.into(),
            hint: Some("a file outside the project is given as NAME=@PATH".into()),
        };
        let root = self.root.as_deref().ok_or_else(|| outside("there is no project folder"))?;
        let real = resolve(&root.join(path))?;
        if !real.starts_with(resolve(root)?) {
            return Err(outside("it is outside the project folder"));
        }
        Ok(real)
    }
}

fn resolve(path: &Path) -> Result<PathBuf, FixtureError> {
    path.canonicalize().map_err(|error| unreadable(path, &error.to_string()))
}

fn unreadable(path: &Path, why: &str) -> FixtureError {
    FixtureError::Unreadable { path: path.into(), why: why.into(), hint: None }
}

/// A whole regular file of at most `limit` bytes.
pub(crate) fn read_whole(path: &Path, limit: usize) -> Result<Vec<u8>, FixtureError> {
    let failed = |error: std::io::Error| unreadable(path, &error.to_string());
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(unreadable(path, "it is not a file"));
    }
    let mut bytes = Vec::new();
    let more_than_limit = limit as u64 + 1;
    File::open(path).map_err(failed)?.take(more_than_limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(FixtureError::TooLarge { what: path.display().to_string(), limit });
    }
    Ok(bytes)
}

/// A whole text file, without the byte order mark that some editors write.
pub(crate) fn read_text(path: &Path, limit: usize) -> Result<String, FixtureError> {
    let text =
        String::from_utf8(read_whole(path, limit)?).map_err(|_| unreadable(path, "it is not UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_project_and_granted_ones() {
        let (project, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(project.path().join("in.txt"), "in").unwrap();
        let secret = other.path().join("secret.txt");
        std::fs::write(&secret, "out").unwrap();
        std::os::unix::fs::symlink(&secret, project.path().join("link.txt")).unwrap();

        let mut files = Files::within(Some(project.path()));
        assert_eq!(files.read("in.txt").unwrap(), b"in");
        assert!(files.read(project.path().join("in.txt").to_str().unwrap()).is_ok());
        let up = format!("../{}/secret.txt", other.path().file_name().unwrap().to_str().unwrap());
        for path in [secret.to_str().unwrap(), up.as_str(), "link.txt"] {
            let error = files.read(path).unwrap_err();
            assert!(error.to_string().contains("outside"), "{error}");
            assert!(error.hint().unwrap().contains("=@"));
        }
        assert!(files.read(".").unwrap_err().to_string().contains("not a file"));

        let name = files.grant(&secret).unwrap();
        assert_eq!(files.read(&name).unwrap(), b"out");
        assert!(Files::default().read("in.txt").is_err());
    }

    #[test]
    fn large_files_and_marks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        std::fs::write(&path, "\u{feff}{}").unwrap();
        assert_eq!(read_text(&path, 100).unwrap(), "{}");
        assert!(matches!(read_whole(&path, 4), Err(FixtureError::TooLarge { limit: 4, .. })));
        std::fs::write(&path, b"\xff").unwrap();
        assert!(read_text(&path, 100).unwrap_err().to_string().contains("UTF-8"));
    }
}
