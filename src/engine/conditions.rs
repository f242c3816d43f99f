//! Conditions: what is recorded of each object's state, so that anyone can ask since when.
//!
//! Written on change only, and for an object that has always been in order not at all: an estate
//! in order costs the store no write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Engine;
use super::apply::is_work;
use crate::kinds::Policy;
use crate::model::document::DesiredSet;
use crate::model::key::ResourceKey;
use crate::model::pass::{Ended, ObjectPass, Pass};
use crate::model::plan::{ObjectPlan, Plan, Status};
use crate::model::scope::Scope;
use crate::model::status::{Firsts, ObjectStatus, Transition};
use crate::model::tree;
use crate::store::{Recorded, Store, StoreError};

/// Attempts at one object's conditions that other replicas change under us.
const RECORDINGS: usize = 3;
/// Characters of a failure that are kept.
const FAILURE_CHARS: usize = 500;

/// How long what was read of conditions and drift is taken to stand there still. Another replica may
/// have written since, and be gone: then its word stands until somebody reads it.
pub(super) const READ_ANEW_AFTER: Duration = Duration::from_secs(300);

/// What the store is known to say, by app; an app that is missing was not read yet.
#[derive(Debug, Default)]
pub(super) struct Book(Mutex<BTreeMap<String, Page>>);

/// One app's.
#[derive(Debug, Default)]
struct Page {
    /// When it was read, by the boot clock.
    read: Duration,
    statuses: BTreeMap<ResourceKey, ObjectStatus>,
}

impl Engine {
    /// Records the conditions of every object of `plan` whose conditions changed, and its drift.
    /// Needs no lease.
    ///
    /// # Errors
    /// The store's; what was not recorded is at the next look.
    pub async fn record_conditions(&self, set: &DesiredSet, plan: &Plan) -> Result<(), StoreError> {
        self.record_changes(set, plan, &mut Firsts::default()).await
    }

