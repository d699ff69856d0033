//! Functions that a project declares, and what else is put into the catalog without a request.

use super::Lambda;
use super::catalog::{self, Entry, UrlConfig};
use super::fault::Fault;
use super::mapping::{self, Facts};
use super::ops;
use super::target::{LATEST, Target};
use super::wire::{Cors, Kept};
use crate::pattern::Pattern;
use crate::profile;
use mlemu_core::declare::{FunctionDeclaration, QueueOptions, TriggerDeclaration};
use mlemu_core::{FunctionId, Revision, Source, Subject, What};
use mlemu_engine::queues::SubscriptionId;
use mlemu_engine::{Draft, FunctionView};
use serde_json::Value;
use std::sync::Arc;

/// Where functions run that do not say.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

impl Lambda {
    /// Makes a declared function exist, or be as it is declared now. Its folder runs in place; `watch` reloads it
    /// when it changes.
    pub fn declare(&self, declared: &FunctionDeclaration, watch: bool) -> Arc<Revision> {
        let id = self.id_of(&declared.name);
        let mut limits = profile::limits(
            declared.memory.unwrap_or(profile::DEFAULT_MEMORY),
            declared.timeout.unwrap_or(profile::DEFAULT_TIMEOUT),
            declared.tmp.unwrap_or(profile::DEFAULT_TMP),
        );
        limits.concurrency = declared.concurrency;
        let draft = Draft {
            id: id.clone(),
            label: LATEST.into(),
            source: Source::Folder(declared.source.clone()),
            runtime: declared.runtime.clone(),
            handler: declared.handler.clone(),
            env: declared.env.clone(),
            limits,
            client: self.client.clone(),
            from: Some(format!("{}:{}", declared.from.file.display(), declared.from.line)),
            watch,
        };
        let mut catalog = self.catalog();
        let revision = self.functions.publish(draft);
        self.functions.reserve(&id, declared.concurrency);
        let mut kept = Kept::new();
        let dead_letters = declared.options.get("DeadLetterConfig");
        if let Some(said) = dead_letters.and_then(|text| serde_json::from_str(text).ok()) {
            kept.insert("DeadLetterConfig".into(), said);
        }
        let facts = self.facts(self.settings.default_role(), String::new(), None, kept);
        let url = self.declared_url(declared);
        if !catalog.has(&id.name) {
            catalog.insert(Entry::new(id.clone(), facts.clone()));
        }
        if let Some(entry) = catalog.get_mut(&id.name) {
            entry.latest = facts;
            entry.alias.clone_from(&declared.alias);
            entry.url = url;
        }
        revision
    }

    /// Feeds a declared function from a queue. What the vendor would refuse of it is said aloud.
    pub fn declare_mapping(
        &self,
        function: &FunctionId,
        index: usize,
        from: SubscriptionId,
        batch: u32,
        options: &QueueOptions,
    ) -> Result<(), String> {
        let mappings = self.mappings().map_err(|fault| fault.text)?;
        let source_arn = crate::sqs::arn_of(&from.topic);
        let window = options.window.map_or(0, |window| window.as_secs() as u32);
        let visibility = mappings.sqs.visibility(&from).unwrap_or_default();
        let timeout = self.latest(function).map_or(0, |latest| latest.limits.timeout.as_secs());
        let checks = [mapping::together(&source_arn, batch, window), mapping::times(visibility, timeout)];
        for fault in checks.into_iter().filter_map(Result::err) {
            let subject = Subject { function: Some(function.clone()), ..Subject::default() };
            let text = format!("Lambda would refuse the mapping of {source_arn}: {}", fault.text);
            self.functions.record(subject, What::Warning { text });
        }
        if let Some(wrong) = options.filters.iter().find_map(|filter| Pattern::compile(filter).err()) {
            return Err(format!("a filter of {source_arn} is no pattern: {wrong}"));
        }
        let facts = Facts {
            source_arn,
            from,
            target: function.clone(),
            qualifier: None,
            batch,
            window,
            concurrency: options.concurrency,
            filters: options.filters.clone(),
            partial: options.partial,
            enabled: true,
            modified: self.functions.clock().now(),
            kept: Kept::new(),
        };
        mappings.put(&mapping::declared_uuid(function, index), facts);
        Ok(())
    }

