//! The spec of an Alarm document: which fields there are, and their bounds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Units that CloudWatch knows.
pub const UNITS: [&str; 27] = [
    "Bits",
    "Bits/Second",
    "Bytes",
    "Bytes/Second",
    "Count",
    "Count/Second",
    "Gigabits",
    "Gigabits/Second",
    "Gigabytes",
    "Gigabytes/Second",
    "Kilobits",
    "Kilobits/Second",
    "Kilobytes",
    "Kilobytes/Second",
    "Megabits",
    "Megabits/Second",
    "Megabytes",
    "Megabytes/Second",
    "Microseconds",
    "Milliseconds",
    "None",
    "Percent",
    "Seconds",
    "Terabits",
    "Terabits/Second",
    "Terabytes",
    "Terabytes/Second",
];

/// A CloudWatch metric alarm; it is created when it is absent. Bounds are those of CloudWatch,
/// PutMetricAlarm. Fields that are left out stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[serde(default)]
pub struct AlarmSpec {
    /// Name of the alarm, 1 to 255 characters. Default: `<app>-<name>` of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub alarm_name: Option<String>,
    /// A standard alarm to start from; each field of the document overrides the preset's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Name of a Service document of the same app; fills the dimensions `ClusterName` and
    /// `ServiceName` from it, but not those of metrics of AWS's other services, such as
    /// `AWS/ApplicationELB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub service_ref: Option<String>,
    /// What the alarm is about and what to do when it rings, at most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Name of the one metric that is watched, 1 to 255 characters. For metric math name
    /// `metrics` instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub metric_name: Option<String>,
    /// Namespace of the metric, such as `AWS/ECS`, 1 to 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^:]"))]
    pub namespace: Option<String>,
    /// Dimensions of the metric, by name; at most 30. All of them are owned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 30))]
    pub dimensions: Option<BTreeMap<String, String>>,
    /// How the data points of one period become one value; or name `extendedStatistic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistic: Option<Statistic>,
    /// A percentile or trimmed statistic, such as `p99`, `tm90` or `TM(10%:90%)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(p[0-9.]+|IQM|(tm|wm|tc|ts)[0-9.]+|(TM|WM|TC|TS|PR)\(.+\))$"))]
    pub extended_statistic: Option<String>,
    /// Length of one period in seconds: 10, 20, 30 or a multiple of 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 604_800))]
    pub period: Option<u32>,
    /// Unit that the data points must have; left out, points of any unit count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = UNITS))]
    pub unit: Option<String>,
    /// How many periods are looked at, 1 or more; with the period at most 7 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_080))]
    pub evaluation_periods: Option<u32>,
    /// How many of these periods must breach, 1 to `evaluationPeriods`. AWS's default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_080))]
    pub datapoints_to_alarm: Option<u32>,
    /// The value to compare with, in the metric's unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// For anomaly detection, instead of `threshold`: the `id` of the `ANOMALY_DETECTION_BAND`
    /// among `metrics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-z][A-Za-z0-9_]*$"))]
    pub threshold_metric_id: Option<String>,
    /// How the value is compared with the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison_operator: Option<ComparisonOperator>,
    /// What a period without data counts as. AWS's default: `missing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub treat_missing_data: Option<TreatMissingData>,
    /// For percentiles: whether periods with few data points count. AWS's default: `evaluate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate_low_sample_count_percentile: Option<LowSampleCount>,
    /// Metric math: the metrics and expressions of which one gives the alarm's value. All of
    /// them are owned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    pub metrics: Option<Vec<MetricEntry>>,
    /// Whether the actions are taken at all. AWS's default: true. Turning them off is
    /// destructive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions_enabled: Option<bool>,
    /// ARNs to notify when the alarm rings, at most 5. Emptying the list is destructive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5), extend("uniqueItems" = true))]
    pub alarm_actions: Option<Vec<String>>,
    /// ARNs to notify when the alarm goes back to OK, at most 5. Emptying the list is
    /// destructive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5), extend("uniqueItems" = true))]
    pub ok_actions: Option<Vec<String>>,
    /// ARNs to notify when there is too little data to tell, at most 5. Emptying the list is
    /// destructive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5), extend("uniqueItems" = true))]
    pub insufficient_data_actions: Option<Vec<String>>,
}

/// Standard alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Preset {
    /// Fewer tasks run than should, 5 minutes of 5; needs Container Insights on the cluster, and
    /// `serviceRef` or the dimensions `ClusterName` and `ServiceName`.
    RunningBelowDesired,
    /// Average CPU of the service above 80 %, 2 periods of 300 s; needs `serviceRef`, or
    /// dimensions of a service or of a cluster.
    CpuHigh,
    /// Average memory of the service above 80 %, 2 periods of 300 s; needs `serviceRef`, or
    /// dimensions of a service or of a cluster.
    MemoryHigh,
    /// More than 5 errors 5xx of the load balancer within a minute; needs the dimension
    /// `LoadBalancer`.
    Elb5xx,
    /// Average response time above 1 s, 2 periods of 300 s; needs the dimension `LoadBalancer`.
    ResponseTimeHigh,
}

/// How data points become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
}

/// How a value is compared with the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(
    clippy::enum_variant_names,
    reason = "the names are CloudWatch's own, as documents write them"
)]
pub enum ComparisonOperator {
    GreaterThanOrEqualToThreshold,
    GreaterThanThreshold,
    LessThanThreshold,
    LessThanOrEqualToThreshold,
    LessThanLowerOrGreaterThanUpperThreshold,
    LessThanLowerThreshold,
    GreaterThanUpperThreshold,
}

/// What a period without data counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TreatMissingData {
    Breaching,
    NotBreaching,
    Ignore,
    Missing,
}

/// Whether periods with few data points count for a percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LowSampleCount {
    Evaluate,
    Ignore,
}

/// One metric or expression of an alarm on metric math: it has either `expression` or
/// `metricStat`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricEntry {
    /// Its name in expressions: a lower-case letter, then letters, digits and underscores.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-z][A-Za-z0-9_]*$"))]
    pub id: String,
    /// A math expression over other ids, such as `m_des - m_run`, at most 2048 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub expression: Option<String>,
    /// What to call it in graphs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether this one gives the alarm's value; exactly one does. AWS's default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_data: Option<bool>,
    /// Length of one period of an expression in seconds: 10, 20, 30 or a multiple of 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 86_400))]
    pub period: Option<u32>,
    /// The metric and how it is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_stat: Option<MetricStat>,
}

/// A metric and how it is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricStat {
    /// Which metric.
    pub metric: Metric,
    /// Length of one period in seconds: 10, 20, 30 or a multiple of 60.
    #[schemars(range(min = 10, max = 86_400))]
    pub period: u32,
    /// The statistic: `Average`, `Sum`, `Minimum`, `Maximum`, `SampleCount`, or an extended one
    /// such as `p99`.
    #[schemars(length(min = 1, max = 255))]
    pub stat: String,
    /// Unit that the data points must have; left out, points of any unit count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = UNITS))]
    pub unit: Option<String>,
}

/// A metric's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metric {
    /// Namespace of the metric, such as `AWS/ECS`.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^:]"))]
    pub namespace: String,
    /// Name of the metric.
    #[schemars(length(min = 1, max = 255))]
    pub metric_name: String,
    /// Dimensions of the metric, by name; at most 30. All of them are owned. Left out, `serviceRef`
    /// fills them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 30))]
    pub dimensions: Option<BTreeMap<String, String>>,
}
