//! Entries: what the ledger says, one line for each thing that was about to happen or happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::change::{Drift, Risk, Step};
use super::key::ResourceKey;
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

/// A fault in a chain.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChainFault {
    /// A sequence number is missing or repeated.
    #[error("{app}: entry {found} stands where {wanted} should; the chain has a gap or a fork")]
    Gap {
        /// Whose chain.
        app: String,
        /// The number that should stand here.
        wanted: u64,
        /// The number that stands here.
        found: u64,
    },
    /// An entry does not name its predecessor.
    #[error("{app}: entry {seq} does not follow the entry before it; one of them was changed")]
    Link {
        /// Whose chain.
        app: String,
        /// Which entry.
        seq: u64,
    },
    /// The chain ends before its head.
    #[error(
        "{app}: the chain should reach entry {wanted}, and does not; its newest entries were taken away"
    )]
    Cut {
        /// Whose chain.
        app: String,
        /// The number that the head names.
        wanted: u64,
    },
    /// An entry is not what its hash says.
    #[error("{app}: entry {seq} does not match its own hash; it was changed after it was written")]
    Content {
        /// Whose chain.
        app: String,
        /// Which entry.
        seq: u64,
    },
}

/// Checks a whole chain, oldest first. Empty chains are whole.
///
/// # Errors
/// The first fault.
pub fn verify(entries: &[Entry]) -> Result<(), ChainFault> {
    let mut prev = GENESIS.to_owned();
    for (wanted, entry) in (1u64..).zip(entries) {
        let app = || entry.app.clone();
        if entry.seq != wanted {
            return Err(ChainFault::Gap {
                app: app(),
                wanted,
                found: entry.seq,
            });
        }
        if entry.prev != prev {
            return Err(ChainFault::Link {
                app: app(),
                seq: entry.seq,
            });
        }
        if entry.hash != entry.expected_hash() {
            return Err(ChainFault::Content {
                app: app(),
                seq: entry.seq,
            });
        }
        prev.clone_from(&entry.hash);
    }
    Ok(())
}

/// Checks that a chain reaches the head that was read before it: entry `seq` with `hash`. It may
/// have grown since. A head of 0 is that of a chain without entries.
///
/// # Errors
/// The chain was cut off at its end, or another one stands in its place.
pub fn reaches(app: &str, entries: &[Entry], seq: u64, hash: &str) -> Result<(), ChainFault> {
    if seq == 0 || entries.iter().any(|e| e.seq == seq && e.hash == hash) {
        return Ok(());
    }
    Err(ChainFault::Cut {
        app: app.to_owned(),
        wanted: seq,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: u64) -> Vec<Entry> {
        let mut prev = GENESIS.to_owned();
        (1..=length)
            .map(|seq| {
                let entry = Entry {
                    app: "shop".into(),
                    seq,
                    at: Timestamp::UNIX_EPOCH,
                    by: "me@here/1".into(),
                    token: 1,
                    record: Record::Outcome {
                        intent: format!("i{seq}"),
                        key: ResourceKey::new("shop", "Service", "web"),
                        outcome: Outcome::Applied,
                        detail: Tree::Null,
                    },
                    prev: prev.clone(),
                    hash: String::new(),
                }
                .sealed();
                prev.clone_from(&entry.hash);
                entry
            })
            .collect()
    }

    #[test]
    fn a_whole_chain_verifies() {
        assert_eq!(verify(&chain(5)), Ok(()));
        assert_eq!(verify(&[]), Ok(()));
    }

    #[test]
    fn a_changed_entry_is_found() {
        let mut entries = chain(3);
        entries[1].by = "someone@else/2".into();
        assert!(matches!(
            verify(&entries),
            Err(ChainFault::Content { seq: 2, .. })
        ));
        entries[1] = entries[1].clone().sealed();
        assert!(matches!(
            verify(&entries),
            Err(ChainFault::Link { seq: 3, .. })
        ));
    }

    #[test]
    fn a_chain_that_was_cut_off_at_its_end_is_found() {
        let whole = chain(3);
        let head = &whole[2];
        let check = |entries: &[Entry]| reaches("shop", entries, head.seq, &head.hash);
        assert_eq!(check(&whole), Ok(()));
        assert_eq!(reaches("shop", &whole, 2, &whole[1].hash), Ok(()));
        assert_eq!(verify(&whole[..2]), Ok(()));
        for cut in [&whole[..2], &[]] {
            assert!(matches!(check(cut), Err(ChainFault::Cut { wanted: 3, .. })));
        }
        assert_eq!(reaches("shop", &[], 0, GENESIS), Ok(()));
    }

    #[test]
    fn a_missing_entry_is_found() {
        let mut entries = chain(3);
        entries.remove(1);
        assert!(matches!(
            verify(&entries),
            Err(ChainFault::Gap {
                wanted: 2,
                found: 3,
                ..
            })
        ));
    }
}
