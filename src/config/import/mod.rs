//! AWS SAM and CloudFormation templates: what they declare, as far as it can run on this machine.
//!
//! Vendor files may hold anything: what is not known is passed over, what matters and is not supported is a
//! warning, and only what makes a declaration meaningless is an error.

pub mod azure;
mod buckets;
mod code;
mod conditions;
mod cors;
pub mod detect;
mod events;
pub mod framework;
mod functions;
pub mod gcloud;
mod globals;
#[cfg(test)]
mod hostile;
mod intrinsics;
mod known;
pub mod node;
mod properties;
mod references;
mod resources;
pub mod samconfig;
#[cfg(test)]
mod slips;
mod strings;
mod template;
#[cfg(test)]
mod tests;
pub mod yaml;

pub use intrinsics::World;
pub use template::Template;

use super::error::ConfigError;
use super::paths;
use intrinsics::Resolver;
use mlemu_core::declare::{
    BucketDeclaration, FunctionDeclaration, Provenance, QueueDeclaration, ResourceDeclaration,
    TriggerDeclaration,
};
use properties::Properties;
use std::path::{Path, PathBuf};
use template::Resource;

/// What makes a template of CloudFormation one of SAM.
const TRANSFORM: &str = "AWS::Serverless-2016-10-31";

/// What one template declares.
#[derive(Debug, Default)]
pub struct Imported {
    pub functions: Vec<FunctionDeclaration>,
    pub buckets: Vec<BucketDeclaration>,
    pub queues: Vec<QueueDeclaration>,
    pub resources: Vec<ResourceDeclaration>,
    /// Where functions of Azure listen, if nothing else says so.
    pub azure_port: Option<u16>,
    pub warnings: Vec<String>,
}

/// One template while it is read.
struct Import<'a> {
    template: &'a Template,
    resolver: Resolver<'a>,
    root: &'a Path,
    /// The template's own folder: what its paths are seen from.
    folder: PathBuf,
    cache: Option<&'a Path>,
}

/// Reads what a template of the project at `root` declares.
///
/// `cache` is a folder for code that stands inside of the template.
pub fn read(
    template: &Template,
    root: &Path,
    world: &World,
    cache: Option<&Path>,
) -> Result<Imported, ConfigError> {
    let path = &template.text.path;
    let folder = path.parent().unwrap_or(root).to_owned();
    let import = Import { template, resolver: Resolver::new(template, world), root, folder, cache };
    let (mut imported, findings) = import.everything();
    let file = paths::shown(root, path);
    for (line, what) in import.resolver.finish()? {
        imported.warnings.push(format!("{}:{line}: {what}", file.display()));
    }
    match ConfigError::all(findings) {
        Some(error) => Err(error),
        None => Ok(imported),
    }
}

impl<'a> Import<'a> {
    fn everything(&self) -> (Imported, Vec<ConfigError>) {
        let mut imported = Imported::default();
        let mut findings = Vec::new();
        let resources: Vec<_> =
            self.template.resources().filter(|resource| self.resolver.exists(resource)).collect();
        self.warn_of_macros();
        self.warn_of_transform();
        known::check_globals(&self.resolver);
        for resource in &resources {
            if let Err(finding) = self.declare(resource, &mut imported) {
                findings.push(finding);
            }
        }
        for resource in &resources {
            match self.attachments(resource) {
                Ok(found) => self.attach(resource, found, &mut imported.functions),
                Err(finding) => findings.push(finding),
            }
        }
        (imported, findings)
    }

    fn warn_of_macros(&self) {
        let names = self.template.section("Resources").iter().map(|(key, _)| key);
        for key in names.filter(|key| key.text.starts_with("Fn::")) {
            self.resolver.warn(key.at, format!("`{}` is not supported: what it makes is left out", key.text));
        }
    }

