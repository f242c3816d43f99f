//! RDS in the twin: instances and clusters (Aurora, DocumentDB, Neptune), what a change does at once and what waits.

mod describe;
mod modify;
pub mod window;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::wire::{CallContext, TwinError};

/// What of the two a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Instance,
    Cluster,
}

impl Shape {
    fn identifier(self) -> &'static str {
        match self {
            Self::Instance => "DBInstanceIdentifier",
            Self::Cluster => "DBClusterIdentifier",
        }
    }

    fn status(self) -> &'static str {
        match self {
            Self::Instance => "DBInstanceStatus",
            Self::Cluster => "Status",
        }
    }

    fn arn(self) -> (&'static str, &'static str) {
        match self {
            Self::Instance => ("DBInstanceArn", "db"),
            Self::Cluster => ("DBClusterArn", "cluster"),
        }
    }

    fn not_found(self, id: &str) -> TwinError {
        match self {
            Self::Instance => TwinError {
                status: 404,
                ..TwinError::client("DBInstanceNotFound", format!("DBInstance {id} not found."))
            },
            Self::Cluster => TwinError {
                status: 404,
                ..TwinError::client(
                    "DBClusterNotFoundFault",
                    format!("DBCluster {id} not found."),
                )
            },
        }
    }

    fn wrong_state(self, id: &str, status: &str) -> TwinError {
        match self {
            Self::Instance => TwinError::client(
                "InvalidDBInstanceState",
                format!("Database instance {id} is not in available state (it is {status})."),
            ),
            Self::Cluster => TwinError::client(
                "InvalidDBClusterStateFault",
                format!("DBCluster {id} is not in available state (it is {status})."),
            ),
        }
    }
}

/// One instance or cluster.
#[derive(Clone, Debug)]
struct Database {
    shape: Shape,
    /// As DescribeDB* answers; `PendingModifiedValues` is part of it.
    members: Map<String, Value>,
    /// When the oldest pending value was asked for.
    pending_since: Option<Timestamp>,
    /// Until when it is `modifying`.
    busy_until: Option<Timestamp>,
}

/// The RDS model.
#[derive(Clone, Debug)]
pub struct Rds {
    instances: BTreeMap<String, Database>,
    clusters: BTreeMap<String, Database>,
    /// How long a database is `modifying` after a change that is applied.
    pub modifying_for: Duration,
}

impl Default for Rds {
    fn default() -> Self {
        Self {
            instances: BTreeMap::new(),
            clusters: BTreeMap::new(),
            modifying_for: Duration::from_secs(5),
        }
    }
}

impl Rds {
    /// Answers one call. Errors: those of AWS, and `UnknownOperationException` for what is not modelled.
    pub fn call(
        &mut self,
        operation: &str,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        self.settle(cx.now);
        match operation {
            "DescribeDBInstances" => {
                describe::describe(&self.instances, Shape::Instance, input, cx)
            }
            "DescribeDBClusters" => describe::describe(&self.clusters, Shape::Cluster, input, cx),
            "ModifyDBInstance" => self.modify(Shape::Instance, input, cx),
            "ModifyDBCluster" => self.modify(Shape::Cluster, input, cx),
            other => Err(TwinError::unknown_operation("rds", other)),
        }
    }

    /// Puts an instance, with the members of DescribeDBInstances; what is left out is that of a
    /// new PostgreSQL instance. Without a `DBInstanceIdentifier` nothing happens.
    pub fn put_instance(&mut self, members: Value) {
        let defaults = json!({
            "Engine": "postgres",
            "DBInstanceClass": "db.t4g.medium",
            "DBInstanceStatus": "available",
            "AllocatedStorage": 20,
            "MultiAZ": false,
            "BackupRetentionPeriod": 1,
            "PreferredBackupWindow": "03:00-03:30",
            "PreferredMaintenanceWindow": "sun:05:00-sun:05:30",
            "DeletionProtection": false,
            "PendingModifiedValues": {},
            "TagList": [],
        });
        put(&mut self.instances, Shape::Instance, defaults, members);
    }

