//! Status: in what condition an object was found, in the manner of Kubernetes.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::change::Hold;
use super::drift::DriftRecord;
use super::key::ResourceKey;
use super::memory::LastWrite;
use super::plan::{ObjectPlan, Rollout, Status};

/// An object's conditions, as the `STATUS#` row keeps them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStatus {
    /// One of each [`ConditionKind`], in its order.
    pub conditions: Vec<Condition>,
    /// The newest write of ours that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_write: Option<LastWrite>,
    /// Why a write of it failed, as it was told; until it is in order again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// One object's state, as it was recorded before and as this process has just recorded it.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Whose.
    pub key: ResourceKey,
    /// What the store said; `None` for one that had always been in order.
    pub before: Option<ObjectStatus>,
    /// What it says now.
    pub now: ObjectStatus,
}

/// What one process was the first of all replicas to record at a look: what it is to tell people of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Firsts {
    /// Objects whose state changed.
    pub transitions: Vec<Transition>,
    /// Drift records that were opened.
    pub opened: Vec<DriftRecord>,
    /// Of these objects, those that differ in nothing but what a commit asks for.
    pub asked_for: BTreeSet<ResourceKey>,
}

/// One thing that can be said of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it speaks of.
    #[serde(rename = "type")]
    pub kind: ConditionKind,
    /// Whether it is so.
    pub status: Truth,
    /// Why, in one CamelCase word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// When `status` became what it is, by wall clock.
    pub last_transition: Timestamp,
    /// The document that this was found of: its digest.
    pub observed_generation: String,
}

/// What a condition speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConditionKind {
    /// Every field that the document names is as it says, and nothing is still on its way there.
    Ready,
    /// Something differs from the document.
    Drifted,
    /// Nothing is written until a person does something.
    Blocked,
    /// Nothing is written until something has passed.
    Deferred,
    /// Set back again and again after being corrected.
    Stalled,
}

impl ConditionKind {
    /// All of them, in the order of reports.
    pub const ALL: [ConditionKind; 5] = [
        ConditionKind::Ready,
        ConditionKind::Drifted,
        ConditionKind::Blocked,
        ConditionKind::Deferred,
        ConditionKind::Stalled,
    ];
}

impl fmt::Display for ConditionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConditionKind::Ready => "Ready",
            ConditionKind::Drifted => "Drifted",
            ConditionKind::Blocked => "Blocked",
            ConditionKind::Deferred => "Deferred",
            ConditionKind::Stalled => "Stalled",
        })
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Truth {
    /// It does.
    True,
    /// It does not.
    False,
    /// The object could not be read.
    Unknown,
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        })
    }
}

impl ObjectStatus {
    /// The condition of that kind.
    pub fn condition(&self, kind: ConditionKind) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.kind == kind)
    }

    /// What a plan says of an object. A condition whose status is as it was in `previous` keeps the
    /// time of its last transition, so that the same state gives the same value. `generation` is
    /// the digest of the document. The last write is carried over; the caller, who knows better,
    /// replaces it.
    pub fn from_plan(
        plan: &ObjectPlan,
        previous: Option<&ObjectStatus>,
        generation: &str,
        now: Timestamp,
    ) -> ObjectStatus {
        let conditions = ConditionKind::ALL
            .into_iter()
            .map(|kind| {
                let (status, reason, message) = judge(kind, plan);
                let before = previous.and_then(|p| p.condition(kind));
                Condition {
                    kind,
                    status,
                    reason: reason.to_owned(),
                    message,
                    last_transition: match before {
                        Some(before) if before.status == status => before.last_transition,
                        _ => now,
                    },
                    observed_generation: generation.to_owned(),
                }
            })
            .collect();
        ObjectStatus {
            conditions,
            last_write: previous.and_then(|p| p.last_write.clone()),
            failed: previous
                .and_then(|p| p.failed.clone())
                .filter(|_| plan.status != Status::InSync),
        }
    }
}

fn judge(kind: ConditionKind, plan: &ObjectPlan) -> (Truth, &'static str, String) {
    let no = |reason| (Truth::False, reason, String::new());
    match kind {
        ConditionKind::Ready => ready(plan),
        ConditionKind::Drifted => match plan.status {
            Status::Unreadable => (Truth::Unknown, "Unreadable", said(plan, |_| true)),
            Status::Absent => (Truth::True, "Absent", "it does not exist yet".to_owned()),
            _ if plan.drift.is_empty() => no("AsDeclared"),
            _ => {
                let fields: Vec<String> = plan.drift.iter().map(|d| d.path.to_string()).collect();
                (Truth::True, "FieldsDiffer", fields.join(", "))
            }
        },
        ConditionKind::Blocked => {
            let stays = |hold: &Hold| !hold.is_passing();
            match plan.holds.iter().find(|h| stays(h)) {
                Some(hold) => (Truth::True, word(hold), said(plan, stays)),
                None if plan.status == Status::Unreadable => {
                    (Truth::True, "Unreadable", "it could not be read".to_owned())
                }
                None => no("NothingHeld"),
            }
        }
        ConditionKind::Deferred => match plan.holds.iter().find(|h| h.is_passing()) {
            Some(hold) => (Truth::True, word(hold), said(plan, Hold::is_passing)),
            None => no("NothingHeld"),
        },
        ConditionKind::Stalled => {
            let stalled = |hold: &Hold| matches!(hold, Hold::Stalled { .. });
            if plan.holds.iter().any(stalled) {
                (Truth::True, "SetBackAgain", said(plan, stalled))
            } else {
                no("Progressing")
            }
        }
    }
}

