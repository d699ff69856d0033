//! The vendors' own clients, installed once into the build's cache, and the scripts that drive them.

use super::house::House;
use super::plan::cache;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PYTHON_PACKAGES: [&str; 2] = ["boto3>=1.40,<2", "awscli>=1.42,<2"];
const PYTEST_PACKAGES: [&str; 2] = ["pytest>=8,<10", "pytest-xdist>=3.6,<4"];
const VITEST_PACKAGES: [&str; 1] = ["vitest@3"];
const JEST_PACKAGES: [&str; 1] = ["jest@30"];
const NODE_PACKAGES: [&str; 2] = ["@aws-sdk/client-s3@3.1169.0", "@aws-sdk/client-sqs@3.1169.0"];
const GOOGLE_PYTHON_PACKAGES: [&str; 2] = ["google-cloud-storage>=3,<4", "google-cloud-pubsub>=2.30,<3"];
const GOOGLE_FUNCTIONS_PACKAGES: [&str; 2] =
    ["google-cloud-functions>=1.20,<2", "google-cloud-tasks>=2.19,<3"];
const GOOGLE_PREDICT_PACKAGES: [&str; 1] = ["google-api-python-client>=2.150,<3"];
const GOOGLE_VERTEX_PACKAGES: [&str; 1] = ["google-cloud-aiplatform>=1.100,<3"];
const AZURE_PYTHON_PACKAGES: [&str; 2] = ["azure-storage-blob>=12.24,<13", "azure-storage-queue>=12.12,<13"];
const AZURE_NODE_PACKAGES: [&str; 2] = ["@azure/storage-blob@12.32.0", "@azure/storage-queue@12.30.0"];
const GOOGLE_NODE_PACKAGES: [&str; 2] = ["@google-cloud/storage@7.22.0", "@google-cloud/pubsub@5.3.1"];

/// A folder with clients in it.
pub struct Clients {
    folder: PathBuf,
}

/// boto3 and the AWS CLI; says why when there are none.
pub fn python() -> Option<Clients> {
    installed("python", &PYTHON_PACKAGES, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let pip = folder.join("bin/python");
        run(Command::new(pip).args(["-m", "pip", "install", "--quiet"]).args(PYTHON_PACKAGES))
    })
}

/// pytest with our own plugin, as it is in the repository; says why when there is none.
pub fn pytest() -> Option<Clients> {
    // It is not copied: another checkout has another one.
    let plugin = concat!(env!("CARGO_MANIFEST_DIR"), "/src/harness/python");
    let packages = [PYTEST_PACKAGES[0], PYTEST_PACKAGES[1], plugin];
    installed("pytest", &packages, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let pip = |what: &[&str]| {
            run(Command::new(folder.join("bin/python")).args(["-m", "pip", "install", "--quiet"]).args(what))
        };
        pip(&PYTEST_PACKAGES)?;
        pip(&["--editable", plugin])
    })
}

/// The AWS SDK for JavaScript; says why when there is none.
pub fn node() -> Option<Clients> {
    installed("node", &NODE_PACKAGES, |folder| {
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        run(Command::new("npm").args(npm).arg(folder).args(NODE_PACKAGES))
    })
}

/// Google's client libraries for Python; says why when there are none.
pub fn google_python() -> Option<Clients> {
    installed("google-python", &GOOGLE_PYTHON_PACKAGES, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let pip = folder.join("bin/python");
        run(Command::new(pip).args(["-m", "pip", "install", "--quiet"]).args(GOOGLE_PYTHON_PACKAGES))
    })
}

/// Google's client libraries for functions and tasks; says why when there are none.
pub fn google_functions() -> Option<Clients> {
    installed("google-functions", &GOOGLE_FUNCTIONS_PACKAGES, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let pip = folder.join("bin/python");
        run(Command::new(pip).args(["-m", "pip", "install", "--quiet"]).args(GOOGLE_FUNCTIONS_PACKAGES))
    })
}

/// Google's client of all its APIs for Python; says why when there is none.
pub fn google_predict() -> Option<Clients> {
    installed("google-predict", &GOOGLE_PREDICT_PACKAGES, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let pip = folder.join("bin/python");
        run(Command::new(pip).args(["-m", "pip", "install", "--quiet"]).args(GOOGLE_PREDICT_PACKAGES))
    })
}

/// Google's client library of Vertex AI for Python; says why when there is none.
pub fn google_vertex() -> Option<Clients> {
    installed("google-vertex", &GOOGLE_VERTEX_PACKAGES, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let pip = folder.join("bin/python");
        run(Command::new(pip).args(["-m", "pip", "install", "--quiet"]).args(GOOGLE_VERTEX_PACKAGES))
    })
}

/// Azure's client libraries of storage for Python; says why when there are none.
pub fn azure_python() -> Option<Clients> {
    installed("azure-python", &AZURE_PYTHON_PACKAGES, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let pip = folder.join("bin/python");
        run(Command::new(pip).args(["-m", "pip", "install", "--quiet"]).args(AZURE_PYTHON_PACKAGES))
    })
}

/// Azure's client libraries of storage for Node; says why when there are none.
pub fn azure_node() -> Option<Clients> {
    installed("azure-node", &AZURE_NODE_PACKAGES, |folder| {
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        run(Command::new("npm").args(npm).arg(folder).args(AZURE_NODE_PACKAGES))
    })
}

