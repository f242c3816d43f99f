//! Memory: what the store knows about objects, as the planner is told it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::change::Drift;
use super::key::ResourceKey;
use super::source::CommitId;
use super::tree::Tree;
use crate::control::state::Control;

/// How long AWS may take to show what it accepted. Inside it an absence is not believed.
pub const SETTLING_BOUND: Duration = Duration::from_secs(30);

/// What the store knows, or that it was not asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Whether a store was read. Without it a plan shows drift and cannot be saved.
    pub consulted: bool,
    /// By key; an object that was never written is missing.
    pub objects: BTreeMap<ResourceKey, ObjectMemory>,
    /// Apps whose history could not be read, and why. Nothing of theirs is written.
    pub unread: BTreeMap<String, String>,
    /// Policies in force, pauses, approvals.
    pub control: Control,
}

/// What is remembered of one object. Stored as JSON in its `MEMORY#` row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMemory {
    /// The write whose outcome is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenIntent>,
    /// The newest write whose outcome is `Applied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_write: Option<LastWrite>,
    /// Until then what was written may not show yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settling_until: Option<Timestamp>,
    /// The newest writes, oldest first, at most [`WRITES_KEPT`]; feeds the `Stalled` rule.
    pub writes: Vec<PastWrite>,
    /// Writes that were given up without a trace of them, of a sort whose late effect no look at the
    /// object would show. Looked for once more when nothing of them can come any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<OpenIntent>,
    /// Effects that came after their write had been given up, newest last, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub came_late: Vec<CameLate>,
    /// What the kind asked to have remembered, by its own word, such as `rolledBack`.
    pub facts: BTreeMap<String, Tree>,
}

impl ObjectMemory {
    /// Until when what was written may not show yet, if that is still to come. A bound that is
    /// further off than bounds are was set before the clock was set back, and binds nobody: or an
    /// hour that is repeated would be an hour in which nothing is done.
    pub fn settling(&self, now: Timestamp) -> Option<Timestamp> {
        self.settling_until
            .filter(|until| now < *until && *until <= now + SETTLING_BOUND)
    }
}

impl PastWrite {
    /// Whether it happened less than `window` ago, or lies less than that ahead of a clock that was set
    /// back since: it was made all the same. What lies further ahead would count for as long, and does
    /// not.
    pub fn is_within(&self, window: SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.at).abs() < window
    }
}

/// How many past writes of an object are remembered: enough for the `Stalled` rule.
pub const WRITES_KEPT: usize = 12;

/// An intent without an outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenIntent {
    /// Its id.
    pub id: String,
    /// When it was written, by its writer's wall clock.
    pub at: Timestamp,
    /// The token of the lease that it was written under.
    #[serde(default)]
    pub token: u64,
    /// The call it announced.
    pub operation: String,
    /// The step, whole.
    pub step: Tree,
    /// What it was to mend: tells later whether its effect is there.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// The commit whose documents ask for it, where they are of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
}

/// An effect that came after its write had been given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameLate {
    /// The write's intent.
    pub intent: String,
    /// When the write was announced.
    pub at: Timestamp,
    /// What it left, such as a revision's ARN.
    pub left: Tree,
}

/// How long after it was announced a write can still have its effect: AWS refuses a request whose
/// signature is older (Signature Version 4 allows 15 minutes of skew at most).
pub const NOTHING_COMES_AFTER: SignedDuration = SignedDuration::from_mins(20);
/// When a given-up write is not looked for any more, even if no look could tell what came of it.
pub const GIVEN_UP_FOR_GOOD: SignedDuration = SignedDuration::from_hours(24);
/// How long a late effect is told of.
pub const LATE_TOLD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The newest write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastWrite {
    /// Its intent's id.
    pub intent: String,
    /// When its outcome was known.
    pub at: Timestamp,
}

/// One past write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastWrite {
    /// When.
    pub at: Timestamp,
    /// What it corrected: a digest over the fields and their desired values.
    pub correction: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn a_settling_bound_from_before_a_step_back_binds_nobody() {
        let memory = ObjectMemory {
            settling_until: Some(at(60) + SETTLING_BOUND),
            ..ObjectMemory::default()
        };
        assert_eq!(memory.settling(at(60)), memory.settling_until);
        assert_eq!(memory.settling(at(61)), None);
        // An hour back: it would bind for an hour.
        assert_eq!(memory.settling(at(0)), None);
    }

    #[test]
    fn a_write_that_a_clock_set_back_has_before_it_counts_as_much_as_one_behind() {
        let write = PastWrite {
            at: at(60),
            correction: String::new(),
        };
        let hour = SignedDuration::from_hours(1);
        let within = |minutes| write.is_within(hour, at(minutes));
        assert!(within(60) && within(119) && within(1));
        assert!(!within(120) && !within(0));
        // A clock that was a year ahead: its writes hold nothing for a year.
        assert!(!within(-525_600));
    }
}
