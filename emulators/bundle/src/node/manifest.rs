//! What a Node project asks to be installed: `package.json`, its lock file and its npm settings.
//!
//! Format: <https://docs.npmjs.com/cli/v11/configuring-npm/package-json>.

use crate::inputs::Inputs;
use mlemu_core::BuildFailure;
use serde_json::{Map, Value};
use std::path::Path;

/// The parts that decide what is installed. Scripts are left out: they belong to the developer's folder.
const DECIDING: [&str; 8] = [
    "name",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "overrides",
    "bundleDependencies",
];

/// Lock files that npm reads.
const LOCKS: [&str; 2] = ["npm-shrinkwrap.json", "package-lock.json"];
/// Lock files of others, which it does not.
const FOREIGN_LOCKS: [&str; 3] = ["yarn.lock", "pnpm-lock.yaml", "bun.lock"];

#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    /// The deciding parts of `package.json`.
    pub package: Map<String, Value>,
    /// Name and text of the lock file.
    pub lock: Option<(&'static str, String)>,
    /// The project's `.npmrc`.
    pub settings: Option<String>,
    pub warnings: Vec<String>,
}

impl Manifest {
    pub fn of_folder(folder: &Path, inputs: &mut Inputs) -> Result<Self, BuildFailure> {
        let mut read = |name: &str| {
            let file = folder.join(name);
            inputs.read(&file).map_err(|error| BuildFailure {
                why: format!("cannot read `{}`: {error}", file.display()),
                hint: None,
            })
        };
        let Some(text) = read("package.json")? else { return Ok(Self::default()) };
        let package: Map<String, Value> =
            serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| BuildFailure {
                why: format!("`{}`: {error}", folder.join("package.json").display()),
                hint: None,
            })?;
        let package = package.into_iter().filter(|(name, _)| DECIDING.contains(&&**name)).collect();
        let mut manifest = Self { package, settings: read(".npmrc")?, ..Self::default() };
        for name in LOCKS {
            if manifest.lock.is_none() {
                manifest.lock = read(name)?.map(|text| (name, text));
            }
        }
        if manifest.lock.is_none() && manifest.wants_packages() {
            manifest.warn_of_foreign_locks(folder, inputs);
        }
        Ok(manifest)
    }

    /// Of packages alone, e.g. `left-pad@1.3.0`.
    pub fn of_nothing() -> Self {
        Self { package: Map::from_iter([("name".to_owned(), "packages".into())]), ..Self::default() }
    }

    /// Whether anything has to be installed to run it.
    pub fn wants_packages(&self) -> bool {
        ["dependencies", "optionalDependencies"].iter().any(|part| self.part(part).next().is_some())
    }

    /// Whether running it installs this package.
    pub fn declares(&self, name: &str) -> bool {
        ["dependencies", "optionalDependencies"].iter().any(|part| self.part(part).any(|(n, _)| n == name))
    }

    /// The version that development uses of a package that running does not install.
    pub fn development_version(&self, name: &str) -> Option<&str> {
        self.part("devDependencies").find(|(other, _)| *other == name).map(|(_, version)| version)
    }

    /// A dependency that lies in the developer's folders and cannot be installed elsewhere.
    pub fn local_dependency(&self) -> Option<(&str, &str)> {
        const LOCAL: [&str; 6] = ["file:", "link:", "workspace:", "portal:", ".", "/"];
        self.part("dependencies").find(|(_, version)| LOCAL.iter().any(|start| version.starts_with(start)))
    }

    /// What decides which packages are installed, in parts.
    pub fn identity(&self) -> Vec<String> {
        let lock = self.lock.as_ref().map(|(name, text)| format!("{name}\n{text}"));
        let package = Value::Object(self.package.clone()).to_string();
        vec![package, lock.unwrap_or_default(), self.settings.clone().unwrap_or_default()]
    }

    fn part<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let entries = self.package.get(name).and_then(Value::as_object).into_iter().flatten();
        entries.filter_map(|(name, version)| Some((name.as_str(), version.as_str()?)))
    }

    fn warn_of_foreign_locks(&mut self, folder: &Path, inputs: &mut Inputs) {
        for name in FOREIGN_LOCKS {
            let file = folder.join(name);
            inputs.watch(&file);
            if file.exists() {
                self.warnings.push(format!(
                    "{name} is not read: npm chose versions by package.json; install into node_modules yourself \
                     to have them used"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(files: &[(&str, &str)]) -> Result<Manifest, BuildFailure> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Manifest::of_folder(folder.path(), &mut Inputs::default())
    }

    #[test]
    fn only_what_decides_is_kept() {
        let text = r#"{"version":"1.0.0","scripts":{"postinstall":"boom"},"dependencies":{"a":"^1"},
                       "devDependencies":{"@aws-sdk/client-s3":"3.5.0"}}"#;
        let manifest = read(&[("package.json", text), ("package-lock.json", "{}")]).unwrap();
        assert!(!manifest.package.contains_key("scripts"));
        assert!(manifest.wants_packages() && manifest.declares("a"));
        assert!(!manifest.declares("@aws-sdk/client-s3"), "production does not install it");
        assert_eq!(manifest.development_version("@aws-sdk/client-s3"), Some("3.5.0"));
        assert_eq!(manifest.lock, Some(("package-lock.json", "{}".to_owned())));
        let other = text.replace("1.0.0", "2.0.0");
        assert_eq!(
            manifest.identity(),
            read(&[("package.json", &other), ("package-lock.json", "{}")]).unwrap().identity()
        );
        assert_ne!(manifest.identity(), read(&[("package.json", text)]).unwrap().identity());
    }

    #[test]
    fn no_manifest_and_no_dependencies_want_nothing() {
        assert!(!read(&[]).unwrap().wants_packages());
        assert!(
            !read(&[("package.json", r#"{"type":"module","devDependencies":{"x":"1"}}"#)])
                .unwrap()
                .wants_packages()
        );
    }

    #[test]
    fn what_cannot_be_installed_elsewhere_is_found() {
        for version in ["file:../shared", "workspace:*", "../x"] {
            let text = format!(r#"{{"dependencies":{{"a":"^1","shared":"{version}"}}}}"#);
            assert_eq!(
                read(&[("package.json", &text)]).unwrap().local_dependency(),
                Some(("shared", version))
            );
        }
    }

    #[test]
    fn mistakes_and_foreign_locks_are_told() {
        let failure = read(&[("package.json", "{")]).unwrap_err();
        assert!(failure.why.contains("package.json"), "{}", failure.why);
        let text = r#"{"dependencies":{"a":"1"}}"#;
        let manifest = read(&[("package.json", text), ("yarn.lock", "")]).unwrap();
        assert!(manifest.warnings[0].contains("yarn.lock is not read"));
    }
}
