//! Routes with parameters and constraints: `flowers/{kind:alpha}/{id:int?}`, `{*rest}`.
//!
//! Source: ASP.NET Core documentation, "Routing in ASP.NET Core" (route templates, constraints, precedence).

use percent_encoding::percent_decode_str;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A route that requests are held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Compared without regard to case.
    Literal(String),
    One(Parameter),
    /// The rest of the path, slashes and all.
    Rest(Parameter),
    /// Text around parameters, e.g. `{name}.{ending}`.
    Mixed(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Parameter(Parameter),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameter {
    name: String,
    constraints: Vec<Constraint>,
    optional: bool,
    default: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Constraint {
    Int,
    Long,
    Bool,
    Guid,
    Alpha,
    Number,
    DateTime,
    Length(usize, usize),
    Range(i64, i64),
    /// One that mlemu does not know lets everything in.
    Other,
}

impl Route {
    /// A template as it is written, without the prefix of all routes.
    pub fn read(template: &str) -> Self {
        let parts = split(template.trim_matches('/'));
        Self { segments: parts.iter().map(|part| Segment::read(part)).collect() }
    }

    /// What a path's parameters are; `None`: it is not for this route. `path` begins behind the slash.
    pub fn captures(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let parts: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
        let mut found = BTreeMap::new();
        for (at, segment) in self.segments.iter().enumerate() {
            if let Segment::Rest(parameter) = segment {
                let rest = parts.get(at..).unwrap_or_default().join("/");
                return parameter.take((!rest.is_empty()).then_some(rest), &mut found).then_some(found);
            }
            let part = parts.get(at).map(|part| decoded(part));
            if !segment.take(part, &mut found) {
                return None;
            }
        }
        (parts.len() <= self.segments.len()).then_some(found)
    }

    /// More particular routes come first.
    pub fn precedence(&self) -> Reverse<Vec<u8>> {
        Reverse(self.segments.iter().map(Segment::weight).collect())
    }
}

/// At slashes outside of braces.
fn split(template: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0_usize);
    for c in template.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

impl Segment {
    fn read(part: &str) -> Self {
        let pieces = pieces(part);
        match pieces.as_slice() {
            [Piece::Text(text)] => Segment::Literal(text.clone()),
            [Piece::Parameter(parameter)] if parameter.name.starts_with('*') => {
                let name = parameter.name.trim_start_matches('*').to_owned();
                Segment::Rest(Parameter { name, optional: true, ..parameter.clone() })
            }
            [Piece::Parameter(parameter)] => Segment::One(parameter.clone()),
            _ => Segment::Mixed(pieces),
        }
    }

    fn take(&self, part: Option<String>, found: &mut BTreeMap<String, String>) -> bool {
        match (self, part) {
            (Segment::Literal(text), Some(part)) => text.eq_ignore_ascii_case(&part),
            (Segment::One(parameter) | Segment::Rest(parameter), part) => parameter.take(part, found),
            (Segment::Mixed(pieces), Some(part)) => mixed(pieces, &part, found),
            (Segment::Literal(_) | Segment::Mixed(_), None) => false,
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Segment::Literal(_) => 5,
            Segment::Mixed(_) => 4,
            Segment::One(parameter) if !parameter.constraints.is_empty() => 3,
            Segment::One(_) => 2,
            Segment::Rest(_) => 1,
        }
    }
}

/// A parameter takes as little as the text behind it allows.
fn mixed(pieces: &[Piece], part: &str, found: &mut BTreeMap<String, String>) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return part.is_empty() };
    match first {
        Piece::Text(text) => part.strip_prefix(text.as_str()).is_some_and(|left| mixed(rest, left, found)),
        Piece::Parameter(parameter) => {
            let ends = part.char_indices().skip(1).map(|(at, _)| at).chain([part.len()]);
            ends.filter(|end| *end > 0).any(|end| {
                let mut tried = found.clone();
                let fits = parameter.take(Some(part[..end].to_owned()), &mut tried)
                    && mixed(rest, &part[end..], &mut tried);
                if fits {
                    *found = tried;
                }
                fits
            })
        }
    }
}

fn pieces(part: &str) -> Vec<Piece> {
    let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), part);
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(more) = rest.strip_prefix('{') {
            text.push('{');
            rest = more;
            continue;
        }
        // Braces inside stand in a pattern.
        let mut depth = 1_usize;
        let end = rest.char_indices().find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            (depth == 0).then_some(at)
        });
        let end = end.unwrap_or(rest.len());
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Parameter(Parameter::read(&rest[..end])));
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    text.push_str(&rest.replace("}}", "}"));
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

impl Parameter {
    fn read(text: &str) -> Self {
        let (text, optional) = text.strip_suffix('?').map_or((text, false), |text| (text, true));
        let (text, default) = match text.split_once('=') {
            Some((text, default)) if !text.contains('(') => (text, Some(default.to_owned())),
            _ => (text, None),
        };
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default().to_owned();
        Self { name, constraints: parts.map(Constraint::read).collect(), optional, default }
    }

    fn take(&self, part: Option<String>, found: &mut BTreeMap<String, String>) -> bool {
        match part.filter(|part| !part.is_empty()).or_else(|| self.default.clone()) {
            None => self.optional,
            Some(part) => {
                let fits = self.constraints.iter().all(|constraint| constraint.admits(&part));
                if fits {
                    found.insert(self.name.clone(), part);
                }
                fits
            }
        }
    }
}

