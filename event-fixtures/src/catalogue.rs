//! Where fixtures are kept: in the binary, and in a folder of the developer's.

use crate::budget::MAX_TEMPLATE;
use crate::error::FixtureError;
use crate::files::{MAX_FILE, read_text};
use include_dir::{Dir, include_dir};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

static AWS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/aws");
static GCP: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/gcp");
static AZURE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/azure");
static PAYLOADS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/payloads");

const TEMPLATE: &str = ".json.hbs";
const PLAIN: &str = ".json";
/// Folders within folders, so that a link to a folder above ends somewhere.
const MAX_DEPTH: usize = 8;

/// Where a fixture comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    BuiltIn,
    /// A file of the developer's; hides a built-in of the same name.
    File(PathBuf),
}

/// A fixture as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub name: String,
    pub origin: Origin,
    pub text: String,
    /// JSON that is used as it is.
    pub plain: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Catalogue {
    user: Option<PathBuf>,
}

impl Catalogue {
    pub(crate) fn new(user: Option<PathBuf>) -> Self {
        Self { user }
    }

    /// All names, sorted, each with the file of the developer's that it stands for, if it is one.
    pub(crate) fn names(&self) -> BTreeMap<String, Option<PathBuf>> {
        let mut names: BTreeMap<_, _> = built_in().map(|(name, _)| (name, None)).collect();
        let mut found = Vec::new();
        if let Some(folder) = &self.user {
            walk(folder, folder, 0, &mut found);
        }
        // Sorted, so that of two files with one name the template comes last and wins.
        found.sort();
        names.extend(found.into_iter().map(|(name, path)| (name, Some(path))));
        names
    }

    /// A fixture by its name. `None`: there is none.
    ///
    /// # Errors
    /// A file of the developer's that cannot be read.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Stored>, FixtureError> {
        if let Some(path) = self.user_file(name) {
            return read(name, &path).map(Some);
        }
        Ok(built_in().find(|(known, _)| known == name).map(|(name, text)| Stored {
            name,
            origin: Origin::BuiltIn,
            text: text.to_owned(),
            plain: false,
        }))
    }

    fn user_file(&self, name: &str) -> Option<PathBuf> {
        let folder = self.user.as_ref()?;
        let usual =
            |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
        if !name.split('/').all(usual) {
            return None;
        }
        let with = |extension: &str| folder.join(format!("{name}{extension}"));
        [with(TEMPLATE), with(PLAIN)].into_iter().find(|path| path.is_file())
    }
}

/// A fixture from a file: a template if its name ends with `.hbs`.
pub(crate) fn read(name: &str, path: &Path) -> Result<Stored, FixtureError> {
    let plain = path.extension().is_none_or(|extension| extension != "hbs");
    let text = read_text(path, if plain { MAX_FILE } else { MAX_TEMPLATE })?;
    Ok(Stored { name: name.to_owned(), origin: Origin::File(path.to_path_buf()), text, plain })
}

/// Names and templates in the binary. Payloads are named without their folder.
fn built_in() -> impl Iterator<Item = (String, &'static str)> {
    let mut found = Vec::new();
    gather(&AWS, "aws/", &mut found);
    gather(&GCP, "gcp/", &mut found);
    gather(&AZURE, "azure/", &mut found);
    gather(&PAYLOADS, "", &mut found);
    found.into_iter()
}

fn gather(folder: &'static Dir<'static>, prefix: &str, found: &mut Vec<(String, &'static str)>) {
    for file in folder.files() {
        let name = file.path().to_str().and_then(|path| path.strip_suffix(TEMPLATE));
        if let (Some(name), Some(text)) = (name, file.contents_utf8()) {
            found.push((format!("{prefix}{name}"), text));
        }
    }
    folder.dirs().for_each(|inner| gather(inner, prefix, found));
}

fn walk(root: &Path, folder: &Path, depth: usize, found: &mut Vec<(String, PathBuf)>) {
    let Ok(entries) = folder.read_dir() else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && depth < MAX_DEPTH {
            walk(root, &path, depth + 1, found);
        } else if path.is_file() {
            let name = path.strip_prefix(root).ok().and_then(Path::to_str);
            let stem = name.and_then(|name| name.strip_suffix(TEMPLATE).or_else(|| name.strip_suffix(PLAIN)));
            found.extend(stem.map(|stem| (stem.to_owned(), path.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_has_what_the_folders_have() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut on_disk = Vec::new();
        for (folder, prefix) in [("aws", "aws/"), ("gcp", "gcp/"), ("azure", "azure/"), ("payloads", "")] {
            let mut found = Vec::new();
            walk(&root.join(folder), &root.join(folder), 0, &mut found);
            on_disk.extend(found.into_iter().map(|(name, _)| format!("{prefix}{name}")));
        }
        on_disk.sort();
        let embedded: Vec<String> = Catalogue::default().names().into_keys().collect();
        assert_eq!(embedded, on_disk, "if a file is new: touch event-fixtures/src/catalogue.rs");
    }

    #[test]
    fn files_of_the_developer_come_first_and_stay_in_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let events = folder.path().join("events");
        std::fs::create_dir_all(events.join("aws/s3")).unwrap();
        std::fs::write(events.join("aws/s3/put.json"), "{\"mine\": 1}").unwrap();
        std::fs::write(events.join("own.json"), "1").unwrap();
        std::fs::write(events.join("own.json.hbs"), "2").unwrap();
        std::fs::write(folder.path().join("outside.json"), "3").unwrap();
        std::os::unix::fs::symlink(&events, events.join("loop")).unwrap();

        let catalogue = Catalogue::new(Some(events));
        let put = catalogue.find("aws/s3/put").unwrap().unwrap();
        assert!(put.plain && put.text.contains("mine"));
        assert_eq!(catalogue.find("own").unwrap().unwrap().text, "2");
        assert_eq!(catalogue.find("../outside").unwrap(), None);
        assert_eq!(catalogue.find("").unwrap(), None);
        let names = catalogue.names();
        assert!(names["own"].as_ref().unwrap().ends_with("own.json.hbs"));
        assert!(names["aws/s3/put"].is_some() && names["aws/s3/delete"].is_none());
    }
}
