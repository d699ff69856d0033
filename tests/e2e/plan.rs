//! A project that is about to be started: its files, and how its daemon shall be.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What outlives a run of the tests: installed packages, by us and by the daemons under test.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e")
}

/// The repository's example of that name.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// A project in a folder of its own. `up` (house.rs) starts it inside of the test, `program` (program.rs) as a person
/// does.
pub struct Plan {
    folder: TempDir,
    pub(super) runtime: TempDir,
    /// Of `mlemu up`; only the program has any.
    pub(super) args: Vec<OsString>,
    /// Of the program, whichever verb it is.
    pub(super) env: Vec<(String, String)>,
    pub(super) seed: Option<u64>,
    pub(super) clock: Option<String>,
    pub(super) offline: bool,
    pub(super) watch: bool,
}

impl Plan {
    pub fn new() -> Self {
        let folder = |what| tempfile::Builder::new().prefix(what).tempdir().expect("a temporary folder");
        Self {
            folder: folder("project-"),
            runtime: folder("runtime-"),
            args: Vec::new(),
            env: Vec::new(),
            seed: None,
            clock: None,
            offline: false,
            watch: false,
        }
    }

    /// A copy of an example, without what only its first run makes.
    pub fn of_example(name: &str) -> Self {
        Self::copy_of(&example(name))
    }

    /// Copies of all examples side by side: some use files of others.
    pub fn of_all_examples() -> Self {
        Self::copy_of(&example(""))
    }

    fn copy_of(from: &Path) -> Self {
        let plan = Self::new();
        let walk = ignore::WalkBuilder::new(from).hidden(false).require_git(false).build();
        for entry in walk.map(|entry| entry.expect("readable")).filter(|entry| entry.path().is_file()) {
            let to = plan.path("").join(entry.path().strip_prefix(from).expect("below it"));
            std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
            std::fs::copy(entry.path(), to).expect("copied");
        }
        plan
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
        self
    }

    /// What a run repeats by.
    pub fn repeating(self, seed: u64, clock: &str) -> Self {
        Self { seed: Some(seed), clock: Some(clock.into()), ..self }
    }

    /// No package registry is reached for.
    pub fn offline(self) -> Self {
        Self { offline: true, ..self }
    }

    /// What is saved is live at once.
    pub fn watching(self) -> Self {
        Self { watch: true, ..self }
    }

    /// One more argument of `mlemu up`.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Any verb of the program, as typed in the project's folder.
    pub fn mlemu(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlemu"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["AWS_", "GOOGLE_", "CLOUDSDK_", "STORAGE_", "AZURE_", "PUBSUB_", "MLEMU_", "XDG_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
            {
                command.env_remove(name);
            }
        }
        for name in ["NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        // What is tested here is not how long work takes in a cloud.
        command.env("MLEMU_CPU", "off");
        command.env("MLEMU_CACHE", cache().join("cache")).env("XDG_RUNTIME_DIR", self.runtime.path());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}
