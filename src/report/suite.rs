//! What became of declarative tests, for people and for the machines that count tests.

use super::human::harmless;
use super::print::{Printer, Tone};
use crate::harness::script::run::Verdict;
use clap::ValueEnum;
use serde_json::json;
use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Pretty,
    Junit,
    Tap,
    Json,
}

/// The whole report.
pub fn write(verdicts: &[Verdict], format: Format, printer: Printer) -> String {
    match format {
        Format::Pretty => pretty(verdicts, printer),
        Format::Junit => junit(verdicts),
        Format::Tap => tap(verdicts),
        Format::Json => document(verdicts),
    }
}

fn failed(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|verdict| !verdict.failures.is_empty()).count()
}

fn millis(verdict: &Verdict) -> f64 {
    verdict.took.as_secs_f64() * 1000.0
}

fn pretty(verdicts: &[Verdict], printer: Printer) -> String {
    let mut text = String::new();
    for verdict in verdicts {
        let good = verdict.failures.is_empty();
        let (tone, word) = if good { (Tone::Good, "ok") } else { (Tone::Bad, "FAILED") };
        let _ = writeln!(text, "{} {} ({:.0} ms)", printer.paint(tone, word), verdict.name, millis(verdict));
        for failure in &verdict.failures {
            let indented = failure.to_string().replace('\n', "\n  ");
            let _ = writeln!(text, "  {}", harmless_lines(&indented));
        }
        if !verdict.log.is_empty() {
            let _ = writeln!(text, "  what functions wrote:");
            for line in verdict.log.iter().flat_map(|line| line.split('\n')) {
                let _ = writeln!(text, "    {}", harmless(line));
            }
        }
    }
    let (all, bad) = (verdicts.len(), failed(verdicts));
    let tests = if all == 1 { "test" } else { "tests" };
    let _ = write!(text, "{all} {tests}: {} passed, {bad} failed", all - bad);
    text
}

fn harmless_lines(text: &str) -> String {
    text.split('\n').map(|line| harmless(line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// In the form that CI servers read: one suite a file.
fn junit(verdicts: &[Verdict]) -> String {
    let seconds: f64 = verdicts.iter().map(|verdict| verdict.took.as_secs_f64()).sum();
    let (all, bad) = (verdicts.len(), failed(verdicts));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{all}\" failures=\"{bad}\" time=\"{seconds:.3}\">\n"
    );
    for group in verdicts.chunk_by(|a, b| a.file == b.file) {
        let name = escaped(&group[0].file.display().to_string());
        let bad = failed(group);
        let _ = writeln!(text, "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{bad}\">", group.len());
        for verdict in group {
            let (test, took) = (escaped(&verdict.name), verdict.took.as_secs_f64());
            let line = verdict.line;
            let head = format!(
                "    <testcase name=\"{test}\" classname=\"{name}\" file=\"{name}\" line=\"{line}\" time=\"{took:.3}\""
            );
            if verdict.failures.is_empty() {
                let _ = writeln!(text, "{head}/>");
                continue;
            }
            let all: Vec<_> = verdict.failures.iter().map(ToString::to_string).collect();
            let message = escaped(all[0].lines().next().unwrap_or_default());
            let _ = writeln!(text, "{head}>");
            let _ = writeln!(
                text,
                "      <failure message=\"{message}\">{}</failure>",
                escaped(&all.join("\n\n"))
            );
            let _ = writeln!(text, "      <system-out>{}</system-out>", escaped(&verdict.log.join("\n")));
            let _ = writeln!(text, "    </testcase>");
        }
        let _ = writeln!(text, "  </testsuite>");
    }
    text.push_str("</testsuites>");
    text
}

/// XML has no place for control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}');
            }
            letter => out.push(letter),
        }
    }
    out
}

fn tap(verdicts: &[Verdict]) -> String {
    let mut text = format!("TAP version 14\n1..{}", verdicts.len());
    for (index, verdict) in verdicts.iter().enumerate() {
        let word = if verdict.failures.is_empty() { "ok" } else { "not ok" };
        let name = verdict.name.replace('\\', "\\\\").replace('#', "\\#").replace('\n', " ");
        let _ = write!(text, "\n{word} {} - {name}", index + 1);
        if verdict.failures.is_empty() {
            continue;
        }
        text.push_str("\n  ---\n  failures: |");
        for line in verdict.failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").lines() {
            let _ = write!(text, "\n    {}", harmless(line));
        }
        text.push_str("\n  ...");
    }
    text
}

fn document(verdicts: &[Verdict]) -> String {
    let tests: Vec<_> = verdicts
        .iter()
        .map(|verdict| {
            let failures = verdict.failures.iter().map(|failure| {
                let at = failure.at.as_ref();
                json!({ "what": failure.what, "line": at.map(|at| at.line), "column": at.map(|at| at.column) })
            });
            let failures: Vec<_> = failures.collect();
            json!({
                "name": verdict.name, "file": verdict.file, "line": verdict.line,
                "status": if failures.is_empty() { "ok" } else { "failed" },
                "took_ms": millis(verdict), "failures": failures, "log": verdict.log,
            })
        })
        .collect();
    let (all, bad) = (verdicts.len(), failed(verdicts));
    json!({ "schema_version": 1, "passed": all - bad, "failed": bad, "tests": tests }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigError;
    use std::time::Duration;

    fn verdicts() -> Vec<Verdict> {
        let verdict = |name: &str, failures: Vec<ConfigError>| Verdict {
            name: name.into(),
            file: "a.mlemu.yaml".into(),
            line: 2,
            took: Duration::from_millis(3),
            failures,
            log: vec!["\u{1b}[31mred".into()],
        };
        vec![verdict("good # 1", Vec::new()), verdict("bad <1>", vec![ConfigError::new("a < \"b\"")])]
    }

    #[test]
    fn each_form_counts_the_same() {
        let printer = Printer::new(super::super::print::Color::Never);
        let of = |format| write(&verdicts(), format, printer);
        assert!(of(Format::Pretty).ends_with("2 tests: 1 passed, 1 failed"));
        let junit = of(Format::Junit);
        assert!(junit.contains("tests=\"2\" failures=\"1\"") && junit.contains("bad &lt;1&gt;"), "{junit}");
        assert!(junit.contains("message=\"a &lt; &quot;b&quot;\"") && !junit.contains('\u{1b}'), "{junit}");
        let tap = of(Format::Tap);
        assert!(tap.contains("1..2\nok 1 - good \\# 1\nnot ok 2 - bad <1>\n  ---"), "{tap}");
        let json: serde_json::Value = serde_json::from_str(&of(Format::Json)).expect("JSON");
        assert_eq!((&json["passed"], &json["tests"][1]["status"]), (&json!(1), &json!("failed")));
    }
}
