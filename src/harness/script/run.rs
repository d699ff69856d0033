//! Does the steps of a test, in a world that is as new.

use super::check::Bench;
use super::content::{Content, decoded};
use super::model::{Invoke, Placed, STILL, Step, Subject, Suite, Test, WaitFor, moment, spell};
use super::read::{fill, fill_text};
use super::snapshots::Snapshots;
use crate::config::{ConfigError, bytes};
use crate::daemon::control::clock::{Steer, steered};
use crate::daemon::control::queues;
use crate::daemon::control::wait::{Asked, Conditions, diagnose, until as read};
use crate::daemon::invoke::{Wanted, instead};
use crate::daemon::reset::Extent;
use crate::daemon::world::World;
use crate::daemon::worlds::Worlds;
use bytes::Bytes;
use mlemu_core::{Clock, FunctionId};
use mlemu_engine::clock::{Course, Forward};
use mlemu_engine::wait::Until;
use mlemu_engine::wait::Wait;
use mlemu_fixtures::{Library, Param, Request};
use serde_json::Value;
use std::collections::BTreeMap;
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
    match ground.seed.or(test.seed) {
        Some(seed) => world.repeat_by(seed),
        None => world.repeat_no_more(),
    }
    let addresses = world.addresses().into_iter();
    let names = addresses.map(|(cloud, address)| (format!("url.{cloud}"), address)).collect();
    let run = Run { ground, world, suite, snapshots, test, names };
    match run.prepare().await {
        Err(why) => failures.push(suite.text.error(test.at, 1, why)),
        Ok(()) => {
            for (number, step) in test.steps.iter().enumerate() {
                let found = run.step(step, &test.steps[number + 1..]).await;
                let stops = !matches!(step.what, Step::Expect(_)) && !found.is_empty();
                failures.extend(found);
                if stops {
                    break;
                }
            }
        }
    }
    run.declare_as_declared();
    let log = if failures.is_empty() { Vec::new() } else { Bench { world, cloud: run.cloud() }.log(None) };
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
    /// What steps may say as `${NAME}` that is known only now.
    names: BTreeMap<String, String>,
}

