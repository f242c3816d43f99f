//! Change control by hand: pause, resume, approve and what is told of them, with the real binary.

use crate::process::estate::{count, shop};
use crate::process::{Bench, Ended};

/// A bench whose service is to have three tasks, under this policy.
fn bench(policy: &str) -> Bench {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", &count(3));
    if !policy.is_empty() {
        let policy = format!(
            "apiVersion: evenkeel/v1alpha1\nkind: Policy\nmetadata: {{app: shop, name: policy}}\n\
             spec: {policy}\n"
        );
        bench.save("desired-state/policy.yaml", &policy);
    }
    bench
}

/// A report as one line, whatever its wrapping; it fits a terminal.
fn out(ended: &Ended) -> String {
    for line in ended.out.lines() {
        assert!(line.chars().count() <= 80, "wider than 80: {line:?}");
    }
    ended.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The digest that a plan says to approve.
fn digest(plan: &str) -> String {
    let (_, rest) = plan.split_once("evenkeel approve ").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_pause_is_shown_everywhere_and_ends_with_resume() {
    let bench = bench("");
    let words = ["pause", "shop", "--for", "2h", "--reason", "incident 42"];
    let said = out(&bench.run(words).expect(0));
    assert!(said.contains("shop is paused until"), "{said}");
    assert!(
        said.contains("arn:aws:iam::123456789012:user/evenkeel: incident 42"),
        "{said}"
    );
    for command in ["plan", "status", "pauses"] {
        let ended = bench.run([command]);
        let said = out(&ended);
        assert!(said.contains("incident 42"), "{command}: {}", ended.all());
    }
    bench.run(["plan"]).expect(3);
    bench.run(["apply", "--yes"]).expect(3);
    assert_eq!(bench.writes(), 0);
    let wrong = bench
        .run(["resume", "shop", "--object", "Service/web"])
        .expect(1);
    assert!(wrong.err.contains("that is not paused"), "{}", wrong.err);
    bench.run(["resume", "shop"]).expect(0);
    assert!(out(&bench.run(["pauses"])).contains("resumed"));
    bench.run(["apply", "--yes"]).expect(0);
    assert_eq!(bench.writes(), 1);
    let wrong = bench.run(["resume", "shop"]).expect(1);
    assert!(
        wrong.err.contains("nothing of shop is paused"),
        "{}",
        wrong.err
    );
}

#[test]
fn nobody_ends_anothers_pause_by_a_shorter_one() {
    let bench = bench("");
    let pause = |lasts, reason| ["pause", "shop", "--for", lasts, "--reason", reason];
    bench.run(pause("2h", "incident 42")).expect(0);
    let shorter = bench.run(pause("1m", "mine")).expect(1);
    assert!(
        shorter.err.contains("incident 42") && shorter.err.contains("evenkeel resume shop"),
        "{}",
        shorter.err
    );
    assert!(!out(&bench.run(["pauses"])).contains("mine"));
    bench.run(pause("3h", "longer")).expect(0);
    let words = [
        "pause",
        "shop",
        "--object",
        "Service/wbe",
        "--for",
        "1h",
        "--reason",
        "x",
    ];
    bench.run(["apply", "--yes"]).expect(3);
    let slip = bench.run(words).expect(0);
    assert!(
        slip.err.contains("see that the name is right"),
        "{}",
        slip.err
    );
}

#[test]
fn what_is_approved_is_what_a_change_does_and_not_what_a_file_says() {
    let bench = bench("{mode: report}");
    bench.run(["plan", "--out", "plan.json"]).expect(3);
    bench.save("desired-state/shop.yaml", &count(4));
    let old = bench
        .run(["approve", "plan.json", "--reason", "x"])
        .expect(1);
    assert!(old.err.contains("is out of date"), "{}", old.err);
    assert!(out(&bench.run(["approvals"])).contains("nothing was ever approved"));
}

#[test]
fn an_approval_of_what_waits_for_something_else_says_for_what() {
    let bench = bench(
        "{mode: report, freezes: [{from: 2026-01-01T00:00:00Z, until: 2199-01-01T00:00:00Z, reason: sale}]}",
    );
    let plan = bench.run(["plan"]).expect(3);
    let plan = out(&plan);
    assert!(plan.contains("once approved it is written by: "), "{plan}");
    let change = digest(&plan);
    let said = out(&bench.run(["approve", &change, "--reason", "x"]).expect(0));
    assert!(
        said.contains("frozen: sale") && said.contains("ends before") && said.contains("--now"),
        "{said}"
    );
    let plan = out(&bench.run(["plan"]).expect(3));
    assert!(
        plan.contains("which ends before it may be written"),
        "{plan}"
    );
    let said = out(&bench
        .run(["approve", &change, "--now", "--reason", "x"])
        .expect(0));
    assert!(said.contains("it will be written once"), "{said}");
}

#[test]
fn what_a_plan_says_to_type_passes_a_budget_that_is_too_small_for_it() {
    let bench = bench("{budget: {tasksPerHour: 1}}");
    bench.save("desired-state/shop.yaml", &count(9));
    let plan = out(&bench.run(["plan"]).expect(3));
    let (_, typed) = plan.split_once("to approve it: evenkeel ").unwrap();
    let words: Vec<&str> = typed.split_whitespace().take(4).collect();
    assert_eq!(words[2..], ["--now", "--reason"], "{plan}");
    let change = words[1];
    let said = out(&bench.run(["approve", change, "--reason", "x"]).expect(0));
    assert!(
        said.contains("and waits") && said.contains("--now"),
        "{said}"
    );
    bench.run(["apply", "--yes"]).expect(3);
    let said = bench.run(["approve", change, "--now", "--reason", "x"]);
    assert!(out(&said.expect(0)).contains("it will be written once"));
    bench.run(["apply", "--yes"]).expect(0);
    assert_eq!(bench.writes(), 1);
}

#[test]
fn a_pause_longer_than_a_week_is_refused_and_says_what_to_do() {
    let bench = bench("");
    let words = ["pause", "shop", "--for", "8d", "--reason", "holidays"];
    let ended = bench.run(words).expect(1);
    assert!(
        ended.err.contains("belongs into the app's Policy"),
        "{}",
        ended.err
    );
}

#[test]
fn what_a_plan_says_to_type_lets_the_change_pass_once() {
    let bench = bench("{mode: report}");
    let plan = bench.run(["plan"]).expect(3);
    let change = digest(&out(&plan));
    bench.run(["apply", "--yes"]).expect(3);
    assert_eq!(bench.writes(), 0);
    let words = ["approve", &change, "--reason", "agreed in the weekly"];
    let said = out(&bench.run(words).expect(0));
    assert!(said.contains("it will be written once"), "{said}");
    assert!(out(&bench.run(["approvals"]).expect(0)).contains("stands"));
    bench.run(["apply", "--yes"]).expect(0);
    assert_eq!(bench.writes(), 1);
    let list = out(&bench.run(["approvals", "--app", "shop"]).expect(0));
    assert!(
        list.contains("used") && list.contains("agreed in the weekly"),
        "{list}"
    );
    let gone = bench
        .run(["approve", &change, "--reason", "again"])
        .expect(1);
    assert!(
        gone.err.contains("no change is there that waits"),
        "{}",
        gone.err
    );
}

#[test]
fn a_saved_plan_is_approved_whole_and_an_approval_can_be_taken_back() {
    let bench = bench("{withoutApproval: []}");
    let plan = bench.run(["plan", "--out", "plan.json"]).expect(3);
    let change = digest(&out(&plan));
    bench
        .run(["approve", "plan.json", "--reason", "read it"])
        .expect(0);
    let words = ["approve", &change, "--revoke", "--reason", "not today"];
    bench.run(words).expect(0);
    let again = bench.run(words).expect(1);
    assert!(again.err.contains("stands any more"), "{}", again.err);
    bench.run(["apply", "--yes"]).expect(3);
    assert_eq!(bench.writes(), 0);
    bench
        .run(["approve", "plan.json", "--reason", "today"])
        .expect(0);
    bench
        .run(["apply", "--yes", "--plan", "plan.json"])
        .expect(0);
    assert_eq!(bench.writes(), 1);
}

#[test]
fn a_looser_policy_says_how_it_is_approved() {
    let bench = bench("{mode: report}");
    bench.run(["apply", "--yes"]).expect(3);
    std::fs::remove_file(bench.folder().join("desired-state/policy.yaml")).unwrap();
    let said = out(&bench.run(["plan"]).expect(3));
    assert!(said.contains("has no Policy any more"), "{said}");
    let (_, help) = said.split_once("to approve it: ").unwrap();
    let words = ["approve", &digest(help), "--reason", "it was in the way"];
    let said = out(&bench.run(words).expect(0));
    assert!(
        said.contains("it comes into force at the next look"),
        "{said}"
    );
    bench.run(["apply", "--yes"]).expect(0);
    assert_eq!(bench.writes(), 1);
}
