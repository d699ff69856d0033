//! One rule: what it fits, what goes wrong, and when it strikes.

use super::{Hit, Standing};
use mlemu_core::Timestamp;
use mlemu_core::outcome::Phase;
use std::fmt;
use std::time::Duration;

/// Where something can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A request of a client.
    Request,
    /// A call of a function.
    Call,
    /// A message on its way to a queue, or a change on its way to a function.
    Delivery,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Refused as the vendor refuses who comes too often.
    Throttle,
    /// Answered with this status of the vendor's own trouble.
    Status(u16),
    /// Writes fail for want of room.
    DiskFull,
    /// Takes longer, by something between the two.
    Latency { least: Duration, most: Duration },
    /// The connection breaks off without an answer.
    Reset,
    /// The connection breaks off after so many bytes of the answer's body.
    Truncate { after: u64 },
    /// No answer, ever.
    Hang,
    /// Comes twice.
    Duplicate,
    /// What is received together comes in the opposite order.
    Reorder,
    /// Comes later, in emulated time.
    Delay(Duration),
    /// Never comes.
    Drop,
    /// The function's process ends as one that took too much memory.
    OutOfMemory,
    /// The function's process ends while it starts, or in the handler.
    Crash(Phase),
    /// The function is ended as one that took too long, at once.
    Timeout,
    /// The call is a cold start.
    Cold,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Throttle => f.write_str("throttle"),
            Effect::Status(status) => write!(f, "status {status}"),
            Effect::DiskFull => f.write_str("disk-full"),
            Effect::Latency { .. } => f.write_str("latency"),
            Effect::Reset => f.write_str("reset"),
            Effect::Truncate { after } => write!(f, "truncate after {after} bytes"),
            Effect::Hang => f.write_str("hang"),
            Effect::Duplicate => f.write_str("duplicate"),
            Effect::Reorder => f.write_str("reorder"),
            Effect::Delay(by) => write!(f, "delay by {by:?}"),
            Effect::Drop => f.write_str("drop"),
            Effect::OutOfMemory => f.write_str("oom"),
            Effect::Crash(Phase::Init) => f.write_str("crash-init"),
            Effect::Crash(Phase::Invoke) => f.write_str("crash-handler"),
            Effect::Timeout => f.write_str("timeout"),
            Effect::Cold => f.write_str("cold"),
        }
    }
}

/// What a rule fits; what is not said fits anything. `*` stands for any letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    pub service: Option<String>,
    pub operation: Option<String>,
    /// A bucket with or without a key, or a queue.
    pub resource: Option<String>,
    pub function: Option<String>,
}

/// When a rule that fits strikes; all of it must be so.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// Only at these of what fits, counted from 1; none: at all of them.
    pub nth: Vec<u64>,
    /// Not at the first so many.
    pub after: u64,
    /// At most so often.
    pub times: Option<u64>,
    pub probability: f64,
    /// Only so long after it was set, in emulated time.
    pub window: Option<Duration>,
}

impl Default for When {
    fn default() -> Self {
        Self { nth: Vec::new(), after: 0, times: None, probability: 1.0, window: None }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub matching: Matching,
    pub effect: Effect,
    pub when: When,
}

/// Something that is about to happen.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    pub point: Point,
    pub service: &'a str,
    pub operation: &'a str,
    pub resource: &'a str,
    pub function: &'a str,
}

impl Sighting<'_> {
    pub(super) fn describe(&self) -> String {
        let what = if self.function.is_empty() { self.resource } else { self.function };
        let words = [self.service, self.operation, what];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl Rule {
    /// Throttles, latency and full disks are a function's where one is named, and a request's otherwise.
    fn acts_at(&self, point: Point) -> bool {
        let of_function = self.matching.function.is_some();
        match self.effect {
            Effect::Throttle | Effect::Latency { .. } | Effect::DiskFull if of_function => {
                point == Point::Call
            }
            Effect::Throttle
            | Effect::Latency { .. }
            | Effect::Status(_)
            | Effect::DiskFull
            | Effect::Reset
            | Effect::Truncate { .. }
            | Effect::Hang => point == Point::Request,
            Effect::Duplicate | Effect::Reorder | Effect::Delay(_) | Effect::Drop => point == Point::Delivery,
            Effect::OutOfMemory | Effect::Crash(_) | Effect::Timeout | Effect::Cold => point == Point::Call,
        }
    }

    fn fits(&self, sighting: &Sighting<'_>) -> bool {
        let Matching { service, operation, resource, function } = &self.matching;
        let fits = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| is_like(text.as_bytes(), pattern.as_bytes()))
        };
        let bucket = sighting.resource.split('/').next().unwrap_or_default();
        // Order is a matter of what is received, everything else of what is sent.
        let receives = sighting.point == Point::Delivery && sighting.operation == RECEIVE;
        let turned = (self.effect == Effect::Reorder) == receives;
        self.acts_at(sighting.point)
            && (turned || sighting.point != Point::Delivery)
            && fits(service, sighting.service)
            && fits(operation, sighting.operation)
            && (fits(resource, sighting.resource) || fits(resource, bucket))
            && fits(function, sighting.function)
    }
}

/// The operation of those who give messages.
pub(crate) const SEND: &str = "send";
/// The operation of those who take messages.
pub(crate) const RECEIVE: &str = "receive";

/// Whether a text is like a pattern, letter case aside.
fn is_like(text: &[u8], pattern: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| is_like(&text[skipped..], rest)),
        Some((letter, rest)) => {
            text.first().is_some_and(|first| first.eq_ignore_ascii_case(letter)) && is_like(&text[1..], rest)
        }
    }
}

/// A rule at work.
pub(super) struct Armed {
    pub number: u64,
    rule: Rule,
    set: Timestamp,
    seen: u64,
    struck: u64,
    dice: u64,
}

impl Armed {
    pub fn new(rule: Rule, number: u64, seed: u64, set: Timestamp) -> Self {
        let dice = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { number, rule, set, seen: 0, struck: 0, dice }
    }

    pub fn standing(&self) -> Standing {
        Standing { number: self.number, rule: self.rule.clone(), seen: self.seen, struck: self.struck }
    }

    /// Counts what fits, and strikes if it may.
    pub fn sees(&mut self, sighting: &Sighting<'_>, now: Timestamp, may: bool) -> Option<Hit> {
        if !self.rule.fits(sighting) {
            return None;
        }
        self.seen += 1;
        let dice = self.throw();
        let When { nth, after, times, probability, window } = &self.rule.when;
        let strikes = may
            && (nth.is_empty() || nth.contains(&self.seen))
            && self.seen > *after
            && times.is_none_or(|times| self.struck < times)
            && window.is_none_or(|window| now <= self.set.plus(window))
            && f64::from(dice) < probability * (f64::from(u32::MAX) + 1.0);
        if !strikes {
            return None;
        }
        self.struck += 1;
        let again = self.throw();
        Some(Hit { rule: self.number, effect: self.rule.effect.clone(), dice: again })
    }

    /// The next of a row that the seed decides (SplitMix64).
    fn throw(&mut self) -> u32 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    }
}

impl Hit {
    /// How long a latency takes.
    pub fn latency(&self) -> Duration {
        match self.effect {
            Effect::Latency { least, most } => {
                let part = f64::from(self.dice) / f64::from(u32::MAX);
                least + most.saturating_sub(least).mul_f64(part)
            }
            _ => Duration::ZERO,
        }
    }
}
