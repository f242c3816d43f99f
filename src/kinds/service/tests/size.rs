//! What is decided about a service's size.

use super::*;

#[test]
fn a_size_change_registers_the_live_revision_anew_and_points_the_service_at_it() {
    let decision = world().decide(bigger());
    assert_eq!(
        operations(&decision),
        ["ecs.RegisterTaskDefinition", "ecs.UpdateService"]
    );
    assert_eq!(
        decision.steps[0].detail,
        json!({"base": arn(7), "size": size(512, 1024)})
    );
    let update = &decision.steps[1].detail;
    assert_eq!(update["taskDefinitionOfStep"], json!(0));
    assert_eq!(update["expected"], json!(arn(7)));
    assert_eq!(decision.risk.unwrap().0, Risk::Routine);
}

#[test]
fn nothing_of_a_containers_environment_is_in_what_is_seen_or_decided() {
    let world = world();
    let live = world.live();
    let decision = format!("{:?}", world.decide(bigger()));
    assert!(!decision.contains("hunter2") && !format!("{live:?}").contains("hunter2"));
}

#[test]
fn fields_that_share_a_call_share_a_step() {
    let mut spec = bigger();
    spec["desiredCount"] = json!(4);
    spec["deployment"] = json!({"minimumHealthyPercent": 50});
    spec["healthCheckGracePeriodSeconds"] = json!(90);
    let decision = world().decide(spec);
    assert_eq!(decision.steps.len(), 2);
    let update = &decision.steps[1].detail;
    assert_eq!(update["desiredCount"], json!(4));
    assert_eq!(update["healthCheckGracePeriodSeconds"], json!(90));
    // A live member that no type of ours knows goes along.
    assert_eq!(
        update["deploymentConfiguration"],
        json!({"minimumHealthyPercent": 50, "maximumPercent": 200, "somethingNew": {"a": 1}})
    );
    let (risk, why) = decision.risk.unwrap();
    assert_eq!(risk, Risk::Disruptive);
    assert!(why.contains("50 percent"), "{why}");
}

#[test]
fn a_revision_that_was_registered_before_a_crash_is_used() {
    let mut world = world();
    let registered = |at: Timestamp| {
        json!({
            "step": {"base": arn(7), "size": size(512, 1024)},
            "result": {"taskDefinitionArn": arn(8), "at": at},
        })
    };
    let word = "applied:ecs.RegisterTaskDefinition".to_owned();
    let minute = jiff::SignedDuration::from_mins(1);
    world
        .memory
        .facts
        .insert(word.clone(), registered(now() - minute));
    let decision = world.decide(bigger());
    assert_eq!(only(&decision).detail["taskDefinition"], json!(arn(8)));
    // Not for another size, and not a day later.
    assert_eq!(
        world
            .decide(json!({"cpu": 512, "memory": 2048}))
            .steps
            .len(),
        2
    );
    world
        .memory
        .facts
        .insert(word, registered(now() - minute * 1440));
    assert_eq!(world.decide(bigger()).steps.len(), 2);
}

#[test]
fn a_half_named_size_that_fargate_lacks_is_blocked_with_those_it_has() {
    let decision = world().decide(json!({"cpu": 1024}));
    assert!(decision.steps.is_empty());
    let [Hold::Conflict { why }] = decision.holds.as_slice() else {
        panic!("{decision:?}");
    };
    assert!(why.contains("2048 to 8192"), "{why}");
}

#[test]
fn a_size_waits_for_a_rollout_in_progress_unless_asked() {
    let mut world = world();
    world.service["deployments"] = json!([
        deployment("PRIMARY", 7, "IN_PROGRESS", 3),
        deployment("ACTIVE", 6, "COMPLETED", 600),
    ]);
    let mut spec = bigger();
    spec["tags"] = json!({"team": "other"});
    let decision = world.decide(spec.clone());
    // Tags start nothing and disturb nothing.
    assert_eq!(only(&decision).operation, "ecs.TagResource");
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::RolloutInProgress { .. }]
    ));
    assert_eq!(decision.rollout, None, "it is not ours to wait for");
    world.policy = ALL_ALLOWED;
    let decision = world.decide(spec);
    assert_eq!(decision.steps.len(), 3);
    assert_eq!(decision.risk.unwrap().0, Risk::Disruptive);
}

#[test]
fn a_rollout_whose_tasks_have_failed_for_long_may_be_overtaken_by_another_size() {
    let mut world = world();
    let mut primary = deployment("PRIMARY", 7, "IN_PROGRESS", 9);
    primary["failedTasks"] = json!(3);
    world.service["deployments"] = json!([primary]);
    assert!(world.decide(bigger()).steps.is_empty());
    primary["createdAt"] = json!(seconds(11));
    world.service["deployments"] = json!([primary]);
    let decision = world.decide(bigger());
    assert_eq!(decision.steps.len(), 2);
    assert_eq!(decision.risk.unwrap().0, Risk::Disruptive);
}

