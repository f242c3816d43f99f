//! The intruder: what people and pipelines do behind Evenkeel's back, one act at a time.

use serde_json::json;

use super::estate::SEMIONT;
use crate::twin::World;
use crate::twin::wire::TwinError;

/// The image that CI deploys.
pub const CI_IMAGE: &str = "registry.example/semiont-api:82";

/// Something that somebody does.
pub struct Act {
    /// What is told of it.
    pub told: &'static str,
    /// Whose drift it has to become: `app/Kind/name`.
    pub key: &'static str,
    /// Who does it: an IAM user.
    pub by: &'static str,
    /// How it is done.
    pub done: fn(&mut World) -> Result<(), TwinError>,
}

/// All of them.
pub const ACTS: [Act; 4] = [
    Act {
        told: "someone scales semiont-frontend to 9 tasks in the console (its document says 1 to 5)",
        key: "semiont/Service/frontend",
        by: "dana",
        done: |world| world.set_desired_count(SEMIONT, "semiont-frontend", 9),
    },
    Act {
        told: "CI deploys a new image of semiont-backend from a template with another size",
        key: "semiont/Service/backend",
        by: "ci-deployer",
        done: |world| {
            let changed = world.deploy_changed(SEMIONT, "semiont-backend", |definition| {
                definition.insert("cpu".to_owned(), json!("256"));
                definition.insert("memory".to_owned(), json!("512"));
                definition["containerDefinitions"][0]["image"] = json!(CI_IMAGE);
            });
            changed.map(|_| ())
        },
    },
    Act {
        told: "someone quiets an alarm by raising its threshold to 100 and cutting its actions",
        key: "semiont/Alarm/backend-cpu-high",
        by: "robin",
        done: |world| {
            let input = json!({
                "AlarmName": "semiont-backend-cpu-high",
                "Namespace": "AWS/ECS",
                "MetricName": "CPUUtilization",
                "Dimensions": [
                    {"Name": "ClusterName", "Value": SEMIONT},
                    {"Name": "ServiceName", "Value": "semiont-backend"},
                ],
                "Statistic": "Average",
                "Period": 300,
                "EvaluationPeriods": 2,
                "DatapointsToAlarm": 2,
                "Threshold": 100.0,
                "ComparisonOperator": "GreaterThanThreshold",
                "TreatMissingData": "notBreaching",
            });
            world
                .call("cloudwatch", "PutMetricAlarm", &input)
                .map(|_| ())
        },
    },
    Act {
        told: "someone cuts the Neptune backups to a single day, to save money",
        key: "semiont/Database/graph",
        by: "finance-audit",
        done: |world| {
            let input = json!({
                "DBClusterIdentifier": "semiont-neptune",
                "BackupRetentionPeriod": 1,
                "ApplyImmediately": true,
            });
            world.call("rds", "ModifyDBCluster", &input).map(|_| ())
        },
    },
];
