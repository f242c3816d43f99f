//! Unnamed: what no document names is changed behind Evenkeel's back, is not found as drift, and
//! stays as it is when something else of the same object is corrected.

use std::collections::BTreeSet;
use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::tree::FieldPath;
use evenkeel::twin::World;
use serde_json::{Map, Value, json};

use crate::fields::{converged, drift};
use crate::rig::{Rig, complaints};
use crate::sweep::behind;

const CLUSTER: &str = "personal-journal-cluster";
const BACKEND: &str = "personal-journal-backend-service";

/// Members of a service that say what it is at all; to change them changes what may be written.
const WHAT_IT_IS: [&str; 4] = [
    "clusterArn",
    "deploymentController",
    "launchType",
    "schedulingStrategy",
];

/// Another value in every place of `value`.
fn stirred(value: &Value) -> Value {
    match value {
        Value::Null => json!("something"),
        Value::Bool(on) => json!(!on),
        Value::Number(n) if n.is_i64() => json!(n.as_i64().unwrap() + 1),
        Value::Number(n) => json!(n.as_f64().unwrap() + 0.5),
        Value::String(text) => json!(format!("{text}2")),
        Value::Array(items) => items.iter().map(stirred).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), stirred(member)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

/// Stirs all of `members` but `named`.
fn stir(members: &mut Map<String, Value>, named: &[&str]) {
    for (name, member) in members.iter_mut() {
        if !named.contains(&name.as_str()) {
            *member = stirred(member);
        }
    }
}

/// Nothing drifts; then `path` of that object does, is corrected, and `unnamed` is as before.
async fn stays(
    rig: &Rig,
    set: &DesiredSet,
    (kind, name, path): (&str, &str, &str),
    unnamed: fn(&mut World) -> Value,
) {
    let case = format!("{kind}/{name}");
    rig.clock.sleep(Duration::from_secs(300)).await;
    assert_eq!(drift(rig, set).await, BTreeSet::new(), "{case}");
    let document = set
        .documents
        .values()
        .find(|d| d.key.kind == kind && d.key.name == name)
        .unwrap();
    let desired = evenkeel::kinds::kind(kind).unwrap().desired(document, set);
    let path = FieldPath::dotted(path);
    let before = rig.twin.world(unnamed);
    let row = behind::row(kind, &path).unwrap();
    rig.twin.world(|w| (row.act)(w, &desired, &path));
    rig.clock.sleep(Duration::from_secs(300)).await;
    assert_eq!(
        rig.twin.world(unnamed),
        before,
        "{case}: the sweep's own change"
    );
    let pass = rig.apply(set, Wait::ForRollouts).await;
    assert_eq!(complaints(&pass), Vec::<String>::new(), "{case}");
    assert!(pass.written() > 0, "{case}");
    assert_eq!(rig.twin.world(unnamed), before, "{case}");
}

fn service(w: &mut World) -> Value {
    let service = w.service(CLUSTER, BACKEND).unwrap();
    json!([service.members, service.tags, service.desired])
}

fn definition(w: &mut World) -> Value {
    let mut members = w
        .task_definition_of(CLUSTER, BACKEND)
        .unwrap()
        .registrable();
    for owned in ["cpu", "memory"] {
        members.remove(owned);
    }
    Value::Object(members)
}

#[tokio::test(start_paused = true)]
async fn what_no_document_names_of_a_service_stays() {
    let (rig, set) = converged("personal-journal").await;
    rig.twin.world(|w| {
        let members = w.service(CLUSTER, BACKEND).unwrap().members.clone();
        for (name, value) in &members {
            let value = match name.as_str() {
                name if WHAT_IT_IS.contains(&name) => continue,
                "healthCheckGracePeriodSeconds" => continue,
                "deploymentConfiguration" => {
                    let mut value = value.clone();
                    let named = ["minimumHealthyPercent", "maximumPercent"];
                    for (inner, member) in value.as_object_mut().unwrap() {
                        match inner.as_str() {
                            "deploymentCircuitBreaker" => member["newRule"] = json!({"on": true}),
                            inner if named.contains(&inner) => {}
                            _ => *member = stirred(member),
                        }
                    }
                    value["alarms"] =
                        json!({"alarmNames": ["a"], "enable": true, "rollback": true});
                    value["newMember"] = json!({"deep": [1]});
                    value
                }
                _ => stirred(value),
            };
            assert!(w.ecs.set_service_member(CLUSTER, BACKEND, name, value));
        }
        w.ecs
            .set_service_member(CLUSTER, BACKEND, "newMember", json!({"deep": 1}));
        let arn = w.service(CLUSTER, BACKEND).unwrap().arn.clone();
        let tags = json!([{"key": "cost-center", "value": "17"}, {"key": "new", "value": "x"}]);
        let input = json!({"resourceArn": arn, "tags": tags});
        w.call("ecs", "TagResource", &input).unwrap();
        w.set_desired_count(CLUSTER, BACKEND, 5).unwrap();
    });
    for path in [
        "cpu",
        "deployment.maximumPercent",
        "deployment.circuitBreaker.enable",
        "healthCheckGracePeriodSeconds",
        "tags.team",
        "scaling.maxCapacity",
    ] {
        let unnamed = |w: &mut World| {
            let mut all = service(w);
            // Owned, and so changed and changed back meanwhile.
            all[0]
                .as_object_mut()
                .unwrap()
                .remove("healthCheckGracePeriodSeconds");
            all[1].as_object_mut().unwrap().remove("team");
            let rules = all[0]["deploymentConfiguration"].as_object_mut().unwrap();
            rules.remove("maximumPercent");
            let breaker = rules["deploymentCircuitBreaker"].as_object_mut().unwrap();
            breaker.remove("enable");
            all
        };
        stays(&rig, &set, ("Service", "backend", path), unnamed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_document_names_of_a_task_definition_stays() {
    let (rig, set) = converged("personal-journal").await;
    rig.twin.world(|w| {
        let deployed = w.deploy_changed(CLUSTER, BACKEND, |definition| {
            definition.insert("ephemeralStorage".into(), json!({"sizeInGiB": 40}));
            definition.insert(
                "executionRoleArn".into(),
                json!("arn:aws:iam::123456789012:role/b"),
            );
            definition.insert(
                "taskRoleArn".into(),
                json!("arn:aws:iam::123456789012:role/c"),
            );
            definition.insert(
                "volumes".into(),
                json!([{"name": "scratch", "newMember": 1}]),
            );
            let container = &mut definition["containerDefinitions"][0];
            container["image"] = json!("registry.example/journal-api:next");
            container["environment"] = json!([{"name": "A", "value": "b"}]);
            container["logConfiguration"]["options"]["mode"] = json!("non-blocking");
            container["stopTimeout"] = json!(45);
            container["newMember"] = json!({"deep": [1, {"er": null}]});
        });
        deployed.unwrap();
    });
    stays(&rig, &set, ("Service", "backend", "cpu"), definition).await;
    stays(&rig, &set, ("Service", "backend", "memory"), definition).await;
}

#[tokio::test(start_paused = true)]
async fn what_no_document_names_of_auto_scaling_stays() {
    let (rig, set) = converged("personal-journal").await;
    let resource = "service/personal-journal-cluster/personal-journal-frontend-service";
    let call = |w: &mut World, operation: &str, mut input: Value| {
        input["ServiceNamespace"] = json!("ecs");
        input["ResourceId"] = json!(resource);
        input["ScalableDimension"] = json!("ecs:service:DesiredCount");
        w.call("application-autoscaling", operation, &input)
            .unwrap();
    };
    rig.twin.world(|w| {
        let suspended = json!({"DynamicScalingInSuspended": true, "DynamicScalingOutSuspended": false, "ScheduledScalingSuspended": false});
        call(w, "RegisterScalableTarget", json!({"SuspendedState": suspended}));
        let tracking = json!({
            "TargetValue": 70.0,
            "ScaleInCooldown": 11,
            "ScaleOutCooldown": 12,
            "DisableScaleIn": true,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        });
        let policy = |name: &str, tracking: &Value| json!({"PolicyName": name, "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": tracking});
        let cpu = format!("{}-cpu", "personal-journal-frontend-service");
        call(w, "PutScalingPolicy", policy(&cpu, &tracking));
        let mut own = tracking.clone();
        own["PredefinedMetricSpecification"]["PredefinedMetricType"] = json!("ECSServiceAverageMemoryUtilization");
        call(w, "PutScalingPolicy", policy("by-hand", &own));
        call(w, "PutScheduledAction", json!({
            "ScheduledActionName": "by-hand",
            "Schedule": "at(2027-01-01T00:00:00)",
            "ScalableTargetAction": {"MinCapacity": 3},
        }));
    });
    fn unnamed(w: &mut World) -> Value {
        let of = json!({"ServiceNamespace": "ecs", "ResourceIds": ["service/personal-journal-cluster/personal-journal-frontend-service"]});
        let one = json!({"ServiceNamespace": "ecs", "ResourceId": of["ResourceIds"][0]});
        let mut read = |operation: &str, input: &Value| {
            w.call("application-autoscaling", operation, input).unwrap()
        };
        let target =
            read("DescribeScalableTargets", &of)["ScalableTargets"][0]["SuspendedState"].clone();
        let mut policies = read("DescribeScalingPolicies", &one)["ScalingPolicies"].clone();
        for policy in policies.as_array_mut().unwrap() {
            let tracking = policy["TargetTrackingScalingPolicyConfiguration"]
                .as_object_mut()
                .unwrap();
            tracking.remove("TargetValue");
        }
        let actions = read("DescribeScheduledActions", &one)["ScheduledActions"].clone();
        json!([target, policies, actions])
    }
    stays(
        &rig,
        &set,
        ("Service", "frontend", "scaling.minCapacity"),
        unnamed,
    )
    .await;
    let path = "scaling.targetTracking.personal-journal-frontend-service-cpu.targetValue";
    stays(&rig, &set, ("Service", "frontend", path), unnamed).await;
}

#[tokio::test(start_paused = true)]
async fn what_no_document_names_of_an_alarm_stays() {
    fn unnamed(w: &mut World) -> Value {
        let mut alarm = w
            .cloudwatch
            .alarm("personal-journal-backend-cpu-high")
            .unwrap()
            .clone();
        // AWS's own, and what is owned.
        for moving in [
            "Threshold",
            "AlarmConfigurationUpdatedTimestamp",
            "StateUpdatedTimestamp",
            "StateTransitionedTimestamp",
            "StateValue",
            "StateReason",
            "StateReasonData",
        ] {
            alarm.as_object_mut().unwrap().remove(moving);
        }
        alarm
    }
    let (rig, set) = converged("personal-journal").await;
    rig.twin.world(|w| {
        let alarm = w
            .cloudwatch
            .alarm_mut("personal-journal-backend-cpu-high")
            .unwrap();
        alarm["AlarmDescription"] = json!("by hand");
        alarm["OKActions"] = json!(["arn:aws:sns:us-east-1:123456789012:fine"]);
        alarm["InsufficientDataActions"] = json!(["arn:aws:sns:us-east-1:123456789012:quiet"]);
        alarm["Unit"] = json!("Percent");
        alarm["ActionsEnabled"] = json!(false);
    });
    let path = ("Alarm", "backend-cpu-high", "threshold");
    stays(&rig, &set, path, unnamed).await;
}

#[tokio::test(start_paused = true)]
async fn what_no_document_names_of_databases_and_tables_stays() {
    const INSTANCE: [&str; 6] = [
        "BackupRetentionPeriod",
        "DBInstanceIdentifier",
        "DBInstanceStatus",
        "DeletionProtection",
        "PendingModifiedValues",
        "PreferredBackupWindow",
    ];
    const CLUSTER_OWN: [&str; 6] = [
        "BackupRetentionPeriod",
        "DBClusterIdentifier",
        "DeletionProtection",
        "Engine",
        "PreferredBackupWindow",
        "Status",
    ];
    const TABLE: [&str; 3] = ["DeletionProtectionEnabled", "TableName", "TableStatus"];
    fn but(members: &Map<String, Value>, named: &[&str]) -> Value {
        let mut members = members.clone();
        members.retain(|name, _| !named.contains(&name.as_str()));
        Value::Object(members)
    }
    fn instance(w: &mut World) -> Value {
        but(w.rds.instance_mut("semiont-postgres").unwrap(), &INSTANCE)
    }
    fn cluster(w: &mut World) -> Value {
        but(w.rds.cluster_mut("semiont-neptune").unwrap(), &CLUSTER_OWN)
    }
    fn table(w: &mut World) -> Value {
        let table = w.dynamodb.table_mut("semiont-sessions").unwrap();
        but(table.as_object().unwrap(), &TABLE)
    }
    let (rig, set) = converged("semiont").await;
    rig.twin.world(|w| {
        let kept = ["PreferredMaintenanceWindow", "Engine"];
        let members = w.rds.instance_mut("semiont-postgres").unwrap();
        stir(members, &[&INSTANCE[..], &kept].concat());
        let quiet = json!("wed:05:00-wed:05:30");
        members.insert("PreferredMaintenanceWindow".into(), quiet.clone());
        let members = w.rds.cluster_mut("semiont-neptune").unwrap();
        stir(members, &[&CLUSTER_OWN[..], &kept].concat());
        members.insert("PreferredMaintenanceWindow".into(), quiet);
        let table = w.dynamodb.table_mut("semiont-sessions").unwrap();
        table["BillingModeSummary"]["BillingMode"] = json!("PROVISIONED");
        table["ItemCount"] = json!(12);
        table["NewMember"] = json!({"Deep": 1});
    });
    for path in [
        "backupRetentionDays",
        "preferredBackupWindow",
        "deletionProtection",
    ] {
        stays(&rig, &set, ("Database", "postgres", path), instance).await;
        stays(&rig, &set, ("Database", "graph", path), cluster).await;
    }
    stays(
        &rig,
        &set,
        ("Table", "sessions", "deletionProtection"),
        table,
    )
    .await;
    let path = "pointInTimeRecovery.recoveryPeriodDays";
    stays(&rig, &set, ("Table", "sessions", path), table).await;
}
