//! What a template may contain, decided on its text before the template engine sees it.
//!
//! Allowed: text, `{{value}}`, `{{helper arguments}}`, blocks, parentheses and `{{!-- comments --}}`.
//! Partials, decorators, unescaped and raw output are refused, and nesting is limited: the engine's
//! parser and renderer are recursive, and a hostile template must not reach the end of their stack.
//! Brackets, braces and backslashes inside tags are refused too, so that this reading of a tag and the
//! engine's cannot differ.

/// Blocks within blocks.
const MAX_BLOCKS: usize = 16;
/// Parentheses within parentheses.
const MAX_PARENTHESES: usize = 8;
/// `{{else}}` and `{{else if}}` in one template: each is a level of its own.
const MAX_ELSES: usize = 64;

/// Why a template is refused, and where: `offset` is in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub offset: usize,
    pub why: String,
    pub hint: Option<&'static str>,
}

/// Reads all tags of a template.
///
/// # Errors
/// The first tag that is not allowed.
pub(crate) fn check(template: &str) -> Result<(), Refusal> {
    let mut at = 0;
    let mut depth = Depth::default();
    while let Some(found) = template[at..].find("{{") {
        let open = at + found;
        if template[..open].ends_with('\\') {
            return refuse(open, "an escaped tag", Some("remove the backslash before `{{`"));
        }
        let inside = &template[open + 2..];
        at = open + 2 + if inside.starts_with('!') { comment(open, inside)? } else { tag(open, inside)? };
        depth.follow(open, &template[open + 2..at])?;
        order(open, &template[open + 2..at])?;
    }
    match depth.open.last() {
        Some(block) => refuse(*block, "a block that is not closed", Some("close it with {{/NAME}}")),
        None => Ok(()),
    }
}

fn refuse<T>(offset: usize, why: &str, hint: Option<&'static str>) -> Result<T, Refusal> {
    Err(Refusal { offset, why: why.into(), hint })
}

/// Length of a comment after its `{{`.
fn comment(open: usize, inside: &str) -> Result<usize, Refusal> {
    let end = inside.strip_prefix("!--").and_then(|text| text.find("--}}"));
    match end {
        Some(end) => Ok("!--".len() + end + "--}}".len()),
        None => {
            refuse(open, "a comment that does not end", Some("comments are written {{!-- like this --}}"))
        }
    }
}

/// Length of a tag after its `{{`, its `}}` included.
fn tag(open: usize, inside: &str) -> Result<usize, Refusal> {
    let mut quote = None;
    let mut parentheses = 0_usize;
    for (at, c) in inside.char_indices() {
        let here = open + 2 + at;
        match (quote, c) {
            (_, '\\') => return refuse(here, "a backslash in a tag", None),
            (Some(open), _) => quote = (c != open).then_some(open),
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') if inside[at..].starts_with("}}") => return Ok(at + 2),
            (None, '(') => {
                parentheses += 1;
                if parentheses > MAX_PARENTHESES {
                    return refuse(here, "too many parentheses within each other", None);
                }
            }
            (None, ')') => parentheses = parentheses.saturating_sub(1),
            (None, '{') if at == 0 => {
                let hint =
                    "write {{json x}} for raw JSON, and put a space between a `{` of the JSON and `{{`";
                return refuse(here, "unescaped output", Some(hint));
            }
            (None, '[' | ']' | '{' | '}' | '`') => {
                return refuse(
                    here,
                    &format!("a `{c}` in a tag"),
                    Some("give lists and objects as parameters"),
                );
            }
            _ => {}
        }
    }
    refuse(open, "a tag that does not end", Some("close it with `}}`"))
}

/// The engine evaluates named arguments in no fixed order, so at most one of them may draw a new value.
fn order(open: usize, tag: &str) -> Result<(), Refusal> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    let draws =
        tag.split(word).filter(|word| *word == "uuid" || *word == "counter" || word.starts_with("rand-"));
    let named = tag.split('=').skip(1).any(|value| value.trim_start().starts_with('('));
    if !tag.starts_with('!') && named && draws.count() > 1 {
        let hint = "write each in a tag of its own, so that their order is the template's";
        return refuse(open, "more than one new value beside named arguments", Some(hint));
    }
    Ok(())
}

#[derive(Default)]
struct Depth {
    /// Where the blocks begin that are open.
    open: Vec<usize>,
    elses: usize,
}

