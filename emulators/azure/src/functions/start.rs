//! Before an app can be called its worker must have said what it has.

use super::{Functions, new_id};
use crate::app::App;
use crate::worker::INDEX;
use crate::worker::index::Index;
use bytes::Bytes;
use mlemu_core::{Cause, FunctionFailure, Invoke, Refusal, Reply};
use std::sync::Arc;

/// Revisions that may be published while a worker starts, before a caller is told that there is none.
const PATIENCE: usize = 8;

/// Why an app is not there.
pub(super) enum Down {
    Failed(Box<FunctionFailure>),
    Refused(Refusal),
}

impl Functions {
    /// Completes when every app's worker has said what it has, or cannot.
    pub async fn known(&self) {
        let apps = self.apps();
        // What failed was recorded where it failed.
        futures_util::future::join_all(apps.iter().map(|app| self.started(app))).await;
    }

    /// The functions of the app's newest revision, when a worker of it is up.
    pub(super) async fn started(&self, app: &Arc<App>) -> Result<Arc<Index>, Down> {
        let engine = &self.parts.engine;
        let latest = || engine.function(&app.id).map(|view| view.latest.number);
        let newest = |latest| app.index().filter(|index| Some(index.revision) >= latest);
        if let Some(index) = newest(latest()) {
            return Ok(index);
        }
        let failures = app.asked.failures();
        let _turn = app.asked.turn.lock().await;
        for _ in 0..PATIENCE {
            let Some(revision) = latest() else { break };
            if let Some(index) = newest(Some(revision)) {
                return Ok(index);
            }
            if let Some(failure) = app.asked.since(failures, revision) {
                return Err(Down::Failed(failure));
            }
            match engine.invoke(question(app)).await {
                Ok(Reply::Done(outcome)) => {
                    if let Err(failure) = outcome.result {
                        app.asked.fail(revision, &failure);
                        return Err(Down::Failed(Box::new(failure)));
                    }
                }
                Ok(Reply::Accepted | Reply::WouldRun) => {}
                Err(refusal) => return Err(Down::Refused(refusal)),
            }
        }
        app.index().ok_or(Down::Refused(Refusal::Stopping))
    }
}

/// Answered by the worker's session, without the worker.
fn question(app: &App) -> Invoke {
    let attributes = vec![(INDEX, String::new())];
    // It has ended in the log too when it is answered: what comes next writes for itself.
    let wants_log = true;
    Invoke {
        attributes,
        wants_log,
        ..Invoke::of(new_id(app.ids()), app.id.clone(), Bytes::new(), Cause::Mlemu)
    }
}
