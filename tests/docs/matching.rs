//! Printed lines against expected ones.
//!
//! `...` in a line stands for anything, a line that is `...` for any number of lines. Blanks are blanks,
//! however many and of whatever kind. What a terminal would have overwritten does not count.

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
    let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (expected, printed) = (blanks(expected), blanks(printed));
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
