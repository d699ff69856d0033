//! Virtual environments, made by hand: a few files and links, which need neither `venv` nor `ensurepip`.
//!
//! What makes one: <https://docs.python.org/3/library/site.html> and PEP 405.

use crate::interpreter::Python;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Read by Python at every start; the name tells who wrote it.
const LAYERS: &str = "mlemu-layers.pth";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Venv {
    root: PathBuf,
    minor: u32,
}

impl Venv {
    /// The environment of `python` at `root`, there or yet to be made.
    pub fn at(root: PathBuf, python: &Python) -> Self {
        Self { root, minor: python.minor }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    pub fn python(&self) -> PathBuf {
        self.bin().join("python")
    }

    pub fn site_packages(&self) -> PathBuf {
        self.root.join(format!("lib/python3.{}/site-packages", self.minor))
    }

    /// Makes it in its folder, which must be there and empty.
    pub fn make(&self, python: &Python) -> io::Result<()> {
        fs::create_dir_all(self.site_packages())?;
        fs::create_dir(self.bin())?;
        if cfg!(all(target_os = "linux", target_pointer_width = "64")) {
            symlink("lib", self.root.join("lib64"))?;
        }
        symlink(&python.program, self.python())?;
        for name in ["python3".to_owned(), format!("python3.{}", self.minor)] {
            symlink("python", self.bin().join(name))?;
        }
        let home = python.program.parent().unwrap_or(Path::new("/")).display();
        let config = format!(
            "home = {home}\ninclude-system-site-packages = false\nversion = {}\nexecutable = {}\n",
            python.version,
            python.program.display()
        );
        fs::write(self.root.join("pyvenv.cfg"), config)
    }

    /// Makes the packages of `layers` importable here, those of the first before those of the second.
    pub fn lay(&self, layers: &[PathBuf]) -> io::Result<()> {
        if layers.is_empty() {
            return Ok(());
        }
        let line =
            |layer: &PathBuf| format!("import site; site.addsitedir({})", quoted(&layer.to_string_lossy()));
        let mut lines = layers.iter().map(line).collect::<Vec<_>>().join("\n");
        lines.push('\n');
        fs::write(self.site_packages().join(LAYERS), lines)
    }

    /// What is installed, as `name==version`, sorted.
    pub fn installed(&self) -> io::Result<Vec<String>> {
        let mut packages = Vec::new();
        for item in fs::read_dir(self.site_packages())? {
            let name = item?.file_name().to_string_lossy().into_owned();
            if let Some((name, version)) = name.strip_suffix(".dist-info").and_then(|n| n.split_once('-')) {
                packages.push(format!("{name}=={version}"));
            }
        }
        packages.sort();
        Ok(packages)
    }
}

/// As a Python literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_survive_quotes() {
        assert_eq!(quoted("/a b/it's"), r"'/a b/it\'s'");
    }

    #[test]
    fn what_is_installed_is_read_from_its_metadata() {
        let root = tempfile::tempdir().unwrap();
        let python = Python {
            version: "3.11.7".into(),
            minor: 11,
            program: "/usr/bin/python3.11".into(),
            platform: "cpython-test".into(),
        };
        let venv = Venv::at(root.path().into(), &python);
        venv.make(&python).unwrap();
        for name in ["six-1.17.0.dist-info", "six.py", "numpy-2.0.dist-info"] {
            fs::create_dir(venv.site_packages().join(name)).unwrap();
        }
        assert_eq!(venv.installed().unwrap(), ["numpy==2.0", "six==1.17.0"]);
        assert_eq!(fs::read_link(venv.python()).unwrap(), python.program);
        let config = fs::read_to_string(root.path().join("pyvenv.cfg")).unwrap();
        assert!(config.contains("home = /usr/bin\n"), "{config}");
    }
}
