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

#[path = "figures.rs"]
mod figures;
#[path = "../pause.rs"]
mod pause;
#[path = "../rig.rs"]
mod rig;
#[path = "../sweep/mod.rs"]
mod sweep;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::{Parser, Subcommand};

use figures::Figures;
use sim::case::Case;
use sim::{Keep, Run};

// A seventh of the simulator's time went into the system's allocator: each call of the SDK makes much and
// drops it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    Seeds(Seeds),
    /// Kills at every moment of every request of every scenario, and again in the recovery.
    Crashes {
        /// --only TEXT (_ is a space), --every N, --crashes N, --every-one, --threads N, --tell.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        how: Vec<String>,
    },
    /// Lets every fault strike every request of every scenario, one at a time or two.
    Faults {
        /// --only TEXT (_ is a space), --every N, --every-fault N, --pairs, --threads N, --tell.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        how: Vec<String>,
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
        What::Seeds(asked) => seeds(&asked),
        What::Crashes { how } => swept(how, sweep::crashes),
        What::Faults { how } => swept(how, sweep::faults),
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

fn swept(how: Vec<String>, sweep: fn(&sweep::Options) -> sweep::Summary) -> ExitCode {
    match sweep::Options::from_args(how) {
        Ok(options) => {
            let summary = sweep(&options);
            print!("{summary}");
            ExitCode::from(summary.exit_code())
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
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
    let mut out = std::io::stdout().lock();
    // Whoever has read enough, such as `head`, closes the pipe.
    let mut print = |line: &str| writeln!(out, "{line}").is_ok();
    let all = run.lines.iter().all(|line| print(line));
    let end = match &run.broken {
        Some(broken) => format!("case {case}: {broken}"),
        None => format!("case {case}: no law broken"),
    };
    if all {
        print(&end);
    }
}

/// Which seeds to run, and how.
#[derive(clap::Args)]
struct Seeds {
    /// How many.
    #[arg(default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// The first.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Go on after a broken law, and print each.
    #[arg(long)]
    all: bool,
    /// How many at a time; all cores unless it is said.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print the broken law and no more.
    #[arg(long)]
    no_shrink: bool,
}

fn seeds(asked: &Seeds) -> ExitCode {
    let end = asked.from.saturating_add(asked.count);
    let next = AtomicU64::new(asked.from);
    let figures = Mutex::new(Figures::default());
    let began = Instant::now();
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = asked.threads.map_or_else(cores, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let over = !asked.all && !figures.lock().unwrap().broken.is_empty();
                    if seed >= end || over {
                        return;
                    }
                    let since = Instant::now();
                    let run = sim::run(&Case::whole(seed), Keep::Hash);
                    figures.lock().unwrap().add(seed, &run, since.elapsed());
                }
            });
        }
    });
    let figures = figures.into_inner().unwrap();
    print!("{}", figures.told(began.elapsed(), threads));
    if let Some(seed) = figures.broken.first().filter(|_| !asked.no_shrink) {
        println!("shrinking seed {seed} ...");
        let case = Case::whole(*seed);
        let failed = sim::run(&case, Keep::Hash);
        let (case, run) = sim::shrink::shrink(&case, &failed);
        tell(&case, &run);
    }
    let missing = figures.missing();
    for what in &missing {
        println!("{what}: too seldom for so many seeds, so that they prove less than they seem to");
    }
    ended(figures.broken.is_empty() && missing.is_empty())
}
