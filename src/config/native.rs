//! `mlemu.toml`: read, checked, and laid over what was detected.

use super::error::ConfigError;
use super::model::{BucketTable, BudgetTable, Model, PrepareTable, Provider, QueueTable};
use super::settings::{ACCOUNT, Place, REGION, Settings};
use super::text::SourceText;
use super::{azure, dotenv, limits, paths, plain, schema};
use mlemu_core::declare::{
    BucketDeclaration, FunctionDeclaration, Prepare, Project, Provenance, QueueDeclaration,
};
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
    pub(super) root: PathBuf,
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
            gcp: self.gcp(),
            service_account: self
                .model
                .gcp
                .service_account
                .as_ref()
                .map(|file| paths::join(&self.root, file)),
            azure: azure::options(&self.model.azure),
            ports: self.model.ports.clone(),
            s3_event_version: aws.s3_event_version.clone(),
            watch_ignore: self.model.watch.ignore.clone(),
            persist: self.model.persist.dir.as_ref().map(|dir| paths::join(&self.root, dir.get_ref())),
            durability: self.model.persist.durability,
            simulate: self.model.simulate.clone(),
            figures: self.model.profiles.clone(),
            budgets: self.budgets(),
        }
    }

    fn budgets(&self) -> BTreeMap<String, BudgetTable> {
        self.model.budgets.iter().map(|(name, budget)| (name.get_ref().clone(), budget.clone())).collect()
    }

    fn gcp(&self) -> Place {
        let (said, usual) = (&self.model.gcp, Place::default());
        Place {
            account: said.project.clone().unwrap_or(usual.account),
            region: said.region.clone().unwrap_or(usual.region),
        }
    }

    /// The file of variables that every function receives.
    pub fn env_file(&self) -> Option<PathBuf> {
        self.model.project.env_file.as_ref().map(|file| paths::join(&self.root, file.get_ref()))
    }

    /// Changes what was detected, and adds what was not.
    pub fn apply(mut self, project: &mut Project) -> Result<(), ConfigError> {
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
            self.queue(&name, table, project);
        }
        for table in mem::take(&mut self.model.prepare).into_vec() {
            match self.prepare(table) {
                Ok(prepare) => project.prepare.push(prepare),
                Err(finding) => findings.push(finding),
            }
        }
        for (name, table) in &self.model.azure.subscriptions {
            if let Err(why) = azure::check(name.get_ref(), table) {
                findings.push(self.fault(name.span(), format!("subscription `{}`: {why}", name.get_ref())));
            }
        }
        findings.extend(self.shared_env(project).err());
        ConfigError::all(findings).map_or(Ok(()), Err)
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

    fn queue(&self, name: &Spanned<String>, table: QueueTable, project: &mut Project) {
        let cloud = table.provider.unwrap_or(Provider::Aws).name();
        let declared =
            project.queues.iter().position(|queue| queue.name == *name.get_ref() && queue.cloud == cloud);
        let attributes = declared.map(|at| project.queues.remove(at).attributes).unwrap_or_default();
        project.queues.push(QueueDeclaration {
            cloud: cloud.into(),
            name: name.get_ref().clone(),
            visibility: table.visibility.map(|span| span.0),
            dlq: table.dlq,
            max_receives: table.max_receives,
            attributes,
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

    pub(super) fn fault(&self, span: Range<usize>, what: impl Into<String>) -> ConfigError {
        self.text.error_at(span, what)
    }

    pub(super) fn warning(&self, span: Range<usize>, what: &str) -> String {
        let from = self.provenance(span);
        format!("{}:{}: {what}", from.file.display(), from.line)
    }

    pub(super) fn provenance(&self, span: Range<usize>) -> Provenance {
        let line = self.text.position(span.start).line;
        Provenance { file: paths::shown(&self.root, &self.text.path), line }
    }
}

/// Syntax first, then keys that do not belong there, then kinds of values.
fn model(text: &SourceText) -> Result<Model, ConfigError> {
    let fault = |fault: toml::de::Error| {
        text.error_at(fault.span().unwrap_or_default(), plain::value(fault.message()))
    };
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
