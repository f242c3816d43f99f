//! How CloudWatch's alarms become trees, and trees become its alarms again, without loss.

use aws_sdk_cloudwatch::operation::put_metric_alarm::builders::PutMetricAlarmFluentBuilder;
use aws_sdk_cloudwatch::types::{
    ActionConfiguration, AlarmTagsPropagation, ComparisonOperator, Dimension, EvaluationWindow,
    Metric, MetricAlarm, MetricDataQuery, MetricStat, SlidingWindow, StandardUnit, Statistic,
    WallClockWindow, WarmUpConfiguration,
};
use serde_json::{Map, json};

use crate::model::tree::Tree;

/// A tree being filled with the members that are set.
#[derive(Default)]
struct Whole(Map<String, Tree>);

impl Whole {
    fn put<T: Into<Tree>>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    fn done(self) -> Tree {
        Tree::Object(self.0)
    }
}

/// Every member of a live alarm that a write has to repeat. State and times are AWS's own.
pub fn whole(alarm: &MetricAlarm) -> Tree {
    let mut tree = Whole::default();
    tree.put("alarmName", alarm.alarm_name());
    tree.put("description", alarm.alarm_description());
    tree.put("actionsEnabled", alarm.actions_enabled);
    tree.put("okActions", filled(alarm.ok_actions()));
    tree.put("alarmActions", filled(alarm.alarm_actions()));
    tree.put(
        "insufficientDataActions",
        filled(alarm.insufficient_data_actions()),
    );
    tree.put("metricName", alarm.metric_name());
    tree.put("namespace", alarm.namespace());
    tree.put("statistic", alarm.statistic().map(Statistic::as_str));
    tree.put("extendedStatistic", alarm.extended_statistic());
    tree.put("dimensions", dimensions(alarm.dimensions()));
    tree.put("period", alarm.period);
    tree.put("unit", alarm.unit().map(StandardUnit::as_str));
    tree.put("evaluationPeriods", alarm.evaluation_periods);
    tree.put("datapointsToAlarm", alarm.datapoints_to_alarm);
    tree.put("threshold", alarm.threshold);
    tree.put(
        "comparisonOperator",
        alarm.comparison_operator().map(ComparisonOperator::as_str),
    );
    tree.put("treatMissingData", alarm.treat_missing_data());
    tree.put(
        "evaluateLowSampleCountPercentile",
        alarm.evaluate_low_sample_count_percentile(),
    );
    tree.put("thresholdMetricId", alarm.threshold_metric_id());
    if !alarm.metrics().is_empty() {
        let entries = alarm.metrics().iter();
        let entries = entries.map(|m| (m.id().unwrap_or_default().to_owned(), entry(m)));
        tree.put("metrics", Some(Tree::Object(entries.collect())));
    }
    tree.put(
        "evaluationWindow",
        alarm.evaluation_window.as_ref().and_then(window),
    );
    tree.put(
        "warmUpConfiguration",
        alarm.warm_up_configuration().map(warm_up),
    );
    tree.put(
        "actionConfiguration",
        alarm.action_configuration().map(action_configuration),
    );
    tree.done()
}

