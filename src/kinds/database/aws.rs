//! How databases are read from and written to RDS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_rds::types::{DbCluster, DbInstance};

use super::rules::{Sort, target};
use super::view;
use crate::aws::call::{AwsError, Permit, read};
use crate::aws::cell::Cell;
use crate::aws::fault::Fault;
use crate::kinds::{Applied, BoxFuture, Driver, StepError, Wanted};
use crate::model::change::Step;
use crate::model::key::ResourceKey;
use crate::model::snapshot::{Live, Seen};
use crate::model::tree::Tree;

/// Databases on one page of a listing, the most that RDS gives.
const PAGE: i32 = 100;

/// Reads and writes the databases of one cell.
#[derive(Debug)]
pub struct DatabaseDriver {
    cell: Arc<Cell>,
    /// How many calls the last listing of instances took.
    instance_pages: AtomicUsize,
    /// How many calls the last listing of clusters took.
    cluster_pages: AtomicUsize,
}

/// What one page or one description gave.
struct Page {
    databases: Vec<(String, Live)>,
    next: Option<String>,
}

impl DatabaseDriver {
    /// Over `cell`.
    pub fn new(cell: &Arc<Cell>) -> Self {
        Self {
            cell: cell.clone(),
            instance_pages: AtomicUsize::new(1),
            cluster_pages: AtomicUsize::new(1),
        }
    }

    /// One call: a page of the listing, or the one database named.
    async fn page(
        &self,
        sort: Sort,
        only: Option<&str>,
        marker: Option<String>,
    ) -> Result<Page, AwsError> {
        let object = only.map_or_else(|| format!("all {}s", sort.field()), str::to_owned);
        let size = only.is_none().then_some(PAGE);
        match sort {
            Sort::Instance => {
                let answer = read(&self.cell, "rds.DescribeDBInstances", &object, || {
                    self.cell
                        .rds
                        .describe_db_instances()
                        .set_db_instance_identifier(only.map(str::to_owned))
                        .set_max_records(size)
                        .set_marker(marker.clone())
                        .send()
                })
                .await?;
                let named =
                    |i: &DbInstance| Some((id(&i.db_instance_identifier)?, view::instance(i)));
                Ok(Page {
                    databases: answer.db_instances().iter().filter_map(named).collect(),
                    next: answer.marker,
                })
            }
            Sort::Cluster => {
                let answer = read(&self.cell, "rds.DescribeDBClusters", &object, || {
                    self.cell
                        .rds
                        .describe_db_clusters()
                        .set_db_cluster_identifier(only.map(str::to_owned))
                        .set_max_records(size)
                        .set_marker(marker.clone())
                        .send()
                })
                .await?;
                let named = |c: &DbCluster| Some((id(&c.db_cluster_identifier)?, view::cluster(c)));
                Ok(Page {
                    databases: answer.db_clusters().iter().filter_map(named).collect(),
                    next: answer.marker,
                })
            }
        }
    }

    /// Every database of this sort, or none: a list that lost a page proves no absence.
    async fn list(&self, sort: Sort) -> Result<BTreeMap<String, Live>, String> {
        let mut all = BTreeMap::new();
        let mut marker: Option<String> = None;
        let mut calls = 0;
        loop {
            let page = self.page(sort, None, marker.clone()).await;
            let page = page.map_err(|error| error.to_string())?;
            calls += 1;
            all.extend(page.databases);
            let next = page.next.filter(|next| !next.is_empty());
            if next.is_none() {
                self.pages(sort).store(calls, Ordering::Relaxed);
                return Ok(all);
            }
            if next == marker {
                return Err(format!(
                    "the list of {}s does not end: AWS gave the same page twice",
                    sort.field()
                ));
            }
            marker = next;
        }
    }

    fn pages(&self, sort: Sort) -> &AtomicUsize {
        match sort {
            Sort::Instance => &self.instance_pages,
            Sort::Cluster => &self.cluster_pages,
        }
    }

    async fn look_at_one(&self, sort: Sort, id: &str) -> Seen {
        match self.page(sort, Some(id), None).await {
            Ok(page) => match page.databases.into_iter().find(|(name, _)| name == id) {
                Some((_, live)) => Seen::Present(live),
                None => Seen::Unreadable(format!(
                    "AWS described {} {id} without content",
                    sort.field()
                )),
            },
            Err(error) if error.fault == Fault::NotFound => Seen::Absent,
            Err(error) => Seen::Unreadable(error.to_string()),
        }
    }

