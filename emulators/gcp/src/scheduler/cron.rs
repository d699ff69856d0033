//! When a schedule falls due: unix-cron, or words like `every 5 minutes`.
//!
//! Source: Cloud Scheduler, "Cron job format and time zone"; App Engine, "Schedule format" for the words.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp as Instant, Zoned};
use mlemu_core::Timestamp;

/// No schedule that ever falls due waits longer: the 29th of February over a century that has none.
const LONGEST_SEARCH: i32 = 366 * 9;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    when: When,
    zone: TimeZone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum When {
    Every(Interval),
    Cron(Box<Cron>),
}

/// Of some minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Interval {
    micros: i64,
    /// Between these times of each day, from the first of them on; `None`: from one execution to the next.
    between: Option<(Time, Time)>,
}

/// Each set as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Neither field of days is `*`: either may match.
    either: bool,
}

impl Schedule {
    /// `None`: it is none. `zone` by its name, e.g. `Europe/Berlin`; UTC when empty.
    pub fn read(text: &str, zone: &str) -> Option<Self> {
        let zone = if zone.is_empty() { TimeZone::UTC } else { TimeZone::get(zone).ok()? };
        Some(Self { when: every(text).or_else(|| cron(text))?, zone })
    }

    /// The first time after `now`, which is when the job was made or came last.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.when {
            When::Every(interval) => interval.next(now, &self.zone),
            When::Cron(cron) => cron.next(now, &self.zone),
        }
    }
}

impl Interval {
    /// Without hours the vendor counts from the end of the last execution, and falls back to the minute.
    fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let Some((from, to)) = self.between else {
            return Some(Timestamp(now.0.checked_add(self.micros)?.div_euclid(MINUTE) * MINUTE));
        };
        let today = Instant::from_microsecond(now.0).ok()?.to_zoned(zone.clone()).date();
        (-1..=2).find_map(|days| {
            let day = today.checked_add(Span::new().days(days)).ok()?;
            let last_day = if to < from { day.tomorrow().ok()? } else { day };
            let first = micros(day.to_datetime(from), zone)?;
            let steps = (now.0 - first).div_euclid(self.micros) + 1;
            let at = first.checked_add(steps.max(0).checked_mul(self.micros)?)?;
            (at <= micros(last_day.to_datetime(to), zone)?).then_some(Timestamp(at))
        })
    }
}

const MINUTE: i64 = 60_000_000;

fn micros(at: DateTime, zone: &TimeZone) -> Option<i64> {
    Some(zone.to_zoned(at).ok()?.timestamp().as_microsecond())
}

/// `every 5 minutes`, `every hour`, `every 2 hours synchronized`, `every 30 mins from 9:00 to 17:00`,
/// `every day 09:30`, `every mon,friday 12:00`
fn every(text: &str) -> Option<When> {
    let text = text.to_ascii_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let (interval, hours) = match words.as_slice() {
        ["every", days, at] if at.contains(':') => return on_days(days, at),
        ["every", unit] => (length("1", unit)?, [].as_slice()),
        ["every", count, unit, hours @ ..] => (length(count, unit)?, hours),
        _ => return None,
    };
    let between = match hours {
        [] => None,
        ["synchronized"] if (24 * 60 * MINUTE) % interval == 0 => Some((time("0:00")?, time("23:59")?)),
        ["from", from, "to", to] => Some((time(from)?, time(to)?)),
        _ => return None,
    };
    Some(When::Every(Interval { micros: interval, between }))
}

