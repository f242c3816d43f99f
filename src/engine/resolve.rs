//! Resolving: what became of a write whose answer was lost, read from what is there now.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Engine;
use super::object::SETTLING_BOUND;
use super::remembered::{applied_fact, applied_word, given_up_word};
use crate::aws::door::CALL_TIMEOUT;
use crate::kinds::{KINDS, LateEffect, Policy};
use crate::model::change::{Drift, Step};
use crate::model::document::DesiredSet;
use crate::model::entry::Outcome;
use crate::model::key::ResourceKey;
use crate::model::memory::{CameLate, LastWrite, Memory, ObjectMemory, OpenIntent};
use crate::model::scope::Scope;
use crate::model::snapshot::Seen;
use crate::model::tree::Tree;
use crate::plan::diff::is_mended;
use crate::store::{Lease, NewOutcome, SettleError, Store, StoreError};

/// How far the wall clocks of two machines may lie apart. With one that is further off, AWS refuses the
/// signatures, and nothing is written.
pub const CLOCKS_APART: Duration = Duration::from_secs(300);
/// Late effects that are kept in an object's memory.
const LATE_KEPT: usize = 8;

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
        let quiet = self.cell.clock.boot().saturating_sub(lease.quiet_since());
        let wait = still_to_wait(&open, lease.token(), quiet, self.cell.clock.now());
        // What it can still show comes last, what can still come of it before that.
        let showing = wait.min(SETTLING_BOUND);
        self.cell.clock.sleep(wait - showing).await;
        if !showing.is_zero() {
            self.keep_what_shows(store, lease, set, key, memory).await?;
            self.cell.clock.sleep(showing).await;
        }
        let Some((outcome, detail)) = self.find_effect(set, key, memory, &open).await else {
            return Ok(());
        };
        let now = self.cell.clock.now();
        let id = open.id.clone();
        let mut after = memory.clone();
        after.open = None;
        let step = step_of(&open);
        if outcome == Outcome::Applied {
            after.last_write = Some(LastWrite {
                intent: open.id.clone(),
                at: now,
            });
            if let (Some(step), Some(driver)) = (&step, self.driver(&key.kind))
                && driver.is_built_upon(step)
            {
                after
                    .facts
                    .insert(applied_word(step), applied_fact(step, &detail, now));
                after.facts.remove(&given_up_word(step));
            }
        } else if let (Some(step), Some(driver)) = (&step, self.driver(&key.kind)) {
            if driver.late_effect(step) == LateEffect::Hides {
                after.given_up.push(open.clone());
            } else if driver.is_built_upon(step) {
                let fact = applied_fact(step, &Tree::Null, open.at);
                after.facts.insert(given_up_word(step), fact);
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
            Ok(()) => {
                if outcome == Outcome::Applied {
                    self.drifts.corrected(key, &id, &open.drift, now);
                }
                *memory = after;
            }
            // Somebody else resolved it, and what they remember of it is what counts.
            Err(SettleError::Late) => {
                let mut all = store.memory(&key.app).await?;
                *memory = all.remove(key).unwrap_or_default();
            }
            Err(SettleError::Store(error)) => return Err(error),
        }
        Ok(())
    }

    /// Looks once more for what writes may have left that were given up long ago, and remembers
    /// what is found. It is told, and never used.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn look_for_late(
        &self,
        store: &Store,
        lease: &Lease,
        key: &ResourceKey,
        intents: &[String],
        memory: &mut ObjectMemory,
    ) -> Result<(), StoreError> {
        let Some(driver) = self.driver(&key.kind) else {
            return Ok(());
        };
        let mut after = memory.clone();
        for open in memory.given_up.iter().filter(|o| intents.contains(&o.id)) {
            let Some(step) = step_of(open) else {
                continue;
            };
            match driver.resolve(&open.id, &step).await {
                Ok(found) => {
                    after.given_up.retain(|other| other.id != open.id);
                    if let Some(applied) = found {
                        tracing::warn!(
                            %key, intent = open.id, left = %applied.detail,
                            "a write had its effect after it had been given up; nothing uses it"
                        );
                        after.came_late.push(CameLate {
                            intent: open.id.clone(),
                            at: open.at,
                            left: applied.detail,
                        });
                    }
                }
                Err(error) => {
                    tracing::warn!(%key, intent = open.id, %error, "looking for a late effect");
                }
            }
        }
        let excess = after.came_late.len().saturating_sub(LATE_KEPT);
        after.came_late.drain(..excess);
        if after != *memory {
            store.remember(lease, key, &after).await?;
            *memory = after;
        }
        Ok(())
    }

    /// What a write replaced unseen may show no more by the time that its outcome is known: it is
    /// looked for as soon as nothing of the write can come any more.
    async fn keep_what_shows(
        &self,
        store: &Store,
        lease: &Lease,
        set: &DesiredSet,
        key: &ResourceKey,
        memory: &mut ObjectMemory,
    ) -> Result<(), StoreError> {
        let scope = Scope::target(key);
        let snapshot = self.observe(set, &scope).await;
        let known = Memory {
            consulted: true,
            objects: BTreeMap::from([(key.clone(), memory.clone())]),
            ..Memory::default()
        };
        let policy = &Policy::CONTROLLER;
        let plan = self.plan_from(set, &scope, &snapshot, &known, policy, &BTreeMap::new());
        let news = plan.objects.into_iter().next().map(|o| o.remember);
        if let Some(news) = news.filter(|news| !news.is_empty()) {
            memory.facts.extend(news);
            store.remember(lease, key, memory).await?;
        }
        Ok(())
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
        if driver.late_effect(&step) == LateEffect::Hides {
            return Some((
                Outcome::NotApplied,
                Tree::from("no trace of it was there when it was looked up"),
            ));
        }
        let Some(document) = set.documents.get(key) else {
            return Some((
                Outcome::Superseded,
                Tree::from("its document is gone, so nothing tells what it was to bring about"),
            ));
        };
        let scope = Scope::target(key);
        let snapshot = self.observe(set, &scope).await;
        let closed = ObjectMemory {
            open: None,
            ..memory.clone()
        };
        let memory = Memory {
            consulted: true,
            objects: BTreeMap::from([(key.clone(), closed)]),
            ..Memory::default()
        };
        let plan = self.plan_from(
            set,
            &scope,
            &snapshot,
            &memory,
            &Policy::CONTROLLER,
            &BTreeMap::new(),
        );
        let now = plan.objects.first()?;
        match (&snapshot.objects.get(key)?.seen, open.drift.is_empty()) {
            (Seen::Unreadable(_), _) => None,
            // It was to be created.
            (Seen::Absent, true) => Some((
                Outcome::NotApplied,
                Tree::from("nothing was there when it was looked up"),
            )),
            (Seen::Present(_), true) if now.drift.is_empty() && now.change.is_none() => Some((
                Outcome::Applied,
                Tree::from("found as it was to be when it was looked up"),
            )),
            (Seen::Absent, false) => Some((
                Outcome::Superseded,
                Tree::from("the object was gone when it was looked up"),
            )),
            (Seen::Present(live), _) => {
                let kind = KINDS.iter().find(|k| k.name() == key.kind)?;
                let desired = kind.desired(document, set);
                let desired = kind.expected(desired, live, self.cell.clock.now());
                let there = |d: &&Drift| {
                    if is_wanted(d, &desired) {
                        // The plan of now knows best: of values that AWS holds back, too, and of
                        // those that are to be undone.
                        !now.drift.iter().any(|other| other.path == d.path)
                    } else {
                        is_mended(d, &live.view, kind.rules())
                    }
                };
                let there = open.drift.iter().filter(there).count();
                Some(judged(there, open.drift.len()))
            }
        }
    }
}

