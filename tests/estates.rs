//! Estates: fleets of services by the hundred, for what is measured.

use std::fmt::Write as _;

use evenkeel::engine::apply::Wait;
use evenkeel::engine::progress::Silent;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::scope::Scope;
use evenkeel::twin::estate::FargateService;
use serde_json::{Value, json};

use crate::rig::{EVERYTHING, Rig, load};

/// Documents of `apps` times `per_app` services over so many clusters.
pub fn services(apps: usize, per_app: usize, clusters: usize, spec: &str) -> String {
    let mut text = String::new();
    for app in 0..apps {
        for n in 0..per_app {
            let cluster = app % clusters;
            write!(
                text,
                "---\napiVersion: evenkeel/v1alpha1\nkind: Service\n\
                 metadata: {{app: app-{app}, name: s-{n}}}\n\
                 spec: {{cluster: c-{cluster}, serviceName: app-{app}-s-{n}, {spec}}}\n"
            )
            .unwrap();
        }
    }
    text
}

/// The same services, live, at 256 CPU units and 512 MiB.
pub fn seed(rig: &Rig, apps: usize, per_app: usize, clusters: usize) {
    rig.twin.world(|w| {
        for app in 0..apps {
            for n in 0..per_app {
                let cluster = format!("c-{}", app % clusters);
                let name = format!("app-{app}-s-{n}");
                w.add_service(
                    &FargateService::new(&cluster, &name)
                        .size(256, 512)
                        .desired(1),
                )
                .unwrap();
            }
        }
        w.calls.clear();
    });
}

fn alarms(apps: usize, per_app: usize) -> String {
    let mut text = String::new();
    for app in 0..apps {
        for n in 0..per_app {
            for (i, preset) in ["CpuHigh", "MemoryHigh", "CpuHigh", "MemoryHigh"]
                .iter()
                .enumerate()
            {
                write!(
                    text,
                    "---\napiVersion: evenkeel/v1alpha1\nkind: Alarm\n\
                     metadata: {{app: app-{app}, name: s-{n}-{i}}}\n\
                     spec: {{preset: {preset}, serviceRef: s-{n}, threshold: {}}}\n",
                    70 + i
                )
                .unwrap();
            }
        }
    }
    text
}

/// The documents of a thousand services in 200 apps over 5 clusters, each with one policy and
/// four alarms, as one text.
pub fn thousand_text() -> String {
    let scaling = "cpu: 256, memory: 512, scaling: {minCapacity: 1, maxCapacity: 4, \
                   targetTracking: [{name: cpu, metric: ECSServiceAverageCPUUtilization, \
                   targetValue: 70}]}";
    services(200, 5, 5, scaling) + &alarms(200, 5)
}

/// The thousand, loaded.
pub fn thousand() -> DesiredSet {
    load(&thousand_text())
}

/// Brings the thousand in order behind the engine's back, since ten thousand writes at AWS's
/// rates are not what is measured here: the engine converges the first app, and the others are
/// copies of it.
pub async fn settle_thousand(rig: &Rig) {
    seed(rig, 200, 5, 5);
    let whole = thousand();
    let plan = rig
        .engine
        .plan(&whole, &Scope::app("app-0"), &EVERYTHING)
        .await;
    rig.engine
        .apply(&whole, plan, &rig.options(Wait::ForRollouts), &Silent)
        .await;
    rig.twin.world(|w| {
        let first: Vec<String> = w
            .cloudwatch
            .alarms()
            .values()
            .map(|alarm| serde_json::to_string(alarm).unwrap())
            .filter(|text| !text.contains("TargetTracking-"))
            .collect();
        assert_eq!(first.len(), 20);
        for app in 1..200 {
            let cluster = app % 5;
            for text in &first {
                let copy = text
                    .replace("app-0-", &format!("app-{app}-"))
                    .replace("\"c-0\"", &format!("\"c-{cluster}\""));
                w.cloudwatch
                    .put_owned_alarm(serde_json::from_str(&copy).unwrap());
            }
            for n in 0..5 {
                let target = json!({
                    "ServiceNamespace": "ecs",
                    "ResourceId": format!("service/c-{cluster}/app-{app}-s-{n}"),
                    "ScalableDimension": "ecs:service:DesiredCount",
                });
                let with = |members: Value| {
                    let mut input = target.clone();
                    let all = input.as_object_mut().unwrap();
                    all.extend(members.as_object().unwrap().clone());
                    input
                };
                w.call(
                    "application-autoscaling",
                    "RegisterScalableTarget",
                    &with(json!({"MinCapacity": 1, "MaxCapacity": 4})),
                )
                .unwrap();
                w.call(
                    "application-autoscaling",
                    "PutScalingPolicy",
                    &with(json!({
                        "PolicyName": format!("app-{app}-s-{n}-cpu"),
                        "PolicyType": "TargetTrackingScaling",
                        "TargetTrackingScalingPolicyConfiguration": {
                            "TargetValue": 70.0,
                            "PredefinedMetricSpecification": {
                                "PredefinedMetricType": "ECSServiceAverageCPUUtilization",
                            },
                        },
                    })),
                )
                .unwrap();
            }
        }
        w.calls.clear();
    });
}