impl Run<'_> {
    /// The one cloud that the test is about.
    fn cloud(&self) -> Option<&str> {
        self.test.on.as_deref()
    }

    fn function(&self, name: &str) -> Result<FunctionId, String> {
        self.world.find_on(self.cloud(), name).map_err(|refused| refused.to_string())
    }

    async fn prepare(&self) -> Result<(), String> {
        let there = |cloud: &str| self.names.contains_key(&format!("url.{cloud}"));
        if let Some(cloud) = self.cloud().filter(|cloud| !there(cloud)) {
            return Err(format!("nothing of this project is on {cloud}"));
        }
        if let Some(clock) = &self.test.clock {
            self.world.steer(Course::Steered { at: moment(clock)?, rate: 0.0 }).await;
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
        let here = |cloud: &str| self.cloud().is_none_or(|only| only == cloud);
        for declared in project.functions.iter().filter(|declared| here(&declared.cloud)) {
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

    /// Does one step; `rest` are those that come after it.
    async fn step(&self, step: &Placed<Step>, rest: &[Placed<Step>]) -> Vec<ConfigError> {
        if let Step::Expect(all) = &step.what {
            let bench = Bench { world: self.world, cloud: self.cloud() };
            let mut failures = Vec::new();
            for expectation in all {
                for (place, why) in bench.check(expectation, self.snapshots).await {
                    failures.push(self.suite.text.error(place.0, place.1, why));
                }
            }
            return failures;
        }
        match self.does(&step.what, rest).await {
            Ok(()) => Vec::new(),
            Err(why) => vec![self.suite.text.error(step.at, step.width, why)],
        }
    }

    async fn does(&self, step: &Step, rest: &[Placed<Step>]) -> Result<(), String> {
        match step {
            Step::Put(put) => {
                let body = self.body(&Content::of_put(put)).await?;
                let bucket =
                    self.world.bucket(&put.bucket, self.cloud()).map_err(|fault| fault.to_string())?;
                let done = self.world.put(&bucket.id, &put.key, body).await;
                done.map(drop).map_err(|fault| fault.to_string())
            }
            Step::Send(send) => {
                let body = self.body(&Content::of_send(send)).await?;
                let delay = send.delay.as_deref().map(spell).transpose()?;
                let queue = self.world.topic_to_be(&send.queue, self.cloud()).await;
                let queue = queue.map_err(|fault| fault.to_string())?;
                let done = self.world.send(&queue, body, delay);
                done.map(drop).map_err(|fault| fault.to_string())
            }
            Step::Invoke(invoke) => {
                let event = self.event(invoke)?;
                let wanted = Wanted { queue: invoke.queue, ..Wanted::default() };
                let done = self.world.run(&self.function(&invoke.function)?, wanted, event).await;
                let done = done.map_err(|refused| refused.to_string())?;
                if done.status == "error" && !rest.iter().any(|step| is_judged(&step.what, &invoke.function))
                {
                    let hint = "if it shall fail, expect it: `last: { status: error }`";
                    return Err(format!("{} failed: {}\n{hint}", invoke.function, done.result));
                }
                Ok(())
            }
            Step::Wait(WaitFor::Word(word)) if word == STILL => {
                let still = self.world.engine.settle().still();
                let came = tokio::time::timeout(PATIENCE, still).await;
                came.map_err(|_| "something still moves".into())
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
            Step::Clock(at) => {
                let real = at == "real";
                let now = (!real).then(|| at.strip_prefix("frozen:").unwrap_or(at).to_owned());
                let steer = Steer { real, frozen: now.is_some().then_some(true), now, ..Steer::default() };
                let steering = steered(self.world, &steer);
                let steered = tokio::time::timeout(PATIENCE, steering).await;
                steered
                    .map_err(|_| "what fell due has not settled in time".to_owned())?
                    .map_err(|fault| fault.1)
            }
            Step::Fire(id) => {
                if self.world.schedules.fire(id).await {
                    Ok(())
                } else {
                    Err(self.no_schedule(id))
                }
            }
            Step::Fault(fault) => {
                self.world.engine.faults().add(fault.rule()?);
                Ok(())
            }
            Step::Cold(function) => {
                let function = self.function(function)?;
                self.world.engine.interrupt(Some(&function), mlemu_engine::Interrupt::Warmth);
                Ok(())
            }
            Step::Expect(_) => Ok(()),
        }
    }

    fn no_schedule(&self, id: &str) -> String {
        let all = self.world.schedules.all();
        let known: Vec<String> = all.iter().map(|(schedule, _)| schedule.id.to_string()).collect();
        format!("there is no schedule `{id}`{}", instead(id, &known))
    }

    async fn wait(&self, until: Conditions, patience: Duration) -> Result<(), String> {
        let asked = Asked { until, ..Asked::default() };
        let until = read(self.world, &asked).map_err(|fault| fault.1)?;
        let mut wait = Wait::new(self.world.view(), self.of_cloud(until, &asked)?);
        if tokio::time::timeout(patience, wait.run(false)).await.is_ok() {
            return Ok(());
        }
        Err(diagnose(self.world, &asked, &wait, patience).stuck.error)
    }

    /// The same names, in the test's own cloud.
    fn of_cloud(&self, mut until: Until, asked: &Asked) -> Result<Until, String> {
        if self.cloud().is_none() {
            return Ok(until);
        }
        let named = asked.until.invocations.as_ref().and_then(|wanted| wanted.function.as_deref());
        if let (Some(wanted), Some(name)) = (&mut until.invocations, named) {
            wanted.function = Some(self.function(name)?);
        }
        if let Some(stored) = &mut until.stored {
            let bucket =
                self.world.bucket(&stored.bucket, self.cloud()).map_err(|fault| fault.to_string())?;
            stored.accounts = Some(vec![bucket.scope.account.clone()]);
        }
        if let Some(name) = &asked.until.queue_empty {
            let queue = queues::find_on(self.world, self.cloud(), name);
            until.emptied = Some(queue.map_err(|fault| fault.1)?);
        }
        Ok(until)
    }

    async fn body(&self, content: &Content<'_>) -> Result<Bytes, String> {
        match (content.body, content.json, content.base64, content.file) {
            (Some(text), None, None, None) => Ok(Bytes::from(fill_text(text, &self.names))),
            (None, Some(json), None, None) => Ok(Bytes::from(fill(json.clone(), &self.names).to_string())),
            (None, None, Some(base64), None) => decoded(base64),
            (None, None, None, Some(file)) => {
                // Beside the test, or in the project.
                let beside = self.suite.text.path.with_file_name(file);
                let path = if beside.exists() { beside } else { self.ground.root.join(file) };
                let read = tokio::fs::read(&path).await;
                read.map(Bytes::from).map_err(|error| format!("cannot read {file}: {error}"))
            }
            _ => Err("give one of `body`, `json`, `base64` and `file`".into()),
        }
    }

    fn event(&self, invoke: &Invoke) -> Result<Bytes, String> {
        if let Some(base64) = &invoke.base64 {
            return decoded(base64);
        }
        let name = match &invoke.event {
            Some(Value::String(name)) => name,
            Some(event) => return Ok(Bytes::from(fill(event.clone(), &self.names).to_string())),
            None => return Ok(Bytes::from_static(b"{}")),
        };
        let own = self.ground.root.join("events");
        let library = Library::new(own.is_dir().then_some(own));
        let params = fill(invoke.params.clone().into(), &self.names);
        let params = params.as_object().into_iter().flatten().map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}").parse::<Param>(),
            other => format!("{name}:={other}").parse::<Param>(),
        });
        let request = Request {
            params: params.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
            seed: self.ground.seed.or(self.test.seed).unwrap_or_default(),
            now: self.world.clock.now().0,
            count: 1,
            project_root: Some(self.ground.root.clone()),
            envelope: invoke.envelope.clone(),
        };
        library.render(name, &request).map(Bytes::from).map_err(|error| error.to_string())
    }
}

/// Whether a later step says what shall have become of a function's invocations: then that decides.
fn is_judged(later: &Step, function: &str) -> bool {
    let is_it = |named: Option<&String>| named.is_none_or(|named| named == function);
    match later {
        Step::Wait(WaitFor::Until(until)) => until.status.is_some() && is_it(until.function.as_ref()),
        Step::Expect(all) => all.iter().any(|one| match &one.subject {
            Subject::Last { function } | Subject::Invocations { function, .. } => is_it(function.as_ref()),
            _ => false,
        }),
        _ => false,
    }
}
