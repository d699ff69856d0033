//! A YAML or JSON document as a tree that remembers tags and places.
//!
//! Built from the parser's events without recursion and within bounds: an alias shares the node that it names
//! and counts for all the nodes below it, so that no document becomes larger than [`MOST_NODES`].

use crate::config::error::ConfigError;
use crate::config::text::{Position, SourceText};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Nodes of a document with all its aliases written out. A template of the largest size has fewer.
pub const MOST_NODES: usize = 1_000_000;
/// Deeper nesting would make recursion over the tree unsafe.
pub const MOST_DEPTH: usize = 64;

#[derive(Clone, Debug)]
pub struct Node {
    pub kind: Kind,
    pub at: Position,
    /// A short form's name, e.g. `Sub` for `!Sub`.
    pub tag: Option<Arc<str>>,
    /// Nodes in this tree, and its depth.
    weight: usize,
    height: usize,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Null,
    /// `plain`: written without quotes, so that `3` and `true` are more than text.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Arc<Node>>),
    Map(Map),
}

/// A mapping in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Map {
    entries: Vec<(Key, Arc<Node>)>,
    index: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
pub struct Key {
    pub text: String,
    pub at: Position,
}

impl Map {
    pub fn get(&self, name: &str) -> Option<&Arc<Node>> {
        self.index.get(name).map(|index| &self.entries[*index].1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Arc<Node>)> {
        self.entries.iter().map(|(key, node)| (key, node))
    }

    pub fn entry(&self, name: &str) -> Option<(&Key, &Arc<Node>)> {
        self.index.get(name).map(|index| (&self.entries[*index].0, &self.entries[*index].1))
    }

    /// The only entry, if there is exactly one.
    pub fn single(&self) -> Option<(&Key, &Arc<Node>)> {
        if self.entries.len() == 1 { self.iter().next() } else { None }
    }

    /// Adds an entry, or puts it in the place of the one with the same name.
    pub fn set(&mut self, key: Key, node: Arc<Node>) {
        if let Some(index) = self.index.get(&key.text) {
            self.entries[*index].1 = node;
        } else {
            self.index.insert(key.text.clone(), self.entries.len());
            self.entries.push((key, node));
        }
    }
}

impl Node {
    pub fn new(kind: Kind, at: Position) -> Self {
        let (mut weight, mut height) = (1_usize, 0);
        let mut count = |child: &Node| {
            weight = weight.saturating_add(child.weight);
            height = height.max(child.height);
        };
        match &kind {
            Kind::List(items) => items.iter().for_each(|child| count(child)),
            Kind::Map(map) => map.iter().for_each(|(_, child)| count(child)),
            Kind::Null | Kind::Scalar { .. } => {}
        }
        Self { kind, at, tag: None, weight, height: height + 1 }
    }

    pub fn text(text: impl Into<String>, at: Position) -> Self {
        Self::new(Kind::Scalar { text: text.into(), plain: false }, at)
    }

    /// How many nodes are directly in it.
    pub fn breadth(&self) -> usize {
        match &self.kind {
            Kind::List(items) => items.len(),
            Kind::Map(map) => map.entries.len(),
            Kind::Null | Kind::Scalar { .. } => 0,
        }
    }

    /// How many nodes are in it altogether, aliases written out.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// The same without its tag.
    pub fn untagged(&self) -> Self {
        Self { tag: None, ..self.clone() }
    }

    /// The text of a scalar without a tag.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if self.tag.is_none() => Some(text),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Arc<Node>]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Node>> {
        self.as_map()?.get(name)
    }
}

/// Reads the one document of `text`.
pub fn parse(text: &SourceText) -> Result<Node, ConfigError> {
    // JSON allows tabs between its tokens, YAML does not; inside a JSON string neither does.
    let is_json = text.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let input = if is_json { Cow::Owned(text.text.replace('\t', " ")) } else { Cow::Borrowed(&*text.text) };
    let mut builder = Builder { text, open: Vec::new(), anchors: HashMap::new(), root: None };
    for event in Parser::new_from_str(&input) {
        let (event, span) = event.map_err(|fault| {
            text.error(position(*fault.marker()), 1, format!("not YAML: {}", fault.info()))
        })?;
        builder.take(event, position(span.start))?;
    }
    Ok(builder.root.map_or_else(|| Node::new(Kind::Null, Position::default()), Arc::unwrap_or_clone))
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
                for (key, value) in
                    merged.iter().filter(|(key, _)| map.get(&key.text).is_none()).collect::<Vec<_>>()
                {
                    map.set(key.clone(), value.clone());
                }
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
        let node = Arc::new(Node { tag, ..Node::new(kind, at) });
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.add(node, at)
    }

    /// Gives a complete node to the collection that it stands in.
    fn add(&mut self, node: Arc<Node>, at: Position) -> Result<(), ConfigError> {
        if node.weight > MOST_NODES {
            return Err(self.text.error(
                at,
                1,
                format!("more than {MOST_NODES} values once its aliases are written out"),
            ));
        }
        if node.height + self.open.len() > MOST_DEPTH {
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

/// At most 60 characters of a text, for messages.
pub fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(60) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
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
        assert!(refusal(&bomb).contains("once its aliases are written out"));
        let mut merges = String::from("a0: &a0 {k: v}\n");
        for level in 1..2000 {
            let _ = writeln!(merges, "a{level}: &a{level} [*a{}]", level - 1);
        }
        assert!(refusal(&merges).contains("nested deeper"));
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
    }
}
