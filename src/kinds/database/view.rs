//! How RDS's answers become the tree that a Database document is compared with.

use aws_sdk_rds::types::{
    ClusterPendingModifiedValues, DbCluster, DbInstance, PendingModifiedValues,
};
use serde_json::{Map, json};

use super::rules::{BACKUP_WINDOW, MAINTENANCE_WINDOW, PROTECTION, RETENTION};
use crate::model::snapshot::Live;
use crate::model::tree::Tree;

/// A live instance.
pub fn instance(db: &DbInstance) -> Live {
    let engine = db.engine.as_deref().unwrap_or_default();
    let pending = db.pending_modified_values.as_ref();
    let mut view = Map::new();
    put(&mut view, "instance", lower(db.db_instance_identifier()));
    put(&mut view, RETENTION, db.backup_retention_period);
    put(&mut view, BACKUP_WINDOW, db.preferred_backup_window());
    put(
        &mut view,
        MAINTENANCE_WINDOW,
        lower(db.preferred_maintenance_window()),
    );
    put(
        &mut view,
        PROTECTION,
        Some(db.deletion_protection.unwrap_or(false)),
    );
    let mut facts = Map::new();
    put(&mut facts, "status", db.db_instance_status());
    put(&mut facts, "engine", Some(engine));
    put(&mut facts, "awsBackup", db.aws_backup_recovery_point_arn());
    put(&mut facts, "memberOf", member_of(db, engine));
    let replicas = db.read_replica_db_instance_identifiers().len()
        + db.read_replica_db_cluster_identifiers().len();
    put(&mut facts, "hasReplicas", Some(replicas > 0));
    let days = pending.and_then(|p| p.backup_retention_period);
    facts.insert("pending".to_owned(), pending_days(days));
    facts.insert(
        "pendingOthers".to_owned(),
        pending.map_or_else(|| json!([]), |p| json!(others_of_instance(p))),
    );
    live(view, facts)
}

/// A live cluster.
pub fn cluster(db: &DbCluster) -> Live {
    let pending = db.pending_modified_values.as_ref();
    let mut view = Map::new();
    put(&mut view, "cluster", lower(db.db_cluster_identifier()));
    put(&mut view, RETENTION, db.backup_retention_period);
    put(&mut view, BACKUP_WINDOW, db.preferred_backup_window());
    put(
        &mut view,
        MAINTENANCE_WINDOW,
        lower(db.preferred_maintenance_window()),
    );
    put(
        &mut view,
        PROTECTION,
        Some(db.deletion_protection.unwrap_or(false)),
    );
    let mut facts = Map::new();
    put(&mut facts, "status", db.status());
    put(&mut facts, "engine", db.engine());
    put(&mut facts, "awsBackup", db.aws_backup_recovery_point_arn());
    put(
        &mut facts,
        "hasReplicas",
        Some(!db.read_replica_identifiers().is_empty()),
    );
    let days = pending.and_then(|p| p.backup_retention_period);
    facts.insert("pending".to_owned(), pending_days(days));
    facts.insert(
        "pendingOthers".to_owned(),
        pending.map_or_else(|| json!([]), |p| json!(others_of_cluster(p))),
    );
    live(view, facts)
}

fn live(view: Map<String, Tree>, facts: Map<String, Tree>) -> Live {
    Live {
        view: Tree::Object(view),
        facts: Tree::Object(facts),
    }
}

fn put<T: Into<Tree>>(map: &mut Map<String, Tree>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), value.into());
    }
}

fn lower(text: Option<&str>) -> Option<String> {
    text.map(str::to_ascii_lowercase)
}

/// The cluster that keeps this instance's backups, if one does.
fn member_of(db: &DbInstance, engine: &str) -> Option<String> {
    let clustered = ["aurora", "docdb", "neptune"]
        .iter()
        .any(|family| engine.starts_with(family));
    match db.db_cluster_identifier() {
        Some(cluster) => Some(cluster.to_owned()),
        None => clustered.then(|| "(which AWS does not name)".to_owned()),
    }
}

