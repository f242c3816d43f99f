//! What a Service document says of a live service. Pure: a live object in, a spec out.

use std::collections::BTreeMap;

use serde_json::json;

use super::decide::forbidden;
use super::facts::{Action, Facts, Policy, Revision, Scaling, Target};
use super::rules::tag_fault;
use super::schedule::Schedule;
use super::size::fargate_fault;
use super::view::{POLICY_FIELDS, spaced};
use crate::kinds::Found;
use crate::model::tree::Tree;
use crate::model::written::{Fields, Piece, Written};

/// Predefined metrics that a document can name (API model, MetricType).
const METRICS: [&str; 3] = [
    "ALBRequestCountPerTarget",
    "ECSServiceAverageCPUUtilization",
    "ECSServiceAverageMemoryUtilization",
];
/// Most characters of a policy's short name.
const SHORT_NAME: usize = 200;

/// What a look has to ask for in order to see all of a service: names, size, tags and scaling.
pub fn sought(cluster: &str, service: &str) -> Tree {
    json!({"cluster": cluster, "serviceName": service, "containers": {}, "tags": {}, "scaling": {}})
}

/// Count or scaling, size, deployment, grace period and tags.
pub fn written(found: &Found<'_>) -> Result<Written, String> {
    let view = &found.live.view;
    let facts = Facts::of(found.live).ok_or("was read by another version of evenkeel")?;
    if facts.status != "ACTIVE" {
        return Err(format!("is {}: being deleted, or deleted", facts.status));
    }
    if let Some(why) = forbidden(&facts) {
        return Err(format!("cannot be kept: {why}"));
    }
    let name = found.by["serviceName"].as_str().unwrap_or_default();
    let mut written = Written::default();
    written.put_some("cluster", found.by["cluster"].as_str());
    if name != found.key.name {
        written.put("serviceName", name);
    }
    if let Some(revision) = &facts.revision {
        size(&mut written, revision);
    }
    deployment(&mut written, view, &facts);
    let grace = view["healthCheckGracePeriodSeconds"].as_u64();
    written.put_some("healthCheckGracePeriodSeconds", grace.filter(|n| *n > 0));
    tags(&mut written, view);
    let scaling = facts.scaling.clone().unwrap_or_default();
    match &scaling.target {
        Some(target) => {
            let fields = fields_of(&mut written, name, target, &scaling);
            written.put("scaling", Piece::Map(fields));
        }
        None => {
            written.put("desiredCount", facts.desired_count);
            let stray = scaling.policies.keys().chain(scaling.actions.keys());
            written.beyond.extend(stray.map(|name| {
                format!("auto scaling has {name:?} for it, which is idle without a scalable target")
            }));
        }
    }
    Ok(written)
}

fn size(written: &mut Written, revision: &Revision) {
    let on = |name: &str| revision.requires.iter().any(|r| r == name);
    let fault = fargate_fault(revision.cpu, revision.memory);
    if !on("FARGATE") {
        // Only whether Fargate's sizes are asked for; never written to AWS.
        let kind = if on("EXTERNAL") && !on("EC2") {
            "EXTERNAL"
        } else {
            "EC2"
        };
        if fault.is_some() {
            written.put("launchType", kind);
        }
    } else if let Some(fault) = fault {
        written.beyond.push(format!(
            "its size is one that this build does not know: {fault}"
        ));
        return;
    }
    written.put_some("cpu", revision.cpu);
    written.put_some("memory", revision.memory);
    let containers: Fields = revision
        .containers
        .iter()
        .filter_map(|(name, limits)| {
            let limits = [
                ("cpu", Some(limits.cpu).filter(|n| *n > 0)),
                ("memory", limits.memory),
                ("memoryReservation", limits.memory_reservation),
            ];
            let fields: Fields = limits
                .into_iter()
                .filter_map(|(field, n)| Some((field.to_owned(), Piece::from(n?))))
                .collect();
            (!fields.is_empty()).then(|| (name.clone(), Piece::Map(fields)))
        })
        .collect();
    if !containers.is_empty() {
        written.put("containers", Piece::Map(containers));
    }
}

