//! State: the world and the store in a few lines, for whoever reads a trace.

use serde_json::{Value, json};

use super::Play;
use super::estate::CLUSTER;
use super::replica::TABLE;

/// What is live of each object, and each app's lease and open intents.
pub fn of(play: &Play) -> Vec<String> {
    let mut lines = Vec::new();
    play.stage.twin().world(|w| {
        for app in &play.apps {
            for service in &app.versions[0].services {
                let name = &service.name;
                let Some(live) = w.service(CLUSTER, name) else {
                    lines.push(format!("{name}: not there"));
                    continue;
                };
                let (count, tags) = (live.desired, format!("{:?}", live.tags));
                let deployments: Vec<String> = live
                    .deployments
                    .iter()
                    .map(|d| format!("{:?} {}", d.status, short(&d.task_definition)))
                    .collect();
                let definition = w.task_definition_of(CLUSTER, name);
                let size = definition.as_ref().map(|d| (d.cpu(), d.memory()));
                let images: Vec<String> = definition
                    .map(|d| d.images().map(str::to_owned).collect())
                    .unwrap_or_default();
                lines.push(format!(
                    "{name}: {count} tasks of {images:?}, size {size:?}, tags {tags}, {deployments:?}"
                ));
            }
            let pk = format!("123456789012#us-east-1#{}", app.name);
            let rows = w.call(
                "dynamodb",
                "Query",
                &json!({
                    "TableName": TABLE,
                    "ConsistentRead": true,
                    "KeyConditionExpression": "pk = :pk",
                    "ExpressionAttributeValues": {":pk": {"S": pk}},
                }),
            );
            let rows = rows.map_or(Value::Null, |answer| answer["Items"].clone());
            for row in rows.as_array().into_iter().flatten() {
                let sk = row["sk"]["S"].as_str().unwrap_or_default();
                if sk == "LEASE" {
                    let text = |name: &str| row[name]["S"].as_str().unwrap_or_default().to_owned();
                    let token = row["token"]["N"].as_str().unwrap_or_default();
                    let (state, holder) = (text("state"), text("holder"));
                    lines.push(format!("{}: lease {token} {state} by {holder}", app.name));
                } else if sk.starts_with("OPEN#") {
                    let intent = row["intent"]["S"].as_str().unwrap_or_default();
                    lines.push(format!("{}: {sk} {intent:.8}", app.name));
                }
            }
        }
    });
    lines
}

/// `family:revision` of an ARN.
pub fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
