//! The language of subscription filters: which messages a subscription gets, by their attributes.
//!
//! Source: Pub/Sub, "Filter messages from a subscription", "Filter syntax".

use super::fault::Fault;
use mlemu_engine::queues::{Filter, Message};

const LONGEST: usize = 256;

/// `None`: every message. Fails when it is no filter.
pub(super) fn read(text: &str) -> Result<Option<Filter>, Fault> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    if text.len() > LONGEST {
        return Err(Fault::invalid(format!("Invalid filter: it is longer than {LONGEST} bytes.")));
    }
    let refused = |why| Fault::invalid(format!("Invalid filter expression: {text}: {why}"));
    let mut reader = Reader { tokens: tokens(text).map_err(refused)?, at: 0, depth: 0 };
    let term = reader.term().map_err(refused)?;
    match reader.next() {
        None => Ok(Some(Filter::new(move |message| term.holds(message)))),
        Some(more) => Err(refused(format!("`{}` is too much", more.text()))),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(&'static str),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Word(text) | Token::Quoted(text) => text,
            Token::Sign(text) => text,
        }
    }
}

const SIGNS: [&str; 8] = ["!=", "=", ":", ".", "(", ")", ",", "-"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let (quoted, after) = quoted(&rest[1..])?;
            found.push(Token::Quoted(quoted));
            rest = after;
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
            let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("`{first}` means nothing here"));
            }
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

/// What is between quotes, and what comes behind them.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut inside = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((inside, &text[at + 1..])),
            '\\' => inside.extend(letters.next().map(|(_, escaped)| escaped)),
            _ => inside.push(letter),
        }
    }
    Err("a quote is open at the end".into())
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Has(String),
    Is(String, String),
    Begins(String, String),
    Not(Box<Term>),
    And(Vec<Term>),
    Or(Vec<Term>),
}

impl Term {
    fn holds(&self, message: &Message) -> bool {
        let value = |key: &str| message.attributes.iter().find(|one| *one.name == *key).map(|one| &one.value);
        match self {
            Term::Has(key) => value(key).is_some(),
            Term::Is(key, wanted) => value(key).is_some_and(|value| value == wanted.as_bytes()),
            Term::Begins(key, start) => value(key).is_some_and(|value| value.starts_with(start.as_bytes())),
            Term::Not(term) => !term.holds(message),
            Term::And(terms) => terms.iter().all(|term| term.holds(message)),
            Term::Or(terms) => terms.iter().any(|term| term.holds(message)),
        }
    }
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, wanted: &Token) -> bool {
        let is_next = self.tokens.get(self.at) == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn sign(&mut self, sign: &'static str) -> Result<(), String> {
        if self.takes(&Token::Sign(sign)) { Ok(()) } else { Err(format!("`{sign}` is missing")) }
    }

    /// AND and OR cannot be mixed without brackets.
    fn term(&mut self) -> Result<Term, String> {
        let first = self.single()?;
        for (word, joined) in [("AND", Term::And as fn(Vec<Term>) -> Term), ("OR", Term::Or)] {
            let word = Token::Word(word.into());
            if self.tokens.get(self.at) != Some(&word) {
                continue;
            }
            let mut terms = vec![first];
            while self.takes(&word) {
                terms.push(self.single()?);
            }
            return Ok(joined(terms));
        }
        Ok(first)
    }

    fn single(&mut self) -> Result<Term, String> {
        self.depth += 1;
        if self.depth > LONGEST {
            return Err("it is too deep".into());
        }
        match self.next() {
            Some(Token::Word(word)) if word == "NOT" => Ok(Term::Not(Box::new(self.single()?))),
            Some(Token::Sign("-")) => Ok(Term::Not(Box::new(self.single()?))),
            Some(Token::Sign("(")) => {
                let inside = self.term()?;
                self.sign(")")?;
                Ok(inside)
            }
            Some(Token::Word(word)) if word == "hasPrefix" => {
                self.sign("(")?;
                let key = self.path()?;
                self.sign(",")?;
                let start = self.value()?;
                self.sign(")")?;
                Ok(Term::Begins(key, start))
            }
            Some(Token::Word(word)) if word == "attributes" => self.comparison(),
            Some(other) => Err(format!("`{}` begins no condition", other.text())),
            None => Err("a condition is missing".into()),
        }
    }

    /// Behind `attributes`.
    fn comparison(&mut self) -> Result<Term, String> {
        if self.takes(&Token::Sign(":")) {
            return Ok(Term::Has(self.value()?));
        }
        self.sign(".")?;
        let key = self.value()?;
        if self.takes(&Token::Sign("=")) {
            return Ok(Term::Is(key, self.value()?));
        }
        self.sign("!=")?;
        // The attribute must be there.
        let other = Term::Not(Box::new(Term::Is(key.clone(), self.value()?)));
        Ok(Term::And(vec![Term::Has(key), other]))
    }

    /// `attributes.key`
    fn path(&mut self) -> Result<String, String> {
        if !self.takes(&Token::Word("attributes".into())) {
            return Err("`attributes` is missing".into());
        }
        self.sign(".")?;
        self.value()
    }

    fn value(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Word(text) | Token::Quoted(text)) => Ok(text),
            _ => Err("a name or a quoted value is missing".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, attributes: &[(&str, &str)]) -> bool {
        let term = Reader { tokens: tokens(text).unwrap(), at: 0, depth: 0 }.term().unwrap();
        let attribute = |(name, value): &(&str, &str)| mlemu_engine::queues::Attribute {
            name: (*name).into(),
            kind: "".into(),
            value: value.to_string().into(),
        };
        term.holds(&Message {
            sequence: 1,
            id: "1".into(),
            body: bytes::Bytes::new(),
            attributes: attributes.iter().map(attribute).collect(),
            notes: [].into(),
            group: None,
            dedupe: None,
            enqueued: mlemu_core::Timestamp(0),
            expires: None,
            origin: None,
            cause: mlemu_core::Cause::Mlemu,
        })
    }

    #[test]
    fn conditions() {
        let iris = [("kind", "iris"), ("colour", "deep blue")];
        for yes in [
            "attributes:kind",
            "attributes.kind = \"iris\"",
            "attributes.kind=iris",
            "attributes.\"colour\" = \"deep blue\"",
            "hasPrefix(attributes.colour, \"deep\")",
            "NOT attributes:size",
            "-attributes:size",
            "attributes.kind != \"rose\"",
            "attributes:kind AND attributes:colour AND NOT (attributes:a OR attributes:b)",
            "(attributes:size OR attributes:kind) AND attributes:colour",
        ] {
            assert!(holds(yes, &iris), "{yes}");
        }
        for no in [
            "attributes:size",
            "attributes.kind = \"rose\"",
            "attributes.size != \"rose\"",
            "hasPrefix(attributes.size, \"\")",
            "NOT (attributes:kind OR attributes:size)",
        ] {
            assert!(!holds(no, &iris), "{no}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let deep = format!("{}attributes:a{}", "(".repeat(120), ")".repeat(120));
        assert!(read(&deep).is_ok());
        for wrong in [
            "kind = iris",
            "attributes",
            "attributes.",
            "attributes.a =",
            "attributes:a AND",
            "attributes:a AND attributes:b OR attributes:c",
            "attributes:a attributes:b",
            "(attributes:a",
            "attributes.a = \"open",
            "hasPrefix(attributes.a)",
            "attributes.a < 3",
            &"(".repeat(255),
            &format!("attributes:{}", "a".repeat(300)),
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read(" ").unwrap().is_none());
    }
}
