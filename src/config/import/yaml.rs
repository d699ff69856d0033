//! From YAML or JSON text to a tree of nodes.
//!
//! Built from the parser's events without recursion and within bounds: an alias shares the node that it names
//! and counts for all the nodes below it, so that no document becomes larger than [`MOST_NODES`].

use super::node::{Key, Kind, Map, Node, shortened};
use crate::config::error::ConfigError;
use crate::config::text::{Position, SourceText};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Nodes of a document with all its aliases written out. A template of the largest size has fewer.
pub const MOST_NODES: usize = 1_000_000;
const TOO_LARGE: &str = "more than a million values once the aliases are written out";
/// Deeper nesting would make recursion over the tree unsafe.
pub const MOST_DEPTH: usize = 64;

/// Reads the one document of `text`.
pub fn parse(text: &SourceText) -> Result<Node, ConfigError> {
    let is_json = text.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let input = if is_json { Cow::Owned(json_as_yaml(&text.text)) } else { Cow::Borrowed(&*text.text) };
    let mut builder = Builder { text, open: Vec::new(), anchors: HashMap::new(), root: None, merged: 0 };
    for event in Parser::new_from_str(&input) {
        let (event, span) = event.map_err(|fault| {
            text.error(position(*fault.marker()), 1, format!("not YAML: {}", fault.info()))
        })?;
        builder.take(event, position(span.start))?;
    }
    Ok(builder.root.map_or_else(|| Node::new(Kind::Null, Position::default()), Arc::unwrap_or_clone))
}

/// Takes out the two things of JSON that YAML does not know: tabs between tokens, and characters written as two
/// escapes.
fn json_as_yaml(json: &str) -> String {
    let mut yaml = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(['\t', '\\']) {
        yaml.push_str(&rest[..at]);
        rest = &rest[at..];
        let (written, read) = match (surrogates(rest), rest.chars().nth(1)) {
            _ if rest.starts_with('\t') => (1, " ".to_owned()),
            (Some(character), _) => (12, character.to_string()),
            (None, Some(escaped)) => (1 + escaped.len_utf8(), format!("\\{escaped}")),
            (None, None) => (1, "\\".to_owned()),
        };
        yaml.push_str(&read);
        rest = &rest[written..];
    }
    yaml.push_str(rest);
    yaml
}

/// The character that a text begins with when it is written like `\ud83d\ude00`.
fn surrogates(text: &str) -> Option<char> {
    let unit = |at: usize| u16::from_str_radix(text.get(at..at + 6)?.strip_prefix("\\u")?, 16).ok();
    char::decode_utf16([unit(0)?, unit(6)?]).next()?.ok().filter(|character| character.len_utf16() == 2)
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// A collection that is still being read.
struct Open {
    kind: Kind,
    at: Position,
    tag: Option<Arc<str>>,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<Key>,
    /// Values of `<<`.
    merges: Vec<Arc<Node>>,
}

struct Builder<'a> {
    text: &'a SourceText,
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    root: Option<Arc<Node>>,
    /// Entries that `<<` has brought in so far.
    merged: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), ConfigError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema());
                let plain = style == ScalarStyle::Plain && !is_text;
                let kind = match &*text {
                    "" | "~" | "null" | "Null" | "NULL" if plain && tag.is_none() => Kind::Null,
                    _ => Kind::Scalar { text: text.into_owned(), plain },
                };
                self.finish(kind, at, short_form(tag), anchor)
            }
            Event::SequenceStart(anchor, tag) => self.begin(Kind::List(Vec::new()), at, tag, anchor),
            Event::MappingStart(anchor, tag) => self.begin(Kind::Map(Map::default()), at, tag, anchor),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.text.error(at, 1, "this alias stands inside of what it names"));
                };
                self.add(node, at)
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(self.text.error(at, 1, "a second document begins here; a template is one"))
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        kind: Kind,
        at: Position,
        tag: Option<Cow<'_, Tag>>,
        anchor: usize,
    ) -> Result<(), ConfigError> {
        if self.open.len() == MOST_DEPTH {
            return Err(self.text.error(at, 1, format!("nested deeper than {MOST_DEPTH} levels")));
        }
        let tag = short_form(tag);
        self.open.push(Open { kind, at, tag, anchor, key: None, merges: Vec::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), ConfigError> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        if let Kind::Map(map) = &mut open.kind {
            for merged in open.merges.iter().flat_map(|merge| merged_maps(merge)) {
                self.merged += merged.len();
                if self.merged > MOST_NODES {
                    return Err(self.text.error(open.at, 1, TOO_LARGE));
                }
                fill(map, merged);
            }
        }
        self.finish(open.kind, open.at, open.tag, open.anchor)
    }

    fn finish(
        &mut self,
        kind: Kind,
        at: Position,
        tag: Option<Arc<str>>,
        anchor: usize,
    ) -> Result<(), ConfigError> {
        let node = Arc::new(Node::new(kind, at).tagged(tag));
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.add(node, at)
    }

    /// Gives a complete node to the collection that it stands in.
    fn add(&mut self, node: Arc<Node>, at: Position) -> Result<(), ConfigError> {
        if node.weight() > MOST_NODES {
            return Err(self.text.error(at, 1, TOO_LARGE));
        }
        if node.height() + self.open.len() > MOST_DEPTH {
            return Err(self.text.error(at, 1, format!("nested deeper than {MOST_DEPTH} levels")));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.kind, open.key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Map(map), None) => open.key = Some(key(self.text, map, &node, at)?),
            (Kind::Map(_), Some(key)) if key.text == "<<" => open.merges.push(node),
            (Kind::Map(map), Some(key)) => map.set(key, node),
            (Kind::Null | Kind::Scalar { .. }, _) => {}
        }
        Ok(())
    }
}

