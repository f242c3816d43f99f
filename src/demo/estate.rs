//! The estate: both applications of the demo in a twin, as their documents want them or far from it.
//!
//! `desired-state/` says what is wanted. Everything here goes through the modelled API, so that
//! nothing is there that AWS would refuse. A few objects belong to nobody's document: they show
//! that Evenkeel leaves alone what it is not told of.

use serde_json::{Value, json};

use crate::twin::World;
use crate::twin::estate::FargateService;
use crate::twin::wire::TwinError;

/// The cluster of Personal Journal.
pub const JOURNAL: &str = "personal-journal-cluster";
/// The cluster of Semiont.
pub const SEMIONT: &str = "SemiontCluster";
/// A service that no document names.
pub const UNMANAGED_SERVICE: &str = "personal-journal-migrations";
/// An alarm that no document names.
pub const UNMANAGED_ALARM: &str = "billing-over-200-usd";
/// Where Personal Journal's alarms go.
const ALERTS: &str = "arn:aws:sns:us-east-1:123456789012:alerts";
/// Where Semiont's alarms go.
const SEMIONT_ALERTS: &str = "arn:aws:sns:us-east-1:123456789012:SemiontAlerts";

/// Which of the two states is built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    InOrder,
    OutOfOrder,
}

impl State {
    fn pick<T>(self, in_order: T, out_of_order: T) -> T {
        match self {
            State::InOrder => in_order,
            State::OutOfOrder => out_of_order,
        }
    }
}

/// Builds both applications as their documents want them.
///
/// # Errors
/// As AWS answers; an empty world gives none.
pub fn in_order(world: &mut World) -> Result<(), TwinError> {
    build(world, State::InOrder)
}

/// Builds both applications as months of hurried afternoons leave them: wrong counts and sizes, a
/// policy and alarms missing, an alarm that nobody hears, backups too short, protection off.
///
/// # Errors
/// As AWS answers; an empty world gives none.
pub fn out_of_order(world: &mut World) -> Result<(), TwinError> {
    build(world, State::OutOfOrder)
}

fn build(world: &mut World, state: State) -> Result<(), TwinError> {
    journal_services(world, state)?;
    semiont_services(world, state)?;
    scaling(world, state)?;
    journal_alarms(world, state)?;
    semiont_alarms(world, state)?;
    databases(world, state);
    sessions(world, state)?;
    unmanaged(world)?;
    if state == State::OutOfOrder {
        // After the scalable targets: registering one would have brought the count inside.
        world.set_desired_count(JOURNAL, "personal-journal-frontend-service", 1)?;
    }
    Ok(())
}

/// A service with its size and count, and what a document may own of its deployments.
fn service(
    world: &mut World,
    setup: &FargateService,
    breaker: bool,
    grace: Option<u32>,
) -> Result<(), TwinError> {
    world.add_service(setup)?;
    let mut members = json!({"deploymentConfiguration": {
        "minimumHealthyPercent": 100,
        "maximumPercent": 200,
        "deploymentCircuitBreaker": {"enable": breaker, "rollback": breaker},
    }});
    if let Some(grace) = grace {
        members["healthCheckGracePeriodSeconds"] = json!(grace);
    }
    world.update_service(&setup.cluster, &setup.name, members)?;
    Ok(())
}

fn journal_services(world: &mut World, state: State) -> Result<(), TwinError> {
    let frontend = FargateService::new(JOURNAL, "personal-journal-frontend-service")
        .image("registry.example/journal-web:2026-11-02")
        .tag("team", "journal")
        .desired(2);
    service(world, &frontend, state.pick(true, false), None)?;
    let (cpu, memory) = state.pick((512, 1024), (256, 512));
    let backend = FargateService::new(JOURNAL, "personal-journal-backend-service")
        .image("registry.example/journal-api:2026-11-02")
        .env("MONGODB_URI", "mongodb://example.invalid/journal")
        .size(cpu, memory)
        .tag("cost-center", "4711")
        .tag("team", state.pick("journal", "nobody"))
        .desired(2);
    service(world, &backend, true, Some(state.pick(120, 10)))
}

fn semiont_services(world: &mut World, state: State) -> Result<(), TwinError> {
    let frontend = FargateService::new(SEMIONT, "semiont-frontend")
        .image("registry.example/semiont-web:81")
        .desired(1);
    service(world, &frontend, true, Some(120))?;
    let (cpu, memory) = state.pick((512, 1024), (1024, 2048));
    let backend = FargateService::new(SEMIONT, "semiont-backend")
        .image("registry.example/semiont-api:81")
        .size(cpu, memory)
        .desired(2);
    service(world, &backend, true, Some(120))
}

fn target(world: &mut World, resource: &str, min: u32, max: u32) -> Result<(), TwinError> {
    let input = json!({
        "ServiceNamespace": "ecs",
        "ResourceId": resource,
        "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": min,
        "MaxCapacity": max,
    });
    world.call("application-autoscaling", "RegisterScalableTarget", &input)?;
    Ok(())
}

