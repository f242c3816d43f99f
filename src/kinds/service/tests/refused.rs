//! What AWS would refuse because document and live state contradict: told, and not tried.

use super::*;

#[test]
fn a_grace_period_without_a_load_balancer_is_told_and_the_rest_goes_on() {
    let mut world = world();
    world.service["loadBalancers"] = json!([]);
    let mut spec = bigger();
    spec["desiredCount"] = json!(4);
    spec["healthCheckGracePeriodSeconds"] = json!(90);
    let decision = world.decide(spec);
    assert!(conflict(&decision).contains("no load balancer"));
    let update = &decision.steps[1].detail;
    assert_eq!(update["desiredCount"], json!(4));
    assert!(update.get("healthCheckGracePeriodSeconds").is_none());
    // None is what there is, so asking for none asks for nothing.
    let none = world.decide(json!({"healthCheckGracePeriodSeconds": 0}));
    assert_eq!(none, Decision::default());
    // Targets in VPC Lattice have health checks, too.
    world.service["deployments"][0]["vpcLatticeConfigurations"] = json!([{"portName": "http"}]);
    let decision = world.decide(json!({"healthCheckGracePeriodSeconds": 90}));
    assert_eq!(
        only(&decision).detail["healthCheckGracePeriodSeconds"],
        json!(90)
    );
}

#[test]
fn rules_that_leave_no_room_to_replace_a_task_are_told_and_the_rest_goes_on() {
    let mut world = world();
    world.service["deploymentConfiguration"] =
        json!({"minimumHealthyPercent": 50, "maximumPercent": 100});
    let breaker = json!({"enable": true, "rollback": true});
    let mut spec = bigger();
    spec["deployment"] = json!({"minimumHealthyPercent": 100, "circuitBreaker": breaker});
    let decision = world.decide(spec);
    let why = conflict(&decision);
    assert!(
        why.contains("minimumHealthyPercent 100") && why.contains("maximumPercent 100"),
        "{why}"
    );
    assert_eq!(
        decision.steps[1].detail["deploymentConfiguration"],
        json!({
            "minimumHealthyPercent": 50, "maximumPercent": 100,
            "deploymentCircuitBreaker": breaker,
        })
    );
    // The risk is told by the rules that stay in force.
    let (risk, why) = decision.risk.clone().unwrap();
    assert_eq!(risk, Risk::Disruptive);
    assert!(why.contains("50 percent"), "{why}");
    let alone = world.decide(json!({"deployment": {"minimumHealthyPercent": 100}}));
    conflict(&alone);
    assert!(alone.steps.is_empty());
}

#[test]
fn a_lone_bound_that_crosses_the_live_one_of_its_action_is_told() {
    let actions = json!([{
        "ScheduledActionName": "nights", "Schedule": "at(2026-12-24T18:00:00)",
        "ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 4},
        "CreationTime": now().as_second(),
    }]);
    let world = world().scaled(Some((0, 10)), json!([]), actions);
    let mut spec = scaling(0, 10);
    spec["scaling"]["scheduled"] =
        json!([{"name": "nights", "schedule": "at(2026-12-24T18:00:00)", "maxCapacity": 1}]);
    spec["scaling"]["targetTracking"] = json!([{"name": "cpu", "metric": CPU, "targetValue": 70}]);
    let decision = world.decide(spec);
    let why = conflict(&decision);
    assert!(
        why.contains("nights") && why.contains("minCapacity 2"),
        "{why}"
    );
    assert!(only(&decision).operation.ends_with("PutScalingPolicy"));
}

#[test]
fn a_hard_limit_below_the_live_soft_one_is_told() {
    let mut world = world();
    world.revision["taskDefinition"]["containerDefinitions"][0]["memoryReservation"] = json!(384);
    let spec = |memory: u32| json!({"containers": {"app": {"memory": memory}}});
    let decision = world.decide(spec(256));
    assert!(decision.steps.is_empty());
    let why = conflict(&decision);
    assert!(
        why.contains("app") && why.contains("256") && why.contains("384"),
        "{why}"
    );
    // ECS takes two limits that are one.
    assert_eq!(world.decide(spec(384)).steps.len(), 2);
}

#[test]
fn windows_on_ec2_has_no_size_of_the_task() {
    let mut world = world();
    let definition = &mut world.revision["taskDefinition"];
    definition["requiresCompatibilities"] = json!(["EC2"]);
    definition["runtimePlatform"] = json!({"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"});
    let mut spec = bigger();
    spec["launchType"] = json!("EC2");
    let decision = world.decide(spec);
    assert!(decision.steps.is_empty());
    assert!(
        matches!(decision.holds.as_slice(), [Hold::OwnedElsewhere { why }] if why.contains("Windows"))
    );
}
