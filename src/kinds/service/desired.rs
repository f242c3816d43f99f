//! The desired tree of a Service document: its fields, names defaulted, lists as maps by name.
//!
//! Pure.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::{Map, json};

use super::spec::{ScalingSpec, ScheduledSpec, ServiceSpec, TargetTrackingSpec};
use super::view::spaced;
use crate::model::document::Document;
use crate::model::tree::{Tree, to_tree};

/// The document's spec.
///
/// # Errors
/// What does not fit its type; the schema's check has found it before.
pub fn spec(document: &Document) -> Result<ServiceSpec, String> {
    ServiceSpec::deserialize(&document.spec).map_err(|e| e.to_string())
}

/// The live service's name.
pub fn service_name(document: &Document, spec: &ServiceSpec) -> String {
    spec.service_name
        .clone()
        .unwrap_or_else(|| document.key.name.clone())
}

/// A policy's name at AWS.
pub fn policy_name(service: &str, policy: &TargetTrackingSpec) -> String {
    policy
        .policy_name
        .clone()
        .unwrap_or_else(|| format!("{service}-{}", policy.name))
}

/// What the document wants, in the shape of the live view. Null for a document that does not
/// fit its type, which the check has refused.
pub fn desired(document: &Document) -> Tree {
    let Ok(spec) = spec(document) else {
        return Tree::Null;
    };
    let name = service_name(document, &spec);
    // Every field by name, so that a new one cannot be forgotten here.
    let ServiceSpec {
        cluster,
        service_name: _,
        launch_type: _,
        desired_count,
        cpu,
        memory,
        containers,
        deployment,
        health_check_grace_period_seconds,
        tags,
        scaling,
    } = spec;
    let fields = [
        ("cluster", Some(json!(cluster))),
        ("serviceName", Some(json!(name))),
        ("desiredCount", desired_count.map(|n| json!(n))),
        ("cpu", cpu.map(|n| json!(n))),
        ("memory", memory.map(|n| json!(n))),
        ("containers", containers.map(|c| to_tree(&c))),
        ("deployment", deployment.map(|d| to_tree(&d))),
        (
            "healthCheckGracePeriodSeconds",
            health_check_grace_period_seconds.map(|n| json!(n)),
        ),
        ("tags", tags.map(|t| to_tree(&t))),
        ("scaling", scaling.map(|s| desired_scaling(&s, &name))),
    ];
    Tree::Object(present(fields))
}

fn present<const N: usize>(fields: [(&str, Option<Tree>); N]) -> Map<String, Tree> {
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

fn desired_scaling(scaling: &ScalingSpec, service: &str) -> Tree {
    let ScalingSpec {
        min_capacity,
        max_capacity,
        target_tracking,
        scheduled,
    } = scaling;
    let policies = target_tracking.as_ref().map(|policies| {
        let map: BTreeMap<String, Tree> = policies
            .iter()
            .map(|p| (policy_name(service, p), desired_policy(p)))
            .collect();
        json!(map)
    });
    let actions = scheduled.as_ref().map(|actions| {
        let map: BTreeMap<String, Tree> = actions
            .iter()
            .map(|a| (a.name.clone(), desired_action(a)))
            .collect();
        json!(map)
    });
    Tree::Object(present([
        ("minCapacity", Some(json!(min_capacity))),
        ("maxCapacity", Some(json!(max_capacity))),
        (
            "count",
            Some(json!({"min": min_capacity, "max": max_capacity})),
        ),
        ("targetTracking", policies),
        ("scheduled", actions),
    ]))
}

fn desired_policy(policy: &TargetTrackingSpec) -> Tree {
    let TargetTrackingSpec {
        name: _,
        policy_name: _,
        metric,
        resource_label,
        target_value,
        scale_in_cooldown,
        scale_out_cooldown,
        disable_scale_in,
    } = policy;
    Tree::Object(present([
        ("metric", Some(to_tree(metric))),
        ("resourceLabel", resource_label.as_ref().map(|l| json!(l))),
        ("targetValue", Some(json!(target_value))),
        ("scaleInCooldown", scale_in_cooldown.map(|n| json!(n))),
        ("scaleOutCooldown", scale_out_cooldown.map(|n| json!(n))),
        ("disableScaleIn", disable_scale_in.map(|b| json!(b))),
    ]))
}

fn desired_action(action: &ScheduledSpec) -> Tree {
    let ScheduledSpec {
        name: _,
        schedule,
        timezone,
        min_capacity,
        max_capacity,
    } = action;
    Tree::Object(present([
        ("schedule", Some(json!(spaced(schedule)))),
        ("timezone", timezone.as_ref().map(|z| json!(z))),
        ("minCapacity", min_capacity.map(|n| json!(n))),
        ("maxCapacity", max_capacity.map(|n| json!(n))),
    ]))
}
