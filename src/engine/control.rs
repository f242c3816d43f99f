//! Control: what a look and a pass read of policies, pauses and approvals, and what they record.
//!
//! An estate in order costs one query a look. Approvals and the last hour's changes are read only
//! of apps that have something to write under a policy that asks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use super::Engine;
use crate::control::approval::Standing;
use crate::control::leash::Leash;
use crate::control::policy::ChangePolicy;
use crate::control::state::{AppControl, Control, HOUR, Health, past_changes};
use crate::kinds::Policy;
use crate::model::change::Hold;
use crate::model::document::DesiredSet;
use crate::model::key::ResourceKey;
use crate::model::memory::Memory;
use crate::model::plan::{ObjectPlan, Plan, Status};
use crate::model::scope::Scope;
use crate::model::status::{ConditionKind, ObjectStatus, Truth};
use crate::store::{ControlRows, Store, StoreError};

/// Entries of an app's chain that are read at first for the last hour's changes; doubled until they
/// reach back far enough.
const PAGE: usize = 64;

impl Engine {
    /// This engine, under a ceiling that no document can pass.
    #[must_use]
    pub fn under(mut self, ceiling: ChangePolicy) -> Self {
        self.ceiling = ceiling;
        self
    }

    pub(super) fn controlled(&self) -> MutexGuard<'_, Control> {
        self.controlled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What change control knows before the store was asked.
    pub(super) fn control_unread(&self) -> Control {
        Control {
            ceiling: self.ceiling.clone(),
            apps: BTreeMap::new(),
        }
    }

    /// The leashes and pauses of all apps.
    pub(super) async fn control_rows(&self, store: &Store) -> Result<Control, StoreError> {
        let mut control = self.control_unread();
        for (
            app,
            ControlRows {
                leash,
                pauses,
                unread,
            },
        ) in store.control_rows().await?
        {
            let known = AppControl {
                leash,
                pauses,
                unread,
                ..AppControl::default()
            };
            control.apps.insert(app, known);
        }
        Ok(control)
    }

    /// Adds to what is known of `app` the rest that its policy asks for: `writes` says whether
    /// anything of it is to be written.
    pub(super) async fn control_of(
        &self,
        store: &Store,
        set: &DesiredSet,
        app: &str,
        writes: Writes,
        control: &mut Control,
    ) -> Result<(), StoreError> {
        let now = self.cell.clock.now();
        let force = control.in_force(set, app, now);
        let mut known = control.app(app);
        if writes == Writes::Some || force.pending.is_some() {
            known.approvals = Standing::of(&store.approvals(app).await?, now);
        }
        if writes == Writes::Some {
            if force.policy.objects_per_hour.is_some() || force.policy.tasks_per_hour.is_some() {
                let since = now.checked_sub(HOUR).unwrap_or(now);
                let chain = self.chain_since(store, app, since).await?;
                known.past = past_changes(&chain, since);
            }
            // An approved policy may wait for another canary than the one before it.
            let mut canaries: BTreeSet<&String> = force.policy.canaries.keys().collect();
            if let Some(written) = set.policies.get(app) {
                canaries.extend(written.policy.canaries.keys());
            }
            for canary in canaries {
                // Many apps may wait for one; a look asks once.
                let asked = control
                    .apps
                    .iter()
                    .filter(|(other, _)| set.commit_of(other) == set.commit_of(app))
                    .find_map(|(_, known)| known.canaries.get(canary));
                let health = match (asked, elsewhere(set, app, canary)) {
                    (Some(health), _) => health.clone(),
                    (None, Some(elsewhere)) => elsewhere,
                    (None, None) => self.health(store, set, canary).await?,
                };
                known.canaries.insert(canary.clone(), health);
            }
        }
        control.apps.insert(app.to_owned(), known);
        Ok(())
    }

    /// The newest entries of the app's chain that reach back to `since`, oldest first.
    async fn chain_since(
        &self,
        store: &Store,
        app: &str,
        since: jiff::Timestamp,
    ) -> Result<Vec<crate::model::entry::Entry>, StoreError> {
        let mut page = PAGE;
        loop {
            let chain = store.history(app, Some(page)).await?;
            let whole = chain.len() < page || chain.first().is_some_and(|first| first.at <= since);
            if whole {
                return Ok(chain);
            }
            page = page.saturating_mul(2);
        }
    }