    /// All wanted databases of one sort, in as few calls as the last listing lets expect.
    async fn look(&self, sort: Sort, ids: &[(&ResourceKey, &str)]) -> Vec<(ResourceKey, Seen)> {
        if ids.len() <= self.pages(sort).load(Ordering::Relaxed) {
            let looks = ids
                .iter()
                .map(async |(key, id)| ((*key).clone(), self.look_at_one(sort, id).await));
            return futures_util::future::join_all(looks).await;
        }
        let listed = self.list(sort).await;
        let seen = |id: &str| match &listed {
            Ok(all) => all.get(id).cloned().map_or(Seen::Absent, Seen::Present),
            Err(cause) => Seen::Unreadable(cause.clone()),
        };
        ids.iter()
            .map(|(key, id)| ((*key).clone(), seen(id)))
            .collect()
    }

    async fn modify_instance(&self, step: &Step, permit: Permit) -> Result<(), AwsError> {
        let detail = &step.detail;
        self.cell
            .rds
            .modify_db_instance()
            .set_db_instance_identifier(text(detail, "instance"))
            .set_backup_retention_period(days(detail))
            .set_preferred_backup_window(text(detail, "preferredBackupWindow"))
            .set_preferred_maintenance_window(text(detail, "preferredMaintenanceWindow"))
            .set_deletion_protection(detail["deletionProtection"].as_bool())
            .set_apply_immediately(detail["applyImmediately"].as_bool())
            .customize()
            .interceptor(permit.ticket())
            .send()
            .await
            .map(drop)
            .map_err(|e| AwsError::from_sdk(&step.operation, &step.object, &e))
    }

    async fn modify_cluster(&self, step: &Step, permit: Permit) -> Result<(), AwsError> {
        let detail = &step.detail;
        self.cell
            .rds
            .modify_db_cluster()
            .set_db_cluster_identifier(text(detail, "cluster"))
            .set_backup_retention_period(days(detail))
            .set_preferred_backup_window(text(detail, "preferredBackupWindow"))
            .set_preferred_maintenance_window(text(detail, "preferredMaintenanceWindow"))
            .set_deletion_protection(detail["deletionProtection"].as_bool())
            .set_apply_immediately(detail["applyImmediately"].as_bool())
            .customize()
            .interceptor(permit.ticket())
            .send()
            .await
            .map(drop)
            .map_err(|e| AwsError::from_sdk(&step.operation, &step.object, &e))
    }
}

fn id(identifier: &Option<String>) -> Option<String> {
    identifier.as_ref().map(|id| id.to_ascii_lowercase())
}

fn text(detail: &Tree, field: &str) -> Option<String> {
    detail[field].as_str().map(str::to_owned)
}

fn days(detail: &Tree) -> Option<i32> {
    i32::try_from(detail["backupRetentionDays"].as_i64()?).ok()
}

impl Driver for DatabaseDriver {
    fn observe<'a>(&'a self, wanted: &'a [Wanted]) -> BoxFuture<'a, BTreeMap<ResourceKey, Seen>> {
        Box::pin(async move {
            let mut seen = BTreeMap::new();
            let mut sorts: BTreeMap<Sort, Vec<(&ResourceKey, &str)>> = BTreeMap::new();
            for want in wanted {
                match target(&want.desired) {
                    Some((sort, id)) => sorts.entry(sort).or_default().push((&want.key, id)),
                    None => {
                        let cause = "its document names no database".to_owned();
                        seen.insert(want.key.clone(), Seen::Unreadable(cause));
                    }
                }
            }
            for (sort, ids) in sorts {
                seen.extend(self.look(sort, &ids).await);
            }
            seen
        })
    }

    fn apply<'a>(
        &'a self,
        step: &'a Step,
        _earlier: &'a BTreeMap<usize, Tree>,
        permit: Permit,
    ) -> BoxFuture<'a, Result<Applied, StepError>> {
        Box::pin(async move {
            if step.operation == "rds.ModifyDBCluster" {
                self.modify_cluster(step, permit).await?;
            } else {
                self.modify_instance(step, permit).await?;
            }
            Ok(Applied::default())
        })
    }
}
