//! Functions that are models: nothing of a language to install, but the library that runs them.
//!
//! The first of these that is there is taken: what `ORT_DYLIB_PATH` names, what is installed beside the code (a
//! Python environment, `node_modules`), what is in the cache; else the library is put there out of the package that
//! brings it for Python, of which nothing else is kept. No interpreter is needed to run a model.

use crate::inputs::Inputs;
use crate::interpreter::Pythons;
use crate::shelf::{Make, Shelf, Wanted, blocking, disk};
use crate::surroundings::{Surroundings, versions_in};
use crate::tool::{Heard, Steps, Tool};
use mlemu_core::build::Progress;
use mlemu_core::{BuildFailure, Built, Environment};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the worker finds the library.
pub const LIBRARY: &str = "MLEMU_ONNX_LIBRARY";
/// The first argument of the program that runs a model.
pub const WORKER: &str = "onnx-worker";
/// Names a library that is to be used whatever else is there.
const NAMED: &str = "ORT_DYLIB_PATH";
/// The newest that was tried.
const PACKAGE: &str = "onnxruntime==1.31.1";
/// The package's files depend on the interpreter, the library in it does not.
const ANY_PYTHON: &str = "3.12";
/// Environments beside the code that may bring the library.
const ENVIRONMENTS: [&str; 3] = [".venv", "venv", ".python_packages"];
const NODE_PACKAGE: &str = "node_modules/onnxruntime-node/bin/napi-v6";

/// Finds the library, or installs it. Clones share the work.
#[derive(Clone)]
pub(crate) struct Workshop {
    surroundings: Arc<Surroundings>,
    pythons: Arc<Pythons>,
    libraries: Shelf,
    /// The program that runs models.
    worker: Option<PathBuf>,
}

impl Workshop {
    pub fn new(cache: &Path, offline: bool, surroundings: Arc<Surroundings>, pythons: Arc<Pythons>) -> Self {
        Self {
            surroundings,
            pythons,
            libraries: Shelf::new(cache.join("onnxruntime"), offline),
            worker: None,
        }
    }

    /// Models run in this program from now on.
    pub fn run_in(&mut self, worker: PathBuf) {
        self.worker = Some(worker);
    }

    pub async fn build(&self, source: &Path, progress: Progress) -> Result<(Built, Inputs), BuildFailure> {
        let library = self.library(source, Steps::new(progress, "onnxruntime")).await?;
        let program = match &self.worker {
            Some(worker) => worker.clone(),
            None => std::env::current_exe().map_err(|error| disk(source, &error))?,
        };
        let mut inputs = Inputs::default();
        inputs.watch(&library);
        let built = Built {
            code: source.to_owned(),
            program,
            version: String::new(),
            client: None,
            env: Environment::from([(LIBRARY.to_owned(), library.display().to_string())]),
            program_args: vec![WORKER.into()],
            warnings: Vec::new(),
        };
        Ok((built, inputs))
    }

    async fn library(&self, source: &Path, steps: Steps) -> Result<PathBuf, BuildFailure> {
        if let Some(named) = self.surroundings.variable(NAMED).map(PathBuf::from) {
            if named.is_file() {
                return Ok(named);
            }
            return Err(BuildFailure {
                why: format!("{NAMED} names {}, and there is no such file", named.display()),
                hint: Some("unset it, and mlemu installs the library into its cache".into()),
            });
        }
        match beside(source) {
            Some(library) => Ok(library),
            None => self.installed(steps).await,
        }
    }

    /// What is in the cache or beside this code, without installing anything.
    pub fn found(&self, source: &Path) -> Option<PathBuf> {
        let named = self.surroundings.variable(NAMED).map(PathBuf::from).filter(|named| named.is_file());
        named.or_else(|| beside(source)).or_else(|| library_in(&self.libraries.ready(&key())?))
    }

    async fn installed(&self, steps: Steps) -> Result<PathBuf, BuildFailure> {
        let wanted =
            Wanted { key: key(), title: PACKAGE.replace("==", " "), online: true, steps: steps.clone() };
        let workshop = self.clone();
        let make: Make =
            Box::new(move |folder| Box::pin(async move { workshop.install(folder, &steps).await }));
        let folder = self.libraries.take(wanted, make).await?;
        library_in(&folder).ok_or_else(|| BuildFailure {
            why: format!("{PACKAGE} has no library for this machine in {}", folder.display()),
            hint: Some(format!("name a libonnxruntime 1.17 or newer with {NAMED}")),
        })
    }

