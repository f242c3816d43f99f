//! A small and fixed part of the sweeps, for every day; the executable runs them whole.

use std::collections::BTreeSet;

use super::{Options, crashes, faults, scenario};

/// Scenarios whose number may not shrink.
const FLOOR: usize = 110;

fn options(only: &str) -> Options {
    Options {
        only: only.to_owned(),
        threads: 1,
        ..Options::default()
    }
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
fn try_crashes() {
    let only = std::env::var("SWEEP").unwrap_or_else(|_| "Table.deletionProtection".into());
    let mut options = options(&only);
    options.told = true;
    options.threads = 2;
    let summary = crashes(&options);
    println!("{summary}");
    assert_eq!(summary.exit_code(), 0);
}

#[test]
fn try_faults() {
    let only = std::env::var("SWEEP").unwrap_or_else(|_| "Table.deletionProtection".into());
    let mut options = options(&only);
    options.told = true;
    let summary = faults(&options);
    println!("{summary}");
    assert_eq!(summary.exit_code(), 0);
}
