//! What a Database document says of a live database. Pure: a live object in, a spec out.

use super::rules::{BACKUP_WINDOW, MAINTENANCE_WINDOW, PROTECTION, RETENTION};
use crate::kinds::Found;
use crate::model::tree::Tree;
use crate::model::written::Written;

/// Retention and windows, which AWS chooses by itself where nobody does, and protection where it is
/// on. What another owner keeps is left out, and said.
pub fn written(found: &Found<'_>) -> Result<Written, String> {
    let (view, facts) = (&found.live.view, &found.live.facts);
    let text = |tree: &Tree, name: &str| tree[name].as_str().map(str::to_owned);
    let mut written = Written::default();
    for field in ["instance", "cluster"] {
        written.put_some(field, text(found.by, field));
    }
    let mut left: Vec<&str> = Vec::new();
    if let Some(cluster) = text(facts, "memberOf") {
        left.extend([RETENTION, BACKUP_WINDOW, PROTECTION]);
        written.beyond.push(format!(
            "it is a member of the cluster {cluster}, which owns backups and protection: import \
             that one with --database"
        ));
    }
    if let Some(point) = text(facts, "awsBackup") {
        left.extend([RETENTION, BACKUP_WINDOW]);
        written.beyond.push(format!(
            "AWS Backup manages its backups ({point}), so retention and window are its plan's"
        ));
    }
    if let Some(pending) = facts["pending"][RETENTION].as_u64()
        && Some(pending) != view[RETENTION].as_u64()
        && !left.contains(&RETENTION)
    {
        left.push(RETENTION);
        written.beyond.push(format!(
            "a `{RETENTION}` of {pending} is pending in place of {}: add the field when AWS has \
             changed it",
            view[RETENTION]
        ));
    }
    let owned = |field: &&str| !left.contains(field);
    if owned(&RETENTION) {
        written.put_some(RETENTION, view[RETENTION].as_u64());
    }
    for field in [BACKUP_WINDOW, MAINTENANCE_WINDOW] {
        if owned(&field) {
            written.put_some(field, text(view, field));
        }
    }
    if owned(&PROTECTION) && view[PROTECTION].as_bool() == Some(true) {
        written.put(PROTECTION, true);
    }
    Ok(written)
}