impl Constraint {
    fn read(text: &str) -> Self {
        let (name, inside) = text.split_once('(').unwrap_or((text, ""));
        let numbers: Vec<i64> =
            inside.trim_end_matches(')').split(',').filter_map(|number| number.trim().parse().ok()).collect();
        let size = |number: i64| usize::try_from(number).unwrap_or(0);
        match (name.to_ascii_lowercase().as_str(), numbers.as_slice()) {
            ("int", _) => Constraint::Int,
            ("long", _) => Constraint::Long,
            ("bool", _) => Constraint::Bool,
            ("guid", _) => Constraint::Guid,
            ("alpha", _) => Constraint::Alpha,
            ("decimal" | "double" | "float", _) => Constraint::Number,
            ("datetime", _) => Constraint::DateTime,
            ("length", [exactly]) => Constraint::Length(size(*exactly), size(*exactly)),
            ("length", [least, most]) => Constraint::Length(size(*least), size(*most)),
            ("minlength", [least]) => Constraint::Length(size(*least), usize::MAX),
            ("maxlength", [most]) => Constraint::Length(0, size(*most)),
            ("min", [least]) => Constraint::Range(*least, i64::MAX),
            ("max", [most]) => Constraint::Range(i64::MIN, *most),
            ("range", [least, most]) => Constraint::Range(*least, *most),
            _ => Constraint::Other,
        }
    }

    fn admits(&self, part: &str) -> bool {
        match self {
            Constraint::Int => part.parse::<i32>().is_ok(),
            Constraint::Long => part.parse::<i64>().is_ok(),
            Constraint::Bool => part.eq_ignore_ascii_case("true") || part.eq_ignore_ascii_case("false"),
            Constraint::Guid => uuid::Uuid::parse_str(part).is_ok(),
            Constraint::Alpha => part.bytes().all(|byte| byte.is_ascii_alphabetic()),
            Constraint::Number => part.parse::<f64>().is_ok_and(f64::is_finite),
            Constraint::DateTime => {
                part.parse::<jiff::civil::DateTime>().is_ok()
                    || part.parse::<jiff::civil::Date>().is_ok()
                    || part.parse::<jiff::Timestamp>().is_ok()
            }
            Constraint::Length(least, most) => (*least..=*most).contains(&part.chars().count()),
            Constraint::Range(least, most) => {
                part.parse::<i64>().is_ok_and(|number| (*least..=*most).contains(&number))
            }
            Constraint::Other => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(template: &str, path: &str) -> Option<String> {
        let found = Route::read(template).captures(path)?;
        Some(found.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn parameters_are_captured_and_decoded() {
        assert_eq!(captured("flowers/{kind}/{id}", "Flowers/a%20b/3").as_deref(), Some("id=3 kind=a b"));
        assert_eq!(captured("flowers/{id?}", "flowers").as_deref(), Some(""));
        assert_eq!(captured("flowers/{id=7}", "flowers/").as_deref(), Some("id=7"));
        assert_eq!(captured("{*rest}", "a/b%2Fc").as_deref(), Some("rest=a/b%2Fc"));
        assert_eq!(captured("x/{*rest}", "x").as_deref(), Some(""));
        assert_eq!(
            captured("files/{name}.{ending}", "files/a.b.png").as_deref(),
            Some("ending=b.png name=a")
        );
        for (template, path) in [("a/{b}", "a"), ("a", "a/b"), ("a/b", "a"), ("{a}.x", ".x"), ("", "a")] {
            assert_eq!(captured(template, path), None, "{template} {path}");
        }
        assert_eq!(captured("", "").as_deref(), Some(""));
    }

    #[test]
    fn constraints_hold() {
        let fits = |constraint: &str, value: &str| captured(&format!("{{x:{constraint}}}"), value).is_some();
        let cases = [
            ("int", "-5", "5.0"),
            ("long", "5000000000", "x"),
            ("bool", "True", "1"),
            ("guid", "CD2C1638-1638-72D5-1638-DEADBEEF1638", "CD2C"),
            ("alpha", "Rick", "Rick1"),
            ("double", "1.5e3", "one"),
            ("datetime", "2026-11-21", "today"),
            ("length(2,3)", "ab", "abcd"),
            ("minlength(2)", "ab", "a"),
            ("maxlength(2)", "ab", "abc"),
            ("min(18)", "19", "17"),
            ("range(18,20):int", "20", "21"),
        ];
        for (constraint, good, bad) in cases {
            assert!(fits(constraint, good), "{constraint} {good}");
            assert!(!fits(constraint, bad), "{constraint} {bad}");
        }
        assert!(!fits("int", "99999999999"), "too large for its kind");
        assert_eq!(captured("{id:int?}", "").as_deref(), Some(""));
    }

    #[test]
    fn the_more_particular_comes_first() {
        let mut routes: Vec<_> = ["{*rest}", "a/{b}", "a/b", "a/{b:int}"].map(Route::read).into();
        routes.sort_by_key(Route::precedence);
        assert_eq!(routes, ["a/b", "a/{b:int}", "a/{b}", "{*rest}"].map(Route::read));
    }

    #[test]
    fn strange_templates_break_nothing() {
        for template in ["{", "}", "{{}}", "{a", "a}}b", "{}", "{*}", "{a:}", "//", "{a:regex(^\\d{3}$)}"] {
            let _ = Route::read(template).captures("x/y");
        }
    }
}
