//! Late: an effect that comes after its write was given up is found and told, and never used.

use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::model::entry::{Outcome, Record};
use evenkeel::model::plan::Verdict;
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::faults::Fault;

use crate::rig::{Rig, load};

#[tokio::test(start_paused = true)]
async fn a_revision_that_lands_long_after_it_was_given_up_is_told_and_not_used() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.add_service(&FargateService::new("main", "web").size(256, 512))
            .unwrap();
        w.calls.clear();
        let late = Fault::LateEffect(Duration::from_secs(120));
        w.faults.next("ecs.RegisterTaskDefinition", late);
    });
    let set = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
         spec: {cluster: main, cpu: 512, memory: 1024}\n",
    );
    rig.apply(&set, Wait::ForRollouts).await;
    let used = |rig: &Rig| {
        rig.twin
            .world(|w| w.task_definition_of("main", "web").unwrap().revision)
    };
    assert_eq!(used(&rig), 2);
    rig.clock.sleep(Duration::from_secs(3600)).await;
    // Looked for under the lease, at the first occasion after nothing can come any more.
    rig.apply(&set, Wait::ForRollouts).await;
    rig.clock.sleep(Duration::from_secs(3600)).await;
    let plan = rig.plan(&set).await;
    assert_eq!(plan.verdict(), Verdict::InOrder);
    let notes = plan.objects[0].notes.join("\n");
    assert!(
        notes.contains("had its effect after it had been given up") && notes.contains("web:3"),
        "{notes}"
    );
    assert_eq!(used(&rig), 2);
    rig.twin.world(|w| w.calls.clear());
    rig.apply(&set, Wait::ForRollouts).await;
    let searched = |w: &mut evenkeel::twin::World| w.calls.of("ecs.ListTaskDefinitions").count();
    assert_eq!(rig.twin.world(searched), 0, "found once is enough");
}

#[tokio::test(start_paused = true)]
async fn a_write_of_an_earlier_step_whose_answer_was_lost_is_recorded_as_applied() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.add_service(&FargateService::new("main", "web").size(256, 512))
            .unwrap();
        w.calls.clear();
        w.faults.next("ecs.TagResource", Fault::LostAfter);
    });
    let set = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
         spec: {cluster: main, cpu: 512, memory: 1024, tags: {team: shop}}\n",
    );
    rig.apply(&set, Wait::ForRollouts).await;
    let store = rig.engine.store.as_ref().unwrap();
    let entries = store.history("shop", None).await.unwrap();
    let (mut intent, mut outcomes) = (String::new(), Vec::new());
    for entry in &entries {
        match &entry.record {
            Record::Intent {
                id, step, drift, ..
            } if step.operation == "ecs.TagResource" => {
                intent.clone_from(id);
                let paths: Vec<String> = drift.iter().map(|d| d.path.to_string()).collect();
                assert_eq!(paths, ["spec.tags.team"], "an intent names what it mends");
            }
            Record::Outcome {
                intent: of,
                outcome,
                ..
            } if *of == intent => outcomes.push(*outcome),
            _ => {}
        }
    }
    assert_eq!(outcomes, [Outcome::Unknown, Outcome::Applied]);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_whose_creation_was_not_answered_is_recorded_as_it_is() {
    for (fault, expected) in [
        (Fault::LostAfter, Outcome::Applied),
        (Fault::LostBefore, Outcome::NotApplied),
    ] {
        let rig = Rig::new().await;
        rig.twin
            .world(|w| w.faults.next("cloudwatch.PutMetricAlarm", fault));
        let set = load(
            "apiVersion: evenkeel/v1alpha1\nkind: Alarm\nmetadata: {app: shop, name: cpu}\n\
             spec: {preset: CpuHigh, dimensions: {ClusterName: main, ServiceName: web}}\n",
        );
        let pass = rig.apply(&set, Wait::No).await;
        assert_eq!(crate::rig::complaints(&pass), Vec::<String>::new());
        assert_eq!(pass.written(), 1);
        let store = rig.engine.store.as_ref().unwrap();
        let outcomes: Vec<Outcome> = store
            .history("shop", None)
            .await
            .unwrap()
            .iter()
            .filter_map(|entry| match &entry.record {
                Record::Outcome { outcome, .. } => Some(*outcome),
                Record::Intent { .. } => None,
            })
            .take(2)
            .collect();
        assert_eq!(outcomes, [Outcome::Unknown, expected]);
    }
}
