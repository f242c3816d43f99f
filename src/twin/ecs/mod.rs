//! ECS in the twin: clusters, services, task definitions and their rollouts.

mod cluster;
mod create;
mod deployments;
mod fargate;
mod names;
mod register;
mod rollout;
mod service;
mod services;
mod tags;
mod task_definitions;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

pub use self::cluster::Cluster;
pub use self::rollout::{CrashRule, RolloutRules};
pub use self::service::{Deployment, DeploymentStatus, RolloutState, Service};
pub use self::task_definitions::TaskDefinition;
use super::ids::Ids;
use super::lagging::Lagging;
use super::wire::{CallContext, TwinError};

/// `cluster/service`.
pub(super) type ServiceKey = String;

/// The ECS of one account and region.
#[derive(Clone, Debug)]
pub struct Ecs {
    /// By name.
    clusters: BTreeMap<String, Cluster>,
    services: Lagging<ServiceKey, Service>,
    /// By family and revision.
    task_definitions: Lagging<(String, i64), TaskDefinition>,
    /// How long rollouts take and whose tasks crash.
    pub rollouts: RolloutRules,
    /// Services that time alone will change.
    moving: BTreeSet<ServiceKey>,
    ids: Ids,
}

impl Ecs {
    /// Empty. The same seed gives the same ids.
    pub fn new(seed: u64) -> Self {
        Self {
            clusters: BTreeMap::new(),
            services: Lagging::default(),
            task_definitions: Lagging::default(),
            rollouts: RolloutRules::default(),
            moving: BTreeSet::new(),
            ids: Ids::new(seed),
        }
    }

    /// Answers one call.
    ///
    /// # Errors
    /// As ECS does.
    pub fn call(
        &mut self,
        operation: &str,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        match operation {
            "CreateCluster" => Ok(self.create_cluster(input, cx)),
            "CreateService" => self.create_service(input, cx),
            "DescribeClusters" => Ok(self.describe_clusters(input, cx)),
            "DescribeServiceDeployments" => self.describe_service_deployments(input, cx),
            "DescribeServiceRevisions" => Ok(self.describe_service_revisions(input)),
            "DescribeServices" => self.describe_services(input, cx),
            "DescribeTaskDefinition" => self.describe_task_definition(input, cx),
            "ListClusters" => self.list_clusters(input, cx),
            "ListServiceDeployments" => self.list_service_deployments(input, cx),
            "ListServices" => self.list_services(input, cx),
            "ListTagsForResource" => self.list_tags(input, cx),
            "ListTaskDefinitions" => self.list_task_definitions(input, cx),
            "RegisterTaskDefinition" => self.register_task_definition(input, cx),
            "DeregisterTaskDefinition" => self.deregister_task_definition(input, cx),
            "TagResource" => self.tag_resource(input, cx),
            "UntagResource" => self.untag_resource(input, cx),
            "UpdateService" => self.update_service(input, cx),
            other => Err(TwinError::unknown_operation("ecs", other)),
        }
    }

    /// How far reads stay behind writes.
    pub fn set_read_lag(&mut self, lag: Duration) {
        self.services.lag = lag;
        self.task_definitions.lag = lag;
    }

    /// Lets rollouts and counts move until `now`.
    pub fn settle(&mut self, now: Timestamp) {
        let mut still = BTreeSet::new();
        for key in std::mem::take(&mut self.moving) {
            if let Some(service) = self.services.get_mut(&key) {
                service.settle(now, &self.rollouts, &mut self.ids);
                if service.is_moving(now, &self.rollouts) {
                    still.insert(key);
                }
            }
        }
        self.moving = still;
    }

    /// The service `cluster/name` as it is, without any lag.
    pub fn service(&self, cluster: &str, name: &str) -> Option<&Service> {
        self.services.get(&format!("{cluster}/{name}"))
    }

    /// The task definition with this ARN, `family:revision` or family (its latest active one).
    pub fn task_definition(&self, name: &str) -> Option<&TaskDefinition> {
        self.resolve_task_definition(name)
            .and_then(|key| self.task_definitions.get(&key))
    }

    /// All services as they are, by `cluster/name`.
    pub fn all_services(&self) -> impl Iterator<Item = (&str, &Service)> {
        self.services.iter().map(|(key, s)| (key.as_str(), s))
    }

    /// All task definitions, in order of family and revision.
    pub fn all_task_definitions(&self) -> impl Iterator<Item = &TaskDefinition> {
        self.task_definitions.iter().map(|(_, t)| t)
    }

    /// Changes any response member of a service: what no modelled call can do (a status, a
    /// `resourceManagementType`, a member of a later API version). `false` when there is none.
    pub fn set_service_member(
        &mut self,
        cluster: &str,
        name: &str,
        member: &str,
        value: Value,
    ) -> bool {
        let key = format!("{cluster}/{name}");
        let Some(service) = self.services.get_mut(&key) else {
            return false;
        };
        match (member, value.as_str()) {
            ("status", Some(status)) => status.clone_into(&mut service.status),
            _ => {
                service.members.insert(member.to_owned(), value);
            }
        }
        true
    }

    /// Brings a service's desired count into `[min, max]`, as Application Auto Scaling does.
    pub(super) fn clamp(&mut self, key: &ServiceKey, min: i64, max: i64, now: Timestamp) {
        if let Some(desired) = self.services.get(key).map(|s| s.desired) {
            let within = desired.clamp(min, max.max(min));
            if within != desired {
                self.set_desired(key, within, now);
            }
        }
    }

    fn set_desired(&mut self, key: &ServiceKey, desired: i64, now: Timestamp) {
        let length = self.rollouts.count_change;
        if let Some(service) = self.services.write(now, key) {
            service.settle(now, &self.rollouts, &mut self.ids);
            service.set_desired(desired, now, length);
            self.moving.insert(key.clone());
        }
    }

    /// Ends what moves in this service at once, as if it had happened long ago.
    pub(super) fn finish(&mut self, key: &ServiceKey, now: Timestamp) {
        if let Some(service) = self.services.get_mut(key) {
            service.finish(now);
        }
    }
}
