//! Values that were good once: a JSON file beside each test file.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The values of one test file. An expectation `snapshot: NAME` is held against them, or becomes one.
pub struct Snapshots {
    file: PathBuf,
    update: bool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    values: Map<String, Value>,
    /// Those that some expectation named.
    named: BTreeSet<String>,
    changed: usize,
}

impl Snapshots {
    /// `update`: what is found replaces what was kept.
    pub fn beside(test: &Path, update: bool) -> Self {
        let name = test.file_name().and_then(|name| name.to_str()).unwrap_or("tests");
        let file = test.with_file_name(format!("{name}.snap.json"));
        let values = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let kept = Kept { values: values.unwrap_or_default(), ..Kept::default() };
        Self { file, update, kept: Mutex::new(kept) }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// In words, how it differs from what was kept, or that nothing was.
    pub fn hold(&self, name: &str, found: Option<&Value>) -> Result<(), String> {
        let found = found.cloned().unwrap_or_default();
        let mut kept = self.kept();
        kept.named.insert(name.to_owned());
        if self.update {
            kept.changed += usize::from(kept.values.get(name) != Some(&found));
            kept.values.insert(name.to_owned(), found);
            return Ok(());
        }
        match kept.values.get(name) {
            Some(wanted) if *wanted == found => Ok(()),
            Some(wanted) => Err(super::matching::differs(wanted, Some(&found))),
            None => Err(format!("nothing is kept as `{name}`: run it once with --update-snapshots")),
        }
    }

    /// Writes what was updated, and says how many values were added, changed or dropped. `all`: every test of the file
    /// ran, so that what none of them named is dropped.
    pub fn write(&self, all: bool) -> std::io::Result<usize> {
        if !self.update {
            return Ok(0);
        }
        let mut kept = self.kept();
        if all {
            let Kept { values, named, changed } = &mut *kept;
            let before = values.len();
            values.retain(|name, _| named.contains(name));
            *changed += before - values.len();
        }
        if kept.changed > 0 {
            let mut text = serde_json::to_string_pretty(&kept.values).map_err(std::io::Error::other)?;
            text.push('\n');
            std::fs::write(&self.file, text)?;
        }
        Ok(kept.changed)
    }
}
