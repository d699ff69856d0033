//! What a fixture says about itself: the TOML in its first comment.

use crate::error::FixtureError;
use crate::kind::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const OPEN: &str = "{{!--";
const CLOSE: &str = "--}}";

/// A parameter as the fixture declares it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParamSpec {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What it is when nobody says; `null` where the fixture finds something itself or leaves it out.
    pub default: Value,
    pub doc: String,
    /// The only values it may have; empty: any of its kind.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// There is no event without it.
    pub required: bool,
}

/// How a fixture takes another's payload.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wraps {
    /// The parameter that becomes the payload.
    pub into: String,
    /// It is an HTTP request: it has `method`, `query`, `headers` and `binary`.
    #[serde(default)]
    pub http: bool,
}

/// Two fixtures that make this one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Composed {
    pub payload: String,
    pub envelope: String,
}

/// How a payload travels in an HTTP request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HttpPlace {
    #[default]
    Body,
    /// Its fields are the query string of a GET.
    Query,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FrontMatter {
    pub title: String,
    pub provenance: String,
    pub batch: bool,
    pub http: HttpPlace,
    pub wraps: Option<Wraps>,
    pub compose: Option<Composed>,
    pub params: Vec<ParamSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    #[serde(default)]
    provenance: String,
    #[serde(default)]
    batch: bool,
    #[serde(default)]
    http: HttpPlace,
    wraps: Option<Wraps>,
    compose: Option<Composed>,
    #[serde(default)]
    params: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenParam {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    default: Value,
    #[serde(default)]
    doc: String,
    #[serde(default, rename = "enum")]
    choices: Vec<Value>,
    #[serde(default)]
    required: bool,
}

impl FrontMatter {
    /// Reads the first comment of a template. A template that doesn't begin with one declares nothing.
    ///
    /// # Errors
    /// [`FixtureError::FrontMatter`] with the line.
    pub(crate) fn read(fixture: &str, template: &str) -> Result<Self, FixtureError> {
        let Some((before, comment)) = first_comment(template) else {
            return Ok(Self { title: fixture.to_owned(), ..Self::default() });
        };
        let wrong =
            |line: usize, why: String| FixtureError::FrontMatter { fixture: fixture.into(), line, why };
        let written: Written = toml::from_str(comment).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start.min(comment.len()));
            wrong(
                before + newlines(&comment[..comment.floor_char_boundary(offset)]),
                error.message().to_owned(),
            )
        })?;
        let mut params = Vec::with_capacity(written.params.len());
        for (name, declared) in written.params {
            let line = before + line_of_table(comment, &name);
            params.push(param(&name, declared).map_err(|why| wrong(line, why))?);
        }
        Ok(Self {
            title: written.title,
            provenance: written.provenance,
            batch: written.batch,
            http: written.http,
            wraps: written.wraps,
            compose: written.compose,
            params,
        })
    }
}

fn param(name: &str, declared: Value) -> Result<ParamSpec, String> {
    let written: WrittenParam =
        serde_json::from_value(declared).map_err(|error| format!("parameter `{name}`: {error}"))?;
    let of_kind =
        |value: Value| written.kind.check(value).map_err(|why| format!("parameter `{name}`: {why}"));
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(format!("`{name}` is no name of a parameter: letters, digits, `-` and `_`"));
    }
    if crate::helpers::is_name(name) || name == "count" {
        return Err(format!("`{name}` has a meaning of its own in templates: choose another name"));
    }
    let choices = written.choices.into_iter().map(of_kind).collect::<Result<Vec<_>, _>>()?;
    let default = of_kind(written.default)?;
    if !default.is_null() && !choices.is_empty() && !choices.contains(&default) {
        return Err(format!("parameter `{name}`: the default is not among the choices"));
    }
    let (kind, doc, required) = (written.kind, written.doc, written.required);
    Ok(ParamSpec { name: name.into(), kind, default, doc, choices, required })
}

/// The line on which the comment's text begins, and the text.
fn first_comment(template: &str) -> Option<(usize, &str)> {
    let body = template.trim_start();
    let inside = body.strip_prefix(OPEN)?;
    let (comment, _) = inside.split_once(CLOSE)?;
    let before = template.len() - body.len();
    Some((1 + newlines(&template[..before]), comment))
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

/// How many lines into the comment `[params.NAME]` stands.
fn line_of_table(comment: &str, name: &str) -> usize {
    let header = format!("[params.{name}]");
    comment.lines().position(|line| line.trim() == header).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line_and_why(template: &str) -> (usize, String) {
        match FrontMatter::read("x", template) {
            Err(FixtureError::FrontMatter { line, why, .. }) => (line, why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn declared_order_and_values_are_kept() {
        let text = "{{!--\ntitle = \"T\"\n[params.z]\ntype = \"integer\"\ndefault = 3\n[params.a]\ntype = \"string\"\nenum = [\"p\", \"q\"]\n--}}\n{}";
        let front = FrontMatter::read("x", text).unwrap();
        assert_eq!(front.params.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>(), ["z", "a"]);
        assert_eq!(front.params[0].default, json!(3));
        assert_eq!(front.params[1].choices, [json!("p"), json!("q")]);
    }

    #[test]
    fn without_a_comment_nothing_is_declared() {
        let front = FrontMatter::read("mine", "{\"a\": 1}").unwrap();
        assert_eq!((front.title.as_str(), front.params.len()), ("mine", 0));
    }

    #[test]
    fn errors_name_their_line() {
        assert_eq!(line_and_why("{{!--\ntitle = \"T\"\nbatch = 7 7\n--}}").0, 3);
        let (line, why) = line_and_why("{{!--\ntitle = \"T\"\n[params.a]\ntype = \"strnig\"\n--}}");
        assert_eq!(line, 3);
        assert!(why.contains("strnig"), "{why}");
        let (_, why) =
            line_and_why("{{!--\ntitle = \"T\"\n[params.a]\ntype = \"integer\"\ndefault = \"x\"\n--}}");
        assert!(why.contains("whole number"), "{why}");
        let (_, why) = line_and_why("{{!--\ntitle = \"T\"\n[params.uuid]\ntype = \"string\"\n--}}");
        assert!(why.contains("another name"), "{why}");
        let (_, why) = line_and_why("{{!--\ntitle = \"T\"\nprams = 1\n--}}");
        assert!(why.contains("prams"), "{why}");
    }
}
