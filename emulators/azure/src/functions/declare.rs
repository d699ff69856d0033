//! Function apps that a project declares, and what becomes of them when their worker has said what they have.

use super::cors::Cors;
use super::{Functions, timer};
use crate::app::App;
use crate::bindings::pattern::Pattern;
use crate::bindings::trigger::{self, Waiting};
use crate::bindings::{Bindings, expression};
use crate::events::Hearers;
use crate::profile;
use crate::queue::ensure;
use crate::queue::feed;
use crate::retry::Retry;
use crate::settings::{HostFile, Unreadable};
use crate::worker::Workers;
use crate::worker::index::{Binding, Index, Indexed};
use mlemu_core::declare::FunctionDeclaration;
use mlemu_core::{Environment, FunctionId, Sink, Source, Subject, What};
use mlemu_engine::queues::TopicId;
use mlemu_engine::schedules::Schedules;
use mlemu_engine::sources::Sources;
use mlemu_engine::{Draft, Engine};
use std::sync::{Arc, PoisonError};

/// The option of a declaration that holds `host.json` as it is.
pub const HOST_FILE: &str = "host.json";

/// The option with the origins whose pages may call: `*`, or some between commas.
pub const CORS: &str = "cors";
/// The option that is `true` where those pages may send credentials.
pub const CORS_CREDENTIALS: &str = "cors-credentials";

/// Why a declared app cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Host(#[from] Unreadable),
}

impl Functions {
    /// Makes a declared app exist, or be as it is declared now. Its folder runs in place; `watch` reloads it when it
    /// changes. Its functions are known as soon as a worker is up, which this begins.
    pub fn declare(
        self: &Arc<Self>,
        declared: &FunctionDeclaration,
        watch: bool,
    ) -> Result<FunctionId, Refused> {
        let id = FunctionId::new(self.parts.place.scope.clone(), &declared.name);
        let text = declared.options.get(HOST_FILE).map_or("", String::as_str);
        let host = HostFile::read_with(text, &declared.env)?;
        let timeout = declared.timeout.or(host.timeout).unwrap_or(profile::DEFAULT_TIMEOUT);
        let timeout = timeout.min(profile::LONGEST_TIMEOUT);
        let mut limits = profile::limits(declared.memory.unwrap_or(profile::DEFAULT_MEMORY), timeout);
        let most = declared.concurrency.map(|workers| workers.saturating_mul(host.at_once));
        limits.concurrency = most;
        if let Some(tmp) = declared.tmp {
            limits.tmp = tmp;
        }
        self.unhost(&id);
        let app = Arc::new(self.app(&id, declared, host));
        let name = id.name.to_string();
        self.apps.write().unwrap_or_else(PoisonError::into_inner).insert(name, app.clone());
        let place = self.parts.place.clone();
        self.parts.engine.publish(Draft {
            id: id.clone(),
            label: "live".into(),
            source: Source::Folder(declared.source.clone()),
            runtime: declared.runtime.clone(),
            handler: declared.handler.clone(),
            env: self.pointed(&declared.env),
            limits,
            client: Arc::new(Workers {
                app: app.clone(),
                place,
                folder: self.parts.folder.clone(),
                sink: self.parts.engine.parts().journal.clone(),
            }),
            from: Some(format!("{}:{}", declared.from.file.display(), declared.from.line)),
            watch,
        });
        self.parts.engine.reserve(&id, most);
        let functions = self.clone();
        tokio::spawn(async move {
            // What failed was recorded where it failed, and is said to whoever calls.
            let _ = functions.started(&app).await;
        });
        Ok(id)
    }

    fn app(&self, id: &FunctionId, declared: &FunctionDeclaration, host: HostFile) -> App {
        let bindings = Bindings {
            queues: self.parts.queues.clone(),
            blobs: self.parts.blobs.clone(),
            settings: declared.env.clone(),
            manner: host.queues,
        };
        let arrival = Arrival {
            engine: self.parts.engine.clone(),
            schedules: self.parts.schedules.clone(),
            sources: self.parts.sources.clone(),
            hearers: self.parts.hearers.clone(),
            blob_pace: (host.blob_tries, host.blobs_at_once),
            app: id.clone(),
            bindings: bindings.clone(),
        };
        let option = |name| declared.options.get(name).map_or("", String::as_str);
        App::new(
            id.clone(),
            host,
            Cors::read(option(CORS), option(CORS_CREDENTIALS) == "true"),
            language(&declared.runtime),
            self.parts.engine.ids().clone(),
            bindings,
            move |index, is_first| arrival.bring(index, is_first),
        )
    }

    /// Makes declared queues exist.
    pub fn declare_queues<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let topic = |name| TopicId::new(&self.parts.place.scope, name);
        let made = |name| ensure(&self.parts.queues, &topic(name)).map_err(|fault| fault.to_string());
        names.into_iter().try_for_each(made)
    }

    /// Forgets an app that is no longer declared.
    pub fn forget(&self, id: &FunctionId) {
        if self.apps.write().unwrap_or_else(PoisonError::into_inner).remove(&*id.name).is_some() {
            self.unhost(id);
            self.parts.engine.delete(id);
        }
    }

    /// With connections to an emulator on its usual ports led to where ours is.
    fn pointed(&self, settings: &Environment) -> Environment {
        let meant = |value: &String| {
            value.trim().trim_end_matches(';').eq_ignore_ascii_case("UseDevelopmentStorage=true")
        };
        let to = &self.parts.connection;
        let led = |value: &String| if meant(value) { to.clone() } else { value.clone() };
        settings.iter().map(|(name, value)| (name.clone(), led(value))).collect()
    }

    fn unhost(&self, id: &FunctionId) {
        for part in self.parts.engine.host(id, Vec::new()) {
            self.parts.schedules.withdraw(&part);
            self.parts.sources.remove(&feed::id_of(&part));
            self.parts.sources.remove(&trigger::id_of(&part));
            self.parts.hearers.forget(&part);
        }
        self.parts.schedules.withdraw(id);
    }
}

