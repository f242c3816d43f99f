//! The crash sweep: killed at every moment of every request, and again at every moment of the
//! recovery, a process is followed by one that ends in order.
//!
//! A crash leaves nothing but the world, the store's rows and the time. So crashes that leave equal
//! states are taken as one, unless [`Options::every_one`] asks for each: then each process is
//! really killed where it is to die, and what it leaves is compared with what was foretold.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::aftermath::{self, Broken, Leave, Quiet, hold};
use super::scenario::{Scenario, complaints};
use super::stage::{Fork, Stage, Who};
use super::state::{self, State};
use super::wire::{Effect, MOMENTS, Moment, Orders, Passed, Wire};
use super::{Options, Summary, Wraps, run_in_time};

const FIRST: Who = Who {
    holder: "one@test/1",
    seed: 21,
};
/// The process that died, started again.
const SAME: Who = Who {
    holder: "one@test/2",
    seed: 22,
};
const OTHER: Who = Who {
    holder: "two@test/1",
    seed: 23,
};
const LAST: Who = Who {
    holder: "three@test/1",
    seed: 24,
};

/// One distinct state that a crash leaves, and the first crash that leaves it.
struct Left {
    state: State,
    fork: Fork,
    nth: usize,
    moment: Moment,
    name: String,
}

impl Left {
    fn case(&self) -> String {
        format!(
            "killed {:?} of request {}, {}",
            self.moment, self.nth, self.name
        )
    }
}

/// What a run leaves at each of its moments.
#[derive(Default)]
struct Log {
    left: Vec<Left>,
    /// The state at each moment, for [`Options::every_one`].
    states: Vec<State>,
    seen: HashSet<State>,
    newest: Option<(Timestamp, State)>,
    written: bool,
    requests: Vec<Passed>,
}

impl Log {
    fn look(&mut self, stage: &Stage, passed: &Passed, moment: Moment) {
        if moment == Moment::BeforeItIsSent {
            self.requests.push(passed.clone());
        }
        self.written |= moment != Moment::BeforeItIsSent && passed.effect == Effect::Write;
        let now = stage.clock.now();
        let state = match self.newest {
            Some((at, state)) if at == now && !self.written => state,
            _ => state::state(stage),
        };
        self.newest = Some((now, state));
        self.written = false;
        self.states.push(state);
        if self.seen.insert(state) {
            self.left.push(Left {
                state,
                fork: stage.fork(),
                nth: self.requests.len(),
                moment,
                name: passed.name.clone(),
            });
        }
    }
}

/// A wire that keeps a log of what would be left.
fn logged(stage: &Stage) -> (Wire, Arc<Mutex<Log>>) {
    let log = Arc::new(Mutex::new(Log::default()));
    let (kept, place) = (log.clone(), stage.clone());
    let recorder = move |passed: &Passed, moment| kept.lock().unwrap().look(&place, passed, moment);
    (Wire::new(stage, Orders::Record(Box::new(recorder))), log)
}

/// Sweeps one scenario.
pub fn sweep(scenario: &Scenario, options: &Options) -> Summary {
    let mut summary = Summary {
        scenarios: 1,
        ..Summary::default()
    };
    let wraps = &options.wraps;
    let name = &scenario.name;
    let began = summary.watch(name, "start", || {
        run_in_time(async { Ok(scenario.start(wraps).await) })
    });
    let Some(start) = began else { return summary };
    let undisturbed = summary.watch(name, "undisturbed", || undisturbed(scenario, &start, wraps));
    let Some((log, expected)) = undisturbed else {
        return summary;
    };
    summary.calls(&log.requests);
    let mut sweep = Sweep {
        scenario,
        options,
        expected,
        proven: HashSet::new(),
        summary,
    };
    sweep.after(&start, &log, FIRST, 1, "");
    sweep.summary
}

/// A sweep of one scenario, under way.
struct Sweep<'a> {
    scenario: &'a Scenario,
    options: &'a Options,
    /// The estate at the end of an undisturbed run.
    expected: String,
    /// States that a next run has been seen to mend.
    proven: HashSet<State>,
    summary: Summary,
}

