//! Windows: when an app may be written, in the time zones of those who watch.
//!
//! Pure. A window is open while a clock on the wall of its zone shows a time from `from` until
//! before `to`. So where clocks are set forward, what they skip is skipped (a window wholly inside
//! the gap does not open that day, and one that begins in it opens at its end); where they are set
//! back, what they show twice is open twice.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::spec::{Day, OfMonth};

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;
/// How far ahead an opening is looked for, in days: more than a year, so that a window of one day
/// a month that falls into a gap of the clocks is found in another month.
const HORIZON: i64 = 400;

/// One opening: one day of the week, or one of a month, at one time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// IANA name of its time zone.
    pub zone: String,
    /// The day on which it opens.
    pub day: Day,
    /// Which of the month's; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_month: Option<OfMonth>,
    /// Minutes after midnight, below [`DAY`].
    pub from: u16,
    /// How many minutes on the clock it lasts, 1 to [`DAY`].
    pub lasts: u16,
}

/// Openings of which one has to be open. None that is inside another is kept, so that equal
/// windows are equal values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Windows(BTreeSet<Opening>);

impl Opening {
    /// Whether it is open whenever `other` is, as far as that can be told: openings in two zones,
    /// or on two days, are not compared.
    fn holds(&self, other: &Opening) -> bool {
        self.zone == other.zone
            && self.day == other.day
            && (self.of_month.is_none() || self.of_month == other.of_month)
            && self.from <= other.from
            && self.from + self.lasts >= other.from + other.lasts
    }

    fn begins_on(&self, date: Date) -> bool {
        let day = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
        let in_month = match self.of_month {
            None => true,
            Some(OfMonth::First) => date.day() <= 7,
            Some(OfMonth::Second) => (8..=14).contains(&date.day()),
            Some(OfMonth::Third) => (15..=21).contains(&date.day()),
            Some(OfMonth::Fourth) => (22..=28).contains(&date.day()),
            Some(OfMonth::Last) => date.day() + 7 > date.days_in_month(),
        };
        Day::ALL.get(day) == Some(&self.day) && in_month
    }

    /// Whether a clock that shows `wall` shows a time inside.
    fn shows(&self, wall: DateTime) -> bool {
        let minute =
            u16::from(wall.hour().unsigned_abs()) * 60 + u16::from(wall.minute().unsigned_abs());
        let end = self.from + self.lasts;
        let today = minute >= self.from && minute < end && self.begins_on(wall.date());
        let since_yesterday = minute + DAY < end
            && wall
                .date()
                .yesterday()
                .is_ok_and(|date| self.begins_on(date));
        today || since_yesterday
    }

    fn is_open(&self, now: Timestamp) -> bool {
        zone(&self.zone).is_some_and(|zone| self.shows(zone.to_datetime(now)))
    }

    /// The first moment after `now` at which it opens.
    fn opens(&self, now: Timestamp) -> Option<Timestamp> {
        let zone = zone(&self.zone)?;
        let today = zone.to_datetime(now).date();
        let found = |at: &Timestamp| *at > now && self.shows(zone.to_datetime(*at));
        let (hour, minute) = (self.from / 60, self.from % 60);
        let at = Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()?;
        let begun = (-1..=HORIZON)
            .filter_map(|days| {
                today
                    .checked_add(SignedDuration::from_hours(24 * days))
                    .ok()
            })
            .filter(|date| self.begins_on(*date))
            .flat_map(|date| {
                let either = zone.to_ambiguous_zoned(date.to_datetime(at));
                // In a gap neither is inside; the end of the gap is among the changes below.
                [either.clone().earlier(), either.later()]
            })
            .filter_map(|zoned| Some(zoned.ok()?.timestamp()))
            .find(found);
        let end = now
            .checked_add(SignedDuration::from_hours(24 * HORIZON))
            .ok()?;
        let change = zone
            .following(now)
            .map(|change| change.timestamp())
            .take_while(|at| *at < end)
            .find(|at| found(at) && !self.is_open_before(&zone, *at));
        begun.into_iter().chain(change).min()
    }

