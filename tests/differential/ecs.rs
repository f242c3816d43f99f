//! ECS: its calls through the SDK.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types as t;
use serde_json::Value;

use super::input::{flag, int, list, one, text, texts, word, words};
use super::sides::{Answer, Side};

/// Makes one call. Panics for an operation that is not here.
pub async fn send(side: &Side, operation: &str, i: &Value) -> Answer {
    let c = Client::new(&side.sdk);
    match operation {
        "CreateCluster" => {
            let call = c.create_cluster().set_cluster_name(text(i, "clusterName"));
            let call = call.set_tags(list(i, "tags", tag));
            side.answer(call.set_settings(list(i, "settings", setting)).send().await)
        }
        "DescribeClusters" => {
            let call = c.describe_clusters().set_clusters(texts(i, "clusters"));
            side.answer(call.set_include(words(i, "include")).send().await)
        }
        "ListClusters" => {
            let call = c.list_clusters().set_max_results(int(i, "maxResults"));
            side.answer(call.set_next_token(text(i, "nextToken")).send().await)
        }
        "RegisterTaskDefinition" => {
            let call = c
                .register_task_definition()
                .set_family(text(i, "family"))
                .set_cpu(text(i, "cpu"))
                .set_memory(text(i, "memory"))
                .set_network_mode(word(i, "networkMode"))
                .set_requires_compatibilities(words(i, "requiresCompatibilities"))
                .set_container_definitions(list(i, "containerDefinitions", container))
                .set_tags(list(i, "tags", tag));
            side.answer(call.send().await)
        }
        "DeregisterTaskDefinition" => {
            let call = c.deregister_task_definition();
            let call = call.set_task_definition(text(i, "taskDefinition"));
            side.answer(call.send().await)
        }
        "DescribeTaskDefinition" => {
            let call = c.describe_task_definition();
            let call = call.set_task_definition(text(i, "taskDefinition"));
            side.answer(call.set_include(words(i, "include")).send().await)
        }
        "ListTaskDefinitions" => {
            let call = c
                .list_task_definitions()
                .set_family_prefix(text(i, "familyPrefix"))
                .set_status(word(i, "status"))
                .set_sort(word(i, "sort"))
                .set_max_results(int(i, "maxResults"))
                .set_next_token(text(i, "nextToken"));
            side.answer(call.send().await)
        }
        "CreateService" => {
            let call = c
                .create_service()
                .set_cluster(text(i, "cluster"))
                .set_service_name(text(i, "serviceName"))
                .set_task_definition(text(i, "taskDefinition"))
                .set_desired_count(int(i, "desiredCount"))
                .set_launch_type(word(i, "launchType"))
                .set_scheduling_strategy(word(i, "schedulingStrategy"))
                .set_load_balancers(list(i, "loadBalancers", balancer))
                .set_deployment_configuration(one(i, "deploymentConfiguration", rollout))
                .set_health_check_grace_period_seconds(int(i, "healthCheckGracePeriodSeconds"))
                .set_propagate_tags(word(i, "propagateTags"))
                .set_enable_execute_command(flag(i, "enableExecuteCommand"))
                .set_tags(list(i, "tags", tag));
            side.answer(call.send().await)
        }
        "UpdateService" => {
            let call = c
                .update_service()
                .set_cluster(text(i, "cluster"))
                .set_service(text(i, "service"))
                .set_task_definition(text(i, "taskDefinition"))
                .set_desired_count(int(i, "desiredCount"))
                .set_force_new_deployment(flag(i, "forceNewDeployment"))
                .set_deployment_configuration(one(i, "deploymentConfiguration", rollout))
                .set_health_check_grace_period_seconds(int(i, "healthCheckGracePeriodSeconds"))
                .set_propagate_tags(word(i, "propagateTags"))
                .set_enable_execute_command(flag(i, "enableExecuteCommand"));
            side.answer(call.send().await)
        }
        "DescribeServices" => {
            let call = c.describe_services().set_cluster(text(i, "cluster"));
            let call = call.set_services(texts(i, "services"));
            side.answer(call.set_include(words(i, "include")).send().await)
        }
        "ListServices" => {
            let call = c
                .list_services()
                .set_cluster(text(i, "cluster"))
                .set_launch_type(word(i, "launchType"))
                .set_scheduling_strategy(word(i, "schedulingStrategy"))
                .set_max_results(int(i, "maxResults"))
                .set_next_token(text(i, "nextToken"));
            side.answer(call.send().await)
        }
        "ListServiceDeployments" => {
            let call = c
                .list_service_deployments()
                .set_cluster(text(i, "cluster"))
                .set_service(text(i, "service"))
                .set_status(words(i, "status"))
                .set_max_results(int(i, "maxResults"))
                .set_next_token(text(i, "nextToken"));
            let said = call.send().await;
            if let Ok(listed) = &said
                && let Some(newest) = listed.service_deployments().first()
            {
                side.give("deployment", newest.service_deployment_arn());
                side.give("revision", newest.target_service_revision_arn());
            }
            side.answer(said)
        }
        "DescribeServiceDeployments" => {
            let call = c.describe_service_deployments();
            let call = call.set_service_deployment_arns(texts(i, "serviceDeploymentArns"));
            side.answer(call.send().await)
        }
        "DescribeServiceRevisions" => {
            let call = c.describe_service_revisions();
            let call = call.set_service_revision_arns(texts(i, "serviceRevisionArns"));
            side.answer(call.send().await)
        }
        "TagResource" => {
            let call = c.tag_resource().set_resource_arn(text(i, "resourceArn"));
            side.answer(call.set_tags(list(i, "tags", tag)).send().await)
        }
        "UntagResource" => {
            let call = c.untag_resource().set_resource_arn(text(i, "resourceArn"));
            side.answer(call.set_tag_keys(texts(i, "tagKeys")).send().await)
        }
        "ListTagsForResource" => {
            let call = c.list_tags_for_resource();
            side.answer(call.set_resource_arn(text(i, "resourceArn")).send().await)
        }
        other => panic!("ecs.{other} is not drawn"),
    }
}

