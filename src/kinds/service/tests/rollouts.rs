//! What waits for a rollout that is under way, and what does not.

use super::*;

/// A rollout that began three minutes ago and of which no task has failed.
fn rolling() -> World {
    let mut world = world();
    world.service["deployments"] = json!([
        deployment("PRIMARY", 7, "IN_PROGRESS", 3),
        deployment("ACTIVE", 6, "COMPLETED", 600),
    ]);
    world
}

#[test]
fn the_rule_that_would_cure_a_stuck_rollout_does_not_wait_for_it() {
    let mut world = rolling();
    world.service["deploymentConfiguration"] =
        json!({"minimumHealthyPercent": 50, "maximumPercent": 100});
    let decision = world.decide(json!({
        "deployment": {"maximumPercent": 200}, "healthCheckGracePeriodSeconds": 90,
    }));
    let step = only(&decision);
    assert_eq!(
        step.detail["deploymentConfiguration"]["maximumPercent"],
        json!(200)
    );
    assert_eq!(step.detail["healthCheckGracePeriodSeconds"], json!(90));
    assert!(decision.holds.is_empty(), "{decision:?}");
    assert_eq!(decision.risk.unwrap().0, Risk::Routine);
}

#[test]
fn a_count_does_not_wait_for_a_rollout_and_the_size_beside_it_does() {
    let mut spec = bigger();
    spec["desiredCount"] = json!(5);
    let decision = rolling().decide(spec);
    let step = only(&decision);
    assert_eq!(step.detail["desiredCount"], json!(5));
    assert!(step.detail.get("base").is_none() && step.detail.get("size").is_none());
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::RolloutInProgress { .. }]
    ));
}

#[test]
fn a_count_outside_its_bounds_is_brought_in_during_a_rollout_too() {
    for count in [1, 12] {
        let mut world = rolling().scaled(Some((2, 10)), json!([]), json!([]));
        world.service["desiredCount"] = json!(count);
        let decision = world.decide(scaling(2, 10));
        assert!(
            only(&decision)
                .operation
                .ends_with("RegisterScalableTarget")
        );
        assert!(decision.holds.is_empty());
    }
}

#[test]
fn a_failed_deployment_beside_the_old_one_moves_no_more_and_its_cure_does_not_wait() {
    let mut world = world();
    world.service["deployments"] = json!([
        deployment("PRIMARY", 7, "FAILED", 3),
        deployment("ACTIVE", 6, "COMPLETED", 600),
    ]);
    let decision = world.decide(bigger());
    assert_eq!(decision.steps.len(), 2, "{decision:?}");
    assert!(decision.holds.is_empty());
    let (risk, why) = decision.risk.unwrap();
    assert_eq!(risk, Risk::Disruptive);
    assert!(why.contains("has failed"), "{why}");
}
