//! One started instance, as the engine holds it.

use crate::fence::Fence;
use crate::meter::Meter;
use crate::order::{Ended, How, Report};
use crate::output::Drain;
use crate::pacer::{Paced, Pacer};
use crate::spawner::Launched;
use crate::tree;
use crate::watchdog::{self, Watchdog, Watched};
use mlemu_core::{Boxed, Confined, Ending, Reading};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, watch};

/// Lines of reports from a shim.
pub type Reports = BufReader<OwnedReadHalf>;

/// Reads the next report; `None`: the shim is gone.
pub async fn next_report(reports: &mut Reports) -> Option<Report> {
    let mut line = String::new();
    reports.read_line(&mut line).await.ok()?;
    serde_json::from_str(&line).ok()
}

/// Between looks whether a shim was stopped before it could say that the function runs.
const SOON: Duration = Duration::from_millis(10);

/// As [`next_report`], while the shim's function may already try to stop it.
pub async fn first_report(reports: &mut Reports, shim: i32) -> Option<Report> {
    let report = next_report(reports);
    tokio::pin!(report);
    loop {
        match tokio::time::timeout(SOON, &mut report).await {
            Ok(report) => return report,
            Err(_) => keep_going(shim),
        }
    }
}

/// Sets a stopped shim going again: its function could end unseen.
fn keep_going(shim: i32) {
    let Some(shim) = Pid::from_raw(shim) else { return };
    let stops = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
    if let Ok(Some(_)) = rustix::process::waitid(WaitId::Pid(shim), stops) {
        let _ = rustix::process::kill_process(shim, Signal::CONT);
    }
}

/// Ends its instance when dropped.
pub struct Running {
    inner: Arc<Inner>,
    watchdog: Arc<Watchdog>,
    /// Where no control group holds its CPUs.
    pacer: Option<Arc<Pacer>>,
    ending: watch::Receiver<Option<Ending>>,
    drain: Drain,
}

/// Why its processes are stopped by signals. Continuing them must not undo the other reason.
#[derive(Default)]
struct Stops {
    frozen: bool,
    paused: bool,
}

struct Inner {
    fence: Fence,
    meter: Meter,
    /// In bytes.
    limit: u64,
    /// How far it was from its limit when the watchdog looked last, in bytes.
    left: AtomicU64,
    frozen: AtomicBool,
    stops: Mutex<Stops>,
    ended: AtomicBool,
    /// Why we ended it, if we did.
    reason: OnceLock<Ending>,
    /// Closing it ends the instance.
    lifeline: Mutex<Option<OwnedWriteHalf>>,
    /// Told when the lifeline is closed.
    doomed: Notify,
    shim: i32,
}

/// The ends of a shim's socket after it said that the function runs.
pub struct Line {
    pub reports: Reports,
    pub lifeline: OwnedWriteHalf,
}

/// Who looks after instances, for all of them.
#[derive(Clone)]
pub struct Guards {
    pub watchdog: Arc<Watchdog>,
    /// Where no control group holds their CPUs.
    pub pacer: Option<Arc<Pacer>>,
}

impl Running {
    pub fn new(
        mut launched: Launched,
        line: Line,
        limit: u64,
        tmp_is_memory: bool,
        drain: Drain,
        Guards { watchdog, pacer }: Guards,
    ) -> Self {
        let fence = launched.fence.clone();
        let inner = Arc::new(Inner {
            meter: Meter::new(fence.clone(), launched.shim, launched.tmp.take(), limit)
                .counting_tmp(tmp_is_memory),
            fence,
            limit,
            left: AtomicU64::new(limit),
            frozen: AtomicBool::new(false),
            stops: Mutex::default(),
            ended: AtomicBool::new(false),
            reason: OnceLock::new(),
            lifeline: Mutex::new(Some(line.lifeline)),
            doomed: Notify::new(),
            shim: launched.shim,
        });
        let (tell, ending) = watch::channel(None);
        tokio::spawn(see_to_the_end(inner.clone(), line.reports, launched, tell));
        let watched: Arc<dyn Watched> = inner.clone();
        watchdog.watch(Arc::downgrade(&watched));
        Self { inner, watchdog, pacer, ending, drain }
    }
}

/// Waits for the last report, has the shim collected, and only then tells how it ended.
///
/// A shim that shall end is not waited for but collected at once: one that does not end in time is killed
/// then, which closes its socket.
async fn see_to_the_end(
    inner: Arc<Inner>,
    mut reports: Reports,
    launched: Launched,
    tell: watch::Sender<Option<Ending>>,
) {
    let report = next_report(&mut reports);
    tokio::pin!(report);
    let report = tokio::select! {
        biased;
        report = &mut report => report,
        () = inner.doomed.notified() => {
            launched.collected().await;
            report.await
        }
    };
    let ended = match report {
        Some(Report::Ended(ended)) => Some(ended),
        _ => None,
    };
    inner.ended.store(true, Ordering::Release);
    inner.meter.close(ended.as_ref());
    launched.collected().await;
    let over = inner.meter.glance().peak_memory > inner.limit;
    tell.send_replace(Some(ending(inner.reason.get().copied(), over, ended)));
}

/// `over`: it had more memory than it may, if only for a moment that nobody saw.
fn ending(reason: Option<Ending>, over: bool, ended: Option<Ended>) -> Ending {
    match (reason, ended) {
        (Some(reason), _) => reason,
        (None, Some(ended)) if over || ended.out_of_memory => Ending::OutOfMemory,
        (None, Some(Ended { how: How::Exit(code), .. })) => Ending::Exit(code),
        (None, Some(Ended { how: How::Signal(number), .. })) => Ending::Signal(number),
        // Somebody killed the shim, and the function with it.
        (None, None) => Ending::Signal(Signal::KILL.as_raw()),
    }
}

