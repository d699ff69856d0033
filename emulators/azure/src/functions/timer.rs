//! Timer triggers: six fields of NCRONTAB or a span of time, on the engine's schedules.
//!
//! Source: Azure Functions documentation, "Timer trigger for Azure Functions" (NCRONTAB expressions).

use crate::bindings::expression::settled;
use crate::settings::span;
use crate::worker::index::Binding;
use crate::worker::timer_event;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use mlemu_core::{Environment, FunctionId, Timestamp};
use mlemu_engine::Ids;
use mlemu_engine::schedules::{Schedule, Schedules, Starts};
use std::sync::Arc;
use std::time::Duration;

/// Days that are looked through for the next time: past every leap year.
const DAYS: i32 = 366 * 9;
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When a timer fires, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
enum When {
    Every(Duration),
    At(Box<Fields>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fields {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
}

/// Puts the timer of a function among the schedules; `Err` says why it never fires. `is_start`: the host starts, which
/// a timer may want to be told of.
pub(super) fn arrange(
    schedules: &Arc<Schedules>,
    function: &FunctionId,
    trigger: &Binding,
    settings: &Environment,
    is_start: bool,
) -> Result<(), String> {
    let said = trigger.text("schedule").unwrap_or_default();
    let expression = settled(said, settings)?;
    let when = When::read(&expression)
        .ok_or_else(|| format!("`{expression}` is no schedule: write six fields, like \"0 */5 * * * *\""))?;
    let again = when.clone();
    let event = move |at: Timestamp, _: &Ids| {
        let next = again.next(at).unwrap_or(at);
        timer_event(at.millis(), next.millis(), false).to_string().into()
    };
    let id: Arc<str> = function.name.clone();
    schedules.put(Schedule {
        id: id.clone(),
        expression,
        next: Arc::new(move |after| when.next(after)),
        starts: Starts::Function { target: function.clone(), event: Arc::new(event) },
    });
    let on_startup = trigger.said.get("runOnStartup").is_some_and(|said| said == true || said == "true");
    if is_start && on_startup {
        let schedules = schedules.clone();
        tokio::spawn(async move { schedules.fire(&id).await });
    }
    Ok(())
}

impl When {
    fn read(text: &str) -> Option<Self> {
        if text.contains(':') && !text.contains(' ') {
            return span(text).filter(|every| !every.is_zero()).map(When::Every);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let (seconds, rest) = match words.as_slice() {
            [seconds, rest @ ..] if rest.len() == 5 => (*seconds, rest),
            rest if rest.len() == 5 => ("0", rest),
            _ => return None,
        };
        Some(When::At(Box::new(Fields {
            seconds: field(seconds, 0, 59, &[])?,
            minutes: field(rest[0], 0, 59, &[])?,
            hours: field(rest[1], 0, 23, &[])?,
            days: field(rest[2], 1, 31, &[])?,
            months: field(rest[3], 1, 12, &MONTHS)?,
            weekdays: weekdays(rest[4])?,
        })))
    }

    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            When::Every(every) => Some(after.plus(*every)),
            When::At(fields) => fields.next(after),
        }
    }
}

/// 7 is a Sunday too.
fn weekdays(text: &str) -> Option<u64> {
    let bits = field(text, 0, 7, &WEEKDAYS)?;
    Some((bits | (bits >> 7)) & 0x7f)
}

/// A bit for each value. Names stand for numbers from `least` on.
fn field(text: &str, least: u32, most: u32, names: &[&str]) -> Option<u64> {
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let number = |text: &str| {
            let known = names.iter().position(|name| name.eq_ignore_ascii_case(text));
            let known = known.and_then(|at| u32::try_from(at).ok()).map(|at| at + least);
            known.or_else(|| text.parse().ok()).filter(|number| (least..=most).contains(number))
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (number(from)?, number(to)?),
            None if part.contains('/') => (number(range)?, most),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return None;
        }
        (from..=to).step_by(step as usize).for_each(|value| bits |= 1_u64 << value);
    }
    Some(bits)
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits & (1 << value) != 0)
}

/// The first value from `from` on.
fn first(bits: u64, from: i8, most: i8) -> Option<i8> {
    (from..=most).find(|value| has(bits, *value))
}

impl Fields {
    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = jiff::Timestamp::from_second(after.0.div_euclid(1_000_000) + 1).ok()?;
        let start = after.to_zoned(TimeZone::UTC).datetime();
        let mut day = start.date();
        for _ in 0..DAYS {
            let weekday = day.weekday().since(Weekday::Sunday);
            if has(self.months, day.month()) && has(self.days, day.day()) && has(self.weekdays, weekday) {
                let from = if day == start.date() {
                    (start.hour(), start.minute(), start.second())
                } else {
                    (0, 0, 0)
                };
                if let Some((hour, minute, second)) = self.time(from) {
                    let at = day.at(hour, minute, second, 0).to_zoned(TimeZone::UTC).ok()?;
                    return Some(Timestamp(at.timestamp().as_microsecond()));
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The first time of a day that is not before `from`.
    fn time(&self, from: (i8, i8, i8)) -> Option<(i8, i8, i8)> {
        for hour in (from.0..24).filter(|hour| has(self.hours, *hour)) {
            let minute = if hour == from.0 { from.1 } else { 0 };
            for minute in (minute..60).filter(|minute| has(self.minutes, *minute)) {
                let second = if (hour, minute) == (from.0, from.1) { from.2 } else { 0 };
                if let Some(second) = first(self.seconds, second, 59) {
                    return Some((hour, minute, second));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &str, after: &str) -> Option<String> {
        let after: jiff::Timestamp = after.parse().unwrap();
        let next = When::read(text)?.next(Timestamp(after.as_microsecond()))?;
        Some(jiff::Timestamp::from_microsecond(next.0).unwrap().to_string())
    }

    #[test]
    fn six_fields_five_fields_and_spans() {
        let at = "2026-11-21T10:07:30Z";
        let cases = [
            ("0 */5 * * * *", "2026-11-21T10:10:00Z"),
            ("*/15 * * * * *", "2026-11-21T10:07:45Z"),
            ("0 0 9-17 * * MON-FRI", "2026-11-23T09:00:00Z"),
            ("0 30 9 * Jan Mon", "2027-01-04T09:30:00Z"),
            ("0 0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("30 7 10 * * 7", "2026-11-22T10:07:30Z"),
            ("0 12 * * *", "2026-11-21T12:00:00Z"),
            ("01:00:00", "2026-11-21T11:07:30Z"),
            ("0 0 1,15 * * *", "2026-11-21T15:00:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(next(text, at).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_schedule_and_what_never_comes() {
        for bad in [
            "",
            "* * * *",
            "60 * * * * *",
            "0 0 0 0 1 *",
            "a * * * * *",
            "5-1 * * * * *",
            "*/0 * * * * *",
            "00:00:00",
        ] {
            assert_eq!(When::read(bad), None, "{bad}");
        }
        assert_eq!(next("0 0 0 31 2 *", "2026-11-21T00:00:00Z"), None);
    }
}
