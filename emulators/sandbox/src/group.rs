//! One control group: the files of both versions, by what they are for.
//!
//! Version 1 has a hierarchy of folders for each controller, version 2 one for all.

use crate::tree;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    One,
    Two,
}

impl Version {
    pub fn number(self) -> u8 {
        match self {
            Version::One => 1,
            Version::Two => 2,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub version: Version,
    pub folder: PathBuf,
}

/// Memory that the kernel charges to a group and that cannot be taken back, in bytes. Cached files are left
/// out: the kernel drops them before anybody runs out of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    pub anonymous: u64,
    /// Shared memory and files of memory file systems.
    pub shared: u64,
}

impl Group {
    fn file(&self, one: &str, two: &str) -> PathBuf {
        match self.version {
            Version::One => self.folder.join(one),
            Version::Two => self.folder.join(two),
        }
    }

    pub fn procs(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Sets the hard limit and forbids swap.
    pub fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        put(&self.file("memory.limit_in_bytes", "memory.max"), &bytes.to_string())?;
        // Kernels without swap accounting lack these files; there is nothing to forbid then.
        let _ = match self.version {
            Version::One => put(&self.folder.join("memory.memsw.limit_in_bytes"), &bytes.to_string()),
            Version::Two => put(&self.folder.join("memory.swap.max"), "0"),
        };
        match self.version {
            Version::One => Ok(()),
            Version::Two => put(&self.folder.join("memory.oom.group"), "1"),
        }
    }

    /// Grants `cpus` CPUs in periods of 100 ms, the kernel's own default; `None`: as many as there are.
    pub fn limit_cpu(&self, cpus: Option<f64>) -> io::Result<()> {
        const PERIOD: u32 = 100_000;
        let quota = cpus.map(|cpus| ((cpus * f64::from(PERIOD)) as i64).max(1_000));
        match self.version {
            Version::One => {
                put(&self.folder.join("cpu.cfs_period_us"), &PERIOD.to_string())?;
                put(&self.folder.join("cpu.cfs_quota_us"), &quota.unwrap_or(-1).to_string())
            }
            Version::Two => {
                let quota = quota.map_or_else(|| "max".to_owned(), |quota| quota.to_string());
                put(&self.folder.join("cpu.max"), &format!("{quota} {PERIOD}"))
            }
        }
    }

    pub fn limit_processes(&self, count: u32) -> io::Result<()> {
        put(&self.folder.join("pids.max"), &count.to_string())
    }

    pub fn freeze(&self) -> io::Result<()> {
        match self.version {
            Version::One => put(&self.folder.join("freezer.state"), "FROZEN"),
            Version::Two => put(&self.folder.join("cgroup.freeze"), "1"),
        }
    }

    pub fn thaw(&self) -> io::Result<()> {
        match self.version {
            Version::One => put(&self.folder.join("freezer.state"), "THAWED"),
            Version::Two => put(&self.folder.join("cgroup.freeze"), "0"),
        }
    }

    /// Whether every process has stopped. An error means that the group is gone.
    pub fn is_frozen(&self) -> io::Result<bool> {
        let text = fs::read_to_string(self.file("freezer.state", "cgroup.events"))?;
        Ok(match self.version {
            Version::One => text.trim_end() == "FROZEN",
            Version::Two => number(&text, "frozen") == Some(1),
        })
    }

    pub fn processes(&self) -> Vec<i32> {
        let text = tree::text(self.procs()).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect()
    }

    pub fn charge(&self) -> io::Result<Charge> {
        let text = tree::text(self.folder.join("memory.stat"))?;
        let anonymous = match self.version {
            Version::One => number(&text, "rss"),
            Version::Two => number(&text, "anon"),
        };
        Ok(Charge { anonymous: anonymous.unwrap_or(0), shared: number(&text, "shmem").unwrap_or(0) })
    }

    /// How often the kernel killed a process here because the hard limit was reached.
    pub fn out_of_memory_kills(&self) -> u64 {
        let text = tree::text(self.file("memory.oom_control", "memory.events")).unwrap_or_default();
        number(&text, "oom_kill").unwrap_or(0)
    }

