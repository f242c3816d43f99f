//! What is drawn for Application Auto Scaling: targets of two services, their policies and scheduled actions.

use serde_json::{Value, json};

use super::dice::Dice;
use super::sides::{Call, call};

const AAS: &str = "application-autoscaling";

/// Mostly a target for each service, and what hangs on it: where there is none, one side refuses what
/// the other takes.
pub fn begin_scaling(dice: &mut Dice, calls: &mut Vec<Call>) {
    for name in ["web", "api"] {
        if !dice.once_in(6) {
            let mut input = json!({"MinCapacity": 1, "MaxCapacity": 9});
            name_resource(&mut input, &format!("service/c1/{name}"));
            calls.push(call(AAS, "RegisterScalableTarget", input.clone()));
            if dice.once_in(2) {
                input = json!({"PolicyName": "cpu"});
                name_resource(&mut input, &format!("service/c1/{name}"));
                policy(dice, &mut input, Odd::No);
                calls.push(call(AAS, "PutScalingPolicy", input));
                input = json!({"ScheduledActionName": "nights", "Schedule": "rate(1 day)"});
                name_resource(&mut input, &format!("service/c1/{name}"));
                input["ScalableTargetAction"] = json!({"MinCapacity": 1});
                calls.push(call(AAS, "PutScheduledAction", input));
            }
        }
    }
}

fn resource(dice: &mut Dice) -> Value {
    let id = match dice.below(20) {
        0 => "service/c1/gone",
        1..=11 => "service/c1/web",
        _ => "service/c1/api",
    };
    let mut input = json!({});
    name_resource(&mut input, id);
    input
}

fn name_resource(input: &mut Value, id: &str) {
    input["ServiceNamespace"] = json!("ecs");
    input["ScalableDimension"] = json!("ecs:service:DesiredCount");
    input["ResourceId"] = json!(id);
}

/// A write to Application Auto Scaling.
pub fn scaling(dice: &mut Dice) -> Call {
    let mut input = resource(dice);
    match dice.below(12) {
        0..=2 => {
            let both = [(1, 4), (2, 2), (0, 10), (3, 6)];
            let (min, max) = dice.pick(&both);
            (input["MinCapacity"], input["MaxCapacity"]) = (json!(min), json!(max));
            if dice.once_in(6) {
                input[dice.pick(&["MinCapacity", "MaxCapacity"])] = Value::Null;
            }
            let brakes = [
                json!({"ScheduledScalingSuspended": true}),
                json!({"DynamicScalingInSuspended": true, "DynamicScalingOutSuspended": false}),
            ];
            dice.maybe(&mut input, "SuspendedState", &brakes);
            match dice.below(25) {
                0 => (input["MinCapacity"], input["MaxCapacity"]) = (json!(20), json!(5)),
                1 => input["MinCapacity"] = json!(-1),
                2 => input["ScalableDimension"] = json!("ec2:spot-fleet-request:TargetCapacity"),
                _ => {}
            }
            call(AAS, "RegisterScalableTarget", input)
        }
        3..=5 => {
            input["PolicyName"] = json!(dice.pick(&["cpu", "cpu", "memory"]));
            policy(dice, &mut input, Odd::Sometimes);
            call(AAS, "PutScalingPolicy", input)
        }
        6 | 7 => {
            input["ScheduledActionName"] = json!(dice.pick(&["nights", "mornings"]));
            let schedules = [
                "cron(0 20 * * ? *)",
                "rate(1 day)",
                "at(2030-01-01T00:00:00)",
            ];
            input["Schedule"] = json!(dice.pick(&schedules));
            if dice.once_in(10) {
                input["Schedule"] = Value::Null;
            }
            dice.maybe(
                &mut input,
                "Timezone",
                &[json!("Europe/Zurich"), json!("UTC")],
            );
            dice.maybe(&mut input, "StartTime", &[json!(1_900_000_000)]);
            dice.maybe(&mut input, "EndTime", &[json!(1_950_000_000)]);
            let bounds = [
                json!({"MinCapacity": 1, "MaxCapacity": 2}),
                json!({"MinCapacity": 1}),
                json!({"MaxCapacity": 3}),
            ];
            input["ScalableTargetAction"] = dice.pick(&bounds);
            if dice.once_in(10) {
                input["ScalableTargetAction"] = Value::Null;
            }
            if dice.once_in(30) {
                input["Schedule"] = json!("every night");
            }
            call(AAS, "PutScheduledAction", input)
        }
        8 | 9 => {
            input["PolicyName"] = json!(dice.pick(&["cpu", "cpu", "memory", "none"]));
            call(AAS, "DeleteScalingPolicy", input)
        }
        10 => {
            let names = ["nights", "nights", "mornings", "none"];
            input["ScheduledActionName"] = json!(dice.pick(&names));
            call(AAS, "DeleteScheduledAction", input)
        }
        _ if dice.once_in(2) => call(AAS, "DeregisterScalableTarget", input),
        _ => scaled(dice),
    }
}

