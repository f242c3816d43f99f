//! Members: which members of a raw answer this build does not map, so that a full replace would
//! clear them.

use std::collections::{BTreeMap, BTreeSet};

use aws_smithy_cbor::Decoder;
use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;

use crate::model::tree::Tree;

/// Deepest nesting that is read; an alarm has five levels.
const DEEPEST: usize = 32;

/// Every member of a metric alarm that is carried over, or that AWS keeps itself (state, times).
/// Lists are passed through; a map of any keys does not occur.
const KNOWN: &[&str] = &[
    "ActionConfiguration",
    "ActionConfiguration.AlarmTagsPropagation",
    "ActionConfiguration.AlarmTagsPropagation.Enabled",
    "ActionConfiguration.AlarmTagsPropagation.ExcludedTagKeys",
    "ActionConfiguration.AlarmTagsPropagation.IncludedTagKeys",
    "ActionsEnabled",
    "AlarmActions",
    "AlarmArn",
    "AlarmConfigurationUpdatedTimestamp",
    "AlarmDescription",
    "AlarmName",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "Dimensions.Name",
    "Dimensions.Value",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "EvaluationState",
    "EvaluationWindow",
    "EvaluationWindow.SlidingWindow",
    "EvaluationWindow.WallClockWindow",
    "EvaluationWindow.WallClockWindow.Timezone",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Metrics.AccountId",
    "Metrics.Expression",
    "Metrics.Id",
    "Metrics.Label",
    "Metrics.MetricStat",
    "Metrics.MetricStat.Metric",
    "Metrics.MetricStat.Metric.Dimensions",
    "Metrics.MetricStat.Metric.Dimensions.Name",
    "Metrics.MetricStat.Metric.Dimensions.Value",
    "Metrics.MetricStat.Metric.MetricName",
    "Metrics.MetricStat.Metric.Namespace",
    "Metrics.MetricStat.Period",
    "Metrics.MetricStat.Stat",
    "Metrics.MetricStat.Unit",
    "Metrics.Period",
    "Metrics.ReturnData",
    "Namespace",
    "OKActions",
    "Period",
    "StateReason",
    "StateReasonData",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
    "StateValue",
    "Statistic",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
    "WarmUpConfiguration",
    "WarmUpConfiguration.OnlyStartEvaluatingAfterWarmUpPeriodEnds",
    "WarmUpConfiguration.WarmUpPeriodDurationInMinutes",
];

/// For each metric alarm of a raw DescribeAlarms answer: its members that this build does not map,
/// sorted.
///
/// # Errors
/// Bytes that are no CBOR map.
pub fn unknown(answer: &[u8]) -> Result<BTreeMap<String, Vec<String>>, DeserializeError> {
    let answer = value(&mut Decoder::new(answer), 0)?;
    let mut found = BTreeMap::new();
    for alarm in answer["MetricAlarms"].as_array().into_iter().flatten() {
        let mut unknown = BTreeSet::new();
        strangers(alarm, "", &mut unknown);
        if let Some(name) = alarm["AlarmName"].as_str() {
            found.insert(name.to_owned(), unknown.into_iter().collect());
        }
    }
    Ok(found)
}

fn strangers(value: &Tree, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Tree::Object(members) => {
            for (name, below) in members.iter().filter(|(_, v)| !v.is_null()) {
                let path = match path {
                    "" => name.clone(),
                    above => format!("{above}.{name}"),
                };
                if KNOWN.contains(&path.as_str()) {
                    strangers(below, &path, found);
                } else {
                    found.insert(path);
                }
            }
        }
        Tree::Array(items) => items.iter().for_each(|item| strangers(item, path, found)),
        _ => {}
    }
}

/// The next value, with its texts and its shape; what is neither text, list nor map is `true`.
fn value(from: &mut Decoder<'_>, depth: usize) -> Result<Tree, DeserializeError> {
    if depth > DEEPEST {
        let at = from.position();
        return Err(DeserializeError::custom("nested too deeply", at));
    }
    Ok(match from.datatype()? {
        Type::String | Type::StringIndef => Tree::String(from.string()?),
        Type::Null | Type::Undefined => {
            from.skip()?;
            Tree::Null
        }
        Type::Array | Type::ArrayIndef => {
            let mut left = from.list()?;
            let mut items = Vec::new();
            while more(from, &mut left)? {
                items.push(value(from, depth + 1)?);
            }
            Tree::Array(items)
        }
        Type::Map | Type::MapIndef => {
            let mut left = from.map()?;
            let mut members = serde_json::Map::new();
            while more(from, &mut left)? {
                let name = from.string()?;
                members.insert(name, value(from, depth + 1)?);
            }
            Tree::Object(members)
        }
        _ => {
            from.skip()?;
            Tree::Bool(true)
        }
    })
}

/// Whether another item follows; the break of a list of unknown length is taken.
fn more(from: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, DeserializeError> {
    match left {
        Some(0) => Ok(false),
        Some(n) => {
            *n -= 1;
            Ok(true)
        }
        None if from.datatype()? == Type::Break => {
            from.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_cbor::Encoder;

    fn answer(novel: &str, nested: &str) -> Vec<u8> {
        let mut cbor = Encoder::new(Vec::new());
        cbor.begin_map();
        cbor.str("MetricAlarms").array(1).begin_map();
        cbor.str("AlarmName").str("a");
        cbor.str("Threshold").double(80.0);
        cbor.str("EvaluationInterval").null();
        cbor.str("StateUpdatedTimestamp")
            .timestamp(&aws_smithy_types::DateTime::from_secs(1));
        cbor.str(novel).begin_map();
        cbor.str("X").integer(1).end();
        cbor.str("Metrics").array(1).begin_map();
        cbor.str("Id").str("m");
        cbor.str(nested).str("x");
        cbor.end();
        cbor.end();
        cbor.end();
        cbor.into_writer()
    }

    #[test]
    fn a_member_that_is_not_mapped_is_found_at_any_depth() {
        let found = unknown(&answer("Novelty", "Flavour")).unwrap();
        assert_eq!(found["a"], ["Metrics.Flavour", "Novelty"]);
    }

    #[test]
    fn a_null_member_and_known_ones_are_no_strangers() {
        let found = unknown(&answer("WarmUpConfiguration", "Label")).unwrap();
        assert_eq!(found["a"], ["WarmUpConfiguration.X"]);
    }

    #[test]
    fn what_is_no_cbor_is_an_error() {
        assert!(unknown(&[0xa1, 0x61]).is_err());
    }
}
