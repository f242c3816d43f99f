//! Figures: what many seeds came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use evenkeel::model::operation::{Effect, operation};

use super::sim::Run;
use super::sim::happening::EVENTS;
use super::sim::weather::{STRIKES, Target};

/// How many seeds have to have seen everything.
const MANY: u64 = 2000;
/// How often each fault has to have been there in so many seeds.
const OFTEN: u64 = 50;
/// The same, of what takes several things to go wrong.
const SOMETIMES: u64 = 5;

/// What many seeds came to.
#[derive(Default)]
pub struct Figures {
    runs: u64,
    events: u64,
    lived: Duration,
    spent: Duration,
    calls: BTreeMap<String, u64>,
    struck: BTreeMap<String, BTreeMap<String, u64>>,
    happened: BTreeMap<&'static str, u64>,
    /// How long each took to come to rest.
    rested: Vec<Duration>,
    /// The seeds that broke a law.
    pub broken: Vec<u64>,
}

impl Figures {
    /// One more run, which took `spent`.
    pub fn add(&mut self, seed: u64, run: &Run, spent: Duration) {
        self.runs += 1;
        self.events += run.events;
        self.lived += run.lived;
        self.rested.extend(run.rested);
        self.spent += spent;
        for (name, times) in &run.calls {
            *self.calls.entry(name.clone()).or_default() += times;
        }
        for ((strike, name), times) in &run.struck {
            let calls = self.struck.entry(format!("{strike:?}")).or_default();
            *calls.entry(name.clone()).or_default() += times;
        }
        for (what, times) in &run.happened {
            *self.happened.entry(what).or_default() += times;
        }
        if let Some(broken) = &run.broken {
            println!("seed {seed}: {broken}");
            self.broken.push(seed);
        }
    }

    /// What was there too seldom: then so many seeds prove less than they seem to.
    pub fn missing(&self) -> Vec<String> {
        if self.runs < MANY || !self.broken.is_empty() {
            return Vec::new();
        }
        let strikes = STRIKES.iter().map(|strike| format!("{strike:?}"));
        let seldom = strikes.filter(|strike| {
            let calls = self.struck.get(strike);
            calls.map_or(0, |calls| calls.values().sum()) < OFTEN
        });
        let times = |what: &str| self.happened.get(what).copied().unwrap_or_default();
        let rare = EVENTS.iter().filter(|what| times(what) < SOMETIMES);
        let writes = self
            .calls
            .iter()
            .filter(|(name, times)| writes(name) && **times >= MANY);
        let never = writes.flat_map(|(name, _)| {
            let can = STRIKES.iter().filter(|s| s.strikes(Target::Aws, name));
            can.map(move |strike| (format!("{strike:?}"), name))
                .filter(|(strike, name)| {
                    let calls = self.struck.get(strike);
                    !calls.is_some_and(|calls| calls.contains_key(*name))
                })
                .map(|(strike, name)| format!("{strike} at {name}"))
        });
        seldom
            .chain(rare.map(|what| (*what).to_owned()))
            .chain(never)
            .collect()
    }

    /// For people.
    pub fn told(&self, took: Duration, threads: usize) -> String {
        let runs = self.runs.max(1);
        let calls: u64 = self.calls.values().sum();
        let mut text = format!(
            "{} seeds in {:.0} s on {threads} threads: {:.0} an hour, {:.1} ms each\n\
             {calls} calls, {} a seed; {} events; {:.0} hours simulated; {} seeds broke a law\n",
            self.runs,
            took.as_secs_f64(),
            self.runs as f64 * 3600.0 / took.as_secs_f64(),
            self.spent.as_secs_f64() * 1000.0 / runs as f64,
            calls / runs,
            self.events,
            self.lived.as_secs_f64() / 3600.0,
            self.broken.len(),
        );
        let mut rested = self.rested.clone();
        rested.sort_unstable();
        let at = |share: usize| {
            rested.get((rested.len() * share / 100).min(rested.len().saturating_sub(1)))
        };
        let seconds = |d: Option<&Duration>| d.map_or(0.0, Duration::as_secs_f64);
        let _ = writeln!(
            text,
            "at rest after the weather cleared: half within {:.0} s, 99 of 100 within {:.0} s, the last after {:.0} s",
            seconds(at(50)),
            seconds(at(99)),
            seconds(rested.last()),
        );
        let events = self.happened.iter().map(|(what, n)| (*what, *n));
        listed(&mut text, "happened", events);
        for (strike, calls) in &self.struck {
            let calls = calls.iter().map(|(name, n)| (name.as_str(), *n));
            listed(&mut text, strike, calls);
        }
        text
    }
}

/// Whether it is a mutation of the estate.
fn writes(name: &str) -> bool {
    operation(name).is_some_and(|op| op.effect == Effect::Write)
}

/// `title  total: name n, name n`, in lines of at most a hundred characters.
fn listed<'a>(text: &mut String, title: &str, parts: impl Iterator<Item = (&'a str, u64)>) {
    let parts: Vec<_> = parts.collect();
    let total: u64 = parts.iter().map(|(_, n)| n).sum();
    let mut line = format!("{title:<12} {total:>8}:");
    for (name, n) in parts {
        let part = format!(" {name} {n},");
        if line.len() + part.len() > 100 {
            let _ = writeln!(text, "{line}");
            line = " ".repeat(22);
        }
        line += &part;
    }
    let _ = writeln!(text, "{}", line.trim_end_matches(','));
}
