//! Real world: what a machine, a person or a network does to the real binary, and what holds all the same.
//!
//! Every test starts processes. What waits (for a lease to run out, for a lost write to show, for a
//! rollout that nobody can look at) is one test with a thread for each case, so that all wait together.

mod answers;
mod clocks;
mod credentials;
mod disk;
mod folders;
mod front;
mod paused;
mod shim;

use std::collections::BTreeMap;
use std::process::Command;

use evenkeel::twin::World;

use crate::process::{Bench, Ended, LIMIT, Running};

const APPLY: [&str; 2] = ["apply", "--yes"];

/// A case that waits, with its name.
type Case = (String, Box<dyn FnOnce() + Send>);

fn case(name: String, run: impl FnOnce() + Send + 'static) -> Case {
    (name, Box::new(run))
}

#[test]
fn a_pause_beyond_the_lease_a_lost_answer_and_a_blind_wait_end_as_they_should() {
    let mut cases = paused::cases();
    cases.extend(answers::lost_writes());
    cases.extend(credentials::blind_waits());
    side_by_side(cases, |run| run());
}

/// Cases at work at once: enough for all that wait to do so together, and few enough that processes which
/// work for a second each do not keep each other from it for minutes.
const AT_ONCE: usize = 24;

/// Runs each case in a thread of its own, and fails with the names of those that failed.
fn side_by_side<C: Send>(cases: Vec<(String, C)>, run: impl Fn(C) + Sync) {
    let (run, count) = (&run, cases.len());
    let mut failed: Vec<String> = Vec::new();
    let mut cases = cases.into_iter().peekable();
    while cases.peek().is_some() {
        std::thread::scope(|scope| {
            let threads: Vec<_> = cases
                .by_ref()
                .take(AT_ONCE)
                .map(|(name, case)| {
                    let thread = std::thread::Builder::new().name(name.clone());
                    (name, thread.spawn_scoped(scope, move || run(case)).unwrap())
                })
                .collect();
            let ended = threads.into_iter();
            failed
                .extend(ended.filter_map(|(name, thread)| thread.join().is_err().then_some(name)));
        });
    }
    assert!(failed.is_empty(), "of {count} cases: {failed:#?}");
}

fn ended(command: Command) -> Ended {
    Running::start(command).wait(LIMIT)
}

/// All that a command said, as one line, so that a test does not depend on how it is wrapped.
fn said(ended: &Ended) -> String {
    ended.all().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_says(ended: &Ended, words: &[&str]) {
    let text = said(ended);
    for word in words {
        assert!(
            text.contains(word),
            "{word:?} is not said:\n{}",
            ended.all()
        );
    }
}

/// The history is whole, nothing is left to do, and no intent has left two revisions.
#[track_caller]
fn assert_at_rest(bench: &Bench) {
    bench.run(["history", "--verify"]).expect(0);
    bench.run(["plan"]).expect(0);
    let mut of_intent: BTreeMap<String, usize> = BTreeMap::new();
    bench.twin.world(|w| {
        for definition in w.ecs.all_task_definitions() {
            if let Some(intent) = definition.tags.get("evenkeel:intent") {
                *of_intent.entry(intent.clone()).or_default() += 1;
            }
        }
    });
    assert!(of_intent.values().all(|n| *n == 1), "{of_intent:?}");
}

/// Revisions that were registered with this CPU size.
fn revisions(bench: &Bench, cpu: u32) -> usize {
    let cpu = cpu.to_string();
    let registered = |w: &mut World| {
        w.calls
            .of("ecs.RegisterTaskDefinition")
            .filter(|call| call.input["cpu"] == cpu.as_str())
            .count()
    };
    bench.twin.world(registered)
}
