//! Schedule expressions, `rate(...)` and `cron(...)`, and the event that a scheduled function receives.
//!
//! Follows "Setting a schedule pattern" of the EventBridge user guide: six fields (minutes, hours, day of month,
//! month, day of week, year), UTC, days of the week from Sunday as 1.

use bytes::Bytes;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, ToSpan};
use mlemu_core::{FunctionId, Timestamp};
use mlemu_engine::ids::Id;
use serde_json::json;
use std::time::Duration;

/// How far ahead a time is looked for, in days: a leap day comes at least every eight years.
const HORIZON: usize = 366 * 8 + 2;
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    Rate(Duration),
    Cron(Box<Cron>),
}

/// Each field as the numbers that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Vec<i16>,
    hours: Vec<i16>,
    days: Days,
    months: Vec<i16>,
    years: Vec<i16>,
}

/// The one of the two fields of days that is not `?`. Days of the week are numbered from Sunday as 1.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<i16>),
    /// `L`
    LastOfMonth,
    /// `LW`: the last day from Monday to Friday.
    LastWorking,
    /// `15W`: the day from Monday to Friday that is nearest to it, in the same month.
    Working(i8),
    OfWeek(Vec<i16>),
    /// `6L`: the last such day of the month.
    LastSuch(i16),
    /// `3#2`: the second such day of the month.
    Nth(i16, i8),
}

impl Expression {
    /// `None`: it is no expression that mlemu knows.
    pub fn read(text: &str) -> Option<Self> {
        let inner = |name: &str| text.trim().strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inner("rate") {
            let (count, unit) = rate.trim().split_once(' ')?;
            let count: u64 = count.parse().ok().filter(|count| (1..=100_000).contains(count))?;
            let seconds = match (count, unit.trim()) {
                (1, "minute") | (2.., "minutes") => 60,
                (1, "hour") | (2.., "hours") => 3600,
                (1, "day") | (2.., "days") => 86_400,
                _ => return None,
            };
            return Some(Self::Rate(Duration::from_secs(count * seconds)));
        }
        let fields: Vec<&str> = inner("cron")?.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays, years] = fields[..] else { return None };
        let cron = Cron {
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: match (days, weekdays) {
                ("?", "?") => return None,
                (_, "?") => Days::of_month(days)?,
                ("?", _) => Days::of_week(weekdays)?,
                _ => return None,
            },
            months: field(months, 1, 12, &MONTHS)?,
            years: field(years, 1970, 2199, &[])?,
        };
        Some(Self::Cron(Box::new(cron)))
    }

    /// The first time after `after`.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Expression::Rate(every) => Some(after.plus(*every)),
            Expression::Cron(cron) => cron.next(after),
        }
    }
}

impl Days {
    fn of_month(text: &str) -> Option<Self> {
        if let Some(day) = text.strip_suffix('W').filter(|day| *day != "L") {
            return day.parse().ok().filter(|day| (1..=31).contains(day)).map(Self::Working);
        }
        Some(match text {
            "L" => Self::LastOfMonth,
            "LW" => Self::LastWorking,
            _ => Self::OfMonth(field(text, 1, 31, &[])?),
        })
    }

    fn of_week(text: &str) -> Option<Self> {
        let one = |text: &str| field(text, 1, 7, &DAYS).filter(|days| days.len() == 1)?.pop();
        if let Some((day, nth)) = text.split_once('#') {
            let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth))?;
            return Some(Self::Nth(one(day)?, nth));
        }
        Some(match text.strip_suffix('L') {
            // The last day of a week.
            Some("") => Self::OfWeek(vec![7]),
            Some(day) => Self::LastSuch(one(day)?),
            None => Self::OfWeek(field(text, 1, 7, &DAYS)?),
        })
    }

    fn has(&self, day: Date) -> bool {
        let weekday = i16::from(day.weekday().since(Weekday::Sunday)) + 1;
        match self {
            Self::OfMonth(days) => days.contains(&i16::from(day.day())),
            Self::LastOfMonth => day.day() == day.days_in_month(),
            Self::LastWorking => working(day, day.days_in_month()) == Some(day),
            Self::Working(near) => working(day, *near) == Some(day),
            Self::OfWeek(days) => days.contains(&weekday),
            Self::LastSuch(which) => weekday == *which && day.day() + 7 > day.days_in_month(),
            Self::Nth(which, nth) => weekday == *which && (day.day() - 1) / 7 + 1 == *nth,
        }
    }
}

/// The day from Monday to Friday that is nearest to day `near` of the same month as `month`.
fn working(month: Date, near: i8) -> Option<Date> {
    let wanted = month.with().day(near).build().ok()?;
    let by = match wanted.weekday() {
        Weekday::Saturday if near == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if near == month.days_in_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    wanted.checked_add(by.days()).ok()
}

/// `*`, numbers, names, ranges, lists and steps.
fn field(text: &str, least: i16, most: i16, names: &[&str]) -> Option<Vec<i16>> {
    let number = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let read = named.and_then(|at| i16::try_from(at + 1).ok()).or_else(|| text.parse().ok())?;
        (least..=most).contains(&read).then_some(read)
    };
    let mut all = Vec::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((first, last)) => (number(first)?, number(last)?),
            None if step.is_some() => (number(range)?, most),
            None => (number(range)?, number(range)?),
        };
        if first > last {
            return None;
        }
        let step = step.map_or(Some(1), |step| step.parse::<usize>().ok().filter(|step| *step > 0))?;
        all.extend((first..=last).step_by(step));
    }
    all.sort_unstable();
    all.dedup();
    (!all.is_empty()).then_some(all)
}

