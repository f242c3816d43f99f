//! Rollouts: `apply` waits until they are over, and says how they ended.

use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::engine::progress::Silent;
use evenkeel::model::change::Hold;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::pass::{Ended, Pass, PassVerdict};
use evenkeel::model::scope::Scope;
use evenkeel::twin::ecs::{CrashRule, RolloutState};
use evenkeel::twin::estate::FargateService;

use crate::rig::{EVERYTHING, Rig, load};

async fn rig() -> (Rig, DesiredSet) {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        let web = FargateService::new("main", "web").size(256, 512).desired(2);
        w.add_service(&web).unwrap();
        w.ecs.rollouts.duration = Duration::from_secs(180);
        w.calls.clear();
    });
    let set = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
         spec: {cluster: main, cpu: 512, memory: 1024}\n",
    );
    (rig, set)
}

fn its_next_revision_crashes(rig: &Rig) {
    rig.twin.world(|w| {
        w.ecs.rollouts.crash_after = Duration::from_secs(40);
        w.ecs.rollouts.crashes.push(CrashRule {
            family: Some("web".into()),
            revision: Some(2),
            ..CrashRule::default()
        });
    });
}

fn states(rig: &Rig) -> Vec<RolloutState> {
    rig.twin.world(|w| {
        let service = w.service("main", "web").unwrap();
        service.deployments.iter().map(|d| d.rollout).collect()
    })
}

fn ended(pass: &Pass) -> &Ended {
    &pass.objects[0].ended
}

#[tokio::test(start_paused = true)]
async fn an_apply_is_over_when_its_rollout_is() {
    let (rig, set) = rig().await;
    let began = rig.clock.now();
    let pass = rig.apply(&set, Wait::ForRollouts).await;
    assert_eq!(ended(&pass), &Ended::Converged);
    assert_eq!(states(&rig), [RolloutState::Completed]);
    assert!(rig.clock.now().duration_since(began).as_secs() >= 180);
}

#[tokio::test(start_paused = true)]
async fn an_apply_whose_rollout_is_rolled_back_fails_and_says_so() {
    let (rig, set) = rig().await;
    its_next_revision_crashes(&rig);
    let pass = rig.apply(&set, Wait::ForRollouts).await;
    assert!(
        matches!(ended(&pass), Ended::RolledBack(_)),
        "{:?}",
        ended(&pass)
    );
    assert_eq!(pass.verdict(), PassVerdict::Failed);
}

#[tokio::test(start_paused = true)]
async fn an_apply_that_is_told_not_to_wait_says_that_it_goes_on() {
    let (rig, set) = rig().await;
    let pass = rig.apply(&set, Wait::No).await;
    assert!(
        matches!(ended(&pass), Ended::RollingOut(_)),
        "{:?}",
        ended(&pass)
    );
}

#[tokio::test(start_paused = true)]
async fn an_apply_that_is_stopped_while_it_waits_is_not_converged() {
    let (rig, set) = rig().await;
    let options = rig.options(Wait::ForRollouts);
    let stop = options.stop.clone();
    let plan = rig.engine.plan(&set, &Scope::all(), &EVERYTHING).await;
    let stopping = async {
        rig.clock.sleep(Duration::from_secs(60)).await;
        stop.cancel();
    };
    let (pass, ()) = tokio::join!(rig.engine.apply(&set, plan, &options, &Silent), stopping);
    assert_eq!(pass.verdict(), PassVerdict::Held);
    let Ended::Held(why) = ended(&pass) else {
        panic!("{:?}", ended(&pass));
    };
    assert!(why.contains("stopped before its rollout was over"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_never_ends_is_not_waited_for_without_end() {
    let (rig, set) = rig().await;
    rig.twin
        .world(|w| w.ecs.rollouts.duration = Duration::from_secs(7200));
    let pass = rig.apply(&set, Wait::ForRollouts).await;
    assert_eq!(pass.verdict(), PassVerdict::Held);
    assert_eq!(states(&rig)[0], RolloutState::InProgress);
}

#[tokio::test(start_paused = true)]
async fn a_write_of_something_else_does_not_hide_that_a_size_was_rolled_back() {
    let (rig, set) = rig().await;
    its_next_revision_crashes(&rig);
    rig.apply(&set, Wait::No).await;
    // The deployment still runs when the grace period is written, and nobody looks for hours.
    let with_grace = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
         spec: {cluster: main, cpu: 512, memory: 1024, healthCheckGracePeriodSeconds: 90}\n",
    );
    rig.apply(&with_grace, Wait::No).await;
    let updates = rig.twin.world(|w| w.calls.of("ecs.UpdateService").count());
    assert_eq!(updates, 2, "a size and a grace period");
    rig.clock.sleep(Duration::from_secs(3 * 3600)).await;
    // Its failed deployment has left the list: history tells, by the time of our write.
    assert_eq!(states(&rig), [RolloutState::Completed]);
    let plan = rig.plan(&with_grace).await;
    assert!(
        matches!(plan.objects[0].holds.as_slice(), [Hold::RolledBack { .. }]),
        "{:#?}",
        plan.objects[0]
    );
    assert!(plan.objects[0].change.is_none(), "{:#?}", plan.objects[0]);
}
