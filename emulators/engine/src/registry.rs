//! Which functions exist, and the revisions that they have.

use crate::dispatch::{Call, Dispatcher, Event, Interrupt, Why};
use crate::face::{Draft, FunctionView};
use crate::ids::Ids;
use crate::parts::Parts;
use mlemu_core::{FunctionId, Limits, Revision, Subject, What};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::mpsc;
use tokio::sync::oneshot::{self, error::TryRecvError};

#[derive(Default)]
pub(crate) struct Registry {
    functions: RwLock<HashMap<FunctionId, Arc<Function>>>,
    /// Parts of functions that have names of their own, and whose instances run them.
    parts: RwLock<BTreeMap<FunctionId, FunctionId>>,
    /// Deleted functions that are still ending their instances.
    leaving: Mutex<Vec<oneshot::Receiver<()>>>,
}

/// One function: its facts, and the mailbox of the task that runs it.
pub(crate) struct Function {
    mailbox: mpsc::UnboundedSender<Event>,
    facts: RwLock<Facts>,
    /// Invocations admitted and not completed.
    pub(crate) in_flight: Arc<AtomicUsize>,
    /// Instances alive; written by the dispatcher.
    instances: Arc<AtomicUsize>,
    /// Those of them that run code; written by the dispatcher.
    working: Arc<AtomicUsize>,
    /// Set before its dispatcher is told to stop.
    pub(crate) deleted: Arc<AtomicBool>,
}

/// Which kept revision a name leads to, by their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    pub to: String,
    /// Another one, and the share of calls that it takes: from 0 to 1.
    pub aside: Option<(String, f64)>,
}

impl Routes {
    /// `drawn` is from 0 to 1.
    fn label(&self, drawn: f64) -> &str {
        match &self.aside {
            Some((label, share)) if drawn < *share => label,
            _ => &self.to,
        }
    }
}

struct Facts {
    draft: Draft,
    latest: Arc<Revision>,
    pinned: Vec<Arc<Revision>>,
    aliases: BTreeMap<String, Routes>,
    reserved: Option<u32>,
}

impl Registry {
    /// The function of that name, or the one that it is a part of.
    pub(crate) fn get(&self, id: &FunctionId) -> Option<Arc<Function>> {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        let own = functions.get(id).cloned();
        own.or_else(|| {
            let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
            functions.get(parts.get(id)?).cloned()
        })
    }

    pub(crate) fn all(&self) -> Vec<FunctionView> {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        let of_parts = parts.iter().filter_map(|(id, whole)| {
            let view = functions.get(whole).filter(|_| id != whole)?.view();
            Some(FunctionView { id: id.clone(), ..view })
        });
        let mut views: Vec<_> = functions.values().map(|function| function.view()).chain(of_parts).collect();
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }

    /// Which parts `whole` has from now on. Returns those that it has no more.
    pub(crate) fn host(&self, whole: &FunctionId, fresh: Vec<FunctionId>) -> Vec<FunctionId> {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        let gone = parts.iter().filter(|(id, of)| *of == whole && !fresh.contains(id));
        let gone: Vec<FunctionId> = gone.map(|(id, _)| id.clone()).collect();
        parts.retain(|id, _| !gone.contains(id));
        parts.extend(fresh.into_iter().map(|id| (id, whole.clone())));
        gone
    }

