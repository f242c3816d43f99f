//! What is decided for a service, from what AWS answers about it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::facts::{History, PastDeployment};
use super::{Service, view};
use crate::kinds::trial::{ALL_ALLOWED, document, rules_found, set};
use crate::kinds::{Decision, Kind as _, Policy, Question};
use crate::model::change::{Drift, Hold, Risk, Step};
use crate::model::memory::ObjectMemory;
use crate::model::plan::Rollout;
use crate::model::snapshot::Live;
use crate::plan::diff::diff;

const NOW: &str = "2026-11-23T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn seconds(minutes_ago: i64) -> i64 {
    now().as_second() - minutes_ago * 60
}

fn arn(revision: u32) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:task-definition/web:{revision}")
}

fn deployment(status: &str, revision: u32, state: &str, minutes_ago: i64) -> Value {
    json!({
        "id": format!("ecs-svc/{revision}"), "status": status, "taskDefinition": arn(revision),
        "desiredCount": 2, "runningCount": 2, "failedTasks": 0, "rolloutState": state,
        "rolloutStateReason": "because", "createdAt": seconds(minutes_ago),
    })
}

/// A world with one service in it: two tasks of 256 units and 512 MiB, revision 7.
struct World {
    service: Value,
    revision: Value,
    others: Vec<Value>,
    scaling: Option<super::facts::Scaling>,
    history: History,
    memory: ObjectMemory,
    policy: Policy,
}

fn task_definition(revision: u32, cpu: &str, memory: &str, tags: Value) -> Value {
    json!({
        "taskDefinition": {
            "taskDefinitionArn": arn(revision), "family": "web", "revision": revision,
            "cpu": cpu, "memory": memory, "requiresCompatibilities": ["FARGATE"],
            "containerDefinitions": [{
                "name": "app", "cpu": 0,
                "environment": [{"name": "PASSWORD", "value": "hunter2"}],
            }],
        },
        "tags": tags,
    })
}

fn world() -> World {
    World {
        service: json!({
            "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/main/web",
            "serviceName": "web", "status": "ACTIVE", "desiredCount": 2, "runningCount": 2,
            "taskDefinition": arn(7), "schedulingStrategy": "REPLICA",
            "deploymentConfiguration": {
                "minimumHealthyPercent": 100, "maximumPercent": 200, "somethingNew": {"a": 1},
            },
            "deployments": [deployment("PRIMARY", 7, "COMPLETED", 600)],
            "tags": [{"key": "team", "value": "journal"}],
        }),
        revision: task_definition(7, "256", "512", json!([])),
        others: Vec::new(),
        scaling: None,
        history: History::NotRead,
        memory: ObjectMemory::default(),
        policy: Policy::CONTROLLER,
    }
}

impl World {
    fn live(&self) -> Live {
        let mut facts = view::facts(&self.service).unwrap();
        facts.revision = view::revision(&self.revision);
        facts.scaling = self.scaling.clone();
        facts.history = self.history.clone();
        facts.others = self
            .others
            .iter()
            .filter_map(view::revision)
            .map(|r| (r.arn.clone(), r))
            .collect();
        Live {
            view: view::view(&self.service, &facts),
            facts: serde_json::to_value(&facts).unwrap(),
        }
    }

    fn ask(&self, spec: Value) -> (Vec<Drift>, Decision) {
        let mut spec = spec;
        spec["cluster"] = json!("main");
        spec["serviceName"] = json!("web");
        let document = document("Service", spec);
        let set = set([document.clone()]);
        let errors = Service.check(&document, &set);
        assert!(
            errors
                .iter()
                .all(|f| f.severity == crate::model::finding::Severity::Warning),
            "{errors:?}"
        );
        let live = self.live();
        let desired = Service.expected(&Service.desired(&document, &set), &live, now());
        let drift = diff(&desired, &live.view, Service.rules(), Service.identity());
        let decision = Service.decide(&Question {
            key: &document.key,
            desired: &desired,
            live: Some(&live),
            drift: &drift,
            memory: &self.memory,
            policy: &self.policy,
            now: now(),
        });
        (drift, decision)
    }

