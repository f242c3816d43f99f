//! Stakes of a service's fields: how each compares, what it puts at risk, and which calls change it.
//!
//! Pure: data, and one look-up in it.

use crate::kinds::{Compare, FieldRule};
use crate::model::stake::{Stake, Stakes};
use crate::model::tree::FieldPath;

const fn exact(path: &'static str, stake: Stake) -> FieldRule {
    FieldRule::exact(path, stake)
}

/// A number of which too little is an outage and too much a bill.
const fn amount(path: &'static str) -> FieldRule {
    FieldRule::amount(path, Stake::Availability, Stake::Cost)
}

/// Every field that a document may own, in the shape of the desired tree.
pub static RULES: &[FieldRule] = &[
    FieldRule::new(
        "scaling.count",
        Compare::Band,
        Stakes::either(Stake::Availability, Stake::Cost),
    ),
    // Tasks that are kept busier than wanted, or idler.
    FieldRule::new(
        "scaling.targetTracking.*.targetValue",
        Compare::Number,
        Stakes::either(Stake::Cost, Stake::Availability),
    ),
    amount("desiredCount"),
    amount("cpu"),
    amount("memory"),
    amount("containers.*.cpu"),
    amount("containers.*.memory"),
    amount("containers.*.memoryReservation"),
    amount("scaling.minCapacity"),
    amount("scaling.maxCapacity"),
    exact("scaling.targetTracking.*.metric", Stake::Availability),
    exact(
        "scaling.targetTracking.*.resourceLabel",
        Stake::Availability,
    ),
    exact("scaling.targetTracking.*.scaleInCooldown", Stake::Cost),
    exact(
        "scaling.targetTracking.*.scaleOutCooldown",
        Stake::Availability,
    ),
    exact("scaling.targetTracking.*.disableScaleIn", Stake::Cost),
    exact("scaling.scheduled.*.schedule", Stake::Availability),
    exact("scaling.scheduled.*.timezone", Stake::Availability),
    amount("scaling.scheduled.*.minCapacity"),
    amount("scaling.scheduled.*.maxCapacity"),
    exact("deployment.minimumHealthyPercent", Stake::Availability),
    exact("deployment.maximumPercent", Stake::Availability),
    exact("deployment.circuitBreaker.enable", Stake::Availability),
    exact("deployment.circuitBreaker.rollback", Stake::Availability),
    exact("healthCheckGracePeriodSeconds", Stake::Availability),
    exact("tags.*", Stake::Cosmetic),
];

/// The calls that can have changed the field at `path`, from the root.
pub fn changed_by(path: &FieldPath) -> &'static [&'static str] {
    let names: Vec<&str> = path.segments().iter().map(String::as_str).collect();
    match names.get(1..).unwrap_or_default() {
        ["scaling", "targetTracking", ..] => &[
            "application-autoscaling.PutScalingPolicy",
            "application-autoscaling.DeleteScalingPolicy",
            "application-autoscaling.DeregisterScalableTarget",
        ],
        ["scaling", "scheduled", ..] => &[
            "application-autoscaling.PutScheduledAction",
            "application-autoscaling.DeleteScheduledAction",
            "application-autoscaling.DeregisterScalableTarget",
        ],
        ["scaling", "count", ..] => &["ecs.UpdateService"],
        ["scaling", ..] => &[
            "application-autoscaling.RegisterScalableTarget",
            "application-autoscaling.DeregisterScalableTarget",
        ],
        ["tags", ..] => &["ecs.TagResource", "ecs.UntagResource"],
        ["alarms", ..] => &["cloudwatch.PutMetricAlarm"],
        [_, ..] => &["ecs.UpdateService"],
        [] => &["ecs.DeleteService"],
    }
}

/// Members of UpdateService, one of which it sets to change the field at `path`.
pub fn set_by(path: &FieldPath) -> &'static [&'static str] {
    let names: Vec<&str> = path.segments().iter().map(String::as_str).collect();
    match names.get(1..).unwrap_or_default() {
        ["desiredCount"] | ["scaling", "count", ..] => &["desiredCount"],
        ["cpu" | "memory" | "containers", ..] => &["taskDefinition"],
        ["deployment", ..] => &["deploymentConfiguration"],
        ["healthCheckGracePeriodSeconds"] => &["healthCheckGracePeriodSeconds"],
        _ => &[],
    }
}

/// The policy, scheduled action or tag that such a call names.
pub fn named_in_call(path: &FieldPath) -> Option<&str> {
    let names: Vec<&str> = path.segments().iter().map(String::as_str).collect();
    match names.get(1..).unwrap_or_default() {
        ["scaling", "targetTracking" | "scheduled", name, ..] | ["tags" | "alarms", name] => {
            Some(name)
        }
        _ => None,
    }
}