/// Whether what is drawn may be what AWS refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Odd {
    No,
    Sometimes,
}

fn policy(dice: &mut Dice, input: &mut Value, odd: Odd) {
    if dice.once_in(4) {
        input["PolicyType"] = json!("StepScaling");
        input["StepScalingPolicyConfiguration"] = json!({
            "AdjustmentType": "ChangeInCapacity",
            "Cooldown": 60,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        });
        return;
    }
    input["PolicyType"] = json!("TargetTrackingScaling");
    let metric = match input["PolicyName"] == "memory" {
        true => "ECSServiceAverageMemoryUtilization",
        false => "ECSServiceAverageCPUUtilization",
    };
    let mut tracking = json!({
        "TargetValue": dice.pick(&[50.0, 75.5]),
        "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
    });
    dice.maybe(&mut tracking, "ScaleInCooldown", &[json!(60), json!(300)]);
    dice.maybe(&mut tracking, "ScaleOutCooldown", &[json!(60)]);
    dice.maybe(
        &mut tracking,
        "DisableScaleIn",
        &[json!(true), json!(false)],
    );
    if odd == Odd::Sometimes && dice.once_in(20) {
        tracking["TargetValue"] = json!(-1.0);
    }
    input["TargetTrackingScalingPolicyConfiguration"] = tracking;
}

/// A look at Application Auto Scaling.
pub fn scaled(dice: &mut Dice) -> Call {
    let ids = ["service/c1/web", "service/c1/api", "service/c1/gone"];
    let mut input = json!({"ServiceNamespace": "ecs"});
    match dice.below(3) {
        0 => {
            dice.maybe(&mut input, "MaxResults", &[json!(1), json!(50)]);
            if dice.once_in(2) {
                input["ResourceIds"] = json!(dice.some(&ids));
            }
            if dice.once_in(12) {
                input["ResourceIds"] = json!(vec![ids[0]; 51]);
            }
            call(AAS, "DescribeScalableTargets", input)
        }
        1 => {
            dice.maybe(&mut input, "MaxResults", &[json!(1), json!(10)]);
            dice.maybe(&mut input, "ResourceId", &ids.map(|id| json!(id)));
            if dice.once_in(4) {
                input["PolicyNames"] = json!(["cpu"]);
            }
            if dice.once_in(12) {
                input["MaxResults"] = json!(11);
            }
            call(AAS, "DescribeScalingPolicies", input)
        }
        _ => {
            dice.maybe(&mut input, "MaxResults", &[json!(1), json!(50)]);
            dice.maybe(&mut input, "ResourceId", &ids.map(|id| json!(id)));
            if dice.once_in(4) {
                input["ScheduledActionNames"] = json!(["nights"]);
            }
            call(AAS, "DescribeScheduledActions", input)
        }
    }
}
