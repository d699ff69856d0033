//! A parameter as somebody typed it: `k=v`, `k=@file` or `k:=json`.

use crate::error::FixtureError;
use serde_json::Value;
use std::path::PathBuf;
use std::str::FromStr;

/// What stands after the name.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// `k=v`: read as the declared kind wants it.
    Text(String),
    /// `k=@path`: the content of a file, wherever it is; for a parameter of kind `file` the file itself.
    File(PathBuf),
    /// `k:=json`: taken as it is.
    Json(Value),
}

/// A name, perhaps with a dotted way into a map (`query.url`), and a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub name: String,
    pub given: Given,
}

impl Param {
    pub fn text(name: &str, value: &str) -> Self {
        Self { name: name.into(), given: Given::Text(value.into()) }
    }

    pub fn json(name: &str, value: Value) -> Self {
        Self { name: name.into(), given: Given::Json(value) }
    }

    /// The name up to its first dot, which is what a fixture declares.
    pub(crate) fn root(&self) -> &str {
        self.name.split_once('.').map_or(self.name.as_str(), |(root, _)| root)
    }

    /// What stands after the first dot.
    pub(crate) fn inner(&self) -> Option<&str> {
        self.name.split_once('.').map(|(_, inner)| inner)
    }
}

impl FromStr for Param {
    type Err = FixtureError;

    fn from_str(text: &str) -> Result<Self, FixtureError> {
        let wrong = |why: String| FixtureError::ParamSyntax { text: excerpt(text), why };
        let (name, value) = text.split_once('=').ok_or_else(|| wrong("there is no `=`".into()))?;
        let (name, is_json) = match name.strip_suffix(':') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if name.trim().is_empty() || name.split('.').next().is_none_or(str::is_empty) {
            return Err(wrong("there is no name before the `=`".into()));
        }
        let given = if is_json {
            Given::Json(
                serde_json::from_str(value).map_err(|e| wrong(format!("after `:=` stands JSON: {e}")))?,
            )
        } else if let Some(path) = value.strip_prefix('@') {
            Given::File(path.into())
        } else {
            Given::Text(value.into())
        };
        Ok(Self { name: name.into(), given })
    }
}

/// The beginning of a text, short enough for a message.
pub(crate) fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn three_forms() {
        assert_eq!("key=a=b".parse::<Param>().unwrap(), Param::text("key", "a=b"));
        assert_eq!("row:=[1, 2]".parse::<Param>().unwrap(), Param::json("row", json!([1, 2])));
        let file = Param { name: "body".into(), given: Given::File("in/x.json".into()) };
        assert_eq!("body=@in/x.json".parse::<Param>().unwrap(), file);
        assert_eq!("body=".parse::<Param>().unwrap(), Param::text("body", ""));
    }

    #[test]
    fn a_json_looking_text_stays_text() {
        assert_eq!(r#"body={"x":1}"#.parse::<Param>().unwrap(), Param::text("body", r#"{"x":1}"#));
    }

    #[test]
    fn what_is_no_parameter_says_why() {
        for (text, why) in [("key", "no `=`"), ("=v", "no name"), (".x=v", "no name"), ("a:={", "JSON")] {
            let error = text.parse::<Param>().unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn a_deep_json_value_is_refused_and_not_a_crash() {
        let deep = format!("x:={}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(deep.parse::<Param>().is_err());
    }
}