    /// A template of SAM that does not say so is none to the vendor; what is meant is plain all the same.
    fn warn_of_transform(&self) {
        let kind = "AWS::Serverless::Function";
        let first = self.template.resources().find(|resource| resource.kind == kind);
        if let Some(resource) = first.filter(|_| !self.template.transforms()) {
            let what = format!("{} is an {kind} but `Transform: {TRANSFORM}` is missing", resource.id);
            self.resolver.warn(resource.key.at, what);
        }
    }

    fn declare(&self, resource: &Resource<'_>, imported: &mut Imported) -> Result<(), ConfigError> {
        match resource.kind {
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => {
                if let Some(function) = functions::function(self, resource)? {
                    imported.resources.extend(resources::of_function(self, resource, &function.name)?);
                    imported.functions.push(function);
                }
            }
            "AWS::S3::Bucket" => {
                imported.buckets.push(buckets::bucket(self, resource)?);
                imported.resources.extend(resources::of_bucket(self, resource));
            }
            kind if resources::is_known(kind) => imported.resources.push(resources::resource(self, resource)),
            "AWS::SQS::Queue" => imported.queues.push(buckets::queue(self, resource)?),
            "AWS::Serverless::Application"
            | "AWS::CloudFormation::Stack"
            | "AWS::Serverless::StateMachine" => {
                let what = format!("`{}` is left out: {} is not supported yet", resource.id, resource.kind);
                self.resolver.warn(resource.key.at, what);
            }
            _ => known::check_kind(&self.resolver, resource),
        }
        Ok(())
    }

    /// Triggers that a resource gives to a function declared elsewhere, with the reference to that function.
    fn attachments(&self, resource: &Resource<'_>) -> Result<Vec<(String, TriggerDeclaration)>, ConfigError> {
        let properties = || self.properties(resource);
        Ok(match resource.kind {
            "AWS::S3::Bucket" => buckets::notifications(self, resource)?,
            "AWS::Lambda::Url" => {
                let function = properties().identity("TargetFunctionArn")?.unwrap_or_default();
                vec![(function, functions::url(&properties()))]
            }
            "AWS::Lambda::EventSourceMapping" => {
                let source = properties().text("EventSourceArn").unwrap_or_default();
                if !source.contains(":sqs:") {
                    let what =
                        format!("`{}` is left out: only queues are supported as event sources", resource.id);
                    self.resolver.warn(resource.key.at, what);
                    return Ok(Vec::new());
                }
                let function = properties().identity("FunctionName")?.unwrap_or_default();
                vec![(function, events::queue(&properties(), "EventSourceArn")?)]
            }
            _ => Vec::new(),
        })
    }

    fn attach(
        &self,
        resource: &Resource<'_>,
        found: Vec<(String, TriggerDeclaration)>,
        functions: &mut [FunctionDeclaration],
    ) {
        for (reference, trigger) in found {
            let name = named_function(&reference);
            self.resolver.spend(functions.len());
            match functions.iter_mut().find(|function| function.name == name) {
                Some(function) => function.triggers.push(trigger),
                None => self.resolver.warn(
                    resource.key.at,
                    format!("`{}` invokes `{name}`, which is not a function of this template", resource.id),
                ),
            }
        }
    }

    fn properties(&'a self, resource: &Resource<'_>) -> Properties<'a> {
        Properties::new(&self.resolver, globals::properties(&self.resolver, resource))
    }

    fn provenance(&self, resource: &Resource<'_>) -> Provenance {
        Provenance { file: paths::shown(self.root, &self.template.text.path), line: resource.key.at.line }
    }

    /// An error about a resource as a whole.
    fn error(&self, resource: &Resource<'_>, what: impl Into<String>) -> ConfigError {
        self.template.text.error(resource.key.at, resource.id.chars().count(), what)
    }
}

/// The name in an ARN, with or without a qualifier; a name is itself.
fn named_function(reference: &str) -> &str {
    let name = reference.split_once(":function:").map_or(reference, |(_, name)| name);
    name.split(':').next().unwrap_or(name)
}
