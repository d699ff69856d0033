//! A function app: what is declared of it, and what its worker says that it has.

use crate::bindings::Bindings;
use crate::functions::cors::Cors;
use crate::functions::path_of;
use crate::functions::route::Route;
use crate::retry::{Retry, Tries};
use crate::settings::HostFile;
use crate::worker::index::{Index, Indexed};
use mlemu_core::{FunctionFailure, FunctionId};
use mlemu_engine::Ids;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Hears of an index, and whether it is the first of its revision: others come from workers that replace or join one.
type Arrived = Box<dyn Fn(&Arc<Index>, bool) + Send + Sync>;

/// Shared by the front, which looks functions up, and by the workers, which bring the index.
pub struct App {
    /// The app as the engine runs it: its functions are parts of it.
    pub id: FunctionId,
    pub host: HostFile,
    /// From which pages it may be called.
    pub(crate) cors: Cors,
    /// `python`, `node` or `custom`.
    pub language: String,
    /// What its functions get and give beside their triggers' data.
    pub(crate) bindings: Bindings,
    /// Requests by HTTP that wait or run.
    outstanding: Arc<AtomicUsize>,
    /// Of calls that are tried again.
    pub(crate) tries: Tries,
    ids: Ids,
    index: watch::Sender<Option<Arc<Index>>>,
    /// What became of the questions for it.
    pub(crate) asked: Asked,
    /// Of the functions of a revision, in their order.
    routes: Mutex<Option<(u64, Routes)>>,
    arrived: Arrived,
}

/// Of several who want to know what an app has, one asks: each question would start a worker of its own.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Held by whoever asks.
    pub turn: tokio::sync::Mutex<()>,
    failed: Mutex<Failed>,
}

#[derive(Debug, Default)]
struct Failed {
    /// How many questions did.
    count: u64,
    /// The last, and of which revision it was.
    last: Option<(u64, Box<FunctionFailure>)>,
}

impl Asked {
    pub fn failures(&self) -> u64 {
        self.failed().count
    }

    pub fn fail(&self, revision: u64, failure: &FunctionFailure) {
        let mut failed = self.failed();
        failed.count += 1;
        failed.last = Some((revision, Box::new(failure.clone())));
    }

    /// How a question about this revision failed that was asked since there were so many failures.
    pub fn since(&self, failures: u64, revision: u64) -> Option<Box<FunctionFailure>> {
        let failed = self.failed();
        let (of, failure) = failed.last.as_ref().filter(|_| failed.count > failures)?;
        (*of >= revision).then(|| failure.clone())
    }

    fn failed(&self) -> MutexGuard<'_, Failed> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where each function is called by HTTP; nothing for those that are not.
pub(crate) type Routes = Arc<[Option<Route>]>;

/// A request under way.
pub(crate) struct Outstanding(Arc<AtomicUsize>);

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("id", &self.id).finish_non_exhaustive()
    }
}

impl App {
    /// `arrived` hears of each index before anybody else.
    pub(crate) fn new(
        id: FunctionId,
        host: HostFile,
        cors: Cors,
        language: &str,
        ids: Ids,
        bindings: Bindings,
        arrived: impl Fn(&Arc<Index>, bool) + Send + Sync + 'static,
    ) -> Self {
        Self {
            id,
            host,
            cors,
            language: language.into(),
            bindings,
            outstanding: Arc::default(),
            tries: Tries::default(),
            ids,
            index: watch::Sender::new(None),
            asked: Asked::default(),
            routes: Mutex::default(),
            arrived: Box::new(arrived),
        }
    }

    /// Room for one more request, for as long as it is held; `None`: `host.json` allows no more.
    pub(crate) fn admit(&self) -> Option<Outstanding> {
        let most = self.host.most_outstanding.unwrap_or(usize::MAX);
        // Counted before it is compared: two that come together do not both find the last place.
        let one = Outstanding(self.outstanding.clone());
        (self.outstanding.fetch_add(1, Ordering::Relaxed) < most).then_some(one)
    }

    /// Where its ids come from.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// How a function's failed runs are tried again; `None`: not by the host.
    pub fn policy(&self, function: &Indexed) -> Option<Retry> {
        let own = function.retry.or(self.host.retry);
        own.filter(|_| Retry::is_followed(&function.trigger.kind))
    }

    /// Where the functions of an index are called; read once for each revision.
    pub(crate) fn routes(&self, index: &Index) -> Routes {
        let mut known = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, routes)) = known.as_ref().filter(|(revision, _)| *revision == index.revision) {
            return routes.clone();
        }
        let routes: Routes = index.functions.iter().map(|function| self.route(function)?.ok()).collect();
        *known = Some((index.revision, routes.clone()));
        routes
    }

    /// `None`: it is not called by HTTP.
    fn route(&self, function: &Indexed) -> Option<Result<Route, String>> {
        let by_http = function.trigger.is("httpTrigger");
        by_http
            .then(|| Route::read(&path_of(function, self)).map_err(|why| format!("{}: {why}", function.name)))
    }

    /// The newest index; `None`: no worker has been up yet.
    pub fn index(&self) -> Option<Arc<Index>> {
        self.index.borrow().clone()
    }

    /// Why its code is not running, when the newest could not be loaded.
    pub(crate) fn trouble(&self) -> Option<Box<FunctionFailure>> {
        let failed = self.asked.failed();
        let (of, failure) = failed.last.as_ref()?;
        let runs = self.index.borrow().as_ref().is_some_and(|known| known.revision >= *of);
        (!runs).then(|| failure.clone())
    }

    /// A worker of some revision is up. What an older one says late counts no more.
    pub fn bring(&self, mut index: Index) {
        let known = self.index.borrow().as_ref().map(|known| known.revision);
        if known.is_some_and(|known| known > index.revision) {
            return;
        }
        index.functions.retain(|function| self.host.runs(&function.name));
        index.oddities.extend(index.functions.iter().filter_map(|function| self.route(function)?.err()));
        let index = Arc::new(index);
        (self.arrived)(&index, known != Some(index.revision));
        self.index.send_replace(Some(index));
    }
}
