//! Credentials: they run out in the middle of a pass, and others are to be had, or are not.

use std::process::Command;

use evenkeel::twin::World;
use evenkeel::twin::wire::TwinError;
use rustix::process::Signal;

use super::front::{Front, Seen, Verdict};
use super::shim::WallClock;
use super::{APPLY, Case, assert_at_rest, assert_says, case, ended, said, side_by_side};
use crate::process::estate::{SHOP, shop};
use crate::process::{Bench, LIMIT, Running, until};

const OLD: &str = "AKIAOLDOLDOLD";
const NEW: &str = "AKIANEWNEWNEW";

/// Hands out the old key the first time, and `then` from the second on; good for an hour, it says.
fn hands_out(bench: &Bench, then: &str) {
    let give = |key: &str| {
        format!(
            "echo '{{\"Version\": 1, \"AccessKeyId\": \"{key}\", \"SecretAccessKey\": \"s\", \
             \"SessionToken\": \"t\", \"Expiration\": \"'$(date -u -d @$(($(date +%s) + 3600)) \
             +%Y-%m-%dT%H:%M:%SZ)'\"}}'"
        )
    };
    let script = format!(
        "#!/bin/sh\nif mkdir \"$(dirname \"$0\")/asked\" 2>/dev/null; then\n{}\nelse\n{then}\nfi\n",
        give(OLD),
        then = if then == "nothing" {
            "echo 'your session has ended' >&2; exit 1".to_owned()
        } else {
            give(then)
        }
    );
    let path = bench.folder().join("hand-out");
    std::fs::write(&path, script).unwrap();
    let config = format!(
        "[profile shop]\nregion = us-east-1\ncredential_process = /bin/sh {}\n",
        path.display()
    );
    bench.save("config", &config);
}

/// As if nobody had asked for credentials yet.
fn forget(bench: &Bench) {
    std::fs::remove_dir(bench.folder().join("asked")).unwrap();
}

fn of_profile(bench: &Bench, mut command: Command) -> Command {
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_CONFIG_FILE", bench.folder().join("config"))
        .env("AWS_PROFILE", "shop");
    command
}

fn expired(name: &str) -> Verdict {
    let code = match name.split_once('.') {
        Some(("rds" | "sts" | "cloudwatch", _)) => "ExpiredToken",
        _ => "ExpiredTokenException",
    };
    Verdict::Refuse(TwinError::client(
        code,
        "The security token included in the request is expired",
    ))
}

/// The old key is refused from the first call of `operation` on.
fn run_out_at(operation: &'static str) -> impl FnMut(&Seen<'_>) -> Verdict + Send {
    let mut out = false;
    move |seen| {
        out |= seen.name == operation;
        if out && seen.key == OLD {
            expired(seen.name)
        } else {
            Verdict::Pass
        }
    }
}

fn bench() -> Bench {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", SHOP);
    bench
}

const AFTER_THE_ROLLOUT_BEGAN: &str = "cloudwatch.PutMetricAlarm";

const POINTS: [&str; 6] = [
    "ecs.DescribeServices",
    "cloudwatch.DescribeAlarms",
    "ecs.RegisterTaskDefinition",
    "ecs.UpdateService",
    "application-autoscaling.PutScalingPolicy",
    AFTER_THE_ROLLOUT_BEGAN,
];

#[test]
fn credentials_that_run_out_in_the_middle_are_fetched_anew_and_the_work_goes_on() {
    let cases = POINTS.map(|point| (point.to_owned(), point));
    side_by_side(cases.into(), |point| {
        let bench = bench();
        hands_out(&bench, NEW);
        let front = Front::new(&bench, run_out_at(point));
        let apply = of_profile(&bench, front.evenkeel(&bench, &APPLY));
        ended(apply).expect(0);
        assert_at_rest(&bench);
        let registered = |w: &mut World| w.calls.of("ecs.RegisterTaskDefinition").count();
        assert_eq!(bench.twin.world(registered), 1);
    });
}

fn stay_out(point: &'static str, then: &str) {
    let bench = bench();
    hands_out(&bench, then);
    let front = Front::new(&bench, run_out_at(point));
    let apply = || of_profile(&bench, front.evenkeel(&bench, &APPLY));
    let first = ended(apply());
    assert!(matches!(first.code, Some(1 | 3)), "{}", first.all());
    match then {
        "nothing" => assert_says(&first, &["no AWS credentials that work", "sign in again"]),
        _ => assert_says(&first, &["expired", "sign in again"]),
    }
    assert!(!said(&first).contains("iam-policy"), "{}", first.all());
    // Who signs in again, an hour later, goes on where it ended.
    forget(&bench);
    front.judges(|_| Verdict::Pass);
    let later = WallClock::new(bench.folder(), "later");
    later.step(3600);
    ended(later.of(apply())).expect(0);
    assert_at_rest(&bench);
    let history = bench.run(["history"]).expect(0);
    assert!(!history.out.contains("Unknown"), "{}", history.all());
}

#[test]
fn credentials_that_stay_expired_or_are_not_given_again_end_the_pass_and_leave_nothing_half_known()
{
    let mut cases = Vec::new();
    for point in POINTS
        .into_iter()
        .filter(|point| *point != AFTER_THE_ROLLOUT_BEGAN)
    {
        for then in [OLD, "nothing"] {
            cases.push((format!("{point}, then {then}"), (point, then)));
        }
    }
    side_by_side(cases, |(point, then)| stay_out(point, then));
}

/// Here a rollout is under way, which nobody can look at any more: that is told, not waited out.
pub fn blind_waits() -> Vec<Case> {
    let of = |then: &'static str| {
        let name = format!("the credentials run out during a rollout, then {then}");
        case(name, move || stay_out(AFTER_THE_ROLLOUT_BEGAN, then))
    };
    vec![of(OLD), of("nothing")]
}

#[test]
fn a_controller_takes_up_new_credentials_without_being_started_again() {
    let bench = bench();
    hands_out(&bench, NEW);
    let front = Front::new(&bench, |_| Verdict::Pass);
    let words = ["run", "--interval", "1s", "--listen", "127.0.0.1:0"];
    let mut run = Running::start(of_profile(&bench, front.evenkeel(&bench, &words)));
    let size = |w: &mut World| w.task_definition_of("main", "web").unwrap().cpu();
    let until_size = |run: &mut Running, wanted| {
        until("it is converged", LIMIT, || {
            assert!(run.runs(), "{}", run.so_far());
            (bench.twin.world(size) == Some(wanted)).then_some(())
        });
    };
    until_size(&mut run, 512);
    front.judges(run_out_at("ecs.DescribeServices"));
    bench.save(
        "desired-state/shop.yaml",
        &SHOP
            .replace("cpu: 512", "cpu: 1024")
            .replace("memory: 1024", "memory: 2048"),
    );
    until_size(&mut run, 1024);
    run.signal(Signal::TERM);
    run.wait(LIMIT).expect(0);
    // The service comes first, and told to stop it begins nothing more.
    bench.run(APPLY).expect(0);
    assert_at_rest(&bench);
}
