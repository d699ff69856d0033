//! Does the steps of a test, in a world that is as new.

use super::check::Bench;
use super::model::{Placed, Step, Suite, Test};
use super::snapshots::Snapshots;
use crate::config::{ConfigError, bytes, duration};
use crate::daemon::invoke::Wanted;
use crate::daemon::reset::Extent;
use crate::daemon::world::World;
use crate::daemon::worlds::Worlds;
use bytes::Bytes;
use mlemu_core::{Clock, Timestamp};
use mlemu_engine::clock::{Course, Forward};
use mlemu_engine::wait::Wait;
use mlemu_fixtures::{Library, Param, Request};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a step may take, on the machine's clock, when nothing is said.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a test.
#[derive(Debug)]
pub struct Verdict {
    pub name: String,
    pub file: PathBuf,
    pub line: usize,
    pub took: Duration,
    /// What was not as it should be, each with its place in the file.
    pub failures: Vec<ConfigError>,
    /// What functions wrote, if it failed.
    pub log: Vec<String>,
}

/// What all tests of a run have in common.
pub struct Ground {
    /// What every test repeats by, if it does.
    pub seed: Option<u64>,
    pub worlds: Arc<Worlds>,
    pub root: PathBuf,
}

/// Runs one test. The world is as new before it, and left as it is.
pub async fn test(
    ground: &Ground,
    world: &Arc<World>,
    suite: &Suite,
    snapshots: &Snapshots,
    test: &Test,
) -> Verdict {
    let began = world.clock.elapsed();
    let mut failures = Vec::new();
    world.reset(Extent::All, test.cold).await;
    world.steer(Course::Real).await;
    match ground.seed {
        Some(seed) => world.repeat_by(seed),
        None => world.engine.faults().seed(test.seed),
    }
    let run = Run { ground, world, suite, snapshots, test };
    match run.prepare().await {
        Err(why) => failures.push(suite.text.error(test.at, 1, why)),
        Ok(()) => {
            for step in &test.steps {
                let found = run.step(step).await;
                let stops = !matches!(step.what, Step::Expect(_)) && !found.is_empty();
                failures.extend(found);
                if stops {
                    break;
                }
            }
        }
    }
    run.declare_as_declared();
    let log = if failures.is_empty() { Vec::new() } else { Bench { world }.log(None) };
    let took = world.clock.elapsed().saturating_sub(began);
    Verdict {
        name: test.name.clone(),
        file: suite.text.path.clone(),
        line: test.at.line,
        took,
        failures,
        log,
    }
}

struct Run<'a> {
    ground: &'a Ground,
    world: &'a Arc<World>,
    suite: &'a Suite,
    snapshots: &'a Snapshots,
    test: &'a Test,
}