    /// What becomes of a declared function's queued calls: properties of an `AWS::Lambda::EventInvokeConfig`.
    pub fn declare_queued(&self, said: &Value) -> Result<(), Fault> {
        let target = self.declared_target(said)?;
        let given = serde_json::from_value(with_numbers(said))
            .map_err(|error| Fault::parameter(error.to_string()))?;
        ops::set_queued(self, &target, given)
    }

    /// Takes it back.
    pub fn withdraw_queued(&self, said: &Value) {
        let Ok(target) = self.declared_target(said) else { return };
        let place = target.qualifier.clone().unwrap_or_else(|| LATEST.into());
        // A function that is gone has taken it along.
        let _ = self.with_entry_mut(&target, |entry| Ok(entry.queued.remove(&place)));
    }

    /// A name for a version of a declared function: properties of an `AWS::Lambda::Alias`.
    pub fn declare_alias(&self, said: &Value) -> Result<(), Fault> {
        let target = self.declared_target(said)?;
        let name = said["Name"].as_str().unwrap_or_default();
        // A declared function runs its folder as it is: there is one version of it.
        ops::set_alias(self, &target, name)
    }

    fn declared_target(&self, said: &Value) -> Result<Target, Fault> {
        let function = said["FunctionName"].as_str().unwrap_or_default();
        Target::read(function, said["Qualifier"].as_str(), &self.settings)
    }

    /// Forgets a function that is no longer declared. `false`: there was none.
    pub fn forget(&self, id: &FunctionId) -> bool {
        let mut catalog = self.catalog();
        catalog.remove(&id.name).is_some() && self.functions.delete(id)
    }

    /// A revision id.
    pub(super) fn fresh_id(&self) -> String {
        self.functions.ids().fresh("revision").uuid()
    }

    pub(super) fn id_of(&self, name: &str) -> FunctionId {
        FunctionId::new(self.settings.scope.clone(), name)
    }

    /// Facts as of now, with a revision id of their own.
    pub(super) fn facts(
        &self,
        role: String,
        description: String,
        architectures: Option<Vec<String>>,
        kept: Kept,
    ) -> catalog::Facts {
        catalog::Facts {
            role,
            description,
            architectures: architectures.unwrap_or_else(|| vec![ARCHITECTURE.to_owned()]),
            kept,
            modified: self.functions.clock().now(),
            revision_id: self.fresh_id(),
        }
    }

    /// What would make the newest revision once more.
    pub(super) fn draft_of(&self, view: &FunctionView) -> Draft {
        let latest = &view.latest;
        Draft {
            id: view.id.clone(),
            label: LATEST.into(),
            source: latest.source.clone(),
            runtime: latest.runtime.clone(),
            handler: latest.handler.clone(),
            env: latest.env.clone(),
            limits: latest.limits.clone(),
            client: self.client.clone(),
            from: view.from.clone(),
            watch: matches!(latest.source, Source::Folder(_)),
        }
    }

    fn declared_url(&self, declared: &FunctionDeclaration) -> Option<UrlConfig> {
        declared.triggers.iter().find_map(|trigger| {
            let TriggerDeclaration::Url { cors, streaming } = trigger else { return None };
            let now = self.functions.clock().now();
            Some(UrlConfig {
                auth_type: "NONE".into(),
                cors: cors.as_ref().map(url_cors),
                streaming: *streaming,
                created: now,
                modified: now,
            })
        })
    }
}

/// Templates write destinations with a kind beside the address, and numbers as text now and then.
fn with_numbers(said: &Value) -> Value {
    let mut said = said.clone();
    for name in ["MaximumRetryAttempts", "MaximumEventAgeInSeconds"] {
        let number = said[name].as_str().and_then(|text| text.parse::<i64>().ok());
        if let Some(number) = number {
            said[name] = number.into();
        }
    }
    said
}

fn url_cors(cors: &mlemu_core::declare::Cors) -> Cors {
    Cors {
        allow_credentials: cors.credentials.then_some(true),
        allow_headers: cors.headers.clone(),
        allow_methods: cors.methods.clone(),
        allow_origins: cors.origins.clone(),
        expose_headers: Vec::new(),
        max_age: cors.max_age,
    }
}
