//! The daemon: parts put together, listeners opened, a project made real, and all of it stopped again.
//!
//! [`Daemon::start`] reads like a recipe. [`listener`] and [`guard`] stand before every port, [`control`] is
//! the API of our own command line, [`locator`] is how that finds us, and [`project`] turns declarations
//! into functions and buckets.

pub mod changes;
pub mod control;
mod dialect;
mod elsewhere;
pub mod folders;
pub mod guard;
mod hands;
pub mod invoke;
mod leftover;
pub mod listener;
pub mod locator;
pub mod meddle;
mod patience;
mod places;
pub(crate) mod project;
mod promise;
pub mod recording;
mod relocated;
pub mod reset;
mod rooted;
pub mod scope;
pub mod simulating;
mod stream;
mod thrift;
mod traces;
pub mod world;
pub mod worlds;

use crate::clouds::{CLOUDS, Kind};
use crate::config::{Loaded, Overrides};
use folders::Folders;
use listener::{Serving, Wish};
use locator::{Claim, Located, LocatorError};
use mlemu_engine::{Durability, Policy, Store, StoreError};
use rustix::process::{Resource, Rlimit};
use simulating::Simulating;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
pub use world::Origin;
use world::{Soil, World};
use worlds::{Front, Worlds};

/// The port of the control API and the dashboard.
pub const CONTROL_PORT: u16 = 4600;

/// How a project was read, so that it can be read again.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub start: PathBuf,
    pub overrides: Overrides,
}

/// What outlives the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persist {
    pub folder: PathBuf,
    pub durability: Durability,
}

/// How a daemon shall be.
#[derive(Debug)]
pub struct Options {
    pub loaded: Loaded,
    pub reading: Reading,
    pub host: IpAddr,
    /// Wished ports by cloud name; a cloud that is used and not named gets its usual one.
    pub ports: BTreeMap<&'static str, Wish>,
    pub control: Wish,
    /// Functions that shall have the root of a port of their own; 0: any.
    pub served: Vec<(String, u16)>,
    /// Never reach for a package registry.
    pub offline: bool,
    /// Scale as the cloud does, not as this machine can.
    pub faithful: bool,
    pub strict_auth: bool,
    pub simulating: Simulating,
    /// What a run repeats by.
    pub origin: Origin,
    pub watch: bool,
    /// Build every function at once, not each when it is called.
    pub build_ahead: bool,
    /// Be the daemon of this project that the command line finds.
    pub announce: bool,
    /// Keep state there; `None`: it ends with the daemon.
    pub persist: Option<Persist>,
    /// The binary to start as shim, if it is not this one.
    pub program: Option<PathBuf>,
    /// Where installed packages and opened bundles are, if not in the user's cache.
    pub cache: Option<PathBuf>,
}

impl Options {
    /// The clouds that are opened: those whose port is wished and those that the project uses, or the first
    /// when there are none.
    fn clouds(&self) -> impl Iterator<Item = &'static Kind> {
        let project = &self.loaded.project;
        let uses = |kind: &Kind| {
            project.functions.iter().any(|function| kind.serves(&function.cloud))
                || project.buckets.iter().any(|bucket| kind.serves(&bucket.cloud))
                || project.queues.iter().any(|queue| kind.serves(&queue.cloud))
                || project.resources.iter().any(|resource| kind.serves(&resource.cloud))
        };
        let opened = |kind: &&Kind| self.ports.contains_key(kind.name) || uses(kind);
        let chosen: Vec<_> = CLOUDS.iter().filter(opened).collect();
        if chosen.is_empty() { CLOUDS.iter().take(1).collect() } else { chosen }.into_iter()
    }

    /// A private daemon: any ports, found by nobody.
    /// With nothing of the project watched.
    pub fn private(loaded: Loaded) -> Self {
        let any = Wish { port: 0, exact: true };
        Self {
            loaded,
            reading: Reading::default(),
            host: Ipv4Addr::LOCALHOST.into(),
            ports: CLOUDS.iter().map(|kind| (kind.name, any)).collect(),
            control: any,
            served: Vec::new(),
            offline: false,
            faithful: false,
            strict_auth: false,
            simulating: Simulating::default(),
            origin: Origin::default(),
            watch: false,
            build_ahead: false,
            announce: false,
            persist: None,
            program: None,
            cache: None,
        }
    }
}