fn pending_days(days: Option<i32>) -> Tree {
    days.map_or_else(|| json!({}), |days| json!({ RETENTION: days }))
}

/// Names of what else is pending; never values, since a password may be among them.
fn others_of_instance(pending: &PendingModifiedValues) -> Vec<&'static str> {
    let p = pending;
    names([
        (
            "additionalStorageVolumes",
            p.additional_storage_volumes.is_some(),
        ),
        ("allocatedStorage", p.allocated_storage.is_some()),
        ("automationMode", p.automation_mode.is_some()),
        (
            "caCertificateIdentifier",
            p.ca_certificate_identifier.is_some(),
        ),
        (
            "capacityReservation",
            p.db_capacity_reservation_identifier.is_some(),
        ),
        ("dbInstanceClass", p.db_instance_class.is_some()),
        ("dbInstanceIdentifier", p.db_instance_identifier.is_some()),
        ("dbSubnetGroupName", p.db_subnet_group_name.is_some()),
        ("dedicatedLogVolume", p.dedicated_log_volume.is_some()),
        ("engine", p.engine.is_some()),
        ("engineVersion", p.engine_version.is_some()),
        (
            "iamDatabaseAuthentication",
            p.iam_database_authentication_enabled.is_some(),
        ),
        ("iops", p.iops.is_some()),
        ("licenseModel", p.license_model.is_some()),
        ("logExports", p.pending_cloudwatch_logs_exports.is_some()),
        ("masterUserPassword", p.master_user_password.is_some()),
        ("multiAz", p.multi_az.is_some()),
        ("multiTenant", p.multi_tenant.is_some()),
        ("port", p.port.is_some()),
        ("processorFeatures", !p.processor_features().is_empty()),
        ("storageThroughput", p.storage_throughput.is_some()),
        ("storageType", p.storage_type.is_some()),
    ])
}

fn others_of_cluster(pending: &ClusterPendingModifiedValues) -> Vec<&'static str> {
    let p = pending;
    names([
        ("allocatedStorage", p.allocated_storage.is_some()),
        ("certificate", p.certificate_details.is_some()),
        ("dbClusterIdentifier", p.db_cluster_identifier.is_some()),
        ("engineVersion", p.engine_version.is_some()),
        (
            "iamDatabaseAuthentication",
            p.iam_database_authentication_enabled.is_some(),
        ),
        ("iops", p.iops.is_some()),
        ("logExports", p.pending_cloudwatch_logs_exports.is_some()),
        ("masterUserPassword", p.master_user_password.is_some()),
        (
            "rdsCustomConfiguration",
            p.rds_custom_cluster_configuration.is_some(),
        ),
        ("storageType", p.storage_type.is_some()),
    ])
}

fn names<const N: usize>(pending: [(&'static str, bool); N]) -> Vec<&'static str> {
    pending
        .into_iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_password_is_named_and_never_shown() {
        let db = DbInstance::builder()
            .db_instance_identifier("DB")
            .engine("postgres")
            .pending_modified_values(
                PendingModifiedValues::builder()
                    .master_user_password("hunter2")
                    .backup_retention_period(7)
                    .build(),
            )
            .build();
        let live = instance(&db);
        assert_eq!(live.facts["pendingOthers"], json!(["masterUserPassword"]));
        assert_eq!(live.facts["pending"], json!({RETENTION: 7}));
        assert!(!live.facts.to_string().contains("hunter2"));
        assert_eq!(live.view["instance"], "db");
    }

    #[test]
    fn a_member_of_a_cluster_says_of_which() {
        let db = DbInstance::builder()
            .engine("aurora-mysql")
            .db_cluster_identifier("main")
            .build();
        assert_eq!(instance(&db).facts["memberOf"], "main");
        let alone = DbInstance::builder().engine("mysql").build();
        assert!(instance(&alone).facts.get("memberOf").is_none());
    }
}
