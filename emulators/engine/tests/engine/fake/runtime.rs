//! A fake vendor: sessions that play scripts instead of speaking with a process.

use super::process::{KEY, Process};
use super::script::{self, Step};
use super::world::{Delivered, World};
use mlemu_core::runtime::{Command, Delivery, ReportedError, SessionReply, Unsupported, Unwrapped};
use mlemu_core::{
    Answer, Boxed, Built, Ending, InstanceId, InvocationId, Keeping, Language, Needs, Record, Revision,
    Runtime, Session, What,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// `revision.handler` is the script of its init, the payload that of an invocation.
pub struct FakeRuntime(pub Arc<World>);

impl Runtime for FakeRuntime {
    fn needs(&self, revision: &Revision) -> Result<Needs, Unsupported> {
        if revision.runtime == "unknown" {
            return Err(Unsupported { why: "no runtime `unknown`".into(), hint: Some("try fake1".into()) });
        }
        Ok(Needs {
            source: revision.source.folder().to_owned(),
            language: Language::Executable { name: "fake".into() },
            client_packages: Vec::new(),
            client_for_newer: false,
            provided_packages: Vec::new(),
            self_contained: true,
        })
    }

    fn open<'a>(
        &'a self,
        revision: &'a Arc<Revision>,
        built: &'a Arc<Built>,
        _instance: InstanceId,
    ) -> Boxed<'a, Result<Box<dyn Session>, std::io::Error>> {
        let key = self.0.key();
        let start = self.0.count(&revision.handler);
        let session = FakeSession {
            world: self.0.clone(),
            key,
            revision: revision.number,
            init: script::steps(script::alternative(&revision.handler, start)),
            limit: revision.limits.response,
            concurrency: concurrency(revision),
            command: Command {
                program: built.program.clone(),
                args: Vec::new(),
                env: [(KEY.to_owned(), key.to_string())].into(),
                folder: built.code.clone(),
            },
            after: Mutex::default(),
        };
        self.0.note(|seen| seen.sessions += 1);
        Box::pin(async move {
            let session: Box<dyn Session> = Box::new(session);
            Ok(session)
        })
    }

    /// Instances of the runtime `steady` run on between events and past deadlines; those of `crowd3` take three
    /// events at a time.
    fn keeping(&self, revision: &Revision) -> Keeping {
        let steady = revision.runtime == "steady";
        let concurrency = concurrency(revision);
        Keeping {
            freezes: !steady,
            outlives_deadlines: steady,
            concurrency,
            tmp_is_memory: false,
            starts_again: !steady,
        }
    }

    fn profile(&self, _revision: &Revision) -> &'static str {
        "fake"
    }

    /// `@CALL TEXT`, with `|` between lines.
    fn unwrapped(&self, line: &str) -> Option<Unwrapped> {
        let (call, text) = line.strip_prefix('@')?.split_once(' ')?;
        Some(Unwrapped { text: text.replace('|', "\n"), invocation: Some(InvocationId(call.into())) })
    }

    fn lines(&self, record: &Record) -> Vec<String> {
        match &record.what {
            What::InitStarted { .. } => vec!["init".into()],
            What::Started => vec!["start".into()],
            What::Log(line) => vec![line.text.clone()],
            What::Ended { .. } => vec!["end".into()],
            _ => Vec::new(),
        }
    }
}

fn concurrency(revision: &Revision) -> usize {
    revision.runtime.strip_prefix("crowd").map_or(1, |count| count.parse().expect("a number"))
}

struct FakeSession {
    world: Arc<World>,
    key: u64,
    revision: u64,
    init: Vec<Step>,
    limit: u64,
    concurrency: usize,
    command: Command,
    after: Mutex<After>,
}

/// What the process does once it has answered.
#[derive(Clone, Copy, Default)]
struct After {
    die: bool,
    linger: Duration,
}

