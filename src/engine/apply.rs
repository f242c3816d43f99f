//! Applying: how a plan is written, apps side by side, and what may be done on the way.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::app::{AppFault, AppRun};
use super::progress::{Event, Progress};
use crate::kinds::Policy;
use crate::model::change::Hold;
use crate::model::document::DesiredSet;
use crate::model::key::ResourceKey;
use crate::model::pass::{Ended, ObjectPass, Pass};
use crate::model::plan::{ObjectPlan, Plan, Rollout, Status};
use crate::store::Patience;

/// Whether to wait for rollouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until they are over; no lease is held meanwhile.
    ForRollouts,
    /// No.
    No,
}

/// Whether exactly the plan at hand is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// Somebody read and approved it: an object that has moved since is held.
    Yes,
    /// What is drifted now is written as it is planned now.
    No,
}

/// How to converge.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// What is allowed.
    pub policy: Policy,
    /// Whether rollouts are waited for.
    pub wait: Wait,
    /// Whether the plan may be made anew when the world has moved since.
    pub pinned: Pinned,
    /// What to do when another process holds an app's lease.
    pub patience: Patience,
    /// Once cancelled, nothing new is begun; what was sent is seen through to its outcome.
    pub stop: CancellationToken,
}

impl Engine {
    /// Writes `plan`, apps side by side. Each object is read and planned once more under its
    /// app's lease before anything of it is written.
    pub async fn apply(
        &self,
        set: &DesiredSet,
        plan: Plan,
        options: &ApplyOptions,
        progress: &dyn Progress,
    ) -> Pass {
        let started = self.cell.clock.now();
        let mut apps: BTreeMap<String, Vec<&ObjectPlan>> = BTreeMap::new();
        for object in &plan.objects {
            apps.entry(object.key.app.clone()).or_default().push(object);
        }
        let mut work: FuturesUnordered<_> = apps
            .into_iter()
            .map(|(app, objects)| async move {
                self.converge_app(set, &app, &objects, options, progress)
                    .await
            })
            .collect();
        let mut objects = Vec::new();
        while let Some(done) = work.next().await {
            objects.extend(done);
        }
        drop(work);
        if options.wait == Wait::ForRollouts {
            self.await_rollouts(set, &mut objects, options, progress)
                .await;
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Pass {
            started,
            ended: self.cell.clock.now(),
            plan,
            objects,
            calls: self.cell.budget.calls(),
        }
    }

    /// Converges one app: nothing is locked or written when its plan asks for nothing.
    pub async fn converge_app(
        &self,
        set: &DesiredSet,
        app: &str,
        planned: &[&ObjectPlan],
        options: &ApplyOptions,
        progress: &dyn Progress,
    ) -> Vec<ObjectPass> {
        let pending: Vec<&ObjectPlan> = planned.iter().copied().filter(|o| is_work(o)).collect();
        let mut passes: BTreeMap<ResourceKey, ObjectPass> = planned
            .iter()
            .map(|o| (o.key.clone(), untouched(o)))
            .collect();
        let (Some(store), false) = (&self.store, pending.is_empty()) else {
            return passes.into_values().collect();
        };
        let run = AppRun {
            engine: self,
            store,
            set,
            app,
            options,
            progress,
            control: Mutex::default(),
        };
        if let Err(fault) = run.converge(&pending, &mut passes).await {
            let why = fault.to_string();
            // Of a lease that another holds it was told when that was found.
            if matches!(
                fault,
                AppFault::LeaseLost(_) | AppFault::Store(_) | AppFault::Unread(_)
            ) {
                progress.event(&Event::GivenUp {
                    app: app.to_owned(),
                    why: why.clone(),
                });
            }
            for object in pending {
                let ended = match &fault {
                    AppFault::Busy { .. } | AppFault::Stopped => Ended::Held(why.clone()),
                    _ => Ended::Failed(why.clone()),
                };
                if let Some(pass) = passes.get_mut(&object.key)
                    && !matches!(pass.ended, Ended::Converged | Ended::RollingOut(_))
                {
                    pass.ended = ended;
                }
            }
        }
        // What was found and done changes what history says.
        self.forget(app);
        passes.into_values().collect()
    }
}

/// Whether an object's plan asks for the lease: something to write, to
/// resolve, to remember or to look for.
pub fn is_work(object: &ObjectPlan) -> bool {
    object.change.is_some()
        || !object.remember.is_empty()
        || !object.look_for.is_empty()
        || object
            .holds
            .iter()
            .any(|h| matches!(h, Hold::OpenIntent { .. }))
}

pub(super) fn untouched(object: &ObjectPlan) -> ObjectPass {
    let ended = match (object.status, &object.rollout) {
        (Status::InSync, None) => Ended::InOrder,
        (Status::InSync, Some(Rollout::InProgress { detail })) => Ended::RollingOut(detail.clone()),
        (Status::InSync, Some(Rollout::Failed { detail })) => Ended::RolledBack(detail.clone()),
        (Status::Drifted | Status::Absent, _) => Ended::Failed("it was not written".to_owned()),
        (Status::Unreadable | Status::Blocked | Status::Deferred, _) => {
            Ended::Held(holds_text(object))
        }
    };
    ObjectPass {
        key: object.key.clone(),
        ended,
        written: Vec::new(),
    }
}

pub(super) fn holds_text(object: &ObjectPlan) -> String {
    object
        .holds
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
