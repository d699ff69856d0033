//! XML as a tree, for documents that are checked, kept, and given back as they came.

use super::encode::DECLARATION;
use super::fault::{Code, Fault};
use quick_xml::escape::escape;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use std::fmt::{self, Write as _};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// No document of S3 is nested deeper.
const DEEPEST: u8 = 16;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub name: String,
    /// Without prefixes and namespaces; they are read and never written.
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Element>,
    pub text: String,
}

impl Element {
    /// A document whose outermost element is `root`.
    pub fn parse(root: &str, body: &[u8]) -> Result<Self, Fault> {
        let text = super::decode::checked_text(root, body)?;
        let mut reader = quick_xml::de::Deserializer::from_str(text);
        let seed = Named { name: root.to_owned(), left: DEEPEST };
        seed.deserialize(&mut reader).map_err(|error| {
            tracing::debug!("a document that is none: {error}");
            Code::MalformedXML.into()
        })
    }

    /// An element with nothing but text in it.
    pub fn leaf(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), ..Self::default() }
    }

    /// An element with others in it.
    pub fn branch(name: &str, children: Vec<Element>) -> Self {
        Self { name: name.into(), children, ..Self::default() }
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of a child.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The whole document.
    pub fn document(&self) -> String {
        let mut text = String::from(DECLARATION);
        self.write(&mut text, Some(NAMESPACE));
        text
    }

    fn write(&self, text: &mut String, namespace: Option<&str>) {
        let name = &self.name;
        let _ = write!(text, "<{name}");
        if let Some(namespace) = namespace {
            let _ = write!(text, " xmlns=\"{namespace}\"");
        }
        text.push('>');
        text.push_str(&escape(self.text.as_str()));
        self.children.iter().for_each(|child| child.write(text, None));
        let _ = write!(text, "</{name}>");
    }
}

/// Reads an element of this name.
struct Named {
    name: String,
    /// How many levels may follow.
    left: u8,
}

impl<'de> DeserializeSeed<'de> for Named {
    type Value = Element;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Element, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Named {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Element, A::Error> {
        let left = self.left.checked_sub(1).ok_or_else(|| A::Error::custom("nested too deep"))?;
        let mut element = Element { name: self.name, ..Element::default() };
        while let Some(key) = map.next_key::<String>()? {
            if let Some(name) = key.strip_prefix('@') {
                let value: String = map.next_value()?;
                if !name.starts_with("xmlns") {
                    element.attributes.push((name.to_owned(), value));
                }
            } else if key == "$text" {
                element.text = map.next_value()?;
            } else {
                element.children.push(map.next_value_seed(Named { name: key, left })?);
            }
        }
        Ok(element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_as_it_was() {
        let text =
            "<A xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><B>1 &amp; 2</B><C><D></D></C><B>x</B></A>";
        let tree = Element::parse("A", text.as_bytes()).unwrap();
        assert_eq!(tree.all("B").map(|b| b.text.as_str()).collect::<Vec<_>>(), ["1 & 2", "x"]);
        assert_eq!(tree.document(), format!("{DECLARATION}{text}"));
        let attributed = "<A><G xmlns:xsi=\"u\" xsi:type=\"T\"><I>i</I></G></A>";
        let tree = Element::parse("A", attributed.as_bytes()).unwrap();
        assert_eq!(tree.children[0].attributes, [("type".to_owned(), "T".to_owned())]);
    }

    #[test]
    fn hostile_documents_are_malformed() {
        let deep = format!("<A>{}", "<a>".repeat(50_000));
        let closed = format!("<A>{}{}</A>", "<a>".repeat(40), "</a>".repeat(40));
        for text in ["", "<B/>", "<A>", "<A><B></A>", "<!DOCTYPE A []><A/>", "<A>&x;</A>", &deep, &closed] {
            assert_eq!(
                Element::parse("A", text.as_bytes()).unwrap_err().code,
                Code::MalformedXML,
                "{text:.20}"
            );
        }
    }
}
