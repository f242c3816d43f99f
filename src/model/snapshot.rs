//! Snapshots: what was seen of live AWS, and when.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key::ResourceKey;
use super::tree::Tree;

/// What one look found of one object. An error is never an absence.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// It is there.
    Present(Live),
    /// AWS's own word says that it is not there. Never the result of an error.
    Absent,
    /// It could not be read, wholly or in part: the cause, for people.
    Unreadable(String),
}

/// A live object.
///
/// `view` has the shape of the kind's desired tree, so that one diff serves all kinds.
/// `facts` is what the kind needs to decide besides (deployments, controller type, names of
/// containers, ...). Neither ever holds a secret, such as a container's environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// The live values, normalised, in the shape of the desired tree.
    pub view: Tree,
    /// What else the kind needs to know in order to decide.
    pub facts: Tree,
}

/// One object as one look found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// What was found.
    pub seen: Seen,
    /// When the reading of it began, by wall clock: it is at least as new as this.
    pub at: Timestamp,
}

/// All that one look found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// By key. A wanted object that is missing here was not looked at: treat it as unreadable.
    pub objects: BTreeMap<ResourceKey, Observation>,
}
