//! Reading services: `DescribeServices` and `ListServices`.

use serde_json::{Value, json};

use super::Ecs;
use super::cluster::list;
use super::names::{arn, last_part, text, texts, wants_tags};
use crate::twin::wire::{CallContext, TwinError};

/// The most services of one call (ECS API, DescribeServices).
const MOST_SERVICES: usize = 10;

impl Ecs {
    pub(super) fn describe_services(
        &self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let wanted = texts(input, "services");
        let invalid = |text: &str| Err(TwinError::client("InvalidParameterException", text));
        if wanted.is_empty() {
            return invalid("Services cannot be empty.");
        }
        if wanted.len() > MOST_SERVICES {
            return invalid("Services can have at most 10 items.");
        }
        let cluster = self.cluster_of(input)?;
        let (mut services, mut failures) = (Vec::new(), Vec::new());
        for name in wanted {
            let key = Self::service_key(&cluster, name);
            match self.services.seen(cx.now, &key) {
                Some(service) => {
                    services.push(service.view(cx.now, self.rollouts.duration, wants_tags(input)));
                }
                None => failures.push(json!({
                    "arn": if name.starts_with("arn:") {
                        name.to_owned()
                    } else {
                        arn(cx, &format!("service/{cluster}/{}", last_part(name)))
                    },
                    "reason": "MISSING",
                })),
            }
        }
        Ok(json!({"services": services, "failures": failures}))
    }

    pub(super) fn list_services(
        &self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let prefix = format!("{}/", self.cluster_of(input)?);
        let strategy = text(input, "schedulingStrategy");
        let launch_type = text(input, "launchType");
        let arns: Vec<String> = self
            .services
            .all_seen(cx.now)
            .into_iter()
            .filter(|(key, service)| {
                key.starts_with(&prefix)
                    && service.status == "ACTIVE"
                    && strategy.is_none_or(|s| s == service.scheduling_strategy())
                    && launch_type
                        .is_none_or(|l| service.members.get("launchType") == Some(&json!(l)))
            })
            .map(|(_, service)| service.arn.clone())
            .collect();
        list(arns, "serviceArns", 10, input)
    }
}
