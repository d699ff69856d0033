//! The control groups around one instance, or around all instances of a daemon: one per purpose, whichever
//! version serves it on this machine.

use crate::group::Group;
use mlemu_core::Enforcement;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Each purpose that a controller of this machine serves. Several may be the same folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    pub memory: Option<Group>,
    pub cpu: Option<Group>,
    /// Tells the CPU time used.
    pub account: Option<Group>,
    pub processes: Option<Group>,
    pub freezer: Option<Group>,
}

/// What a fence holds its instance to.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Hard limit of the kernel, in bytes.
    pub memory: u64,
    /// In CPUs.
    pub cpu: Option<f64>,
    pub processes: u32,
}

impl Fence {
    /// What holds the memory limit.
    pub fn enforcement(&self) -> Enforcement {
        use crate::group::Version;
        match self.memory.as_ref().map(|group| group.version) {
            Some(Version::Two) => Enforcement::Cgroup2,
            Some(Version::One) => Enforcement::Cgroup1,
            None => Enforcement::Watchdog,
        }
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        [&self.memory, &self.cpu, &self.account, &self.processes, &self.freezer].into_iter().flatten()
    }

    /// Every folder once.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.groups().map(|group| group.folder.clone()).collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// A fence for one instance inside this one, without limits yet.
    pub fn child(&self, name: &str) -> io::Result<Fence> {
        let inside = |group: &Option<Group>| {
            group.as_ref().map(|group| Group { version: group.version, folder: group.folder.join(name) })
        };
        let child = Fence {
            memory: inside(&self.memory),
            cpu: inside(&self.cpu),
            account: inside(&self.account),
            processes: inside(&self.processes),
            freezer: inside(&self.freezer),
        };
        for folder in child.folders() {
            if let Err(error) = fs::create_dir(folder) {
                child.remove();
                return Err(error);
            }
        }
        Ok(child)
    }

    pub fn limit(&self, bounds: Bounds) -> io::Result<()> {
        if let Some(group) = &self.memory {
            group.limit_memory(bounds.memory)?;
        }
        if let (Some(group), Some(cpus)) = (&self.cpu, bounds.cpu) {
            group.limit_cpu(Some(cpus))?;
        }
        if let Some(group) = &self.processes {
            group.limit_processes(bounds.processes)?;
        }
        Ok(())
    }

    /// From now on so many CPUs are granted; `None`: as many as there are. `false`: no group can hold that.
    pub fn grant(&self, cpus: Option<f64>) -> bool {
        self.cpu.as_ref().is_some_and(|group| group.limit_cpu(cpus).is_ok())
    }

    /// The processes inside; `None`: no group could tell.
    pub fn inside(&self) -> Option<Vec<i32>> {
        self.freezer.as_ref().or(self.memory.as_ref()).or(self.processes.as_ref()).map(Group::processes)
    }

    /// Kills everything inside at once. `false`: this kernel cannot, kill one by one.
    pub fn kill(&self) -> bool {
        self.freezer.as_ref().is_some_and(Group::kill)
    }

    /// Lets killed processes die: with version 1 a frozen one would not.
    pub fn thaw(&self) {
        if let Some(group) = &self.freezer {
            let _ = group.thaw();
        }
    }

    pub fn out_of_memory_kills(&self) -> u64 {
        self.memory.as_ref().map_or(0, Group::out_of_memory_kills)
    }

    /// Removes the folders.
    pub fn remove(&self) {
        self.folders().iter().for_each(|folder| remove(folder));
    }
}

/// Between tries to remove a group's folder, and how many there are.
const RETRY: Duration = Duration::from_millis(1);
const RETRIES: u32 = 50;

/// Removes a group's folder as soon as the kernel no longer calls it busy, for up to 50 ms.
pub fn remove(folder: &Path) {
    persist(|| fs::remove_dir(folder));
}

fn persist(mut remove: impl FnMut() -> io::Result<()>) {
    for _ in 0..RETRIES {
        match remove() {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => thread::sleep(RETRY),
            _ => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Version;

    #[test]
    fn controllers_in_one_folder_are_one_folder() {
        let group = Some(Group { version: Version::Two, folder: "/two".into() });
        let other = Some(Group { version: Version::One, folder: "/one".into() });
        let fence = Fence { memory: group.clone(), cpu: other, freezer: group, ..Fence::default() };
        assert_eq!(fence.folders(), vec![PathBuf::from("/one"), PathBuf::from("/two")]);
        assert_eq!(fence.enforcement(), Enforcement::Cgroup2);
    }

    #[test]
    fn a_fence_that_cannot_hold_says_so() {
        // A plain folder takes the mkdir but has no control files: the limit cannot be set.
        let plain = tempfile::tempdir().unwrap();
        let group = Some(Group { version: Version::Two, folder: plain.path().into() });
        let fence = Fence { memory: group, ..Fence::default() };
        let child = fence.child("one").unwrap();
        assert!(child.limit(Bounds { memory: 1 << 20, cpu: None, processes: 10 }).is_err());
        assert!(fence.child("one").is_err(), "two instances in one group");
        child.remove();
        assert_eq!(fs::read_dir(plain.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_busy_folder_is_tried_again_and_others_are_not() {
        let tries = |results: &[Option<io::ErrorKind>]| {
            let mut count = 0;
            persist(|| {
                count += 1;
                results
                    .get(count - 1)
                    .or(results.last())
                    .copied()
                    .flatten()
                    .map_or(Ok(()), |kind| Err(kind.into()))
            });
            count
        };
        let busy = Some(io::ErrorKind::ResourceBusy);
        assert_eq!(tries(&[None]), 1);
        assert_eq!(tries(&[busy, busy, None]), 3);
        assert_eq!(tries(&[Some(io::ErrorKind::NotFound)]), 1, "it is gone already");
        assert_eq!(tries(&[busy]), RETRIES as usize, "it does not wait for ever");
    }

    #[test]
    fn without_groups_the_watchdog_holds() {
        let fence = Fence::default();
        assert_eq!(fence.enforcement(), Enforcement::Watchdog);
        assert_eq!(fence.inside(), None);
        assert!(!fence.kill());
    }
}
