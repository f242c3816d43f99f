//! Checks: that the simulator itself can be believed. The seeds by the thousand are run by the
//! example `sim`.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use evenkeel::model::change::{Drift, Risk, Step};
use evenkeel::model::entry::{Entry, GENESIS, Outcome, Record};
use evenkeel::model::key::ResourceKey;
use evenkeel::model::tree::{FieldPath, Tree};
use serde_json::{Value, json};

use super::case::Case;
use super::estate::SECRET;
use super::ghost::Ghost;
use super::happening::{Happening, Landed, Sent, Touch, Who};
use super::laws::LAWS;
use super::{Keep, calm, regressions, run};

const FIRST: Who = Who {
    replica: 0,
    life: 1,
};
const SECOND: Who = Who {
    replica: 1,
    life: 1,
};

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[test]
fn a_few_seeds_break_no_law() {
    for seed in 0..12 {
        let run = run(&Case::whole(seed), Keep::Hash);
        assert_eq!(run.broken, None, "seed {seed}");
        assert!(run.events > 100, "seed {seed} did nothing");
    }
}

#[test]
fn every_run_that_once_broke_a_law_keeps_it_now() {
    for case in regressions() {
        let run = run(&case, Keep::Hash);
        assert_eq!(run.broken, None, "case {case}");
    }
}

#[test]
#[ignore = "prints the hash of one run, for the test below"]
fn print_a_hash() {
    println!("hash {}", run(&Case::whole(5), Keep::Hash).hash);
}

#[test]
fn one_seed_is_one_run_in_whichever_process() {
    let hash = || {
        let this = std::env::current_exe().unwrap();
        let ran = Command::new(this)
            .args([
                "--exact",
                "sim::checks::print_a_hash",
                "--ignored",
                "--nocapture",
            ])
            .output()
            .unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        said.lines()
            .find_map(|l| l.split("hash ").nth(1).map(str::to_owned))
            .expect("a hash")
    };
    assert_eq!(hash(), hash());
}

#[test]
fn a_case_is_read_as_it_is_written() {
    let case: Case = "7/r2/s3,4/a1".parse().unwrap();
    assert_eq!(case.to_string(), "7/r2/s3,4/a1");
    assert!("7/x".parse::<Case>().is_err());
}

fn key() -> ResourceKey {
    ResourceKey::new("shop", "Service", "web")
}

fn granted(who: Who, token: u64, grant: &str) -> Happening {
    Happening::Granted {
        who,
        app: "shop".into(),
        token,
        grant: grant.into(),
        boot: seconds(0),
        at: seconds(0),
    }
}

fn touched(who: Who, grant: &str, how: Touch) -> Happening {
    Happening::Touched {
        who,
        app: "shop".into(),
        grant: grant.into(),
        how,
        boot: seconds(0),
        at: seconds(0),
    }
}

fn entry(seq: u64, prev: &str, token: u64, record: Record) -> Entry {
    Entry {
        app: "shop".into(),
        seq,
        at: super::START.parse().unwrap(),
        by: "x".into(),
        token,
        record,
        prev: prev.into(),
        hash: String::new(),
    }
    .sealed()
}

/// An intent to mend this.
fn mending(id: &str, drift: Drift) -> Record {
    let mut record = intent(id, "ecs.UpdateService");
    if let Record::Intent { drift: mended, .. } = &mut record {
        mended.push(drift);
    }
    record
}

fn intent(id: &str, operation: &str) -> Record {
    Record::Intent {
        id: id.into(),
        key: key(),
        step: Step {
            operation: operation.into(),
            object: "main/web".into(),
            title: String::new(),
            detail: Tree::Null,
        },
        drift: Vec::new(),
        risk: Risk::Routine,
        plan: String::new(),
        tasks: 0,
        commit: None,
    }
}

fn outcome(id: &str, outcome: Outcome) -> Record {
    Record::Outcome {
        intent: id.into(),
        key: key(),
        outcome,
        detail: Tree::Null,
    }
}

fn appended(who: Who, entry: Entry) -> Happening {
    Happening::Appended {
        who,
        entry: Box::new(entry),
        at: seconds(100),
    }
}

fn sent(who: Who, intent: Option<&str>, operation: &str, input: Value) -> Sent {
    Sent {
        who,
        intent: intent.map(str::to_owned),
        operation: operation.into(),
        input,
        boot: seconds(10),
        deadline: seconds(30),
        at: seconds(10),
    }
}

