//! All worlds of a daemon: the first, which is there from the start, and one for each other scope from the
//! moment on that somebody names it.

use super::listener::Service;
use super::scope::{self, NoScope, Said, ScopeName};
use super::world::{Soil, World};
use super::{leftover, meddle, project, promise};
use crate::clouds::Cloud;
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use mlemu_core::Strain;
use mlemu_core::declare::Project;
use mlemu_engine::{Store, StoreError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Most worlds at once.
const MOST: usize = 1024;

#[derive(Debug, Error)]
pub enum ScopeError {
    #[error(transparent)]
    Name(#[from] NoScope),
    #[error("there are {MOST} scopes already: end those that are not needed any more")]
    TooMany,
    #[error("the first scope cannot be ended")]
    First,
    #[error("there is no scope `{0}`")]
    Unknown(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the project cannot be made in the scope `{name}`: {why}")]
    Project { name: String, why: String },
}

impl ScopeError {
    pub fn status(&self) -> StatusCode {
        match self {
            ScopeError::Name(_) | ScopeError::First => StatusCode::BAD_REQUEST,
            ScopeError::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            ScopeError::Unknown(_) => StatusCode::NOT_FOUND,
            ScopeError::Project { .. } | ScopeError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Hears of each world.
type Tell = Box<dyn Fn(&Arc<World>) + Send + Sync>;

/// A world that is there or is just being made; whoever comes meanwhile waits for the same one.
#[derive(Default)]
struct Place(OnceCell<Arc<World>>);

pub struct Worlds {
    pub first: Arc<World>,
    /// Opens the control API.
    pub token: String,
    /// Cancelled when somebody asks the daemon to stop.
    pub stop: CancellationToken,
    soil: Soil,
    /// As it was read last: what a new world declares.
    project: Mutex<Arc<Project>>,
    others: Mutex<BTreeMap<Arc<str>, Arc<Place>>>,
    /// Told of each world that is made.
    told: Mutex<Option<Tell>>,
}

impl Worlds {
    pub fn new(soil: Soil, project: Project) -> Result<Arc<Self>, StoreError> {
        let first = World::new(&soil, ScopeName::first(&soil.settings))?;
        Ok(Arc::new(Self {
            first,
            token: mlemu_engine::ids::unguessable(),
            stop: CancellationToken::new(),
            soil,
            project: Mutex::new(Arc::new(project)),
            others: Mutex::default(),
            told: Mutex::default(),
        }))
    }

    /// Tells of every world, those that are made from now on included; who was told before hears no more.
    pub fn each(&self, tell: impl Fn(&Arc<World>) + Send + Sync + 'static) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.all().iter().for_each(&tell);
        *told = Some(Box::new(tell));
    }

    /// Nobody is told of worlds any more.
    pub fn each_no_more(&self) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What outlives the daemon, if anything does.
    pub fn store(&self) -> Option<&Store> {
        self.soil.store.as_ref()
    }

    fn others(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Place>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every world that is there, the first one first.
    pub fn all(&self) -> Vec<Arc<World>> {
        let others = self.others();
        let others = others.values().filter_map(|place| place.0.get().cloned());
        std::iter::once(self.first.clone()).chain(others).collect()
    }

    /// The world of that scope, if it is there. A scope goes by its name or by its account.
    pub fn get(&self, name: &str) -> Option<Arc<World>> {
        if self.means_first(name) {
            return Some(self.first.clone());
        }
        let others = self.others();
        let found = others.get(name).and_then(|place| place.0.get());
        let by_account = || {
            let there = others.values().filter_map(|place| place.0.get());
            there.into_iter().find(|world| *world.name.account == *name)
        };
        found.or_else(by_account).cloned()
    }

    fn means_first(&self, name: &str) -> bool {
        let settings = &self.soil.settings;
        let project = settings.gcp.account.as_str();
        name == settings.account || name == project.strip_prefix("demo-").unwrap_or(project)
    }

    /// The world of that scope; it is made if it is not there.
    pub async fn named(&self, name: &str) -> Result<Arc<World>, ScopeError> {
        if let Some(world) = self.get(name) {
            return Ok(world);
        }
        let name = ScopeName::read(name)?;
        let place = {
            let mut others = self.others();
            if others.len() >= MOST && !others.contains_key(&name.name) {
                return Err(ScopeError::TooMany);
            }
            others.entry(name.name.clone()).or_default().clone()
        };
        let made = place.0.get_or_try_init(|| self.make(name.clone())).await.cloned();
        if made.is_err() {
            let mut others = self.others();
            if others.get(&name.name).is_some_and(|there| Arc::ptr_eq(there, &place)) {
                others.remove(&name.name);
            }
        }
        made
    }

    async fn make(&self, name: ScopeName) -> Result<Arc<World>, ScopeError> {
        let project = self.project();
        let world = World::new(&self.soil, name)?;
        if let Err(error) = project::declare(&world, &project).await {
            world.end().await;
            return Err(ScopeError::Project { name: world.name.name.to_string(), why: error.to_string() });
        }
        world.is_ready();
        if let Some(tell) = &*self.told.lock().unwrap_or_else(PoisonError::into_inner) {
            tell(&world);
        }
        Ok(world)
    }

    /// Ends a scope: its instances stop, and nothing of it is left.
    pub async fn end(&self, name: &str) -> Result<(), ScopeError> {
        if self.means_first(name) {
            return Err(ScopeError::First);
        }
        let world = self.get(name).ok_or_else(|| ScopeError::Unknown(name.to_owned()))?;
        self.others().remove(&world.name.name);
        world.end().await;
        world.forget();
        Ok(())
    }

    /// What worlds declare.
    pub fn project(&self) -> Arc<Project> {
        self.project.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What worlds declare from now on.
    pub fn set_project(&self, project: Project) {
        *self.project.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(project);
    }

    /// Ends every world.
    pub async fn end_all(&self) {
        let all = self.all();
        futures_util::future::join_all(all.iter().map(|world| world.end())).await;
    }
}

/// The worlds behind the listener of one cloud.
pub struct Front {
    pub worlds: Arc<Worlds>,
    /// Of the first world: most requests are for it.
    pub first: Arc<dyn Cloud>,
    pub cloud: &'static str,
    /// How a request names the vendor's account.
    pub account: fn(&Parts) -> Option<&str>,
}

impl Front {
    /// The scope that a request is for; `None`: the first.
    fn scope<'a>(&self, parts: &'a Parts) -> Option<Said<'a>> {
        let said = Said::by(parts, self.account)?;
        let elsewhere = match said {
            Said::Account(name) if self.worlds.means_first(name) => false,
            // A project may be called as it likes; digits are meant as a scope.
            Said::Account(name) => scope::is_account(name) || self.worlds.get(name).is_some(),
            Said::Path { name } | Said::Header(name) => ScopeName::read(name).is_ok(),
        };
        elsewhere.then_some(said)
    }

    async fn elsewhere(&self, name: String, mut parts: Parts, body: Body) -> Response<Body> {
        let world = match self.worlds.named(&name).await {
            Ok(world) => world,
            Err(error) => return refused(&error),
        };
        if let Some(uri) = scope::without_prefix(&parts.uri) {
            parts.uri = uri;
        }
        let (cloud, request) = (world.cloud_named(self.cloud), Request::from_parts(parts, body));
        inside(&world, &**cloud, request).await
    }
}

/// The answer of a world, as the rules of its tests let it be, and once what it promises is written.
fn inside<'a>(
    world: &'a World,
    cloud: &'a dyn Cloud,
    request: Request<Body>,
) -> BoxFuture<'a, Response<Body>> {
    let request = leftover::patient(request);
    let meant = |said: &str| world.trace_of(said);
    world.traces.remember_all(request.headers(), meant);
    let head = world.store.as_ref().map(|store| (store, promise::head(&request)));
    let answer: BoxFuture<'a, _> = if world.engine.faults().any() {
        Box::pin(meddle::answer(world, cloud, request))
    } else {
        cloud.answer(request)
    };
    let answer: BoxFuture<'a, _> = match head {
        None => answer,
        Some((store, head)) => Box::pin(promise::kept(store, cloud, head, answer)),
    };
    Box::pin(async move {
        // What was kept is not back before, and what is declared is not there.
        world.ready().await;
        let answer = answer.await;
        world.traces.remember_all(answer.headers(), meant);
        answer
    })
}

fn refused(error: &ScopeError) -> Response<Body> {
    let mut response =
        Response::new(Body::from(serde_json::json!({ "error": error.to_string() }).to_string()));
    *response.status_mut() = error.status();
    response
}

impl Service for Front {
    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        let (parts, body) = request.into_parts();
        match self.scope(&parts).map(Said::name) {
            None => inside(&self.worlds.first, &*self.first, Request::from_parts(parts, body)),
            Some(name) => {
                let name = name.to_owned();
                Box::pin(self.elsewhere(name, parts, body))
            }
        }
    }

    fn is_host(&self, host: &str) -> bool {
        self.first.is_host(host)
    }

    fn apology(&self, strain: Strain, parts: Option<&Parts>) -> Response<Body> {
        self.first.apology(strain, parts)
    }

    fn admits_origin(&self, parts: &Parts) -> bool {
        let Some(said) = self.scope(parts) else { return self.first.admits_origin(parts) };
        let Some(world) = self.worlds.get(said.name()) else { return false };
        let uri = scope::without_prefix(&parts.uri);
        let mut meant = Request::new(()).into_parts().0;
        meant.method = parts.method.clone();
        meant.uri = uri.unwrap_or_else(|| parts.uri.clone());
        meant.headers = parts.headers.clone();
        world.cloud_named(self.cloud).admits_origin(&meant)
    }
}
