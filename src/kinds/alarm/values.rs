//! What is wrong with an alarm's statistics, dimensions and expressions, each as CloudWatch reads
//! it. Pure: a spec in, findings out.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Findings;
use super::spec::{AlarmSpec, MetricEntry};

/// The statistics that have a name, as CloudWatch spells them.
const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
/// Most characters of a dimension's name and of its value (API model, Dimension).
const NAME_MAX: usize = 255;
const VALUE_MAX: usize = 1024;

impl Findings<'_> {
    /// Every statistic and every dimension of the document.
    pub fn values(&mut self, spec: &AlarmSpec) {
        if let Some(statistic) = &spec.extended_statistic
            && let Some(fault) = extended_fault(statistic)
        {
            let message = format!("`extendedStatistic` cannot be {statistic:?}: {fault}");
            self.error("bad-statistic", "extendedStatistic", message, EXTENDED);
        }
        self.dimensions("dimensions", spec.dimensions.as_ref());
        for (i, entry) in spec.metrics.iter().flatten().enumerate() {
            let Some(stat) = &entry.metric_stat else {
                continue;
            };
            let path = format!("metrics.{i}.metricStat");
            if let Some((fault, help)) = stat_fault(&stat.stat) {
                let message = format!(
                    "the `stat` of {} cannot be {:?}: {fault}",
                    entry.id, stat.stat
                );
                self.error("bad-statistic", &format!("{path}.stat"), message, help);
            }
            let dimensions = stat.metric.dimensions.as_ref();
            self.dimensions(&format!("{path}.metric.dimensions"), dimensions);
        }
    }

    fn dimensions(&mut self, path: &str, dimensions: Option<&BTreeMap<String, String>>) {
        for (name, value) in dimensions.into_iter().flatten() {
            let of_name = text_fault(name, NAME_MAX)
                .or_else(|| {
                    name.starts_with(':')
                        .then(|| "begins with a colon".to_owned())
                })
                .map(|fault| format!("the name {name:?} of a dimension {fault}"));
            let of_value = text_fault(value, VALUE_MAX)
                .map(|fault| format!("the value {value:?} of the dimension {name} {fault}"));
            if let Some(message) = of_name.or(of_value) {
                self.error(
                    "bad-dimension",
                    &format!("{path}.{name}"),
                    message,
                    "write it as CloudWatch shows it beside the metric; leave a dimension out that \
                     the metric does not have",
                );
            }
        }
    }

    /// What the expressions of `metrics` name: ids that are there, and no search.
    pub fn expressions(&mut self, metrics: &[MetricEntry], ids: &BTreeSet<&str>) {
        for (i, entry) in metrics.iter().enumerate() {
            let expression = entry.expression.as_deref().unwrap_or_default();
            let field = format!("metrics.{i}.expression");
            if expression.contains("SEARCH(") {
                let message = format!("the expression {} searches for metrics", entry.id);
                let help = "an alarm cannot SEARCH; name its metrics one by one in `metrics`";
                self.error("search-expression", &field, message, help);
                continue;
            }
            let unknown = names_in(expression);
            if let Some(name) = unknown.into_iter().find(|name| !ids.contains(name)) {
                let known: Vec<&str> = ids.iter().copied().filter(|id| *id != entry.id).collect();
                self.error(
                    "dangling-reference",
                    &field,
                    format!(
                        "the expression {} names {name}, which is no id of `metrics`",
                        entry.id
                    ),
                    match known.as_slice() {
                        [] => format!("add an entry with `id: {name}`"),
                        known => format!("name one of {}", known.join(", ")),
                    },
                );
            }
        }
    }
}

const EXTENDED: &str = "write a percentile from p0 to p100 such as p99 or p99.9, or a trimmed \
                        statistic such as tm90 or TM(10%:90%)";

/// What is wrong with an extended statistic whose form is right, if anything.
fn extended_fault(statistic: &str) -> Option<String> {
    let percent = ["p", "tm", "wm", "tc", "ts"]
        .iter()
        .find_map(|prefix| statistic.strip_prefix(prefix))?;
    match percent.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => None,
        Ok(_) => Some("percent go from 0 to 100".to_owned()),
        Err(_) => Some(format!("{percent} is no number of percent")),
    }
}

fn stat_fault(stat: &str) -> Option<(String, String)> {
    if STATISTICS.contains(&stat) {
        return None;
    }
    let near = STATISTICS.iter().find(|s| s.eq_ignore_ascii_case(stat));
    if let Some(near) = near {
        return Some((
            "CloudWatch tells upper from lower case".to_owned(),
            format!("did you mean `{near}`?"),
        ));
    }
    let range = ["PR(", "TM(", "TC(", "TS(", "WM("]
        .iter()
        .any(|prefix| stat.starts_with(prefix) && stat.ends_with(')'));
    let trimmed = ["p", "tm", "wm", "tc", "ts"]
        .iter()
        .filter_map(|prefix| stat.strip_prefix(prefix))
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if stat == "IQM" || range {
        return None;
    }
    if trimmed {
        return extended_fault(stat).map(|fault| (fault, EXTENDED.to_owned()));
    }
    Some((
        "it is no statistic".to_owned(),
        format!("write one of {}, or one such as p99", STATISTICS.join(", ")),
    ))
}

