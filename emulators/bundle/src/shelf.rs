//! The cache: folders that are made once, whole or not at all, however many processes want them.
//!
//! Each key has a folder with a lock file, one folder for each attempt, and `current`, a link to the
//! attempt that was finished. What was made is never moved, since environments know their own path.

use crate::tool::Steps;
use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use mlemu_core::{Boxed, BuildFailure};
use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

const CURRENT: &str = "current";
const LOCK: &str = "lock";
/// How often a lock that another process holds is tried.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

type Making = Boxed<'static, Result<PathBuf, BuildFailure>>;

/// What shall stand on a shelf.
pub(crate) struct Wanted {
    /// Name of the folder; the same content has the same key.
    pub key: String,
    /// For people: `packages of requirements.txt for python 3.11`.
    pub title: String,
    /// It needs the network.
    pub online: bool,
    pub steps: Steps,
}

/// Fills an empty folder.
pub(crate) type Make = Box<dyn FnOnce(PathBuf) -> Boxed<'static, Result<(), BuildFailure>> + Send>;

/// One kind of folders. Clones share it.
#[derive(Clone)]
pub(crate) struct Shelf {
    root: PathBuf,
    offline: bool,
    /// Weak: when nobody waits any more, the work is dropped, its tool killed and its lock released.
    making: Arc<Mutex<HashMap<String, WeakShared<Making>>>>,
}

impl Shelf {
    pub fn new(root: PathBuf, offline: bool) -> Self {
        Self { root, offline, making: Arc::default() }
    }

    /// The finished folder of a key.
    pub fn ready(&self, key: &str) -> Option<PathBuf> {
        let home = self.root.join(key);
        let folder = home.join(fs::read_link(home.join(CURRENT)).ok()?);
        folder.is_dir().then_some(folder)
    }

    /// The finished folder, made now if need be. Who asks while it is being made waits for the same one;
    /// a failure is told to all of them and tried again when somebody asks anew.
    pub async fn take(&self, wanted: Wanted, make: Make) -> Result<PathBuf, BuildFailure> {
        if let Some(folder) = self.ready(&wanted.key) {
            return Ok(folder);
        }
        if self.offline && wanted.online {
            return Err(BuildFailure {
                why: format!("offline, and not in the cache: {}", wanted.title),
                hint: Some(
                    "run the same command once without --offline; what it installs stays in the cache".into(),
                ),
            });
        }
        self.making(wanted, make).await
    }

    fn making(&self, wanted: Wanted, make: Make) -> Shared<Making> {
        let mut all = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, making| making.upgrade().is_some_and(|making| making.peek().is_none()));
        if let Some(making) = all.get(&wanted.key).and_then(WeakShared::upgrade) {
            return making;
        }
        let key = wanted.key.clone();
        let making = attempt(self.root.join(&key), wanted, make).boxed().shared();
        all.extend(making.downgrade().map(|weak| (key, weak)));
        making
    }
}

/// Makes the folder unless another process has, whoever comes first.
async fn attempt(home: PathBuf, wanted: Wanted, make: Make) -> Result<PathBuf, BuildFailure> {
    let lock = hold(&home.join(LOCK), &wanted.steps, &wanted.title).await?;
    let prepared = blocking({
        let home = home.clone();
        move || begin(&home)
    })
    .await
    .map_err(|error| disk(&home, &error))?;
    let fresh = match prepared {
        Begun::Finished(folder) => return Ok(folder),
        Begun::Fresh(fresh) => fresh,
    };
    make(fresh.path().to_owned()).await?;
    let folder = blocking({
        let home = home.clone();
        move || finish(&home, fresh)
    })
    .await
    .map_err(|error| disk(&home, &error))?;
    drop(lock);
    Ok(folder)
}

enum Begun {
    /// Another process has made it while we waited for the lock.
    Finished(PathBuf),
    /// Deleted again unless it is finished.
    Fresh(TempDir),
}

/// Runs with the lock held: whatever else is there was left by a process that died.
fn begin(home: &Path) -> io::Result<Begun> {
    if let Ok(name) = fs::read_link(home.join(CURRENT)) {
        let folder = home.join(name);
        if folder.is_dir() {
            return Ok(Begun::Finished(folder));
        }
    }
    for item in fs::read_dir(home)?.filter_map(Result::ok) {
        if item.file_type()?.is_dir() {
            fs::remove_dir_all(item.path())?;
        }
    }
    let fresh = tempfile::Builder::new().prefix("").rand_bytes(6).tempdir_in(home)?;
    Ok(Begun::Fresh(fresh))
}

fn finish(home: &Path, fresh: TempDir) -> io::Result<PathBuf> {
    let name = fresh.path().file_name().unwrap_or_default().to_owned();
    let pointer = home.join("next");
    let _ = fs::remove_file(&pointer);
    symlink(&name, &pointer)?;
    fs::rename(&pointer, home.join(CURRENT))?;
    Ok(fresh.keep())
}

