//! What this machine can enforce, for `doctor`.

use crate::detect::Allowed;
use crate::group::Group;
use crate::scratch::Scratch;
use crate::{Finding, detect, session};
use std::fs;
use std::path::Path;
use std::thread;

const DELEGATE: &str =
    "start mlemu in a group of its own: `systemd-run --user --scope -p Delegate=yes mlemu up`";

const MEASURED: &str =
    "no control group may be written: functions are measured every 1-10 ms and killed past their limit";

const STOPPED: &str = "by stopping and continuing the processes of functions (SIGSTOP and SIGCONT)";

/// Tries everything for real, and leaves nothing behind.
pub fn findings() -> Vec<Finding> {
    let fence = detect::find_here(&session::name(), Allowed::all());
    let mut findings = vec![
        controller("memory limit", fence.memory.as_ref(), MEASURED),
        share(controller("CPU share", fence.cpu.as_ref(), STOPPED)),
        controller("freezing", fence.freezer.as_ref(), "by signals (SIGSTOP and SIGCONT)"),
        controller("process limit", fence.processes.as_ref(), "a fork bomb is not held"),
    ];
    fence.remove();
    findings.push(tmp());
    findings
}

/// `without`: what it is like when nothing serves this purpose.
fn controller(name: &'static str, group: Option<&Group>, without: &str) -> Finding {
    match group {
        Some(Group { version, folder }) => {
            let parent = folder.parent().unwrap_or(folder).display();
            Finding {
                name,
                ok: true,
                text: format!("cgroup v{} below {parent}", version.number()),
                fix: None,
            }
        }
        None => Finding { name, ok: false, text: without.into(), fix: Some(DELEGATE.into()) },
    }
}

/// A share is held either way, so there is nothing to mend.
fn share(finding: Finding) -> Finding {
    Finding { ok: true, fix: None, ..finding }
}

/// Whether `/tmp` can be private, and of the declared size.
fn tmp() -> Finding {
    // A thread of its own, whose mounts end with it.
    let sized = thread::spawn(|| {
        let base = std::env::temp_dir().join(session::name());
        let sized = Scratch::open(&base, &session::name()).is_ok_and(|scratch| scratch.is_sized());
        let _ = fs::remove_dir_all(base);
        sized
    });
    let name = "private /tmp";
    if sized.join().unwrap_or(false) {
        return Finding {
            name,
            ok: true,
            text: "a memory file system of the declared size".into(),
            fix: None,
        };
    }
    match namespaces() {
        Ok(()) => Finding {
            name,
            ok: true,
            text: "a folder of its own, without a size limit (only root may give it one)".into(),
            fix: None,
        },
        Err(why) => Finding {
            name,
            ok: false,
            text: format!("a folder named by TMPDIR, without a size limit: {why}"),
            fix: Some("allow unprivileged user namespaces, or run as root".into()),
        },
    }
}

/// Whether the kernel's switches allow an ordinary user namespaces.
fn namespaces() -> Result<(), String> {
    let switches = [
        ("/proc/sys/user/max_user_namespaces", "0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
    ];
    for (switch, forbids) in switches {
        if fs::read_to_string(Path::new(switch)).is_ok_and(|value| value.trim() == forbids) {
            return Err(format!("{switch} is {forbids}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_that_is_not_well_has_a_fix() {
        let findings = findings();
        assert_eq!(findings.len(), 5);
        for finding in findings {
            assert!(!finding.text.is_empty());
            assert_eq!(finding.ok, finding.fix.is_none(), "{finding:?}");
        }
    }

    #[test]
    fn nothing_is_left_behind() {
        let before = sessions();
        findings();
        assert!(sessions().is_subset(&before));
    }

    /// The groups of this very process.
    fn sessions() -> std::collections::BTreeSet<std::path::PathBuf> {
        let fence = detect::find_here(&session::name(), Allowed::all());
        let parents = fence.folders();
        fence.remove();
        let own = format!("-{}-", std::process::id());
        let entries =
            parents.iter().filter_map(|folder| fs::read_dir(folder.parent()?).ok()).flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(&own)).collect()
    }
}
