//! Folders: desired state that vanishes, is swapped for a link while it is read, or is a pipe.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use evenkeel::twin::World;
use rustix::process::Signal;

use super::{APPLY, assert_says, ended};
use crate::process::estate::{count, shop};
use crate::process::{Bench, LIMIT, Running, until};

const RUN: [&str; 5] = ["run", "--interval", "1s", "--listen", "127.0.0.1:0"];

/// Stands in a document outside the folder; nothing that Evenkeel says or does may hold it.
const CANARY: &str = "canary-4711";

fn bench() -> Bench {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", &count(3));
    let outside = format!(
        "apiVersion: evenkeel/v1alpha1\nkind: Table\nmetadata: {{app: {CANARY}, name: carts}}\n\
         spec: {{tableName: carts, deletionProtection: true}}\n"
    );
    bench.save("outside/shop.yaml", &outside);
    bench
}

fn desired(w: &mut World) -> i64 {
    w.service("main", "web").unwrap().desired
}

#[track_caller]
fn assert_no_canary(bench: &Bench, texts: &[String]) {
    for text in texts {
        assert!(!text.contains(CANARY), "{text}");
    }
    let touched = |w: &mut World| w.calls.all().iter().any(|c| c.name.contains("dynamodb"));
    assert!(!bench.twin.world(touched), "{:?}", bench.calls());
    if bench.store().exists() {
        let history = bench.run(["history", "--format", "json"]).expect(0);
        assert!(!history.all().contains(CANARY), "{}", history.all());
    }
}

#[test]
fn a_folder_that_vanishes_under_a_controller_writes_nothing_and_comes_back() {
    let bench = bench();
    let mut run = Running::start(bench.evenkeel(RUN));
    let until_count = |run: &mut Running, wanted| {
        until("it is converged", LIMIT, || {
            assert!(run.runs(), "{}", run.so_far());
            (bench.twin.world(desired) == wanted).then_some(())
        });
    };
    until_count(&mut run, 3);
    let (here, away) = (
        bench.folder().join("desired-state"),
        bench.folder().join("away"),
    );
    fs::rename(&here, &away).unwrap();
    until("it says so", LIMIT, || {
        run.so_far().contains("is not there").then_some(())
    });
    let before = bench.writes();
    bench
        .twin
        .world(|w| w.set_desired_count("main", "web", 7).unwrap());
    // An empty folder in its place is no reason to write either.
    fs::create_dir(&here).unwrap();
    until("it says that nothing is there", LIMIT, || {
        run.so_far().contains("no longer so").then_some(())
    });
    assert_eq!(bench.writes(), before, "{}", run.so_far());
    fs::remove_dir(&here).unwrap();
    fs::rename(&away, &here).unwrap();
    until_count(&mut run, 3);
    run.signal(Signal::TERM);
    run.wait(LIMIT).expect(0);
    bench.run(["history", "--verify"]).expect(0);
}

#[test]
fn a_folder_below_that_became_a_link_to_the_outside_is_not_followed() {
    let bench = bench();
    let inside = bench.folder().join("desired-state/team");
    symlink("../outside", &inside).unwrap();
    let check = ended(bench.unpointed(["check"])).expect(1);
    assert_says(
        &check,
        &["desired-state/team", "is not followed", "copy the file"],
    );
    let apply = bench.run(APPLY);
    assert_eq!(apply.code, Some(1), "{}", apply.all());
    assert_no_canary(&bench, &[check.all(), apply.all()]);
}

/// Puts `one` and `other` in the place of `name` by turns until told to stop.
fn swap(name: &Path, one: impl Fn(&Path), other: impl Fn(&Path), stop: &AtomicBool) {
    let beside = name.with_extension("swap");
    let mut turn = false;
    while !stop.load(Ordering::Relaxed) {
        if turn {
            one(&beside);
        } else {
            other(&beside);
        }
        // A folder cannot be renamed over: for a moment it is away.
        if fs::symlink_metadata(&beside).is_ok_and(|m| m.is_dir()) {
            fs::remove_file(name).unwrap_or_default();
        }
        if fs::symlink_metadata(name).is_ok_and(|m| m.is_dir()) {
            fs::remove_dir_all(name).unwrap();
        }
        fs::rename(&beside, name).unwrap();
        turn = !turn;
    }
}

/// Reads with `check` while `one` and `other` are swapped; gives all that was said.
fn read_while_swapped(
    bench: &Bench,
    name: &str,
    one: impl Fn(&Path) + Sync,
    other: impl Fn(&Path) + Sync,
) -> Vec<String> {
    let stop = AtomicBool::new(false);
    let name = bench.folder().join(name);
    std::thread::scope(|scope| {
        scope.spawn(|| swap(&name, &one, &other, &stop));
        let mut texts = Vec::new();
        for _ in 0..15 {
            let check = ended(bench.unpointed(["check", "--format", "json"]));
            assert!(matches!(check.code, Some(0 | 1)), "{}", check.all());
            texts.push(check.all());
        }
        for words in [&["plan", "--format", "json"][..], &APPLY] {
            let done = bench.run(words);
            assert!(done.code.is_some(), "{}", done.all());
            texts.push(done.all());
        }
        stop.store(true, Ordering::Relaxed);
        texts
    })
}

#[test]
fn nothing_outside_is_read_through_a_link_that_is_swapped_in_between_look_and_read() {
    let bench = bench();
    let texts = read_while_swapped(
        &bench,
        "desired-state/shop.yaml",
        |at| fs::write(at, count(3)).unwrap(),
        |at| symlink("../outside/shop.yaml", at).unwrap(),
    );
    // Both were met: the race was one.
    assert!(texts.iter().any(|text| text.contains("is not followed")));
    assert_no_canary(&bench, &texts);
    let bench = self::bench();
    let texts = read_while_swapped(
        &bench,
        "desired-state/team",
        |at| {
            fs::create_dir(at).unwrap();
            fs::write(at.join("shop.yaml"), "# nothing\n").unwrap();
        },
        |at| symlink("../outside", at).unwrap(),
    );
    assert_no_canary(&bench, &texts);
}

#[test]
fn a_pipe_in_place_of_a_file_is_named_and_never_waited_for() {
    let bench = bench();
    let pipe = |at: &Path| {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, at, mode).unwrap();
    };
    pipe(&bench.folder().join("desired-state/pipe.yaml"));
    let check = ended(bench.unpointed(["check"])).expect(1);
    assert_says(&check, &["pipe.yaml", "a named pipe", "delete it"]);
    fs::remove_file(bench.folder().join("desired-state/pipe.yaml")).unwrap();
    let texts = read_while_swapped(
        &bench,
        "desired-state/shop.yaml",
        |at| fs::write(at, count(3)).unwrap(),
        pipe,
    );
    assert!(texts.iter().any(|text| text.contains("a named pipe")));
}
