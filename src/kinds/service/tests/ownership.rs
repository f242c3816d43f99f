//! What is decided about a service's existence, its owners, tags and count.

use super::*;

#[test]
fn a_service_that_is_not_there_is_never_created() {
    let document = document(
        "Service",
        json!({"cluster": "main", "cpu": 512, "memory": 1024}),
    );
    let set = set([document.clone()]);
    let decision = Service.decide(&Question {
        key: &document.key,
        desired: &Service.desired(&document, &set),
        live: None,
        drift: &[],
        memory: &ObjectMemory::default(),
        policy: &ALL_ALLOWED,
        now: now(),
    });
    assert!(decision.steps.is_empty());
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::MustExist { .. }]
    ));
}

#[test]
fn what_aws_forbids_is_told_and_not_tried() {
    for (member, value) in [
        ("deploymentController", json!({"type": "CODE_DEPLOY"})),
        ("deploymentController", json!({"type": "EXTERNAL"})),
        ("schedulingStrategy", json!("DAEMON")),
        ("resourceManagementType", json!("ECS")),
    ] {
        let mut world = world();
        world.service[member] = value;
        let decision = world.decide(bigger());
        assert!(decision.steps.is_empty(), "{member}");
        assert!(matches!(
            decision.holds.as_slice(),
            [Hold::OwnedElsewhere { .. }]
        ));
        // In order is in order.
        let decision = world.decide(json!({"cpu": 256, "memory": 512}));
        assert!(decision.holds.is_empty());
    }
    let mut world = world();
    world.service["status"] = json!("DRAINING");
    let decision = world.decide(bigger());
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::MustExist { .. }]
    ));
}

#[test]
fn only_the_named_tags_are_written() {
    let mut world = world();
    world.service["tags"] = json!([{"key": "team", "value": "x"}, {"key": "other", "value": "y"}]);
    let decision = world.decide(json!({"tags": {"team": "journal"}}));
    assert_eq!(only(&decision).detail["tags"], json!({"team": "journal"}));
}

#[test]
fn a_count_is_written_and_zero_is_destructive() {
    let mut allowed = world();
    allowed.policy = ALL_ALLOWED;
    let decision = allowed.decide(json!({"desiredCount": 0}));
    assert_eq!(only(&decision).detail["desiredCount"], json!(0));
    assert_eq!(decision.risk.unwrap().0, Risk::Destructive);
    let decision = world().decide(json!({"desiredCount": 1}));
    assert_eq!(decision.risk.unwrap().0, Risk::Disruptive);
    let decision = world().decide(json!({"desiredCount": 3}));
    assert_eq!(decision.risk.unwrap().0, Risk::Routine);
}

#[test]
fn a_count_beside_a_scalable_target_is_owned_elsewhere() {
    let world = world().scaled(Some((1, 4)), json!([]), json!([]));
    let decision = world.decide(json!({"desiredCount": 3}));
    assert!(decision.steps.is_empty());
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::OwnedElsewhere { .. }]
    ));
}

#[test]
fn any_count_within_the_bounds_is_in_order() {
    for count in [2, 5, 10] {
        let mut world = world().scaled(Some((2, 10)), json!([]), json!([]));
        world.service["desiredCount"] = json!(count);
        let (drift, decision) = world.ask(scaling(2, 10));
        assert!(
            drift.is_empty() && decision == Decision::default(),
            "{count}"
        );
    }
}

#[test]
fn a_count_outside_the_bounds_is_brought_in_by_registering_them_again() {
    let mut world = world().scaled(Some((2, 10)), json!([]), json!([]));
    world.service["desiredCount"] = json!(12);
    let decision = world.decide(scaling(2, 10));
    let step = only(&decision);
    assert_eq!(
        step.detail,
        json!({"resourceId": "service/main/web", "minCapacity": 2, "maxCapacity": 10})
    );
    assert_eq!(decision.risk.unwrap().0, Risk::Disruptive);
}

#[test]
fn the_controller_holds_a_count_of_none_and_writes_what_stands_beside_it() {
    let mut spec = bigger();
    spec["desiredCount"] = json!(0);
    spec["tags"] = json!({"team": "other"});
    let decision = world().decide(spec);
    assert!(
        matches!(decision.holds.as_slice(), [Hold::Destructive { why }] if why.contains("every task")),
        "{decision:?}"
    );
    assert_eq!(decision.steps.len(), 3);
    assert!(decision.steps[2].detail.get("desiredCount").is_none());
    assert_eq!(decision.risk.unwrap().0, Risk::Routine);
}

#[test]
fn a_lower_maximum_stops_tasks_at_once_and_one_of_none_stops_them_all() {
    let mut world = world().scaled(Some((0, 10)), json!([]), json!([]));
    world.service["desiredCount"] = json!(8);
    let (risk, why) = world.decide(scaling(0, 3)).risk.unwrap();
    assert_eq!(risk, Risk::Disruptive);
    assert!(why.contains("5 of its tasks are stopped at once"), "{why}");
    let mut none = scaling(0, 0);
    none["tags"] = json!({"team": "other"});
    let decision = world.decide(none.clone());
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::Destructive { .. }]
    ));
    assert_eq!(only(&decision).operation, "ecs.TagResource");
    world.policy = ALL_ALLOWED;
    let decision = world.decide(none);
    assert_eq!(decision.steps.len(), 2);
    assert_eq!(decision.risk.unwrap().0, Risk::Destructive);
}
