//! Clock: the only place where time comes from.
//!
//! Three readings, never mixed: [`Clock::now`] is wall time, for schedules, records and people;
//! [`Clock::boot`] is monotonic and runs on while the machine sleeps, for leases and rates;
//! [`Clock::sleep`] waits. A virtual clock reads tokio's clock, so that a test on a paused
//! runtime lives through hours in no time at all. Several machines are several virtual clocks over
//! that one, each with a rate of its own, which can be stepped and stand still.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};

/// A cheap handle on one source of time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System,
    Virtual(Machine),
}

/// The clocks of one simulated machine, over tokio's.
#[derive(Debug)]
struct Machine {
    wall_at_start: Timestamp,
    start: tokio::time::Instant,
    /// Its seconds in a true second.
    rate: f64,
    upset: Mutex<Upset>,
}

/// What happened to a machine's clocks so far.
#[derive(Clone, Copy, Debug, Default)]
struct Upset {
    /// How far the wall clock was set forward in all.
    stepped: SignedDuration,
    /// True time for which both stood still, of the spans that are over.
    lost: Duration,
    /// Since when they stand still, in true time from the start.
    still_since: Option<Duration>,
}

impl Machine {
    fn upset(&self) -> MutexGuard<'_, Upset> {
        self.upset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What its monotonic clock has counted.
    fn counted(&self) -> Duration {
        let upset = *self.upset();
        let seen = upset.still_since.unwrap_or_else(|| self.start.elapsed());
        let ran = seen.saturating_sub(upset.lost);
        // A rate of one is exact.
        if self.rate == 1.0 {
            ran
        } else {
            ran.mul_f64(self.rate)
        }
    }

    fn wall(&self) -> Timestamp {
        let stepped = self.upset().stepped;
        self.wall_at_start
            .saturating_add(self.counted())
            .and_then(|wall| wall.saturating_add(stepped))
            .unwrap_or(self.wall_at_start)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    async fn sleep(&self, duration: Duration) {
        let due = self.counted() + duration;
        loop {
            let left = due.saturating_sub(self.counted());
            tokio::time::sleep(left.div_f64(self.rate)).await;
            // A machine that stood still meanwhile wakes early, by its own clock.
            if self.counted() + ROUNDING >= due {
                return;
            }
        }
    }
}

/// What division and tokio's milliseconds may lose of a sleep.
const ROUNDING: Duration = Duration::from_millis(1);

impl Clock {
    /// The machine's own clocks: CLOCK_REALTIME and, where there is one, CLOCK_BOOTTIME.
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// A clock that shows `wall` now and moves with tokio's clock. Panics outside a tokio runtime.
    pub fn virtual_at(wall: Timestamp) -> Self {
        Self(Arc::new(Source::Virtual(Machine {
            wall_at_start: wall,
            start: tokio::time::Instant::now(),
            rate: 1.0,
            upset: Mutex::default(),
        })))
    }

    /// The clock of another machine, which shows the same time now and whose second is `rate` of
    /// this one's from now on. The system's clock has no other beside it, and gives itself.
    #[must_use]
    pub fn beside(&self, rate: f64) -> Self {
        match &*self.0 {
            Source::System => self.clone(),
            Source::Virtual(machine) => Self(Arc::new(Source::Virtual(Machine {
                wall_at_start: machine.wall(),
                start: tokio::time::Instant::now(),
                rate,
                upset: Mutex::default(),
            }))),
        }
    }

    /// Sets the wall clock of a simulated machine forward, or back. The system's is left alone.
    pub fn step(&self, by: SignedDuration) {
        if let Source::Virtual(machine) = &*self.0 {
            let mut upset = machine.upset();
            upset.stepped = upset.stepped.saturating_add(by);
        }
    }

    /// Stops both clocks of a simulated machine, as for a machine that its host has suspended. The
    /// system's are left alone.
    pub fn stand_still(&self) {
        if let Source::Virtual(machine) = &*self.0 {
            let elapsed = machine.start.elapsed();
            machine.upset().still_since.get_or_insert(elapsed);
        }
    }

    /// Ends [`Clock::stand_still`].
    pub fn go_on(&self) {
        if let Source::Virtual(machine) = &*self.0 {
            let mut upset = machine.upset();
            if let Some(since) = upset.still_since.take() {
                upset.lost += machine.start.elapsed().saturating_sub(since);
            }
        }
    }

    /// Wall time.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System => Timestamp::now(),
            Source::Virtual(machine) => machine.wall(),
        }
    }

    /// Time since an arbitrary fixed point; only differences mean anything. Counts suspended time,
    /// so a holder that slept through its lease knows it.
    #[cfg(target_os = "linux")]
    pub fn boot(&self) -> Duration {
        match &*self.0 {
            Source::System => {
                let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                Duration::new(
                    u64::try_from(t.tv_sec).unwrap_or(0),
                    u32::try_from(t.tv_nsec).unwrap_or(0),
                )
            }
            Source::Virtual(machine) => machine.counted(),
        }
    }

    /// Time since an arbitrary fixed point; only differences mean anything. Off Linux the
    /// monotonic clock stands in for CLOCK_BOOTTIME.
    #[cfg(not(target_os = "linux"))]
    pub fn boot(&self) -> Duration {
        match &*self.0 {
            Source::System => {
                let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
                Duration::new(
                    u64::try_from(t.tv_sec).unwrap_or(0),
                    u32::try_from(t.tv_nsec).unwrap_or(0),
                )
            }
            Source::Virtual(machine) => machine.counted(),
        }
    }

    /// Waits for `duration`; in virtual time, by letting the paused runtime advance.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub async fn sleep(&self, duration: Duration) {
        match &*self.0 {
            Source::System => tokio::time::sleep(duration).await,
            Source::Virtual(machine) => machine.sleep(duration).await,
        }
    }

    /// The same, boxed, for code that must name the future's type.
    pub fn sleep_boxed(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let clock = self.clone();
        Box::pin(async move { clock.sleep(duration).await })
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Clock::now(self).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    #[tokio::test(start_paused = true)]
    async fn a_fast_machine_counts_more_and_wakes_sooner() {
        let truth = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        let fast = truth.beside(1.25);
        fast.sleep(Duration::from_secs(100)).await;
        assert_eq!(truth.boot(), Duration::from_secs(80));
        assert_eq!(fast.boot(), Duration::from_secs(100));
        assert_eq!(fast.now().duration_since(truth.now()).as_secs(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_moves_the_wall_clock_alone() {
        let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        clock.sleep(Duration::from_secs(10)).await;
        clock.step(-HOUR);
        assert_eq!(clock.now().as_second(), 10 - 3600);
        assert_eq!(clock.boot(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_stands_still_counts_nothing_and_sleeps_on_afterwards() {
        let truth = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        let machine = truth.beside(1.0);
        machine.stand_still();
        truth.sleep(Duration::from_secs(60)).await;
        assert_eq!(machine.boot(), Duration::ZERO);
        machine.go_on();
        truth.sleep(Duration::from_secs(5)).await;
        assert_eq!(machine.boot(), Duration::from_secs(5));
    }
}
