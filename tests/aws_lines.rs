//! Command lines of `aws`, in the order in which they are run: for every operation of the twin one that it does, for
//! each protocol one that it refuses.

/// One command line.
pub struct Line {
    /// The operation that it makes.
    pub operation: &'static str,
    /// What follows `aws`; single quotes hold a word together.
    pub command: &'static str,
    /// What it shows.
    pub shows: Shows,
}

/// What a line shows.
#[derive(Clone, Copy, Debug)]
pub enum Shows {
    /// A member of the answer, by its JSON pointer, and its value.
    Member(&'static str, &'static str),
    /// Nothing, and success.
    Nothing,
    /// An error of this code.
    Error(&'static str),
}

use Shows::{Error, Member, Nothing};

const fn line(operation: &'static str, command: &'static str, shows: Shows) -> Line {
    Line {
        operation,
        command,
        shows,
    }
}

#[rustfmt::skip]
pub const LINES: &[Line] = &[
    line("ecs.CreateCluster", "ecs create-cluster --cluster-name blog --tags key=team,value=b", Member("/cluster/clusterName", "blog")),
    line("ecs.ListClusters", "ecs list-clusters", Member("/clusterArns/1", "arn:aws:ecs:us-east-1:123456789012:cluster/shop")),
    line("ecs.DescribeClusters", "ecs describe-clusters --clusters shop blog none --include TAGS", Member("/failures/0/reason", "MISSING")),
    line("ecs.RegisterTaskDefinition",
        "ecs register-task-definition --family api --requires-compatibilities FARGATE --network-mode awsvpc --cpu 256 --memory 512 \
         --container-definitions '[{\"name\":\"app\",\"image\":\"registry.example/api:1\",\"portMappings\":[{\"containerPort\":8080}]}]'",
        Member("/taskDefinition/revision", "1")),
    line("ecs.RegisterTaskDefinition",
        "ecs register-task-definition --family api --requires-compatibilities FARGATE --network-mode awsvpc --cpu 256 --memory 8192 \
         --container-definitions '[{\"name\":\"app\",\"image\":\"registry.example/api:1\"}]'",
        Error("ClientException")),
    line("ecs.DescribeTaskDefinition", "ecs describe-task-definition --task-definition api", Member("/taskDefinition/containerDefinitions/0/portMappings/0/hostPort", "8080")),
    line("ecs.ListTaskDefinitions", "ecs list-task-definitions --family-prefix api --sort DESC", Member("/taskDefinitionArns/0", "arn:aws:ecs:us-east-1:123456789012:task-definition/api:1")),
    line("ecs.CreateService",
        "ecs create-service --cluster shop --service-name api --task-definition api --desired-count 1 --launch-type FARGATE \
         --network-configuration awsvpcConfiguration={subnets=[subnet-1],securityGroups=[sg-1]}",
        Member("/service/desiredCount", "1")),
    line("ecs.UpdateService", "ecs update-service --cluster shop --service api --desired-count 3 --deployment-configuration maximumPercent=150", Member("/service/deploymentConfiguration/maximumPercent", "150")),
    line("ecs.UpdateService", "ecs update-service --cluster shop --service none --desired-count 3", Error("ServiceNotFoundException")),
    line("ecs.DescribeServices", "ecs describe-services --cluster shop --services api web --include TAGS", Member("/services/0/desiredCount", "3")),
    line("ecs.ListServices", "ecs list-services --cluster shop --max-items 1", Member("/serviceArns/0", "arn:aws:ecs:us-east-1:123456789012:service/shop/api")),
    line("ecs.TagResource", "ecs tag-resource --resource-arn arn:aws:ecs:us-east-1:123456789012:service/shop/api --tags key=stage,value=test", Nothing),
    line("ecs.ListTagsForResource", "ecs list-tags-for-resource --resource-arn arn:aws:ecs:us-east-1:123456789012:service/shop/api", Member("/tags/0/value", "test")),
    line("ecs.UntagResource", "ecs untag-resource --resource-arn arn:aws:ecs:us-east-1:123456789012:service/shop/api --tag-keys stage", Nothing),
    line("ecs.ListServiceDeployments", "ecs list-service-deployments --cluster shop --service web", Member("/serviceDeployments/0/status", "SUCCESSFUL")),
    line("ecs.DescribeServiceDeployments", "ecs describe-service-deployments --service-deployment-arns $deployment", Member("/serviceDeployments/0/status", "SUCCESSFUL")),
    line("ecs.DescribeServiceRevisions", "ecs describe-service-revisions --service-revision-arns $revision", Member("/failures", "[]")),
    line("ecs.DeregisterTaskDefinition", "ecs deregister-task-definition --task-definition api:1", Member("/taskDefinition/status", "INACTIVE")),

    line("application-autoscaling.RegisterScalableTarget",
        "application-autoscaling register-scalable-target --service-namespace ecs --scalable-dimension ecs:service:DesiredCount \
         --resource-id service/shop/web --min-capacity 2 --max-capacity 6",
        Member("/ScalableTargetARN", "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/$any")),
    line("application-autoscaling.DescribeScalableTargets", "application-autoscaling describe-scalable-targets --service-namespace ecs --resource-ids service/shop/web", Member("/ScalableTargets/0/MaxCapacity", "6")),
    line("application-autoscaling.PutScalingPolicy",
        "application-autoscaling put-scaling-policy --service-namespace ecs --scalable-dimension ecs:service:DesiredCount \
         --resource-id service/shop/web --policy-name cpu --policy-type TargetTrackingScaling --target-tracking-scaling-policy-configuration \
         '{\"TargetValue\":62.5,\"PredefinedMetricSpecification\":{\"PredefinedMetricType\":\"ECSServiceAverageCPUUtilization\"}}'",
        Member("/Alarms/1/AlarmName", "$any")),
    line("application-autoscaling.DescribeScalingPolicies", "application-autoscaling describe-scaling-policies --service-namespace ecs", Member("/ScalingPolicies/0/TargetTrackingScalingPolicyConfiguration/TargetValue", "62.5")),
    line("application-autoscaling.PutScheduledAction",
        "application-autoscaling put-scheduled-action --service-namespace ecs --scalable-dimension ecs:service:DesiredCount \
         --resource-id service/shop/web --scheduled-action-name nights --schedule 'cron(0 20 * * ? *)' --timezone Europe/Zurich \
         --start-time 2030-01-01T00:00:00Z --scalable-target-action MinCapacity=1,MaxCapacity=2",
        Nothing),
    line("application-autoscaling.DescribeScheduledActions", "application-autoscaling describe-scheduled-actions --service-namespace ecs", Member("/ScheduledActions/0/Timezone", "Europe/Zurich")),
    line("application-autoscaling.DeleteScheduledAction",
        "application-autoscaling delete-scheduled-action --service-namespace ecs --scalable-dimension ecs:service:DesiredCount \
         --resource-id service/shop/web --scheduled-action-name nights",
        Nothing),
    line("application-autoscaling.DeleteScalingPolicy",
        "application-autoscaling delete-scaling-policy --service-namespace ecs --scalable-dimension ecs:service:DesiredCount \
         --resource-id service/shop/web --policy-name none",
        Error("ObjectNotFoundException")),
    line("application-autoscaling.DeleteScalingPolicy",
        "application-autoscaling delete-scaling-policy --service-namespace ecs --scalable-dimension ecs:service:DesiredCount \
         --resource-id service/shop/web --policy-name cpu",
        Nothing),
    line("application-autoscaling.DeregisterScalableTarget",
        "application-autoscaling deregister-scalable-target --service-namespace ecs --scalable-dimension ecs:service:DesiredCount \
         --resource-id service/shop/web",
        Nothing),

    line("cloudwatch.PutMetricAlarm",
        "cloudwatch put-metric-alarm --alarm-name cpu --namespace AWS/ECS --metric-name CPUUtilization --statistic Average --period 300 \
         --evaluation-periods 2 --threshold 80.5 --comparison-operator GreaterThanThreshold --dimensions Name=ClusterName,Value=shop \
         --tags Key=team,Value=a",
        Nothing),
    line("cloudwatch.PutMetricAlarm",
        "cloudwatch put-metric-alarm --alarm-name odd --namespace AWS/ECS --metric-name CPUUtilization --statistic Average --period 7 \
         --evaluation-periods 2 --threshold 80 --comparison-operator GreaterThanThreshold",
        Error("ValidationError")),
    line("cloudwatch.DescribeAlarms", "cloudwatch describe-alarms --alarm-names cpu none", Member("/MetricAlarms/0/Threshold", "80.5")),
    line("cloudwatch.TagResource", "cloudwatch tag-resource --resource-arn arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu --tags Key=stage,Value=test", Nothing),
    line("cloudwatch.UntagResource", "cloudwatch untag-resource --resource-arn arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu --tag-keys team", Nothing),
    line("cloudwatch.ListTagsForResource", "cloudwatch list-tags-for-resource --resource-arn arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu", Member("/Tags/0/Value", "test")),
    line("cloudwatch.DeleteAlarms", "cloudwatch delete-alarms --alarm-names cpu", Nothing),

    line("dynamodb.DescribeTable", "dynamodb describe-table --table-name sessions", Member("/Table/TableStatus", "ACTIVE")),
    line("dynamodb.UpdateTable", "dynamodb update-table --table-name sessions --deletion-protection-enabled", Member("/TableDescription/DeletionProtectionEnabled", "true")),
    line("dynamodb.UpdateContinuousBackups",
        "dynamodb update-continuous-backups --table-name sessions --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true,RecoveryPeriodInDays=7",
        Member("/ContinuousBackupsDescription/PointInTimeRecoveryDescription/RecoveryPeriodInDays", "7")),
    line("dynamodb.DescribeContinuousBackups", "dynamodb describe-continuous-backups --table-name sessions", Member("/ContinuousBackupsDescription/PointInTimeRecoveryDescription/PointInTimeRecoveryStatus", "ENABLED")),
    line("dynamodb.DescribeContinuousBackups", "dynamodb describe-continuous-backups --table-name none", Error("TableNotFoundException")),
    line("dynamodb.CreateTable",
        "dynamodb create-table --table-name rows --billing-mode PAY_PER_REQUEST --attribute-definitions AttributeName=pk,AttributeType=S \
         --key-schema AttributeName=pk,KeyType=HASH",
        Member("/TableDescription/TableArn", "arn:aws:dynamodb:us-east-1:123456789012:table/rows")),
    line("dynamodb.ListTables", "dynamodb list-tables", Member("/TableNames/0", "rows")),
    line("dynamodb.TagResource", "dynamodb tag-resource --resource-arn arn:aws:dynamodb:us-east-1:123456789012:table/rows --tags Key=team,Value=a", Nothing),
    line("dynamodb.ListTagsOfResource", "dynamodb list-tags-of-resource --resource-arn arn:aws:dynamodb:us-east-1:123456789012:table/rows", Member("/Tags/0/Value", "a")),
    line("dynamodb.UntagResource", "dynamodb untag-resource --resource-arn arn:aws:dynamodb:us-east-1:123456789012:table/rows --tag-keys team", Nothing),
    line("dynamodb.UpdateTimeToLive", "dynamodb update-time-to-live --table-name rows --time-to-live-specification Enabled=true,AttributeName=expires", Member("/TimeToLiveSpecification/AttributeName", "expires")),
    line("dynamodb.DescribeTimeToLive", "dynamodb describe-time-to-live --table-name rows", Member("/TimeToLiveDescription/TimeToLiveStatus", "ENABLED")),
    line("dynamodb.PutItem", "dynamodb put-item --table-name rows --item '{\"pk\":{\"S\":\"a\"},\"n\":{\"N\":\"1\"}}' --condition-expression attribute_not_exists(pk)", Nothing),
    line("dynamodb.PutItem", "dynamodb put-item --table-name rows --item '{\"pk\":{\"S\":\"a\"}}' --condition-expression attribute_not_exists(pk)", Error("ConditionalCheckFailedException")),
    line("dynamodb.UpdateItem",
        "dynamodb update-item --table-name rows --key '{\"pk\":{\"S\":\"a\"}}' --update-expression 'SET n = n + :one' \
         --expression-attribute-values '{\":one\":{\"N\":\"1\"}}' --return-values ALL_NEW",
        Member("/Attributes/n/N", "2")),
    line("dynamodb.GetItem", "dynamodb get-item --table-name rows --key '{\"pk\":{\"S\":\"a\"}}' --consistent-read", Member("/Item/n/N", "2")),
    line("dynamodb.BatchWriteItem", "dynamodb batch-write-item --request-items '{\"rows\":[{\"PutRequest\":{\"Item\":{\"pk\":{\"S\":\"b\"}}}}]}'", Member("/UnprocessedItems", "{}")),
    line("dynamodb.BatchGetItem", "dynamodb batch-get-item --request-items '{\"rows\":{\"Keys\":[{\"pk\":{\"S\":\"b\"}}]}}'", Member("/Responses/rows/0/pk/S", "b")),
    line("dynamodb.TransactWriteItems",
        "dynamodb transact-write-items --client-request-token once --transact-items \
         '[{\"Put\":{\"TableName\":\"rows\",\"Item\":{\"pk\":{\"S\":\"c\"}},\"ConditionExpression\":\"attribute_not_exists(pk)\"}}]'",
        Nothing),
    line("dynamodb.TransactGetItems", "dynamodb transact-get-items --transact-items '[{\"Get\":{\"TableName\":\"rows\",\"Key\":{\"pk\":{\"S\":\"c\"}}}}]'", Member("/Responses/0/Item/pk/S", "c")),
    line("dynamodb.Query", "dynamodb query --table-name rows --key-condition-expression 'pk = :pk' --expression-attribute-values '{\":pk\":{\"S\":\"a\"}}'", Member("/Count", "1")),
    line("dynamodb.Scan", "dynamodb scan --table-name rows", Member("/Count", "3")),
    line("dynamodb.DeleteItem", "dynamodb delete-item --table-name rows --key '{\"pk\":{\"S\":\"a\"}}' --return-values ALL_OLD", Member("/Attributes/n/N", "2")),
    line("dynamodb.DeleteTable", "dynamodb delete-table --table-name rows", Member("/TableDescription/TableStatus", "DELETING")),

    line("rds.DescribeDBInstances", "rds describe-db-instances --db-instance-identifier postgres", Member("/DBInstances/0/BackupRetentionPeriod", "1")),
    line("rds.ModifyDBInstance", "rds modify-db-instance --db-instance-identifier postgres --db-instance-class db.r6g.large", Member("/DBInstance/PendingModifiedValues/DBInstanceClass", "db.r6g.large")),
    line("rds.ModifyDBInstance", "rds modify-db-instance --db-instance-identifier none --deletion-protection", Error("DBInstanceNotFound")),
    line("rds.ModifyDBCluster", "rds modify-db-cluster --db-cluster-identifier aurora --backup-retention-period 7 --apply-immediately", Member("/DBCluster/BackupRetentionPeriod", "7")),
    line("rds.DescribeDBClusters", "rds describe-db-clusters --filters Name=engine,Values=aurora-postgresql", Member("/DBClusters/0/DBClusterArn", "arn:aws:rds:us-east-1:123456789012:cluster:aurora")),

    line("cloudtrail.LookupEvents", "cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=CreateService --max-results 5 --no-paginate", Member("/Events/0/EventSource", "ecs.amazonaws.com")),
    line("cloudtrail.LookupEvents", "cloudtrail lookup-events --start-time 2026-01-02 --end-time 2026-01-01", Error("InvalidTimeRangeException")),

    line("sns.Publish", "sns publish --topic-arn arn:aws:sns:us-east-1:123456789012:alerts --subject s --message m", Member("/MessageId", "00000000-0000-4000-8000-000000000001")),
    line("sns.Publish", "sns publish --topic-arn arn:aws:sns:us-east-1:123456789012:none --message m", Error("NotFound")),
    line("sts.GetCallerIdentity", "sts get-caller-identity", Member("/Account", "123456789012")),
];
