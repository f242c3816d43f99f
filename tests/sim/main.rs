//! `cargo run --release --example sim`: many seeds in parallel, or one with its trace.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test with a command line: a panic is how it fails, and it measures real time"
)]

#[path = "mod.rs"]
mod sim;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

use sim::case::Case;
use sim::{Keep, Run};

/// Proves Evenkeel's controller on seeds: real controllers over a model of AWS, in virtual time.
#[derive(Parser)]
#[command(name = "sim", max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Runs seeds on all cores, shrinks the first that breaks a law, and prints it.
    Seeds {
        /// How many.
        #[arg(default_value_t = 2000)]
        count: u64,
        /// The first.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Go on after a broken law, and print each.
        #[arg(long)]
        all: bool,
        /// How many at a time; all cores unless it is said.
        #[arg(long)]
        threads: Option<usize>,
        /// Print the broken law and no more.
        #[arg(long)]
        no_shrink: bool,
    },
    /// Runs one case and prints its trace.
    Replay {
        /// A seed, or what the shrinker printed.
        case: Case,
    },
    /// Prints the hash of one case's trace.
    Hash {
        /// A seed, or what the shrinker printed.
        case: Case,
    },
}

fn main() -> ExitCode {
    match Args::parse().command {
        What::Seeds {
            count,
            from,
            all,
            threads,
            no_shrink,
        } => seeds(from, count, all, threads, no_shrink),
        What::Replay { case } => {
            let run = sim::run(&case, Keep::Lines);
            tell(&case, &run);
            ended(run.broken.is_none())
        }
        What::Hash { case } => {
            println!("{}", sim::run(&case, Keep::Hash).hash);
            ExitCode::SUCCESS
        }
    }
}

fn ended(well: bool) -> ExitCode {
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn tell(case: &Case, run: &Run) {
    for line in &run.lines {
        println!("{line}");
    }
    match &run.broken {
        Some(broken) => println!("case {case}: {broken}"),
        None => println!("case {case}: no law broken"),
    }
}

#[derive(Default)]
struct Sum {
    runs: u64,
    calls: u64,
    events: u64,
    lived: Duration,
    spent: Duration,
    struck: std::collections::BTreeMap<String, u64>,
    broken: Vec<(u64, String)>,
}

fn seeds(from: u64, count: u64, all: bool, threads: Option<usize>, no_shrink: bool) -> ExitCode {
    let next = AtomicU64::new(from);
    let sum = Mutex::new(Sum::default());
    let began = Instant::now();
    let threads =
        threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count || (!all && !sum.lock().unwrap().broken.is_empty()) {
                        return;
                    }
                    let since = Instant::now();
                    let run = sim::run(&Case::whole(seed), Keep::Hash);
                    sum.lock().unwrap().add(seed, &run, since.elapsed());
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap();
    sum.print(began.elapsed(), threads);
    if let Some((seed, _)) = sum.broken.first().filter(|_| !no_shrink) {
        let case = Case::whole(*seed);
        println!("shrinking seed {seed} ...");
        let failed = sim::run(&case, Keep::Hash);
        let (case, run) = sim::shrink::shrink(&case, &failed);
        tell(&case, &run);
    }
    ended(sum.broken.is_empty())
}

impl Sum {
    fn add(&mut self, seed: u64, run: &Run, spent: Duration) {
        self.runs += 1;
        self.calls += run.calls.values().sum::<u64>();
        self.events += run.events;
        self.lived += run.lived;
        self.spent += spent;
        for ((strike, _), times) in &run.struck {
            *self.struck.entry(format!("{strike:?}")).or_default() += times;
        }
        if let Some(broken) = &run.broken {
            println!("seed {seed}: {broken}");
            self.broken.push((seed, broken.to_string()));
        }
    }

    fn print(&self, took: Duration, threads: usize) {
        let runs = self.runs.max(1);
        println!(
            "{} seeds in {:.1} s on {threads} threads: {:.0} seeds an hour, {:.1} ms each; {} calls, \
             {} a seed; {:.0} hours simulated; {} broken",
            self.runs,
            took.as_secs_f64(),
            self.runs as f64 * 3600.0 / took.as_secs_f64(),
            self.spent.as_secs_f64() * 1000.0 / runs as f64,
            self.calls,
            self.calls / runs,
            self.lived.as_secs_f64() / 3600.0,
            self.broken.len(),
        );
        for (strike, times) in &self.struck {
            println!("  {strike:<12} {times}");
        }
    }
}
