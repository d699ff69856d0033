//! The properties of one resource or event, read by name and resolved on the way.

use super::intrinsics::{Resolver, UNRESOLVED};
use super::node::Node;
use crate::config::error::ConfigError;
use std::sync::Arc;

#[derive(Clone)]
pub struct Properties<'a> {
    pub resolver: &'a Resolver<'a>,
    pub node: Arc<Node>,
}

impl<'a> Properties<'a> {
    pub fn new(resolver: &'a Resolver<'a>, node: Arc<Node>) -> Self {
        Self { resolver, node }
    }

    /// A property as the template writes it.
    pub fn raw(&self, name: &str) -> Option<&Arc<Node>> {
        self.node.get(name)
    }

    pub fn get(&self, name: &str) -> Option<Arc<Node>> {
        self.resolver.resolve(self.raw(name)?)
    }

    /// The properties inside of a property; empty when there are none.
    pub fn inside(&self, name: &str) -> Option<Properties<'a>> {
        Some(Self::new(self.resolver, self.get(name)?))
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.resolver.text(self.raw(name)?)
    }

    /// A text that nothing works without: it must be known.
    pub fn identity(&self, name: &str) -> Result<Option<String>, ConfigError> {
        match self.text(name) {
            Some(text) if text.contains(UNRESOLVED) => {
                let error = self.error(name, format!("{name} cannot be resolved on this machine"));
                let expression = text.split_once(UNRESOLVED).map_or("", |(_, expression)| expression);
                Err(error.hint(self.resolver.remedy(expression).unwrap_or_else(|| {
                    format!("write the value of {name} into the template, or put it into a parameter")
                })))
            }
            text => Ok(text),
        }
    }

    pub fn number(&self, name: &str) -> Result<Option<u64>, ConfigError> {
        self.number_or(name, "it is as if it were not there")
    }

    /// A number; where it cannot be known, a warning says what is done `instead`.
    pub fn number_or(&self, name: &str, instead: &str) -> Result<Option<u64>, ConfigError> {
        let Some(node) = self.raw(name) else { return Ok(None) };
        let text = match self.resolver.attempt(node) {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(None),
            Err(expression) => {
                let remedy = self.resolver.remedy(&expression).map(|remedy| format!("; {remedy}"));
                let what = format!("{name} is `{expression}`, which has no value here: {instead}");
                self.resolver.warn(node.at, what + &remedy.unwrap_or_default());
                return Ok(None);
            }
        };
        match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.error(name, format!("{name} must be a whole number, not `{text}`"))),
        }
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        Some(matches!(self.text(name)?.to_ascii_lowercase().as_str(), "true" | "yes"))
    }

    /// A property that may be one text or a list of them.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let Some(node) = self.get(name) else { return Vec::new() };
        let items = node.as_list().unwrap_or(std::slice::from_ref(&node));
        items.iter().filter_map(|item| self.resolver.written(item)).collect()
    }

    pub fn warn(&self, what: impl Into<String>) {
        self.resolver.warn(self.node.at, what);
    }

    /// An error about the value of a property, or about all of them when there is none of that name.
    pub fn error(&self, name: &str, what: impl Into<String>) -> ConfigError {
        self.resolver.template.error(self.raw(name).unwrap_or(&self.node), what)
    }
}
