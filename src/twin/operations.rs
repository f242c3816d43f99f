//! Operations: every call that the twin answers, by service. What is not here it refuses as unknown.

/// `service.Operation`, sorted.
#[rustfmt::skip]
pub static OFFERED: &[&str] = &[
    "application-autoscaling.DeleteScalingPolicy",
    "application-autoscaling.DeleteScheduledAction",
    "application-autoscaling.DeregisterScalableTarget",
    "application-autoscaling.DescribeScalableTargets",
    "application-autoscaling.DescribeScalingPolicies",
    "application-autoscaling.DescribeScheduledActions",
    "application-autoscaling.PutScalingPolicy",
    "application-autoscaling.PutScheduledAction",
    "application-autoscaling.RegisterScalableTarget",
    "cloudtrail.LookupEvents",
    "cloudwatch.DeleteAlarms",
    "cloudwatch.DescribeAlarms",
    "cloudwatch.ListTagsForResource",
    "cloudwatch.PutMetricAlarm",
    "cloudwatch.TagResource",
    "cloudwatch.UntagResource",
    "dynamodb.BatchGetItem",
    "dynamodb.BatchWriteItem",
    "dynamodb.CreateTable",
    "dynamodb.DeleteItem",
    "dynamodb.DeleteTable",
    "dynamodb.DescribeContinuousBackups",
    "dynamodb.DescribeTable",
    "dynamodb.DescribeTimeToLive",
    "dynamodb.GetItem",
    "dynamodb.ListTables",
    "dynamodb.ListTagsOfResource",
    "dynamodb.PutItem",
    "dynamodb.Query",
    "dynamodb.Scan",
    "dynamodb.TagResource",
    "dynamodb.TransactGetItems",
    "dynamodb.TransactWriteItems",
    "dynamodb.UntagResource",
    "dynamodb.UpdateContinuousBackups",
    "dynamodb.UpdateItem",
    "dynamodb.UpdateTable",
    "dynamodb.UpdateTimeToLive",
    "ecs.CreateCluster",
    "ecs.CreateService",
    "ecs.DeregisterTaskDefinition",
    "ecs.DescribeClusters",
    "ecs.DescribeServiceDeployments",
    "ecs.DescribeServiceRevisions",
    "ecs.DescribeServices",
    "ecs.DescribeTaskDefinition",
    "ecs.ListClusters",
    "ecs.ListServiceDeployments",
    "ecs.ListServices",
    "ecs.ListTagsForResource",
    "ecs.ListTaskDefinitions",
    "ecs.RegisterTaskDefinition",
    "ecs.TagResource",
    "ecs.UntagResource",
    "ecs.UpdateService",
    "rds.DescribeDBClusters",
    "rds.DescribeDBInstances",
    "rds.ModifyDBCluster",
    "rds.ModifyDBInstance",
    "sns.Publish",
    "sts.GetCallerIdentity",
];

pub(super) fn is_offered(service: &str, operation: &str) -> bool {
    let name = format!("{service}.{operation}");
    OFFERED.binary_search(&name.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::model::operation::OPERATIONS;
    use crate::twin::Twin;

    #[test]
    fn the_list_is_sorted_and_holds_every_call_that_evenkeel_makes() {
        assert!(OFFERED.windows(2).all(|w| w[0] < w[1]));
        for operation in OPERATIONS {
            assert!(OFFERED.contains(&operation.name), "{}", operation.name);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_operation_of_the_list_is_modelled_and_no_other_is_answered() {
        let twin = Twin::new(Clock::virtual_at(jiff::Timestamp::UNIX_EPOCH), 7);
        let call = |name: &str| {
            let (service, operation) = name.split_once('.').unwrap();
            twin.world(|w| w.call(service, operation, &json!({})))
        };
        for name in OFFERED {
            if let Err(error) = call(name) {
                let text = format!("{} {}", error.code, error.message);
                let unknown = ["UnknownOperation", "not model", "not an operation"];
                assert!(!unknown.iter().any(|u| text.contains(u)), "{name}: {text}");
            }
        }
        let other = call("ecs.DeleteService").unwrap_err();
        assert_eq!(other.code, "UnknownOperationException");
    }
}
