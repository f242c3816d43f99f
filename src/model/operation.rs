//! Operations: every AWS call Evenkeel can make, whether it writes, and how often AWS lets it.

use std::time::Duration;

/// Whether a call changes anything at AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only looks.
    Read,
    /// It changes something, so it needs a permit.
    Write,
}

/// A token bucket that AWS keeps per account and region, and which its calls share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateClass {
    /// Its name in reports and metrics.
    pub name: &'static str,
    /// Calls at once, in whole calls.
    pub burst: f64,
    /// Calls a second afterwards.
    pub per_second: f64,
    /// Whether AWS publishes the figure, or it is a careful guess of ours.
    pub published: bool,
}

/// One AWS call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operation {
    /// `service.Operation`, as in reports: `ecs.DescribeServices`.
    pub name: &'static str,
    /// The IAM action.
    pub iam: &'static str,
    /// Read or write.
    pub effect: Effect,
    /// The bucket it draws from.
    pub class: &'static RateClass,
}

const fn published(name: &'static str, burst: f64, per_second: f64) -> RateClass {
    RateClass {
        name,
        burst,
        per_second,
        published: true,
    }
}

const fn guessed(name: &'static str, burst: f64, per_second: f64) -> RateClass {
    RateClass {
        name,
        burst,
        per_second,
        published: false,
    }
}

// ECS: API Reference, "Request throttling".
static ECS_SERVICE_READ: RateClass = published("ecs-service-read", 100.0, 20.0);
static ECS_SERVICE_MODIFY: RateClass = published("ecs-service-modify", 50.0, 5.0);
static ECS_TASKDEF_READ: RateClass = published("ecs-task-definition-read", 50.0, 20.0);
static ECS_TASKDEF_MODIFY: RateClass = published("ecs-task-definition-modify", 20.0, 1.0);
static ECS_TAG_MODIFY: RateClass = published("ecs-tag-modify", 20.0, 10.0);
static ECS_DEPLOYMENT_READ: RateClass = published("ecs-service-deployment-read", 50.0, 20.0);
// CloudWatch: General Reference, quotas. Bursts are not published: one second's worth.
static CW_ALARM_READ: RateClass = published("cloudwatch-alarm-read", 9.0, 9.0);
static CW_ALARM_WRITE: RateClass = published("cloudwatch-alarm-write", 3.0, 3.0);
// Application Auto Scaling and RDS publish no rate: figures that no user was seen throttled at.
static AAS_READ: RateClass = guessed("autoscaling-read", 20.0, 10.0);
static AAS_WRITE: RateClass = guessed("autoscaling-write", 10.0, 5.0);
static RDS_READ: RateClass = guessed("rds-read", 20.0, 5.0);
static RDS_WRITE: RateClass = guessed("rds-write", 5.0, 1.0);
// DynamoDB control plane: DescribeContinuousBackups 10/s (API model); the others are guesses.
static DDB_BACKUPS_READ: RateClass = published("dynamodb-backups-read", 10.0, 10.0);
static DDB_TABLE_READ: RateClass = guessed("dynamodb-table-read", 10.0, 10.0);
static DDB_CONTROL_WRITE: RateClass = guessed("dynamodb-control-write", 5.0, 2.0);
// CloudTrail: LookupEvents, 2 a second for an account and region (API reference).
static TRAIL_READ: RateClass = published("cloudtrail-lookup", 2.0, 2.0);
// STS: 600 a second, shared by the whole account (IAM quotas page).
static STS_READ: RateClass = published("sts-read", 100.0, 100.0);

const fn read(name: &'static str, iam: &'static str, class: &'static RateClass) -> Operation {
    Operation {
        name,
        iam,
        effect: Effect::Read,
        class,
    }
}

const fn write(name: &'static str, iam: &'static str, class: &'static RateClass) -> Operation {
    Operation {
        name,
        iam,
        effect: Effect::Write,
        class,
    }
}

