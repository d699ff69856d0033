//! Lambda's own log lines, in their exact form.
//!
//! Source: AWS Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs" and "Lambda
//! Telemetry API event schema"; fields are separated by tabs and REPORT ends with one.

use crate::lambda::ending;
use crate::profile::MIB;
use mlemu_core::outcome::Phase;
use mlemu_core::record::Status;
use mlemu_core::{Record, Timestamp, Usage, What};
use std::time::Duration;

pub(super) fn of(record: &Record) -> Vec<String> {
    let id = record.subject.invocation.as_ref().map(|id| id.0.as_ref()).unwrap_or_default();
    let version = record.subject.revision.as_deref().unwrap_or_default();
    match &record.what {
        What::InitStarted { runtime, version } => vec![init_start(record, runtime, version)],
        What::InitEnded { status: Status::Ok, .. } => Vec::new(),
        // Who stops it knows; the vendor never does that.
        What::InitEnded { status: Status::Error { kind }, .. } if kind == "Stopped" => Vec::new(),
        What::InitEnded { init, status } => vec![init_report(init.duration, init.phase, status)],
        What::Started => vec![format!("START RequestId: {id} Version: {version}")],
        What::Log(line) => vec![line.text.clone()],
        What::Ended { status, usage, .. } => {
            if never_began(usage) {
                return Vec::new();
            }
            let mut lines = cause(id, record.at, status);
            lines.push(format!("END RequestId: {id}"));
            lines.push(report(id, status, usage));
            lines
        }
        _ => Vec::new(),
    }
}

/// Nothing was started that could be measured; the vendor has no such case, and no lines for it.
fn never_began(usage: &Usage) -> bool {
    usage.peak_memory == 0 && usage.init.is_none() && usage.handler.is_zero()
}

/// The interpreter's true version stands where Lambda has its build number.
fn init_start(record: &Record, runtime: &str, version: &str) -> String {
    let family = runtime.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == 'x');
    let name = if version.is_empty() { runtime.replace('.', ":") } else { format!("{family}:{version}") };
    let region = record.subject.function.as_ref().map_or("us-east-1", |id| &id.scope.region);
    format!(
        "INIT_START Runtime Version: {name}\tRuntime Version ARN: arn:aws:lambda:{region}::runtime:{name}"
    )
}

fn init_report(duration: Duration, phase: Phase, status: &Status) -> String {
    let phase = match phase {
        Phase::Init => "init",
        Phase::Invoke => "invoke",
    };
    format!("INIT_REPORT Init Duration: {} ms\tPhase: {phase}\tStatus: {}", millis(duration), word(status))
}

fn word(status: &Status) -> String {
    match status {
        Status::Ok => "success".into(),
        Status::Timeout { .. } => "timeout".into(),
        Status::OutOfMemory => "error\tError Type: Runtime.OutOfMemory".into(),
        Status::Exited { .. } => "error\tError Type: Runtime.ExitError".into(),
        Status::TooLarge { .. } => format!("error\tError Type: {}", ending::TOO_LARGE),
        Status::Error { kind } => format!("error\tError Type: {kind}"),
    }
}

/// What Lambda writes before END when the function did not answer by itself.
fn cause(id: &str, at: Timestamp, status: &Status) -> Vec<String> {
    let ended = |how: String| vec![format!("RequestId: {id} Error: {how}"), "Runtime.ExitError".into()];
    match status {
        Status::Timeout { after } => {
            vec![format!("{} {id} {}", iso(at), ending::timed_out(*after)), String::new()]
        }
        Status::Exited { code, signal } => ended(ending::exited(*code, *signal)),
        Status::OutOfMemory => ended(ending::out_of_memory()),
        Status::Ok | Status::TooLarge { .. } | Status::Error { .. } => Vec::new(),
    }
}

/// `Billed Duration` counts the init phase, as AWS bills it since August 2025.
fn report(id: &str, status: &Status, usage: &Usage) -> String {
    let init = usage.init.filter(|init| init.phase == Phase::Init).map(|init| init.duration);
    let billed = (usage.handler + init.unwrap_or_default()).as_micros().div_ceil(1000).max(1);
    let used = ((usage.peak_memory + MIB / 2) / MIB).max(1);
    let mut line = format!(
        "REPORT RequestId: {id}\tDuration: {} ms\tBilled Duration: {billed} ms\tMemory Size: {} MB\tMax Memory Used: {used} MB\t",
        millis(usage.handler),
        usage.memory_limit / MIB,
    );
    if let Some(init) = init {
        line.extend(["Init Duration: ", &millis(init), " ms\t"]);
    }
    // A handler's own exception is no failure of the platform: it has no status here.
    let own = matches!(status, Status::Error { kind } if !kind.starts_with("Runtime."));
    if !own && !status.is_ok() {
        line.extend(["Status: ", &word(status), "\t"]);
    }
    line
}

/// Milliseconds with two digits after the point.
fn millis(duration: Duration) -> String {
    let hundredths = (duration.as_nanos() + 5_000) / 10_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn iso(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::{Enforcement, StartKind};

    fn ends_with(status: &Status) -> String {
        let usage = Usage {
            queued: Duration::ZERO,
            start: StartKind::Warm,
            init: None,
            handler: Duration::from_micros(1_234),
            peak_memory: 40 * MIB,
            memory_limit: 128 * MIB,
            enforcement: Enforcement::Cgroup2,
            cpu: None,
        };
        let line = report("ID", status, &usage);
        line.split("Max Memory Used: 40 MB\t").nth(1).unwrap_or_default().to_owned()
    }

    #[test]
    fn what_never_began_is_not_reported() {
        let begun = Usage {
            queued: Duration::ZERO,
            start: StartKind::Cold,
            init: None,
            handler: Duration::ZERO,
            peak_memory: MIB,
            memory_limit: 128 * MIB,
            enforcement: Enforcement::Cgroup2,
            cpu: None,
        };
        assert!(!never_began(&begun));
        assert!(never_began(&Usage { peak_memory: 0, ..begun }));
    }

    #[test]
    fn only_failures_of_the_platform_have_a_status() {
        let of_kind = |kind: &str| ends_with(&Status::Error { kind: kind.into() });
        assert_eq!(of_kind("ValueError"), "");
        let import = "Status: error\tError Type: Runtime.ImportModuleError\t";
        assert_eq!(of_kind("Runtime.ImportModuleError"), import);
        let large = "Status: error\tError Type: Function.ResponseSizeTooLarge\t";
        assert_eq!(ends_with(&Status::TooLarge { size: 7_000_000, limit: 6_291_556 }), large);
    }
}
