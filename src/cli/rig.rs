//! A function on the test rig: a daemon of its own, in which it is called cold and warm.

use super::exit::{Complaint, Exit};
use crate::clouds::has_parts;
use crate::config::{Loaded, nearest};
use crate::daemon::simulating::Simulating;
use crate::daemon::{Daemon, Options};
use crate::report::print::Printer;
use crate::report::terminal::{Show, Terminal};
use bytes::Bytes;
use mlemu_core::declare::FunctionDeclaration;
use mlemu_core::{Cause, ColdStarts, FunctionId, InvocationId, Invoke, Mode, Outcome, Reply};
use mlemu_engine::Interrupt;

/// A declared function, and which part of it where it has parts with names of their own, as an app of Azure has.
#[derive(Clone)]
pub struct Meant {
    pub function: FunctionDeclaration,
    /// When nothing is said, the only one.
    pub part: Option<String>,
}

impl Meant {
    /// The same part of another form of the function.
    pub fn of(&self, function: FunctionDeclaration) -> Self {
        Self { function, part: self.part.clone() }
    }

    /// For people: `app/part` where a part was named.
    pub fn name(&self) -> String {
        let whole = &self.function.name;
        self.part.as_ref().map_or_else(|| whole.clone(), |part| format!("{whole}/{part}"))
    }
}

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
        meant: Meant,
        simulating: Simulating,
        offline: bool,
        printer: Printer,
    ) -> Result<Self, Complaint> {
        let function = meant.function;
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
        match target(&daemon, &function, meant.part.as_deref()).await {
            Ok(target) => Ok(Self { daemon, terminal, function, target }),
            Err(complaint) => {
                daemon.shutdown().await;
                Terminal::close(terminal).await;
                Err(complaint)
            }
        }
    }

    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// From now on it has so many bytes of memory.
    pub async fn resize(&mut self, memory: u64) -> Result<(), Complaint> {
        self.function.memory = Some(memory);
        let plain = FunctionDeclaration { triggers: Vec::new(), ..self.function.clone() };
        self.daemon.world.declare_again(&plain).map_err(Complaint::new)?;
        // Its parts may have to be asked for again.
        self.daemon.world.known().await;
        Ok(())
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

/// What is called: the function, or its part.
async fn target(
    daemon: &Daemon,
    function: &FunctionDeclaration,
    part: Option<&str>,
) -> Result<FunctionId, Complaint> {
    let world = &daemon.world;
    let find = |name: &str| {
        let found = world.find_on(Some(&function.cloud), name);
        found.map_err(|refused| Complaint::not_found(refused.to_string()))
    };
    if has_parts(function) || find(&function.name).is_err() {
        world.known().await;
    }
    let whole = find(&function.name)?;
    let parts = world.engine.parts_of(&whole);
    let names: Vec<&str> = parts.iter().map(|part| &*part.name).collect();
    match (part, parts.as_slice()) {
        (None, []) => Ok(whole),
        (None, [only]) => Ok(only.clone()),
        (Some(name), _) if names.contains(&name) => find(name),
        (Some(name), _) => Err(Complaint::not_found(format!("`{}` has no function `{name}`", function.name))
            .hint(format!("it has {}", names.join(", ")))),
        (None, _) => Err(Complaint::usage(format!(
            "which function of `{0}`? It has {1}",
            function.name,
            names.join(", ")
        ))
        .hint(format!("name it as {}/{}", function.name, names[0]))),
    }
}

/// The function that is meant: by name, as `app/function`, or the only one.
pub fn chosen(loaded: &Loaded, name: Option<&str>) -> Result<Meant, Complaint> {
    let functions = &loaded.project.functions;
    let names: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    let Some(name) = name else {
        return match functions.as_slice() {
            [one] => Ok(Meant { function: one.clone(), part: None }),
            [] => Err(Complaint::not_found("the project declares no function")
                .hint("run `mlemu config` to see what was read")),
            _ => Err(Complaint::usage(format!("which function? There are: {}", names.join(", ")))),
        };
    };
    let called = |name: &str| {
        functions.iter().find(|function| function.name == name || function.alias.as_deref() == Some(name))
    };
    if let Some(function) = called(name) {
        return Ok(Meant { function: function.clone(), part: None });
    }
    let apps: Vec<&FunctionDeclaration> = functions.iter().filter(|function| has_parts(function)).collect();
    let of_app = match (name.split_once('/'), apps.as_slice()) {
        (Some((app, part)), _) => called(app).map(|app| (app, part)),
        (None, [app]) => Some((*app, name)),
        _ => None,
    };
    if let Some((app, part)) = of_app.filter(|(app, _)| has_parts(app)) {
        return Ok(Meant { function: app.clone(), part: Some(part.to_owned()) });
    }
    let hint = match nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", names.join(", ")),
    };
    Err(Complaint::not_found(format!("there is no function `{name}`")).hint(hint))
}
