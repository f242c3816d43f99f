//! What a Table document means and what to do when the live table differs.

use serde_json::json;

use super::spec::TableSpec;
use crate::kinds::{Allow, Decision, Question};
use crate::model::change::{Drift, Hold, Risk, Step};
use crate::model::document::Document;
use crate::model::finding::Finding;
use crate::model::tree::{Tree, to_tree};

fn read(document: &Document) -> Result<TableSpec, serde_json::Error> {
    serde_json::from_value(document.spec.clone())
}

/// Rules that the schema cannot say.
pub fn check(document: &Document) -> Vec<Finding> {
    let spec = match read(document) {
        Ok(spec) => spec,
        Err(error) => {
            let message = format!("the spec of {} cannot be read: {error}", document.key);
            let finding = Finding::error("bad-spec", message).of(&document.key);
            return vec![finding.at(document.span_of(""))];
        }
    };
    match spec.point_in_time_recovery {
        Some(pitr) if !pitr.enabled && pitr.recovery_period_days.is_some() => vec![
            Finding::error(
                "period-without-recovery",
                "`recoveryPeriodDays` is set, but point-in-time recovery is off",
            )
            .help("set `enabled: true`, or leave `recoveryPeriodDays` out")
            .at(document.span_of("pointInTimeRecovery.recoveryPeriodDays"))
            .of(&document.key),
        ],
        _ => Vec::new(),
    }
}

/// The table that the document speaks for.
pub fn claims(document: &Document) -> Vec<String> {
    read(document)
        .map(|spec| vec![format!("dynamodb:table/{}", spec.table_name)])
        .unwrap_or_default()
}

/// The document's fields; they need no normalising.
pub fn desired(document: &Document) -> Tree {
    read(document).map_or(Tree::Null, |spec| to_tree(&spec))
}

/// What one drifted field asks for.
struct Wish {
    step: Step,
    /// What it would destroy.
    loss: Option<String>,
}

/// At most two writes: continuous backups and the table itself.
pub fn decide(question: &Question<'_>) -> Decision {
    let table = question.desired["tableName"].as_str().unwrap_or_default();
    let mut decision = Decision::default();
    let Some(live) = question.live else {
        decision.holds.push(Hold::MustExist {
            help: format!(
                "create table {table} with the tool that owns it, or correct `tableName`"
            ),
        });
        return decision;
    };
    if question.drift.is_empty() {
        return decision;
    }
    let status = live.facts["status"].as_str().unwrap_or_default();
    if let Some(hold) = status_hold(table, status) {
        decision.holds.push(hold);
        return decision;
    }
    let recovery = recovery_wish(table, question.desired, &live.view, question.drift);
    let protection = protection_wish(table, question.desired, question.drift);
    let mut losses = Vec::new();
    for Wish { step, loss } in [recovery, protection].into_iter().flatten() {
        match loss {
            // The harmless part is not kept waiting for a permission that it does not need.
            Some(why) if question.policy.destructive == Allow::No => {
                decision.holds.push(Hold::Destructive { why });
            }
            loss => {
                losses.extend(loss);
                decision.steps.push(step);
            }
        }
    }
    if !decision.steps.is_empty() {
        decision.risk = Some(if losses.is_empty() {
            (Risk::Routine, "the table stays in use meanwhile".to_owned())
        } else {
            (Risk::Destructive, losses.join("; "))
        });
    }
    decision
}

/// What a status other than `ACTIVE` means for a write.
fn status_hold(table: &str, status: &str) -> Option<Hold> {
    match status {
        "ACTIVE" => None,
        "CREATING" | "UPDATING" | "ARCHIVING" => Some(Hold::Pending {
            why: format!("table {table} is {status}; written when it is ACTIVE"),
        }),
        _ => Some(Hold::Conflict {
            why: format!("table {table} is {status}, so AWS takes no change; make it ACTIVE first"),
        }),
    }
}

fn drifted(drift: &[Drift], field: &str) -> bool {
    drift
        .iter()
        .any(|d| d.path.segments().get(1).is_some_and(|s| s == field))
}

/// The part of `drift` that `step` mends.
pub(super) fn mends(step: &Step, drift: &[Drift]) -> Vec<Drift> {
    let field = match step.operation.as_str() {
        "dynamodb.UpdateContinuousBackups" => "pointInTimeRecovery",
        _ => "deletionProtection",
    };
    let here = |d: &&Drift| d.path.segments().get(1).is_some_and(|s| s == field);
    drift.iter().filter(here).cloned().collect()
}

fn recovery_wish(table: &str, desired: &Tree, live: &Tree, drift: &[Drift]) -> Option<Wish> {
    if !drifted(drift, "pointInTimeRecovery") {
        return None;
    }
    let wanted = &desired["pointInTimeRecovery"];
    let there = &live["pointInTimeRecovery"];
    let enable = wanted["enabled"].as_bool()?;
    let days = wanted["recoveryPeriodDays"].as_u64();
    let days_now = there["recoveryPeriodDays"].as_u64();
    let title = match (enable, days) {
        (false, _) => format!("turn point-in-time recovery of {table} off"),
        (true, None) => format!("turn point-in-time recovery of {table} on"),
        (true, Some(days)) => {
            format!("keep {days} days of point-in-time recovery for {table}")
        }
    };
    let loss = match (enable, days, days_now) {
        (false, _, _) => Some(format!(
            "point-in-time recovery of {table} goes off, and what it could restore is lost"
        )),
        (true, Some(days), Some(now)) if days < now => Some(format!(
            "{table} can no longer be restored to points {days} to {now} days back"
        )),
        _ => None,
    };
    let step = Step {
        operation: "dynamodb.UpdateContinuousBackups".to_owned(),
        object: format!("table/{table}"),
        title,
        detail: json!({"tableName": table, "pointInTimeRecovery": wanted}),
    };
    Some(Wish { step, loss })
}

