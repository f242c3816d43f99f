//! Clusters: what holds services.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names::{arn, last_part, text, texts, wants_tags};
use super::tags::{render_tags, tags_of};
use super::{Ecs, ServiceKey};
use crate::twin::page::page;
use crate::twin::wire::{CallContext, TwinError};

/// A cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its ARN.
    pub arn: String,
    /// Its settings, as AWS shows them: `[{name, value}]`.
    pub settings: Value,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Ecs {
    pub(super) fn create_cluster(&mut self, input: &Value, cx: &CallContext) -> Value {
        let name = text(input, "clusterName").unwrap_or("default");
        let cluster = self
            .clusters
            .entry(name.to_owned())
            .or_insert_with(|| Cluster {
                arn: arn(cx, &format!("cluster/{name}")),
                settings: input.get("settings").cloned().unwrap_or(json!([])),
                tags: tags_of(input.get("tags")),
            });
        json!({"cluster": view(name, cluster, &[], true)})
    }

    pub(super) fn describe_clusters(&self, input: &Value, cx: &CallContext) -> Value {
        let mut wanted = texts(input, "clusters");
        if wanted.is_empty() {
            wanted.push("default");
        }
        let (mut clusters, mut failures) = (Vec::new(), Vec::new());
        for name in wanted {
            let name = last_part(name);
            match self.clusters.get(name) {
                Some(cluster) => {
                    let prefix = format!("{name}/");
                    let services: Vec<(&ServiceKey, i64)> = self
                        .services
                        .iter()
                        .filter(|(key, s)| key.starts_with(&prefix) && s.status == "ACTIVE")
                        .map(|(key, s)| (key, s.running_at(cx.now)))
                        .collect();
                    clusters.push(view(name, cluster, &services, wants_tags(input)));
                }
                None => failures.push(json!({
                    "arn": arn(cx, &format!("cluster/{name}")), "reason": "MISSING",
                })),
            }
        }
        json!({"clusters": clusters, "failures": failures})
    }

    pub(super) fn list_clusters(
        &self,
        input: &Value,
        _cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let arns: Vec<&str> = self.clusters.values().map(|c| c.arn.as_str()).collect();
        list(arns, "clusterArns", 100, input)
    }
}

fn view(name: &str, cluster: &Cluster, services: &[(&ServiceKey, i64)], with_tags: bool) -> Value {
    let running: i64 = services.iter().map(|(_, running)| running).sum();
    json!({
        "clusterArn": cluster.arn,
        "clusterName": name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": running,
        "pendingTasksCount": 0,
        "activeServicesCount": services.len(),
        "statistics": [],
        "tags": if with_tags { render_tags(&cluster.tags) } else { json!([]) },
        "settings": cluster.settings,
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "defaultCapacityProviderStrategy": [],
    })
}

/// An answer with one page of a list under `member`.
pub(super) fn list(
    items: Vec<impl Into<Value>>,
    member: &str,
    default_size: u64,
    input: &Value,
) -> Result<Value, TwinError> {
    let size = input
        .get("maxResults")
        .and_then(Value::as_u64)
        .unwrap_or(default_size);
    if !(1..=100).contains(&size) {
        return Err(TwinError::client(
            "InvalidParameterException",
            "maxResults must be between 1 and 100.",
        ));
    }
    let size = usize::try_from(size).unwrap_or(100);
    let token = text(input, "nextToken");
    let (page, next) = page(items, size, token)
        .ok_or_else(|| TwinError::client("InvalidParameterException", "Invalid token."))?;
    let page: Vec<Value> = page.into_iter().map(Into::into).collect();
    let mut answer = json!({});
    answer[member] = Value::Array(page);
    if let Some(next) = next {
        answer["nextToken"] = Value::String(next);
    }
    Ok(answer)
}