/// How long the effect of an open intent can still come to light: it comes until one call timeout
/// after the intent, and shows until the settling bound after that. Its date is of another's wall clock,
/// so it is believed only when it lies so far back that no clock can be so wrong. Else our own clock
/// counts, and knows how long it has been `quiet` under leases older than ours, whose token is `ours`.
/// One of our own token is as young as can be, and so is one of a newer: then our lease is gone.
pub fn still_to_wait(open: &OpenIntent, ours: u64, quiet: Duration, now: Timestamp) -> Duration {
    let whole = CALL_TIMEOUT + SETTLING_BOUND;
    let age = Duration::try_from(now.duration_since(open.at)).unwrap_or_default();
    if age >= whole + CLOCKS_APART {
        return Duration::ZERO;
    }
    let known = if open.token < ours {
        quiet
    } else {
        Duration::ZERO
    };
    whole.saturating_sub(known)
}

/// Whether the document still wants of a field what a write was to bring about.
fn is_wanted(drift: &Drift, desired: &Tree) -> bool {
    let names = drift.path.segments().iter().skip(1);
    let here = names
        .into_iter()
        .try_fold(desired, |tree, name| tree.get(name));
    here == Some(&drift.desired)
}

/// What `there` of the `all` fields that a write was to mend say of it, once nothing of it can be on
/// its way any more.
fn judged(there: usize, all: usize) -> (Outcome, Tree) {
    let (outcome, why) = match there {
        0 if all == 0 => (
            Outcome::Superseded,
            "nothing tells what it was to bring about; the object is planned anew",
        ),
        0 => (
            Outcome::NotApplied,
            "nothing of it was there when it was looked up",
        ),
        _ if there == all => (
            Outcome::Applied,
            "found as it was to be when it was looked up",
        ),
        _ => (
            Outcome::Superseded,
            "a part of it was there when it was looked up, so others wrote too; the object is \
             planned anew",
        ),
    };
    (outcome, Tree::from(why))
}

fn step_of(open: &OpenIntent) -> Option<Step> {
    serde_json::from_value(open.step.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_intent_is_believed_only_when_no_clock_can_be_so_wrong() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let secs = Duration::from_secs;
        let wait = |age: i64, token, quiet| {
            let open = OpenIntent {
                id: "i".into(),
                at: Timestamp::from_second(1_000_000 - age).unwrap(),
                token,
                operation: "ecs.UpdateService".into(),
                step: Tree::Null,
                drift: Vec::new(),
                commit: None,
            };
            still_to_wait(&open, 7, secs(quiet), now)
        };
        // An older lease's, and how long it has been quiet since: whatever the date says.
        for age in [-60, 0, 60, 339] {
            assert_eq!(wait(age, 6, 0), secs(40));
            assert_eq!(wait(age, 6, 30), secs(10));
            assert_eq!(wait(age, 6, 40), secs(0));
        }
        assert_eq!(wait(340, 6, 0), secs(0));
        // Our own, and one of a lease that was granted since.
        assert_eq!(wait(60, 7, 40), secs(40));
        assert_eq!(wait(60, 8, 40), secs(40));
    }

    #[test]
    fn an_outcome_is_what_the_fields_of_the_write_itself_say() {
        let outcome = |there, all| judged(there, all).0;
        assert_eq!(outcome(2, 2), Outcome::Applied);
        assert_eq!(outcome(0, 2), Outcome::NotApplied);
        assert_eq!(outcome(1, 2), Outcome::Superseded);
        assert_eq!(outcome(0, 0), Outcome::Superseded);
    }
}