    /// Unpacks the package and keeps the library alone.
    async fn install(&self, folder: PathBuf, steps: &Steps) -> Result<(), BuildFailure> {
        steps.say(&format!("fetching the library of {PACKAGE} (about 25 MB)"));
        let all = folder.join("package");
        let tool = self.installer().await?;
        let tool = tool.args(["--no-deps", "--only-binary", ":all:", "--python-version", ANY_PYTHON]);
        let tool = tool.arg("--target").arg(&all).arg(PACKAGE);
        let heard = |line: &str| match line.trim() {
            line if line.starts_with("Downloading") => Heard::Step(line.to_owned()),
            _ => Heard::Words,
        };
        tool.run(steps, heard).await.map_err(|failure| {
            let hint = format!("check the network, or name a libonnxruntime 1.17 or newer with {NAMED}");
            failure.into_build_failure(&format!("fetching {PACKAGE}"), Some(hint))
        })?;
        let kept = folder.clone();
        let keep = move || match library_in(&all.join("onnxruntime/capi")) {
            Some(library) => {
                fs::rename(&library, kept.join(library.file_name().unwrap_or_default()))?;
                fs::remove_dir_all(&all)
            }
            None => Err(std::io::Error::other("the package has no library")),
        };
        blocking(keep).await.map_err(|error| disk(&folder, &error))
    }

    async fn installer(&self) -> Result<Tool, BuildFailure> {
        if let Some(uv) = self.surroundings.which("uv") {
            return Ok(Tool::new(uv).args(["pip", "install", "--no-progress"]));
        }
        let python = self.pythons.choose_any().await?.interpreter;
        match self.pythons.pip_for(&python).await {
            Some(pip) => Ok(Tool::new(&python.program)
                .arg(&pip.runnable)
                .args(["install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"])
                .env("PIP_USER", "0")
                .without_env("PIP_REQUIRE_VIRTUALENV")),
            None => Err(BuildFailure {
                why: format!("there is neither uv nor any pip to fetch {PACKAGE} with"),
                hint: Some(format!("install pip or uv, or name a libonnxruntime 1.17 or newer with {NAMED}")),
            }),
        }
    }
}

fn key() -> String {
    format!("{}-{}-{}", PACKAGE.replace("==", "-"), std::env::consts::OS, std::env::consts::ARCH)
}

/// What is installed beside the code.
fn beside(source: &Path) -> Option<PathBuf> {
    let python = ENVIRONMENTS.iter().flat_map(|name| versions_in(&source.join(name).join("lib")));
    let python = python.flat_map(|version| {
        [version.join("site-packages/onnxruntime/capi"), version.join("onnxruntime/capi")]
    });
    let (os, arch) = (std::env::consts::OS.replace("macos", "darwin"), arch());
    let node = source.join(NODE_PACKAGE).join(os).join(arch);
    python.chain([node]).find_map(|folder| library_in(&folder))
}

/// As Node calls it.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The library of a folder, whatever version its name has.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name.starts_with("libonnxruntime.") && (name.contains(".so") || name.ends_with(".dylib")))
            || name == "onnxruntime.dll"
    };
    let mut found: Vec<PathBuf> = entries.filter(is_library).collect();
    found.sort();
    found.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    fn workshop(root: &Path, variables: &[(&str, &Path)]) -> Workshop {
        let surroundings = Arc::new(Surroundings::of(variables));
        let pythons = Arc::new(Pythons::new(surroundings.clone(), root));
        Workshop::new(root, true, surroundings, pythons)
    }

    fn steps() -> Steps {
        Steps::new(Arc::new(|_| {}), "test")
    }

    #[tokio::test]
    async fn the_named_library_is_stronger_than_what_is_beside_the_code() {
        let root = tempfile::tempdir().unwrap();
        let (named, own) =
            (root.path().join("mine.so"), ".venv/lib/python3.12/site-packages/onnxruntime/capi");
        let beside = root.path().join(own).join("libonnxruntime.so.1.31.1");
        put(&beside);
        put(&root.path().join(own).join("libonnxruntime_providers_shared.so"));
        let found = workshop(root.path(), &[]).library(root.path(), steps()).await.unwrap();
        assert_eq!(found, beside);
        let with = workshop(root.path(), &[(NAMED, &named)]);
        let missing = with.library(root.path(), steps()).await.unwrap_err();
        assert!(missing.why.contains("mine.so") && missing.hint.is_some(), "{missing}");
        put(&named);
        assert_eq!(with.library(root.path(), steps()).await.unwrap(), named);
        assert_eq!(with.found(root.path()), Some(named));
    }

    #[tokio::test]
    async fn offline_and_nowhere_says_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let missing = workshop(root.path(), &[]).library(root.path(), steps()).await.unwrap_err();
        assert!(missing.why.contains("onnxruntime 1.31.1"), "{missing}");
        assert!(missing.hint.unwrap().contains("--offline"));
    }
}
