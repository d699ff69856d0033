//! A fake build: the source folder's path is its script.

use super::script::alternative;
use super::world::World;
use bytes::Bytes;
use mlemu_core::build::Progress;
use mlemu_core::{Boxed, Build, BuildFailure, Built, Needs, PackageFault, Unpacked, What};
use std::path::PathBuf;
use std::sync::Arc;

pub struct FakeBuild(pub Arc<World>);

/// Counts itself while it lives.
struct Running<'a>(&'a World);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.note(|seen| seen.builds_running -= 1);
    }
}

impl Build for FakeBuild {
    fn build(&self, needs: Needs, progress: Progress) -> Boxed<'_, Result<Arc<Built>, BuildFailure>> {
        Box::pin(async move {
            let world = &*self.0;
            world.note(|seen| {
                seen.builds_running += 1;
                seen.builds += 1;
            });
            let _running = Running(world);
            let source = needs.source.to_string_lossy().into_owned();
            let count = world.count(&source);
            let script = alternative(&source, count).trim().to_owned();
            progress(What::Building { step: script.clone(), detail: false });
            let (word, rest) = script.split_once(' ').unwrap_or((&script, ""));
            match word {
                "gate" => world.pass(rest).await,
                "fail" => {
                    return Err(BuildFailure {
                        why: "no such package".into(),
                        hint: Some("spell it right".into()),
                    });
                }
                "panic" => panic!("the script says so"),
                _ => crate::fake::pass(std::time::Duration::from_millis(1)).await,
            }
            Ok(Arc::new(Built {
                code: needs.source.clone(),
                program: PathBuf::from(if word == "missing" { "/missing" } else { "/fake" }),
                version: "1.2.3".into(),
                client: None,
                env: mlemu_core::Environment::default(),
                program_args: Vec::new(),
                warnings: if word == "odd" { vec!["that was odd".into()] } else { Vec::new() },
            }))
        })
    }

    fn unpack(&self, _archive: Bytes, limit: u64) -> Boxed<'_, Result<Unpacked, PackageFault>> {
        Box::pin(async move { Err(PackageFault::TooLarge { limit }) })
    }

    fn measure(&self, _folder: PathBuf) -> Boxed<'_, u64> {
        Box::pin(async { 0 })
    }
}