/// Every operation, by name. The door refuses a call that is not in this table.
#[rustfmt::skip]
pub static OPERATIONS: &[Operation] = &[
    read("application-autoscaling.DescribeScalableTargets", "application-autoscaling:DescribeScalableTargets", &AAS_READ),
    read("application-autoscaling.DescribeScalingPolicies", "application-autoscaling:DescribeScalingPolicies", &AAS_READ),
    read("application-autoscaling.DescribeScheduledActions", "application-autoscaling:DescribeScheduledActions", &AAS_READ),
    write("application-autoscaling.PutScalingPolicy", "application-autoscaling:PutScalingPolicy", &AAS_WRITE),
    write("application-autoscaling.PutScheduledAction", "application-autoscaling:PutScheduledAction", &AAS_WRITE),
    write("application-autoscaling.RegisterScalableTarget", "application-autoscaling:RegisterScalableTarget", &AAS_WRITE),
    read("cloudtrail.LookupEvents", "cloudtrail:LookupEvents", &TRAIL_READ),
    read("cloudwatch.DescribeAlarms", "cloudwatch:DescribeAlarms", &CW_ALARM_READ),
    write("cloudwatch.PutMetricAlarm", "cloudwatch:PutMetricAlarm", &CW_ALARM_WRITE),
    read("dynamodb.DescribeContinuousBackups", "dynamodb:DescribeContinuousBackups", &DDB_BACKUPS_READ),
    read("dynamodb.DescribeTable", "dynamodb:DescribeTable", &DDB_TABLE_READ),
    read("dynamodb.ListTables", "dynamodb:ListTables", &DDB_TABLE_READ),
    write("dynamodb.UpdateContinuousBackups", "dynamodb:UpdateContinuousBackups", &DDB_CONTROL_WRITE),
    write("dynamodb.UpdateTable", "dynamodb:UpdateTable", &DDB_CONTROL_WRITE),
    read("ecs.DescribeServices", "ecs:DescribeServices", &ECS_SERVICE_READ),
    read("ecs.DescribeTaskDefinition", "ecs:DescribeTaskDefinition", &ECS_TASKDEF_READ),
    read("ecs.ListServiceDeployments", "ecs:ListServiceDeployments", &ECS_DEPLOYMENT_READ),
    read("ecs.ListServices", "ecs:ListServices", &ECS_SERVICE_READ),
    read("ecs.ListTaskDefinitions", "ecs:ListTaskDefinitions", &ECS_TASKDEF_READ),
    write("ecs.RegisterTaskDefinition", "ecs:RegisterTaskDefinition", &ECS_TASKDEF_MODIFY),
    write("ecs.TagResource", "ecs:TagResource", &ECS_TAG_MODIFY),
    write("ecs.UpdateService", "ecs:UpdateService", &ECS_SERVICE_MODIFY),
    read("rds.DescribeDBClusters", "rds:DescribeDBClusters", &RDS_READ),
    read("rds.DescribeDBInstances", "rds:DescribeDBInstances", &RDS_READ),
    write("rds.ModifyDBCluster", "rds:ModifyDBCluster", &RDS_WRITE),
    write("rds.ModifyDBInstance", "rds:ModifyDBInstance", &RDS_WRITE),
    read("sts.GetCallerIdentity", "sts:GetCallerIdentity", &STS_READ),
];

/// What `report` reads beside what a look takes: who did it, and what no document names. `run` asks
/// the first of them, too. None is needed to converge.
pub static REPORT_READS: &[&str] = &[
    "cloudtrail.LookupEvents",
    "dynamodb.ListTables",
    "ecs.ListServices",
];

/// The operation named `service.Operation`.
pub fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS
        .binary_search_by(|op| op.name.cmp(name))
        .ok()
        .and_then(|at| OPERATIONS.get(at))
}

impl RateClass {
    /// The least time that `calls` calls need, starting from a full bucket.
    pub fn least_time(&self, calls: u64) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
        let waiting = (calls as f64 - self.burst).max(0.0);
        Duration::from_secs_f64(waiting / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_sorted_and_unique() {
        assert!(OPERATIONS.windows(2).all(|w| w[0].name < w[1].name));
    }

    #[test]
    fn every_operation_is_one_that_a_kind_takes_or_tells_who_is_calling() {
        let taken: Vec<&str> = crate::kinds::KINDS
            .iter()
            .flat_map(|kind| [kind.reads(), kind.writes(), kind.lists()].concat())
            .chain(["sts.GetCallerIdentity"])
            .chain(REPORT_READS.iter().copied())
            .collect();
        for op in OPERATIONS {
            assert!(taken.contains(&op.name), "{}", op.name);
        }
        for name in taken {
            assert!(operation(name).is_some(), "{name}");
        }
    }

    #[test]
    fn every_operation_is_found_by_its_name() {
        for op in OPERATIONS {
            assert_eq!(operation(op.name), Some(op));
        }
        assert_eq!(operation("ecs.DeleteService"), None);
    }

    #[test]
    fn nothing_that_deletes_is_in_the_table() {
        for op in OPERATIONS {
            for word in ["Delete", "Deregister", "Remove", "Stop", "Untag"] {
                assert!(!op.name.contains(word), "{}", op.name);
            }
        }
    }

    #[test]
    fn least_time_counts_only_what_the_burst_does_not_cover() {
        assert_eq!(ECS_TASKDEF_MODIFY.least_time(20), Duration::ZERO);
        assert_eq!(ECS_TASKDEF_MODIFY.least_time(200), Duration::from_secs(180));
    }
}
