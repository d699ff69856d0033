//! The push protocol: a function runs behind the vendor's own functions-framework, an HTTP server on a
//! loopback port, and each event is one request to it.
//!
//! [`clients`] says which packages a runtime needs and how it is started, [`environment`] what it is told,
//! [`deliver`] makes the request, [`session`] sends it, [`registry`] asks code for its functions. Knows nothing of the APIs that users call.
//!
//! Source: the read-me files of the functions-framework; Cloud Run, "Container runtime contract".

mod clients;
mod cloudevent;
mod connections;
mod deliver;
mod described;
mod environment;
pub mod lines;
mod port;
mod registry;
mod session;

pub(crate) use deliver::{EXECUTION_ID, end_to_end};
pub(crate) use environment::{emulators, revision_name};
pub(crate) use session::STATUS_HEADER;

use crate::place::Place;
use crate::profile::Generation;
use mlemu_core::runtime::{Command, Unsupported, Unwrapped};
use mlemu_core::{Boxed, Built, InstanceId, Keeping, Needs, Record, Revision, Runtime, Session};
use port::Reservation;
use session::PushSession;
use std::path::PathBuf;
use std::sync::Arc;

/// How a function takes its events. A decorator in its code is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    Http,
    CloudEvent,
    /// The first generation's `(data, context)`.
    Background,
    Typed,
}

impl Signature {
    /// As `FUNCTION_SIGNATURE_TYPE` has it.
    pub fn word(self) -> &'static str {
        match self {
            Signature::Http => "http",
            Signature::CloudEvent => "cloudevent",
            Signature::Background => "event",
            Signature::Typed => "typed",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        [Signature::Http, Signature::CloudEvent, Signature::Background, Signature::Typed]
            .into_iter()
            .find(|signature| signature.word() == word)
    }

    /// Whether its caller is an event and reads no answer.
    pub fn is_event(self) -> bool {
        matches!(self, Signature::CloudEvent | Signature::Background)
    }
}

/// What a function is beyond its revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    pub generation: Generation,
    pub signature: Signature,
    /// Most requests at a time in one instance.
    pub concurrency: u32,
    /// So many instances are always there.
    pub least: u32,
}

/// The runtimes of one function.
pub struct Framework {
    pub place: Place,
    /// Where the daemon may keep files for its instances.
    pub folder: PathBuf,
    pub traits: Traits,
}

impl Runtime for Framework {
    fn needs(&self, revision: &Revision) -> Result<Needs, Unsupported> {
        clients::needs(revision)
    }

    fn open<'a>(
        &'a self,
        revision: &'a Arc<Revision>,
        built: &'a Arc<Built>,
        _instance: InstanceId,
    ) -> Boxed<'a, Result<Box<dyn Session>, std::io::Error>> {
        Box::pin(async move {
            let reservation = Reservation::take()?;
            let env = environment::of(revision, built, self, reservation.address().port());
            let (program, args) = clients::command(revision, built, &self.folder).await?;
            let command = Command { program, args, env, folder: built.code.clone() };
            let warms_up = clients::forks_workers(revision);
            let limit = revision.limits.response;
            let session = PushSession::new(command, reservation, self.traits.signature, limit, warms_up);
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    /// The first generation stops instances between requests; the second throttles them, and leaves work
    /// alone whose caller has given up.
    fn profile(&self, _revision: &Revision) -> &'static str {
        self.traits.generation.profile()
    }

    fn keeping(&self, _revision: &Revision) -> Keeping {
        let first = self.traits.generation == Generation::First;
        Keeping {
            freezes: first,
            outlives_deadlines: !first,
            concurrency: self.traits.concurrency as usize,
            tmp_is_memory: true,
            starts_again: false,
        }
    }

    fn unwrapped(&self, line: &str) -> Option<Unwrapped> {
        lines::unwrapped(line)
    }

    fn lines(&self, record: &Record) -> Vec<String> {
        lines::of(record, self.traits)
    }
}
