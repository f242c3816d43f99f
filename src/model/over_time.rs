//! Over time: what began to drift and what was corrected, hour by hour or day by day.
//!
//! Pure.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::drift::How;
use super::report::Line;
use super::stake::Severity;

/// Up to this long a report's bars are hours; beyond it they are days.
const BY_HOUR: SignedDuration = SignedDuration::from_hours(48);

/// What began and ended within one hour or day, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// Its beginning.
    pub from: Timestamp,
    /// Began, and puts data, service or alarms at risk.
    pub high: usize,
    /// Began, and costs.
    pub medium: usize,
    /// Began, and can wait.
    pub low: usize,
    /// Was corrected.
    pub corrected: usize,
}

/// The hours or days from `since` to `now`, and what began and was corrected in each.
pub(super) fn buckets(lines: &[&Line], since: Timestamp, now: Timestamp) -> Vec<Bucket> {
    let width: i64 = if now.duration_since(since) <= BY_HOUR {
        3600
    } else {
        86_400
    };
    let start_of = |at: Timestamp| at.as_second().div_euclid(width);
    let first = start_of(since);
    let last = start_of(now).max(first);
    let mut buckets: Vec<Bucket> = (first..=last)
        .filter_map(|n| {
            Some(Bucket {
                from: Timestamp::from_second(n * width).ok()?,
                high: 0,
                medium: 0,
                low: 0,
                corrected: 0,
            })
        })
        .collect();
    let place = |at: Timestamp| usize::try_from(start_of(at) - first).ok();
    for line in lines {
        let began = place(line.record.first_seen).and_then(|at| buckets.get_mut(at));
        if let Some(bucket) = began {
            *match line.severity {
                Severity::High => &mut bucket.high,
                Severity::Medium => &mut bucket.medium,
                Severity::Low => &mut bucket.low,
            } += 1;
        }
        if let Some(end) = &line.record.end
            && matches!(end.how, How::Corrected { .. })
            && let Some(bucket) = place(end.at).and_then(|at| buckets.get_mut(at))
        {
            bucket.corrected += 1;
        }
    }
    buckets
}
