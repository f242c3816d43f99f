//! Behind: how somebody changes each owned field at AWS, past Evenkeel.

use evenkeel::model::tree::{FieldPath, Tree};
use evenkeel::twin::World;
use serde_json::{Map, Value, json};

/// One change. It gives the other fields that AWS's own rules make it change along.
pub struct Row {
    kind: &'static str,
    pattern: &'static str,
    pub act: fn(&mut World, &Tree, &FieldPath) -> Vec<FieldPath>,
}

/// The row for a field, by its path below `spec` in the desired tree.
pub fn row(kind: &str, path: &FieldPath) -> Option<&'static Row> {
    ROWS.iter()
        .find(|row| row.kind == kind && path.matches(row.pattern))
}

/// Kind and pattern of every row.
pub fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROWS.iter().map(|row| (row.kind, row.pattern))
}

const fn service(
    pattern: &'static str,
    act: fn(&mut World, &Tree, &FieldPath) -> Vec<FieldPath>,
) -> Row {
    Row {
        kind: "Service",
        pattern,
        act,
    }
}

const fn alarm(pattern: &'static str) -> Row {
    Row {
        kind: "Alarm",
        pattern,
        act: alarm_member,
    }
}

const fn database(pattern: &'static str) -> Row {
    Row {
        kind: "Database",
        pattern,
        act: database_member,
    }
}

static ROWS: &[Row] = &[
    service("desiredCount", count),
    service("cpu", cpu),
    service("memory", memory),
    service("containers.*.*", container),
    service("deployment.minimumHealthyPercent", deployment),
    service("deployment.maximumPercent", deployment),
    service("deployment.circuitBreaker.enable", deployment),
    service("deployment.circuitBreaker.rollback", deployment),
    service("healthCheckGracePeriodSeconds", grace),
    service("tags.*", tag),
    service("scaling.minCapacity", bound),
    service("scaling.maxCapacity", bound),
    service("scaling.count", count),
    service("scaling.targetTracking.*.metric", metric),
    service("scaling.targetTracking.*.resourceLabel", policy),
    service("scaling.targetTracking.*.targetValue", policy),
    service("scaling.targetTracking.*.scaleInCooldown", policy),
    service("scaling.targetTracking.*.scaleOutCooldown", policy),
    service("scaling.targetTracking.*.disableScaleIn", policy),
    service("scaling.scheduled.*.schedule", action),
    service("scaling.scheduled.*.timezone", action),
    service("scaling.scheduled.*.minCapacity", action),
    service("scaling.scheduled.*.maxCapacity", action),
    alarm("description"),
    alarm("metricName"),
    alarm("namespace"),
    alarm("dimensions"),
    alarm("statistic"),
    alarm("extendedStatistic"),
    alarm("period"),
    alarm("unit"),
    alarm("evaluationPeriods"),
    alarm("datapointsToAlarm"),
    alarm("threshold"),
    alarm("thresholdMetricId"),
    alarm("comparisonOperator"),
    alarm("treatMissingData"),
    alarm("evaluateLowSampleCountPercentile"),
    alarm("actionsEnabled"),
    alarm("alarmActions"),
    alarm("okActions"),
    alarm("insufficientDataActions"),
    alarm("metrics.*.expression"),
    alarm("metrics.*.label"),
    alarm("metrics.*.returnData"),
    alarm("metrics.*.period"),
    alarm("metrics.*.metricStat.period"),
    alarm("metrics.*.metricStat.stat"),
    alarm("metrics.*.metricStat.unit"),
    alarm("metrics.*.metricStat.metric.namespace"),
    alarm("metrics.*.metricStat.metric.metricName"),
    alarm("metrics.*.metricStat.metric.dimensions"),
    database("backupRetentionDays"),
    database("preferredBackupWindow"),
    database("preferredMaintenanceWindow"),
    database("deletionProtection"),
    Row {
        kind: "Table",
        pattern: "deletionProtection",
        act: table_protection,
    },
    Row {
        kind: "Table",
        pattern: "pointInTimeRecovery.enabled",
        act: recovery,
    },
    Row {
        kind: "Table",
        pattern: "pointInTimeRecovery.recoveryPeriodDays",
        act: recovery,
    },
];

