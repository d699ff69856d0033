//! Why a model cannot be loaded, or cannot answer: what, where, why, and what to do next.

use std::path::PathBuf;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("the ONNX Runtime library {} cannot be used: {why}; {hint}", .library.display())]
    Library { library: PathBuf, why: String, hint: &'static str },
    #[error("the model {} cannot be read: {why}{hint}", .file.display())]
    File { file: PathBuf, why: String, hint: &'static str },
    #[error("{} is no model that ONNX Runtime can load: {why}", .file.display())]
    Model { file: PathBuf, why: String },
    #[error("the labels {} cannot be read: {why}", .file.display())]
    Labels { file: PathBuf, why: String },
    /// Whoever sent the event can do something about it.
    #[error("{0}")]
    Event(String),
    #[error("the model failed: {0}")]
    Run(String),
    #[error("the model's output cannot be told: {0}")]
    Output(String),
}

impl Fault {
    /// Its name, for callers that look at one.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Library { .. } => "Model.LibraryError",
            Fault::File { .. } => "Model.FileError",
            Fault::Model { .. } => "Model.LoadError",
            Fault::Labels { .. } => "Model.LabelsError",
            Fault::Event(_) => "Model.InputError",
            Fault::Run(_) => "Model.RunError",
            Fault::Output(_) => "Model.OutputError",
        }
    }

    /// Whether another event could be answered.
    pub fn is_callers(&self) -> bool {
        matches!(self, Fault::Event(_))
    }
}
