//! A small and fixed part of the sweeps, for every day; the executable runs them whole.

use std::collections::BTreeSet;

use evenkeel::kinds::KINDS;

use super::summary::Summary;
use super::{Options, crash, crashes, fault, faults, scenario};

/// Scenarios whose number may not shrink.
const FLOOR: usize = 121;

fn options(only: &str) -> Options {
    Options {
        only: only.to_owned(),
        threads: 1,
        ..Options::default()
    }
}

fn assert_held(summary: &Summary) {
    println!("{summary}");
    assert_eq!(summary.exit_code(), 0, "{summary}");
}

#[test]
fn there_is_a_scenario_for_every_field_action_and_meeting() {
    let all = scenario::all();
    println!("{} scenarios", all.len());
    assert!(all.len() >= FLOOR, "{}", all.len());
    let names: BTreeSet<&str> = all.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names.len(), all.len(), "two of one name");
}

#[test]
fn every_write_of_every_kind_is_reached() {
    let options = options("");
    let mut names = BTreeSet::new();
    for of in [
        "Service.scaling.scheduled.*.schedule",
        "a database and a table",
        "personal-journal/Database/documents taken over as it is",
        "a service and its alarm",
        "a size and a tag of one service",
        "both settings of one table",
        "bounds and a policy of one service",
    ] {
        let all = scenario::all();
        let scenario = all.iter().find(|s| s.name == of).unwrap();
        names.extend(fault::requests(scenario, &options));
    }
    for name in KINDS.iter().flat_map(|kind| kind.writes()) {
        assert!(names.contains(*name), "{name} is never reached");
    }
}

#[test]
fn killed_at_any_moment_and_again_in_the_recovery_a_run_is_followed_by_one_that_ends_in_order() {
    assert_held(&crashes(&options("Table.deletionProtection")));
}

#[test]
fn killed_at_any_moment_of_two_steps_a_run_is_followed_by_one_that_ends_in_order() {
    for only in [
        "a size and a tag of one service",
        "a table, and the store is made on the way",
        "a size, CI deploys fast before UpdateService",
    ] {
        let once = Options {
            crashes: 1,
            ..options(only)
        };
        assert_held(&crashes(&once));
    }
}

#[test]
fn a_process_that_is_really_killed_leaves_what_was_foretold() {
    let every_one = Options {
        crashes: 1,
        every_one: true,
        ..options("Database.deletionProtection")
    };
    let all = scenario::all();
    let scenario = all.iter().find(|s| s.name == every_one.only).unwrap();
    let summary = crash::sweep(scenario, &every_one);
    assert_held(&summary);
    assert_eq!(summary.states, summary.crashes);
}

/// So many kinds strike one request that each is met several times in every run of this.
#[test]
fn any_fault_at_any_request_is_lived_through() {
    for (only, every_fault) in [
        ("a size and a tag of one service", 7),
        ("Alarm.treatMissingData", 5),
        ("a size, CI deploys fast before UpdateService", 23),
    ] {
        let some = Options {
            every_fault,
            ..options(only)
        };
        assert_held(&faults(&some));
    }
}

/// As its arguments say: `EVENKEEL_SWEEP="faults --only Alarm --tell"`.
#[test]
#[ignore = "as long as it is asked to be; the executable is faster"]
fn what_is_asked_for_holds() {
    let asked = std::env::var("EVENKEEL_SWEEP").unwrap();
    let mut words = asked.split_whitespace().map(str::to_owned);
    let sweep = match words.next().as_deref() {
        Some("crashes") => crashes,
        _ => faults,
    };
    assert_held(&sweep(&Options::from_args(words).unwrap()));
}
