//! A function on the test rig: a daemon of its own, in which it is called cold and warm.

use super::exit::{Complaint, Exit};
use crate::config::{Loaded, nearest};
use crate::daemon::simulating::Simulating;
use crate::daemon::{Daemon, Options};
use crate::report::print::Printer;
use crate::report::terminal::{Show, Terminal};
use bytes::Bytes;
use mlemu_core::declare::FunctionDeclaration;
use mlemu_core::{Cause, ColdStarts, FunctionId, InvocationId, Invoke, Mode, Outcome, Reply};
use mlemu_engine::Interrupt;

pub struct Rig {
    daemon: Daemon,
    terminal: Option<Terminal>,
    pub function: FunctionDeclaration,
    target: FunctionId,
}

/// As it would be in the cloud: its CPU held, its cold starts told.
pub const AS_THERE: Simulating = Simulating { cpu: true, cold_starts: ColdStarts::Typical, sleeps: false };

impl Rig {
    /// Starts a daemon with this function alone.
    pub async fn open(
        mut loaded: Loaded,
        function: FunctionDeclaration,
        simulating: Simulating,
        offline: bool,
        printer: Printer,
    ) -> Result<Self, Complaint> {
        loaded.project.functions.retain(|one| one.name == function.name && one.cloud == function.cloud);
        // Whatever else would start it would be measured with it.
        for one in &mut loaded.project.functions {
            one.clone_from(&function);
            one.triggers.clear();
        }
        let options = Options { offline, simulating, ..Options::private(loaded) };
        let mut terminal = None;
        let open = |shared: &_| terminal = Some(Terminal::open(printer, Show::Steps, shared));
        let daemon = match Daemon::start(options, open).await {
            Ok(daemon) => daemon,
            Err(error) => {
                Terminal::close(terminal).await;
                return Err(error.into());
            }
        };
        let mut found = daemon.world.find_on(Some(&function.cloud), &function.name);
        if found.is_err() {
            daemon.world.known().await;
            found = daemon.world.find_on(Some(&function.cloud), &function.name);
        }
        match found {
            Ok(target) => Ok(Self { daemon, terminal, function, target }),
            Err(refused) => {
                daemon.shutdown().await;
                Terminal::close(terminal).await;
                Err(Complaint::not_found(refused.to_string()))
            }
        }
    }

    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// From now on it has so many bytes of memory.
    pub fn resize(&mut self, memory: u64) -> Result<(), Complaint> {
        self.function.memory = Some(memory);
        let plain = FunctionDeclaration { triggers: Vec::new(), ..self.function.clone() };
        self.daemon.world.declare_again(&plain).map_err(Complaint::new)
    }

    /// A call that waits for a new instance.
    pub async fn cold(&self, event: Bytes) -> Result<Outcome, Complaint> {
        self.daemon.world.engine.interrupt(Some(&self.target), Interrupt::Warmth);
        self.warm(event).await
    }

    /// A call, on an instance that is there if there is one.
    pub async fn warm(&self, event: Bytes) -> Result<Outcome, Complaint> {
        let engine = &self.daemon.world.engine;
        let id = InvocationId(engine.ids().fresh("invocation").uuid().into());
        let invoke = Invoke {
            cause: Cause::Request(id.0.clone()),
            id,
            target: self.target.clone(),
            qualifier: None,
            mode: Mode::Wait,
            payload: event,
            attributes: Vec::new(),
            head: None,
            // Its memory is known by the time that it is told.
            wants_log: true,
            stream: None,
        };
        let reply = tokio::select! {
            reply = engine.invoke(invoke) => reply.map_err(|refusal| Complaint::new(refusal.to_string()))?,
            _ = tokio::signal::ctrl_c() => {
                return Err(Complaint { exit: Exit::Interrupted, ..Complaint::new("interrupted") });
            }
        };
        match reply {
            Reply::Done(outcome) => Ok(*outcome),
            Reply::Accepted | Reply::WouldRun => Err(Complaint::new("the call was not run")),
        }
    }

    /// What a failed call says of it, as its cloud words it.
    pub fn failure(&self, outcome: &Outcome) -> Option<String> {
        let failure = outcome.result.as_ref().err()?;
        let body = self.daemon.world.cloud(&self.target).failure(failure, &outcome.id.0);
        Some(String::from_utf8_lossy(&body).into_owned())
    }

    pub async fn close(self) {
        self.daemon.shutdown().await;
        Terminal::close(self.terminal).await;
    }
}

/// The function that is meant: by name, or the only one.
pub fn chosen(loaded: &Loaded, name: Option<&str>) -> Result<FunctionDeclaration, Complaint> {
    let functions = &loaded.project.functions;
    let names: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    let Some(name) = name else {
        return match functions.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(Complaint::not_found("the project declares no function")
                .hint("run `mlemu config` to see what was read")),
            _ => Err(Complaint::usage(format!("which function? There are: {}", names.join(", ")))),
        };
    };
    let meant =
        |function: &&FunctionDeclaration| function.name == name || function.alias.as_deref() == Some(name);
    functions.iter().find(meant).cloned().ok_or_else(|| {
        let hint = match nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", names.join(", ")),
        };
        Complaint::not_found(format!("there is no function `{name}`")).hint(hint)
    })
}
