//! Which functions code registers, asked of the framework's own registry in the project's interpreter.
//!
//! The code is loaded once for that, as an instance would load it: for code whose text does not tell.

use super::{Framework, Signature, clients, environment};
use bytes::Bytes;
use mlemu_core::runtime::Unsupported;
use mlemu_core::sandbox::{Ending, Output, SandboxSpec, StartFailure};
use mlemu_core::{BuildFailure, Needs, Revision, Stream};
use mlemu_engine::{Parts, aids};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;

const READ: &str = include_str!("registry.py");
const READ_NAME: &str = concat!("read-registry-", env!("CARGO_PKG_VERSION"), ".py");
/// Models may be loaded with the code.
const PATIENCE: Duration = Duration::from_mins(2);
/// More than any code may say on the way, in bytes.
const MOST: usize = 1 << 20;

/// Why a registry could not be read.
#[derive(Debug, Error)]
pub(crate) enum ReadFault {
    #[error("{}", .0.why)]
    Unsupported(Unsupported),
    #[error(transparent)]
    Build(#[from] BuildFailure),
    #[error(transparent)]
    Start(#[from] StartFailure),
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error("its code did not come to an end within {} s", PATIENCE.as_secs())]
    Endless,
    #[error("its code cannot be loaded\n{said}")]
    Failed { said: String },
}

#[derive(Default)]
struct Said {
    answer: Vec<u8>,
    talk: Vec<u8>,
}

/// What the process writes, as far as it is kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Said>>);

impl Output for Kept {
    fn write(&self, stream: Stream, bytes: Bytes) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let to = if stream == Stream::Stdout { &mut said.answer } else { &mut said.talk };
        if to.len() + bytes.len() <= MOST {
            to.extend_from_slice(&bytes);
        }
    }
}

impl Framework {
    /// The functions of a revision's code, by name.
    pub(crate) async fn registered(
        &self,
        parts: &Parts,
        revision: &Revision,
    ) -> Result<BTreeMap<String, Signature>, ReadFault> {
        let kept = Kept::default();
        let needs = clients::needs(revision).map_err(ReadFault::Unsupported)?;
        let spec = self.reading(parts, revision, needs, kept.clone()).await?;
        let name = spec.tmp_name.clone();
        let ending = run(parts, spec).await;
        parts.sandbox.forget(&name);
        let ending = ending?;
        let said = std::mem::take(&mut *kept.0.lock().unwrap_or_else(PoisonError::into_inner));
        let found = serde_json::from_slice::<BTreeMap<String, String>>(&said.answer).ok();
        match found.filter(|_| ending == Ending::Exit(0)) {
            Some(found) => Ok(found
                .into_iter()
                .filter_map(|(name, word)| Some((name, Signature::of_word(&word)?)))
                .collect()),
            None => {
                Err(ReadFault::Failed { said: String::from_utf8_lossy(&said.talk).trim_end().to_owned() })
            }
        }
    }

    async fn reading(
        &self,
        parts: &Parts,
        revision: &Revision,
        needs: Needs,
        output: Kept,
    ) -> Result<SandboxSpec, ReadFault> {
        let built = parts.build.build(needs, Arc::new(|_| ())).await?;
        let mut args = built.program_args.clone();
        args.push(aids::keep(&self.folder, READ_NAME, READ).await?.display().to_string());
        let name = format!("registry-{}", parts.ids.fresh("registry").hex());
        Ok(SandboxSpec {
            tmp_name: name.clone(),
            name,
            program: built.program.clone(),
            args,
            env: environment::of(revision, &built, self, 0),
            folder: built.code.clone(),
            memory: revision.limits.memory,
            cpu: None,
            tmp: revision.limits.tmp,
            tmp_is_memory: true,
            output: Arc::new(output),
        })
    }
}

async fn run(parts: &Parts, spec: SandboxSpec) -> Result<Ending, ReadFault> {
    let confined = parts.sandbox.start(spec).await?;
    tokio::select! {
        ending = confined.ended() => {
            confined.drain().await;
            Ok(ending)
        }
        () = parts.clock.sleep(PATIENCE) => Err(ReadFault::Endless),
    }
}
