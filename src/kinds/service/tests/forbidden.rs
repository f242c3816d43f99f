//! Services that AWS leaves nothing to write of, as AWS answers them: read over the twin.

use serde_json::{Value, json};

use super::bench::{Bench, bench};
use crate::model::change::Hold;

fn size() -> Value {
    json!({"serviceName": "odd", "cpu": 512, "memory": 1024})
}

/// Beside the bench's own service one that was created with these members.
async fn with(members: Value) -> Bench {
    let bench = bench().await;
    let mut create = json!({"cluster": "main", "serviceName": "odd"});
    for (member, value) in members.as_object().unwrap() {
        create[member] = value.clone();
    }
    bench.twin.world(|w| {
        w.call("ecs", "CreateService", &create).unwrap();
    });
    bench
}

async fn blocked(bench: &Bench, word: &str) {
    let (drift, decision) = bench.plan(&size()).await;
    assert!(!drift.is_empty() && decision.steps.is_empty());
    assert!(
        matches!(decision.holds.as_slice(), [Hold::OwnedElsewhere { why }] if why.contains(word)),
        "{decision:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_of_codedeploy_is_blocked_with_the_reason() {
    let bench = with(json!({
        "taskDefinition": "web", "desiredCount": 1,
        "deploymentController": {"type": "CODE_DEPLOY"},
    }))
    .await;
    blocked(&bench, "CodeDeploy").await;
    // What it runs is read all the same, and in order is in order.
    let same = json!({"serviceName": "odd", "cpu": 256, "memory": 512});
    let (drift, decision) = bench.plan(&same).await;
    assert!(drift.is_empty() && decision.holds.is_empty(), "{drift:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_of_an_external_controller_runs_no_revision_and_is_blocked_with_the_reason() {
    let bench = with(json!({
        "desiredCount": 1, "deploymentController": {"type": "EXTERNAL"},
    }))
    .await;
    blocked(&bench, "EXTERNAL").await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_is_blocked_with_the_reason() {
    let bench = with(json!({"taskDefinition": "web", "schedulingStrategy": "DAEMON"})).await;
    blocked(&bench, "DAEMON").await;
}

#[tokio::test(start_paused = true)]
async fn a_service_of_express_mode_is_blocked_with_the_reason() {
    let bench = with(json!({"taskDefinition": "web", "desiredCount": 1})).await;
    bench.twin.world(|w| {
        assert!(
            w.ecs
                .set_service_member("main", "odd", "resourceManagementType", json!("ECS"))
        );
    });
    blocked(&bench, "Express").await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_service_says_so_though_its_revision_is_gone() {
    let bench = with(json!({"taskDefinition": "web", "desiredCount": 1})).await;
    bench.twin.world(|w| {
        assert!(
            w.ecs
                .set_service_member("main", "odd", "status", json!("INACTIVE"))
        );
    });
    let gone = crate::twin::wire::TwinError::client("ClientException", "unable to describe");
    bench
        .twin
        .world(|w| w.faults.errors("ecs.DescribeTaskDefinition", 9, &gone));
    let (_, decision) = bench.plan(&size()).await;
    assert!(
        matches!(decision.holds.as_slice(), [Hold::MustExist { help }] if help.contains("INACTIVE")),
        "{decision:?}"
    );
}