    /// Puts a cluster, with the members of DescribeDBClusters; what is left out is that of a new
    /// Aurora cluster. Without a `DBClusterIdentifier` nothing happens.
    pub fn put_cluster(&mut self, members: Value) {
        let defaults = json!({
            "Engine": "aurora-postgresql",
            "Status": "available",
            "BackupRetentionPeriod": 1,
            "PreferredBackupWindow": "03:00-03:30",
            "PreferredMaintenanceWindow": "sun:05:00-sun:05:30",
            "DeletionProtection": false,
            "TagList": [],
        });
        put(&mut self.clusters, Shape::Cluster, defaults, members);
    }

    /// The members of an instance, to read or to change behind everyone's back.
    pub fn instance_mut(&mut self, id: &str) -> Option<&mut Map<String, Value>> {
        let database = self.instances.get_mut(&id.to_ascii_lowercase())?;
        Some(&mut database.members)
    }

    /// The members of a cluster, to read or to change behind everyone's back.
    pub fn cluster_mut(&mut self, id: &str) -> Option<&mut Map<String, Value>> {
        let database = self.clusters.get_mut(&id.to_ascii_lowercase())?;
        Some(&mut database.members)
    }

    /// Lets time pass until `now`: changes finish, and maintenance windows apply what is pending.
    /// Every call does so first.
    pub fn settle(&mut self, now: Timestamp) {
        for database in self
            .instances
            .values_mut()
            .chain(self.clusters.values_mut())
        {
            database.settle(now, self.modifying_for);
        }
    }

    fn modify(
        &mut self,
        shape: Shape,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let databases = match shape {
            Shape::Instance => &mut self.instances,
            Shape::Cluster => &mut self.clusters,
        };
        let id = key(input[shape.identifier()].as_str().unwrap_or_default());
        let database = databases.get_mut(&id).ok_or_else(|| shape.not_found(&id))?;
        modify::modify(database, input, cx.now, self.modifying_for)?;
        Ok(match shape {
            Shape::Instance => json!({"DBInstance": database.shown(cx)}),
            Shape::Cluster => json!({"DBCluster": database.shown(cx)}),
        })
    }
}

impl Database {
    fn id(&self) -> &str {
        self.text(self.shape.identifier())
    }

