//! Sweeps: every scenario that the kinds' table gives, with a crash at every moment of every
//! request, and with every fault at every request.
//!
//! Also compiled into an executable for the long runs. It needs nothing but `crate::rig` and
//! `crate::pause` (`tests/rig.rs`, `tests/pause.rs`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of this is tests: a panic is how they fail"
)]
#![allow(dead_code, reason = "the tests and the executable use different parts")]

pub mod aftermath;
pub mod behind;
pub mod between;
pub mod crash;
pub mod fault;
pub mod meanwhile;
pub mod samples;
pub mod scenario;
pub mod stage;
pub mod state;
pub mod strike;
pub mod summary;
pub mod wire;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aws_smithy_runtime_api::client::http::SharedHttpClient;

use self::aftermath::Broken;
use self::scenario::Scenario;
use self::stage::Stage;
pub use self::summary::Summary;

/// What goes around an HTTP client.
pub type Wrap = Arc<dyn Fn(SharedHttpClient) -> SharedHttpClient + Send + Sync>;
/// Gives each stage what goes around the clients of all its processes, closest to AWS and the store: it
/// sees what these see. A panic in it is a failure of the case at hand.
pub type Wraps = Arc<dyn Fn(&Stage) -> Wrap + Send + Sync>;

/// What is swept, and how.
#[derive(Clone)]
pub struct Options {
    /// Threads.
    pub threads: usize,
    /// Only scenarios whose name holds this.
    pub only: String,
    /// Only every so many-th scenario.
    pub every: usize,
    /// Crashes in a row: 1, or 2.
    pub crashes: usize,
    /// Crashes that leave equal states are not taken as one.
    pub every_one: bool,
    /// Only every so many-th fault.
    pub every_fault: usize,
    /// Faults at a time: 1, or 2.
    pub faults: usize,
    /// Whether what is swept is told as it goes.
    pub told: bool,
    pub wraps: Wraps,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            only: String::new(),
            every: 1,
            crashes: 2,
            every_one: false,
            every_fault: 1,
            faults: 1,
            told: false,
            wraps: Arc::new(|_| Arc::new(|http| http)),
        }
    }
}

impl Options {
    /// From the words after `crashes` or `faults`. `_` in the words after `--only` stands for a space.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_args(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            let number = |text: String| {
                let number = text.parse::<usize>().ok().filter(|n| *n > 0);
                number.ok_or_else(|| format!("{text} is not a number above 0"))
            };
            match word.as_str() {
                "--threads" => options.threads = number(value()?)?,
                "--only" => options.only = value()?.replace('_', " "),
                "--every" => options.every = number(value()?)?,
                "--every-fault" => options.every_fault = number(value()?)?,
                "--crashes" => options.crashes = number(value()?)?,
                "--every-one" => options.every_one = true,
                "--pairs" => options.faults = 2,
                "--tell" => options.told = true,
                other => {
                    return Err(format!(
                        "{other} is not known; there are --threads N, --only TEXT, --every N, \
                         --every-fault N, --crashes N, --every-one, --pairs and --tell"
                    ));
                }
            }
        }
        let all = scenario::all();
        if !all.iter().any(|s| s.name.contains(&options.only)) {
            let names: Vec<String> = all.into_iter().map(|s| format!("  {}", s.name)).collect();
            return Err(format!(
                "no scenario has {:?} in its name; there are\n{}",
                options.only,
                names.join("\n")
            ));
        }
        Ok(options)
    }
}

/// Kills at every moment of every request of every scenario, and again in the recovery.
pub fn crashes(options: &Options) -> Summary {
    over_all("crashes", options, crash::sweep)
}

/// Every fault at every request of every scenario, one at a time or two.
pub fn faults(options: &Options) -> Summary {
    over_all("faults", options, fault::sweep)
}

#[expect(clippy::disallowed_methods, reason = "how long it took, for people")]
fn over_all(
    what: &'static str,
    options: &Options,
    sweep: fn(&Scenario, &Options) -> Summary,
) -> Summary {
    let began = Instant::now();
    let scenarios: Vec<Scenario> = scenario::all()
        .into_iter()
        .filter(|s| s.name.contains(&options.only))
        .step_by(options.every.max(1))
        .collect();
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = sweep(scenario, options);
                    if options.told {
                        println!("{}: {}", scenario.name, one.line());
                        for failure in &one.failures {
                            println!("{failure}");
                        }
                    }
                    total.lock().unwrap().add(one);
                }
            });
        }
    });
    let mut total = total.into_inner().unwrap();
    total.what = what;
    total.took = began.elapsed();
    let whole = options.only.is_empty() && options.every <= 1;
    if whole {
        total.expect_every_write();
    }
    total
}

/// Runs in virtual time, on a runtime of its own. A panic is a check that did not hold.
pub fn run_in_time<T>(work: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let done = catch_unwind(AssertUnwindSafe(|| runtime.block_on(work)));
    done.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Broken {
            check: "S30",
            found: text.unwrap_or_default(),
        })
    })
}
