//! A template and its sections; decides whether a file is one.

use super::node::{Key, Map, Node};
use super::yaml;
use crate::config::error::ConfigError;
use crate::config::text::SourceText;
use std::path::Path;
use std::sync::Arc;

#[derive(Debug)]
pub struct Template {
    pub text: SourceText,
    root: Node,
    empty: Map,
}

/// One entry of `Resources`.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    pub id: &'a str,
    pub key: &'a Key,
    pub kind: &'a str,
    pub node: &'a Node,
}

impl<'a> Resource<'a> {
    pub fn property(&self, name: &str) -> Option<&'a Arc<Node>> {
        self.node.get("Properties")?.get(name)
    }
}

impl Template {
    /// Reads a file; `None`: a file of some other use that has the name of a template.
    pub fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let text = SourceText::read(path)?;
        // Whatever never names a resource of AWS may be of any syntax: it is not looked at.
        if !text.text.contains("AWS::") {
            return Ok(None);
        }
        let template = Self::parse(text)?;
        Ok(template.has_functions().then_some(template))
    }

    pub fn parse(text: SourceText) -> Result<Self, ConfigError> {
        let root = yaml::parse(&text)?;
        Ok(Self { text, root, empty: Map::default() })
    }

    pub fn section(&self, name: &str) -> &Map {
        self.root.get(name).and_then(|node| node.as_map()).unwrap_or(&self.empty)
    }

    pub fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        self.section("Resources").iter().filter_map(|(key, node)| resource(key, node))
    }

    pub fn resource(&self, id: &str) -> Option<Resource<'_>> {
        let (key, node) = self.section("Resources").entry(id)?;
        resource(key, node)
    }

    /// An error about a place of this file.
    pub fn error(&self, node: &Node, what: impl Into<String>) -> ConfigError {
        let width = node.as_text().map_or(1, |text| text.chars().count());
        self.text.error(node.at, width, what)
    }

    fn has_functions(&self) -> bool {
        let kinds = ["AWS::Lambda::Function", "AWS::Serverless::Function"];
        self.transforms() || self.resources().any(|resource| kinds.contains(&resource.kind))
    }

    /// Whether it says that it is a template of SAM.
    pub fn transforms(&self) -> bool {
        let is_sam = |text: &str| text.starts_with("AWS::Serverless-");
        let transform = self.root.get("Transform");
        let transforms =
            transform.map_or(&[][..], |node| node.as_list().unwrap_or(std::slice::from_ref(node)));
        transforms.iter().any(|node| node.as_text().is_some_and(is_sam))
    }
}

fn resource<'a>(key: &'a Key, node: &'a Node) -> Option<Resource<'a>> {
    let kind = node.get("Type")?.as_text()?;
    Some(Resource { id: &key.text, key, kind, node })
}