/// In microseconds.
fn length(count: &str, unit: &str) -> Option<i64> {
    let minutes = match unit.trim_end_matches('s') {
        "minute" | "min" => 1,
        "hour" => 60,
        // No word of the vendor's, but of the `rate(1 day)` that all clouds' projects may say.
        "day" => 24 * 60,
        _ => return None,
    };
    let count: u32 = count.parse().ok().filter(|count| *count > 0)?;
    i64::from(count).checked_mul(minutes * MINUTE)
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn on_days(days: &str, at: &str) -> Option<When> {
    let at = time(at)?;
    let named = |day: &str| {
        WEEKDAYS.into_iter().find(|short| NAMES.contains(&day) && day.starts_with(short) || day == *short)
    };
    let days: Option<Vec<&str>> = match days {
        "day" => Some(vec!["*"]),
        days => days.split(',').map(named).collect(),
    };
    cron(&format!("{} {} * * {}", at.minute(), at.hour(), days?.join(",")))
}

const NAMES: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 8] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn cron(text: &str) -> Option<When> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return None };
    let weekday_bits = field(weekdays, 0, 7, &WEEKDAYS, 0)?;
    Some(When::Cron(Box::new(Cron {
        minutes: field(minutes, 0, 59, &[], 0)?,
        hours: field(hours, 0, 23, &[], 0)?,
        days: field(days, 1, 31, &[], 0)?,
        months: field(months, 1, 12, &MONTHS, 1)?,
        // Sunday is 0 and 7.
        weekdays: (weekday_bits | weekday_bits >> 7) & 0x7f,
        either: !days.starts_with('*') && !weekdays.starts_with('*'),
    })))
}

/// `*`, `1-5`, `*/15`, `10-50/10`, lists of them; `names` count from `first`.
fn field(text: &str, least: u32, most: u32, names: &[&str], first: u32) -> Option<u64> {
    let number = |text: &str| {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let number = named.map(|at| at as u32 + first).or_else(|| text.parse().ok())?;
        (least..=most).contains(&number).then_some(number)
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: u32 = step.parse().ok().filter(|step| *step > 0)?;
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (number(from)?, number(to)?),
            None if part.contains('/') => (number(range)?, most),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return None;
        }
        bits |= (from..=to).step_by(step as usize).fold(0, |bits, at| bits | 1 << at);
    }
    Some(bits)
}

fn has(bits: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|number| bits & (1 << number) != 0)
}

