//! Answers: a 200 that is none of AWS's, is empty, cut, torn off or of the wrong length: never an absence, never a write.

use evenkeel::twin::World;
use serde_json::json;

use super::front::{Front, SPOILT, Seen, Spoilt, Verdict};
use super::{APPLY, Case, assert_at_rest, case, ended, said, side_by_side};
use crate::process::Bench;
use crate::process::estate::{SHOP, shop};

const SERVICES: [&str; 6] = [
    "ecs",
    "application-autoscaling",
    "cloudwatch",
    "dynamodb",
    "rds",
    "sts",
];

const DATABASE: &str = "---\napiVersion: evenkeel/v1alpha1\nkind: Database\n\
                        metadata: {app: shop, name: orders}\n\
                        spec: {instance: orders, deletionProtection: true}\n";

/// The shop, with a database too, so that every protocol is spoken.
fn bench() -> Bench {
    let bench = Bench::new(|w| {
        shop(w);
        let orders = json!({
            "DBInstanceIdentifier": "orders", "Engine": "postgres", "DeletionProtection": false,
        });
        w.rds.put_instance(orders);
    });
    bench.save("desired-state/shop.yaml", &format!("{SHOP}{DATABASE}"));
    bench
}

fn is_of(name: &str, service: &str) -> bool {
    name.split_once('.').is_some_and(|(of, _)| of == service)
}

/// Every answer of `service` is spoilt.
fn all_of(service: &'static str, spoilt: Spoilt) -> impl FnMut(&Seen<'_>) -> Verdict + Send {
    move |seen| match is_of(seen.name, service) {
        true => Verdict::Spoil(spoilt),
        false => Verdict::Pass,
    }
}

/// Writes of `service` that reached the twin.
fn writes_of(bench: &Bench, service: &str) -> Vec<String> {
    bench.twin.world(|w: &mut World| {
        let of = w.calls.writes().filter(|call| is_of(&call.name, service));
        of.map(|call| call.name.clone()).collect()
    })
}

#[test]
fn an_answer_that_is_none_is_no_absence_and_leads_to_no_write() {
    let mut cases = Vec::new();
    for service in SERVICES {
        for spoilt in SPOILT {
            cases.push((format!("{service}, {spoilt:?}"), (service, spoilt)));
        }
    }
    side_by_side(cases, |(service, spoilt)| {
        let bench = bench();
        let front = Front::new(&bench, all_of(service, spoilt));
        let apply = ended(front.evenkeel(&bench, &APPLY));
        assert!(matches!(apply.code, Some(1 | 3)), "{}", apply.all());
        assert_eq!(
            writes_of(&bench, service),
            Vec::<String>::new(),
            "{}",
            apply.all()
        );
        let text = said(&apply);
        let told = [
            "not one of AWS's",
            "cut off",
            "could not be read",
            "the outcome is not known",
        ];
        assert!(
            told.iter().any(|words| text.contains(words)),
            "{}",
            apply.all()
        );
        let absences = ["created", "does not exist"];
        let believed = absences.iter().any(|word| text.contains(word));
        assert!(service != "cloudwatch" || !believed, "{}", apply.all());
        // Once for each service: what was believed is the same whatever the bytes were.
        if spoilt == Spoilt::Json {
            front.judges(|_| Verdict::Pass);
            ended(front.evenkeel(&bench, &APPLY)).expect(0);
            assert_at_rest(&bench);
        }
    });
}

/// The answer of one write is spoilt, and nothing was done or all; it is looked up within the same
/// pass, and sent again only if it was not there.
fn lost(name: &'static str, spoilt: Spoilt, reached: bool) {
    let bench = bench();
    let mut met = 0;
    let front = Front::new(&bench, move |seen: &Seen<'_>| {
        met += usize::from(seen.name == name);
        match (seen.name == name && met == 1, reached) {
            (false, _) => Verdict::Pass,
            (true, true) => Verdict::Spoil(spoilt),
            (true, false) => Verdict::Instead(spoilt),
        }
    });
    let apply = ended(front.evenkeel(&bench, &APPLY)).expect(0);
    let sent = bench.twin.world(|w: &mut World| w.calls.of(name).count());
    assert_eq!(sent, 1, "{}", apply.all());
    let history = bench.run(["history"]).expect(0);
    assert!(history.out.contains("Unknown"), "{}", history.all());
    assert_at_rest(&bench);
}

/// A write whose answer is none of AWS's is looked up, and never repeated blindly.
pub fn lost_writes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, spoilt, reached) in [
        ("ecs.RegisterTaskDefinition", Spoilt::Page, true),
        ("ecs.RegisterTaskDefinition", Spoilt::Cut, false),
        ("ecs.UpdateService", Spoilt::Empty, true),
        ("ecs.UpdateService", Spoilt::Json, false),
        (
            "application-autoscaling.RegisterScalableTarget",
            Spoilt::Empty,
            false,
        ),
        (
            "application-autoscaling.PutScalingPolicy",
            Spoilt::Json,
            true,
        ),
        ("cloudwatch.PutMetricAlarm", Spoilt::Page, false),
        ("rds.ModifyDBInstance", Spoilt::Reset, true),
        ("dynamodb.UpdateTable", Spoilt::Empty, false),
        ("dynamodb.UpdateContinuousBackups", Spoilt::BrokenOff, true),
    ] {
        let text = format!("{name} answered {spoilt:?}, had its effect: {reached}");
        cases.push(case(text, move || lost(name, spoilt, reached)));
    }
    cases
}