/// Google's client library for Node; says why when there is none.
pub fn google_node() -> Option<Clients> {
    installed("google-node", &GOOGLE_NODE_PACKAGES, |folder| {
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        run(Command::new("npm").args(npm).arg(folder).args(GOOGLE_NODE_PACKAGES))
    })
}

/// Vitest, as in the project that it will be used in; says why when there is none.
pub fn vitest() -> Option<Clients> {
    installed("vitest", &VITEST_PACKAGES, |folder| {
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        run(Command::new("npm").args(npm).arg(folder).args(VITEST_PACKAGES))
    })
}

/// Jest, as in the project that it will be used in; says why when there is none.
pub fn jest() -> Option<Clients> {
    installed("jest", &JEST_PACKAGES, |folder| {
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        run(Command::new("npm").args(npm).arg(folder).args(JEST_PACKAGES))
    })
}

/// Our package for Node, installed into a project as its user would; says so when npm cannot.
pub fn npm_install(project: &Path, how: &str) -> bool {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/harness/node");
    let npm = ["install", "--no-audit", "--no-fund", how, folder];
    said_if_not(run(Command::new("npm").current_dir(project).args(npm)))
}

/// A virtual environment in a project, with pytest and our plugin, as its user would make it; says so when pip cannot.
pub fn venv_with_plugin(project: &Path) -> bool {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/harness/python");
    let venv = run(Command::new("python3").current_dir(project).args(["-m", "venv", ".venv"]));
    said_if_not(venv.and_then(|()| {
        let pip = project.join(".venv/bin/python");
        run(Command::new(pip).args(["-m", "pip", "install", "--quiet", "pytest", folder]))
    }))
}

fn said_if_not(done: Result<(), String>) -> bool {
    if let Err(why) = &done {
        eprintln!("skipped: a front end cannot be installed: {why}");
    }
    done.is_ok()
}

/// Compiles a program of one file; says so when there is no compiler.
pub fn rustc(source: &Path, program: &Path) -> bool {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let done = run(Command::new(compiler).args(["--edition", "2024", "-o"]).arg(program).arg(source));
    if let Err(why) = &done {
        eprintln!("skipped: nothing can be compiled here: {why}");
    }
    done.is_ok()
}

/// Where Python 3 is, if it is one before 3.13, and which it is; says so when it is not.
pub fn older_python() -> Option<(PathBuf, String)> {
    let ask = "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2])";
    let output = Command::new("python3").args(["-c", ask]).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (path, version) = said.trim().rsplit_once(' ')?;
    if version.strip_prefix("3.").and_then(|minor| minor.parse().ok()).is_some_and(|minor: u32| minor < 13) {
        return Some((path.into(), version.to_owned()));
    }
    eprintln!("skipped: python3 is {version} here, which is new enough");
    None
}

/// The major version of the Node in `PATH`; says so when there is none.
pub fn node_version() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let version = text.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if version.is_none() {
        eprintln!("skipped: there is no node");
    }
    version
}

/// Installs once for these packages; tests that run at the same time wait for each other.
fn installed(
    name: &str,
    packages: &[&str],
    install: impl Fn(&Path) -> Result<(), String>,
) -> Option<Clients> {
    let folder = cache().join(name);
    std::fs::create_dir_all(&folder).expect("a folder for clients");
    let lock = File::create(folder.with_extension("lock")).expect("a lock");
    lock.lock().expect("locked");
    let done = folder.join("complete");
    let packages = packages.join("\n");
    if std::fs::read_to_string(&done).ok().as_deref() != Some(&packages) {
        if let Err(why) = install(&folder) {
            eprintln!("skipped: the clients for {name} cannot be installed: {why}");
            return None;
        }
        std::fs::write(&done, &packages).expect("marked");
    }
    Some(Clients { folder })
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

impl Clients {
    /// Where everything is installed.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program that was installed.
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.folder.join("bin").join(name))
    }

    /// Runs a case of a script in `clients/` against a daemon; its words are the test's when it fails.
    /// Returns what it printed.
    #[track_caller]
    pub fn drive(&self, house: &House, script: &str, case: &str) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients").join(script);
        let python = script.extension().is_some_and(|end| end == "py");
        let program = if python { self.folder.join("bin/python") } else { "node".into() };
        let mut command = Command::new(program);
        command.arg(&script);
        self.prepare(&mut command, house).arg(case);
        finish(&mut command, &format!("{} {case}", script.display()))
    }

    /// The AWS CLI in the project's folder.
    #[track_caller]
    pub fn aws(&self, house: &House, args: &[&str]) -> String {
        let mut command = Command::new(self.folder.join("bin/aws"));
        self.prepare(&mut command, house).args(args);
        finish(&mut command, &format!("aws {}", args.join(" ")))
    }

    fn prepare<'a>(&self, command: &'a mut Command, house: &House) -> &'a mut Command {
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.folder).env("PYTHONDONTWRITEBYTECODE", "1").env("AWS_PAGER", "");
        command.env("CLIENTS", self.folder.join("package.json")).envs(house.env());
        command.env("MLEMU_URL", format!("http://{}", house.control())).env("MLEMU_TOKEN", house.token());
        command.env("MLEMU_PID", house.pid().to_string());
        command.env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/src/harness/python"));
        command.current_dir(house.plan.path("")).stdin(Stdio::null())
    }
}

#[track_caller]
fn finish(command: &mut Command, what: &str) -> String {
    let output = command.output().expect("the client runs");
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}\n{said}\n{complained}");
    said.into_owned()
}
