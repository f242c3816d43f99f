//! Kill: `apply` killed at any moment of its work, and what the next one makes of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use evenkeel::aws::door::CALL_TIMEOUT;
use evenkeel::clock::Clock;
use evenkeel::model::operation::{Effect, operation};
use evenkeel::store::LEASE_DURATION;
use evenkeel::twin::World;
use evenkeel::twin::faults::Fault;
use rustix::process::{Pid, Signal, kill_process};

use crate::process::estate::{SECRET, SHOP, shop};
use crate::process::{Bench, LIMIT, Running, until};

/// When the process dies, as AWS sees its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// On the way: the request never gets there.
    Before,
    /// Once it has had its effect, and before anybody hears of it.
    After,
}

fn bench() -> Bench {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", SHOP);
    bench
}

const APPLY: [&str; 2] = ["apply", "--yes"];

/// Kills an apply at its `nth` request, and applies again.
fn killed_and_applied_again(nth: usize, moment: Moment) {
    let bench = bench();
    let (tell, told) = mpsc::channel::<Pid>();
    let kill = move || {
        let pid = told.recv_timeout(LIMIT).unwrap();
        // It is not waited for until later, so the id is its own.
        kill_process(pid, Signal::KILL).unwrap();
    };
    let (died, dead) = mpsc::channel::<()>();
    bench.twin.world(|w| match moment {
        Moment::After => {
            let act = move |_: &mut _| {
                kill();
                died.send(()).unwrap();
            };
            w.faults.at_any(nth, Fault::ActAfter(Box::new(act)));
        }
        Moment::Before => {
            let seen = AtomicUsize::new(0);
            let (kill, died) = (std::sync::Mutex::new(kill), died);
            let reached = move |_: &str, _: &_| {
                let this = seen.fetch_add(1, Ordering::Relaxed) + 1 == nth;
                if this {
                    kill.lock().unwrap()();
                    died.send(()).unwrap();
                }
                this
            };
            w.faults.at_match(1, Fault::LostBefore, reached);
        }
    });
    let first = Running::start(bench.evenkeel(APPLY));
    tell.send(first.pid()).unwrap();
    dead.recv_timeout(LIMIT)
        .unwrap_or_else(|_| panic!("request {nth} never came: {}", first.so_far()));
    assert_eq!(first.wait(LIMIT).code, None);
    let at = || format!("killed at request {nth} ({moment:?}): {:?}", bench.calls());

    let again = bench.run(APPLY);
    assert_eq!(again.code, Some(0), "{}\n{}", at(), again.all());
    let history = bench.run(["history", "--verify"]);
    assert_eq!(history.code, Some(0), "{}\n{}", at(), history.all());
    let plan = bench.run(["plan"]);
    assert_eq!(plan.code, Some(0), "{}\n{}", at(), plan.all());
    for told in [&again, &history, &plan] {
        assert!(!told.all().contains(SECRET), "{}\n{}", at(), told.all());
    }
    let (of_intent, live) = bench.twin.world(|w| {
        let mut of_intent: BTreeMap<String, usize> = BTreeMap::new();
        for definition in w.ecs.all_task_definitions() {
            if let Some(intent) = definition.tags.get("evenkeel:intent") {
                *of_intent.entry(intent.clone()).or_default() += 1;
            }
        }
        let live = w.task_definition_of("main", "web").unwrap();
        let ours = live.tags.contains_key("evenkeel:intent");
        (of_intent, (live.cpu(), live.memory(), ours))
    });
    // Its effect came at once if it came at all, so the one that was made is the one in use.
    let one: Vec<usize> = of_intent.values().copied().collect();
    assert_eq!(one, [1], "{}: {of_intent:?}", at());
    assert_eq!(live, (Some(512), Some(1024), true), "{}", at());
}

/// At every write both before and after its effect; at every third read after it. All at once:
/// what a lost write costs is waiting, not work.
#[test]
fn an_apply_killed_at_any_request_is_brought_to_its_end_by_the_next() {
    let bench = bench();
    bench.run(APPLY).expect(0);
    let calls = bench.calls();
    let is_write = |name: &str| operation(name).is_some_and(|op| op.effect == Effect::Write);
    let mut cases = Vec::new();
    for (at, name) in calls.iter().enumerate() {
        if is_write(name) {
            cases.extend([(at + 1, Moment::Before), (at + 1, Moment::After)]);
        } else if at % 3 == 0 {
            cases.push((at + 1, Moment::After));
        }
    }
    let writes = calls.iter().filter(|name| is_write(name)).count();
    assert!(writes >= 6 && cases.len() >= 12, "{calls:?}");
    let failed: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = cases
            .iter()
            .map(|(nth, moment)| {
                let case = std::thread::Builder::new().name(format!("request {nth}, {moment:?}"));
                let run = || killed_and_applied_again(*nth, *moment);
                ((nth, moment), case.spawn_scoped(scope, run).unwrap())
            })
            .collect();
        running
            .into_iter()
            .filter_map(|(case, thread)| thread.join().is_err().then_some(case))
            .collect()
    });
    assert!(failed.is_empty(), "of {} cases: {failed:?}", cases.len());
}

#[test]
fn the_lease_of_a_killed_apply_is_not_waited_for_on_its_own_machine() {
    let bench = bench();
    // The first reading is the plan's; the second comes under the lease, before any intent.
    bench
        .twin
        .world(|w| w.faults.at("ecs.DescribeServices", 2, Fault::Hang));
    let first = Running::start(bench.evenkeel(APPLY));
    until("the first reads under its lease", LIMIT, || {
        let readings = |w: &mut World| w.calls.of("ecs.DescribeServices").count();
        (bench.twin.world(readings) == 2).then_some(())
    });
    first.signal(Signal::KILL);
    assert_eq!(first.wait(LIMIT).code, None);
    let clock = Clock::system();
    let began = clock.boot();
    bench.run(APPLY).expect(0);
    // What its last holder sent is waited for, but not that it falls silent.
    let took = clock.boot() - began;
    assert!(took >= CALL_TIMEOUT && took < LEASE_DURATION, "{took:?}");
    let leases = bench.run(["lock", "list", "--format", "json"]).expect(0);
    assert!(leases.out.contains("\"Released\""), "{}", leases.all());
    assert!(!leases.out.contains("\"Held\""), "{}", leases.all());
}