fn ready(plan: &ObjectPlan) -> (Truth, &'static str, String) {
    match (&plan.status, &plan.rollout) {
        (Status::Unreadable, _) => (Truth::Unknown, "Unreadable", said(plan, |_| true)),
        (_, Some(Rollout::InProgress { detail })) => {
            (Truth::False, "RolloutInProgress", detail.clone())
        }
        (_, Some(Rollout::Failed { detail })) => (Truth::False, "RolloutFailed", detail.clone()),
        (Status::InSync, None) => (Truth::True, "AsDeclared", String::new()),
        (Status::Drifted, None) => (Truth::False, "Drifted", String::new()),
        (Status::Absent, None) => (Truth::False, "Absent", "it does not exist yet".to_owned()),
        (Status::Blocked, None) => (Truth::False, "Blocked", said(plan, |_| true)),
        (Status::Deferred, None) => (Truth::False, "Deferred", said(plan, |_| true)),
    }
}

fn said(plan: &ObjectPlan, which: impl Fn(&Hold) -> bool) -> String {
    let texts: Vec<String> = plan
        .holds
        .iter()
        .filter(|h| which(h))
        .map(ToString::to_string)
        .collect();
    texts.join("; ")
}

fn word(hold: &Hold) -> &'static str {
    match hold {
        Hold::Unreadable { .. } => "Unreadable",
        Hold::HistoryUnreadable { .. } => "HistoryUnreadable",
        Hold::MustExist { .. } => "MustExist",
        Hold::OwnedElsewhere { .. } => "OwnedElsewhere",
        Hold::UnknownLiveField { .. } => "UnknownLiveField",
        Hold::Conflict { .. } => "Conflict",
        Hold::OpenIntent { .. } => "OpenIntent",
        Hold::Settling { .. } => "Settling",
        Hold::RolloutInProgress { .. } => "RolloutInProgress",
        Hold::RolledBack { .. } => "RolledBack",
        Hold::Stalled { .. } => "Stalled",
        Hold::Pending { .. } => "Pending",
        Hold::Destructive { .. } => "Destructive",
        Hold::Frozen => "Frozen",
        Hold::Unapproved => "Unapproved",
        Hold::Audit { .. } => "Audit",
        Hold::Paused { .. } => "Paused",
        Hold::OutsideWindow { .. } => "OutsideWindow",
        Hold::ChangeFreeze { .. } => "ChangeFreeze",
        Hold::OverBudget { .. } => "OverBudget",
        Hold::Canary { .. } => "Canary",
        Hold::Approval { .. } => "Approval",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn plan(status: Status, holds: Vec<Hold>) -> ObjectPlan {
        ObjectPlan {
            key: ResourceKey::new("shop", "Service", "web"),
            status,
            drift: Vec::new(),
            change: None,
            holds,
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

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_same_state_seen_later_is_the_same_value() {
        let plan = plan(Status::InSync, Vec::new());
        let first = ObjectStatus::from_plan(&plan, None, "g", at(1));
        let second = ObjectStatus::from_plan(&plan, Some(&first), "g", at(99));
        assert_eq!(first, second);
    }

    #[test]
    fn only_conditions_that_change_get_a_new_transition_time() {
        let first = ObjectStatus::from_plan(&plan(Status::InSync, Vec::new()), None, "g", at(1));
        let held = plan(
            Status::Blocked,
            vec![Hold::MustExist {
                help: "create it".into(),
            }],
        );
        let second = ObjectStatus::from_plan(&held, Some(&first), "g", at(9));
        let when = |kind| second.condition(kind).unwrap().last_transition;
        assert_eq!(when(ConditionKind::Ready), at(9));
        assert_eq!(when(ConditionKind::Blocked), at(9));
        assert_eq!(when(ConditionKind::Stalled), at(1));
        let blocked = second.condition(ConditionKind::Blocked).unwrap();
        assert_eq!(blocked.reason, "MustExist");
        assert!(blocked.message.contains("create it"));
    }

    #[test]
    fn an_unreadable_object_is_neither_ready_nor_drifted() {
        let status =
            ObjectStatus::from_plan(&plan(Status::Unreadable, Vec::new()), None, "g", at(1));
        for kind in [ConditionKind::Ready, ConditionKind::Drifted] {
            assert_eq!(status.condition(kind).unwrap().status, Truth::Unknown);
        }
        let blocked = status.condition(ConditionKind::Blocked).unwrap();
        assert_eq!(blocked.status, Truth::True);
    }

    #[test]
    fn a_rollout_on_its_way_is_not_ready() {
        let mut object = plan(Status::InSync, Vec::new());
        object.rollout = Some(Rollout::InProgress {
            detail: "1 of 2".into(),
        });
        let status = ObjectStatus::from_plan(&object, None, "g", at(1));
        let ready = status.condition(ConditionKind::Ready).unwrap();
        assert_eq!(
            (ready.status, ready.reason.as_str()),
            (Truth::False, "RolloutInProgress")
        );
    }
}