fn deployment(written: &mut Written, view: &Tree, facts: &Facts) {
    let live = &view["deployment"];
    let mut fields: Fields = Vec::new();
    // The defaults are those of a REPLICA service (API reference, DeploymentConfiguration).
    for (field, default) in [("minimumHealthyPercent", 100), ("maximumPercent", 200)] {
        if let Some(n) = live[field].as_u64().filter(|n| *n != default) {
            fields.push((field.to_owned(), n.into()));
        }
    }
    let breaker = &live["circuitBreaker"];
    let on = |field: &str| breaker[field].as_bool() == Some(true);
    if on("enable") || on("rollback") {
        let both = ["enable", "rollback"].map(|f| (f.to_owned(), Piece::from(on(f))));
        fields.push(("circuitBreaker".to_owned(), Piece::Map(both.to_vec())));
    }
    if !fields.is_empty() {
        written.put("deployment", Piece::Map(fields));
    }
    let said = [
        "deploymentCircuitBreaker",
        "maximumPercent",
        "minimumHealthyPercent",
    ];
    let members = facts
        .deployment_configuration
        .as_object()
        .into_iter()
        .flatten();
    let others: Vec<&str> = members
        .filter(|(name, value)| !said.contains(&name.as_str()) && **value != json!("ROLLING"))
        .filter(|(_, value)| !is_idle(value))
        .map(|(name, _)| name.as_str())
        .collect();
    if !others.is_empty() {
        written.beyond.push(format!(
            "its deployment configuration also sets {}, which is kept as it is",
            others.join(", ")
        ));
    }
}

/// What AWS shows of something that is not in use: `{"enable": false, "rollback": false}`.
fn is_idle(value: &Tree) -> bool {
    match value {
        Tree::Null | Tree::Bool(false) => true,
        Tree::Number(n) => n.as_f64() == Some(0.0),
        Tree::Array(items) => items.is_empty(),
        Tree::Object(members) => members.values().all(is_idle),
        _ => false,
    }
}

fn tags(written: &mut Written, view: &Tree) {
    let tags = view["tags"].as_object().into_iter().flatten();
    let mut fields: Fields = Vec::new();
    for (key, value) in tags.filter(|(key, _)| !key.starts_with("aws:")) {
        let value = value.as_str().unwrap_or_default();
        match tag_fault(key, value) {
            None => fields.push((key.clone(), value.into())),
            Some((fault, _)) => written.beyond.push(fault),
        }
    }
    if !fields.is_empty() {
        written.put("tags", Piece::Map(fields));
    }
}

fn fields_of(written: &mut Written, service: &str, target: &Target, scaling: &Scaling) -> Fields {
    let mut fields: Fields = vec![
        ("minCapacity".to_owned(), target.min.into()),
        ("maxCapacity".to_owned(), target.max.into()),
    ];
    if !target.suspended.is_empty() {
        written.beyond.push(format!(
            "an operator has suspended {}, which is left so",
            target.suspended.join(", ")
        ));
    }
    let mut policies = Vec::new();
    for (name, policy) in &scaling.policies {
        match tracking(service, name, policy) {
            Ok(fields) => policies.push(Piece::Map(fields)),
            Err(why) => written.beyond.push(format!("its policy {name:?} {why}")),
        }
    }
    if !policies.is_empty() {
        fields.push(("targetTracking".to_owned(), Piece::List(policies)));
    }
    let mut actions = Vec::new();
    for (name, action) in &scaling.actions {
        match scheduled(name, action, target, &scaling.actions) {
            Ok(fields) => actions.push(Piece::Map(fields)),
            Err(why) => written
                .beyond
                .push(format!("its scheduled action {name:?} {why}")),
        }
        for (when, at) in [("from", action.start), ("until", action.end)] {
            if let Some(at) = at {
                written.beyond.push(format!(
                    "its scheduled action {name:?} fires only {when} {at}, which is kept as it is"
                ));
            }
        }
    }
    if !actions.is_empty() {
        written.beyond.push(
            "`minCapacity` and `maxCapacity` are those of now, which a scheduled action may have \
             set: write those that are to hold while none has"
                .to_owned(),
        );
        fields.push(("scheduled".to_owned(), Piece::List(actions)));
    }
    fields
}

