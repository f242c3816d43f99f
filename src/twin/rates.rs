//! Rates: the token buckets that AWS keeps per account and region, and that refuse a caller who is too fast.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::operation::operation;

/// Which buckets refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttling {
    /// None.
    Off,
    /// Those whose figures AWS publishes.
    Published,
    /// Also those that are careful guesses.
    All,
}

/// What a bucket says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// There was a token.
    Admitted,
    /// There was none; none was taken.
    Throttled,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Timestamp,
}

/// The buckets, full at the start.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Which buckets refuse.
    pub throttling: Throttling,
    buckets: BTreeMap<&'static str, Bucket>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            throttling: Throttling::Published,
            buckets: BTreeMap::new(),
        }
    }
}

impl Rates {
    /// Takes a token for the call named `service.Operation`. Operations that are not in the table
    /// are not limited: Evenkeel makes none of them.
    pub fn take(&mut self, name: &str, now: Timestamp) -> Admission {
        let Some(class) = operation(name).map(|op| op.class) else {
            return Admission::Admitted;
        };
        match self.throttling {
            Throttling::Off => return Admission::Admitted,
            Throttling::Published if !class.published => return Admission::Admitted,
            Throttling::Published | Throttling::All => {}
        }
        let bucket = self.buckets.entry(class.name).or_insert(Bucket {
            tokens: class.burst,
            filled: now,
        });
        let passed = now.duration_since(bucket.filled).as_secs_f64().max(0.0);
        bucket.tokens = (bucket.tokens + passed * class.per_second).min(class.burst);
        bucket.filled = now;
        // A token that is whole but for rounding is whole.
        if bucket.tokens < 1.0 - 1e-9 {
            return Admission::Throttled;
        }
        bucket.tokens = (bucket.tokens - 1.0).max(0.0);
        Admission::Admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut rates = Rates::default();
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..20 {
            let taken = rates.take("ecs.RegisterTaskDefinition", now);
            assert_eq!(taken, Admission::Admitted);
        }
        let taken = rates.take("ecs.RegisterTaskDefinition", now);
        assert_eq!(taken, Admission::Throttled);
        let later = now + Duration::from_secs(1);
        let taken = rates.take("ecs.RegisterTaskDefinition", later);
        assert_eq!(taken, Admission::Admitted);
    }

    #[test]
    fn calls_of_one_class_share_its_bucket() {
        let mut rates = Rates::default();
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..9 {
            rates.take("cloudwatch.DescribeAlarms", now);
        }
        let taken = rates.take("cloudwatch.DescribeAlarms", now);
        assert_eq!(taken, Admission::Throttled);
    }

    #[test]
    fn guessed_rates_refuse_only_when_asked_to() {
        let mut rates = Rates::default();
        let name = "application-autoscaling.PutScalingPolicy";
        let now = Timestamp::UNIX_EPOCH;
        assert!((0..50).all(|_| rates.take(name, now) == Admission::Admitted));
        rates.throttling = Throttling::All;
        assert!((0..50).any(|_| rates.take(name, now) == Admission::Throttled));
    }
}