fn update(intent: &str) -> Sent {
    sent(
        FIRST,
        Some(intent),
        "ecs.UpdateService",
        json!({"service": "web"}),
    )
}

fn read(who: Who) -> Happening {
    Happening::Read {
        who,
        operation: "ecs.DescribeServices".into(),
        objects: vec!["web".into()],
        at: seconds(9),
    }
}

/// A past in which the first replica holds the lease, has read, and has committed the intent `i`.
fn past() -> (Ghost, Entry) {
    let mut ghost = Ghost::default();
    let first = entry(1, GENESIS, 1, intent("i", "ecs.UpdateService"));
    for happening in [
        granted(FIRST, 1, "g"),
        read(FIRST),
        appended(FIRST, first.clone()),
    ] {
        assert_eq!(broken(&ghost, &happening), [] as [&str; 0]);
        ghost.note(&happening);
    }
    (ghost, first)
}

/// The laws that this breaks.
fn broken(ghost: &Ghost, happening: &Happening) -> Vec<&'static str> {
    LAWS.iter()
        .filter(|law| (law.broken)(ghost, happening).is_some())
        .map(|law| law.number)
        .collect()
}

fn landed(sent: Sent, at: u64, unnamed: [Value; 2]) -> Happening {
    Happening::Landed(Box::new(Landed {
        sent,
        at: seconds(at),
        unnamed,
        again: false,
    }))
}

/// For every law, a past and what breaks it then.
fn violations() -> Vec<(&'static str, Ghost, Happening)> {
    let mut all = Vec::new();
    let mut add = |law, prepare: &dyn Fn(&mut Ghost, &Entry) -> Happening| {
        let (mut ghost, first) = past();
        let happening = prepare(&mut ghost, &first);
        all.push((law, ghost, happening));
    };
    add("S1", &|_, _| granted(SECOND, 1, "h"));
    add("S2", &|g, _| {
        g.note(&granted(SECOND, 2, "h"));
        Happening::Sent(update("i"))
    });
    add("S2b", &|_, _| granted(SECOND, 2, "h"));
    add("S3", &|g, first| {
        g.note(&granted(SECOND, 2, "h"));
        appended(
            FIRST,
            entry(2, &first.hash, 1, intent("j", "ecs.UpdateService")),
        )
    });
    add("S4", &|_, _| {
        Happening::Sent(Sent {
            boot: seconds(19),
            ..update("i")
        })
    });
    add("S4", &|_, _| {
        Happening::Sent(Sent {
            deadline: seconds(60),
            ..update("i")
        })
    });
    add("S5", &|g, _| {
        g.note(&touched(FIRST, "g", Touch::Released));
        touched(FIRST, "g", Touch::Renewed)
    });
    add("S5", &|g, _| {
        g.note(&granted(SECOND, 2, "h"));
        touched(FIRST, "g", Touch::Remembered)
    });
    add("S6", &|g, first| {
        g.note(&granted(SECOND, 2, "h"));
        g.note(&appended(
            SECOND,
            entry(2, &first.hash, 2, intent("j", "ecs.UpdateService")),
        ));
        g.note(&Happening::Sent(sent(
            SECOND,
            Some("j"),
            "ecs.UpdateService",
            Value::Null,
        )));
        landed(update("i"), 15, [Value::Null, Value::Null])
    });
    add("S8", &|g, first| {
        g.note(&Happening::Loaded {
            who: FIRST,
            frozen: vec![],
            wishes: vec![],
            at: seconds(1),
        });
        appended(
            FIRST,
            entry(2, &first.hash, 1, intent("j", "ecs.UpdateService")),
        )
    });
    add("S10", &|g, _| {
        g.readings.clear();
        Happening::Sent(update("i"))
    });
    add("S14", &|_, _| {
        Happening::Sent(sent(
            FIRST,
            Some("i"),
            "ecs.UpdateService",
            json!({"service": "web", "desiredCount": 0}),
        ))
    });
    add("S15", &|g, first| {
        let frozen = vec!["shop".to_owned()];
        g.note(&Happening::Loaded {
            who: FIRST,
            frozen,
            wishes: vec![],
            at: seconds(1),
        });
        appended(
            FIRST,
            entry(2, &first.hash, 1, intent("j", "ecs.UpdateService")),
        )
    });
    add("S16", &|_, _| {
        Happening::Sent(sent(
            FIRST,
            Some("i"),
            "ecs.DeleteService",
            json!({"service": "web"}),
        ))
    });
    // Whatever risk the plan saw in it.
    add("S16", &|_, first| {
        let drift = Drift {
            path: FieldPath::dotted("spec.backupRetentionDays"),
            desired: json!(3),
            live: json!(7),
        };
        let fewer = mending("j", drift);
        appended(FIRST, entry(2, &first.hash, 1, fewer))
    });
    add("S20", &|_, _| {
        landed(update("i"), 11, [json!({"image": 1}), json!({"image": 2})])
    });
    add("S23", &|g, _| {
        g.read_only.insert(0);
        Happening::Sent(update("i"))
    });
    add("S24", &|_, _| {
        Happening::Sent(sent(
            FIRST,
            None,
            "ecs.UpdateService",
            json!({"service": "web"}),
        ))
    });
    add("S24", &|_, _| Happening::Sent(update("nobody's")));
    // Another object than the one announced; another value.
    add("S24", &|_, _| {
        Happening::Sent(Sent {
            input: json!({"service": "api"}),
            ..update("i")
        })
    });
    add("S24", &|g, first| {
        let drift = Drift {
            path: FieldPath::dotted("spec.desiredCount"),
            desired: json!(4),
            live: json!(2),
        };
        g.counts.entry("web".into()).or_default().extend([3, 4]);
        g.note(&appended(
            FIRST,
            entry(2, &first.hash, 1, mending("j", drift)),
        ));
        Happening::Sent(Sent {
            input: json!({"service": "web", "desiredCount": 3}),
            ..update("j")
        })
    });
    add("S24b", &|g, first| {
        let second = entry(2, &first.hash, 1, outcome("i", Outcome::NotApplied));
        g.note(&appended(FIRST, second.clone()));
        appended(
            FIRST,
            entry(3, &second.hash, 1, outcome("i", Outcome::Applied)),
        )
    });
    add("S25", &|g, _| {
        g.note(&Happening::Opened {
            key: key(),
            intent: Some("i".into()),
        });
        Happening::Opened {
            key: key(),
            intent: Some("j".into()),
        }
    });
    add("S26", &|_, first| {
        appended(
            FIRST,
            entry(2, &first.hash, 1, outcome("i", Outcome::Applied)),
        )
    });
    add("S27", &|_, first| {
        appended(
            FIRST,
            entry(3, &first.hash, 1, outcome("i", Outcome::NotApplied)),
        )
    });
    add("S27", &|_, _| {
        appended(
            FIRST,
            entry(2, GENESIS, 1, outcome("i", Outcome::NotApplied)),
        )
    });
    add("S28", &|g, _| {
        g.note(&Happening::Sent(update("i")));
        Happening::Sent(update("i"))
    });
    add("S29", &|_, _| Happening::Said {
        place: "a log",
        text: format!("TOKEN={SECRET}"),
    });
    add("K1", &|_, _| Happening::FromTheDead {
        who: FIRST,
        operation: "dynamodb.UpdateItem".into(),
    });
    all
}

