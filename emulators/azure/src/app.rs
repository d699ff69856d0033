//! A function app: what is declared of it, and what its worker says that it has.

use crate::settings::HostFile;
use crate::worker::index::{Binding, Index, Indexed};
use crate::worker::messages::{InvocationResponse, TypedData};
use mlemu_core::{Cause, FunctionId};
use mlemu_engine::Ids;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;

type Arrived = Box<dyn Fn(&Arc<Index>) + Send + Sync>;
type Outlet = Box<dyn Fn(&Binding, &TypedData, &Cause) -> Result<(), String> + Send + Sync>;

/// Shared by the front, which looks functions up, and by the workers, which bring the index.
pub struct App {
    /// The app as the engine runs it: its functions are parts of it.
    pub id: FunctionId,
    pub host: HostFile,
    /// `python`, `node` or `custom`.
    pub language: String,
    ids: Ids,
    index: watch::Sender<Option<Arc<Index>>>,
    arrived: Arrived,
    outlet: Outlet,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("id", &self.id).finish_non_exhaustive()
    }
}

impl App {
    /// `arrived` hears of each index before anybody else; `outlet` gets what functions give to output bindings.
    pub fn new(
        id: FunctionId,
        host: HostFile,
        language: &str,
        ids: Ids,
        arrived: impl Fn(&Arc<Index>) + Send + Sync + 'static,
        outlet: impl Fn(&Binding, &TypedData, &Cause) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            id,
            host,
            language: language.into(),
            ids,
            index: watch::Sender::new(None),
            arrived: Box::new(arrived),
            outlet: Box::new(outlet),
        }
    }

    /// Where its ids come from.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The newest index; `None`: no worker has been up yet.
    pub fn index(&self) -> Option<Arc<Index>> {
        self.index.borrow().clone()
    }

    /// A worker of some revision is up. What an older one says late counts no more.
    pub fn bring(&self, index: Index) {
        if self.index.borrow().as_ref().is_some_and(|known| known.revision > index.revision) {
            return;
        }
        let index = Arc::new(index);
        (self.arrived)(&index);
        self.index.send_replace(Some(index));
    }

    /// Hands on what a function gave to its output bindings. `Err` says which could not be.
    pub fn give(
        &self,
        function: &Indexed,
        response: &InvocationResponse,
        cause: &Cause,
    ) -> Result<(), String> {
        let outputs = function.others.iter().filter(|binding| binding.is_out && !binding.is("http"));
        for binding in outputs {
            let named = response.output_data.iter().find(|output| output.name == binding.name);
            let returned = if binding.name == "$return" { response.return_value.as_ref() } else { None };
            if let Some(data) = named.and_then(|output| output.data.as_ref()).or(returned) {
                (self.outlet)(binding, data, cause).map_err(|why| format!("{}: {why}", binding.name))?;
            }
        }
        Ok(())
    }
}