fn names(desired: &Tree) -> (String, String) {
    let text = |field: &str| desired[field].as_str().unwrap().to_owned();
    (text("cluster"), text("serviceName"))
}

fn segment(path: &FieldPath, at: usize) -> &str {
    &path.segments()[at]
}

fn last(path: &FieldPath) -> &str {
    path.segments().last().unwrap()
}

fn count(w: &mut World, desired: &Tree, _: &FieldPath) -> Vec<FieldPath> {
    let (cluster, name) = names(desired);
    let most = desired["scaling"]["maxCapacity"].as_i64();
    let count = most.or(desired["desiredCount"].as_i64()).unwrap() + 1;
    w.set_desired_count(&cluster, &name, count).unwrap();
    Vec::new()
}

fn size(desired: &Tree) -> (i64, i64) {
    let number = |field: &str| desired[field].as_i64().unwrap();
    (number("cpu"), number("memory"))
}

fn cpu(w: &mut World, desired: &Tree, _: &FieldPath) -> Vec<FieldPath> {
    let (cluster, name) = names(desired);
    let (cpu, memory) = size(desired);
    // No other CPU than 256 goes with 512 MiB.
    let ((cpu, memory), along) = match (cpu, memory) {
        (256, 512) => ((512, 1024), vec![FieldPath::dotted("memory")]),
        _ => ((cpu / 2, memory), Vec::new()),
    };
    w.resize(&cluster, &name, cpu, memory).unwrap();
    along
}

fn memory(w: &mut World, desired: &Tree, _: &FieldPath) -> Vec<FieldPath> {
    let (cluster, name) = names(desired);
    let (cpu, memory) = size(desired);
    let memory = if memory == 512 { 1024 } else { memory + 1024 };
    w.resize(&cluster, &name, cpu, memory).unwrap();
    Vec::new()
}

fn container(w: &mut World, desired: &Tree, path: &FieldPath) -> Vec<FieldPath> {
    let (cluster, name) = names(desired);
    w.deploy_changed(&cluster, &name, |definition| {
        let containers = definition["containerDefinitions"].as_array_mut().unwrap();
        let container = containers
            .iter_mut()
            .find(|c| c["name"] == *segment(path, 1))
            .unwrap();
        let limit = container[last(path)].as_i64().unwrap();
        container[last(path)] = json!(limit + 8);
    })
    .unwrap();
    Vec::new()
}

fn deployment(w: &mut World, desired: &Tree, path: &FieldPath) -> Vec<FieldPath> {
    let (cluster, name) = names(desired);
    let service = w.service(&cluster, &name).unwrap();
    let mut configuration = service.members["deploymentConfiguration"].clone();
    match last(path) {
        "minimumHealthyPercent" => configuration["minimumHealthyPercent"] = json!(50),
        "maximumPercent" => configuration["maximumPercent"] = json!(150),
        switch => {
            let on = configuration["deploymentCircuitBreaker"][switch]
                .as_bool()
                .unwrap();
            configuration["deploymentCircuitBreaker"][switch] = json!(!on);
        }
    }
    let members = json!({"deploymentConfiguration": configuration});
    w.update_service(&cluster, &name, members).unwrap();
    Vec::new()
}

fn grace(w: &mut World, desired: &Tree, _: &FieldPath) -> Vec<FieldPath> {
    let (cluster, name) = names(desired);
    w.update_service(&cluster, &name, json!({"healthCheckGracePeriodSeconds": 7}))
        .unwrap();
    Vec::new()
}

fn tag(w: &mut World, desired: &Tree, path: &FieldPath) -> Vec<FieldPath> {
    let (cluster, name) = names(desired);
    let arn = w.service(&cluster, &name).unwrap().arn.clone();
    let input = json!({"resourceArn": arn, "tags": [{"key": last(path), "value": "nobody"}]});
    w.call("ecs", "TagResource", &input).unwrap();
    Vec::new()
}

