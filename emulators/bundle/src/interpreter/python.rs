//! Pythons: in the environment's overrides, on `PATH`, in pyenv's and uv's folders, in the system's.

use super::{Choice, Interpreter, Probes, nearest_first, unknown_version};
use crate::surroundings::{Surroundings, is_program, is_shims, versions_in};
use crate::tool::Tool;
use mlemu_core::BuildFailure;
use serde::Deserialize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The minor versions of Python 3 that runtime clients and today's packages are made for.
const MINORS: RangeInclusive<u32> = 9..=14;

/// Tells what it is even from inside somebody's virtual environment, where it names the base interpreter.
const QUESTION: &str = r#"
import json, os, sys, sysconfig
base = getattr(sys, "_base_executable", None) or sys.executable
if sys.prefix != sys.base_prefix:
    base = os.path.join(sys.base_prefix, "bin", "python%d.%d" % sys.version_info[:2])
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "minor": sys.version_info[1] if sys.version_info[0] == 3 else 0,
    "program": os.path.realpath(base),
    "platform": "%s-%s" % (sys.implementation.name, sysconfig.get_platform()),
}))
"#;

/// A Python that answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Python {
    /// E.g. `3.11.7`.
    pub version: String,
    /// 11 for 3.11.
    pub minor: u32,
    /// The real executable, no environment's and no link.
    pub program: PathBuf,
    /// Implementation and platform, which packages are built for.
    pub platform: String,
}

impl Python {
    /// `python 3.11`, for people.
    pub fn title(&self) -> String {
        format!("python 3.{}", self.minor)
    }
}

/// An installer of packages: a program of the given Python's, or another's.
#[derive(Clone, Debug)]
pub(crate) struct Pip {
    /// A file, or a folder in an archive, that any Python runs as a program.
    pub runnable: PathBuf,
}

/// The Pythons of this machine.
pub(crate) struct Pythons {
    surroundings: Arc<Surroundings>,
    probes: Probes,
}

impl Pythons {
    pub fn new(surroundings: Arc<Surroundings>, cache: &Path) -> Self {
        Self { surroundings, probes: Probes::new(cache) }
    }

    /// The one to run what declares `version`, e.g. `3.12`: that very version, else the nearest. `3` leaves
    /// the choice to this machine.
    pub async fn choose(&self, version: &str) -> Result<Choice<Python>, BuildFailure> {
        if version == "3" {
            return self.choose_any().await;
        }
        self.choose_minor(version).await
    }

    async fn choose_minor(&self, version: &str) -> Result<Choice<Python>, BuildFailure> {
        let declared = minor_of(version).ok_or_else(|| unknown_version("python", version, "3.12"))?;
        for minor in nearest_first(declared, MINORS) {
            if let Some(interpreter) = self.find(minor).await {
                let warning = self.warning(version, declared, &interpreter);
                return Ok(Choice { interpreter, warning });
            }
        }
        Err(BuildFailure {
            why: format!("python {version} is needed, and no python from 3.9 to 3.14 was found"),
            hint: Some(format!(
                "install one (e.g. `apt install python3`, `brew install python`, `uv python install 3.12`) \
                 or name it in {}",
                variable_of(declared)
            )),
        })
    }

    /// What `python3` is here, else the newest: for work that declares no version.
    pub async fn choose_any(&self) -> Result<Choice<Python>, BuildFailure> {
        for folder in self.surroundings.path_folders() {
            if let Some(interpreter) = self.probe(&folder.join("python3")).await
                && MINORS.contains(&interpreter.minor)
            {
                return Ok(Choice { interpreter, warning: None });
            }
        }
        self.choose_minor("3.14").await.map(|choice| Choice { warning: None, ..choice })
    }

    pub async fn all(&self) -> Vec<Interpreter> {
        let mut found = Vec::new();
        for minor in MINORS {
            if let Some(python) = self.find(minor).await {
                found.push(Interpreter {
                    language: "python",
                    version: python.version,
                    program: python.program,
                });
            }
        }
        found
    }

    /// A pip that can serve `python`: its own, the one that its standard library carries, another's.
    pub async fn pip_for(&self, python: &Python) -> Option<Pip> {
        if let Some(pip) = pip_of(python).await {
            return Some(pip);
        }
        for minor in MINORS.rev() {
            if let Some(other) = self.find(minor).await
                && let Some(pip) = pip_of(&other).await
            {
                return Some(pip);
            }
        }
        None
    }