    pub(crate) fn parts_of(&self, whole: &FunctionId) -> Vec<FunctionId> {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        parts.iter().filter(|(_, of)| *of == whole).map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn publish(&self, draft: Draft, parts: &Parts) -> Arc<Revision> {
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(&draft.id) {
            return function.publish(Some(draft), parts, Why::Declared);
        }
        let (id, from) = (draft.id.clone(), draft.from.clone());
        let (function, latest) = Function::new(draft, parts);
        functions.insert(id.clone(), function);
        let subject = Subject { function: Some(id), ..Subject::default() };
        parts.record(subject, What::Declared { from });
        latest
    }

    pub(crate) fn republish(
        &self,
        id: &FunctionId,
        parts: &Parts,
        while_running: bool,
    ) -> Option<Arc<Revision>> {
        Some(self.get(id)?.publish(None, parts, Why::Saved { while_running }))
    }

    pub(crate) fn pin(&self, id: &FunctionId, label: &str) -> Option<Arc<Revision>> {
        let function = self.get(id)?;
        let mut facts = function.facts.write().unwrap_or_else(PoisonError::into_inner);
        let pinned = Arc::new(Revision { label: label.into(), ..(*facts.latest).clone() });
        facts.pinned.push(pinned.clone());
        Some(pinned)
    }

    pub(crate) fn unpin(&self, id: &FunctionId, label: &str) -> bool {
        let Some(function) = self.get(id) else { return false };
        let mut facts = function.facts.write().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = facts.pinned.iter().position(|pinned| pinned.label == label) else { return false };
        let revision = facts.pinned.remove(place);
        drop(facts);
        function.send(Event::Unpin(revision));
        true
    }

    pub(crate) fn lead(&self, id: &FunctionId, alias: &str, routes: Option<Routes>) -> bool {
        let Some(function) = self.get(id) else { return false };
        let mut facts = function.facts.write().unwrap_or_else(PoisonError::into_inner);
        match routes {
            Some(routes) => facts.aliases.insert(alias.to_owned(), routes),
            None => facts.aliases.remove(alias),
        };
        true
    }

    pub(crate) fn reserve(&self, id: &FunctionId, concurrency: Option<u32>) -> bool {
        let Some(function) = self.get(id) else { return false };
        function.facts.write().unwrap_or_else(PoisonError::into_inner).reserved = concurrency;
        function.send(Event::Reserve(concurrency));
        true
    }

    pub(crate) fn provide(&self, id: &FunctionId, instances: usize) -> bool {
        let function = self.get(id);
        if let Some(function) = &function {
            function.send(Event::Provide(instances));
        }
        function.is_some()
    }

    /// Ends calls or instances of one function, or of all.
    pub(crate) fn interrupt(&self, only: Option<&FunctionId>, what: Interrupt) {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        let only = only.map(|only| parts.get(only).unwrap_or(only));
        let meant = functions.iter().filter(|(id, _)| only.is_none_or(|only| only == *id));
        meant.for_each(|(_, function)| function.send(Event::Interrupt(what)));
    }

    pub(crate) fn delete(&self, id: &FunctionId, parts: &Parts) -> bool {
        let function = self.functions.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        let Some(function) = function else { return false };
        self.host(id, Vec::new());
        function.deleted.store(true, Ordering::Release);
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.retain_mut(|left| left.try_recv() == Err(TryRecvError::Empty));
        leaving.push(function.stop());
        drop(leaving);
        parts.record(Subject { function: Some(id.clone()), ..Subject::default() }, What::Deleted);
        true
    }

    pub(crate) async fn shutdown(&self) {
        let functions = std::mem::take(&mut *self.functions.write().unwrap_or_else(PoisonError::into_inner));
        let mut waiting = std::mem::take(&mut *self.leaving.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.extend(functions.values().map(|function| function.stop()));
        for wait in waiting {
            // An error means that the dispatcher is gone, which is what we wait for.
            let _ = wait.await;
        }
    }
}

impl Function {
    fn new(draft: Draft, parts: &Parts) -> (Arc<Self>, Arc<Revision>) {
        let (mailbox, events) = mpsc::unbounded_channel();
        let (instances, working) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let latest = Arc::new(revision(&draft, 1));
        let reserved = draft.limits.concurrency;
        let (count, busy) = (instances.clone(), working.clone());
        tokio::spawn(Dispatcher::new(parts.clone(), mailbox.clone(), count, busy, reserved).run(events));
        let function = Self {
            mailbox,
            facts: RwLock::new(Facts {
                latest: latest.clone(),
                pinned: Vec::new(),
                aliases: BTreeMap::new(),
                reserved,
                draft: draft.clone(),
            }),
            in_flight: Arc::default(),
            instances,
            working,
            deleted: Arc::default(),
        };
        let why = Why::Declared;
        function.send(Event::Publish { revision: latest.clone(), client: draft.client, why });
        (Arc::new(function), latest)
    }

    /// `draft`: what it shall be from now on, if it is not to stay as it is.
    fn publish(&self, draft: Option<Draft>, parts: &Parts, why: Why) -> Arc<Revision> {
        let mut facts = self.facts.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(draft) = draft {
            facts.draft = draft;
        }
        let latest = Arc::new(revision(&facts.draft, facts.latest.number + 1));
        facts.latest = latest.clone();
        let subject = Subject {
            function: Some(latest.function.clone()),
            revision: Some(latest.label.as_str().into()),
            ..Subject::default()
        };
        let reload = why != Why::Declared;
        parts.record(subject, What::Published { number: latest.number, reload });
        // Sent under the lock: the dispatcher sees revisions in the order of their numbers.
        let client = facts.draft.client.clone();
        self.send(Event::Publish { revision: latest.clone(), client, why });
        latest
    }

    /// The revision under `qualifier`; `Ok(None)` is the newest. `Err` gives the unknown qualifier back.
    pub(crate) fn pinned(&self, ids: &Ids, qualifier: Option<&str>) -> Result<Option<Arc<Revision>>, String> {
        let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner);
        let routes = qualifier.and_then(|name| facts.aliases.get(name));
        let label = routes.map(|routes| routes.label(draw(ids))).or(qualifier);
        match label {
            None => Ok(None),
            Some(label) if label == facts.latest.label => Ok(None),
            Some(label) => match facts.pinned.iter().find(|revision| revision.label == label) {
                Some(revision) => Ok(Some(revision.clone())),
                None => Err(label.into()),
            },
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.facts.read().unwrap_or_else(PoisonError::into_inner).latest.limits.clone()
    }

    pub(crate) fn reserved(&self) -> Option<u32> {
        self.facts.read().unwrap_or_else(PoisonError::into_inner).reserved
    }

    pub(crate) fn view(&self) -> FunctionView {
        let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner);
        FunctionView {
            id: facts.draft.id.clone(),
            latest: facts.latest.clone(),
            pinned: facts.pinned.clone(),
            reserved: facts.reserved,
            instances: self.instances.load(Ordering::Acquire),
            in_flight: self.in_flight.load(Ordering::Acquire),
            from: facts.draft.from.clone(),
        }
    }

    pub(crate) fn call(&self, call: Box<Call>) {
        self.send(Event::Call(call));
    }

    /// Whether code of it runs at this moment.
    pub(crate) fn is_running(&self) -> bool {
        self.working.load(Ordering::Acquire) > 0
    }

    /// Calls for the newest revision wait for the next one.
    pub(crate) fn hold(&self) {
        self.send(Event::Hold);
    }

    /// Ends everything; the receiver hears when it has ended.
    fn stop(&self) -> oneshot::Receiver<()> {
        let (stopped, wait) = oneshot::channel();
        self.send(Event::Stop(stopped));
        wait
    }

    fn send(&self, event: Event) {
        // The dispatcher outlives every handle but after `Stop`; a call dropped here completes as refused.
        let _ = self.mailbox.send(event);
    }
}

/// From 0 to 1.
fn draw(ids: &Ids) -> f64 {
    f64::from((ids.fresh("route").number() >> 32) as u32) / f64::from(u32::MAX)
}

fn revision(draft: &Draft, number: u64) -> Revision {
    Revision {
        function: draft.id.clone(),
        number,
        label: draft.label.clone(),
        source: draft.source.clone(),
        runtime: draft.runtime.clone(),
        handler: draft.handler.clone(),
        env: draft.env.clone(),
        limits: draft.limits.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_draws_goes_aside() {
        let routes = Routes { to: "1".into(), aside: Some(("2".into(), 0.25)) };
        let aside = (0..100).filter(|drawn| routes.label(f64::from(*drawn) / 100.0) == "2").count();
        assert_eq!(aside, 25);
        assert_eq!(Routes { to: "1".into(), aside: None }.label(0.0), "1");
        assert!((0..1000).all(|_| (0.0..=1.0).contains(&draw(&Ids::default()))));
    }
}
