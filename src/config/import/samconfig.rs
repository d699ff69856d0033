//! `samconfig.toml`: the parts of it that say how to run a template locally.

use crate::config::error::ConfigError;
use crate::config::text::SourceText;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Value;

/// Commands whose settings count, weakest first.
const COMMANDS: [&str; 5] = ["global", "build", "local_start_api", "local_start_lambda", "local_invoke"];

#[derive(Debug, Default, PartialEq, Eq)]
pub struct SamConfig {
    pub template: Option<PathBuf>,
    pub parameters: BTreeMap<String, String>,
}

/// Reads the file of a folder. `None`: there is none.
pub fn read(path: &Path) -> Result<Option<SamConfig>, ConfigError> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = SourceText::read(path)?;
    let table: toml::Table = toml::from_str(&text.text)
        .map_err(|fault| text.error_at(fault.span().unwrap_or_default(), fault.message()))?;
    let mut config = SamConfig::default();
    let default = table.get("default");
    for command in COMMANDS {
        let parameters = default.and_then(|section| section.get(command)?.get("parameters"));
        let Some(parameters) = parameters.and_then(Value::as_table) else { continue };
        if let Some(template) =
            ["template_file", "template"].iter().find_map(|key| parameters.get(*key)?.as_str())
        {
            config.template = Some(template.into());
        }
        if let Some(overrides) = parameters.get("parameter_overrides") {
            config.parameters.extend(values(overrides));
        }
    }
    Ok(Some(config))
}

/// `A=1 B="two words"`, a list of such texts, or a table.
fn values(overrides: &Value) -> BTreeMap<String, String> {
    match overrides {
        Value::String(text) => assignments(text),
        Value::Array(items) => items.iter().flat_map(values).collect(),
        Value::Table(table) => {
            let texts =
                table.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            texts.collect()
        }
        _ => BTreeMap::new(),
    }
}

/// Reads `NAME=VALUE` and `ParameterKey=NAME,ParameterValue=VALUE`, parted by blanks; quotes keep a value whole.
pub fn assignments(text: &str) -> BTreeMap<String, String> {
    let words = words(text).into_iter();
    let pairs = words.filter_map(|word| {
        let (name, value) = match word.strip_prefix("ParameterKey=") {
            Some(rest) => rest.split_once(",ParameterValue=")?,
            None => word.split_once('=')?,
        };
        Some((name.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => word.extend(chars.next()),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (c, None) if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_read_in_all_their_forms() {
        let read = assignments(r#"A=1 B="two words" ParameterKey=C,ParameterValue=x=y D='q"' lonely"#);
        let expected = [("A", "1"), ("B", "two words"), ("C", "x=y"), ("D", "q\"")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }
}
