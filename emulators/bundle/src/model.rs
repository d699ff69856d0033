//! Functions that are models: nothing of a language to install, but the library that runs them.
//!
//! The first of these that is there is taken: what `ORT_DYLIB_PATH` names, what is installed beside the code (a
//! Python environment, `node_modules`), what is in the cache; else the library is put there out of the package that
//! brings it for Python, of which nothing else is kept. No interpreter is needed to run a model, only to fetch it; and
//! what is fetched must hash to what it did when it was tried.

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
use std::time::Duration;

/// Where the worker finds the library.
pub const LIBRARY: &str = "MLEMU_ONNX_LIBRARY";
/// The first argument of the program that runs a model.
pub const WORKER: &str = "onnx-worker";
/// Its second, where it is only to say which version a library is.
pub const VERSION: &str = "version";
/// Names a library that is to be used whatever else is there.
const NAMED: &str = "ORT_DYLIB_PATH";
/// The newest that was tried.
const PACKAGE: &str = "onnxruntime==1.31.1";
/// The package's files depend on the interpreter, the library in it does not.
const ANY_PYTHON: &str = "3.12";
/// What the package's file hashes to, by system and machine; of others the registry's own word is taken.
const HASHES: [(&str, &str, &str); 3] = [
    ("linux", "x86_64", "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536"),
    ("linux", "aarch64", "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc"),
    ("macos", "aarch64", "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c"),
];
/// The first pip that tells programs how far it is.
const TELLING_PIP: (u32, u32) = (24, 1);
/// How long a library may take to say which one it is.
const PATIENCE: Duration = Duration::from_secs(20);

/// Is told of so many bytes of so many.
pub type Meter = Arc<dyn Fn(u64, u64) + Send + Sync>;
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
            None => self.installed(steps, Arc::new(|_, _| {})).await,
        }
    }

    /// What a library says of itself, e.g. `1.31`; nothing where it is none. It is asked in a process of its own,
    /// which a broken one may end.
    pub async fn version(&self, library: &Path) -> Option<String> {
        let program = self.worker.clone().or_else(|| std::env::current_exe().ok())?;
        let said = Tool::new(program).args([WORKER, VERSION]).arg(library).output(PATIENCE).await?;
        Some(said.trim().to_owned()).filter(|said| !said.is_empty())
    }

    /// What is in the cache or beside this code, without installing anything.
    pub fn found(&self, source: &Path) -> Option<PathBuf> {
        let named = self.surroundings.variable(NAMED).map(PathBuf::from).filter(|named| named.is_file());
        named.or_else(|| beside(source)).or_else(|| library_in(&self.libraries.ready(&key())?))
    }

    /// The library in the cache, put there now if need be.
    pub async fn installed(&self, steps: Steps, meter: Meter) -> Result<PathBuf, BuildFailure> {
        let wanted =
            Wanted { key: key(), title: PACKAGE.replace("==", " "), online: true, steps: steps.clone() };
        let workshop = self.clone();
        let make: Make =
            Box::new(move |folder| Box::pin(async move { workshop.install(folder, &steps, &meter).await }));
        let folder = self.libraries.take(wanted, make).await?;
        library_in(&folder).ok_or_else(|| BuildFailure {
            why: format!("{PACKAGE} has no library for this machine in {}", folder.display()),
            hint: Some(format!("name a libonnxruntime 1.17 or newer with {NAMED}")),
        })
    }

    /// Unpacks the package and keeps the library alone.
    async fn install(&self, folder: PathBuf, steps: &Steps, meter: &Meter) -> Result<(), BuildFailure> {
        steps.say(&format!("fetching the library of {PACKAGE} (about 25 MB) into {}", folder.display()));
        let (all, wanted) = (folder.join("package"), folder.join("wanted.txt"));
        fs::write(&wanted, wanted_text()).map_err(|error| disk(&folder, &error))?;
        let tool = self.installer().await?;
        let tool = tool.args(["--no-deps", "--only-binary", ":all:", "--python-version", ANY_PYTHON]);
        let tool = tool.arg("--target").arg(&all).arg("-r").arg(&wanted);
        let heard = |line: &str| {
            if let Some((done, total)) = progress(line) {
                meter(done, total);
                return Heard::Step(format!("{:.1} of {:.1} MB", megabytes(done), megabytes(total)));
            }
            match line.trim() {
                line if line.starts_with("Downloading") => Heard::Step(line.to_owned()),
                _ => Heard::Words,
            }
        };
        tool.run(steps, heard).await.map_err(|failure| {
            let hint = format!("check the network, or name a libonnxruntime 1.17 or newer with {NAMED}");
            failure.into_build_failure(&format!("fetching {PACKAGE}"), Some(hint))
        })?;
        let kept = folder.clone();
        let keep = move || match library_in(&all.join("onnxruntime/capi")) {
            Some(library) => {
                fs::rename(&library, kept.join(library.file_name().unwrap_or_default()))?;
                fs::remove_file(wanted)?;
                fs::remove_dir_all(&all)
            }
            None => Err(std::io::Error::other("the package has no library")),
        };
        blocking(keep).await.map_err(|error| disk(&folder, &error))
    }

    async fn installer(&self) -> Result<Tool, BuildFailure> {
        let pip = match self.pythons.choose_any().await {
            Ok(python) => {
                self.pythons.pip_for(&python.interpreter).await.map(|pip| (python.interpreter, pip))
            }
            Err(_) => None,
        };
        let tells = match &pip {
            Some((python, pip)) => {
                Tool::new(&python.program).arg(&pip.runnable).arg("--version").output(PATIENCE).await
            }
            None => None,
        };
        let tells = tells.and_then(|said| pip_version(&said)).is_some_and(|version| version >= TELLING_PIP);
        match (pip, self.surroundings.which("uv")) {
            (Some((python, pip)), uv) if tells || uv.is_none() => Ok(Tool::new(&python.program)
                .arg(&pip.runnable)
                .args(["install", "--no-input", "--disable-pip-version-check"])
                .args(["--progress-bar", if tells { "raw" } else { "off" }])
                .env("PIP_USER", "0")
                .without_env("PIP_REQUIRE_VIRTUALENV")),
            (_, Some(uv)) => Ok(Tool::new(uv).args(["pip", "install", "--no-progress"])),
            _ => Err(BuildFailure {
                why: format!("there is neither uv nor any pip to fetch {PACKAGE} with"),
                hint: Some(format!("install pip or uv, or name a libonnxruntime 1.17 or newer with {NAMED}")),
            }),
        }
    }
}

