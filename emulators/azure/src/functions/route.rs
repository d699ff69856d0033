//! Routes with parameters and constraints: `flowers/{kind:alpha}/{id:int?}`, `{*rest}`.
//!
//! Source: ASP.NET Core documentation, "Routing in ASP.NET Core" (route templates, constraints, precedence).

use percent_encoding::percent_decode_str;
use regex::{Regex, RegexBuilder};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

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
    /// In lower case.
    Text(String),
    Parameter(Parameter),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameter {
    name: String,
    is_rest: bool,
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
    Regex(Expression),
    /// Whether the last part has an ending.
    File(bool),
    Required,
}

/// Found anywhere in a value, without regard to case.
#[derive(Clone, Debug)]
struct Expression(Regex);

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Expression {}

impl Route {
    /// A template as it is written, without the prefix of all routes. `Err` says why no request can be held against it.
    pub fn read(template: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("the route `{template}` is not read: {why}");
        let segments = segments(template.trim_matches('/')).map_err(wrong)?;
        Ok(Self { segments })
    }

    /// What a path's parameters are; `None`: it is not for this route. `path` begins behind the slash.
    pub fn captures(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let path = decoded(path);
        let mut left = path.as_str();
        let mut found = BTreeMap::new();
        for segment in &self.segments {
            if left.starts_with('/') {
                return None;
            }
            let (part, rest) = match segment {
                Segment::Rest(_) => (left, ""),
                _ => left.split_once('/').unwrap_or((left, "")),
            };
            if !segment.take(part, &mut found) {
                return None;
            }
            left = rest;
        }
        left.is_empty().then_some(found)
    }

    /// More particular routes come first.
    pub fn precedence(&self) -> Reverse<Vec<u8>> {
        Reverse(self.segments.iter().map(Segment::weight).collect())
    }
}

fn segments(template: &str) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    let (mut pieces, mut text) = (Vec::new(), String::new());
    let mut left = template.chars().peekable();
    while let Some(c) = left.next() {
        match c {
            '{' | '}' if left.next_if_eq(&c).is_some() => text.push(c),
            '{' => {
                end_text(&mut text, &mut pieces);
                pieces.push(Piece::Parameter(Parameter::read(&inside(&mut left)?)?));
            }
            '}' => return Err("a `}` ends no parameter; text has it as `}}`".into()),
            '/' => {
                end_text(&mut text, &mut pieces);
                segments.push(Segment::of(std::mem::take(&mut pieces))?);
            }
            c => text.push(c),
        }
    }
    if !template.is_empty() {
        end_text(&mut text, &mut pieces);
        segments.push(Segment::of(pieces)?);
    }
    if segments.iter().rev().skip(1).any(|segment| matches!(segment, Segment::Rest(_))) {
        return Err("only the last parameter can take the rest of a path".into());
    }
    Ok(segments)
}

fn end_text(text: &mut String, pieces: &mut Vec<Piece>) {
    if !text.is_empty() {
        pieces.push(Piece::Text(std::mem::take(text).to_ascii_lowercase()));
    }
}

/// A parameter up to its end; braces within are doubled.
fn inside(left: &mut Peekable<Chars>) -> Result<String, String> {
    let mut text = String::new();
    while let Some(c) = left.next() {
        match c {
            '{' | '}' if left.next_if_eq(&c).is_some() => text.push(c),
            '{' => return Err("a `{` within a parameter is written `{{`".into()),
            '}' => return Ok(text),
            c => text.push(c),
        }
    }
    Err("a `{` has no `}`".into())
}

/// As the server has it: an escaped slash stays one.
fn decoded(path: &str) -> String {
    let path = path.replace("%2F", "%252F").replace("%2f", "%252f");
    percent_decode_str(&path).decode_utf8_lossy().into_owned()
}

impl Segment {
    fn of(mut pieces: Vec<Piece>) -> Result<Self, String> {
        if pieces.len() > 1 {
            return mixed(&pieces).map(|()| Segment::Mixed(pieces));
        }
        match pieces.pop() {
            None => Err("nothing is between two slashes".into()),
            Some(Piece::Text(text)) => Ok(Segment::Literal(text)),
            Some(Piece::Parameter(parameter)) if parameter.is_rest => Ok(Segment::Rest(parameter)),
            Some(Piece::Parameter(parameter)) => Ok(Segment::One(parameter)),
        }
    }

