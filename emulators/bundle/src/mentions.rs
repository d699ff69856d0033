//! Which modules a source mentions: a textual look, good enough to know whether to install a package that
//! the vendor's image has anyway.

use crate::inputs::Inputs;
use std::collections::BTreeSet;
use std::path::Path;

/// How much of a source is looked at. A function's own code is far smaller.
const MOST_FILES: usize = 400;
const DEEPEST: usize = 6;
/// A folder of pictures is not searched to its end at every edit.
const MOST_ENTRIES: usize = 4000;

/// Folders that hold no code of the developer's own.
const FOREIGN: [&str; 6] = ["node_modules", "venv", "env", "__pycache__", "site-packages", "dist-packages"];

/// The texts of the source files with one of these endings.
fn sources(folder: &Path, endings: &[&str], inputs: &mut Inputs) -> Vec<String> {
    let mut texts = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    let mut left = MOST_ENTRIES;
    while let Some((folder, depth)) = open.pop() {
        let entries = inputs.list(&folder, left);
        left -= entries.len();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && depth < DEEPEST && !name.starts_with('.') && !FOREIGN.contains(&&*name) {
                open.push((entry.path(), depth + 1));
            }
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            if kind.is_file() && endings.contains(&ending) && texts.len() < MOST_FILES {
                texts.extend(inputs.read(&entry.path()).ok().flatten());
            }
        }
    }
    texts
}

/// Those of `modules` that the Python files of a folder import.
pub(crate) fn in_python(folder: &Path, modules: &[&str], inputs: &mut Inputs) -> BTreeSet<String> {
    let texts = sources(folder, &["py"], inputs);
    let imported = |module: &&&str| texts.iter().any(|text| imports(text, module));
    modules.iter().filter(imported).map(|module| (*module).to_owned()).collect()
}

fn imports(text: &str, module: &str) -> bool {
    text.lines().map(str::trim_start).any(|line| match line.split_once(char::is_whitespace) {
        Some(("import", names)) => names.split(',').any(|name| is_or_below(name.trim_start(), module)),
        Some(("from", name)) => is_or_below(name.trim_start(), module),
        _ => false,
    })
}

/// `boto3.session as s` is below `boto3`, `boto3x` is not.
fn is_or_below(name: &str, module: &str) -> bool {
    let rest = name.strip_prefix(module);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The packages whose names begin with one of `prefixes` and that a folder's JavaScript imports.
pub(crate) fn in_javascript(folder: &Path, prefixes: &[&str], inputs: &mut Inputs) -> BTreeSet<String> {
    let texts = sources(folder, &["js", "mjs", "cjs", "ts", "mts", "cts"], inputs);
    let mut found = BTreeSet::new();
    for text in &texts {
        for prefix in prefixes {
            for (at, _) in text.match_indices(prefix) {
                found.extend(package_at(text, at));
            }
        }
    }
    found
}

/// The package of the quoted module name that begins at `at`: `@scope/name` of `@scope/name/lib/file.js`.
fn package_at(text: &str, at: usize) -> Option<String> {
    let quote = text[..at].chars().next_back().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let (name, _) = text[at..].split_once(quote)?;
    let parts = if name.starts_with('@') { 2 } else { 1 };
    let name: Vec<&str> = name.split('/').take(parts).collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let whole = name.len() == parts && name.iter().all(|part| !part.is_empty() && part.chars().all(plain));
    whole.then(|| name.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn python_imports_of_every_form() {
        for text in
            ["import boto3", "  import json, boto3", "from boto3.session import Session", "import boto3 as b"]
        {
            assert!(imports(text, "boto3"), "{text}");
        }
        for text in ["import boto3x", "# import boto3", "x = 'boto3'", "from my.boto3 import y", "import"] {
            assert!(!imports(text, "boto3"), "{text}");
        }
    }

    #[test]
    fn javascript_imports_of_every_form() {
        let folder = tempfile::tempdir().unwrap();
        let code = "import { S3Client } from '@aws-sdk/client-s3';\n\
                    const x = require(\"@smithy/core/lib/x.js\");\n\
                    await import(`@aws-sdk/lib-storage`);\n\
                    // @aws-sdk/not-quoted and '@aws-sdk/' and '@aws-sdk/${name}'";
        fs::write(folder.path().join("index.mjs"), code).unwrap();
        let found = in_javascript(folder.path(), &["@aws-sdk/", "@smithy/"], &mut Inputs::default());
        let found: Vec<_> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["@aws-sdk/client-s3", "@aws-sdk/lib-storage", "@smithy/core"]);
    }

    #[test]
    fn only_the_developers_own_files_count() {
        let folder = tempfile::tempdir().unwrap();
        for place in ["venv/lib", ".hidden", "node_modules/x", "src/deep"] {
            fs::create_dir_all(folder.path().join(place)).unwrap();
            fs::write(folder.path().join(place).join("m.py"), format!("import in_{}", &place[..3])).unwrap();
        }
        let modules = ["in_ven", "in_.hi", "in_nod", "in_src"];
        let found = in_python(folder.path(), &modules, &mut Inputs::default());
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["in_src"]);
    }
}
