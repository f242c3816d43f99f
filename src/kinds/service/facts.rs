//! Facts: what is known of a live service beside the values that its document may name.
//!
//! Pure: plain values, kept in `Live::facts`. None of them ever holds a container's environment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::snapshot::Live;
use crate::model::tree::{self, Tree};

/// A live service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Its ARN.
    pub arn: String,
    /// ACTIVE, DRAINING or INACTIVE.
    pub status: String,
    /// ECS, CODE_DEPLOY or EXTERNAL.
    pub controller: String,
    /// REPLICA or DAEMON.
    pub scheduling: String,
    /// CUSTOMER, or ECS for what Express mode made.
    pub managed_by: String,
    /// `service.taskDefinition`: an ARN.
    pub task_definition: String,
    /// Tasks wanted now.
    pub desired_count: u32,
    /// Tasks running now.
    pub running_count: u32,
    /// Whether a load balancer or VPC Lattice sends its tasks requests, and checks their health.
    pub load_balanced: bool,
    /// `deploymentConfiguration` as AWS answered it, carried over when it is written.
    pub deployment_configuration: Tree,
    /// As AWS answered them, newest first.
    pub deployments: Vec<Deployment>,
    /// The revision of the PRIMARY deployment; `None` when no document asks for it.
    pub revision: Option<Revision>,
    /// The revisions of the other deployments, by ARN; read only while they stand beside one of
    /// ours.
    #[serde(default)]
    pub others: BTreeMap<String, Revision>,
    /// Auto scaling; `None` when no document asks for it.
    pub scaling: Option<Scaling>,
    /// Recent service deployments; read only where the size drifts.
    pub history: History,
}

/// One of a service's deployments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// `ecs-svc/123`.
    pub id: String,
    /// PRIMARY, ACTIVE or INACTIVE.
    pub status: String,
    /// The revision's ARN.
    pub task_definition: String,
    /// Tasks that it shall have.
    pub desired: u32,
    /// Tasks that it has.
    pub running: u32,
    /// Tasks that did not come up.
    pub failed: u32,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// IN_PROGRESS, COMPLETED or FAILED; empty where AWS does not say.
    pub rollout_state: String,
    /// AWS's reason for it.
    pub reason: String,
}

/// A task definition revision, as far as size goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// Its ARN.
    pub arn: String,
    /// CPU units of a task.
    pub cpu: Option<u32>,
    /// Memory of a task, MiB.
    pub memory: Option<u32>,
    /// Its containers' own limits, by name.
    pub containers: BTreeMap<String, Container>,
    /// Launch types that it asks to fit.
    pub requires: Vec<String>,
    /// `WINDOWS_...` or `LINUX`; empty where it does not say.
    pub os: String,
    /// The intent that registered it, if Evenkeel did.
    pub intent: Option<String>,
    /// The revision that it was patched from, `family:revision`, if Evenkeel registered it.
    pub base: Option<String>,
    /// How many tags of its user it has; AWS's and ours are not counted.
    #[serde(default)]
    pub tags: usize,
    /// Top-level members that this build does not know.
    pub unknown: Vec<String>,
}

/// A container's own limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// CPU units; 0 is none.
    #[serde(default)]
    pub cpu: u32,
    /// Hard limit, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// Soft limit, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<u32>,
}

/// Auto scaling of a service as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scaling {
    /// The scalable target, if there is one.
    pub target: Option<Target>,
    /// Its policies, by name.
    pub policies: BTreeMap<String, Policy>,
    /// Its scheduled actions, by name.
    pub actions: BTreeMap<String, Action>,
}

/// A scalable target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Fewest tasks.
    pub min: u32,
    /// Most tasks.
    pub max: u32,
    /// What an operator suspended: `DynamicScalingIn`, `DynamicScalingOut`, `ScheduledScaling`.
    pub suspended: Vec<String>,
}

/// A scaling policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// `TargetTrackingScaling` and others.
    pub policy_type: String,
    /// The predefined metric; empty where it follows another kind of metric.
    pub metric: String,
    /// Its target-tracking configuration as AWS answered it, carried over when it is written.
    pub configuration: Tree,
    /// Top-level members that this build does not know.
    pub unknown: Vec<String>,
}

/// A scheduled action.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// `cron(...)`, `rate(...)` or `at(...)`.
    pub schedule: String,
    /// Its zone; UTC when there is none.
    pub timezone: Option<String>,
    /// Sets the fewest tasks.
    pub min: Option<u32>,
    /// Sets the most tasks.
    pub max: Option<u32>,
    /// Fires from then on.
    pub start: Option<Timestamp>,
    /// Fires until then.
    pub end: Option<Timestamp>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// The action as AWS answered it, carried over when it is written.
    pub raw: Tree,
    /// Top-level members that this build does not know.
    pub unknown: Vec<String>,
}

/// Recent service deployments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum History {
    /// There was no reason to.
    #[default]
    NotRead,
    /// They could not be read: why.
    Unreadable(String),
    /// These, newest first.
    Read(Vec<PastDeployment>),
}

/// One service deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastDeployment {
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// `SUCCESSFUL`, `ROLLBACK_SUCCESSFUL`, ...
    pub status: String,
    /// AWS's reason for it.
    pub reason: String,
}

impl Policy {
    /// Which load balancer and target group its metric is of.
    pub fn label(&self) -> Option<&str> {
        self.configuration
            .get("PredefinedMetricSpecification")?
            .get("ResourceLabel")?
            .as_str()
    }
}

impl Facts {
    /// The facts of `live`; `None` for facts that no build of ours can have made.
    pub fn of(live: &Live) -> Option<Self> {
        serde_json::from_str(live.facts.as_str()?).ok()
    }

    /// What [`Facts::of`] reads: as text, which takes a quarter of the memory of a tree.
    pub fn kept(&self) -> Tree {
        Tree::String(tree::to_tree(self).to_string())
    }

    /// The revision that its tasks run, if it runs one that can be read: a service of an EXTERNAL
    /// controller names none, and the one of a deleted service may be gone.
    pub fn runs(&self) -> Option<&str> {
        let arn = self
            .primary()
            .map_or(self.task_definition.as_str(), |d| &d.task_definition);
        (self.status == "ACTIVE" && !arn.is_empty()).then_some(arn)
    }

    /// The PRIMARY deployment.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|d| d.status == "PRIMARY")
    }

    /// The deployment that is not done yet, if tasks are being replaced.
    pub fn rollout(&self) -> Option<&Deployment> {
        let primary = self.primary()?;
        let others = self.deployments.iter().any(|d| d.status == "ACTIVE");
        // Only rolling deployments say how far they are; the others show by standing together. One
        // that ECS has given up starts no more tasks, however long the old ones stand beside it.
        let moving = match primary.rollout_state.as_str() {
            "IN_PROGRESS" => true,
            "FAILED" => false,
            _ => others,
        };
        moving.then_some(primary)
    }
}

/// `family:revision` of a task definition's ARN.
pub fn family_revision(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Family and revision number of a task definition's ARN or `family:revision`.
pub fn parts(arn: &str) -> Option<(&str, u64)> {
    let (family, revision) = family_revision(arn).rsplit_once(':')?;
    Some((family, revision.parse().ok()?))
}