#[derive(Debug, Error)]
pub enum StartError {
    #[error("cannot listen on port {port} for {what}: {source}")]
    Listen { what: String, port: u16, source: std::io::Error },
    #[error(transparent)]
    Locator(#[from] LocatorError),
    #[error("cannot use {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{function}` cannot have a port of its own: {why}")]
    Served { function: String, why: String },
    #[error("preparing the project failed: {why}")]
    Prepare { why: String, hint: Option<String> },
    #[error("the clouds' profiles cannot be used: {why}")]
    Profile { why: String },
    #[error("{from}: {why}")]
    Refused { from: String, why: String },
}

/// A running daemon. [`Daemon::shutdown`] ends it in order; dropping it ends it at once.
pub struct Daemon {
    pub worlds: Arc<Worlds>,
    /// The world that was there from the start.
    pub world: Arc<World>,
    pub control: SocketAddr,
    /// The control API itself, for who is in this process.
    pub controls: Arc<control::Control>,
    /// Functions at the root of their own ports.
    pub served: Vec<(String, SocketAddr)>,
    serving: Vec<Serving>,
    claim: Option<Claim>,
    folders: Folders,
    reload: Option<project::Reload>,
    /// Lives as long as the daemon.
    _thrift: AbortOnDropHandle<()>,
}

impl Daemon {
    pub async fn start(options: Options, watcher: impl FnOnce(&Arc<World>)) -> Result<Self, StartError> {
        allow_open_files();
        let folders = Folders::open(options.cache.clone())?;
        let root = options.loaded.project.root.clone();
        let claim = if options.announce { Some(Claim::take(&folders.locators, &root)?) } else { None };
        let builder = mlemu_bundle::Builder::new(folders.cache.clone(), options.offline);
        let builder = Arc::new(match &options.program {
            Some(program) => builder.models_run_in(program.clone()),
            None => builder,
        });
        let store = open_store(options.persist.clone()).await?;
        let listeners = listen(&options).await?;
        let soil = soil(&options, &folders, builder.clone(), store, &listeners)?;
        let worlds = Worlds::new(soil, options.loaded.project.clone())?;
        let mut serving = serve(listeners, &worlds)?;
        let controls = Arc::new(control::Control::new(worlds.clone()));
        let listening = open_control(&options, controls.clone()).await?;
        let control = listening.address;
        serving.push(listening);
        let (served, rooted) = rooted::open(&options, &worlds).await?;
        serving.extend(rooted);
        let world = worlds.first.clone();
        watcher(&world);
        let clock = world.clock.clone();
        let mut daemon = Self {
            worlds,
            world,
            control,
            controls,
            served,
            serving,
            claim,
            folders,
            reload: None,
            _thrift: thrift::start(clock),
        };
        if let Some(claim) = &daemon.claim {
            claim.announce(&daemon.located(&root))?;
        }
        let prepared = project::make_real(&daemon.world, &builder, &options.loaded.project).await;
        if let Err(error) = prepared {
            daemon.shutdown().await;
            return Err(error);
        }
        daemon.world.is_ready();
        if options.watch {
            let worlds = daemon.worlds.clone();
            daemon.reload = project::Reload::start(worlds, builder, options.reading, options.loaded);
        }
        Ok(daemon)
    }

    /// Where each cloud listens.
    pub fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        self.world.plugged.iter().map(|plugged| (plugged.name, plugged.address))
    }

    /// Ends every instance, then the listeners. Nothing is left afterwards.
    pub async fn shutdown(self) {
        drop(self.reload);
        self.worlds.end_all().await;
        futures_util::future::join_all(self.serving.into_iter().map(Serving::close)).await;
        if let Some(store) = self.worlds.store().cloned() {
            // It ends with the process at the latest.
            let _ = tokio::task::spawn_blocking(move || store.close()).await;
        }
        drop(self.claim);
        drop(self.folders);
    }
}

