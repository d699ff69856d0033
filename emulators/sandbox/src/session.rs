//! The name under which one daemon keeps its things in shared places, and how to tell that it is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "mlemu";

/// A name for this daemon's folders: `mlemu-<pid>-<start>-<n>`. A process id alone would be used again.
pub fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let pid = std::process::id();
    let start = start_time(pid).unwrap_or(0);
    format!("{PREFIX}-{pid}-{start}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Folders in `parent` that dead daemons left behind. Names that aren't ours are never among them.
pub fn stale(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().and_then(owner).is_some_and(|owner| !owner.is_alive()))
        .map(|entry| entry.path())
        .collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Owner {
    pid: u32,
    start: u64,
}

impl Owner {
    fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.start)
    }
}

fn owner(name: &str) -> Option<Owner> {
    let mut parts = name.split('-');
    if parts.next()? != PREFIX {
        return None;
    }
    let owner = Owner { pid: parts.next()?.parse().ok()?, start: parts.next()?.parse().ok()? };
    let _count: u32 = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(owner)
}

/// When a process started, in clock ticks since boot; `None`: there is no such process.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses that may itself hold spaces and parentheses.
    let after_name = &stat[stat.rfind(')')? + 1..];
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// A string that is safe as one file name: anything odd becomes `_`.
pub fn file_name(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    text.chars().take(100).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_folders_are_not_stale() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join(name())).unwrap();
        assert_eq!(stale(parent.path()), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_reused_process_id_is_a_dead_daemon() {
        let parent = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        let folder = parent.path().join(format!("mlemu-{pid}-1-0"));
        fs::create_dir(&folder).unwrap();
        assert_eq!(stale(parent.path()), vec![folder]);
    }

    #[test]
    fn foreign_names_are_never_stale() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["mlemu", "mlemu-1", "mlemu-x-1-0", "mlemu-4294967295-1-0-more", "other-1-1-1", "user"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        assert_eq!(stale(parent.path()), Vec::<PathBuf>::new());
    }

    #[test]
    fn hostile_names_stay_one_component() {
        assert_eq!(file_name("../../etc/x y"), "______etc_x_y");
        assert_eq!(file_name(".."), "__");
        assert_eq!(file_name(&"a".repeat(400)).len(), 100);
    }
}
