//! Unnamed: what a write could touch and no document of a run names.

use std::collections::BTreeSet;

use evenkeel::twin::World;
use serde_json::{Map, Value, json};

use super::estate::CLUSTER;
use super::happening::objects_of;

/// All of it, for the object of a call.
pub fn unnamed(w: &mut World, operation: &str, input: &Value) -> Value {
    let object = objects_of(operation, input).pop().unwrap_or_default();
    match operation.split_once('.').map_or("", |(service, _)| service) {
        "ecs" if operation == "ecs.RegisterTaskDefinition" => varieties(w, &object),
        "ecs" => service(w, &object, input),
        "application-autoscaling" => {
            let asked = json!({"ServiceNamespace": "ecs", "ResourceIds": [format!("service/{CLUSTER}/{object}")]});
            let answer = w.call("application-autoscaling", "DescribeScalableTargets", &asked);
            answer.map_or(Value::Null, |a| match &a["ScalableTargets"][0] {
                // One that was not there has nothing that could be kept.
                Value::Object(target) => json!({"SuspendedState": target["SuspendedState"]}),
                _ => json!({"SuspendedState": {
                    "DynamicScalingInSuspended": false,
                    "DynamicScalingOutSuspended": false,
                    "ScheduledScalingSuspended": false,
                }}),
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
                name == "Threshold" || name.starts_with("State") || name.ends_with("Timestamp")
            })
        }
        "rds" => {
            let answer = w.call(
                "rds",
                "DescribeDBInstances",
                &json!({"DBInstanceIdentifier": object}),
            );
            let instance = answer.map_or(Value::Null, |a| a["DBInstances"][0].clone());
            without(instance, |name| {
                [
                    "BackupRetentionPeriod",
                    "PendingModifiedValues",
                    "DBInstanceStatus",
                    "LatestRestorableTime",
                ]
                .contains(&name)
            })
        }
        "dynamodb" => {
            let table = w.dynamodb.table_mut(&object).cloned().unwrap_or_default();
            without(table, |name| name == "DeletionProtectionEnabled")
        }
        _ => Value::Null,
    }
}

/// The definitions of a family, sizes and tags aside: another size makes no other variety.
fn varieties(w: &World, family: &str) -> Value {
    let all: BTreeSet<String> = w
        .ecs
        .all_task_definitions()
        .filter(|d| d.registrable()["family"] == family)
        .map(|d| {
            without(Value::Object(d.registrable()), |n| {
                ["cpu", "memory", "tags"].contains(&n)
            })
            .to_string()
        })
        .collect();
    json!(all)
}

fn service(w: &World, name: &str, input: &Value) -> Value {
    let Some(service) = w.service(CLUSTER, name) else {
        return Value::Null;
    };
    let members = without(Value::Object(service.members.clone()), |n| {
        n == "healthCheckGracePeriodSeconds"
    });
    let tags: Map<String, Value> = service
        .tags
        .iter()
        .filter(|(key, _)| *key != "team")
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
