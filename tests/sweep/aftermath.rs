//! The aftermath: what must hold once a run that was disturbed has been followed by one that was
//! not. A check that is a law of docs/reliability.md has its number, any other a name.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use evenkeel::engine::Engine;
use evenkeel::model::chain::whole;
use evenkeel::model::entry::{Entry, Outcome, Record};
use evenkeel::model::pass::Pass;
use evenkeel::model::plan::Verdict;
use evenkeel::store::Chain;
use serde_json::Value;

use super::scenario::{CANARY, Scenario, complaints};
use super::stage::{Stage, Who};
use super::state::{self, State};
use super::wire::{Effect, Orders, Passed, Side, Wire};

/// Rollouts are over by then, and nothing that was written may still not show.
pub const CALM: Duration = Duration::from_secs(600);
/// Nothing that was given up can come any more.
const LATEST: Duration = Duration::from_secs(3600);
/// Runs after which a world that others changed in the middle is in order.
const RUNS: usize = 4;

const LAST: Who = Who {
    holder: "last@test/10",
    seed: 100,
};

/// A check that did not hold, and what was found.
#[derive(Clone, Debug)]
pub struct Broken {
    pub check: &'static str,
    pub found: String,
}

pub fn hold(
    check: &'static str,
    holds: bool,
    found: impl FnOnce() -> String,
) -> Result<(), Broken> {
    match holds {
        true => Ok(()),
        false => Err(Broken {
            check,
            found: found(),
        }),
    }
}

/// What the wire did that no sender can help.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leave {
    /// A request was delivered twice, so its effect may be there twice.
    pub twice: bool,
    /// So many more runs are allowed than an undisturbed world needs.
    pub more_runs: usize,
}

/// States of one scenario in which a further controller has been seen to write nothing.
#[derive(Debug, Default)]
pub struct Quiet(RefCell<HashSet<State>>);

/// Lets the world come to rest, lets `engine` look and act once more, and checks everything.
/// `expected` is the estate at the end of an undisturbed run.
pub async fn check(
    scenario: &Scenario,
    stage: &Stage,
    engine: &Engine,
    expected: Option<&str>,
    leave: Leave,
    quiet: &Quiet,
) -> Result<(), Broken> {
    stage.clock.sleep(CALM).await;
    scenario.overdue(stage);
    let runs = match scenario.between {
        Some(_) => RUNS,
        None => 1 + leave.more_runs,
    };
    let mut run = 0;
    let pass = loop {
        run += 1;
        let pass = scenario.pass(engine).await;
        if pass.plan.verdict() == Verdict::InOrder || run == runs {
            break pass;
        }
        stage.clock.sleep(CALM).await;
    };
    in_order(&pass)?;
    at_rest(stage, engine, scenario.app(), leave).await?;
    if let Some(expected) = expected {
        ends_as_an_undisturbed_run(expected, &stage.world(state::estate))?;
    }
    // A further controller knows nothing but what it finds. Nothing of it is new by then.
    stage.clock.sleep(CALM).await;
    let left = state::state(stage);
    if !quiet.0.borrow().contains(&left) {
        a_second_pass_writes_nothing(scenario, stage).await?;
        quiet.0.borrow_mut().insert(left);
    }
    Ok(())
}

/// What the ledger, the store's rows and AWS say of all that was written to `app`.
pub async fn at_rest(
    stage: &Stage,
    engine: &Engine,
    app: &str,
    leave: Leave,
) -> Result<(), Broken> {
    let entries = chain_is_whole(engine, app).await?;
    tokens_only_grow(&entries)?;
    every_intent_has_one_end(&entries)?;
    // Before the count of all writes, which says less of it.
    no_revision_twice(stage, leave)?;
    every_write_has_an_intent(&entries, stage, leave)?;
    no_secret_in_the_store(stage)
}

/// S27: the chain has no gap and no fork, and ends at its head.
async fn chain_is_whole(engine: &Engine, app: &str) -> Result<Vec<Entry>, Broken> {
    let broken = |found| Broken {
        check: "S27",
        found,
    };
    let store = engine
        .store
        .as_ref()
        .ok_or_else(|| broken("no store".to_owned()))?;
    let Chain { entries, head } = store.chain(app).await.map_err(|e| broken(e.to_string()))?;
    whole(app, &entries, head.as_ref()).map_err(|fault| broken(fault.to_string()))?;
    Ok(entries)
}

/// L1: the documents hold, and nothing is held back or open.
fn in_order(pass: &Pass) -> Result<(), Broken> {
    hold("L1", pass.plan.verdict() == Verdict::InOrder, || {
        format!("{:#?}", pass.plan.objects)
    })?;
    let complaints = complaints(pass);
    hold("L1", complaints.is_empty(), || complaints.join("\n"))
}

/// S1, of what the ledger shows: a later entry never has a lower token.
fn tokens_only_grow(entries: &[Entry]) -> Result<(), Broken> {
    let grows = entries
        .windows(2)
        .all(|pair| pair[0].token <= pair[1].token);
    hold("S1", grows, || {
        let tokens: Vec<u64> = entries.iter().map(|e| e.token).collect();
        format!("{tokens:?}")
    })
}