/// The package, and what its file must hash to: an installer refuses any other.
fn wanted_text() -> String {
    let here = (std::env::consts::OS, std::env::consts::ARCH);
    let hash = HASHES.iter().find(|(system, machine, _)| (*system, *machine) == here);
    hash.map_or_else(|| PACKAGE.to_owned(), |(_, _, hash)| format!("{PACKAGE} --hash=sha256:{hash}\n"))
}

/// Of `Progress 1024 of 4096`, as pip says it.
fn progress(line: &str) -> Option<(u64, u64)> {
    let (done, total) = line.trim().strip_prefix("Progress ")?.split_once(" of ")?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Of `pip 24.0 from ...`.
fn pip_version(said: &str) -> Option<(u32, u32)> {
    let version = said.strip_prefix("pip ")?.split_whitespace().next()?;
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next().flatten().unwrap_or_default()))
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
        let of_unix = name.strip_prefix("libonnxruntime.").is_some_and(|rest| {
            rest.split('.').any(|part| part == "so") || rest.split('.').next_back() == Some("dylib")
        });
        of_unix || name == "onnxruntime.dll"
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

    #[test]
    fn installers_are_understood() {
        assert_eq!(progress("   Progress 1024 of 4096"), Some((1024, 4096)));
        assert_eq!(progress("Progress of things"), None);
        assert_eq!(pip_version("pip 24.0 from /x (python 3.12)"), Some((24, 0)));
        assert_eq!(pip_version("pip 26.1.dev0 from /x"), Some((26, 1)));
        assert_eq!(pip_version("usage: pip"), None);
        assert!(wanted_text().starts_with(PACKAGE));
    }
}
