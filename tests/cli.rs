//! Command line: exit codes, streams and words of every command, above all of wrong input.

use std::path::PathBuf;

use clap::CommandFactory as _;
use evenkeel::cli::args::Cli;
use evenkeel::twin::World;

use crate::process::estate::{SHOP, count, shop};
use crate::process::{Bench, Ended, LIMIT, Running, until};

/// A bench with these documents.
fn bench(documents: &str) -> Bench {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", documents);
    bench
}

/// Error text as one line, so that a test does not depend on how it is wrapped.
fn err(ended: &Ended) -> String {
    ended.err.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same of a report.
fn out(ended: &Ended) -> String {
    ended.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_narrow(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "wider than 80: {line:?}");
    }
}

/// A saved plan of the shop.
fn saved(bench: &Bench) -> PathBuf {
    bench.run(["plan", "--out", "plan.json"]).expect(2);
    bench.folder().join("plan.json")
}

#[test]
fn a_saved_plan_takes_no_other_scope() {
    let bench = bench(SHOP);
    saved(&bench);
    for (flag, value) in [
        ("--app", Some("shop")),
        ("--kind", Some("Table")),
        ("--target", Some("shop/Table/carts")),
        ("--during-rollout", None),
    ] {
        let words = ["apply", "--yes", "--plan", "plan.json", flag];
        let ended = bench.run(words.into_iter().chain(value)).expect(1);
        let said = err(&ended);
        assert!(said.contains("exactly what was saved"), "{said}");
        assert!(said.contains(flag), "{said}");
    }
    assert_eq!(bench.writes(), 0);
}

#[test]
fn a_saved_plan_that_was_edited_cut_or_is_none_writes_nothing() {
    let bench = bench(SHOP);
    let file = saved(&bench);
    let whole = std::fs::read_to_string(&file).unwrap();
    let cases = [
        (
            whole.replacen("\"planId\": \"", "\"planId\": \"0", 1),
            "was changed",
        ),
        (whole.replacen("512", "1024", 1), "was changed"),
        (
            whole.replacen("\"digest\"", "\"digestion\"", 1),
            "was changed",
        ),
        (
            whole.replacen("\"version\": 1", "\"version\": 9", 1),
            "version 9",
        ),
        (whole[..whole.len() / 2].to_owned(), "not a saved plan"),
        (String::new(), "not a saved plan"),
        ("{}".to_owned(), "not a saved plan"),
        ("[]".to_owned(), "not a saved plan"),
    ];
    for (text, why) in cases {
        assert_ne!(text, whole);
        std::fs::write(&file, &text).unwrap();
        let ended = bench
            .run(["apply", "--yes", "--plan", "plan.json"])
            .expect(1);
        let said = err(&ended);
        assert!(said.contains(why), "{why}: {said}");
        assert!(said.contains("plan.json"), "{said}");
        assert!(ended.out.is_empty(), "{}", ended.all());
    }
    std::fs::remove_file(&file).unwrap();
    let ended = bench
        .run(["apply", "--yes", "--plan", "plan.json"])
        .expect(1);
    assert!(
        err(&ended).contains("reading the plan plan.json"),
        "{}",
        ended.all()
    );
    assert_eq!(bench.writes(), 0);
}

/// The shop's table with its protection off, which takes a destructive change.
const UNPROTECTED: &str = "apiVersion: evenkeel/v1alpha1\nkind: Table\n\
                           metadata: {app: shop, name: carts}\n\
                           spec: {tableName: carts, deletionProtection: false}\n";

#[test]
fn a_saved_plan_that_destroys_is_allowed_to_at_both_ends() {
    let bench = bench(UNPROTECTED);
    bench.twin.world(|w| {
        w.dynamodb.put_table(
            serde_json::json!({"TableName": "carts", "DeletionProtectionEnabled": true}),
        );
        w.calls.clear();
    });
    let plan = ["plan", "--allow-destructive", "--out", "plan.json"];
    bench.run(plan).expect(2);
    let ended = bench
        .run(["apply", "--yes", "--plan", "plan.json"])
        .expect(1);
    let said = err(&ended);
    assert!(said.contains("--allow-destructive here too"), "{said}");
    assert!(said.contains("shop/Table/carts"), "{said}");
    assert_eq!(bench.writes(), 0);
    let apply = [
        "apply",
        "--yes",
        "--plan",
        "plan.json",
        "--allow-destructive",
    ];
    bench.run(apply).expect(0);
    assert_eq!(bench.writes(), 1);
}

/// A table that is not there, and is never created: held.
const NOWHERE: &str = "---\napiVersion: evenkeel/v1alpha1\nkind: Table\n\
                       metadata: {app: shop, name: nowhere}\n\
                       spec: {tableName: nowhere, deletionProtection: true}\n";

