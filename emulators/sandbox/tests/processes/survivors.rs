//! Nothing of any function survives its daemon, however that died.

use crate::runner::Test;
use crate::stage::{Stage, block_on, numbers, shim, soon, spec};
use mlemu_core::{Ending, Enforcement, Sandbox};
use mlemu_sandbox::Processes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

pub const TESTS: &[Test] = &[
    ("nothing_survives_a_killed_daemon", nothing_survives_a_killed_daemon),
    ("nothing_survives_a_terminated_daemon", nothing_survives_a_terminated_daemon),
    ("the_frozen_do_not_survive_either", the_frozen_do_not_survive_either),
    ("a_stopped_shim_does_not_survive_either", a_stopped_shim_does_not_survive_either),
    ("a_function_that_keeps_stopping_its_shim_does_not_survive", a_function_that_keeps_stopping_its_shim),
    ("a_killed_shim_takes_its_function_along", a_killed_shim_takes_its_function_along),
    ("the_next_daemon_ends_what_was_left", the_next_daemon_ends_what_was_left),
    ("a_thread_that_ends_kills_nobody", a_thread_that_ends_kills_nobody),
];

/// Plays a daemon with one function that has descendants of every kind.
pub fn daemon(args: Vec<String>) -> ExitCode {
    block_on(async {
        let scratch = PathBuf::from(&args[0]);
        let most = args.iter().find_map(|arg| match arg.as_str() {
            "cgroup1" => Some(Enforcement::Cgroup1),
            "watchdog" => Some(Enforcement::Watchdog),
            _ => None,
        });
        let processes = match most {
            Some(most) => Processes::restricted(shim(), scratch, most),
            None => Processes::new(shim(), scratch),
        };
        let processes = processes.unwrap();
        let kind = if args.iter().any(|arg| arg == "stopping") { "stopping-tree" } else { "tree" };
        let (spec, said) = spec(&[kind]);
        let running = processes.start(spec).await.unwrap();
        let text = said.wait_for("thread=").await;
        if args.iter().any(|arg| arg == "frozen") {
            running.freeze().await;
        }
        // Long enough for the spawner to have a spare shim ready, which must not survive either.
        let (spin, spun) = crate::stage::spec(&["spin", "100"]);
        let _spin = processes.start(spin).await.unwrap();
        spun.wait_for("spun").await;
        println!("{text}\nready");
        std::future::pending::<()>().await;
    });
    ExitCode::SUCCESS
}

struct Daemon {
    child: Child,
    /// Everything it started, held so that no number can be used again unseen.
    handles: Vec<(i32, OwnedFd)>,
    /// Of the function with the descendants.
    shim: i32,
    /// That function and its descendants.
    tree: Vec<i32>,
    /// What must be gone when this test is over.
    _scratch: tempfile::TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn start(args: &[&str]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("daemon")
            .arg(scratch.path())
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let text = lines.take_while(|line| line != "ready").collect::<Vec<_>>().join("\n");
        let mut pids = numbers(&text, "pids");
        pids.extend(numbers(&text, "thread"));
        assert_eq!(pids.len(), 5, "{text}");
        let shim = parent_of(pids[0]);
        let all = descendants(child.id() as i32);
        assert!(pids.iter().all(|pid| all.contains(pid)), "{pids:?} in {all:?}");
        // Two shims, the other function and the keeper; then a spare shim and who waits in it, on a machine with time.
        assert!((9..=11).contains(&all.len()), "{all:?}");
        let handle = |pid: i32| (pid, pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap());
        Self { child, handles: all.into_iter().map(handle).collect(), shim, tree: pids, _scratch: scratch }
    }

    fn signal(&mut self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id() as i32).unwrap(), signal).unwrap();
        self.child.wait().unwrap();
    }

    /// Waits up to 3 s for all of them to be gone.
    fn assert_alone(&self) {
        assert_gone(self.handles.iter());
    }
}

fn assert_gone<'a>(handles: impl Iterator<Item = &'a (i32, OwnedFd)>) {
    for (pid, handle) in handles {
        let mut end = [PollFd::new(handle, PollFlags::IN)];
        let limit = Timespec { tv_sec: 3, tv_nsec: 0 };
        assert_eq!(poll(&mut end, Some(&limit)), Ok(1), "{pid} survives: {}", command_line(*pid));
    }
}

/// Found by asking everybody, because orphans of orphans count too.
fn descendants(root: i32) -> Vec<i32> {
    let everybody = || {
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    };
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(everybody().filter(|pid: &i32| *pid > 0 && try_parent_of(*pid) == Some(parent)));
        next += 1;
    }
    found.split_off(1)
}

