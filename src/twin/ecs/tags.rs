//! Tags: on services, task definitions and clusters.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Ecs;
use super::names::{last_part, text, texts};
use crate::twin::wire::{CallContext, TwinError};

/// The most tags that one object has (ECS API, TagResource).
const MOST_TAGS: usize = 50;

/// `[{key, value}]` as a map.
pub(super) fn tags_of(list: Option<&Value>) -> BTreeMap<String, String> {
    let list = list.and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|tag| {
            let value = text(tag, "value").unwrap_or_default();
            Some((text(tag, "key")?.to_owned(), value.to_owned()))
        })
        .collect()
}

/// A map as `[{key, value}]`.
pub(super) fn render_tags(tags: &BTreeMap<String, String>) -> Value {
    tags.iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

/// AWS's rules for tags that a caller sends.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), TwinError> {
    let invalid = |text: &str| Err(TwinError::client("InvalidParameterException", text));
    if tags.len() > MOST_TAGS {
        return invalid("The maximum number of tags is 50.");
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 {
            return invalid("Tag keys must be between 1 and 128 characters long.");
        }
        if value.chars().count() > 256 {
            return invalid("Tag values must be at most 256 characters long.");
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return invalid("Tag keys must not start with aws:, which is reserved.");
        }
    }
    Ok(())
}

impl Ecs {
    pub(super) fn tag_resource(
        &mut self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let new = tags_of(input.get("tags"));
        check_tags(&new)?;
        let tags = self.tags_mut(input, cx)?;
        let mut merged = tags.clone();
        merged.extend(new);
        check_tags(&merged)?;
        *tags = merged;
        Ok(json!({}))
    }

    pub(super) fn untag_resource(
        &mut self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let keys = texts(input, "tagKeys");
        self.tags_mut(input, cx)?
            .retain(|key, _| !keys.contains(&key.as_str()));
        Ok(json!({}))
    }

    pub(super) fn list_tags(
        &mut self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        Ok(json!({"tags": render_tags(self.tags_mut(input, cx)?)}))
    }

    fn tags_mut(
        &mut self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<&mut BTreeMap<String, String>, TwinError> {
        let arn = text(input, "resourceArn").unwrap_or_default();
        let found = if let Some((_, path)) = arn.split_once(":service/") {
            self.services
                .write(cx.now, &path.to_owned())
                .filter(|service| service.status == "ACTIVE")
                .map(|service| &mut service.tags)
        } else if arn.contains(":task-definition/") {
            self.resolve_task_definition(arn)
                .and_then(|key| self.task_definitions.write(cx.now, &key))
                .map(|definition| &mut definition.tags)
        } else if arn.contains(":cluster/") {
            self.clusters.get_mut(last_part(arn)).map(|c| &mut c.tags)
        } else {
            None
        };
        found.ok_or_else(|| {
            TwinError::client(
                "InvalidParameterException",
                "The specified resource could not be found. Check the ARN and try again.",
            )
        })
    }
}
