//! Records as lines for a terminal.

use super::print::{Printer, Tone};
use crate::daemon::Shared;
use mlemu_core::outcome::StartKind;
use mlemu_core::record::Status;
use mlemu_core::{Record, Usage, What};
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// Writes records to the terminal while a daemon runs.
#[derive(Clone, Copy, Debug)]
pub struct Human {
    printer: Printer,
}

impl Human {
    pub fn new(printer: Printer) -> Self {
        Self { printer }
    }

    /// Follows a daemon's records from now until it ends.
    pub fn follow(self, shared: Arc<Shared>) {
        if self.printer.quiet && !self.printer.json {
            return;
        }
        let (past, mut live) = shared.journal.follow(0);
        tokio::spawn(async move {
            for record in past {
                self.record(&record, shared.lines(&record));
            }
            loop {
                match live.recv().await {
                    Ok(record) => self.record(&record, shared.lines(&record)),
                    Err(RecvError::Lagged(missed)) => {
                        self.printer.say(&format!("({missed} records were too fast for this terminal)"));
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    /// Follows only what delays a call: installs, warnings. They are talk even where the result is JSON.
    pub fn steps(mut self, shared: Arc<Shared>) {
        self.printer.json = false;
        let (past, mut live) = shared.journal.follow(0);
        tokio::spawn(async move {
            for record in past.into_iter().filter(|record| is_step(&record.what)) {
                self.record(&record, Vec::new());
            }
            while let Ok(record) = live.recv().await {
                if is_step(&record.what) {
                    self.record(&record, Vec::new());
                }
            }
        });
    }

    /// One record: the vendor's own lines, then ours.
    pub fn record(self, record: &Record, vendor: Vec<String>) {
        let printer = self.printer;
        if printer.json {
            printer.result(&serde_json::to_string(record).unwrap_or_default());
            return;
        }
        let name = record.subject.function.as_ref().map(|function| function.name.to_string());
        let name = name.unwrap_or_else(|| "mlemu".into());
        let prefix = printer.paint(Tone::Strong, &format!("{name} |"));
        for line in vendor.iter().flat_map(|text| text.trim_end().split('\n')) {
            printer.say(&format!("{prefix} {}", harmless(line)));
        }
        if let Some((tone, text)) = own_words(&record.what, printer.verbose) {
            for line in text.lines() {
                printer.say(&format!("{prefix} {}", printer.paint(tone, &harmless(line))));
            }
        }
    }
}

fn is_step(what: &What) -> bool {
    matches!(what, What::Building { .. } | What::Warning { .. } | What::BuildFailed { .. })
}

/// What no vendor's log has.
fn own_words(what: &What, verbose: bool) -> Option<(Tone, String)> {
    Some(match what {
        What::Published { number, reload: true } => (Tone::Good, format!("reloaded (revision {number})")),
        What::Building { step } => (Tone::Quiet, step.clone()),
        What::BuildFailed { why } => (Tone::Bad, format!("cannot start: {why}")),
        What::Warning { text } => (Tone::Warn, format!("warning: {text}")),
        What::Refused { why } => (Tone::Warn, format!("refused: {why}")),
        What::Unsupported { service, operation } => (
            Tone::Warn,
            format!("{service} {operation} is not there yet and was answered as not implemented"),
        ),
        What::Ended { status, usage } => (tone(status), truth(usage)),
        What::Occurred { summary, .. } => (Tone::Quiet, summary.clone()),
        What::InstanceGone { why } if verbose => (Tone::Quiet, format!("instance gone: {why}")),
        _ => return None,
    })
}

fn tone(status: &Status) -> Tone {
    if status.is_ok() { Tone::Quiet } else { Tone::Bad }
}

/// The line that no cloud gives: what was measured, and what held the limit.
pub fn truth(usage: &Usage) -> String {
    if usage.peak_memory == 0 && usage.init.is_none() {
        return "nothing was started".to_owned();
    }
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    let mut text = match (usage.start, usage.init) {
        (StartKind::Cold, Some(init)) => {
            format!("cold, init {:.0} ms measured", init.duration.as_secs_f64() * 1e3)
        }
        _ => "warm".to_owned(),
    };
    if usage.queued.as_millis() > 0 {
        text.push_str(&format!(", waited {} ms for an instance", usage.queued.as_millis()));
    }
    let (peak, limit) = (mib(usage.peak_memory), mib(usage.memory_limit));
    text.push_str(&format!(", peak {peak:.1} of {limit:.0} MB, limit held by {}", usage.enforcement));
    text
}

/// A function's output can neither move the cursor nor change the terminal's title.
pub fn harmless(text: &str) -> String {
    let safe = |c: char| if c == '\t' || !c.is_control() { c } else { '\u{fffd}' };
    text.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn escapes_lose_their_power() {
        assert_eq!(harmless("a\tb\u{1b}]0;title\u{7}"), "a\tb\u{fffd}]0;title\u{fffd}");
    }
}