/// Why CloudWatch refuses a dimension's name or value, if it does (API reference, Dimension).
fn text_fault(text: &str, most: usize) -> Option<String> {
    if text.trim().is_empty() {
        Some("is empty".to_owned())
    } else if text.chars().count() > most {
        Some(format!("is longer than {most} characters"))
    } else {
        let odd = text.chars().find(|c| !c.is_ascii() || c.is_control());
        odd.map(|c| format!("has the character {c:?}, and CloudWatch takes ASCII only"))
    }
}

/// The ids that an expression names: words that begin in lower case, outside of quotes. Functions
/// are in capitals; a query in SQL names metrics, not ids.
fn names_in(expression: &str) -> Vec<&str> {
    let head = expression.trim_start().get(..6).unwrap_or_default();
    if head.eq_ignore_ascii_case("select") {
        return Vec::new();
    }
    let mut names = Vec::new();
    for outside in expression
        .split('"')
        .step_by(2)
        .flat_map(|t| t.split('\'').step_by(2))
    {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut rest = outside;
        while let Some(start) = rest.find(word) {
            let from = rest.get(start..).unwrap_or_default();
            let end = from.find(|c| !word(c)).unwrap_or(from.len());
            let (name, after) = from.split_at(end);
            let call = after.trim_start().starts_with('(');
            if name.starts_with(|c: char| c.is_ascii_lowercase()) && !call {
                names.push(name);
            }
            rest = after;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use crate::kinds::alarm::Alarm;
    use crate::kinds::trial::rules_found;
    use serde_json::{Value, json};

    fn rules(changes: &Value) -> Vec<String> {
        let mut spec = json!({
            "metricName": "Latency", "namespace": "Shop", "period": 60, "evaluationPeriods": 1,
            "threshold": 1, "comparisonOperator": "GreaterThanThreshold",
            "extendedStatistic": "p99",
        });
        for (key, value) in changes.as_object().unwrap() {
            spec[key] = value.clone();
        }
        rules_found(&Alarm, spec)
    }

    #[test]
    fn a_statistic_beyond_a_hundred_percent_is_refused() {
        for good in ["p0", "p99.9", "p100", "tm90", "TM(10%:90%)", "IQM"] {
            assert_eq!(
                rules(&json!({"extendedStatistic": good})),
                [""; 0],
                "{good}"
            );
        }
        for bad in ["p101", "tm100.5", "p9.9.9"] {
            assert_eq!(
                rules(&json!({"extendedStatistic": bad})),
                ["bad-statistic"],
                "{bad}"
            );
        }
    }

    #[test]
    fn a_dimension_that_cloudwatch_refuses_is_an_error() {
        for bad in [
            json!({"Queue": ""}),
            json!({"Queue": " "}),
            json!({"Queue": "zürich"}),
            json!({":Queue": "q"}),
            json!({"": "q"}),
        ] {
            assert_eq!(
                rules(&json!({"dimensions": bad})),
                ["bad-dimension"],
                "{bad}"
            );
        }
        assert_eq!(rules(&json!({"dimensions": {"Queue": "a b:/c"}})), [""; 0]);
    }

    fn math(stat: &str, expression: &str) -> Vec<String> {
        rules_found(
            &Alarm,
            json!({
                "metrics": [
                    {"id": "m1", "returnData": false, "metricStat": {
                        "metric": {"namespace": "N", "metricName": "M"}, "period": 60, "stat": stat,
                    }},
                    {"id": "e1", "expression": expression},
                ],
                "evaluationPeriods": 1, "threshold": 0, "comparisonOperator": "GreaterThanThreshold",
            }),
        )
    }

    #[test]
    fn a_stat_is_spelt_as_cloudwatch_spells_it() {
        for good in ["Sum", "p99", "tm90", "PR(1:2)", "IQM"] {
            assert_eq!(math(good, "m1"), [""; 0], "{good}");
        }
        for bad in ["sum", "average", "p101", "Median", "pct"] {
            assert_eq!(math(bad, "m1"), ["bad-statistic"], "{bad}");
        }
    }

    #[test]
    fn an_expression_names_ids_that_are_there() {
        for good in [
            "m1 * 2",
            "IF(m1 > 1e3, 1, 0)",
            "SUM(METRICS(\"m9\"))",
            "FILL(m1, 0) / PERIOD(m1)",
            "SELECT AVG(load) FROM shop",
        ] {
            assert_eq!(math("Sum", good), [""; 0], "{good}");
        }
        assert_eq!(math("Sum", "m1 / m2"), ["dangling-reference"]);
        assert_eq!(
            math("Sum", "SUM(SEARCH('{N} x', 'Sum'))"),
            ["search-expression"]
        );
    }
}
