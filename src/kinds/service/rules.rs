//! Rules over one Service document: what is wrong with it beyond its shape.

use std::collections::BTreeMap;

use super::desired::{policy_name, service_name, spec};
use super::schedule::{BadSchedule, Schedule};
use super::size::fargate_fault;
use super::spec::{LaunchType, Metric, ScalingSpec, ScheduledSpec, ServiceSpec};
use crate::model::document::Document;
use crate::model::finding::Finding;
use crate::model::tree::to_tree;

/// Everything that is wrong with the document beyond its shape.
pub fn check(document: &Document) -> Vec<Finding> {
    let spec = match spec(document) {
        Ok(spec) => spec,
        Err(cause) => {
            return vec![
                Finding::error("wrong-shape", format!("{}: {cause}", document.key))
                    .help("compare it with `evenkeel schema` or the reference page of Service")
                    .at(document.span_of(""))
                    .of(&document.key),
            ];
        }
    };
    let mut findings = Findings {
        document,
        found: Vec::new(),
    };
    findings.count(&spec);
    findings.size(&spec);
    findings.deployment(&spec);
    findings.tags(&spec);
    if let Some(scaling) = &spec.scaling {
        findings.scaling(scaling, &service_name(document, &spec));
    }
    findings.found
}

struct Findings<'a> {
    document: &'a Document,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn error(&mut self, rule: &str, path: &str, message: String, help: &str) {
        self.push(Finding::error(rule, self.named(message)), path, help);
    }

    fn warning(&mut self, rule: &str, path: &str, message: String, help: &str) {
        self.push(Finding::warning(rule, self.named(message)), path, help);
    }

    fn named(&self, message: String) -> String {
        format!("{}: {message}", self.document.key)
    }

    fn push(&mut self, finding: Finding, path: &str, help: &str) {
        self.found.push(
            finding
                .help(help)
                .at(self.document.span_of(path))
                .of(&self.document.key),
        );
    }

    fn count(&mut self, spec: &ServiceSpec) {
        if spec.desired_count.is_some() && spec.scaling.is_some() {
            self.error(
                "count-owned-twice",
                "desiredCount",
                "`desiredCount` and `scaling` both own the number of tasks".to_owned(),
                "choose one: `desiredCount` for a fixed number, `scaling` for bounds between \
                 which Application Auto Scaling moves",
            );
        }
    }

    fn size(&mut self, spec: &ServiceSpec) {
        let fargate = spec.launch_type.unwrap_or(LaunchType::Fargate) == LaunchType::Fargate;
        if fargate && let Some(fault) = fargate_fault(spec.cpu, spec.memory) {
            let path = match (spec.cpu, spec.memory) {
                (Some(cpu), Some(_)) if fargate_fault(Some(cpu), None).is_none() => "memory",
                (Some(_), _) => "cpu",
                _ => "memory",
            };
            self.error(
                "fargate-size",
                path,
                fault,
                "take one of the sizes named, or say `launchType: EC2` if the tasks do not run on \
                 Fargate",
            );
        }
        for (name, limits) in spec.containers.iter().flatten() {
            let path = format!("containers.{name}");
            if let (Some(hard), Some(soft)) = (limits.memory, limits.memory_reservation)
                && hard < soft
            {
                self.error(
                    "container-limits",
                    &path,
                    format!(
                        "container {name}'s memory {hard} is below its memoryReservation {soft}"
                    ),
                    "the hard limit `memory` has to be the greater one",
                );
            }
            for (what, own, task) in [
                ("memory", limits.memory, spec.memory),
                ("memoryReservation", limits.memory_reservation, spec.memory),
                ("cpu", limits.cpu, spec.cpu),
            ] {
                if let (Some(own), Some(task)) = (own, task)
                    && own > task
                {
                    self.error(
                        "container-limits",
                        &path,
                        format!("container {name}'s {what} {own} is above the task's {task}"),
                        "lower the container's limit or raise the task's size",
                    );
                }
            }
        }
    }

    fn deployment(&mut self, spec: &ServiceSpec) {
        if let Some(deployment) = &spec.deployment
            && deployment.minimum_healthy_percent == Some(100)
            && deployment.maximum_percent == Some(100)
        {
            self.error(
                "deployment-stuck",
                "deployment",
                "with minimumHealthyPercent 100 and maximumPercent 100 no task can ever be \
                 replaced"
                    .to_owned(),
                "lower the minimum or raise the maximum",
            );
        }
    }

    fn tags(&mut self, spec: &ServiceSpec) {
        for (key, value) in spec.tags.iter().flatten() {
            let fault = if key.is_empty() || key.chars().count() > 128 {
                Some(format!("tag key {key:?} is not 1 to 128 characters long"))
            } else if key.to_ascii_lowercase().starts_with("aws:") {
                Some(format!(
                    "tag key {key:?} begins with aws:, which only AWS sets"
                ))
            } else if value.chars().count() > 256 {
                Some(format!(
                    "the value of tag {key:?} is longer than 256 characters"
                ))
            } else {
                [key, value]
                    .into_iter()
                    .find(|text| !text.chars().all(taggable))
                    .map(|text| format!("{text:?} has characters that tags cannot hold"))
            };
            if let Some(fault) = fault {
                self.error(
                    "bad-tag",
                    &format!("tags.{key}"),
                    fault,
                    "tags hold letters, digits, spaces and + - = . _ : / @",
                );
            }
        }
        if spec.tags.as_ref().is_some_and(|tags| tags.len() > 50) {
            self.error(
                "bad-tag",
                "tags",
                "a service has at most 50 tags".to_owned(),
                "name fewer tags",
            );
        }
    }

    fn scaling(&mut self, scaling: &ScalingSpec, service: &str) {
        if scaling.min_capacity > scaling.max_capacity {
            self.bounds("scaling", scaling.min_capacity, scaling.max_capacity);
        }
        let policies = scaling.target_tracking.as_deref().unwrap_or_default();
        let mut metrics = BTreeMap::new();
        let mut names = BTreeMap::new();
        for (at, policy) in policies.iter().enumerate() {
            let path = format!("scaling.targetTracking.{at}");
            let name = policy_name(service, policy);
            self.unique(&mut names, &name, "policies", &path, at);
            if policy.target_value <= 0.0 || !policy.target_value.is_finite() {
                self.error(
                    "target-value",
                    &format!("{path}.targetValue"),
                    format!("policy {}: targetValue must be above 0", policy.name),
                    "write the value that the metric shall be held at, such as 70",
                );
            }
            // Of each target group there is another metric.
            let mut metric = to_tree(&policy.metric).to_string();
            if let Some(label) = &policy.resource_label {
                metric = format!("{metric} of {label}");
            }
            self.unique(&mut metrics, &metric, "policies for one metric", &path, at);
            match (policy.metric, &policy.resource_label) {
                (Metric::Requests, None) => self.error(
                    "resource-label",
                    &path,
                    format!(
                        "policy {}: ALBRequestCountPerTarget needs `resourceLabel`",
                        policy.name
                    ),
                    "write app/<name>/<id>/targetgroup/<name>/<id>, from the ends of the two ARNs",
                ),
                (Metric::Cpu | Metric::Memory, Some(_)) => self.error(
                    "resource-label",
                    &format!("{path}.resourceLabel"),
                    format!(
                        "policy {}: only ALBRequestCountPerTarget takes `resourceLabel`",
                        policy.name
                    ),
                    "take it out",
                ),
                _ => {}
            }
        }
        let actions = scaling.scheduled.as_deref().unwrap_or_default();
        let mut names = BTreeMap::new();
        for (at, action) in actions.iter().enumerate() {
            let path = format!("scaling.scheduled.{at}");
            self.unique(&mut names, &action.name, "scheduled actions", &path, at);
            self.action(action, scaling, &path);
        }
        if let [alone] = actions {
            self.warning(
                "lone-schedule",
                "scaling.scheduled.0",
                format!(
                    "scheduled action {} has no counterpart: its bounds stay in force for ever, \
                     since nothing sets them back to those of `scaling`",
                    alone.name
                ),
                "add a second action that sets the other bounds, such as `days` beside `nights`",
            );
        }
    }

    fn action(&mut self, action: &ScheduledSpec, scaling: &ScalingSpec, path: &str) {
        if action.min_capacity.is_none() && action.max_capacity.is_none() {
            self.error(
                "empty-action",
                path,
                format!("scheduled action {} sets no bound", action.name),
                "set minCapacity, maxCapacity or both",
            );
        }
        self.crossing(action, scaling, path);
        let help = "minutes hours day-of-month month day-of-week year, one day field being `?`: \
                    cron(0 20 * * ? *) is 20:00 every day";
        match Schedule::parse(&action.schedule, action.timezone.as_deref()) {
            Ok(_) => {}
            Err(BadSchedule::Expression(cause)) => self.error(
                "bad-schedule",
                &format!("{path}.schedule"),
                format!("scheduled action {}: {cause}", action.name),
                help,
            ),
            Err(BadSchedule::Zone(cause)) => self.error(
                "bad-timezone",
                &format!("{path}.timezone"),
                format!("scheduled action {}: {cause}", action.name),
                "write a name such as Europe/Zurich or UTC",
            ),
        }
        if action.timezone.is_some() && action.schedule.starts_with("rate(") {
            self.error(
                "bad-timezone",
                &format!("{path}.timezone"),
                format!("scheduled action {}: a rate has no time zone", action.name),
                "take `timezone` out, or write the schedule as cron(...)",
            );
        }
    }

    /// A bound that an action leaves out is the one in force: that of `scaling`, or of another
    /// action that sets it alone, too.
    fn crossing(&mut self, action: &ScheduledSpec, scaling: &ScalingSpec, path: &str) {
        let min = action.min_capacity.unwrap_or(scaling.min_capacity);
        let max = action.max_capacity.unwrap_or(scaling.max_capacity);
        if min <= max {
            return;
        }
        let makes_room = scaling.scheduled.iter().flatten().find(|other| {
            match (action.min_capacity, action.max_capacity) {
                (Some(min), None) => {
                    other.min_capacity.is_none() && other.max_capacity.is_some_and(|m| m >= min)
                }
                (None, Some(max)) => {
                    other.max_capacity.is_none() && other.min_capacity.is_some_and(|m| m <= max)
                }
                _ => false,
            }
        });
        let Some(other) = makes_room else {
            self.bounds(path, min, max);
            return;
        };
        self.warning(
            "bounds-may-cross",
            path,
            format!(
                "scheduled action {} leaves minCapacity {min} above maxCapacity {max} unless {} \
                 has fired before it, and AWS skips a firing that does",
                action.name, other.name
            ),
            "set both bounds in one action, or let the one that makes room fire minutes earlier",
        );
    }

    fn bounds(&mut self, path: &str, min: u32, max: u32) {
        self.error(
            "min-above-max",
            &format!("{path}.minCapacity"),
            format!("minCapacity {min} is above maxCapacity {max}"),
            "lower minCapacity or raise maxCapacity",
        );
    }

    fn unique(
        &mut self,
        names: &mut BTreeMap<String, usize>,
        name: &str,
        what: &str,
        path: &str,
        at: usize,
    ) {
        if let Some(first) = names.insert(name.to_owned(), at) {
            self.error(
                "named-twice",
                path,
                format!("entries {first} and {at} are two {what}: {name}"),
                "keep one of them, or give one another name",
            );
        }
    }
}

fn taggable(c: char) -> bool {
    c.is_alphanumeric() || " +-=._:/@".contains(c)
}
