//! Schedules: when a scheduled action fired last, and when it fires next.
//!
//! Pure: `cron(...)`, `rate(...)` and `at(...)` of Application Auto Scaling, in a time zone.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::cron::Cron;

/// A parsed schedule in its time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    rule: Rule,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Rule {
    Cron(Box<Cron>),
    Every(SignedDuration),
    At(DateTime),
}

/// Farthest that is searched for a day of a cron expression: 29 February comes back within
/// eight years even around a century without one.
const SEARCH_DAYS: usize = 8 * 366 + 2;

/// Why a schedule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadSchedule {
    /// The expression.
    Expression(String),
    /// The zone.
    Zone(String),
}

impl Schedule {
    /// Parses `schedule` in the IANA zone `timezone` (UTC when there is none).
    ///
    /// # Errors
    /// What is wrong with which of the two.
    pub fn parse(schedule: &str, timezone: Option<&str>) -> Result<Self, BadSchedule> {
        if let Some(name) = timezone
            && let Ok(zone) = TimeZone::get(name)
            && let Some(spelt) = zone.iana_name().filter(|spelt| *spelt != name)
        {
            // Found whatever its case, where AWS takes the one spelling.
            return Err(BadSchedule::Zone(format!(
                "{name:?} is no time zone of the IANA database; did you mean {spelt}?"
            )));
        }
        if let Some(fault) = rate_fault(schedule.trim()) {
            return Err(BadSchedule::Expression(fault));
        }
        Self::read(schedule, timezone, Cron::parse)
    }

    /// The same of a live action, which AWS has taken: forms of older guides are read too.
    ///
    /// # Errors
    /// Which of the two this build cannot read.
    pub fn taken(schedule: &str, timezone: Option<&str>) -> Result<Self, BadSchedule> {
        Self::read(schedule, timezone, Cron::taken)
    }

    fn read(
        schedule: &str,
        timezone: Option<&str>,
        cron: fn(&str) -> Result<Cron, String>,
    ) -> Result<Self, BadSchedule> {
        let zone = match timezone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                BadSchedule::Zone(format!("{name:?} is no time zone of the IANA database"))
            })?,
        };
        let rule = rule(schedule.trim(), cron).map_err(BadSchedule::Expression)?;
        Ok(Self { rule, zone })
    }

    /// Whether it fires a single time.
    pub fn fires_once(&self) -> bool {
        matches!(self.rule, Rule::At(_))
    }

    /// The newest firing at or before `now`. `anchor` is when a `rate` began to count; without
    /// one nothing is known of its firings.
    pub fn latest(&self, now: Timestamp, anchor: Option<Timestamp>) -> Option<Timestamp> {
        match &self.rule {
            Rule::At(at) => self.instant(*at).filter(|at| *at <= now),
            Rule::Every(period) => {
                let (anchor, seconds) = (anchor?, period.as_secs());
                let past = now.as_second() - anchor.as_second();
                let whole = past.div_euclid(seconds);
                (whole >= 1).then(|| anchor + SignedDuration::from_secs(whole * seconds))
            }
            Rule::Cron(cron) => {
                // A day further than today: a gap can push a firing past midnight.
                let today = now.to_zoned(self.zone.clone()).date();
                let mut date = today.checked_add(1.day()).unwrap_or(today);
                for _ in 0..SEARCH_DAYS {
                    let firings = self.firings(cron, date);
                    if let Some(at) = firings.filter(|at| *at <= now).max() {
                        return Some(at);
                    }
                    date = date.yesterday().ok()?;
                }
                None
            }
        }
    }

    /// The first firing after `now`.
    pub fn next(&self, now: Timestamp, anchor: Option<Timestamp>) -> Option<Timestamp> {
        match &self.rule {
            Rule::At(at) => self.instant(*at).filter(|at| *at > now),
            Rule::Every(period) => {
                let (anchor, seconds) = (anchor?, period.as_secs());
                let past = now.as_second() - anchor.as_second();
                let whole = past.div_euclid(seconds).max(0) + 1;
                Some(anchor + SignedDuration::from_secs(whole * seconds))
            }
            Rule::Cron(cron) => {
                let today = now.to_zoned(self.zone.clone()).date();
                let mut date = today.yesterday().unwrap_or(today);
                for _ in 0..SEARCH_DAYS {
                    let firings = self.firings(cron, date);
                    if let Some(at) = firings.filter(|at| *at > now).min() {
                        return Some(at);
                    }
                    date = date.tomorrow().ok()?;
                }
                None
            }
        }
    }

    fn firings<'a>(&'a self, cron: &'a Cron, date: Date) -> impl Iterator<Item = Timestamp> + 'a {
        let fires = cron.matches(date);
        cron.minutes()
            .take_while(move |_| fires)
            .filter_map(move |(hour, minute)| self.instant(date.at(hour, minute, 0, 0)))
    }

    /// The instant of a wall time. One that a change of the clock skips is taken as much later
    /// as the clock was put forward; of one that comes twice, the first.
    fn instant(&self, at: DateTime) -> Option<Timestamp> {
        self.zone.to_ambiguous_timestamp(at).compatible().ok()
    }
}