#[test]
fn what_a_saved_plan_holds_back_is_told_when_it_is_written() {
    let bench = bench(&(count(3) + NOWHERE));
    saved(&bench);
    let ended = bench
        .run(["apply", "--yes", "--plan", "plan.json"])
        .expect(3);
    assert!(ended.out.contains("shop/Table/nowhere"), "{}", ended.all());
    assert_eq!(bench.writes(), 1);
}

#[test]
fn what_drifts_after_a_plan_was_saved_is_held_when_it_is_written() {
    let bench = bench(&(count(3) + "---\n" + &UNPROTECTED.replace("false", "true")));
    bench.run(["apply", "--yes"]).expect(0);
    let count_of = |w: &mut World| w.service("main", "web").unwrap().desired;
    bench.save(
        "desired-state/shop.yaml",
        &(count(4) + "---\n" + &UNPROTECTED.replace("false", "true")),
    );
    saved(&bench);
    bench.twin.world(|w| {
        w.dynamodb.put_table(
            serde_json::json!({"TableName": "carts", "DeletionProtectionEnabled": false}),
        );
        w.calls.clear();
    });
    let ended = bench
        .run(["apply", "--yes", "--plan", "plan.json"])
        .expect(3);
    let said = out(&ended);
    assert!(said.contains("drifted since the plan was saved"), "{said}");
    assert_eq!(bench.twin.world(count_of), 4);
    assert_eq!(bench.writes(), 1, "{:?}", bench.calls());
    assert_narrow(&ended.out);
}

#[test]
fn a_saved_plan_that_is_no_longer_true_writes_nothing_at_all() {
    let bench = bench(SHOP);
    saved(&bench);
    bench.save(
        "desired-state/shop.yaml",
        &SHOP.replace("threshold: 80", "threshold: 90"),
    );
    let ended = bench
        .run(["apply", "--yes", "--plan", "plan.json"])
        .expect(1);
    let said = err(&ended);
    assert!(said.contains("no longer true"), "{said}");
    assert!(said.contains("shop/Alarm/web-cpu-high"), "{said}");
    assert_eq!(bench.writes(), 0);
}

#[test]
fn a_scope_that_holds_nothing_is_an_error_of_every_command_that_takes_one() {
    let bench = bench(SHOP);
    let commands: [&[&str]; 4] = [&["check"], &["plan"], &["apply", "--yes"], &["status"]];
    let scopes: [(&[&str], &str); 4] = [
        (&["--app", "shpo"], "did you mean shop?"),
        (
            &["--target", "shop/Table/cart"],
            "did you mean shop/Table/carts?",
        ),
        (
            &["--app", "shop", "--kind", "Database"],
            "it has Alarm, Service, Table",
        ),
        (
            &["--target", "shop/Table/carts", "--app", "cart"],
            "contradict each other",
        ),
    ];
    for command in commands {
        for (scope, why) in scopes {
            let words = command.iter().chain(scope);
            let command = match *command {
                ["check"] => bench.unpointed(words),
                _ => bench.evenkeel(words),
            };
            let ended = Running::start(command).wait(LIMIT).expect(1);
            assert!(err(&ended).contains(why), "{why}: {}", ended.all());
            assert_eq!(ended.out, "", "nothing is called valid or in order");
        }
    }
    // Who calls is asked before anything, and nothing after it.
    let other = |name: &String| name != "sts.GetCallerIdentity";
    assert_eq!(bench.calls().into_iter().find(other), None);
}

#[test]
fn a_scope_whose_document_did_not_load_shows_why() {
    let bench = bench(SHOP);
    let cart = UNPROTECTED
        .replace("app: shop", "app: cart")
        .replace("tableName", "tabelName");
    bench.save("desired-state/cart.yaml", &cart);
    for command in ["plan", "status"] {
        let ended = bench.run([command, "--app", "cart"]).expect(1);
        assert!(ended.out.contains("tabelName"), "{}", ended.all());
        assert!(ended.err.is_empty(), "{}", ended.all());
    }
}

#[test]
fn a_folder_that_is_not_there_or_does_not_load_is_an_error_of_status_too() {
    let bench = bench("kind: [\n");
    let ended = bench.run(["status"]).expect(1);
    assert!(ended.out.contains("shop.yaml"), "{}", ended.all());
    let ended = bench.run(["status", "nosuch"]).expect(1);
    assert!(ended.out.contains("nosuch"), "{}", ended.all());
}