#[test]
fn our_own_rollout_is_reported_until_it_is_over() {
    let mut world = world().written();
    world.service["taskDefinition"] = json!(arn(8));
    world.revision = task_definition(8, "512", "1024", ours(json!([])));
    let state = |world: &mut World, state: &str| {
        world.service["deployments"] = json!([deployment("PRIMARY", 8, state, 90)]);
        world.decide(bigger()).rollout
    };
    assert!(matches!(
        state(&mut world, "IN_PROGRESS"),
        Some(Rollout::InProgress { .. })
    ));
    assert!(matches!(
        state(&mut world, "FAILED"),
        Some(Rollout::Failed { .. })
    ));
    assert_eq!(state(&mut world, "COMPLETED"), None);
}

#[test]
fn a_foreign_revision_that_our_write_overtook_gets_the_size_at_once() {
    let mut world = world().written();
    world.service["taskDefinition"] = json!(arn(8));
    world.revision = task_definition(8, "512", "1024", ours(json!([])));
    world.service["deployments"] = json!([
        deployment("PRIMARY", 8, "IN_PROGRESS", 90),
        deployment("ACTIVE", 9, "IN_PROGRESS", 91),
        deployment("ACTIVE", 7, "COMPLETED", 600),
    ]);
    world.others = vec![
        task_definition(9, "256", "512", json!([])),
        task_definition(7, "256", "512", json!([])),
    ];
    let decision = world.decide(bigger());
    assert_eq!(
        operations(&decision),
        ["ecs.RegisterTaskDefinition", "ecs.UpdateService"]
    );
    assert_eq!(decision.steps[0].detail["base"], json!(arn(9)));
    assert_eq!(decision.steps[1].detail["expected"], json!(arn(8)));
    assert_eq!(decision.more_drift.len(), 1);
    assert!(decision.notes[0].contains("web:9"));
    // Known even when ECS no longer shows the deployment.
    world.memory.facts.extend(decision.remember);
    world.service["deployments"] = json!([deployment("PRIMARY", 8, "COMPLETED", 90)]);
    world.others.clear();
    let again = world.decide(bigger());
    assert_eq!(again.steps[0].detail["base"], json!(arn(9)));
}

#[test]
fn a_foreign_revision_that_our_return_to_another_overtook_is_put_back_too() {
    let mut world = world();
    world.service["taskDefinition"] = json!(arn(9));
    world.revision = task_definition(9, "512", "1024", json!([]));
    // Revision 8 was ours and had overtaken 9. When it was undone, 10 had just been deployed.
    world.memory.facts.insert(
        "applied:ecs.UpdateService".into(),
        json!({
            "step": {"base": arn(9), "size": size(512, 1024), "replaces": "ecs-svc/8"},
            "result": {"taskDefinition": arn(9), "deployment": "ecs-svc/9b", "at": now()},
        }),
    );
    let mut back = deployment("PRIMARY", 9, "IN_PROGRESS", 1);
    back["id"] = json!("ecs-svc/9b");
    world.service["deployments"] = json!([
        back,
        deployment("ACTIVE", 10, "IN_PROGRESS", 2),
        deployment("ACTIVE", 8, "IN_PROGRESS", 3),
        deployment("ACTIVE", 9, "IN_PROGRESS", 4),
    ]);
    world.others = vec![
        task_definition(10, "512", "1024", json!([])),
        task_definition(8, "512", "1024", ours(json!([]))),
    ];
    let decision = world.decide(bigger());
    assert_eq!(only(&decision).detail["taskDefinition"], json!(arn(10)));
    // What was deployed before that is nothing that the return overtook.
    let [back, new, ours, old] =
        <[Value; 4]>::try_from(world.service["deployments"].as_array().unwrap().clone()).unwrap();
    let mut older = new;
    older["createdAt"] = deployment("ACTIVE", 10, "IN_PROGRESS", 5)["createdAt"].clone();
    world.service["deployments"] = json!([back, ours, old, older]);
    let decision = world.decide(bigger());
    assert!(decision.steps.is_empty(), "{decision:?}");
    world.service["deployments"] = json!([back, older]);
    let decision = world.decide(bigger());
    assert!(decision.steps.is_empty(), "{decision:?}");
}

/// Revision 8, which we made of 7, runs, and 9 of somebody else's, of this size, came right before it.
fn overtaking(cpu: &str, memory: &str) -> World {
    let mut world = world();
    world.service["taskDefinition"] = json!(arn(8));
    world.revision = task_definition(8, "512", "1024", ours(json!([])));
    world.service["deployments"] = json!([
        deployment("PRIMARY", 8, "IN_PROGRESS", 1),
        deployment("ACTIVE", 9, "IN_PROGRESS", 2),
        deployment("ACTIVE", 7, "COMPLETED", 600),
    ]);
    world.others = vec![
        task_definition(9, cpu, memory, json!([])),
        task_definition(7, "256", "512", json!([])),
    ];
    world
}