fn rule(schedule: &str, cron: fn(&str) -> Result<Cron, String>) -> Result<Rule, String> {
    let forms = "write cron(0 20 * * ? *), rate(2 hours) or at(2026-12-24T18:00:00)";
    let Some((word, inner)) = schedule
        .strip_suffix(')')
        .and_then(|text| text.split_once('('))
    else {
        return Err(format!("{schedule:?} is no schedule; {forms}"));
    };
    match word {
        "cron" => Ok(Rule::Cron(Box::new(cron(inner)?))),
        "rate" => rate(inner).map(Rule::Every).ok_or_else(|| {
            format!(
                "`{inner}` is no rate; write a whole number above 0 and minutes, hours or days, \
                 as in rate(2 hours)"
            )
        }),
        "at" => inner
            .parse::<DateTime>()
            .ok()
            .filter(|_| inner.contains('T') && inner.len() == "2026-12-24T18:00:00".len())
            .map(Rule::At)
            .ok_or_else(|| format!("`{inner}` is no time; write at(2026-12-24T18:00:00)")),
        _ => Err(format!("`{word}` is no kind of schedule; {forms}")),
    }
}

/// AWS asks for the singular with 1 and the plural with more (user guide, "Rate expressions").
fn rate_fault(schedule: &str) -> Option<String> {
    let inner = schedule.strip_prefix("rate(")?.strip_suffix(')')?;
    rate(inner)?;
    let (count, unit) = inner.split_once(' ')?;
    let unit = unit.trim();
    let one = count.parse() == Ok(1);
    let right = match (one, unit.strip_suffix('s')) {
        (true, Some(singular)) => singular.to_owned(),
        (false, None) => format!("{unit}s"),
        _ => return None,
    };
    Some(format!("`{inner}` is no rate: write rate({count} {right})"))
}

