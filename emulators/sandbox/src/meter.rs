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
use crate::tree;
use mlemu_core::Reading;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub struct Meter {
    fence: Fence,
    shim: i32,
    /// The private `/tmp`, where it is a file system of its own.
    tmp: Option<OwnedFd>,
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
        Self { fence, shim, tmp, limit, memo: Mutex::default() }
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

    /// Takes over what the shim learned when it collected the dead; no process is looked at any more.
    pub fn close(&self, ended: Option<&Ended>) {
        let mut memo = self.memo();
        memo.ended = true;
        if let Some(ended) = ended {
            memo.peak = memo.peak.max(ended.peak_resident);
            memo.cpu = memo.cpu.max(Duration::from_micros(ended.cpu_micros));
        }
    }

    fn look(&self, memo: &mut Memo) -> Vec<i32> {
        let processes = self.processes();
        let mut tree = Tree::default();
        for pid in &processes {
            tree.add(tree::size(*pid));
        }
        let charge = self.charge();
        let mut memory = charge.max(tree.memory(&processes, &mut memo.shares));
        // Nothing shall die for an estimate.
        if memory > self.limit && tree.count > 1 {
            memo.shares = Shares::default();
            memory = charge.max(tree.memory(&processes, &mut memo.shares));
        }
        // A tree caught while it vanishes says nothing.
        if tree.count > 0 {
            memo.memory = memory;
            memo.peak = memo.peak.max(memory).max(tree.largest_peak);
        }
        processes
    }

    fn charge(&self) -> u64 {
        let Some(charge) = self.fence.memory.as_ref().and_then(|group| group.charge().ok()) else { return 0 };
        let in_tmp = if charge.shared == 0 { 0 } else { self.tmp_used().min(charge.shared) };
        charge.anonymous + charge.shared - in_tmp
    }

    /// Bytes of the files in the private `/tmp`; the cloud doesn't count them as memory.
    fn tmp_used(&self) -> u64 {
        let found = self.tmp.as_ref().and_then(|tmp| rustix::fs::fstatfs(tmp).ok());
        found.map_or(0, |found| found.f_blocks.saturating_sub(found.f_bfree) * found.f_bsize as u64)
    }
}

#[derive(Default)]
struct Tree {
    count: usize,
    resident: u64,
    largest: u64,
    largest_peak: u64,
}

impl Tree {
    fn add(&mut self, size: Option<tree::Size>) {
        let Some(size) = size else { return };
        self.count += 1;
        self.resident += size.resident;
        self.largest = self.largest.max(size.resident);
        self.largest_peak = self.largest_peak.max(size.peak_resident);
    }

    fn memory(&self, processes: &[i32], shares: &mut Shares) -> u64 {
        if self.count < 2 {
            return self.resident;
        }
        if shares.are_old(processes, self.resident) {
            shares.sum = processes.iter().filter_map(|pid| tree::share(*pid)).sum();
            shares.resident = self.resident;
            shares.processes = processes.to_vec();
        }
        // What came or went since is taken as unshared.
        let now = (shares.sum + self.resident).saturating_sub(shares.resident);
        now.clamp(self.largest, self.resident.max(self.largest))
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
    use crate::tree::Size;

    fn tree_of(sizes: &[u64]) -> Tree {
        let mut tree = Tree::default();
        for resident in sizes {
            tree.add(Some(Size { resident: *resident, peak_resident: resident * 2, stopped: false }));
        }
        tree
    }

    #[test]
    fn a_single_process_counts_whole() {
        assert_eq!(tree_of(&[500]).memory(&[1], &mut Shares::default()), 500);
        assert_eq!(tree_of(&[500]).largest_peak, 1000);
    }

    #[test]
    fn several_count_their_shares_and_growth_counts_whole() {
        let mut shares = Shares { processes: vec![1, 2], resident: 20_000, sum: 12_000 };
        assert_eq!(tree_of(&[10_000, 10_100]).memory(&[1, 2], &mut shares), 12_100);
        assert_eq!(tree_of(&[10_000, 9_000]).memory(&[1, 2], &mut shares), 11_000);
        // Never less than the largest alone, never more than all together.
        assert_eq!(tree_of(&[10_000, 10]).memory(&[1, 2], &mut shares), 10_000);
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
    fn the_end_keeps_the_highest_numbers() {
        let meter = Meter::new(Fence::default(), i32::MAX, None, 100);
        let how = crate::order::How::Exit(0);
        let ended = Ended { how, out_of_memory: false, peak_resident: 77, cpu_micros: 5 };
        meter.close(Some(&ended));
        let reading = Reading { memory: 0, peak_memory: 77, cpu: Duration::from_micros(5) };
        assert_eq!(meter.read(), reading);
    }
}
