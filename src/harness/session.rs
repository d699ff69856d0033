//! A daemon inside of a Rust test.

use crate::config::{self, ConfigError, Overrides};
use crate::daemon::control::invocations::Line;
use crate::daemon::invoke::{Invoked, Refused, Wanted};
use crate::daemon::reset::Extent;
use crate::daemon::world::World;
use crate::daemon::{Daemon, Options, Origin, StartError};
use bytes::Bytes;
use mlemu_core::{Clock, Environment, Timestamp};
use mlemu_engine::clock::{Course, Forward};
use mlemu_engine::objects::Fault;
use mlemu_engine::settle::Which;
use mlemu_engine::wait::{Ending, Invocations, Key, Stored, Until, Wait};
use mlemu_fixtures::{FixtureError, Library, Param, Request};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// How long a wait lasts at most when nothing is said.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Error)]
pub enum HarnessError {
    #[error(transparent)]
    Config(#[from] Box<ConfigError>),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(
        "the program `mlemu` is needed beside the test: put it in PATH, name it by MLEMU_BIN, or give it to the builder"
    )]
    NoProgram,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    #[error(transparent)]
    Store(#[from] Fault),
    #[error("cannot read the object: {0}")]
    Body(std::io::Error),
    #[error("not so after {after:?}; under way: {under_way}")]
    NotSettled { after: Duration, under_way: String },
}

/// How a session shall be.
#[derive(Debug)]
pub struct Builder {
    project: PathBuf,
    program: Option<PathBuf>,
    offline: bool,
    patience: Duration,
    origin: Origin,
}

impl Builder {
    /// The `mlemu` program, which is the first process of every sandbox.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Never reach for a package registry.
    pub fn offline(mut self) -> Self {
        self.offline = true;
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
        let (program, offline, origin) = (Some(program), self.offline, self.origin);
        let options = Options { offline, origin, program, ..Options::private(loaded) };
        let daemon = Daemon::start(options, |_| {}).await?;
        Ok(Session { daemon, root, patience: self.patience })
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
/// ```no_run
/// # async fn test() -> Result<(), mlemu::harness::HarnessError> {
/// let mlemu = mlemu::harness::Session::of("examples/thumbnailer").start().await?;
/// mlemu.put("uploads", "cat.jpg", "...").await?;
/// mlemu.idle().await?;
/// assert_eq!(mlemu.keys("thumbnails", ""), ["cat.jpg"]);
/// # Ok(())
/// # }
/// ```
pub struct Session {
    daemon: Daemon,
    root: PathBuf,
    patience: Duration,
}

impl Session {
    pub fn of(project: impl Into<PathBuf>) -> Builder {
        Builder {
            project: project.into(),
            program: None,
            offline: false,
            patience: PATIENCE,
            origin: Origin::default(),
        }
    }

    fn world(&self) -> &Arc<World> {
        &self.daemon.world
    }

    /// Variables that point the vendors' SDKs here.
    pub fn environment(&self) -> Environment {
        self.world().environment()
    }

    /// Calls a function and waits for its end; a failure of the function is an answer too.
    pub async fn invoke(&self, name: &str, event: impl Into<Bytes>) -> Result<Invoked, HarnessError> {
        Ok(self.world().invoke(name, Wanted::default(), event.into()).await?)
    }

    /// Calls a function without waiting for its end.
    pub async fn queue(&self, name: &str, event: impl Into<Bytes>) -> Result<Invoked, HarnessError> {
        let wanted = Wanted { queue: true, ..Wanted::default() };
        Ok(self.world().invoke(name, wanted, event.into()).await?)
    }

    /// An event, of a built-in fixture or one of the project; parameters as on the command line: `key=cat.png`.
    pub fn event(&self, fixture: &str, params: &[&str]) -> Result<Bytes, HarnessError> {
        let own = self.root.join("events");
        let library = Library::new(own.is_dir().then_some(own));
        let request = Request {
            params: params.iter().map(|param| param.parse::<Param>()).collect::<Result<_, _>>()?,
            seed: 0,
            now: self.now().0,
            count: 1,
            project_root: Some(self.root.clone()),
            envelope: None,
        };
        Ok(library.render(fixture, &request)?.into())
    }

    /// Puts an object as a client of its cloud would; gives the trace of whatever that causes.
    pub async fn put(&self, bucket: &str, key: &str, body: impl Into<Bytes>) -> Result<String, HarnessError> {
        let bucket = self.world().bucket(bucket, None)?.id;
        Ok(self.world().put(&bucket, key, body.into()).await?)
    }

    pub async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, HarnessError> {
        let bucket = self.world().bucket(bucket, None)?.id;
        let object = self.world().objects.get(&bucket, key)?;
        object.content.body.bytes().await.map_err(HarnessError::Body)
    }

    /// The keys of a bucket that begin so, in their order; none where there is no such bucket.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let key = Key::Prefix(prefix.into());
        let wanted = Stored { bucket: bucket.into(), accounts: None, key, count: 0 };
        wanted.find(&self.world().objects).iter().map(|object| object.key.to_string()).collect()
    }

    /// Completes when nothing is under way that anything could come of.
    pub async fn idle(&self) -> Result<(), HarnessError> {
        self.wait(Until { settled: Some(Which::Everything), ..Until::default() }).await.map(drop)
    }

    /// Completes when nothing is under way of what one request caused.
    pub async fn settled(&self, trace: &str) -> Result<(), HarnessError> {
        let settled = Some(Which::Trace(trace.into()));
        self.wait(Until { settled, ..Until::default() }).await.map(drop)
    }

    /// Completes when so many invocations of a function have ended so, since the last reset.
    pub async fn invocations(
        &self,
        name: &str,
        ending: Ending,
        count: usize,
    ) -> Result<Vec<Line>, HarnessError> {
        let function = Some(self.world().find(name)?);
        let invocations = Some(Invocations { function, ending, trace: None, since: 0, count });
        let ended = self.wait(Until { invocations, ..Until::default() }).await?.ended;
        Ok(ended.iter().map(|past| Line::of(past)).collect())
    }

    /// Completes when all of it is so.
    pub async fn wait(&self, until: Until) -> Result<Wait, HarnessError> {
        let mut wait = Wait::new(self.world().view(), until);
        if tokio::time::timeout(self.patience, wait.run(false)).await.is_err() {
            return Err(self.not_settled());
        }
        Ok(wait)
    }

    fn not_settled(&self) -> HarnessError {
        let open = self.world().engine.settle().open(&Which::Everything);
        let under_way = serde_json::to_string(&open).unwrap_or_default();
        HarnessError::NotSettled { after: self.patience, under_way }
    }

    /// Everything as it was when the project was ready.
    pub async fn reset(&self) {
        self.world().reset(Extent::All, false).await;
    }

    /// Emulated time.
    pub fn now(&self) -> Timestamp {
        self.world().clock.now()
    }

    /// Emulated time stands still, here.
    pub async fn freeze(&self, at: Timestamp) {
        self.world().steer(Course::Steered { at, rate: 0.0 }).await;
    }

    /// Goes forward; completes when everything that fell due on the way has settled.
    pub async fn advance(&self, by: Duration) -> Result<Timestamp, HarnessError> {
        let forward = self.world().clock.forward(Forward::By(by), self.world().engine.settle());
        tokio::time::timeout(self.patience, forward).await.map_err(|_| self.not_settled())
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
