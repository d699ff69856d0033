//! Functions that run nothing: tests say what they answer.

use super::{FetchFault, Functions, Lambda, Settings};
use bytes::Bytes;
use mlemu_core::build::{Built, Needs};
use mlemu_core::runtime::{Session, Unsupported};
use mlemu_core::sandbox::Enforcement;
use mlemu_core::{
    Answer, Boxed, Clock, FunctionFailure, FunctionId, InstanceId, Invoke, Mode, Outcome, PackageFault,
    Record, Refusal, Reply, Revision, Runtime, StartKind, Subject, Timestamp, Unpacked, Usage, What,
};
use mlemu_engine::{Draft, FunctionView, Routes};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// 2026-01-01T00:00:00.123Z.
pub const NOW: Timestamp = Timestamp(1_767_225_600_123_456);

type Script = Arc<dyn Fn(Invoke) -> Boxed<'static, Result<Reply, Refusal>> + Send + Sync>;

pub struct FakeFunctions {
    views: Mutex<HashMap<FunctionId, FunctionView>>,
    script: Mutex<Script>,
    pub invoked: Mutex<Vec<Invoke>>,
    pub records: Mutex<Vec<What>>,
    /// What aliases were said to stand for, in its order.
    pub leads: Mutex<Vec<(String, Option<Routes>)>>,
    clock: FakeClock,
}

struct FakeClock;

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, wait: Duration) -> Boxed<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}

/// An outcome of the newest version with this result and a log of two lines.
pub fn outcome(invoke: &Invoke, result: Result<Answer, FunctionFailure>) -> Reply {
    let usage = Usage {
        queued: Duration::ZERO,
        start: StartKind::Warm,
        init: None,
        handler: Duration::from_millis(3),
        peak_memory: 1,
        memory_limit: 2,
        enforcement: Enforcement::None,
        cpu: None,
    };
    let log = if invoke.wants_log { vec!["START".to_owned(), "END".to_owned()] } else { Vec::new() };
    let revision = invoke.qualifier.clone().unwrap_or_else(|| "$LATEST".into());
    Reply::Done(Box::new(Outcome { id: invoke.id.clone(), revision, result, usage, log }))
}

/// An answer with this body.
pub fn says(body: &str) -> Answer {
    Answer { body: Bytes::from(body.to_owned()), ..Answer::default() }
}

impl FakeFunctions {
    /// Answers each event with itself.
    pub fn new() -> Arc<Self> {
        let echo: Script = Arc::new(|invoke| {
            Box::pin(async move {
                Ok(match invoke.mode {
                    Mode::Wait => {
                        let body = invoke.payload.clone();
                        outcome(&invoke, Ok(Answer { body, ..Answer::default() }))
                    }
                    Mode::Queue => Reply::Accepted,
                    Mode::DryRun => Reply::WouldRun,
                })
            })
        });
        Arc::new(Self {
            views: Mutex::default(),
            script: Mutex::new(echo),
            invoked: Mutex::default(),
            records: Mutex::default(),
            leads: Mutex::default(),
            clock: FakeClock,
        })
    }

    /// From now on every invocation ends so.
    pub fn ends(&self, end: impl Fn(&Invoke) -> Result<Reply, Refusal> + Send + Sync + 'static) {
        self.script(move |invoke| {
            let reply = end(&invoke);
            Box::pin(async move { reply })
        });
    }

    pub fn script(
        &self,
        script: impl Fn(Invoke) -> Boxed<'static, Result<Reply, Refusal>> + Send + Sync + 'static,
    ) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// The event of the last invocation.
    pub fn event(&self) -> serde_json::Value {
        serde_json::from_slice(&self.invoked.lock().unwrap().last().unwrap().payload).unwrap()
    }
}

impl Functions for FakeFunctions {
    fn publish(&self, draft: Draft) -> Arc<Revision> {
        let mut views = self.views.lock().unwrap();
        let number = views.get(&draft.id).map_or(1, |view| view.latest.number + 1);
        let revision = Arc::new(Revision {
            function: draft.id.clone(),
            number,
            label: draft.label,
            source: draft.source,
            runtime: draft.runtime,
            handler: draft.handler,
            env: draft.env,
            limits: draft.limits,
        });
        let view = views.entry(draft.id.clone()).or_insert_with(|| FunctionView {
            id: draft.id,
            latest: revision.clone(),
            pinned: Vec::new(),
            reserved: revision.limits.concurrency,
            instances: 0,
            in_flight: 0,
            from: draft.from,
        });
        view.latest = revision.clone();
        revision
    }

