//! Services: one service, its deployments and its counts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::deployments::ServiceDeployment;

/// Seconds since the epoch, with milliseconds, as awsJson has it.
pub(in crate::twin) fn epoch(at: Timestamp) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds stay far below 2^52"
    )]
    let seconds = at.as_millisecond() as f64 / 1000.0;
    json!(seconds)
}

/// Which deployment a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// The newest: where the service is going, or is.
    Primary,
    /// An older one that still has tasks.
    Active,
}

/// How a deployment fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// Tasks are being replaced, or fail and are started again.
    InProgress,
    /// All tasks run.
    Completed,
    /// The circuit breaker stopped it.
    Failed,
}

/// What becomes of the tasks that a deployment starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskHealth {
    /// They run.
    Healthy,
    /// They exit soon after their start.
    Crashing,
}

/// Why a deployment was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Someone asked for it.
    Asked,
    /// The circuit breaker went back.
    RolledBack,
}

/// One entry of `deployments[]`.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// `ecs-svc/` and nineteen digits.
    pub id: String,
    /// Primary or active.
    pub status: DeploymentStatus,
    /// ARN.
    pub task_definition: String,
    /// How it fares.
    pub rollout: RolloutState,
    /// The text beside it.
    pub reason: String,
    /// Tasks that failed so far.
    pub failed: i64,
    pub(super) health: TaskHealth,
    pub(super) cause: Cause,
    /// How often its tasks were started and failed.
    pub(super) rounds: u32,
    /// When the last of those rounds ended, or it began.
    pub(super) round_began: Timestamp,
    pub(super) revision_arn: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

/// The deployment that a rollback goes to.
#[derive(Clone, Debug)]
pub(super) struct Completed {
    pub id: String,
    pub task_definition: String,
    pub revision_arn: String,
}

/// A count on its way: whole tasks between two times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ramp {
    pub from: i64,
    pub to: i64,
    pub start: Timestamp,
    pub length: Duration,
}

impl Ramp {
    /// The count at `now`.
    pub fn at(&self, now: Timestamp) -> i64 {
        let share = share_of(self.start, self.length, now);
        if share >= 1.0 {
            return self.to;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "task counts are small"
        )]
        let moved = ((self.to - self.from) as f64 * share) as i64;
        self.from + moved
    }
}

/// How much of `length` has passed since `start`, from 0 to 1.
pub(super) fn share_of(start: Timestamp, length: Duration, now: Timestamp) -> f64 {
    if length.is_zero() {
        return 1.0;
    }
    let passed = now.duration_since(start).as_secs_f64();
    (passed / length.as_secs_f64()).clamp(0.0, 1.0)
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The name of its cluster.
    pub cluster: String,
    /// ACTIVE, DRAINING or INACTIVE.
    pub status: String,
    /// ARN of the task definition that it goes to, or runs.
    pub task_definition: String,
    /// Wanted tasks.
    pub desired: i64,
    /// Primary first, then the older ones, newest first. Empty for CODE_DEPLOY and EXTERNAL.
    pub deployments: Vec<Deployment>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Every other response member, as it was sent.
    pub members: Map<String, Value>,
    pub(super) running: Ramp,
    pub(super) last_completed: Option<Completed>,
    /// Oldest first.
    pub(super) history: Vec<ServiceDeployment>,
    /// (when, what), newest first.
    pub(super) events: Vec<(Timestamp, String)>,
}

impl Service {
    /// The controller that replaces tasks: ECS, CODE_DEPLOY or EXTERNAL.
    pub fn controller(&self) -> &str {
        self.member_text("deploymentController", "type")
            .unwrap_or("ECS")
    }

    /// REPLICA or DAEMON.
    pub fn scheduling_strategy(&self) -> &str {
        let strategy = self.members.get("schedulingStrategy");
        strategy.and_then(Value::as_str).unwrap_or("REPLICA")
    }

    fn member_text(&self, member: &str, inner: &str) -> Option<&str> {
        self.members.get(member)?.get(inner)?.as_str()
    }

    /// Whether the newest deployment is still under way.
    pub fn is_rolling_out(&self) -> bool {
        self.deployments
            .first()
            .is_some_and(|primary| primary.rollout == RolloutState::InProgress)
    }

    /// Tasks that run at `now`.
    pub fn running_at(&self, now: Timestamp) -> i64 {
        match self.deployments.first() {
            Some(primary)
                if primary.health == TaskHealth::Crashing && self.last_completed.is_none() =>
            {
                0
            }
            _ => self.running.at(now),
        }
    }

    pub(super) fn set_desired(&mut self, desired: i64, now: Timestamp, length: Duration) {
        self.running = Ramp {
            from: self.running_at(now),
            to: desired,
            start: now,
            length,
        };
        self.desired = desired;
    }

    pub(super) fn tell(&mut self, at: Timestamp, text: &str) {
        let text = format!("(service {}) {text}", self.name);
        self.events.insert(0, (at, text));
        // As many as DescribeServices shows.
        self.events.truncate(100);
    }
}
