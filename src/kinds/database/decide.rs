//! What to do when a live database is not as its document says. Pure: values in, a decision out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::rules::{BACKUP_WINDOW, MAINTENANCE_WINDOW, PROTECTION, RETENTION, Sort, target};
use super::window::Window;
use crate::kinds::{Allow, Decision, Question};
use crate::model::change::{Drift, Hold, Risk, Step};
use crate::model::snapshot::Live;
use crate::model::tree::{FieldPath, Tree};

/// In which statuses RDS takes these changes. Optimizing storage takes hours, in which the instance
/// works on and only its storage cannot be changed (RDS user guide, DB instance status).
const CHANGEABLE: [&str; 2] = ["available", "storage-optimization"];

/// The fields to write, thinned out as reasons not to write them are found.
struct Sorting<'q> {
    question: &'q Question<'q>,
    live: &'q Live,
    name: String,
    write: BTreeMap<&'static str, Drift>,
    decision: Decision,
}

/// At most one write, with all fields that may be written.
pub fn decide(question: &Question<'_>) -> Decision {
    let Some((sort, id)) = target(question.desired) else {
        return Decision::default();
    };
    let Some(live) = question.live else {
        let field = sort.field();
        let help = format!("create {field} {id} with the tool that owns it, or correct `{field}`");
        return Decision {
            holds: vec![Hold::MustExist { help }],
            ..Decision::default()
        };
    };
    let mut sorting = Sorting {
        question,
        live,
        name: format!("{} {id}", sort.field()),
        write: BTreeMap::new(),
        decision: Decision::default(),
    };
    sorting.collect();
    sorting.leave_to_the_cluster();
    sorting.leave_to_backup_plans();
    sorting.refuse_contradictions();
    let immediately = sorting.settle_pending();
    sorting.wait_for_status();
    let losses = sorting.hold_losses();
    sorting.finish(sort, id, immediately, losses)
}

