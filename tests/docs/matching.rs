//! Printed lines against expected ones.
//!
//! `...` in a line stands for anything, a line that is `...` for any number of lines. Blanks are blanks,
//! however many and of whatever kind. What a terminal would have overwritten does not count. What differs
//! from run to run is compared by its kind: ids, dates, what was measured and what this machine enforces. Whether
//! a call waited for an instance is not compared: on a busy machine it does.

/// Whether all of `printed` is what was expected.
pub fn all(expected: &[String], printed: &[String]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return printed.is_empty() };
    if first.trim() == "..." {
        return (0..=printed.len()).any(|skipped| all(rest, &printed[skipped..]));
    }
    printed.split_first().is_some_and(|(line, later)| one(first, line) && all(rest, later))
}

/// How many lines of `printed` it takes to find `expected` in it, one after the other, perhaps with others
/// between them.
pub fn within(expected: &[String], printed: &[String]) -> Option<usize> {
    let mut at = 0;
    for wanted in expected.iter().filter(|line| line.trim() != "...") {
        at += printed[at..].iter().position(|line| one(wanted, line))? + 1;
    }
    Some(at)
}

/// What is seen of a text that went to a terminal.
pub fn seen(text: &str) -> Vec<String> {
    let over = |line: &str| line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default().to_owned();
    text.lines().map(over).collect()
}

fn one(expected: &str, printed: &str) -> bool {
    let (expected, printed) = (kinds(expected), kinds(printed));
    let mut parts = expected.split("...");
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The words of a line, those that differ from run to run by their kind.
fn kinds(line: &str) -> String {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let is_wait = |six: &[&str]| six[0] == "waited" && six[2..] == ["ms", "for", "an", "instance,"];
    if let Some(at) = words.windows(6).position(is_wait) {
        words.drain(at..at + 6);
    }
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    let kind = |at: usize| match word(at) {
        own if own.contains("...") => own,
        own if is_like(own, "00000000-0000-0000-0000-000000000000") => "ID",
        own if is_like(own, "0000-00-00") => "DATE",
        own if is_like(own, "00:00:00") => "TIME",
        own if is_number(own) && word(at + 1) == "ms" => "N",
        own if is_number(own)
            && at > 0
            && ["Used:", "peak"].iter().any(|what| word(at - 1).ends_with(what)) =>
        {
            "N"
        }
        _ if at > 1 && word(at - 2) == "held" && word(at - 1) == "by" => "WALL",
        own => own,
    };
    (0..words.len()).map(kind).collect::<Vec<_>>().join(" ")
}

fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

/// Whether a word has this form; `0` stands for a hexadecimal digit.
fn is_like(word: &str, form: &str) -> bool {
    let fits = |(have, want): (char, char)| if want == '0' { have.is_ascii_hexdigit() } else { have == want };
    word.len() == form.len() && word.chars().zip(form.chars()).all(fits)
}

#[cfg(test)]
fn lines(text: &str) -> Vec<String> {
    text.split('|').map(str::to_owned).collect()
}

#[test]
fn dots_stand_for_anything() {
    let fits = |expected: &str, printed: &str| all(&lines(expected), &lines(printed));
    assert!(fits("a|b", "a|b"));
    assert!(fits("took ... ms in ...", "took 3.1 ms   in all"));
    assert!(fits("...|b", "x|y|b") && fits("...|b", "b") && fits("a|...", "a"));
    assert!(!fits("a", "a|b") && !fits("a|b", "a") && !fits("", "a"));
    assert!(!fits("a...b", "a c") && !fits("...|b", "b|c") && !fits("took ...a", "took"));
}

#[test]
fn what_differs_from_run_to_run_is_compared_by_kind() {
    let fits = |expected: &str, printed: &str| one(expected, printed);
    assert!(fits("Duration: 1.5 ms Max Memory Used: 12 MB", "Duration: 20 ms\tMax Memory Used: 9 MB"));
    assert!(fits(
        "cold, init 3 ms measured, ...peak 1.0 of 5 MB",
        "cold, init 4 ms measured, as it was, peak 7.1 of 5 MB"
    ));
    assert!(fits("warm, peak 1.0 of 5 MB", "warm, waited 6 ms for an instance, peak 7.1 of 5 MB"));
    assert!(!fits("warm, peak 1.0 of 5 MB", "warm, waited 6 ms for a friend, peak 7.1 of 5 MB"));
    assert!(fits("limit held by cgroup2", "limit held by watchdog"));
    assert!(fits("2026-01-31 10:00:00 5 a", "2027-12-01 23:59:59 5 a"));
    assert!(!fits("Memory Size: 512 MB", "Memory Size: 128 MB"));
    assert!(!fits("{\"prediction\": 199.42}", "{\"prediction\": 199.43}"));
}

#[test]
fn others_may_stand_between() {
    let found = |expected: &str, printed: &str| within(&lines(expected), &lines(printed));
    assert_eq!(found("a|c", "x|a|b|c|d"), Some(4));
    assert_eq!(found("c|a", "a|b|c"), None);
}

#[test]
fn a_progress_line_is_overwritten() {
    assert_eq!(seen("Completed 1 of 2\rupload: done\n"), ["upload: done"]);
    assert_eq!(seen("windows\r\n"), ["windows"]);
}
