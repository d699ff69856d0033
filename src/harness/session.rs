//! A daemon inside of a Rust test.

use super::client::{Client, PATIENCE};
use super::trouble::HarnessError;
use crate::config::{self, Overrides};
use crate::daemon::{Daemon, Options, Origin, Reading};
use bytes::Bytes;
use mlemu_core::{Clock, Timestamp};
use mlemu_fixtures::{Library, Param, Request};
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a session shall be.
#[derive(Debug)]
pub struct Builder {
    project: PathBuf,
    program: Option<PathBuf>,
    cache: Option<PathBuf>,
    offline: bool,
    watch: bool,
    patience: Duration,
    origin: Origin,
}

impl Builder {
    /// The `mlemu` program, which is the first process of every sandbox.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Where installed packages are kept, if not in the user's cache.
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Never reach for a package registry.
    pub fn offline(mut self) -> Self {
        self.offline = true;
        self
    }

    /// What is saved in the project is live at once, as with `mlemu up`.
    pub fn watching(mut self) -> Self {
        self.watch = true;
        self
    }

    /// Ids, the order of what starts by itself and the dice of faults come from this, and repeat with it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.origin.seed = Some(seed);
        self
    }

    /// Emulated time stands still, here, from the start.
    pub fn clock(mut self, at: Timestamp) -> Self {
        self.origin.clock = Some(at);
        self
    }

    /// How long waits last at most, on the machine's clock.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Must be called inside a tokio runtime of several threads.
    pub async fn start(self) -> Result<Session, HarnessError> {
        let program = self.program.or_else(program).ok_or(HarnessError::NoProgram)?;
        let loaded = config::load(&self.project, &Overrides::default()).map_err(Box::new)?;
        let root = loaded.project.root.clone();
        let (program, offline, origin, cache) = (Some(program), self.offline, self.origin, self.cache);
        let (watch, overrides) = (self.watch, Overrides::default());
        let reading = Reading { start: self.project, overrides };
        let options = Options { reading, offline, origin, watch, program, cache, ..Options::private(loaded) };
        let daemon = Daemon::start(options, |_| {}).await?;
        let client = Client::here(daemon.controls.clone(), daemon.worlds.token.clone());
        Ok(Session { client: client.patience(self.patience), daemon, root })
    }
}

/// `MLEMU_BIN`, or `mlemu` in `PATH`.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("MLEMU_BIN").map(PathBuf::from);
    named.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join("mlemu")).find(|file| file.is_file())
    })
}

/// A project whose functions run for one test, or for some. Dropping it leaves nothing behind.
///
/// What can be asked of it is what can be asked of any daemon: see [`Client`].
///
/// ```no_run
/// # async fn test() -> Result<(), mlemu::harness::HarnessError> {
/// let mlemu = mlemu::harness::Session::of("examples/thumbnailer").start().await?;
/// mlemu.put("uploads", "cat.jpg", "...").await?;
/// mlemu.idle().await?;
/// assert_eq!(mlemu.keys("thumbnails", "").await?, ["cat.jpg"]);
/// # Ok(())
/// # }
/// ```
pub struct Session {
    client: Client,
    daemon: Daemon,
    root: PathBuf,
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Session {
    pub fn of(project: impl Into<PathBuf>) -> Builder {
        Builder {
            project: project.into(),
            program: None,
            cache: None,
            offline: false,
            watch: false,
            patience: PATIENCE,
            origin: Origin::default(),
        }
    }

    /// An event, of a built-in fixture or one of the project; parameters as on the command line: `key=cat.png`.
    pub fn event(&self, fixture: &str, params: &[&str]) -> Result<Bytes, HarnessError> {
        let own = self.root.join("events");
        let library = Library::new(own.is_dir().then_some(own));
        let request = Request {
            params: params.iter().map(|param| param.parse::<Param>()).collect::<Result<_, _>>()?,
            seed: 0,
            now: self.daemon.world.clock.now().0,
            count: 1,
            project_root: Some(self.root.clone()),
            envelope: None,
        };
        Ok(library.render(fixture, &request)?.into())
    }

    /// Where each cloud listens, by its name: for clients that are not found by their environment.
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        self.daemon.addresses().collect()
    }

    /// Where the control API listens, for processes beside the test; [`Client::token`] opens it.
    pub fn control_address(&self) -> SocketAddr {
        self.daemon.control
    }

    /// Ends every instance in order. Dropping a session does it at once.
    pub async fn stop(self) {
        self.daemon.shutdown().await;
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