#[test]
fn a_controller_whose_scope_holds_nothing_yet_says_so_and_waits() {
    let bench = bench(SHOP);
    let words = ["run", "--app", "shpo", "--listen", "127.0.0.1:0"];
    let mut process = Running::start(bench.evenkeel(words));
    let said = until("it says so", LIMIT, || {
        assert!(process.runs(), "{}", process.so_far());
        let said = process.so_far();
        said.contains("did you mean shop?").then_some(said)
    });
    assert!(said.contains("WARN"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
}

/// The time in a condition of the shop's service, as `status` gives it.
fn ready_since(bench: &Bench) -> serde_json::Value {
    let ended = bench
        .run(["status", "--kind", "Service", "--format", "json"])
        .expect(0);
    let value: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let conditions = value["objects"][0]["conditions"].as_array().unwrap();
    let ready = conditions.iter().find(|c| c["type"] == "Ready").unwrap();
    ready["lastTransition"].clone()
}

#[test]
fn status_tells_since_when_and_nothing_where_nobody_knows() {
    let bench = bench(&count(3));
    // Never looked at by anybody who keeps a record.
    assert_eq!(ready_since(&bench), serde_json::Value::Null);
    bench.run(["apply", "--yes"]).expect(0);
    let written = ready_since(&bench);
    assert!(written.is_string());
    assert_eq!(ready_since(&bench), written);
    // What `apply` leaves held is recorded by it.
    bench.save("desired-state/shop.yaml", &(count(3) + NOWHERE));
    bench.run(["apply", "--yes"]).expect(3);
    let held = || {
        let ended = bench
            .run(["status", "--kind", "Table", "--format", "json"])
            .expect(0);
        let value: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        value["objects"][0]["conditions"].clone()
    };
    assert!(held()[0]["lastTransition"].is_string(), "{}", held());
    assert_eq!(held(), held());
}

#[test]
fn status_in_markdown_has_reasons_leases_and_findings() {
    let bench = bench(&(count(3) + NOWHERE));
    bench.run(["apply", "--yes"]).expect(3);
    let ended = bench.run(["status", "--format", "markdown"]).expect(0);
    let said = out(&ended);
    assert!(said.contains("Blocked (MustExist)"), "{said}");
    assert!(said.contains("| shop | no lease held |"), "{said}");
    bench.save("desired-state/cart.yaml", "kind: [\n");
    let ended = bench.run(["status", "--format", "markdown"]).expect(1);
    assert!(ended.out.contains("cart.yaml"), "{}", ended.all());
}

#[test]
fn a_store_file_that_is_spoilt_is_named_with_what_to_do_and_aws_is_not() {
    let bench = bench(&count(3));
    bench.run(["apply", "--yes"]).expect(0);
    // Its first page stays, so that it opens, and nothing behind it is of any use.
    let mut bytes = std::fs::read(bench.store()).unwrap();
    bytes[4096..].fill(0x5a);
    std::fs::write(bench.store(), bytes).unwrap();
    for suffix in ["-wal", "-shm"] {
        let mut beside = bench.store().into_os_string();
        beside.push(suffix);
        let _ = std::fs::remove_file(beside);
    }
    let ended = bench.run(["history"]).expect(1);
    let said = err(&ended);
    assert!(said.contains("store.db"), "{said}");
    assert!(said.contains("restore it from a backup"), "{said}");
    assert!(!said.contains("AWS"), "{said}");
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    let bench = bench(&count(2));
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
    for words in [
        &["demo", "--serve", "--listen", "127.0.0.1:0"][..],
        &["check"],
        &["schema"],
    ] {
        let Ok(full) = full() else {
            eprintln!("skipped: there is no /dev/full");
            return;
        };
        let mut command = bench.unpointed(words);
        command.stdout(full).stderr(std::process::Stdio::piped());
        let ended = command.output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{words:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains("writing to standard output"), "{said}");
    }
}

/// Every command, as it is typed.
fn commands() -> Vec<Vec<String>> {
    fn below(command: &clap::Command, typed: &[String], all: &mut Vec<Vec<String>>) {
        all.push(typed.to_vec());
        for sub in command.get_subcommands() {
            let mut typed = typed.to_vec();
            typed.push(sub.get_name().to_owned());
            below(sub, &typed, all);
        }
    }
    let mut all = Vec::new();
    below(&Cli::command(), &[], &mut all);
    all
}

/// Runs it without an endpoint: what needs no network.
fn alone<S: AsRef<std::ffi::OsStr>>(bench: &Bench, words: impl IntoIterator<Item = S>) -> Ended {
    Running::start(bench.unpointed(words)).wait(LIMIT)
}

#[test]
fn the_help_of_every_command_fits_eighty_columns_and_goes_to_standard_output() {
    let bench = bench(SHOP);
    let commands = commands();
    assert!(commands.len() > 12, "{commands:?}");
    for typed in commands {
        for flag in ["-h", "--help"] {
            let ended = alone(&bench, typed.iter().map(String::as_str).chain([flag])).expect(0);
            assert!(
                ended.out.contains("Usage: evenkeel"),
                "{typed:?}: {}",
                ended.all()
            );
            assert!(ended.err.is_empty(), "{typed:?}: {}", ended.all());
            assert_narrow(&ended.out);
        }
    }
}

#[test]
fn a_wrong_command_line_is_1_for_every_command_and_says_so_on_standard_error() {
    let bench = bench(SHOP);
    for typed in commands() {
        let words = typed.iter().map(String::as_str).chain(["--no-such-flag"]);
        let ended = alone(&bench, words).expect(1);
        assert!(ended.out.is_empty(), "{typed:?}: {}", ended.all());
        assert!(
            ended.err.contains("--no-such-flag"),
            "{typed:?}: {}",
            ended.all()
        );
    }
    for words in [
        &["plan", "--kind", "Servce"][..],
        &["plan", "--target", "shop/web"],
        &["plan", "--format", "yaml"],
        &["plan", "--store", "redis:x"],
        &["run", "--interval", "soon"],
        &["run", "--listen", "nowhere"],
        &["history", "--since", "yesterday"],
        &["history", "--limit", "-1"],
        &["lock", "release", "shop"],
        &["completions", "tcsh"],
        &["demo", "--listen", "127.0.0.1:0"],
        &["nosuch"],
        &[],
    ] {
        let ended = alone(&bench, words).expect(1);
        assert!(ended.out.is_empty(), "{words:?}: {}", ended.all());
        assert!(!ended.err.is_empty(), "{words:?}");
    }
}

#[test]
fn a_command_that_would_write_says_why_it_does_not() {
    let bench = bench(SHOP);
    for (words, why) in [
        (
            &["apply", "--read-only", "--yes"][..],
            "--read-only forbids it",
        ),
        (&["apply"], "there is no terminal to ask on"),
        (
            &["lock", "release", "shop", "--reason", " "],
            "--reason says nothing",
        ),
        (
            &["lock", "release", "shop", "--reason", "x", "--read-only"],
            "--read-only forbids it",
        ),
        (
            &["lock", "release", "shop", "--reason", "x"],
            "has never been leased",
        ),
        (&["store", "create"], "embedded store makes itself"),
    ] {
        let ended = bench.run(words).expect(1);
        assert!(ended.out.is_empty(), "{words:?}: {}", ended.all());
        assert!(err(&ended).contains(why), "{why}: {}", ended.all());
    }
    assert_eq!(bench.writes(), 0);
}

#[test]
fn what_is_asked_for_as_json_is_one_json_text_alone_on_standard_output() {
    let bench = bench(&(count(3) + NOWHERE));
    for (words, code) in [
        (&["check"][..], 0),
        (&["plan"], 2),
        (&["apply", "--yes"], 3),
        (&["plan"], 3),
        (&["status"], 0),
        (&["history"], 0),
        (&["history", "--verify"], 0),
        (&["lock", "list"], 0),
    ] {
        let typed = words.iter().copied().chain(["--format", "json"]);
        let ended = match words {
            ["check"] => alone(&bench, typed),
            _ => bench.run(typed),
        };
        let ended = ended.expect(code);
        let value: serde_json::Value = serde_json::from_str(&ended.out)
            .unwrap_or_else(|e| panic!("{words:?}: {e}: {}", ended.all()));
        assert!(value.is_object(), "{words:?}");
    }
    for words in [&["schema"][..], &["iam-policy"]] {
        let ended = alone(&bench, words).expect(0);
        serde_json::from_str::<serde_json::Value>(&ended.out).unwrap();
    }
    // And the text of the same is narrow.
    for words in [
        &["plan"][..],
        &["status"],
        &["history"],
        &["history", "--verify"],
        &["lock", "list"],
    ] {
        assert_narrow(&bench.run(words).out);
    }
}

#[test]
fn the_completions_of_every_shell_that_is_here_can_be_read_by_it() {
    let bench = bench(SHOP);
    for shell in ["bash", "zsh", "fish"] {
        let ended = alone(&bench, ["completions", shell]).expect(0);
        assert!(ended.out.contains("evenkeel"), "{shell}");
        let script = bench.folder().join(shell);
        std::fs::write(&script, &ended.out).unwrap();
        let checked = std::process::Command::new(shell)
            .arg("-n")
            .arg(&script)
            .output();
        match checked {
            Ok(checked) => assert!(
                checked.status.success(),
                "{shell}: {}",
                String::from_utf8_lossy(&checked.stderr)
            ),
            Err(_) => eprintln!("skipped: {shell} is not installed"),
        }
    }
}
