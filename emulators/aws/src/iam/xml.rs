//! Writing the plain XML that these two services speak.

use std::borrow::Cow;

/// An element around XML.
pub fn element(name: &str, inside: &str) -> String {
    format!("<{name}>{inside}</{name}>")
}

/// An element around text. Characters that no XML document may hold are left out.
pub fn text(name: &str, value: &str) -> String {
    let allowed = |letter: char| !letter.is_control() || matches!(letter, '\t' | '\n' | '\r');
    let value: Cow<'_, str> = if value.chars().all(allowed) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(value.chars().filter(|letter| allowed(*letter)).collect())
    };
    element(name, &quick_xml::escape::escape(value))
}

/// A list: each item in a `member` element.
pub fn members(name: &str, items: impl Iterator<Item = String>) -> String {
    element(name, &items.map(|item| element("member", &item)).collect::<String>())
}

pub fn document(name: &str, space: &str, inside: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{name} xmlns=\"{space}\">{inside}</{name}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_its_element() {
        assert_eq!(text("a", "</a>&\"\u{0}\u{1b}x"), "<a>&lt;/a&gt;&amp;&quot;x</a>");
        assert_eq!(members("l", ["<x/>".to_owned()].into_iter()), "<l><member><x/></member></l>");
    }
}
