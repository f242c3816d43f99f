//! Clock: the only place where time comes from.
//!
//! Three readings, never mixed: [`Clock::now`] is wall time, for schedules, records and people;
//! [`Clock::boot`] is monotonic and runs on while the machine sleeps, for leases and rates;
//! [`Clock::sleep`] waits. A virtual clock reads tokio's clock, so that a test on a paused
//! runtime lives through hours in no time at all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use jiff::Timestamp;

/// A cheap handle on one source of time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System,
    Virtual {
        wall_at_start: Timestamp,
        start: tokio::time::Instant,
    },
}

impl Clock {
    /// The machine's own clocks: CLOCK_REALTIME and, where there is one, CLOCK_BOOTTIME.
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// A clock that shows `wall` now and moves with tokio's clock. Panics outside a tokio runtime.
    pub fn virtual_at(wall: Timestamp) -> Self {
        Self(Arc::new(Source::Virtual {
            wall_at_start: wall,
            start: tokio::time::Instant::now(),
        }))
    }

    /// Wall time.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System => Timestamp::now(),
            Source::Virtual {
                wall_at_start,
                start,
            } => *wall_at_start + start.elapsed(),
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
            Source::Virtual { start, .. } => start.elapsed(),
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
            Source::Virtual { start, .. } => start.elapsed(),
        }
    }

    /// Waits for `duration`; in virtual time, by letting the paused runtime advance.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
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
