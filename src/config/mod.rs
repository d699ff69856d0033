//! Configuration: the files of a project become one declaration of it.
//!
//! `mlemu.toml` is the project's own word; templates of AWS SAM and CloudFormation are detected and read as they
//! are, and so are function apps of Azure and functions that Google's functions-framework marks in their code. Whatever the file, the product is [`mlemu_core::declare::Project`].

mod azure;
mod dotenv;
mod endpoints;
mod error;
mod import;
mod limits;
mod merge;
mod model;
mod native;
mod overlay;
mod paths;
pub mod plain;
mod quantity;
mod queued;
mod schema;
mod settings;
mod start;
#[cfg(test)]
mod tests;
mod text;
mod triggers;

pub use error::{ConfigError, Place, Snippet};
pub(crate) use import::node::{Kind as NodeKind, Map, Node};
pub use import::samconfig::assignments;
pub(crate) use import::yaml::parse as parse_yaml;
pub use limits::MODEL_RUNTIME;
pub use overlay::MIN_INSTANCES;
pub use quantity::{Size, Span, bytes, duration};
pub(crate) use schema::without_null;
pub use schema::{nearest, schema};
pub use settings::{BudgetTable, CpuHeld, Durability, Passing, Place as Seat, Ports, Settings, Starts};
pub use text::{Position, SourceText};

use import::{Template, World, detect, samconfig};
use mlemu_core::declare::Project;
use native::Native;
use serde::Serialize;
use start::Start;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The project's own file, in its folder.
pub const FILE: &str = "mlemu.toml";
/// Name of the stack that templates see, and beginning of the names that they do not give.
const STACK: &str = "local";
const SAM_CONFIG: &str = "samconfig.toml";
const AWS_PORT: u16 = 4566;

const NOTHING: &str = "no function is declared here, neither in a mlemu.toml nor in a SAM or CloudFormation template nor by the functions-framework in main.py or package.json, and there is no function app with a host.json\nhint: start one with `mlemu up app.py:handler`, or deploy to a running mlemu with create-function";

/// What the command line says about reading the project.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Values of template parameters, stronger than those of any file.
    pub parameters: BTreeMap<String, String>,
    /// The template to read instead of those that would be found.
    pub template: Option<PathBuf>,
    /// A folder of ours, for code that stands inside of templates. `None`: such functions are left out.
    pub cache_dir: Option<PathBuf>,
}

/// A project as its files say.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Loaded {
    pub project: Project,
    pub settings: Settings,
    /// The files that were read: when one changes, load again.
    pub files: Vec<PathBuf>,
}

/// Reads the project at `start`: a folder, a `mlemu.toml`, a template, or `app.py:handler`.
///
/// A folder in which nothing is declared gives an empty project with a warning.
pub fn load(start: &Path, overrides: &Overrides) -> Result<Loaded, ConfigError> {
    let here = std::env::current_dir().unwrap_or_default();
    read(start, overrides).map_err(|error| error.seen_from(&here))
}

fn read(start: &Path, overrides: &Overrides) -> Result<Loaded, ConfigError> {
    let mut overrides = overrides.clone();
    let native = match Start::of(start)? {
        Start::Single { file, handler } => {
            known_parameters(&overrides.parameters, &BTreeSet::new())?;
            return Ok(single(&file, &handler));
        }
        Start::Folder(root) => root.join(FILE),
        Start::Native(file) => file,
        Start::Template(file) => {
            let native = file.with_file_name(FILE);
            overrides.template = Some(file);
            native
        }
    };
    let root = native.parent().unwrap_or(Path::new("/")).to_owned();
    let mut loading = Loading {
        overrides: &overrides,
        root: &root,
        loaded: Loaded::default(),
        parameters: BTreeSet::new(),
    };
    let native = if native.is_file() { Some(loading.native(&native)?) } else { None };
    loading.templates(native.as_ref())?;
    known_parameters(&overrides.parameters, &loading.parameters)?;
    loading.apps()?;
    loading.deployments()?;
    loading.framework()?;
    loading.finish(native)
}

/// The folder of the project at `start`, without reading it: daemons are found by it.
pub fn root(start: &Path) -> PathBuf {
    match Start::of(start) {
        Ok(Start::Folder(root)) => root,
        Ok(Start::Native(file) | Start::Template(file) | Start::Single { file, .. }) => {
            file.parent().unwrap_or(Path::new("/")).to_owned()
        }
        Err(_) => start.to_owned(),
    }
}

fn single(file: &Path, handler: &str) -> Loaded {
    let function = start::single(file, handler);
    let project = Project {
        name: function.name.clone(),
        root: function.source.clone(),
        functions: vec![function],
        ..Project::default()
    };
    Loaded { project, ..Loaded::default() }
}

/// The AWS listener's address, as far as it is known before it listens: what templates take it for.
pub fn endpoint(ports: &Ports) -> String {
    format!("http://127.0.0.1:{}", ports.aws.filter(|port| *port > 0).unwrap_or(AWS_PORT))
}

