//! One object's plan: diff, then the kind's decision, then the rules that hold for all kinds.

use jiff::{SignedDuration, Timestamp};

use super::Inputs;
use super::control::Policies;
use super::diff::diff;
use crate::control::approval::Reach;
use crate::control::gate::{self, Asked};
use crate::control::leash::InForce;
use crate::control::state::AppControl;
use crate::kinds::{Allow, Decision, Kind, Policy, Question};
use crate::model::change::{Action, Change, Drift, Hold, Risk, moment};
use crate::model::document::Document;
use crate::model::drift::{Beside, DriftKind};
use crate::model::memory::{GIVEN_UP_FOR_GOOD, LATE_TOLD_FOR, NOTHING_COMES_AFTER, ObjectMemory};
use crate::model::plan::{ObjectPlan, Status};
use crate::model::snapshot::{Live, Seen};
use crate::model::tree;

/// How many corrections of the same drift within [`STALL_WINDOW`] make an object `Stalled`. Two
/// can be chance (a console edit, a deploy); at the fourth somebody or something fights back.
pub const STALL_AFTER: usize = 3;
/// How far back corrections count.
pub const STALL_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// The plan of one document.
pub fn plan(
    kind: &dyn Kind,
    document: &Document,
    memory: &ObjectMemory,
    inputs: &Inputs<'_>,
    policies: &Policies,
) -> ObjectPlan {
    if inputs.set.frozen.holds(&document.key.app) {
        // What the document wants may not be computable: a reference may be what is broken.
        return held(document, Status::Blocked, Hold::Frozen);
    }
    let seen = inputs.snapshot.objects.get(&document.key).map(|o| &o.seen);
    let live = match seen {
        None => {
            let cause = "it was not looked at".to_owned();
            let hold = Hold::Unreadable { cause };
            return held(document, Status::Unreadable, hold);
        }
        Some(Seen::Unreadable(cause)) => {
            let cause = cause.clone();
            let hold = Hold::Unreadable { cause };
            return held(document, Status::Unreadable, hold);
        }
        Some(Seen::Absent) => match memory.settling(inputs.now) {
            Some(until) => {
                let until = until.to_string();
                let hold = Hold::Settling { until };
                return held(document, Status::Deferred, hold);
            }
            None => None,
        },
        Some(Seen::Present(live)) => Some(live),
    };
    controlled(
        kind,
        document,
        live,
        memory,
        inputs,
        policies.get(&document.key.app),
    )
}

/// The decision under the app's policy. Where that wants an approval of what destroys, no flag of the
/// caller is enough: the whole change is planned, and taken if it was approved; else its parts that
/// destroy are held, with the digest by which the whole can be approved.
fn controlled(
    kind: &dyn Kind,
    document: &Document,
    live: Option<&Live>,
    memory: &ObjectMemory,
    inputs: &Inputs<'_>,
    force: Option<&InForce>,
) -> ObjectPlan {
    let control = &inputs.memory.control;
    let key = &document.key;
    let planned = |destructive| {
        let policy = Policy {
            destructive,
            ..*inputs.policy
        };
        decide(kind, document, live, memory, inputs, &policy)
    };
    let asks = force.is_some_and(InForce::asks);
    if !asks && inputs.policy.destructive == Allow::Yes {
        return planned(Allow::Yes);
    }
    let mut strict = planned(Allow::No);
    let destroys = |hold: &Hold| matches!(hold, Hold::Destructive { .. });
    if !strict.holds.iter().any(destroys) {
        return strict;
    }
    let whole = planned(Allow::Yes);
    let (Some(change), Some(force)) = (&whole.change, force) else {
        return strict;
    };
    let nothing = AppControl::default();
    let app = control.apps.get(&key.app).unwrap_or(&nothing);
    let asked = Asked {
        key,
        change,
        pin: &whole.pin,
        tasks: whole.tasks,
    };
    if gate::is_approved(&force.policy, app, &asked, Reach::InTime, inputs.now) {
        return whole;
    }
    if asks {
        for hold in &mut strict.holds {
            if let Hold::Destructive { why } = hold {
                *hold = Hold::Approval {
                    change: whole.pin.clone(),
                    why: format!("destructive: {why}"),
                    have: app.approvals.people(&whole.pin, Reach::InTime, inputs.now),
                    need: gate::needed(&force.policy, Risk::Destructive),
                    emergency: false,
                };
            }
        }
        if strict.change.is_none() {
            // Who approves it is told what it waits for then.
            let reason = gate::why_approval(&force.policy, change);
            let asked_for = |hold: &Hold| matches!(hold, Hold::Approval { why, .. } if Some(why) == reason.as_ref());
            let others = gate::holds(&force.policy, app, &asked, &[], inputs.now);
            strict
                .holds
                .extend(others.into_iter().filter(|hold| !asked_for(hold)));
        }
    } else {
        strict.notes.push(format!(
            "to approve it once, for the controller too: evenkeel approve {:.12} --reason TEXT",
            whole.pin
        ));
    }
    strict
}

