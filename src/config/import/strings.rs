//! The intrinsic functions on text and lists: Sub, Join, Select, Split, Base64, ToJsonString.

use super::intrinsics::{Call, Resolver};
use super::node::{Kind, Node};
use crate::config::text::Position;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::sync::Arc;

impl Resolver<'_> {
    /// A value as the text that a string property receives; `None` where there is no value.
    pub(super) fn written(&self, value: &Node) -> Option<String> {
        let text = match &value.kind {
            Kind::Null => return None,
            Kind::Scalar { text, .. } => text.clone(),
            Kind::List(items) => {
                let texts: Vec<String> = items.iter().filter_map(|item| self.written(item)).collect();
                texts.join(",")
            }
            Kind::Map(_) => json(value).to_string(),
        };
        self.spend_text(&text).then_some(text)
    }

    pub(super) fn substitute(&self, call: &Call<'_>) -> Option<Arc<Node>> {
        let (pattern, values) = match call.parts() {
            [] => (call.argument.as_text()?, None),
            [pattern, values] => (pattern.as_text()?, values.as_map()),
            _ => return None,
        };
        let mut text = String::new();
        for piece in pieces(pattern) {
            let before = text.len();
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Literal(name) => text.extend(["${", name, "}"]),
                Piece::Name(name) => {
                    let value = match values.and_then(|values| values.get(name)) {
                        Some(value) => self.resolve(value)?,
                        None => self.named(name, call.at),
                    };
                    text.push_str(&self.written(&value).unwrap_or_default());
                }
            }
            if !self.spend_text(&text[before..]) {
                return None;
            }
        }
        Some(Arc::new(Node::text(text, call.at)))
    }

    pub(super) fn join(&self, call: &Call<'_>) -> Option<Arc<Node>> {
        let [separator, items] = call.parts() else { return None };
        let items = self.resolve(items)?;
        let texts: Vec<String> = items.as_list()?.iter().filter_map(|item| self.written(item)).collect();
        Some(Arc::new(Node::text(texts.join(separator.as_text()?), call.at)))
    }

    pub(super) fn select(&self, call: &Call<'_>) -> Option<Arc<Node>> {
        let [index, items] = call.parts() else { return None };
        let index: usize = self.text(index)?.trim().parse().ok()?;
        self.resolve(items)?.as_list()?.get(index).cloned()
    }

    pub(super) fn split(&self, call: &Call<'_>) -> Option<Arc<Node>> {
        let [separator, text] = call.parts() else { return None };
        let separator = separator.as_text().filter(|separator| !separator.is_empty())?;
        Some(Arc::new(split(&self.text(text)?, separator, call.at)))
    }

    pub(super) fn base64(&self, call: &Call<'_>) -> Option<Arc<Node>> {
        let text = self.text(&call.argument)?;
        Some(Arc::new(Node::text(STANDARD.encode(text), call.at)))
    }

    pub(super) fn json_string(&self, call: &Call<'_>) -> Option<Arc<Node>> {
        let value = self.resolve(&call.argument)?;
        let text = json(&value).to_string();
        self.spend_text(&text).then(|| Arc::new(Node::text(text, call.at)))
    }
}

/// A text cut into a list.
pub(super) fn split(text: &str, separator: &str, at: Position) -> Node {
    let parts = text.split(separator).map(|part| Arc::new(Node::text(part, at)));
    Node::new(Kind::List(parts.collect()), at)
}

/// A resolved value as JSON. What was written without quotes keeps its kind.
pub(super) fn json(value: &Node) -> Value {
    match &value.kind {
        Kind::Null => Value::Null,
        Kind::Scalar { text, plain: true } => match serde_json::from_str(text) {
            Ok(value @ (Value::Bool(_) | Value::Number(_))) => value,
            _ => Value::String(text.clone()),
        },
        Kind::Scalar { text, .. } => Value::String(text.clone()),
        Kind::List(items) => items.iter().map(|item| json(item)).collect(),
        Kind::Map(map) => map.iter().map(|(key, value)| (key.text.clone(), json(value))).collect(),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    /// `${!name}`, which stands for `${name}` itself.
    Literal(&'t str),
    Name(&'t str),
}

fn pieces(pattern: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some((text, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        pieces.push(Piece::Text(text));
        pieces.push(match name.strip_prefix('!') {
            Some(literal) => Piece::Literal(literal),
            None => Piece::Name(name.trim()),
        });
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_cut_at_their_names() {
        assert_eq!(pieces("a"), [Piece::Text("a")]);
        assert_eq!(
            pieces("x${ A.Arn }${!B}z"),
            [Piece::Text("x"), Piece::Name("A.Arn"), Piece::Text(""), Piece::Literal("B"), Piece::Text("z")]
        );
        assert_eq!(pieces("open ${x"), [Piece::Text("open ${x")]);
    }
}
