//! What ModifyDBInstance and ModifyDBCluster allow, what they do at once, and what waits (RDS API Reference).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::window::{Daily, Weekly};
use super::{Database, Shape};
use crate::twin::wire::TwinError;

/// Applied at once, whatever `ApplyImmediately` says.
const AT_ONCE: &[&str] = &[
    "DeletionProtection",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "CopyTagsToSnapshot",
];

/// Waiting for the maintenance window unless `ApplyImmediately` is set.
const WAITING: &[&str] = &[
    "AllocatedStorage",
    "DBInstanceClass",
    "EngineVersion",
    "Iops",
    "MultiAZ",
    "StorageType",
];

/// Changes a database, or leaves it exactly as it was.
///
/// `ApplyImmediately` also applies every value that is pending already.
pub(super) fn modify(
    database: &mut Database,
    input: &Value,
    now: Timestamp,
    modifying_for: Duration,
) -> Result<(), TwinError> {
    let status = database.text(database.shape.status()).to_owned();
    // Optimizing storage forbids changes of the storage alone, which this model does not make.
    if status != "available" && status != "storage-optimization" {
        return Err(database.shape.wrong_state(database.id(), &status));
    }
    check(database, input)?;
    let immediately = input["ApplyImmediately"] == true;
    let (mut applied, mut waiting) = (false, Map::new());
    for (member, value) in input.as_object().into_iter().flatten() {
        let live = database.members.get(member);
        if value.is_null() || is_control(member, database.shape) {
            continue;
        }
        if live == Some(value) && pending(database).is_none_or(|p| !p.contains_key(member)) {
            continue;
        }
        if is_at_once(database, member, value) {
            database.members.insert(member.clone(), value.clone());
            unpend(database, member);
            applied = true;
        } else {
            waiting.insert(member.clone(), value.clone());
        }
    }
    for (member, value) in waiting {
        // Asking for the value that is live takes a pending one back.
        if database.members.get(&member) == Some(&value) {
            unpend(database, &member);
            continue;
        }
        let pending = database
            .members
            .entry("PendingModifiedValues")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(pending) = pending {
            pending.insert(member, value);
        }
        database.pending_since.get_or_insert(now);
    }
    if immediately && flush(database) {
        applied = true;
    }
    if applied {
        database.begin_modifying(now, modifying_for);
    }
    Ok(())
}

/// Makes every pending value live. Says whether there was one.
pub(super) fn flush(database: &mut Database) -> bool {
    database.pending_since = None;
    let Some(Value::Object(pending)) = database.members.get_mut("PendingModifiedValues") else {
        return false;
    };
    let pending = std::mem::take(pending);
    let any = !pending.is_empty();
    database.members.extend(pending);
    tidy(database);
    any
}

fn pending(database: &Database) -> Option<&Map<String, Value>> {
    database.members.get("PendingModifiedValues")?.as_object()
}

fn unpend(database: &mut Database, member: &str) {
    if let Some(Value::Object(pending)) = database.members.get_mut("PendingModifiedValues") {
        pending.remove(member);
        if pending.is_empty() {
            database.pending_since = None;
        }
    }
    tidy(database);
}

/// A cluster without pending values does not show the member at all; an instance shows it empty.
fn tidy(database: &mut Database) {
    if database.shape == Shape::Cluster && pending(database).is_some_and(Map::is_empty) {
        database.members.remove("PendingModifiedValues");
    }
}

fn is_control(member: &str, shape: Shape) -> bool {
    member == "ApplyImmediately" || member == shape.identifier()
}

fn is_at_once(database: &Database, member: &str, value: &Value) -> bool {
    // DocumentDB: ApplyImmediately concerns only the identifier and the password.
    if database.is_docdb() || AT_ONCE.contains(&member) {
        return true;
    }
    // Between 0 and anything else backups are switched on or off, which stops I/O for a moment:
    // that waits. From one length to another does not.
    let live = database.members.get(member).and_then(Value::as_i64);
    member == "BackupRetentionPeriod" && (live == Some(0)) == (value.as_i64() == Some(0))
}

fn check(database: &Database, input: &Value) -> Result<(), TwinError> {
    let known = |member: &str| {
        is_control(member, database.shape)
            || member == "BackupRetentionPeriod"
            || AT_ONCE.contains(&member)
            || WAITING.contains(&member)
    };
    for member in input.as_object().into_iter().flatten().map(|(m, _)| m) {
        if !known(member) {
            return Err(TwinError::client(
                "UnknownParameter",
                format!("the twin does not model {member} of ModifyDB*"),
            ));
        }
    }
    let backup = ["BackupRetentionPeriod", "PreferredBackupWindow"];
    let differs = |m: &str| !input[m].is_null() && database.members.get(m) != Some(&input[m]);
    if let Some(member) = backup.into_iter().find(|m| differs(m)) {
        if !database.text("AwsBackupRecoveryPointArn").is_empty() {
            return Err(TwinError::client(
                "InvalidParameterCombination",
                format!("{member} is managed by AWS Backup and cannot be modified here"),
            ));
        }
        if database.shape == Shape::Instance && !database.text("DBClusterIdentifier").is_empty() {
            return Err(TwinError::client(
                "InvalidParameterCombination",
                format!(
                    "{member} of an instance in a DB cluster is that of its cluster; use ModifyDBCluster"
                ),
            ));
        }
    }
    check_retention(database, input)?;
    check_windows(database, input)
}

fn check_retention(database: &Database, input: &Value) -> Result<(), TwinError> {
    let Some(days) = input["BackupRetentionPeriod"].as_i64() else {
        return Ok(());
    };
    let allowed = match database.shape {
        Shape::Instance => 0..=35,
        Shape::Cluster => 1..=35,
    };
    if !allowed.contains(&days) {
        return Err(invalid(format!(
            "Invalid backup retention period: {days}. Must be between {} and {}.",
            allowed.start(),
            allowed.end()
        )));
    }
    let replicas = database.members.get("ReadReplicaDBInstanceIdentifiers");
    let feeds = replicas
        .and_then(Value::as_array)
        .is_some_and(|r| !r.is_empty());
    if days == 0 && feeds {
        return Err(TwinError::client(
            "InvalidParameterCombination",
            "Backups cannot be switched off on an instance that has read replicas.",
        ));
    }
    Ok(())
}

fn check_windows(database: &Database, input: &Value) -> Result<(), TwinError> {
    let asked = |member: &str| input[member].as_str();
    let (backup, maintenance) = ("PreferredBackupWindow", "PreferredMaintenanceWindow");
    if asked(backup).is_none() && asked(maintenance).is_none() {
        return Ok(());
    }
    let backup = asked(backup).unwrap_or_else(|| database.text(backup));
    let maintenance = asked(maintenance).unwrap_or_else(|| database.text(maintenance));
    let daily = Daily::parse(backup).ok_or_else(|| {
        invalid(format!(
            "Invalid backup window format or duration: {backup}. hh24:mi-hh24:mi, at least 30 minutes."
        ))
    })?;
    let weekly = Weekly::parse(maintenance).ok_or_else(|| {
        invalid(format!(
            "Invalid maintenance window format or duration: {maintenance}. ddd:hh24:mi-ddd:hh24:mi, 30 minutes to a day."
        ))
    })?;
    if daily.overlaps(weekly) {
        return Err(invalid(format!(
            "The backup window and maintenance window must not overlap: {backup}, {maintenance}."
        )));
    }
    Ok(())
}

fn invalid(message: String) -> TwinError {
    TwinError::client("InvalidParameterValue", message)
}