fn try_parent_of(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn parent_of(pid: i32) -> i32 {
    try_parent_of(pid).unwrap()
}

fn command_line(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")
}

fn nothing_survives_a_killed_daemon() {
    for args in [&[][..], &["cgroup1"], &["watchdog"]] {
        let mut daemon = Daemon::start(args);
        daemon.signal(Signal::KILL);
        daemon.assert_alone();
    }
}

fn nothing_survives_a_terminated_daemon() {
    for args in [&[][..], &["cgroup1"], &["watchdog"]] {
        let mut daemon = Daemon::start(args);
        daemon.signal(Signal::TERM);
        daemon.assert_alone();
    }
}

fn the_frozen_do_not_survive_either() {
    for args in [&["frozen"][..], &["frozen", "cgroup1"], &["frozen", "watchdog"]] {
        let mut daemon = Daemon::start(args);
        daemon.signal(Signal::KILL);
        daemon.assert_alone();
    }
}

fn a_stopped_shim_does_not_survive_either() {
    for args in [&[][..], &["cgroup1"], &["watchdog"]] {
        let mut daemon = Daemon::start(args);
        // The daemon would set the shim going again.
        kill_process(Pid::from_raw(daemon.child.id() as i32).unwrap(), Signal::STOP).unwrap();
        kill_process(Pid::from_raw(daemon.shim).unwrap(), Signal::STOP).unwrap();
        daemon.signal(Signal::KILL);
        daemon.assert_alone();
    }
}

fn a_function_that_keeps_stopping_its_shim() {
    for args in [&["stopping"][..], &["stopping", "cgroup1"], &["stopping", "watchdog"]] {
        let mut daemon = Daemon::start(args);
        daemon.signal(Signal::KILL);
        daemon.assert_alone();
    }
}

fn a_killed_shim_takes_its_function_along() {
    let daemon = Daemon::start(&[]);
    if !has_groups(&daemon) {
        eprintln!("skipped: without control groups nobody can tell what a killed shim left");
        return;
    }
    kill_process(Pid::from_raw(daemon.shim).unwrap(), Signal::KILL).unwrap();
    // The daemon and its other instances live on.
    assert_gone(daemon.handles.iter().filter(|(pid, _)| daemon.tree.contains(pid)));
}

fn the_next_daemon_ends_what_was_left() {
    let mut daemon = Daemon::start(&[]);
    if !has_groups(&daemon) {
        eprintln!("skipped: without control groups nobody can tell what was left");
        return;
    }
    // Stopped, the daemon cannot clean up after its shim; then it dies as well, and so does its keeper.
    let is_keeper = |pid: &&(i32, OwnedFd)| {
        fs::read_to_string(format!("/proc/{}/comm", pid.0)).is_ok_and(|name| name == "mlemu-keeper\n")
    };
    let keeper = daemon.handles.iter().find(is_keeper).expect("a keeper").0;
    kill_process(Pid::from_raw(keeper).unwrap(), Signal::KILL).unwrap();
    kill_process(Pid::from_raw(daemon.child.id() as i32).unwrap(), Signal::STOP).unwrap();
    kill_process(Pid::from_raw(daemon.shim).unwrap(), Signal::KILL).unwrap();
    daemon.signal(Signal::KILL);
    let escaped = daemon.tree[2];
    assert!(Path::new(&format!("/proc/{escaped}")).exists(), "nothing was left, this test shows nothing");
    let _next = Stage::new();
    daemon.assert_alone();
}

/// Whether the function is in a group of ours.
fn has_groups(daemon: &Daemon) -> bool {
    fs::read_to_string(format!("/proc/{}/cgroup", daemon.tree[0])).unwrap().contains("/mlemu-")
}

fn a_thread_that_ends_kills_nobody() {
    let stage = Stage::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    std::thread::scope(|scope| {
        // Started from a thread that is gone a moment later, as those of a blocking pool are.
        let start = || handle.block_on(stage.start(spec(&["pause"]).0));
        let running = scope.spawn(start).join().unwrap();
        let mut ended = running.ended();
        assert_eq!(futures_util::FutureExt::now_or_never(&mut ended), None);
        let cpu = runtime.block_on(async {
            let (spin, said) = spec(&["spin", "20"]);
            let other = stage.start(spin).await;
            said.wait_for("spun").await;
            other.measure().cpu
        });
        assert!(!cpu.is_zero());
        assert!(running.measure().memory > 0, "it died with the thread that asked for it");
        running.kill();
        assert_eq!(runtime.block_on(soon(ended)), Ending::Killed);
    });
}
