//! The gate under the lease: what change control says right before each intent.

use std::sync::{MutexGuard, PoisonError};

use super::app::{AppFault, AppRun};
use super::control::Writes;
use crate::control::approval::Reach;
use crate::control::gate::{Asked, holds, is_approved, uses_approval};
use crate::control::state::{AppControl, Control, InUse, PastChange};
use crate::kinds::Allow;
use crate::model::change::{Change, Hold, Risk};
use crate::model::key::ResourceKey;
use crate::model::plan::ObjectPlan;

/// What change control says to one write.
pub(super) enum Verdict {
    /// Not now.
    Held(String),
    /// Go on; under this approval, if one is used up by it.
    Free(Option<String>),
}

impl AppRun<'_> {
    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the pass goes by: nobody else writes the app while its lease lasts, so that only
    /// pauses and approvals are read again.
    pub(super) async fn read_control(&self) -> Result<(), AppFault> {
        let mut control = self.engine.control_rows(self.store).await?;
        self.engine
            .control_of(self.store, self.set, self.app, Writes::Some, &mut control)
            .await?;
        let unread = control.app(self.app).unread;
        *self.control() = control;
        if let Some(why) = unread {
            return Err(AppFault::Unread(why));
        }
        Ok(())
    }

    /// Whether the next step of `change` may be sent. A window may have closed since it was planned,
    /// and a pause may have come.
    pub(super) async fn verdict(
        &self,
        fresh: &ObjectPlan,
        change: &Change,
    ) -> Result<Verdict, AppFault> {
        let pauses = self.store.pauses(self.app).await?;
        let now = self.engine.cell.clock.now();
        let mut control = self.control();
        let known = control.apps.entry(self.app.to_owned()).or_default();
        known.pauses = pauses;
        let force = control.in_force(self.set, self.app, now);
        let known = control.app(self.app);
        let asked = asked(fresh, change);
        let held = holds(&force.policy, &known, &asked, &[], now);
        if !held.is_empty() {
            let texts: Vec<String> = held.iter().map(ToString::to_string).collect();
            return Ok(Verdict::Held(texts.join("; ")));
        }
        let flagged = self.options.policy.destructive == Allow::Yes;
        if change.risk == Risk::Destructive
            && !flagged
            && !is_approved(&force.policy, &known, &asked, Reach::InTime, now)
        {
            let why = change.reason.clone();
            return Ok(Verdict::Held(Hold::Destructive { why }.to_string()));
        }
        let uses = uses_approval(&force.policy, &known, &asked, now);
        Ok(Verdict::Free(uses.then(|| fresh.pin.clone())))
    }

    /// Takes note that a step of the change was announced, under `approval`.
    pub(super) fn begun(&self, fresh: &ObjectPlan, approval: Option<&str>) {
        let now = self.engine.cell.clock.now();
        let mut control = self.control();
        let at_once = |change: &Change| {
            let policy = control.in_force(self.set, self.app, now).policy;
            let known = control.app(self.app);
            is_approved(&policy, &known, &asked(fresh, change), Reach::Now, now)
        };
        let reach = if fresh.change.as_ref().is_some_and(at_once) {
            Reach::Now
        } else {
            Reach::InTime
        };
        let known = control.apps.entry(self.app.to_owned()).or_default();
        known.under_way.insert(fresh.key.clone());
        let counted = |p: &PastChange| p.key == fresh.key && p.change == fresh.pin;
        if !known.past.iter().any(counted) {
            known.past.push(PastChange {
                key: fresh.key.clone(),
                change: fresh.pin.clone(),
                at: now,
                tasks: fresh.tasks,
            });
        }
        if let Some(digest) = approval {
            known.approvals.spend(digest);
            let digest = digest.to_owned();
            known
                .in_use
                .insert(fresh.key.clone(), InUse { digest, reach });
        }
    }

    /// Whether the rest of the object's change is written under an approval of another plan of it,
    /// which then has to be the one that was approved.
    pub(super) fn is_rest(&self, key: &ResourceKey, pin: &str) -> bool {
        let control = self.control();
        let known: Option<&AppControl> = control.apps.get(self.app);
        known.is_some_and(|known| known.in_use.get(key).is_some_and(|used| used.digest != pin))
    }
}

fn asked<'a>(fresh: &'a ObjectPlan, change: &'a Change) -> Asked<'a> {
    Asked {
        key: &fresh.key,
        change,
        pin: &fresh.pin,
        tasks: fresh.tasks,
    }
}
