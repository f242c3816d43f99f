//! CreateService: a new service and its first deployment.

use serde_json::{Map, Value, json};

use super::Ecs;
use super::names::{arn, text};
use super::service::{Ramp, Service, epoch};
use super::tags::{check_tags, tags_of};
use crate::twin::wire::{CallContext, TwinError};

/// Members of the request that the service shows as they were sent.
const COPIED: &[&str] = &[
    "loadBalancers",
    "serviceRegistries",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "deploymentConfiguration",
    "placementConstraints",
    "placementStrategy",
    "networkConfiguration",
    "healthCheckGracePeriodSeconds",
    "schedulingStrategy",
    "deploymentController",
    "enableECSManagedTags",
    "propagateTags",
    "enableExecuteCommand",
    "availabilityZoneRebalancing",
];

impl Ecs {
    pub(super) fn create_service(
        &mut self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let invalid = |text: &str| TwinError::client("InvalidParameterException", text);
        let cluster = self.cluster_of(input)?;
        let name = text(input, "serviceName")
            .filter(|name| !name.is_empty())
            .ok_or_else(|| invalid("Service name cannot be empty."))?;
        let key = format!("{cluster}/{name}");
        if self
            .services
            .get(&key)
            .is_some_and(|s| s.status != "INACTIVE")
        {
            return Err(invalid("Creation of service was not idempotent."));
        }
        let mut members = defaults();
        for member in COPIED {
            if let Some(value) = input.get(member).filter(|value| !value.is_null()) {
                members.insert((*member).to_owned(), value.clone());
            }
        }
        if let Some(sent) = input.get("deploymentConfiguration") {
            members.insert(
                "deploymentConfiguration".to_owned(),
                merged(&default_deployment_configuration(), sent),
            );
        }
        let fargate = input.get("launchType") == Some(&json!("FARGATE"));
        if fargate && !members.contains_key("platformVersion") {
            members.insert("platformVersion".to_owned(), json!("LATEST"));
            members.insert("platformFamily".to_owned(), json!("Linux"));
        }
        let cluster_arn = self.clusters.get(&cluster).map(|c| c.arn.clone());
        members.insert("clusterArn".to_owned(), json!(cluster_arn));
        members.insert("createdAt".to_owned(), epoch(cx.now));
        let root = format!("arn:aws:iam::{}:root", cx.account);
        members.insert("createdBy".to_owned(), json!(root));
        let tags = tags_of(input.get("tags"));
        check_tags(&tags)?;
        let desired = input.get("desiredCount").and_then(Value::as_i64);
        let mut service = Service {
            name: name.to_owned(),
            arn: arn(cx, &format!("service/{key}")),
            cluster,
            status: "ACTIVE".to_owned(),
            task_definition: String::new(),
            desired: desired.unwrap_or(0),
            deployments: Vec::new(),
            tags,
            members,
            running: Ramp {
                from: 0,
                to: desired.unwrap_or(0),
                start: cx.now,
                length: self.rollouts.duration,
            },
            last_completed: None,
            history: Vec::new(),
            events: Vec::new(),
        };
        if service.scheduling_strategy() == "DAEMON" {
            if desired.is_some() {
                return Err(invalid(
                    "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again.",
                ));
            }
            // One task on each of the cluster's instances; this model's clusters have one.
            service.desired = 1;
            service.running.to = 1;
        } else if desired.is_none_or(|count| count < 0) {
            return Err(invalid("desiredCount cannot be empty or negative."));
        }
        if let Some(wanted) = text(input, "taskDefinition") {
            let definition = self.usable_task_definition(wanted)?;
            definition.check_launch_type(text(input, "launchType"))?;
            let (arn, health) = (definition.arn.clone(), self.rollouts.health(definition));
            if service.controller() == "ECS" {
                service.begin(&arn, health, cx.now, &mut self.ids);
            } else {
                service.task_definition = arn;
            }
        } else if service.controller() != "EXTERNAL" {
            return Err(invalid("TaskDefinition can not be blank."));
        }
        let view = service.view(cx.now, self.rollouts.duration, true);
        self.services.insert(cx.now, key.clone(), service);
        self.moving.insert(key);
        Ok(json!({"service": view}))
    }
}

fn default_deployment_configuration() -> Value {
    json!({
        "deploymentCircuitBreaker": {"enable": false, "rollback": false},
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    })
}

fn defaults() -> Map<String, Value> {
    let defaults = json!({
        "loadBalancers": [],
        "serviceRegistries": [],
        "deploymentConfiguration": default_deployment_configuration(),
        "placementConstraints": [],
        "placementStrategy": [],
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": false,
        "propagateTags": "NONE",
        "enableExecuteCommand": false,
        "availabilityZoneRebalancing": "ENABLED",
        "resourceManagementType": "CUSTOMER",
        "roleArn": "",
        "pendingCount": 0,
    });
    match defaults {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// `old` with each member that `sent` has in its place: how ECS takes a deployment configuration.
pub(super) fn merged(old: &Value, sent: &Value) -> Value {
    let mut new = old.clone();
    if let (Some(new), Some(sent)) = (new.as_object_mut(), sent.as_object()) {
        for (member, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
            new.insert(member.clone(), value.clone());
        }
    }
    new
}
