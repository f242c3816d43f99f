//! Scaling: which writes bring a service's auto scaling in order, and what holds them back.
//!
//! Pure. All values are absolute; what AWS would replace whole is sent whole, with the live
//! members that no document names.

use std::collections::BTreeSet;

use serde_json::{Map, json};

use super::beside;
use super::bounds::{Bounds, declared, notes, until};
use super::decide::Draft;
use super::facts::{Action, Policy, Scaling};
use super::unmoved::Mark as _;
use super::view::POLICY_FIELDS;
use crate::kinds::Allow;
use crate::model::change::{Hold, Risk};
use crate::model::tree::Tree;

/// Decides on target, policies and scheduled actions.
pub fn decide(draft: &mut Draft<'_>) {
    let Some(bounds) = declared(draft.question.desired) else {
        return;
    };
    let facts = draft.facts;
    let Some(live) = &facts.scaling else {
        draft.hold(Hold::Unreadable {
            cause: "its auto scaling was not read".to_owned(),
        });
        return;
    };
    let told = notes(draft.question.desired, live, draft.question.now);
    draft.out.notes.extend(told);
    let unmanaged = beside::unmanaged(draft.question.desired, live);
    draft.out.beside.extend(unmanaged);
    target(draft, bounds, live);
    let target_missing = live.target.is_none()
        && !draft
            .out
            .steps
            .iter()
            .any(|s| s.operation.ends_with("RegisterScalableTarget"));
    for name in drifting(draft, "targetTracking") {
        // Without a target AWS takes neither policies nor actions; it comes first.
        if !target_missing {
            policy(draft, &name, live);
        }
    }
    for name in drifting(draft, "scheduled") {
        if !target_missing {
            action(draft, &name, live.actions.get(&name));
        }
    }
    doubles(draft, live);
}

/// `service/cluster/name`, Application Auto Scaling's word for the service.
pub fn resource_id(desired: &Tree) -> String {
    format!("service/{}", super::decide::object(desired))
}

/// The names of the entries of `scaling.<list>` that drift.
fn drifting(draft: &Draft<'_>, list: &str) -> BTreeSet<String> {
    draft
        .drift_of("scaling")
        .iter()
        .filter(|d| d.path.segments().get(2).is_some_and(|s| s == list))
        .filter_map(|d| d.path.segments().get(3).cloned())
        .collect()
}

fn target(draft: &mut Draft<'_>, bounds: Bounds, live: &Scaling) {
    let moves = draft.drift_of("scaling").iter().any(|d| {
        d.path
            .segments()
            .get(2)
            .is_some_and(|s| matches!(s.as_str(), "minCapacity" | "maxCapacity" | "count"))
    });
    if !moves {
        return;
    }
    let count = draft.facts.desired_count;
    let Bounds { min, max } = bounds;
    let clamped = count.clamp(min, max.max(min));
    let (risk, why) = if clamped < count {
        let risk = match clamped {
            0 => Risk::Destructive,
            _ => Risk::Disruptive,
        };
        (
            risk,
            format!(
                "the maximum {max} is below the live count {count}, so {} of its tasks are \
                 stopped at once",
                count - clamped
            ),
        )
    } else if clamped > count {
        (Risk::Routine, format!("tasks are added until {min} run"))
    } else {
        (
            Risk::Routine,
            "auto scaling gets its bounds; no task changes now".to_owned(),
        )
    };
    if risk == Risk::Destructive && draft.question.policy.destructive == Allow::No {
        // The rest is not kept waiting for a permission that it does not need.
        draft.hold(Hold::Destructive { why });
        return;
    }
    let why = match until(draft.question.desired, live, draft.question.now) {
        Some(at) => format!("{why}; the schedule sets other bounds at {at}"),
        None => why,
    };
    draft.risks.push((risk, why));
    let object = resource_id(draft.question.desired);
    let title = match &live.target {
        None => format!("let {object} scale between {min} and {max} tasks"),
        Some(t) if (t.min, t.max) == (min, max) => {
            format!("bring {object} from {count} to {clamped} tasks, by its own bounds")
        }
        Some(_) => format!("set the bounds of {object} to {min} and {max} tasks"),
    };
    let detail = json!({"resourceId": object, "minCapacity": min, "maxCapacity": max});
    let operation = "application-autoscaling.RegisterScalableTarget";
    draft.step(operation, object, title, detail);
}