/// A target-tracking policy, with the members that its document names.
fn policy(
    world: &mut World,
    resource: &str,
    short: &str,
    metric: &str,
    tracking: Value,
) -> Result<(), TwinError> {
    let service = resource.rsplit('/').next().unwrap_or(resource);
    let mut tracking = tracking;
    tracking["PredefinedMetricSpecification"] = json!({"PredefinedMetricType": metric});
    let input = json!({
        "PolicyName": format!("{service}-{short}"),
        "PolicyType": "TargetTrackingScaling",
        "ServiceNamespace": "ecs",
        "ResourceId": resource,
        "ScalableDimension": "ecs:service:DesiredCount",
        "TargetTrackingScalingPolicyConfiguration": tracking,
    });
    world.call("application-autoscaling", "PutScalingPolicy", &input)?;
    Ok(())
}

const CPU: &str = "ECSServiceAverageCPUUtilization";
const MEMORY: &str = "ECSServiceAverageMemoryUtilization";

fn scaling(world: &mut World, state: State) -> Result<(), TwinError> {
    let frontend = format!("service/{JOURNAL}/personal-journal-frontend-service");
    target(world, &frontend, 2, state.pick(10, 4))?;
    policy(world, &frontend, "cpu", CPU, json!({"TargetValue": 70.0}))?;
    let backend = format!("service/{JOURNAL}/personal-journal-backend-service");
    target(world, &backend, 2, 10)?;
    // Out of order, this service has never scaled: its policy was lost in a move.
    if state == State::InOrder {
        let tracking = json!({"TargetValue": 70.0, "ScaleInCooldown": 60, "ScaleOutCooldown": 60});
        policy(world, &backend, "cpu", CPU, tracking)?;
    }
    for (service, max) in [("semiont-frontend", 5), ("semiont-backend", 10)] {
        let resource = format!("service/{SEMIONT}/{service}");
        target(world, &resource, 1, max)?;
        policy(world, &resource, "cpu", CPU, json!({"TargetValue": 70.0}))?;
        let memory = state.pick(80.0, 95.0);
        policy(
            world,
            &resource,
            "memory",
            MEMORY,
            json!({"TargetValue": memory}),
        )?;
    }
    Ok(())
}

/// An alarm on one metric, with what every alarm of both applications has in common.
fn alarm(world: &mut World, name: &str, topic: &str, members: Value) -> Result<(), TwinError> {
    let mut input = json!({
        "AlarmName": name,
        "Namespace": "AWS/ECS",
        "Statistic": "Average",
        "Period": 300,
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [topic],
    });
    if let (Value::Object(input), Value::Object(members)) = (&mut input, members) {
        input.extend(members);
        input.retain(|_, value| !value.is_null());
        // Metric math carries these itself.
        if input.contains_key("Metrics") {
            for member in ["Namespace", "Statistic", "Period"] {
                input.remove(member);
            }
        }
    }
    world.call("cloudwatch", "PutMetricAlarm", &input)?;
    Ok(())
}

fn of_service(cluster: &str, service: &str) -> Value {
    json!([
        {"Name": "ClusterName", "Value": cluster},
        {"Name": "ServiceName", "Value": service},
    ])
}

fn journal_alarms(world: &mut World, state: State) -> Result<(), TwinError> {
    let frontend = of_service(JOURNAL, "personal-journal-frontend-service");
    let backend = of_service(JOURNAL, "personal-journal-backend-service");
    let balancer =
        json!([{"Name": "LoadBalancer", "Value": "app/personal-journal-alb/abcdef1234567890"}]);
    let percent = |metric: &str, threshold: f64, dimensions: &Value| json!({"MetricName": metric, "Threshold": threshold, "Dimensions": dimensions});
    for (name, metric) in [
        ("personal-journal-frontend-cpu-high", "CPUUtilization"),
        ("personal-journal-frontend-memory-high", "MemoryUtilization"),
    ] {
        alarm(world, name, ALERTS, percent(metric, 80.0, &frontend))?;
    }
    // Raised to stop it ringing one night, and cut off from the topic in the same go.
    let mut cpu = percent("CPUUtilization", state.pick(80.0, 99.0), &backend);
    if state == State::OutOfOrder {
        cpu["AlarmActions"] = json!([]);
    }
    alarm(world, "personal-journal-backend-cpu-high", ALERTS, cpu)?;
    if state == State::InOrder {
        let count = |id: &str, metric: &str| {
            json!({
                "Id": id,
                "ReturnData": false,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "ECS/ContainerInsights",
                        "MetricName": metric,
                        "Dimensions": backend,
                    },
                    "Period": 60,
                    "Stat": "Average",
                },
            })
        };
        let below = json!({
            "Metrics": [
                count("m_run", "RunningTaskCount"),
                count("m_des", "DesiredTaskCount"),
                {"Id": "e1", "Expression": "m_des - m_run", "Label": "tasks missing", "ReturnData": true},
            ],
            "EvaluationPeriods": 5,
            "DatapointsToAlarm": 5,
            "Threshold": 0.0,
            "TreatMissingData": "breaching",
        });
        alarm(
            world,
            "personal-journal-backend-running-below-desired",
            ALERTS,
            below,
        )?;
        let errors = json!({
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "HTTPCode_ELB_5XX_Count",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "Threshold": 5.0,
            "Dimensions": balancer,
        });
        alarm(world, "personal-journal-alb-5xx", ALERTS, errors)?;
    }
    let slow = json!({
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "TargetResponseTime",
        "Threshold": 1.5,
        "Dimensions": balancer,
    });
    alarm(world, "personal-journal-response-time-high", ALERTS, slow)?;
    let api = json!({
        "AlarmDescription": "API errors that the application counts itself",
        "Namespace": "PersonalJournal",
        "MetricName": "ApiErrorCount",
        "Statistic": "Sum",
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": null,
        "Threshold": 10.0,
    });
    alarm(world, "personal-journal-api-errors", ALERTS, api)
}

