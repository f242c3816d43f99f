//! Clocks: wall time steps by an hour, forwards or back, under a process or between two.

use evenkeel::clock::Clock;
use evenkeel::twin::World;
use evenkeel::twin::faults::Fault;
use evenkeel::twin::wire::TwinError;
use rustix::process::Signal;

use super::shim::WallClock;
use super::{APPLY, assert_at_rest, assert_says, ended, said, side_by_side};
use crate::process::estate::{SHOP, count, shop};
use crate::process::{Bench, LIMIT, Running, until};

const HOUR: i64 = 3600;

const ALARM: &str = "shop-web-cpu-high";

fn bench(documents: &str) -> Bench {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", documents);
    bench
}

/// A step in the middle of an apply, at its first request of `operation`.
fn stepped_in_the_middle(operation: &'static str, seconds: i64) {
    let bench = bench(SHOP);
    let clock = WallClock::new(bench.folder(), "clock");
    let apply = clock.of(bench.evenkeel(APPLY));
    let act = Box::new(move |_: &mut World| clock.step(seconds));
    bench
        .twin
        .world(|w| w.faults.next(operation, Fault::ActBefore(act)));
    let ended = ended(apply).expect(0);
    assert!(!said(&ended).contains(" in -"), "{}", ended.all());
    assert_at_rest(&bench);
}

#[test]
fn a_step_in_the_middle_of_an_apply_changes_nothing_of_what_it_does() {
    let mut cases = Vec::new();
    for operation in [
        "ecs.RegisterTaskDefinition",
        "ecs.UpdateService",
        "cloudwatch.PutMetricAlarm",
    ] {
        for seconds in [HOUR, -HOUR] {
            cases.push((format!("{operation} {seconds}"), (operation, seconds)));
        }
    }
    side_by_side(cases, |(operation, seconds)| {
        stepped_in_the_middle(operation, seconds);
    });
}

#[test]
fn after_a_step_back_nothing_waits_for_the_time_to_come_again() {
    let bench = bench(SHOP);
    bench.run(APPLY).expect(0);
    let back = WallClock::new(bench.folder(), "back");
    back.step(-HOUR);
    // Gone a moment after it was written: an hour ago as this clock has it, it was not there yet.
    bench.twin.world(|w| w.cloudwatch.remove_alarm(ALARM));
    let again = ended(back.of(bench.evenkeel(APPLY))).expect(0);
    let there = |w: &mut World| w.cloudwatch.alarm(ALARM).is_some();
    assert!(bench.twin.world(there), "{}", again.all());
    ended(back.of(bench.evenkeel(["plan"]))).expect(0);
    // Every command that tells times tells them.
    for words in [&["status"][..], &["history"], &["lock", "list"]] {
        let told = ended(back.of(bench.evenkeel(words))).expect(0);
        let negative = |pair: &[u8]| pair[0] == b'-' && pair[1].is_ascii_digit();
        let words: Vec<&str> = told.out.split_whitespace().collect();
        let none = words
            .iter()
            .all(|word| !word.as_bytes().get(..2).is_some_and(negative));
        assert!(none, "{}", told.all());
    }
    assert_at_rest(&bench);
}

#[test]
fn records_carry_the_time_that_the_clock_showed_and_stand_in_the_order_of_the_chain() {
    let bench = bench(&count(3));
    bench.run(APPLY).expect(0);
    let back = WallClock::new(bench.folder(), "back");
    back.step(-24 * HOUR);
    bench.save("desired-state/shop.yaml", &count(4));
    ended(back.of(bench.evenkeel(APPLY))).expect(0);
    bench.run(["history", "--verify"]).expect(0);
    let history = bench.run(["history", "--format", "json"]).expect(0);
    let history: serde_json::Value = serde_json::from_str(&history.out).unwrap();
    let records = history["entries"].as_array().unwrap();
    let seqs: Vec<u64> = records.iter().filter_map(|r| r["seq"].as_u64()).collect();
    assert_eq!(seqs.len(), 4, "{history}");
    assert!(seqs.is_sorted_by(|a, b| a > b), "{history}");
    let day = |at: usize| records[at]["at"].as_str().unwrap()[..10].to_owned();
    assert!(day(0) < day(3), "{history}");
}

/// Somebody whose clock is off sees the writes of a living holder all the same.
fn no_lease_is_taken_from_the_living(seconds: i64) {
    let bench = bench(&count(3));
    let slow = Fault::Delay(std::time::Duration::from_secs(9));
    bench
        .twin
        .world(|w| w.faults.next("ecs.UpdateService", slow));
    let first = Running::start(bench.evenkeel(APPLY));
    let update = |w: &mut World| w.calls.of("ecs.UpdateService").count();
    until("the first is in the middle of a write", LIMIT, || {
        (bench.twin.world(update) == 1).then_some(())
    });
    let off = WallClock::new(bench.folder(), "off");
    off.step(seconds);
    let second = ended(off.of(bench.evenkeel(APPLY)));
    first.wait(LIMIT).expect(0);
    // It saw the first write, or came when all was done; it never wrote.
    assert!(matches!(second.code, Some(0 | 3)), "{}", second.all());
    assert_eq!(bench.twin.world(update), 1, "{}", second.all());
    assert_at_rest(&bench);
}

#[test]
fn a_clock_that_is_off_takes_no_lease_from_the_living() {
    let cases = [HOUR, -HOUR].map(|s| (s.to_string(), s));
    side_by_side(cases.into(), no_lease_is_taken_from_the_living);
}

/// A controller corrects drift within seconds of real time, whatever its wall clock does.
fn goes_on_looking(seconds: i64) {
    let bench = bench(&count(2));
    let clock = WallClock::new(bench.folder(), "clock");
    let words = ["run", "--interval", "1s", "--listen", "127.0.0.1:0"];
    let mut run = Running::start(clock.of(bench.evenkeel(words)));
    let desired = |w: &mut World| w.service("main", "web").unwrap().desired;
    for round in 0..3 {
        until("nothing is under way", LIMIT, || {
            let leases = bench.run(["lock", "list", "--format", "json"]).expect(0);
            (round == 0 || leases.out.contains("\"Released\"")).then_some(())
        });
        let drift = |w: &mut World| w.set_desired_count("main", "web", 5 + round).unwrap();
        bench.twin.world(drift);
        let boot = Clock::system();
        let began = boot.boot();
        until("drift is corrected", LIMIT, || {
            assert!(run.runs(), "{}", run.so_far());
            (bench.twin.world(desired) == 2).then_some(())
        });
        let took = boot.boot() - began;
        assert!(
            took < std::time::Duration::from_secs(30),
            "{took:?} {}",
            run.so_far()
        );
        clock.step(seconds * (round + 1));
    }
    run.signal(Signal::TERM);
    run.wait(LIMIT).expect(0);
    bench.run(["history", "--verify"]).expect(0);
}

#[test]
fn a_controller_whose_clock_steps_goes_on_correcting() {
    let cases = [HOUR, -HOUR].map(|s| (s.to_string(), s));
    side_by_side(cases.into(), goes_on_looking);
}

#[test]
fn a_signature_that_aws_calls_too_old_leads_to_the_clock() {
    let bench = bench(&count(3));
    let skewed = TwinError::client(
        "InvalidSignatureException",
        "Signature expired: 20261126T130000Z is now earlier than 20261126T135500Z \
         (20261126T140000Z - 5 min.)",
    );
    bench
        .twin
        .world(|w| w.faults.errors("ecs.DescribeServices", 20, &skewed));
    let plan = bench.run(["plan"]).expect(3);
    assert_says(&plan, &["the clock of this machine"]);
}
