//! Memory: what the store knows about objects, as the planner is told it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key::ResourceKey;
use super::tree::Tree;

/// What the store knows, or that it was not asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Whether a store was read. Without it a plan shows drift and cannot be saved.
    pub consulted: bool,
    /// By key; an object that was never written is missing.
    pub objects: BTreeMap<ResourceKey, ObjectMemory>,
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
    /// What the kind asked to have remembered, by its own word, such as `rolledBack`.
    pub facts: BTreeMap<String, Tree>,
}

/// How many past writes of an object are remembered: enough for the `Stalled` rule.
pub const WRITES_KEPT: usize = 12;

/// An intent without an outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenIntent {
    /// Its id.
    pub id: String,
    /// When it was written.
    pub at: Timestamp,
    /// The call it announced.
    pub operation: String,
    /// The step, whole.
    pub step: Tree,
}

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
