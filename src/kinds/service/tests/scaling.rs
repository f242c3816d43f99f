//! What is decided about a service's auto scaling.

use super::*;

fn live_policy(name: &str, target: f64) -> Value {
    json!({
        "PolicyName": name, "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": target, "ScaleInCooldown": 33, "NewMember": true,
            "PredefinedMetricSpecification": {"PredefinedMetricType": CPU},
        },
    })
}

#[test]
fn missing_scaling_is_created_target_first() {
    let world = world().scaled(None, json!([]), json!([]));
    let mut spec = scaling(2, 10);
    spec["scaling"]["targetTracking"] = json!([{"name": "cpu", "metric": CPU, "targetValue": 70}]);
    spec["scaling"]["scheduled"] =
        json!([{"name": "n", "schedule": "cron(0 20 * * ? *)", "maxCapacity": 10}]);
    let decision = world.decide(spec);
    let short: Vec<&str> = operations(&decision)
        .iter()
        .filter_map(|o| o.split('.').nth(1))
        .collect();
    assert_eq!(
        short,
        [
            "RegisterScalableTarget",
            "PutScalingPolicy",
            "PutScheduledAction"
        ]
    );
    assert_eq!(decision.steps[1].detail["policyName"], json!("web-cpu"));
}

#[test]
fn without_a_target_the_tasks_that_run_are_counted_all_the_same() {
    let paths = |count: u32| -> Vec<String> {
        let mut world = world().scaled(None, json!([]), json!([]));
        world.service["desiredCount"] = json!(count);
        let (drift, decision) = world.ask(scaling(2, 10));
        assert_eq!(decision.steps.len(), 1);
        drift.iter().map(|d| d.path.to_string()).collect()
    };
    let bounds = ["spec.scaling.maxCapacity", "spec.scaling.minCapacity"];
    assert_eq!(paths(3), bounds);
    assert_eq!(paths(1), ["spec.scaling.count", bounds[0], bounds[1]]);
}

#[test]
fn a_changed_policy_keeps_what_the_document_does_not_name() {
    let policies = json!([live_policy("web-cpu", 50.0)]);
    let world = world().scaled(Some((2, 10)), policies, json!([]));
    let mut spec = scaling(2, 10);
    spec["scaling"]["targetTracking"] = json!([{"name": "cpu", "metric": CPU, "targetValue": 70}]);
    let decision = world.decide(spec.clone());
    assert_eq!(
        only(&decision).detail["configuration"],
        json!({
            "TargetValue": 70.0, "ScaleInCooldown": 33, "NewMember": true,
            "PredefinedMetricSpecification": {"PredefinedMetricType": CPU},
        })
    );
    spec["scaling"]["targetTracking"][0]["targetValue"] = json!(50);
    assert_eq!(world.decide(spec), Decision::default());
}

#[test]
fn a_policy_on_the_same_metric_under_another_name_asks_for_its_name() {
    let policies = json!([live_policy("by-hand", 50.0)]);
    let world = world().scaled(Some((2, 10)), policies, json!([]));
    let mut spec = scaling(2, 10);
    spec["scaling"]["targetTracking"] = json!([{"name": "cpu", "metric": CPU, "targetValue": 70}]);
    let decision = world.decide(spec.clone());
    assert!(decision.steps.is_empty());
    let [Hold::OwnedElsewhere { why }] = decision.holds.as_slice() else {
        panic!("{decision:?}");
    };
    assert!(why.contains("policyName: by-hand"), "{why}");
    spec["scaling"]["targetTracking"][0]["policyName"] = json!("by-hand");
    assert_eq!(
        only(&world.decide(spec)).detail["policyName"],
        json!("by-hand")
    );
}

#[test]
fn a_policy_does_not_change_over_to_a_metric_that_another_one_follows() {
    let memory = "ECSServiceAverageMemoryUtilization";
    let mut by_memory = live_policy("web-memory", 80.0);
    by_memory["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"] =
        json!({"PredefinedMetricType": memory});
    let policies = json!([live_policy("web-cpu", 50.0), by_memory]);
    let world = world().scaled(Some((2, 10)), policies, json!([]));
    let mut spec = scaling(2, 10);
    spec["scaling"]["targetTracking"] =
        json!([{"name": "cpu", "metric": memory, "targetValue": 70}]);
    let decision = world.decide(spec);
    assert_eq!((decision.steps, decision.notes), (vec![], vec![]));
    let [Hold::OwnedElsewhere { why }] = decision.holds.as_slice() else {
        panic!("{:?}", decision.holds);
    };
    assert!(why.contains("policyName: web-memory"), "{why}");
}