fn scaled(desired: &Tree) -> Map<String, Value> {
    let (cluster, name) = names(desired);
    let input = json!({
        "ServiceNamespace": "ecs",
        "ResourceId": format!("service/{cluster}/{name}"),
        "ScalableDimension": "ecs:service:DesiredCount",
    });
    input.as_object().cloned().unwrap()
}

fn bound(w: &mut World, desired: &Tree, path: &FieldPath) -> Vec<FieldPath> {
    let mut input = scaled(desired);
    let now = desired["scaling"][last(path)].as_i64().unwrap();
    match last(path) {
        "minCapacity" => input.insert("MinCapacity".into(), json!(now - 1)),
        _ => input.insert("MaxCapacity".into(), json!(now + 1)),
    };
    w.call(
        "application-autoscaling",
        "RegisterScalableTarget",
        &Value::Object(input),
    )
    .unwrap();
    Vec::new()
}

/// The live entry of that name, ready to be put again.
fn entry(w: &mut World, desired: &Tree, list: &str, member: &str, name: &str) -> Value {
    let mut input = scaled(desired);
    input.remove("ScalableDimension");
    let operation = format!("Describe{list}");
    let answer = w
        .call("application-autoscaling", &operation, &Value::Object(input))
        .unwrap();
    let entries = answer[list].as_array().unwrap();
    let mut entry = entries.iter().find(|e| e[member] == name).unwrap().clone();
    for answered in ["PolicyARN", "ScheduledActionARN", "Alarms", "CreationTime"] {
        entry.as_object_mut().unwrap().remove(answered);
    }
    entry
}

const LABEL: &str = "app/other/0123456789abcdef/targetgroup/other/0123456789abcdef";
const TRACKING: &str = "TargetTrackingScalingPolicyConfiguration";

