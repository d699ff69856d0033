//! The functions of `mlemu.toml`: new ones, and changes of those that were detected.

use super::error::ConfigError;
use super::model::{FunctionTable, Provider};
use super::native::Native;
use super::queued::Queued;
use super::{limits, paths, triggers};
use mlemu_core::declare::{FunctionDeclaration, Project};
use mlemu_core::function::Environment;
use std::mem;
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;

/// The option of a declaration that says how many instances are kept.
pub const MIN_INSTANCES: &str = "min_instances";

impl Native {
    /// Reads one table; `found`: where the function is that it changes.
    pub(super) fn function(
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
        let queued = Queued::take(&mut table);
        self.overlay(&mut function, table, &mut project.warnings)?;
        self.queued(&function, queued, project)?;
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
            runtime: match &table.runtime {
                Some(runtime) => runtime.get_ref().clone(),
                None => return Err(missing("runtime", "python3.12")),
            },
            handler: table.handler.take().ok_or_else(|| missing("handler", "app.handler"))?,
            source: self.root.clone(),
            memory: None,
            timeout: None,
            tmp: None,
            env: Environment::new(),
            concurrency: None,
            triggers: Vec::new(),
            options: std::collections::BTreeMap::new(),
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
        if let Some(runtime) = table.runtime {
            if let Some(fault) = limits::runtime_fault(&function.cloud, runtime.get_ref()) {
                return Err(self.fault(runtime.span(), fault));
            }
            function.runtime = runtime.into_inner();
        }
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
        let options = [
            table.generation.map(|said| ("generation", said.span(), said.into_inner().to_string())),
            table.signature.map(|said| ("signature", said.span(), said.into_inner().name().to_owned())),
            table.retry.map(|said| ("retry", said.span(), said.into_inner().to_string())),
            table.path_pattern.map(|said| ("path_pattern", said.span(), said.into_inner())),
            table
                .instance_concurrency
                .map(|said| ("instance_concurrency", said.span(), said.into_inner().to_string())),
        ];
        self.options(function, options.into_iter().flatten())?;
        if let Some(count) = table.min_instances {
            function.options.insert(MIN_INSTANCES.into(), count.get_ref().to_string());
        }
        if let Some(tables) = table.triggers {
            let read = tables.iter().map(|table| {
                triggers::read(&cloud, table.get_ref()).map_err(|error| self.fault(table.span(), error.what))
            });
            function.triggers = read.collect::<Result<_, _>>()?;
        }
        Ok(())
    }

    /// Keys that one cloud alone understands.
    fn options(
        &self,
        function: &mut FunctionDeclaration,
        options: impl Iterator<Item = (&'static str, Range<usize>, String)>,
    ) -> Result<(), ConfigError> {
        for (key, span, value) in options {
            if function.cloud != Provider::Gcp.name() {
                return Err(
                    self.fault(span, format!("`{key}` belongs to functions with `provider = \"gcp\"`"))
                );
            }
            function.options.insert(key.into(), value);
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
}
