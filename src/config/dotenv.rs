//! Files of `NAME=value` lines.

use super::error::ConfigError;
use super::text::SourceText;
use mlemu_core::function::Environment;
use std::path::Path;

/// Reads such a file: blank lines and `#` comments are left out, `export` may stand before a name, a value in
/// double quotes knows `\n`, one in single quotes is itself. Values never refer to other variables.
pub fn read(path: &Path) -> Result<Environment, ConfigError> {
    let text = SourceText::read(path)?;
    let mut env = Environment::new();
    let mut offset = 0;
    for line in text.text.split_inclusive('\n') {
        let written = line.trim();
        if !written.is_empty() && !written.starts_with('#') {
            let Some((name, value)) = assignment(written) else {
                let span = offset..offset + line.trim_end().len();
                return Err(text.error_at(span, "this line is not `NAME=value`"));
            };
            env.insert(name.to_owned(), value);
        }
        offset += line.len();
    }
    Ok(env)
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let name = name.trim();
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    is_name.then(|| (name, unquoted(value.trim())))
}

fn unquoted(value: &str) -> String {
    let between = |quote: char| value.strip_prefix(quote)?.rsplit_once(quote).map(|(inside, _)| inside);
    if let Some(inside) = between('\'') {
        return inside.to_owned();
    }
    if let Some(inside) = between('"') {
        return inside.replace("\\n", "\n").replace("\\\"", "\"");
    }
    value.split_once(" #").map_or(value, |(value, _)| value).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_variables() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, "\u{feff}# x\r\nexport A=1 # one\r\nB=\"two\\nlines # kept\"\nC='$A'\nD=\n")
            .unwrap();
        let env = read(&file).unwrap();
        let expected = [("A", "1"), ("B", "two\nlines # kept"), ("C", "$A"), ("D", "")];
        assert_eq!(env, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        std::fs::write(&file, "A=1\nB 2\n").unwrap();
        let error = read(&file).unwrap_err();
        assert_eq!(error.at.map(|at| (at.line, at.column)), Some((2, 1)));
    }
}
