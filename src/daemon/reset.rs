//! Going back: to how the daemon was when the project was ready, or to a moment that was given a name.
//!
//! First everything under way is ended, then the stores go back, in a new epoch: what an ended invocation still
//! wanted to write is refused, and what it had begun to write is gone with the store that it wrote to.

use super::world::World;
use crate::clouds::Saved;
use mlemu_core::FunctionId;
use mlemu_core::declare::BucketDeclaration;
use mlemu_engine::Interrupt;
use mlemu_engine::{objects, queues};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// A moment to go back to. Cheap to keep: it shares the bytes of the objects.
#[derive(Clone)]
pub struct Moment {
    objects: objects::Snapshot,
    queues: queues::Snapshot,
    clouds: Vec<Saved>,
    functions: BTreeSet<FunctionId>,
}

/// The moments that were kept.
pub struct Moments {
    /// When the project was ready.
    ready: watch::Sender<Option<Arc<Moment>>>,
    named: Mutex<BTreeMap<String, Arc<Moment>>>,
    /// Buckets that the project declares by now.
    declared: Mutex<Vec<BucketDeclaration>>,
}

impl Default for Moments {
    fn default() -> Self {
        Self { ready: watch::Sender::new(None), named: Mutex::default(), declared: Mutex::default() }
    }
}

/// What goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// Everything below.
    #[default]
    All,
    /// Buckets with their objects and notifications, queues with their messages and what they feed, and whatever
    /// is under way.
    State,
    Buckets,
    /// Queues with their messages and what they feed.
    Queues,
    /// Functions that were created since are deleted.
    Functions,
    /// Records and what is known of invocations.
    Journal,
}

impl World {
    fn moment(&self) -> Moment {
        Moment {
            objects: self.objects.snapshot(),
            queues: self.queues.snapshot(),
            clouds: self.plugged.iter().map(|plugged| plugged.cloud.saved()).collect(),
            functions: self.engine.all_functions().into_iter().map(|view| view.id).collect(),
        }
    }

    /// The project is ready: resets come back to this.
    pub(super) fn is_ready(&self) {
        let moment = Arc::new(self.moment());
        self.moments.ready.send_replace(Some(moment));
        // Whoever is told of changes, and whoever is called, is there.
        self.objects.go_on();
        self.engine.go_on();
    }

    /// Completes when everything that the project declares is there, or never will be.
    pub(super) async fn ready(&self) {
        if self.moments.ready.borrow().is_some() {
            return;
        }
        let mut ready = self.moments.ready.subscribe();
        tokio::select! {
            // The sender lives as long as the world.
            _ = ready.wait_for(Option::is_some) => {}
            () = self.ending.cancelled() => {}
        }
    }

    /// A project that is read again may declare more than there was at first.
    pub(super) fn remember_bucket(&self, bucket: &BucketDeclaration) {
        let mut declared = self.moments.declared.lock().unwrap_or_else(PoisonError::into_inner);
        declared.retain(|known| (&known.cloud, &known.name) != (&bucket.cloud, &bucket.name));
        declared.push(bucket.clone());
    }

    /// Keeps this moment under a name; an older one of that name is forgotten. Waits until nothing is under way:
    /// half of a chain is no state to go back to.
    pub async fn keep(&self, name: &str) {
        self.engine.settle().settled(&mlemu_engine::settle::Which::Everything).await;
        let moment = Arc::new(self.moment());
        self.moments.named.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), moment);
    }

    /// The names of the moments that were kept.
    pub fn kept(&self) -> Vec<String> {
        self.moments.named.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// `false`: no moment of that name was kept.
    pub async fn go_back(&self, name: &str) -> bool {
        let named = self.moments.named.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let Some(moment) = named else { return false };
        self.restore(&moment, Extent::State).await;
        true
    }

    /// Goes back to when the project was ready. `cold`: the next calls are cold starts.
    pub async fn reset(&self, extent: Extent, cold: bool) {
        let ready = self.moments.ready.borrow().clone();
        if let Some(moment) = ready {
            self.restore(&moment, extent).await;
        }
        if cold {
            self.engine.interrupt(None, Interrupt::Warmth);
        }
    }

    async fn restore(&self, moment: &Moment, extent: Extent) {
        let _alone = self.restoring.lock().await;
        // Whatever ends the daemon meanwhile: it comes back as it was before, or as it is afterwards.
        let _together = self.store.as_ref().map(mlemu_engine::Store::together);
        if matches!(extent, Extent::All | Extent::State) {
            // Changes that nobody acted on yet must not start anything now.
            self.objects.restore(&moment.objects);
            self.queues.forget_messages();
            self.engine.gate().clear();
            self.engine.quiesce().await;
            self.engine.forget_calls();
        }
        if matches!(extent, Extent::All) {
            self.record_anew();
            self.engine.faults().clear();
            self.engine.ids().begin_again();
            self.engine.gate().open();
        }
        if matches!(extent, Extent::All | Extent::Functions) {
            self.withdraw_all_but(&moment.functions);
        }
        if matches!(extent, Extent::All | Extent::State | Extent::Buckets) {
            self.objects.restore(&moment.objects);
        }
        if matches!(extent, Extent::All | Extent::State | Extent::Buckets | Extent::Queues) {
            for (plugged, saved) in self.plugged.iter().zip(&moment.clouds) {
                plugged.cloud.restore(saved);
            }
            self.declare_what_is_missing().await;
        }
        if matches!(extent, Extent::All | Extent::State | Extent::Queues) {
            self.queues.restore(&moment.queues);
        }
        if matches!(extent, Extent::All | Extent::Journal) {
            self.engine.history().forget(|_| true);
            self.journal.forget();
        }
    }

    fn withdraw_all_but(&self, kept: &BTreeSet<FunctionId>) {
        for view in self.engine.all_functions() {
            let declared = view.from.is_some();
            if !declared && !kept.contains(&view.id) {
                self.cloud(&view.id).withdraw(&view.id);
            }
        }
    }

    /// Buckets that the project declares since it was read again.
    async fn declare_what_is_missing(&self) {
        let declared = self.moments.declared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for bucket in declared {
            let there =
                self.objects.named(&bucket.name).iter().any(|view| *view.scope.cloud == *bucket.cloud);
            if let (false, Ok(cloud)) = (there, self.plugged(&bucket.cloud)) {
                // It was declared before, so it can be.
                let _ = cloud.declare_bucket(&bucket).await;
            }
        }
    }
}
