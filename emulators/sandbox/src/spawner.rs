//! The one thread that starts every process.
//!
//! The kernel sends a child the signal for "your parent died" when the *thread* that made it ends. Threads of
//! an async runtime come and go, so none of them may be a parent. This one stays as long as anything that it
//! started, and also keeps the mounts of the scratch folders.

use crate::fence::{Bounds, Fence};
use crate::order::{Order, ScratchKind};
use crate::scratch::{Provided, Scratch};
use crate::{ShimProgram, session};
use mlemu_core::SandboxSpec;
use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;

/// Processes and threads that one instance may have, as the clouds allow.
const PROCESSES: u32 = 1024;

/// What the thread needs to know of an instance.
pub struct Launch {
    pub name: String,
    pub tmp_name: String,
    pub tmp: u64,
    pub memory: u64,
    pub cpu: Option<f64>,
    /// Its fence and scratch folder are filled in by the thread.
    pub order: Order,
}

impl From<&SandboxSpec> for Launch {
    fn from(spec: &SandboxSpec) -> Self {
        let order = Order {
            daemon: i32::try_from(std::process::id()).unwrap_or(0),
            program: spec.program.clone(),
            args: spec.args.clone(),
            env: spec.env.clone(),
            folder: spec.folder.clone(),
            fence: Fence::default(),
            scratch: ScratchKind::Plain { folder: PathBuf::new() },
        };
        Self {
            name: session::file_name(&spec.name),
            tmp_name: spec.tmp_name.clone(),
            tmp: spec.tmp,
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

/// Ends of the pipes that the function writes to; reading does not block.
pub struct Pipes {
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
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
                Thread { shim, scratch, fence, shims: HashMap::new(), leaving: Vec::new(), count: 0 }
                    .run(&work);
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

    pub fn forget(&self, tmp_name: &str) {
        let _ = self.requests.send(Request::Forget(tmp_name.to_owned()));
    }
}

/// A shim that was asked to end.
struct Leaving {
    id: u64,
    child: Child,
    fence: Fence,
    done: Vec<oneshot::Sender<()>>,
}

struct Thread {
    shim: ShimProgram,
    scratch: Scratch,
    /// Around all instances.
    fence: Fence,
    shims: HashMap<u64, (Child, Fence)>,
    leaving: Vec<Leaving>,
    count: u64,
}

impl Thread {
    fn run(mut self, work: &mpsc::Receiver<Request>) {
        loop {
            let request = if self.leaving.is_empty() {
                work.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
            } else {
                work.recv_timeout(Duration::from_millis(1))
            };
            match request {
                Ok(request) => self.serve(request),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) if self.leaving.is_empty() => break,
                Err(mpsc::RecvTimeoutError::Disconnected) => thread::sleep(Duration::from_millis(1)),
            }
            self.collect();
        }
        self.fence.remove();
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Launch { launch, spawner, reply } => {
                // Nobody waiting for it any more drops it, and that ends it.
                let _ = reply.send(self.launch(*launch, spawner));
            }
            Request::Collect { id, done } => {
                if let Some((child, fence)) = self.shims.remove(&id) {
                    self.leaving.push(Leaving { id, child, fence, done: done.into_iter().collect() });
                } else if let Some(leaving) = self.leaving.iter_mut().find(|one| one.id == id) {
                    leaving.done.extend(done);
                }
            }
            Request::Forget(name) => self.scratch.forget(&name),
        }
    }

    fn collect(&mut self) {
        self.leaving.retain_mut(|leaving| {
            if matches!(leaving.child.try_wait(), Ok(None)) {
                return true;
            }
            // Normally the shim has removed it. One that was killed has not, nor killed what was inside.
            if leaving.fence.folders().iter().any(|folder| folder.exists()) {
                crate::shim::sweep::orphans(&leaving.fence);
            }
            for done in leaving.done.drain(..) {
                let _ = done.send(());
            }
            false
        });
    }

    fn launch(&mut self, launch: Launch, spawner: Spawner) -> io::Result<Launched> {
        self.count += 1;
        let Provided { kind, mount } = self.scratch.provide(&launch.tmp_name, launch.tmp)?;
        // Files of a memory file system are charged to the group although they don't count.
        let uncounted = if mount.is_some() { launch.tmp } else { 0 };
        let bounds = Bounds { memory: launch.memory + uncounted, cpu: launch.cpu, processes: PROCESSES };
        let fence = self.fence.child(&format!("{}-{}", launch.name, self.count), bounds)?;
        let order = Order { fence: fence.clone(), scratch: kind, ..launch.order };
        let started = self.start(&launch.name, &order);
        if started.is_err() {
            fence.remove();
        }
        let (child, socket, pipes) = started?;
        let (id, shim) = (self.count, i32::try_from(child.id()).unwrap_or(0));
        self.shims.insert(id, (child, fence.clone()));
        Ok(Launched { id, shim, socket: Some(socket), pipes: Some(pipes), fence, tmp: mount, spawner })
    }

    #[expect(clippy::disallowed_methods, reason = "this is where processes are started")]
    fn start(&self, name: &str, order: &Order) -> io::Result<(Child, UnixStream, Pipes)> {
        let order = serde_json::to_vec(order)?;
        let (mut ours, theirs) = UnixStream::pair()?;
        let (stdout, stdout_writer) = pipe()?;
        let (stderr, stderr_writer) = pipe()?;
        let mut child = Command::new(&self.shim.program)
            .args(&self.shim.args)
            .arg(name)
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(stdout_writer)
            .stderr(stderr_writer)
            .spawn()?;
        ours.set_write_timeout(Some(Duration::from_secs(5)))?;
        let sent = ours
            .write_all(&u32::try_from(order.len()).unwrap_or(0).to_le_bytes())
            .and_then(|()| ours.write_all(&order))
            .and_then(|()| ours.set_nonblocking(true));
        if let Err(error) = sent {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        Ok((child, ours, Pipes { stdout, stderr }))
    }
}

/// A pipe whose reading end does not block and whose writing end does.
fn pipe() -> io::Result<(OwnedFd, Stdio)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    Ok((reader, Stdio::from(writer)))
}
