//! Paused: a writer stands still (SIGSTOP) for longer than its lease, another takes over, and it goes on (SIGCONT).

use std::sync::mpsc;
use std::sync::{Mutex, atomic::AtomicUsize, atomic::Ordering};

use evenkeel::clock::Clock;
use evenkeel::store::LEASE_DURATION;
use evenkeel::twin::World;
use evenkeel::twin::faults::Fault;
use rustix::process::{Pid, Signal, kill_process};

use super::shim::Stop;
use super::{APPLY, Case, assert_at_rest, assert_says, case, revisions};
use crate::process::estate::{SECRET, SHOP, shop};
use crate::process::{Bench, LIMIT, Running, until};

const REGISTER: &str = "ecs.RegisterTaskDefinition";
const UPDATE: &str = "ecs.UpdateService";
const READ: &str = "ecs.DescribeServices";

/// Where the first writer stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Under its lease, at a reading, before any intent.
    Reading,
    /// Its intent is recorded, and it has not come to the door yet.
    Intended,
    /// Past the door: the bytes of its request are about to leave.
    Leaving,
    /// Its request is on the way and gets lost.
    Lost(&'static str),
    /// Its request has had its effect, and the answer has not been read.
    Done(&'static str),
}

fn bench() -> Bench {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", SHOP);
    bench
}

/// Whether every thread of it stands still.
fn stands_still(pid: Pid) -> bool {
    let threads = format!("/proc/{}/task", pid.as_raw_nonzero());
    std::fs::read_dir(threads).unwrap().flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')')
            .is_none_or(|(_, rest)| rest.trim_start().starts_with('T'))
    })
}

fn halt(pid: Pid) {
    kill_process(pid, Signal::STOP).unwrap();
    until("it stands still", LIMIT, || stands_still(pid).then_some(()));
}

/// Starts these words and waits until the process stands still at `point`.
fn stopped(bench: &Bench, words: &[&str], point: Point) -> Running {
    let (tell, told) = mpsc::channel::<Pid>();
    let (stopped, stands) = mpsc::channel::<()>();
    let halt = move || {
        halt(told.recv_timeout(LIMIT).unwrap());
        stopped.send(()).unwrap();
    };
    let mut command = bench.evenkeel(words);
    match point {
        // The first reading is the plan's.
        Point::Reading => {
            let act = Fault::ActAfter(Box::new(move |_: &mut World| halt()));
            bench.twin.world(|w| w.faults.at(READ, 2, act));
        }
        Point::Done(name) => {
            let act = Fault::ActAfter(Box::new(move |_: &mut World| halt()));
            bench.twin.world(|w| w.faults.next(name, act));
        }
        Point::Lost(wanted) => {
            let (halt, met) = (Mutex::new(Some(halt)), AtomicUsize::new(0));
            let reached = move |name: &str, _: &serde_json::Value| {
                let this = name == wanted && met.fetch_add(1, Ordering::Relaxed) == 0;
                if this {
                    halt.lock().unwrap().take().unwrap()();
                }
                this
            };
            let lost = |w: &mut World| w.faults.at_match(1, Fault::LostBefore, reached);
            bench.twin.world(lost);
        }
        Point::Intended => command = Stop::Committed("ecs.UpdateService").of(command),
        Point::Leaving => command = Stop::Sending(".UpdateService").of(command),
    }
    let first = Running::start(command);
    let pid = first.pid();
    match point {
        Point::Intended | Point::Leaving => {
            until("it stops by itself", LIMIT, || {
                stands_still(pid).then_some(())
            });
        }
        Point::Reading | Point::Done(_) | Point::Lost(_) => {
            tell.send(pid).unwrap();
            stands
                .recv_timeout(LIMIT)
                .unwrap_or_else(|_| panic!("it never came to {point:?}: {}", first.so_far()));
        }
    }
    first
}

fn go_on(first: &Running) {
    first.signal(Signal::CONT);
}

