//! Conditions: what is recorded of each object's state, so that anyone can ask since when.
//!
//! Written on change only, and for an object that has always been in order not at all: an estate
//! in order costs the store no write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::Engine;
use crate::model::document::DesiredSet;
use crate::model::key::ResourceKey;
use crate::model::plan::{Plan, Status};
use crate::model::status::ObjectStatus;
use crate::model::tree;
use crate::store::{Store, StoreError};

/// What the store is known to say, by app; an app that is missing was not read yet.
#[derive(Debug, Default)]
pub(super) struct Book(Mutex<BTreeMap<String, BTreeMap<ResourceKey, ObjectStatus>>>);

impl Engine {
    /// Records the conditions of every object of `plan` whose conditions changed. Needs no lease.
    ///
    /// # Errors
    /// The store's; what was not recorded is at the next look.
    pub async fn record_conditions(&self, set: &DesiredSet, plan: &Plan) -> Result<(), StoreError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let apps: BTreeSet<&str> = plan.objects.iter().map(|o| o.key.app.as_str()).collect();
        for app in apps {
            self.read_conditions(store, app).await?;
        }
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

impl Book {
    fn knows(&self, app: &str) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(app)
    }

    fn get(&self, key: &ResourceKey) -> Option<ObjectStatus> {
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
