//! Paths with holes: `/pets/{id}`, `/files/{proxy+}`, `$default`.

use percent_encoding::percent_decode_str;

/// The route that takes whatever no other takes.
const DEFAULT: &str = "$default";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub text: String,
    /// `None`: fits every path.
    segments: Option<Vec<Segment>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Fixed(String),
    /// One part of the path.
    Named(String),
    /// All that is left of the path, and at least one part.
    Greedy(String),
}

impl Template {
    pub fn read(text: &str) -> Self {
        if text == DEFAULT {
            return Self { text: text.to_owned(), segments: None };
        }
        let text = format!("/{}", text.trim_matches('/'));
        let segments =
            parts(&text).map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => match name.strip_suffix('+') {
                    Some(name) => Segment::Greedy(name.to_owned()),
                    None => Segment::Named(name.to_owned()),
                },
                None => Segment::Fixed(part.to_owned()),
            });
        Self { segments: Some(segments.collect()), text }
    }

    /// What fills the holes, decoded; `None`: the path has another form.
    pub fn fit(&self, path: &str) -> Option<Vec<(String, String)>> {
        let Some(segments) = &self.segments else { return Some(Vec::new()) };
        let mut rest = path.trim_start_matches('/').trim_end_matches('/');
        let mut found = Vec::new();
        let mut left = segments.len();
        for segment in segments {
            if rest.is_empty() {
                return None;
            }
            left -= 1;
            let (part, after) = match segment {
                Segment::Greedy(_) if left == 0 => (rest, ""),
                _ => rest.split_once('/').unwrap_or((rest, "")),
            };
            let decoded = percent_decode_str(part).decode_utf8_lossy().into_owned();
            match segment {
                Segment::Fixed(want) if *want == decoded => {}
                Segment::Fixed(_) => return None,
                Segment::Named(name) | Segment::Greedy(name) => found.push((name.clone(), decoded)),
            }
            rest = after;
        }
        rest.is_empty().then_some(found)
    }

    /// The smaller, the more specific: fixed parts before named, named before greedy, part by part.
    pub fn rank(&self) -> Vec<u8> {
        let Some(segments) = &self.segments else { return vec![u8::MAX] };
        let rank = |segment: &Segment| match segment {
            Segment::Fixed(_) => 0,
            Segment::Named(_) => 1,
            Segment::Greedy(_) => 2,
        };
        segments.iter().map(rank).collect()
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(template: &str, path: &str) -> Option<Vec<(String, String)>> {
        Template::read(template).fit(path)
    }

    fn hole(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn fixed_named_and_greedy() {
        assert_eq!(fit("/which_flower", "/which_flower"), Some(vec![]));
        assert_eq!(fit("/which_flower", "/which_flower/"), Some(vec![]));
        assert_eq!(fit("/which_flower", "/which"), None);
        assert_eq!(fit("/", "/"), Some(vec![]));
        assert_eq!(fit("/", "/a"), None);
        assert_eq!(fit("/pets/{id}", "/pets/a%20b%2Fc"), Some(vec![hole("id", "a b/c")]));
        assert_eq!(fit("/pets/{id}", "/pets"), None);
        assert_eq!(fit("/pets/{id}", "/pets/1/2"), None);
        assert_eq!(fit("/{proxy+}", "/a/b/c"), Some(vec![hole("proxy", "a/b/c")]));
        assert_eq!(fit("/{proxy+}", "/"), None);
        assert_eq!(fit("/{a}/x/{rest+}", "/1/x/2/3"), Some(vec![hole("a", "1"), hole("rest", "2/3")]));
        assert_eq!(fit("$default", "/anything/at/all"), Some(vec![]));
    }

    #[test]
    fn the_more_specific_comes_first() {
        let mut templates = ["$default", "/{proxy+}", "/a/{x}", "/{x}/b", "/a/b"].map(Template::read);
        templates.sort_by_key(Template::rank);
        let texts: Vec<_> = templates.iter().map(|template| template.text.as_str()).collect();
        assert_eq!(texts, ["/a/b", "/a/{x}", "/{x}/b", "/{proxy+}", "$default"]);
    }
}
