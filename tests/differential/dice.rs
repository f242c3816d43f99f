//! Dice: how a sequence of calls is drawn from its seed.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

/// The same seed throws the same.
pub struct Dice(StdRng);

impl Dice {
    pub fn seeded(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    /// True once in `n` throws.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// Sets a member in one of two throws.
    pub fn maybe(&mut self, input: &mut Value, member: &str, of: &[Value]) {
        if self.once_in(2) {
            input[member] = self.pick(of);
        }
    }

    /// A few of these, in their order.
    pub fn some(&mut self, of: &[&str]) -> Vec<String> {
        let chosen: Vec<String> = of
            .iter()
            .filter(|_| self.once_in(2))
            .map(|s| (*s).to_owned())
            .collect();
        if chosen.is_empty() {
            vec![self.pick(of).to_owned()]
        } else {
            chosen
        }
    }

    /// Up to three tags, whose members are called so.
    pub fn tags(&mut self, key: &str, value: &str) -> Value {
        let keys = self.some(&["team", "stage", "cost"]);
        keys.iter()
            .map(|k| json!({ key: k, value: self.pick(&["a", "b", ""]) }))
            .collect()
    }
}