fn tag(v: &Value) -> t::Tag {
    let tag = t::Tag::builder().set_key(text(v, "key"));
    tag.set_value(text(v, "value")).build()
}

fn setting(v: &Value) -> t::ClusterSetting {
    let setting = t::ClusterSetting::builder().set_name(word(v, "name"));
    setting.set_value(text(v, "value")).build()
}

fn balancer(v: &Value) -> t::LoadBalancer {
    t::LoadBalancer::builder()
        .set_target_group_arn(text(v, "targetGroupArn"))
        .set_container_name(text(v, "containerName"))
        .set_container_port(int(v, "containerPort"))
        .build()
}

fn rollout(v: &Value) -> t::DeploymentConfiguration {
    let breaker = |v: &Value| {
        t::DeploymentCircuitBreaker::builder()
            .enable(flag(v, "enable").unwrap_or_default())
            .rollback(flag(v, "rollback").unwrap_or_default())
            .build()
    };
    t::DeploymentConfiguration::builder()
        .set_minimum_healthy_percent(int(v, "minimumHealthyPercent"))
        .set_maximum_percent(int(v, "maximumPercent"))
        .set_deployment_circuit_breaker(one(v, "deploymentCircuitBreaker", breaker))
        .build()
}

fn container(v: &Value) -> t::ContainerDefinition {
    let port = |v: &Value| {
        t::PortMapping::builder()
            .set_container_port(int(v, "containerPort"))
            .set_host_port(int(v, "hostPort"))
            .set_protocol(word(v, "protocol"))
            .build()
    };
    let pair = |v: &Value| {
        let pair = t::KeyValuePair::builder().set_name(text(v, "name"));
        pair.set_value(text(v, "value")).build()
    };
    t::ContainerDefinition::builder()
        .set_name(text(v, "name"))
        .set_image(text(v, "image"))
        .set_cpu(int(v, "cpu"))
        .set_memory(int(v, "memory"))
        .set_memory_reservation(int(v, "memoryReservation"))
        .set_essential(flag(v, "essential"))
        .set_command(texts(v, "command"))
        .set_port_mappings(list(v, "portMappings", port))
        .set_environment(list(v, "environment", pair))
        .build()
}
