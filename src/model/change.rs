//! Changes: what would be written to bring one object in order, why, and at what risk.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::operation::{self, Operation};
use super::tree::{FieldPath, Tree};

/// One field that is not as its document says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The field, from the document's root: `spec.cpu`.
    pub path: FieldPath,
    /// What the document wants.
    pub desired: Tree,
    /// What is there; null when the field is not set at all.
    pub live: Tree,
}

/// What kind of change an object needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// It is there and differs.
    Update,
    /// It is absent and its kind may be created.
    Create,
}

impl Action {
    /// The sign in front of it in a plan: `~` or `+`.
    pub fn sign(self) -> char {
        match self {
            Action::Update => '~',
            Action::Create => '+',
        }
    }
}

/// What a change can do to those who depend on the object. Ordered by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Risk {
    /// Nobody notices.
    Routine,
    /// Running tasks are replaced or stopped, or a rollout is overtaken.
    Disruptive,
    /// Something cannot be had back: recovery points, protection, notice, service.
    /// Needs `--allow-destructive` or an approval; the controller makes it only with the latter.
    Destructive,
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Risk::Routine => "routine",
            Risk::Disruptive => "disruptive",
            Risk::Destructive => "destructive",
        })
    }
}

/// One mutation, with absolute values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The AWS call: `ecs.UpdateService`. Always a row of [`operation::OPERATIONS`].
    pub operation: String,
    /// The live object, as AWS knows it: `my-cluster/my-service`, an alarm's name.
    pub object: String,
    /// What it does, for people: `register backend with 512 CPU units, 1024 MiB`.
    pub title: String,
    /// The kind's own description of the request. Never holds a secret.
    pub detail: Tree,
}

impl Step {
    /// The operation's row, or `None` for a step that no build of ours can have made.
    pub fn operation(&self) -> Option<&'static Operation> {
        operation::operation(&self.operation)
    }
}

/// What has to be written to bring one object in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Update or create.
    pub action: Action,
    /// The worst that it can do.
    pub risk: Risk,
    /// Why that risk, or why at all, in one sentence.
    pub reason: String,
    /// In order; each is one mutation.
    pub steps: Vec<Step>,
}

/// Why an object that is not in order is not written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", content = "detail")]
pub enum Hold {
    /// It could not be read.
    Unreadable {
        /// Why.
        cause: String,
    },
    /// What the store knows of it could not be read: an open write, a roll-back.
    HistoryUnreadable {
        /// Why.
        cause: String,
    },
    /// It is not there, and its kind is never created.
    MustExist {
        /// What to do.
        help: String,
    },
    /// AWS forbids the write, or something else owns the field.
    OwnedElsewhere {
        /// By whom and what to do.
        why: String,
    },
    /// A full replace would clear these members, which this build does not know.
    UnknownLiveField {
        /// Member paths.
        members: Vec<String>,
    },
    /// The new value contradicts something that the document does not set.
    Conflict {
        /// What, and what to do.
        why: String,
    },
    /// An earlier write of unknown outcome must be resolved first.
    OpenIntent {
        /// The intent's id.
        intent: String,
    },
    /// It was written a moment ago and does not show yet.
    Settling {
        /// Wall time until which absence is not believed, RFC 3339.
        until: String,
    },
    /// A rollout is in progress.
    RolloutInProgress {
        /// Which.
        deployment: String,
    },
    /// The same size on the same revision was rolled back before.
    RolledBack {
        /// What was tried, and what to change.
        why: String,
    },
    /// Corrected again and again, and set back each time.
    Stalled {
        /// How often, by whom as far as known, and what to do.
        why: String,
    },
    /// AWS holds the value back until its own window.
    Pending {
        /// What is pending.
        why: String,
    },
    /// The change is destructive and was not allowed.
    Destructive {
        /// What it would destroy.
        why: String,
    },
    /// Something of the app did not load.
    Frozen,
    /// Somebody approved a plan that has no change of it.
    Unapproved,
    /// The plan's audit found a fault in the plan: a bug of ours.
    Audit {
        /// Which law.
        why: String,
    },
    /// A person paused it.
    Paused {
        /// What is paused: the app, or the object.
        of: String,
        /// When the pause ends by itself.
        until: Timestamp,
        /// Who paused it.
        by: String,
        /// Why.
        reason: String,
    },
    /// No maintenance window of its app is open.
    OutsideWindow {
        /// When it will be written; `None`: not within a year.
        opens: Option<Timestamp>,
    },
    /// A freeze of its app is on.
    ChangeFreeze {
        /// When it ends.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// Its app's change budget is spent.
    OverBudget {
        /// Which: `10 objects an hour`.
        why: String,
        /// When there is room for it; `None`: behind changes that are yet to be written.
        until: Option<Timestamp>,
    },
    /// Its app's canary has not been in order for long enough.
    Canary {
        /// Which app.
        app: String,
        /// How it does.
        why: String,
        /// When it will have been; `None` while it is not in order.
        until: Option<Timestamp>,
    },
    /// Somebody has to approve exactly this change.
    Approval {
        /// The change's digest.
        change: String,
        /// Why it needs an approval.
        why: String,
        /// How many people approved it.
        have: u32,
        /// How many have to.
        need: u32,
        /// Whether only an approval with `--now` lets it pass.
        #[serde(default)]
        emergency: bool,
    },
}

impl Hold {
    /// Whether time alone may clear it (then the object is `Deferred`, not `Blocked`).
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Hold::Settling { .. }
                | Hold::RolloutInProgress { .. }
                | Hold::OpenIntent { .. }
                | Hold::Pending { .. }
                | Hold::Paused { .. }
                | Hold::OutsideWindow { .. }
                | Hold::ChangeFreeze { .. }
                | Hold::OverBudget { .. }
                | Hold::Canary { .. }
        )
    }

    /// When it will have passed, where that is known and change control's.
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Hold::Paused { until, .. } | Hold::ChangeFreeze { until, .. } => Some(*until),
            Hold::OutsideWindow { opens } => *opens,
            Hold::OverBudget { until, .. } | Hold::Canary { until, .. } => *until,
            _ => None,
        }
    }
}

