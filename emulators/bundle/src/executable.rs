//! Functions that are programs themselves, or scripts of one that the machine has: nothing to install, but the program
//! must be there and runnable.

use crate::inputs::Inputs;
use crate::surroundings::{Surroundings, is_program};
use mlemu_core::{BuildFailure, Built, Environment};
use std::path::{Path, PathBuf};

pub(crate) fn build(source: &Path, name: &str) -> Result<(Built, Inputs), BuildFailure> {
    let program = source.join(name);
    let mut inputs = Inputs::default();
    inputs.watch(&program);
    if !program.is_file() {
        return Err(BuildFailure {
            why: format!("there is no `{name}` in `{}`", source.display()),
            hint: Some(format!("build the program and put it there under the name `{name}`")),
        });
    }
    if !is_program(&program) {
        return Err(BuildFailure {
            why: format!("`{}` may not be executed", program.display()),
            hint: Some(format!("chmod +x {}", program.display())),
        });
    }
    Ok((built(source, program), inputs))
}

/// The program of the machine that goes by this name.
pub(crate) fn found(
    source: &Path,
    name: &str,
    among: &Surroundings,
) -> Result<(Built, Inputs), BuildFailure> {
    let program = among.which(name).ok_or_else(|| BuildFailure {
        why: format!("there is no program `{name}` in `{}`, and none on PATH", source.display()),
        hint: Some(format!("install `{name}`, or build it and put it there")),
    })?;
    Ok((built(source, program), Inputs::default()))
}

fn built(source: &Path, program: PathBuf) -> Built {
    Built {
        code: source.to_owned(),
        program,
        version: String::new(),
        client: None,
        env: Environment::new(),
        program_args: Vec::new(),
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_program_of_the_machine_is_found_by_its_name() {
        let (source, tools) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let among = Surroundings::of(&[("PATH", tools.path())]);
        let missing = found(source.path(), "tool", &among).unwrap_err();
        assert!(missing.why.contains("none on PATH") && missing.hint.unwrap().contains("install `tool`"));
        let program = tools.path().join("tool");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let (built, _) = found(source.path(), "tool", &among).unwrap();
        assert_eq!((built.program, built.code), (program, source.path().to_owned()));
    }

    #[test]
    fn it_must_be_there_and_executable() {
        let source = tempfile::tempdir().unwrap();
        let missing = build(source.path(), "bootstrap").unwrap_err();
        assert!(missing.why.contains("there is no `bootstrap`"), "{}", missing.why);
        let program = source.path().join("bootstrap");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
        let locked = build(source.path(), "bootstrap").unwrap_err();
        assert!(locked.hint.unwrap().starts_with("chmod +x"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let (built, inputs) = build(source.path(), "bootstrap").unwrap();
        assert_eq!((built.program, built.code), (program.clone(), source.path().to_owned()));
        assert!(inputs.unchanged());
        fs::remove_file(program).unwrap();
        assert!(!inputs.unchanged());
    }
}