fn decide(
    kind: &dyn Kind,
    document: &Document,
    live: Option<&Live>,
    memory: &ObjectMemory,
    inputs: &Inputs<'_>,
    policy: &Policy,
) -> ObjectPlan {
    let desired = kind.desired(document, inputs.set);
    let expected = match live {
        Some(live) => kind.expected(desired, live, inputs.now),
        None => desired,
    };
    let drift = live.map_or_else(Vec::new, |live| {
        diff(&expected, &live.view, kind.rules(), kind.identity())
    });
    let decision = kind.decide(&Question {
        key: &document.key,
        desired: &expected,
        live,
        drift: &drift,
        memory,
        policy,
        now: inputs.now,
    });
    let beside = beside(&drift, &decision);
    let drift = settle_drift(drift, &decision);
    let Decision {
        steps,
        risk,
        mut holds,
        mut notes,
        more_drift: _,
        excused: _,
        mut remember,
        rollout,
        beside: _,
        moving,
    } = decision;
    let unread = inputs.memory.unread.get(&document.key.app);
    // What is remembered already is no news, and what may be is not to be written over.
    remember.retain(|word, fact| unread.is_none() && memory.facts.get(word) != Some(fact));
    let mut change = None;
    if let (Some(cause), false) = (unread, steps.is_empty()) {
        let cause = cause.clone();
        holds.push(Hold::HistoryUnreadable { cause });
    } else if let Some(open) = &memory.open {
        let intent = open.id.clone();
        holds.push(Hold::OpenIntent { intent });
    } else if !steps.is_empty() {
        let (risk, reason) =
            risk.unwrap_or_else(|| (Risk::Routine, "the live object differs".to_owned()));
        match general_hold(risk, &reason, &drift, memory, policy, inputs.now) {
            Some(hold) => holds.push(hold),
            None => {
                let action = match live {
                    Some(_) => Action::Update,
                    None => Action::Create,
                };
                change = Some(Change {
                    action,
                    risk,
                    reason,
                    steps,
                });
            }
        }
    }
    notes.extend(late_notes(memory, inputs.now));
    let status = match (&change, holds.is_empty()) {
        (Some(_), _) if live.is_none() => Status::Absent,
        (Some(_), _) => Status::Drifted,
        (None, true) => Status::InSync,
        (None, false) if holds.iter().all(Hold::is_passing) => Status::Deferred,
        (None, false) => Status::Blocked,
    };
    let pin = change
        .as_ref()
        .map_or_else(String::new, |change| pin(document, &drift, change, memory));
    let tasks = match (&change, live) {
        (Some(change), Some(live)) => kind.tasks(change, live),
        _ => 0,
    };
    ObjectPlan {
        key: document.key.clone(),
        status,
        drift,
        change,
        holds,
        notes,
        pin,
        remember,
        rollout,
        look_for: overdue(memory, inputs.now),
        beside,
        tasks,
        moving,
    }
}

