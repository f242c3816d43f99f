//! Cron: on which minutes of which days an expression of six AWS fields fires.
//!
//! Pure: the fields are minutes, hours, day of month, month, day of week, year, with Quartz's
//! `?`, `L`, `W` and `#`, and Sunday as 1 (Application Auto Scaling user guide, "Schedule
//! recurring scaling actions using cron expressions").

use jiff::civil::Date;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Numbers,
    hours: Numbers,
    months: Numbers,
    years: Numbers,
    days: Days,
}

/// How `*` in one day field beside a day in the other is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stars {
    /// Not at all: today's guide asks for `?`.
    Strict,
    /// As `?`: an older edition of the guide has `30 6 * * 2 *` for Mondays.
    Loose,
}

/// Which days match; Quartz asks for `?` in one of its two day fields.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    /// Any of these days of the month.
    OfMonth(Vec<DayOfMonth>),
    /// Any of these days of the week.
    OfWeek(Vec<DayOfWeek>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DayOfMonth {
    Day(i16),
    /// `L`, and `L-3`: so many days before the last.
    BeforeLast(i16),
    /// `15W`: the weekday nearest to it in the same month.
    NearestWeekday(i16),
    /// `LW`.
    LastWeekday,
}

/// Sunday is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DayOfWeek {
    Every(i16),
    /// `6#3`: the third Friday.
    Nth(i16, i16),
    /// `6L`: the last Friday.
    Last(i16),
}

/// The values of one numeric field, sorted, without repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Numbers(Vec<i16>);

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// First and last year that AWS takes.
pub const YEARS: (i16, i16) = (1970, 2199);

impl Cron {
    /// Parses what stands between the parentheses of `cron(...)`, as the guide has it today.
    ///
    /// # Errors
    /// Which field is wrong, and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let cron = Self::read(text, Stars::Strict)?;
        if cron.dates().next().is_none() {
            return Err("it names a day that never comes, so it would never fire".to_owned());
        }
        Ok(cron)
    }

    /// The same of an expression that AWS has taken already.
    ///
    /// # Errors
    /// Which field cannot be read.
    pub fn taken(text: &str) -> Result<Self, String> {
        Self::read(text, Stars::Loose)
    }

    fn read(text: &str, stars: Stars) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let fields: Vec<&str> = upper.split_whitespace().collect();
        let [minutes, hours, day, month, weekday, year] = fields.as_slice() else {
            return Err(format!(
                "cron has six fields (minutes hours day-of-month month day-of-week year), here \
                 are {}",
                fields.len()
            ));
        };
        let days = match (*day, *weekday) {
            ("?", "?") => return Err("only one of the two day fields can be `?`".to_owned()),
            (day, "?") => Days::OfMonth(list(day, "day of month", day_of_month)?),
            ("?", weekday) => Days::OfWeek(list(weekday, "day of week", day_of_week)?),
            ("*", "*") if stars == Stars::Loose => {
                Days::OfMonth(list("*", "day of month", day_of_month)?)
            }
            ("*", weekday) if stars == Stars::Loose => {
                Days::OfWeek(list(weekday, "day of week", day_of_week)?)
            }
            (day, "*") if stars == Stars::Loose => {
                Days::OfMonth(list(day, "day of month", day_of_month)?)
            }
            _ => {
                return Err(
                    "one of day-of-month and day-of-week must be `?`, as in 0 20 * * ? * or 0 20 \
                     ? * MON-FRI *"
                        .to_owned(),
                );
            }
        };
        Ok(Self {
            minutes: numbers(minutes, "minutes", (0, 59), &[])?,
            hours: numbers(hours, "hours", (0, 23), &[])?,
            months: numbers(month, "month", (1, 12), &MONTHS)?,
            years: numbers(year, "year", YEARS, &[])?,
            days,
        })
    }

    /// Whether it fires on that day at all.
    pub fn matches(&self, date: Date) -> bool {
        self.years.has(date.year())
            && self.months.has(i16::from(date.month()))
            && match &self.days {
                Days::OfMonth(rules) => rules.iter().any(|rule| rule.matches(date)),
                Days::OfWeek(rules) => rules.iter().any(|rule| rule.matches(date)),
            }
    }

    /// The days on which it fires, from the first year to the last.
    fn dates(&self) -> impl Iterator<Item = Date> + '_ {
        let months = move |year: i16| self.months.0.iter().map(move |month| (year, *month));
        self.years
            .0
            .iter()
            .flat_map(move |year| months(*year))
            .flat_map(|(year, month)| (1..=31).map(move |day| (year, month, day)))
            .filter_map(|(year, month, day)| Date::new(year, narrow(month)?, day).ok())
            .filter(|date| self.matches(*date))
    }

    /// The minutes of a matching day, as (hour, minute), in order.
    pub fn minutes(&self) -> impl DoubleEndedIterator<Item = (i8, i8)> + '_ {
        self.hours.0.iter().flat_map(move |hour| {
            self.minutes
                .0
                .iter()
                .filter_map(move |minute| Some((narrow(*hour)?, narrow(*minute)?)))
        })
    }
}