    /// Whether it was open right before `at`.
    fn is_open_before(&self, zone: &TimeZone, at: Timestamp) -> bool {
        at.checked_sub(SignedDuration::from_secs(1))
            .is_ok_and(|before| self.shows(zone.to_datetime(before)))
    }
}

/// The zone of that name; the check of the documents has refused one that is not known.
fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

impl Windows {
    /// These openings.
    pub fn of(openings: impl IntoIterator<Item = Opening>) -> Self {
        let all: BTreeSet<Opening> = openings.into_iter().collect();
        let inside = |one: &Opening| all.iter().any(|other| other != one && other.holds(one));
        Self(all.iter().filter(|one| !inside(one)).cloned().collect())
    }

    /// Whether one of them is open.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.0.iter().any(|opening| opening.is_open(now))
    }

    /// `now` if one is open, or the first moment at which one opens; `None` if none does for more
    /// than a year.
    pub fn open_from(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_open(now) {
            return Some(now);
        }
        self.0.iter().filter_map(|opening| opening.opens(now)).min()
    }

    /// Whether these are surely open whenever `other` are.
    pub fn hold(&self, other: &Windows) -> bool {
        let inside = |one: &Opening| self.0.iter().any(|opening| opening.holds(one));
        other.0.iter().all(inside)
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        // What differs in the day alone is said once.
        let mut said: Vec<(String, Vec<String>)> = Vec::new();
        for opening in &self.0 {
            let end = opening.from + opening.lasts;
            let end = if end > DAY { end - DAY } else { end };
            let at = format!("{}-{} {}", clock(opening.from), clock(end), opening.zone);
            let day = match opening.of_month {
                None => format!("{:?}", opening.day),
                Some(which) => format!("{which:?} {:?}", opening.day).to_lowercase(),
            };
            match said.iter_mut().find(|(time, _)| *time == at) {
                Some((_, days)) => days.push(day),
                None => said.push((at, vec![day])),
            }
        }
        let parts: Vec<String> = said
            .into_iter()
            .map(|(at, days)| match days.len() {
                7 => format!("daily {at}"),
                _ => format!("{} {at}", days.join(" ")),
            })
            .collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn opening(zone: &str, day: Day, from: u16, lasts: u16) -> Opening {
        Opening {
            zone: zone.into(),
            day,
            of_month: None,
            from,
            lasts,
        }
    }

    fn daily(zone: &str, from: u16, lasts: u16) -> Windows {
        Windows::of(Day::ALL.map(|day| opening(zone, day, from, lasts)))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn next(windows: &Windows, now: &str) -> String {
        windows.open_from(at(now)).unwrap().to_string()
    }

    #[test]
    fn the_windows_of_the_guides_open_when_they_say() {
        let night = daily("UTC", 120, 120);
        assert_eq!(next(&night, "2026-03-02T12:00:00Z"), "2026-03-03T02:00:00Z");
        assert!(night.is_open(at("2026-03-03T03:59:59Z")));
        assert!(!night.is_open(at("2026-03-03T04:00:00Z")));
        let monday = Windows::of([opening("UTC", Day::Mon, 540, 60)]);
        assert_eq!(
            next(&monday, "2026-03-02T10:00:00Z"),
            "2026-03-09T09:00:00Z"
        );
        let first = Windows::of([Opening {
            of_month: Some(OfMonth::First),
            ..opening("UTC", Day::Mon, 540, 120)
        }]);
        assert_eq!(next(&first, "2026-03-02T11:00:00Z"), "2026-04-06T09:00:00Z");
        assert!(first.is_open(at("2026-03-02T10:59:00Z")));
        assert!(!first.is_open(at("2026-03-09T10:00:00Z")));
        assert_eq!(night.to_string(), "daily 02:00-04:00 UTC");
        assert_eq!(first.to_string(), "first mon 09:00-11:00 UTC");
    }

    #[test]
    fn a_window_over_midnight_is_of_the_day_on_which_it_opens() {
        let night = Windows::of([opening("UTC", Day::Fri, 22 * 60, 240)]);
        assert!(night.is_open(at("2026-03-06T23:00:00Z")));
        assert!(night.is_open(at("2026-03-07T01:59:00Z")));
        assert!(!night.is_open(at("2026-03-07T02:00:00Z")));
        assert!(!night.is_open(at("2026-03-06T01:00:00Z")));
        assert!(!night.is_open(at("2026-03-07T22:30:00Z")));
    }

    #[test]
    fn what_the_clocks_skip_in_spring_is_skipped() {
        // Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
        let inside = daily("Europe/Berlin", 150, 15);
        assert_eq!(
            next(&inside, "2026-03-29T00:00:00Z"),
            "2026-03-30T00:30:00Z"
        );
        let across = daily("Europe/Berlin", 150, 90);
        assert_eq!(
            next(&across, "2026-03-29T00:00:00Z"),
            "2026-03-29T01:00:00Z"
        );
        assert!(!across.is_open(at("2026-03-29T02:00:00Z")));
    }

    #[test]
    fn what_the_clocks_show_twice_in_autumn_is_open_twice() {
        // Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
        let twice = daily("Europe/Berlin", 135, 30);
        assert_eq!(next(&twice, "2026-10-24T23:00:00Z"), "2026-10-25T00:15:00Z");
        assert!(!twice.is_open(at("2026-10-25T00:45:00Z")));
        assert_eq!(next(&twice, "2026-10-25T00:45:00Z"), "2026-10-25T01:15:00Z");
        let early = daily("Europe/Berlin", 60, 90);
        // 01:00 to 02:30 on the clock: shut at 02:30, and open again when it is 02:00 once more.
        assert_eq!(next(&early, "2026-10-25T00:31:00Z"), "2026-10-25T01:00:00Z");
    }

    #[test]
    fn an_opening_inside_another_adds_nothing() {
        let whole = daily("UTC", 60, 120);
        let both = Windows::of(
            Day::ALL
                .map(|day| opening("UTC", day, 60, 120))
                .into_iter()
                .chain([opening("UTC", Day::Tue, 90, 30)]),
        );
        assert_eq!(both, whole);
    }

    fn any_opening() -> impl Strategy<Value = Opening> {
        let zones = [
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
        ];
        let of_month = [
            None,
            Some(OfMonth::First),
            Some(OfMonth::Fourth),
            Some(OfMonth::Last),
        ];
        (
            prop::sample::select(zones.to_vec()),
            prop::sample::select(Day::ALL.to_vec()),
            prop::sample::select(of_month.to_vec()),
            0..DAY,
            1..=DAY,
        )
            .prop_map(|(zone, day, of_month, from, lasts)| Opening {
                zone: zone.into(),
                day,
                of_month,
                from,
                lasts,
            })
    }

    fn any_windows() -> impl Strategy<Value = Windows> {
        prop::collection::vec(any_opening(), 1..4).prop_map(Windows::of)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn nothing_opens_before_the_time_that_is_told(
            windows in any_windows(),
            minute in 29_000_000i64..29_600_000,
        ) {
            let now = Timestamp::from_second(minute * 60).unwrap();
            let found = windows.open_from(now).unwrap();
            prop_assert!(windows.is_open(found));
            // Every quarter of an hour before it; openings begin at any minute.
            let mut before = now;
            while before < found {
                prop_assert!(!windows.is_open(before), "{before} is before {found}");
                before += SignedDuration::from_mins(7);
            }
            if found > now {
                prop_assert!(!windows.is_open(found - SignedDuration::from_secs(1)));
            }
        }

        #[test]
        fn windows_that_hold_others_are_open_whenever_those_are(
            (one, two) in (any_windows(), any_windows()),
            minute in 29_000_000i64..29_600_000,
        ) {
            let both = Windows::of(one.0.iter().chain(&two.0).cloned());
            prop_assert!(both.hold(&one) && both.hold(&two));
            let now = Timestamp::from_second(minute * 60).unwrap();
            if one.hold(&two) && two.is_open(now) {
                prop_assert!(one.is_open(now));
            }
            prop_assert_eq!(one == two, one.hold(&two) && two.hold(&one));
        }
    }
}
