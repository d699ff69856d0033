//! Files and functions stay small. Whole-test files have room for tables, not for long functions.

use super::sources::Source;

const FILE: usize = 500;
const FUNCTION: usize = 90;
const MEDIAN: usize = 150;

pub fn broken(source: &Source) -> Vec<String> {
    if source.is_generated() {
        return Vec::new();
    }
    let mut broken = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE {
        broken.push(format!("{}: {lines} lines, more than {FILE}", source.path));
    }
    for (line, name, length) in functions(&source.text) {
        if length > FUNCTION {
            broken
                .push(format!("{}:{line}: fn {name} has {length} lines, more than {FUNCTION}", source.path));
        }
    }
    broken
}

pub fn median_broken(sources: &[Source]) -> Vec<String> {
    let mut lengths: Vec<_> = sources
        .iter()
        .filter(|source| !source.is_test() && !source.is_generated())
        .map(|source| source.body().count())
        .collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    if median > MEDIAN {
        vec![format!("the median file has {median} lines, more than {MEDIAN}")]
    } else {
        Vec::new()
    }
}

/// Where each function starts, its name and its length, judged by indentation as rustfmt leaves it.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        let end = lines[index..].iter().position(|later| **later == close);
        if let Some(length) = end {
            found.push((index + 1, name, length + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    let after = line.strip_prefix("fn ").or_else(|| {
        let (before, after) = line.split_once(" fn ")?;
        let words =
            ["pub", "async", "const", "unsafe", "extern", "pub(crate)", "pub(super)", "\"C\"", "pub(in"];
        before.split(' ').all(|word| words.contains(&word)).then_some(after)
    })?;
    if line.ends_with(';') || line.ends_with('}') {
        return None;
    }
    Some(after.split(['(', '<']).next().unwrap_or_default().to_owned())
}

#[test]
fn the_rule_finds_a_long_function() {
    let long = format!("pub(crate) async fn long() {{\n{}}}\n", "    x();\n".repeat(FUNCTION));
    assert_eq!(broken(&Source::new("a.rs", &long)).len(), 1);
    let short = format!("fn short() {{\n{}}}\n", "    x();\n".repeat(FUNCTION - 2));
    assert_eq!(broken(&Source::new("a.rs", &short)).len(), 0);
    assert_eq!(broken(&Source::new("a.rs", &"// x\n".repeat(FILE + 1))).len(), 1);
}
