//! Asking a program what it is, once for each program.

use crate::tool::Tool;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// A version-switching stand-in may think for a while; an interpreter answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answers so far. A program that gave none is remembered too.
#[derive(Default)]
pub(crate) struct Probes {
    answers: Mutex<HashMap<PathBuf, Arc<OnceCell<Option<String>>>>>,
}

impl Probes {
    /// What the program prints, or nothing if it does not run.
    pub async fn ask(&self, program: &Path, args: &[&str]) -> Option<String> {
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.entry(program.to_owned()).or_default().clone()
        };
        let question = || async {
            let tool = Tool::new(program).args(args).folder(Path::new("/"));
            tool.without_env("PYTHONPATH").without_env("PYTHONHOME").output(PATIENCE).await
        };
        cell.get_or_init(question).await.clone()
    }
}