#[test]
fn an_unknown_member_of_a_policy_blocks_its_replacement() {
    let mut policy = live_policy("web-cpu", 50.0);
    policy["BrandNew"] = json!(1);
    let world = world().scaled(Some((2, 10)), json!([policy]), json!([]));
    let mut spec = scaling(2, 10);
    spec["scaling"]["targetTracking"] = json!([{"name": "cpu", "metric": CPU, "targetValue": 70}]);
    let decision = world.decide(spec);
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::UnknownLiveField { .. }]
    ));
}

#[test]
fn entries_that_no_document_names_stay() {
    let policies = json!([live_policy("by-hand", 50.0)]);
    let actions = json!([{
        "ScheduledActionName": "old", "Schedule": "at(2020-01-01T00:00:00)",
        "ScalableTargetAction": {"MinCapacity": 1},
        "CreationTime": now().as_second(),
    }]);
    let world = world().scaled(Some((2, 10)), policies, actions);
    let (told, rest) = super::told_beside(world.decide(scaling(2, 10)));
    assert_eq!(told, ["by-hand", "old"]);
    assert_eq!(rest, Decision::default());
}

fn requests(label: &str) -> Value {
    json!([{
        "name": "rq", "metric": "ALBRequestCountPerTarget", "targetValue": 9,
        "resourceLabel": label,
    }])
}

#[test]
fn a_policy_on_another_target_group_stands_in_no_way() {
    let mut live = live_policy("by-hand", 50.0);
    live["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"] = json!({
        "PredefinedMetricType": "ALBRequestCountPerTarget",
        "ResourceLabel": "app/a/1/targetgroup/one/1",
    });
    let world = world().scaled(Some((2, 10)), json!([live]), json!([]));
    let mut spec = scaling(2, 10);
    spec["scaling"]["targetTracking"] = requests("app/a/1/targetgroup/other/2");
    assert_eq!(
        only(&world.decide(spec.clone())).detail["policyName"],
        json!("web-rq")
    );
    spec["scaling"]["targetTracking"] = requests("app/a/1/targetgroup/one/1");
    let decision = world.decide(spec);
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::OwnedElsewhere { .. }]
    ));
}

#[test]
fn a_predefined_metric_takes_the_place_of_a_customized_one() {
    let mut live = live_policy("web-cpu", 70.0);
    let configuration = &mut live["TargetTrackingScalingPolicyConfiguration"];
    configuration
        .as_object_mut()
        .unwrap()
        .remove("PredefinedMetricSpecification");
    configuration["CustomizedMetricSpecification"] = json!({"MetricName": "Load"});
    let world = world().scaled(Some((2, 10)), json!([live]), json!([]));
    let mut spec = scaling(2, 10);
    spec["scaling"]["targetTracking"] = json!([{"name": "cpu", "metric": CPU, "targetValue": 70}]);
    assert_eq!(
        only(&world.decide(spec)).detail["configuration"],
        json!({
            "TargetValue": 70.0, "ScaleInCooldown": 33, "NewMember": true,
            "PredefinedMetricSpecification": {"PredefinedMetricType": CPU},
        })
    );
}

#[test]
fn a_policy_of_another_type_with_that_name_is_not_replaced() {
    for sort in ["StepScaling", "PredictiveScaling"] {
        let live = json!({"PolicyName": "web-cpu", "PolicyType": sort});
        let world = world().scaled(Some((2, 10)), json!([live]), json!([]));
        let mut spec = scaling(2, 10);
        spec["scaling"]["targetTracking"] =
            json!([{"name": "cpu", "metric": CPU, "targetValue": 70}]);
        let decision = world.decide(spec);
        assert!(decision.steps.is_empty());
        assert!(conflict(&decision).contains(sort));
    }
}

#[test]
fn two_live_policies_on_one_metric_are_in_order_and_told() {
    let policies = json!([live_policy("web-cpu", 70.0), live_policy("by-hand", 50.0)]);
    let world = world().scaled(Some((2, 10)), policies, json!([]));
    let mut spec = scaling(2, 10);
    spec["scaling"]["targetTracking"] = json!([{"name": "cpu", "metric": CPU, "targetValue": 70}]);
    let (drift, decision) = world.ask(spec);
    assert!(drift.is_empty() && decision.steps.is_empty() && decision.holds.is_empty());
    assert!(decision.notes[0].contains("web-cpu, and by-hand"));
}

#[test]
fn an_unknown_member_of_a_scheduled_action_blocks_its_replacement() {
    let mut actions = live_schedule();
    actions[0]["BrandNew"] = json!(1);
    actions[0]["ScalableTargetAction"]["MaxCapacity"] = json!(4);
    let mut world = world().scaled(Some((3, 8)), json!([]), actions);
    world.service["desiredCount"] = json!(3);
    let decision = world.decide(nights_and_days());
    assert!(decision.steps.is_empty());
    let members = vec!["BrandNew".to_owned()];
    assert_eq!(decision.holds, [Hold::UnknownLiveField { members }]);
}

