//! Passes: what one round of converging did, object by object.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::key::ResourceKey;
use super::plan::Plan;

/// How one object came out of a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "ended", content = "detail")]
pub enum Ended {
    /// It was in order, and nothing was written.
    InOrder,
    /// It was written, and shows what was written.
    Converged,
    /// It was written; its rollout goes on and was not waited for.
    RollingOut(String),
    /// AWS rolled the change back, or its rollout failed.
    RolledBack(String),
    /// It is held back; why.
    Held(String),
    /// A write failed, or its effect did not show; why, and what to do.
    Failed(String),
}

/// One object's part of a pass.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectPass {
    /// Whose.
    pub key: ResourceKey,
    /// How it ended.
    #[serde(flatten)]
    pub ended: Ended,
    /// The mutations that AWS accepted, by their titles, in order.
    pub written: Vec<String>,
}

/// What one round of converging did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The plan that it began with.
    pub plan: Plan,
    /// In key order; every object of the plan.
    pub objects: Vec<ObjectPass>,
    /// AWS calls of this process so far, by operation.
    pub calls: BTreeMap<String, u64>,
}

/// What a whole pass comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassVerdict {
    /// Everything in scope is as its documents say: 0.
    Converged,
    /// Something failed, was rolled back, or a document is wrong: 1.
    Failed,
    /// Something is blocked, deferred or unreadable, or the newest commit is not taken: 3.
    Held,
}

impl Pass {
    /// The verdict, failures first.
    pub fn verdict(&self) -> PassVerdict {
        let any = |test: fn(&Ended) -> bool| self.objects.iter().any(|o| test(&o.ended));
        if self.plan.summary.errors > 0
            || any(|e| matches!(e, Ended::Failed(_) | Ended::RolledBack(_)))
        {
            PassVerdict::Failed
        } else if any(|e| matches!(e, Ended::Held(_))) || self.plan.source_is_held() {
            PassVerdict::Held
        } else {
            PassVerdict::Converged
        }
    }

    /// Mutations that AWS accepted.
    pub fn written(&self) -> usize {
        self.objects.iter().map(|o| o.written.len()).sum()
    }
}