fn metric(w: &mut World, desired: &Tree, path: &FieldPath) -> Vec<FieldPath> {
    let mut policy = entry(
        w,
        desired,
        "ScalingPolicies",
        "PolicyName",
        segment(path, 2),
    );
    let spec = &mut policy[TRACKING]["PredefinedMetricSpecification"];
    let by_requests = spec["PredefinedMetricType"] == "ALBRequestCountPerTarget";
    *spec = match by_requests {
        true => json!({"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}),
        false => {
            json!({"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": LABEL})
        }
    };
    w.call("application-autoscaling", "PutScalingPolicy", &policy)
        .unwrap();
    match by_requests {
        true => vec![path.parent().unwrap().child("resourceLabel")],
        false => Vec::new(),
    }
}

fn policy(w: &mut World, desired: &Tree, path: &FieldPath) -> Vec<FieldPath> {
    let mut policy = entry(
        w,
        desired,
        "ScalingPolicies",
        "PolicyName",
        segment(path, 2),
    );
    let tracking = &mut policy[TRACKING];
    match last(path) {
        "resourceLabel" => {
            tracking["PredefinedMetricSpecification"]["ResourceLabel"] = json!(LABEL)
        }
        "targetValue" => tracking["TargetValue"] = json!(55.5),
        "scaleInCooldown" => tracking["ScaleInCooldown"] = json!(7),
        "scaleOutCooldown" => tracking["ScaleOutCooldown"] = json!(7),
        _ => {
            tracking["DisableScaleIn"] =
                json!(!tracking["DisableScaleIn"].as_bool().unwrap_or(false))
        }
    }
    w.call("application-autoscaling", "PutScalingPolicy", &policy)
        .unwrap();
    Vec::new()
}

fn action(w: &mut World, desired: &Tree, path: &FieldPath) -> Vec<FieldPath> {
    let name = segment(path, 2);
    let mut action = entry(w, desired, "ScheduledActions", "ScheduledActionName", name);
    match last(path) {
        // A minute later, and the same hours by another name: the bounds in force stay the same.
        "schedule" => {
            let later = action["Schedule"]
                .as_str()
                .unwrap()
                .replace("cron(0 ", "cron(1 ");
            action["Schedule"] = json!(later);
        }
        "timezone" => action["Timezone"] = json!("Europe/Berlin"),
        "minCapacity" => action["ScalableTargetAction"]["MinCapacity"] = json!(0),
        _ => action["ScalableTargetAction"]["MaxCapacity"] = json!(12),
    }
    w.call("application-autoscaling", "PutScheduledAction", &action)
        .unwrap();
    Vec::new()
}

/// A member's name at AWS.
fn member(field: &str) -> String {
    match field {
        "description" => "AlarmDescription".to_owned(),
        "okActions" => "OKActions".to_owned(),
        _ => field[..1].to_uppercase() + &field[1..],
    }
}

fn alarm_member(w: &mut World, desired: &Tree, path: &FieldPath) -> Vec<FieldPath> {
    let name = desired["alarmName"].as_str().unwrap();
    let alarm = w.cloudwatch.alarm_mut(name).unwrap();
    let segments: Vec<&str> = path.segments().iter().map(String::as_str).collect();
    let (mut here, rest) = match segments.as_slice() {
        ["metrics", id, rest @ ..] => {
            let entries = alarm["Metrics"].as_array_mut().unwrap();
            (entries.iter_mut().find(|e| e["Id"] == **id).unwrap(), rest)
        }
        all => (alarm, all),
    };
    for field in rest {
        here = &mut here[member(field)];
    }
    *here = other(last(path), here);
    Vec::new()
}

/// Another value that the same member could have.
fn other(field: &str, value: &Value) -> Value {
    match (field, value) {
        ("period", value) => json!(value.as_i64().unwrap() * 2),
        ("statistic", _) => json!("SampleCount"),
        ("stat", _) => json!("SampleCount"),
        ("extendedStatistic", _) => json!("p50"),
        ("unit", _) => json!("Percent"),
        ("comparisonOperator", _) => json!("LessThanThreshold"),
        ("treatMissingData", _) => json!("missing"),
        ("evaluateLowSampleCountPercentile", _) => json!("evaluate"),
        ("dimensions", _) => json!([{"Name": "Stage", "Value": "test"}]),
        ("alarmActions" | "okActions" | "insufficientDataActions", _) => json!([]),
        (_, Value::Bool(on)) => json!(!on),
        (_, Value::Number(n)) if n.is_i64() => json!(n.as_i64().unwrap() + 1),
        (_, Value::Number(n)) => json!(n.as_f64().unwrap() + 0.5),
        (_, Value::String(text)) => json!(format!("{text}2")),
        (field, value) => panic!("{field}: {value}"),
    }
}

fn database_member(w: &mut World, desired: &Tree, path: &FieldPath) -> Vec<FieldPath> {
    let members = match (desired["instance"].as_str(), desired["cluster"].as_str()) {
        (Some(id), _) => w.rds.instance_mut(id).unwrap(),
        (_, Some(id)) => w.rds.cluster_mut(id).unwrap(),
        _ => panic!("{desired}"),
    };
    let mut set = |member: &str, value: Value| members.insert(member.to_owned(), value);
    match last(path) {
        "backupRetentionDays" => set("BackupRetentionPeriod", json!(3)),
        "preferredBackupWindow" => set("PreferredBackupWindow", json!("12:00-13:00")),
        "preferredMaintenanceWindow" => {
            set("PreferredMaintenanceWindow", json!("tue:09:00-tue:10:00"))
        }
        _ => set(
            "DeletionProtection",
            json!(!desired["deletionProtection"].as_bool().unwrap()),
        ),
    };
    Vec::new()
}

fn table_protection(w: &mut World, desired: &Tree, _: &FieldPath) -> Vec<FieldPath> {
    let name = desired["tableName"].as_str().unwrap();
    let on = desired["deletionProtection"].as_bool().unwrap();
    w.dynamodb.table_mut(name).unwrap()["DeletionProtectionEnabled"] = json!(!on);
    Vec::new()
}

fn recovery(w: &mut World, desired: &Tree, path: &FieldPath) -> Vec<FieldPath> {
    let recovery = w
        .dynamodb
        .recovery_mut(desired["tableName"].as_str().unwrap());
    match last(path) {
        "enabled" => {
            recovery.since = None;
            // What is off has no period.
            vec![FieldPath::dotted("pointInTimeRecovery.recoveryPeriodDays")]
        }
        _ => {
            recovery.days = 10;
            Vec::new()
        }
    }
}
