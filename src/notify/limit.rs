//! Limits: how many notices a receiver gets, and how many it is told were left out. Pure: times in,
//! verdicts out.

use std::time::Duration;

use crate::model::notice::Severity;

/// Notices at once, before the hourly rate counts.
const BURST: f64 = 10.0;

/// One receiver's bucket of notices.
#[derive(Clone, Debug)]
pub struct Limit {
    per_second: f64,
    tokens: f64,
    filled: Duration,
    left_out: u32,
}

impl Limit {
    /// Full at `now` (boot clock); `per_hour` notices an hour in the long run.
    pub fn new(per_hour: u32, now: Duration) -> Self {
        Self {
            per_second: f64::from(per_hour.max(1)) / 3600.0,
            tokens: BURST,
            filled: now,
            left_out: 0,
        }
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(BURST);
        self.filled = self.filled.max(now);
    }

    /// Whether one more of that severity may be sent now. `Some` is how many were left out before it,
    /// which it is to tell; a refusal counts as one more of those. What is critical always may.
    pub fn admit(&mut self, severity: Severity, now: Duration) -> Option<u32> {
        self.fill(now);
        // A token that is whole but for rounding is whole.
        if self.tokens < 1.0 - 1e-9 && severity < Severity::Critical {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.tokens = (self.tokens - 1.0).max(0.0);
        Some(std::mem::take(&mut self.left_out))
    }

    /// That `more` were left out elsewhere: the queue was full.
    pub fn miss(&mut self, more: u32) {
        self.left_out = self.left_out.saturating_add(more);
    }

    /// How long until the ones left out may be told of by themselves; `None` when there are none.
    pub fn due(&self, now: Duration) -> Option<Duration> {
        if self.left_out == 0 {
            return None;
        }
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        let lacking = 1.0 - (self.tokens + passed * self.per_second);
        Some(Duration::from_secs_f64(lacking.max(0.0) / self.per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_hourly_rate_and_the_rest_is_counted() {
        let mut limit = Limit::new(60, Duration::ZERO);
        let sent = (0..30)
            .filter(|_| limit.admit(Severity::Info, Duration::ZERO).is_some())
            .count();
        assert_eq!(sent, 10);
        assert_eq!(limit.due(Duration::ZERO), Some(Duration::from_secs(60)));
        assert_eq!(
            limit.admit(Severity::Info, Duration::from_secs(60)),
            Some(20)
        );
        assert_eq!(limit.due(Duration::from_secs(60)), None);
        limit.miss(3);
        assert_eq!(
            limit.admit(Severity::Info, Duration::from_secs(120)),
            Some(3)
        );
    }
    #[test]
    fn what_is_critical_is_never_left_out() {
        let mut limit = Limit::new(1, Duration::ZERO);
        let mut info = || limit.admit(Severity::Warning, Duration::ZERO);
        while info().is_some() {}
        let critical = limit.admit(Severity::Critical, Duration::ZERO);
        assert_eq!(critical, Some(1), "it says that one was left out");
    }
}
