//! What CloudWatch demands of DescribeAlarms and PutMetricAlarm (API Reference; errors as it words their codes).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{refused, strings};
use crate::twin::wire::TwinError;

type Checked = Result<(), TwinError>;

fn invalid(message: impl Into<String>) -> TwinError {
    refused("ValidationError", message.into())
}

fn combination(message: impl Into<String>) -> TwinError {
    refused("InvalidParameterCombination", message.into())
}

fn demand(holds: bool, error: impl FnOnce() -> TwinError) -> Checked {
    if holds { Ok(()) } else { Err(error()) }
}

fn has(input: &Value, member: &str) -> bool {
    !input[member].is_null()
}

/// DescribeAlarms: at most 100 names, pages of at most 100, names or a prefix.
pub(super) fn check_describe(input: &Value) -> Checked {
    let names = input["AlarmNames"].as_array().map_or(0, Vec::len);
    demand(names <= 100, || {
        invalid(
            "Value at 'alarmNames' failed to satisfy constraint: Member must have length less than or equal to 100",
        )
    })?;
    demand(names == 0 || !has(input, "AlarmNamePrefix"), || {
        combination("AlarmNames and AlarmNamePrefix cannot both be specified")
    })?;
    if has(input, "MaxRecords") {
        let page = input["MaxRecords"].as_i64().unwrap_or(0);
        demand((1..=100).contains(&page), || {
            invalid(format!(
                "Value '{page}' at 'maxRecords' failed to satisfy constraint: 1 to 100"
            ))
        })?;
    }
    for kind in strings(&input["AlarmTypes"]) {
        demand(
            ["MetricAlarm", "CompositeAlarm", "LogAlarm"].contains(&kind),
            || {
                invalid(format!(
                    "Value '{kind}' at 'alarmTypes' is not one of its enum"
                ))
            },
        )?;
    }
    Ok(())
}

/// PutMetricAlarm.
pub(super) fn check_put(input: &Value) -> Checked {
    let length = |member: &str| input[member].as_str().map_or(0, |s| s.chars().count());
    demand((1..=255).contains(&length("AlarmName")), || {
        invalid("AlarmName must have 1 to 255 characters")
    })?;
    demand(length("AlarmDescription") <= 1024, || {
        invalid("AlarmDescription must have at most 1024 characters")
    })?;
    for list in ["OKActions", "AlarmActions", "InsufficientDataActions"] {
        demand(strings(&input[list]).len() <= 5, || {
            invalid(format!("{list} must have at most 5 items"))
        })?;
    }
    let count = |member: &str| input[member].as_array().map_or(0, Vec::len);
    demand(count("Dimensions") <= 30, || {
        invalid("Dimensions must have at most 30 items")
    })?;
    demand(count("Tags") <= 50, || {
        invalid("Tags must have at most 50 items")
    })?;
    if let Some(missing) = input["TreatMissingData"].as_str() {
        demand(
            ["breaching", "notBreaching", "ignore", "missing"].contains(&missing),
            || invalid(format!("TreatMissingData cannot be {missing}")),
        )?;
    }
    check_dimensions(&input["Dimensions"])?;
    check_source(input)?;
    if has(input, "EvaluationCriteria") {
        return Ok(());
    }
    check_evaluation(input)
}

/// Names and values are ASCII with something to see in them, and no control characters.
fn check_dimensions(dimensions: &Value) -> Checked {
    for dimension in dimensions.as_array().into_iter().flatten() {
        for (member, most) in [("Name", 255), ("Value", 1024)] {
            let text = dimension[member].as_str().unwrap_or_default();
            let plain = text.chars().all(|c| c.is_ascii() && !c.is_control());
            let holds = plain && !text.trim().is_empty() && text.len() <= most;
            let colon = member == "Name" && text.starts_with(':');
            demand(holds && !colon, || {
                invalid(format!("the {member} '{text}' of a dimension is not valid"))
            })?;
        }
    }
    Ok(())
}

