//! Shapes of documents: which elements may stand where, how often, and what may be in them.
//!
//! S3 refuses whatever "did not validate against our published schema"; these are the parts of that schema that
//! stored documents are checked by.

use super::fault::{Code, Fault};
use super::tree::Element;

#[derive(Clone, Copy)]
pub(super) enum Times {
    Once,
    Maybe,
    Any,
    Some,
}

#[derive(Clone, Copy)]
pub(super) enum Content {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    Number,
    /// Any elements.
    Free,
    Elements(&'static [Child]),
}

#[derive(Clone, Copy)]
pub(super) struct Child {
    name: &'static str,
    times: Times,
    content: Content,
}

pub(super) const fn once(name: &'static str, content: Content) -> Child {
    Child { name, times: Times::Once, content }
}

pub(super) const fn maybe(name: &'static str, content: Content) -> Child {
    Child { name, times: Times::Maybe, content }
}

pub(super) const fn any(name: &'static str, content: Content) -> Child {
    Child { name, times: Times::Any, content }
}

pub(super) const fn some(name: &'static str, content: Content) -> Child {
    Child { name, times: Times::Some, content }
}

/// Refuses an element that holds anything else.
pub(super) fn check(element: &Element, shape: &[Child]) -> Result<(), Fault> {
    if fits(element, shape) { Ok(()) } else { Err(Code::MalformedXML.into()) }
}

fn fits(element: &Element, shape: &[Child]) -> bool {
    let is_known = |found: &Element| shape.iter().any(|child| child.name == found.name);
    let is_there = |child: &Child| {
        let count = element.all(child.name).count();
        match child.times {
            Times::Once => count == 1,
            Times::Maybe => count <= 1,
            Times::Any => true,
            Times::Some => count > 0,
        }
    };
    let is_good = |found: &Element| {
        shape.iter().filter(|child| child.name == found.name).all(|child| holds(found, child.content))
    };
    element.children.iter().all(|found| is_known(found) && is_good(found)) && shape.iter().all(is_there)
}

fn holds(element: &Element, content: Content) -> bool {
    match content {
        Content::Text => element.children.is_empty(),
        Content::Word(words) => words.contains(&element.text.as_str()),
        Content::Number => element.text.trim().parse::<i64>().is_ok(),
        Content::Free => true,
        Content::Elements(shape) => fits(element, shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: &[Child] = &[
        once("Id", Content::Text),
        maybe("Days", Content::Number),
        some("Mode", Content::Word(&["ON", "OFF"])),
        any("More", Content::Elements(&[once("X", Content::Text)])),
    ];

    #[test]
    fn what_fits_and_what_does_not() {
        let verdict = |inside: &str| {
            let text = format!("<A>{inside}</A>");
            check(&Element::parse("A", text.as_bytes()).unwrap(), SHAPE).is_ok()
        };
        for good in [
            "<Id>1</Id><Mode>ON</Mode>",
            "<Mode>ON</Mode><Id/><Mode>OFF</Mode><Days>7</Days><More><X>1</X></More><More><X/></More>",
        ] {
            assert!(verdict(good), "{good}");
        }
        for wrong in [
            "",
            "<Id>1</Id>",
            "<Id>1</Id><Id>2</Id><Mode>ON</Mode>",
            "<Id>1</Id><Mode>on</Mode>",
            "<Id>1</Id><Mode>ON</Mode><Days>x</Days>",
            "<Id>1</Id><Mode>ON</Mode><More/>",
            "<Id>1</Id><Mode>ON</Mode><Other/>",
            "<Id><b/></Id><Mode>ON</Mode>",
        ] {
            assert!(!verdict(wrong), "{wrong}");
        }
    }
}