fn language(runtime: &str) -> &'static str {
    match runtime {
        _ if runtime.starts_with("python") => "python",
        _ if runtime.starts_with("node") => "node",
        _ => "custom",
    }
}

/// What happens when a worker has told its functions.
struct Arrival {
    engine: Engine,
    schedules: Arc<Schedules>,
    sources: Sources,
    hearers: Hearers,
    /// How often a blob is tried before it is put aside, and how many are worked on at once.
    blob_pace: (u32, usize),
    app: FunctionId,
    bindings: Bindings,
}

impl Arrival {
    /// `is_first`: of its revision.
    fn bring(&self, index: &Arc<Index>, is_first: bool) {
        let parts = index.functions.iter().map(|function| self.id(function)).collect();
        for gone in self.engine.host(&self.app, parts) {
            self.schedules.withdraw(&gone);
            self.sources.remove(&feed::id_of(&gone));
            self.sources.remove(&trigger::id_of(&gone));
            self.hearers.forget(&gone);
        }
        for function in &index.functions {
            self.greet(function, is_first);
        }
        for text in &index.oddities {
            self.warn(&self.app, text.clone());
        }
    }

    fn id(&self, function: &Indexed) -> FunctionId {
        FunctionId::new(self.app.scope.clone(), &function.name)
    }

    fn greet(&self, function: &Indexed, is_first: bool) {
        let id = self.id(function);
        if let Some(fault) = &function.fault {
            return self.warn(&id, format!("the worker could not load it: {fault}"));
        }
        if self.bindings.is_disabled(function) {
            return self.quiet(&id);
        }
        let trigger = &function.trigger;
        let started = match trigger.kind.to_ascii_lowercase().as_str() {
            "httptrigger" => Ok(()),
            "eventgridtrigger" => {
                // What a subscription has for it waited.
                self.sources.revive(&id);
                Ok(())
            }
            "timertrigger" => {
                timer::arrange(&self.schedules, &id, trigger, &self.bindings.settings, is_first)
            }
            "queuetrigger" => self.feed_by_queue(&id, trigger),
            "blobtrigger" => self.feed_by_blobs(&id, trigger),
            _ => Err(format!(
                "nothing of mlemu fires a {} yet: invoke it with `mlemu invoke {}` or by POST /admin/functions/{}",
                trigger.kind, id.name, id.name
            )),
        };
        if let Err(why) = started {
            self.warn(&id, why);
        }
        self.warn_of_odd(&id, function);
    }

    /// Says what is declared of a function and not followed.
    fn warn_of_odd(&self, id: &FunctionId, function: &Indexed) {
        let kind = &function.trigger.kind;
        if function.retry.is_some() && !Retry::is_followed(kind) {
            let text =
                format!("its retry policy is not followed, as in the cloud: a {kind} has tries of its own");
            self.warn(id, text);
        }
        for binding in function.others.iter().filter(|binding| !Bindings::knows(binding)) {
            let way = if binding.is_out { "what goes out by it is dropped" } else { "it comes empty" };
            let text =
                format!("mlemu does not have the binding `{}` of {} yet: {way}", binding.name, binding.kind);
            self.warn(id, text);
        }
    }

    /// Nothing starts a function that is turned off, but by hand.
    fn quiet(&self, id: &FunctionId) {
        self.schedules.withdraw(id);
        self.sources.remove(&feed::id_of(id));
        self.sources.remove(&trigger::id_of(id));
        self.hearers.forget(id);
    }

    fn feed_by_queue(&self, id: &FunctionId, trigger: &Binding) -> Result<(), String> {
        let Bindings { queues, settings, manner, .. } = &self.bindings;
        let queue = expression::settled(trigger.text("queueName").unwrap_or_default(), settings)?;
        let topic = self.bindings.topic(trigger, &queue)?;
        let mapping = feed::mapping(queues, self.sink(), id, topic, *manner);
        self.sources.put(mapping.map_err(|fault| fault.to_string())?);
        Ok(())
    }

    fn feed_by_blobs(&self, id: &FunctionId, told: &Binding) -> Result<(), String> {
        let Bindings { queues, blobs, settings, .. } = &self.bindings;
        let path = expression::settled(told.text("path").unwrap_or_default(), settings)?;
        let pattern = Pattern::read(&path)?;
        let bucket = self.bindings.bucket(told, &pattern.container)?;
        let by_events = told.text("source").is_some_and(|source| source.eq_ignore_ascii_case("EventGrid"));
        let queue = trigger::queue_of(id);
        let waiting = Waiting { function: id.clone(), pattern, bucket, by_events, queue };
        let mapping = trigger::mapping(&waiting, queues, blobs, self.sink(), self.blob_pace);
        self.sources.put(mapping.map_err(|fault| fault.to_string())?);
        self.hearers.wait(waiting);
        Ok(())
    }

    fn sink(&self) -> Arc<dyn Sink> {
        self.engine.parts().journal.clone()
    }

    fn warn(&self, function: &FunctionId, text: String) {
        let parts = self.engine.parts();
        let subject = Subject { function: Some(function.clone()), ..Subject::default() };
        parts.journal.send(parts.clock.now(), subject, What::Warning { text });
    }
}