fn protection_wish(table: &str, desired: &Tree, drift: &[Drift]) -> Option<Wish> {
    if !drifted(drift, "deletionProtection") {
        return None;
    }
    let on = desired["deletionProtection"].as_bool()?;
    let word = if on { "on" } else { "off" };
    let step = Step {
        operation: "dynamodb.UpdateTable".to_owned(),
        object: format!("table/{table}"),
        title: format!("turn deletion protection of {table} {word}"),
        detail: json!({"tableName": table, "deletionProtection": on}),
    };
    let loss = (!on).then(|| format!("deletion protection of {table} goes off"));
    Some(Wish { step, loss })
}

#[cfg(test)]
mod tests {
    use super::super::Table;
    use crate::kinds::trial::{ALL_ALLOWED, ask, document, rules_found};
    use crate::kinds::{Kind as _, Policy};
    use crate::model::change::{Hold, Risk};
    use serde_json::{Value, json};

    fn spec() -> Value {
        json!({
            "tableName": "sessions",
            "pointInTimeRecovery": {"enabled": true, "recoveryPeriodDays": 35},
            "deletionProtection": true,
        })
    }

    fn live(days: Option<u32>, protected: bool) -> (Value, Value) {
        let mut recovery = json!({"enabled": days.is_some()});
        if let Some(days) = days {
            recovery["recoveryPeriodDays"] = json!(days);
        }
        (
            json!({"pointInTimeRecovery": recovery, "deletionProtection": protected}),
            json!({"status": "ACTIVE"}),
        )
    }

    #[test]
    fn a_period_without_recovery_is_an_error() {
        let bad = json!({"tableName": "t-t", "pointInTimeRecovery": {"enabled": false, "recoveryPeriodDays": 3}});
        assert_eq!(rules_found(&Table, bad), ["period-without-recovery"]);
        assert!(rules_found(&Table, spec()).is_empty());
    }

    #[test]
    fn a_table_in_order_needs_nothing() {
        let decision = ask(&Table, spec(), Some(live(Some(35), true)), &ALL_ALLOWED);
        assert_eq!(decision, crate::kinds::Decision::default());
    }

    #[test]
    fn a_table_that_is_not_there_must_exist_first() {
        let decision = ask(&Table, spec(), None, &ALL_ALLOWED);
        assert!(matches!(decision.holds[..], [Hold::MustExist { .. }]));
        assert!(decision.steps.is_empty());
    }

    #[test]
    fn recovery_and_protection_are_two_routine_writes() {
        let decision = ask(&Table, spec(), Some(live(None, false)), &Policy::CONTROLLER);
        let operations: Vec<_> = decision.steps.iter().map(|s| &*s.operation).collect();
        assert_eq!(
            operations,
            ["dynamodb.UpdateContinuousBackups", "dynamodb.UpdateTable"]
        );
        assert_eq!(decision.risk.unwrap().0, Risk::Routine);
        assert_eq!(
            decision.steps[0].detail["pointInTimeRecovery"],
            json!({"enabled": true, "recoveryPeriodDays": 35})
        );
    }

    #[test]
    fn a_longer_period_is_routine_and_a_shorter_one_destructive() {
        let mut wish = spec();
        for (days, risk) in [(10, Risk::Destructive), (35, Risk::Routine)] {
            wish["pointInTimeRecovery"]["recoveryPeriodDays"] = json!(days);
            let decision = ask(
                &Table,
                wish.clone(),
                Some(live(Some(20), true)),
                &ALL_ALLOWED,
            );
            assert_eq!(decision.risk.unwrap().0, risk, "{days}");
        }
    }

    #[test]
    fn the_controller_writes_the_harmless_part_and_holds_the_destructive_one() {
        let mut wish = spec();
        wish["deletionProtection"] = json!(false);
        let decision = ask(&Table, wish, Some(live(None, true)), &Policy::CONTROLLER);
        assert_eq!(decision.steps.len(), 1);
        assert_eq!(
            decision.steps[0].operation,
            "dynamodb.UpdateContinuousBackups"
        );
        assert!(matches!(decision.holds[..], [Hold::Destructive { .. }]));
    }

    #[test]
    fn a_table_that_is_being_updated_is_written_later() {
        let (view, _) = live(None, true);
        let busy = Some((view, json!({"status": "UPDATING"})));
        let decision = ask(&Table, spec(), busy, &ALL_ALLOWED);
        assert!(decision.steps.is_empty());
        assert!(decision.holds.iter().all(Hold::is_passing));
    }

    #[test]
    fn a_document_claims_its_table() {
        let document = document("Table", spec());
        assert_eq!(
            Table.claims(&document, &Default::default()),
            ["dynamodb:table/sessions"]
        );
    }
}
