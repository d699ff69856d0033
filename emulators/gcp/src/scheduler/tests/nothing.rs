//! What stands where functions would be built and run: here nothing does.

use mlemu_core::build::Progress;
use mlemu_core::sandbox::StartFailure;
use mlemu_core::{
    Boxed, Build, BuildFailure, Built, Confined, Enforcement, Needs, PackageFault, Sandbox, SandboxSpec,
    Unpacked,
};
use std::path::PathBuf;
use std::sync::Arc;

pub struct Nothing;

const WHY: &str = "nothing runs here";

impl Build for Nothing {
    fn build(&self, _: Needs, _: Progress) -> Boxed<'_, Result<Arc<Built>, BuildFailure>> {
        Box::pin(async { Err(BuildFailure { why: WHY.into(), hint: None }) })
    }

    fn unpack(&self, _: bytes::Bytes, limit: u64) -> Boxed<'_, Result<Unpacked, PackageFault>> {
        Box::pin(async move { Err(PackageFault::TooLarge { limit }) })
    }

    fn measure(&self, _: PathBuf) -> Boxed<'_, u64> {
        Box::pin(async { 0 })
    }
}

impl Sandbox for Nothing {
    fn enforcement(&self) -> Enforcement {
        Enforcement::None
    }

    fn start(&self, spec: SandboxSpec) -> Boxed<'_, Result<Box<dyn Confined>, StartFailure>> {
        let program = spec.program.display().to_string();
        Box::pin(async { Err(StartFailure { program, why: WHY.into() }) })
    }

    fn forget(&self, _: &str) {}
}