/// Holds a lock that other processes respect, until it is dropped.
pub(crate) async fn hold(lock: &Path, steps: &Steps, title: &str) -> Result<File, BuildFailure> {
    let path = lock.to_owned();
    let open = move || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::options().create(true).truncate(false).write(true).open(&path)
    };
    let file = blocking(open).await.map_err(|error| disk(lock, &error))?;
    let mut told = false;
    // Asked again and again: a thread that waits in the system's call could not be given up.
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(disk(lock, &error)),
            Err(TryLockError::WouldBlock) if told => {}
            Err(TryLockError::WouldBlock) => {
                steps.say(&format!("waiting for another process that makes {title}"));
                told = true;
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Runs file work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

pub(crate) fn disk(place: &Path, error: &io::Error) -> BuildFailure {
    BuildFailure {
        why: format!("cannot use `{}`: {error}", place.display()),
        hint: Some("is the disk full, or the folder not writable?".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    fn steps() -> Steps {
        Steps::new(Arc::new(|_| {}), "test")
    }

    fn wanted(key: &str) -> Wanted {
        Wanted { key: key.into(), title: format!("the {key}"), online: true, steps: steps() }
    }

    fn failure(why: &str) -> BuildFailure {
        BuildFailure { why: why.into(), hint: None }
    }

    /// Writes a file and counts how often.
    fn writes(count: &Arc<AtomicUsize>) -> Make {
        let count = count.clone();
        Box::new(move |folder| {
            Box::pin(async move {
                count.fetch_add(1, Ordering::SeqCst);
                fs::write(folder.join("file"), "made").map_err(|error| disk(&folder, &error))
            })
        })
    }

    #[tokio::test]
    async fn made_once_and_found_again() {
        let root = tempfile::tempdir().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let shelf = Shelf::new(root.path().into(), false);
        assert_eq!(shelf.ready("k"), None);
        let folder = shelf.take(wanted("k"), writes(&count)).await.unwrap();
        assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "made");
        assert_eq!(shelf.ready("k"), Some(folder.clone()));
        // Another process, offline: the cache is enough.
        let other = Shelf::new(root.path().into(), true);
        assert_eq!(other.take(wanted("k"), writes(&count)).await.unwrap(), folder);
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn asked_for_by_many_at_once_it_is_made_once() {
        let root = tempfile::tempdir().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let here = Shelf::new(root.path().into(), false);
        let elsewhere = Shelf::new(root.path().into(), false);
        let all = (0..16).map(|n| {
            let shelf = if n % 2 == 0 { &here } else { &elsewhere };
            shelf.take(wanted("k"), writes(&count))
        });
        let results = futures_util::future::join_all(all).await;
        assert!(results.iter().all(|result| result == &results[0] && result.is_ok()), "{results:?}");
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_failure_leaves_nothing_and_is_tried_again() {
        let root = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(root.path().into(), false);
        let fails: Make = Box::new(|folder| {
            Box::pin(async move {
                fs::write(folder.join("half"), "").map_err(|error| disk(&folder, &error))?;
                Err(failure("no luck"))
            })
        });
        assert_eq!(shelf.take(wanted("k"), fails).await, Err(failure("no luck")));
        let left: Vec<_> =
            fs::read_dir(root.path().join("k")).unwrap().map(|i| i.unwrap().file_name()).collect();
        assert_eq!(left, [LOCK]);
        assert!(shelf.take(wanted("k"), writes(&Arc::default())).await.is_ok());
    }

    #[tokio::test]
    async fn what_a_dead_process_left_half_done_is_done_anew() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("k/dead")).unwrap();
        fs::write(root.path().join("k/dead/half"), "").unwrap();
        symlink("gone", root.path().join("k").join(CURRENT)).unwrap();
        let shelf = Shelf::new(root.path().into(), false);
        assert_eq!(shelf.ready("k"), None);
        let folder = shelf.take(wanted("k"), writes(&Arc::default())).await.unwrap();
        assert!(folder.join("file").exists());
        assert!(!root.path().join("k/dead").exists());
    }

    #[tokio::test]
    async fn whoever_gives_up_does_not_stop_the_others() {
        let root = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(root.path().into(), false);
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let make: Make = Box::new({
            let (begun, go) = (begun.clone(), go.clone());
            move |_| {
                Box::pin(async move {
                    begun.notify_one();
                    go.notified().await;
                    Ok(())
                })
            }
        });
        let impatient = tokio::spawn({
            let shelf = shelf.clone();
            async move { shelf.take(wanted("k"), make).await }
        });
        begun.notified().await;
        let mut patient = Box::pin(shelf.take(wanted("k"), writes(&Arc::default())));
        assert!((&mut patient).now_or_never().is_none());
        impatient.abort();
        assert!(impatient.await.unwrap_err().is_cancelled());
        go.notify_one();
        let folder = patient.await.unwrap();
        assert!(!folder.join("file").exists(), "made by the first, not again by the second");
    }

    #[tokio::test]
    async fn offline_says_what_is_missing_and_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(root.path().into(), true);
        let told = shelf.take(wanted("thing"), writes(&Arc::default())).await.unwrap_err();
        assert!(told.why.contains("offline") && told.why.contains("the thing"), "{}", told.why);
        assert!(told.hint.unwrap().contains("without --offline"));
        let local = Wanted { online: false, ..wanted("local") };
        assert!(shelf.take(local, writes(&Arc::default())).await.is_ok());
    }
}
