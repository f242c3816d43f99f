//! Scalable targets: between which bounds a service's count may move.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::AutoScaling;
use super::input::{DIMENSION, capacity, invalid, list, names, passes, resource, sent};
use crate::twin::cloudwatch::CloudWatch;
use crate::twin::ecs::{Ecs, epoch};
use crate::twin::wire::{CallContext, TwinError};

/// The most ECS targets of a region (Application Auto Scaling quotas).
const MOST_TARGETS: usize = 3000;

/// A scalable target.
#[derive(Clone, Debug)]
pub struct ScalableTarget {
    /// Least tasks.
    pub min: i64,
    /// Most tasks.
    pub max: i64,
    /// `SuspendedState` as AWS shows it.
    pub suspended: Value,
    arn: String,
    role: String,
    created: Timestamp,
}

impl ScalableTarget {
    /// Whether someone has put a brake on scheduled scaling.
    pub fn is_schedule_suspended(&self) -> bool {
        self.suspended["ScheduledScalingSuspended"] == json!(true)
    }
}

/// `cluster/service` in `service/cluster/service`.
pub(super) fn service_key(resource: &str) -> String {
    resource
        .strip_prefix("service/")
        .unwrap_or(resource)
        .to_owned()
}

/// The error of writes that need a target where there is none.
pub(super) fn no_target(resource: &str) -> TwinError {
    TwinError::client(
        "ObjectNotFoundException",
        format!(
            "No scalable target registered for service namespace: ecs, resource ID: {resource}, scalable dimension: {DIMENSION}"
        ),
    )
}

impl AutoScaling {
    pub(super) fn register_target(
        &mut self,
        input: &Value,
        cx: &CallContext,
        ecs: &mut Ecs,
    ) -> Result<Value, TwinError> {
        let id = resource(input)?;
        let (min, max) = (
            capacity(input, "MinCapacity")?,
            capacity(input, "MaxCapacity")?,
        );
        let key = service_key(&id);
        let alive = key
            .split_once('/')
            .and_then(|(cluster, name)| ecs.service(cluster, name))
            .is_some_and(|service| service.status == "ACTIVE");
        if !alive {
            return Err(invalid(format!("ECS service doesn't exist: {id}")));
        }
        let mut target = match (self.targets.get(&id), min, max) {
            (Some(target), ..) => target.clone(),
            (None, Some(min), Some(max)) => {
                if self.targets.iter().count() >= MOST_TARGETS {
                    return Err(TwinError::client(
                        "LimitExceededException",
                        "The number of scalable targets exceeds the limit.",
                    ));
                }
                self.new_target(min, max, cx)
            }
            (None, ..) => {
                return Err(invalid(
                    "Both MinCapacity and MaxCapacity are required to register a new scalable target.",
                ));
            }
        };
        target.min = min.unwrap_or(target.min);
        target.max = max.unwrap_or(target.max);
        if target.min > target.max {
            return Err(invalid(
                "Maximum capacity cannot be less than minimum capacity",
            ));
        }
        for (brake, state) in sent(input, "SuspendedState")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter(|(_, state)| !state.is_null())
        {
            target.suspended[brake] = state.clone();
        }
        let answer = json!({"ScalableTargetARN": target.arn});
        ecs.clamp(&key, target.min, target.max, cx.now);
        self.targets.insert(cx.now, id, target);
        Ok(answer)
    }

    fn new_target(&mut self, min: i64, max: i64, cx: &CallContext) -> ScalableTarget {
        let number = self.ids.number();
        ScalableTarget {
            min,
            max,
            suspended: json!({
                "DynamicScalingInSuspended": false,
                "DynamicScalingOutSuspended": false,
                "ScheduledScalingSuspended": false,
            }),
            arn: format!(
                "arn:aws:application-autoscaling:{}:{}:scalable-target/{number}",
                cx.region, cx.account
            ),
            role: format!(
                "arn:aws:iam::{}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
                cx.account
            ),
            created: cx.now,
        }
    }

    /// Takes the target out, with all of its policies and actions.
    pub(super) fn deregister_target(
        &mut self,
        input: &Value,
        cx: &CallContext,
        cloudwatch: &mut CloudWatch,
    ) -> Result<Value, TwinError> {
        let id = resource(input)?;
        self.targets
            .remove(cx.now, &id)
            .ok_or_else(|| no_target(&id))?;
        let of_it = |(resource, _): &&(String, String)| *resource == id;
        let policies: Vec<_> = self
            .policies
            .iter()
            .map(|(k, _)| k)
            .filter(of_it)
            .cloned()
            .collect();
        for key in policies {
            self.drop_policy(&key, cx, cloudwatch);
        }
        let actions: Vec<_> = self
            .actions
            .iter()
            .map(|(k, _)| k)
            .filter(of_it)
            .cloned()
            .collect();
        for key in actions {
            self.actions.remove(cx.now, &key);
        }
        self.find_next_firing();
        Ok(json!({}))
    }

    pub(super) fn describe_targets(
        &self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let wanted = names(input, "ResourceIds")?;
        let targets = self
            .targets
            .all_seen(cx.now)
            .into_iter()
            .filter(|(id, _)| passes(input, id))
            .filter(|(id, _)| wanted.as_ref().is_none_or(|w| w.contains(&id.as_str())))
            .map(|(id, target)| {
                json!({
                    "ServiceNamespace": "ecs",
                    "ResourceId": id,
                    "ScalableDimension": DIMENSION,
                    "MinCapacity": target.min,
                    "MaxCapacity": target.max,
                    "RoleARN": target.role,
                    "CreationTime": epoch(target.created),
                    "SuspendedState": target.suspended,
                    "ScalableTargetARN": target.arn,
                })
            })
            .collect();
        list(targets, "ScalableTargets", 50, input)
    }
}
