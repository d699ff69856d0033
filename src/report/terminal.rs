//! The records of a daemon on its terminal: pages of lines, and a bar for everything that is being built.
//!
//! A thread of its own writes them. A terminal may be slow or stopped, and no call waits for it; what happens
//! within a [`FRAME`] is one write.

use super::human;
use super::print::Printer;
use crate::daemon::world::World;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use mlemu_core::{Record, What};
use mlemu_engine::journal::Follower;
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nobody sees more pages a second.
const FRAME: Duration = Duration::from_millis(10);
/// A page of so many bytes is written at once: a flood is not gathered.
const PAGE: usize = 256 * 1024;
const SPIN: Duration = Duration::from_millis(100);
const BAR: &str = "{prefix:.bold} {spinner} {wide_msg:.dim} {elapsed:.dim}";

/// Which records are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    All,
    /// What comes before a call: installs, warnings, and what the function writes while it starts. It is talk
    /// even where the result is JSON.
    Steps,
}

/// Writes records until it is closed.
pub struct Terminal {
    printer: Printer,
    bars: MultiProgress,
    stop: CancellationToken,
    writing: JoinHandle<()>,
}

impl Terminal {
    /// Shows the records of a daemon from its first one on. Must be called inside a tokio runtime.
    pub fn open(mut printer: Printer, show: Show, world: &Arc<World>) -> Self {
        printer.json &= show == Show::All;
        let watched = std::io::stderr().is_terminal() && !printer.quiet && !printer.json;
        let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let stop = CancellationToken::new();
        let live = world.journal.follow(0);
        let mut writer = Writer {
            printer,
            show,
            world: world.clone(),
            bars: bars.clone(),
            building: HashMap::new(),
            page: String::new(),
        };
        let (runtime, stopped) = (tokio::runtime::Handle::current(), stop.clone());
        let writing = tokio::task::spawn_blocking(move || {
            runtime.block_on(writer.follow(live, stopped));
        });
        Self { printer, bars, stop, writing }
    }

    /// Talk of the command itself, above the bars.
    pub fn say(&self, text: &str) {
        self.bars.suspend(|| self.printer.say(text));
    }

    /// Completes when everything that was recorded is written; at once if it was never opened.
    pub async fn close(terminal: Option<Self>) {
        let Some(terminal) = terminal else { return };
        terminal.stop.cancel();
        // It cannot fail but by a panic, which has been printed.
        let _ = terminal.writing.await;
    }
}

struct Writer {
    printer: Printer,
    show: Show,
    world: Arc<World>,
    bars: MultiProgress,
    /// By the name of what is built.
    building: HashMap<String, ProgressBar>,
    page: String,
}

impl Writer {
    async fn follow(&mut self, mut live: Follower, stop: CancellationToken) {
        self.take_all(&mut live);
        self.turn_page();
        while !stop.is_cancelled() {
            let next = tokio::select! {
                next = live.recv() => next,
                () = stop.cancelled() => break,
            };
            match next {
                Ok(record) => self.take(&record),
                Err(RecvError::Lagged(missed)) => self.missed(missed),
                Err(RecvError::Closed) => break,
            }
            self.take_all(&mut live);
            self.turn_page();
            tokio::select! {
                () = tokio::time::sleep(FRAME) => {}
                () = stop.cancelled() => {}
            }
        }
        self.take_all(&mut live);
        self.turn_page();
    }

    /// Takes what has been recorded by now.
    fn take_all(&mut self, live: &mut Follower) {
        loop {
            match live.try_recv() {
                Ok(record) => self.take(&record),
                Err(TryRecvError::Lagged(missed)) => self.missed(missed),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
            if self.page.len() > PAGE {
                self.turn_page();
            }
        }
    }

    fn take(&mut self, record: &Record) {
        let step =
            matches!(record.what, What::Building { .. } | What::Built { .. } | What::BuildFailed { .. });
        if step && !self.bars.is_hidden() {
            self.move_bar(record);
        }
        let in_bar = matches!(record.what, What::Building { .. }) && !self.bars.is_hidden();
        let starting = matches!(record.what, What::Log(_)) && record.subject.invocation.is_none();
        let all = self.show == Show::All;
        if (all || step || starting || matches!(record.what, What::Warning { .. })) && !in_bar {
            let vendor = if all || starting { self.world.lines(record) } else { Vec::new() };
            human::write(&mut self.page, self.printer, record, &vendor);
        }
    }

    fn move_bar(&mut self, record: &Record) {
        let name = human::name(record);
        let What::Building { step, .. } = &record.what else {
            if let Some(bar) = self.building.remove(name) {
                bar.finish_and_clear();
            }
            return;
        };
        let bar = self.building.entry(name.to_owned()).or_insert_with(|| {
            let style =
                ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style).with_prefix(name.to_owned());
            let bar = self.bars.add(bar);
            bar.enable_steady_tick(SPIN);
            bar
        });
        bar.set_message(human::harmless(step).into_owned());
    }

    fn missed(&mut self, count: u64) {
        if !self.printer.json {
            self.page.push_str(&format!("({count} records were too fast for this terminal)\n"));
        }
    }

    fn turn_page(&mut self) {
        if !self.page.is_empty() {
            self.bars.suspend(|| self.printer.page(&self.page));
            self.page.clear();
        }
    }
}
