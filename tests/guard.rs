//! Guard: where nothing may be written, or not even read, nothing is.

use crate::process::estate::{SHOP, shop};
use crate::process::{Bench, Ended, LIMIT, Running};

/// Every command that talks to AWS or to a store of an account.
const TALKERS: [&[&str]; 7] = [
    &["plan"],
    &["apply", "--yes"],
    &["run", "--listen", "127.0.0.1:0"],
    &["status"],
    &["history"],
    &["lock", "list"],
    &["lock", "release", "shop", "--reason", "test"],
];

fn bench() -> Bench {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", SHOP);
    bench
}

/// It asked at most who it is.
#[track_caller]
fn assert_nothing_but_the_identity(bench: &Bench, end: &Ended) {
    let calls = bench.calls();
    assert!(
        calls.iter().all(|name| name == "sts.GetCallerIdentity"),
        "{calls:?}\n{}",
        end.all()
    );
    assert!(!bench.store().exists(), "a store was made: {}", end.all());
}

#[test]
fn another_account_than_the_settings_name_stops_every_command_before_it_reads_or_writes() {
    for words in TALKERS {
        let bench = bench();
        bench.save(
            "evenkeel.yaml",
            "account: \"210987654321\"\nregion: us-east-1\n",
        );
        let end = bench.run(words).expect(1);
        for account in ["123456789012", "210987654321"] {
            assert!(end.err.contains(account), "{words:?}: {}", end.all());
        }
        assert!(end.err.contains("--profile"), "{words:?}: {}", end.all());
        assert_nothing_but_the_identity(&bench, &end);
    }
}

#[test]
fn another_region_than_the_settings_name_stops_every_command_before_it_reads_or_writes() {
    for words in TALKERS {
        let bench = bench();
        bench.save(
            "evenkeel.yaml",
            "account: \"123456789012\"\nregion: eu-central-1\n",
        );
        let end = bench.run(words).expect(1);
        for region in ["us-east-1", "eu-central-1"] {
            assert!(end.err.contains(region), "{words:?}: {}", end.all());
        }
        assert_nothing_but_the_identity(&bench, &end);
    }
}

#[test]
fn the_account_and_region_of_the_settings_may_be_written() {
    let bench = bench();
    bench.save(
        "evenkeel.yaml",
        "account: \"123456789012\"\nregion: us-east-1\n",
    );
    bench.run(["apply", "--yes"]).expect(0);
    assert!(bench.writes() > 0);
}

#[test]
fn read_only_writes_nothing_to_aws_whatever_the_command() {
    let bench = bench();
    let end = bench.run(["plan", "--read-only"]).expect(2);
    assert!(end.out.contains("web"), "{}", end.all());
    let end = bench.run(["apply", "--yes", "--read-only"]);
    assert_ne!(end.code, Some(0), "{}", end.all());
    assert_eq!(bench.writes(), 0, "{}", end.all());
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_written() {
    let bench = bench();
    let end = bench.run(["apply"]).expect(1);
    assert!(end.err.contains("--yes"), "{}", end.all());
    assert_eq!(bench.writes(), 0);
}

#[test]
fn a_folder_that_is_empty_or_missing_writes_nothing() {
    for folder in ["empty", "missing"] {
        let bench = bench();
        std::fs::create_dir(bench.folder().join("empty")).unwrap();
        let end = bench.run(["apply", "--yes", folder]);
        assert_eq!(bench.writes(), 0, "{folder}: {}", end.all());
        assert!(end.all().contains(folder), "{folder}: {}", end.all());
    }
}

#[test]
fn a_bad_document_freezes_its_app_and_no_other() {
    let bench = bench();
    bench.save(
        "desired-state/cart.yaml",
        "apiVersion: evenkeel/v1alpha1\nkind: Table\nmetadata: {app: cart, name: carts}\n\
         spec: {tableName: carts, deletionProtectoin: true}\n",
    );
    bench.save("desired-state/shop.yaml", SHOP.split("---").next().unwrap());
    let end = bench.run(["apply", "--yes"]).expect(1);
    assert!(end.all().contains("did you mean"), "{}", end.all());
    let wrote = bench
        .twin
        .world(|w| w.calls.writes().map(|c| c.name.clone()).collect::<Vec<_>>());
    assert!(
        wrote.iter().any(|name| name.starts_with("ecs.")),
        "{wrote:?}\n{}",
        end.all()
    );
    assert!(
        !wrote.iter().any(|name| name.starts_with("dynamodb.")),
        "{wrote:?}"
    );
}

#[test]
fn the_endpoint_of_the_command_line_wins_over_the_environment() {
    let bench = bench();
    let mut command = bench.evenkeel(["plan"]);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    command.env("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:1");
    Running::start(command).wait(LIMIT).expect(2);
    assert!(!bench.calls().is_empty());
}

#[test]
fn a_closed_endpoint_is_told_with_its_address_and_without_a_password() {
    let bench = bench();
    let mut command = bench.unpointed(["plan"]);
    command.env("AWS_ENDPOINT_URL_STS", "http://ann:secret@127.0.0.1:1/x");
    let end = Running::start(command).wait(LIMIT).expect(1);
    assert!(
        end.err.contains("it was asked at 127.0.0.1:1,"),
        "{}",
        end.all()
    );
    assert!(!end.all().contains("secret"), "{}", end.all());
}
