//! What `/proc` tells about processes: who descends from whom, who uses how much.

#![expect(unsafe_code, reason = "kcmp and the CPU clocks of others have no safe wrapper here")]

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// One process at one moment; sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub parent: i32,
    /// Address space, used or not.
    pub mapped: u64,
    pub resident: u64,
    /// Largest `resident` so far.
    pub peak_resident: u64,
    pub stopped: bool,
}

/// All descendants of a process, nearest first, without itself.
pub fn descendants(root: i32) -> Vec<i32> {
    let mut found = children(root);
    let mut next = 0;
    while next < found.len() {
        found.extend(children(found[next]));
        next += 1;
    }
    found
}

/// Children of all threads of a process: each belongs to the thread that made it.
fn children(process: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let mut found = Vec::new();
    for thread in threads.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(text) => found.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok())),
            // A kernel without this file: ask every process for its parent instead.
            Err(_) if !has_children_file() => return children_by_parent(process),
            Err(_) => {}
        }
    }
    found
}

fn has_children_file() -> bool {
    let own = std::process::id();
    Path::new(&format!("/proc/self/task/{own}/children")).exists()
}

fn children_by_parent(parent: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == parent))
        .collect()
}

/// A file of the kernel's, in one read where a page holds it: their sizes are not known beforehand, and
/// guessing them costs more reads than the text is worth.
pub fn text(path: impl AsRef<Path>) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut page = vec![0; 4096];
    let read = file.read(&mut page)?;
    page.truncate(read);
    if read == 4096 {
        file.read_to_end(&mut page)?;
    }
    String::from_utf8(page).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// `None`: the process is gone (or has ended and waits to be collected).
pub fn size(process: i32) -> Option<Size> {
    size_in(&text(status(process)).ok()?)
}

/// Whether a process can still do something: it is there and has not ended.
pub fn is_alive(process: i32) -> bool {
    stat(process).is_some_and(|stat| !stat.ended)
}

fn status(process: i32) -> String {
    format!("/proc/{process}/status")
}

fn size_in(text: &str) -> Option<Size> {
    // Each after the one before, which is where the kernel writes them.
    let mut rest = text;
    let mut field = |name: &str| {
        rest = rest.split_at(memchr::memmem::find(rest.as_bytes(), name.as_bytes())? + name.len()).1;
        Some(rest.trim_start())
    };
    let stopped = field("\nState:")?.starts_with(['T', 't']);
    let parent = number(field("\nPPid:")?);
    let mapped = number(field("\nVmSize:")?) * 1024;
    let peak_resident = number(field("\nVmHWM:")?) * 1024;
    let resident = number(field("\nVmRSS:")?) * 1024;
    Some(Size { parent: i32::try_from(parent).ok()?, mapped, resident, peak_resident, stopped })
}

/// The number at the beginning of a text, 0 without one.
fn number(text: &str) -> u64 {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

/// A process that is asked again and again, without looking for it each time.
pub struct Known {
    pub process: i32,
    status: fs::File,
}

impl Known {
    pub fn new(process: i32) -> Option<Self> {
        Some(Self { process, status: fs::File::open(status(process)).ok()? })
    }

    /// As [`size`]; another process that has got the same number is never taken for this one.
    pub fn size(&self) -> Option<Size> {
        let mut page = [0; 4096];
        let read = self.status.read_at(&mut page, 0).ok()?;
        size_in(std::str::from_utf8(&page[..read]).ok()?)
    }
}

/// The process's fair share of the pages that it uses, in bytes: a page used by two counts half. Slow for
/// large processes, because the kernel visits every page.
pub fn share(process: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pss:")).map(|line| number(line.trim_start()) * 1024)
}

/// Whether two processes have the very same memory, as a child has between `vfork` and `exec`: what one
/// holds, the other doesn't hold again.
pub fn are_one_memory(one: (i32, Size), other: (i32, Size)) -> bool {
    const KCMP_VM: libc::c_int = 1;
    // SAFETY: compares by number; no memory of ours is involved.
    match unsafe { libc::syscall(libc::SYS_kcmp, one.0, other.0, KCMP_VM, 0, 0) } {
        0 => true,
        // Not allowed here: a fork that copied would not have all the pages of files.
        -1 => (one.1.mapped, one.1.resident) == (other.1.mapped, other.1.resident),
        _ => false,
    }
}

/// CPU time of a process and of its children that ended and were collected.
pub fn cpu_time(process: i32) -> Duration {
    let hertz = rustix::param::clock_ticks_per_second().max(1);
    stat(process).map_or(Duration::ZERO, |stat| Duration::from_micros(stat.ticks * 1_000_000 / hertz))
}

/// CPU time of all threads of a process, to the nanosecond; what its ended children took is not in it.
pub fn own_cpu_time(process: i32) -> Option<Duration> {
    let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: both write to a place of ours, and a process that is gone is an error.
    let read = unsafe {
        libc::clock_getcpuclockid(process, &raw mut clock) == 0
            && libc::clock_gettime(clock, &raw mut time) == 0
    };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    read.then(|| Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
}

struct Stat {
    parent: i32,
    /// And waits to be collected.
    ended: bool,
    ticks: u64,
}

fn stat(process: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may itself hold spaces and parentheses.
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let ticks = fields.skip(9).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Stat { parent, ended, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    #[test]
    fn our_own_size_is_plausible() {
        let size = size(own()).unwrap();
        assert!(size.resident > 500_000, "{size:?}");
        assert!(size.peak_resident >= size.resident);
        assert!(!size.stopped);
        assert!(is_alive(own()));
        assert!(share(own()).unwrap() <= size.peak_resident);
        let known = Known::new(own()).unwrap();
        // The kernel notes a peak late: until then what others of this process give back is missing from it.
        let slack = 4 << 20;
        assert!(known.size().unwrap().peak_resident + slack >= size.peak_resident);
        let block = std::hint::black_box(vec![1u8; 32 << 20]);
        assert!(known.size().unwrap().peak_resident >= block.len() as u64, "asked anew");
    }

    #[test]
    fn a_process_that_is_not_there_has_no_size() {
        assert_eq!(size(i32::MAX), None);
        assert_eq!(share(i32::MAX), None);
        assert!(Known::new(i32::MAX).is_none());
        assert!(!is_alive(i32::MAX));
        assert_eq!(descendants(i32::MAX), Vec::<i32>::new());
    }

    #[test]
    fn we_are_one_with_ourselves_and_with_nobody_else() {
        let (own, parent) = (own(), size(own()).unwrap().parent);
        let sized = |pid| (pid, size(pid).unwrap());
        assert!(are_one_memory(sized(own), sized(own)));
        assert!(!are_one_memory(sized(own), sized(parent)));
    }

    #[test]
    fn both_ways_to_find_children_agree() {
        let parent = stat(own()).unwrap().parent;
        assert!(children(parent).contains(&own()));
        assert!(children_by_parent(parent).contains(&own()));
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let before = cpu_time(own());
        let grown = std::iter::repeat_with(|| cpu_time(own())).take(1_000_000).any(|now| now > before);
        assert!(grown, "asking a million times took no time");
    }
}
