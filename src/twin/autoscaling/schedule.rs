//! Schedules: `cron(...)`, `rate(...)` and `at(...)`, and when they are next due.
//!
//! The twin's own reading, kept apart from Evenkeel's on purpose: two readings that agree check
//! each other. It tries one day after the other and is no faster than it needs to be.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

/// How many days ahead are tried: leap days come at most eight years apart.
const HORIZON_DAYS: usize = 366 * 9;

/// When something is due.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// At the minutes that six fields name.
    Cron(Cron),
    /// Again and again after this long.
    Rate(SignedDuration),
    /// Once, in local time.
    At(DateTime),
}

/// The fields of a cron expression.
#[derive(Clone, Debug)]
pub struct Cron {
    minutes: BTreeSet<i16>,
    hours: BTreeSet<i16>,
    days: Days,
    months: BTreeSet<i16>,
    years: BTreeSet<i16>,
}

/// Which days of a month.
#[derive(Clone, Debug)]
enum Days {
    /// These numbers.
    OfMonth(BTreeSet<i16>),
    /// The last one.
    Last,
    /// The weekday nearest to this number.
    NearestWeekday(i16),
    /// These weekdays, from Sunday as 1.
    OfWeek(BTreeSet<i16>),
    /// The nth of this weekday.
    NthOfWeek(i16, i16),
    /// The last of this weekday.
    LastOfWeek(i16),
}

const MONTHS: &[&str] = &[
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Schedule {
    /// Reads an expression; `None` when AWS would not take it.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.trim().split_once('(')?;
        let inner = rest.strip_suffix(')')?.trim();
        match kind {
            "cron" => Cron::parse(inner).map(Self::Cron),
            "rate" => rate(inner).map(Self::Rate),
            "at" => inner.parse().ok().map(Self::At),
            _ => None,
        }
    }

    /// The first time after `after`. Rates count from `base`; the others are read in `zone`.
    pub fn next_after(
        &self,
        after: Timestamp,
        base: Timestamp,
        zone: &TimeZone,
    ) -> Option<Timestamp> {
        match self {
            Self::Cron(cron) => cron.next_after(after, zone),
            Self::Rate(every) => {
                if after < base {
                    return Some(base);
                }
                let passed = after.duration_since(base).as_secs() / every.as_secs();
                let periods = i32::try_from(passed + 1).ok()?;
                base.checked_add(every.checked_mul(periods)?).ok()
            }
            Self::At(local) => {
                let at = zone.to_timestamp(*local).ok()?;
                (at > after).then_some(at)
            }
        }
    }
}

fn rate(inner: &str) -> Option<SignedDuration> {
    let (number, unit) = inner.split_once(' ')?;
    let number: i64 = number.parse().ok().filter(|n| *n > 0)?;
    let seconds = match (unit.trim(), number) {
        ("minute", 1) => 60,
        ("hour", 1) => 3600,
        ("day", 1) => 86_400,
        ("minutes", n) if n > 1 => 60,
        ("hours", n) if n > 1 => 3600,
        ("days", n) if n > 1 => 86_400,
        _ => return None,
    };
    Some(SignedDuration::from_secs(number.checked_mul(seconds)?))
}

impl Cron {
    fn parse(inner: &str) -> Option<Self> {
        let fields: Vec<&str> = inner.split_whitespace().collect();
        let &[minutes, hours, of_month, months, of_week, years] = fields.as_slice() else {
            return None;
        };
        let days = match (of_month, of_week) {
            ("?", "?") => return None,
            ("?", week) => days_of_week(week)?,
            (month, "?") => days_of_month(month)?,
            _ => return None,
        };
        Some(Self {
            minutes: set(minutes, 0, 59, &[], 0)?,
            hours: set(hours, 0, 23, &[], 0)?,
            days,
            months: set(months, 1, 12, MONTHS, 1)?,
            years: set(years, 1970, 2199, &[], 0)?,
        })
    }

    fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut date = after.to_zoned(zone.clone()).date();
        for _ in 0..HORIZON_DAYS {
            if self.has(date) {
                let due = self.times().find_map(|time| {
                    let at = zone.to_timestamp(date.to_datetime(time)).ok()?;
                    (at > after).then_some(at)
                });
                if due.is_some() {
                    return due;
                }
            }
            date = date.checked_add(1.day()).ok()?;
        }
        None
    }

    /// Every hour with every minute, in order.
    fn times(&self) -> impl Iterator<Item = Time> {
        self.hours.iter().flat_map(|hour| {
            self.minutes.iter().filter_map(|minute| {
                let (hour, minute) = (i8::try_from(*hour).ok()?, i8::try_from(*minute).ok()?);
                Time::new(hour, minute, 0, 0).ok()
            })
        })
    }

    fn has(&self, date: Date) -> bool {
        let weekday = i16::from(date.weekday().to_sunday_one_offset());
        let day = i16::from(date.day());
        self.years.contains(&date.year())
            && self.months.contains(&i16::from(date.month()))
            && match &self.days {
                Days::OfMonth(days) => days.contains(&day),
                Days::Last => date == date.last_of_month(),
                Days::NearestWeekday(wanted) => nearest_weekday(date, *wanted) == Some(date),
                Days::OfWeek(days) => days.contains(&weekday),
                Days::NthOfWeek(of, nth) => weekday == *of && (day - 1) / 7 + 1 == *nth,
                Days::LastOfWeek(of) => weekday == *of && day + 7 > i16::from(date.days_in_month()),
            }
    }
}

