//! What is wrong with an Alarm document. Pure: documents in, findings out.

use std::collections::{BTreeMap, BTreeSet};

use super::preset::{LOAD_BALANCER, alarm_name, filled, read};
use super::spec::{AlarmSpec, MetricEntry};
use crate::model::document::{DesiredSet, Document};
use crate::model::finding::Finding;
use crate::model::key::ResourceKey;

/// Actions for one state, the most that CloudWatch takes.
const MOST_ACTIONS: usize = 5;
/// Metrics in one alarm on metric math, the most that CloudWatch takes.
const MOST_METRICS: usize = 10;
/// Longest stretch that an alarm may look at, in seconds.
const WEEK: u64 = 7 * DAY;
const DAY: u64 = 24 * HOUR;
const HOUR: u64 = 3600;

/// What target tracking calls its own alarms.
pub const TARGET_TRACKING: &str = "TargetTracking-";

/// Rules that the schema cannot say, over the document with its preset and reference filled in.
pub fn check(document: &Document, set: &DesiredSet) -> Vec<Finding> {
    let mut found = Findings {
        document,
        list: Vec::new(),
    };
    let written = match read(document) {
        Ok(spec) => spec,
        Err(cause) => {
            let message = format!("the spec of {} cannot be read: {cause}", document.key);
            found.error("bad-spec", "", message, "correct the spec");
            return found.list;
        }
    };
    found.reference(&written, set);
    found.name(&alarm_name(document, &written));
    let spec = filled(document, &written, set);
    if let Some(preset) = written.preset
        && preset.is_of_a_load_balancer()
        && !has_load_balancer(&spec)
    {
        found.error(
            "preset-dimension",
            "preset",
            format!("the preset {preset:?} needs to know which load balancer it watches"),
            "add `dimensions: {LoadBalancer: app/<name>/<id>}`",
        );
    }
    found.one_of_a_pair(&spec);
    found.missing(&spec);
    found.periods(&spec);
    found.metrics(spec.metrics.as_deref().unwrap_or_default(), &spec);
    for (field, actions) in [
        ("alarmActions", &spec.alarm_actions),
        ("okActions", &spec.ok_actions),
        ("insufficientDataActions", &spec.insufficient_data_actions),
    ] {
        found.actions(field, actions.as_deref().unwrap_or_default());
    }
    found.list
}

fn has_load_balancer(spec: &AlarmSpec) -> bool {
    let named = |d: &BTreeMap<String, String>| d.contains_key(LOAD_BALANCER);
    // A document that brings its own metrics says itself what they are of.
    spec.metrics.is_some() || spec.dimensions.as_ref().is_some_and(named)
}

struct Findings<'a> {
    document: &'a Document,
    list: Vec<Finding>,
}

