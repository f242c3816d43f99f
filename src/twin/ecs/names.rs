//! Names: how callers name clusters, services and task definitions, by name or by ARN.

use serde_json::Value;

use super::{Ecs, ServiceKey};
use crate::twin::wire::{CallContext, TwinError};

/// A text member of an input.
pub(super) fn text<'v>(input: &'v Value, member: &str) -> Option<&'v str> {
    input.get(member).and_then(Value::as_str)
}

/// A list of texts in an input; absent is empty.
pub(super) fn texts<'v>(input: &'v Value, member: &str) -> Vec<&'v str> {
    let list = input.get(member).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Whether `include` asks for tags.
pub(super) fn wants_tags(input: &Value) -> bool {
    texts(input, "include").contains(&"TAGS")
}

/// The part of an ARN after its last slash, or the name itself.
pub(super) fn last_part(name_or_arn: &str) -> &str {
    name_or_arn.rsplit('/').next().unwrap_or(name_or_arn)
}

/// `arn:aws:ecs:<region>:<account>:<rest>`.
pub(super) fn arn(cx: &CallContext, rest: &str) -> String {
    format!("arn:aws:ecs:{}:{}:{rest}", cx.region, cx.account)
}

impl Ecs {
    /// The name of the cluster that an input means; `default` when it names none.
    pub(super) fn cluster_of(&self, input: &Value) -> Result<String, TwinError> {
        let name = last_part(text(input, "cluster").unwrap_or("default"));
        if self.clusters.contains_key(name) {
            Ok(name.to_owned())
        } else {
            Err(TwinError::client(
                "ClusterNotFoundException",
                "Cluster not found.",
            ))
        }
    }

    /// The key of the service that `name` (a name or an ARN) means in `cluster`. An ARN of another
    /// cluster means no service here.
    pub(super) fn service_key(cluster: &str, name: &str) -> ServiceKey {
        match name.split_once(":service/") {
            Some((_, path)) if path.contains('/') => {
                if path.starts_with(&format!("{cluster}/")) {
                    path.to_owned()
                } else {
                    format!("{cluster}//{path}")
                }
            }
            Some((_, short)) => format!("{cluster}/{short}"),
            None => format!("{cluster}/{name}"),
        }
    }

    /// Family and revision behind an ARN, `family:revision`, or a family: its latest active one.
    /// Says nothing of whether that revision exists, unless it is asked for by family.
    pub(super) fn resolve_task_definition(&self, name: &str) -> Option<(String, i64)> {
        let name = name
            .split_once(":task-definition/")
            .map_or(name, |(_, rest)| rest);
        if let Some((family, revision)) = name.split_once(':') {
            return Some((family.to_owned(), revision.parse().ok()?));
        }
        // In order of revision, so that the last one is the latest.
        self.task_definitions
            .iter()
            .filter(|((family, _), found)| family == name && found.is_active())
            .map(|(key, _)| key.clone())
            .last()
    }
}