    fn pin(&self, id: &FunctionId, label: &str) -> Option<Arc<Revision>> {
        let mut views = self.views.lock().unwrap();
        let view = views.get_mut(id)?;
        let pinned = Arc::new(Revision { label: label.into(), ..(*view.latest).clone() });
        view.pinned.push(pinned.clone());
        Some(pinned)
    }

    fn unpin(&self, id: &FunctionId, label: &str) -> bool {
        let mut views = self.views.lock().unwrap();
        let Some(view) = views.get_mut(id) else { return false };
        let before = view.pinned.len();
        view.pinned.retain(|pinned| pinned.label != label);
        view.pinned.len() < before
    }

    fn delete(&self, id: &FunctionId) -> bool {
        self.views.lock().unwrap().remove(id).is_some()
    }

    fn lead(&self, id: &FunctionId, alias: &str, routes: Option<Routes>) -> bool {
        self.leads.lock().unwrap().push((alias.to_owned(), routes));
        self.views.lock().unwrap().contains_key(id)
    }

    fn reserve(&self, id: &FunctionId, concurrency: Option<u32>) -> bool {
        let mut views = self.views.lock().unwrap();
        views.get_mut(id).map(|view| view.reserved = concurrency).is_some()
    }

    fn function(&self, id: &FunctionId) -> Option<FunctionView> {
        self.views.lock().unwrap().get(id).cloned()
    }

    fn invoke(&self, invoke: Invoke) -> Boxed<'_, Result<Reply, Refusal>> {
        self.invoked.lock().unwrap().push(invoke.clone());
        let script = self.script.lock().unwrap().clone();
        script(invoke)
    }

    fn unpack(&self, archive: Bytes, limit: u64) -> Boxed<'_, Result<Unpacked, PackageFault>> {
        let unpacked = match &archive[..] {
            b"PK bomb" => Err(PackageFault::TooLarge { limit }),
            bytes if bytes.starts_with(b"PK") => {
                use base64::Engine;
                let sha256 = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes));
                Ok(Unpacked {
                    folder: PathBuf::from("/unpacked"),
                    packed_bytes: bytes.len() as u64,
                    unpacked_bytes: 0,
                    sha256,
                    warnings: Vec::new(),
                })
            }
            _ => Err(PackageFault::NotAnArchive { why: "no end".into() }),
        };
        Box::pin(async move { unpacked })
    }

    fn measure(&self, _: PathBuf) -> Boxed<'_, u64> {
        Box::pin(async { 1234 })
    }

    fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    fn record(&self, _: Subject, what: What) {
        self.records.lock().unwrap().push(what);
    }
}

struct NoRuntime;

impl Runtime for NoRuntime {
    fn needs(&self, _: &Revision) -> Result<Needs, Unsupported> {
        Err(Unsupported { why: "nothing runs here".into(), hint: None })
    }

    fn open<'a>(
        &'a self,
        _: &'a Arc<Revision>,
        _: &'a Arc<Built>,
        _: InstanceId,
    ) -> Boxed<'a, Result<Box<dyn Session>, std::io::Error>> {
        Box::pin(async { Err(std::io::Error::other("nothing runs here")) })
    }

    fn lines(&self, _: &Record) -> Vec<String> {
        Vec::new()
    }
}

/// A Lambda over these functions, whose one bucket `code` has the one package `good.zip`.
pub fn lambda(functions: &Arc<FakeFunctions>) -> Arc<Lambda> {
    let fetch = |bucket: String, key: String, _: Option<String>| -> Boxed<'static, _> {
        Box::pin(async move {
            match (bucket.as_str(), key.as_str()) {
                ("code", "good.zip") => Ok(Bytes::from_static(b"PK good")),
                ("code", _) => Err(FetchFault::NoSuchKey),
                _ => Err(FetchFault::NoSuchBucket),
            }
        })
    };
    let settings = Arc::new(Settings::default());
    settings.set_port(4566);
    Arc::new(Lambda::new(functions.clone(), Arc::new(NoRuntime), settings, Arc::new(fetch)))
}
