//! Entropy: the only place where randomness comes from.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// A cheap handle on one source of randomness; the same seed gives the same draws.
#[derive(Clone, Debug)]
pub struct Entropy(Arc<Mutex<StdRng>>);

impl Entropy {
    /// From the operating system.
    pub fn system() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// From a seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    fn draw<R>(&self, f: impl FnOnce(&mut StdRng) -> R) -> R {
        let mut rng = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        f(&mut rng)
    }

    /// Between half of `duration` and all of it.
    pub fn jitter(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.draw(|rng| rng.random_range(0.5..=1.0)))
    }

    /// A fresh identifier: 128 random bits in lower-case hex (32 characters, as AWS's client
    /// request tokens of at most 36 allow).
    pub fn id(&self) -> String {
        format!("{:032x}", self.draw(|rng| rng.random::<u128>()))
    }
}
