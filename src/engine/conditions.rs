//! Conditions: what is recorded of each object's state, so that anyone can ask since when.
//!
//! Written on change only, and for an object that has always been in order not at all: an estate
//! in order costs the store no write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::Engine;
use super::apply::is_work;
use crate::kinds::Policy;
use crate::model::document::DesiredSet;
use crate::model::key::ResourceKey;
use crate::model::pass::Pass;
use crate::model::plan::{ObjectPlan, Plan, Status};
use crate::model::scope::Scope;
use crate::model::status::ObjectStatus;
use crate::model::tree;
use crate::store::{Store, StoreError};

/// What the store is known to say, by app; an app that is missing was not read yet.
#[derive(Debug, Default)]
pub(super) struct Book(Mutex<BTreeMap<String, BTreeMap<ResourceKey, ObjectStatus>>>);

impl Engine {
    /// Records the conditions of every object of `plan` whose conditions changed, and its drift.
    /// Needs no lease.
    ///
    /// # Errors
    /// The store's; what was not recorded is at the next look.
    pub async fn record_conditions(&self, set: &DesiredSet, plan: &Plan) -> Result<(), StoreError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        for app in apps_of(plan) {
            self.read_conditions(store, app).await?;
        }
        // First: conditions tell how the object stood before this look.
        self.record_drift(set, plan).await?;
        let now = self.cell.clock.now();
        for object in &plan.objects {
            let previous = self.book.get(&object.key);
            if previous.is_none() && object.status == Status::InSync && object.rollout.is_none() {
                continue;
            }
            let generation = set
                .documents
                .get(&object.key)
                .map(|d| tree::digest(&d.spec))
                .unwrap_or_default();
            let status = ObjectStatus::from_plan(object, previous.as_ref(), &generation, now);
            if previous.as_ref() != Some(&status) {
                store.put_status(&object.key, &status).await?;
                self.book.put(&object.key, status);
            }
        }
        Ok(())
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
        self.record_drift(set, &pass.plan).await?;
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
        if self.book.knows(app) {
            return Ok(());
        }
        let statuses = store.statuses(app).await?;
        self.book
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(app.to_owned(), statuses);
        Ok(())
    }
}

fn apps_of(plan: &Plan) -> BTreeSet<&str> {
    plan.objects.iter().map(|o| o.key.app.as_str()).collect()
}

impl Book {
    fn knows(&self, app: &str) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(app)
    }

    pub(super) fn get(&self, key: &ResourceKey) -> Option<ObjectStatus> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key.app)?
            .get(key)
            .cloned()
    }

    fn put(&self, key: &ResourceKey, status: ObjectStatus) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key.app.clone())
            .or_default()
            .insert(key.clone(), status);
    }
}
