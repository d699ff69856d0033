//! A document as a tree that remembers tags and places.

use crate::config::text::Position;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

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

    pub fn len(&self) -> usize {
        self.entries.len()
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

    pub fn tagged(self, tag: Option<Arc<str>>) -> Self {
        Self { tag, ..self }
    }

    pub fn text(text: impl Into<String>, at: Position) -> Self {
        Self::new(Kind::Scalar { text: text.into(), plain: false }, at)
    }

    /// How many nodes are directly in it.
    pub fn breadth(&self) -> usize {
        match &self.kind {
            Kind::List(items) => items.len(),
            Kind::Map(map) => map.len(),
            Kind::Null | Kind::Scalar { .. } => 0,
        }
    }

    /// How many nodes are in it altogether, aliases written out.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Levels of this tree; a scalar is one.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The same without its tag.
    pub fn untagged(&self) -> Self {
        self.clone().tagged(None)
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

/// At most 60 characters of a text, for messages.
pub fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(60) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
