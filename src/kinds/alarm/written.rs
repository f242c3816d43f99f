//! What an Alarm document says of a live alarm. Pure: a live object in, a spec out.

use std::collections::BTreeMap;

use serde_json::json;

use super::check::TARGET_TRACKING;
use super::rules::whole;
use crate::kinds::Found;
use crate::model::tree::Tree;
use crate::model::written::{Fields, Piece, Written};

/// Members of a live alarm that a write repeats and no document names, and what they are.
const CARRIED: [(&str, &str); 3] = [
    ("actionConfiguration", "a configuration of its actions"),
    ("evaluationWindow", "an evaluation window"),
    ("warmUpConfiguration", "a warm-up period"),
];

/// All that makes the alarm, since it is created where it is absent, but for AWS's defaults.
pub fn written(found: &Found<'_>) -> Result<Written, String> {
    let live = found.live;
    let name = found.by["alarmName"].as_str().unwrap_or_default();
    let sort = live.facts["sort"].as_str().unwrap_or_default();
    if sort != "metric" {
        return Err(format!(
            "is a {sort} alarm, which no kind of document is about"
        ));
    }
    let view = &live.view;
    let description = view["description"].as_str().unwrap_or_default();
    if name.starts_with(TARGET_TRACKING) || description.contains("DO NOT EDIT OR DELETE") {
        return Err("belongs to a target tracking policy, which keeps it itself".to_owned());
    }
    let mut written = Written::default();
    if name != format!("{}-{}", found.key.app, found.key.name) {
        written.put("alarmName", name);
    }
    let reference = reference(found);
    if let Some(service) = &reference {
        written.put("serviceRef", service.as_str());
    }
    let text = |field: &str| view[field].as_str().map(str::to_owned);
    written.put_some("description", text("description").filter(|t| !t.is_empty()));
    if view["metrics"].is_object() {
        written.put("metrics", metrics(&view["metrics"], reference.is_some()));
    } else {
        for field in ["metricName", "namespace"] {
            written.put_some(field, text(field));
        }
        let dimensions = view["dimensions"].as_object().filter(|d| !d.is_empty());
        if let (Some(_), None) = (dimensions, &reference) {
            written.put("dimensions", Piece::of(&view["dimensions"]));
        }
        for field in ["statistic", "extendedStatistic"] {
            written.put_some(field, text(field));
        }
        written.put_some("period", view["period"].as_u64());
        written.put_some("unit", text("unit"));
    }
    let periods = view["evaluationPeriods"].as_u64();
    written.put_some("evaluationPeriods", periods);
    let datapoints = view["datapointsToAlarm"].as_u64();
    written.put_some(
        "datapointsToAlarm",
        datapoints.filter(|_| datapoints != periods),
    );
    written.put_some("threshold", view["threshold"].as_f64());
    written.put_some("thresholdMetricId", text("thresholdMetricId"));
    written.put_some("comparisonOperator", text("comparisonOperator"));
    let unless = |field: &str, default: &str| text(field).filter(|value| value != default);
    written.put_some("treatMissingData", unless("treatMissingData", "missing"));
    let low = "evaluateLowSampleCountPercentile";
    written.put_some(low, unless(low, "evaluate"));
    if view["actionsEnabled"].as_bool() == Some(false) {
        written.put("actionsEnabled", false);
    }
    for field in ["alarmActions", "okActions", "insufficientDataActions"] {
        if view[field].as_array().is_some_and(|list| !list.is_empty()) {
            written.put(field, Piece::of(&view[field]));
        }
    }
    written.beyond = beyond(found);
    Ok(written)
}

/// The one imported service of which all its metrics are, with these two dimensions and no other.
fn reference(found: &Found<'_>) -> Option<String> {
    let view = &found.live.view;
    let metrics: Vec<&Tree> = match view["metrics"].as_object() {
        Some(entries) => entries
            .values()
            .filter_map(|entry| entry.get("metricStat")?.get("metric"))
            .collect(),
        None => vec![view],
    };
    let mut names = metrics.iter().map(|metric| {
        let namespace = metric["namespace"].as_str()?;
        // A reference fills none of the metrics of AWS's other services.
        let filled = namespace == "AWS/ECS" || !namespace.starts_with("AWS/");
        let dimensions = metric["dimensions"].as_object()?;
        let value = |name: &str| Some(dimensions.get(name)?.as_str()?.to_owned());
        let service = (value("ClusterName")?, value("ServiceName")?);
        let name = found.services.get(&service)?;
        (filled && dimensions.len() == 2).then_some(name)
    });
    let first = names.next()??;
    names.all(|name| name == Some(first)).then(|| first.clone())
}

fn metrics(entries: &Tree, referred: bool) -> Piece {
    let entries: BTreeMap<&String, &Tree> = entries.as_object().into_iter().flatten().collect();
    let entries = entries.into_iter().map(|(id, entry)| {
        let mut fields: Fields = vec![("id".to_owned(), Piece::from(id.as_str()))];
        let mut put = |name: &str, value: Piece| fields.push((name.to_owned(), value));
        for field in ["expression", "label"] {
            if let Some(text) = entry[field].as_str() {
                put(field, text.into());
            }
        }
        if entry["returnData"].as_bool() == Some(false) {
            put("returnData", false.into());
        }
        if let Some(period) = entry["period"].as_u64() {
            put("period", period.into());
        }
        if entry["metricStat"].is_object() {
            put("metricStat", stat(&entry["metricStat"], referred));
        }
        Piece::Map(fields)
    });
    Piece::List(entries.collect())
}

fn stat(stat: &Tree, referred: bool) -> Piece {
    let metric = &stat["metric"];
    let mut of_metric: Fields = Vec::new();
    for field in ["namespace", "metricName"] {
        of_metric.push((field.to_owned(), Piece::of(&metric[field])));
    }
    let dimensions = metric["dimensions"].as_object();
    if !referred && dimensions.is_some_and(|d| !d.is_empty()) {
        of_metric.push(("dimensions".to_owned(), Piece::of(&metric["dimensions"])));
    }
    let mut fields = vec![("metric".to_owned(), Piece::Map(of_metric))];
    for field in ["period", "stat", "unit"] {
        if !stat[field].is_null() {
            fields.push((field.to_owned(), Piece::of(&stat[field])));
        }
    }
    Piece::Map(fields)
}

fn beyond(found: &Found<'_>) -> Vec<String> {
    let whole = whole(found.live);
    let mut beyond: Vec<String> = CARRIED
        .iter()
        .filter(|(member, _)| {
            // A sliding window is what an alarm has where nobody said otherwise.
            whole
                .get(*member)
                .is_some_and(|value| *value != json!({"slidingWindow": {}}))
        })
        .map(|(_, what)| format!("it has {what}, which is kept as it is"))
        .collect();
    let entries = whole["metrics"].as_object().into_iter().flatten();
    for (id, entry) in entries.filter(|(_, entry)| !entry["accountId"].is_null()) {
        beyond.push(format!(
            "its metric {id} is of the account {}, which is kept as it is",
            entry["accountId"].as_str().unwrap_or_default()
        ));
    }
    let unknown = found.live.facts["unknown"].as_array().into_iter().flatten();
    let unknown: Vec<&str> = unknown.filter_map(Tree::as_str).collect();
    if !unknown.is_empty() {
        beyond.push(format!(
            "it has members that this build does not know ({}), so it is never written",
            unknown.join(", ")
        ));
    }
    beyond
}