    fn take(&self, part: &str, found: &mut BTreeMap<String, String>) -> bool {
        match self {
            Segment::Literal(text) => text.eq_ignore_ascii_case(part),
            Segment::One(parameter) | Segment::Rest(parameter) => parameter.take(part, found),
            Segment::Mixed(pieces) => {
                let taken = match pieces.split_last_chunk::<2>() {
                    // With what may be left out, or without it and its dot.
                    Some((rest, [_, Piece::Parameter(last)])) if last.optional => from_right(pieces, part)
                        .or_else(|| if part.ends_with('.') { None } else { from_right(rest, part) }),
                    _ => from_right(pieces, part),
                };
                taken.is_some_and(|taken| {
                    taken.into_iter().all(|(parameter, value)| parameter.take(value, found))
                })
            }
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

/// What text around parameters must be.
fn mixed(pieces: &[Piece]) -> Result<(), String> {
    let parameter = |piece: &Piece| match piece {
        Piece::Parameter(parameter) => Some(parameter.clone()),
        Piece::Text(_) => None,
    };
    if pieces.windows(2).any(|pair| pair.iter().all(|piece| parameter(piece).is_some())) {
        return Err("text must stand between two parameters".into());
    }
    for (at, parameter) in pieces.iter().enumerate().filter_map(|(at, piece)| Some((at, parameter(piece)?))) {
        let name = &parameter.name;
        if parameter.is_rest {
            return Err(format!("`{name}` takes the rest of a path and must stand between slashes"));
        }
        let behind_dot = at > 0 && pieces[at - 1] == Piece::Text(".".into());
        if parameter.optional && !(behind_dot && at + 1 == pieces.len()) {
            return Err(format!("`{name}` can be optional only at the end, behind a dot"));
        }
    }
    Ok(())
}

/// Each text is sought from the right, and what is left between two is the parameter's.
fn from_right<'a>(pieces: &'a [Piece], part: &'a str) -> Option<Vec<(&'a Parameter, &'a str)>> {
    let lower = part.to_ascii_lowercase();
    let (mut end, mut waiting, mut found) = (part.len(), None, Vec::new());
    for piece in pieces.iter().rev() {
        let text = match piece {
            Piece::Text(text) => text,
            Piece::Parameter(parameter) => {
                waiting = Some(parameter);
                continue;
            }
        };
        let start = match waiting.take() {
            None if end == part.len() => end - lower.strip_suffix(text.as_str()).map(|_| text.len())?,
            None => lower[..end].rfind(text)?,
            Some(parameter) => {
                // One character at least is the parameter's.
                let (last, _) = part[..end].char_indices().next_back()?;
                let start = lower[..last].rfind(text)?;
                found.push((parameter, &part[start + text.len()..end]));
                start
            }
        };
        end = start;
    }
    match waiting {
        Some(parameter) if end > 0 => found.push((parameter, &part[..end])),
        None if end == 0 => {}
        _ => return None,
    }
    Some(found)
}

impl Parameter {
    fn read(text: &str) -> Result<Self, String> {
        let bare = text.trim_start_matches('*');
        let is_rest = bare.len() < text.len();
        let (bare, optional) = bare.strip_suffix('?').map_or((bare, false), |bare| (bare, true));
        let end = bare.char_indices().skip(1).find(|(_, c)| matches!(c, ':' | '='));
        let (name, mut more) = bare.split_at(end.map_or(bare.len(), |(at, _)| at));
        if name.is_empty() || name.contains(['/', '{', '}', '?', '*']) {
            return Err(format!("`{text}` has no name of a parameter"));
        }
        let mut constraints = Vec::new();
        while let Some(next) = more.strip_prefix(':') {
            let (constraint, rest) = next.split_at(end_of_constraint(next));
            if !constraint.is_empty() {
                constraints.push(Constraint::read(constraint)?);
            }
            more = rest;
        }
        let default = more.strip_prefix('=').map(str::to_owned);
        if optional && (is_rest || default.is_some()) {
            return Err(format!("`{name}` may be left out as it is; a `?` is too much"));
        }
        Ok(Self { name: name.into(), is_rest, constraints, optional: optional || is_rest, default })
    }

    fn take(&self, part: &str, found: &mut BTreeMap<String, String>) -> bool {
        let value = if part.is_empty() { self.default.as_deref() } else { Some(part) };
        let Some(value) = value else { return self.optional };
        let fits = self.constraints.iter().all(|constraint| constraint.admits(value));
        if fits {
            found.insert(self.name.clone(), value.to_owned());
        }
        fits
    }
}

/// Parentheses protect what is in them.
fn end_of_constraint(text: &str) -> usize {
    let Some(at) = text.find([':', '=', '(']) else { return text.len() };
    if !text[at..].starts_with('(') {
        return at;
    }
    let closes = |at: &usize| text[at + 1..].is_empty() || text[at + 1..].starts_with([':', '=']);
    text.match_indices(')').map(|(at, _)| at).find(closes).map_or(text.len(), |at| at + 1)
}

impl Constraint {
    fn read(text: &str) -> Result<Self, String> {
        let (name, inside) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, inside)) => (name, Some(inside)),
            None => (text, None),
        };
        let name = name.to_ascii_lowercase();
        if let ("regex", Some(inside)) = (name.as_str(), inside) {
            let read = RegexBuilder::new(inside).case_insensitive(true).build();
            let read =
                read.map_err(|why| format!("`{text}` is no regular expression that is read here: {why}"));
            return read.map(|regex| Constraint::Regex(Expression(regex)));
        }
        let numbers: Result<Vec<i64>, _> =
            inside.into_iter().flat_map(|all| all.split(',')).map(|one| one.trim().parse()).collect();
        let unknown = || format!("there is no constraint `{text}`");
        let size = |number: i64| usize::try_from(number).unwrap_or(0);
        Ok(match (name.as_str(), numbers.map_err(|_| unknown())?.as_slice()) {
            ("int", []) => Constraint::Int,
            ("long", []) => Constraint::Long,
            ("bool", []) => Constraint::Bool,
            ("guid", []) => Constraint::Guid,
            ("alpha", []) => Constraint::Alpha,
            ("decimal" | "double" | "float", []) => Constraint::Number,
            ("datetime", []) => Constraint::DateTime,
            ("required", []) => Constraint::Required,
            ("file", []) => Constraint::File(true),
            ("nonfile", []) => Constraint::File(false),
            ("length", [exactly]) => Constraint::Length(size(*exactly), size(*exactly)),
            ("length", [least, most]) => Constraint::Length(size(*least), size(*most)),
            ("minlength", [least]) => Constraint::Length(size(*least), usize::MAX),
            ("maxlength", [most]) => Constraint::Length(0, size(*most)),
            ("min", [least]) => Constraint::Range(*least, i64::MAX),
            ("max", [most]) => Constraint::Range(i64::MIN, *most),
            ("range", [least, most]) => Constraint::Range(*least, *most),
            _ => return Err(unknown()),
        })
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
            Constraint::Regex(expression) => expression.0.is_match(part),
            Constraint::File(wanted) => {
                let name = part.rsplit('/').next().unwrap_or_default();
                let ending = name.split_once('.').map_or("", |(_, ending)| ending);
                ending.contains(|c| c != '.') == *wanted
            }
            Constraint::Required => !part.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(template: &str, path: &str) -> Option<String> {
        let found = Route::read(template).unwrap().captures(path)?;
        Some(found.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn parameters_are_captured_and_decoded() {
        for (template, path, values) in [
            ("flowers/{kind}/{id}", "Flowers/a%20b/3", "id=3 kind=a b"),
            ("flowers/{kind}", "flowers/a%2Fb%2fc", "kind=a%2Fb%2fc"),
            ("flowers/{id?}", "flowers", ""),
            ("flowers/{id=7}", "flowers/", "id=7"),
            ("{*rest}", "a/b%2Fc%20d", "rest=a/b%2Fc d"),
            ("x/{*rest}", "x", ""),
            ("x/{**rest}", "x/a//b/", "rest=a//b/"),
            ("a{{b}}/{c}", "A{b}/d", "c=d"),
            ("", "", ""),
        ] {
            assert_eq!(captured(template, path).as_deref(), Some(values), "{template} {path}");
        }
        let strangers =
            [("a/{b}", "a"), ("a", "a/b"), ("a/b", "a"), ("", "a"), ("a/{b=1}/{c}", "a//c"), ("a", "a//")];
        for (template, path) in strangers.into_iter().chain([("x/{*rest}", "x//a"), ("x/{rest}", "x//")]) {
            assert_eq!(captured(template, path), None, "{template} {path}");
        }
    }

    #[test]
    fn text_around_parameters_is_sought_from_the_right() {
        for (template, path, values) in [
            ("files/{name}.{ending}", "files/a.b.png", Some("ending=png name=a.b")),
            ("{name}.{ending?}", "a.b", Some("ending=b name=a")),
            ("{name}.{ending?}", "ab", Some("name=ab")),
            ("{name}.{ending?}", "ab.", None),
            ("v{major:int}-{minor:int}", "V1-2", Some("major=1 minor=2")),
            ("v{major:int}-{minor:int}", "v1-x", None),
            ("{a}.x", ".x", None),
            ("{a}.x", "a.x.x", Some("a=a.x")),
            ("{a}.x", "a.xy", None),
            ("x{a}", "x", None),
            ("x{a}y", "xüy", Some("a=ü")),
            ("x{a}", "yxa", None),
        ] {
            assert_eq!(captured(template, path).as_deref(), values, "{template} {path}");
        }
    }

    #[test]
    fn hostile_paths_are_held_against_a_route_at_once() {
        let template = "{a}-{b}-{c}-{d}-{e}-{f}-{g}-{h}:int";
        let path = "-".repeat(100_000);
        assert_eq!(captured(template, &path), None);
        let found = captured(&template.replace(":int", ""), &path).unwrap();
        assert!(found.ends_with("h=-"), "{}", &found[found.len() - 20..]);
    }

    #[test]
    fn constraints_hold() {
        let fits = |constraint: &str, value: &str| captured(&format!("{{x:{constraint}}}"), value).is_some();
        let cases = [
            ("int", "-5", "5.0"),
            (r"regex(^(x|\d{{3}})[:=]\)$)", "X:)", "12:)"),
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
            ("required:file", "a.png", "png."),
            ("nonfile", "a", "a.png"),
        ];
        for (constraint, good, bad) in cases {
            assert!(fits(constraint, good), "{constraint} {good}");
            assert!(!fits(constraint, bad), "{constraint} {bad}");
        }
        assert!(!fits("int", "99999999999"), "too large for its kind");
        assert_eq!(captured("{id:int?}", "").as_deref(), Some(""));
        assert_eq!(captured("{id:range(1,9)=3}", "").as_deref(), Some("id=3"));
    }

    #[test]
    fn the_more_particular_comes_first() {
        let read = |template| Route::read(template).unwrap();
        let mut routes: Vec<_> = ["{*rest}", "a/{b}", "a/b", "a/{b:int}"].map(read).into();
        routes.sort_by_key(Route::precedence);
        assert_eq!(routes, ["a/b", "a/{b:int}", "a/{b}", "{*rest}"].map(read));
    }

    #[test]
    fn what_is_no_route_is_named() {
        for (template, why) in [
            ("a/{b:color}", "no constraint `color`"),
            ("{a:int(5)}", "no constraint `int(5)`"),
            ("{a:range(1)}", "no constraint `range(1)`"),
            (r"{a:regex(^(?=x)$)}", "is no regular expression"),
            ("{a:regex}", "no constraint `regex`"),
            (r"{a:regex(^\d{3}$)}", "is written `{{`"),
            ("{a", "has no `}`"),
            ("a}b", "ends no parameter"),
            ("{}", "no name"),
            ("{*}", "no name"),
            ("a//b", "between two slashes"),
            ("{a}{b}", "between two parameters"),
            ("{*a}/b", "only the last"),
            ("x{*a}", "between slashes"),
            ("{a?}.b", "behind a dot"),
            ("{a=1?}", "too much"),
        ] {
            let said = Route::read(template).unwrap_err();
            assert!(said.contains(why) && said.contains(template), "{said}");
        }
    }
}