impl Sorting<'_> {
    fn fact(&self, name: &str) -> &str {
        self.live.facts[name].as_str().unwrap_or_default()
    }

    fn pending_days(&self) -> Option<u64> {
        self.live.facts["pending"][RETENTION].as_u64()
    }

    /// Takes the drift up, and adds a pending retention that would undo one that is in order.
    fn collect(&mut self) {
        for field in [RETENTION, BACKUP_WINDOW, MAINTENANCE_WINDOW, PROTECTION] {
            let path = FieldPath::of(["spec", field]);
            if let Some(drift) = self.question.drift.iter().find(|d| d.path == path) {
                self.write.insert(field, drift.clone());
            }
        }
        let wanted = self.question.desired[RETENTION].as_u64();
        if let (Some(wanted), Some(pending)) = (wanted, self.pending_days())
            && wanted != pending
            && !self.write.contains_key(RETENTION)
        {
            let drift = Drift {
                path: FieldPath::of(["spec", RETENTION]),
                desired: json!(wanted),
                live: json!(format!("{wanted}, with {pending} pending")),
            };
            self.decision.more_drift.push(drift.clone());
            self.write.insert(RETENTION, drift);
        }
    }

    /// Takes `fields` off the write and says whether any of them was on it.
    fn take(&mut self, fields: &[&'static str]) -> BTreeSet<&'static str> {
        fields
            .iter()
            .filter(|field| self.write.remove(*field).is_some())
            .copied()
            .collect()
    }

    fn leave_to_the_cluster(&mut self) {
        let cluster = self.fact("memberOf").to_owned();
        if cluster.is_empty() {
            return;
        }
        let taken = self.take(&[RETENTION, BACKUP_WINDOW, PROTECTION]);
        if !taken.is_empty() {
            let why = format!(
                "{} is a member of cluster {cluster}, which owns {}; write a document with \
                 `cluster: {cluster}` and take the fields out of this one",
                self.name,
                list(&taken)
            );
            self.decision.holds.push(Hold::OwnedElsewhere { why });
        }
    }

    fn leave_to_backup_plans(&mut self) {
        let point = self.fact("awsBackup").to_owned();
        if point.is_empty() {
            return;
        }
        let taken = self.take(&[RETENTION, BACKUP_WINDOW]);
        if !taken.is_empty() {
            let why = format!(
                "AWS Backup manages the backups of {} ({point}) and owns {}; change its backup \
                 plan, or take the fields out of the document",
                self.name,
                list(&taken)
            );
            self.decision.holds.push(Hold::OwnedElsewhere { why });
        }
    }

    fn refuse_contradictions(&mut self) {
        let off = self
            .write
            .get(RETENTION)
            .is_some_and(|d| d.desired.as_u64() == Some(0));
        if off && self.live.facts["hasReplicas"].as_bool() == Some(true) {
            self.take(&[RETENTION]);
            let why = format!(
                "{} has read replicas, which need its backups: `{RETENTION}` cannot be 0; keep \
                 at least 1 day, or remove the replicas",
                self.name
            );
            self.decision.holds.push(Hold::Conflict { why });
        }
        let after = |field: &str| match self.question.desired[field].as_str() {
            Some(text) => Some(text.to_owned()),
            None => self.live.view[field].as_str().map(str::to_owned),
        };
        let touched =
            self.write.contains_key(BACKUP_WINDOW) || self.write.contains_key(MAINTENANCE_WINDOW);
        if let (true, Some(backup), Some(maintenance)) =
            (touched, after(BACKUP_WINDOW), after(MAINTENANCE_WINDOW))
            && let (Some(daily), Some(weekly)) =
                (Window::daily(&backup), Window::weekly(&maintenance))
            && daily.overlaps(weekly)
        {
            self.take(&[BACKUP_WINDOW, MAINTENANCE_WINDOW]);
            let why = format!(
                "the backup window {backup} and the maintenance window {maintenance} of {} would \
                 overlap, which RDS refuses; name both windows in the document and move one",
                self.name
            );
            self.decision.holds.push(Hold::Conflict { why });
        }
    }

    /// Decides on a retention that AWS holds back, and whether to ask for it now.
    fn settle_pending(&mut self) -> bool {
        let Some(drift) = self.write.get(RETENTION).cloned() else {
            return false;
        };
        let wanted = drift.desired.as_u64();
        let pending = self.pending_days();
        let asked = self.question.desired["applyImmediately"].as_bool() == Some(true);
        let allowed = self.question.policy.apply_immediately == Allow::Yes;
        // DocumentDB changes its retention at once, whatever the flag says.
        let immediately = asked && allowed && self.fact("engine") != "docdb";
        let others: Vec<&str> = self.live.facts["pendingOthers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Tree::as_str)
            .collect();
        if immediately && !others.is_empty() {
            let why = format!(
                "`applyImmediately` would also make other pending changes of {} at once ({}); \
                 let its maintenance window pass first, or take `applyImmediately` out",
                self.name,
                others.join(", ")
            );
            self.take(&[RETENTION]);
            self.decision.holds.push(Hold::Conflict { why });
            return false;
        }
        if pending.is_some() && pending == wanted && !immediately {
            let window = self.live.view[MAINTENANCE_WINDOW]
                .as_str()
                .map_or_else(String::new, |w| format!(" ({w} UTC)"));
            let hint = match (asked, allowed) {
                (true, false) => "; `applyImmediately` is sent by `evenkeel apply` only",
                (true, true) => "",
                (false, _) => "; `applyImmediately: true` asks for it now",
            };
            let why = format!(
                "`{RETENTION}` of {} is {} and {} is pending: AWS changes it in the maintenance \
                 window{window}{hint}",
                self.name,
                drift.live,
                wanted.unwrap_or_default()
            );
            self.take(&[RETENTION]);
            self.decision.excused.push(drift.path);
            self.decision.holds.push(Hold::Pending { why });
            return false;
        }
        immediately
    }

    fn wait_for_status(&mut self) {
        let status = self.fact("status").to_owned();
        if self.write.is_empty() || CHANGEABLE.contains(&status.as_str()) {
            return;
        }
        self.write.clear();
        let stuck = [
            "deleting",
            "failed",
            "inaccessible-encryption-credentials",
            "stopped",
            "stopping",
            "storage-full",
        ]
        .contains(&status.as_str())
            || status.starts_with("incompatible-");
        let name = &self.name;
        self.decision.holds.push(if stuck {
            let why =
                format!("{name} is {status}, so AWS takes no change; bring it to available first");
            Hold::Conflict { why }
        } else {
            let why = format!("{name} is {status}; written when it is available");
            Hold::Pending { why }
        });
    }

    /// What the fields would destroy; without the permission those fields are held.
    fn hold_losses(&mut self) -> Vec<String> {
        let mut losses = Vec::new();
        let name = self.name.clone();
        if let Some(drift) = self.write.get(RETENTION) {
            let wanted = drift.desired.as_u64().unwrap_or_default();
            let now = self.live.view[RETENTION].as_u64().unwrap_or_default();
            if wanted == 0 && now > 0 {
                let why = format!("the automated backups of {name} are deleted and none are made");
                losses.push((RETENTION, why));
            } else if wanted < now {
                let why = format!(
                    "{name} can no longer be restored to points {wanted} to {now} days back"
                );
                losses.push((RETENTION, why));
            }
        }
        if let Some(drift) = self.write.get(PROTECTION)
            && drift.desired.as_bool() == Some(false)
        {
            losses.push((
                PROTECTION,
                format!("deletion protection of {name} goes off"),
            ));
        }
        if self.question.policy.destructive == Allow::Yes {
            return losses.into_iter().map(|(_, why)| why).collect();
        }
        for (field, why) in losses {
            // The harmless part is not kept waiting for a permission that it does not need.
            self.take(&[field]);
            self.decision.holds.push(Hold::Destructive { why });
        }
        Vec::new()
    }

    fn finish(mut self, sort: Sort, id: &str, immediately: bool, losses: Vec<String>) -> Decision {
        if self.write.is_empty() {
            return self.decision;
        }
        let immediately = immediately && self.write.contains_key(RETENTION);
        let mut detail = serde_json::Map::new();
        detail.insert(sort.field().to_owned(), json!(id));
        for (field, drift) in &self.write {
            detail.insert((*field).to_owned(), drift.desired.clone());
        }
        detail.insert("applyImmediately".to_owned(), json!(immediately));
        let fields: Vec<String> = self
            .write
            .iter()
            .map(|(field, drift)| format!("{field} {}", plain(&drift.desired)))
            .collect();
        let now = if immediately { ", at once" } else { "" };
        self.decision.steps.push(Step {
            operation: sort.modify().to_owned(),
            object: format!("{}:{id}", sort.word()),
            title: format!("set {} of {}{now}", fields.join(", "), self.name),
            detail: Tree::Object(detail),
        });
        self.decision.risk = Some(self.risk(sort, immediately, losses));
        self.decision
    }

    fn risk(&self, sort: Sort, immediately: bool, losses: Vec<String>) -> (Risk, String) {
        if !losses.is_empty() {
            return (Risk::Destructive, losses.join("; "));
        }
        let crosses_zero = sort == Sort::Instance
            && self.write.get(RETENTION).is_some_and(|d| {
                (d.desired.as_u64() == Some(0)) != (self.live.view[RETENTION].as_u64() == Some(0))
            });
        match (crosses_zero, immediately) {
            (true, true) => (
                Risk::Disruptive,
                format!(
                    "turning backups on or off suspends I/O of {} briefly",
                    self.name
                ),
            ),
            (true, false) => (
                Risk::Routine,
                "AWS waits for the maintenance window to turn backups on or off".to_owned(),
            ),
            _ => (
                Risk::Routine,
                "the database stays in use meanwhile".to_owned(),
            ),
        }
    }
}

fn list(fields: &BTreeSet<&str>) -> String {
    let quoted: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    quoted.join(", ")
}

/// A value as people write it.
fn plain(value: &Tree) -> String {
    match value {
        Tree::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Database;
    use crate::kinds::trial::{ALL_ALLOWED, ask};
    use crate::kinds::{Decision, Policy};
    use crate::model::change::{Hold, Risk};
    use serde_json::{Value, json};

    fn spec() -> Value {
        json!({
            "instance": "db",
            "backupRetentionDays": 7,
            "preferredBackupWindow": "02:00-04:00",
            "deletionProtection": true,
        })
    }

    fn view() -> Value {
        json!({
            "instance": "db",
            "backupRetentionDays": 7,
            "preferredBackupWindow": "02:00-04:00",
            "preferredMaintenanceWindow": "mon:09:00-mon:10:00",
            "deletionProtection": true,
        })
    }

    fn facts() -> Value {
        json!({"status": "available", "engine": "postgres", "pending": {}, "pendingOthers": []})
    }

    /// Decides with some of the spec, the view and the facts replaced.
    fn with(spec_but: Value, view_but: Value, facts_but: Value, policy: &Policy) -> Decision {
        let merge = |mut base: Value, but: Value| {
            for (key, value) in but.as_object().unwrap() {
                base[key] = value.clone();
            }
            base
        };
        let live = (merge(view(), view_but), merge(facts(), facts_but));
        ask(&Database, merge(spec(), spec_but), Some(live), policy)
    }

    #[test]
    fn a_database_in_order_needs_nothing() {
        let decision = with(json!({}), json!({}), json!({}), &ALL_ALLOWED);
        assert_eq!(decision, Decision::default());
    }

    #[test]
    fn a_database_that_is_not_there_must_exist_first() {
        let decision = ask(&Database, spec(), None, &ALL_ALLOWED);
        assert!(matches!(decision.holds[..], [Hold::MustExist { .. }]));
    }

    #[test]
    fn all_drifting_fields_go_in_one_call_and_no_others() {
        let live = json!({"backupRetentionDays": 3, "deletionProtection": false});
        let decision = with(json!({}), live, json!({}), &Policy::CONTROLLER);
        assert_eq!(decision.steps.len(), 1);
        assert_eq!(decision.steps[0].operation, "rds.ModifyDBInstance");
        assert_eq!(
            decision.steps[0].detail,
            json!({"instance": "db", "backupRetentionDays": 7, "deletionProtection": true, "applyImmediately": false})
        );
        assert_eq!(decision.risk.unwrap().0, Risk::Routine);
    }

    #[test]
    fn a_shorter_retention_or_no_protection_is_destructive() {
        for wish in [
            json!({"backupRetentionDays": 6}),
            json!({"backupRetentionDays": 0}),
            json!({"deletionProtection": false}),
        ] {
            let decision = with(wish.clone(), json!({}), json!({}), &ALL_ALLOWED);
            assert_eq!(decision.risk.unwrap().0, Risk::Destructive, "{wish}");
            let decision = with(wish.clone(), json!({}), json!({}), &Policy::CONTROLLER);
            assert!(decision.steps.is_empty(), "{wish}");
            assert!(matches!(decision.holds[..], [Hold::Destructive { .. }]));
        }
    }

    #[test]
    fn the_harmless_part_does_not_wait_for_the_permission_of_the_other() {
        let decision = with(
            json!({"deletionProtection": false}),
            json!({"backupRetentionDays": 3}),
            json!({}),
            &Policy::CONTROLLER,
        );
        assert_eq!(decision.steps[0].detail["backupRetentionDays"], 7);
        assert!(decision.steps[0].detail.get("deletionProtection").is_none());
    }

    /// Why the one thing that is held is.
    fn waits(decision: &Decision) -> &str {
        match decision.holds.as_slice() {
            [Hold::Pending { why }] => why,
            _ => panic!("{decision:?}"),
        }
    }

    #[test]
    fn a_pending_value_is_told_and_not_written_again() {
        let decision = with(
            json!({}),
            json!({"backupRetentionDays": 0}),
            json!({"pending": {"backupRetentionDays": 7}}),
            &ALL_ALLOWED,
        );
        assert!(decision.steps.is_empty());
        let why = waits(&decision);
        assert!(why.contains("mon:09:00-mon:10:00"), "{why}");
        assert_eq!(decision.excused[0].to_string(), "spec.backupRetentionDays");
        // Said once.
        assert_eq!(decision.notes, [""; 0]);
    }

    #[test]
    fn a_pending_value_that_would_undo_the_wish_is_drift() {
        let pending = json!({"pending": {"backupRetentionDays": 1}});
        let decision = with(json!({}), json!({}), pending, &Policy::CONTROLLER);
        assert_eq!(decision.steps[0].detail["backupRetentionDays"], 7);
        assert_eq!(decision.more_drift.len(), 1);
    }

    #[test]
    fn apply_immediately_is_sent_when_a_person_asks_and_never_by_the_controller() {
        let wish = json!({"applyImmediately": true});
        let live = json!({"backupRetentionDays": 0});
        let pending = json!({"pending": {"backupRetentionDays": 7}});
        for facts in [json!({}), pending.clone()] {
            let decision = with(wish.clone(), live.clone(), facts, &ALL_ALLOWED);
            assert_eq!(decision.steps[0].detail["applyImmediately"], true);
            assert_eq!(decision.risk.unwrap().0, Risk::Disruptive);
        }
        let decision = with(wish.clone(), live.clone(), json!({}), &Policy::CONTROLLER);
        assert_eq!(decision.steps[0].detail["applyImmediately"], false);
        let decision = with(wish, live, pending, &Policy::CONTROLLER);
        assert!(decision.steps.is_empty());
        assert!(waits(&decision).contains("evenkeel apply"));
    }

    #[test]
    fn apply_immediately_is_refused_while_another_change_is_pending() {
        let decision = with(
            json!({"applyImmediately": true}),
            json!({"backupRetentionDays": 3, "deletionProtection": false}),
            json!({"pendingOthers": ["engineVersion"]}),
            &ALL_ALLOWED,
        );
        assert!(
            matches!(&decision.holds[..], [Hold::Conflict { why }] if why.contains("engineVersion"))
        );
        let detail = &decision.steps[0].detail;
        assert_eq!(detail["applyImmediately"], false);
        assert!(detail.get("backupRetentionDays").is_none());
    }

    #[test]
    fn documentdb_changes_at_once_so_nothing_is_asked_for() {
        let decision = with(
            json!({"applyImmediately": true}),
            json!({"backupRetentionDays": 3}),
            json!({"engine": "docdb"}),
            &ALL_ALLOWED,
        );
        assert_eq!(decision.steps[0].detail["applyImmediately"], false);
    }

    #[test]
    fn backups_of_a_cluster_member_belong_to_the_cluster() {
        let decision = with(
            json!({}),
            json!({"backupRetentionDays": 1}),
            json!({"engine": "aurora-postgresql", "memberOf": "main"}),
            &ALL_ALLOWED,
        );
        assert!(decision.steps.is_empty());
        assert!(
            matches!(&decision.holds[..], [Hold::OwnedElsewhere { why }] if why.contains("cluster: main"))
        );
    }

    #[test]
    fn aws_backup_owns_retention_and_window_and_nothing_else() {
        let decision = with(
            json!({}),
            json!({"backupRetentionDays": 1, "deletionProtection": false}),
            json!({"awsBackup": "arn:aws:backup:us-east-1:123456789012:recovery-point:x"}),
            &ALL_ALLOWED,
        );
        assert!(matches!(decision.holds[..], [Hold::OwnedElsewhere { .. }]));
        let detail = &decision.steps[0].detail;
        assert_eq!(detail["deletionProtection"], true);
        assert!(detail.get("backupRetentionDays").is_none());
    }

    #[test]
    fn a_database_that_is_busy_is_deferred_and_one_that_is_stuck_is_blocked() {
        let live = || json!({"deletionProtection": false});
        let busy = with(
            json!({}),
            live(),
            json!({"status": "backing-up"}),
            &ALL_ALLOWED,
        );
        assert!(busy.steps.is_empty());
        assert!(busy.holds.iter().all(Hold::is_passing));
        let stuck = with(
            json!({}),
            live(),
            json!({"status": "stopped"}),
            &ALL_ALLOWED,
        );
        assert!(stuck.steps.is_empty());
        assert!(!stuck.holds[0].is_passing());
    }

    #[test]
    fn a_window_that_would_meet_the_other_live_one_is_held() {
        let wish = json!({"preferredBackupWindow": "09:00-10:00"});
        let decision = with(wish, json!({}), json!({}), &ALL_ALLOWED);
        assert!(decision.steps.is_empty());
        assert!(matches!(decision.holds[..], [Hold::Conflict { .. }]));
    }

    #[test]
    fn a_source_of_replicas_keeps_its_backups() {
        let wish = json!({"backupRetentionDays": 0});
        let decision = with(wish, json!({}), json!({"hasReplicas": true}), &ALL_ALLOWED);
        assert!(decision.steps.is_empty());
    }
}
