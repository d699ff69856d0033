//! Conditions: what `Fn::If` chooses and which resources there are.

use super::intrinsics::{Call, Resolver};
use super::node::Node;
use super::template::Resource;
use crate::config::text::Position;
use std::sync::Arc;

impl Resolver<'_> {
    /// Whether a resource's condition lets it exist.
    pub fn exists(&self, resource: &Resource<'_>) -> bool {
        let condition = resource.node.get("Condition");
        condition.is_none_or(|name| name.as_text().is_none_or(|text| self.condition(text, name.at)))
    }

    pub(super) fn choose(&self, call: &Call<'_>) -> Option<Arc<Node>> {
        let [condition, then, otherwise] = call.parts() else {
            return Some(self.unresolved(call.at, "Fn::If"));
        };
        let holds = condition.as_text().is_some_and(|name| self.condition(name, condition.at));
        self.resolve(if holds { then } else { otherwise })
    }

    fn condition(&self, name: &str, at: Position) -> bool {
        let Some(condition) = self.template.section("Conditions").get(name) else {
            self.warn(at, format!("there is no condition `{name}`; it is taken as false"));
            return false;
        };
        self.deeper(|| self.holds(condition)).unwrap_or_else(|| {
            let what =
                format!("condition `{name}` refers to itself, by others perhaps; it is taken as false");
            self.warn(at, what);
            false
        })
    }

    fn holds(&self, node: &Node) -> bool {
        self.spend(node.breadth());
        let Some(call) = Call::of(node) else {
            return node.as_text().is_some_and(|text| text.eq_ignore_ascii_case("true"));
        };
        let inner = |part: &Arc<Node>| self.deeper(|| self.holds(part)).unwrap_or(false);
        match (call.name, call.parts()) {
            ("Equals", [left, right]) => self.text(left) == self.text(right),
            ("Not", [part]) => !inner(part),
            ("And", parts) => parts.iter().all(inner),
            ("Or", parts) => parts.iter().any(inner),
            ("Condition", _) => call.argument.as_text().is_some_and(|name| self.condition(name, call.at)),
            (name, _) => {
                self.warn(
                    node.at,
                    format!("a condition cannot use `{name}` like this; it is taken as false"),
                );
                false
            }
        }
    }
}
