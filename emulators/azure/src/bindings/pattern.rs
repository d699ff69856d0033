//! Paths of blobs as triggers name them: a container, and a name with parts in braces that are captured.
//!
//! Source: Azure Functions documentation, "Blob name patterns".

use std::collections::{BTreeMap, HashSet};

/// Read from `container/{name}.{ext}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub container: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Capture(String),
}

impl Pattern {
    /// `Err` says what is wrong with it.
    pub fn read(path: &str) -> Result<Self, String> {
        let path = path.trim_start_matches('/');
        let (container, name) = path.split_once('/').unwrap_or((path, "{name}"));
        if container.is_empty() || container.contains(['{', '}']) {
            return Err(format!("`{path}` names no container: write container/{{name}}"));
        }
        Ok(Self { container: container.to_owned(), pieces: pieces(name, path)? })
    }

    /// What a blob's name captures; `None`: it does not fit.
    pub fn captures(&self, name: &str) -> Option<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        fits(&self.pieces, 0, name, 0, &mut HashSet::new(), &mut found).then_some(found)
    }
}

fn pieces(name: &str, path: &str) -> Result<Vec<Piece>, String> {
    let broken = || format!("`{path}` has a brace without its other");
    let (mut rest, mut found, mut text) = (name, Vec::new(), String::new());
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            text.push(first);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let (capture, after) = after.split_once('}').ok_or_else(broken)?;
            if matches!(found.last(), Some(Piece::Capture(_))) && text.is_empty() {
                return Err(format!("`{path}` has two captures with nothing between them"));
            }
            if !text.is_empty() {
                found.push(Piece::Text(std::mem::take(&mut text)));
            }
            found.push(Piece::Capture(capture.to_owned()));
            rest = after;
        } else if first == '}' {
            return Err(broken());
        } else {
            text.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    if !text.is_empty() {
        found.push(Piece::Text(text));
    }
    Ok(found)
}

/// Each capture takes as much as the rest lets it. `failed`: where it was tried already in vain.
fn fits(
    pieces: &[Piece],
    at: usize,
    name: &str,
    from: usize,
    failed: &mut HashSet<(usize, usize)>,
    found: &mut BTreeMap<String, String>,
) -> bool {
    let rest = &name[from..];
    let Some(piece) = pieces.get(at) else { return rest.is_empty() };
    if failed.contains(&(at, from)) {
        return false;
    }
    let fit = match piece {
        Piece::Text(text) => {
            rest.starts_with(text.as_str()) && fits(pieces, at + 1, name, from + text.len(), failed, found)
        }
        Piece::Capture(capture) => {
            let ends: Vec<usize> =
                rest.char_indices().map(|(end, _)| end).skip(1).chain([rest.len()]).collect();
            let ends = ends.into_iter().rev().filter(|end| *end > 0);
            let end = ends.into_iter().find(|end| fits(pieces, at + 1, name, from + end, failed, found));
            if let Some(end) = end {
                found.insert(capture.clone(), rest[..end].to_owned());
            }
            end.is_some()
        }
    };
    if !fit {
        failed.insert((at, from));
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(path: &str, name: &str) -> Option<String> {
        let found = Pattern::read(path).unwrap().captures(name)?;
        Some(found.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(captured("in/{name}", "a/b.txt").as_deref(), Some("name=a/b.txt"));
        assert_eq!(captured("in/{name}.{ext}", "a.b.txt").as_deref(), Some("ext=txt name=a.b"));
        assert_eq!(
            captured("in/{date}/{name}.jpg", "2026/x/rose.jpg").as_deref(),
            Some("date=2026/x name=rose")
        );
        assert_eq!(captured("in/original-{name}", "original-1").as_deref(), Some("name=1"));
        assert_eq!(captured("in/original-{name}", "Original-1"), None);
        assert_eq!(captured("in/{name}.jpg", "a.jpeg"), None);
        assert_eq!(captured("in/{name}.jpg", ".jpg"), None);
        assert_eq!(captured("in/{{20140101}}-{name}", "{20140101}-ü").as_deref(), Some("name=ü"));
        assert_eq!(captured("in/fixed.txt", "fixed.txt").as_deref(), Some(""));
        assert_eq!(captured("in", "any/thing").as_deref(), Some("name=any/thing"));
    }

    #[test]
    fn what_is_no_path_says_why() {
        for bad in ["", "/", "{c}/{name}", "in/{name", "in/name}", "in/{a}{b}"] {
            assert!(Pattern::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn long_names_are_soon_refused() {
        let long = "a-".repeat(512);
        assert_eq!(captured("in/{a}-{b}-{c}-{d}-{e}!", &long), None);
    }
}
