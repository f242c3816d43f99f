//! RDS and STS: their calls through the SDK.

use aws_sdk_rds::Client;
use aws_sdk_rds::types as t;
use serde_json::Value;

use super::input::{flag, int, list, text, texts};
use super::sides::{Answer, Side};

/// Makes one call. Panics for an operation that is not here.
pub async fn send(side: &Side, operation: &str, i: &Value) -> Answer {
    let c = Client::new(&side.sdk);
    match operation {
        "DescribeDBInstances" => {
            let call = c
                .describe_db_instances()
                .set_db_instance_identifier(text(i, "DBInstanceIdentifier"))
                .set_filters(list(i, "Filters", filter))
                .set_max_records(int(i, "MaxRecords"))
                .set_marker(text(i, "Marker"));
            side.answer(call.send().await)
        }
        "DescribeDBClusters" => {
            let call = c
                .describe_db_clusters()
                .set_db_cluster_identifier(text(i, "DBClusterIdentifier"))
                .set_filters(list(i, "Filters", filter))
                .set_max_records(int(i, "MaxRecords"))
                .set_marker(text(i, "Marker"));
            side.answer(call.send().await)
        }
        "ModifyDBInstance" => {
            let call = c
                .modify_db_instance()
                .set_db_instance_identifier(text(i, "DBInstanceIdentifier"))
                .set_backup_retention_period(int(i, "BackupRetentionPeriod"))
                .set_preferred_backup_window(text(i, "PreferredBackupWindow"))
                .set_preferred_maintenance_window(text(i, "PreferredMaintenanceWindow"))
                .set_deletion_protection(flag(i, "DeletionProtection"))
                .set_db_instance_class(text(i, "DBInstanceClass"))
                .set_apply_immediately(flag(i, "ApplyImmediately"));
            side.answer(call.send().await)
        }
        "ModifyDBCluster" => {
            let call = c
                .modify_db_cluster()
                .set_db_cluster_identifier(text(i, "DBClusterIdentifier"))
                .set_backup_retention_period(int(i, "BackupRetentionPeriod"))
                .set_preferred_backup_window(text(i, "PreferredBackupWindow"))
                .set_preferred_maintenance_window(text(i, "PreferredMaintenanceWindow"))
                .set_deletion_protection(flag(i, "DeletionProtection"))
                .set_apply_immediately(flag(i, "ApplyImmediately"));
            side.answer(call.send().await)
        }
        other => panic!("rds.{other} is not drawn"),
    }
}

fn filter(v: &Value) -> t::Filter {
    let filter = t::Filter::builder().set_name(text(v, "Name"));
    filter.set_values(texts(v, "Values")).build()
}

/// Who is calling.
pub async fn send_sts(side: &Side, operation: &str) -> Answer {
    assert_eq!(operation, "GetCallerIdentity");
    let client = aws_sdk_sts::Client::new(&side.sdk);
    side.answer(client.get_caller_identity().send().await)
}