    fn decide(&self, spec: Value) -> Decision {
        self.ask(spec).1
    }

    /// With auto scaling read.
    fn scaled(mut self, target: Option<(u32, u32)>, policies: Value, actions: Value) -> Self {
        let target = target
            .and_then(|(min, max)| view::target(&json!({"MinCapacity": min, "MaxCapacity": max})));
        let mut scaling = super::facts::Scaling {
            target,
            ..Default::default()
        };
        for policy in policies.as_array().unwrap() {
            scaling.policies.extend(view::policy(policy));
        }
        for action in actions.as_array().unwrap() {
            scaling.actions.extend(view::action(action));
        }
        self.scaling = Some(scaling);
        self
    }

    /// After our write of 512 and 1024 on revision 7, as revision 8, an hour and a half ago.
    fn written(mut self) -> Self {
        self.memory.facts.insert(
            "applied:ecs.UpdateService".into(),
            json!({
                "step": {"base": arn(7), "size": size(512, 1024)},
                "result": {
                    "taskDefinition": arn(8), "deployment": "ecs-svc/8",
                    "at": now() - jiff::SignedDuration::from_mins(90),
                },
            }),
        );
        self
    }
}

fn size(cpu: u32, memory: u32) -> Value {
    json!({"cpu": cpu, "memory": memory, "containers": {}})
}

fn bigger() -> Value {
    json!({"cpu": 512, "memory": 1024})
}

fn operations(decision: &Decision) -> Vec<&str> {
    decision
        .steps
        .iter()
        .map(|s| s.operation.as_str())
        .collect()
}

fn only(decision: &Decision) -> &Step {
    assert_eq!(decision.steps.len(), 1, "{decision:?}");
    &decision.steps[0]
}

fn ours(mut tags: Value) -> Value {
    tags.as_array_mut().unwrap().extend([
        json!({"key": "evenkeel:intent", "value": "i1"}),
        json!({"key": "evenkeel:base", "value": "web:7"}),
    ]);
    tags
}

const CPU: &str = "ECSServiceAverageCPUUtilization";

fn live_policy(name: &str, target: f64) -> Value {
    json!({
        "PolicyName": name, "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": target, "ScaleInCooldown": 33, "NewMember": true,
            "PredefinedMetricSpecification": {"PredefinedMetricType": CPU},
        },
    })
}

fn scaling(min: u32, max: u32) -> Value {
    json!({"scaling": {"minCapacity": min, "maxCapacity": max}})
}

// Size.

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
    spec["desiredCount"] = json!(5);
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
fn a_rolled_back_size_is_not_tried_again_until_it_or_the_revision_changes() {
    let mut world = world().written();
    world.history = History::Read(vec![PastDeployment {
        created_at: Some(now() - jiff::SignedDuration::from_mins(90)),
        status: "ROLLBACK_SUCCESSFUL".into(),
        reason: "circuit breaker".into(),
    }]);
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
    world.service["taskDefinition"] = json!(arn(9));
    world.service["deployments"] = json!([deployment("PRIMARY", 9, "COMPLETED", 5)]);
    world.revision = task_definition(9, "256", "512", json!([]));
    assert_eq!(world.decide(bigger()).steps.len(), 2);
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

// Existence and ownership.

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

// Count.

#[test]
fn a_count_is_written_and_zero_is_destructive() {
    let decision = world().decide(json!({"desiredCount": 0}));
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
    // Not into the middle of a rollout.
    world.service["deployments"] = json!([deployment("PRIMARY", 7, "IN_PROGRESS", 1)]);
    let decision = world.decide(scaling(2, 10));
    assert!(decision.steps.is_empty());
    assert!(matches!(
        decision.holds.as_slice(),
        [Hold::RolloutInProgress { .. }]
    ));
}

// Auto scaling.

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
    assert_eq!(world.decide(scaling(2, 10)), Decision::default());
}

