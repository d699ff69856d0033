//! `mlemu.toml`: read, checked, and laid over what was detected.

use super::error::ConfigError;
use super::model::{BucketTable, FunctionTable, Model, PrepareTable, Provider, QueueTable};
use super::settings::{ACCOUNT, QueueDeclaration, REGION, Settings};
use super::text::SourceText;
use super::{dotenv, limits, paths, schema, triggers};
use mlemu_core::declare::{BucketDeclaration, FunctionDeclaration, Prepare, Project, Provenance};
use mlemu_core::function::Environment;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

/// The file and what it says.
pub struct Native {
    text: SourceText,
    model: Model,
    /// The project's folder: what its paths are seen from.
    root: PathBuf,
}

impl Native {
    pub fn read(path: &Path, root: &Path) -> Result<Self, ConfigError> {
        let text = SourceText::read(path)?;
        let model = model(&text)?;
        let native = Self { text, model, root: root.to_owned() };
        match &native.model.aws.account {
            Some(account) if !is_account(account.get_ref()) => {
                Err(native.fault(account.span(), "an account is twelve digits"))
            }
            _ => Ok(native),
        }
    }

    pub fn name(&self) -> Option<&str> {
        self.model.project.name.as_deref()
    }

    /// Values for the parameters of templates.
    pub fn parameters(&self) -> &BTreeMap<String, String> {
        &self.model.aws.parameters
    }

    pub fn settings(&self) -> Settings {
        let aws = &self.model.aws;
        Settings {
            region: aws.region.clone().unwrap_or_else(|| REGION.into()),
            account: aws.account.as_ref().map_or_else(|| ACCOUNT.into(), |account| account.get_ref().clone()),
            ports: self.model.ports.clone(),
            watch_ignore: self.model.watch.ignore.clone(),
            queues: Vec::new(),
        }
    }

    /// The file of variables that every function receives.
    pub fn env_file(&self) -> Option<PathBuf> {
        self.model.project.env_file.as_ref().map(|file| paths::join(&self.root, file.get_ref()))
    }

    /// Changes what was detected, and adds what was not.
    pub fn apply(mut self, project: &mut Project, settings: &mut Settings) -> Result<(), ConfigError> {
        let mut findings = Vec::new();
        let known = by_name(&project.functions);
        for (name, table) in by_place(mem::take(&mut self.model.functions)) {
            let found = known.get(name.get_ref()).copied();
            findings.extend(self.function(&name, table, found, project).err());
        }
        for (name, table) in by_place(mem::take(&mut self.model.buckets)) {
            findings.extend(self.bucket(&name, &table, project).err());
        }
        for (name, table) in by_place(mem::take(&mut self.model.queues)) {
            self.queue(&name, table, settings);
        }
        for table in mem::take(&mut self.model.prepare).into_vec() {
            match self.prepare(table) {
                Ok(prepare) => project.prepare.push(prepare),
                Err(finding) => findings.push(finding),
            }
        }
        findings.extend(self.shared_env(project).err());
        ConfigError::all(findings).map_or(Ok(()), Err)
    }

    fn function(
        &self,
        name: &Spanned<String>,
        mut table: FunctionTable,
        found: Option<usize>,
        project: &mut Project,
    ) -> Result<(), ConfigError> {
        let mut function = match found {
            Some(index) => project.functions[index].clone(),
            None => self.blank(name, &mut table)?,
        };
        self.overlay(&mut function, table, &mut project.warnings)?;
        match found {
            Some(index) => project.functions[index] = function,
            None => project.functions.push(function),
        }
        Ok(())
    }

