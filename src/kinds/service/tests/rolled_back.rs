//! What is decided about a size that was rolled back, or seems to have been.

use super::*;

#[test]
fn a_rolled_back_size_is_not_tried_again_until_it_or_the_revision_changes() {
    let mut world = world().written();
    let rolled_back = History::Read(vec![PastDeployment {
        created_at: Some(now() - jiff::SignedDuration::from_mins(90)),
        status: "ROLLBACK_SUCCESSFUL".into(),
        reason: "circuit breaker".into(),
    }]);
    world.history = rolled_back.clone();
    let decision = world.decide(bigger());
    assert!(decision.steps.is_empty());
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::RolledBack { .. }]
    ));
    assert!(matches!(decision.rollout, Some(Rollout::Failed { .. })));
    // Remembered even when AWS has forgotten.
    world.memory.facts.extend(decision.remember);
    world.history = History::Read(Vec::new());
    let again = world.decide(bigger());
    assert!(matches!(again.holds.as_slice(), [Hold::RolledBack { .. }]));
    assert_eq!(
        world
            .decide(json!({"cpu": 512, "memory": 2048}))
            .steps
            .len(),
        2
    );
    // AWS still tells of the roll-back, but somebody has deployed another revision since.
    world.history = rolled_back;
    world.service["taskDefinition"] = json!(arn(9));
    world.service["deployments"] = json!([deployment("PRIMARY", 9, "COMPLETED", 5)]);
    world.revision = task_definition(9, "256", "512", json!([]));
    assert_eq!(world.decide(bigger()).steps.len(), 2);
}

#[test]
fn a_size_whose_deployment_a_newer_one_replaced_is_not_taken_for_rolled_back() {
    let mut world = world().written();
    world.history = History::Read(vec![PastDeployment {
        created_at: Some(now() - jiff::SignedDuration::from_mins(90)),
        status: "STOPPED".into(),
        reason: "a newer one was created".into(),
    }]);
    assert_eq!(world.decide(bigger()).steps.len(), 2);
}

#[test]
fn a_size_is_not_taken_for_rolled_back_because_an_earlier_one_landed_late_and_was() {
    let mut world = world().written();
    let ours = now() - jiff::SignedDuration::from_mins(90);
    world.history = History::Read(vec![
        PastDeployment {
            created_at: Some(ours + jiff::SignedDuration::from_secs(12)),
            status: "ROLLBACK_SUCCESSFUL".into(),
            reason: "circuit breaker".into(),
        },
        PastDeployment {
            created_at: Some(ours + jiff::SignedDuration::from_secs(1)),
            status: "STOPPED".into(),
            reason: "a newer one was created".into(),
        },
    ]);
    assert_eq!(world.decide(bigger()).steps.len(), 2);
}

#[test]
fn a_size_is_not_taken_for_rolled_back_because_the_one_before_it_was_and_a_reading_lags() {
    let ours = now() - jiff::SignedDuration::from_mins(90);
    let decide = |earlier: i64, replaced: Option<i64>| {
        let mut world = world().written();
        world.history = History::Read(vec![PastDeployment {
            created_at: Some(ours - jiff::SignedDuration::from_secs(earlier)),
            status: "ROLLBACK_SUCCESSFUL".into(),
            reason: "circuit breaker".into(),
        }]);
        if let Some(minutes_ago) = replaced {
            world.service["deployments"] =
                json!([deployment("PRIMARY", 7, "COMPLETED", minutes_ago)]);
            let fact = world
                .memory
                .facts
                .get_mut("applied:ecs.UpdateService")
                .unwrap();
            fact["step"]["replaces"] = json!("ecs-svc/7");
        }
        world.decide(bigger()).holds
    };
    // What ECS itself says of one deployment lies closer together.
    assert_eq!(decide(50, None), []);
    assert!(matches!(
        decide(5, None).as_slice(),
        [Hold::RolledBack { .. }]
    ));
    // What it replaced is the end of that roll-back.
    assert_eq!(decide(5, Some(90)), []);
    assert!(matches!(
        decide(5, Some(91)).as_slice(),
        [Hold::RolledBack { .. }]
    ));
}

#[test]
fn a_size_that_somebody_set_back_without_a_roll_back_is_written_again() {
    let mut world = world().written();
    world.history = History::Read(vec![PastDeployment {
        created_at: Some(now() - jiff::SignedDuration::from_mins(90)),
        status: "SUCCESSFUL".into(),
        reason: String::new(),
    }]);
    assert_eq!(world.decide(bigger()).steps.len(), 2);
    world.history = History::Unreadable("denied".into());
    let decision = world.decide(bigger());
    assert!(decision.steps.is_empty(), "an error is never an absence");
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::Unreadable { .. }]
    ));
}