fn semiont_alarms(world: &mut World, state: State) -> Result<(), TwinError> {
    for part in ["frontend", "backend"] {
        let dimensions = of_service(SEMIONT, &format!("semiont-{part}"));
        let cpu =
            json!({"MetricName": "CPUUtilization", "Threshold": 80.0, "Dimensions": dimensions});
        alarm(
            world,
            &format!("semiont-{part}-cpu-high"),
            SEMIONT_ALERTS,
            cpu,
        )?;
        if state == State::InOrder {
            let memory = json!({
                "MetricName": "MemoryUtilization", "Threshold": 85.0, "Dimensions": dimensions,
            });
            alarm(
                world,
                &format!("semiont-{part}-memory-high"),
                SEMIONT_ALERTS,
                memory,
            )?;
        }
    }
    Ok(())
}

fn databases(world: &mut World, state: State) {
    world.rds.put_cluster(json!({
        "DBClusterIdentifier": "personal-journal-docdb",
        "Engine": "docdb",
        "BackupRetentionPeriod": state.pick(7, 1),
        "PreferredBackupWindow": "03:00-04:00",
        "DeletionProtection": true,
    }));
    world.rds.put_instance(json!({
        "DBInstanceIdentifier": "semiont-postgres",
        "Engine": "postgres",
        "DBInstanceClass": "db.t3.micro",
        "BackupRetentionPeriod": 7,
        "PreferredBackupWindow": state.pick("02:00-04:00", "12:00-13:00"),
        "DeletionProtection": state.pick(true, false),
    }));
    world.rds.put_cluster(json!({
        "DBClusterIdentifier": "semiont-neptune",
        "Engine": "neptune",
        "BackupRetentionPeriod": state.pick(7, 1),
        "PreferredBackupWindow": "02:00-04:00",
        "DeletionProtection": true,
    }));
}

fn sessions(world: &mut World, state: State) -> Result<(), TwinError> {
    world.dynamodb.put_table(json!({
        "TableName": "semiont-sessions",
        "DeletionProtectionEnabled": state.pick(true, false),
    }));
    if state == State::InOrder {
        let input = json!({
            "TableName": "semiont-sessions",
            "PointInTimeRecoverySpecification": {
                "PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 35,
            },
        });
        world.call("dynamodb", "UpdateContinuousBackups", &input)?;
    }
    Ok(())
}

/// What no document names.
fn unmanaged(world: &mut World) -> Result<(), TwinError> {
    let migrations = FargateService::new(JOURNAL, UNMANAGED_SERVICE).desired(0);
    world.add_service(&migrations)?;
    let billing = json!({
        "Namespace": "AWS/Billing",
        "MetricName": "EstimatedCharges",
        "Statistic": "Maximum",
        "Period": 21600,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "Threshold": 200.0,
    });
    alarm(world, UNMANAGED_ALARM, ALERTS, billing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::twin::Twin;

    #[tokio::test(start_paused = true)]
    async fn aws_accepts_both_states_and_no_rollout_is_left_over() {
        for build in [in_order, out_of_order] {
            let clock = Clock::virtual_at("2026-11-23T12:00:00Z".parse().unwrap());
            let twin = Twin::new(clock, 7);
            twin.world(build).unwrap();
            twin.world(|world| {
                assert_eq!(world.ecs.all_services().count(), 5);
                for (name, service) in world.ecs.all_services() {
                    assert!(!service.is_rolling_out(), "{name}");
                }
                assert!(world.cloudwatch.alarm(UNMANAGED_ALARM).is_some());
            });
        }
    }
}
