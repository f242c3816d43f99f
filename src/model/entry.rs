//! Entries: what the ledger says, one line for each thing that was about to happen or happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::change::{Drift, Risk, Step};
use super::key::ResourceKey;
use super::source::CommitId;
use super::tree::{self, Tree};

/// One entry of an app's write chain.
///
/// `hash` is the SHA-256 of the canonical JSON of all other members; `prev` is the hash of the
/// entry before it, or [`GENESIS`]. A chain has no gap and no fork.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The app whose chain this is.
    pub app: String,
    /// From 1, without a gap.
    pub seq: u64,
    /// When it was written, by the writer's wall clock.
    pub at: Timestamp,
    /// Who wrote it: `user@host/pid`.
    pub by: String,
    /// The fencing token of the lease it was written under.
    pub token: u64,
    /// What it says.
    pub record: Record,
    /// Hash of the entry before.
    pub prev: String,
    /// Hash of this one.
    pub hash: String,
}

/// The hash before the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Record {
    /// A write is about to be sent.
    Intent {
        /// Its id, unique; also the client request token of its transaction.
        id: String,
        /// Whose.
        key: ResourceKey,
        /// What.
        step: Step,
        /// The drift that it mends.
        drift: Vec<Drift>,
        /// Its risk.
        risk: Risk,
        /// The plan that it belongs to.
        plan: String,
        /// Tasks that the whole change replaces or starts; counted by change budgets.
        #[serde(default, skip_serializing_if = "is_zero")]
        tasks: u64,
        /// The commit whose documents ask for it, where they are of one. Left out where they are
        /// not, so that entries from before there were commits have the hash that they had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<CommitId>,
    },
    /// What became of it.
    Outcome {
        /// The intent's id.
        intent: String,
        /// Whose.
        key: ResourceKey,
        /// How it ended.
        outcome: Outcome,
        /// What AWS answered, or why: short, without secrets.
        detail: Tree,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a field over by reference"
)]
fn is_zero(tasks: &u64) -> bool {
    *tasks == 0
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// AWS said yes, or it was found to be there.
    Applied,
    /// It certainly did not happen.
    NotApplied,
    /// Nobody knows yet. Neither failure nor success: it is looked up.
    Unknown,
    /// Somebody else changed the object first; planned again.
    Superseded,
}

impl Entry {
    /// The hash that this entry must carry.
    pub fn expected_hash(&self) -> String {
        let mut tree = tree::to_tree(self);
        if let Some(members) = tree.as_object_mut() {
            members.remove("hash");
        }
        tree::digest(&tree)
    }

    /// This entry with its hash filled in.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.hash = self.expected_hash();
        self
    }

    /// The object that it speaks of.
    pub fn key(&self) -> &ResourceKey {
        match &self.record {
            Record::Intent { key, .. } | Record::Outcome { key, .. } => key,
        }
    }
}