/// Exactly one of a metric, metric math and evaluation criteria, and each complete.
fn check_source(input: &Value) -> Checked {
    let sources = ["MetricName", "Metrics", "EvaluationCriteria"];
    let given: Vec<_> = sources.into_iter().filter(|s| has(input, s)).collect();
    match given.as_slice() {
        ["MetricName"] => check_metric(input),
        ["Metrics"] => check_math(input),
        ["EvaluationCriteria"] => Ok(()),
        _ => Err(combination(format!(
            "exactly one of {} must be specified, not {}",
            sources.join(", "),
            given.len()
        ))),
    }
}

const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];

fn check_metric(input: &Value) -> Checked {
    for member in ["Namespace", "Period"] {
        demand(has(input, member), || {
            refused(
                "MissingParameter",
                format!("{member} is required with MetricName"),
            )
        })?;
    }
    demand(
        has(input, "Statistic") != has(input, "ExtendedStatistic"),
        || combination("exactly one of Statistic and ExtendedStatistic must be specified"),
    )?;
    if let Some(statistic) = input["Statistic"].as_str() {
        demand(STATISTICS.contains(&statistic), || {
            invalid(format!("Statistic cannot be {statistic}"))
        })?;
    }
    if let Some(statistic) = input["ExtendedStatistic"].as_str() {
        demand(is_extended(statistic), || {
            invalid(format!("ExtendedStatistic cannot be {statistic}"))
        })?;
    }
    check_period(&input["Period"], input)
}

/// `p99.9`, `tm90`, `tc90`, `ts90`, `wm98`, `IQM`, and `PR(..)`, `TM(..)`, `TC(..)`, `TS(..)`, `WM(..)`.
fn is_extended(statistic: &str) -> bool {
    let percent = |text: &str| {
        text.parse::<f64>()
            .is_ok_and(|p| (0.0..=100.0).contains(&p))
    };
    statistic == "IQM"
        || ["p", "tm", "tc", "ts", "wm"]
            .iter()
            .any(|prefix| statistic.strip_prefix(prefix).is_some_and(percent))
        || ["PR(", "TM(", "TC(", "TS(", "WM("]
            .iter()
            .any(|prefix| statistic.starts_with(prefix) && statistic.ends_with(')'))
}

/// 10, 20, 30 or whole minutes; all periods together within a week, or a day below an hour each.
fn check_period(period: &Value, input: &Value) -> Checked {
    let period = period.as_i64().unwrap_or(0);
    demand(
        matches!(period, 10 | 20 | 30) || (period >= 60 && period % 60 == 0),
        || {
            invalid(format!(
                "Period must be 10, 20, 30 or a multiple of 60, not {period}"
            ))
        },
    )?;
    let total = period.saturating_mul(input["EvaluationPeriods"].as_i64().unwrap_or(1));
    let limit = if period < 3600 { 86_400 } else { 604_800 };
    demand(total <= limit, || {
        invalid(format!(
            "Metrics cannot be checked across more than {} (EvaluationPeriods * Period must be <= {limit})",
            if period < 3600 { "a day" } else { "a week" },
        ))
    })
}

