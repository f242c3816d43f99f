//! Presets and references: what an Alarm document means once both are filled in. Pure: documents in,
//! a spec out.

use std::collections::BTreeMap;

use super::spec::{
    AlarmSpec, ComparisonOperator, Metric, MetricEntry, MetricStat, Preset, Statistic,
    TreatMissingData,
};
use crate::model::document::{DesiredSet, Document};

/// The dimension that the presets of load balancers need.
pub const LOAD_BALANCER: &str = "LoadBalancer";

impl Preset {
    fn spec(self) -> AlarmSpec {
        match self {
            Preset::CpuHigh => service_percent("CPUUtilization"),
            Preset::MemoryHigh => service_percent("MemoryUtilization"),
            Preset::RunningBelowDesired => running_below_desired(),
            Preset::Elb5xx => AlarmSpec {
                metric_name: Some("HTTPCode_ELB_5XX_Count".to_owned()),
                namespace: Some("AWS/ApplicationELB".to_owned()),
                statistic: Some(Statistic::Sum),
                period: Some(60),
                evaluation_periods: Some(1),
                datapoints_to_alarm: Some(1),
                threshold: Some(5.0),
                // The metric is published only when it is not zero.
                ..above()
            },
            Preset::ResponseTimeHigh => AlarmSpec {
                metric_name: Some("TargetResponseTime".to_owned()),
                namespace: Some("AWS/ApplicationELB".to_owned()),
                statistic: Some(Statistic::Average),
                period: Some(300),
                evaluation_periods: Some(2),
                datapoints_to_alarm: Some(2),
                threshold: Some(1.0),
                ..above()
            },
        }
    }
}

fn above() -> AlarmSpec {
    AlarmSpec {
        comparison_operator: Some(ComparisonOperator::GreaterThanThreshold),
        treat_missing_data: Some(TreatMissingData::NotBreaching),
        ..AlarmSpec::default()
    }
}

fn service_percent(metric: &str) -> AlarmSpec {
    AlarmSpec {
        metric_name: Some(metric.to_owned()),
        namespace: Some("AWS/ECS".to_owned()),
        statistic: Some(Statistic::Average),
        period: Some(300),
        evaluation_periods: Some(2),
        datapoints_to_alarm: Some(2),
        threshold: Some(80.0),
        ..above()
    }
}

/// Every deployment and scale-out passes through a minute with too few tasks, so five of five.
/// A missing RunningTaskCount counts as zero and rings; without any data Container Insights is
/// off and nobody watches, so that rings too.
fn running_below_desired() -> AlarmSpec {
    let count = |id: &str, metric: &str| MetricEntry {
        id: id.to_owned(),
        return_data: Some(false),
        metric_stat: Some(MetricStat {
            metric: Metric {
                namespace: "ECS/ContainerInsights".to_owned(),
                metric_name: metric.to_owned(),
                dimensions: None,
            },
            period: 60,
            stat: "Average".to_owned(),
            unit: None,
        }),
        ..MetricEntry::default()
    };
    AlarmSpec {
        metrics: Some(vec![
            count("m_run", "RunningTaskCount"),
            count("m_des", "DesiredTaskCount"),
            MetricEntry {
                id: "e1".to_owned(),
                expression: Some("m_des - m_run".to_owned()),
                label: Some("tasks missing".to_owned()),
                return_data: Some(true),
                ..MetricEntry::default()
            },
        ]),
        evaluation_periods: Some(5),
        datapoints_to_alarm: Some(5),
        threshold: Some(0.0),
        treat_missing_data: Some(TreatMissingData::Breaching),
        ..above()
    }
}

/// The document's spec as written.
///
/// # Errors
/// A shape that the schema would have refused.
pub fn read(document: &Document) -> Result<AlarmSpec, serde_json::Error> {
    serde_json::from_value(document.spec.clone())
}

/// The alarm's name: as written, or `<app>-<name>`.
pub fn alarm_name(document: &Document, spec: &AlarmSpec) -> String {
    spec.alarm_name
        .clone()
        .unwrap_or_else(|| format!("{}-{}", document.key.app, document.key.name))
}

