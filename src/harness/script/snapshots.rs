//! Values that were good once: a JSON file beside each test file.

use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The values of one test file. An expectation `snapshot: NAME` is held against them, or becomes one.
pub struct Snapshots {
    file: PathBuf,
    update: bool,
    kept: Mutex<(Map<String, Value>, bool)>,
}

impl Snapshots {
    /// `update`: what is found replaces what was kept.
    pub fn beside(test: &Path, update: bool) -> Self {
        let name = test.file_name().and_then(|name| name.to_str()).unwrap_or("tests");
        let file = test.with_file_name(format!("{name}.snap.json"));
        let kept = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { file, update, kept: Mutex::new((kept.unwrap_or_default(), false)) }
    }

    fn kept(&self) -> MutexGuard<'_, (Map<String, Value>, bool)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// In words, how it differs from what was kept, or that nothing was.
    pub fn hold(&self, name: &str, found: Option<&Value>) -> Result<(), String> {
        let found = found.cloned().unwrap_or_default();
        let mut kept = self.kept();
        if self.update {
            kept.1 |= kept.0.get(name) != Some(&found);
            kept.0.insert(name.to_owned(), found);
            return Ok(());
        }
        match kept.0.get(name) {
            Some(wanted) if *wanted == found => Ok(()),
            Some(wanted) => Err(super::matching::differs(wanted, Some(&found))),
            None => Err(format!("nothing is kept as `{name}`: run it once with --update-snapshots")),
        }
    }

    /// Writes what was updated. `false`: nothing was.
    pub fn write(&self) -> std::io::Result<bool> {
        let kept = self.kept();
        if !kept.1 {
            return Ok(false);
        }
        let mut text = serde_json::to_string_pretty(&kept.0).map_err(std::io::Error::other)?;
        text.push('\n');
        std::fs::write(&self.file, text)?;
        Ok(true)
    }
}
