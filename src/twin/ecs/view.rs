//! Views: how `DescribeServices` shows a service.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::service::{
    Deployment, DeploymentStatus, RolloutState, Service, TaskHealth, epoch, share_of,
};
use super::tags::render_tags;

impl Service {
    /// The service as `DescribeServices` answers at `now`.
    pub(super) fn view(&self, now: Timestamp, rollout_time: Duration, with_tags: bool) -> Value {
        let running = self.running_at(now);
        let shares = self.shares(now, rollout_time, running);
        let deployments: Vec<Value> = self
            .deployments
            .iter()
            .zip(shares)
            .map(|(deployment, running)| self.deployment_view(deployment, running))
            .collect();
        let mut view = self.members.clone();
        let mut set = |member: &str, value: Value| view.insert(member.to_owned(), value);
        set("serviceName", json!(self.name));
        set("serviceArn", json!(self.arn));
        set("status", json!(self.status));
        set("taskDefinition", json!(self.task_definition));
        set("desiredCount", json!(self.desired));
        set("runningCount", json!(running));
        set("pendingCount", json!((self.desired - running).max(0)));
        set("deployments", Value::Array(deployments));
        set("events", self.events_view());
        if let Some(current) = self.history.last() {
            set("currentServiceDeployment", json!(current.arn));
        }
        if let Some(primary) = self.deployments.first() {
            let revision = json!([{
                "arn": primary.revision_arn,
                "requestedTaskCount": self.desired,
                "runningTaskCount": running,
                "pendingTaskCount": (self.desired - running).max(0),
            }]);
            set("currentServiceRevisions", revision);
        }
        if with_tags {
            set("tags", render_tags(&self.tags));
        }
        Value::Object(view)
    }

    /// How many running tasks belong to each deployment: the primary's grow as it rolls out, the
    /// rest are those of the newest older one that is not itself failing.
    fn shares(&self, now: Timestamp, rollout_time: Duration, running: i64) -> Vec<i64> {
        let Some(primary) = self.deployments.first() else {
            return Vec::new();
        };
        let new = match (primary.health, primary.rollout) {
            (TaskHealth::Crashing, _) => 0,
            (TaskHealth::Healthy, RolloutState::Completed) => running,
            (TaskHealth::Healthy, _) => {
                let share = share_of(primary.created, rollout_time, now);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_precision_loss,
                    reason = "task counts are small"
                )]
                let new = (running as f64 * share) as i64;
                new
            }
        };
        let mut rest = running - new;
        let mut shares = vec![new];
        for older in self.deployments.iter().skip(1) {
            let holds = if older.health == TaskHealth::Healthy {
                std::mem::take(&mut rest)
            } else {
                0
            };
            shares.push(holds);
        }
        shares
    }

    fn deployment_view(&self, deployment: &Deployment, running: i64) -> Value {
        let desired = match (deployment.status, deployment.rollout) {
            (_, RolloutState::Failed) => 0,
            (DeploymentStatus::Primary, _) => self.desired,
            (DeploymentStatus::Active, _) => running,
        };
        let mut view = json!({
            "id": deployment.id,
            "status": match deployment.status {
                DeploymentStatus::Primary => "PRIMARY",
                DeploymentStatus::Active => "ACTIVE",
            },
            "taskDefinition": deployment.task_definition,
            "desiredCount": desired,
            "runningCount": running,
            "pendingCount": (desired - running).max(0),
            "failedTasks": deployment.failed,
            "createdAt": epoch(deployment.created),
            "updatedAt": epoch(deployment.updated),
            "rolloutState": match deployment.rollout {
                RolloutState::InProgress => "IN_PROGRESS",
                RolloutState::Completed => "COMPLETED",
                RolloutState::Failed => "FAILED",
            },
            "rolloutStateReason": deployment.reason,
        });
        for member in [
            "launchType",
            "platformVersion",
            "platformFamily",
            "networkConfiguration",
        ] {
            if let Some(value) = self.members.get(member) {
                view[member] = value.clone();
            }
        }
        view
    }

    fn events_view(&self) -> Value {
        self.events
            .iter()
            .enumerate()
            .map(|(at, (when, text))| {
                let number = self.events.len() - at;
                let id = format!("00000000-0000-4000-a000-{number:012x}");
                json!({"id": id, "createdAt": epoch(*when), "message": text})
            })
            .collect()
    }
}
