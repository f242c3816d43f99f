//! State: what the store and the last look know that change control asks for.
//!
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::approval::{Reach, Standing};
use super::leash::{InForce, Leash, Written, in_force};
use super::pause::Pause;
use super::policy::ChangePolicy;
use crate::model::document::DesiredSet;
use crate::model::entry::{Entry, Outcome, Record};
use crate::model::key::ResourceKey;

/// What budgets count over.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// All that change control knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Control {
    /// What no document can pass: the settings' `ceilings`.
    pub ceiling: ChangePolicy,
    /// By app; one that is missing has neither leash nor pause.
    pub apps: BTreeMap<String, AppControl>,
}

/// What is known of one app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppControl {
    /// The policy that the store holds.
    pub leash: Option<Leash>,
    /// Its pauses, those that are over included.
    pub pauses: Vec<Pause>,
    /// Why a row of them could not be read; then nothing of the app is written.
    pub unread: Option<String>,
    /// What was approved, where that was read.
    pub approvals: Standing,
    /// What was written in the last hour, oldest first, where a budget asks for it.
    pub past: Vec<PastChange>,
    /// How the canaries do that it waits for.
    pub canaries: BTreeMap<String, Health>,
    /// Objects that the pass at hand has begun to write.
    pub under_way: BTreeSet<ResourceKey>,
    /// The approvals that some of them are written under; each serves to the end of the pass.
    pub in_use: BTreeMap<ResourceKey, InUse>,
}

/// An approval that serves the pass at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// The change's digest.
    pub digest: String,
    /// How far it reaches.
    pub reach: Reach,
}

/// One change that was written, or may have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastChange {
    /// Whose.
    pub key: ResourceKey,
    /// Which: its pin.
    pub change: String,
    /// When its first step was announced.
    pub at: Timestamp,
    /// Tasks that it replaced or started.
    pub tasks: u64,
}

/// How a canary does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It was not looked at, or could not be.
    Unknown(String),
    /// Something of it is not in order: what.
    Ailing(String),
    /// It is in order, and has been since, as far as anything tells.
    Since(Timestamp),
    /// It is in order as of this look; nothing tells yet since when.
    JustNow,
    /// It is in order, and nothing tells that it ever was not.
    Always,
}

impl Control {
    /// What is known of `app`.
    pub fn app(&self, app: &str) -> AppControl {
        self.apps.get(app).cloned().unwrap_or_default()
    }

    /// Which policy is in force for `app`.
    pub fn in_force(&self, set: &DesiredSet, app: &str, now: Timestamp) -> InForce {
        let nothing = AppControl::default();
        let known = self.apps.get(app).unwrap_or(&nothing);
        in_force(
            app,
            known.leash.as_ref().map(|leash| &leash.policy),
            written(set, app),
            &known.approvals,
            &self.ceiling,
            now,
        )
    }
}

/// What the documents say of the policy of `app`.
pub fn written<'d>(set: &'d DesiredSet, app: &str) -> Written<'d> {
    if set.frozen.holds(app) {
        return Written::Unknown;
    }
    match set.policies.get(app) {
        Some(document) => Written::Policy(&document.policy),
        None => Written::Nothing,
    }
}

/// The changes of an app's chain (oldest first) that began after `since`. What certainly did not
/// happen is none; what nobody knows the outcome of is one.
pub fn past_changes(chain: &[Entry], since: Timestamp) -> Vec<PastChange> {
    let undone: BTreeSet<&str> = chain
        .iter()
        .filter_map(|entry| match &entry.record {
            Record::Outcome {
                intent, outcome, ..
            } => {
                let undone = matches!(outcome, Outcome::NotApplied | Outcome::Superseded);
                undone.then_some(intent.as_str())
            }
            Record::Intent { .. } => None,
        })
        .collect();
    let mut past: Vec<PastChange> = Vec::new();
    for entry in chain.iter().filter(|entry| entry.at > since) {
        let Record::Intent {
            id,
            key,
            plan,
            tasks,
            ..
        } = &entry.record
        else {
            continue;
        };
        if undone.contains(id.as_str()) {
            continue;
        }
        // The steps of one change carry one pin.
        let same = past
            .iter_mut()
            .find(|one| one.key == *key && one.change == *plan);
        match same {
            Some(one) => one.tasks = one.tasks.max(*tasks),
            None => past.push(PastChange {
                key: key.clone(),
                change: plan.clone(),
                at: entry.at,
                tasks: *tasks,
            }),
        }
    }
    past
}