impl Sweep<'_> {
    /// Lets the `depth`-th crash happen at every moment of the run of `who` that began with `start`
    /// and left `log`, each followed by a next run. `before` tells of the crashes before it.
    fn after(&mut self, start: &Fork, log: &Log, who: Who, depth: usize, before: &str) {
        self.summary.crashes += log.requests.len() * MOMENTS.len();
        let left = match self.options.every_one {
            true => &self.killed(start, log, who, before),
            false => &log.left,
        };
        for (at, left) in left.iter().enumerate() {
            if !self.proven.insert(left.state) && !self.options.every_one {
                continue;
            }
            self.summary.states += 1;
            let case = format!("{before}{}", left.case());
            let next = match depth {
                1 => [SAME, OTHER][at % 2],
                _ => LAST,
            };
            let goes_on = depth < self.options.crashes.min(self.scenario.crashes);
            let (scenario, wraps) = (self.scenario, &self.options.wraps);
            let recovered = self.summary.watch(&scenario.name, &case, || {
                recover(scenario, &left.fork, next, &self.expected, goes_on, wraps)
            });
            if !goes_on && depth < self.options.crashes {
                let why = "a rollout of half a minute is over before a second recovery could look";
                *self.summary.left_out.entry(why).or_default() += 1;
            }
            if let Some(Some(log)) = recovered {
                let before = format!("{case}; then ");
                self.after(&left.fork, &log, next, depth + 1, &before);
            }
        }
    }

    /// Kills `who` at every moment of every request, each in a run of its own. What it leaves has to
    /// be the very state that the log foretells.
    fn killed(&mut self, start: &Fork, log: &Log, who: Who, before: &str) -> Vec<Left> {
        let mut all = Vec::new();
        let (scenario, wraps) = (self.scenario, &self.options.wraps);
        for (at, request) in log.requests.iter().enumerate() {
            for moment in MOMENTS {
                // The log has two looks at each request: an answer that is heard leaves no trace.
                let look = 2 * at + usize::from(moment != Moment::BeforeItIsSent);
                let nth = at + 1;
                let name = &request.name;
                let case = format!("{before}killed {moment:?} of request {nth}, {name}");
                let left = self.summary.watch(&scenario.name, &case, || {
                    run_in_time(async {
                        let stage = scenario.resume(start, wraps);
                        let wire = Wire::new(&stage, Orders::Kill(nth, moment));
                        let lived = scenario.live(who, &wire).await;
                        // A process whose last answer has come may be at its end already.
                        let ended = nth == log.requests.len() && moment == Moment::AfterItsAnswer;
                        hold("it_was_killed", lived.is_none() || ended, String::new)?;
                        let state = state::state(&stage);
                        let foretold = log.states.get(look) == Some(&state);
                        hold("it_left_what_was_foretold", foretold, || {
                            "another state, so that equal states must not be taken as one"
                                .to_owned()
                        })?;
                        Ok(Left {
                            state,
                            fork: stage.fork(),
                            nth,
                            moment,
                            name: name.clone(),
                        })
                    })
                });
                all.extend(left);
            }
        }
        all
    }
}

/// The run that nobody disturbs: what would be left at each moment, and the estate at its end.
fn undisturbed(scenario: &Scenario, start: &Fork, wraps: &Wraps) -> Result<(Log, String), Broken> {
    run_in_time(async {
        let stage = scenario.resume(start, wraps);
        let (wire, log) = logged(&stage);
        let lived = scenario.live(FIRST, &wire).await;
        let (engine, pass) = lived.unwrap_or_else(|| panic!("nobody kills it"));
        if scenario.between.is_none() {
            let complaints = complaints(&pass);
            hold("L1", complaints.is_empty(), || complaints.join("\n"))?;
        }
        wire.end();
        aftermath::check(
            scenario,
            &stage,
            &engine,
            None,
            Leave::default(),
            &Quiet::default(),
        )
        .await?;
        let estate = stage.world(state::estate);
        let log = std::mem::take(&mut *log.lock().unwrap());
        Ok((log, estate))
    })
}

/// The next run after a crash, and the aftermath; its own moments, if they are asked for.
fn recover(
    scenario: &Scenario,
    fork: &Fork,
    who: Who,
    expected: &str,
    logs: bool,
    wraps: &Wraps,
) -> Result<Option<Log>, Broken> {
    run_in_time(async {
        let stage = scenario.resume(fork, wraps);
        let (wire, log) = match logs {
            true => logged(&stage),
            false => (Wire::new(&stage, Orders::Count), Arc::default()),
        };
        let lived = scenario.live(who, &wire).await;
        let (engine, pass) = lived.unwrap_or_else(|| panic!("nobody kills it"));
        if scenario.between.is_none() {
            let complaints = complaints(&pass);
            hold("in_order_after_one_run", complaints.is_empty(), || {
                complaints.join("\n")
            })?;
        }
        wire.end();
        let quiet = Quiet::default();
        aftermath::check(
            scenario,
            &stage,
            &engine,
            Some(expected),
            Leave::default(),
            &quiet,
        )
        .await?;
        Ok(logs.then(|| std::mem::take(&mut *log.lock().unwrap())))
    })
}
