//! Progress: what an engine at work tells whoever watches.

use std::time::Duration;

use crate::model::key::ResourceKey;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An app's lease is being asked for. A holder that died keeps it for up to one lease
    /// duration.
    Leasing {
        /// Whose.
        app: String,
    },
    /// Another process holds the lease that is being asked for, and is waited for.
    Waiting {
        /// Whose.
        app: String,
        /// Who holds it.
        holder: String,
        /// For how long at the most, in all.
        most: Duration,
    },
    /// An app's lease was taken.
    Leased {
        /// Whose.
        app: String,
        /// Its fencing token.
        token: u64,
    },
    /// Another process holds an app's lease.
    Busy {
        /// Whose.
        app: String,
        /// Who holds it.
        holder: String,
    },
    /// An app's pass ended before its end.
    GivenUp {
        /// Whose.
        app: String,
        /// Why, and what to do.
        why: String,
    },
    /// A write of unknown outcome is being looked up.
    Resolving {
        /// Whose.
        key: ResourceKey,
        /// Its intent.
        intent: String,
    },
    /// A step is about to be sent.
    Writing {
        /// Whose.
        key: ResourceKey,
        /// What.
        title: String,
    },
    /// AWS accepted a step.
    Written {
        /// Whose.
        key: ResourceKey,
        /// What.
        title: String,
    },
    /// An object shows what was written.
    Converged {
        /// Which.
        key: ResourceKey,
    },
    /// A rollout goes on.
    Rollout {
        /// Whose.
        key: ResourceKey,
        /// How far.
        detail: String,
    },
    /// An object was held back.
    Held {
        /// Which.
        key: ResourceKey,
        /// Why.
        why: String,
    },
    /// An object failed.
    Failed {
        /// Which.
        key: ResourceKey,
        /// Why, and what to do.
        why: String,
    },
}

/// Who watches.
pub trait Progress: Send + Sync {
    /// Takes note. Must not block.
    fn event(&self, event: &Event);
}

/// Nobody watches.
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: &Event) {}
}
