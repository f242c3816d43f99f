//! Dice: every draw of a simulated run, from its seed and a name.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// One stream of draws. Streams of other names do not shift each other.
pub struct Dice(StdRng);

impl Dice {
    /// The stream `name` of a seed.
    pub fn of(seed: u64, name: impl Hash) -> Self {
        // The hasher's keys are fixed, so that the same name is the same stream everywhere.
        let mut hasher = DefaultHasher::new();
        (seed, name).hash(&mut hasher);
        Self(StdRng::seed_from_u64(hasher.finish()))
    }

    /// True in `per_mille` of a thousand draws.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.0.random_range(0..1000) < per_mille
    }

    /// One of the range.
    pub fn between(&mut self, range: Range<u64>) -> u64 {
        self.0.random_range(range)
    }

    /// One of them; there must be one.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.0.random_range(0..all.len())]
    }

    /// Between `low` and `high`.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        self.0.random_range(low..=high)
    }
}