    fn warning(&self, version: &str, declared: u32, chosen: &Python) -> Option<String> {
        let variable = variable_of(declared);
        if let Some(named) = self.surroundings.variable(&variable) {
            let named = named.to_string_lossy();
            if chosen.minor != declared || !is_program(Path::new(&*named)) {
                return Some(format!("{variable}={named}: python {} runs python{version}", chosen.version));
            }
        }
        if chosen.minor == declared {
            return None;
        }
        let reason =
            if MINORS.contains(&declared) { "is not installed" } else { "is not supported any more" };
        Some(format!("python{version} {reason}: python {} runs it", chosen.version))
    }

    async fn find(&self, minor: u32) -> Option<Python> {
        if let Some(named) = self.surroundings.variable(&variable_of(minor))
            && let Some(python) = self.probe(Path::new(named)).await
            && MINORS.contains(&python.minor)
        {
            return Some(python);
        }
        for candidate in self.candidates(minor) {
            if let Some(python) = self.probe(&candidate).await
                && python.minor == minor
            {
                return Some(python);
            }
        }
        None
    }

    /// Where `3.minor` might be, likeliest and cheapest first; stand-ins of version switchers last.
    fn candidates(&self, minor: u32) -> Vec<PathBuf> {
        let name = format!("python3.{minor}");
        let around = &self.surroundings;
        let versions_below = |root: Option<PathBuf>| {
            let versions = root.map(|root| versions_in(&root)).unwrap_or_default();
            versions.into_iter().map(|version| version.join("bin").join(&name)).collect::<Vec<_>>()
        };
        let pyenv = versions_below(around.folder("PYENV_ROOT", ".pyenv").map(|root| root.join("versions")));
        let mut places = Vec::new();
        for folder in around.path_folders() {
            if is_shims(&folder) {
                // What the stand-ins stand for, without their detour.
                places.extend(pyenv.iter().cloned());
            } else {
                places.extend([folder.join(&name), folder.join("python3")]);
            }
        }
        places.extend(pyenv);
        places.extend(versions_below(around.folder("UV_PYTHON_INSTALL_DIR", ".local/share/uv/python")));
        places.extend(around.system_folders().map(|folder| folder.join(&name)));
        places.extend(around.shim_folders().map(|folder| folder.join(&name)));
        places
    }

    async fn probe(&self, program: &Path) -> Option<Python> {
        if !is_program(program) {
            return None;
        }
        let answer = self.probes.ask(program, &["-c", QUESTION]).await?;
        let python: Python = serde_json::from_str(answer.trim()).ok()?;
        (python.platform.starts_with("cpython") && is_program(&python.program)).then_some(python)
    }
}

/// Its own pip, or the one in the standard library that would become it.
///
/// Only forms of pip that leave the search path alone: another would find what is installed beside itself and
/// take it for installed where it installs to.
async fn pip_of(python: &Python) -> Option<Pip> {
    const WHERE: &str = r#"
import glob, importlib.util, os
pip = importlib.util.find_spec("pip")
places = [os.path.join(place, "__pip-runner__.py") for place in (pip and pip.submodule_search_locations) or []]
bundled = glob.glob(os.path.join(os.path.dirname(os.__file__), "ensurepip", "_bundled", "pip-*.whl"))
print(next((place for place in places + bundled if os.path.exists(place)), ""))
"#;
    let tool = Tool::new(&python.program).arg("-c").arg(WHERE).folder(Path::new("/"));
    let answer =
        tool.without_env("PYTHONPATH").without_env("PYTHONHOME").output(Duration::from_mins(1)).await?;
    let place = PathBuf::from(answer.trim());
    let wheel = place.extension().is_some_and(|ending| ending == "whl");
    let runnable = if wheel { place.join("pip") } else { place };
    (!answer.trim().is_empty()).then_some(Pip { runnable })
}

/// 12 of `3.12` and of `3.12.1`.
fn minor_of(version: &str) -> Option<u32> {
    let mut parts = version.split('.');
    (parts.next()? == "3").then(|| parts.next()?.parse().ok())?
}

