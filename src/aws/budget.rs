//! The budget: how fast this process may call AWS, per account, region and API class.
//!
//! Buckets start from AWS's figures less a tenth, which is left for people. A throttled answer
//! means that somebody else draws from the same bucket: the rate is halved, and grows back by a
//! twentieth of the full rate with each second that passes without another.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::model::operation::{RateClass, operation};

/// The share of AWS's rates that Evenkeel takes; the rest is left for people.
pub const SHARE: f64 = 0.9;
/// What remains of the rate after a throttled answer.
const SLOWED_TO: f64 = 0.5;
/// Least rate, as a share of the full one, however often AWS throttles.
const FLOOR: f64 = 0.05;
/// Share of the full rate that comes back with each second without throttling.
const RECOVERY_PER_SECOND: f64 = 0.05;

/// One call's worth of a bucket, taken before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateToken {
    class: &'static str,
}

/// The state of one bucket; pure, so that a test can step it.
#[derive(Clone, Debug, PartialEq)]
struct Bucket {
    burst: f64,
    full_rate: f64,
    rate: f64,
    /// Tokens now; negative when calls have been promised that must wait.
    tokens: f64,
    at: Duration,
}

impl Bucket {
    fn new(class: &RateClass, now: Duration) -> Self {
        // Never below one whole call, or nothing would ever be sent.
        let burst = (class.burst * SHARE).floor().max(1.0);
        let rate = class.per_second * SHARE;
        Self {
            burst,
            full_rate: rate,
            rate,
            tokens: burst,
            at: now,
        }
    }

    fn advance(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.rate = (self.rate + passed * RECOVERY_PER_SECOND * self.full_rate).min(self.full_rate);
    }

    /// Takes one token and says how long to wait before using it.
    fn take(&mut self, now: Duration) -> Duration {
        self.advance(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-self.tokens / self.rate)
        }
    }

    fn throttled(&mut self, now: Duration) {
        self.advance(now);
        self.rate = (self.rate * SLOWED_TO).max(self.full_rate * FLOOR);
        // What AWS did not give us, we do not have.
        self.tokens = self.tokens.min(0.0);
    }
}

/// The buckets of one account and region, and the count of calls.
#[derive(Debug)]
pub struct Budget {
    clock: Clock,
    buckets: Mutex<BTreeMap<&'static str, Bucket>>,
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

impl Budget {
    /// Full buckets.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            buckets: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    /// Waits until a call of the operation `name` may be sent. First come, first served.
    ///
    /// # Panics
    /// For an operation that is not in the table: a bug of the caller.
    pub async fn take(&self, name: &str) -> RateToken {
        #[expect(
            clippy::expect_used,
            reason = "drivers name rows of OPERATIONS; tested over KINDS"
        )]
        let op = operation(name).expect("an operation of the table");
        let now = self.clock.boot();
        let wait = self
            .buckets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(op.class.name)
            .or_insert_with(|| Bucket::new(op.class, now))
            .take(now);
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
        *self
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(op.name)
            .or_default() += 1;
        RateToken {
            class: op.class.name,
        }
    }

    /// The call was throttled: its bucket slows down.
    pub fn throttled(&self, token: RateToken) {
        let now = self.clock.boot();
        if let Some(bucket) = self
            .buckets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(token.class)
        {
            bucket.throttled(now);
        }
    }

    /// Calls so far, by operation, throttled ones included.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register() -> &'static RateClass {
        operation("ecs.RegisterTaskDefinition").unwrap().class
    }

    #[test]
    fn a_burst_goes_at_once_and_a_tenth_is_left_for_people() {
        let mut bucket = Bucket::new(register(), Duration::ZERO);
        let waits: Vec<_> = (0..19).map(|_| bucket.take(Duration::ZERO)).collect();
        assert!(waits[..18].iter().all(Duration::is_zero));
        assert!(waits[18] > Duration::from_secs(1));
    }

    #[test]
    fn throttling_slows_the_bucket_down_and_time_heals_it() {
        let mut bucket = Bucket::new(register(), Duration::ZERO);
        bucket.throttled(Duration::ZERO);
        assert!((bucket.rate - 0.45).abs() < 1e-9);
        for _ in 0..20 {
            bucket.throttled(Duration::ZERO);
        }
        assert!(bucket.rate >= 0.9 * FLOOR);
        bucket.advance(Duration::from_secs(60));
        assert!((bucket.rate - 0.9).abs() < 1e-9);
    }

    #[tokio::test(start_paused = true)]
    async fn two_hundred_registrations_take_the_time_that_the_rate_allows() {
        let clock = Clock::virtual_at(jiff::Timestamp::UNIX_EPOCH);
        let budget = Budget::new(clock.clone());
        for _ in 0..200 {
            budget.take("ecs.RegisterTaskDefinition").await;
        }
        let seconds = clock.boot().as_secs_f64();
        assert!((seconds - 182.0 / 0.9).abs() < 1.0, "{seconds}");
    }
}
