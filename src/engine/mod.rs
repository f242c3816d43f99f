//! The engine: looks at AWS, plans, and converges one app at a time under its lease.

mod app;
pub mod apply;
mod conditions;
pub mod controller;
pub mod desired;

pub mod http;
mod object;
pub mod observe;
pub mod progress;
pub mod resolve;
pub mod rollout;
pub mod telemetry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use crate::aws::cell::Cell;
use crate::kinds::{Driver, KINDS, Policy};
use crate::model::document::DesiredSet;
use crate::model::memory::Memory;
use crate::model::plan::{ObjectPlan, Plan, Status};
use crate::model::scope::Scope;
use crate::model::snapshot::Snapshot;
use crate::plan::{self, Inputs};
use crate::store::{Store, StoreError};

/// How long a reading of an app's history serves for objects that are in order. Another replica
/// may have died in the middle of a write that shows nowhere but in the store.
const HISTORY_SERVES: Duration = Duration::from_secs(600);
/// Store queries under way at once.
const STORE_QUERIES: usize = 8;

/// One cell, its drivers and its store.
pub struct Engine {
    /// The account and region.
    pub cell: Arc<Cell>,
    /// Where leases, ledger and memory are. Without one nothing can be written.
    pub store: Option<Arc<Store>>,
    drivers: BTreeMap<&'static str, Box<dyn Driver>>,
    /// When each app's history was last read, on the boot clock.
    recalled: Mutex<BTreeMap<String, Duration>>,
    book: conditions::Book,
}

impl Engine {
    /// An engine over one cell.
    pub fn new(cell: Arc<Cell>, store: Option<Arc<Store>>) -> Self {
        let drivers = KINDS
            .iter()
            .map(|kind| (kind.name(), kind.driver(&cell)))
            .collect();
        Self {
            cell,
            store,
            drivers,
            recalled: Mutex::default(),
            book: conditions::Book::default(),
        }
    }

    /// Looks and plans, under no lock.
    ///
    /// # Errors
    /// A store that is there and cannot be read: a plan that forgot what was rolled back would
    /// lie.
    pub async fn plan(
        &self,
        set: &DesiredSet,
        scope: &Scope,
        policy: &Policy,
    ) -> Result<Plan, StoreError> {
        let before = self.cell.budget.calls();
        let snapshot = self.observe(set, scope).await;
        let reads = since(&before, self.cell.budget.calls());
        let mut memory = Memory {
            consulted: self.store.is_some(),
            objects: BTreeMap::new(),
        };
        let plan = self.plan_from(set, scope, &snapshot, &memory, policy, &reads);
        let Some(store) = &self.store else {
            return Ok(plan);
        };
        let apps = self.apps_to_recall(&plan);
        if apps.is_empty() {
            return Ok(plan);
        }
        let mut queries = stream::iter(apps)
            .map(|app| async move { (store.memory(&app).await, app) })
            .buffer_unordered(STORE_QUERIES);
        while let Some((read, app)) = queries.next().await {
            memory.objects.extend(read?);
            self.recalled
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(app, self.cell.clock.boot());
        }
        drop(queries);
        Ok(self.plan_from(set, scope, &snapshot, &memory, policy, &reads))
    }

    /// The apps whose history is needed: something is not in order, or it was not read for long.
    /// So an estate in order costs the store nothing but a query an app now and then.
    fn apps_to_recall(&self, plan: &Plan) -> BTreeSet<String> {
        let now = self.cell.clock.boot();
        let recalled = self.recalled.lock().unwrap_or_else(PoisonError::into_inner);
        let stale = |app: &str| {
            recalled
                .get(app)
                .is_none_or(|at| now.saturating_sub(*at) >= HISTORY_SERVES)
        };
        plan.objects
            .iter()
            .filter(|o| needs_history(o) || stale(&o.key.app))
            .map(|o| o.key.app.clone())
            .collect()
    }

    /// Plans from what was seen. `reads` are the calls that the look took.
    pub fn plan_from(
        &self,
        set: &DesiredSet,
        scope: &Scope,
        snapshot: &Snapshot,
        memory: &Memory,
        policy: &Policy,
        reads: &BTreeMap<String, u64>,
    ) -> Plan {
        plan::plan(&Inputs {
            kinds: KINDS,
            set,
            scope,
            snapshot,
            memory,
            policy,
            now: self.cell.clock.now(),
            reads,
        })
    }

    pub(crate) fn driver(&self, kind: &str) -> Option<&dyn Driver> {
        self.drivers.get(kind).map(AsRef::as_ref)
    }
}

/// Whether what the store knows could change this object's plan.
fn needs_history(object: &ObjectPlan) -> bool {
    object.status != Status::InSync || object.rollout.is_some() || !object.remember.is_empty()
}

/// What was called since `before` was counted.
fn since(before: &BTreeMap<String, u64>, now: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    now.into_iter()
        .map(|(name, n)| {
            let fresh = n.saturating_sub(before.get(&name).copied().unwrap_or(0));
            (name, fresh)
        })
        .filter(|(_, n)| *n > 0)
        .collect()
}