/// The variable that names the interpreter for a minor version.
fn variable_of(minor: u32) -> String {
    format!("MLEMU_PYTHON_3{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A stand-in that answers as a Python of that version would, or fails as an inactive shim does.
    fn fake(place: &Path, version: Option<&str>) {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let script = match version {
            Some(version) => format!(
                "#!/bin/sh\necho '{{\"version\":\"{version}\",\"minor\":{},\"program\":\"{}\",\
                 \"platform\":\"cpython-test\"}}'\n",
                version.split('.').nth(1).unwrap(),
                place.display()
            ),
            None => "#!/bin/sh\necho command not found >&2\nexit 127\n".into(),
        };
        fs::write(place, script).unwrap();
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
    }

    struct Machine {
        root: tempfile::TempDir,
        variables: Vec<(String, PathBuf)>,
    }

    impl Machine {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let path = format!("{0}/shims:{0}/bin", root.path().display());
            let pyenv = root.path().join("pyenv");
            let variables = vec![("PATH".into(), path.into()), ("PYENV_ROOT".into(), pyenv)];
            Self { root, variables }
        }

        fn with(self, place: &str, version: Option<&str>) -> Self {
            fake(&self.root.path().join(place), version);
            self
        }

        fn naming(mut self, variable: &str, place: &str) -> Self {
            self.variables.push((variable.into(), self.root.path().join(place)));
            self
        }

        fn pythons(&self) -> Pythons {
            let variables: Vec<(&str, &Path)> =
                self.variables.iter().map(|(name, value)| (name.as_str(), value.as_path())).collect();
            Pythons::new(Arc::new(Surroundings::of(&variables)), self.root.path())
        }

        async fn choose(&self, version: &str) -> (String, Option<String>) {
            let choice = self.pythons().choose(version).await.unwrap();
            let place = choice.interpreter.program.strip_prefix(self.root.path()).unwrap().to_owned();
            (place.display().to_string(), choice.warning)
        }
    }

    #[tokio::test]
    async fn the_declared_version_is_taken_where_it_is() {
        let machine = Machine::new()
            .with("shims/python3.12", None)
            .with("bin/python3.11", Some("3.11.2"))
            .with("bin/python3.12", Some("3.12.3"))
            .with("pyenv/versions/3.12.9/bin/python3.12", Some("3.12.9"))
            .with("pyenv/versions/3.12.10/bin/python3.12", Some("3.12.10"));
        assert_eq!(machine.choose("3.12").await, ("pyenv/versions/3.12.10/bin/python3.12".to_owned(), None));
        assert_eq!(machine.choose("3.11").await, ("bin/python3.11".to_owned(), None));
    }

    #[tokio::test]
    async fn a_missing_version_maps_to_the_nearest_and_says_so() {
        let machine =
            Machine::new().with("bin/python3.9", Some("3.9.18")).with("bin/python3.13", Some("3.13.0"));
        let (place, warning) = machine.choose("3.6").await;
        assert_eq!(place, "bin/python3.9");
        assert_eq!(warning.unwrap(), "python3.6 is not supported any more: python 3.9.18 runs it");
        let (place, warning) = machine.choose("3.12").await;
        assert_eq!(place, "bin/python3.13");
        assert_eq!(warning.unwrap(), "python3.12 is not installed: python 3.13.0 runs it");
    }

    #[tokio::test]
    async fn a_variable_overrides_and_a_wrong_one_is_reported() {
        let machine = Machine::new()
            .with("bin/python3.12", Some("3.12.1"))
            .with("mine/python", Some("3.12.5"))
            .naming("MLEMU_PYTHON_312", "mine/python");
        assert_eq!(machine.choose("3.12").await, ("mine/python".to_owned(), None));
        let machine = Machine::new()
            .with("bin/python3.12", Some("3.12.1"))
            .naming("MLEMU_PYTHON_312", "nowhere/python");
        let (place, warning) = machine.choose("3.12").await;
        assert_eq!(place, "bin/python3.12");
        assert!(warning.unwrap().contains("MLEMU_PYTHON_312="));
    }

    #[tokio::test]
    async fn without_any_the_failure_names_the_way_out() {
        let failure = Machine::new().with("bin/python3.6", Some("3.6.1")).pythons().choose("3.12").await;
        let hint = failure.unwrap_err().hint.unwrap();
        assert!(hint.contains("apt install python3") && hint.contains("MLEMU_PYTHON_312"), "{hint}");
    }

    #[test]
    fn versions_as_they_are_declared() {
        assert_eq!(minor_of("3.12"), Some(12));
        assert_eq!(minor_of("3.12.1"), Some(12));
        assert_eq!(minor_of("2.7"), None);
        assert_eq!(minor_of("3"), None);
        assert_eq!(minor_of("3.x"), None);
    }
}
