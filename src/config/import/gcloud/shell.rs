//! Commands in text, as a shell or make would see them: words, quotes, continued lines and plain variables.
//!
//! No shell: what a command prints, what a loop repeats and what a condition leaves out is not known here.

use std::collections::BTreeMap;

/// What ends a command.
const ENDS: [&str; 5] = ["&&", "||", ";", "|", "&"];
/// Variables may stand for others; not without end.
const DEEPEST: usize = 8;
/// Longest text that variables may grow to, in bytes.
const LONGEST: usize = 64 * 1024;

/// Variables and what they were set to in the same file.
#[derive(Debug, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Those that a text sets: `NAME=value` of shells, `NAME := value` of make. The first counts.
    pub fn of(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            let Some((name, value)) = line.split_once('=') else { continue };
            let name = name.trim_end().trim_end_matches([':', '?', '+']).trim_end();
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
            if is_name && !value.contains("$(shell") && !value.contains('`') {
                let words = words(value.trim());
                found.learn(name, &words.first().cloned().unwrap_or_default());
            }
        }
        found
    }

    pub fn learn(&mut self, name: &str, value: &str) {
        self.0.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }

    /// The text with the values of `$NAME`, `${NAME}`, `${NAME:-otherwise}` and `$(NAME)`. What is not known stays.
    pub fn put_into(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..DEEPEST {
            let fresh = self.put_once(&text);
            if fresh == text || fresh.len() > LONGEST {
                break;
            }
            text = fresh;
        }
        text
    }

    fn put_once(&self, text: &str) -> String {
        let mut said = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            said.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let (name, otherwise, length) = reference(after);
            match self.0.get(name).map(String::as_str).or(otherwise) {
                Some(value) if !name.is_empty() => said.push_str(value),
                _ => said.push_str(&rest[at..at + 1 + length]),
            }
            rest = &after[length..];
        }
        said.push_str(rest);
        said
    }
}

/// A name after `$`, what stands for it when it is not set, and the length of all that.
fn reference(after: &str) -> (&str, Option<&str>, usize) {
    for (open, close) in [('{', '}'), ('(', ')')] {
        if let Some(inside) = after.strip_prefix(open) {
            let Some(end) = inside.find(close) else { return ("", None, 0) };
            let inside = &inside[..end];
            let (name, otherwise) = match inside.split_once(":-") {
                Some((name, otherwise)) => (name, Some(otherwise)),
                None => (inside, None),
            };
            return (name, otherwise, end + 2);
        }
    }
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
    (&after[..end], None, end)
}

/// Every command of a text with the number of its line, from 0.
pub fn commands(text: &str, variables: &Variables) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut begun: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let (begin, mut whole) = begun.take().unwrap_or((number, String::new()));
        if let Some(line) = line.trim_end().strip_suffix('\\') {
            whole.push_str(line);
            whole.push(' ');
            begun = Some((begin, whole));
            continue;
        }
        whole.push_str(line);
        let words = words(&whole);
        let parts = words.split(|word| ENDS.contains(&word.as_str())).filter(|part| !part.is_empty());
        found.extend(parts.map(|part| (begin, part.iter().map(|word| variables.put_into(word)).collect())));
    }
    found
}

/// Words with their quotes taken away; a comment ends them.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some('"') | None, '\\') => {
                if let Some(next) = letters.next() {
                    word.get_or_insert_default().push(next);
                }
            }
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ';' | '|' | '&') => {
                words.extend(word.take());
                let doubled = letters.next_if_eq(&letter).is_some();
                words.push(if doubled { format!("{letter}{letter}") } else { letter.to_string() });
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// What follows `functions deploy` among the words after `gcloud`, whatever stands before.
pub fn deployment(words: &[String]) -> Option<Vec<String>> {
    let at = words.windows(2).position(|pair| pair == ["functions", "deploy"])?;
    let before = &words[..at];
    let is_before = |word: &String| word.starts_with('-') || matches!(word.as_str(), "alpha" | "beta");
    before.iter().all(is_before).then(|| words[at + 2..].to_vec())
}