fn entry<'d>(draft: &'d Draft<'_>, list: &str, name: &str) -> Option<&'d Map<String, Tree>> {
    let scaling = draft.question.desired.get("scaling")?;
    scaling.get(list)?.get(name)?.as_object()
}

fn policy(draft: &mut Draft<'_>, name: &str, live: &Scaling) {
    let Some(wanted) = entry(draft, "targetTracking", name).cloned() else {
        return;
    };
    let metric = wanted.get("metric").and_then(Tree::as_str).unwrap_or("");
    let there = live.policies.get(name);
    let follows_it = there.is_some_and(|there| follows(there, &wanted));
    if let Some(other) = same_metric(live, &wanted, name)
        && !follows_it
    {
        // AWS takes one policy for each metric, whether it is a new one or one that changes over.
        draft.hold(Hold::OwnedElsewhere {
            why: format!(
                "the live policy {other:?} follows {metric} already, so {name} cannot; write \
                 `policyName: {other}` in this entry to take it over, or delete it"
            ),
        });
        return;
    }
    if let Some(there) = there {
        if !there.unknown.is_empty() {
            draft.hold(Hold::UnknownLiveField {
                members: there.unknown.clone(),
            });
            return;
        }
        if there.policy_type != "TargetTrackingScaling" {
            draft.hold(Hold::Conflict {
                why: format!(
                    "the live policy {name:?} is of type {}, not TargetTrackingScaling; give this \
                     entry another `policyName`, or delete the live policy",
                    there.policy_type
                ),
            });
            return;
        }
    }
    let configuration = configuration(&wanted, there);
    let resource = resource_id(draft.question.desired);
    let detail = json!({
        "resourceId": resource,
        "policyName": name,
        "configuration": configuration,
        "from": there.map(Policy::mark),
    });
    let verb = if there.is_some() { "change" } else { "create" };
    let title = format!("{verb} scaling policy {name}");
    draft.risks.push((
        Risk::Routine,
        "auto scaling follows its policies from now on".to_owned(),
    ));
    draft.step(
        "application-autoscaling.PutScalingPolicy",
        format!("{resource}/{name}"),
        title,
        detail,
    );
}

/// The whole configuration to put: what is live, with what the document names over it.
fn configuration(wanted: &Map<String, Tree>, there: Option<&Policy>) -> Tree {
    let mut whole = there
        .and_then(|p| p.configuration.as_object().cloned())
        .unwrap_or_default();
    let metric = wanted.get("metric").cloned().unwrap_or(Tree::Null);
    let spec = whole
        .entry("PredefinedMetricSpecification")
        .or_insert_with(|| json!({}));
    if let Some(spec) = spec.as_object_mut() {
        if spec.get("PredefinedMetricType") != Some(&metric) {
            // A label belongs to the metric that it was written for.
            spec.remove("ResourceLabel");
        }
        spec.insert("PredefinedMetricType".into(), metric);
        if let Some(label) = wanted.get("resourceLabel") {
            spec.insert("ResourceLabel".into(), label.clone());
        }
    }
    // AWS takes one of the two; the document names a predefined one.
    whole.remove("CustomizedMetricSpecification");
    for (member, field) in POLICY_FIELDS {
        if let Some(value) = wanted.get(*field) {
            whole.insert((*member).into(), value.clone());
        }
    }
    Tree::Object(whole)
}

/// Another live policy on the metric of `wanted`.
fn same_metric<'l>(live: &'l Scaling, wanted: &Map<String, Tree>, name: &str) -> Option<&'l str> {
    live.policies
        .iter()
        .find(|(other, policy)| *other != name && follows(policy, wanted))
        .map(|(other, _)| other.as_str())
}

/// Whether a live policy follows the metric of `wanted`; of each target group there is another one.
fn follows(policy: &Policy, wanted: &Map<String, Tree>) -> bool {
    let text = |field| wanted.get(field).and_then(Tree::as_str);
    text("metric") == Some(policy.metric.as_str()) && text("resourceLabel") == policy.label()
}