fn rate(inner: &str) -> Option<SignedDuration> {
    let (count, unit) = inner.split_once(' ')?;
    let digits = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
    let count: i64 = digits.then(|| count.parse().ok()).flatten()?;
    let seconds = match unit.trim() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        _ => return None,
    };
    (1..=100_000)
        .contains(&count)
        .then(|| SignedDuration::from_secs(count * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zurich(schedule: &str) -> Schedule {
        Schedule::parse(schedule, Some("Europe/Zurich")).unwrap()
    }

    #[test]
    fn a_firing_follows_the_zone_through_summer_and_winter() {
        let days = zurich("cron(0 6 * * ? *)");
        let summer = days.latest(at("2026-07-01T12:00:00Z"), None);
        assert_eq!(summer, Some(at("2026-07-01T04:00:00Z")));
        let winter = days.latest(at("2026-12-01T12:00:00Z"), None);
        assert_eq!(winter, Some(at("2026-12-01T05:00:00Z")));
        // The exact minute counts.
        let exact = days.latest(at("2026-12-01T05:00:00Z"), None);
        assert_eq!(exact, Some(at("2026-12-01T05:00:00Z")));
    }

    #[test]
    fn a_time_that_the_clock_skips_fires_an_hour_later() {
        // 29 March 2026, 02:00 becomes 03:00 in Zurich.
        let s = zurich("cron(30 2 * * ? *)");
        assert_eq!(
            s.latest(at("2026-03-29T12:00:00Z"), None),
            Some(at("2026-03-29T01:30:00Z"))
        );
    }

    #[test]
    fn a_time_that_comes_twice_fires_the_first_time() {
        // 25 October 2026, 03:00 becomes 02:00 in Zurich.
        let s = zurich("cron(30 2 * * ? *)");
        assert_eq!(
            s.latest(at("2026-10-25T12:00:00Z"), None),
            Some(at("2026-10-25T00:30:00Z"))
        );
    }

    #[test]
    fn the_29th_of_february_is_found_years_away() {
        let s = Schedule::parse("cron(0 0 29 2 ? *)", None).unwrap();
        let now = at("2027-01-01T00:00:00Z");
        assert_eq!(s.latest(now, None), Some(at("2024-02-29T00:00:00Z")));
        assert_eq!(s.next(now, None), Some(at("2028-02-29T00:00:00Z")));
    }

    #[test]
    fn a_year_that_is_over_never_comes_again() {
        let s = Schedule::parse("cron(0 0 1 1 ? 2025)", None).unwrap();
        let now = at("2026-01-02T00:00:00Z");
        assert_eq!(s.latest(now, None), Some(at("2025-01-01T00:00:00Z")));
        assert_eq!(s.next(now, None), None);
    }

    #[test]
    fn a_rate_without_a_beginning_has_no_firings() {
        let s = Schedule::parse("rate(2 hours)", None).unwrap();
        let now = at("2026-01-02T05:00:00Z");
        assert_eq!(s.latest(now, None), None);
        let began = Some(at("2026-01-02T00:00:00Z"));
        assert_eq!(s.latest(now, began), Some(at("2026-01-02T04:00:00Z")));
        assert_eq!(s.next(now, began), Some(at("2026-01-02T06:00:00Z")));
    }

    #[test]
    fn a_single_time_fires_once_in_its_zone() {
        let s = zurich("at(2026-12-24T18:00:00)");
        let when = at("2026-12-24T17:00:00Z");
        assert_eq!(s.latest(at("2026-12-24T16:59:59Z"), None), None);
        assert_eq!(s.latest(at("2027-01-01T00:00:00Z"), None), Some(when));
        assert_eq!(s.next(at("2026-12-01T00:00:00Z"), None), Some(when));
    }

    #[test]
    fn a_schedule_that_aws_would_refuse_is_refused() {
        for bad in [
            "every day",
            "cron 0 20 * * ? *",
            "rate(0 hours)",
            "rate(1 hours)",
            "rate(2 hour)",
            "rate(1 week)",
            "rate(-1 days)",
            "at(2026-12-24)",
            "at(2026-13-24T18:00:00)",
            "on(friday)",
            "cron()",
        ] {
            assert!(Schedule::parse(bad, None).is_err(), "{bad}");
        }
        for good in ["rate(1 hour)", "rate(2 hours)", "rate(01 day)"] {
            assert!(Schedule::parse(good, None).is_ok(), "{good}");
        }
        // One that AWS has taken all the same is read.
        assert!(Schedule::taken("rate(1 hours)", None).is_ok());
        let zone = Schedule::parse("cron(0 20 * * ? *)", Some("Mars/Olympus"));
        assert!(matches!(zone, Err(BadSchedule::Zone(_))));
    }

    proptest! {
        #[test]
        fn the_latest_and_the_next_firing_enclose_now_with_nothing_between(
            second in 1_700_000_000i64..1_900_000_000,
            minute in 0..60, hour in 0..24, step in 1..6,
            zone in prop::sample::select(vec![
                "UTC", "Europe/Zurich", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
            ]),
        ) {
            let text = format!("cron({minute} {hour}/{step} ? * MON-SAT *)");
            let s = Schedule::parse(&text, Some(zone)).unwrap();
            let now = Timestamp::from_second(second).unwrap();
            let latest = s.latest(now, None).unwrap();
            let next = s.next(now, None).unwrap();
            prop_assert!(latest <= now && now < next);
            prop_assert_eq!(s.latest(next, None), Some(next));
            // Nothing lies between: the one before the next is the latest.
            prop_assert_eq!(s.latest(next - SignedDuration::from_secs(1), None), Some(latest));
            prop_assert_eq!(s.next(latest, None), Some(next));
        }
    }
}
