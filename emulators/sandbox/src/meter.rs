//! The truth about one instance's memory.
//!
//! No single number of the kernel is right. A group is charged for what its processes touched first, so that
//! libraries which somebody else loaded before count for nothing; resident sizes count shared pages once for
//! each process. The rule here: memory in use is the larger of the group's charge, without the private
//! `/tmp`, and the memory of the process tree, which is the resident size of a single process and the summed
//! fair shares of several. The peak is the largest such value seen, and at least the largest resident size
//! that any process ever had, which the kernel remembers even between our looks.

use crate::fence::Fence;
use crate::order::Ended;
use crate::tree::{self, Known, Size};
use mlemu_core::Reading;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub struct Meter {
    fence: Fence,
    shim: i32,
    /// The private `/tmp`, where it is a file system of its own.
    tmp: Option<OwnedFd>,
    /// Files in it are memory.
    tmp_counts: bool,
    /// In bytes.
    limit: u64,
    memo: Mutex<Memo>,
}

#[derive(Default)]
struct Memo {
    memory: u64,
    peak: u64,
    cpu: Duration,
    ended: bool,
    shares: Shares,
    /// The one process that the last look found.
    alone: Option<Known>,
    spent: Spent,
}

/// CPU time of processes that come and go.
#[derive(Default)]
struct Spent {
    known: HashMap<i32, Duration>,
    /// Of those that have gone, as far as it was seen.
    gone: Duration,
}

impl Spent {
    fn count(&mut self, now: impl Iterator<Item = (i32, Duration)>) -> Duration {
        let now: HashMap<i32, Duration> = now.collect();
        // A number that was given again begins anew.
        let left = |(pid, before): (&i32, &Duration)| match now.get(pid) {
            Some(time) if time >= before => None,
            _ => Some(*before),
        };
        self.gone += self.known.iter().filter_map(left).sum::<Duration>();
        self.known = now;
        self.gone + self.known.values().sum::<Duration>()
    }
}

impl Memo {
    fn reading(&self) -> Reading {
        Reading { memory: self.memory, peak_memory: self.peak, cpu: self.cpu }
    }
}

/// The last time that the fair shares were read: doing so is slow.
#[derive(Default)]
struct Shares {
    processes: Vec<i32>,
    resident: u64,
    sum: u64,
}

impl Meter {
    pub fn new(fence: Fence, shim: i32, tmp: Option<OwnedFd>, limit: u64) -> Self {
        Self { fence, shim, tmp, tmp_counts: false, limit, memo: Mutex::default() }
    }

    /// With the files in `/tmp` as memory, where a cloud has them there.
    pub fn counting_tmp(self, counts: bool) -> Self {
        Self { tmp_counts: counts, ..self }
    }

    fn memo(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The processes of the instance, without its shim.
    pub fn processes(&self) -> Vec<i32> {
        self.fence.inside().unwrap_or_else(|| tree::descendants(self.shim))
    }

    /// Looks without asking for the CPU time, which is not needed to hold a limit.
    pub fn glance(&self) -> Reading {
        let mut memo = self.memo();
        if !memo.ended {
            self.look(&mut memo);
        }
        memo.reading()
    }

    pub fn read(&self) -> Reading {
        let mut memo = self.memo();
        if !memo.ended {
            let processes = self.look(&mut memo);
            let account = self.fence.account.as_ref().and_then(|group| group.cpu_time().ok());
            let cpu = account.unwrap_or_else(|| processes.iter().map(|pid| tree::cpu_time(*pid)).sum());
            memo.cpu = memo.cpu.max(cpu);
        }
        memo.reading()
    }

    /// CPU time of all processes so far, as exact as it can be had often. `None`: it has ended.
    pub fn spent(&self) -> Option<Duration> {
        let mut memo = self.memo();
        if memo.ended {
            return None;
        }
        if let Some(account) = self.fence.account.as_ref().and_then(|group| group.cpu_time().ok()) {
            return Some(account);
        }
        let processes = self.processes();
        Some(memo.spent.count(processes.into_iter().filter_map(|pid| Some((pid, tree::own_cpu_time(pid)?)))))
    }

    /// The peak alone. A process that was alone at the watchdog's last look is asked for it, the one thing
    /// that must be known after each invocation; what else came since, and what a group is charged beyond
    /// that, the watchdog sees in time.
    pub fn peak(&self) -> u64 {
        let mut memo = self.memo();
        if !memo.ended {
            match memo.alone.as_ref().filter(|_| !self.tmp_counts).and_then(Known::size) {
                Some(size) => memo.peak = memo.peak.max(size.peak_resident),
                None => drop(self.look(&mut memo)),
            }
        }
        memo.peak
    }

    /// Takes over what the shim learned when it collected the dead; no process is looked at any more.
    pub fn close(&self, ended: Option<&Ended>) {
        let mut memo = self.memo();
        memo.ended = true;
        memo.alone = None;
        if let Some(ended) = ended {
            memo.peak = memo.peak.max(ended.peak_resident);
            memo.cpu = memo.cpu.max(Duration::from_micros(ended.cpu_micros));
        }
    }

    fn look(&self, memo: &mut Memo) -> Vec<i32> {
        let processes = self.processes();
        let sizes =
            own_memories(processes.iter().filter_map(|pid| Some((*pid, tree::size(*pid)?))).collect());
        let tree = Tree::of(&sizes);
        let charge = self.charge();
        let files = if self.tmp_counts { self.tmp_used() } else { 0 };
        let mut memory = charge.max(tree.memory(&mut memo.shares) + files);
        // Nothing shall die for an estimate.
        if memory > self.limit && tree.processes.len() > 1 {
            memo.shares = Shares::default();
            memory = charge.max(tree.memory(&mut memo.shares) + files);
        }
        // A tree caught while it vanishes says nothing.
        if !tree.processes.is_empty() {
            memo.memory = memory;
            memo.peak = memo.peak.max(memory).max(tree.largest_peak);
        }
        memo.alone = match *processes {
            [process] => {
                memo.alone.take().filter(|known| known.process == process).or_else(|| Known::new(process))
            }
            _ => None,
        };
        processes
    }

    fn charge(&self) -> u64 {
        let Some(charge) = self.fence.memory.as_ref().and_then(|group| group.charge().ok()) else { return 0 };
        let in_tmp =
            if self.tmp_counts || charge.shared == 0 { 0 } else { self.tmp_used().min(charge.shared) };
        charge.anonymous + charge.shared - in_tmp
    }

    /// Bytes of the files in the private `/tmp`; the cloud doesn't count them as memory.
    fn tmp_used(&self) -> u64 {
        let found = self.tmp.as_ref().and_then(|tmp| rustix::fs::fstatfs(tmp).ok());
        found.map_or(0, |found| found.f_blocks.saturating_sub(found.f_bfree) * found.f_bsize as u64)
    }
}

/// Leaves out those that only borrow the memory of their parent.
fn own_memories(sizes: Vec<(i32, Size)>) -> Vec<(i32, Size)> {
    let borrows = |child: &(i32, Size)| {
        let parent = sizes.iter().find(|(pid, _)| *pid == child.1.parent);
        parent.is_some_and(|parent| tree::are_one_memory(*parent, *child))
    };
    sizes.iter().filter(|child| !borrows(child)).copied().collect()
}

struct Tree {
    processes: Vec<i32>,
    resident: u64,
    largest: u64,
    largest_peak: u64,
}

impl Tree {
    fn of(sizes: &[(i32, Size)]) -> Self {
        Self {
            processes: sizes.iter().map(|(pid, _)| *pid).collect(),
            resident: sizes.iter().map(|(_, size)| size.resident).sum(),
            largest: sizes.iter().map(|(_, size)| size.resident).max().unwrap_or(0),
            largest_peak: sizes.iter().map(|(_, size)| size.peak_resident).max().unwrap_or(0),
        }
    }