/// Two live policies for one metric, one of them declared: in order, but worth telling.
fn doubles(draft: &mut Draft<'_>, live: &Scaling) {
    let declared = draft
        .question
        .desired
        .get("scaling")
        .and_then(|s| s.get("targetTracking"))
        .and_then(Tree::as_object);
    let notes: Vec<String> = declared
        .into_iter()
        .flatten()
        .filter_map(|(name, wanted)| {
            let wanted = wanted.as_object()?;
            live.policies.get(name).filter(|p| follows(p, wanted))?;
            let metric = wanted.get("metric")?.as_str()?;
            let other = same_metric(live, wanted, name)?;
            Some(format!(
                "two live policies follow {metric}: {name}, and {other}, which no document names"
            ))
        })
        .collect();
    draft.out.notes.extend(notes);
}

/// Why AWS refuses an action's bounds, if it does: a document names one, the other is live.
fn crossed(name: &str, bounds: Option<&Tree>) -> Option<String> {
    let of = |member: &str| bounds?.get(member)?.as_u64();
    let (min, max) = (of("MinCapacity")?, of("MaxCapacity")?);
    (min > max).then(|| {
        format!(
            "scheduled action {name} would have minCapacity {min} above maxCapacity {max}, one of \
             them from the live action, which AWS refuses; name both in the document"
        )
    })
}

/// The worst that an action can do: AWS fires it in the night, and asks nobody then.
fn firing_risk(name: &str, bounds: Option<&Tree>) -> (Risk, String) {
    let most = bounds
        .and_then(|b| b.get("MaxCapacity"))
        .and_then(Tree::as_u64);
    if most == Some(0) {
        let why = "stops every task of the service when it fires, by its maxCapacity 0";
        return (Risk::Destructive, format!("scheduled action {name} {why}"));
    }
    let why = "scheduled actions change nothing before they fire";
    (Risk::Routine, why.to_owned())
}

fn action(draft: &mut Draft<'_>, name: &str, there: Option<&Action>) {
    let Some(wanted) = entry(draft, "scheduled", name).cloned() else {
        return;
    };
    if let Some(there) = there.filter(|t| !t.unknown.is_empty()) {
        draft.hold(Hold::UnknownLiveField {
            members: there.unknown.clone(),
        });
        return;
    }
    // Put replaces: start and end that are not sent are deleted, so all that is live goes along.
    let mut whole = Map::new();
    if let Some(raw) = there.and_then(|t| t.raw.as_object()) {
        let kept = [
            "Schedule",
            "Timezone",
            "StartTime",
            "EndTime",
            "ScalableTargetAction",
        ];
        for member in kept {
            if let Some(value) = raw.get(member) {
                whole.insert(member.into(), value.clone());
            }
        }
    }
    let bounds = whole
        .entry("ScalableTargetAction")
        .or_insert_with(|| json!({}));
    if let Some(bounds) = bounds.as_object_mut() {
        for (field, member) in [
            ("minCapacity", "MinCapacity"),
            ("maxCapacity", "MaxCapacity"),
        ] {
            if let Some(value) = wanted.get(field) {
                bounds.insert(member.into(), value.clone());
            }
        }
    }
    for (field, member) in [("schedule", "Schedule"), ("timezone", "Timezone")] {
        if let Some(value) = wanted.get(field) {
            whole.insert(member.into(), value.clone());
        }
    }
    if let Some(why) = crossed(name, whole.get("ScalableTargetAction")) {
        draft.hold(Hold::Conflict { why });
        return;
    }
    let risk = firing_risk(name, whole.get("ScalableTargetAction"));
    if let (Risk::Destructive, why) = &risk
        && draft.question.policy.destructive == Allow::No
    {
        draft.hold(Hold::Destructive { why: why.clone() });
        return;
    }
    let rate = wanted
        .get("schedule")
        .and_then(Tree::as_str)
        .is_some_and(|s| s.starts_with("rate("));
    if rate {
        whole.remove("Timezone");
    }
    let resource = resource_id(draft.question.desired);
    let detail = json!({
        "resourceId": resource,
        "scheduledActionName": name,
        "members": whole,
        "from": there.map(Action::mark),
    });
    let verb = if there.is_some() { "change" } else { "create" };
    let title = format!("{verb} scheduled action {name}");
    draft.risks.push(risk);
    draft.step(
        "application-autoscaling.PutScheduledAction",
        format!("{resource}/{name}"),
        title,
        detail,
    );
}
