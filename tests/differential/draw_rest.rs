//! What is drawn for CloudWatch, RDS, STS and the tables of DynamoDB.

use serde_json::{Value, json};

use super::dice::Dice;
use super::sides::{Call, call};

/// Three alarms, their tags, and looks at them.
pub fn alarms(seed: u64, account: &str) -> Vec<Call> {
    let dice = &mut Dice::seeded(seed);
    let put = |name: &str| {
        let mut alarm = alarm();
        alarm["AlarmName"] = json!(name);
        call("cloudwatch", "PutMetricAlarm", alarm)
    };
    let mut calls = vec![put("cpu"), put("errors")];
    for _ in 0..20 {
        calls.push(match dice.below(8) {
            0..=2 => call("cloudwatch", "PutMetricAlarm", put_alarm(dice)),
            3 | 4 => call("cloudwatch", "DescribeAlarms", describe_alarms(dice)),
            5 if dice.once_in(3) => {
                let names = dice.some(&["errors", "none"]);
                call("cloudwatch", "DeleteAlarms", json!({"AlarmNames": names}))
            }
            _ => {
                let name = dice.pick(&["cpu", "cpu", "cpu", "errors", "none"]);
                let arn = format!("arn:aws:cloudwatch:us-east-1:{account}:alarm:{name}");
                match dice.below(4) {
                    0 => {
                        let input = json!({"ResourceARN": arn, "Tags": dice.tags("Key", "Value")});
                        call("cloudwatch", "TagResource", input)
                    }
                    1 => {
                        let keys = dice.some(&["team", "stage", "none"]);
                        let input = json!({"ResourceARN": arn, "TagKeys": keys});
                        call("cloudwatch", "UntagResource", input)
                    }
                    _ => call(
                        "cloudwatch",
                        "ListTagsForResource",
                        json!({"ResourceARN": arn}),
                    ),
                }
            }
        });
    }
    calls
}

fn alarm() -> Value {
    json!({
        "AlarmName": "cpu",
        "Namespace": "AWS/ECS",
        "MetricName": "CPUUtilization",
        "Statistic": "Average",
        "Period": 300,
        "EvaluationPeriods": 2,
        "Threshold": 80.0,
        "ComparisonOperator": "GreaterThanThreshold",
    })
}

fn put_alarm(dice: &mut Dice) -> Value {
    let mut alarm = alarm();
    alarm["AlarmName"] = json!(dice.pick(&["cpu", "errors", "slow"]));
    dice.maybe(
        &mut alarm,
        "AlarmDescription",
        &[json!("why"), json!("what")],
    );
    dice.maybe(&mut alarm, "ActionsEnabled", &[json!(true), json!(false)]);
    let topic = json!(["arn:aws:sns:us-east-1:123456789012:pages"]);
    dice.maybe(&mut alarm, "AlarmActions", std::slice::from_ref(&topic));
    dice.maybe(&mut alarm, "OKActions", &[topic]);
    let dimensions =
        json!([{"Name": "ClusterName", "Value": "c"}, {"Name": "ServiceName", "Value": "web"}]);
    dice.maybe(&mut alarm, "Dimensions", &[dimensions]);
    dice.maybe(
        &mut alarm,
        "TreatMissingData",
        &[json!("breaching"), json!("notBreaching")],
    );
    dice.maybe(&mut alarm, "DatapointsToAlarm", &[json!(1), json!(2)]);
    dice.maybe(&mut alarm, "Unit", &[json!("Percent")]);
    if dice.once_in(3) {
        alarm["Tags"] = dice.tags("Key", "Value");
    }
    if dice.once_in(4) {
        alarm["Statistic"] = Value::Null;
        alarm["ExtendedStatistic"] = json!("p99");
    }
    if dice.once_in(4) {
        math(&mut alarm);
    }
    match dice.below(40) {
        0 => alarm["Period"] = json!(7),
        1 => alarm["DatapointsToAlarm"] = json!(3),
        2 => alarm["TreatMissingData"] = json!("sometimes"),
        3 => alarm["EvaluationPeriods"] = json!(0),
        4 => alarm["ExtendedStatistic"] = json!("p101"),
        5 => alarm["Namespace"] = Value::Null,
        6 => alarm["AlarmName"] = json!("n".repeat(256)),
        7 => alarm["ComparisonOperator"] = json!("About"),
        8 => alarm["Threshold"] = Value::Null,
        _ => {}
    }
    alarm
}

/// Turns an alarm on one metric into one on metric math.
fn math(alarm: &mut Value) {
    for member in [
        "Namespace",
        "MetricName",
        "Statistic",
        "ExtendedStatistic",
        "Period",
        "Unit",
        "Dimensions",
    ] {
        alarm[member] = Value::Null;
    }
    let metric = |id: &str, name: &str| {
        json!({"Id": id, "ReturnData": false, "MetricStat": {
            "Metric": {"Namespace": "ECS/ContainerInsights", "MetricName": name,
                       "Dimensions": [{"Name": "ServiceName", "Value": "web"}]},
            "Period": 60, "Stat": "Average",
        }})
    };
    alarm["Metrics"] = json!([
        metric("m1", "RunningTaskCount"),
        metric("m2", "DesiredTaskCount"),
        {"Id": "e1", "Expression": "m2 - m1", "Label": "missing", "ReturnData": true},
    ]);
}

