//! Seam: making a revision's source startable.
//!
//! A cloud says which language, version and client packages its runtime needs; the bundle crate finds the
//! interpreter and installs, into a cache, never into the developer's folder.

use crate::Boxed;
use crate::function::Environment;
use crate::record::What;
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Language {
    /// `version` as declared, e.g. `3.12`.
    Python { version: String },
    /// `version` as declared, e.g. `20`.
    Node { version: String },
    /// An executable of this name at the root of the source.
    Executable { name: String },
    /// A model that the program itself runs: nothing of a language is needed.
    Model,
    /// A program of this machine, which its `PATH` finds by this name.
    Program { name: String },
}

/// What a revision needs before an instance can start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    pub source: PathBuf,
    pub language: Language,
    /// Packages of the vendor's runtime client, pinned, e.g. `awslambdaric==4.2.2`.
    pub client_packages: Vec<String>,
    /// The client's packages say that they need a newer interpreter than may be there, and are tried all the same.
    pub client_for_newer: bool,
    /// Packages that the vendor's runtime image carries and that are installed only when the source
    /// mentions them (a module name prefix and the package to install), e.g. (`boto3`, `boto3`).
    pub provided_packages: Vec<(String, String)>,
    /// Declared packages are already in the source (an uploaded package): install nothing of the developer's.
    pub self_contained: bool,
}

/// Something startable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The code folder as the process should see it (the source itself, or a staged view of it).
    pub code: PathBuf,
    /// The interpreter to start; for [`Language::Executable`] and [`Language::Program`] what they name.
    pub program: PathBuf,
    /// The interpreter's version as it is, e.g. `3.11.7`.
    pub version: String,
    /// Folder of the client packages (`site-packages` or `node_modules`), if any.
    pub client: Option<PathBuf>,
    /// Variables that make the packages importable.
    pub env: Environment,
    /// Arguments that the interpreter needs before anything else.
    pub program_args: Vec<String>,
    /// What the developer should know, e.g. `python3.6 is not installed: python 3.11 runs it`.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}{}", .hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default())]
pub struct BuildFailure {
    /// What failed, where and why, with the tool's own last words.
    pub why: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// How the line of a failure begins that quotes a tool's whole command.
pub const COMMAND: &str = "  command: ";

/// A failure without the commands that led to it: what a caller needs to know, while the records keep the rest.
pub fn without_commands(why: &str) -> String {
    why.lines().filter(|line| !line.starts_with(COMMAND)).collect::<Vec<_>>().join("\n")
}

/// Receives the steps of a build while it runs.
pub type Progress = Arc<dyn Fn(What) + Send + Sync>;

pub trait Build: Send + Sync {
    /// Makes it startable, or returns at once what was made before from the same inputs.
    fn build(&self, needs: Needs, progress: Progress) -> Boxed<'_, Result<Arc<Built>, BuildFailure>>;

    /// Opens a deployment package. The same bytes give the same folder.
    fn unpack(&self, archive: Bytes, limit: u64) -> Boxed<'_, Result<Unpacked, PackageFault>>;

    /// Bytes of a source folder as a package would carry it: without what the ignore rules leave out.
    fn measure(&self, folder: PathBuf) -> Boxed<'_, u64>;

    /// Bytes of the zipped package that would be uploaded, with the developer's packages installed and without the
    /// vendor's own. `None`: it cannot be told.
    fn weigh_package(&self, _needs: Needs) -> Boxed<'_, Option<u64>> {
        Box::pin(std::future::ready(None))
    }
}

/// A deployment package opened into a folder of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    pub folder: PathBuf,
    pub packed_bytes: u64,
    pub unpacked_bytes: u64,
    /// Of the archive, base64.
    pub sha256: String,
    /// What was odd and did no harm, e.g. an entry that occurs twice.
    pub warnings: Vec<String>,
}

/// Why a deployment package was refused. Nothing of it is left on disk then.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PackageFault {
    #[error("not a zip archive: {why}")]
    NotAnArchive { why: String },
    #[error("unsafe entry `{entry}`: {why}")]
    Unsafe { entry: String, why: String },
    #[error("unzipped size is over {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("more than {limit} entries")]
    TooManyEntries { limit: u64 },
    #[error("cannot write the package: {why}")]
    Disk { why: String },
}
