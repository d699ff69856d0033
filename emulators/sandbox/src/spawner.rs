//! The one thread that starts every process.
//!
//! The kernel sends a child the signal for "your parent died" when the *thread* that made it ends. Threads of
//! an async runtime come and go, so none of them may be a parent. This one stays as long as anything that it
//! started, and also keeps the mounts of the scratch folders.

use crate::ShimProgram;
use crate::bay::{Bay, Keeper, Pipes};
use crate::fence::{Bounds, Fence};
use crate::order::{Notice, Order, ScratchKind};
use crate::scratch::{Provided, Scratch};
use crate::shim::sweep;
use mlemu_core::SandboxSpec;
use rustix::process::{Pid, Signal};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;

/// Processes and threads that one instance may have, as the clouds allow.
const PROCESSES: u32 = 1024;
/// Between looks whether a shim that was told to end has ended.
const SOON: Duration = Duration::from_millis(1);
/// How many such looks a shim gets before it is killed: a function may have stopped it.
const LOOKS: u32 = 1_000;
/// How long nothing must have been asked for before the next bay is prepared: not while functions start.
const QUIET: Duration = Duration::from_millis(50);

/// What the thread needs to know of an instance.
pub struct Launch {
    tmp_name: String,
    tmp: u64,
    tmp_is_memory: bool,
    memory: u64,
    cpu: Option<f64>,
    /// Its scratch folder is filled in by the thread.
    order: Order,
}

impl From<&SandboxSpec> for Launch {
    fn from(spec: &SandboxSpec) -> Self {
        let order = Order {
            name: spec.name.clone(),
            program: spec.program.clone(),
            args: spec.args.clone(),
            env: spec.env.clone(),
            folder: spec.folder.clone(),
            scratch: ScratchKind::Plain { folder: PathBuf::new() },
        };
        Self {
            tmp_name: spec.tmp_name.clone(),
            tmp: spec.tmp,
            tmp_is_memory: spec.tmp_is_memory,
            memory: spec.memory,
            cpu: spec.cpu,
            order,
        }
    }
}

/// A shim that has its order. Dropping it tells the shim to end, and has it collected.
pub struct Launched {
    id: u64,
    /// Process id of the shim.
    pub shim: i32,
    /// Reports come from here; closing it ends the instance.
    pub socket: Option<UnixStream>,
    pub pipes: Option<Pipes>,
    pub fence: Fence,
    pub tmp: Option<OwnedFd>,
    spawner: Spawner,
}

impl Drop for Launched {
    fn drop(&mut self) {
        self.socket = None;
        let _ = self.spawner.requests.send(Request::Collect { id: self.id, done: None });
    }
}

impl Launched {
    /// Completes when the shim has been collected and nothing of the instance is left.
    pub async fn collected(&self) {
        let (done, collected) = oneshot::channel();
        if self.spawner.requests.send(Request::Collect { id: self.id, done: Some(done) }).is_ok() {
            let _ = collected.await;
        }
    }
}

enum Request {
    Launch { launch: Box<Launch>, spawner: Spawner, reply: oneshot::Sender<io::Result<Launched>> },
    Collect { id: u64, done: Option<oneshot::Sender<()>> },
    Forget(String),
    Fill { name: String, size: Option<u64>, done: oneshot::Sender<bool> },
}

/// A cheap handle; the thread ends with the last one.
#[derive(Clone)]
pub struct Spawner {
    requests: mpsc::Sender<Request>,
}

impl Spawner {
    /// Starts the thread. Returns once it is ready, with whether scratch folders have a size.
    pub fn start(
        shim: ShimProgram,
        base: PathBuf,
        session: String,
        fence: Fence,
    ) -> io::Result<(Self, bool)> {
        let (requests, work) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        let body = move || match Scratch::open(&base, &session) {
            Ok(scratch) => {
                let _ = ready.send(Ok(scratch.is_sized()));
                Thread::new(shim, scratch, fence).run(&work);
            }
            Err(error) => drop(ready.send(Err(error))),
        };
        thread::Builder::new().name("mlemu-spawner".into()).spawn(body)?;
        let sized = is_ready.recv().map_err(|_| io::Error::other("the spawner thread ended"))??;
        Ok((Self { requests }, sized))
    }

