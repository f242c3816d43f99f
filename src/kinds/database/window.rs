//! Windows: which minutes of the week a backup or maintenance window covers. Pure: text to numbers.

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;
const WEEK: u32 = 7 * DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Shortest window that RDS takes, in minutes.
pub const SHORTEST: u32 = 30;

/// A stretch of minutes; it may run over the end of its day or week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    start: u32,
    /// Minutes.
    pub length: u32,
    /// How often it comes, in minutes.
    every: u32,
}

impl Window {
    /// `02:00-04:00`, each day.
    pub fn daily(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        Some(Self::between(minute(start)?, minute(end)?, DAY))
    }

    /// `mon:09:00-mon:10:00`, each week.
    pub fn weekly(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        Some(Self::between(
            minute_of_week(start)?,
            minute_of_week(end)?,
            WEEK,
        ))
    }

    fn between(start: u32, end: u32, every: u32) -> Self {
        Self {
            start,
            length: (end + every - start) % every,
            every,
        }
    }

    /// Whether a daily and a weekly window ever share a minute.
    pub fn overlaps(self, other: Self) -> bool {
        self.starts().any(|mine| {
            other.starts().any(|theirs| {
                let after = (theirs + WEEK - mine) % WEEK;
                let before = (mine + WEEK - theirs) % WEEK;
                after < self.length || before < other.length
            })
        })
    }

    /// Its starts within a week.
    fn starts(self) -> impl Iterator<Item = u32> {
        (0..WEEK / self.every).map(move |n| self.start + n * self.every)
    }
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < HOUR).then_some(hour * HOUR + minute)
}

fn minute_of_week(text: &str) -> Option<u32> {
    let (day, time) = text.split_once(':')?;
    let day = DAYS.iter().position(|d| d.eq_ignore_ascii_case(day))?;
    Some(u32::try_from(day).ok()? * DAY + minute(time)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlap(daily: &str, weekly: &str) -> bool {
        Window::daily(daily)
            .unwrap()
            .overlaps(Window::weekly(weekly).unwrap())
    }

    #[test]
    fn a_window_may_run_over_midnight() {
        assert_eq!(Window::daily("23:45-00:15").unwrap().length, 30);
        assert_eq!(Window::weekly("sun:23:30-mon:00:30").unwrap().length, 60);
        assert_eq!(Window::daily("25:00-26:00"), None);
        assert_eq!(Window::weekly("xyz:01:00-mon:02:00"), None);
    }

    #[test]
    fn windows_that_share_a_minute_overlap_and_neighbours_do_not() {
        assert!(overlap("02:00-04:00", "mon:03:30-mon:05:00"));
        assert!(!overlap("02:00-04:00", "mon:04:00-mon:05:00"));
        assert!(overlap("23:30-00:30", "mon:00:00-mon:01:00"));
        assert!(!overlap("01:00-02:00", "sun:23:30-mon:00:30"));
    }
}
