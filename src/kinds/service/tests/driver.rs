//! Whole changes of services over the twin: reading, deciding and writing with the real clients.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::bench::bench;
use crate::kinds::{Decision, StepError};
use crate::model::change::{Hold, Step};
use crate::model::memory::LastWrite;
use crate::model::snapshot::Seen;
use crate::twin::ecs::CrashRule;

fn bigger() -> Value {
    json!({"cpu": 512, "memory": 1024})
}

#[tokio::test(start_paused = true)]
async fn a_size_change_keeps_environment_and_members_that_this_build_does_not_know() {
    let mut bench = bench().await;
    let (before, members) = bench.running();
    bench.converge(&bigger()).await;
    let (after, now) = bench.running();
    assert_ne!(before, after);
    assert_eq!(
        (&now["cpu"], &now["memory"]),
        (&json!("512"), &json!("1024"))
    );
    assert_eq!(now["containerDefinitions"], members["containerDefinitions"]);
    let text = now["containerDefinitions"].to_string();
    assert!(text.contains("hunter2") && text.contains("somethingNew"));
    let tags = bench
        .twin
        .world(|w| w.task_definition_of("main", "web").unwrap().tags.clone());
    assert_eq!(tags["evenkeel:intent"], "intent-0");
    // In order at once, with a rollout to wait for, and later without.
    let (drift, decision) = bench.plan(&bigger()).await;
    assert!(
        drift.is_empty() && decision.steps.is_empty(),
        "{decision:?}"
    );
    assert!(decision.rollout.is_some());
    bench.cell.clock.sleep(Duration::from_secs(1800)).await;
    let (drift, decision) = bench.plan(&bigger()).await;
    assert!(drift.is_empty());
    assert_eq!(decision, Decision::default());
}

