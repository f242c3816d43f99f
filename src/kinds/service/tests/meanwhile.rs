//! What somebody else does between the reading that a plan was made from and its writes.

use serde_json::{Value, json};

use super::bench::{Bench, bench};
use super::{CPU, bigger};
use crate::kinds::{Decision, StepError};
use crate::model::change::Step;

fn step<'d>(decision: &'d Decision, operation: &str) -> &'d Step {
    let mut steps = decision.steps.iter();
    steps
        .find(|s| s.operation.ends_with(operation))
        .unwrap_or_else(|| panic!("{decision:?}"))
}

/// Why the last reading before `step` gave it up.
async fn superseded(bench: &Bench, step: &Step) -> String {
    match bench.prepare(step).await {
        Err(StepError::Superseded(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn scaling_call(bench: &Bench, operation: &str, more: Value) {
    let mut input = json!({
        "ServiceNamespace": "ecs", "ResourceId": "service/main/web",
        "ScalableDimension": "ecs:service:DesiredCount",
    });
    let members = input.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    bench
        .twin
        .world(|w| w.call("application-autoscaling", operation, &input))
        .unwrap();
}

fn policy(bench: &Bench, cooldown: u32) {
    scaling_call(
        bench,
        "PutScalingPolicy",
        json!({
            "PolicyName": "web-cpu", "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": 50, "ScaleInCooldown": cooldown,
                "PredefinedMetricSpecification": {"PredefinedMetricType": CPU},
            },
        }),
    );
}

fn nights(bench: &Bench, end: i64) {
    scaling_call(
        bench,
        "PutScheduledAction",
        json!({
            "ScheduledActionName": "nights", "Schedule": "cron(0 20 * * ? *)", "EndTime": end,
            "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 3},
        }),
    );
}

fn scaled() -> Value {
    json!({"scaling": {
        "minCapacity": 1, "maxCapacity": 10,
        "targetTracking": [{"name": "cpu", "metric": CPU, "targetValue": 70}],
        "scheduled": [
            {"name": "nights", "schedule": "cron(0 20 * * ? *)", "maxCapacity": 2},
            {"name": "days", "schedule": "cron(0 6 * * ? *)", "maxCapacity": 10},
        ],
    }})
}

#[tokio::test(start_paused = true)]
async fn a_policy_or_an_action_that_is_changed_meanwhile_is_not_set_back() {
    let bench = bench().await;
    scaling_call(
        &bench,
        "RegisterScalableTarget",
        json!({"MinCapacity": 1, "MaxCapacity": 10}),
    );
    policy(&bench, 60);
    nights(&bench, 1_798_761_600);
    let (_, decision) = bench.plan(&scaled()).await;
    for step in &decision.steps {
        bench.prepare(step).await.unwrap();
    }
    // Members that no document names.
    policy(&bench, 120);
    nights(&bench, 1_801_440_000);
    let why = superseded(&bench, step(&decision, "PutScalingPolicy")).await;
    assert!(why.contains("web-cpu") && why.contains("changed"), "{why}");
    let actions = decision.steps.iter();
    let actions: Vec<&Step> = actions
        .filter(|s| s.operation.ends_with("PutScheduledAction"))
        .collect();
    let [days, nights] = actions.as_slice() else {
        panic!("{decision:?}");
    };
    let why = superseded(&bench, nights).await;
    assert!(why.contains("nights") && why.contains("changed"), "{why}");
    bench.prepare(days).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_made_or_deleted_meanwhile_is_planned_anew() {
    let bench = bench().await;
    scaling_call(
        &bench,
        "RegisterScalableTarget",
        json!({"MinCapacity": 1, "MaxCapacity": 10}),
    );
    let (_, decision) = bench.plan(&scaled()).await;
    policy(&bench, 60);
    let why = superseded(&bench, step(&decision, "PutScalingPolicy")).await;
    assert!(why.contains("created"), "{why}");
    let (_, decision) = bench.plan(&scaled()).await;
    let name = json!({"PolicyName": "web-cpu"});
    scaling_call(&bench, "DeleteScalingPolicy", name);
    let why = superseded(&bench, step(&decision, "PutScalingPolicy")).await;
    assert!(why.contains("deleted"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn deployment_rules_that_are_changed_meanwhile_are_not_set_back() {
    let bench = bench().await;
    let spec = json!({"deployment": {"minimumHealthyPercent": 50}});
    let (_, decision) = bench.plan(&spec).await;
    let update = step(&decision, "UpdateService");
    bench.prepare(update).await.unwrap();
    let rules = json!({"deploymentConfiguration": {
        "minimumHealthyPercent": 100, "maximumPercent": 150,
    }});
    bench
        .twin
        .world(|w| w.update_service("main", "web", rules))
        .unwrap();
    let why = superseded(&bench, update).await;
    assert!(why.contains("deployment rules of main/web"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_size_does_not_overtake_a_rollout_that_began_meanwhile() {
    let mut bench = bench().await;
    let (_, decision) = bench.plan(&bigger()).await;
    let [register, update] = decision.steps.as_slice() else {
        panic!("{decision:?}");
    };
    bench.prepare(register).await.unwrap();
    bench.apply(0, register).await.unwrap();
    bench.prepare(update).await.unwrap();
    // Of the very same revision.
    let force = json!({"forceNewDeployment": true});
    bench
        .twin
        .world(|w| w.update_service("main", "web", force))
        .unwrap();
    let why = superseded(&bench, update).await;
    assert!(why.contains("deployment") && why.contains("began"), "{why}");
    // A count alone has nothing to overtake.
    let (_, decision) = bench.plan(&json!({"desiredCount": 3})).await;
    bench
        .prepare(step(&decision, "UpdateService"))
        .await
        .unwrap();
}
