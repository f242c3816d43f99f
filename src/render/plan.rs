//! Plans as text, in the manner of a good diff.
//!
//! Pure: a plan in, text out.

use std::collections::BTreeMap;

use anstyle::Style;

use super::layout::{
    BAD, BOLD, DIM, GOOD, WARN, WIDTH, clean, count, flow, hanging, paint, seconds, value, wrap,
};
use super::{findings, source};
use crate::model::change::{Action, Change, Drift, Hold, Risk};
use crate::model::operation::{Effect, operation};
use crate::model::plan::{ObjectPlan, Plan, Rollout, Status, Verdict};

/// The whole plan.
pub fn text(plan: &Plan) -> String {
    let mut out = plan.source.as_ref().map_or_else(String::new, source::text);
    out.push_str(&findings::text(&plan.findings));
    let mut apps: BTreeMap<&str, Vec<&ObjectPlan>> = BTreeMap::new();
    for object in &plan.objects {
        apps.entry(&object.key.app).or_default().push(object);
    }
    for (app, objects) in apps {
        let shown: Vec<_> = objects.iter().filter(|o| is_told(o)).collect();
        if shown.is_empty() {
            continue;
        }
        out.push_str(&format!("{}\n", paint(BOLD, &clean(app))));
        for object in &shown {
            object_text(&mut out, object);
        }
        let silent = objects.len() - shown.len();
        if silent > 0 {
            let line = format!("  = {} in order", count(silent, "more object"));
            out.push_str(&format!("{}\n", paint(DIM, &line)));
        }
        out.push('\n');
    }
    out.push_str(&calls(plan));
    for (app, why) in &plan.history_unread {
        let line = format!(
            "The history of {app} could not be read, so nothing of it is written, and rollouts \
             and open writes are not known: {why}"
        );
        hanging(&mut out, 0, "", &line);
    }
    if !plan.history_consulted {
        hanging(
            &mut out,
            0,
            "",
            "History was not consulted: no store is configured, so this plan does not know of open \
             writes or rollbacks and cannot be saved or applied.",
        );
    }
    out.push_str(&summary(plan));
    out
}

fn is_told(object: &ObjectPlan) -> bool {
    object.status != Status::InSync
        || object.change.is_some()
        || !object.notes.is_empty()
        || !object.holds.is_empty()
        || object.rollout.is_some()
}

fn object_text(out: &mut String, object: &ObjectPlan) {
    let name = clean(&format!("{}/{}", object.key.kind, object.key.name));
    let (sign, style, word) = match (&object.change, object.status) {
        (Some(change), _) => match change.action {
            Action::Update => ('~', WARN, ""),
            Action::Create => ('+', GOOD, ", created"),
        },
        (None, Status::Blocked) => ('!', BAD, ", blocked"),
        (None, Status::Deferred) => ('!', WARN, ", deferred"),
        (None, Status::Unreadable) => ('!', BAD, ", unreadable"),
        (None, Status::Drifted | Status::Absent) => ('!', WARN, ", held"),
        (None, Status::InSync) => ('=', DIM, ", in order"),
    };
    let lead = format!("  {} ", paint(style, &sign.to_string()));
    flow(out, &lead, 6, Style::new(), &format!("{name}{word}"));
    drift_text(out, &object.drift);
    if let Some(change) = &object.change {
        change_text(out, change);
    }
    for hold in &object.holds {
        hanging(out, 14, "      held    ", &hold.to_string());
    }
    match &object.rollout {
        Some(Rollout::InProgress { detail }) => hanging(out, 14, "      rollout ", detail),
        Some(Rollout::Failed { detail }) => {
            hanging(out, 14, "      rollout ", &format!("failed: {detail}"));
        }
        None => {}
    }
    for note in &object.notes {
        hanging(out, 14, "      note    ", note);
    }
}

fn drift_text(out: &mut String, drift: &[Drift]) {
    let rows: Vec<(String, String, String)> = drift
        .iter()
        .map(|d| {
            (
                clean(&d.path.to_string()),
                value(&d.live),
                value(&d.desired),
            )
        })
        .collect();
    let (path_width, live_width) = columns(&rows);
    for (path, live, desired) in &rows {
        let line = format!("      {path:<path_width$}  {live:>live_width$} -> {desired}");
        let stands = |text: &str, width| text.chars().count() <= width;
        if stands(path, path_width) && stands(live, live_width) && stands(&line, WIDTH) {
            out.push_str(&line);
            out.push('\n');
            continue;
        }
        hanging(out, 6, "", path);
        for (sign, style, side) in [('-', BAD, live), ('+', GOOD, desired)] {
            for (i, part) in wrap(side, WIDTH - 10).iter().enumerate() {
                let lead = if i == 0 { sign } else { ' ' };
                out.push_str(&format!(
                    "        {}\n",
                    paint(style, &format!("{lead} {part}"))
                ));
            }
        }
    }
}

