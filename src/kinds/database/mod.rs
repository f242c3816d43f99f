//! Database: how long backups of an RDS instance or cluster are kept, and when they are made.

mod aws;
mod decide;
mod rules;
mod spec;
mod view;
mod window;
mod written;

use std::sync::Arc;

use super::{Decision, Driver, FieldRule, Found, Kind, Question};
use crate::aws::cell::Cell;
use crate::model::change::{Drift, Step};
use crate::model::document::{DesiredSet, Document};
use crate::model::finding::Finding;
use crate::model::stake::Stake;
use crate::model::tree::{FieldPath, Tree};
use crate::model::written::Written;

/// The kind `Database`.
#[derive(Debug)]
pub struct Database;

impl Kind for Database {
    fn name(&self) -> &'static str {
        "Database"
    }

    fn about(&self) -> &'static str {
        "An RDS instance, or a cluster of Aurora, DocumentDB or Neptune, that exists: its backups, \
         its windows and its deletion protection."
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(spec::DatabaseSpec)
    }

    fn example(&self) -> &'static str {
        "apiVersion: evenkeel/v1alpha1
kind: Database
metadata: {app: semiont, name: postgres}
spec:
  instance: semiont-postgres
  backupRetentionDays: 7
  preferredBackupWindow: \"02:00-04:00\"
  preferredMaintenanceWindow: \"mon:09:00-mon:10:00\"
  deletionProtection: true
"
    }

    fn rules(&self) -> &'static [FieldRule] {
        static RULES: &[FieldRule] = &[
            FieldRule::amount(rules::RETENTION, Stake::Data, Stake::Cost),
            FieldRule::exact(rules::BACKUP_WINDOW, Stake::Availability),
            FieldRule::exact(rules::MAINTENANCE_WINDOW, Stake::Availability),
            FieldRule::exact(rules::PROTECTION, Stake::Data),
        ];
        RULES
    }

    fn stake(&self) -> Stake {
        Stake::Data
    }

    fn changed_by(&self, path: &FieldPath) -> &'static [&'static str] {
        if path.segments().is_empty() {
            &["rds.DeleteDBInstance", "rds.DeleteDBCluster"]
        } else {
            &["rds.ModifyDBInstance", "rds.ModifyDBCluster"]
        }
    }

    fn check(&self, document: &Document, _set: &DesiredSet) -> Vec<Finding> {
        rules::check(document)
    }

    fn claims(&self, document: &Document, _set: &DesiredSet) -> Vec<String> {
        rules::claims(document)
    }

    fn named_by(&self) -> &'static [&'static str] {
        &["instance", "cluster"]
    }

    fn desired(&self, document: &Document, _set: &DesiredSet) -> Tree {
        rules::desired(document)
    }

    fn identity(&self) -> &'static [&'static str] {
        &["instance", "cluster", "applyImmediately"]
    }

    fn decide(&self, question: &Question<'_>) -> Decision {
        decide::decide(question)
    }

    fn mends(&self, step: &Step, drift: &[Drift]) -> Vec<Drift> {
        // A field that is held back is not in the request.
        let here = |d: &&Drift| {
            let field = d.path.segments().get(1);
            field.and_then(|field| step.detail.get(field)) == Some(&d.desired)
        };
        drift.iter().filter(here).cloned().collect()
    }

    fn written(&self, found: &Found<'_>) -> Result<Written, String> {
        written::written(found)
    }

    fn driver(&self, cell: &Arc<Cell>) -> Box<dyn Driver> {
        Box::new(aws::DatabaseDriver::new(cell))
    }

    fn reads(&self) -> &'static [&'static str] {
        &["rds.DescribeDBClusters", "rds.DescribeDBInstances"]
    }

    fn writes(&self) -> &'static [&'static str] {
        &["rds.ModifyDBCluster", "rds.ModifyDBInstance"]
    }
}