fn narrow(n: i16) -> Option<i8> {
    i8::try_from(n).ok()
}

impl Numbers {
    fn has(&self, n: i16) -> bool {
        self.0.binary_search(&n).is_ok()
    }
}

impl DayOfMonth {
    fn matches(self, date: Date) -> bool {
        let day = i16::from(date.day());
        let last = i16::from(date.days_in_month());
        match self {
            DayOfMonth::Day(wanted) => day == wanted,
            DayOfMonth::BeforeLast(back) => day == last - back,
            DayOfMonth::NearestWeekday(wanted) => {
                wanted <= last && nearest_weekday(date, wanted) == Some(day)
            }
            DayOfMonth::LastWeekday => nearest_weekday(date, last) == Some(day),
        }
    }
}

/// The Monday to Friday nearest to `day` of `date`'s month, never in another month.
fn nearest_weekday(date: Date, day: i16) -> Option<i16> {
    let target = Date::new(date.year(), date.month(), narrow(day)?).ok()?;
    Some(match sunday_is_one(target) {
        1 if day == i16::from(target.days_in_month()) => day - 2,
        1 => day + 1,
        7 if day == 1 => day + 2,
        7 => day - 1,
        _ => day,
    })
}

fn sunday_is_one(date: Date) -> i16 {
    i16::from(date.weekday().to_sunday_one_offset())
}

impl DayOfWeek {
    fn matches(self, date: Date) -> bool {
        let (weekday, day) = (sunday_is_one(date), i16::from(date.day()));
        match self {
            DayOfWeek::Every(wanted) => weekday == wanted,
            DayOfWeek::Nth(wanted, nth) => weekday == wanted && (day - 1) / 7 + 1 == nth,
            DayOfWeek::Last(wanted) => {
                weekday == wanted && day + 7 > i16::from(date.days_in_month())
            }
        }
    }
}

/// A comma-separated field, each item parsed by `item` into one or more rules.
fn list<T>(text: &str, field: &str, item: fn(&str) -> Option<Vec<T>>) -> Result<Vec<T>, String> {
    let mut rules = Vec::new();
    for part in text.split(',') {
        let parsed = item(part).ok_or_else(|| format!("`{part}` is no {field}"))?;
        rules.extend(parsed);
    }
    Ok(rules)
}

fn day_of_month(item: &str) -> Option<Vec<DayOfMonth>> {
    let within = |n: i16| (1..=31).contains(&n).then_some(n);
    if item == "LW" {
        return Some(vec![DayOfMonth::LastWeekday]);
    }
    if item == "L" {
        return Some(vec![DayOfMonth::BeforeLast(0)]);
    }
    if let Some(back) = item.strip_prefix("L-") {
        return Some(vec![DayOfMonth::BeforeLast(
            back.parse().ok().filter(|b| (1..=30).contains(b))?,
        )]);
    }
    if let Some(day) = item.strip_suffix('W') {
        return Some(vec![DayOfMonth::NearestWeekday(within(day.parse().ok()?)?)]);
    }
    let days = range(item, (1, 31), &[])?;
    Some(days.into_iter().map(DayOfMonth::Day).collect())
}

fn day_of_week(item: &str) -> Option<Vec<DayOfWeek>> {
    if item == "L" {
        return Some(vec![DayOfWeek::Every(7)]);
    }
    if let Some((day, nth)) = item.split_once('#') {
        let nth = nth.parse().ok().filter(|n| (1..=5).contains(n))?;
        return Some(vec![DayOfWeek::Nth(number(day, (1, 7), &WEEKDAYS)?, nth)]);
    }
    if let Some(day) = item.strip_suffix('L') {
        return Some(vec![DayOfWeek::Last(number(day, (1, 7), &WEEKDAYS)?)]);
    }
    let days = range(item, (1, 7), &WEEKDAYS)?;
    Some(days.into_iter().map(DayOfWeek::Every).collect())
}

fn numbers(text: &str, field: &str, bounds: (i16, i16), names: &[&str]) -> Result<Numbers, String> {
    let mut all = Vec::new();
    for part in text.split(',') {
        all.extend(range(part, bounds, names).ok_or_else(|| {
            format!(
                "`{part}` is no value of {field}: {} to {}, *, a-b, or any of them with /step",
                bounds.0, bounds.1
            )
        })?);
    }
    all.sort_unstable();
    all.dedup();
    Ok(Numbers(all))
}