    fn text(&self, member: &str) -> &str {
        self.members
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn is_docdb(&self) -> bool {
        self.text("Engine") == "docdb"
    }

    fn settle(&mut self, now: Timestamp, modifying_for: Duration) {
        if let Some(since) = self.pending_since {
            let starts = window::Weekly::parse(self.text("PreferredMaintenanceWindow"))
                .map(|window| window.next_start(since))
                .filter(|start| *start <= now);
            if let Some(start) = starts {
                modify::flush(self);
                self.begin_modifying(start, modifying_for);
            }
        }
        if self.busy_until.is_some_and(|until| until <= now) {
            self.busy_until = None;
            self.members
                .insert(self.shape.status().to_owned(), "available".into());
        }
    }

    fn begin_modifying(&mut self, at: Timestamp, modifying_for: Duration) {
        if !modifying_for.is_zero() {
            self.busy_until = Some(at + modifying_for);
            self.members
                .insert(self.shape.status().to_owned(), "modifying".into());
        }
    }

    fn shown(&self, cx: &CallContext) -> Value {
        let mut members = self.members.clone();
        let (arn, kind) = self.shape.arn();
        members.entry(arn).or_insert_with(|| {
            format!(
                "arn:aws:rds:{}:{}:{kind}:{}",
                cx.region,
                cx.account,
                self.id()
            )
            .into()
        });
        Value::Object(members)
    }
}

fn put(databases: &mut BTreeMap<String, Database>, shape: Shape, defaults: Value, members: Value) {
    let (Value::Object(mut all), Value::Object(members)) = (defaults, members) else {
        return;
    };
    all.extend(members);
    let Some(id) = all.get(shape.identifier()).and_then(Value::as_str).map(key) else {
        return;
    };
    // RDS keeps identifiers in lower case.
    all.insert(shape.identifier().to_owned(), id.clone().into());
    let database = Database {
        shape,
        members: all,
        pending_since: None,
        busy_until: None,
    };
    databases.insert(id, database);
}

/// An identifier or ARN as the model keeps it.
fn key(id: &str) -> String {
    id.rsplit(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::DbInstance;

    use super::*;
    use crate::twin::trial::Trial;

    fn with_postgres(members: Value) -> Trial {
        let trial = Trial::new();
        let mut all = json!({"DBInstanceIdentifier": "postgres", "BackupRetentionPeriod": 7});
        all.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        trial.with(|models| {
            models.rds.modifying_for = Duration::ZERO;
            models.rds.put_instance(all);
        });
        trial
    }

    async fn live(trial: &Trial) -> DbInstance {
        let describe = trial.rds().describe_db_instances();
        let answer = describe
            .db_instance_identifier("postgres")
            .send()
            .await
            .unwrap();
        answer.db_instances.unwrap().remove(0)
    }

    fn change(
        trial: &Trial,
    ) -> aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder {
        trial
            .rds()
            .modify_db_instance()
            .db_instance_identifier("postgres")
    }

    fn pending_retention(instance: &DbInstance) -> Option<i32> {
        instance
            .pending_modified_values()
            .unwrap()
            .backup_retention_period()
    }

    #[tokio::test(start_paused = true)]
    async fn one_length_of_retention_to_another_is_applied_at_once() {
        let trial = with_postgres(json!({}));
        change(&trial)
            .backup_retention_period(14)
            .send()
            .await
            .unwrap();
        let instance = live(&trial).await;
        assert_eq!(instance.backup_retention_period(), Some(14));
        assert_eq!(pending_retention(&instance), None);
    }

    #[tokio::test(start_paused = true)]
    async fn retention_from_nothing_waits_for_the_maintenance_window() {
        let trial = with_postgres(json!({"BackupRetentionPeriod": 0}));
        change(&trial)
            .backup_retention_period(7)
            .send()
            .await
            .unwrap();
        let instance = live(&trial).await;
        assert_eq!(instance.backup_retention_period(), Some(0));
        assert_eq!(pending_retention(&instance), Some(7));
        // From Monday noon to Sunday 05:00.
        trial
            .pass(Duration::from_secs(5 * 86_400 + 17 * 3600 - 1))
            .await;
        assert_eq!(live(&trial).await.backup_retention_period(), Some(0));
        trial.pass(Duration::from_secs(1)).await;
        let instance = live(&trial).await;
        assert_eq!(instance.backup_retention_period(), Some(7));
        assert_eq!(pending_retention(&instance), None);
    }

    #[tokio::test(start_paused = true)]
    async fn apply_immediately_flushes_what_someone_else_left_pending() {
        let trial = with_postgres(json!({"BackupRetentionPeriod": 0}));
        change(&trial)
            .db_instance_class("db.r6g.large")
            .send()
            .await
            .unwrap();
        change(&trial)
            .backup_retention_period(7)
            .apply_immediately(true)
            .send()
            .await
            .unwrap();
        let instance = live(&trial).await;
        assert_eq!(instance.backup_retention_period(), Some(7));
        assert_eq!(instance.db_instance_class(), Some("db.r6g.large"));
    }

    #[tokio::test(start_paused = true)]
    async fn asking_for_the_live_value_takes_a_pending_one_back() {
        let trial = with_postgres(json!({}));
        change(&trial)
            .backup_retention_period(0)
            .send()
            .await
            .unwrap();
        assert_eq!(pending_retention(&live(&trial).await), Some(0));
        change(&trial)
            .backup_retention_period(7)
            .send()
            .await
            .unwrap();
        assert_eq!(pending_retention(&live(&trial).await), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_modifying_takes_no_change() {
        let trial = with_postgres(json!({}));
        trial.with(|models| models.rds.modifying_for = Duration::from_secs(30));
        change(&trial)
            .deletion_protection(true)
            .send()
            .await
            .unwrap();
        assert_eq!(live(&trial).await.db_instance_status(), Some("modifying"));
        let error = change(&trial)
            .deletion_protection(false)
            .send()
            .await
            .unwrap_err();
        assert!(
            error
                .into_service_error()
                .is_invalid_db_instance_state_fault()
        );
        trial.pass(Duration::from_secs(30)).await;
        let instance = live(&trial).await;
        assert_eq!(instance.db_instance_status(), Some("available"));
        assert_eq!(instance.deletion_protection(), Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_change_changes_nothing() {
        let trial = with_postgres(json!({"ReadReplicaDBInstanceIdentifiers": ["replica"]}));
        let before = live(&trial).await;
        let one = || change(&trial).deletion_protection(true);
        for refused in [
            one().backup_retention_period(36),
            one().backup_retention_period(-1),
            one().backup_retention_period(0),
            one().preferred_backup_window("02:00-02:20"),
            one().preferred_backup_window("2-4"),
            one().preferred_backup_window("05:10-06:00"),
        ] {
            assert!(refused.send().await.is_err());
        }
        assert_eq!(live(&trial).await, before);
    }

    #[tokio::test(start_paused = true)]
    async fn retention_that_another_service_or_the_cluster_manages_is_refused() {
        for owned in [
            json!({"AwsBackupRecoveryPointArn": "arn:aws:backup:us-east-1:123456789012:recovery-point:x"}),
            json!({"DBClusterIdentifier": "cluster"}),
        ] {
            let trial = with_postgres(owned);
            assert!(
                change(&trial)
                    .backup_retention_period(8)
                    .send()
                    .await
                    .is_err()
            );
            change(&trial)
                .backup_retention_period(7)
                .send()
                .await
                .unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clusters_of_every_engine_change_and_documentdb_leaves_nothing_pending() {
        let trial = Trial::new();
        trial.with(|models| {
            models.rds.modifying_for = Duration::ZERO;
            for engine in ["aurora-postgresql", "docdb", "neptune"] {
                models
                    .rds
                    .put_cluster(json!({"DBClusterIdentifier": engine, "Engine": engine}));
            }
        });
        let client = trial.rds();
        let all = client.describe_db_clusters().send().await.unwrap();
        assert_eq!(all.db_clusters().len(), 3);
        for engine in ["aurora-postgresql", "docdb", "neptune"] {
            let modify = || client.modify_db_cluster().db_cluster_identifier(engine);
            let done = modify()
                .backup_retention_period(9)
                .engine_version("9")
                .send()
                .await
                .unwrap();
            let cluster = done.db_cluster.unwrap();
            assert_eq!(cluster.backup_retention_period(), Some(9));
            let pending = cluster.pending_modified_values();
            let version = pending.and_then(|p| p.engine_version());
            assert_eq!(version.is_none(), engine == "docdb", "{engine}");
            assert!(modify().backup_retention_period(0).send().await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pages_hold_at_least_twenty_and_follow_the_marker() {
        let trial = Trial::new();
        trial.with(|models| {
            for n in 0..45 {
                models
                    .rds
                    .put_instance(json!({"DBInstanceIdentifier": format!("db-{n:02}")}));
            }
        });
        let client = trial.rds();
        assert!(
            client
                .describe_db_instances()
                .max_records(19)
                .send()
                .await
                .is_err()
        );
        let pages = client
            .describe_db_instances()
            .into_paginator()
            .page_size(20)
            .send();
        let pages = pages.try_collect().await.unwrap();
        let sizes: Vec<_> = pages.iter().map(|page| page.db_instances().len()).collect();
        assert_eq!(sizes, [20, 20, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_there_is_a_typed_error() {
        let client = Trial::new().rds();
        let describe = client
            .describe_db_instances()
            .db_instance_identifier("none");
        let error = describe.send().await.unwrap_err().into_service_error();
        assert!(error.is_db_instance_not_found_fault());
        let describe = client.describe_db_clusters().db_cluster_identifier("none");
        let error = describe.send().await.unwrap_err().into_service_error();
        assert!(error.is_db_cluster_not_found_fault());
    }
}
