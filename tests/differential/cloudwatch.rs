//! CloudWatch: its calls through the SDK.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types as t;
use serde_json::Value;

use super::input::{flag, int, list, one, real, text, texts, word, words};
use super::sides::{Answer, Side};

/// Makes one call. Panics for an operation that is not here.
pub async fn send(side: &Side, operation: &str, i: &Value) -> Answer {
    let c = Client::new(&side.sdk);
    match operation {
        "PutMetricAlarm" => {
            let call = c
                .put_metric_alarm()
                .set_alarm_name(text(i, "AlarmName"))
                .set_alarm_description(text(i, "AlarmDescription"))
                .set_actions_enabled(flag(i, "ActionsEnabled"))
                .set_ok_actions(texts(i, "OKActions"))
                .set_alarm_actions(texts(i, "AlarmActions"))
                .set_namespace(text(i, "Namespace"))
                .set_metric_name(text(i, "MetricName"))
                .set_statistic(word(i, "Statistic"))
                .set_extended_statistic(text(i, "ExtendedStatistic"))
                .set_dimensions(list(i, "Dimensions", dimension))
                .set_period(int(i, "Period"))
                .set_unit(word(i, "Unit"))
                .set_evaluation_periods(int(i, "EvaluationPeriods"))
                .set_datapoints_to_alarm(int(i, "DatapointsToAlarm"))
                .set_threshold(real(i, "Threshold"))
                .set_comparison_operator(word(i, "ComparisonOperator"))
                .set_treat_missing_data(text(i, "TreatMissingData"))
                .set_metrics(list(i, "Metrics", query))
                .set_tags(list(i, "Tags", tag));
            side.answer(call.send().await)
        }
        "DescribeAlarms" => {
            let call = c
                .describe_alarms()
                .set_alarm_names(texts(i, "AlarmNames"))
                .set_alarm_name_prefix(text(i, "AlarmNamePrefix"))
                .set_alarm_types(words(i, "AlarmTypes"))
                .set_state_value(word(i, "StateValue"))
                .set_action_prefix(text(i, "ActionPrefix"))
                .set_max_records(int(i, "MaxRecords"))
                .set_next_token(text(i, "NextToken"));
            side.answer(call.send().await)
        }
        "DeleteAlarms" => {
            let call = c.delete_alarms().set_alarm_names(texts(i, "AlarmNames"));
            side.answer(call.send().await)
        }
        "TagResource" => {
            let call = c.tag_resource().set_resource_arn(text(i, "ResourceARN"));
            side.answer(call.set_tags(list(i, "Tags", tag)).send().await)
        }
        "UntagResource" => {
            let call = c.untag_resource().set_resource_arn(text(i, "ResourceARN"));
            side.answer(call.set_tag_keys(texts(i, "TagKeys")).send().await)
        }
        "ListTagsForResource" => {
            let call = c.list_tags_for_resource();
            side.answer(call.set_resource_arn(text(i, "ResourceARN")).send().await)
        }
        other => panic!("cloudwatch.{other} is not drawn"),
    }
}

fn tag(v: &Value) -> t::Tag {
    let tag = t::Tag::builder().set_key(text(v, "Key"));
    tag.set_value(text(v, "Value")).build()
}

fn dimension(v: &Value) -> t::Dimension {
    let dimension = t::Dimension::builder().set_name(text(v, "Name"));
    dimension.set_value(text(v, "Value")).build()
}

fn query(v: &Value) -> t::MetricDataQuery {
    let metric = |v: &Value| {
        t::Metric::builder()
            .set_namespace(text(v, "Namespace"))
            .set_metric_name(text(v, "MetricName"))
            .set_dimensions(list(v, "Dimensions", dimension))
            .build()
    };
    let stat = |v: &Value| {
        t::MetricStat::builder()
            .set_metric(one(v, "Metric", metric))
            .set_period(int(v, "Period"))
            .set_stat(text(v, "Stat"))
            .build()
    };
    t::MetricDataQuery::builder()
        .set_id(text(v, "Id"))
        .set_expression(text(v, "Expression"))
        .set_label(text(v, "Label"))
        .set_return_data(flag(v, "ReturnData"))
        .set_metric_stat(one(v, "MetricStat", stat))
        .build()
}
