//! Summaries: how much a sweep did, and what did not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use evenkeel::kinds::KINDS;

use super::aftermath::Broken;
use super::wire::Passed;

/// One case in which a check did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    pub scenario: String,
    pub case: String,
    pub broken: Broken,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken { check, found } = &self.broken;
        write!(
            f,
            "FAILED {}: {check} broken, {}: {found}",
            self.scenario, self.case
        )
    }
}

/// What a sweep did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub what: &'static str,
    pub scenarios: usize,
    /// Requests of the undisturbed runs.
    pub requests: usize,
    /// Their names.
    pub names: BTreeSet<String>,
    /// Moments at which a process dies, in first runs and in recoveries.
    pub crashes: usize,
    /// Distinct states that these leave.
    pub states: usize,
    /// Runs in a world of their own.
    pub runs: usize,
    /// Faults that struck, by kind and name of the request.
    pub hits: BTreeMap<(&'static str, String), usize>,
    /// Faults that were left out because they do not apply, by the reason.
    pub left_out: BTreeMap<&'static str, usize>,
    pub took: Duration,
    pub failures: Vec<Failure>,
}

impl Summary {
    /// Counts the requests of an undisturbed run.
    pub fn calls(&mut self, passed: &[Passed]) {
        self.requests += passed.len();
        self.names.extend(passed.iter().map(|p| p.name.clone()));
    }

    /// Every write of every kind has to be among the requests of a whole sweep.
    pub fn expect_every_write(&mut self) {
        let writes = KINDS.iter().flat_map(|kind| kind.writes());
        let never: Vec<&str> = writes
            .copied()
            .filter(|name| !self.names.contains(*name))
            .collect();
        if !never.is_empty() {
            self.failures.push(Failure {
                scenario: "all".to_owned(),
                case: "undisturbed".to_owned(),
                broken: Broken {
                    check: "every_write_is_reached",
                    found: never.join(", "),
                },
            });
        }
    }

    /// Counts a run, and keeps what did not hold.
    pub fn watch<T>(
        &mut self,
        scenario: &str,
        case: &str,
        run: impl FnOnce() -> Result<T, Broken>,
    ) -> Option<T> {
        self.runs += 1;
        match run() {
            Ok(done) => Some(done),
            Err(broken) => {
                self.failures.push(Failure {
                    scenario: scenario.to_owned(),
                    case: case.to_owned(),
                    broken,
                });
                None
            }
        }
    }

    pub fn add(&mut self, other: Summary) {
        self.scenarios += other.scenarios;
        self.requests += other.requests;
        self.names.extend(other.names);
        self.crashes += other.crashes;
        self.states += other.states;
        self.runs += other.runs;
        for (hit, times) in other.hits {
            *self.hits.entry(hit).or_default() += times;
        }
        for (reason, times) in other.left_out {
            *self.left_out.entry(reason).or_default() += times;
        }
        self.failures.extend(other.failures);
    }

    /// In one line.
    pub fn line(&self) -> String {
        let hits: usize = self.hits.values().sum();
        format!(
            "{} scenarios, {} requests, {} crash points, {} states, {hits} faults, {} runs, {} failures",
            self.scenarios,
            self.requests,
            self.crashes,
            self.states,
            self.runs,
            self.failures.len()
        )
    }

    /// 0 when everything held, 1 when something did not.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.failures.is_empty())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.what, self.line())?;
        writeln!(f, "{:.1} s", self.took.as_secs_f64())?;
        let mut by_name: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((kind, name), times) in &self.hits {
            by_name
                .entry(name)
                .or_default()
                .push(format!("{kind} {times}"));
        }
        for (name, kinds) in by_name {
            writeln!(f, "  {name}: {}", kinds.join(", "))?;
        }
        for (reason, times) in &self.left_out {
            writeln!(f, "  left out {times}: {reason}")?;
        }
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        Ok(())
    }
}
