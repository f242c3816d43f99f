//! How tables are read from and written to DynamoDB.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{
    ContinuousBackupsDescription, PointInTimeRecoverySpecification, PointInTimeRecoveryStatus,
    TableDescription,
};
use futures_util::future::join_all;
use serde_json::json;

use crate::aws::call::{AwsError, Permit, read};
use crate::aws::cell::Cell;
use crate::aws::fault::Fault;
use crate::kinds::{Applied, BoxFuture, Driver, StepError, Wanted};
use crate::model::change::Step;
use crate::model::key::ResourceKey;
use crate::model::snapshot::{Live, Seen};
use crate::model::tree::Tree;

/// How far back recovery goes where nobody said (API reference, PointInTimeRecoverySpecification).
const DEFAULT_DAYS: i32 = 35;

/// Reads and writes tables of one cell.
#[derive(Debug)]
pub struct TableDriver {
    cell: Arc<Cell>,
}

impl TableDriver {
    /// Over `cell`.
    pub fn new(cell: &Arc<Cell>) -> Self {
        Self { cell: cell.clone() }
    }

    /// Two calls, since DynamoDB lists neither field for many tables at once.
    async fn look(&self, table: &str) -> Result<Seen, AwsError> {
        let client = &self.cell.dynamodb;
        let described = read(&self.cell, "dynamodb.DescribeTable", table, || {
            client.describe_table().table_name(table).send()
        })
        .await;
        let description = match described {
            Ok(answer) => answer.table,
            Err(error) if error.fault == Fault::NotFound => return Ok(Seen::Absent),
            Err(error) => return Err(error),
        };
        // A table that went between the two calls is an error here; the next look sees it gone.
        let backups = read(
            &self.cell,
            "dynamodb.DescribeContinuousBackups",
            table,
            || {
                client
                    .describe_continuous_backups()
                    .table_name(table)
                    .send()
            },
        )
        .await?
        .continuous_backups_description;
        Ok(match (description, backups) {
            (Some(description), Some(backups)) => seen(table, &description, &backups),
            _ => Seen::Unreadable(format!("AWS described table {table} without content")),
        })
    }

    async fn write(&self, step: &Step, permit: Permit) -> Result<(), AwsError> {
        let detail = &step.detail;
        let table = detail["tableName"].as_str().unwrap_or_default();
        if step.operation == "dynamodb.UpdateTable" {
            self.cell
                .dynamodb
                .update_table()
                .table_name(table)
                .set_deletion_protection_enabled(detail["deletionProtection"].as_bool())
                .customize()
                .interceptor(permit.ticket())
                .send()
                .await
                .map(drop)
                .map_err(|e| AwsError::from_sdk(&step.operation, &step.object, &e))
        } else {
            self.cell
                .dynamodb
                .update_continuous_backups()
                .table_name(table)
                .set_point_in_time_recovery_specification(recovery(detail))
                .customize()
                .interceptor(permit.ticket())
                .send()
                .await
                .map(drop)
                .map_err(|e| AwsError::from_sdk(&step.operation, &step.object, &e))
        }
    }
}

fn recovery(detail: &Tree) -> Option<PointInTimeRecoverySpecification> {
    let wanted = &detail["pointInTimeRecovery"];
    let days = wanted["recoveryPeriodDays"].as_i64();
    PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(wanted["enabled"].as_bool()?)
        .set_recovery_period_in_days(days.and_then(|days| i32::try_from(days).ok()))
        .build()
        .ok()
}

fn seen(
    table: &str,
    description: &TableDescription,
    backups: &ContinuousBackupsDescription,
) -> Seen {
    let Some(status) = &description.table_status else {
        return Seen::Unreadable(format!("AWS described table {table} without a status"));
    };
    let recovery = backups.point_in_time_recovery_description.as_ref();
    let enabled = match recovery.and_then(|r| r.point_in_time_recovery_status.as_ref()) {
        Some(PointInTimeRecoveryStatus::Enabled) => true,
        Some(PointInTimeRecoveryStatus::Disabled) | None => false,
        Some(other) => {
            return Seen::Unreadable(format!(
                "point-in-time recovery of table {table} has the status {}, which this build \
                 does not know",
                other.as_str()
            ));
        }
    };
    let mut recovered = json!({"enabled": enabled});
    if enabled {
        // Not said is not none: unknown, a cut of it would look harmless.
        let days = recovery.and_then(|r| r.recovery_period_in_days);
        recovered["recoveryPeriodDays"] = json!(days.unwrap_or(DEFAULT_DAYS));
    }
    Seen::Present(Live {
        view: json!({
            "tableName": table,
            "pointInTimeRecovery": recovered,
            "deletionProtection": description.deletion_protection_enabled.unwrap_or(false),
        }),
        facts: json!({"status": status.as_str()}),
    })
}

impl Driver for TableDriver {
    fn observe<'a>(&'a self, wanted: &'a [Wanted]) -> BoxFuture<'a, BTreeMap<ResourceKey, Seen>> {
        Box::pin(async move {
            let looks = wanted.iter().map(|want| async move {
                let seen = match want.desired["tableName"].as_str() {
                    Some(table) => self
                        .look(table)
                        .await
                        .unwrap_or_else(|error| Seen::Unreadable(error.to_string())),
                    None => Seen::Unreadable("its document names no table".to_owned()),
                };
                (want.key.clone(), seen)
            });
            join_all(looks).await.into_iter().collect()
        })
    }

    fn apply<'a>(
        &'a self,
        step: &'a Step,
        _earlier: &'a BTreeMap<usize, Tree>,
        permit: Permit,
    ) -> BoxFuture<'a, Result<Applied, StepError>> {
        Box::pin(async move {
            self.write(step, permit).await?;
            Ok(Applied::default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Table;
    use super::*;
    use crate::kinds::trial::{ALL_ALLOWED, ask};
    use crate::kinds::{Decision, Policy};
    use crate::model::change::{Hold, Risk};
    use aws_sdk_dynamodb::types::{
        ContinuousBackupsStatus, PointInTimeRecoveryDescription, TableStatus,
    };

    #[test]
    fn recovery_of_a_period_that_aws_does_not_say_goes_back_35_days() {
        let description = TableDescription::builder()
            .table_status(TableStatus::Active)
            .build();
        let recovery = PointInTimeRecoveryDescription::builder()
            .point_in_time_recovery_status(PointInTimeRecoveryStatus::Enabled)
            .build();
        let backups = ContinuousBackupsDescription::builder()
            .continuous_backups_status(ContinuousBackupsStatus::Enabled)
            .point_in_time_recovery_description(recovery)
            .build()
            .unwrap();
        let Seen::Present(live) = seen("sessions", &description, &backups) else {
            panic!("not there");
        };
        let spec = |days: u32| {
            json!({
                "tableName": "sessions",
                "pointInTimeRecovery": {"enabled": true, "recoveryPeriodDays": days},
            })
        };
        let live = || Some((live.view.clone(), live.facts.clone()));
        let same = ask(&Table, spec(35), live(), &ALL_ALLOWED);
        assert_eq!(same, Decision::default());
        let cut = ask(&Table, spec(7), live(), &ALL_ALLOWED);
        assert_eq!(cut.risk.unwrap().0, Risk::Destructive);
        let held = ask(&Table, spec(7), live(), &Policy::CONTROLLER);
        assert!(held.steps.is_empty());
        assert!(matches!(held.holds[..], [Hold::Destructive { .. }]));
    }
}
