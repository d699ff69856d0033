//! Installing into an environment, with uv where it is, else with a pip.

use super::requirements::{Requirements, name_in};
use super::venv::Venv;
use crate::interpreter::{Pip, Python};
use crate::shelf::disk;
use crate::tool::{Heard, Steps, Tool, ToolFailure};
use mlemu_core::BuildFailure;
use std::fs;
use std::path::{Path, PathBuf};

/// Names of packages that are shown before the rest is counted.
const MOST_NAMES: usize = 6;

#[derive(Clone, Debug)]
pub(crate) enum Installer {
    Uv(PathBuf),
    Pip(Pip),
}

/// Whether packages without a built distribution may be compiled here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builds {
    Allowed,
    /// A missing one is an error at once and not after minutes in a compiler.
    Never,
    /// Likewise, and those that ask for a newer interpreter are installed all the same.
    NeverForNewer,
}

/// Installs `requirements` into `venv` and writes the exact versions beside it.
pub(crate) async fn install(
    installer: &Installer,
    venv: &Venv,
    python: &Python,
    requirements: &Requirements,
    builds: Builds,
    steps: &Steps,
) -> Result<(), BuildFailure> {
    let list = venv.root().join("requirements.txt");
    let bounds = venv.root().join("constraints.txt");
    write(&list, &requirements.lines)?;
    write(&bounds, &requirements.constraints)?;
    steps.say(&format!("installing {}", few(requirements)));
    let tool = match installer {
        Installer::Uv(uv) => Tool::new(uv)
            .args(["pip", "install", "--compile-bytecode", "--no-progress", "--python"])
            .arg(venv.python()),
        Installer::Pip(pip) => Tool::new(venv.python())
            .arg(&pip.runnable)
            .args(["install", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"])
            .args(["--progress-bar", "off"]),
    };
    let tool = if builds == Builds::Allowed { tool } else { tool.args(["--only-binary", ":all:"]) };
    // Only pip can pass over what a package asks for; with uv it is asked for a newer interpreter.
    let tool = match installer {
        Installer::Pip(_) if builds == Builds::NeverForNewer => tool.arg("--ignore-requires-python"),
        _ => tool,
    };
    let tool = tool.arg("--requirement").arg(&list).arg("--constraint").arg(&bounds);
    let tool = if requirements.folder.is_dir() { tool.folder(&requirements.folder) } else { tool };
    quiet(tool).run(steps, sort).await.map_err(|failure| explain(failure, python, requirements))?;
    let installed = venv.installed().map_err(|error| disk(venv.root(), &error))?;
    write(&venv.root().join("installed.txt"), &installed)
}

/// Without what the developer's environment could do to an install.
fn quiet(tool: Tool) -> Tool {
    let set = [
        ("PIP_NO_INPUT", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        ("PIP_USER", "0"),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONUTF8", "1"),
    ];
    let tool = set.into_iter().fold(tool, |tool, (name, value)| tool.env(name, value));
    ["PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV", "PIP_REQUIRE_VIRTUALENV"]
        .into_iter()
        .fold(tool, Tool::without_env)
}

fn write(file: &Path, lines: &[String]) -> Result<(), BuildFailure> {
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    fs::write(file, text).map_err(|error| disk(file, &error))
}

/// `scikit-learn, joblib` or `a, b, c, d, e, f and 12 more`.
fn few(requirements: &Requirements) -> String {
    let lines = requirements.lines.iter().filter(|line| !line.starts_with('-'));
    let mut names: Vec<String> = Vec::new();
    // One package may have several lines, each for other versions of the interpreter.
    for name in lines.map(|line| name_in(line)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.len() {
        0 => requirements.file.clone(),
        count if count > MOST_NAMES => {
            format!("{} and {} more", names[..MOST_NAMES].join(", "), count - MOST_NAMES)
        }
        _ => names.join(", "),
    }
}

/// The lines of uv and pip that tell something to a person who waits.
fn sort(line: &str) -> Heard {
    const TELLING: [&str; 10] = [
        "Collecting ",
        "Downloading ",
        "Building ",
        "Installing ",
        "Resolved ",
        "Prepared ",
        "Installed ",
        "Downloaded ",
        "Preparing ",
        "Using cached ",
    ];
    let line = line.trim();
    let told = TELLING.iter().any(|start| line.starts_with(start)) || line.starts_with("+ ");
    match line.split(" (from ").next() {
        Some(step) if told => Heard::Step(step.to_owned()),
        _ => Heard::Words,
    }
}

fn explain(failure: ToolFailure, python: &Python, requirements: &Requirements) -> BuildFailure {
    let hint = hint(&failure.last_words.join("\n"), python);
    let what = format!("{}: installing {} of {}", python.title(), few(requirements), requirements.file);
    failure.into_build_failure(&what, hint)
}

fn hint(words: &str, python: &Python) -> Option<String> {
    let says = |any: &[&str]| any.iter().any(|text| words.contains(text));
    if says(&["name resolution", "NewConnectionError", "Connection refused", "dns error", "Failed to fetch"])
    {
        let hint = "the package index cannot be reached: check the network and the proxy; what was installed \
                    before works with --offline";
        return Some(hint.into());
    }
    if says(&["No space left on device"]) {
        return Some("the disk is full".into());
    }
    if says(&["gcc", "compiler", "Python.h", "subprocess-exited-with-error", "Failed building wheel"]) {
        let hint = "a package has to be compiled here: pin a version that has a wheel, or install a compiler and \
                    headers (e.g. `apt install build-essential python3-dev`)";
        return Some(hint.into());
    }
    if says(&["No matching distribution", "No solution found", "no usable wheels", "has no wheels"]) {
        return Some(format!(
            "no such version, or none built for python 3.{} on {}: pin another version or declare another runtime",
            python.minor, python.platform
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_counted() {
        let few = |names: &[&str]| few(&Requirements::of_packages(names.iter().copied()));
        assert_eq!(few(&["a==1", "b>2"]), "a, b");
        assert_eq!(few(&["a", "b", "c", "d", "e", "f", "g", "h"]), "a, b, c, d, e, f and 2 more");
        assert_eq!(few(&["a==1; python_version < \"3.10\"", "a==2; python_version >= \"3.10\""]), "a");
        assert_eq!(few(&["-e ."]), "packages");
    }

    #[test]
    fn only_telling_lines_are_shown() {
        let step_of = |line: &str| match sort(line) {
            Heard::Step(step) => Some(step),
            Heard::Words | Heard::Output => None,
        };
        assert_eq!(step_of("Collecting six (from -r x.txt (line 1))").as_deref(), Some("Collecting six"));
        assert_eq!(
            step_of("  Downloading torch.whl (755.5 MB)").as_deref(),
            Some("Downloading torch.whl (755.5 MB)")
        );
        assert_eq!(step_of(" + six==1.17.0").as_deref(), Some("+ six==1.17.0"));
        assert_eq!(step_of("Looking in links: /x"), None);
    }

    #[test]
    fn the_usual_failures_have_a_hint() {
        let python = Python {
            version: "3.9.1".into(),
            minor: 9,
            program: PathBuf::new(),
            platform: "cpython-x".into(),
        };
        let of = |words: &str| hint(words, &python).unwrap_or_default();
        assert!(of("ERROR: No matching distribution found for numpy==99").contains("python 3.9"));
        assert!(of("Temporary failure in name resolution\nNo matching distribution").contains("--offline"));
        assert!(of("error: command 'gcc' failed").contains("build-essential"));
        assert_eq!(of("something else"), "");
    }
}
