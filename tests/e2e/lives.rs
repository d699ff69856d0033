//! Processes as the kernel tells of them.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::time::Duration;

/// Whether a process ends within `patience`; waits for the kernel's word, not for time.
pub fn ends_within(pid: u32, patience: Duration) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let patience =
        Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
    let mut watched = [PollFd::new(&handle, PollFlags::IN)];
    poll(&mut watched, Some(&patience)).is_ok_and(|ready| ready > 0)
}

/// Processes whose environment says that they belong to the daemon with this Lambda endpoint, zombies left out.
pub fn with_variable(name: &str, value: &str) -> Vec<u32> {
    let wanted = format!("{name}={value}");
    let holds = |pid: &u32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes())
    };
    all().into_iter().filter(holds).collect()
}

fn all() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("procfs").filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Children of a process that ended and that nobody waited for.
pub fn zombies_of(parent: u32) -> usize {
    let line = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let of_parent = |stat: String| {
        let after = stat.rsplit(')').next().unwrap_or_default().to_owned();
        let mut fields = after.split_whitespace();
        fields.next() == Some("Z") && fields.next() == Some(parent.to_string().as_str())
    };
    all().into_iter().filter(|pid| of_parent(line(*pid))).count()
}

/// Open file descriptors.
pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map(Iterator::count).unwrap_or_default()
}

/// A value of `/proc/PID/status` in KiB, e.g. `VmRSS`.
pub fn status_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
