//! Policies: how a service's count follows a metric, and the alarms that target tracking keeps for that.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::AutoScaling;
use super::input::{DIMENSION, invalid, list, names, passes, resource, sent, text};
use super::targets::no_target;
use crate::twin::cloudwatch::{self, CloudWatch};
use crate::twin::ecs::epoch;
use crate::twin::wire::{CallContext, TwinError};

/// The most policies of one target (Application Auto Scaling quotas).
const MOST_POLICIES: usize = 50;

const CONFIGURATIONS: &[(&str, &str)] = &[
    ("StepScaling", "StepScalingPolicyConfiguration"),
    (
        "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration",
    ),
    ("PredictiveScaling", "PredictiveScalingPolicyConfiguration"),
];

/// A scaling policy.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    kind: String,
    configuration: Value,
    arn: String,
    /// The two halves' id, which is part of the alarms' names.
    alarm_ids: [String; 2],
    created: Timestamp,
}

impl Policy {
    fn configuration_member(&self) -> &'static str {
        member_of(&self.kind).unwrap_or("StepScalingPolicyConfiguration")
    }

    /// The names of its alarms: high, and low where it may scale in.
    fn alarm_names(&self, resource: &str) -> Vec<String> {
        if self.kind != "TargetTrackingScaling" {
            return Vec::new();
        }
        let [high, low] = &self.alarm_ids;
        let mut names = vec![format!("TargetTracking-{resource}-AlarmHigh-{high}")];
        if self.configuration["DisableScaleIn"] != json!(true) {
            names.push(format!("TargetTracking-{resource}-AlarmLow-{low}"));
        }
        names
    }

    fn alarms_view(&self, resource: &str, cx: &CallContext) -> Value {
        self.alarm_names(resource)
            .iter()
            .map(|name| json!({"AlarmName": name, "AlarmARN": cloudwatch::arn(name, cx)}))
            .collect()
    }
}

fn member_of(kind: &str) -> Option<&'static str> {
    let found = CONFIGURATIONS.iter().find(|(of, _)| *of == kind);
    found.map(|(_, member)| *member)
}

/// What a target tracking policy tracks: two policies of one target may not track the same.
fn tracked(configuration: &Value) -> Value {
    json!([
        sent(configuration, "PredefinedMetricSpecification"),
        sent(configuration, "CustomizedMetricSpecification"),
    ])
}

fn check_tracking(configuration: &Value) -> Result<(), TwinError> {
    let predefined = sent(configuration, "PredefinedMetricSpecification");
    let customized = sent(configuration, "CustomizedMetricSpecification");
    if predefined.is_some() == customized.is_some() {
        return Err(invalid(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified.",
        ));
    }
    let value = sent(configuration, "TargetValue").and_then(Value::as_f64);
    if value.is_none_or(|value| value <= 0.0) {
        return Err(invalid("TargetValue must be greater than 0."));
    }
    for cooldown in ["ScaleInCooldown", "ScaleOutCooldown"] {
        let seconds = sent(configuration, cooldown).map(|s| s.as_i64().unwrap_or(-1));
        if seconds.is_some_and(|s| s < 0) {
            return Err(invalid(format!("{cooldown} must not be negative.")));
        }
    }
    let Some(predefined) = predefined else {
        return Ok(());
    };
    let metric = text(predefined, "PredefinedMetricType").unwrap_or_default();
    let metric = metric.trim_end_matches("HighResolution");
    let labelled = text(predefined, "ResourceLabel").is_some();
    match metric {
        "ECSServiceAverageCPUUtilization" | "ECSServiceAverageMemoryUtilization" if !labelled => {
            Ok(())
        }
        "ALBRequestCountPerTarget" if labelled => Ok(()),
        "ALBRequestCountPerTarget" => Err(invalid("ResourceLabel must be specified.")),
        other => Err(invalid(format!(
            "Predefined metric type {other} is not supported for ecs, or takes no resource label."
        ))),
    }
}

