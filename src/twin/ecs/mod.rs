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
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

pub use self::cluster::Cluster;
pub use self::rollout::{CrashRule, RolloutRules};
pub(super) use self::service::epoch;
pub use self::service::{Deployment, DeploymentStatus, RolloutState, Service};
pub use self::task_definitions::TaskDefinition;
use super::ids::Ids;
use super::lagging::Lagging;
use super::wire::{CallContext, TwinError};

/// `cluster/service`.
pub type ServiceKey = String;

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
    pub fn clamp(&mut self, key: &ServiceKey, min: i64, max: i64, now: Timestamp) {
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

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::error::ProvideErrorMetadata as _;
    use aws_sdk_ecs::types::{ServiceField, Tag, TaskDefinitionField};
    use serde_json::json;

    use crate::clock::Clock;
    use crate::twin::Twin;
    use crate::twin::estate::FargateService;

    fn one_service() -> (Twin, aws_sdk_ecs::Client) {
        let clock = Clock::virtual_at("2026-11-23T12:00:00Z".parse().unwrap());
        let twin = Twin::new(clock, 7);
        let web = FargateService::new("c", "web").tag("team", "a").desired(2);
        twin.world(|w| w.add_service(&web)).unwrap();
        let client = aws_sdk_ecs::Client::new(&twin.sdk_config());
        (twin, client)
    }

    #[tokio::test(start_paused = true)]
    async fn services_are_described_by_name_or_arn_and_missing_ones_are_failures() {
        let (_, client) = one_service();
        let describe = |names: &[&str]| {
            let names = names.iter().map(|n| (*n).to_owned()).collect();
            let call = client.describe_services().cluster("c");
            call.set_services(Some(names)).include(ServiceField::Tags)
        };
        let arn = "arn:aws:ecs:us-east-1:123456789012:service/c/web";
        let answer = describe(&[arn, "gone"]).send().await.unwrap();
        let web = &answer.services()[0];
        assert_eq!(web.service_arn(), Some(arn));
        assert_eq!((web.desired_count(), web.running_count()), (2, 2));
        assert_eq!(web.tags()[0].key(), Some("team"));
        assert_eq!(web.created_at().unwrap().secs(), 1_795_435_200);
        let primary = &web.deployments()[0];
        assert_eq!(primary.status(), Some("PRIMARY"));
        assert_eq!(primary.rollout_state().unwrap().as_str(), "COMPLETED");
        let gone = &answer.failures()[0];
        assert_eq!(gone.reason(), Some("MISSING"));
        assert!(gone.arn().unwrap().ends_with("service/c/gone"));
        let err = describe(&["a"; 11]).send().await.unwrap_err();
        assert_eq!(err.code(), Some("InvalidParameterException"));
        let err = describe(&[]).send().await.unwrap_err();
        assert_eq!(err.code(), Some("InvalidParameterException"));
        let elsewhere = describe(&["web"]).cluster("d").send().await.unwrap_err();
        assert!(
            elsewhere
                .into_service_error()
                .is_cluster_not_found_exception()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn lists_come_in_pages() {
        let (twin, client) = one_service();
        for i in 0..11 {
            let more = FargateService::new("c", &format!("more-{i:02}"));
            twin.world(|w| w.add_service(&more)).unwrap();
        }
        let first = client.list_services().cluster("c").send().await.unwrap();
        assert_eq!(first.service_arns().len(), 10);
        let token = first.next_token().unwrap();
        let rest = client.list_services().cluster("c").next_token(token);
        assert_eq!(rest.send().await.unwrap().service_arns().len(), 2);
        let all = client
            .describe_clusters()
            .clusters("c")
            .send()
            .await
            .unwrap();
        assert_eq!(all.clusters()[0].active_services_count(), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn task_definitions_are_described_by_family_revision_or_arn() {
        let (twin, client) = one_service();
        twin.world(|w| w.deploy_image("c", "web", "web:2")).unwrap();
        let describe = |name: &str| {
            let call = client.describe_task_definition().task_definition(name);
            call.include(TaskDefinitionField::Tags).send()
        };
        for (name, revision) in [
            ("web", 2),
            ("web:1", 1),
            (
                "arn:aws:ecs:us-east-1:123456789012:task-definition/web:2",
                2,
            ),
        ] {
            let answer = describe(name).await.unwrap();
            assert_eq!(answer.task_definition().unwrap().revision(), revision);
        }
        let err = describe("web:3").await.unwrap_err();
        assert!(err.as_service_error().unwrap().is_client_exception());
        assert_eq!(err.message(), Some("Unable to describe task definition."));
        let newest_first = client
            .list_task_definitions()
            .family_prefix("web")
            .sort(aws_sdk_ecs::types::SortOrder::Desc)
            .send()
            .await
            .unwrap();
        assert!(newest_first.task_definition_arns()[0].ends_with("web:2"));
    }

    #[tokio::test(start_paused = true)]
    async fn tags_are_merged_and_aws_keys_refused() {
        let (twin, client) = one_service();
        let tag = |arn: &str, key: &str| {
            let tag = Tag::builder().key(key).value("v").build();
            client.tag_resource().resource_arn(arn).tags(tag).send()
        };
        let service = "arn:aws:ecs:us-east-1:123456789012:service/c/web";
        tag(service, "new").await.unwrap();
        let tags = twin.world(|w| w.service("c", "web").unwrap().tags.clone());
        assert_eq!(tags.into_keys().collect::<Vec<_>>(), ["new", "team"]);
        tag(
            "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1",
            "k",
        )
        .await
        .unwrap();
        let tagged = twin.world(|w| w.ecs.task_definition("web:1").unwrap().tags.len());
        assert_eq!(tagged, 1);
        assert!(tag(service, "aws:x").await.is_err());
        assert!(tag(&service.replace("web", "gone"), "x").await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn members_that_the_model_does_not_know_survive() {
        let (twin, _) = one_service();
        twin.world(|w| {
            w.deploy_changed("c", "web", |definition| {
                definition.insert("fromTheFuture".to_owned(), json!({"a": [1]}));
            })
            .unwrap();
            let definition = w.task_definition_of("c", "web").unwrap();
            assert_eq!(definition.members["fromTheFuture"], json!({"a": [1]}));
        });
    }
}