impl Cron {
    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let begin = Instant::from_microsecond(after.0).ok()?.to_zoned(TimeZone::UTC);
        let mut day = begin.date();
        for _ in 0..HORIZON {
            if self.has(day) {
                let times = self
                    .hours
                    .iter()
                    .flat_map(|hour| self.minutes.iter().map(move |minute| (*hour, *minute)));
                for (hour, minute) in times {
                    let at = day.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
                    let at = at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond();
                    if at > after.0 {
                        return Some(Timestamp(at));
                    }
                }
            }
            day = day.checked_add(1.day()).ok()?;
        }
        None
    }

    fn has(&self, day: Date) -> bool {
        self.years.contains(&day.year())
            && self.months.contains(&i16::from(day.month()))
            && self.days.has(day)
    }
}

/// EventBridge's "Scheduled Event".
pub fn event(function: &FunctionId, rule: &str, at: Timestamp, id: Id) -> Bytes {
    let (account, region) = (&function.scope.account, &function.scope.region);
    let time = Instant::from_microsecond(at.0).map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let document = json!({
        "version": "0",
        "id": id.uuid(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": time.unwrap_or_default(),
        "region": region,
        "resources": [format!("arn:aws:events:{region}:{account}:rule/{rule}")],
        "detail": {},
    });
    document.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, after: &str) -> String {
        let after: Instant = after.parse().unwrap();
        let read = Expression::read(expression).expect(expression);
        let next = read.next(Timestamp(after.as_microsecond())).expect("a time");
        Instant::from_microsecond(next.0).unwrap().to_string()
    }

    #[test]
    fn times_come_in_their_order() {
        let cases = [
            ("rate(5 minutes)", "2030-01-01T00:00:00Z", "2030-01-01T00:05:00Z"),
            ("rate(1 day)", "2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z"),
            ("cron(0 2 * * ? *)", "2030-01-01T02:00:00Z", "2030-01-02T02:00:00Z"),
            ("cron(0/15 * * * ? *)", "2030-01-01T23:46:00Z", "2030-01-02T00:00:00Z"),
            ("cron(30 8 ? * MON-FRI *)", "2030-01-04T09:00:00Z", "2030-01-07T08:30:00Z"),
            ("cron(0 0 29 2 ? *)", "2030-01-01T00:00:00Z", "2032-02-29T00:00:00Z"),
            ("cron(0 12 L * ? *)", "2030-02-01T00:00:00Z", "2030-02-28T12:00:00Z"),
            ("cron(0 9 ? * 2#1 *)", "2030-01-08T00:00:00Z", "2030-02-04T09:00:00Z"),
            ("cron(0 9 ? * FRIL *)", "2030-01-01T00:00:00Z", "2030-01-25T09:00:00Z"),
            ("cron(0 9 ? * L *)", "2030-01-01T00:00:00Z", "2030-01-05T09:00:00Z"),
            ("cron(0 9 15W * ? *)", "2030-06-01T00:00:00Z", "2030-06-14T09:00:00Z"),
            ("cron(0 9 1W * ? *)", "2030-06-01T00:00:00Z", "2030-06-03T09:00:00Z"),
            ("cron(0 9 LW * ? *)", "2030-06-01T00:00:00Z", "2030-06-28T09:00:00Z"),
            ("cron(0 9 31W * ? *)", "2030-03-01T00:00:00Z", "2030-03-29T09:00:00Z"),
            ("cron(5,10 1 1 JAN,JUL ? *)", "2030-01-01T01:05:00Z", "2030-01-01T01:10:00Z"),
        ];
        for (expression, after, expected) in cases {
            assert_eq!(next(expression, after), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_none() {
        for wrong in [
            "",
            "rate()",
            "rate(0 minutes)",
            "rate(5 weeks)",
            "rate(1 minutes)",
            "rate(5 minute)",
            "cron(* * * * * *)",
            "cron(0 0 ? * ? *)",
            "cron(0 0 ? * 1,5-2 *)",
            "cron(0 0 ? * 1#6 *)",
            "cron(0 0 32W * ? *)",
            "cron(0 2 * * *)",
            "cron(60 0 * * ? *)",
            "cron(0 0 * * ? 1)",
            "cron(a 0 * * ? *)",
            "cron(0/0 0 * * ? *)",
            "at(2030-01-01T00:00:00)",
        ] {
            assert_eq!(Expression::read(wrong), None, "{wrong}");
        }
        let never = Expression::read("cron(0 0 30 2 ? *)").expect("it reads");
        assert_eq!(never.next(Timestamp(0)), None);
    }
}
