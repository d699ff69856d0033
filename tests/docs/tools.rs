//! The vendors' own clients, installed once, and what is said when something is missing.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `pip` is asked for; `python`, `aws` and `boto3` are in the environment then.
const CLIENTS: [&str; 3] = ["boto3<2", "awscli<2", "google-cloud-storage>=3,<4"];

/// Kept between runs.
pub fn kept(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder below the target folder");
    folder
}

/// Tells the person who runs the tests, past the harness that keeps quiet about what passes.
pub fn skipped(page: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {page}: {why}");
}

/// The first program that is not there.
pub fn missing(programs: &[&str]) -> Option<String> {
    let there = |program: &&&str| {
        !Command::new(program).arg("--version").output().is_ok_and(|ran| ran.status.success())
    };
    programs.iter().find(there).map(|program| format!("there is no `{program}`"))
}

/// The folder with `python` and `aws` in it. Of many tests that ask at once, one installs.
pub fn clients() -> Result<PathBuf, String> {
    let home = kept("clients");
    let lock = File::create(home.join("lock")).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.map_err(|error| format!("cannot lock {}: {error}", home.display()))?;
    let (venv, done) = (home.join("venv"), home.join("done"));
    let wanted = CLIENTS.join("\n");
    if fs::read_to_string(&done).is_ok_and(|have| have == wanted) {
        return Ok(venv.join("bin"));
    }
    let _ = fs::remove_dir_all(&venv);
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    run(Command::new(venv.join("bin/python")).args(["-m", "pip", "install", "--quiet"]).args(CLIENTS))?;
    fs::write(&done, wanted).map_err(|error| error.to_string())?;
    Ok(venv.join("bin"))
}

fn run(command: &mut Command) -> Result<(), String> {
    let ran = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let last = said.lines().last().unwrap_or("it gave no reason");
    Err(format!("the vendors' clients cannot be installed: {last}"))
}
