//! Detection against made-up machines.

use super::*;
use std::fmt::Write;
use tempfile::TempDir;

const SESSION: &str = "mlemu-1-2-3";

struct Machine {
    root: TempDir,
    mountinfo: String,
    own: String,
}

impl Machine {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), mountinfo: String::new(), own: String::new() }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn mount(mut self, point: &str, kind: &str, options: &str) -> Self {
        let point = self.at(point);
        fs::create_dir_all(&point).unwrap();
        writeln!(self.mountinfo, "30 1 0:1 / {} rw shared:4 - {kind} none {options}", point.display())
            .unwrap();
        self
    }

    fn own(mut self, line: &str) -> Self {
        self.own.push_str(line);
        self.own.push('\n');
        self
    }

    /// A folder as the kernel would have filled it.
    fn group(self, path: &str, files: &[(&str, &str)]) -> Self {
        fs::create_dir_all(self.at(path)).unwrap();
        for (name, text) in files {
            fs::write(self.at(path).join(name), text).unwrap();
        }
        self
    }

    fn find(&self, genuine: bool) -> Fence {
        self.find_with(genuine, Allowed::all())
    }

    fn find_with(&self, genuine: bool, allowed: Allowed) -> Fence {
        let genuine = &|_: &Path, _| genuine;
        find(&System { mountinfo: &self.mountinfo, own: &self.own, genuine, allowed }, SESSION)
    }
}

/// A control group of version 2 that offers these controllers to its children.
fn offering<'a>(available: &'a str, offered: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("cgroup.procs", ""),
        ("cgroup.freeze", ""),
        ("cgroup.controllers", available),
        ("cgroup.subtree_control", offered),
    ]
}

#[test]
fn a_delegated_slice_above_us_serves_everything() {
    let all = "cpu memory pids";
    let machine = Machine::new()
        .mount("cg", "cgroup2", "rw,nsdelegate")
        .own("0::/user/app/term.scope")
        .group("cg/user/app", &offering(all, all))
        .group("cg/user/app/term.scope", &offering("", ""))
        .group(&format!("cg/user/app/{SESSION}"), &offering(all, all));
    let fence = machine.find(true);
    let session = Some(Group { version: Version::Two, folder: machine.at("cg/user/app").join(SESSION) });
    assert_eq!(fence.memory, session);
    assert_eq!(
        (fence.cpu, fence.processes, fence.freezer, fence.account),
        (session.clone(), session.clone(), session.clone(), session)
    );
}

#[test]
fn each_controller_comes_from_where_it_is() {
    let machine = Machine::new()
        .mount("two", "cgroup2", "rw")
        .mount("memory", "cgroup", "rw,memory")
        .mount("cpu,cpuacct", "cgroup", "rw,cpu,cpuacct")
        .own("4:memory:/box/1")
        .own("3:cpu,cpuacct:/")
        .own("0::/")
        .group("two", &offering("hugetlb", ""))
        .group(&format!("two/{SESSION}"), &offering("", ""))
        .group(&format!("memory/box/1/{SESSION}"), &[("memory.limit_in_bytes", ""), ("cgroup.procs", "")])
        .group(&format!("cpu,cpuacct/{SESSION}"), &[("cpu.cfs_quota_us", ""), ("cgroup.procs", "")]);
    let fence = machine.find(true);
    assert_eq!(fence.memory.unwrap().folder, machine.at("memory/box/1").join(SESSION));
    assert_eq!(fence.cpu.unwrap().folder, machine.at("cpu,cpuacct").join(SESSION));
    assert_eq!(fence.freezer.unwrap().folder, machine.at("two").join(SESSION));
    assert_eq!(fence.processes, None);
    let old = machine.find_with(true, Allowed::only(Enforcement::Cgroup1));
    assert_eq!((old.enforcement(), old.freezer), (Enforcement::Cgroup1, None));
    let none = machine.find_with(true, Allowed::only(Enforcement::Watchdog));
    assert_eq!(none, Fence::default());
}

#[test]
fn a_memory_file_system_is_no_control_group() {
    // A folder can be made and written there; it is still nothing.
    let machine = Machine::new().mount("cg", "tmpfs", "rw,mode=755").own("0::/").own("4:memory:/");
    assert_eq!(machine.find(true), Fence::default());
    assert_eq!(fs::read_dir(machine.at("cg")).unwrap().count(), 0);
}

#[test]
fn the_kernel_must_confirm_the_type() {
    let machine = Machine::new()
        .mount("memory", "cgroup", "rw,memory")
        .own("4:memory:/")
        .group(&format!("memory/{SESSION}"), &[("memory.limit_in_bytes", ""), ("cgroup.procs", "")]);
    assert_eq!(machine.find(false), Fence::default());
}

#[test]
fn a_folder_that_the_kernel_left_empty_is_refused_and_removed() {
    let machine = Machine::new()
        .mount("memory", "cgroup", "rw,memory")
        .mount("two", "cgroup2", "rw")
        .own("4:memory:/")
        .own("0::/")
        .group("two", &offering("memory", "memory"));
    assert_eq!(machine.find(true), Fence::default());
    assert!(!machine.at("memory").join(SESSION).exists());
    assert!(!machine.at("two").join(SESSION).exists());
}

#[test]
fn a_group_outside_of_the_mount_falls_back_to_the_mount_point() {
    let machine = Machine::new()
        .mount("pids", "cgroup", "rw,pids")
        .own("8:pids:/../elsewhere")
        .group(&format!("pids/{SESSION}"), &[("pids.max", ""), ("cgroup.procs", "")]);
    assert_eq!(machine.find(true).processes.unwrap().folder, machine.at("pids").join(SESSION));
}

#[test]
fn mount_points_with_spaces_are_understood() {
    assert_eq!(unescape(r"/a\040b\134c"), PathBuf::from(r"/a b\c"));
    assert_eq!(unescape(r"/a\zz"), PathBuf::from(r"/a\zz"));
}