impl Run<'_> {
    async fn prepare(&self) -> Result<(), String> {
        if let Some(clock) = &self.test.clock {
            let said = clock.strip_prefix("frozen:").unwrap_or(clock);
            let at: Result<jiff::Timestamp, _> = said.parse();
            let at =
                at.map_err(|error| format!("`{clock}` is no time like 2026-01-01T00:00:00Z: {error}"))?;
            self.world.steer(Course::Steered { at: Timestamp(at.as_microsecond()), rate: 0.0 }).await;
        }
        for (function, size) in &self.test.memory {
            let memory = bytes(size).ok_or_else(|| format!("`{size}` is no size: write 512MB or 1GB"))?;
            self.declare(Some(function), Some(memory))?;
        }
        Ok(())
    }

    /// Gives functions other memory for this test.
    fn declare(&self, only: Option<&str>, memory: Option<u64>) -> Result<(), String> {
        let project = self.ground.worlds.project();
        let meant = |name: &str, alias: Option<&str>| {
            only.is_none_or(|only| only == "*" || only == name || alias == Some(only))
        };
        let mut known = false;
        for declared in &project.functions {
            if meant(&declared.name, declared.alias.as_deref()) {
                known = true;
                let mut changed = declared.clone();
                changed.memory = memory.or(declared.memory);
                self.world.declare_again(&changed)?;
            }
        }
        if known { Ok(()) } else { Err(format!("there is no function `{}`", only.unwrap_or_default())) }
    }

    fn declare_as_declared(&self) {
        for function in self.test.memory.keys() {
            // What was declared once can be declared again.
            let _ = self.declare(Some(function), None);
        }
    }

    async fn step(&self, step: &Placed<Step>) -> Vec<ConfigError> {
        if let Step::Expect(all) = &step.what {
            let bench = Bench { world: self.world };
            let mut failures = Vec::new();
            for expectation in all {
                for (place, why) in bench.check(expectation, self.snapshots).await {
                    failures.push(self.suite.text.error(place.0, place.1, why));
                }
            }
            return failures;
        }
        match self.does(&step.what).await {
            Ok(()) => Vec::new(),
            Err(why) => vec![self.suite.text.error(step.at, step.width, why)],
        }
    }

    async fn does(&self, step: &Step) -> Result<(), String> {
        match step {
            Step::Put(put) => {
                let body = self.body(put.body.as_ref(), put.json.as_ref(), put.file.as_ref()).await?;
                let done = self.world.put(&put.bucket, &put.key, body).await;
                done.map(drop).map_err(|fault| fault.to_string())
            }
            Step::Send(send) => {
                let body = self.body(send.body.as_ref(), send.json.as_ref(), send.file.as_ref()).await?;
                let delay = send.delay.as_deref().map(spell).transpose()?;
                let done = self.world.send(&send.queue, body, delay);
                done.map(drop).map_err(|fault| fault.to_string())
            }
            Step::Invoke(invoke) => {
                let event = self.event(invoke)?;
                let wanted = Wanted { queue: invoke.queue, ..Wanted::default() };
                let done = self.world.invoke(&invoke.function, wanted, event).await;
                done.map(drop).map_err(|refused| refused.to_string())
            }
            Step::Wait(wanted) => {
                let (conditions, timeout) = wanted.conditions()?;
                let patience = timeout.as_deref().map(spell).transpose()?.unwrap_or(PATIENCE);
                self.wait(conditions, patience).await
            }
            Step::Advance(by) => {
                let forward = Forward::By(spell(by)?);
                let going = self.world.clock.forward(forward, self.world.engine.settle());
                let went = tokio::time::timeout(PATIENCE, going).await;
                went.map(drop).map_err(|_| "what fell due has not settled in time".into())
            }
            Step::Fault(fault) => {
                self.world.engine.faults().add(fault.rule()?);
                Ok(())
            }
            Step::Cold(function) => {
                let function = self.world.find(function).map_err(|refused| refused.to_string())?;
                self.world.engine.interrupt(Some(&function), mlemu_engine::Interrupt::Warmth);
                Ok(())
            }
            Step::Expect(_) => Ok(()),
        }
    }

    async fn wait(
        &self,
        until: crate::daemon::control::wait::Conditions,
        patience: Duration,
    ) -> Result<(), String> {
        use crate::daemon::control::wait::{Asked, diagnose, until as read};
        let asked = Asked { until, ..Asked::default() };
        let until = read(self.world, &asked).map_err(|fault| fault.1)?;
        let mut wait = Wait::new(self.world.view(), until);
        if tokio::time::timeout(patience, wait.run(false)).await.is_ok() {
            return Ok(());
        }
        Err(diagnose(self.world, &asked, &wait, patience).stuck.error)
    }

    async fn body(
        &self,
        text: Option<&String>,
        json: Option<&Value>,
        file: Option<&String>,
    ) -> Result<Bytes, String> {
        match (text, json, file) {
            (Some(text), None, None) => Ok(Bytes::from(text.clone())),
            (None, Some(json), None) => Ok(Bytes::from(json.to_string())),
            (None, None, Some(file)) => {
                // Beside the test, or in the project.
                let beside = self.suite.text.path.with_file_name(file);
                let path = if beside.exists() { beside } else { self.ground.root.join(file) };
                let read = tokio::fs::read(&path).await;
                read.map(Bytes::from).map_err(|error| format!("cannot read {file}: {error}"))
            }
            _ => Err("give one of `body`, `json` and `file`".into()),
        }
    }

    fn event(&self, invoke: &super::model::Invoke) -> Result<Bytes, String> {
        let name = match &invoke.event {
            Some(Value::String(name)) => name,
            Some(event) => return Ok(Bytes::from(event.to_string())),
            None => return Ok(Bytes::from_static(b"{}")),
        };
        let own = self.ground.root.join("events");
        let library = Library::new(own.is_dir().then_some(own));
        let params = invoke.params.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}").parse::<Param>(),
            other => format!("{name}:={other}").parse::<Param>(),
        });
        let request = Request {
            params: params.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
            seed: self.test.seed,
            now: self.world.clock.now().0,
            count: 1,
            project_root: Some(self.ground.root.clone()),
            envelope: None,
        };
        library.render(name, &request).map(Bytes::from).map_err(|error| error.to_string())
    }
}

fn spell(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| format!("`{text}` is no duration: write 500ms, 30s, 10m or 6h"))
}
