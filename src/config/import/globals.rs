//! `Globals`: what a template says once for all resources of a kind.

use super::intrinsics::Resolver;
use super::node::{Kind, Map, Node};
use super::template::Resource;
use std::sync::Arc;

/// The properties of a resource, with the template's globals for its kind under them; not resolved yet.
pub fn properties(resolver: &Resolver<'_>, resource: &Resource<'_>) -> Arc<Node> {
    let own = resource.node.get("Properties").filter(|node| node.as_map().is_some()).cloned();
    let own = own.unwrap_or_else(|| Arc::new(Node::new(Kind::Map(Map::default()), resource.key.at)));
    match section(resource.kind).and_then(|section| global(resolver, section)) {
        Some(global) if resolver.spend(global.weight()) => merge(global, &own),
        _ => own,
    }
}

/// What the template says for all resources of a section, e.g. `HttpApi`.
pub fn global<'a>(resolver: &Resolver<'a>, section: &str) -> Option<&'a Arc<Node>> {
    resolver.template.section("Globals").get(section)
}

fn section(kind: &str) -> Option<&'static str> {
    match kind {
        "AWS::Serverless::Function" => Some("Function"),
        "AWS::Serverless::Api" => Some("Api"),
        "AWS::Serverless::HttpApi" => Some("HttpApi"),
        _ => None,
    }
}

/// Maps are merged entry by entry, lists are joined, anything else of the resource's own is stronger.
fn merge(global: &Arc<Node>, own: &Arc<Node>) -> Arc<Node> {
    if is_call(global) || is_call(own) {
        return own.clone();
    }
    let kind = match (&global.kind, &own.kind) {
        (Kind::Map(global), Kind::Map(own)) => {
            let mut merged = global.clone();
            for (key, value) in own.iter() {
                let value =
                    global.get(&key.text).map_or_else(|| value.clone(), |global| merge(global, value));
                merged.set(key.clone(), value);
            }
            Kind::Map(merged)
        }
        (Kind::List(global), Kind::List(own)) => Kind::List(global.iter().chain(own).cloned().collect()),
        _ => return own.clone(),
    };
    Arc::new(Node::new(kind, own.at))
}

/// An intrinsic function is one value, whatever it is written as.
fn is_call(node: &Node) -> bool {
    let is_name = |name: &str| name == "Ref" || name.starts_with("Fn::");
    node.tag.is_some() || node.as_map().and_then(Map::single).is_some_and(|(key, _)| is_name(&key.text))
}
