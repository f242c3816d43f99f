//! Disk: the embedded store on a disk that is full, fails, tears pages, or may not be written.

use evenkeel::twin::World;

use super::shim::{Disk, WallClock};
use super::{APPLY, assert_at_rest, assert_says, ended, said, side_by_side};
use crate::process::Bench;
use crate::process::estate::{count, shop};

/// One write of one object: few transactions, each of which is tried.
fn bench() -> Bench {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", &count(3));
    bench
}

fn counted(w: &mut World) -> (i64, usize) {
    let desired = w.service("main", "web").unwrap().desired;
    (desired, w.calls.of("ecs.UpdateService").count())
}

/// Intents in the ledger.
fn intents(bench: &Bench) -> usize {
    let history = bench.run(["history", "--format", "json"]).expect(0);
    history.out.matches("\"ecs.UpdateService\"").count()
}

/// An apply on a disk in trouble, and one when it is well again, an hour later.
fn in_trouble_and_well_again(disk: Disk) {
    let bench = bench();
    let first = ended(disk.of("store.db", bench.evenkeel(APPLY)));
    let text = first.all();
    let (_, sent) = bench.twin.world(counted);
    match (disk, first.code) {
        (Disk::Torn(_), None) => {}
        // What came after the work is done, such as the record of conditions, keeps no work back.
        (_, Some(0)) => assert_eq!(bench.twin.world(counted), (3, 1), "{text}"),
        (_, Some(1)) => {
            assert_says(&first, &["store.db", "run again"]);
            let cures = ["free some space", "can be written by you"];
            assert!(
                cures.iter().any(|cure| said(&first).contains(cure)),
                "{text}"
            );
            assert!(!said(&first).contains("AWS failed"), "{text}");
        }
        _ => panic!("{text}"),
    }
    // Only what was announced was sent.
    assert!(sent == 0 || sent <= intents(&bench), "{text}");
    let clock = WallClock::new(bench.folder(), "later");
    clock.step(3600);
    ended(clock.of(bench.evenkeel(APPLY))).expect(0);
    assert_eq!(bench.twin.world(counted), (3, 1), "{text}");
    assert_at_rest(&bench);
}

/// What an apply on a disk that is well does, in order.
fn steps_on_a_disk_that_is_well() -> Vec<String> {
    let bench = bench();
    let mut command = Disk::Well.of("store.db", bench.evenkeel(APPLY));
    let log = bench.folder().join("steps");
    command.env("SHIM_LOG", &log);
    ended(command).expect(0);
    let log = std::fs::read_to_string(log).unwrap();
    log.lines().map(str::to_owned).collect()
}

#[test]
fn a_disk_that_fails_at_any_transaction_costs_the_pass_and_nothing_else() {
    let steps = steps_on_a_disk_that_is_well();
    let transactions = steps.iter().filter(|step| *step == "begin").count();
    assert!(transactions >= 6, "{steps:?}");
    let mut cases = Vec::new();
    for nth in 1..=transactions {
        cases.extend([Disk::Full(nth), Disk::Torn(nth)]);
        if nth % 2 == 0 {
            cases.extend([Disk::WritesFail(nth), Disk::SyncsFail(nth)]);
        }
    }
    let cases = cases.into_iter().map(|disk| (format!("{disk:?}"), disk));
    side_by_side(cases.collect(), in_trouble_and_well_again);
}

#[test]
fn an_intent_is_on_the_disk_before_its_request_leaves() {
    let steps = steps_on_a_disk_that_is_well();
    let mut durable = true;
    let mut sends = 0;
    for step in &steps {
        match step.as_str() {
            "write" => durable = false,
            "sync" => durable = true,
            "send" => {
                sends += 1;
                assert!(durable, "{steps:?}");
            }
            _ => {}
        }
    }
    assert!(sends > 3, "{steps:?}");
}

#[test]
fn a_store_that_may_not_be_written_is_named_with_what_to_do_and_nothing_is_sent() {
    for (disk, part) in [
        (Disk::ReadOnly, "/store.db"),
        (Disk::Denied, "/store.db"),
        (Disk::ReadOnly, "/new"),
        (Disk::Denied, "/new"),
    ] {
        for existing in [true, false] {
            let bench = bench();
            let store = match part {
                "/new" => bench.folder().join("new/folder/store.db"),
                _ => bench.store(),
            };
            let store = format!("embedded:{}", store.display());
            let apply = || {
                let mut command = bench.bare(APPLY);
                command.args(["--store", &store]);
                command
            };
            if existing {
                ended(apply()).expect(0);
                bench.save("desired-state/shop.yaml", &count(4));
            }
            let before = bench.writes();
            let refused = ended(disk.of(part, apply())).expect(1);
            assert_says(&refused, &["store.db"]);
            let text = said(&refused);
            let cures = ["can be written", "check its permissions", "name another"];
            assert!(cures.iter().any(|cure| text.contains(cure)), "{text}");
            assert_eq!(bench.writes(), before, "{text}");
            // Looking needs no history to be written, and tells when it cannot be read.
            let mut plan = bench.bare(["plan"]);
            plan.args(["--store", &store]);
            let plan = ended(disk.of(part, plan));
            assert!(matches!(plan.code, Some(1..=3)), "{}", plan.all());
            assert_says(
                &plan,
                &[if plan.code == Some(1) {
                    "store.db"
                } else {
                    "web"
                }],
            );
            ended(apply()).expect(0);
        }
    }
}
