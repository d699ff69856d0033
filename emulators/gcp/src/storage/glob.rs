//! Patterns of paths: `*` within a segment, `**` over segments, `?`, `[a-z]`, `{one,two}` and `{name=*}`.
//!
//! Source: Cloud Storage, "List objects", "matchGlob"; Eventarc, "Path patterns".

/// A pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Literal(char),
    /// One character but a slash.
    Any,
    /// Any number of characters but slashes.
    Star,
    /// Any number of characters.
    Stars,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Choice(Vec<Glob>),
}

/// Longest pattern, in characters.
const LONGEST: usize = 1024;
/// How many steps a match may try: a hostile pattern ends soon.
const EFFORT: usize = 200_000;

impl Glob {
    /// Fails with what is wrong, for people.
    pub fn read(text: &str) -> Result<Self, String> {
        let chars: Vec<char> = text.chars().collect();
        if chars.len() > LONGEST {
            return Err(format!("the pattern is longer than {LONGEST} characters"));
        }
        Self::parse(&chars, 0)
    }

    fn parse(chars: &[char], depth: usize) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            match chars[at] {
                '*' if chars.get(at + 1) == Some(&'*') => {
                    steps.push(Step::Stars);
                    at += 2;
                }
                '*' => {
                    steps.push(Step::Star);
                    at += 1;
                }
                '?' => {
                    steps.push(Step::Any);
                    at += 1;
                }
                '\\' if at + 1 < chars.len() => {
                    steps.push(Step::Literal(chars[at + 1]));
                    at += 2;
                }
                '[' => {
                    let end = chars[at..].iter().position(|one| *one == ']').ok_or("`[` is not closed")? + at;
                    steps.push(class(&chars[at + 1..end]));
                    at = end + 1;
                }
                '{' if depth < 4 => {
                    let end = closing(chars, at).ok_or("`{` is not closed")?;
                    steps.push(Step::Choice(choices(&chars[at + 1..end], depth + 1)?));
                    at = end + 1;
                }
                '{' => return Err("braces are nested too deeply".into()),
                other => {
                    steps.push(Step::Literal(other));
                    at += 1;
                }
            }
        }
        Ok(Self(steps))
    }

    pub fn matches(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        let mut effort = EFFORT;
        ends(&self.0, &chars, 0, &mut effort).contains(&chars.len())
    }
}

/// Where a match of `steps` from `at` on may end.
fn ends(steps: &[Step], text: &[char], at: usize, effort: &mut usize) -> Vec<usize> {
    let mut places = vec![at];
    for step in steps {
        let mut next = Vec::new();
        // Whatever is reached from a later place is reached from the first one too.
        places.truncate(if matches!(step, Step::Stars) { 1 } else { usize::MAX });
        for place in places {
            *effort = effort.saturating_sub(1);
            if *effort == 0 {
                return Vec::new();
            }
            reach(step, text, place, &mut next, effort);
        }
        next.sort_unstable();
        next.dedup();
        places = next;
    }
    places
}

fn reach(step: &Step, text: &[char], at: usize, next: &mut Vec<usize>, effort: &mut usize) {
    let here = text.get(at).copied();
    match step {
        Step::Literal(wanted) => next.extend((here == Some(*wanted)).then_some(at + 1)),
        Step::Any => next.extend(here.is_some_and(|one| one != '/').then_some(at + 1)),
        Step::Star => {
            let span = text[at..].iter().take_while(|one| **one != '/').count();
            next.extend(at..=at + span);
        }
        Step::Stars => next.extend(at..=text.len()),
        Step::Class { negated, ranges } => {
            let is_in = |one: char| ranges.iter().any(|(from, to)| (*from..=*to).contains(&one));
            next.extend(here.is_some_and(|one| one != '/' && is_in(one) != *negated).then_some(at + 1));
        }
        Step::Choice(all) => {
            for one in all {
                next.extend(ends(&one.0, text, at, effort));
            }
        }
    }
}

fn class(inside: &[char]) -> Step {
    let negated = matches!(inside.first(), Some('!' | '^'));
    let inside = if negated { &inside[1..] } else { inside };
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < inside.len() {
        if let (Some('-'), Some(to)) = (inside.get(at + 1), inside.get(at + 2)) {
            ranges.push((inside[at], *to));
            at += 3;
        } else {
            ranges.push((inside[at], inside[at]));
            at += 1;
        }
    }
    Step::Class { negated, ranges }
}

fn closing(chars: &[char], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, one) in chars.iter().enumerate().skip(open) {
        match one {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// `one,two`, or a capture: `name` is a segment, `name=PATTERN` what its pattern says.
fn choices(inside: &[char], depth: usize) -> Result<Vec<Glob>, String> {
    let (mut parts, mut from, mut open) = (Vec::new(), 0, 0_usize);
    for (at, one) in inside.iter().enumerate() {
        match one {
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            ',' if open == 0 => {
                parts.push(&inside[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[from..]);
    if let [one] = parts[..] {
        return Ok(vec![match one.iter().position(|one| *one == '=') {
            Some(at) => Glob::parse(&one[at + 1..], depth)?,
            None => Glob(vec![Step::Star]),
        }]);
    }
    parts.into_iter().map(|part| Glob::parse(part, depth)).collect()
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn patterns() {
        let fits = |pattern: &str, text: &str| Glob::read(pattern).unwrap().matches(text);
        for (pattern, yes, no) in [
            ("in/*.csv", "in/a.csv", "in/b/a.csv"),
            ("**/a.csv", "x/y/a.csv", "x/a.csv2"),
            ("in/**", "in/a/b", "out/a"),
            ("a?c", "abc", "a/c"),
            ("[a-c]x", "bx", "dx"),
            ("[!a-c]x", "dx", "bx"),
            ("*.{jpg,png}", "rose.png", "rose.gif"),
            ("in/{day}/{rest=**}.csv", "in/1/2/3.csv", "in/1.csv"),
            ("\\*", "*", "a"),
            ("", "", "a"),
        ] {
            assert!(fits(pattern, yes), "{pattern} {yes}");
            assert!(!fits(pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn wrong_and_hostile_patterns_end_soon() {
        for wrong in ["[a", "{a", "{{{{{a,b},b},b},b},b}", &"a".repeat(1025)] {
            assert!(Glob::read(wrong).is_err(), "{wrong}");
        }
        let hostile = Glob::read(&"**a".repeat(300)).unwrap();
        assert!(!hostile.matches(&"a".repeat(100)));
        let braces = Glob::read(&"{**a,**b}".repeat(110)).unwrap();
        assert!(!braces.matches(&"c".repeat(1000)));
    }
}