fn check_math(input: &Value) -> Checked {
    let exclusive = [
        "Namespace",
        "Dimensions",
        "Period",
        "Unit",
        "Statistic",
        "ExtendedStatistic",
    ];
    for member in exclusive {
        let absent = match &input[member] {
            Value::Array(items) => items.is_empty(),
            value => value.is_null(),
        };
        demand(absent, || {
            combination(format!("{member} cannot be specified with Metrics"))
        })?;
    }
    let queries = input["Metrics"].as_array().map_or(&[][..], Vec::as_slice);
    demand(!queries.is_empty(), || invalid("Metrics must not be empty"))?;
    let mut ids = BTreeSet::new();
    let (mut metrics, mut returned) = (0, 0);
    for query in queries {
        let id = query["Id"].as_str().unwrap_or_default();
        demand(id.starts_with(|c: char| c.is_ascii_lowercase()), || {
            invalid(format!("the Id '{id}' must begin with a lower-case letter"))
        })?;
        demand(ids.insert(id), || {
            invalid(format!("the Id '{id}' is there twice"))
        })?;
        demand(has(query, "MetricStat") != has(query, "Expression"), || {
            invalid(format!(
                "'{id}' must have exactly one of MetricStat and Expression"
            ))
        })?;
        let expression = query["Expression"].as_str().unwrap_or_default();
        demand(!expression.contains("SEARCH("), || {
            invalid("SEARCH is not supported on Metrics Alarms")
        })?;
        if has(query, "MetricStat") {
            metrics += 1;
            let stat = query["MetricStat"]["Stat"].as_str().unwrap_or_default();
            demand(STATISTICS.contains(&stat) || is_extended(stat), || {
                invalid(format!("the Stat '{stat}' of '{id}' is not valid"))
            })?;
            check_dimensions(&query["MetricStat"]["Metric"]["Dimensions"])?;
            check_period(&query["MetricStat"]["Period"], input)?;
        }
        returned += usize::from(query["ReturnData"].as_bool().unwrap_or(true));
    }
    for query in queries {
        let expression = query["Expression"].as_str().unwrap_or_default();
        let unknown = names_in(expression).into_iter().find(|n| !ids.contains(n));
        demand(unknown.is_none(), || {
            invalid(format!(
                "Error in expression '{}': unknown identifier {}",
                query["Id"].as_str().unwrap_or_default(),
                unknown.unwrap_or_default()
            ))
        })?;
    }
    demand(metrics <= 10, || {
        invalid("metric math alarms have at most 10 metrics")
    })?;
    // A band and the metric that it judges are both returned.
    let wanted = if has(input, "ThresholdMetricId") {
        2
    } else {
        1
    };
    demand(returned == wanted, || {
        invalid(format!(
            "exactly {wanted} elements of the metrics list should return data, not {returned}"
        ))
    })
}

/// The ids that an expression names: words in lower case outside of quotes. A query in SQL names none.
fn names_in(expression: &str) -> Vec<&str> {
    if expression.trim_start().starts_with("SELECT ") {
        return Vec::new();
    }
    let outside = expression.split('"').step_by(2);
    outside
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

fn check_evaluation(input: &Value) -> Checked {
    let known = [
        "GreaterThanOrEqualToThreshold",
        "GreaterThanThreshold",
        "LessThanThreshold",
        "LessThanOrEqualToThreshold",
        "LessThanLowerOrGreaterThanUpperThreshold",
        "LessThanLowerThreshold",
        "GreaterThanUpperThreshold",
    ];
    let operator = input["ComparisonOperator"].as_str().unwrap_or_default();
    demand(known.contains(&operator), || {
        invalid(format!("ComparisonOperator cannot be '{operator}'"))
    })?;
    let periods = input["EvaluationPeriods"].as_i64().unwrap_or(0);
    demand(periods >= 1, || {
        invalid("EvaluationPeriods must be at least 1")
    })?;
    if has(input, "DatapointsToAlarm") {
        let datapoints = input["DatapointsToAlarm"].as_i64().unwrap_or(0);
        demand((1..=periods).contains(&datapoints), || {
            invalid(format!(
                "DatapointsToAlarm ({datapoints}) must be between 1 and EvaluationPeriods ({periods})"
            ))
        })?;
    }
    demand(
        has(input, "Threshold") != has(input, "ThresholdMetricId"),
        || combination("exactly one of Threshold and ThresholdMetricId must be specified"),
    )?;
    let of_a_band = operator.contains("Lower") || operator.contains("Upper");
    demand(of_a_band == has(input, "ThresholdMetricId"), || {
        combination(format!(
            "ComparisonOperator {operator} does not go with what it is compared with"
        ))
    })
}