    /// A function that is declared here alone.
    fn blank(
        &self,
        name: &Spanned<String>,
        table: &mut FunctionTable,
    ) -> Result<FunctionDeclaration, ConfigError> {
        let cloud = table.provider.unwrap_or_default().name();
        if let Some(fault) = limits::function_name_fault(cloud, name.get_ref()) {
            return Err(self.fault(name.span(), fault));
        }
        let missing = |key: &str, example: &str| {
            let what = format!("function `{}` has no {key}", name.get_ref());
            self.fault(name.span(), what)
                .hint(format!("add `{key} = \"{example}\"`, or name a function that a template declares"))
        };
        Ok(FunctionDeclaration {
            cloud: cloud.into(),
            name: name.get_ref().clone(),
            alias: None,
            runtime: table.runtime.take().ok_or_else(|| missing("runtime", "python3.12"))?,
            handler: table.handler.take().ok_or_else(|| missing("handler", "app.handler"))?,
            source: self.root.clone(),
            memory: None,
            timeout: None,
            tmp: None,
            env: Environment::new(),
            concurrency: None,
            triggers: Vec::new(),
            from: self.provenance(name.span()),
        })
    }

    /// Every key that is given replaces what the function had; variables are added one by one.
    fn overlay(
        &self,
        function: &mut FunctionDeclaration,
        table: FunctionTable,
        warnings: &mut Vec<String>,
    ) -> Result<(), ConfigError> {
        if let Some(provider) = table.provider {
            function.cloud = provider.name().into();
        }
        function.runtime = table.runtime.unwrap_or(mem::take(&mut function.runtime));
        function.handler = table.handler.unwrap_or(mem::take(&mut function.handler));
        if let Some(source) = table.source {
            function.source = self.source(&source, warnings)?;
        }
        let cloud = function.cloud.clone();
        let size = |fault: fn(&str, u64) -> Option<String>| {
            let cloud = &cloud;
            move |bytes| fault(cloud, bytes)
        };
        if let Some(memory) = table.memory {
            function.memory =
                Some(self.within(memory.span(), memory.get_ref().0, size(limits::memory_fault))?);
        }
        if let Some(tmp) = table.tmp {
            function.tmp = Some(self.within(tmp.span(), tmp.get_ref().0, size(limits::tmp_fault))?);
        }
        if let Some(timeout) = table.timeout {
            let fault = |timeout| limits::timeout_fault(&cloud, timeout);
            function.timeout = Some(self.within(timeout.span(), timeout.get_ref().0, fault)?);
        }
        function.concurrency = table.concurrency.or(function.concurrency);
        function.env.extend(table.env);
        if let Some(tables) = table.triggers {
            let read = tables.iter().map(|table| {
                triggers::read(&cloud, table.get_ref()).map_err(|fault| self.fault(table.span(), fault))
            });
            function.triggers = read.collect::<Result<_, _>>()?;
        }
        Ok(())
    }

    fn source(&self, source: &Spanned<PathBuf>, warnings: &mut Vec<String>) -> Result<PathBuf, ConfigError> {
        let folder = paths::join(&self.root, source.get_ref());
        if !folder.is_dir() {
            return Err(
                self.fault(source.span(), format!("there is no folder {}", source.get_ref().display()))
            );
        }
        if !folder.starts_with(&self.root) {
            let what = format!("{} is outside of the project", source.get_ref().display());
            warnings.push(self.warning(source.span(), &what));
        }
        Ok(folder)
    }

    fn within<T: Copy>(
        &self,
        span: Range<usize>,
        value: T,
        fault: impl Fn(T) -> Option<String>,
    ) -> Result<T, ConfigError> {
        fault(value).map_or(Ok(value), |fault| Err(self.fault(span, fault)))
    }

    fn bucket(
        &self,
        name: &Spanned<String>,
        table: &BucketTable,
        project: &mut Project,
    ) -> Result<(), ConfigError> {
        let cloud = table.provider.unwrap_or_default().name();
        if let Some(fault) = limits::bucket_name_fault(cloud, name.get_ref()) {
            return Err(self.fault(name.span(), fault));
        }
        let seed = table.seed.as_ref().map(|seed| paths::join(&self.root, seed.get_ref()));
        if let (Some(folder), Some(written)) = (&seed, &table.seed)
            && !folder.is_dir()
        {
            let what =
                format!("there is no folder {} yet; the bucket starts empty", written.get_ref().display());
            project.warnings.push(self.warning(written.span(), &what));
        }
        match project
            .buckets
            .iter_mut()
            .find(|bucket| bucket.name == *name.get_ref() && bucket.cloud == cloud)
        {
            Some(bucket) => bucket.seed = seed.or(bucket.seed.take()),
            None => project.buckets.push(BucketDeclaration {
                cloud: cloud.into(),
                name: name.get_ref().clone(),
                seed,
                from: self.provenance(name.span()),
            }),
        }
        Ok(())
    }