fn key(text: &SourceText, map: &Map, node: &Node, at: Position) -> Result<Key, ConfigError> {
    let name = match &node.kind {
        Kind::Null => String::new(),
        _ => node.as_text().ok_or_else(|| text.error(at, 1, "a key must be text"))?.to_owned(),
    };
    match map.entry(&name) {
        Some((first, _)) => Err(text
            .error(at, name.chars().count(), format!("`{}` is here a second time", shortened(&name)))
            .hint(format!("the first one is on line {}", first.at.line))),
        None => Ok(Key { text: name, at }),
    }
}

/// Adds what `map` does not say itself.
fn fill(map: &mut Map, merged: &Map) {
    for (key, value) in merged.iter() {
        if map.get(&key.text).is_none() {
            map.set(key.clone(), value.clone());
        }
    }
}

/// The mappings that a `<<` brings in: one, or a list of them.
fn merged_maps(node: &Node) -> Vec<&Map> {
    match &node.kind {
        Kind::Map(map) => vec![map],
        Kind::List(items) => items.iter().filter_map(|item| item.as_map()).collect(),
        Kind::Null | Kind::Scalar { .. } => Vec::new(),
    }
}

fn short_form(tag: Option<Cow<'_, Tag>>) -> Option<Arc<str>> {
    let tag = tag.filter(|tag| !tag.is_yaml_core_schema() && !tag.suffix.is_empty())?;
    Some(tag.suffix.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;
    use std::path::Path;

    fn read(text: &str) -> Result<Node, ConfigError> {
        parse(&SourceText::new(Path::new("template.yaml"), text))
    }

    fn refusal(text: &str) -> String {
        let error = read(text).expect_err("must be refused");
        let at = error.at.expect("a place");
        format!("{}:{}: {}", at.line, at.column, error.what)
    }

    #[test]
    fn tags_places_and_kinds_survive() {
        let node = read("a: !Sub 'x${y}'\nb: [1, '2', ~]\nc: !GetAtt\n  - A\n  - Arn\n").expect("fine");
        let sub = node.get("a").expect("a");
        assert_eq!((sub.tag.as_deref(), sub.at), (Some("Sub"), Position { line: 1, column: 4 }));
        let b = node.get("b").and_then(|b| b.as_list().map(<[_]>::to_vec)).expect("b");
        assert!(matches!(&b[0].kind, Kind::Scalar { plain: true, .. }));
        assert!(matches!(&b[1].kind, Kind::Scalar { plain: false, .. }));
        assert!(matches!(&b[2].kind, Kind::Null));
        assert_eq!(node.get("c").and_then(|c| c.tag.as_deref()), Some("GetAtt"));
    }

    #[test]
    fn merge_keys_fill_what_is_missing() {
        let node = read("base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  x: 3\n").expect("fine");
        let mine = node.get("mine").expect("mine");
        assert_eq!(mine.get("x").and_then(|x| x.as_text()), Some("3"));
        assert_eq!(mine.get("y").and_then(|y| y.as_text()), Some("2"));
    }

    #[test]
    fn what_is_wrong_is_located() {
        assert_eq!(refusal("a: 1\nb: 2\na: 3\n"), "3:1: `a` is here a second time");
        assert_eq!(refusal("a: &x [*x]\n"), "1:8: this alias stands inside of what it names");
        assert_eq!(refusal("[x]: 1\n"), "1:1: a key must be text");
        assert_eq!(refusal("a: 1\n---\nb: 1\n"), "2:1: a second document begins here; a template is one");
        assert!(refusal("a: [1\nb: 2").starts_with("2:"), "{}", refusal("a: [1\nb: 2"));
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..30 {
            let alias = format!("*a{}", level - 1);
            let _ = writeln!(bomb, "a{level}: &a{level} [{}]", vec![alias; 10].join(", "));
        }
        assert!(refusal(&bomb).contains("once the aliases are written out"));
        let mut merges = String::from("a0: &a0 {k: v}\n");
        for level in 1..2000 {
            let _ = writeln!(merges, "a{level}: &a{level} [*a{}]", level - 1);
        }
        assert!(refusal(&merges).contains("nested deeper"));
        let mut wide = String::from("base: &b {");
        for key in 0..2000 {
            let _ = write!(wide, "k{key}: v, ");
        }
        wide.push_str("}\n");
        for key in 0..2000 {
            let _ = writeln!(wide, "m{key}: {{<<: *b}}");
        }
        assert!(refusal(&wide).contains("once the aliases are written out"));
        for deep in ["[", "{a: ", "- ", "? ", "[a: "] {
            let refusal = refusal(&deep.repeat(100_000));
            assert!(
                refusal.contains("nested deeper") || refusal.contains("recursion limit"),
                "{deep}: {refusal}"
            );
        }
    }

    #[test]
    fn json_is_read_with_its_tabs() {
        let text = SourceText::new(
            Path::new("template.json"),
            "\u{feff}{\r\n\t\"a\":\t[\"\\u00e9\", 1],\r\n\t\"b\": {}\r\n}",
        );
        let node = parse(&text).expect("fine");
        assert_eq!(node.get("a").and_then(|a| a.as_list()?[0].as_text()), Some("é"));
        for (written, read) in [(r"\ud83d\ude00 \/", "😀 /"), (r"\\ud83d\t", "\\ud83d\t"), ("é", "é")] {
            let text = SourceText::new(Path::new("template.json"), &format!("{{\"a\": \"{written}\"}}"));
            let node = parse(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(node.get("a").and_then(|a| a.as_text()), Some(read));
        }
        let lone = SourceText::new(Path::new("template.json"), r#"{"a": "\ud83d"}"#);
        assert!(parse(&lone).is_err());
    }
}
