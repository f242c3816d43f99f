//! Unnamed: what a write could touch and neither its intent nor its documents name.

use std::collections::BTreeSet;

use evenkeel::twin::World;
use serde_json::{Map, Value, json};

use super::estate::CLUSTER;
use super::happening::objects_of;

/// All of it, for the object of a call for which these fields are named.
pub fn unnamed(w: &mut World, operation: &str, input: &Value, named: &BTreeSet<String>) -> Value {
    let is = |path: &str| named.contains(path);
    let object = objects_of(operation, input).pop().unwrap_or_default();
    match operation.split_once('.').map_or("", |(service, _)| service) {
        "ecs" if operation == "ecs.RegisterTaskDefinition" => varieties(w, &object, &is),
        "ecs" => service(w, &object, input, &is),
        "application-autoscaling" => {
            let asked = json!({"ServiceNamespace": "ecs", "ResourceIds": [format!("service/{CLUSTER}/{object}")]});
            let answer = w.call("application-autoscaling", "DescribeScalableTargets", &asked);
            answer.map_or(Value::Null, |a| match &a["ScalableTargets"][0] {
                // One that was not there has nothing that could be kept.
                Value::Object(target) => {
                    let kept = |path: &str, member: &str| match is(path) {
                        true => Value::Null,
                        false => target[member].clone(),
                    };
                    json!({
                        "SuspendedState": target["SuspendedState"],
                        "MinCapacity": kept("spec.scaling.minCapacity", "MinCapacity"),
                        "MaxCapacity": kept("spec.scaling.maxCapacity", "MaxCapacity"),
                    })
                }
                _ => json!({
                    "SuspendedState": {
                        "DynamicScalingInSuspended": false,
                        "DynamicScalingOutSuspended": false,
                        "ScheduledScalingSuspended": false,
                    },
                    "MinCapacity": null,
                    "MaxCapacity": null,
                }),
            })
        }
        "cloudwatch" => {
            let answer = w.call(
                "cloudwatch",
                "DescribeAlarms",
                &json!({"AlarmNames": [object]}),
            );
            let alarm = answer.map_or(Value::Null, |a| a["MetricAlarms"][0].clone());
            without(alarm, |name| {
                (name == "Threshold" && is("spec.threshold"))
                    || name.starts_with("State")
                    || name.ends_with("Timestamp")
            })
        }
        "rds" => {
            let answer = w.call(
                "rds",
                "DescribeDBInstances",
                &json!({"DBInstanceIdentifier": object}),
            );
            let instance = answer.map_or(Value::Null, |a| a["DBInstances"][0].clone());
            let mut pending = instance["PendingModifiedValues"].clone();
            let days =
                |name: &str| name == "BackupRetentionPeriod" && is("spec.backupRetentionDays");
            pending = without(pending, days);
            let instance = without(instance, |name| {
                days(name)
                    || [
                        "PendingModifiedValues",
                        "DBInstanceStatus",
                        "LatestRestorableTime",
                    ]
                    .contains(&name)
            });
            json!({"instance": instance, "pending": pending})
        }
        "dynamodb" => {
            let recovery = *w.dynamodb.recovery_mut(&object);
            let recovers = named
                .iter()
                .any(|p| p.starts_with("spec.pointInTimeRecovery"));
            let table = w.dynamodb.table_mut(&object).cloned().unwrap_or_default();
            let table = without(table, |name| {
                name == "DeletionProtectionEnabled" && is("spec.deletionProtection")
            });
            let days = (!recovers).then_some((recovery.since.is_some(), recovery.days));
            json!({"table": table, "recovery": days})
        }
        _ => Value::Null,
    }
}

/// The definitions of a family, a size that is named and tags aside: it makes no other variety.
fn varieties(w: &World, family: &str, is: &impl Fn(&str) -> bool) -> Value {
    let all: BTreeSet<String> = w
        .ecs
        .all_task_definitions()
        .filter(|d| d.registrable()["family"] == family)
        .map(|d| {
            without(Value::Object(d.registrable()), |n| {
                n == "tags" || (["cpu", "memory"].contains(&n) && is(&format!("spec.{n}")))
            })
            .to_string()
        })
        .collect();
    json!(all)
}

fn service(w: &World, name: &str, input: &Value, is: &impl Fn(&str) -> bool) -> Value {
    let Some(service) = w.service(CLUSTER, name) else {
        return Value::Null;
    };
    let members = without(Value::Object(service.members.clone()), |n| {
        n == "healthCheckGracePeriodSeconds" && is("spec.healthCheckGracePeriodSeconds")
    });
    let tags: Map<String, Value> = service
        .tags
        .iter()
        .filter(|(key, _)| !is(&format!("spec.tags.{key}")))
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    // What an update says nothing of stays, too.
    let unless = |member: &str, value: Value| match input.get(member) {
        Some(_) => Value::Null,
        None => value,
    };
    json!({
        "members": members,
        "tags": tags,
        "count": unless("desiredCount", json!(service.desired)),
        "revision": unless("taskDefinition", json!(service.task_definition)),
    })
}

fn without(mut value: Value, left_out: impl Fn(&str) -> bool) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, _| !left_out(name));
    }
    value
}
