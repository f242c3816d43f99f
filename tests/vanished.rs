//! Vanished: what is written when documents go, move or change their names. Nothing, whatever went.
//!
//! Evenkeel deletes nothing, so a document that is gone means only that nobody owns the fields any
//! more; there is no absence to mistake for a wish. The numbers are those of
//! `tests/bad-inputs/INDEX.md`.

use std::collections::BTreeSet;
use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::engine::desired::load_files;
use evenkeel::model::change::{Hold, Risk};
use evenkeel::model::document::DesiredSet;
use evenkeel::model::pass::Pass;
use evenkeel::twin::calls::Call;
use evenkeel::twin::estate::FargateService;

use crate::rig::{Rig, load};

fn service(app: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: evenkeel/v1alpha1\nkind: Service\n\
         metadata: {{app: {app}, name: {name}}}\nspec: {{serviceName: web-{app}, {spec}}}\n"
    )
}

const APPS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

fn all(apps: &[&str]) -> String {
    let of = |app: &&str| service(app, "web", "cluster: main, cpu: 512, memory: 1024");
    apps.iter().map(of).collect()
}

/// Ten apps that were brought in order, and of which somebody has changed every size since.
async fn drifted() -> Rig {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.ecs.rollouts.duration = Duration::from_secs(1);
        for app in APPS {
            let service = FargateService::new("main", &format!("web-{app}")).size(256, 512);
            w.add_service(&service).unwrap();
        }
    });
    rig.apply(&load(&all(&APPS)), Wait::ForRollouts).await;
    rig.twin.world(|w| {
        for app in APPS {
            w.resize("main", &format!("web-{app}"), 256, 512).unwrap();
        }
    });
    rig.clock.sleep(Duration::from_secs(60)).await;
    rig.twin.world(|w| w.calls.clear());
    rig
}

/// Applies `set` with everything allowed, and says which services were written.
async fn written(rig: &Rig, set: &DesiredSet) -> (Pass, BTreeSet<String>) {
    rig.twin.world(|w| w.calls.clear());
    let pass = rig.apply(set, Wait::No).await;
    let of = |call: &Call| call.input["service"].as_str().map(str::to_owned);
    let written = rig
        .twin
        .world(|w| w.calls.of("ecs.UpdateService").filter_map(of).collect());
    (pass, written)
}

fn holds(pass: &Pass) -> Vec<String> {
    let objects = pass.plan.objects.iter();
    objects
        .flat_map(|o| o.holds.iter().map(|hold| format!("{}: {hold}", o.key)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn of_apps_that_vanish_nothing_is_written_and_the_rest_is_brought_in_order() {
    let rig = drifted().await;
    let (_, written) = written(&rig, &load(&all(&["a"]))).await;
    assert_eq!(written, ["web-a".to_owned()].into());
    let services = rig.twin.world(|w| {
        let there = |app: &&&str| w.service("main", &format!("web-{app}")).is_some();
        APPS.iter().filter(there).count()
    });
    assert_eq!(services, APPS.len());
}

#[tokio::test(start_paused = true)]
async fn of_documents_that_all_vanish_nothing_is_written() {
    let rig = drifted().await;
    let empty = load_files([]);
    assert_eq!(empty.findings.len(), 1);
    written(&rig, &empty).await;
    assert_eq!(rig.writes(), 0);
    let comments = load_files([("shop.yaml", "# all gone\n".as_bytes())]);
    written(&rig, &comments).await;
    assert_eq!(rig.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_renamed_app_takes_its_object_over_and_neither_deletes_nor_makes_one() {
    let rig = drifted().await;
    let renamed = all(&["a"]).replace("app: a", "app: z");
    let (pass, services) = written(&rig, &load(&renamed)).await;
    assert_eq!(pass.objects.len(), 1);
    assert_eq!(services, ["web-a".to_owned()].into());
    // Under both names at once the object has two owners, and neither writes.
    let both = load_files([("both.yaml", (all(&["a"]) + &renamed).as_bytes())]);
    assert!(both.findings.iter().all(|f| f.rule == "claimed-twice"));
    written(&rig, &both).await;
    assert_eq!(rig.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_moves_to_a_cluster_without_its_service_is_held_and_says_so() {
    let rig = drifted().await;
    rig.twin.world(|w| w.add_cluster("other").unwrap());
    let moved = load(&all(&["a"]).replace("cluster: main", "cluster: other"));
    let (pass, _) = written(&rig, &moved).await;
    assert_eq!(rig.writes(), 0);
    insta::assert_snapshot!(holds(&pass).join("\n"), @"a/Service/web: does not exist; Evenkeel never creates services; create other/web-a with Terraform or CDK, or mend `cluster` and `serviceName`");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_not_there_holds_its_services_and_says_so() {
    let rig = drifted().await;
    let nowhere = load(&all(&["a"]).replace("cluster: main", "cluster: mian"));
    let (pass, _) = written(&rig, &nowhere).await;
    assert_eq!(rig.writes(), 0);
    insta::assert_snapshot!(holds(&pass).join("\n"), @"a/Service/web: does not exist; Evenkeel never creates services; create mian/web-a with Terraform or CDK, or mend `cluster` and `serviceName`");
}

#[tokio::test(start_paused = true)]
async fn a_count_that_falls_by_more_than_half_is_told_as_what_it_is_before_it_is_written() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        let service = FargateService::new("main", "web-a").desired(10);
        w.add_service(&service).unwrap();
    });
    let risk = async |count: u32| {
        let spec = format!("cluster: main, desiredCount: {count}");
        let plan = rig.plan(&load(&service("a", "web", &spec))).await;
        let [object] = plan.objects.as_slice() else {
            panic!("{plan:?}");
        };
        (
            object.change.as_ref().map(|change| change.risk),
            object.holds.clone(),
        )
    };
    assert_eq!(risk(4).await, (Some(Risk::Disruptive), vec![]));
    // None at all is never written by the controller.
    let (change, holds) = risk(0).await;
    assert_eq!(change, None);
    assert!(
        matches!(holds.as_slice(), [Hold::Destructive { .. }]),
        "{holds:?}"
    );
}
