//! The same face where the process back end has not been written yet.

use crate::{Finding, ShimProgram};
use mlemu_core::sandbox::StartFailure;
use mlemu_core::{Boxed, Confined, Enforcement, Sandbox, SandboxSpec};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

const WHY: &str = "functions run on Linux only for now";

#[derive(Debug)]
pub struct Processes;

impl Processes {
    pub fn new(_shim: ShimProgram, _scratch: PathBuf) -> std::io::Result<Self> {
        Ok(Self)
    }
}

impl Sandbox for Processes {
    fn enforcement(&self) -> Enforcement {
        Enforcement::None
    }

    fn start(&self, spec: SandboxSpec) -> Boxed<'_, Result<Box<dyn Confined>, StartFailure>> {
        let program = spec.program.display().to_string();
        Box::pin(async move { Err(StartFailure { program, why: WHY.into() }) })
    }

    fn forget(&self, _tmp_name: &str) {}
}

pub fn shim_main(_args: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::FAILURE
}

pub fn findings() -> Vec<Finding> {
    vec![Finding { name: "sandbox", ok: false, text: WHY.into(), fix: None }]
}