/// A moment as people read it in a hold.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::Unreadable { cause } => write!(f, "could not be read: {cause}"),
            Hold::HistoryUnreadable { cause } => {
                write!(
                    f,
                    "its history could not be read, so nothing is written: {cause}"
                )
            }
            Hold::MustExist { help } => write!(f, "does not exist; {help}"),
            Hold::OwnedElsewhere { why }
            | Hold::Conflict { why }
            | Hold::RolledBack { why }
            | Hold::Pending { why } => f.write_str(why),
            Hold::UnknownLiveField { members } => write!(
                f,
                "the live object has members that this build does not know ({}), and a write \
                 would clear them; upgrade evenkeel or remove them",
                members.join(", ")
            ),
            Hold::OpenIntent { intent } => write!(
                f,
                "an earlier write ({intent}) has no known outcome yet; it is resolved first"
            ),
            Hold::Settling { until } => {
                write!(f, "written a moment ago; looked at again after {until}")
            }
            Hold::RolloutInProgress { deployment } => write!(
                f,
                "a rollout is in progress ({deployment}); written when it is over, or now with \
                 --during-rollout"
            ),
            Hold::Stalled { why } => write!(f, "Stalled: {why}"),
            Hold::Destructive { why } => {
                write!(f, "destructive: {why}; needs apply --allow-destructive")
            }
            Hold::Frozen => f.write_str(
                "a document of this app did not load, so nothing of the app is written; `evenkeel \
                 check` shows the errors",
            ),
            Hold::Unapproved => f.write_str(
                "it has drifted since the plan was saved, so nothing of it was approved; make a \
                 new plan",
            ),
            Hold::Audit { why } => write!(
                f,
                "the plan broke a law of its own ({why}); nothing is written, please report this"
            ),
            Hold::Paused {
                of,
                until,
                by,
                reason,
            } => write!(
                f,
                "{of} is paused by {by}: {reason}; written after {}, or after `evenkeel resume`",
                moment(*until)
            ),
            Hold::OutsideWindow { opens: Some(opens) } => {
                write!(
                    f,
                    "outside of the maintenance windows; written after {}",
                    moment(*opens)
                )
            }
            Hold::OutsideWindow { opens: None } => {
                f.write_str("no maintenance window of the app opens within a year; mend its Policy")
            }
            Hold::ChangeFreeze { until, reason } => {
                write!(f, "frozen: {reason}; the freeze ends {}", moment(*until))
            }
            Hold::OverBudget { why, until } => {
                write!(f, "the change budget of {why} is spent; written ")?;
                match until {
                    Some(until) => write!(f, "after {}", moment(*until)),
                    None => f.write_str("after the changes before it, as the budget refills"),
                }
            }
            Hold::Canary { app, why, until } => {
                write!(f, "waits for the canary {app}: {why}; written ")?;
                match until {
                    Some(until) => write!(f, "after {} if it stays so", moment(*until)),
                    None => f.write_str("when it has been in order for the bake time"),
                }
            }
            Hold::Approval {
                change,
                why,
                have,
                need,
                emergency,
            } => {
                write!(f, "{why}; ")?;
                if *need > 1 {
                    write!(f, "{have} of {need} people approved it; ")?;
                }
                let now = if *emergency { "--now " } else { "" };
                write!(
                    f,
                    "to approve it: evenkeel approve {change:.12} {now}--reason TEXT"
                )
            }
        }
    }
}