/// `*`, `5`, `5-9`, `FRI-MON` (around the end), each with `/step`; `5/10` runs to the end.
fn range(item: &str, bounds: (i16, i16), names: &[&str]) -> Option<Vec<i16>> {
    let (span, step) = match item.split_once('/') {
        Some((span, step)) => (
            span,
            Some(
                step.parse::<i16>()
                    .ok()
                    .filter(|s| *s > 0 && *s <= bounds.1)?,
            ),
        ),
        None => (item, None),
    };
    let (from, to) = match span.split_once('-') {
        _ if span == "*" => bounds,
        Some((from, to)) => (number(from, bounds, names)?, number(to, bounds, names)?),
        None => {
            let from = number(span, bounds, names)?;
            (from, if step.is_some() { bounds.1 } else { from })
        }
    };
    let step = usize::try_from(step.unwrap_or(1)).ok()?;
    let around = |n: i16| {
        if n > bounds.1 {
            n - (bounds.1 - bounds.0 + 1)
        } else {
            n
        }
    };
    let end = if to < from {
        to + (bounds.1 - bounds.0 + 1)
    } else {
        to
    };
    Some((from..=end).step_by(step).map(around).collect())
}

fn number(text: &str, bounds: (i16, i16), names: &[&str]) -> Option<i16> {
    let named = names.iter().position(|name| *name == text);
    let value = match named {
        Some(at) => i16::try_from(at).ok()? + 1,
        None => {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()?
        }
    };
    (bounds.0..=bounds.1).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn days(text: &str, year: i16, month: i8) -> Vec<i8> {
        let cron = Cron::parse(text).unwrap();
        let first = date(year, month, 1);
        (1..=first.days_in_month())
            .filter(|day| cron.matches(date(year, month, *day)))
            .collect()
    }

    #[test]
    fn a_day_that_never_comes_is_told() {
        for never in ["0 20 31 2 ? *", "0 20 31 4,6,9,11 ? *", "0 20 29 2 ? 2027"] {
            let error = Cron::parse(never).unwrap_err();
            assert!(error.contains("never"), "{never}: {error}");
        }
        for sometime in ["0 20 29 2 ? *", "0 20 31 2,3 ? *", "0 20 29 2 ? 2028"] {
            assert!(Cron::parse(sometime).is_ok(), "{sometime}");
        }
    }

    #[test]
    fn sunday_is_one() {
        // 1 November 2026 is a Sunday.
        assert_eq!(days("0 0 ? * 1 *", 2026, 11), [1, 8, 15, 22, 29]);
        assert_eq!(days("0 0 ? * SUN *", 2026, 11), [1, 8, 15, 22, 29]);
    }

    #[test]
    fn the_third_friday_and_the_last_friday_are_found() {
        assert_eq!(days("0 0 ? * 6#3 *", 2026, 11), [20]);
        assert_eq!(days("0 0 ? * FRIL *", 2026, 11), [27]);
    }

    #[test]
    fn the_last_day_follows_the_length_of_the_month() {
        assert_eq!(days("0 0 L * ? *", 2028, 2), [29]);
        assert_eq!(days("0 0 L-3 * ? *", 2026, 11), [27]);
        assert_eq!(days("0 0 LW * ? *", 2026, 10), [30]);
    }

    #[test]
    fn the_nearest_weekday_stays_in_its_month() {
        // Sunday the 1st goes to Monday the 2nd; Saturday 1 August to Monday the 3rd.
        assert_eq!(days("0 0 1W * ? *", 2026, 11), [2]);
        assert_eq!(days("0 0 1W * ? *", 2026, 8), [3]);
        assert_eq!(days("0 0 14W * ? *", 2026, 11), [13]);
        // Sunday 31 May to Friday the 29th.
        assert_eq!(days("0 0 31W * ? *", 2026, 5), [29]);
    }

    #[test]
    fn ranges_of_days_go_around_the_week() {
        assert_eq!(
            days("0 0 ? * SAT-SUN *", 2026, 11),
            [1, 7, 8, 14, 15, 21, 22, 28, 29]
        );
    }

    #[test]
    fn steps_start_where_they_are_told() {
        let cron = Cron::parse("5/20 8-10/2 * * ? *").unwrap();
        let all: Vec<_> = cron.minutes().collect();
        assert_eq!(all, [(8, 5), (8, 25), (8, 45), (10, 5), (10, 25), (10, 45)]);
    }

    #[test]
    fn what_aws_would_refuse_is_refused() {
        for bad in [
            "0 20 * * *",
            "0 20 ? * ? *",
            "0 20 1 * MON *",
            "0 20 * * * *",
            "0 20 * * MON *",
            "60 20 * * ? *",
            "0 24 * * ? *",
            "0 20 32 * ? *",
            "0 20 * 13 ? *",
            "0 20 ? * 8 *",
            "0 20 ? * 0 *",
            "0 20 ? * MON#6 *",
            "0 20 * * ? 1969",
            "*/0 20 * * ? *",
            "x 20 * * ? *",
            "-1 20 * * ? *",
        ] {
            assert!(Cron::parse(bad).is_err(), "{bad}");
        }
    }
}
