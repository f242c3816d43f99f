//! Mends: which of a service's drift each of its writes brings in order.
//!
//! Pure.

use crate::model::change::{Drift, Step};
use crate::model::tree::Tree;

/// The part of `drift` that `step` mends.
pub(super) fn mends(step: &Step, drift: &[Drift]) -> Vec<Drift> {
    let named = |member: &str| {
        step.detail
            .get(member)
            .and_then(Tree::as_str)
            .unwrap_or_default()
    };
    let here = |path: &[String]| {
        let below: Vec<&str> = path.iter().skip(1).map(String::as_str).collect();
        match (step.operation.as_str(), below.as_slice()) {
            ("ecs.TagResource", ["tags", ..])
            | (
                "application-autoscaling.RegisterScalableTarget",
                ["scaling", "minCapacity" | "maxCapacity" | "count", ..],
            )
            | ("ecs.RegisterTaskDefinition", ["cpu" | "memory" | "containers", ..]) => true,
            (
                "application-autoscaling.PutScalingPolicy",
                ["scaling", "targetTracking", name, ..],
            ) => *name == named("policyName"),
            ("application-autoscaling.PutScheduledAction", ["scaling", "scheduled", name, ..]) => {
                *name == named("scheduledActionName")
            }
            ("ecs.UpdateService", [first, ..]) => !matches!(*first, "tags" | "scaling"),
            _ => false,
        }
    };
    drift
        .iter()
        .filter(|d| here(d.path.segments()))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::tree::FieldPath;

    #[test]
    fn each_write_mends_its_own_part_and_all_together_all_of_it() {
        let paths = [
            "spec.containers.app.memory",
            "spec.cpu",
            "spec.healthCheckGracePeriodSeconds",
            "spec.scaling.count",
            "spec.scaling.scheduled.days.maxCapacity",
            "spec.scaling.scheduled.nights.maxCapacity",
            "spec.scaling.targetTracking.web-cpu.targetValue",
            "spec.scaling.targetTracking.web-memory.targetValue",
            "spec.tags.team",
        ];
        let drift: Vec<Drift> = paths
            .iter()
            .map(|path| Drift {
                path: FieldPath::dotted(path),
                desired: json!(1),
                live: json!(2),
            })
            .collect();
        let of = |operation: &str, detail: Tree| -> Vec<String> {
            let step = Step {
                operation: operation.into(),
                object: "main/web".into(),
                title: String::new(),
                detail,
            };
            let mended = mends(&step, &drift);
            mended.iter().map(|d| d.path.to_string()).collect()
        };
        let scaling = |name: &str| format!("application-autoscaling.{name}");
        assert_eq!(of("ecs.TagResource", json!({})), paths[8..]);
        assert_eq!(
            of(&scaling("RegisterScalableTarget"), json!({})),
            paths[3..4]
        );
        assert_eq!(
            of(
                &scaling("PutScalingPolicy"),
                json!({"policyName": "web-memory"})
            ),
            paths[7..8]
        );
        assert_eq!(
            of(
                &scaling("PutScheduledAction"),
                json!({"scheduledActionName": "days"})
            ),
            paths[4..5]
        );
        assert_eq!(of("ecs.RegisterTaskDefinition", json!({})), paths[..2]);
        assert_eq!(of("ecs.UpdateService", json!({})), paths[..3]);
    }
}
