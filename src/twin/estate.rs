//! Estates: what tests and the demo build in a world, and what people do there behind Evenkeel's back.
//!
//! All of it goes through the modelled API, so that nothing is here that AWS would refuse.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::World;
use super::ecs::{Service, TaskDefinition};
use super::wire::TwinError;

/// A Fargate service behind a load balancer, with one container named `app` on port 8080.
#[derive(Clone, Debug)]
pub struct FargateService {
    /// The cluster's name; it is created when absent.
    pub cluster: String,
    /// The service's name, and its task definition's family.
    pub name: String,
    /// The container's image.
    pub image: String,
    /// Task CPU in units (1024 = 1 vCPU).
    pub cpu: i64,
    /// Task memory in MiB.
    pub memory: i64,
    /// Wanted tasks.
    pub desired: i64,
    /// The container's environment.
    pub environment: BTreeMap<String, String>,
    /// The service's tags.
    pub tags: BTreeMap<String, String>,
}

impl FargateService {
    /// One task of 256 units and 512 MiB.
    pub fn new(cluster: &str, name: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            image: format!("registry.example/{name}:1"),
            cpu: 256,
            memory: 512,
            desired: 1,
            environment: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    /// With another image.
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.image);
        self
    }

    /// With another size: CPU units and MiB.
    #[must_use]
    pub fn size(mut self, cpu: i64, memory: i64) -> Self {
        (self.cpu, self.memory) = (cpu, memory);
        self
    }

    /// With another count.
    #[must_use]
    pub fn desired(mut self, desired: i64) -> Self {
        self.desired = desired;
        self
    }

    /// With one more variable in the container's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With one more tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    fn task_definition(&self) -> Value {
        let environment: Value = self
            .environment
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        json!({
            "family": self.name,
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": self.cpu.to_string(),
            "memory": self.memory.to_string(),
            "executionRoleArn": "arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
            "containerDefinitions": [{
                "name": "app",
                "image": self.image,
                "portMappings": [{"containerPort": 8080}],
                "environment": environment,
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": format!("/ecs/{}", self.name),
                        "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "ecs",
                    },
                },
            }],
        })
    }

    fn service(&self) -> Value {
        let tags: Value = self
            .tags
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect();
        let name = &self.name;
        json!({
            "cluster": self.cluster,
            "serviceName": name,
            "taskDefinition": name,
            "desiredCount": self.desired,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {
                "subnets": ["subnet-0a1b2c3d"],
                "securityGroups": ["sg-0a1b2c3d"],
                "assignPublicIp": "DISABLED",
            }},
            "loadBalancers": [{
                "targetGroupArn": format!(
                    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/0123456789abcdef"
                ),
                "containerName": "app",
                "containerPort": 8080,
            }],
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": true, "rollback": true},
            },
            "healthCheckGracePeriodSeconds": 0,
            "tags": tags,
        })
    }
}

impl World {
    /// A cluster. One that exists stays as it is.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn add_cluster(&mut self, name: &str) -> Result<(), TwinError> {
        self.call("ecs", "CreateCluster", &json!({"clusterName": name}))?;
        Ok(())
    }

    /// A service that has run for long: its first rollout is over.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn add_service(&mut self, setup: &FargateService) -> Result<(), TwinError> {
        self.add_cluster(&setup.cluster)?;
        self.call("ecs", "RegisterTaskDefinition", &setup.task_definition())?;
        self.call("ecs", "CreateService", &setup.service())?;
        let key = format!("{}/{}", setup.cluster, setup.name);
        self.ecs.finish(&key, self.now);
        Ok(())
    }

    /// The service, as it is.
    pub fn service(&self, cluster: &str, name: &str) -> Option<&Service> {
        self.ecs.service(cluster, name)
    }

    /// The task definition that the service goes to, or runs.
    pub fn task_definition_of(&self, cluster: &str, name: &str) -> Option<&TaskDefinition> {
        let service = self.ecs.service(cluster, name)?;
        self.ecs.task_definition(&service.task_definition)
    }

    /// Someone changes members of the service through UpdateService.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn update_service(
        &mut self,
        cluster: &str,
        name: &str,
        members: Value,
    ) -> Result<Value, TwinError> {
        let mut input = members;
        input["cluster"] = json!(cluster);
        input["service"] = json!(name);
        self.call("ecs", "UpdateService", &input)
    }

    /// Someone sets the count, as a person does in the console or an autoscaler all day.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn set_desired_count(
        &mut self,
        cluster: &str,
        name: &str,
        count: i64,
    ) -> Result<(), TwinError> {
        self.update_service(cluster, name, json!({"desiredCount": count}))?;
        Ok(())
    }

    /// CI deploys an image: registers the current definition with it, and updates the service.
    /// Gives the new definition's ARN.
    ///
    /// # Errors
    /// As AWS answers; a `ServiceNotFoundException` when there is no such service.
    pub fn deploy_image(
        &mut self,
        cluster: &str,
        name: &str,
        image: &str,
    ) -> Result<String, TwinError> {
        self.deploy_changed(cluster, name, |definition| {
            if let Some(Value::Array(containers)) = definition.get_mut("containerDefinitions") {
                for container in containers {
                    container["image"] = json!(image);
                }
            }
        })
    }

    /// Someone resizes the service by hand: CPU units and MiB. Gives the new definition's ARN.
    ///
    /// # Errors
    /// As [`World::deploy_image`].
    pub fn resize(
        &mut self,
        cluster: &str,
        name: &str,
        cpu: i64,
        memory: i64,
    ) -> Result<String, TwinError> {
        self.deploy_changed(cluster, name, |definition| {
            definition.insert("cpu".to_owned(), json!(cpu.to_string()));
            definition.insert("memory".to_owned(), json!(memory.to_string()));
        })
    }

    /// Someone registers a changed copy of the current definition and points the service at it.
    /// Gives the new definition's ARN.
    ///
    /// # Errors
    /// As [`World::deploy_image`].
    pub fn deploy_changed(
        &mut self,
        cluster: &str,
        name: &str,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Result<String, TwinError> {
        let mut definition = self
            .task_definition_of(cluster, name)
            .map(TaskDefinition::registrable)
            .ok_or_else(|| TwinError::client("ServiceNotFoundException", "Service not found."))?;
        change(&mut definition);
        let registered = self.call("ecs", "RegisterTaskDefinition", &Value::Object(definition))?;
        let arn = registered["taskDefinition"]["taskDefinitionArn"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.update_service(cluster, name, json!({"taskDefinition": arn}))?;
        Ok(arn)
    }
}