    fn memory(&self, shares: &mut Shares) -> u64 {
        if self.processes.len() < 2 {
            return self.resident;
        }
        if shares.are_old(&self.processes, self.resident) {
            shares.sum = self.processes.iter().filter_map(|pid| tree::share(*pid)).sum();
            shares.resident = self.resident;
            shares.processes.clone_from(&self.processes);
        }
        // What came or went since is taken as unshared.
        let now = (shares.sum + self.resident).saturating_sub(shares.resident);
        now.clamp(self.largest, self.resident)
    }
}

impl Shares {
    /// Old once the resident sum has grown by 1 %, or other processes are there.
    fn are_old(&self, processes: &[i32], resident: u64) -> bool {
        self.processes != processes || resident > self.resident + self.resident / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree_of(sizes: &[u64]) -> Tree {
        let size = |resident: u64| Size { resident, peak_resident: resident * 2, ..Size::default() };
        let sizes: Vec<_> = (1..).zip(sizes).map(|(pid, resident)| (pid, size(*resident))).collect();
        Tree::of(&sizes)
    }

    #[test]
    fn a_single_process_counts_whole() {
        assert_eq!(tree_of(&[500]).memory(&mut Shares::default()), 500);
        assert_eq!(tree_of(&[500]).largest_peak, 1000);
    }

    #[test]
    fn several_count_their_shares_and_growth_counts_whole() {
        let mut shares = Shares { processes: vec![1, 2], resident: 20_000, sum: 12_000 };
        assert_eq!(tree_of(&[10_000, 10_100]).memory(&mut shares), 12_100);
        assert_eq!(tree_of(&[10_000, 9_000]).memory(&mut shares), 11_000);
        // Never less than the largest alone, never more than all together.
        assert_eq!(tree_of(&[10_000, 10]).memory(&mut shares), 10_000);
    }

    #[test]
    fn shares_age_with_growth_and_with_other_processes() {
        let shares = Shares { processes: vec![1, 2], resident: 1000, sum: 700 };
        assert!(!shares.are_old(&[1, 2], 1010));
        assert!(shares.are_old(&[1, 2], 1011));
        assert!(!shares.are_old(&[1, 2], 500));
        assert!(shares.are_old(&[1, 3], 1000));
    }

    #[test]
    fn the_time_of_who_has_gone_is_not_lost() {
        let millis = |times: &[(i32, u64)]| {
            times.iter().map(|(pid, time)| (*pid, Duration::from_millis(*time))).collect::<Vec<_>>()
        };
        let mut spent = Spent::default();
        let mut count = |times: &[(i32, u64)]| spent.count(millis(times).into_iter()).as_millis();
        assert_eq!(count(&[(1, 10), (2, 5)]), 15);
        assert_eq!(count(&[(1, 12)]), 17);
        assert_eq!(count(&[(1, 12), (2, 1)]), 18, "another process of the same number");
    }

    #[test]
    fn the_end_keeps_the_highest_numbers() {
        let meter = Meter::new(Fence::default(), i32::MAX, None, 100);
        let how = crate::order::How::Exit(0);
        let ended = Ended { how, out_of_memory: false, peak_resident: 77, cpu_micros: 5 };
        meter.close(Some(&ended));
        let reading = Reading { memory: 0, peak_memory: 77, cpu: Duration::from_micros(5) };
        assert_eq!(meter.read(), reading);
    }
}