impl Cron {
    fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let now = Instant::from_microsecond(now.0).ok()?.to_zoned(zone.clone());
        let today = now.date();
        (0..LONGEST_SEARCH).find_map(|days| {
            let day = today.checked_add(Span::new().days(days)).ok()?;
            if self.on(day) { self.within(day, &now, zone) } else { None }
        })
    }

    fn on(&self, day: Date) -> bool {
        let of_month = has(self.days, day.day());
        let of_week = has(self.weekdays, day.weekday().to_sunday_zero_offset());
        let on_day = if self.either { of_month || of_week } else { of_month && of_week };
        has(self.months, day.month()) && on_day
    }

    /// The first time on a day that is after `now`. A time that a change of clocks leaves out is a little later.
    fn within(&self, day: Date, now: &Zoned, zone: &TimeZone) -> Option<Timestamp> {
        let hours = (0..24).filter(|hour| has(self.hours, *hour));
        let times = hours.flat_map(|hour| {
            (0..60).filter(|minute| has(self.minutes, *minute)).map(move |minute| (hour, minute))
        });
        times.into_iter().find_map(|(hour, minute)| {
            let at: DateTime = day.at(hour, minute, 0, 0);
            let at = zone.to_zoned(at).ok().filter(|at| at > now)?;
            Some(Timestamp(at.timestamp().as_microsecond()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<Instant>().unwrap().as_microsecond())
    }

    #[track_caller]
    fn next(schedule: &str, zone: &str, now: &str) -> String {
        let schedule = Schedule::read(schedule, zone).expect("a schedule");
        crate::pubsub::wire::known::rfc3339(schedule.next(at(now)).expect("a time"))
    }

    #[test]
    fn cron_of_unix() {
        let friday = "2026-05-15T10:07:30Z";
        for (schedule, expected) in [
            ("* * * * *", "2026-05-15T10:08:00Z"),
            ("*/15 * * * *", "2026-05-15T10:15:00Z"),
            ("7 10 * * *", "2026-05-16T10:07:00Z"),
            ("0 9 * * mon-fri", "2026-05-18T09:00:00Z"),
            ("0 0 1 1 *", "2027-01-01T00:00:00Z"),
            ("0 0 13 * FRI", "2026-05-22T00:00:00Z"),
            ("0 12 * * 7", "2026-05-17T12:00:00Z"),
            ("10-50/20,5 11 * * *", "2026-05-15T11:05:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ] {
            assert_eq!(next(schedule, "", friday), expected, "{schedule}");
        }
    }

    #[test]
    fn words_and_time_zones() {
        assert_eq!(next("every day 09:30", "", "2026-05-15T10:07:30Z"), "2026-05-16T09:30:00Z");
        assert_eq!(next("every Sunday,wed 09:30", "", "2026-05-15T10:07:30Z"), "2026-05-17T09:30:00Z");
        assert_eq!(next("0 9 * * *", "Europe/Berlin", "2026-01-15T10:00:00Z"), "2026-01-16T08:00:00Z");
        assert_eq!(next("0 9 * * *", "Europe/Berlin", "2026-07-15T10:00:00Z"), "2026-07-16T07:00:00Z");
        // There is no half past two on that morning.
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z"), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn intervals_count_from_when_the_job_was_made_or_came_last() {
        assert_eq!(next("every 7 minutes", "", "2026-05-15T10:07:30Z"), "2026-05-15T10:14:00Z");
        assert_eq!(next("every 7 minutes", "", "2026-05-15T10:14:00Z"), "2026-05-15T10:21:00Z");
        assert_eq!(next("every 7 minutes", "", "2026-05-15T10:14:02Z"), "2026-05-15T10:21:00Z");
        assert_eq!(next("every hour", "", "2026-05-15T10:07:30Z"), "2026-05-15T11:07:00Z");
        assert_eq!(next("every 1 minutes", "", "2026-05-15T10:07:30Z"), "2026-05-15T10:08:00Z");
        assert_eq!(next("every 36 hours", "Europe/Berlin", "2026-05-15T10:07:30Z"), "2026-05-16T22:07:00Z");
    }

    #[test]
    fn intervals_within_hours_count_from_their_first() {
        let berlin = |schedule, now| next(schedule, "Europe/Berlin", now);
        // 11:07 there.
        assert_eq!(berlin("every 2 hours synchronized", "2026-01-15T10:07:00Z"), "2026-01-15T11:00:00Z");
        assert_eq!(berlin("every 2 hours synchronized", "2026-01-15T21:00:00Z"), "2026-01-15T23:00:00Z");
        let office = "every 25 minutes from 9:10 to 10:00";
        assert_eq!(berlin(office, "2026-01-15T10:07:00Z"), "2026-01-16T08:10:00Z");
        assert_eq!(berlin(office, "2026-01-16T08:10:00Z"), "2026-01-16T08:35:00Z");
        assert_eq!(berlin(office, "2026-01-16T08:35:00Z"), "2026-01-16T09:00:00Z");
        assert_eq!(berlin(office, "2026-01-16T09:00:00Z"), "2026-01-17T08:10:00Z");
        let night = "every 2 hours from 22:00 to 3:00";
        assert_eq!(next(night, "", "2026-01-16T23:30:00Z"), "2026-01-17T00:00:00Z");
        assert_eq!(next(night, "", "2026-01-17T00:00:00Z"), "2026-01-17T02:00:00Z");
        assert_eq!(next(night, "", "2026-01-17T02:00:00Z"), "2026-01-17T22:00:00Z");
    }

    #[test]
    fn what_is_no_schedule() {
        for wrong in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* * 0 * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "every",
            "every 0 minutes",
            "every blue moon",
            "every 7 hours synchronized",
            "every 5 minutes from 9:00",
            "every 5 minutes from 9:00 to 25:00",
            "every month 10:00",
            "every sund 10:00",
        ] {
            assert_eq!(Schedule::read(wrong, ""), None, "{wrong}");
        }
        assert_eq!(Schedule::read("* * * * *", "Mars/Olympus"), None);
        assert_eq!(
            Schedule::read("0 0 31 2 *", "").expect("a schedule").next(at("2026-01-01T00:00:00Z")),
            None
        );
    }
}