    pub fn cpu_time(&self) -> io::Result<Duration> {
        let text = fs::read_to_string(self.file("cpuacct.usage", "cpu.stat"))?;
        Ok(match self.version {
            Version::One => Duration::from_nanos(text.trim_end().parse().unwrap_or(0)),
            Version::Two => Duration::from_micros(number(&text, "usage_usec").unwrap_or(0)),
        })
    }

    /// Kills every process of the group at once, forks in progress included, where the kernel can do that.
    pub fn kill(&self) -> bool {
        self.version == Version::Two && put(&self.folder.join("cgroup.kill"), "1").is_ok()
    }
}

/// Writes a control file, which must exist: on a wrong file system nothing appears by accident.
pub fn put(file: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    fs::OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

/// The value of `key` in lines of `key value`.
fn number(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim_end().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(version: Version, files: &[(&str, &str)]) -> (tempfile::TempDir, Group) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let group = Group { version, folder: folder.path().to_path_buf() };
        (folder, group)
    }

    fn text(group: &Group, file: &str) -> String {
        fs::read_to_string(group.folder.join(file)).unwrap()
    }

    #[test]
    fn version_two_writes_its_own_files() {
        let files =
            ["memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "pids.max", "cgroup.freeze"];
        let (_keep, group) = group(Version::Two, &files.map(|name| (name, "")));
        group.limit_memory(1 << 27).unwrap();
        group.limit_cpu(Some(0.5)).unwrap();
        group.limit_processes(1024).unwrap();
        group.freeze().unwrap();
        let written = files.map(|name| text(&group, name));
        assert_eq!(written, ["134217728", "0", "1", "50000 100000", "1024", "1"]);
        group.thaw().unwrap();
        // A real control file has no old content to leave behind.
        assert!(text(&group, "cgroup.freeze").starts_with('0'));
    }

    #[test]
    fn version_one_writes_its_own_files() {
        let files = ["memory.limit_in_bytes", "cpu.cfs_period_us", "cpu.cfs_quota_us", "freezer.state"];
        let (_keep, group) = group(Version::One, &files.map(|name| (name, "")));
        group.limit_memory(1 << 20).unwrap();
        group.limit_cpu(Some(0.072_356)).unwrap();
        group.freeze().unwrap();
        assert_eq!(files.map(|name| text(&group, name)), ["1048576", "100000", "7235", "FROZEN"]);
        assert!(group.is_frozen().unwrap());
    }

    #[test]
    fn version_two_reads() {
        let stat = "anon 4096\nanon_thp 9\nfile 8192\nshmem 77\n";
        let events = "low 0\noom 3\noom_kill 2\noom_group_kill 1\n";
        let (_keep, group) = group(
            Version::Two,
            &[
                ("memory.stat", stat),
                ("memory.events", events),
                ("cpu.stat", "usage_usec 1500\nuser_usec 1\n"),
                ("cgroup.events", "populated 1\nfrozen 0\n"),
                ("cgroup.procs", "12\n0\n40\n"),
            ],
        );
        assert_eq!(group.charge().unwrap(), Charge { anonymous: 4096, shared: 77 });
        assert_eq!(group.out_of_memory_kills(), 2);
        assert_eq!(group.cpu_time().unwrap(), Duration::from_micros(1500));
        assert!(!group.is_frozen().unwrap());
        // 0 stands for a process of another namespace: killing "0" would kill ourselves.
        assert_eq!(group.processes(), vec![12, 40]);
    }

    #[test]
    fn version_one_reads() {
        let (_keep, group) = group(
            Version::One,
            &[
                ("memory.stat", "cache 9\nrss 4096\nrss_huge 1\nshmem 5\ntotal_rss 8\n"),
                ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
                ("cpuacct.usage", "2000000\n"),
                ("freezer.state", "FREEZING\n"),
            ],
        );
        assert_eq!(group.charge().unwrap(), Charge { anonymous: 4096, shared: 5 });
        assert_eq!(group.out_of_memory_kills(), 1);
        assert_eq!(group.cpu_time().unwrap(), Duration::from_millis(2));
        assert!(!group.is_frozen().unwrap());
    }

    #[test]
    fn a_missing_control_file_is_never_made() {
        let (_keep, group) = group(Version::Two, &[]);
        assert!(group.limit_memory(1).is_err());
        assert!(!group.kill());
        assert_eq!(fs::read_dir(&group.folder).unwrap().count(), 0);
    }
}