    pub async fn launch(&self, launch: Launch) -> io::Result<Launched> {
        let gone = || io::Error::other("the spawner thread ended");
        let (reply, launched) = oneshot::channel();
        let request = Request::Launch { launch: Box::new(launch), spawner: self.clone(), reply };
        self.requests.send(request).map_err(|_| gone())?;
        launched.await.map_err(|_| gone())?
    }

    /// See [`Scratch::fill`]. `false`: it could not be done.
    pub async fn fill(&self, name: String, size: Option<u64>) -> bool {
        let (done, is_done) = oneshot::channel();
        self.requests.send(Request::Fill { name, size, done }).is_ok() && is_done.await.unwrap_or_default()
    }

    pub fn forget(&self, tmp_name: &str) {
        let _ = self.requests.send(Request::Forget(tmp_name.to_owned()));
    }
}

/// A shim that was asked to end.
struct Leaving {
    id: u64,
    child: Child,
    fence: Fence,
    /// Looks, each [`SOON`] after the last.
    looks: u32,
    done: Vec<oneshot::Sender<()>>,
}

impl Leaving {
    fn new(id: u64, child: Child, fence: Fence) -> Self {
        let leaving = Self { id, child, fence, looks: 0, done: Vec::new() };
        if let Some(shim) = leaving.shim() {
            let _ = rustix::process::kill_process(shim, Signal::CONT);
        }
        leaving
    }

    fn shim(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0))
    }

    fn lose_patience(&mut self) {
        self.looks += 1;
        if self.looks == LOOKS && matches!(self.child.try_wait(), Ok(None)) {
            self.shim().into_iter().for_each(|shim| sweep::by_force(&self.fence, shim));
        }
    }
}

struct Thread {
    shim: ShimProgram,
    scratch: Scratch,
    /// Around all instances.
    fence: Fence,
    spare: Option<Bay>,
    /// `None`: there is none that listens; the shims have to do.
    keeper: Option<Keeper>,
    shims: HashMap<u64, (Child, Fence)>,
    leaving: Vec<Leaving>,
    count: u64,
}

impl Thread {
    fn new(shim: ShimProgram, scratch: Scratch, fence: Fence) -> Self {
        let (shims, leaving) = (HashMap::new(), Vec::new());
        Self { shim, scratch, fence, spare: None, keeper: None, shims, leaving, count: 0 }
    }

