//! Intrinsic functions: a node of the template becomes the value that it stands for.
//!
//! What cannot be known on this machine becomes a visible placeholder and a warning. All work is counted
//! against one budget: a template that asks for more than a real one ever would is refused, not computed.

use super::node::{Key, Kind, Map, Node, shortened};
use super::template::Template;
use crate::config::error::ConfigError;
use crate::config::text::Position;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How every value begins that could not be resolved.
pub const UNRESOLVED: &str = "mlemu-unresolved-";
/// Nodes visited and blocks of text produced while one template is resolved; a large real one needs
/// a tenth of it.
const BUDGET: usize = 200_000;
const TEXT_BLOCK: usize = 64;
/// References that lead to references; a cycle ends here. Templates do not nest deeper than 64.
const MOST_STEPS: usize = 100;
const MOST_WARNINGS: usize = 50;

/// What a template can refer to without declaring it.
#[derive(Clone, Debug)]
pub struct World {
    pub account: String,
    pub region: String,
    /// Name of the stack. It begins the names that a template does not give.
    pub stack: String,
    /// Where queue addresses begin, e.g. `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// Values for the template's parameters, stronger than its defaults.
    pub parameters: BTreeMap<String, String>,
}

/// Resolves the nodes of one template.
pub struct Resolver<'a> {
    pub template: &'a Template,
    pub world: &'a World,
    left: Cell<usize>,
    steps: Cell<usize>,
    warnings: RefCell<BTreeSet<(usize, String)>>,
}

/// A use of an intrinsic function. The short form and the long one look alike from here on.
pub(super) struct Call<'n> {
    pub name: &'n str,
    pub argument: Cow<'n, Node>,
    pub at: Position,
}

impl<'n> Call<'n> {
    /// The call that a node is, if it is one: `!Sub x` or `{"Fn::Sub": x}`.
    pub fn of(node: &'n Node) -> Option<Self> {
        if let Some(tag) = &node.tag {
            return Some(Self { name: tag, argument: Cow::Owned(node.untagged()), at: node.at });
        }
        let (key, argument) = node.as_map()?.single()?;
        let name = match key.text.as_str() {
            "Ref" => "Ref",
            "Condition" if argument.as_text().is_some() => "Condition",
            name => name.strip_prefix("Fn::")?,
        };
        Some(Self { name, argument: Cow::Borrowed(argument), at: node.at })
    }

    /// How it is named in messages.
    fn expression(&self) -> String {
        let name = if self.name == "Ref" { "Ref".to_owned() } else { format!("Fn::{}", self.name) };
        let parts: Option<Vec<&str>> = self.parts().iter().map(|part| part.as_text()).collect();
        match (self.argument.as_text(), parts) {
            (Some(text), _) => format!("{name} {text}"),
            (None, Some(parts)) if self.name == "GetAtt" && !parts.is_empty() => {
                format!("{name} {}", parts.join("."))
            }
            _ => name,
        }
    }

    /// The parts of an argument that is a list.
    pub fn parts(&self) -> &[Arc<Node>] {
        self.argument.as_list().unwrap_or_default()
    }
}

impl<'a> Resolver<'a> {
    pub fn new(template: &'a Template, world: &'a World) -> Self {
        Self { template, world, left: Cell::new(BUDGET), steps: Cell::new(0), warnings: RefCell::default() }
    }

    /// The value of a node; `None`: `AWS::NoValue`, it shall be as if it were not there.
    pub fn resolve(&self, node: &Node) -> Option<Arc<Node>> {
        self.spend(node.breadth());
        let value = self.deeper(|| match Call::of(node) {
            Some(call) => self.apply(&call),
            None => Some(self.contents(node)),
        });
        value.unwrap_or_else(|| Some(self.unresolved(node.at, "a value that refers to itself")))
    }

    /// The value of a node as text.
    pub fn text(&self, node: &Node) -> Option<String> {
        self.resolve(node).and_then(|value| self.written(&value))
    }