/// S24b, S25 and L2: every intent has one outcome in the end, and until then its object has no other.
fn every_intent_has_one_end(entries: &[Entry]) -> Result<(), Broken> {
    let mut open: BTreeMap<String, String> = BTreeMap::new();
    let mut ended: BTreeSet<&str> = BTreeSet::new();
    for entry in entries {
        match &entry.record {
            Record::Intent { id, key, .. } => {
                let other = open.insert(key.to_string(), id.clone());
                hold("S25", other.is_none(), || {
                    format!("{key}: {id} was announced while {other:?} was open")
                })?;
            }
            Record::Outcome {
                intent,
                key,
                outcome,
                ..
            } => {
                hold("S24b", !ended.contains(intent.as_str()), || {
                    format!("{key}: {intent} has two outcomes")
                })?;
                if *outcome != Outcome::Unknown {
                    ended.insert(intent);
                    let was = open.remove(&key.to_string());
                    hold("S24b", was.as_ref() == Some(intent), || {
                        format!("{key}: an outcome of {intent} while {was:?} was open")
                    })?;
                }
            }
        }
    }
    hold("L2", open.is_empty(), || format!("still open: {open:?}"))
}

/// S24: no more writes reached AWS than were announced.
fn every_write_has_an_intent(entries: &[Entry], stage: &Stage, leave: Leave) -> Result<(), Broken> {
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    stage.world(|w| {
        for call in w.calls.writes() {
            *sent.entry(call.name.clone()).or_default() += 1;
        }
    });
    for (name, times) in &sent {
        let of = |e: &&Entry| matches!(&e.record, Record::Intent { step, .. } if step.operation == *name);
        let announced = entries.iter().filter(of).count();
        let allowed = announced + usize::from(leave.twice);
        hold("S24", *times <= allowed, || {
            format!("{name} reached AWS {times} times, {announced} were announced")
        })?;
    }
    Ok(())
}

/// S25b: no two revisions carry one intent's tag.
fn no_revision_twice(stage: &Stage, leave: Leave) -> Result<(), Broken> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    stage.world(|w| {
        for definition in w.ecs.all_task_definitions() {
            if let Some(intent) = definition.tags.get("evenkeel:intent") {
                *seen.entry(intent.clone()).or_default() += 1;
            }
        }
    });
    seen.retain(|_, times| *times > 1 + usize::from(leave.twice));
    hold("S25b", seen.is_empty(), || format!("{seen:?}"))
}

/// S29, of what is kept: no row of the store holds a value from a container's environment.
fn no_secret_in_the_store(stage: &Stage) -> Result<(), Broken> {
    let told: Vec<String> = stage
        .rows()
        .iter()
        .filter(|row| row.to_string().contains(CANARY))
        .map(|row| row["sk"].to_string())
        .collect();
    hold("S29", told.is_empty(), || told.join(", "))
}

/// S20 and L7: what AWS holds is what it holds after an undisturbed run: what documents name, and
/// all that they do not name.
fn ends_as_an_undisturbed_run(expected: &str, found: &str) -> Result<(), Broken> {
    hold("ends_as_an_undisturbed_run", found == expected, || {
        difference(expected, found)
    })
}

fn difference(expected: &str, found: &str) -> String {
    expected
        .lines()
        .zip(found.lines())
        .filter(|(a, b)| a != b)
        .map(|(a, b)| format!("expected {a}\nfound    {b}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// S31: where all is in order, another controller writes nothing, neither to AWS nor to the store. A
/// write that was given up is looked for once more, and that is remembered: the pass after that.
async fn a_second_pass_writes_nothing(scenario: &Scenario, stage: &Stage) -> Result<(), Broken> {
    const CHECK: &str = "S31";
    let given_up = |row: &Value| row.to_string().contains("givenUp");
    if stage.rows().iter().any(given_up) {
        stage.clock.sleep(LATEST).await;
        let writes = writes_of_a_pass(scenario, stage).await;
        let to_aws = writes.iter().any(|p| p.side == Side::Aws);
        hold(CHECK, !to_aws, || format!("{writes:?}"))?;
        hold(CHECK, !stage.rows().iter().any(given_up), || {
            "what was given up was not looked for once more".to_owned()
        })?;
    }
    stage.clock.sleep(CALM).await;
    let writes = writes_of_a_pass(scenario, stage).await;
    hold(CHECK, writes.is_empty(), || format!("{writes:?}"))
}

async fn writes_of_a_pass(scenario: &Scenario, stage: &Stage) -> Vec<Passed> {
    let wire = Wire::new(stage, Orders::Count);
    let engine = stage.replica(LAST, &wire).await;
    wire.begin();
    scenario.pass(&engine).await;
    let mut passed = wire.passed();
    passed.retain(|p| p.effect == Effect::Write);
    passed
}