impl Depth {
    /// Counts what the tag opens or closes; `tag` is what stands after its `{{`.
    fn follow(&mut self, open: usize, tag: &str) -> Result<(), Refusal> {
        let start = |text: &'_ str| text.trim_start_matches(|c: char| c == '~' || c.is_whitespace()).len();
        let tag = &tag[tag.len() - start(tag)..];
        match tag.chars().next() {
            Some('#') => {
                let opened = &tag[1..];
                let opened = &opened[opened.len() - start(opened)..];
                if opened.starts_with(['>', '*']) {
                    return refuse(open, "a partial or a decorator", Some(NO_PARTIALS));
                }
                self.open.push(open);
                if self.open.len() > MAX_BLOCKS {
                    return refuse(open, "too many blocks within each other", None);
                }
            }
            Some('/') if self.open.pop().is_none() => {
                return refuse(open, "the end of a block that was not opened", None);
            }
            Some('>' | '*') => return refuse(open, "a partial or a decorator", Some(NO_PARTIALS)),
            Some('&') => return refuse(open, "unescaped output", Some("write {{json x}} for raw JSON")),
            Some('^') => return refuse(open, "`{{^}}`", Some("write {{else}} or {{#unless x}}")),
            _ if tag.starts_with("else") => {
                self.elses += 1;
                if self.elses > MAX_ELSES {
                    return refuse(open, "too many {{else}}", None);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

const NO_PARTIALS: &str = "fixtures are one file each: use {{#each}} or {{#repeat}} for what occurs often";

/// Line and column, from 1, of a byte offset; columns count characters.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(template: &str) -> String {
        check(template).expect_err(template).why
    }

    #[test]
    fn plain_templates_pass() {
        for template in [
            "",
            r#"{"a": "{{b}}", "c": {{json d}}}"#,
            r#"{{#if (eq a "}} {{ [")}}x{{else if b}}y{{else}}z{{/if}}"#,
            "{{~#each xs as |x|~}}{{x}}{{~/each~}}",
            "{{!-- {{#>partial}} [[[[ --}}",
            r#"{"a":{"b":{"c":1}}}"#,
        ] {
            assert_eq!(check(template), Ok(()), "{template}");
        }
    }

    #[test]
    fn what_could_recurse_or_break_json_is_refused() {
        for (template, part) in [
            ("{{> me}}", "partial"),
            ("{{ ~ # > me}}{{/me}}", "partial"),
            ("{{#*inline \"a\"}}{{/inline}}", "partial"),
            ("{{* deco}}", "partial"),
            ("{{{x}}}", "unescaped"),
            ("{{&x}}", "unescaped"),
            ("{{{{raw}}}}{{{{/raw}}}}", "unescaped"),
            (r"\{{x}}", "escaped"),
            (r#"{{json "a\"b"}}"#, "backslash"),
            ("{{json [1]}}", "`[`"),
            ("{{a.['x]}}", "`[`"),
            ("{{x", "does not end"),
            ("{{x \"}}", "does not end"),
            ("{{!-- x", "does not end"),
            ("{{! x}}", "does not end"),
            ("{{^}}", "{{^}}"),
            ("{{#if a}}", "not closed"),
            ("{{/if}}", "not opened"),
            ("{{json (object a=(uuid) b=(rand-hex 4))}}", "new value"),
        ] {
            assert!(why(template).contains(part), "{template}: {}", why(template));
        }
    }

    #[test]
    fn nesting_is_limited_whatever_hides_between() {
        assert!(why(&"{{#if a}}".repeat(100_000)).contains("blocks"));
        assert!(why(&"{{!-- {{/if}} --}}{{#if a}}".repeat(1000)).contains("blocks"));
        assert!(why(&format!("{{{{a {}", "(b ".repeat(100_000))).contains("parentheses"));
        assert!(why(&format!("{{{{a {}", "(b \")\" ".repeat(1000))).contains("parentheses"));
        assert!(why(&format!("{{{{#if a}}}}{}", "{{else if b}}".repeat(1000))).contains("else"));
    }

    #[test]
    fn positions_count_lines_and_characters() {
        assert_eq!(position("aé\nbc", 4), (2, 1));
        assert_eq!(position("aé", 3), (1, 3));
        assert_eq!(position("aé", 2), (1, 2));
        assert_eq!(position("a", 99), (1, 2));
    }
}
