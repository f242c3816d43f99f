//! The engine: looks at AWS, plans, and converges one app at a time under its lease.

mod app;
pub mod apply;
mod approach;
pub mod approvable;
pub mod commit_status;
pub mod commits;
pub mod compose;
mod conditions;
mod control;
pub mod controller;
pub mod desired;
mod drift;
mod episodes;
mod fetches;
pub mod forge;
mod gate;
pub mod git_source;
pub mod http;
mod in_force;
mod news;
mod object;
pub mod observe;
pub mod pinned_folder;
pub mod progress;
mod remembered;
pub mod report;
pub mod resolve;
pub mod rollout;
pub mod secret;
mod source_news;
mod strangers;
pub mod survey;
pub mod telemetry;
pub mod trail;
pub mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use self::control::{Writes, asks_control};
use crate::aws::cell::Cell;
use crate::control::policy::ChangePolicy;
use crate::control::state::{AppControl, Control};
use crate::kinds::{Driver, KINDS, Policy};
use crate::model::change::{Drift, Step};
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
    drifts: episodes::Drifts,
    trail: trail::Trail,
    listing: strangers::Listing,
    /// What no document can pass.
    ceiling: ChangePolicy,
    /// What the last look knew of policies and pauses.
    controlled: Mutex<Control>,
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
            drifts: episodes::Drifts::default(),
            trail: trail::Trail::default(),
            listing: strangers::Listing::default(),
            ceiling: ChangePolicy::default(),
            controlled: Mutex::default(),
        }
    }

    /// Looks and plans, under no lock. History is read where it could change the plan, and for the
    /// rest now and then. An app whose history cannot be read is held, and the others go on.
    pub async fn plan(&self, set: &DesiredSet, scope: &Scope, policy: &Policy) -> Plan {
        self.look(set, scope, policy, Recall::WhereNeeded).await
    }

    /// The same, with everybody's history: for one who waits for what only history tells, such as
    /// which rollout is ours.
    pub(crate) async fn plan_knowing_all(
        &self,
        set: &DesiredSet,
        scope: &Scope,
        policy: &Policy,
    ) -> Plan {
        self.look(set, scope, policy, Recall::All).await
    }

    async fn look(&self, set: &DesiredSet, scope: &Scope, policy: &Policy, recall: Recall) -> Plan {
        let before = self.cell.budget.calls();
        let snapshot = self.observe(set, scope).await;
        let reads = since(&before, self.cell.budget.calls());
        let mut memory = Memory {
            consulted: self.store.is_some(),
            control: self.control_unread(),
            ..Memory::default()
        };
        let doubtful = set.unwritable.iter().flat_map(|why| {
            let apps = set.apps().into_iter();
            apps.map(move |app| (app.to_owned(), why.clone()))
        });
        memory.unread.extend(doubtful);
        let plan = self.plan_from(set, scope, &snapshot, &memory, policy, &reads);
        let Some(store) = &self.store else {
            return plan;
        };
        let apps = self.apps_to_recall(&plan, recall);
        match self.control_rows(store).await {
            Ok(control) => {
                let broken = |(app, known): (&String, &AppControl)| {
                    Some((app.clone(), known.unread.clone()?))
                };
                memory.unread.extend(control.apps.iter().filter_map(broken));
                memory.control = control;
            }
            // Nobody knows who paused what. What is in order asks for nothing.
            Err(error) => {
                let cause = error.to_string();
                memory.unread = apps.into_iter().map(|app| (app, cause.clone())).collect();
                return self.plan_from(set, scope, &snapshot, &memory, policy, &reads);
            }
        }
        self.recall_control(store, set, &plan, &mut memory).await;
        self.controlled().clone_from(&memory.control);
        if apps.is_empty() && memory.control.apps.is_empty() && set.policies.is_empty() {
            return plan;
        }
        let mut unasked = apps.clone();
        let mut queries = stream::iter(apps)
            .map(|app| async move { (store.memory(&app).await, app) })
            .buffer_unordered(STORE_QUERIES);
        while let Some((read, app)) = queries.next().await {
            unasked.remove(&app);
            match read {
                Ok(objects) => {
                    memory.objects.extend(objects);
                    self.recalled().insert(app, self.cell.clock.boot());
                }
                // One row that cannot be read is its app's own matter.
                Err(error @ StoreError::Corrupt { .. }) => {
                    memory.unread.insert(app, error.to_string());
                }
                // A store that is away is away for all: asking on would take this look minutes.
                Err(error) => {
                    unasked.insert(app);
                    let cause = error.to_string();
                    let away = unasked.iter().map(|app| (app.clone(), cause.clone()));
                    memory.unread.extend(away);
                    break;
                }
            }
        }
        drop(queries);
        let plan = self.plan_from(set, scope, &snapshot, &memory, policy, &reads);
        // Only where all is in order has it served: what is on its way, or was held back when history
        // said what to do with it, is looked at with its history again.
        for object in plan.objects.iter().filter(|o| needs_history(o)) {
            self.forget(&object.key.app);
        }
        plan
    }

    /// Reads what the policies of apps with something to write ask for; a row that cannot be read is
    /// its app's own matter.
    async fn recall_control(
        &self,
        store: &Store,
        set: &DesiredSet,
        plan: &Plan,
        memory: &mut Memory,
    ) {
        let now = self.cell.clock.now();
        let mut apps: BTreeMap<&str, Writes> = BTreeMap::new();
        for object in &plan.objects {
            let writes = apps.entry(&object.key.app).or_insert(Writes::Nothing);
            if asks_control(object) {
                *writes = Writes::Some;
            }
        }
        for (app, writes) in apps {
            let force = memory.control.in_force(set, app, now);
            if writes == Writes::Nothing && force.pending.is_none() {
                continue;
            }
            if let Err(error) = self
                .control_of(store, set, app, writes, &mut memory.control)
                .await
            {
                memory.unread.insert(app.to_owned(), error.to_string());
            }
        }
    }

    /// The next look reads the app's history.
    fn forget(&self, app: &str) {
        self.recalled().remove(app);
    }

    fn recalled(&self) -> MutexGuard<'_, BTreeMap<String, Duration>> {
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The apps whose history is needed: something is not in order, or it was not read for long.
    /// So an estate in order costs the store nothing but a query an app now and then.
    fn apps_to_recall(&self, plan: &Plan, recall: Recall) -> BTreeSet<String> {
        let now = self.cell.clock.boot();
        let recalled = self.recalled();
        let stale = |app: &str| {
            recalled
                .get(app)
                .is_none_or(|at| now.saturating_sub(*at) >= HISTORY_SERVES)
        };
        plan.objects
            .iter()
            .filter(|o| recall == Recall::All || needs_history(o) || stale(&o.key.app))
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

    /// The part of an object's drift that a step of its change mends.
    pub(crate) fn mends(&self, kind: &str, step: &Step, drift: &[Drift]) -> Vec<Drift> {
        KINDS
            .iter()
            .find(|k| k.name() == kind)
            .map_or_else(Vec::new, |k| k.mends(step, drift))
    }

    pub(crate) fn driver(&self, kind: &str) -> Option<&dyn Driver> {
        self.drivers.get(kind).map(AsRef::as_ref)
    }
}

/// Whose history a look reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recall {
    WhereNeeded,
    All,
}

/// Whether what the store knows could change this object's plan.
fn needs_history(object: &ObjectPlan) -> bool {
    object.status != Status::InSync
        || object.rollout.is_some()
        || object.moving
        || !object.remember.is_empty()
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
