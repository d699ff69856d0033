//! A cloud's limits, prices and timings as dated data: each figure with its source, and the rules that say
//! what fits.
//!
//! The files are in the clouds' crates; what is the same for all of them is here: how they are read, what
//! they say of a function, and which of their figures nobody has verified.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use thiserror::Error;

const MIB: u64 = 1024 * 1024;

/// One product of one cloud, as it was on a day.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    /// The cloud whose functions it is for, as in a project's file.
    pub cloud: String,
    /// The generation of the product that it is for, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u8>,
    /// It is held against a function only when somebody names it: a plan that is not the usual one, or a past.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_request: bool,
    pub title: String,
    /// Day of the figures, `YYYY-MM-DD`.
    pub dated: String,
    pub sources: BTreeMap<String, Origin>,
    /// By section and name. Units are in the names.
    pub figures: BTreeMap<String, BTreeMap<String, Figure>>,
    pub rules: Vec<Rule>,
}

/// Where figures come from.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    pub what: String,
    /// How far to trust it, in words.
    pub grade: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Nobody has looked it up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    pub v: Value,
    /// A key of the profile's `sources`.
    pub src: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One limit that a deployment is held to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub of: Measure,
    /// The limit itself: `section.name`.
    pub figure: String,
    pub unit: Unit,
    pub bound: Bound,
    /// Whether there is no way around it.
    #[serde(default = "yes")]
    pub refuses: bool,
    /// The vendor's own words, `{have}` being the value in the rule's unit. Absent where nobody has seen them.
    pub says: Option<String>,
    pub says_src: Option<String>,
    pub advice: String,
}

/// What is measured of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The developer's own files, zipped.
    Source,
    /// Those and all packages, zipped.
    Zipped,
    Unzipped,
    /// The same in a container image, without what the image begins with.
    Image,
    Memory,
    /// What it takes of that at its peak.
    Peak,
    /// The scratch folder.
    Tmp,
    Timeout,
    /// The timeout of a function that events start.
    EventTimeout,
    /// The body of a request.
    Request,
    /// What starts a function that no requests start.
    Event,
    /// The answer to a request.
    Response,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Bytes,
    Kib,
    Mib,
    Gib,
    Seconds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtMost,
    OneOf,
    /// It is taken out of the function's memory.
    WithinMemory,
}

/// A function as a cloud would be handed it. Sizes in bytes; what is `None` is the vendor's default, or was not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub source: u64,
    pub zipped: u64,
    pub unzipped: u64,
    pub memory: Option<u64>,
    pub tmp: Option<u64>,
    pub timeout: Option<Duration>,
    /// Events start it, not requests.
    pub by_events: bool,
    /// Memory at the peak of a call.
    pub peak: Option<u64>,
    /// What the call was handed.
    pub event: Option<u64>,
    pub answer: Option<u64>,
}

/// How a function stands to one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub what: Measure,
    /// In bytes, or in seconds for a timeout.
    pub have: u64,
    /// In the same unit; several are the only ones there are.
    pub limits: Vec<u64>,
    pub fits: bool,
    /// Whether the vendor refuses what does not fit.
    pub refuses: bool,
    /// The vendor's own words, if it does not fit and they are known.
    pub says: Option<String>,
    /// What to do, if it does not fit.
    pub advice: Option<String>,
    /// The limit or the words are of a source that nobody has checked.
    pub unverified: bool,
}

#[derive(Debug, Error)]
pub enum ProfileError {
    #[error("not a profile: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("profile `{profile}`: `{name}` is no source of it")]
    NoSource { profile: String, name: String },
    #[error("profile `{profile}`: the rule on `{figure}` has no such limit")]
    NoLimit { profile: String, figure: String },
}

impl Profile {
    /// Reads a profile and sees that every figure has its source and every rule its limit.
    pub fn read(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = serde_json::from_str(text)?;
        let said = profile.rules.iter().filter_map(|rule| rule.says_src.as_ref());
        let named = profile.figures.values().flat_map(BTreeMap::values).map(|figure| &figure.src).chain(said);
        if let Some(name) = named.into_iter().find(|name| !profile.sources.contains_key(*name)) {
            return Err(ProfileError::NoSource { profile: profile.name.clone(), name: name.clone() });
        }
        let lacks = |rule: &&Rule| {
            let figure = profile.figure(&rule.figure);
            figure
                .is_none_or(|figure| rule.bound != Bound::WithinMemory && rule.unit.all(&figure.v).is_empty())
        };
        match profile.rules.iter().find(lacks) {
            Some(rule) => {
                Err(ProfileError::NoLimit { profile: profile.name.clone(), figure: rule.figure.clone() })
            }
            None => Ok(profile),
        }
    }

    /// The figure `section.name`; names may have points of their own.
    pub fn figure(&self, path: &str) -> Option<&Figure> {
        let (section, name) = path.split_once('.')?;
        self.figures.get(section)?.get(name)
    }