/// The weekday nearest to day `wanted` of the month of `date`, without leaving that month.
fn nearest_weekday(date: Date, wanted: i16) -> Option<Date> {
    let day = i8::try_from(wanted).ok()?.min(date.days_in_month());
    let target = date
        .first_of_month()
        .checked_add((i64::from(day) - 1).days())
        .ok()?;
    let by = match target.weekday() {
        Weekday::Saturday if day == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if target == target.last_of_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    target.checked_add(i64::from(by).days()).ok()
}

fn days_of_month(field: &str) -> Option<Days> {
    if field == "L" {
        return Some(Days::Last);
    }
    if let Some(day) = field.strip_suffix('W') {
        let day = day.parse().ok().filter(|day| (1..=31).contains(day))?;
        return Some(Days::NearestWeekday(day));
    }
    set(field, 1, 31, &[], 0).map(Days::OfMonth)
}

fn days_of_week(field: &str) -> Option<Days> {
    if field == "L" {
        return Some(Days::OfWeek(BTreeSet::from([7])));
    }
    if let Some((day, nth)) = field.split_once('#') {
        let day = value(day, WEEKDAYS, 1).filter(|day| (1..=7).contains(day))?;
        let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth))?;
        return Some(Days::NthOfWeek(day, nth));
    }
    if let Some(day) = field.strip_suffix('L') {
        let day = value(day, WEEKDAYS, 1).filter(|day| (1..=7).contains(day))?;
        return Some(Days::LastOfWeek(day));
    }
    set(field, 1, 7, WEEKDAYS, 1).map(Days::OfWeek)
}

/// A number, or a name counted from `first`.
fn value(text: &str, names: &[&str], first: i16) -> Option<i16> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let at = names
        .iter()
        .position(|name| text.eq_ignore_ascii_case(name))?;
    Some(i16::try_from(at).ok()? + first)
}

/// The numbers that a field of lists, ranges and steps names.
fn set(field: &str, least: i16, most: i16, names: &[&str], first: i16) -> Option<BTreeSet<i16>> {
    let mut all = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|s| *s > 0)?)),
            None => (part, None),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (least, most),
            (_, Some((from, to))) => (value(from, names, first)?, value(to, names, first)?),
            (one, None) => {
                let one = value(one, names, first)?;
                (one, if step.is_some() { most } else { one })
            }
        };
        if from < least || to > most {
            return None;
        }
        let step = step.unwrap_or(1);
        if from <= to {
            all.extend((from..=to).step_by(step));
        } else {
            // FRI-MON goes over the end.
            all.extend((from..=most).chain(least..=to).step_by(step));
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &str, after: &str, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let after: Timestamp = after.parse().unwrap();
        let schedule = Schedule::parse(text).unwrap();
        let next = schedule.next_after(after, after, &zone).unwrap();
        next.to_string()
    }

    #[test]
    fn a_daily_cron_follows_its_zone_over_the_change_of_clocks() {
        let nights = "cron(0 20 * * ? *)";
        let zurich = "Europe/Zurich";
        assert_eq!(
            next(nights, "2026-10-24T12:00:00Z", zurich),
            "2026-10-24T18:00:00Z"
        );
        assert_eq!(
            next(nights, "2026-10-24T18:00:00Z", zurich),
            "2026-10-25T19:00:00Z"
        );
    }

    #[test]
    fn every_form_of_a_field_is_read() {
        let from = "2026-11-23T12:00:00Z";
        for (text, due) in [
            ("cron(0/15 * * * ? *)", "2026-11-23T12:15:00Z"),
            ("cron(0 8 ? * MON-FRI *)", "2026-11-24T08:00:00Z"),
            ("cron(0 8 ? * SAT,SUN *)", "2026-11-28T08:00:00Z"),
            ("cron(0 8 ? * 2#1 *)", "2026-12-07T08:00:00Z"),
            ("cron(0 8 ? * 6L *)", "2026-11-27T08:00:00Z"),
            ("cron(0 8 L * ? *)", "2026-11-30T08:00:00Z"),
            ("cron(0 8 28W * ? *)", "2026-11-27T08:00:00Z"),
            ("cron(0 8 29 FEB ? *)", "2028-02-29T08:00:00Z"),
            ("cron(0 8 1 1 ? 2030)", "2030-01-01T08:00:00Z"),
            ("rate(5 minutes)", "2026-11-23T12:05:00Z"),
            ("at(2026-12-24T18:00:00)", "2026-12-24T18:00:00Z"),
        ] {
            assert_eq!(next(text, from, "UTC"), due, "{text}");
        }
    }

    #[test]
    fn what_aws_does_not_take_is_not_read() {
        for text in [
            "cron(0 20 * * * *)",
            "cron(0 20 ? * ? *)",
            "cron(0 20 * * ?)",
            "cron(60 20 * * ? *)",
            "rate(1 minutes)",
            "rate(2 minute)",
            "rate(0 days)",
            "at(tomorrow)",
            "every day",
        ] {
            assert!(Schedule::parse(text).is_none(), "{text}");
        }
    }
}