#[test]
fn every_law_is_broken_by_what_it_forbids() {
    let mut seen = BTreeSet::new();
    for (law, ghost, happening) in violations() {
        let broken = broken(&ghost, &happening);
        assert!(broken.contains(&law), "{law}: {broken:?} by {happening:?}");
        seen.insert(law);
    }
    let all: BTreeSet<&str> = LAWS.iter().map(|law| law.number).collect();
    assert_eq!(seen, all);
}

#[test]
fn the_page_on_reliability_tells_every_law() {
    let page = include_str!("../../docs/reliability.md");
    let safety = LAWS.iter().map(|law| (law.number, law.says));
    for (number, says) in safety.chain(calm::LAWS.iter().copied()) {
        let row = format!("| {number} | {says} |");
        assert!(page.contains(&row), "docs/reliability.md lacks: {row}");
    }
}

/// What a single event breaks has its past above; what none does takes a whole run.
#[test]
fn for_every_law_of_the_end_a_bug_is_planted_that_it_catches() {
    let planted = include_str!("../planted/bugs.toml");
    for (number, _) in calm::LAWS {
        let law = format!("\nlaw = \"{number}\"\n");
        assert!(
            planted.contains(&law),
            "tests/planted/bugs.toml lacks {number}"
        );
    }
}

#[test]
fn a_proper_write_breaks_no_law() {
    let (ghost, _) = past();
    assert_eq!(
        broken(&ghost, &Happening::Sent(update("i"))),
        [] as [&str; 0]
    );
    let same = || json!({"image": 1});
    assert_eq!(
        broken(&ghost, &landed(update("i"), 11, [same(), same()])),
        [] as [&str; 0]
    );
}