/// The first `apply` stands still, the second converges, the first goes on.
fn apply_overtaken(point: Point) {
    let bench = bench();
    let first = stopped(&bench, &APPLY, point);
    let clock = Clock::system();
    let began = clock.boot();
    // Somebody wants more by now: what the first still does is not what is wanted.
    bench.save(
        "desired-state/shop.yaml",
        &SHOP
            .replace("cpu: 512", "cpu: 1024")
            .replace("memory: 1024", "memory: 2048"),
    );
    let second = bench.run(APPLY).expect(0);
    let took = clock.boot() - began;
    assert!(
        took >= LEASE_DURATION,
        "it did not wait for the lease: {took:?}"
    );
    let before = bench.writes();
    go_on(&first);
    let first = first.wait(LIMIT).expect(1);
    assert_says(
        &first,
        &["the lease on shop was lost to another process", "run again"],
    );
    let late = bench.writes() - before;
    if point == Point::Leaving {
        // Nothing can hold back what has passed the door: it arrives, or finds its connection
        // closed. It is one request, with a value that was wanted once, and the next look repairs it.
        assert!(late <= 1, "{}", first.all());
        bench.run(["plan"]).expect(if late == 1 { 2 } else { 0 });
        bench.run(APPLY).expect(0);
    } else {
        assert_eq!(
            late,
            0,
            "it wrote after it had lost its lease: {}",
            first.all()
        );
    }
    assert_at_rest(&bench);
    let live = bench
        .twin
        .world(|w| w.task_definition_of("main", "web").unwrap().cpu());
    assert_eq!(live, Some(1024));
    assert_eq!(revisions(&bench, 1024), 1);
    assert!(revisions(&bench, 512) <= 1);
    for ended in [&first, &second] {
        assert!(!ended.all().contains(SECRET), "{}", ended.all());
    }
}

/// The same of a controller, which goes on looking.
fn run_overtaken(point: Point) {
    let bench = bench();
    let words = ["run", "--interval", "60m", "--listen", "127.0.0.1:0"];
    let mut first = stopped(&bench, &words, point);
    bench.run(APPLY).expect(0);
    let before = bench.writes();
    let looks = |w: &mut World| w.calls.of(READ).count();
    let seen = bench.twin.world(looks);
    go_on(&first);
    until("it looks again", LIMIT, || {
        assert!(first.runs(), "{}", first.so_far());
        let text = first.so_far();
        (text.contains("lost to another process") && bench.twin.world(looks) > seen).then_some(())
    });
    first.signal(Signal::TERM);
    let first = first.wait(LIMIT).expect(0);
    assert_eq!(bench.writes(), before, "{}", first.all());
    assert_at_rest(&bench);
}

/// One that stands still in the middle of a transaction holds the file itself. Nobody else gets
/// on, and says of which file; nothing is lost.
fn stopped_with_the_file_in_hand() {
    let bench = bench();
    let first = Running::start(Stop::Locked("ecs.UpdateService").of(bench.evenkeel(APPLY)));
    let pid = first.pid();
    until("it stops by itself", LIMIT, || {
        stands_still(pid).then_some(())
    });
    let before = bench.writes();
    let second = bench.run(APPLY).expect(1);
    assert_says(
        &second,
        &[
            "store.db",
            "locked",
            "another process holds it",
            "run again",
        ],
    );
    assert_eq!(bench.writes(), before, "{}", second.all());
    go_on(&first);
    // Nobody could take its lease over meanwhile.
    first.wait(LIMIT).expect(0);
    assert_at_rest(&bench);
    assert_eq!(revisions(&bench, 512), 1);
}

/// A writer that stood still for longer than its lease writes nothing more.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for point in [
        Point::Reading,
        Point::Intended,
        Point::Leaving,
        Point::Lost(REGISTER),
        Point::Lost(UPDATE),
        Point::Done(REGISTER),
        Point::Done(UPDATE),
    ] {
        let name = format!("apply stands still, {point:?}");
        cases.push(case(name, move || apply_overtaken(point)));
    }
    for point in [Point::Reading, Point::Lost(UPDATE), Point::Done(REGISTER)] {
        let name = format!("run stands still, {point:?}");
        cases.push(case(name, move || run_overtaken(point)));
    }
    let name = "apply stands still with the file in hand".to_owned();
    cases.push(case(name, stopped_with_the_file_in_hand));
    cases
}
