//! Asking a program what it is, once for each program: a start costs tens of milliseconds, which every
//! command that starts a function would pay.

use crate::digest::Digest;
use crate::inputs::Stamp;
use crate::shelf::blocking;
use crate::surroundings::is_shims;
use crate::tool::Tool;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// A version-switching stand-in may think for a while; an interpreter answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answers so far, in memory and in the cache. A program that gave none is remembered by this process only.
pub(crate) struct Probes {
    notes: PathBuf,
    answers: Mutex<HashMap<PathBuf, Arc<OnceCell<Option<String>>>>>,
}

/// An answer, good for as long as the program is the same file.
#[derive(Serialize, Deserialize)]
struct Note {
    program: PathBuf,
    stamp: Stamp,
    answer: String,
}

impl Probes {
    pub fn new(cache: &Path) -> Self {
        Self { notes: cache.join("interpreters"), answers: Mutex::default() }
    }

    /// What the program prints, or nothing if it does not run.
    pub async fn ask(&self, program: &Path, args: &[&str]) -> Option<String> {
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.entry(program.to_owned()).or_default().clone()
        };
        cell.get_or_init(|| self.recall_or_start(program, args)).await.clone()
    }

    async fn recall_or_start(&self, program: &Path, args: &[&str]) -> Option<String> {
        // A stand-in answers for another program, which may change while it stays the same.
        let lasting = !program.parent().is_some_and(is_shims);
        let text = program.display().to_string();
        let name = Digest::of_parts([text.as_str()].into_iter().chain(args.iter().copied())).short();
        let note = self.notes.join(name);
        if lasting && let Some(answer) = recall(note.clone(), program.to_owned()).await {
            return Some(answer);
        }
        let tool = Tool::new(program).args(args).folder(Path::new("/"));
        let tool = tool.without_env("PYTHONPATH").without_env("PYTHONHOME");
        let answer = tool.output(PATIENCE).await?;
        if lasting {
            // Without the note the next process asks again: that is all.
            let _ = keep(note, program.to_owned(), answer.clone()).await;
        }
        Some(answer)
    }
}

async fn recall(note: PathBuf, program: PathBuf) -> Option<String> {
    let read = move || {
        let note: Note = serde_json::from_slice(&fs::read(note)?)?;
        let same = note.program == program && Stamp::of(&program) == Some(note.stamp);
        same.then_some(note.answer).ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    blocking(read).await.ok()
}

async fn keep(note: PathBuf, program: PathBuf, answer: String) -> io::Result<()> {
    let write = move || {
        let folder = note.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let Some(stamp) = Stamp::of(&program) else { return Ok(()) };
        let fresh = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&fresh, &Note { program, stamp, answer })?;
        fresh.persist(note).map_err(|error| error.error)?;
        Ok(())
    };
    blocking(write).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A program that says `answer` and counts its starts in a file.
    fn program(folder: &Path, answer: &str) -> PathBuf {
        let place = folder.join("program");
        let script = format!("#!/bin/sh\necho x >> {}/starts\necho {answer}\n", folder.display());
        fs::write(folder.join("fresh"), script).unwrap();
        fs::set_permissions(folder.join("fresh"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(folder.join("fresh"), &place).unwrap();
        place
    }

    fn starts(folder: &Path) -> usize {
        fs::read_to_string(folder.join("starts")).unwrap().lines().count()
    }

    #[tokio::test]
    async fn a_program_is_started_once_for_all_processes() {
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path(), "one");
        for _ in 0..3 {
            let probes = Probes::new(&folder.path().join("cache"));
            assert_eq!(probes.ask(&program, &["-v"]).await.as_deref(), Some("one\n"));
            assert_eq!(probes.ask(&program, &["-v"]).await.as_deref(), Some("one\n"));
        }
        assert_eq!(starts(folder.path()), 1);
    }

    #[tokio::test]
    async fn an_upgraded_program_and_a_stand_in_are_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let place = program(folder.path(), "one");
        Probes::new(&cache).ask(&place, &[]).await.unwrap();
        program(folder.path(), "upgraded");
        assert_eq!(Probes::new(&cache).ask(&place, &[]).await.as_deref(), Some("upgraded\n"));
        let shims = folder.path().join("shims");
        fs::create_dir(&shims).unwrap();
        let stand_in = program(&shims, "depends");
        for _ in 0..2 {
            Probes::new(&cache).ask(&stand_in, &[]).await.unwrap();
        }
        assert_eq!(starts(&shims), 2);
    }

    #[tokio::test]
    async fn what_does_not_run_gives_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Probes::new(folder.path()).ask(Path::new("/nowhere/python"), &[]).await, None);
    }
}