impl Inner {
    /// Kills the whole tree; the first reason counts.
    fn end(&self, reason: Ending) {
        let _ = self.reason.set(reason);
        if !self.has_ended() {
            self.fence.kill();
        }
        self.lifeline.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.doomed.notify_one();
    }

    /// The kernel's own record of the peak counts too: a moment above the limit is above the limit.
    fn is_over(&self, reading: Reading) -> bool {
        reading.peak_memory > self.limit
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether all have stopped, after asking those that have not.
    fn try_stop(&self) -> bool {
        let mut stopped = true;
        for pid in self.meter.processes() {
            if tree::size(pid).is_some_and(|size| !size.stopped) {
                stopped = false;
                signal(pid, Signal::STOP);
            }
        }
        stopped
    }

    fn stops(&self) -> MutexGuard<'_, Stops> {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Continues all, unless something else still stops them. Called with `stops` as they are from now on.
    fn continue_all(&self, stops: &Stops) {
        if !stops.frozen && !stops.paused {
            self.meter.processes().iter().for_each(|pid| signal(*pid, Signal::CONT));
        }
    }

    fn is_stopped(&self) -> bool {
        match &self.fence.freezer {
            Some(group) => group.is_frozen().unwrap_or(true),
            None => self.try_stop(),
        }
    }
}

impl Watched for Inner {
    fn check(&self) -> Option<u64> {
        if self.has_ended() {
            return None;
        }
        keep_going(self.shim);
        let reading = self.meter.glance();
        // A child that the kernel killed for memory is the end of all, as in the cloud.
        if self.is_over(reading) || self.fence.out_of_memory_kills() > 0 {
            self.end(Ending::OutOfMemory);
            return None;
        }
        let left = self.limit.saturating_sub(reading.memory);
        self.left.store(left, Ordering::Relaxed);
        Some(left)
    }

    fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Acquire)
    }
}

impl Paced for Inner {
    fn spent(&self) -> Option<Duration> {
        if self.has_ended() { None } else { self.meter.spent() }
    }

    fn rests(&self) -> bool {
        self.frozen.load(Ordering::Acquire)
    }

    fn pause(&self) {
        let mut stops = self.stops();
        stops.paused = true;
        if !stops.frozen {
            self.meter.processes().iter().for_each(|pid| signal(*pid, Signal::STOP));
        }
    }

    fn go_on(&self) {
        let mut stops = self.stops();
        stops.paused = false;
        self.continue_all(&stops);
    }
}

impl Confined for Running {
    fn ended(&self) -> Boxed<'static, Ending> {
        let mut ending = self.ending.clone();
        Box::pin(async move {
            let known = ending.wait_for(Option::is_some).await.map(|ending| *ending);
            // The task that tells is gone only when the whole runtime is.
            known.ok().flatten().unwrap_or(Ending::Killed)
        })
    }

    fn freeze(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            match &self.inner.fence.freezer {
                Some(group) => drop(group.freeze()),
                None => self.inner.stops().frozen = true,
            }
            let mut tries = 0;
            while !self.inner.has_ended() && !self.inner.is_stopped() {
                tries += 1;
                if tries < 10 {
                    tokio::task::yield_now().await;
                } else {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            self.inner.frozen.store(true, Ordering::Release);
        })
    }

    fn thaw(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            self.inner.frozen.store(false, Ordering::Release);
            if let Some(group) = &self.inner.fence.freezer {
                let _ = group.thaw();
            } else {
                let mut stops = self.inner.stops();
                stops.frozen = false;
                self.inner.continue_all(&stops);
            }
            if let Some(pacer) = &self.pacer {
                pacer.wakes();
            }
            self.watchdog.thawed(watchdog::is_near(self.inner.left.load(Ordering::Relaxed)));
        })
    }

    fn measure(&self) -> Reading {
        let reading = self.inner.meter.read();
        if self.inner.is_over(reading) && !self.inner.has_ended() {
            self.inner.end(Ending::OutOfMemory);
        }
        reading
    }

    fn peak_memory(&self) -> u64 {
        let peak = self.inner.meter.peak();
        if peak > self.inner.limit && !self.inner.has_ended() {
            self.inner.end(Ending::OutOfMemory);
        }
        peak
    }

    fn grant(&self, cpus: Option<f64>) {
        if self.inner.fence.grant(cpus) {
            return;
        }
        if let Some(pacer) = &self.pacer {
            let paced: Arc<dyn Paced> = self.inner.clone();
            pacer.pace(&paced, cpus);
        }
    }

    fn drain(&self) -> Boxed<'_, ()> {
        Box::pin(self.drain.clone().finish())
    }

    fn kill(&self) {
        self.inner.end(Ending::Killed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(how: How, out_of_memory: bool) -> Ended {
        Ended { how, out_of_memory, peak_resident: 0, cpu_micros: 0 }
    }

    #[test]
    fn our_own_reason_comes_before_what_the_kernel_saw() {
        let killed = Some(ended(How::Signal(9), false));
        assert_eq!(ending(Some(Ending::Killed), true, killed), Ending::Killed);
        assert_eq!(ending(Some(Ending::OutOfMemory), false, killed), Ending::OutOfMemory);
        assert_eq!(ending(None, false, killed), Ending::Signal(9));
    }

    #[test]
    fn memory_tells_more_than_an_exit_code() {
        assert_eq!(ending(None, true, Some(ended(How::Exit(0), false))), Ending::OutOfMemory);
        assert_eq!(ending(None, false, Some(ended(How::Exit(1), true))), Ending::OutOfMemory);
        assert_eq!(ending(None, false, Some(ended(How::Exit(3), false))), Ending::Exit(3));
        assert_eq!(ending(None, false, None), Ending::Signal(9));
    }
}
