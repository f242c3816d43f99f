//! The budget: how fast this process may call AWS, per account, region and API class.
//!
//! Buckets start from AWS's figures less a tenth, which is left for people. A throttled answer
//! means that somebody else draws from the same bucket: the rate is halved, and grows back by a
//! twentieth of the full rate with each second that passes without another. Whoever waits, waits
//! in line, and no longer than the rate of the moment asks for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
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
/// Throttled answers within this long tell of one and the same shortage: many calls were on their
/// way when it began.
const ONE_SHORTAGE: Duration = Duration::from_secs(1);
/// Longest wait before the rate is looked at again: it may have recovered meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// One call's worth of a bucket, taken before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateToken {
    class: &'static str,
}

#[cfg(test)]
impl RateToken {
    /// One that no bucket gave.
    pub fn for_test(name: &str) -> Self {
        Self {
            class: operation(name).unwrap().class.name,
        }
    }
}

/// The state of one bucket; pure, so that a test can step it.
#[derive(Clone, Debug, PartialEq)]
struct Bucket {
    burst: f64,
    full_rate: f64,
    rate: f64,
    tokens: f64,
    at: Duration,
    throttled_at: Option<Duration>,
}

/// What a caller gets who asks for a token.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Grant {
    Now,
    /// Ask again after this long.
    Later(Duration),
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
            throttled_at: None,
        }
    }

    fn advance(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.rate = (self.rate + passed * RECOVERY_PER_SECOND * self.full_rate).min(self.full_rate);
    }

    fn take(&mut self, now: Duration) -> Grant {
        self.advance(now);
        // A hair below one is one: time is counted in nanoseconds.
        if self.tokens >= 1.0 - 1e-6 {
            self.tokens -= 1.0;
            return Grant::Now;
        }
        let wait = Duration::from_secs_f64((1.0 - self.tokens) / self.rate);
        Grant::Later(wait.min(LOOK_AGAIN))
    }

    fn throttled(&mut self, now: Duration) {
        self.advance(now);
        // What AWS did not give us, we do not have.
        self.tokens = self.tokens.min(0.0);
        let known = self
            .throttled_at
            .is_some_and(|at| now.saturating_sub(at) < ONE_SHORTAGE);
        if !known {
            self.throttled_at = Some(now);
            self.rate = (self.rate * SLOWED_TO).max(self.full_rate * FLOOR);
        }
    }
}

/// One bucket, and the line before it.
#[derive(Debug)]
struct Line {
    /// Held by the caller whose turn it is; tokio's lock is fair.
    turn: tokio::sync::Mutex<()>,
    bucket: Mutex<Bucket>,
}

impl Line {
    fn bucket<R>(&self, act: impl FnOnce(&mut Bucket) -> R) -> R {
        act(&mut self.bucket.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The buckets of one account and region, and the count of calls.
#[derive(Debug)]
pub struct Budget {
    clock: Clock,
    lines: Mutex<BTreeMap<&'static str, Arc<Line>>>,
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

impl Budget {
    /// Full buckets.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            lines: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    /// Waits until a call of the operation `name` may be sent. First come, first served; one who
    /// stops waiting has taken nothing.
    ///
    /// # Panics
    /// For an operation that is not in the table: a bug of the caller.
    pub async fn take(&self, name: &str) -> RateToken {
        #[expect(
            clippy::expect_used,
            reason = "drivers name rows of OPERATIONS; tested over KINDS"
        )]
        let op = operation(name).expect("an operation of the table");
        let line = Arc::clone(
            self.lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(op.class.name)
                .or_insert_with(|| {
                    Arc::new(Line {
                        turn: tokio::sync::Mutex::new(()),
                        bucket: Mutex::new(Bucket::new(op.class, self.clock.boot())),
                    })
                }),
        );
        let turn = line.turn.lock().await;
        while let Grant::Later(wait) = line.bucket(|bucket| bucket.take(self.clock.boot())) {
            self.clock.sleep(wait).await;
        }
        drop(turn);
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
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(token.class) {
            line.bucket(|bucket| bucket.throttled(now));
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
        let grants: Vec<_> = (0..19).map(|_| bucket.take(Duration::ZERO)).collect();
        assert!(grants[..18].iter().all(|grant| *grant == Grant::Now));
        assert_eq!(grants[18], Grant::Later(LOOK_AGAIN));
    }

    #[test]
    fn throttling_slows_the_bucket_down_and_time_heals_it() {
        let mut bucket = Bucket::new(register(), Duration::ZERO);
        bucket.throttled(Duration::ZERO);
        assert!((bucket.rate - 0.45).abs() < 1e-9);
        bucket.throttled(Duration::from_millis(900));
        assert!(
            bucket.rate > 0.45,
            "one shortage is told of by many answers"
        );
        for second in 2..60 {
            bucket.throttled(Duration::from_secs(second));
        }
        assert!(bucket.rate >= 0.9 * FLOOR);
        bucket.advance(Duration::from_secs(120));
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

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_began_in_a_shortage_ends_when_the_shortage_does() {
        let clock = Clock::virtual_at(jiff::Timestamp::UNIX_EPOCH);
        let budget = Budget::new(clock.clone());
        let token = budget.take("ecs.RegisterTaskDefinition").await;
        for _ in 0..10 {
            budget.throttled(token);
            clock.sleep(ONE_SHORTAGE).await;
        }
        let began = clock.boot();
        for _ in 0..18 {
            budget.take("ecs.RegisterTaskDefinition").await;
        }
        // At the rate of the worst moment these would take six minutes.
        let seconds = (clock.boot() - began).as_secs();
        assert!(seconds < 45, "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_stops_waiting_has_taken_nothing() {
        let clock = Clock::virtual_at(jiff::Timestamp::UNIX_EPOCH);
        let budget = Budget::new(clock.clone());
        for _ in 0..18 {
            budget.take("ecs.RegisterTaskDefinition").await;
        }
        for _ in 0..100 {
            tokio::select! {
                biased;
                _ = budget.take("ecs.RegisterTaskDefinition") => panic!("the bucket was empty"),
                () = clock.sleep(Duration::from_millis(1)) => {}
            }
        }
        let began = clock.boot();
        budget.take("ecs.RegisterTaskDefinition").await;
        assert!((clock.boot() - began).as_secs_f64() < 1.2);
    }
}
