//! What no file may hold: values of variables and fields that are named like secrets, and what differs by chance.

use crate::daemon::world::World;
use serde_json::{Value, json};

/// In the place of a secret.
const REDACTED: &str = "REDACTED";
/// Parts of names whose values are secret.
const NAMES: [&str; 8] =
    ["secret", "token", "passw", "key", "credential", "authorization", "cookie", "signature"];
/// Shorter values are no secrets, and would be found everywhere.
const SHORTEST: usize = 6;

pub struct Secrets {
    /// The longest first: one may be a part of another.
    values: Vec<String>,
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    NAMES.iter().any(|part| name.contains(part))
}

impl Secrets {
    /// Those of the functions' variables and of our own.
    pub fn of(world: &World) -> Self {
        let views = world.engine.all_functions();
        let declared = views.iter().flat_map(|view| view.latest.env.clone());
        let own = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::new(declared.chain(own))
    }

    fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let is_value = |value: &String| {
            // Digits alone are an account: they are in every name of a resource.
            value.len() >= SHORTEST && !value.bytes().all(|byte| byte.is_ascii_digit())
        };
        let named = variables.into_iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value);
        let mut values: Vec<String> = named.filter(is_value).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { values }
    }

    /// A text without any secret.
    pub fn redacted(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, value| text.replace(value, REDACTED))
    }

    /// Bytes without any.
    pub fn redacted_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for secret in &self.values {
            let secret = secret.as_bytes();
            while let Some(at) = bytes.windows(secret.len()).position(|part| part == secret) {
                bytes.splice(at..at + secret.len(), REDACTED.bytes());
            }
        }
        bytes
    }

    /// An event without any, by value or by the name of a field.
    pub fn redacted_event(&self, event: &Value) -> Value {
        match event {
            Value::Object(map) => map
                .iter()
                .map(|(name, value)| match value {
                    // A bucket's key is none.
                    Value::String(_) if is_secret(name) && name != "key" => (name.clone(), REDACTED.into()),
                    value => (name.clone(), self.redacted_event(value)),
                })
                .collect(),
            Value::Array(all) => all.iter().map(|one| self.redacted_event(one)).collect(),
            Value::String(text) => self.redacted(text).into(),
            other => other.clone(),
        }
    }

    /// What a text shall be: itself, or alike where a part of it is secret or differs from run to run.
    pub fn wildcard(&self, text: &str) -> Value {
        let redacted = self.redacted(text).replace(REDACTED, "*");
        let mut pattern = String::new();
        for word in redacted.split_inclusive(|letter: char| !is_part(letter)) {
            let bare = word.trim_end_matches(|letter: char| !is_part(letter));
            let rest = &word[bare.len()..];
            pattern += &steady(bare);
            pattern += rest;
        }
        if pattern == text { text.into() } else { json!({ "like": pattern }) }
    }
}

fn is_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_:.+".contains(letter)
}

/// A word without what differs, as a whole or between its colons: accounts in names of resources, ports of this machine.
fn steady(word: &str) -> String {
    if differs(word) {
        return "*".to_owned();
    }
    let mut before = "";
    let pieces = word.split(':').map(|piece| {
        let is_port = matches!(before, "127.0.0.1" | "localhost") && piece.parse::<u16>().is_ok();
        before = piece;
        if is_port || differs(piece) { "*" } else { piece }
    });
    pieces.collect::<Vec<_>>().join(":")
}

/// Ids and times: long runs of hex digits, with or without hyphens, and dates.
fn differs(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hex = word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let date = word.len() >= 10
        && word.is_char_boundary(5)
        && word.as_bytes()[4] == b'-'
        && word[..4].bytes().all(|byte| byte.is_ascii_digit());
    let epoch = digits == word.len() && (10..=19).contains(&digits);
    (hex && digits > 0) || (date && digits >= 8) || epoch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let pairs = [
            ("API_TOKEN", "hush-hush"),
            ("DB_PASSWORD", "hush"),
            ("PLAIN", "visible"),
            ("MY_KEY", "123456789012"),
        ];
        Secrets::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }

    #[test]
    fn secrets_go_by_value_and_by_name() {
        let secrets = secrets();
        assert_eq!(
            secrets.redacted("a hush-hush visible hush 123456789012"),
            "a REDACTED visible hush 123456789012"
        );
        let event = json!({ "headers": { "Authorization": "Bearer x", "host": "h" }, "key": "a.png", "n": ["hush-hush", 1] });
        let told = json!({ "headers": { "Authorization": "REDACTED", "host": "h" }, "key": "a.png", "n": ["REDACTED", 1] });
        assert_eq!(secrets.redacted_event(&event), told);
    }

    #[test]
    fn what_differs_from_run_to_run_is_a_wildcard() {
        let secrets = secrets();
        for plain in ["rose", "a b.png", "2 roses", "deadbeef", "12345", "v1.2.3-4"] {
            assert_eq!(secrets.wildcard(plain), json!(plain));
        }
        for (text, pattern) in [
            ("b4a1c0de-0000-4000-8000-000000000001", "*"),
            ("made 2026-01-01T00:00:00Z by hush-hush", "made * by *"),
            ("at 1893456000, rose", "at *, rose"),
            ("arn:aws:lambda:us-east-1:000000000000:function:f", "arn:aws:lambda:us-east-1:*:function:f"),
            ("http://127.0.0.1:4566/x", "http://127.0.0.1:*/x"),
        ] {
            assert_eq!(secrets.wildcard(text), json!({ "like": pattern }));
        }
    }
}
