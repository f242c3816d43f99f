//! UpdateService: what it changes, and which changes begin a deployment.

use serde_json::{Value, json};

use super::create::merged;
use super::names::text;
use super::{Ecs, Service};
use crate::twin::wire::{CallContext, TwinError};

/// Members that begin a deployment when they differ (ECS API, UpdateService).
const DEPLOYS: &[&str] = &[
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "platformVersion",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// Members that are taken as sent and begin nothing.
const TAKEN: &[&str] = &[
    "availabilityZoneRebalancing",
    "placementConstraints",
    "placementStrategy",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "enableECSManagedTags",
    "propagateTags",
    "capacityProviderStrategy",
];

/// Members that only the ECS controller lets UpdateService change.
const ECS_CONTROLLER_ONLY: &[&str] = &[
    "taskDefinition",
    "forceNewDeployment",
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "platformVersion",
    "capacityProviderStrategy",
];

fn sent<'v>(input: &'v Value, member: &str) -> Option<&'v Value> {
    input.get(member).filter(|value| !value.is_null())
}

impl Ecs {
    pub(super) fn update_service(
        &mut self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let cluster = self.cluster_of(input)?;
        let name = text(input, "service").unwrap_or_default();
        let key = Self::service_key(&cluster, name);
        let service = self
            .services
            .get(&key)
            .ok_or_else(|| TwinError::client("ServiceNotFoundException", "Service not found."))?;
        if service.status != "ACTIVE" {
            return Err(TwinError::client(
                "ServiceNotActiveException",
                "Service was not ACTIVE.",
            ));
        }
        check(service, input)?;
        let wanted = match text(input, "taskDefinition") {
            None => None,
            Some(wanted) => {
                let definition = self.usable_task_definition(wanted)?;
                let launch_type = service.members.get("launchType").and_then(Value::as_str);
                definition.check_launch_type(launch_type)?;
                Some(definition.arn.clone())
            }
        };
        let arn = wanted.unwrap_or_else(|| service.task_definition.clone());
        let forced = sent(input, "forceNewDeployment") == Some(&json!(true));
        let differs = |member: &&&str| {
            sent(input, member).is_some_and(|value| service.members.get(**member) != Some(value))
        };
        let deploys =
            forced || arn != service.task_definition || DEPLOYS.iter().any(|m| differs(&m));
        let health = self
            .task_definition(&arn)
            .map(|definition| self.rollouts.health(definition));
        let desired = sent(input, "desiredCount").and_then(Value::as_i64);
        let (rollouts, ids) = (&self.rollouts, &mut self.ids);
        let Some(service) = self.services.write(cx.now, &key) else {
            return Err(TwinError::internal("ecs"));
        };
        service.settle(cx.now, rollouts, ids);
        for member in DEPLOYS.iter().chain(TAKEN) {
            if let Some(value) = sent(input, member) {
                service.members.insert((*member).to_owned(), value.clone());
            }
        }
        if let Some(new) = sent(input, "deploymentConfiguration") {
            let old = service.members.get("deploymentConfiguration");
            let new = merged(old.unwrap_or(&json!({})), new);
            service
                .members
                .insert("deploymentConfiguration".to_owned(), new);
        }
        if let Some(desired) = desired.filter(|desired| *desired != service.desired) {
            service.set_desired(desired, cx.now, rollouts.count_change);
        }
        if let (true, Some(health)) = (deploys && service.controller() == "ECS", health) {
            service.begin(&arn, health, cx.now, ids);
        }
        let view = service.view(cx.now, rollouts.duration, false);
        self.moving.insert(key);
        Ok(json!({"service": view}))
    }
}