/// How wide the columns of paths and live values are: so that all rows stand in them which fit the
/// line together. The longest rows, which would spoil it, are told over several lines.
fn columns(rows: &[(String, String, String)]) -> (usize, usize) {
    let width = |text: &String| text.chars().count();
    let mut widths: Vec<[usize; 3]> = rows
        .iter()
        .map(|(path, live, desired)| [width(path), width(live), width(desired)])
        .collect();
    widths.sort_by_key(|row| row.iter().sum::<usize>());
    loop {
        let widest = |column: fn(&[usize; 3]) -> usize| widths.iter().map(column).max();
        let columns = [
            widest(|row| row[0]).unwrap_or(0),
            widest(|row| row[1]).unwrap_or(0),
            widest(|row| row[2]).unwrap_or(0),
        ];
        // The indent, two spaces and the arrow.
        if 6 + 2 + 4 + columns.iter().sum::<usize>() <= WIDTH || widths.pop().is_none() {
            return (columns[0], columns[1]);
        }
    }
}

fn change_text(out: &mut String, change: &Change) {
    let reason = format!("{}: {}", change.risk, change.reason);
    let mut block = String::new();
    hanging(&mut block, 14, "      risk    ", &reason);
    match change.risk {
        Risk::Routine => out.push_str(&block),
        Risk::Disruptive => out.push_str(&paint(WARN, block.trim_end_matches('\n'))),
        Risk::Destructive => out.push_str(&paint(BAD, block.trim_end_matches('\n'))),
    }
    if change.risk != Risk::Routine {
        out.push('\n');
    }
    for (i, step) in change.steps.iter().enumerate() {
        let label = if i == 0 {
            "      calls   "
        } else {
            "              "
        };
        hanging(out, 14, label, &step.operation);
        hanging(out, 16, "                ", &step.title);
    }
}

/// The mutations of a plan, by operation, and how many there are in all.
pub fn writes(plan: &Plan) -> (BTreeMap<&str, u64>, u64) {
    let mut by_name = BTreeMap::new();
    for step in plan
        .objects
        .iter()
        .filter_map(|o| o.change.as_ref())
        .flat_map(|c| &c.steps)
    {
        *by_name.entry(step.operation.as_str()).or_default() += 1;
    }
    let total = by_name.values().sum();
    (by_name, total)
}

/// The reads that a look took, in all.
pub fn reads(plan: &Plan) -> u64 {
    plan.calls
        .iter()
        .filter(|(name, _)| operation(name).is_some_and(|op| op.effect == Effect::Read))
        .map(|(_, n)| n)
        .sum()
}

fn calls(plan: &Plan) -> String {
    let (by_name, total) = writes(plan);
    if total == 0 {
        return String::new();
    }
    let mut out = format!(
        "{}, at least {} at AWS's rates:\n",
        paint(
            BOLD,
            &count(usize::try_from(total).unwrap_or(usize::MAX), "write")
        ),
        seconds(plan.summary.least_seconds)
    );
    for (name, n) in by_name {
        out.push_str(&format!("  {n:>4} {name}\n"));
    }
    out.push('\n');
    out
}

