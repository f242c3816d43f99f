//! What a Database document means, and what is wrong with it.

use super::spec::DatabaseSpec;
use super::window::{SHORTEST, Window};
use crate::model::document::Document;
use crate::model::finding::Finding;
use crate::model::tree::{Tree, to_tree};

/// The field that says how long backups are kept.
pub const RETENTION: &str = "backupRetentionDays";
/// The field that says when backups are made.
pub const BACKUP_WINDOW: &str = "preferredBackupWindow";
/// The field that says when maintenance is done.
pub const MAINTENANCE_WINDOW: &str = "preferredMaintenanceWindow";
/// The field that guards against deletion.
pub const PROTECTION: &str = "deletionProtection";

fn read(document: &Document) -> Result<DatabaseSpec, serde_json::Error> {
    serde_json::from_value(document.spec.clone())
}

/// Rules that the schema cannot say.
pub fn check(document: &Document) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut error = |rule: &str, field: &str, message: String, help: &str| {
        found.push(
            Finding::error(rule, message)
                .help(help)
                .at(document.span_of(field))
                .of(&document.key),
        );
    };
    let spec = match read(document) {
        Ok(spec) => spec,
        Err(cause) => {
            let message = format!("the spec of {} cannot be read: {cause}", document.key);
            error("bad-spec", "", message, "correct the spec");
            return found;
        }
    };
    match (&spec.instance, &spec.cluster) {
        (None, None) => error(
            "one-database",
            "",
            format!("{} names neither `instance` nor `cluster`", document.key),
            "add `instance: ...` for an RDS instance, or `cluster: ...` for Aurora, DocumentDB \
             or Neptune",
        ),
        (Some(_), Some(_)) => error(
            "one-database",
            "cluster",
            format!("{} names both `instance` and `cluster`", document.key),
            "keep the one that it is about, and write a second document for the other",
        ),
        _ => {}
    }
    if spec.cluster.is_some() && spec.backup_retention_days == Some(0) {
        error(
            "retention-range",
            RETENTION,
            "backups of a cluster cannot be turned off: `backupRetentionDays` is 0".to_owned(),
            "write 1 to 35 days",
        );
    }
    let backup = spec.preferred_backup_window.as_deref();
    let backup = backup.map(|text| (BACKUP_WINDOW, text, Window::daily(text)));
    let maintenance = spec.preferred_maintenance_window.as_deref();
    let maintenance = maintenance.map(|text| (MAINTENANCE_WINDOW, text, Window::weekly(text)));
    for (field, text, window) in [backup, maintenance].into_iter().flatten() {
        if window.is_none_or(|w| w.length < SHORTEST) {
            error(
                "window-length",
                field,
                format!("`{field}` is {text}, which is no window of at least 30 minutes"),
                "write the end at least 30 minutes after the start, in UTC",
            );
        }
    }
    if let (Some((_, _, Some(daily))), Some((_, _, Some(weekly)))) = (backup, maintenance)
        && daily.overlaps(weekly)
    {
        error(
            "windows-overlap",
            MAINTENANCE_WINDOW,
            "the backup window and the maintenance window overlap, which RDS refuses".to_owned(),
            "move one of the two",
        );
    }
    found
}

/// Whether a tree is about a cluster, and the identifier, in lower case as RDS keeps it.
pub fn target(desired: &Tree) -> Option<(Sort, &str)> {
    match (desired["instance"].as_str(), desired["cluster"].as_str()) {
        (Some(id), None) => Some((Sort::Instance, id)),
        (None, Some(id)) => Some((Sort::Cluster, id)),
        _ => None,
    }
}

/// The two things of RDS that a document can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// `DBInstance`.
    Instance,
    /// `DBCluster`.
    Cluster,
}

impl Sort {
    /// As in its ARN: `db` or `cluster`.
    pub fn word(self) -> &'static str {
        match self {
            Sort::Instance => "db",
            Sort::Cluster => "cluster",
        }
    }

    /// The field of a document that names it.
    pub fn field(self) -> &'static str {
        match self {
            Sort::Instance => "instance",
            Sort::Cluster => "cluster",
        }
    }

    /// The call that changes it.
    pub fn modify(self) -> &'static str {
        match self {
            Sort::Instance => "rds.ModifyDBInstance",
            Sort::Cluster => "rds.ModifyDBCluster",
        }
    }
}

/// The database that the document speaks for.
pub fn claims(document: &Document) -> Vec<String> {
    target(&desired(document))
        .map(|(sort, id)| vec![format!("rds:{}:{id}", sort.word())])
        .unwrap_or_default()
}

/// The document's fields, with identifiers and days in lower case, as RDS answers them.
pub fn desired(document: &Document) -> Tree {
    let Ok(mut spec) = read(document) else {
        return Tree::Null;
    };
    for text in [
        &mut spec.instance,
        &mut spec.cluster,
        &mut spec.preferred_maintenance_window,
    ]
    .into_iter()
    .flatten()
    {
        text.make_ascii_lowercase();
    }
    to_tree(&spec)
}

#[cfg(test)]
mod tests {
    use super::super::Database;
    use crate::kinds::Kind as _;
    use crate::kinds::trial::{document, rules_found};
    use serde_json::{Value, json};

    fn rules(spec: Value) -> Vec<String> {
        rules_found(&Database, spec)
    }

    #[test]
    fn a_document_names_an_instance_or_a_cluster_and_not_both() {
        assert_eq!(rules(json!({})), ["one-database"]);
        assert_eq!(
            rules(json!({"instance": "a", "cluster": "b"})),
            ["one-database"]
        );
        assert!(rules(json!({"instance": "a"})).is_empty());
    }

    #[test]
    fn backups_of_an_instance_may_be_off_and_those_of_a_cluster_may_not() {
        assert!(rules(json!({"instance": "a", "backupRetentionDays": 0})).is_empty());
        assert_eq!(
            rules(json!({"cluster": "a", "backupRetentionDays": 0})),
            ["retention-range"]
        );
    }

    #[test]
    fn a_window_is_at_least_half_an_hour_long() {
        let with = |window: &str| json!({"instance": "a", "preferredBackupWindow": window});
        assert!(rules(with("23:45-00:15")).is_empty());
        assert_eq!(rules(with("02:00-02:29")), ["window-length"]);
    }

    #[test]
    fn windows_that_overlap_are_an_error() {
        let spec = json!({
            "instance": "a",
            "preferredBackupWindow": "02:00-04:00",
            "preferredMaintenanceWindow": "Mon:03:00-Mon:04:00",
        });
        assert_eq!(rules(spec), ["windows-overlap"]);
    }

    #[test]
    fn identifiers_are_one_whatever_their_case() {
        let spec =
            json!({"instance": "Shop-DB", "preferredMaintenanceWindow": "Mon:03:00-Mon:04:00"});
        let document = document("Database", spec);
        assert_eq!(
            Database.claims(&document, &Default::default()),
            ["rds:db:shop-db"]
        );
        let desired = Database.desired(&document, &Default::default());
        assert_eq!(desired["preferredMaintenanceWindow"], "mon:03:00-mon:04:00");
    }
}