fn check(service: &Service, input: &Value) -> Result<(), TwinError> {
    let invalid = |text: String| Err(TwinError::client("InvalidParameterException", text));
    let controller = service.controller();
    if controller != "ECS" {
        for member in ECS_CONTROLLER_ONLY {
            if sent(input, member).is_some_and(|value| *value != json!(false)) {
                return invalid(format!(
                    "Unable to update {member} on services with a {controller} deployment controller."
                ));
            }
        }
    }
    if let Some(desired) = sent(input, "desiredCount") {
        if service.scheduling_strategy() == "DAEMON" {
            return invalid(
                "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again."
                    .to_owned(),
            );
        }
        if desired.as_i64().is_none_or(|count| count < 0) {
            return invalid("desiredCount cannot be negative.".to_owned());
        }
    }
    if let Some(grace) = sent(input, "healthCheckGracePeriodSeconds") {
        let seconds = grace.as_i64().unwrap_or(-1);
        if !(0..=2_147_483_647).contains(&seconds) {
            return invalid("healthCheckGracePeriodSeconds is out of range.".to_owned());
        }
        let balanced = sent(input, "loadBalancers")
            .or_else(|| service.members.get("loadBalancers"))
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty());
        if !balanced {
            return invalid(
                "Health check grace period is only valid for services configured to use load balancers"
                    .to_owned(),
            );
        }
    }
    if let Some(new) = sent(input, "deploymentConfiguration") {
        let percent = |member: &str| new.get(member).and_then(Value::as_i64);
        let (minimum, maximum) = (percent("minimumHealthyPercent"), percent("maximumPercent"));
        if minimum.is_some_and(|m| m < 0) || maximum.is_some_and(|m| m < 0) {
            return invalid("Deployment percentages cannot be negative.".to_owned());
        }
        let old = service.members.get("deploymentConfiguration");
        let all = merged(old.unwrap_or(&json!({})), new);
        let of = |member: &str| all.get(member).and_then(Value::as_i64);
        if of("maximumPercent") <= of("minimumHealthyPercent") && of("maximumPercent") <= Some(100)
        {
            return invalid(
                "minimumHealthyPercent and maximumPercent leave no room to replace a task."
                    .to_owned(),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::wire::CallContext;

    fn cx() -> CallContext<'static> {
        CallContext {
            now: jiff::Timestamp::UNIX_EPOCH,
            account: "123456789012",
            region: "us-east-1",
        }
    }

    /// A settled service `c/web` that was created with `members` besides the usual ones.
    fn with(members: Value) -> Ecs {
        let mut ecs = Ecs::new(0);
        let definition = json!({
            "family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc",
            "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "app", "image": "web:1"}],
        });
        let mut service = json!({
            "cluster": "c", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1,
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
        });
        let fields = service.as_object_mut().unwrap();
        fields.extend(members.as_object().unwrap().clone());
        fields.retain(|_, value| !value.is_null());
        for (operation, input) in [
            ("CreateCluster", json!({"clusterName": "c"})),
            ("RegisterTaskDefinition", definition.clone()),
            ("RegisterTaskDefinition", definition),
            ("CreateService", service),
        ] {
            ecs.call(operation, &input, &cx()).unwrap();
        }
        ecs.finish(&"c/web".to_owned(), cx().now);
        ecs
    }

    fn update(ecs: &mut Ecs, mut input: Value) -> Result<Value, TwinError> {
        input["cluster"] = json!("c");
        if input.get("service").is_none() {
            input["service"] = json!("web");
        }
        let answer = ecs.call("UpdateService", &input, &cx())?;
        Ok(answer["service"].clone())
    }

    fn refusal(ecs: &mut Ecs, input: Value) -> String {
        update(ecs, input).unwrap_err().code
    }

    #[test]
    fn counts_and_configuration_begin_no_deployment() {
        let mut ecs = with(json!({}));
        let sent = json!({"desiredCount": 3, "deploymentConfiguration": {"maximumPercent": 150}});
        let service = update(&mut ecs, sent).unwrap();
        assert_eq!(service["desiredCount"], 3);
        assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
        let configuration = &service["deploymentConfiguration"];
        assert_eq!(configuration["maximumPercent"], 150);
        assert_eq!(configuration["minimumHealthyPercent"], 100);
        assert_eq!(configuration["deploymentCircuitBreaker"]["enable"], true);
    }

    #[test]
    fn another_revision_or_force_begins_one_and_the_same_revision_does_not() {
        let mut ecs = with(json!({}));
        let deployments = |service: Value| service["deployments"].as_array().unwrap().len();
        let same = update(&mut ecs, json!({"taskDefinition": "web:2"})).unwrap();
        assert_eq!(deployments(same), 1);
        let other = update(&mut ecs, json!({"taskDefinition": "web:1"})).unwrap();
        assert_eq!(other["deployments"][0]["rolloutState"], "IN_PROGRESS");
        assert_eq!(other["deployments"][1]["status"], "ACTIVE");
        assert_eq!(deployments(other), 2);
        let forced = update(&mut ecs, json!({"forceNewDeployment": true})).unwrap();
        assert_eq!(deployments(forced), 3);
    }

    #[test]
    fn what_is_not_there_or_not_usable_has_its_own_error() {
        let mut ecs = with(json!({}));
        let code = refusal(&mut ecs, json!({"service": "gone"}));
        assert_eq!(code, "ServiceNotFoundException");
        let code = refusal(&mut ecs, json!({"taskDefinition": "web:9"}));
        assert_eq!(code, "ClientException");
        let gone = json!({"taskDefinition": "web:1"});
        ecs.call("DeregisterTaskDefinition", &gone, &cx()).unwrap();
        assert_eq!(refusal(&mut ecs, gone), "ClientException");
        let grace = json!({"healthCheckGracePeriodSeconds": 60});
        assert_eq!(refusal(&mut ecs, grace), "InvalidParameterException");
        ecs.set_service_member("c", "web", "status", json!("DRAINING"));
        let code = refusal(&mut ecs, json!({"desiredCount": 2}));
        assert_eq!(code, "ServiceNotActiveException");
    }

    #[test]
    fn other_controllers_and_daemons_refuse_what_is_not_theirs() {
        let mut ecs = with(json!({"deploymentController": {"type": "CODE_DEPLOY"}}));
        let code = refusal(&mut ecs, json!({"taskDefinition": "web:1"}));
        assert_eq!(code, "InvalidParameterException");
        assert!(update(&mut ecs, json!({"desiredCount": 2})).is_ok());
        let mut ecs = with(json!({"schedulingStrategy": "DAEMON", "desiredCount": null}));
        let code = refusal(&mut ecs, json!({"desiredCount": 2}));
        assert_eq!(code, "InvalidParameterException");
    }
}