impl Findings<'_> {
    fn error(
        &mut self,
        rule: &str,
        field: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.list.push(
            Finding::error(rule, message)
                .help(help)
                .at(self.document.span_of(field))
                .of(&self.document.key),
        );
    }

    fn reference(&mut self, spec: &AlarmSpec, set: &DesiredSet) {
        let Some(name) = &spec.service_ref else {
            return;
        };
        let app = &self.document.key.app;
        let wanted = ResourceKey::new(app, "Service", name);
        // One that stands there and did not load has been told of already.
        if set.documents.contains_key(&wanted) || set.unread.may_hold(&wanted) {
            return;
        }
        let services: Vec<&str> = set
            .documents
            .keys()
            .filter(|key| key.app == *app && key.kind == "Service")
            .map(|key| key.name.as_str())
            .collect();
        let near = services
            .iter()
            .map(|other| (strsim::osa_distance(name, other), *other))
            .filter(|(far, other)| *far <= 3 && *far < other.len())
            .min();
        let help = match (near, services.as_slice()) {
            (Some((_, near)), _) => format!("did you mean `{near}`?"),
            (None, []) => format!("add a Service document named {name} to {app}"),
            (None, known) => format!("name one of {}", known.join(", ")),
        };
        let message = format!("`serviceRef` names {name}, but {app} has no Service of that name");
        self.error("dangling-reference", "serviceRef", message, help);
    }

    fn name(&mut self, name: &str) {
        if name.starts_with(TARGET_TRACKING) {
            self.error(
                "reserved-name",
                "alarmName",
                format!("{name} is a name that target tracking gives its own alarms"),
                "choose another `alarmName`; alarms of target tracking are never touched",
            );
        }
        if name.chars().count() > 255 {
            self.error(
                "name-length",
                "alarmName",
                "the alarm's name is longer than 255 characters",
                "write a shorter `alarmName`",
            );
        }
    }

    fn one_of_a_pair(&mut self, spec: &AlarmSpec) {
        if spec.metrics.is_some() {
            let single = [
                ("metricName", spec.metric_name.is_some()),
                ("namespace", spec.namespace.is_some()),
                ("dimensions", spec.dimensions.is_some()),
                ("period", spec.period.is_some()),
                ("statistic", spec.statistic.is_some()),
                ("extendedStatistic", spec.extended_statistic.is_some()),
                ("unit", spec.unit.is_some()),
            ];
            for (field, _) in single.into_iter().filter(|(_, set)| *set) {
                self.error(
                    "one-evaluation",
                    field,
                    format!("`{field}` and `metrics` cannot stand together"),
                    "keep `metrics` and say it there, or leave `metrics` out",
                );
            }
        }
        if spec.statistic.is_some() && spec.extended_statistic.is_some() {
            self.error(
                "one-statistic",
                "extendedStatistic",
                "`statistic` and `extendedStatistic` cannot stand together",
                "keep one of the two",
            );
        }
        if spec.threshold.is_some() && spec.threshold_metric_id.is_some() {
            self.error(
                "one-threshold",
                "thresholdMetricId",
                "`threshold` and `thresholdMetricId` cannot stand together",
                "keep one of the two",
            );
        }
    }

    /// Since an alarm is created when it is absent, a document says all that creating takes.
    fn missing(&mut self, spec: &AlarmSpec) {
        let mut missing = Vec::new();
        if spec.metrics.is_none() {
            if spec.metric_name.is_none() {
                missing.push("`metricName` (or `metrics`, or `preset`)");
            } else {
                for (field, there) in [
                    ("`namespace`", spec.namespace.is_some()),
                    ("`period`", spec.period.is_some()),
                    (
                        "`statistic` (or `extendedStatistic`)",
                        spec.statistic.is_some() || spec.extended_statistic.is_some(),
                    ),
                ] {
                    if !there {
                        missing.push(field);
                    }
                }
            }
        }
        for (field, there) in [
            ("`evaluationPeriods`", spec.evaluation_periods.is_some()),
            ("`comparisonOperator`", spec.comparison_operator.is_some()),
            (
                "`threshold` (or `thresholdMetricId`)",
                spec.threshold.is_some() || spec.threshold_metric_id.is_some(),
            ),
        ] {
            if !there {
                missing.push(field);
            }
        }
        if !missing.is_empty() {
            let key = &self.document.key;
            let message = format!(
                "{key} could not be created: it lacks {}",
                missing.join(", ")
            );
            self.error(
                "incomplete-alarm",
                "",
                message,
                "add them, since an alarm is created when it is absent; or start from a `preset`",
            );
        }
    }

    fn periods(&mut self, spec: &AlarmSpec) {
        let within = spec.metrics.iter().flatten().enumerate();
        let within = within.filter_map(|(i, entry)| {
            let stat = entry.metric_stat.as_ref()?;
            Some((format!("metrics.{i}.metricStat.period"), stat.period))
        });
        let own = spec.period.map(|p| ("period".to_owned(), p));
        let all: Vec<(String, u32)> = own.into_iter().chain(within).collect();
        for (field, period) in &all {
            if !matches!(period, 10 | 20 | 30) && (*period == 0 || period % 60 != 0) {
                self.error(
                    "period-length",
                    field,
                    format!("`{field}` is {period} seconds"),
                    "write 10, 20, 30 or a multiple of 60 seconds",
                );
            }
        }
        let Some(evaluation_periods) = spec.evaluation_periods else {
            return;
        };
        if spec
            .datapoints_to_alarm
            .is_some_and(|n| n > evaluation_periods)
        {
            self.error(
                "datapoints-range",
                "datapointsToAlarm",
                format!("`datapointsToAlarm` is above `evaluationPeriods` ({evaluation_periods})"),
                "write at most as many as there are periods",
            );
        }
        let Some(longest) = all.iter().map(|(_, p)| u64::from(*p)).max() else {
            return;
        };
        let most = if longest < HOUR { DAY } else { WEEK };
        let looked_at = longest * u64::from(evaluation_periods);
        if looked_at > most {
            self.error(
                "evaluation-range",
                "evaluationPeriods",
                format!(
                    "`evaluationPeriods` of {longest} seconds are {looked_at} seconds, above the \
                     {most} that CloudWatch looks at"
                ),
                "write fewer periods, or longer ones: 7 days at most, 1 day with periods below an \
                 hour",
            );
        }
    }

    fn metrics(&mut self, metrics: &[MetricEntry], spec: &AlarmSpec) {
        let mut ids = BTreeSet::new();
        for (i, entry) in metrics.iter().enumerate() {
            let id = &entry.id;
            if !ids.insert(id.as_str()) {
                self.error(
                    "duplicate-id",
                    &format!("metrics.{i}.id"),
                    format!("two entries of `metrics` have the id {id}"),
                    "rename one of the two",
                );
            }
            if entry.expression.is_some() == entry.metric_stat.is_some() {
                self.error(
                    "one-source",
                    &format!("metrics.{i}"),
                    format!("the entry {id} has to have either `expression` or `metricStat`"),
                    "write one of the two",
                );
            }
        }
        if metrics.iter().filter(|m| m.metric_stat.is_some()).count() > MOST_METRICS {
            self.error(
                "too-many-metrics",
                "metrics",
                format!("`metrics` reads more than {MOST_METRICS} metrics"),
                "split the alarm in two",
            );
        }
        let returning: Vec<&str> = metrics
            .iter()
            .filter(|m| m.return_data != Some(false))
            .map(|m| m.id.as_str())
            .collect();
        match &spec.threshold_metric_id {
            // Anomaly detection returns the metric and its band.
            Some(band) if !ids.contains(band.as_str()) => self.error(
                "dangling-reference",
                "thresholdMetricId",
                format!("`thresholdMetricId` names {band}, which is no id of `metrics`"),
                "name the entry with ANOMALY_DETECTION_BAND",
            ),
            None if !metrics.is_empty() && returning.len() != 1 => self.error(
                "one-value",
                "metrics",
                format!("{} entries of `metrics` return data", returning.len()),
                "set `returnData: false` on all but the one that gives the alarm's value",
            ),
            _ => {}
        }
    }

    fn actions(&mut self, field: &str, actions: &[String]) {
        if actions.len() > MOST_ACTIONS {
            self.error(
                "too-many-actions",
                field,
                format!("`{field}` lists {} actions", actions.len()),
                "CloudWatch takes at most 5; let one SNS topic notify the rest",
            );
        }
        for (i, arn) in actions.iter().enumerate() {
            if let Some(fault) = arn_fault(arn) {
                self.error(
                    "bad-arn",
                    &format!("{field}.{i}"),
                    format!("`{field}` lists {arn:?}, which is no ARN: {fault}"),
                    "write it like arn:aws:sns:us-east-1:123456789012:alerts",
                );
            }
        }
    }
}

