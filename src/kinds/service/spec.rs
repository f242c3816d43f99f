//! What a Service document may say: the types of its `spec`, with units and bounds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An ECS service that exists. Every field that is left out stays as it is at AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSpec {
    /// The cluster's short name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,255}$"))]
    #[schemars(example = &"personal-journal-cluster")]
    pub cluster: String,
    /// The service's name in its cluster. Default: `metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,255}$"))]
    pub service_name: Option<String>,
    /// How its tasks run. FARGATE (the default) has `cpu` and `memory` checked against the sizes
    /// that Fargate offers; EC2 and EXTERNAL take any size. Never written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_type: Option<LaunchType>,
    /// Tasks to keep running. Instead of `scaling`, never with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 5000))]
    pub desired_count: Option<u32>,
    /// CPU units of a task (1024 = 1 vCPU), patched into the live task definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 128, max = 196_608))]
    #[schemars(example = 512)]
    pub cpu: Option<u32>,
    /// Memory of a task in MiB, patched into the live task definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6, max = 33_554_432))]
    #[schemars(example = 1024)]
    pub memory: Option<u32>,
    /// Limits of single containers, by container name. Needed only where a container's own
    /// limits stand in the way of the task's size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<BTreeMap<String, ContainerSpec>>,
    /// How a deployment replaces tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentSpec>,
    /// Seconds for which a starting task's failed health checks do not count. AWS takes it only
    /// of a service with a load balancer (ECS, UpdateService).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub health_check_grace_period_seconds: Option<u32>,
    /// Tags of the service. Only the named keys are owned; others are never touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// Application Auto Scaling of the task count. Instead of `desiredCount`, never with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingSpec>,
}

/// How a service's tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LaunchType {
    /// On Fargate, with its list of sizes.
    Fargate,
    /// On container instances.
    Ec2,
    /// On instances of one's own (ECS Anywhere).
    External,
}

/// Limits of one container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerSpec {
    /// CPU units reserved for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 196_608))]
    pub cpu: Option<u32>,
    /// Hard limit in MiB; the container is killed above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6, max = 33_554_432))]
    pub memory: Option<u32>,
    /// Soft limit in MiB, reserved for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6, max = 33_554_432))]
    pub memory_reservation: Option<u32>,
}

/// How a deployment replaces tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentSpec {
    /// Least share of healthy tasks during a deployment, in percent of the desired count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub minimum_healthy_percent: Option<u32>,
    /// Greatest number of tasks during a deployment, in percent of the desired count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 1000))]
    pub maximum_percent: Option<u32>,
    /// What happens to a deployment whose tasks do not come up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreakerSpec>,
}

/// What happens to a deployment whose tasks do not come up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CircuitBreakerSpec {
    /// Whether ECS gives such a deployment up.
    pub enable: bool,
    /// Whether ECS then goes back to the last deployment that completed.
    pub rollback: bool,
}

/// Application Auto Scaling of the task count. The count itself is free between the bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScalingSpec {
    /// Fewest tasks, while no scheduled action has set other bounds.
    #[schemars(range(min = 0, max = 5000))]
    #[schemars(example = 2)]
    pub min_capacity: u32,
    /// Most tasks, while no scheduled action has set other bounds.
    #[schemars(range(min = 0, max = 5000))]
    #[schemars(example = 10)]
    pub max_capacity: u32,
    /// Target-tracking policies. One that is taken out of the list stays at AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_tracking: Option<Vec<TargetTrackingSpec>>,
    /// Scheduled changes of the bounds. One that is taken out of the list stays at AWS, and sets
    /// bounds as before: those of the action that fired last are in force, whoever made it. A plan
    /// names one that no document does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Vec<ScheduledSpec>>,
}

/// A metric that target tracking can hold at a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Metric {
    /// Average CPU use of the service's tasks, in percent.
    #[serde(rename = "ECSServiceAverageCPUUtilization")]
    Cpu,
    /// Average memory use of the service's tasks, in percent.
    #[serde(rename = "ECSServiceAverageMemoryUtilization")]
    Memory,
    /// Requests a target and minute; needs `resourceLabel`.
    #[serde(rename = "ALBRequestCountPerTarget")]
    Requests,
}

/// One target-tracking policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetTrackingSpec {
    /// Its short name, unique in the list.
    #[schemars(length(min = 1, max = 200))]
    #[schemars(example = &"cpu")]
    pub name: String,
    /// Its name at AWS. Default: `<serviceName>-<name>`. Set it to take over a policy that is
    /// there under another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub policy_name: Option<String>,
    /// What is measured.
    pub metric: Metric,
    /// Which load balancer and target group, for `ALBRequestCountPerTarget`:
    /// `app/<name>/<id>/targetgroup/<name>/<id>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1023))]
    pub resource_label: Option<String>,
    /// The value to hold: percent, or requests a target and minute.
    #[schemars(range(min = 0.1))]
    #[schemars(example = 70)]
    pub target_value: f64,
    /// Seconds after a scale-in before the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400))]
    pub scale_in_cooldown: Option<u32>,
    /// Seconds after a scale-out before the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400))]
    pub scale_out_cooldown: Option<u32>,
    /// Whether this policy never removes tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_scale_in: Option<bool>,
}

/// One scheduled change of the bounds, which stay until the next one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduledSpec {
    /// The scheduled action's name at AWS, unique in the list.
    #[schemars(length(min = 1, max = 256))]
    #[schemars(example = &"nights")]
    pub name: String,
    /// When: `cron(minutes hours day-of-month month day-of-week year)`, `rate(2 hours)` or
    /// `at(2026-12-24T18:00:00)`.
    #[schemars(regex(pattern = r"^(cron|rate|at)\(.+\)$"))]
    #[schemars(example = &"cron(0 20 * * ? *)")]
    pub schedule: String,
    /// The time zone of `cron` and `at`, as in the IANA database. Default at AWS: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"Europe/Zurich")]
    pub timezone: Option<String>,
    /// Fewest tasks from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 5000))]
    pub min_capacity: Option<u32>,
    /// Most tasks from then on; 0 stops every task then, and is destructive to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 5000))]
    pub max_capacity: Option<u32>,
}
