//! What `/proc` tells about processes: who descends from whom, who uses how much.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// One process at one moment; sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
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

/// `None`: the process is gone (or has ended and waits to be collected).
pub fn size(process: i32) -> Option<Size> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mut size = Size::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        match key {
            "State" => size.stopped = value.trim_start().starts_with(['T', 't']),
            "VmHWM" => size.peak_resident = kilobytes(value),
            "VmRSS" => {
                size.resident = kilobytes(value);
                return Some(size);
            }
            _ => {}
        }
    }
    None
}

/// The process's fair share of the pages that it uses, in bytes: a page used by two counts half. Slow for
/// large processes, because the kernel visits every page.
pub fn share(process: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pss:")).map(kilobytes)
}

/// CPU time of a process and of its children that ended and were collected.
pub fn cpu_time(process: i32) -> Duration {
    let hertz = rustix::param::clock_ticks_per_second().max(1);
    stat(process).map_or(Duration::ZERO, |stat| Duration::from_micros(stat.ticks * 1_000_000 / hertz))
}

struct Stat {
    parent: i32,
    ticks: u64,
}

fn stat(process: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may itself hold spaces and parentheses.
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let ticks = fields.skip(9).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Stat { parent, ticks })
}

fn kilobytes(value: &str) -> u64 {
    value.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024
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
        assert!(share(own()).unwrap() <= size.peak_resident);
    }

    #[test]
    fn a_process_that_is_not_there_has_no_size() {
        assert_eq!(size(i32::MAX), None);
        assert_eq!(share(i32::MAX), None);
        assert_eq!(descendants(i32::MAX), Vec::<i32>::new());
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
        let mut sum = 0_u64;
        while cpu_time(own()) == before {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        assert!(sum > 0);
    }
}