fn tracking(service: &str, name: &str, policy: &Policy) -> Result<Fields, String> {
    if policy.policy_type != "TargetTrackingScaling" {
        return Err(format!(
            "is of the type {}, which is left as it is",
            policy.policy_type
        ));
    }
    if !METRICS.contains(&policy.metric.as_str()) {
        return Err("follows a metric of its own, and is left as it is".to_owned());
    }
    // AWS shows a predefined metric and a customized one never together.
    let known = ["PredefinedMetricSpecification"];
    let others = policy.configuration.as_object().into_iter().flatten();
    let others: Vec<&str> = others
        .map(|(member, _)| member.as_str())
        .filter(|m| !known.contains(m) && POLICY_FIELDS.iter().all(|(member, _)| member != m))
        .chain(policy.unknown.iter().map(String::as_str))
        .collect();
    if !others.is_empty() {
        return Err(format!(
            "has members that this build does not know ({}), and is left as it is",
            others.join(", ")
        ));
    }
    let short = name.strip_prefix(&format!("{service}-"));
    let short = short.filter(|s| !s.is_empty() && s.chars().count() <= SHORT_NAME);
    let mut fields: Fields = Vec::new();
    let mut put = |field: &str, value: Piece| fields.push((field.to_owned(), value));
    match short {
        Some(short) => put("name", short.into()),
        None => {
            let short: String = name.chars().take(SHORT_NAME).collect();
            put("name", short.as_str().into());
            put("policyName", name.into());
        }
    }
    put("metric", policy.metric.as_str().into());
    if let Some(label) = policy.label() {
        put("resourceLabel", label.into());
    }
    for (member, field) in POLICY_FIELDS {
        match policy.configuration.get(member) {
            None | Some(Tree::Null | Tree::Bool(false)) => {}
            Some(value) => put(field, Piece::Scalar(value.clone())),
        }
    }
    Ok(fields)
}

fn scheduled(
    name: &str,
    action: &Action,
    target: &Target,
    all: &BTreeMap<String, Action>,
) -> Result<Fields, String> {
    let zone = action.timezone.as_deref().filter(|zone| *zone != "UTC");
    let zone = zone.filter(|_| !action.schedule.trim_start().starts_with("rate("));
    if Schedule::parse(&action.schedule, zone).is_err() {
        return Err(format!(
            "has the schedule {:?}, which this build cannot read; it is left as it is",
            action.schedule
        ));
    }
    if action.min.is_none() && action.max.is_none() {
        return Err("sets no bound, and is left as it is".to_owned());
    }
    // One bound alone has to go with the other one, which another action may move first.
    let min = action.min.unwrap_or(target.min);
    let max = action.max.unwrap_or(target.max);
    let has_room = all.values().any(|other| match (action.min, action.max) {
        (Some(min), None) => other.min.is_none() && other.max.is_some_and(|m| m >= min),
        (None, Some(max)) => other.max.is_none() && other.min.is_some_and(|m| m <= max),
        _ => false,
    });
    if min > max && !has_room {
        return Err(format!(
            "would set bounds of {min} to {max}, which AWS skips; it is left as it is"
        ));
    }
    let mut fields: Fields = vec![
        ("name".to_owned(), name.into()),
        ("schedule".to_owned(), spaced(&action.schedule).into()),
    ];
    if let Some(zone) = zone {
        fields.push(("timezone".to_owned(), zone.into()));
    }
    for (field, bound) in [("minCapacity", action.min), ("maxCapacity", action.max)] {
        if let Some(bound) = bound {
            fields.push((field.to_owned(), bound.into()));
        }
    }
    Ok(fields)
}