fn filled(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn dimensions(list: &[Dimension]) -> Option<Tree> {
    let pairs = list.iter().map(|d| {
        let text = |t: Option<&str>| t.unwrap_or_default().to_owned();
        (text(d.name()), Tree::String(text(d.value())))
    });
    (!list.is_empty()).then(|| Tree::Object(pairs.collect()))
}

fn entry(query: &MetricDataQuery) -> Tree {
    let mut tree = Whole::default();
    tree.put("expression", query.expression());
    tree.put("label", query.label());
    tree.put("returnData", query.return_data);
    tree.put("period", query.period);
    tree.put("accountId", query.account_id());
    tree.put("metricStat", query.metric_stat().map(stat));
    tree.done()
}

fn stat(stat: &MetricStat) -> Tree {
    let mut tree = Whole::default();
    tree.put("period", stat.period);
    tree.put("stat", stat.stat());
    tree.put("unit", stat.unit().map(StandardUnit::as_str));
    tree.put(
        "metric",
        stat.metric().map(|metric| {
            let mut tree = Whole::default();
            tree.put("namespace", metric.namespace());
            tree.put("metricName", metric.metric_name());
            tree.put("dimensions", dimensions(metric.dimensions()));
            tree.done()
        }),
    );
    tree.done()
}

fn window(window: &EvaluationWindow) -> Option<Tree> {
    match window {
        EvaluationWindow::SlidingWindow(_) => Some(json!({"slidingWindow": {}})),
        EvaluationWindow::WallClockWindow(clock) => {
            let mut tree = Whole::default();
            tree.put("timezone", clock.timezone());
            Some(json!({"wallClockWindow": tree.done()}))
        }
        // Its raw member is no known one, so nothing is written over it.
        _ => None,
    }
}

fn warm_up(warm_up: &WarmUpConfiguration) -> Tree {
    let mut tree = Whole::default();
    tree.put("minutes", warm_up.warm_up_period_duration_in_minutes);
    tree.put(
        "onlyStartEvaluatingAfter",
        warm_up.only_start_evaluating_after_warm_up_period_ends,
    );
    tree.done()
}

fn action_configuration(configuration: &ActionConfiguration) -> Tree {
    let mut tree = Whole::default();
    tree.put(
        "alarmTagsPropagation",
        configuration.alarm_tags_propagation().map(|tags| {
            let mut tree = Whole::default();
            tree.put("enabled", tags.enabled);
            tree.put("includedTagKeys", filled(tags.included_tag_keys()));
            tree.put("excludedTagKeys", filled(tags.excluded_tag_keys()));
            tree.done()
        }),
    );
    tree.done()
}

fn text(tree: &Tree, name: &str) -> Option<String> {
    tree[name].as_str().map(str::to_owned)
}

fn number(tree: &Tree, name: &str) -> Option<i32> {
    i32::try_from(tree[name].as_i64()?).ok()
}

fn texts(tree: &Tree, name: &str) -> Option<Vec<String>> {
    let list = tree[name].as_array()?.iter();
    Some(list.filter_map(|t| t.as_str().map(str::to_owned)).collect())
}

fn to_dimensions(tree: &Tree) -> Option<Vec<Dimension>> {
    let pairs = tree["dimensions"].as_object()?.iter();
    let dimension = |(name, value): (&String, &Tree)| {
        Dimension::builder()
            .name(name)
            .set_value(value.as_str().map(str::to_owned))
            .build()
    };
    Some(pairs.map(dimension).collect())
}

fn to_entry(id: &str, tree: &Tree) -> MetricDataQuery {
    MetricDataQuery::builder()
        .id(id)
        .set_expression(text(tree, "expression"))
        .set_label(text(tree, "label"))
        .set_return_data(tree["returnData"].as_bool())
        .set_period(number(tree, "period"))
        .set_account_id(text(tree, "accountId"))
        .set_metric_stat(tree.get("metricStat").map(to_stat))
        .build()
}

fn to_stat(tree: &Tree) -> MetricStat {
    let metric = &tree["metric"];
    MetricStat::builder()
        .metric(
            Metric::builder()
                .set_namespace(text(metric, "namespace"))
                .set_metric_name(text(metric, "metricName"))
                .set_dimensions(to_dimensions(metric))
                .build(),
        )
        .set_period(number(tree, "period"))
        .set_stat(text(tree, "stat"))
        .set_unit(text(tree, "unit").map(|u| StandardUnit::from(u.as_str())))
        .build()
}

fn to_window(tree: &Tree) -> EvaluationWindow {
    match tree.get("wallClockWindow") {
        Some(clock) => EvaluationWindow::WallClockWindow(
            WallClockWindow::builder()
                .set_timezone(text(clock, "timezone"))
                .build(),
        ),
        None => EvaluationWindow::SlidingWindow(SlidingWindow::builder().build()),
    }
}

fn to_warm_up(tree: &Tree) -> WarmUpConfiguration {
    WarmUpConfiguration::builder()
        .set_warm_up_period_duration_in_minutes(number(tree, "minutes"))
        .set_only_start_evaluating_after_warm_up_period_ends(
            tree["onlyStartEvaluatingAfter"].as_bool(),
        )
        .build()
}

fn to_action_configuration(tree: &Tree) -> ActionConfiguration {
    let tags = tree.get("alarmTagsPropagation").map(|tags| {
        AlarmTagsPropagation::builder()
            .set_enabled(tags["enabled"].as_bool())
            .set_included_tag_keys(texts(tags, "includedTagKeys"))
            .set_excluded_tag_keys(texts(tags, "excludedTagKeys"))
            .build()
    });
    ActionConfiguration::builder()
        .set_alarm_tags_propagation(tags)
        .build()
}

/// The request that a step's tree stands for.
pub fn fill(put: PutMetricAlarmFluentBuilder, tree: &Tree) -> PutMetricAlarmFluentBuilder {
    let metrics = tree["metrics"].as_object();
    let metrics = metrics.map(|m| m.iter().map(|(id, entry)| to_entry(id, entry)).collect());
    put.set_alarm_name(text(tree, "alarmName"))
        .set_alarm_description(text(tree, "description"))
        .set_actions_enabled(tree["actionsEnabled"].as_bool())
        .set_ok_actions(texts(tree, "okActions"))
        .set_alarm_actions(texts(tree, "alarmActions"))
        .set_insufficient_data_actions(texts(tree, "insufficientDataActions"))
        .set_metric_name(text(tree, "metricName"))
        .set_namespace(text(tree, "namespace"))
        .set_statistic(text(tree, "statistic").map(|s| Statistic::from(s.as_str())))
        .set_extended_statistic(text(tree, "extendedStatistic"))
        .set_dimensions(to_dimensions(tree))
        .set_period(number(tree, "period"))
        .set_unit(text(tree, "unit").map(|u| StandardUnit::from(u.as_str())))
        .set_evaluation_periods(number(tree, "evaluationPeriods"))
        .set_datapoints_to_alarm(number(tree, "datapointsToAlarm"))
        .set_threshold(tree["threshold"].as_f64())
        .set_comparison_operator(
            text(tree, "comparisonOperator").map(|c| ComparisonOperator::from(c.as_str())),
        )
        .set_treat_missing_data(text(tree, "treatMissingData"))
        .set_evaluate_low_sample_count_percentile(text(tree, "evaluateLowSampleCountPercentile"))
        .set_threshold_metric_id(text(tree, "thresholdMetricId"))
        .set_metrics(metrics)
        .set_evaluation_window(tree.get("evaluationWindow").map(to_window))
        .set_warm_up_configuration(tree.get("warmUpConfiguration").map(to_warm_up))
        .set_action_configuration(tree.get("actionConfiguration").map(to_action_configuration))
}