/// `spec` with its preset below it, its name defaulted and its reference followed. A reference
/// to nothing fills nothing: [`super::check`] has told it.
pub fn filled(document: &Document, spec: &AlarmSpec, set: &DesiredSet) -> AlarmSpec {
    let mut filled = spec.preset.map_or_else(|| spec.clone(), |p| over(spec, p));
    filled.alarm_name = Some(alarm_name(document, spec));
    filled.preset = None;
    if let Some(name) = filled.service_ref.take()
        && let Some(service) = set.find(&document.key.app, "Service", &name)
    {
        fill_dimensions(&mut filled, &dimensions_of(service));
    }
    filled
}

/// The document's fields over the preset's, one by one.
fn over(spec: &AlarmSpec, preset: Preset) -> AlarmSpec {
    let base = preset.spec();
    let mut spec = spec.clone();
    if spec.metrics.is_none() && base.metrics.is_some() {
        // With metric math, period and dimensions belong to each metric.
        let mut metrics = base.metrics.clone();
        let (period, dimensions) = (spec.period.take(), spec.dimensions.take());
        for entry in metrics.iter_mut().flatten() {
            if let Some(stat) = &mut entry.metric_stat {
                stat.period = period.unwrap_or(stat.period);
                stat.metric.dimensions.clone_from(&dimensions);
            }
        }
        spec.metrics = metrics;
    }
    let own_metrics = spec.metrics.is_some();
    let single = |spec: AlarmSpec| (!own_metrics).then_some(spec);
    let single = single(base.clone()).unwrap_or_default();
    let statistic = match spec.extended_statistic {
        Some(_) => None,
        None => single.statistic,
    };
    let threshold = match spec.threshold_metric_id {
        Some(_) => None,
        None => base.threshold,
    };
    AlarmSpec {
        metric_name: spec.metric_name.or(single.metric_name),
        namespace: spec.namespace.or(single.namespace),
        statistic: spec.statistic.or(statistic),
        period: spec.period.or(single.period),
        evaluation_periods: spec.evaluation_periods.or(base.evaluation_periods),
        // All of the periods, unless the document says how many of them.
        datapoints_to_alarm: spec
            .datapoints_to_alarm
            .or(spec.evaluation_periods)
            .or(base.datapoints_to_alarm),
        threshold: spec.threshold.or(threshold),
        comparison_operator: spec.comparison_operator.or(base.comparison_operator),
        treat_missing_data: spec.treat_missing_data.or(base.treat_missing_data),
        ..spec
    }
}

/// `ClusterName` and `ServiceName` of a Service document.
fn dimensions_of(service: &Document) -> BTreeMap<String, String> {
    let name = service.spec["serviceName"].as_str();
    let cluster = service.spec["cluster"].as_str().unwrap_or_default();
    // Metrics carry the cluster's name, where a document may name its ARN.
    let cluster = cluster.rsplit('/').next().unwrap_or_default();
    BTreeMap::from([
        ("ClusterName".to_owned(), cluster.to_owned()),
        (
            "ServiceName".to_owned(),
            name.unwrap_or(&service.key.name).to_owned(),
        ),
    ])
}

/// Whether metrics of this namespace are of a service: all but those of AWS's other services.
fn is_of_a_service(namespace: &str) -> bool {
    namespace == "AWS/ECS" || !namespace.starts_with("AWS/")
}

/// The namespace of the first metric, where a reference to a service fills none of them.
pub fn beyond_reference(spec: &AlarmSpec) -> Option<&str> {
    let stats = spec.metrics.iter().flatten();
    let stats =
        stats.filter_map(|entry| Some(entry.metric_stat.as_ref()?.metric.namespace.as_str()));
    let own = spec.metric_name.as_ref().and(spec.namespace.as_deref());
    let all: Vec<&str> = own.into_iter().chain(stats).collect();
    let none = !all.iter().any(|namespace| is_of_a_service(namespace));
    all.first().copied().filter(|_| none)
}

fn fill_dimensions(spec: &mut AlarmSpec, from: &BTreeMap<String, String>) {
    let fill = |dimensions: &mut Option<BTreeMap<String, String>>| {
        let dimensions = dimensions.get_or_insert_default();
        for (name, value) in from {
            dimensions
                .entry(name.clone())
                .or_insert_with(|| value.clone());
        }
    };
    for entry in spec.metrics.iter_mut().flatten() {
        if let Some(stat) = &mut entry.metric_stat
            && is_of_a_service(&stat.metric.namespace)
        {
            fill(&mut stat.metric.dimensions);
        }
    }
    if spec.metric_name.is_some() && spec.namespace.as_deref().is_some_and(is_of_a_service) {
        fill(&mut spec.dimensions);
    }
}
