//! Application Auto Scaling: its calls through the SDK.

use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types as t;
use aws_smithy_types::DateTime;
use serde_json::Value;

use super::input::{flag, int, list, one, real, text, texts, word};
use super::sides::{Answer, Side};

/// Makes one call. Panics for an operation that is not here.
pub async fn send(side: &Side, operation: &str, i: &Value) -> Answer {
    let c = Client::new(&side.sdk);
    match operation {
        "RegisterScalableTarget" => {
            let call = c
                .register_scalable_target()
                .set_service_namespace(word(i, "ServiceNamespace"))
                .set_resource_id(text(i, "ResourceId"))
                .set_scalable_dimension(word(i, "ScalableDimension"))
                .set_min_capacity(int(i, "MinCapacity"))
                .set_max_capacity(int(i, "MaxCapacity"))
                .set_suspended_state(one(i, "SuspendedState", suspended));
            side.answer(call.send().await)
        }
        "DeregisterScalableTarget" => {
            let call = c
                .deregister_scalable_target()
                .set_service_namespace(word(i, "ServiceNamespace"))
                .set_resource_id(text(i, "ResourceId"))
                .set_scalable_dimension(word(i, "ScalableDimension"));
            side.answer(call.send().await)
        }
        "DescribeScalableTargets" => {
            let call = c
                .describe_scalable_targets()
                .set_service_namespace(word(i, "ServiceNamespace"))
                .set_resource_ids(texts(i, "ResourceIds"))
                .set_scalable_dimension(word(i, "ScalableDimension"))
                .set_max_results(int(i, "MaxResults"))
                .set_next_token(text(i, "NextToken"));
            side.answer(call.send().await)
        }
        "PutScalingPolicy" => {
            let call = c
                .put_scaling_policy()
                .set_policy_name(text(i, "PolicyName"))
                .set_service_namespace(word(i, "ServiceNamespace"))
                .set_resource_id(text(i, "ResourceId"))
                .set_scalable_dimension(word(i, "ScalableDimension"))
                .set_policy_type(word(i, "PolicyType"))
                .set_target_tracking_scaling_policy_configuration(one(
                    i,
                    "TargetTrackingScalingPolicyConfiguration",
                    tracking,
                ))
                .set_step_scaling_policy_configuration(one(
                    i,
                    "StepScalingPolicyConfiguration",
                    stepping,
                ));
            side.answer(call.send().await)
        }
        "DeleteScalingPolicy" => {
            let call = c
                .delete_scaling_policy()
                .set_policy_name(text(i, "PolicyName"))
                .set_service_namespace(word(i, "ServiceNamespace"))
                .set_resource_id(text(i, "ResourceId"))
                .set_scalable_dimension(word(i, "ScalableDimension"));
            side.answer(call.send().await)
        }
        "DescribeScalingPolicies" => {
            let call = c
                .describe_scaling_policies()
                .set_service_namespace(word(i, "ServiceNamespace"))
                .set_resource_id(text(i, "ResourceId"))
                .set_policy_names(texts(i, "PolicyNames"))
                .set_max_results(int(i, "MaxResults"))
                .set_next_token(text(i, "NextToken"));
            side.answer(call.send().await)
        }
        "PutScheduledAction" => {
            let moment = |member| i[member].as_i64().map(DateTime::from_secs);
            let call = c
                .put_scheduled_action()
                .set_scheduled_action_name(text(i, "ScheduledActionName"))
                .set_service_namespace(word(i, "ServiceNamespace"))
                .set_resource_id(text(i, "ResourceId"))
                .set_scalable_dimension(word(i, "ScalableDimension"))
                .set_schedule(text(i, "Schedule"))
                .set_timezone(text(i, "Timezone"))
                .set_start_time(moment("StartTime"))
                .set_end_time(moment("EndTime"))
                .set_scalable_target_action(one(i, "ScalableTargetAction", bounds));
            side.answer(call.send().await)
        }
        "DeleteScheduledAction" => {
            let call = c
                .delete_scheduled_action()
                .set_scheduled_action_name(text(i, "ScheduledActionName"))
                .set_service_namespace(word(i, "ServiceNamespace"))
                .set_resource_id(text(i, "ResourceId"))
                .set_scalable_dimension(word(i, "ScalableDimension"));
            side.answer(call.send().await)
        }
        "DescribeScheduledActions" => {
            let call = c
                .describe_scheduled_actions()
                .set_service_namespace(word(i, "ServiceNamespace"))
                .set_resource_id(text(i, "ResourceId"))
                .set_scheduled_action_names(texts(i, "ScheduledActionNames"))
                .set_max_results(int(i, "MaxResults"))
                .set_next_token(text(i, "NextToken"));
            side.answer(call.send().await)
        }
        other => panic!("application-autoscaling.{other} is not drawn"),
    }
}

fn suspended(v: &Value) -> t::SuspendedState {
    t::SuspendedState::builder()
        .set_dynamic_scaling_in_suspended(flag(v, "DynamicScalingInSuspended"))
        .set_dynamic_scaling_out_suspended(flag(v, "DynamicScalingOutSuspended"))
        .set_scheduled_scaling_suspended(flag(v, "ScheduledScalingSuspended"))
        .build()
}

fn bounds(v: &Value) -> t::ScalableTargetAction {
    t::ScalableTargetAction::builder()
        .set_min_capacity(int(v, "MinCapacity"))
        .set_max_capacity(int(v, "MaxCapacity"))
        .build()
}

fn tracking(v: &Value) -> t::TargetTrackingScalingPolicyConfiguration {
    let metric = |v: &Value| {
        t::PredefinedMetricSpecification::builder()
            .set_predefined_metric_type(word(v, "PredefinedMetricType"))
            .set_resource_label(text(v, "ResourceLabel"))
            .build()
            .unwrap()
    };
    t::TargetTrackingScalingPolicyConfiguration::builder()
        .set_target_value(real(v, "TargetValue"))
        .set_predefined_metric_specification(one(v, "PredefinedMetricSpecification", metric))
        .set_scale_in_cooldown(int(v, "ScaleInCooldown"))
        .set_scale_out_cooldown(int(v, "ScaleOutCooldown"))
        .set_disable_scale_in(flag(v, "DisableScaleIn"))
        .build()
        .unwrap()
}

fn stepping(v: &Value) -> t::StepScalingPolicyConfiguration {
    let step = |v: &Value| {
        t::StepAdjustment::builder()
            .set_metric_interval_lower_bound(real(v, "MetricIntervalLowerBound"))
            .set_metric_interval_upper_bound(real(v, "MetricIntervalUpperBound"))
            .set_scaling_adjustment(int(v, "ScalingAdjustment"))
            .build()
            .unwrap()
    };
    t::StepScalingPolicyConfiguration::builder()
        .set_adjustment_type(word(v, "AdjustmentType"))
        .set_cooldown(int(v, "Cooldown"))
        .set_step_adjustments(list(v, "StepAdjustments", step))
        .build()
}