#[tokio::test(start_paused = true)]
async fn a_deployment_between_registration_and_update_supersedes_the_step() {
    let mut bench = bench().await;
    let (_, decision) = bench.plan(&bigger()).await;
    bench.prepare(&decision.steps[0]).await.unwrap();
    bench.apply(0, &decision.steps[0]).await.unwrap();
    bench.twin.world(|w| {
        w.deploy_image("main", "web", "registry.example/web:2")
            .unwrap()
    });
    let refused = bench.prepare(&decision.steps[1]).await;
    assert!(
        matches!(refused, Err(StepError::Superseded(_))),
        "{refused:?}"
    );
    bench.cell.clock.sleep(Duration::from_secs(1800)).await;
    bench.converge(&bigger()).await;
    let (_, now) = bench.running();
    assert_eq!(now["cpu"], json!("512"));
    assert_eq!(
        now["containerDefinitions"][0]["image"],
        json!("registry.example/web:2")
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployment_in_the_last_round_trip_gets_the_size_at_once() {
    let mut bench = bench().await;
    let (_, decision) = bench.plan(&bigger()).await;
    for (index, step) in decision.steps.iter().enumerate() {
        bench.prepare(step).await.unwrap();
        if index == 1 {
            bench.twin.world(|w| {
                w.deploy_image("main", "web", "registry.example/web:2")
                    .unwrap()
            });
        }
        bench.apply(index, step).await.unwrap();
    }
    let (_, now) = bench.running();
    assert_eq!(
        now["containerDefinitions"][0]["image"],
        json!("registry.example/web:1")
    );
    bench.converge(&bigger()).await;
    let (_, now) = bench.running();
    assert_eq!(now["cpu"], json!("512"));
    assert_eq!(
        now["containerDefinitions"][0]["image"],
        json!("registry.example/web:2")
    );
    let (_, decision) = bench.plan(&bigger()).await;
    assert!(decision.steps.is_empty(), "{decision:?}");
}

#[tokio::test(start_paused = true)]
async fn a_registration_without_an_answer_is_found_by_its_intent() {
    let mut bench = bench().await;
    let (_, decision) = bench.plan(&bigger()).await;
    let step = &decision.steps[0];
    assert_eq!(bench.driver.resolve("intent-0", step).await.unwrap(), None);
    bench.prepare(step).await.unwrap();
    let applied = bench.apply(0, step).await.unwrap();
    let found = bench
        .driver
        .resolve("intent-0", step)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        found.detail["taskDefinitionArn"],
        applied.detail["taskDefinitionArn"]
    );
    assert_eq!(bench.driver.resolve("another", step).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn two_services_on_one_revision_do_not_take_each_others_registration() {
    let mut bench = bench().await;
    let (_, decision) = bench.plan(&bigger()).await;
    let web = decision.steps[0].clone();
    let api = Step {
        object: "main/api".to_owned(),
        ..web.clone()
    };
    bench.prepare(&web).await.unwrap();
    bench.prepare(&api).await.unwrap();
    bench.apply(0, &web).await.unwrap();
    bench.apply(1, &api).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_second_look_reads_no_task_definition_again() {
    let bench = bench().await;
    let spec = json!({"cpu": 256, "memory": 512});
    bench.see(&spec).await;
    bench.calls();
    bench.see(&spec).await;
    let once = BTreeMap::from([("ecs.DescribeServices".to_owned(), 1)]);
    assert_eq!(bench.calls(), once);
}

#[tokio::test(start_paused = true)]
async fn missing_is_absent_and_an_error_is_unreadable() {
    let bench = bench().await;
    let missing = json!({"serviceName": "nobody"});
    assert_eq!(bench.see(&missing).await, Seen::Absent);
    let denied = crate::twin::wire::TwinError::client("AccessDeniedException", "no");
    bench
        .twin
        .world(|w| w.faults.errors("ecs.DescribeServices", 1, &denied));
    assert!(matches!(bench.see(&missing).await, Seen::Unreadable(_)));
}

#[tokio::test(start_paused = true)]
async fn rules_grace_and_tags_reach_the_service() {
    let mut bench = bench().await;
    let breaker = json!({"enable": true, "rollback": false});
    let spec = json!({
        "deployment": {"minimumHealthyPercent": 50, "circuitBreaker": breaker},
        "healthCheckGracePeriodSeconds": 77,
        "tags": {"team": "journal"},
    });
    bench.converge(&spec).await;
    let (drift, decision) = bench.plan(&spec).await;
    assert!(drift.is_empty() && decision.steps.is_empty(), "{drift:?}");
}

#[tokio::test(start_paused = true)]
async fn a_size_is_not_taken_for_rolled_back_where_our_own_clock_is_ahead_of_ecs() {
    let mut bench = bench().await;
    bench.twin.world(|w| {
        w.ecs.rollouts.crashes.push(CrashRule {
            image: Some("registry.example/web:broken".to_owned()),
            ..CrashRule::default()
        });
    });
    bench.cell.clock.step(SignedDuration::from_secs(17));
    let (before, _) = bench.running();
    bench.converge(&bigger()).await;
    bench.cell.clock.sleep(Duration::from_secs(17)).await;
    bench.twin.world(|w| {
        w.deploy_image("main", "web", "registry.example/web:broken")
            .unwrap()
    });
    bench.cell.clock.sleep(Duration::from_secs(7200)).await;
    assert_eq!(bench.running().0, before, "the twin rolls back");
    let (_, decision) = bench.plan(&bigger()).await;
    assert_eq!(
        decision.holds,
        [],
        "the image was rolled back, not the size"
    );
    assert_eq!(decision.steps.len(), 2, "{decision:?}");
}

#[tokio::test(start_paused = true)]
async fn a_size_that_ecs_rolled_back_is_seen_and_held() {
    let mut bench = bench().await;
    bench.twin.world(|w| {
        w.ecs.rollouts.crashes.push(CrashRule {
            family: Some("web".to_owned()),
            ..CrashRule::default()
        });
    });
    let (before, _) = bench.running();
    bench.converge(&bigger()).await;
    bench.cell.clock.sleep(Duration::from_secs(7200)).await;
    assert_eq!(bench.running().0, before, "the twin rolls back");
    let (drift, decision) = bench.plan(&bigger()).await;
    assert!(!drift.is_empty() && decision.steps.is_empty());
    assert!(
        matches!(decision.holds.as_slice(), [Hold::RolledBack { .. }]),
        "{decision:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn scaling_is_created_and_then_in_order_and_its_bounds_follow_the_schedule() {
    let mut bench = bench().await;
    let spec = json!({"scaling": {
        "minCapacity": 2, "maxCapacity": 10,
        "targetTracking": [
            {"name": "cpu", "metric": super::CPU, "targetValue": 70, "scaleInCooldown": 60},
        ],
        "scheduled": [
            {"name": "nights", "schedule": "cron(0 20 * * ? *)", "timezone": "Europe/Zurich",
             "minCapacity": 1, "maxCapacity": 2},
            {"name": "days", "schedule": "cron(0 6 * * ? *)", "timezone": "Europe/Zurich",
             "minCapacity": 2, "maxCapacity": 10},
        ],
    }});
    bench.converge(&spec).await;
    // Through days and nights nothing is ever to be done.
    for _ in 0..20 {
        let (drift, decision) = bench.plan(&spec).await;
        assert!(drift.is_empty() && decision.steps.is_empty(), "{drift:?}");
        bench.cell.clock.sleep(Duration::from_secs(3 * 3600)).await;
    }
    // A count that somebody sets beyond the bounds comes back.
    bench
        .twin
        .world(|w| w.set_desired_count("main", "web", 30).unwrap());
    let (drift, decision) = bench.plan(&spec).await;
    assert_eq!(drift[0].path.to_string(), "spec.scaling.count");
    assert_eq!(decision.steps.len(), 1);
    bench.cell.clock.sleep(Duration::from_secs(60)).await;
    bench.converge(&spec).await;
    let (drift, _) = bench.plan(&spec).await;
    assert!(drift.is_empty(), "{drift:?}");
}

#[tokio::test(start_paused = true)]
async fn an_update_without_an_answer_is_found_by_the_deployment_that_it_made() {
    let mut bench = bench().await;
    bench.twin.world(|w| {
        w.ecs.rollouts.crash_after = Duration::from_secs(300);
        w.ecs.rollouts.crashes.push(CrashRule {
            family: Some("web".to_owned()),
            ..CrashRule::default()
        });
    });
    let (_, decision) = bench.plan(&bigger()).await;
    let [register, update] = decision.steps.as_slice() else {
        panic!("{decision:?}");
    };
    bench.prepare(register).await.unwrap();
    bench.apply(0, register).await.unwrap();
    assert_eq!(
        bench.driver.resolve("intent-1", update).await.unwrap(),
        None
    );
    bench.prepare(update).await.unwrap();
    let sent = bench.apply(1, update).await.unwrap().detail;
    // The process dies, and hours later another one finds what became of it.
    bench.cell.clock.sleep(Duration::from_secs(60)).await;
    let found = bench.driver.resolve("intent-1", update).await.unwrap();
    let found = found.unwrap().detail;
    assert_eq!(found, sent);
    bench.memory.facts.insert(
        "applied:ecs.UpdateService".to_owned(),
        json!({"step": update.detail, "result": found}),
    );
    bench.cell.clock.sleep(Duration::from_secs(7200)).await;
    bench.memory.last_write = Some(LastWrite {
        intent: "intent-1".to_owned(),
        at: bench.cell.clock.now(),
    });
    let (_, decision) = bench.plan(&bigger()).await;
    assert!(
        matches!(decision.holds.as_slice(), [Hold::RolledBack { .. }]),
        "{decision:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_evenkeel_wrote_stays_when_it_is_taken_out_of_its_list() {
    let mut bench = bench().await;
    let memory = "ECSServiceAverageMemoryUtilization";
    let mut spec = json!({"scaling": {
        "minCapacity": 2, "maxCapacity": 10,
        "targetTracking": [
            {"name": "cpu", "metric": super::CPU, "targetValue": 70},
            {"name": "memory", "metric": memory, "targetValue": 80},
        ],
        "scheduled": [
            {"name": "sale", "schedule": "at(2027-01-01T00:00:00)", "minCapacity": 3},
            {"name": "calm", "schedule": "at(2027-01-08T00:00:00)", "minCapacity": 2},
        ],
    }});
    bench.converge(&spec).await;
    for list in ["targetTracking", "scheduled"] {
        spec["scaling"][list].as_array_mut().unwrap().pop();
    }
    let (drift, decision) = bench.plan(&spec).await;
    assert!(drift.is_empty(), "{drift:?}");
    // Told beside the drift, and nothing else.
    let (told, rest) = super::told_beside(decision);
    assert_eq!(told, ["web-memory", "calm"]);
    assert_eq!(rest, Decision::default());
    let Seen::Present(live) = bench.see(&spec).await else {
        panic!("not there");
    };
    assert!(live.view["scaling"]["targetTracking"]["web-memory"].is_object());
    assert!(live.view["scaling"]["scheduled"]["calm"].is_object());
}