    /// Puts a figure of the user's own in the place of one, or beside the others. `origin`: where it was said.
    pub fn set(&mut self, section: &str, name: &str, value: Value, origin: &str) {
        let own = || Origin {
            what: format!("said in {origin}"),
            grade: "your own".into(),
            date: None,
            licence: None,
            unverified: false,
        };
        self.sources.entry(origin.to_owned()).or_insert_with(own);
        let figure = Figure { v: value, src: origin.to_owned(), note: None };
        self.figures.entry(section.to_owned()).or_default().insert(name.to_owned(), figure);
    }

    /// Whether nobody has looked the figure up.
    pub fn is_unverified(&self, source: &str) -> bool {
        self.sources.get(source).is_none_or(|origin| origin.unverified)
    }

    /// What each rule says of a function. Defaults fit, and nothing is said of them.
    pub fn judge(&self, load: &Load) -> Vec<Finding> {
        self.rules.iter().filter_map(|rule| self.finding(rule, load)).collect()
    }

    fn finding(&self, rule: &Rule, load: &Load) -> Option<Finding> {
        let have = load.get(rule.of, self.limits_events())?;
        let figure = self.figure(&rule.figure)?;
        let limits = match rule.bound {
            Bound::WithinMemory => vec![load.memory.or_else(|| self.default_memory())?],
            Bound::AtMost | Bound::OneOf => rule.unit.all(&figure.v),
        };
        let fits = match rule.bound {
            Bound::OneOf => limits.contains(&have),
            Bound::AtMost | Bound::WithinMemory => limits.iter().all(|limit| have <= *limit),
        };
        let says = rule.says.as_ref().filter(|_| !fits);
        let words = says.and(rule.says_src.as_deref()).is_some_and(|source| self.is_unverified(source));
        Some(Finding {
            what: rule.of,
            have,
            fits,
            refuses: rule.refuses,
            says: says.map(|says| says.replace("{have}", &rule.unit.of(have).to_string())),
            advice: (!fits).then(|| rule.advice.clone()),
            unverified: words || self.is_unverified(&figure.src),
            limits,
        })
    }

    /// The most memory that a function can have there, in bytes.
    pub fn largest_memory(&self) -> Option<u64> {
        let figure = self.figure("memory_mb.max").or_else(|| self.figure("memory_mb.choices"))?;
        Unit::Mib.all(&figure.v).into_iter().max()
    }

    /// Whether the timeout of functions that events start has a limit of its own.
    fn limits_events(&self) -> bool {
        self.rules.iter().any(|rule| rule.of == Measure::EventTimeout)
    }

    fn default_memory(&self) -> Option<u64> {
        Unit::Mib.all(&self.figure("memory_mb.default")?.v).first().copied()
    }
}

impl Load {
    /// `apart`: events have a limit of their own.
    fn get(&self, measure: Measure, apart: bool) -> Option<u64> {
        let timeout = self.timeout.map(|timeout| timeout.as_secs_f64().ceil() as u64);
        match measure {
            Measure::Source => Some(self.source),
            Measure::Zipped => Some(self.zipped),
            Measure::Unzipped | Measure::Image => Some(self.unzipped),
            Measure::Memory => self.memory,
            Measure::Peak => self.peak,
            Measure::Tmp => self.tmp,
            Measure::Timeout => timeout.filter(|_| !(self.by_events && apart)),
            Measure::EventTimeout => timeout.filter(|_| self.by_events),
            Measure::Request => self.event.filter(|_| !self.by_events),
            Measure::Event => self.event.filter(|_| self.by_events),
            Measure::Response => self.answer.filter(|_| !self.by_events),
        }
    }
}

impl Unit {
    fn size(self) -> u64 {
        match self {
            Unit::Bytes | Unit::Seconds => 1,
            Unit::Kib => MIB / 1024,
            Unit::Mib => MIB,
            Unit::Gib => MIB * 1024,
        }
    }

    fn of(self, base: u64) -> u64 {
        base / self.size()
    }

