//! Finding the interpreters of this machine and choosing one for what a function asks for.

mod node;
mod probe;
mod python;

pub(crate) use node::{Node, Nodes};
pub(crate) use probe::Probes;
pub(crate) use python::{Pip, Python, Pythons};

use mlemu_core::BuildFailure;
use std::path::PathBuf;

/// An interpreter that was started and answered, for `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// `python` or `node`.
    pub language: &'static str,
    /// As it says itself, e.g. `3.11.7`.
    pub version: String,
    pub program: PathBuf,
}

/// An interpreter for a function, and what to tell the developer about the choice.
#[derive(Debug)]
pub(crate) struct Choice<T> {
    pub interpreter: T,
    pub warning: Option<String>,
}

/// `candidates` by their distance from the declared version, the newer of two equally near ones first.
fn nearest_first(declared: u32, candidates: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut candidates: Vec<u32> = candidates.into_iter().collect();
    candidates.sort_by_key(|candidate| (candidate.abs_diff(declared), std::cmp::Reverse(*candidate)));
    candidates
}

fn unknown_version(language: &str, version: &str, example: &str) -> BuildFailure {
    BuildFailure {
        why: format!("`{version}` is not a version of {language}"),
        hint: Some(format!("declare one like `{example}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_means_nearest_and_then_newer() {
        assert_eq!(nearest_first(6, 9..=14), [9, 10, 11, 12, 13, 14]);
        assert_eq!(nearest_first(12, 9..=14), [12, 13, 11, 14, 10, 9]);
        assert_eq!(nearest_first(15, 9..=14), [14, 13, 12, 11, 10, 9]);
        assert_eq!(nearest_first(20, [18, 22]), [22, 18]);
    }
}