/// Refuses values for parameters that no template has: they would change nothing.
fn known_parameters(given: &BTreeMap<String, String>, known: &BTreeSet<String>) -> Result<(), ConfigError> {
    let Some(name) = given.keys().find(|name| !known.contains(*name)) else { return Ok(()) };
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let hint = match schema::nearest(name, &names) {
        Some(meant) => format!("did you mean `--parameter {meant}=...`?"),
        None if names.is_empty() => "no template that was read has parameters".into(),
        None => format!("there are {}", names.join(", ")),
    };
    Err(ConfigError::new(format!("there is no parameter `{name}`")).hint(hint))
}

/// A template that somebody named: it must be one.
fn named_template(file: &Path) -> Result<Template, ConfigError> {
    Template::read(file)?.ok_or_else(|| ConfigError::new("this template declares no function").in_file(file))
}

/// A project on its way from files to declarations.
struct Loading<'a> {
    overrides: &'a Overrides,
    root: &'a Path,
    loaded: Loaded,
    /// Those that the templates have.
    parameters: BTreeSet<String>,
}

impl Loading<'_> {
    fn native(&mut self, file: &Path) -> Result<Native, ConfigError> {
        let native = Native::read(file, self.root)?;
        self.loaded.files.push(file.to_owned());
        self.loaded.files.extend(native.env_file());
        self.loaded.settings = native.settings();
        Ok(native)
    }

    fn templates(&mut self, native: Option<&Native>) -> Result<(), ConfigError> {
        if let Some(template) = &self.overrides.template {
            let file = paths::join(&std::env::current_dir().unwrap_or_default(), template);
            return self.template(&named_template(&file)?, native);
        }
        let config = self.root.join(SAM_CONFIG);
        let chosen = samconfig::read(&config)?.and_then(|config| config.template);
        let chosen = chosen.map(|template| paths::join(self.root, &template)).filter(|file| file.is_file());
        if let Some(file) = &chosen {
            self.loaded.files.push(config);
            self.template(&named_template(file)?, native)?;
        }
        for template in detect::templates(self.root)? {
            let path = &template.text.path;
            if chosen.is_none() || (path.parent() != Some(self.root) && Some(path) != chosen.as_ref()) {
                self.template(&template, native)?;
            }
        }
        Ok(())
    }

    /// Adds the function apps that are there.
    fn apps(&mut self) -> Result<(), ConfigError> {
        let (imported, files) = import::azure::read(self.root)?;
        self.loaded.files.extend(files);
        merge::absorb(&mut self.loaded, imported, self.root)
    }

    /// Adds what scripts deploy. A template's function of the same name is another cloud's, most likely.
    fn deployments(&mut self) -> Result<(), ConfigError> {
        let (mut imported, files) = import::gcloud::read(self.root, &self.loaded.settings.gcp.account);
        let known = &self.loaded.project.functions;
        imported.functions.retain(|found| known.iter().all(|other| other.name != found.name));
        self.loaded.files.extend(files);
        merge::absorb(&mut self.loaded, imported, self.root)
    }

    /// Adds what the code itself declares, unless a template or a deployment says what it is.
    fn framework(&mut self) -> Result<(), ConfigError> {
        let known = &self.loaded.project.functions;
        if known.iter().any(|function| function.cloud != "gcp") {
            return Ok(());
        }
        let (mut imported, files) = import::framework::read(self.root);
        imported.functions.retain(|found| {
            known.iter().all(|other| {
                other.name != found.name && (&other.source, &other.handler) != (&found.source, &found.handler)
            })
        });
        self.loaded.files.extend(files);
        merge::absorb(&mut self.loaded, imported, self.root)
    }

    /// Adds what a template declares.
    fn template(&mut self, template: &Template, native: Option<&Native>) -> Result<(), ConfigError> {
        let beside = template.text.path.with_file_name(SAM_CONFIG);
        let config = samconfig::read(&beside)?;
        let mut parameters = config.as_ref().map(|config| config.parameters.clone()).unwrap_or_default();
        parameters.extend(native.map(|native| native.parameters().clone()).unwrap_or_default());
        parameters.extend(self.overrides.parameters.clone());
        let settings = &self.loaded.settings;
        let world = World {
            account: settings.account.clone(),
            region: settings.region.clone(),
            stack: STACK.into(),
            endpoint: endpoint(&settings.ports),
            parameters,
        };
        self.parameters.extend(template.section("Parameters").iter().map(|(key, _)| key.text.clone()));
        let cache = self.overrides.cache_dir.as_deref();
        let imported = import::read(template, self.root, &world, cache)?;
        self.loaded.files.push(template.text.path.clone());
        self.loaded.files.extend(config.map(|_| beside));
        merge::absorb(&mut self.loaded, imported, self.root)
    }

    fn finish(mut self, native: Option<Native>) -> Result<Loaded, ConfigError> {
        let project = &mut self.loaded.project;
        let folder = self.root.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = native.as_ref().and_then(|native| native.name().map(str::to_owned)).or(folder);
        project.name = name.unwrap_or_else(|| "project".into());
        project.root = self.root.to_owned();
        if let Some(native) = native {
            native.apply(project)?;
        }
        import::framework::yield_to_named(project);
        if project.functions.is_empty() && project.resources.is_empty() {
            project.warnings.push(NOTHING.into());
        }
        merge::imply_buckets(project);
        self.loaded.files.sort();
        self.loaded.files.dedup();
        Ok(self.loaded)
    }
}
