//! Files under watch whose changes come in bursts: an editor's rename dance or a checkout is one.

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// Changes of some files, from the moment it is made.
pub struct Changes {
    inbox: mpsc::UnboundedReceiver<()>,
    /// Tells nothing any more when dropped.
    _watcher: Option<RecommendedWatcher>,
}

/// When changes are one.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Those this close together.
    pub quiet: Duration,
    /// What never rests ends so long after its first change all the same.
    pub patience: Duration,
}

impl Changes {
    /// Of those files below the folders that `matters` says yes to. A folder that is gone has nothing to tell.
    ///
    /// # Errors
    /// The operating system has no watch to give.
    pub fn below(
        folders: impl IntoIterator<Item = PathBuf>,
        depth: RecursiveMode,
        matters: impl Fn(&Path) -> bool + Send + 'static,
    ) -> notify::Result<Self> {
        let (changed, inbox) = mpsc::unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = event
                && !matches!(event.kind, EventKind::Access(_))
                && event.paths.iter().any(|path| matters(path))
            {
                let _ = changed.send(());
            }
        })?;
        for folder in folders {
            let _ = watcher.watch(&folder, depth);
        }
        Ok(Self { inbox, _watcher: Some(watcher) })
    }

    /// Returns when something has changed and no more of it comes.
    pub async fn next(&mut self, pace: Pace) {
        if self.inbox.recv().await.is_none() {
            return std::future::pending().await;
        }
        let quiet =
            async { while let Ok(Some(())) = tokio::time::timeout(pace.quiet, self.inbox.recv()).await {} };
        // What comes later is told later.
        let _ = tokio::time::timeout(pace.patience, quiet).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const PACE: Pace = Pace { quiet: Duration::from_millis(50), patience: Duration::from_millis(500) };

    #[tokio::test(start_paused = true)]
    async fn what_changes_without_end_is_told_all_the_same() {
        let (changed, inbox) = mpsc::unbounded_channel();
        let mut changes = Changes { inbox, _watcher: None };
        let last = changed.clone();
        let saving = tokio::spawn(async move {
            let mut saves = tokio::time::interval(PACE.quiet / 5);
            while changed.send(()).is_ok() {
                saves.tick().await;
            }
        });
        for _ in 0..3 {
            let begun = Instant::now();
            changes.next(PACE).await;
            assert!(begun.elapsed() >= PACE.patience && begun.elapsed() <= PACE.patience + PACE.quiet);
        }
        saving.abort();
        last.send(()).expect("it listens");
        let begun = Instant::now();
        changes.next(PACE).await;
        assert!(begun.elapsed() <= PACE.quiet, "it rests");
    }

    #[tokio::test]
    async fn only_what_matters_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mine = folder.path().join("mine");
        let wanted = mine.clone();
        let mut changes = Changes::below(
            [folder.path().to_owned(), folder.path().join("gone")],
            RecursiveMode::NonRecursive,
            move |path| path == wanted,
        )
        .expect("a watch");
        std::fs::write(folder.path().join("other"), "1").expect("written");
        std::fs::write(&mine, "1").expect("written");
        changes.next(PACE).await;
        assert!(changes.inbox.is_empty());
    }
}