/// How a script came out.
enum Played {
    Through,
    Reply(SessionReply),
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        self.world.forget(self.key);
        self.world.note(|seen| seen.sessions -= 1);
    }
}

impl FakeSession {
    fn process(&self) -> Arc<Process> {
        self.world.process(self.key)
    }

    fn goes_on<T>(&self, how: impl FnOnce(&mut After) -> T) -> T {
        how(&mut self.after.lock().expect("nobody panics with it"))
    }

    async fn play(&self, steps: Vec<Step>) -> Played {
        let process = self.process();
        self.goes_on(|after| *after = After::default());
        for step in steps {
            match step {
                Step::Write(stream, bytes) => process.write(stream, bytes),
                Step::Fill(count) => process.write(mlemu_core::Stream::Stdout, vec![b'x'; count]),
                Step::Sleep(wait) => crate::fake::pass(wait).await,
                Step::Gate(gate) => self.world.pass(&gate).await,
                Step::Memory(bytes) => process.uses(bytes),
                Step::Linger(wait) => self.goes_on(|after| after.linger = wait),
                Step::Die => self.goes_on(|after| after.die = true),
                Step::DieLater(wait) => die_later(process.clone(), wait),
                Step::Ok(text) => return Played::Reply(self.answer(text)),
                Step::Error(kind) => {
                    let body = format!("{{\"errorType\":\"{kind}\"}}").into();
                    return Played::Reply(SessionReply::Error(ReportedError { body, kind: Some(kind) }));
                }
                Step::Large => {
                    return Played::Reply(SessionReply::TooLarge { size: 1001, limit: self.limit });
                }
                Step::Exit(code) => return end(&process, Ending::Exit(code)).await,
                Step::Signal(signal) => return end(&process, Ending::Signal(signal)).await,
                Step::Oom => return end(&process, Ending::OutOfMemory).await,
                Step::Hang => std::future::pending().await,
                Step::Panic => panic!("the script says so"),
            }
        }
        Played::Through
    }

    fn answer(&self, text: Option<String>) -> SessionReply {
        let body = text.unwrap_or_else(|| self.revision.to_string()).into();
        SessionReply::Answer(Answer { body, ..Answer::default() })
    }
}

async fn end(process: &Process, ending: Ending) -> Played {
    process.end(ending);
    std::future::pending().await
}

fn die_later(process: Arc<Process>, wait: Duration) {
    tokio::spawn(async move {
        crate::fake::pass(wait).await;
        process.end(Ending::Exit(1));
    });
}

impl Session for FakeSession {
    fn command(&self) -> &Command {
        &self.command
    }

    fn ready(&mut self) -> Boxed<'_, Result<(), ReportedError>> {
        let init = std::mem::take(&mut self.init);
        Box::pin(async move {
            match self.play(init).await {
                Played::Reply(SessionReply::Error(error)) => Err(error),
                Played::Reply(_) | Played::Through => Ok(()),
            }
        })
    }

    fn invoke(&self, delivery: Delivery) -> Boxed<'_, SessionReply> {
        Box::pin(async move {
            let process = self.process();
            if !process.lives() {
                return std::future::pending().await;
            }
            process.takes(self.concurrency);
            let delivered =
                Delivered { id: delivery.invoke.id.clone(), process: self.key, left: delivery.left };
            self.world.note(|seen| seen.deliveries.push(delivered));
            let payload = String::from_utf8_lossy(&delivery.invoke.payload).into_owned();
            match self.play(script::steps(&payload)).await {
                Played::Reply(reply) => reply,
                Played::Through => self.answer(None),
            }
        })
    }

    fn idle(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            let process = self.process();
            let after = self.goes_on(|after| *after);
            if after.die {
                process.end(Ending::Exit(0));
            }
            if !process.lives() {
                return std::future::pending().await;
            }
            crate::fake::pass(after.linger).await;
            process.is_done();
        })
    }
}
