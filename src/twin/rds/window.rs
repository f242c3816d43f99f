//! Windows: the daily backup window and the weekly maintenance window of a database, in UTC.

use std::time::Duration;

use jiff::Timestamp;

const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The shortest window that RDS takes, in minutes.
const SHORTEST: u32 = 30;

/// `hh24:mi-hh24:mi`, every day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Daily {
    /// Minutes after midnight.
    start: u32,
    /// Minutes.
    length: u32,
}

/// `ddd:hh24:mi-ddd:hh24:mi`, every week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekly {
    /// Minutes after midnight of Monday.
    start: u32,
    /// Minutes.
    length: u32,
}

impl Daily {
    /// Reads a window. `None` if its form is wrong or it is shorter than 30 minutes.
    pub fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        let (start, end) = (time(start)?, time(end)?);
        let length = (end + DAY - start) % DAY;
        (length >= SHORTEST).then_some(Self { start, length })
    }

    /// Whether a day's window meets the week's.
    pub fn overlaps(self, weekly: Weekly) -> bool {
        // A day's start always comes within a day after any moment, so eight cover a week and its seam.
        (0..8).map(|day| day * DAY + self.start).any(|start| {
            let after = (start + WEEK - weekly.start) % WEEK;
            after < weekly.length || after + self.length > WEEK
        })
    }
}

impl Weekly {
    /// Reads a window. `None` if its form is wrong, or it is shorter than 30 minutes or longer than a day.
    pub fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        let (start, end) = (day_and_time(start)?, day_and_time(end)?);
        let length = (end + WEEK - start) % WEEK;
        (SHORTEST..=DAY)
            .contains(&length)
            .then_some(Self { start, length })
    }

    /// When the first window after `since` begins.
    pub fn next_start(self, since: Timestamp) -> Timestamp {
        let at = since.to_zoned(jiff::tz::TimeZone::UTC);
        let day = u64::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0);
        let clock = |n: i8| u64::try_from(n).unwrap_or(0);
        let into_week =
            day * 86_400 + clock(at.hour()) * 3600 + clock(at.minute()) * 60 + clock(at.second());
        let week = u64::from(WEEK) * 60;
        let wait = (u64::from(self.start) * 60 + week - into_week) % week;
        let wait = if wait == 0 { week } else { wait };
        let fraction = Duration::from_nanos(u64::try_from(at.subsec_nanosecond()).unwrap_or(0));
        since + (Duration::from_secs(wait) - fraction)
    }
}

fn day_and_time(text: &str) -> Option<u32> {
    let (day, rest) = text.split_once(':')?;
    let day = DAYS.iter().position(|d| d.eq_ignore_ascii_case(day))?;
    Some(u32::try_from(day).ok()? * DAY + time(rest)?)
}

fn time(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |t: &str| (t.len() == 2).then(|| t.parse::<u32>().ok()).flatten();
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_two_full_times_at_least_half_an_hour_apart() {
        for good in ["02:00-04:00", "23:45-00:15", "00:00-00:30"] {
            assert!(Daily::parse(good).is_some(), "{good}");
        }
        for bad in [
            "2:00-04:00",
            "02:00-02:29",
            "02:00",
            "24:00-01:00",
            "02:00-02:00",
            "02:60-04:00",
        ] {
            assert!(Daily::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn windows_overlap_also_over_midnight_and_over_the_end_of_the_week() {
        let overlap = |daily: &str, weekly: &str| {
            Daily::parse(daily)
                .unwrap()
                .overlaps(Weekly::parse(weekly).unwrap())
        };
        assert!(overlap("05:00-06:00", "sun:05:30-sun:06:30"));
        assert!(overlap("23:30-00:30", "mon:00:00-mon:00:30"));
        assert!(overlap("00:00-01:00", "sun:23:30-mon:00:30"));
        assert!(overlap("05:40-06:10", "sun:05:30-sun:06:30"));
        assert!(!overlap("03:00-05:30", "sun:05:30-sun:06:30"));
        assert!(!overlap("06:30-07:00", "sun:05:30-sun:06:30"));
    }

    #[test]
    fn the_next_window_is_strictly_later() {
        let weekly = Weekly::parse("sun:05:00-sun:05:30").unwrap();
        let next = |since: &str| weekly.next_start(since.parse().unwrap()).to_string();
        assert_eq!(next("2026-11-23T06:00:00Z"), "2026-11-29T05:00:00Z");
        assert_eq!(next("2026-11-29T04:59:59.5Z"), "2026-11-29T05:00:00Z");
        assert_eq!(next("2026-11-29T05:00:00Z"), "2026-12-06T05:00:00Z");
    }
}
