//! What is wrong with how an alarm comes to its value: periods, metric math, bands. Pure: a spec in,
//! findings out.

use std::collections::BTreeSet;

use super::check::Findings;
use super::spec::{AlarmSpec, ComparisonOperator, MetricEntry};

/// Metrics in one alarm on metric math, the most that CloudWatch takes.
const MOST_METRICS: usize = 10;
/// Longest stretch that an alarm may look at, in seconds.
const WEEK: u64 = 7 * DAY;
const DAY: u64 = 24 * HOUR;
const HOUR: u64 = 3600;

impl Findings<'_> {
    /// Lengths of periods, how many there are, and how far back they reach together.
    pub fn periods(&mut self, spec: &AlarmSpec) {
        let within = spec.metrics.iter().flatten().enumerate();
        let within = within.flat_map(|(i, entry)| {
            let stat = entry.metric_stat.as_ref();
            let stat = stat.map(|stat| (format!("metrics.{i}.metricStat.period"), stat.period));
            let own = entry.period.map(|p| (format!("metrics.{i}.period"), p));
            stat.into_iter().chain(own)
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

    /// Metric math: ids, sources and the one value.
    pub fn metrics(&mut self, metrics: &[MetricEntry], spec: &AlarmSpec) {
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
        self.expressions(metrics, &ids);
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

    /// Three of the operators compare with the two edges of a band, the others with a number.
    pub fn band(&mut self, spec: &AlarmSpec) {
        let Some(operator) = spec.comparison_operator else {
            return;
        };
        let of_a_band = match operator {
            ComparisonOperator::LessThanLowerOrGreaterThanUpperThreshold
            | ComparisonOperator::LessThanLowerThreshold
            | ComparisonOperator::GreaterThanUpperThreshold => true,
            ComparisonOperator::GreaterThanOrEqualToThreshold
            | ComparisonOperator::GreaterThanThreshold
            | ComparisonOperator::LessThanThreshold
            | ComparisonOperator::LessThanOrEqualToThreshold => false,
        };
        let (message, help) = match (of_a_band, &spec.threshold_metric_id, spec.threshold) {
            (true, None, Some(_)) => (
                format!("{operator:?} compares with a band, and `threshold` is a number"),
                "name the entry with ANOMALY_DETECTION_BAND in `thresholdMetricId` instead of \
                 `threshold`, or take an operator such as GreaterThanThreshold",
            ),
            (false, Some(_), None) => (
                format!("{operator:?} compares with a number, and `thresholdMetricId` is a band"),
                "take an operator of bands such as GreaterThanUpperThreshold, or write \
                 `threshold` instead of `thresholdMetricId`",
            ),
            _ => return,
        };
        self.error("band-operator", "comparisonOperator", message, help);
    }
}