/// The last line.
pub fn summary(plan: &Plan) -> String {
    let s = &plan.summary;
    let (style, word) = match plan.verdict() {
        Verdict::InOrder => {
            let mut out = String::new();
            let apps: std::collections::BTreeSet<&str> =
                plan.objects.iter().map(|o| o.key.app.as_str()).collect();
            let line = format!(
                "in order: {} of {} as declared, nothing to write ({})",
                count(s.in_sync, "object"),
                count(apps.len(), "app"),
                count(
                    usize::try_from(reads(plan)).unwrap_or(usize::MAX),
                    "read call"
                ),
            );
            hanging(&mut out, 0, "", &line);
            return out.replacen("in order", &paint(GOOD, "in order"), 1);
        }
        Verdict::Wrong => (BAD, "errors"),
        Verdict::Drift => (WARN, "drift"),
        Verdict::Held => (WARN, "held"),
    };
    let mut parts = Vec::new();
    if s.errors > 0 {
        parts.push(count(s.errors, "error"));
    }
    if s.changes > 0 {
        parts.push(format!("{} to write", count(s.changes, "object")));
    }
    let partly = |passing: bool| {
        let held = plan.objects.iter().filter(|o| o.change.is_some());
        let held = held.filter(|o| !o.holds.is_empty());
        let some = held.filter(|o| o.holds.iter().all(Hold::is_passing) == passing);
        match some.count() {
            0 => String::new(),
            n => format!(" ({n} in part)"),
        }
    };
    parts.push(format!("{} blocked{}", s.blocked, partly(false)));
    parts.push(format!("{} deferred{}", s.deferred, partly(true)));
    parts.push(format!("{} in order", s.in_sync));
    let id: String = plan.plan_id.chars().take(12).collect();
    let mut out = String::new();
    hanging(
        &mut out,
        0,
        "",
        &format!("{word}: {} (plan {id})", parts.join(", ")),
    );
    out.replacen(word, &paint(style, word), 1)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::change::Step;
    use crate::model::key::ResourceKey;
    use crate::model::plan::Summary;
    use crate::model::tree::{FieldPath, Tree};
    use serde_json::json;

    pub fn object(key: &str, status: Status) -> ObjectPlan {
        ObjectPlan {
            key: key.parse::<ResourceKey>().unwrap(),
            status,
            drift: Vec::new(),
            change: None,
            holds: Vec::new(),
            notes: Vec::new(),
            pin: String::new(),
            remember: BTreeMap::new(),
            rollout: None,
            look_for: Vec::new(),
            moving: false,
            beside: Vec::new(),
            tasks: 0,
        }
    }

    fn drift(path: &str, live: Tree, desired: Tree) -> Drift {
        Drift {
            path: FieldPath::dotted(path),
            desired,
            live,
        }
    }

    fn step(operation: &str, title: &str) -> Step {
        Step {
            operation: operation.into(),
            object: "x".into(),
            title: title.into(),
            detail: Tree::Null,
        }
    }

    pub fn mixed() -> Plan {
        let mut web = object("shop/Service/web", Status::Drifted);
        web.drift = vec![
            drift("spec.cpu", json!(256), json!(512)),
            drift("spec.desiredCount", json!(1), json!({"min": 2, "max": 10})),
        ];
        web.change = Some(Change {
            action: Action::Update,
            risk: Risk::Disruptive,
            reason: "a new size replaces all running tasks, one batch after the other".into(),
            steps: vec![
                step(
                    "ecs.RegisterTaskDefinition",
                    "register web with 512 CPU units",
                ),
                step("ecs.UpdateService", "run the new revision"),
            ],
        });
        let mut alarm = object("shop/Alarm/cpu-high", Status::Absent);
        alarm.drift = vec![drift(
            "spec.alarmActions",
            Tree::Null,
            json!([
                "arn:aws:sns:us-east-1:123456789012:alerts",
                "arn:aws:sns:us-east-1:123456789012:pager"
            ]),
        )];
        alarm.change = Some(Change {
            action: Action::Create,
            risk: Risk::Routine,
            reason: "it is absent".into(),
            steps: vec![step("cloudwatch.PutMetricAlarm", "create shop-cpu-high")],
        });
        let mut held = object("bank/Service/api", Status::Deferred);
        held.drift = vec![drift("spec.memory", json!(512), json!(1024))];
        held.holds = vec![Hold::RolloutInProgress {
            deployment: "api:13, 1 of 2 tasks".into(),
        }];
        Plan {
            pauses: Vec::new(),
            version: 1,
            plan_id: "0123456789abcdef".into(),
            made_at: jiff::Timestamp::UNIX_EPOCH,
            history_consulted: true,
            history_unread: BTreeMap::new(),
            objects: vec![held, alarm, object("shop/Database/db", Status::InSync), web],
            findings: Vec::new(),
            calls: BTreeMap::from([("ecs.DescribeServices".into(), 2)]),
            summary: Summary {
                in_sync: 1,
                changes: 2,
                blocked: 0,
                deferred: 1,
                steps: 3,
                errors: 0,
                least_seconds: 0,
            },
            source: None,
        }
    }

    fn plain(plan: &Plan) -> String {
        anstream::adapter::strip_str(&text(plan)).to_string()
    }

    #[test]
    fn a_plan_reads_as_a_diff_in_eighty_columns() {
        let text = plain(&mixed());
        assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn drift_stands_in_columns_however_long_its_paths_are() {
        let rows = vec![
            drift("spec.cpu", json!(256), json!(512)),
            drift(
                "spec.scaling.targetTracking.web-requests.targetValue",
                json!(50),
                json!(70),
            ),
            drift("spec.tags.owner", Tree::Null, json!("x".repeat(90))),
        ];
        let mut out = String::new();
        drift_text(&mut out, &rows);
        let out = anstream::adapter::strip_str(&out).to_string();
        let arrows: Vec<usize> = out.lines().filter_map(|l| l.find(" -> ")).collect();
        assert_eq!(arrows.len(), 2, "{out}");
        assert_eq!(arrows[0], arrows[1], "{out}");
        assert!(out.lines().all(|l| l.chars().count() <= WIDTH), "{out}");
    }

    #[test]
    fn an_object_that_is_held_in_part_is_said_to_be() {
        let mut plan = mixed();
        let why = "its container holds the old size".to_owned();
        plan.objects[3].holds = vec![Hold::Conflict { why }];
        plan.summary.blocked = 1;
        let text = plain(&plan);
        assert!(
            text.contains("2 objects to write, 1 blocked (1 in part), 1 deferred, 1 in order"),
            "{text}"
        );
    }

    #[test]
    fn an_estate_in_order_says_so_in_one_line() {
        let mut plan = mixed();
        plan.objects.retain(|o| o.status == Status::InSync);
        plan.summary = Summary {
            in_sync: 1,
            ..Summary::default()
        };
        insta::assert_snapshot!(plain(&plan));
    }

    #[test]
    fn a_plan_without_history_says_that_it_has_none() {
        let mut plan = mixed();
        plan.history_consulted = false;
        assert!(plain(&plan).contains("History was not consulted"));
    }
}