/// What is wrong with an action's ARN, if anything.
fn arn_fault(arn: &str) -> Option<&'static str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [prefix, partition, service, _region, account, resource] = parts.as_slice() else {
        return Some("it has fewer than six parts");
    };
    let twelve_digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    if *prefix != "arn" || !partition.starts_with("aws") {
        Some("it does not start with arn:aws")
    } else if service.is_empty() || resource.is_empty() {
        Some("its service or its resource is empty")
    } else if arn.chars().any(char::is_whitespace) {
        Some("it holds a space")
    } else if *service == "automate" || twelve_digits {
        // EC2's own actions (arn:aws:automate:<region>:ec2:stop) name no account.
        None
    } else {
        Some("its account is not 12 digits")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Alarm;
    use crate::kinds::Kind as _;
    use crate::kinds::trial::{document, named, rules_found, set};
    use serde_json::{Value, json};

    fn spec() -> Value {
        json!({
            "metricName": "CPUUtilization", "namespace": "AWS/ECS", "statistic": "Average",
            "period": 300, "evaluationPeriods": 2, "datapointsToAlarm": 2, "threshold": 80,
            "comparisonOperator": "GreaterThanThreshold",
            "alarmActions": ["arn:aws:sns:us-east-1:123456789012:alerts"],
        })
    }

    fn but(changes: Value) -> Vec<String> {
        let mut spec = spec();
        for (key, value) in changes.as_object().unwrap() {
            spec[key] = value.clone();
        }
        rules_found(&Alarm, spec)
    }

    #[test]
    fn a_whole_alarm_and_every_preset_are_in_order() {
        assert_eq!(but(json!({})), [""; 0]);
        for preset in ["RunningBelowDesired", "CpuHigh", "MemoryHigh"] {
            assert_eq!(rules_found(&Alarm, json!({"preset": preset})), [""; 0]);
        }
        for preset in ["Elb5xx", "ResponseTimeHigh"] {
            let spec = json!({"preset": preset, "dimensions": {"LoadBalancer": "app/a/1"}});
            assert_eq!(rules_found(&Alarm, spec), [""; 0]);
            assert_eq!(
                rules_found(&Alarm, json!({"preset": preset})),
                ["preset-dimension"]
            );
        }
    }

    #[test]
    fn each_rule_finds_its_own_fault() {
        let many: Vec<_> = (0..6)
            .map(|i| format!("arn:aws:sns:eu-west-1:123456789012:t{i}"))
            .collect();
        for (changes, rule) in [
            (json!({"period": 45}), "period-length"),
            (json!({"datapointsToAlarm": 3}), "datapoints-range"),
            (
                json!({"evaluationPeriods": 300, "datapointsToAlarm": 1}),
                "evaluation-range",
            ),
            (json!({"extendedStatistic": "p99"}), "one-statistic"),
            (json!({"alarmName": "TargetTracking-x"}), "reserved-name"),
            (
                json!({"alarmActions": ["arn:aws:sns:us-east-1:12345:alerts"]}),
                "bad-arn",
            ),
            (json!({"okActions": ["alerts"]}), "bad-arn"),
            (json!({"okActions": many}), "too-many-actions"),
            (json!({"serviceRef": "web"}), "dangling-reference"),
        ] {
            assert_eq!(but(changes.clone()), [rule], "{changes}");
        }
    }

    #[test]
    fn an_alarm_that_could_not_be_created_says_what_it_lacks() {
        let document = document("Alarm", json!({"metricName": "X", "threshold": 1}));
        let found = Alarm.check(&document, &set([document.clone()]));
        for field in [
            "namespace",
            "period",
            "statistic",
            "evaluationPeriods",
            "comparisonOperator",
        ] {
            assert!(found[0].message.contains(field), "{field}");
        }
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_reference_with_a_slip_is_asked_back() {
        let alarm = document(
            "Alarm",
            json!({"preset": "CpuHigh", "serviceRef": "bakend"}),
        );
        let service = named("Service", "backend", json!({"cluster": "c"}));
        let found = Alarm.check(&alarm, &set([alarm.clone(), service]));
        assert_eq!(found[0].help.as_deref(), Some("did you mean `backend`?"));
    }

    #[test]
    fn metric_math_returns_one_value_from_named_sources() {
        let math = |metrics: Value| {
            rules_found(
                &Alarm,
                json!({
                    "metrics": metrics, "evaluationPeriods": 1, "threshold": 0,
                    "comparisonOperator": "GreaterThanThreshold",
                }),
            )
        };
        let stat =
            json!({"metric": {"namespace": "N", "metricName": "M"}, "period": 60, "stat": "Sum"});
        let source = json!({"id": "m", "returnData": false, "metricStat": stat});
        assert_eq!(
            math(json!([source, {"id": "e", "expression": "m * 2"}])),
            [""; 0]
        );
        assert_eq!(math(json!([source])), ["one-value"]);
        assert_eq!(
            math(json!([source, source, {"id": "e", "expression": "m"}])),
            ["duplicate-id"]
        );
        assert_eq!(math(json!([source, {"id": "e"}])), ["one-source"]);
    }
}
