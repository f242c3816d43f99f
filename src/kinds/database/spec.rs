//! The spec of a Database document: which fields there are, and their bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An RDS instance or a cluster that exists: name one of the two. Fields that are left out stay
/// as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseSpec {
    /// Identifier of an RDS instance, 1 to 63 letters, digits and hyphens. Not a member of an
    /// Aurora, DocumentDB or Neptune cluster: their backups belong to the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9-]*$"))]
    pub instance: Option<String>,
    /// Identifier of a cluster (Aurora, Multi-AZ, DocumentDB, Neptune), 1 to 63 letters, digits
    /// and hyphens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9-]*$"))]
    pub cluster: Option<String>,
    /// How long automated backups are kept, in days: 0 to 35 for an instance, where 0 turns them
    /// off; 1 to 35 for a cluster (RDS, ModifyDBInstance and ModifyDBCluster). A shorter
    /// retention is destructive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 35))]
    pub backup_retention_days: Option<u32>,
    /// When the daily backup is made: `hh:mm-hh:mm` in UTC, at least 30 minutes, outside the
    /// maintenance window.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub preferred_backup_window: Option<String>,
    /// When AWS may do maintenance, weekly: `ddd:hh:mm-ddd:hh:mm` in UTC, such as
    /// `mon:09:00-mon:10:00`, at least 30 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(
        pattern = r"^(mon|tue|wed|thu|fri|sat|sun|Mon|Tue|Wed|Thu|Fri|Sat|Sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun|Mon|Tue|Wed|Thu|Fri|Sat|Sun):([01][0-9]|2[0-3]):[0-5][0-9]$"
    ))]
    pub preferred_maintenance_window: Option<String>,
    /// Whether AWS refuses to delete the database. Turning it off is destructive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
    /// Whether `apply` asks AWS to make a change at once that it would otherwise hold back until
    /// the maintenance window. Never sent by `run`, nor while another change is pending, which
    /// would be made at once with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply_immediately: Option<bool>,
}
