//! Resolving: what became of a write whose answer was lost, read from what is there now.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Engine;
use super::object::{SETTLING_BOUND, applied_fact, applied_word};
use crate::aws::door::CALL_TIMEOUT;
use crate::kinds::Policy;
use crate::model::change::Step;
use crate::model::document::DesiredSet;
use crate::model::entry::Outcome;
use crate::model::key::ResourceKey;
use crate::model::memory::{LastWrite, Memory, ObjectMemory, OpenIntent};
use crate::model::plan::Status;
use crate::model::scope::Scope;
use crate::model::tree::Tree;
use crate::store::{Lease, NewOutcome, SettleError, Store, StoreError};

impl Engine {
    /// Resolves the open intent in `memory`, if it can be: waits until an effect would have to
    /// show, reads, and records the outcome. What cannot be read stays open.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn resolve_open(
        &self,
        store: &Store,
        lease: &Lease,
        set: &DesiredSet,
        key: &ResourceKey,
        memory: &mut ObjectMemory,
    ) -> Result<(), StoreError> {
        let Some(open) = memory.open.clone() else {
            return Ok(());
        };
        self.cell.clock.sleep(self.still_to_wait(&open)).await;
        let Some((outcome, detail)) = self.find_effect(set, key, memory, &open).await else {
            return Ok(());
        };
        let now = self.cell.clock.now();
        let mut after = memory.clone();
        after.open = None;
        if outcome == Outcome::Applied {
            after.last_write = Some(LastWrite {
                intent: open.id.clone(),
                at: now,
            });
            if let Some(step) = step_of(&open) {
                after
                    .facts
                    .insert(applied_word(&step), applied_fact(&step, &detail));
            }
        }
        let settled = store
            .settle(
                lease,
                NewOutcome {
                    intent: open.id,
                    key: key.clone(),
                    outcome,
                    detail,
                    memory: Some(after.clone()),
                },
            )
            .await;
        match settled {
            Ok(()) | Err(SettleError::Late) => {
                *memory = after;
                Ok(())
            }
            Err(SettleError::Store(error)) => Err(error),
        }
    }

    /// An effect can come until one call timeout after the intent, and show until the settling
    /// bound after that. Wall clocks of two machines may differ, so never less than the whole
    /// bound if the intent seems to come from the future.
    fn still_to_wait(&self, open: &OpenIntent) -> Duration {
        let whole = CALL_TIMEOUT + SETTLING_BOUND;
        let age = self.cell.clock.now().duration_since(open.at);
        match Duration::try_from(age) {
            Ok(age) => whole.saturating_sub(age),
            Err(_) => whole,
        }
    }

    async fn find_effect(
        &self,
        set: &DesiredSet,
        key: &ResourceKey,
        memory: &ObjectMemory,
        open: &OpenIntent,
    ) -> Option<(Outcome, Tree)> {
        let step = step_of(open)?;
        let driver = self.driver(&key.kind)?;
        match driver.resolve(&open.id, &step).await {
            Ok(Some(applied)) => return Some((Outcome::Applied, applied.detail)),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%key, intent = open.id, %error, "resolving a write of unknown outcome");
                return None;
            }
        }
        // The document may have changed since: then what the intent wanted is not what is wanted
        // now, and "differs" says only that it has to be written again, which is true.
        let scope = Scope::target(key);
        let snapshot = self.observe(set, &scope).await;
        let mut closed = memory.clone();
        closed.open = None;
        let memory = Memory {
            consulted: true,
            objects: BTreeMap::from([(key.clone(), closed)]),
        };
        let plan = self.plan_from(
            set,
            &scope,
            &snapshot,
            &memory,
            &Policy::CONTROLLER,
            &BTreeMap::new(),
        );
        let object = plan.objects.first()?;
        match object.status {
            Status::Unreadable => None,
            _ if object.drift.is_empty() && object.change.is_none() => Some((
                Outcome::Applied,
                Tree::from("found in order when it was looked up"),
            )),
            _ => Some((
                Outcome::NotApplied,
                Tree::from("the object still differs when it was looked up"),
            )),
        }
    }
}

fn step_of(open: &OpenIntent) -> Option<Step> {
    serde_json::from_value(open.step.clone()).ok()
}