    fn run(mut self, work: &mpsc::Receiver<Request>) {
        // Nobody waits yet; if it fails, so will a launch, and say why.
        self.spare = self.prepare().ok();
        self.keeper = Keeper::start(&self.shim).ok();
        loop {
            match self.next(work) {
                Ok(request) => self.serve(request),
                Err(RecvTimeoutError::Timeout) if self.leaving.is_empty() => self.spare = self.prepare().ok(),
                Err(RecvTimeoutError::Timeout) => self.lose_patience(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.collect();
        }
        if let Some(spare) = self.spare.take() {
            self.retire(spare);
        }
        while !self.leaving.is_empty() {
            thread::sleep(SOON);
            self.lose_patience();
            self.collect();
        }
        self.keeper = None;
        self.fence.remove();
    }

    fn next(&self, work: &mpsc::Receiver<Request>) -> Result<Request, RecvTimeoutError> {
        if !self.leaving.is_empty() {
            work.recv_timeout(SOON)
        } else if self.spare.is_none() {
            work.recv_timeout(QUIET)
        } else {
            work.recv().map_err(|_| RecvTimeoutError::Disconnected)
        }
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Launch { launch, spawner, reply } => {
                // Nobody waiting for it any more drops it, and that ends it.
                let _ = reply.send(self.launch(*launch, spawner));
            }
            Request::Collect { id, done } => {
                if let Some((child, fence)) = self.shims.remove(&id) {
                    self.leaving.push(Leaving::new(id, child, fence));
                }
                if let Some(leaving) = self.leaving.iter_mut().find(|one| one.id == id) {
                    leaving.done.extend(done);
                }
            }
            Request::Forget(name) => self.scratch.forget(&name),
            Request::Fill { name, size, done } => {
                let _ = done.send(self.scratch.fill(&name, size).is_ok());
            }
        }
    }

    fn lose_patience(&mut self) {
        self.leaving.iter_mut().for_each(Leaving::lose_patience);
    }

    fn collect(&mut self) {
        let mut ended = Vec::new();
        self.leaving.retain_mut(|leaving| {
            if matches!(leaving.child.try_wait(), Ok(None)) {
                return true;
            }
            // Normally the shim has removed it. One that was killed has not, nor killed what was inside.
            if leaving.fence.folders().iter().any(|folder| folder.exists()) {
                sweep::orphans(&leaving.fence);
            }
            ended.push(Notice::Ended { id: leaving.id });
            for done in leaving.done.drain(..) {
                let _ = done.send(());
            }
            false
        });
        for notice in &ended {
            self.tell_keeper(notice);
        }
    }

    fn tell_keeper(&mut self, notice: &Notice) {
        if self.keeper.as_mut().is_some_and(|keeper| !keeper.tell(notice)) {
            self.keeper = Keeper::start(&self.shim).ok();
            for (id, (child, fence)) in &self.shims {
                let shim = i32::try_from(child.id()).unwrap_or(0);
                let began = Notice::Began { id: *id, shim, fence: fence.clone() };
                let _ = self.keeper.as_mut().map(|keeper| keeper.tell(&began));
            }
        }
    }

    fn prepare(&mut self) -> io::Result<Bay> {
        self.count += 1;
        Bay::prepare(&self.shim, &self.fence, &format!("instance-{}", self.count))
    }

    /// Lets go of a bay: its shim ends because its socket closes.
    fn retire(&mut self, bay: Bay) {
        self.count += 1;
        self.leaving.push(Leaving::new(self.count, bay.child, bay.fence));
    }

    fn launch(&mut self, launch: Launch, spawner: Spawner) -> io::Result<Launched> {
        let Provided { kind, mount } = self.scratch.provide(&launch.tmp_name, launch.tmp)?;
        // Files of a memory file system are charged to the group although they don't count.
        let uncounted = if mount.is_some() && !launch.tmp_is_memory { launch.tmp } else { 0 };
        let memory = launch.memory.saturating_add(uncounted);
        let bounds = Bounds { memory, cpu: launch.cpu, processes: PROCESSES };
        let Bay { child, fence, socket, pipes } =
            self.assign(&Order { scratch: kind, ..launch.order }, bounds)?;
        self.count += 1;
        let (id, shim) = (self.count, i32::try_from(child.id()).unwrap_or(0));
        self.shims.insert(id, (child, fence.clone()));
        let began = Notice::Began { id, shim, fence: fence.clone() };
        self.tell_keeper(&began);
        Ok(Launched { id, shim, socket: Some(socket), pipes: Some(pipes), fence, tmp: mount, spawner })
    }

    /// Gives the order to the bay that stands ready, or to a new one if there is none or somebody killed it.
    fn assign(&mut self, order: &Order, bounds: Bounds) -> io::Result<Bay> {
        if let Some(mut spare) = self.spare.take() {
            match spare.give(order, bounds) {
                Ok(()) => return Ok(spare),
                Err(_) => self.retire(spare),
            }
        }
        let mut bay = self.prepare()?;
        match bay.give(order, bounds) {
            Ok(()) => Ok(bay),
            Err(error) => {
                self.retire(bay);
                Err(error)
            }
        }
    }
}
