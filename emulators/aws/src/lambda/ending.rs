//! How a failed invocation reads: the error document that Lambda gives for each way to end.
//!
//! The caller of Invoke gets it as payload; the log writes the same words.

use bytes::Bytes;
use mlemu_core::FunctionFailure;
use mlemu_core::build::without_commands;
use serde_json::json;
use std::borrow::Cow;

/// The document `{"errorType":..,"errorMessage":..}`; a client's own report passes unchanged.
pub fn body(failure: &FunctionFailure, request_id: &str) -> Bytes {
    if let FunctionFailure::Reported { body, .. } = failure
        && !body.is_empty()
    {
        return body.clone();
    }
    let document = json!({ "errorType": error_type(failure), "errorMessage": message(failure, request_id) });
    Bytes::from(document.to_string())
}

/// Lambda's word for the kind of failure, e.g. `Runtime.ExitError`.
pub fn error_type(failure: &FunctionFailure) -> Cow<'_, str> {
    match failure {
        FunctionFailure::Reported { kind: Some(kind), .. } => Cow::Borrowed(kind),
        FunctionFailure::Reported { kind: None, .. } => Cow::Borrowed("Unhandled"),
        FunctionFailure::TimedOut { .. } => Cow::Borrowed("Sandbox.Timedout"),
        FunctionFailure::Exited { .. } | FunctionFailure::OutOfMemory { .. } => {
            Cow::Borrowed("Runtime.ExitError")
        }
        FunctionFailure::ResponseTooLarge { .. } => Cow::Borrowed("Function.ResponseSizeTooLarge"),
        FunctionFailure::NotStartable { .. } => Cow::Borrowed("Mlemu.NotStartable"),
        FunctionFailure::Stopped => Cow::Borrowed("Mlemu.Stopped"),
    }
}

/// The text of `errorMessage`.
pub fn message(failure: &FunctionFailure, request_id: &str) -> String {
    let about = |what: &str| format!("RequestId: {request_id} Error: {what}");
    match failure {
        FunctionFailure::Reported { .. } => about("the runtime reported an error without a document"),
        FunctionFailure::TimedOut { after } => about(&timed_out(*after)),
        FunctionFailure::Exited { code, signal, .. } => about(&exited(*code, *signal)),
        FunctionFailure::OutOfMemory { .. } => about(&out_of_memory()),
        FunctionFailure::ResponseTooLarge { limit } => {
            format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).")
        }
        FunctionFailure::NotStartable { why } => without_commands(why),
        FunctionFailure::Stopped => about("the function was stopped or deleted while it ran"),
    }
}

/// `Task timed out after 3.00 seconds`, as message and log have it.
pub fn timed_out(after: std::time::Duration) -> String {
    format!("Task timed out after {:.2} seconds", after.as_secs_f64())
}

/// What became of a process that ended without an answer.
pub fn exited(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (_, Some(signal)) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
        (Some(code), None) if code != 0 => format!("Runtime exited with error: exit status {code}"),
        _ => "Runtime exited without providing a reason".to_owned(),
    }
}

/// What became of a process that was ended because it used too much memory: the kernel killed it.
pub fn out_of_memory() -> String {
    exited(None, Some(9))
}

/// Signals in the words of the vendor's supervisor.
fn signal_name(signal: i32) -> Cow<'static, str> {
    Cow::Borrowed(match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return Cow::Owned(format!("signal {other}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::outcome::Phase;
    use std::time::Duration;

    #[track_caller]
    fn reads(failure: &FunctionFailure, expected: &str) {
        assert_eq!(body(failure, "ID"), expected);
    }

    #[test]
    fn timeout() {
        reads(
            &FunctionFailure::TimedOut { after: Duration::from_secs(3) },
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ID Error: Task timed out after 3.00 seconds"}"#,
        );
    }

    #[test]
    fn exits() {
        let exited = |code, signal| FunctionFailure::Exited { code, signal, phase: Phase::Invoke };
        reads(
            &exited(Some(3), None),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: exit status 3"}"#,
        );
        reads(
            &exited(Some(0), None),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited without providing a reason"}"#,
        );
        reads(
            &exited(None, Some(11)),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: signal: segmentation fault"}"#,
        );
    }

    #[test]
    fn out_of_memory_is_a_kill() {
        reads(
            &FunctionFailure::OutOfMemory { limit: 1 },
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: signal: killed"}"#,
        );
    }

    #[test]
    fn too_much_answer() {
        reads(
            &FunctionFailure::ResponseTooLarge { limit: 6_291_556 },
            r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}"#,
        );
    }

    #[test]
    fn a_clients_report_passes_unchanged() {
        let own =
            r#"{"errorMessage": "no module", "errorType": "Runtime.ImportModuleError", "requestId": ""}"#;
        let reported = FunctionFailure::Reported {
            body: Bytes::from_static(own.as_bytes()),
            kind: Some("Runtime.ImportModuleError".into()),
            phase: Phase::Init,
        };
        reads(&reported, own);
        assert_eq!(error_type(&reported), "Runtime.ImportModuleError");
    }

    #[test]
    fn what_only_an_emulator_can_say() {
        let why =
            "no interpreter for `python3.6`\n  command: `look for it`\nhint: install \"python3\"".to_owned();
        reads(
            &FunctionFailure::NotStartable { why },
            r#"{"errorType":"Mlemu.NotStartable","errorMessage":"no interpreter for `python3.6`\nhint: install \"python3\""}"#,
        );
    }
}