#[test]
fn a_foreign_revision_is_seen_while_the_write_that_overtook_it_has_no_outcome_yet() {
    let mut world = overtaking("256", "512");
    assert!(world.decide(bigger()).remember.is_empty());
    let detail = json!({"base": arn(7), "size": size(512, 1024), "taskDefinition": arn(8)});
    world.memory.open = Some(crate::model::memory::OpenIntent {
        id: "i1".into(),
        at: now(),
        token: 7,
        operation: "ecs.UpdateService".into(),
        step: json!({"operation": "ecs.UpdateService", "detail": detail}),
        drift: Vec::new(),
        commit: None,
    });
    let seen = world.decide(bigger()).remember;
    assert_eq!(seen["overtaken"], json!({"revision": arn(9), "by": arn(8)}));
}

#[test]
fn a_foreign_revision_is_put_back_that_a_write_overtook_which_had_been_given_up() {
    let mut world = overtaking("512", "1024");
    let given_up = |detail: Value| json!({"step": detail, "result": null, "at": now()});
    let named = json!({"base": arn(7), "size": size(512, 1024), "taskDefinition": arn(8)});
    let word = "givenUp:ecs.UpdateService".to_owned();
    world.memory.facts.insert(word.clone(), given_up(named));
    let decision = world.decide(bigger());
    assert_eq!(only(&decision).detail["taskDefinition"], json!(arn(9)));
    // Two days later it is somebody's return to our revision.
    let at = now() - jiff::SignedDuration::from_hours(48);
    world.memory.facts.get_mut(&word).unwrap()["at"] = json!(at);
    assert!(world.decide(bigger()).more_drift.is_empty());
    // Of one that was to use what its first half registered, too, unless that is another's by now.
    let unnamed = given_up(json!({"base": arn(7), "size": size(512, 1024)}));
    let registered = |at: Timestamp| {
        json!({
            "step": {"base": arn(7), "size": size(512, 1024)},
            "result": {"taskDefinitionArn": arn(8)}, "at": at,
        })
    };
    world.memory.facts.insert(word, unnamed);
    for (at, put_back) in [
        (now() - jiff::SignedDuration::from_secs(1), true),
        (now() + jiff::SignedDuration::from_secs(1), false),
    ] {
        let word = "applied:ecs.RegisterTaskDefinition".to_owned();
        world.memory.facts.insert(word, registered(at));
        assert_eq!(
            world.decide(bigger()).more_drift.len(),
            usize::from(put_back)
        );
    }
}

#[test]
fn somebodys_return_to_our_revision_is_not_taken_for_our_write() {
    let mut world = world().written();
    world.service["taskDefinition"] = json!(arn(8));
    world.revision = task_definition(8, "512", "1024", ours(json!([])));
    let mut back = deployment("PRIMARY", 8, "IN_PROGRESS", 1);
    back["id"] = json!("ecs-svc/another");
    world.service["deployments"] = json!([back, deployment("ACTIVE", 9, "FAILED", 10)]);
    world.others = vec![task_definition(9, "512", "1024", json!([]))];
    let decision = world.decide(bigger());
    assert!(
        decision.steps.is_empty() && decision.more_drift.is_empty(),
        "{decision:?}"
    );
}

#[test]
fn an_unknown_member_of_the_task_definition_blocks_the_size() {
    let mut world = world();
    world.revision["taskDefinition"]["brandNew"] = json!(1);
    let decision = world.decide(bigger());
    let members = vec!["brandNew".to_owned()];
    assert_eq!(decision.holds, [Hold::UnknownLiveField { members }]);
}

#[test]
fn a_task_definition_with_all_the_tags_that_it_may_have_is_told_and_the_rest_goes_on() {
    let mut world = world();
    let tags: Vec<Value> = (0..50)
        .map(|n| json!({"key": format!("k{n}"), "value": ""}))
        .collect();
    world.revision = task_definition(7, "256", "512", json!(tags));
    let mut spec = bigger();
    spec["desiredCount"] = json!(3);
    let decision = world.decide(spec);
    assert!(conflict(&decision).contains("fewer tags"));
    assert_eq!(only(&decision).detail["desiredCount"], json!(3));
}

#[test]
fn a_memory_that_the_live_cpu_does_not_go_with_asks_for_both() {
    let mut world = world();
    world.revision = task_definition(7, "1024", "2048", json!([]));
    let decision = world.decide(json!({"memory": 16_384}));
    let why = conflict(&decision);
    assert!(
        why.contains("16384 MiB goes with 2048, 4096 or 8192 CPU units")
            && why.contains("write both `cpu` and `memory`")
            && !why.contains("containers"),
        "{why}"
    );
}