    /// A number, or a list of them, in bytes or seconds.
    fn all(self, value: &Value) -> Vec<u64> {
        let each = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        each.iter().filter_map(Value::as_u64).map(|number| number * self.size()).collect()
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{
        "name": "small", "cloud": "x", "title": "Small", "dated": "2026-11-21",
        "sources": {
            "page": {"what": "a page", "grade": "vendor's page"},
            "belief": {"what": "a belief", "grade": "unverified", "unverified": true}
        },
        "figures": {
            "memory_mb": {"choices": {"v": [128, 256], "src": "page"}, "default": {"v": 128, "src": "page"}},
            "limits": {"size_mb": {"v": 1, "src": "page"}, "tmp": {"v": true, "src": "belief"}}
        },
        "rules": [
            {"of": "unzipped", "figure": "limits.size_mb", "unit": "mib", "bound": "at_most",
             "says": "{have} MB is too much", "says_src": "belief", "advice": "less"},
            {"of": "memory", "figure": "memory_mb.choices", "unit": "mib", "bound": "one_of", "advice": "choose"},
            {"of": "tmp", "figure": "limits.tmp", "unit": "bytes", "bound": "within_memory", "advice": "more"}
        ]
    }"#;

    fn judged(load: Load) -> Vec<(Measure, bool, bool)> {
        let findings = Profile::read(SMALL).unwrap().judge(&load);
        findings.iter().map(|finding| (finding.what, finding.fits, finding.unverified)).collect()
    }

    #[test]
    fn limits_are_inclusive_and_defaults_fit() {
        let size = |unzipped| judged(Load { unzipped, ..Load::default() });
        assert_eq!(size(MIB), [(Measure::Unzipped, true, false)]);
        assert_eq!(size(MIB + 1), [(Measure::Unzipped, false, true)], "its words are unverified");
        let memory = |memory| judged(Load { memory: Some(memory * MIB), ..Load::default() })[1];
        assert_eq!(memory(256), (Measure::Memory, true, false));
        assert_eq!(memory(200), (Measure::Memory, false, false), "no tier, though it is smaller than one");
    }

    #[test]
    fn scratch_files_may_be_memory() {
        let tmp = |memory, tmp: u64| {
            let load = Load { memory, tmp: Some(tmp * MIB), ..Load::default() };
            judged(load).pop().unwrap()
        };
        assert_eq!(tmp(None, 128), (Measure::Tmp, true, true));
        assert_eq!(tmp(None, 129), (Measure::Tmp, false, true));
        assert_eq!(tmp(Some(256 * MIB), 129), (Measure::Tmp, true, true));
    }

    #[test]
    fn what_a_call_took_is_judged_where_there_was_one() {
        let text = SMALL.replace(r#""rules": ["#, r#""rules": [
            {"of": "peak", "figure": "memory_mb.default", "unit": "mib", "bound": "within_memory", "advice": "more"},
            {"of": "request", "figure": "limits.size_mb", "unit": "kib", "bound": "at_most", "advice": "less"},
            {"of": "event", "figure": "limits.size_mb", "unit": "mib", "bound": "at_most", "advice": "less"},
            {"of": "response", "figure": "limits.size_mb", "unit": "kib", "bound": "at_most", "advice": "less"},
            {"of": "image", "figure": "limits.size_mb", "unit": "gib", "bound": "at_most", "advice": "less"},"#);
        let judged = |load: Load| {
            let findings = Profile::read(&text).unwrap().judge(&load);
            let of_calls =
                findings.iter().filter(|one| !matches!(one.what, Measure::Unzipped | Measure::Memory));
            of_calls.map(|one| (one.what, one.fits)).collect::<Vec<_>>()
        };
        assert_eq!(judged(Load::default()), [(Measure::Image, true)]);
        let called = Load { peak: Some(200 * MIB), event: Some(2000), answer: Some(1000), ..Load::default() };
        let image = (Measure::Image, true);
        assert_eq!(
            judged(called),
            [(Measure::Peak, false), (Measure::Request, false), (Measure::Response, true), image]
        );
        let larger = Load { memory: Some(256 * MIB), by_events: true, ..called };
        assert_eq!(judged(larger), [(Measure::Peak, true), (Measure::Event, true), image]);
    }

    #[test]
    fn the_vendor_speaks_only_when_it_does_not_fit() {
        let profile = Profile::read(SMALL).unwrap();
        let words = |unzipped| {
            let finding = profile.judge(&Load { unzipped, ..Load::default() }).remove(0);
            (finding.says, finding.advice)
        };
        assert_eq!(words(0), (None, None));
        assert_eq!(words(3 * MIB), (Some("3 MB is too much".into()), Some("less".into())));
    }

    #[test]
    fn a_timeout_counts_as_what_starts_the_function() {
        let load = Load { timeout: Some(Duration::from_millis(1500)), ..Load::default() };
        let both =
            |load: &Load, apart| (load.get(Measure::Timeout, apart), load.get(Measure::EventTimeout, apart));
        assert_eq!(both(&load, true), (Some(2), None));
        let load = Load { by_events: true, ..load };
        assert_eq!(both(&load, true), (None, Some(2)));
        assert_eq!(both(&load, false).0, Some(2), "a limit of all functions is one of these too");
    }

    #[test]
    fn profiles_with_holes_are_refused() {
        let read = |was: &str, is: &str| Profile::read(&SMALL.replace(was, is)).unwrap_err().to_string();
        assert!(read(r#""src": "belief""#, r#""src": "hearsay""#).contains("`hearsay` is no source"));
        assert!(read(r#""says_src": "belief""#, r#""says_src": "x""#).contains("`x` is no source"));
        assert!(
            read(r#""figure": "limits.size_mb""#, r#""figure": "limits.size""#).contains("`limits.size`")
        );
        assert!(read(r#""v": 1,"#, r#""v": "one","#).contains("`limits.size_mb` has no such limit"));
        assert!(read(r#""title""#, r#""titel""#).starts_with("not a profile"));
    }
}
