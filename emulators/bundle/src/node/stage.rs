//! A view of a source folder beside packages that lie in the cache.
//!
//! Node looks for packages in `node_modules` folders beside and above a module. The view is a folder of links
//! to the source's entries, with `node_modules` among them and another one above for what the vendor's image
//! has; Node is told not to resolve the links.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Entries of a source that no function needs.
const LEFT_OUT: [&str; 3] = [".git", ".hg", ".svn"];

pub(crate) struct View<'a> {
    pub source: &'a Path,
    /// Takes the place of the source's own `node_modules`.
    pub packages: Option<&'a Path>,
    /// Found when the nearer ones do not have it.
    pub provided: Option<&'a Path>,
}

impl View<'_> {
    /// Makes the view in `home` agree with the source and gives the folder to run in. What is right stays
    /// untouched, since processes may be reading it.
    pub fn refresh(&self, home: &Path) -> io::Result<PathBuf> {
        let code = home.join("code");
        fs::create_dir_all(&code)?;
        if let Some(provided) = self.provided {
            point(&home.join("node_modules"), provided)?;
        }
        let wanted = self.links()?;
        for item in fs::read_dir(&code)? {
            let item = item?;
            if item.file_type()?.is_symlink() && !wanted.contains_key(&item.file_name()) {
                fs::remove_file(item.path())?;
            }
        }
        for (name, target) in &wanted {
            point(&code.join(name), target)?;
        }
        Ok(code)
    }

    fn links(&self) -> io::Result<BTreeMap<OsString, PathBuf>> {
        let mut links = BTreeMap::new();
        for item in fs::read_dir(self.source)? {
            let item = item?;
            if !LEFT_OUT.iter().any(|name| item.file_name() == *name) {
                links.insert(item.file_name(), item.path());
            }
        }
        if let Some(packages) = self.packages {
            links.insert("node_modules".into(), packages.to_owned());
        }
        Ok(links)
    }
}

/// Makes `place` a link to `target`, in one step for whoever looks.
fn point(place: &Path, target: &Path) -> io::Result<()> {
    if fs::read_link(place).is_ok_and(|now| now == target) {
        return Ok(());
    }
    let mut fresh = OsString::from(".");
    fresh.push(place.file_name().unwrap_or_default());
    fresh.push(".new");
    let fresh = place.with_file_name(fresh);
    let _ = fs::remove_file(&fresh);
    symlink(target, &fresh)?;
    fs::rename(fresh, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_follows_its_source() {
        let root = tempfile::tempdir().unwrap();
        let (source, home) = (root.path().join("source"), root.path().join("view"));
        fs::create_dir_all(source.join("lib")).unwrap();
        fs::create_dir_all(source.join(".git")).unwrap();
        fs::write(source.join("index.mjs"), "1").unwrap();
        let packages = root.path().join("packages");
        let view = View { source: &source, packages: Some(&packages), provided: Some(&packages) };
        let code = view.refresh(&home).unwrap();
        assert_eq!(fs::read_link(code.join("node_modules")).unwrap(), packages);
        assert_eq!(fs::read_link(home.join("node_modules")).unwrap(), packages);
        assert!(fs::symlink_metadata(code.join(".git")).is_err());
        fs::remove_file(source.join("index.mjs")).unwrap();
        fs::write(source.join("other.mjs"), "2").unwrap();
        fs::write(code.join("written-by-the-function"), "").unwrap();
        view.refresh(&home).unwrap();
        let names: Vec<_> = fs::read_dir(&code).unwrap().map(|item| item.unwrap().file_name()).collect();
        assert!(!names.contains(&"index.mjs".into()) && names.contains(&"other.mjs".into()), "{names:?}");
        assert_eq!(names.len(), 4);
        assert_eq!(fs::read_dir(&source).unwrap().count(), 3, "the source is left alone");
    }
}
