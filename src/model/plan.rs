//! Plans: what is not in order, what will be written, what is held back and why.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::change::{Change, Drift, Hold};
use super::drift::Beside;
use super::finding::Finding;
use super::key::ResourceKey;
use super::source::SourceState;
use super::tree::Tree;
use crate::control::pause::Pause;

/// How one object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// Every field that its document names is as it says.
    InSync,
    /// It differs and will be written.
    Drifted,
    /// It is absent and will be created.
    Absent,
    /// It could not be read.
    Unreadable,
    /// It may differ and is not written until a person does something.
    Blocked,
    /// It differs and is written when something that passes has passed.
    Deferred,
}

/// One object's part of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectPlan {
    /// Whose.
    pub key: ResourceKey,
    /// How it stands.
    pub status: Status,
    /// What differs, in path order.
    pub drift: Vec<Drift>,
    /// What will be written; `None` when nothing is, or when it is held back.
    pub change: Option<Change>,
    /// Why it is held back, wholly or in part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// Worth telling, and in order: an operator's suspension, a value that is pending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What pins its change: a digest over the document, the live fields it was planned from, the
    /// steps and the object's last write. A saved plan is written only while this is the same.
    /// Empty where nothing is to be written; that of a change that change control holds back
    /// stays, so that it can be approved.
    pub pin: String,
    /// Facts that the engine records in the object's memory when they are new.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remember: BTreeMap<String, Tree>,
    /// Whether the object is still moving towards what was written (a rollout that we started).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// Intents of writes that were given up, whose late effect is to be looked for now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub look_for: Vec<String>,
    /// What stands beside its drift and is not written: unmanaged, pending, suspended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
    /// Tasks that its change replaces or starts; counted by change budgets.
    #[serde(default)]
    pub tasks: u64,
    /// Whether something of it is on its way, by whomever: history is read at the next look, too.
    #[serde(skip)]
    pub moving: bool,
}

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rollout {
    /// Still replacing tasks.
    InProgress {
        /// For people: `3 of 5 tasks run backend:13`.
        detail: String,
    },
    /// It failed or was rolled back.
    Failed {
        /// AWS's reason.
        detail: String,
    },
}

/// Counts for the last line and the exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Objects in order.
    pub in_sync: usize,
    /// Objects that will be written.
    pub changes: usize,
    /// Objects held back until a person acts, unreadable ones included. One that is held back in
    /// part is counted here and among the changes.
    pub blocked: usize,
    /// Objects held back until something has passed; in part, as above.
    pub deferred: usize,
    /// Mutations.
    pub steps: usize,
    /// Errors among the findings.
    pub errors: usize,
    /// Least seconds that the writes need at AWS's published rates.
    pub least_seconds: u64,
}

/// A plan over a whole desired state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Format of this value: 1.
    pub version: u32,
    /// A digest over everything else that matters: equal plans have equal ids.
    pub plan_id: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Whether the store was read; without it a plan cannot be saved.
    pub history_consulted: bool,
    /// Apps whose history could not be read, and why: nothing of theirs is written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub history_unread: BTreeMap<String, String>,
    /// In key order.
    pub objects: Vec<ObjectPlan>,
    /// What is wrong with the documents.
    pub findings: Vec<Finding>,
    /// Pauses of apps in scope that are on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// The mutations, by operation; and with them the reads that this look took.
    pub calls: BTreeMap<String, u64>,
    /// Counts.
    pub summary: Summary,
    /// Which commit the documents are of, and whether a newer one is on hold; nothing for a plain
    /// folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceState>,
}

/// What a whole look comes to, as an exit code of `plan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is in order: 0.
    InOrder,
    /// A document is wrong: 1.
    Wrong,
    /// There is drift to write: 2.
    Drift,
    /// Nothing to write, but something is blocked, unreadable or deferred: 3.
    Held,
}

impl Plan {
    /// The verdict, errors first.
    pub fn verdict(&self) -> Verdict {
        if self.summary.errors > 0 {
            Verdict::Wrong
        } else if self.summary.changes > 0 {
            Verdict::Drift
        } else if self.summary.blocked + self.summary.deferred > 0
            || self.source_is_held()
            || self.newest_is_unknown()
        {
            Verdict::Held
        } else {
            Verdict::InOrder
        }
    }

    /// Whether the newest commit waits for a person's word.
    pub fn source_is_held(&self) -> bool {
        self.source.as_ref().is_some_and(|s| s.held.is_some())
    }

    /// Whether the newest commit is not known: then that all is as the last one says is not all.
    pub fn newest_is_unknown(&self) -> bool {
        self.source.as_ref().is_some_and(|s| s.unread.is_some())
    }

    /// The part of `key`.
    pub fn object(&self, key: &ResourceKey) -> Option<&ObjectPlan> {
        self.objects.iter().find(|o| &o.key == key)
    }
}
