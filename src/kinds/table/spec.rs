//! The spec of a Table document: which fields there are, and their bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A DynamoDB table that exists. Fields that are left out stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableSpec {
    /// Name of the table, 3 to 255 characters of `A-Z a-z 0-9 _ . -`.
    #[schemars(length(min = 3, max = 255), regex(pattern = r"^[A-Za-z0-9_.-]+$"))]
    pub table_name: String,
    /// Continuous backups, to restore the table as of any second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point_in_time_recovery: Option<PointInTimeRecovery>,
    /// Whether AWS refuses to delete the table. Turning it off is destructive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
}

/// Continuous backups of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointInTimeRecovery {
    /// Whether they are made. Turning them off is destructive.
    pub enabled: bool,
    /// How far back the table can be restored, in days, 1 to 35 (DynamoDB,
    /// UpdateContinuousBackups). Making it shorter is destructive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 35))]
    pub recovery_period_days: Option<u32>,
}