    /// The same; what this process was the first to record is put into `ours`, even when not all of
    /// it could be recorded.
    ///
    /// # Errors
    /// The store's; what was not recorded is at the next look.
    pub async fn record_changes(
        &self,
        set: &DesiredSet,
        plan: &Plan,
        ours: &mut Firsts,
    ) -> Result<(), StoreError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        for app in apps_of(plan) {
            self.read_conditions(store, app).await?;
        }
        // First: conditions tell how the object stood before this look.
        self.record_drift(set, plan, &mut ours.opened).await?;
        let now = self.cell.clock.now();
        for object in &plan.objects {
            let generation = set
                .documents
                .get(&object.key)
                .map(|d| tree::digest(&d.spec))
                .unwrap_or_default();
            let quiet = object.status == Status::InSync && object.rollout.is_none();
            let recorded = self
                .record(store, &object.key, |previous| {
                    let always = quiet && previous.is_none();
                    let fresh = || ObjectStatus::from_plan(object, previous, &generation, now);
                    (!always).then(fresh)
                })
                .await?;
            if recorded.is_some() && self.drifts.are_asked_for(&object.key) {
                ours.asked_for.insert(object.key.clone());
            }
            ours.transitions.extend(recorded);
        }
        Ok(())
    }

    /// Records which of `objects` failed, and gives those that were not known to: an object is told
    /// of once, until it is in order again.
    ///
    /// # Errors
    /// The store's; what was not recorded is with the next failure.
    pub async fn record_failures(
        &self,
        objects: &[ObjectPass],
    ) -> Result<BTreeSet<ResourceKey>, StoreError> {
        let mut new = BTreeSet::new();
        let Some(store) = &self.store else {
            return Ok(new);
        };
        for object in objects {
            let (Ended::Failed(why) | Ended::RolledBack(why)) = &object.ended else {
                continue;
            };
            self.read_conditions(store, &object.key.app).await?;
            let recorded = self
                .record(store, &object.key, |previous| {
                    let mut status = previous.cloned().unwrap_or_default();
                    if status.failed.is_some() {
                        return None;
                    }
                    status.failed = Some(why.chars().take(FAILURE_CHARS).collect());
                    Some(status)
                })
                .await?;
            new.extend(recorded.map(|transition| transition.key));
        }
        Ok(new)
    }

    /// Records what `fresh` makes of what the store says, unless it is that already; `None` from it
    /// leaves all as it is. Gives the transition if this process made it: what another replica has
    /// recorded meanwhile is what `fresh` is asked about again.
    async fn record(
        &self,
        store: &Store,
        key: &ResourceKey,
        fresh: impl Fn(Option<&ObjectStatus>) -> Option<ObjectStatus>,
    ) -> Result<Option<Transition>, StoreError> {
        for _ in 0..RECORDINGS {
            let before = self.book.get(key);
            let Some(now) = fresh(before.as_ref()) else {
                return Ok(None);
            };
            if before.as_ref() == Some(&now) {
                return Ok(None);
            }
            match store.record_status(key, before.as_ref(), &now).await? {
                Recorded::Ours => {
                    self.book.put(key, Some(now.clone()));
                    let key = key.clone();
                    return Ok(Some(Transition { key, before, now }));
                }
                Recorded::Theirs(there) => self.book.put(key, there),
            }
        }
        // Others keep changing it: what is so then is recorded at the next look.
        Ok(None)
    }

    /// Records the conditions of every object of `pass`, as they are after it. What nothing was done
    /// to is as its plan says; the rest is looked at once more.
    ///
    /// # Errors
    /// The store's; what was not recorded is at the next look.
    pub async fn record_pass(&self, set: &DesiredSet, pass: &Pass) -> Result<(), StoreError> {
        let touched: Vec<&ObjectPlan> = pass.plan.objects.iter().filter(|o| is_work(o)).collect();
        for app in apps_of(&pass.plan) {
            if let Some(store) = &self.store {
                self.read_conditions(store, app).await?;
            }
        }
        self.record_drift(set, &pass.plan, &mut Vec::new()).await?;
        let mut plan = pass.plan.clone();
        plan.made_at = self.cell.clock.now();
        if !touched.is_empty() {
            let scope = Scope::among(touched.into_iter().map(|o| o.key.clone()));
            let fresh = self.plan(set, &scope, &Policy::CONTROLLER).await;
            for object in fresh.objects {
                if let Some(old) = plan.objects.iter_mut().find(|o| o.key == object.key) {
                    *old = object;
                }
            }
        }
        self.record_conditions(set, &plan).await
    }

    async fn read_conditions(&self, store: &Store, app: &str) -> Result<(), StoreError> {
        let now = self.cell.clock.boot();
        if self.book.knows(app, now) {
            return Ok(());
        }
        let statuses = store.statuses(app).await?;
        let page = Page {
            read: now,
            statuses,
        };
        self.book.pages().insert(app.to_owned(), page);
        Ok(())
    }
}

fn apps_of(plan: &Plan) -> BTreeSet<&str> {
    plan.objects.iter().map(|o| o.key.app.as_str()).collect()
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, BTreeMap<String, Page>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, app: &str, now: Duration) -> bool {
        let pages = self.pages();
        let page = pages.get(app);
        page.is_some_and(|page| now.saturating_sub(page.read) < READ_ANEW_AFTER)
    }

    pub(super) fn get(&self, key: &ResourceKey) -> Option<ObjectStatus> {
        self.pages().get(&key.app)?.statuses.get(key).cloned()
    }

    fn put(&self, key: &ResourceKey, status: Option<ObjectStatus>) {
        let mut pages = self.pages();
        let statuses = &mut pages.entry(key.app.clone()).or_default().statuses;
        match status {
            Some(status) => statuses.insert(key.clone(), status),
            None => statuses.remove(key),
        };
    }
}
