//! Estates: fleets of services by the hundred, for what is measured.

use std::fmt::Write as _;

use evenkeel::model::document::DesiredSet;
use evenkeel::twin::estate::FargateService;
use serde_json::json;

use crate::rig::{Rig, load};

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

/// The alarms of [`thousand`], live and as their documents say: creating four thousand of them
/// through the ledger would take longer than what is measured.
pub fn seed_alarms(rig: &Rig, apps: usize, per_app: usize, clusters: usize) {
    rig.twin.world(|w| {
        for app in 0..apps {
            for n in 0..per_app {
                for i in 0..4 {
                    let metric = ["CPUUtilization", "MemoryUtilization"][i % 2];
                    w.cloudwatch.put_owned_alarm(json!({
                        "AlarmName": format!("app-{app}-s-{n}-{i}"),
                        "MetricName": metric,
                        "Namespace": "AWS/ECS",
                        "Dimensions": [
                            {"Name": "ClusterName", "Value": format!("c-{}", app % clusters)},
                            {"Name": "ServiceName", "Value": format!("app-{app}-s-{n}")},
                        ],
                        "Statistic": "Average",
                        "Period": 300,
                        "EvaluationPeriods": 2,
                        "DatapointsToAlarm": 2,
                        "Threshold": 70.0 + i as f64,
                        "ComparisonOperator": "GreaterThanThreshold",
                        "TreatMissingData": "notBreaching",
                    }));
                }
            }
        }
    });
}

/// A thousand services in 200 apps over 5 clusters, each with one policy and four alarms.
pub fn thousand() -> DesiredSet {
    let scaling = "cpu: 256, memory: 512, scaling: {minCapacity: 1, maxCapacity: 4, \
                   targetTracking: [{name: cpu, metric: ECSServiceAverageCPUUtilization, \
                   targetValue: 70}]}";
    load(&(services(200, 5, 5, scaling) + &alarms(200, 5)))
}