    fn queue(&self, name: &Spanned<String>, table: QueueTable, settings: &mut Settings) {
        let cloud = table.provider.unwrap_or(Provider::Aws).name();
        settings.queues.retain(|queue| queue.name != *name.get_ref() || queue.cloud != cloud);
        settings.queues.push(QueueDeclaration {
            cloud: cloud.into(),
            name: name.get_ref().clone(),
            visibility: table.visibility.map(|span| span.0),
            dlq: table.dlq,
            max_receives: table.max_receives,
            from: self.provenance(name.span()),
        });
    }

    fn prepare(&self, table: PrepareTable) -> Result<Prepare, ConfigError> {
        let span = table.run.span();
        if table.run.get_ref().first().is_none_or(|program| program.trim().is_empty()) {
            return Err(self
                .fault(span, "nothing to run")
                .hint("write it like `run = [\"python\", \"train.py\"]`"));
        }
        let folder =
            table.folder.map_or(self.root.clone(), |folder| paths::join(&self.root, folder.get_ref()));
        let inside = |files: Vec<PathBuf>| files.iter().map(|file| paths::join(&folder, file)).collect();
        Ok(Prepare {
            run: table.run.into_inner(),
            requirements: table.requirements,
            inputs: inside(table.inputs),
            outputs: inside(table.outputs),
            from: self.provenance(span),
            folder,
        })
    }

    fn shared_env(&self, project: &mut Project) -> Result<(), ConfigError> {
        let (Some(file), Some(written)) = (self.env_file(), &self.model.project.env_file) else {
            return Ok(());
        };
        if !file.is_file() {
            return Err(
                self.fault(written.span(), format!("there is no file {}", written.get_ref().display()))
            );
        }
        let shared = dotenv::read(&file)?;
        for function in &mut project.functions {
            let own = mem::replace(&mut function.env, shared.clone());
            function.env.extend(own);
        }
        Ok(())
    }

    fn fault(&self, span: Range<usize>, what: impl Into<String>) -> ConfigError {
        self.text.error_at(span, what)
    }

    fn warning(&self, span: Range<usize>, what: &str) -> String {
        let from = self.provenance(span);
        format!("{}:{}: {what}", from.file.display(), from.line)
    }

    fn provenance(&self, span: Range<usize>) -> Provenance {
        let line = self.text.position(span.start).line;
        Provenance { file: paths::shown(&self.root, &self.text.path), line }
    }
}

/// Syntax first, then keys that do not belong there, then kinds of values.
fn model(text: &SourceText) -> Result<Model, ConfigError> {
    let fault = |fault: toml::de::Error| text.error_at(fault.span().unwrap_or_default(), fault.message());
    let table = DeTable::parse(&text.text).map_err(fault)?;
    match ConfigError::all(schema::unknown_keys(table.get_ref(), text)) {
        Some(error) => Err(error),
        None => Model::deserialize(Deserializer::from(table)).map_err(fault),
    }
}

/// Where functions are, by their names and by those of the files that they came from.
fn by_name(functions: &[FunctionDeclaration]) -> HashMap<String, usize> {
    let places = || functions.iter().enumerate();
    let aliases = places().filter_map(|(index, function)| Some((function.alias.clone()?, index)));
    aliases.chain(places().map(|(index, function)| (function.name.clone(), index))).collect()
}

/// In the order of the file.
fn by_place<T>(named: BTreeMap<Spanned<String>, T>) -> Vec<(Spanned<String>, T)> {
    let mut tables: Vec<_> = named.into_iter().collect();
    tables.sort_by_key(|(name, _)| name.span().start);
    tables
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
