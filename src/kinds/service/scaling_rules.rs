//! Rules over `scaling` of a Service document: bounds, policies, schedules and their names.
//!
//! Pure: a spec in, findings out.

use std::collections::BTreeMap;

use super::desired::policy_name;
use super::rules::Findings;
use super::schedule::{BadSchedule, Schedule};
use super::spec::{Metric, ScalingSpec, ScheduledSpec, TargetTrackingSpec};
use crate::model::tree::to_tree;

impl Findings<'_> {
    /// All of `scaling`.
    pub fn scaling(&mut self, scaling: &ScalingSpec, service: &str) {
        if scaling.min_capacity > scaling.max_capacity {
            self.bounds("scaling", scaling.min_capacity, scaling.max_capacity);
        }
        let policies = scaling.target_tracking.as_deref().unwrap_or_default();
        let mut metrics = BTreeMap::new();
        let mut names = BTreeMap::new();
        for (at, policy) in policies.iter().enumerate() {
            let path = format!("scaling.targetTracking.{at}");
            let name = policy_name(service, policy);
            let first = self.unique(&mut names, &name, "policies", &path, at);
            self.policy_name(&name, policy, &path);
            if policy.target_value <= 0.0 || !policy.target_value.is_finite() {
                self.error(
                    "target-value",
                    &format!("{path}.targetValue"),
                    format!("policy {}: targetValue must be above 0", policy.name),
                    "write the value that the metric shall be held at, such as 70",
                );
            }
            // A copied entry is one fault, and is told.
            if first == Unique::Yes {
                self.one_a_metric(&mut metrics, policy, &path, at);
            }
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
            self.action_name(&action.name, &path);
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
        match Schedule::parse(&action.schedule, action.timezone.as_deref()) {
            Ok(_) => {}
            Err(BadSchedule::Expression(cause)) => self.error(
                "bad-schedule",
                &format!("{path}.schedule"),
                format!("scheduled action {}: {cause}", action.name),
                schedule_help(&action.schedule),
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
        // Bounds of `scaling` that cross have been told, not once more for each action.
        let inherits = action.min_capacity.is_none() || action.max_capacity.is_none();
        let told = inherits && scaling.min_capacity > scaling.max_capacity;
        if min <= max || told {
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
    ) -> Unique {
        let Some(first) = names.insert(name.to_owned(), at) else {
            return Unique::Yes;
        };
        self.error(
            "named-twice",
            path,
            format!("entries {first} and {at} are two {what}: {name}"),
            "keep one of them, or give one another name",
        );
        Unique::No
    }

    /// AWS takes one policy for each metric; of each target group there is another metric.
    fn one_a_metric(
        &mut self,
        metrics: &mut BTreeMap<String, usize>,
        policy: &TargetTrackingSpec,
        path: &str,
        at: usize,
    ) {
        let mut metric = to_tree(&policy.metric)
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if let Some(label) = &policy.resource_label {
            metric = format!("{metric} of {label}");
        }
        if let Some(first) = metrics.insert(metric.clone(), at) {
            self.error(
                "metric-twice",
                path,
                format!("entries {first} and {at} are two policies for one metric: {metric}"),
                "keep one of them: AWS takes one policy for each metric, whatever its name",
            );
        }
    }

    fn policy_name(&mut self, name: &str, policy: &TargetTrackingSpec, path: &str) {
        let fault = if name.chars().count() > NAME_MAX {
            format!("is longer than {NAME_MAX} characters")
        } else if let Some(odd) = name.chars().find(|c| !(' '..='~').contains(c)) {
            format!("has the character {odd:?}")
        } else {
            return;
        };
        let field = match policy.policy_name {
            Some(_) => "policyName",
            None => "name",
        };
        self.error(
            "bad-name",
            &format!("{path}.{field}"),
            format!("the name {name:?} of a policy {fault}, which AWS refuses"),
            "write a shorter name of letters, digits and signs of ASCII",
        );
    }

    fn action_name(&mut self, name: &str, path: &str) {
        let odd = name
            .chars()
            .find(|c| matches!(c, ':' | '/' | '|') || c.is_control());
        let fault = match odd {
            Some(odd) => format!("has the character {odd:?}"),
            None if name.trim() != name => "begins or ends with a space".to_owned(),
            None => return,
        };
        self.error(
            "bad-name",
            &format!("{path}.name"),
            format!("the name {name:?} of a scheduled action {fault}, which AWS refuses"),
            "name it with letters, digits and -, as in `nights`",
        );
    }
}

/// Whether a name stands once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unique {
    Yes,
    No,
}

/// Most characters of a policy's name (API model, PutScalingPolicy).
const NAME_MAX: usize = 256;

/// What to do about a schedule that cannot be read, by what it was meant to be.
fn schedule_help(schedule: &str) -> &'static str {
    match schedule.trim().split('(').next() {
        Some("cron") => {
            "minutes hours day-of-month month day-of-week year, one day field being `?`: \
             cron(0 20 * * ? *) is 20:00 every day"
        }
        Some("rate") => "rate(1 hour) fires every hour, rate(2 hours) every two",
        Some("at") => "at(2026-12-24T18:00:00) fires once, at that time of the `timezone`",
        _ => "write cron(0 20 * * ? *), rate(2 hours) or at(2026-12-24T18:00:00)",
    }
}
