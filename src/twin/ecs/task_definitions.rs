//! Task definitions: reading them, listing them, and taking them out of use.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Ecs;
use super::cluster::list;
use super::names::{text, wants_tags};
use super::service::epoch;
use super::tags::render_tags;
use crate::twin::wire::{CallContext, TwinError};

/// Members that AWS answers with and does not take (ECS API model).
const ANSWERED_ONLY: &[&str] = &[
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
];

/// One revision. Its members are as registered and as AWS filled them, known to this model or not.
#[derive(Clone)]
pub struct TaskDefinition {
    /// Its family.
    pub family: String,
    /// From 1.
    pub revision: i64,
    /// Its ARN.
    pub arn: String,
    /// All of its response members.
    pub members: Map<String, Value>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl std::fmt::Debug for TaskDefinition {
    /// Only the ARN: the environment may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.arn)
    }
}

impl TaskDefinition {
    /// Whether services may begin to use it.
    pub fn is_active(&self) -> bool {
        self.members.get("status") == Some(&json!("ACTIVE"))
    }

    /// Task CPU in units.
    pub fn cpu(&self) -> Option<i64> {
        self.members.get("cpu")?.as_str()?.parse().ok()
    }

    /// Task memory in MiB.
    pub fn memory(&self) -> Option<i64> {
        self.members.get("memory")?.as_str()?.parse().ok()
    }

    /// The image of each container.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        let containers = self.members.get("containerDefinitions");
        let containers = containers.and_then(Value::as_array);
        containers
            .into_iter()
            .flatten()
            .filter_map(|container| text(container, "image"))
    }

    /// The members that a registration of the same definition would send, without tags.
    pub fn registrable(&self) -> Map<String, Value> {
        let mut members = self.members.clone();
        for answered in ANSWERED_ONLY {
            members.remove(*answered);
        }
        members
    }

    pub(super) fn view(&self, with_tags: bool) -> Value {
        let mut view = json!({"taskDefinition": self.members});
        if with_tags {
            view["tags"] = render_tags(&self.tags);
        }
        view
    }

    /// Whether a service of this launch type may use it.
    pub(super) fn check_launch_type(&self, launch_type: Option<&str>) -> Result<(), TwinError> {
        let compatible = self
            .members
            .get("compatibilities")
            .and_then(Value::as_array);
        match launch_type {
            Some(wanted) if !compatible.is_some_and(|c| c.contains(&json!(wanted))) => {
                Err(TwinError::client(
                    "InvalidParameterException",
                    format!("Task definition does not support launch_type {wanted}."),
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Ecs {
    /// The task definition that a service may begin to use.
    pub(super) fn usable_task_definition(&self, name: &str) -> Result<&TaskDefinition, TwinError> {
        let client = |text: &str| TwinError::client("ClientException", text);
        let definition = self
            .task_definition(name)
            .ok_or_else(|| client("TaskDefinition not found."))?;
        if definition.is_active() {
            Ok(definition)
        } else {
            Err(client("TaskDefinition is inactive"))
        }
    }

    pub(super) fn describe_task_definition(
        &self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let name = text(input, "taskDefinition").unwrap_or_default();
        self.resolve_task_definition(name)
            .and_then(|key| self.task_definitions.seen(cx.now, &key))
            .map(|definition| definition.view(wants_tags(input)))
            .ok_or_else(|| {
                TwinError::client("ClientException", "Unable to describe task definition.")
            })
    }

    pub(super) fn deregister_task_definition(
        &mut self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let name = text(input, "taskDefinition").unwrap_or_default();
        let definition = self
            .resolve_task_definition(name)
            .filter(|_| name.contains(':'))
            .and_then(|key| self.task_definitions.write(cx.now, &key))
            .ok_or_else(|| {
                TwinError::client("ClientException", "Unable to describe task definition.")
            })?;
        definition
            .members
            .insert("status".to_owned(), json!("INACTIVE"));
        definition
            .members
            .insert("deregisteredAt".to_owned(), epoch(cx.now));
        Ok(definition.view(false))
    }

    pub(super) fn list_task_definitions(
        &self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let family = text(input, "familyPrefix");
        let status = text(input, "status").unwrap_or("ACTIVE");
        let mut arns: Vec<&str> = self
            .task_definitions
            .all_seen(cx.now)
            .into_iter()
            .filter(|((of, _), _)| family.is_none_or(|wanted| wanted == of))
            .filter(|(_, found)| found.members.get("status") == Some(&json!(status)))
            .map(|(_, found)| found.arn.as_str())
            .collect();
        if text(input, "sort") == Some("DESC") {
            arns.reverse();
        }
        list(arns, "taskDefinitionArns", 100, input)
    }
}