/// What is told beside the drift: the kind's own, and what AWS holds back until its window.
fn beside(drift: &[Drift], decision: &Decision) -> Vec<Beside> {
    let excused = |d: &&Drift| decision.excused.contains(&d.path);
    let pending = drift.iter().filter(excused).map(|d| Beside {
        kind: DriftKind::Pending,
        path: d.path.clone(),
        desired: d.desired.clone(),
        live: d.live.clone(),
    });
    let mut beside: Vec<Beside> = pending.chain(decision.beside.iter().cloned()).collect();
    beside.sort_by(|a, b| (&a.path, a.kind).cmp(&(&b.path, b.kind)));
    beside
}

/// Given-up writes of which nothing can come any more: now a look tells what came of them.
fn overdue(memory: &ObjectMemory, now: Timestamp) -> Vec<String> {
    memory
        .given_up
        .iter()
        .filter(|open| {
            let age = now.duration_since(open.at);
            (NOTHING_COMES_AFTER..GIVEN_UP_FOR_GOOD).contains(&age)
        })
        .map(|open| open.id.clone())
        .collect()
}

/// What is told of effects that came late.
fn late_notes(memory: &ObjectMemory, now: Timestamp) -> Vec<String> {
    memory
        .came_late
        .iter()
        .filter(|late| now.duration_since(late.at) < LATE_TOLD_FOR)
        .map(|late| {
            format!(
                "a write of {} (intent {:.12}) had its effect after it had been given up: it left \
                 {}, which nothing uses",
                late.at,
                late.intent,
                late.left
                    .as_str()
                    .map_or_else(|| late.left.to_string(), str::to_owned)
            )
        })
        .collect()
}

fn settle_drift(mut drift: Vec<Drift>, decision: &Decision) -> Vec<Drift> {
    drift.extend(decision.more_drift.iter().cloned());
    drift.retain(|d| !decision.excused.contains(&d.path));
    drift.sort_by(|a, b| a.path.cmp(&b.path));
    drift.dedup_by(|a, b| a.path == b.path);
    drift
}

/// What holds a change back whatever its kind.
fn general_hold(
    risk: Risk,
    reason: &str,
    drift: &[Drift],
    memory: &ObjectMemory,
    policy: &Policy,
    now: Timestamp,
) -> Option<Hold> {
    if risk == Risk::Destructive && policy.destructive == Allow::No {
        let why = reason.to_owned();
        return Some(Hold::Destructive { why });
    }
    let correction = correction(drift);
    let mut made: Vec<Timestamp> = memory
        .writes
        .iter()
        .filter(|w| w.correction == correction && w.is_within(STALL_WINDOW, now))
        .map(|w| w.at)
        .collect();
    made.sort_unstable();
    let times = made.len();
    // When so many of them are an hour old that the others are too few.
    let last = made.get(times.checked_sub(STALL_AFTER)?)?;
    let again = last.saturating_add(STALL_WINDOW).unwrap_or(Timestamp::MAX);
    Some(Hold::Stalled {
        why: format!(
            "corrected {times} times within the hour and set back each time; find who else sets \
             {} (a CI template, Terraform, another controller; `evenkeel report` names who, where \
             CloudTrail may be read) and let one of them own it; tried again after {}",
            drift
                .first()
                .map_or_else(|| "it".to_owned(), |d| d.path.to_string()),
            moment(again)
        ),
    })
}

/// What a write corrects: the fields and the values wanted, whatever they are instead.
pub fn correction(drift: &[Drift]) -> String {
    let wanted: Vec<_> = drift.iter().map(|d| (&d.path, &d.desired)).collect();
    // It is remembered, and compared with that of a later build.
    tree::digest(&tree::to_tree(&wanted))
}

fn pin(document: &Document, drift: &[Drift], change: &Change, memory: &ObjectMemory) -> String {
    tree::digest_of(&(
        &document.spec,
        drift,
        change,
        memory.last_write.as_ref().map(|w| &w.intent),
    ))
}

fn held(document: &Document, status: Status, hold: Hold) -> ObjectPlan {
    ObjectPlan {
        key: document.key.clone(),
        status,
        drift: Vec::new(),
        change: None,
        holds: vec![hold],
        notes: Vec::new(),
        pin: String::new(),
        remember: std::collections::BTreeMap::new(),
        rollout: None,
        look_for: Vec::new(),
        moving: false,
        beside: Vec::new(),
        tasks: 0,
    }
}