fn nights_and_days() -> Value {
    let mut spec = scaling(2, 10);
    spec["scaling"]["scheduled"] = json!([
        {"name": "nights", "schedule": "cron(0 20 * * ? *)", "timezone": "Europe/Zurich",
         "minCapacity": 1, "maxCapacity": 2},
        {"name": "days", "schedule": "cron(0 6 * * ? *)", "timezone": "Europe/Zurich",
         "minCapacity": 3, "maxCapacity": 8},
    ]);
    spec
}

fn live_schedule() -> Value {
    json!([
        {"ScheduledActionName": "nights", "Schedule": "cron(0 20 * * ? *)",
         "Timezone": "Europe/Zurich",
         "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 2}},
        {"ScheduledActionName": "days", "Schedule": "cron(0 6 * * ? *)",
         "Timezone": "Europe/Zurich",
         "ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 8}},
    ])
}

fn expected_at(world: &World, spec: Value, at: &str) -> (Value, Value) {
    let mut spec = spec;
    spec["cluster"] = json!("main");
    let document = document("Service", spec);
    let set = set([document.clone()]);
    let tree = Service.expected(
        &Service.desired(&document, &set),
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

// Documents.

#[test]
fn each_fault_in_a_document_is_one_error() {
    let with = |more: Value| {
        let mut spec = json!({"cluster": "main"});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        rules_found(&Service, spec)
    };
    assert_eq!(with(json!({"cpu": 512, "memory": 512})), ["fargate-size"]);
    assert_eq!(
        with(json!({"cpu": 300, "memory": 500, "launchType": "EC2"})),
        Vec::<String>::new()
    );
    assert_eq!(with(scaling(3, 2)), ["min-above-max"]);
    let mut both = scaling(1, 2);
    both["desiredCount"] = json!(1);
    assert_eq!(with(both), ["count-owned-twice"]);
    assert_eq!(with(json!({"tags": {"aws:x": "y"}})), ["bad-tag"]);
    let policies = |list: Value| {
        let mut spec = scaling(1, 2);
        spec["scaling"]["targetTracking"] = list;
        with(spec)
    };
    let memory = "ECSServiceAverageMemoryUtilization";
    assert_eq!(
        policies(json!([
            {"name": "a", "metric": CPU, "targetValue": 70},
            {"name": "a", "metric": memory, "targetValue": 70},
        ])),
        ["named-twice"]
    );
    assert_eq!(
        policies(json!([{"name": "a", "metric": "ALBRequestCountPerTarget", "targetValue": 9}])),
        ["resource-label"]
    );
    let actions = |action: Value| {
        let mut spec = scaling(1, 2);
        spec["scaling"]["scheduled"] = json!([action]);
        with(spec)
    };
    let cron = "cron(0 20 * * ? *)";
    assert_eq!(
        actions(json!({"name": "n", "schedule": "cron(0 20 * * * *)", "minCapacity": 5})),
        ["min-above-max"]
    );
    assert_eq!(
        actions(json!({"name": "n", "schedule": "cron(0 20 1 * 2 *)", "minCapacity": 1})),
        ["bad-schedule"]
    );
    assert_eq!(
        actions(json!({"name": "n", "schedule": cron, "timezone": "Mars", "minCapacity": 1})),
        ["bad-timezone"]
    );
    assert_eq!(
        actions(json!({"name": "n", "schedule": cron})),
        ["empty-action"]
    );
}

#[test]
fn nights_without_days_is_a_warning() {
    let mut spec = scaling(2, 10);
    spec["cluster"] = json!("main");
    spec["scaling"]["scheduled"] =
        json!([{"name": "nights", "schedule": "cron(0 20 * * ? *)", "minCapacity": 1}]);
    let document = document("Service", spec);
    let found = Service.check(&document, &set([document.clone()]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule, "lone-schedule");
}
