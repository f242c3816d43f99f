//! Pages of databases: by identifier, by filter, or all, as DescribeDBInstances and DescribeDBClusters answer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Database, Shape, key};
use crate::twin::wire::{CallContext, TwinError};

/// The databases of one shape that `input` asks for.
pub(super) fn describe(
    databases: &BTreeMap<String, Database>,
    shape: Shape,
    input: &Value,
    cx: &CallContext,
) -> Result<Value, TwinError> {
    let list = match shape {
        Shape::Instance => "DBInstances",
        Shape::Cluster => "DBClusters",
    };
    if let Some(id) = input[shape.identifier()].as_str() {
        let database = databases.get(&key(id)).ok_or_else(|| shape.not_found(id))?;
        return Ok(json!({list: [database.shown(cx)]}));
    }
    let size = input["MaxRecords"].as_i64().unwrap_or(100);
    if !(20..=100).contains(&size) {
        return Err(TwinError::client(
            "InvalidParameterValue",
            format!("Invalid value {size} for MaxRecords. Must be between 20 and 100"),
        ));
    }
    let filters = input["Filters"].as_array().map_or(&[][..], Vec::as_slice);
    for filter in filters {
        filter_member(filter)?;
    }
    let marker = input["Marker"].as_str().unwrap_or_default();
    let mut rest = databases
        .iter()
        .filter(|(id, _)| marker.is_empty() || id.as_str() > marker)
        .map(|(_, database)| database)
        .filter(|database| filters.iter().all(|filter| passes(database, filter)))
        .peekable();
    let mut page = Vec::new();
    let mut last = "";
    while page.len() < usize::try_from(size).unwrap_or(100) {
        let Some(database) = rest.next() else {
            break;
        };
        last = database.id();
        page.push(database.shown(cx));
    }
    let mut output = json!({ list: page });
    if rest.peek().is_some() {
        output["Marker"] = last.into();
    }
    Ok(output)
}

fn filter_member(filter: &Value) -> Result<&'static str, TwinError> {
    match filter["Name"].as_str().unwrap_or_default() {
        "db-instance-id" => Ok("DBInstanceIdentifier"),
        "db-cluster-id" => Ok("DBClusterIdentifier"),
        "engine" => Ok("Engine"),
        other => Err(TwinError::client(
            "InvalidParameterValue",
            format!("Unrecognized filter name: {other}"),
        )),
    }
}

fn passes(database: &Database, filter: &Value) -> bool {
    let values = filter["Values"].as_array().map_or(&[][..], Vec::as_slice);
    filter_member(filter).is_ok_and(|member| {
        let live = database.text(member);
        values.iter().any(|value| value == live)
    })
}
