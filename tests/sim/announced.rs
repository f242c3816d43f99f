//! Announced: whether a request does what its intent says, to the object that it says.

use serde_json::Value;

use super::ghost::Write;
use super::happening::{Sent, objects_of};

/// Where what a document says of a field stands in a request.
const MEMBERS: &[(&str, &str, &str)] = &[
    ("ecs.RegisterTaskDefinition", "/cpu", "spec.cpu"),
    ("ecs.RegisterTaskDefinition", "/memory", "spec.memory"),
    ("ecs.UpdateService", "/desiredCount", "spec.desiredCount"),
    (
        "ecs.UpdateService",
        "/healthCheckGracePeriodSeconds",
        "spec.healthCheckGracePeriodSeconds",
    ),
    ("ecs.TagResource", "/tags/0/value", "spec.tags.team"),
    (
        "application-autoscaling.RegisterScalableTarget",
        "/MinCapacity",
        "spec.scaling.minCapacity",
    ),
    (
        "application-autoscaling.RegisterScalableTarget",
        "/MaxCapacity",
        "spec.scaling.maxCapacity",
    ),
    ("cloudwatch.PutMetricAlarm", "/Threshold", "spec.threshold"),
    (
        "rds.ModifyDBInstance",
        "/BackupRetentionPeriod",
        "spec.backupRetentionDays",
    ),
    (
        "dynamodb.UpdateTable",
        "/DeletionProtectionEnabled",
        "spec.deletionProtection",
    ),
    (
        "dynamodb.UpdateContinuousBackups",
        "/PointInTimeRecoverySpecification/RecoveryPeriodInDays",
        "spec.pointInTimeRecovery.recoveryPeriodDays",
    ),
];

/// A value as text, however a protocol writes it: `256` and `"256"` are one size, `70` and `70.0` one
/// threshold.
fn plain(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.parse::<f64>()
        .map_or(text, |number| number.to_string())
}

/// What is sent otherwise than announced, if anything is.
pub fn otherwise(sent: &Sent, write: &Write, excused: bool) -> Option<String> {
    let under = |what: &str| {
        Some(format!(
            "{what} was sent under the intent of {} of {} to {}",
            write.operation, write.key, write.object
        ))
    };
    if write.operation != sent.operation || write.who != sent.who {
        return under(&sent.operation);
    }
    let announced = write.object.rsplit(['/', ':']).next().unwrap_or_default();
    let objects = objects_of(&sent.operation, &sent.input);
    if objects != [announced] {
        return under(&format!("{} of {objects:?}", sent.operation));
    }
    for (operation, member, path) in MEMBERS {
        let value = sent.input.pointer(member);
        let drift = write.drift.iter().find(|d| d.path.to_string() == *path);
        if let (Some(value), Some(drift), true) = (value, drift, *operation == sent.operation)
            && plain(value) != plain(&drift.desired)
        {
            let wanted = plain(&drift.desired);
            return under(&format!(
                "{path} {}, where {wanted} was wanted,",
                plain(value)
            ));
        }
    }
    write
        .outcome
        .filter(|_| !excused)
        .map(|o| format!("{} was sent after its outcome: {o:?}", sent.operation))
}