    /// How a canary does: it is looked at now, whatever the scope, and the store tells since when.
    async fn health(
        &self,
        store: &Store,
        set: &DesiredSet,
        canary: &str,
    ) -> Result<Health, StoreError> {
        let scope = Scope::app(canary);
        let snapshot = self.observe(set, &scope).await;
        let objects = store.memory(canary).await?;
        let statuses = store.statuses(canary).await?;
        let newest = objects
            .values()
            .filter_map(|memory| memory.last_write.as_ref());
        let written = newest.map(|write| write.at).max();
        let memory = Memory {
            consulted: true,
            objects,
            control: self.control_unread(),
            ..Memory::default()
        };
        let reads = BTreeMap::new();
        let plan = self.plan_from(set, &scope, &snapshot, &memory, &Policy::CONTROLLER, &reads);
        Ok(health(&plan, &statuses, written))
    }

    /// Records the policies in force that are not as the store has them, as of the last look: what
    /// a commit tightens at once, what it loosens when it was approved.
    ///
    /// # Errors
    /// The store's; what was not recorded is at the next look.
    pub async fn record_policies(&self, set: &DesiredSet) -> Result<(), StoreError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let control = self.controlled().clone();
        let now = self.cell.clock.now();
        let apps = set
            .apps()
            .into_iter()
            .chain(set.policies.keys().map(String::as_str));
        for app in apps.collect::<BTreeSet<_>>() {
            if !set.policies.contains_key(app) && !control.apps.contains_key(app) {
                continue;
            }
            let force = control.in_force(set, app, now);
            let Some(policy) = force.record else {
                continue;
            };
            let before = control.app(app).leash;
            let leash = Leash {
                version: before.map_or(0, |leash| leash.version) + 1,
                policy,
            };
            store.put_leash(app, &leash, force.uses.as_deref()).await?;
        }
        Ok(())
    }
}

/// Whether anything of an app is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    Some,
    Nothing,
}

/// Whether change control has a say about the object.
pub(super) fn asks_control(object: &ObjectPlan) -> bool {
    object.change.is_some()
        || !object.pin.is_empty()
        || object
            .holds
            .iter()
            .any(|hold| matches!(hold, Hold::Destructive { .. } | Hold::Approval { .. }))
}

/// A canary that is not at the commit that waits for it (pinned, or its newer documents do not load)
/// proves nothing of that commit.
fn elsewhere(set: &DesiredSet, app: &str, canary: &str) -> Option<Health> {
    let (ours, theirs) = (set.commit_of(app)?, set.commit_of(canary)?);
    (ours != theirs).then(|| {
        Health::Ailing(format!(
            "it is at commit {}, and {app} waits to go to {}",
            theirs.short(),
            ours.short()
        ))
    })
}

/// How an app does by its plan, its conditions and its newest write.
fn health(
    plan: &Plan,
    statuses: &BTreeMap<ResourceKey, ObjectStatus>,
    written: Option<jiff::Timestamp>,
) -> Health {
    if plan.objects.is_empty() {
        return Health::Unknown("it has no objects".to_owned());
    }
    let mut since = written;
    for object in &plan.objects {
        match (object.status, &object.rollout) {
            (Status::InSync, None) => {}
            (Status::Unreadable, _) => {
                return Health::Unknown(format!("{} could not be read", object.key));
            }
            (Status::InSync, Some(_)) => {
                return Health::Ailing(format!("a rollout of {} is not over", object.key));
            }
            _ => return Health::Ailing(format!("{} is not in order", object.key)),
        }
        let ready = statuses
            .get(&object.key)
            .and_then(|s| s.condition(ConditionKind::Ready));
        match ready {
            None => {}
            Some(ready) if ready.status == Truth::True => {
                since = since.max(Some(ready.last_transition))
            }
            // It has come in order since that was recorded.
            Some(_) => return Health::JustNow,
        }
    }
    since.map_or(Health::Always, Health::Since)
}