pub(super) fn nights_and_days() -> Value {
    let mut spec = scaling(2, 10);
    spec["scaling"]["scheduled"] = json!([
        {"name": "nights", "schedule": "cron(0 20 * * ? *)", "timezone": "Europe/Zurich",
         "minCapacity": 1, "maxCapacity": 2},
        {"name": "days", "schedule": "cron(0 6 * * ? *)", "timezone": "Europe/Zurich",
         "minCapacity": 3, "maxCapacity": 8},
    ]);
    spec
}

pub(super) fn live_schedule() -> Value {
    json!([
        {"ScheduledActionName": "nights", "Schedule": "cron(0 20 * * ? *)",
         "Timezone": "Europe/Zurich",
         "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 2}},
        {"ScheduledActionName": "days", "Schedule": "cron(0 6 * * ? *)",
         "Timezone": "Europe/Zurich",
         "ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 8}},
    ])
}

pub(super) fn expected_at(world: &World, spec: Value, at: &str) -> (Value, Value) {
    let mut spec = spec;
    spec["cluster"] = json!("main");
    let document = document("Service", spec);
    let set = set([document.clone()]);
    let tree = Service.expected(
        Service.desired(&document, &set),
        &world.live(),
        at.parse().unwrap(),
    );
    (
        tree["scaling"]["minCapacity"].clone(),
        tree["scaling"]["maxCapacity"].clone(),
    )
}

#[test]
fn the_bounds_in_force_are_those_of_the_newest_firing() {
    let world = world().scaled(Some((9, 9)), json!([]), live_schedule());
    let noon = expected_at(&world, nights_and_days(), "2026-11-23T12:00:00Z");
    assert_eq!(noon, (json!(3), json!(8)));
    let night = expected_at(&world, nights_and_days(), "2026-11-23T22:00:00Z");
    assert_eq!(night, (json!(1), json!(2)));
    // Live actions count though no document names them.
    let by_hand = expected_at(&world, scaling(2, 10), "2026-11-23T22:00:00Z");
    assert_eq!(by_hand, (json!(1), json!(2)));
}

#[test]
fn before_any_firing_the_bounds_are_those_of_scaling() {
    let world = world().scaled(Some((2, 10)), json!([]), json!([]));
    let mut spec = scaling(2, 10);
    spec["scaling"]["scheduled"] =
        json!([{"name": "sale", "schedule": "at(2026-12-24T18:00:00)", "minCapacity": 5}]);
    let before = expected_at(&world, spec.clone(), "2026-11-23T12:00:00Z");
    assert_eq!(before, (json!(2), json!(10)));
    // A bound that the action leaves out stays.
    let after = expected_at(&world, spec, "2026-12-25T12:00:00Z");
    assert_eq!(after, (json!(5), json!(10)));
}

#[test]
fn aws_may_be_a_minute_late_with_a_firing() {
    let world = world().scaled(Some((3, 8)), json!([]), live_schedule());
    // 20:00 in Zurich is 19:00 UTC in November; days' bounds still show.
    let at_once = expected_at(&world, nights_and_days(), "2026-11-23T19:01:00Z");
    assert_eq!(at_once, (json!(3), json!(8)));
    let later = expected_at(&world, nights_and_days(), "2026-11-23T19:03:00Z");
    assert_eq!(later, (json!(1), json!(2)));
}

#[test]
fn a_suspended_schedule_is_shown_and_left() {
    let mut world = world().scaled(Some((1, 2)), json!([]), live_schedule());
    let target = json!({
        "MinCapacity": 1, "MaxCapacity": 2, "SuspendedState": {"ScheduledScalingSuspended": true},
    });
    if let Some(scaling) = &mut world.scaling {
        scaling.target = view::target(&target);
    }
    let decision = world.decide(nights_and_days());
    assert!(decision.steps.is_empty());
    assert!(decision.notes[0].contains("ScheduledScaling"));
}

#[test]
fn a_changed_action_keeps_its_start_and_end() {
    let mut actions = live_schedule();
    actions[0]["StartTime"] = json!(1_700_000_000);
    actions[0]["ScalableTargetAction"]["MaxCapacity"] = json!(4);
    let world = world().scaled(Some((3, 8)), json!([]), actions);
    let mut world = world;
    world.service["desiredCount"] = json!(3);
    let decision = world.decide(nights_and_days());
    assert_eq!(
        only(&decision).detail["members"],
        json!({
            "Schedule": "cron(0 20 * * ? *)", "Timezone": "Europe/Zurich",
            "StartTime": 1_700_000_000,
            "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 2},
        })
    );
}