    pub fn warn(&self, at: Position, what: impl Into<String>) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MOST_WARNINGS {
            warnings.insert((at.line, what.into()));
        }
    }

    /// The warnings so far, each with its line; an error when the template asked for too much.
    pub fn finish(self) -> Result<Vec<(usize, String)>, ConfigError> {
        if self.left.get() == 0 {
            let what = "resolving this template takes more work than any real template does";
            return Err(ConfigError::new(what).in_file(&self.template.text.path));
        }
        Ok(self.warnings.into_inner().into_iter().collect())
    }

    /// A value that cannot be known here.
    pub(super) fn unresolved(&self, at: Position, expression: &str) -> Arc<Node> {
        let expression = shortened(expression);
        if self.warnings.borrow().len() < MOST_WARNINGS {
            let remedy = self.remedy(&expression).map(|remedy| format!("; {remedy}")).unwrap_or_default();
            self.warn(at, format!("`{expression}` cannot be resolved on this machine{remedy}"));
        }
        Arc::new(Node::text(format!("{UNRESOLVED}{expression}"), at))
    }

    /// What can be done about an expression that has no value here, or why there is none.
    pub(super) fn remedy(&self, expression: &str) -> Option<String> {
        let is_name = |c: char| c.is_ascii_alphanumeric();
        let reference = expression.strip_prefix("Ref ");
        let said = reference.or_else(|| expression.strip_prefix("Fn::GetAtt ")).unwrap_or(expression);
        let end = said.find(|c: char| !is_name(c)).unwrap_or(said.len());
        let (name, rest) = said.split_at(end);
        if name.is_empty() || rest.starts_with(':') {
            return None;
        }
        let known = |section: &str| self.template.section(section).get(name).is_some();
        if reference.is_some() && known("Parameters") {
            return Some(format!("give it a Default, or a value with `--parameter {name}=...`"));
        }
        if let Some(kind) = self.template.resource(name).map(|resource| shortened(resource.kind)) {
            return Some(format!(
                "{name} is of {kind}, which has no such value here: give one in mlemu.toml, under \
                 [functions.NAME.env]"
            ));
        }
        let missing = !known("Resources");
        match reference {
            Some(_) => missing.then(|| format!("there is no parameter or resource {name} in this template")),
            None => (missing && rest.starts_with('.'))
                .then(|| format!("there is no resource {name} in this template")),
        }
    }

    /// A value as text; an error, instead of warnings, with the expression that cannot be known here.
    pub(super) fn attempt(&self, node: &Node) -> Result<Option<String>, String> {
        let before = self.warnings.borrow().clone();
        let text = self.text(node);
        match text.as_deref().and_then(|text| text.split_once(UNRESOLVED)) {
            Some((_, expression)) => {
                self.warnings.replace(before);
                Err(expression.to_owned())
            }
            None => Ok(text),
        }
    }

    /// Goes one reference deeper. `None`: too deep, or too much altogether.
    pub(super) fn deeper<T>(&self, go: impl FnOnce() -> T) -> Option<T> {
        if !self.spend(1) || self.steps.get() >= MOST_STEPS {
            return None;
        }
        self.steps.set(self.steps.get() + 1);
        let value = go();
        self.steps.set(self.steps.get() - 1);
        Some(value)
    }

    /// Takes `amount` from the budget; `false`: it is used up.
    pub(super) fn spend(&self, amount: usize) -> bool {
        self.left.set(self.left.get().saturating_sub(amount));
        self.left.get() > 0
    }

    pub(super) fn spend_text(&self, text: &str) -> bool {
        self.spend(text.len() / TEXT_BLOCK)
    }

    /// A node with everything in it resolved.
    fn contents(&self, node: &Node) -> Arc<Node> {
        let kind = match &node.kind {
            Kind::Null => Kind::Null,
            // Only the account has such values. What was resolved once already is not looked at again.
            Kind::Scalar { text, .. } if text.contains("{{resolve:") && !text.contains(UNRESOLVED) => {
                return self.unresolved(node.at, text);
            }
            Kind::Scalar { text, plain } => {
                self.spend_text(text);
                Kind::Scalar { text: text.clone(), plain: *plain }
            }
            Kind::List(items) => Kind::List(items.iter().filter_map(|item| self.resolve(item)).collect()),
            Kind::Map(map) => Kind::Map(self.map(map)),
        };
        Arc::new(Node::new(kind, node.at))
    }

    fn map(&self, map: &Map) -> Map {
        let mut resolved = Map::default();
        for (key, value) in map.iter() {
            if let Some(value) = self.resolve(value) {
                resolved.set(Key { text: key.text.clone(), at: key.at }, value);
            }
        }
        resolved
    }

    fn apply(&self, call: &Call<'_>) -> Option<Arc<Node>> {
        let value = match call.name {
            "If" => return self.choose(call),
            "Ref" if call.argument.as_text() == Some("AWS::NoValue") => return None,
            "Ref" => call.argument.as_text().map(|name| self.reference(name, call.at)),
            "GetAtt" => self.attribute(call),
            "FindInMap" => self.find_in_map(call),
            "Sub" => self.substitute(call),
            "Join" => self.join(call),
            "Select" => self.select(call),
            "Split" => self.split(call),
            "Base64" => self.base64(call),
            "ToJsonString" => self.json_string(call),
            "GetAZs" => Some(self.zones(call.at)),
            _ => None,
        };
        Some(value.unwrap_or_else(|| self.unresolved(call.at, &call.expression())))
    }
}
