//! RegisterTaskDefinition: what AWS refuses, and what it fills in.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::fargate::{fargate_takes, size};
use super::names::{arn, text, texts};
use super::service::epoch;
use super::tags::{check_tags, tags_of};
use super::{Ecs, TaskDefinition};
use crate::twin::wire::{CallContext, TwinError};

fn client(text: impl Into<String>) -> TwinError {
    TwinError::client("ClientException", text)
}

impl Ecs {
    pub(super) fn register_task_definition(
        &mut self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let family = text(input, "family").unwrap_or_default();
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if family.is_empty() || family.len() > 255 || !family.chars().all(legal) {
            return Err(client("Invalid family name."));
        }
        let mut members: Map<String, Value> = input
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(member, value)| *member != "tags" && !value.is_null())
            .map(|(member, value)| (member.clone(), value.clone()))
            .collect();
        let tags = tags_of(input.get("tags"));
        check_tags(&tags)?;
        normalise_size(&mut members, "cpu")?;
        normalise_size(&mut members, "memory")?;
        let network = text(input, "networkMode").unwrap_or("bridge").to_owned();
        let fargate = texts(input, "requiresCompatibilities").contains(&"FARGATE");
        let task = TaskSize {
            cpu: stored_size(&members, "cpu"),
            memory: stored_size(&members, "memory"),
        };
        if fargate {
            check_fargate(&network, &task)?;
        }
        let containers = members
            .get_mut("containerDefinitions")
            .and_then(Value::as_array_mut)
            .filter(|list| !list.is_empty())
            .ok_or_else(|| client("Container list cannot be empty."))?;
        check_containers(containers, &task)?;
        for container in containers {
            fill_container(container, &network);
        }
        let compatibilities: &[&str] = if network == "awsvpc" {
            &["EC2", "FARGATE"]
        } else {
            &["EXTERNAL", "EC2"]
        };
        let revision = self.next_revision(family);
        let arn = arn(cx, &format!("task-definition/{family}:{revision}"));
        let mut set = |member: &str, value: Value| members.insert(member.to_owned(), value);
        set("taskDefinitionArn", json!(arn));
        set("revision", json!(revision));
        set("status", json!("ACTIVE"));
        set("compatibilities", json!(compatibilities));
        set("registeredAt", epoch(cx.now));
        let root = format!("arn:aws:iam::{}:root", cx.account);
        set("registeredBy", json!(root));
        set("networkMode", json!(network));
        let requires = json!([{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}]);
        set("requiresAttributes", requires);
        for list in ["volumes", "placementConstraints"] {
            members.entry(list).or_insert(json!([]));
        }
        let definition = TaskDefinition {
            family: family.to_owned(),
            revision,
            arn,
            members,
            tags,
        };
        let answer = definition.view(true);
        let key = (family.to_owned(), revision);
        self.task_definitions.insert(cx.now, key, definition);
        Ok(answer)
    }

    /// One above the highest that the family ever had, also after deregistration.
    fn next_revision(&self, family: &str) -> i64 {
        self.task_definitions
            .iter()
            .filter(|((of, _), _)| of == family)
            .map(|((_, revision), _)| revision + 1)
            .last()
            .unwrap_or(1)
    }
}

struct TaskSize {
    cpu: Option<i64>,
    memory: Option<i64>,
}

fn stored_size(members: &Map<String, Value>, member: &str) -> Option<i64> {
    members.get(member)?.as_str()?.parse().ok()
}

fn normalise_size(members: &mut Map<String, Value>, member: &str) -> Result<(), TwinError> {
    if let Some(sent) = members.get(member).and_then(Value::as_str) {
        let number =
            size(sent).ok_or_else(|| client(format!("Invalid '{member}' setting for task.")))?;
        members.insert(member.to_owned(), json!(number.to_string()));
    }
    Ok(())
}

fn check_fargate(network: &str, task: &TaskSize) -> Result<(), TwinError> {
    if network != "awsvpc" {
        return Err(client("Fargate only supports network mode 'awsvpc'."));
    }
    let (Some(cpu), Some(memory)) = (task.cpu, task.memory) else {
        return Err(client(
            "Fargate requires that 'cpu' and 'memory' be defined at the task level.",
        ));
    };
    if !fargate_takes(cpu, memory) {
        return Err(client(format!(
            "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS documentation for the valid values."
        )));
    }
    Ok(())
}

fn number(container: &Value, member: &str) -> i64 {
    container.get(member).and_then(Value::as_i64).unwrap_or(0)
}

fn check_containers(containers: &[Value], task: &TaskSize) -> Result<(), TwinError> {
    let mut names = BTreeSet::new();
    for container in containers {
        let name = text(container, "name").unwrap_or_default();
        if name.is_empty() {
            return Err(client("Container.name should not be null or empty."));
        }
        if !names.insert(name) {
            return Err(client(format!(
                "Container.name contains duplicate container name: {name}."
            )));
        }
        if text(container, "image").is_none_or(str::is_empty) {
            return Err(client("Container.image should not be null or empty."));
        }
        let (hard, soft) = (
            number(container, "memory"),
            number(container, "memoryReservation"),
        );
        if task.memory.is_none() && hard == 0 && soft == 0 {
            return Err(client(format!(
                "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be specified."
            )));
        }
        if hard > 0 && soft > hard {
            return Err(client(format!(
                "Invalid setting for container '{name}'. 'memoryReservation' must be lower than 'memory'."
            )));
        }
        for limit in [hard, soft] {
            if task.memory.is_some_and(|memory| limit > memory) {
                return Err(client(format!(
                    "Invalid setting for container '{name}'. The memory of a container must not exceed that of the task."
                )));
            }
        }
    }
    let essential =
        |container: &Value| container.get("essential").and_then(Value::as_bool) != Some(false);
    if !containers.iter().any(essential) {
        return Err(client(
            "Task definition does not have any essential container.",
        ));
    }
    let cpu: i64 = containers.iter().map(|c| number(c, "cpu")).sum();
    if task.cpu.is_some_and(|most| cpu > most) {
        return Err(client(
            "The sum of all containers' cpu exceeds that of the task.",
        ));
    }
    let held = |c: &Value| match number(c, "memoryReservation") {
        0 => number(c, "memory"),
        soft => soft,
    };
    let memory: i64 = containers.iter().map(held).sum();
    if task.memory.is_some_and(|most| memory > most) {
        return Err(client(
            "The sum of all containers' memory exceeds that of the task.",
        ));
    }
    Ok(())
}

