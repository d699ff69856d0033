//! Records as lines for people.

use super::print::{Printer, Tone};
use mlemu_core::outcome::StartKind;
use mlemu_core::record::Status;
use mlemu_core::{Record, Usage, What};
use std::borrow::Cow;

/// Adds a record to a page: the vendor's own lines, then ours. As JSON it is one line.
pub fn write(page: &mut String, printer: Printer, record: &Record, vendor: &[String]) {
    if printer.json {
        page.push_str(&serde_json::to_string(record).unwrap_or_default());
        page.push('\n');
        return;
    }
    let prefix = printer.paint(Tone::Strong, &format!("{} |", name(record)));
    let mut line = |text: &str| page.extend([prefix.as_str(), " ", text, "\n"]);
    for text in vendor.iter().flat_map(|text| text.trim_end().split('\n')) {
        line(&harmless(text));
    }
    if let Some((tone, text)) = own_words(&record.what, printer.verbose) {
        text.lines().for_each(|text| line(&printer.paint(tone, &harmless(text))));
    }
}

/// Whom a record is about.
pub fn name(record: &Record) -> &str {
    record.subject.function.as_ref().map_or("mlemu", |function| &function.name)
}

/// What no vendor's log has.
fn own_words(what: &What, verbose: bool) -> Option<(Tone, String)> {
    Some(match what {
        What::Published { number, reload: true } => (Tone::Good, format!("reloaded (revision {number})")),
        What::Building { step, detail } if verbose || !detail => (Tone::Quiet, step.clone()),
        What::Built { took } => (Tone::Quiet, format!("built in {:.1} s", took.as_secs_f64())),
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
pub fn harmless(text: &str) -> Cow<'_, str> {
    let harms = |c: char| c != '\t' && c.is_control();
    if text.bytes().all(|byte| byte == b'\t' || (b' '..0x7f).contains(&byte)) || !text.contains(harms) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(harms, "\u{fffd}"))
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn escapes_lose_their_power() {
        assert_eq!(harmless("näh\u{9b}"), "näh\u{fffd}");
        assert_eq!(harmless("a\tb\u{1b}]0;title\u{7}"), "a\tb\u{fffd}]0;title\u{fffd}");
    }
}