fn describe_alarms(dice: &mut Dice) -> Value {
    let mut input = json!({});
    match dice.below(9) {
        0 => input["AlarmNamePrefix"] = json!(dice.pick(&["c", "none"])),
        1 => input["AlarmNames"] = json!(vec!["cpu"; 101]),
        2 => input["StateValue"] = json!(dice.pick(&["OK", "INSUFFICIENT_DATA"])),
        3 => input["ActionPrefix"] = json!("arn:aws:sns"),
        4 => {
            input["AlarmNames"] = json!(["cpu"]);
            input["AlarmNamePrefix"] = json!("c");
        }
        5 => input["MaxRecords"] = json!(dice.pick(&[1, 2, 100, 101])),
        6 => input["AlarmTypes"] = json!(["MetricAlarm", "CompositeAlarm"]),
        _ => input["AlarmNames"] = json!(dice.some(&["cpu", "errors", "none"])),
    }
    input
}

/// One instance, one cluster, what can be changed about them, and who asks.
pub fn databases(seed: u64, _account: &str) -> Vec<Call> {
    let dice = &mut Dice::seeded(seed);
    let mut calls = Vec::new();
    for _ in 0..16 {
        let instance = dice.once_in(2);
        let (id, there) = if instance {
            ("DBInstanceIdentifier", "postgres")
        } else {
            ("DBClusterIdentifier", "aurora")
        };
        let mut input = json!({});
        if dice.once_in(8) {
            calls.push(call("sts", "GetCallerIdentity", json!({})));
        }
        if dice.once_in(2) {
            match dice.below(6) {
                0 => {}
                1 => input["MaxRecords"] = json!(dice.pick(&[20, 100, 19, 101])),
                2 => {
                    let name = if instance {
                        "db-instance-id"
                    } else {
                        "db-cluster-id"
                    };
                    let values = [json!([there]), json!(["none"])];
                    input["Filters"] = json!([{"Name": name, "Values": dice.pick(&values)}]);
                }
                3 => input[id] = json!(dice.pick(&["none", "Postgres", "AURORA"])),
                _ => input[id] = json!(there),
            }
            let operation = if instance {
                "DescribeDBInstances"
            } else {
                "DescribeDBClusters"
            };
            calls.push(call("rds", operation, input));
            continue;
        }
        input[id] = json!(there);
        if dice.once_in(12) {
            input[id] = json!("none");
        }
        dice.maybe(
            &mut input,
            "BackupRetentionPeriod",
            &[json!(1), json!(7), json!(14)],
        );
        if dice.once_in(4) {
            input["PreferredBackupWindow"] = json!(dice.pick(&["03:00-03:30", "12:00-13:00"]));
        }
        if dice.once_in(4) {
            let windows = ["sun:05:00-sun:05:30", "mon:22:00-mon:23:00"];
            input["PreferredMaintenanceWindow"] = json!(dice.pick(&windows));
        }
        dice.maybe(
            &mut input,
            "DeletionProtection",
            &[json!(true), json!(false)],
        );
        dice.maybe(&mut input, "ApplyImmediately", &[json!(true), json!(false)]);
        match dice.below(24) {
            0 => input["BackupRetentionPeriod"] = json!(36),
            1 => input["PreferredBackupWindow"] = json!("03:00-03:10"),
            2 => input["PreferredBackupWindow"] = json!("at night"),
            3 if instance => input["DBInstanceClass"] = json!("db.r6g.large"),
            4 => input["BackupRetentionPeriod"] = json!(0),
            _ => {}
        }
        let operation = if instance {
            "ModifyDBInstance"
        } else {
            "ModifyDBCluster"
        };
        calls.push(call("rds", operation, input));
    }
    calls
}

/// A table, its protection and its backups.
pub fn tables(seed: u64, _account: &str) -> Vec<Call> {
    let dice = &mut Dice::seeded(seed);
    let mut calls = vec![call("dynamodb", "CreateTable", table("sessions"))];
    for _ in 0..16 {
        let name = dice.pick(&["sessions", "sessions", "sessions", "sessions", "none"]);
        let mut input = json!({"TableName": name});
        calls.push(match dice.below(9) {
            0 => {
                let mut input = table(dice.pick(&["sessions", "more"]));
                dice.maybe(
                    &mut input,
                    "DeletionProtectionEnabled",
                    &[json!(true), json!(false)],
                );
                if dice.once_in(10) {
                    input["AttributeDefinitions"] = json!([]);
                }
                call("dynamodb", "CreateTable", input)
            }
            1 => call("dynamodb", "DescribeTable", input),
            2 | 3 => {
                input["DeletionProtectionEnabled"] = json!(dice.once_in(2));
                call("dynamodb", "UpdateTable", input)
            }
            4 if dice.once_in(3) => call("dynamodb", "DeleteTable", input),
            4 => call("dynamodb", "ListTables", json!({})),
            5 => {
                let ttl = json!({"Enabled": true, "AttributeName": "expires"});
                input["TimeToLiveSpecification"] = ttl;
                call("dynamodb", "UpdateTimeToLive", input)
            }
            6 => call("dynamodb", "DescribeContinuousBackups", input),
            7 => {
                let mut recovery = json!({"PointInTimeRecoveryEnabled": !dice.once_in(3)});
                dice.maybe(
                    &mut recovery,
                    "RecoveryPeriodInDays",
                    &[json!(1), json!(35)],
                );
                if dice.once_in(8) {
                    recovery["RecoveryPeriodInDays"] = json!(36);
                }
                input["PointInTimeRecoverySpecification"] = recovery;
                call("dynamodb", "UpdateContinuousBackups", input)
            }
            _ => call("dynamodb", "DescribeTimeToLive", input),
        });
    }
    calls
}

fn table(name: &str) -> Value {
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    })
}
