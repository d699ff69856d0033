//! Records as lines for people.

use super::print::{Printer, Tone};
use mlemu_core::outcome::{Init, StartKind};
use mlemu_core::record::Status;
use mlemu_core::{Record, Usage, What};
use std::borrow::Cow;
use std::time::Duration;

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
        for text in text.lines() {
            let tone = if text.starts_with("hint: ") { Tone::Good } else { tone };
            line(&printer.paint(tone, &harmless(text)));
        }
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
        What::BuildFailed { why } => {
            let told = if verbose { why.clone() } else { mlemu_core::build::without_commands(why) };
            (Tone::Bad, format!("cannot start: {told}"))
        }
        What::Injected { rule, effect, at } => {
            (Tone::Warn, format!("fault {rule} strikes, as it was asked for: {effect} ({at})"))
        }
        What::Warning { text } => (Tone::Warn, format!("warning: {text}")),
        What::Refused { why } => (Tone::Warn, format!("refused: {why}")),
        What::Unsupported { service, operation } => {
            let parts = [service.as_str(), operation.as_str()].map(str::trim);
            let whose: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            let what = "is not there yet and was answered as not implemented";
            (Tone::Warn, format!("{} {what}", whose.join(" ")))
        }
        What::Ended { status, usage, .. } => (tone(status), truth(status, usage)),
        What::Occurred { summary, .. } => (Tone::Quiet, summary.clone()),
        What::InstanceGone { why } if verbose => (Tone::Quiet, format!("instance gone: {why}")),
        _ => return None,
    })
}

fn tone(status: &Status) -> Tone {
    if status.is_ok() { Tone::Quiet } else { Tone::Bad }
}

/// The line that no cloud gives: how it failed, if it did, what was measured, and what held the limit.
pub fn truth(status: &Status, usage: &Usage) -> String {
    match failure(status, usage.memory_limit) {
        Some(failure) => format!("failed: {failure} ({})", measured(usage)),
        None => measured(usage),
    }
}

/// What went wrong, in words; `memory_limit` in bytes.
fn failure(status: &Status, memory_limit: u64) -> Option<String> {
    Some(match status {
        Status::Ok => return None,
        Status::OutOfMemory => {
            format!("out of memory, killed at {} MB; raise the memory size", memory_limit / 1_048_576)
        }
        Status::Timeout { after } => format!("timed out after {} s", after.as_secs_f64()),
        Status::Exited { signal: Some(signal), .. } => format!("ended by signal {signal}"),
        Status::Exited { code: Some(code), .. } => format!("exit status {code}"),
        Status::Exited { .. } => "ended without an answer".into(),
        Status::TooLarge { size, limit } => {
            format!("the answer has {size} bytes, {limit} are allowed; store it and answer where it is")
        }
        Status::Error { kind } => match kind.as_str() {
            "NotStartable" => "it cannot start".into(),
            "Stopped" => "stopped".into(),
            kind => kind.to_owned(),
        },
    })
}

fn measured(usage: &Usage) -> String {
    if usage.peak_memory == 0 && usage.init.is_none() {
        return "nothing was started".to_owned();
    }
    let tenths = |bytes: u64| (bytes * 10 + (1 << 19)) >> 20;
    let mut text = match (usage.start, usage.init) {
        (StartKind::Cold, Some(init)) => cold(&init),
        _ => "warm".to_owned(),
    };
    if usage.queued.as_millis() > 0 {
        text.push_str(&format!(", waited {} ms for an instance", usage.queued.as_millis()));
    }
    let (peak, limit) = (tenths(usage.peak_memory), (usage.memory_limit + (1 << 19)) >> 20);
    let peak = format!("{}.{}", peak / 10, peak % 10);
    text.push_str(&format!(", peak {peak} of {limit} MB"));
    if let Some(cpus) = usage.cpu {
        text.push_str(&format!(", {} vCPU", short(cpus)));
    }
    text.push_str(&format!(", limit held by {}", usage.enforcement));
    text
}