/// What AWS shows for what a container did not say.
fn fill_container(container: &mut Value, network: &str) {
    let Some(members) = container.as_object_mut() else {
        return;
    };
    members.retain(|_, value| !value.is_null());
    members.entry("cpu").or_insert(json!(0));
    members.entry("essential").or_insert(json!(true));
    for list in [
        "portMappings",
        "environment",
        "mountPoints",
        "volumesFrom",
        "systemControls",
    ] {
        members.entry(list).or_insert(json!([]));
    }
    let ports = members
        .get_mut("portMappings")
        .and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten() {
        let inside = port.get("containerPort").cloned().unwrap_or(json!(0));
        if let Some(port) = port.as_object_mut() {
            let outside = if network == "awsvpc" || network == "host" {
                inside
            } else {
                json!(0)
            };
            port.entry("hostPort").or_insert(outside);
            port.entry("protocol").or_insert(json!("tcp"));
        }
    }
    let check = members
        .get_mut("healthCheck")
        .and_then(Value::as_object_mut);
    if let Some(check) = check {
        for (member, seconds) in [("interval", 30), ("timeout", 5), ("retries", 3)] {
            check.entry(member).or_insert(json!(seconds));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cx() -> CallContext<'static> {
        CallContext {
            now: jiff::Timestamp::UNIX_EPOCH,
            account: "123456789012",
            region: "us-east-1",
        }
    }

    fn fargate() -> Value {
        json!({
            "family": "web",
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "1 vCPU",
            "memory": "2 GB",
            "containerDefinitions": [{
                "name": "app", "image": "web:1", "portMappings": [{"containerPort": 80}],
            }],
            "tags": [{"key": "a", "value": "b"}],
        })
    }

    fn refusal(change: impl FnOnce(&mut Value)) -> String {
        let mut input = fargate();
        change(&mut input);
        let err = Ecs::new(0).call("RegisterTaskDefinition", &input, &cx());
        let err = err.unwrap_err();
        assert_eq!(err.code, "ClientException");
        err.message
    }

    #[test]
    fn aws_fills_in_what_a_definition_does_not_say() {
        let mut ecs = Ecs::new(0);
        let answer = ecs
            .call("RegisterTaskDefinition", &fargate(), &cx())
            .unwrap();
        let definition = &answer["taskDefinition"];
        assert_eq!(definition["cpu"], "1024");
        assert_eq!(definition["memory"], "2048");
        assert_eq!(definition["revision"], 1);
        assert_eq!(definition["volumes"], json!([]));
        assert_eq!(answer["tags"], json!([{"key": "a", "value": "b"}]));
        let container = &definition["containerDefinitions"][0];
        assert_eq!(container["essential"], true);
        assert_eq!(container["cpu"], 0);
        assert_eq!(container["environment"], json!([]));
        let port = json!({"containerPort": 80, "hostPort": 80, "protocol": "tcp"});
        assert_eq!(container["portMappings"], json!([port]));
        let again = ecs
            .call("RegisterTaskDefinition", &fargate(), &cx())
            .unwrap();
        assert_eq!(again["taskDefinition"]["revision"], 2);
    }

    #[test]
    fn sizes_that_fargate_does_not_have_are_refused() {
        let text = refusal(|d| d["memory"] = json!("512"));
        assert!(
            text.starts_with("No Fargate configuration exists"),
            "{text}"
        );
        let text = refusal(|d| d["cpu"] = json!("much"));
        assert_eq!(text, "Invalid 'cpu' setting for task.");
        let text = refusal(|d| d["networkMode"] = json!("bridge"));
        assert!(text.contains("awsvpc"), "{text}");
        let text = refusal(|d| d["memory"] = Value::Null);
        assert!(text.contains("task level"), "{text}");
    }

    #[test]
    fn containers_must_fit_into_their_task() {
        let text = refusal(|d| d["containerDefinitions"][0]["memory"] = json!(2049));
        assert!(text.contains("must not exceed"), "{text}");
        let text = refusal(|d| d["containerDefinitions"][0]["cpu"] = json!(1025));
        assert!(text.contains("cpu"), "{text}");
        let text = refusal(|d| d["containerDefinitions"][0]["essential"] = json!(false));
        assert!(text.contains("essential"), "{text}");
        let text = refusal(|d| d["containerDefinitions"] = json!([]));
        assert_eq!(text, "Container list cannot be empty.");
        let twice = fargate()["containerDefinitions"][0].clone();
        let text = refusal(|d| d["containerDefinitions"] = json!([twice, twice]));
        assert!(text.contains("duplicate"), "{text}");
    }
}
