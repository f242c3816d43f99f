//! Table: how far back a DynamoDB table can be restored, and whether it can be deleted.

mod aws;
mod rules;
mod spec;
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

/// The kind `Table`.
#[derive(Debug)]
pub struct Table;

impl Kind for Table {
    fn name(&self) -> &'static str {
        "Table"
    }

    fn about(&self) -> &'static str {
        "A DynamoDB table that exists: its point-in-time recovery and its deletion protection."
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(spec::TableSpec)
    }

    fn example(&self) -> &'static str {
        "apiVersion: evenkeel/v1alpha1
kind: Table
metadata: {app: semiont, name: sessions}
spec:
  tableName: semiont-sessions
  pointInTimeRecovery: {enabled: true, recoveryPeriodDays: 35}
  deletionProtection: true
"
    }

    fn rules(&self) -> &'static [FieldRule] {
        static RULES: &[FieldRule] = &[
            FieldRule::exact("pointInTimeRecovery.enabled", Stake::Data),
            FieldRule::amount(
                "pointInTimeRecovery.recoveryPeriodDays",
                Stake::Data,
                Stake::Cost,
            ),
            FieldRule::exact("deletionProtection", Stake::Data),
        ];
        RULES
    }

    fn stake(&self) -> Stake {
        Stake::Data
    }

    fn changed_by(&self, path: &FieldPath) -> &'static [&'static str] {
        match path.segments().get(1).map(String::as_str) {
            Some("pointInTimeRecovery") => &["dynamodb.UpdateContinuousBackups"],
            Some(_) => &["dynamodb.UpdateTable"],
            None => &["dynamodb.DeleteTable"],
        }
    }

    fn check(&self, document: &Document, _set: &DesiredSet) -> Vec<Finding> {
        rules::check(document)
    }

    fn claims(&self, document: &Document, _set: &DesiredSet) -> Vec<String> {
        rules::claims(document)
    }

    fn named_by(&self) -> &'static [&'static str] {
        &["tableName"]
    }

    fn desired(&self, document: &Document, _set: &DesiredSet) -> Tree {
        rules::desired(document)
    }

    fn identity(&self) -> &'static [&'static str] {
        &["tableName"]
    }

    fn decide(&self, question: &Question<'_>) -> Decision {
        rules::decide(question)
    }

    fn mends(&self, step: &Step, drift: &[Drift]) -> Vec<Drift> {
        rules::mends(step, drift)
    }

    fn written(&self, found: &Found<'_>) -> Result<Written, String> {
        written::written(found)
    }

    fn driver(&self, cell: &Arc<Cell>) -> Box<dyn Driver> {
        Box::new(aws::TableDriver::new(cell))
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "dynamodb.DescribeContinuousBackups",
            "dynamodb.DescribeTable",
        ]
    }

    fn writes(&self) -> &'static [&'static str] {
        &["dynamodb.UpdateContinuousBackups", "dynamodb.UpdateTable"]
    }
}