/// A cold start in its parts: what was simulated, and what was measured.
fn cold(init: &Init) -> String {
    let measured = millis(init.duration);
    let Some(simulated) = init.simulated else { return format!("cold, init {measured:.0} ms measured") };
    let whole = millis(simulated.total() + init.duration);
    let size = simulated.fetched_bytes as f64 / 1_048_576.0;
    format!(
        "cold {whole:.0} ms: placement {:.0} (simulated) + fetch {:.0} (simulated, {} MB) + init {measured:.0} (measured)",
        millis(simulated.placement),
        millis(simulated.fetch),
        short(size),
    )
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Two digits that say something: 0.07, 1.8, 15.
fn short(number: f64) -> String {
    let digits = if number < 1.0 { 2 } else { usize::from(number < 9.95) };
    let text = format!("{number:.digits$}");
    if digits == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// A function's output can neither move the cursor nor change the terminal's title.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let harms = |c: char| c != '\t' && c.is_control();
    // Without a branch for each byte: nearly all lines are plain.
    let plain = |byte: u8| (byte == b'\t') | (b' '..0x7f).contains(&byte);
    if text.bytes().fold(true, |all, byte| all & plain(byte)) || !text.contains(harms) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(harms, "\u{fffd}"))
}

#[cfg(test)]
mod tests {
    use super::{cold, failure, harmless, own_words, short};
    use mlemu_core::outcome::{Init, Phase};
    use mlemu_core::record::Status;
    use mlemu_core::{Simulated, What};
    use std::time::Duration;

    #[test]
    fn failures_are_said_in_words() {
        let said = |status| failure(&status, 128 << 20);
        assert_eq!(said(Status::Ok), None);
        let bad = |status| said(status).unwrap_or_default();
        assert_eq!(bad(Status::OutOfMemory), "out of memory, killed at 128 MB; raise the memory size");
        assert_eq!(bad(Status::Timeout { after: Duration::from_secs(3) }), "timed out after 3 s");
        let large = bad(Status::TooLarge { size: 7, limit: 6 });
        assert!(large.starts_with("the answer has 7 bytes, 6 are allowed"), "{large}");
        assert_eq!(bad(Status::Error { kind: "KeyError".into() }), "KeyError");
        assert_eq!(bad(Status::Exited { code: Some(3), signal: None }), "exit status 3");
        assert_eq!(bad(Status::Exited { code: None, signal: Some(11) }), "ended by signal 11");
    }

    #[test]
    fn what_is_not_there_is_named_without_gaps() {
        let said = |operation: &str| {
            let what = What::Unsupported { service: "logs".into(), operation: operation.into() };
            own_words(&what, false).map(|(_, text)| text).unwrap_or_default()
        };
        assert!(said("").starts_with("logs is not there yet"), "{}", said(""));
        assert!(said("PutLogEvents").starts_with("logs PutLogEvents is not there yet"));
    }

    #[test]
    fn the_command_of_a_failed_build_is_for_who_asks() {
        let why = "installing six failed: ERROR: none\n  command: `pip install`\nhint: pin another";
        let said = |verbose| own_words(&What::BuildFailed { why: why.into() }, verbose).map(|(_, text)| text);
        assert_eq!(
            said(false).as_deref(),
            Some("cannot start: installing six failed: ERROR: none\nhint: pin another")
        );
        assert!(said(true).is_some_and(|text| text.contains("pip install")));
    }

    #[test]
    fn what_is_simulated_stands_apart_from_what_was_measured() {
        let millis = Duration::from_millis;
        let init = Init { duration: millis(2902), phase: Phase::Init, simulated: None };
        assert_eq!(cold(&init), "cold, init 2902 ms measured");
        let simulated =
            Simulated { placement: millis(98), fetch: millis(120), fetched_bytes: 15 << 20, slept: false };
        let told = cold(&Init { simulated: Some(simulated), ..init });
        let parts = "placement 98 (simulated) + fetch 120 (simulated, 15 MB) + init 2902 (measured)";
        assert_eq!(told, format!("cold 3120 ms: {parts}"));
        assert_eq!([0.0724, 0.583, 1.0, 1.75, 14.6].map(short), ["0.07", "0.58", "1", "1.8", "15"]);
    }

    #[test]
    fn escapes_lose_their_power() {
        assert_eq!(harmless("näh\u{9b}"), "näh\u{fffd}");
        assert_eq!(harmless("a\tb\u{1b}]0;title\u{7}"), "a\tb\u{fffd}]0;title\u{fffd}");
    }
}