impl AutoScaling {
    pub(super) fn put_policy(
        &mut self,
        input: &Value,
        cx: &CallContext,
        cloudwatch: &mut CloudWatch,
    ) -> Result<Value, TwinError> {
        let id = resource(input)?;
        let name = text(input, "PolicyName").unwrap_or_default();
        if name.is_empty() || name.chars().count() > 256 {
            return Err(invalid("PolicyName must have 1 to 256 characters."));
        }
        // The pattern of PolicyName (API model): printable ASCII.
        if !name.chars().all(|c| (' '..='~').contains(&c)) {
            return Err(invalid(format!(
                "Value '{name}' at 'policyName' failed to satisfy constraint: Member must satisfy regular expression pattern: \\p{{Print}}+"
            )));
        }
        if self.targets.get(&id).is_none() {
            return Err(no_target(&id));
        }
        let key = (id.clone(), name.to_owned());
        let old = self.policies.get(&key).cloned();
        let kind = text(input, "PolicyType")
            .or(old.as_ref().map(|old| old.kind.as_str()))
            .unwrap_or("StepScaling")
            .to_owned();
        let member = member_of(&kind).ok_or_else(|| invalid("Unknown PolicyType."))?;
        let configuration = sent(input, member)
            .cloned()
            .ok_or_else(|| invalid(format!("{member} is required for {kind}.")))?;
        if kind == "TargetTrackingScaling" {
            check_tracking(&configuration)?;
            let same = self.policies.iter().any(|((resource, other), policy)| {
                *resource == id
                    && other != name
                    && policy.kind == kind
                    && tracked(&policy.configuration) == tracked(&configuration)
            });
            if same {
                return Err(invalid(
                    "Only one TargetTrackingScaling policy for a given metric specification is allowed.",
                ));
            }
        }
        let of_it = self.policies.iter().filter(|((of, _), _)| *of == id);
        let siblings = of_it.count();
        if old.is_none() && siblings >= MOST_POLICIES {
            return Err(TwinError::client(
                "LimitExceededException",
                "The number of scaling policies exceeds the limit.",
            ));
        }
        if let Some(old) = &old {
            for alarm in old.alarm_names(&id) {
                cloudwatch.remove_alarm(&alarm);
            }
        }
        let (arn, alarm_ids, created) = match old {
            Some(old) => (old.arn, old.alarm_ids, old.created),
            None => {
                let uuid = self.ids.uuid();
                let arn = format!(
                    "arn:aws:autoscaling:{}:{}:scalingPolicy:{uuid}:resource/ecs/{id}:policyName/{name}",
                    cx.region, cx.account
                );
                (arn, [self.ids.uuid(), self.ids.uuid()], cx.now)
            }
        };
        let policy = Policy {
            kind,
            configuration,
            arn,
            alarm_ids,
            created,
        };
        for alarm in policy.alarm_names(&id) {
            cloudwatch.put_owned_alarm(alarm_of(&policy, &id, &alarm, cx));
        }
        let answer = json!({"PolicyARN": policy.arn, "Alarms": policy.alarms_view(&id, cx)});
        self.policies.insert(cx.now, key, policy);
        Ok(answer)
    }

    pub(super) fn delete_policy(
        &mut self,
        input: &Value,
        cx: &CallContext,
        cloudwatch: &mut CloudWatch,
    ) -> Result<Value, TwinError> {
        let id = resource(input)?;
        let name = text(input, "PolicyName").unwrap_or_default();
        let key = (id, name.to_owned());
        if self.policies.get(&key).is_none() {
            return Err(TwinError::client(
                "ObjectNotFoundException",
                format!("No scaling policy found: {name}"),
            ));
        }
        self.drop_policy(&key, cx, cloudwatch);
        Ok(json!({}))
    }

    pub(super) fn drop_policy(
        &mut self,
        key: &(String, String),
        cx: &CallContext,
        cloudwatch: &mut CloudWatch,
    ) {
        if let Some(policy) = self.policies.remove(cx.now, key) {
            for alarm in policy.alarm_names(&key.0) {
                cloudwatch.remove_alarm(&alarm);
            }
        }
    }

    pub(super) fn describe_policies(
        &self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let wanted = names(input, "PolicyNames")?;
        let policies = self
            .policies
            .all_seen(cx.now)
            .into_iter()
            .filter(|((id, _), _)| passes(input, id))
            .filter(|((_, name), _)| wanted.as_ref().is_none_or(|w| w.contains(&name.as_str())))
            .map(|((id, name), policy)| {
                let mut view = json!({
                    "PolicyARN": policy.arn,
                    "PolicyName": name,
                    "ServiceNamespace": "ecs",
                    "ResourceId": id,
                    "ScalableDimension": DIMENSION,
                    "PolicyType": policy.kind,
                    "Alarms": policy.alarms_view(id, cx),
                    "CreationTime": epoch(policy.created),
                });
                view[policy.configuration_member()] = policy.configuration.clone();
                view
            })
            .collect();
        list(policies, "ScalingPolicies", 10, input)
    }
}

/// An alarm of a target tracking policy, with the members of DescribeAlarms.
fn alarm_of(policy: &Policy, resource: &str, name: &str, cx: &CallContext) -> Value {
    let target = policy.configuration["TargetValue"].as_f64().unwrap_or(0.0);
    let high = name.contains("-AlarmHigh-");
    let mut parts = resource.split('/').skip(1);
    let (cluster, service) = (parts.next(), parts.next());
    let metric = policy.configuration["PredefinedMetricSpecification"]["PredefinedMetricType"]
        .as_str()
        .unwrap_or_default();
    let (namespace, metric) = if metric.contains("Memory") {
        ("AWS/ECS", "MemoryUtilization")
    } else if metric.contains("CPU") {
        ("AWS/ECS", "CPUUtilization")
    } else {
        ("AWS/ApplicationELB", "RequestCountPerTarget")
    };
    let comparison = if high {
        "GreaterThanThreshold"
    } else {
        "LessThanThreshold"
    };
    json!({
        "AlarmName": name,
        "AlarmArn": cloudwatch::arn(name, cx),
        "AlarmDescription": format!(
            "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {}.", policy.arn
        ),
        "AlarmActions": [policy.arn],
        "OKActions": [],
        "InsufficientDataActions": [],
        "Namespace": namespace,
        "MetricName": metric,
        "Statistic": "Average",
        "Dimensions": [
            {"Name": "ClusterName", "Value": cluster},
            {"Name": "ServiceName", "Value": service},
        ],
        "Period": 60,
        "EvaluationPeriods": if high { 3 } else { 15 },
        "Threshold": if high { target } else { target * 0.9 },
        "ComparisonOperator": comparison,
        "StateValue": "OK",
    })
}
