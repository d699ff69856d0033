//! Care for calls that nobody waits for: those of functions with a retry policy are tried again as it says.
//!
//! Source: Azure Functions documentation, "Azure Functions error handling and retries" (retry policies).

use super::Functions;
use crate::app::App;
use mlemu_core::{Boxed, Invoke};
use mlemu_engine::care::{Care, End, Patience};
use mlemu_engine::queues::BackOff;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// No call is ever too old.
const AGE: Duration = Duration::from_hours(24 * 365 * 100);
/// Between a refusal and the next try.
const AFTER_REFUSAL: BackOff = BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

/// Cares for the queued calls of all apps.
pub(crate) struct Retrying {
    functions: Weak<Functions>,
}

impl Retrying {
    pub(crate) fn new(functions: &Arc<Functions>) -> Arc<Self> {
        Arc::new(Self { functions: Arc::downgrade(functions) })
    }

    fn app(&self, invoke: &Invoke) -> Option<Arc<App>> {
        self.functions.upgrade()?.app_of(&invoke.target)
    }
}

impl Care for Retrying {
    fn patience(&self, invoke: &Invoke) -> Patience {
        let policy = self.app(invoke).and_then(|app| app.policy(app.index()?.get(&invoke.target.name)?));
        let runs = policy.map_or(1, |policy| policy.most.map_or(u32::MAX, |most| most.saturating_add(1)));
        let waits = policy.map_or(AFTER_REFUSAL, |policy| policy.waits);
        Patience { runs, age: AGE, after_failure: waits, after_refusal: AFTER_REFUSAL }
    }

    fn ended(&self, end: End) -> Boxed<'_, ()> {
        if let Some(app) = self.app(&end.invoke) {
            app.tries.end(&end.invoke.id);
        }
        Box::pin(std::future::ready(()))
    }
}