/// Every connection and every instance needs descriptors, more than a shell usually allows. The shim gives
/// functions their own limit.
fn allow_open_files() {
    let allowed = rustix::process::getrlimit(Resource::Nofile);
    // Where it cannot be raised, listeners hold out with what there is.
    let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, ..allowed });
}

async fn open_store(persist: Option<Persist>) -> Result<Option<Store>, StartError> {
    let Some(Persist { folder, durability }) = persist else { return Ok(None) };
    let path = folder.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(&folder, durability)).await;
    let opened = opened.map_err(|lost| StartError::Folder { path, source: lost.into() })?;
    Ok(Some(opened?))
}

fn soil(
    options: &Options,
    folders: &Folders,
    builder: Arc<mlemu_bundle::Builder>,
    store: Option<Store>,
    listeners: &[(&'static Kind, TcpListener)],
) -> Result<Soil, StartError> {
    let io = |source| StartError::Folder { path: folders.run.clone(), source };
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(io)?,
    };
    let shim = mlemu_sandbox::ShimProgram { program, args: vec!["shim".into()] };
    let sandbox = mlemu_sandbox::Processes::new(shim, folders.run.join("scratch")).map_err(io)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut policy = Policy::local(cores);
    // Side by side they would be made in any order.
    policy.build_ahead = options.build_ahead && options.origin.seed.is_none();
    policy.watch_ignore.clone_from(&options.loaded.settings.watch_ignore);
    policy.simulation = options.simulating.made(&options.loaded.settings)?;
    if options.faithful {
        policy.local_cap = None;
    }
    let fronts = listeners.iter().map(|(kind, listener)| Ok((*kind, listener.local_addr()?)));
    Ok(Soil {
        builder,
        sandbox: Arc::new(sandbox),
        policy,
        store,
        bodies: folders.run.join("objects"),
        clients: folders.cache.join("clients"),
        settings: options.loaded.settings.clone(),
        strict_auth: options.strict_auth,
        origin: options.origin,
        watch: options.watch,
        fronts: fronts.collect::<Result<_, _>>().map_err(io)?,
    })
}

/// Opens the port of each cloud; nobody is answered yet.
async fn listen(options: &Options) -> Result<Vec<(&'static Kind, TcpListener)>, StartError> {
    let mut listeners = Vec::new();
    for kind in options.clouds() {
        let usual = Wish { port: kind.port, exact: false };
        let wish = options.ports.get(kind.name).copied().unwrap_or(usual);
        let failed = |source| StartError::Listen { what: kind.name.into(), port: wish.port, source };
        listeners.push((kind, listener::bind(options.host, wish).await.map_err(failed)?));
    }
    Ok(listeners)
}

fn serve(
    listeners: Vec<(&'static Kind, TcpListener)>,
    worlds: &Arc<Worlds>,
) -> Result<Vec<Serving>, StartError> {
    let each = listeners.into_iter().map(|(kind, listener)| {
        let first = worlds.first.cloud_named(kind.name).clone();
        let front = Front { worlds: worlds.clone(), first, cloud: kind.name, account: kind.account };
        let failed = |source| StartError::Listen { what: kind.name.into(), port: kind.port, source };
        listener::serve(listener, Arc::new(front)).map_err(failed)
    });
    each.collect()
}

async fn open_control(options: &Options, controls: Arc<control::Control>) -> Result<Serving, StartError> {
    let port = options.control.port;
    let failed = |source| StartError::Listen { what: "the control API".into(), port, source };
    let listener = listener::bind(options.host, options.control).await.map_err(failed)?;
    listener::serve(listener, controls).map_err(failed)
}

impl Daemon {
    fn located(&self, project: &std::path::Path) -> Located {
        Located {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            project: project.to_owned(),
            control: format!("http://{}", self.control),
            clouds: self.addresses().map(|(name, at)| (name.to_owned(), format!("http://{at}"))).collect(),
            token: self.worlds.token.clone(),
        }
    }
}
