//! Inputs: what the calls have in common, and AWS's limits on them.

use serde_json::{Value, json};

use crate::twin::page::page;
use crate::twin::wire::TwinError;

/// The one dimension of the namespace `ecs`.
pub(super) const DIMENSION: &str = "ecs:service:DesiredCount";

pub(super) fn invalid(text: impl Into<String>) -> TwinError {
    TwinError::client("ValidationException", text)
}

pub(super) fn text<'v>(input: &'v Value, member: &str) -> Option<&'v str> {
    input.get(member).and_then(Value::as_str)
}

/// A member that is there and not null.
pub(super) fn sent<'v>(input: &'v Value, member: &str) -> Option<&'v Value> {
    input.get(member).filter(|value| !value.is_null())
}

/// The resource of a write: namespace, dimension and form are checked.
pub(super) fn resource(input: &Value) -> Result<String, TwinError> {
    if text(input, "ServiceNamespace") != Some("ecs") {
        return Err(invalid("the twin models the service namespace ecs"));
    }
    if text(input, "ScalableDimension") != Some(DIMENSION) {
        return Err(invalid(
            "Unsupported service namespace, resource type or scalable dimension",
        ));
    }
    let id = text(input, "ResourceId").unwrap_or_default();
    let parts: Vec<&str> = id.split('/').collect();
    match parts.as_slice() {
        ["service", cluster, service] if !cluster.is_empty() && !service.is_empty() => {
            Ok(id.to_owned())
        }
        _ => Err(invalid(
            "Unsupported service namespace, resource type or scalable dimension",
        )),
    }
}

/// A capacity: absent, or from 0.
pub(super) fn capacity(input: &Value, member: &str) -> Result<Option<i64>, TwinError> {
    match sent(input, member).map(Value::as_i64) {
        None => Ok(None),
        Some(Some(count)) if count >= 0 => Ok(Some(count)),
        Some(_) => Err(invalid(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have value greater than or equal to 0"
        ))),
    }
}

/// The names in a filter; absent means all. At most 50 (API model).
pub(super) fn names<'v>(input: &'v Value, member: &str) -> Result<Option<Vec<&'v str>>, TwinError> {
    let Some(list) = sent(input, member).and_then(Value::as_array) else {
        return Ok(None);
    };
    if list.len() > 50 {
        return Err(invalid(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have length less than or equal to 50"
        )));
    }
    let names: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    Ok((!names.is_empty()).then_some(names))
}

/// Whether a row of resource `id` passes the filters that all lists share.
pub(super) fn passes(input: &Value, id: &str) -> bool {
    text(input, "ServiceNamespace") == Some("ecs")
        && text(input, "ScalableDimension").is_none_or(|d| d == DIMENSION)
        && text(input, "ResourceId").is_none_or(|wanted| wanted == id)
}

/// An answer with one page of `items` under `member`; `most` is both the default and the limit.
pub(super) fn list(
    items: Vec<Value>,
    member: &str,
    most: u64,
    input: &Value,
) -> Result<Value, TwinError> {
    if text(input, "ServiceNamespace").is_none() {
        return Err(invalid("ServiceNamespace is required."));
    }
    let size = sent(input, "MaxResults")
        .and_then(Value::as_u64)
        .unwrap_or(most);
    if size == 0 || size > most {
        return Err(invalid(format!(
            "MaxResults must be between 1 and {most}, not {size}."
        )));
    }
    let size = usize::try_from(size).unwrap_or(1);
    let (page, next) = page(items, size, text(input, "NextToken")).ok_or_else(|| {
        TwinError::client("InvalidNextTokenException", "The next token is invalid.")
    })?;
    let mut answer = json!({});
    answer[member] = Value::Array(page);
    if let Some(next) = next {
        answer["NextToken"] = Value::String(next);
    }
    Ok(answer)
}
