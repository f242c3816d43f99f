//! Executing: one app at a time under its lease; per step intent, one request, outcome; then read
//! again until it shows. Nothing is decided here except to stop.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::Engine;
use super::progress::{Event, Progress};
use crate::aws::door::{CALL_TIMEOUT, LEASE_MARGIN};
use crate::aws::fault::Fault;
use crate::kinds::{KINDS, Policy, StepError};
use crate::model::change::Change;
use crate::model::document::DesiredSet;
use crate::model::entry::Outcome;
use crate::model::key::ResourceKey;
use crate::model::memory::{LastWrite, Memory, ObjectMemory, PastWrite, WRITES_KEPT};
use crate::model::pass::{Ended, ObjectPass, Pass};
use crate::model::plan::{ObjectPlan, Plan, Rollout, Status};
use crate::model::scope::Scope;
use crate::model::tree::Tree;
use crate::plan::object::correction;
use crate::store::{
    AcquireError, IntendError, Lease, NewIntent, NewOutcome, Patience, SettleError, Store,
    StoreError,
};

/// How long AWS may take to show what it accepted. Inside it an absence is not believed.
pub const SETTLING_BOUND: Duration = Duration::from_secs(30);
/// First pause between readings that wait for a write to show; doubled each time.
const SHOW_PAUSE: Duration = Duration::from_millis(250);
/// Longest such pause.
const SHOW_PAUSE_MAX: Duration = Duration::from_secs(4);
/// Attempts at one step that AWS throttled, and at one object that others changed under us.
const ATTEMPTS: usize = 5;

const MOVED: &str = "its document, the live object or its last write has moved since the plan was \
                     made; make a new plan";

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
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions {
    /// What is allowed.
    pub policy: Policy,
    /// Whether rollouts are waited for.
    pub wait: Wait,
    /// Whether the plan may be made anew when the world has moved since.
    pub pinned: Pinned,
    /// What to do when another process holds an app's lease.
    pub patience: Patience,
}

/// Why a pass could not go on for an app as a whole.
#[derive(Debug, thiserror::Error)]
enum AppFault {
    #[error("{app} is being written by {holder} (lease token {token}); wait for it, or see `evenkeel lock list`")]
    Busy {
        app: String,
        holder: String,
        token: u64,
    },
    #[error("the lease on {0} was lost to another process; nothing more is written, run again")]
    LeaseLost(String),
    #[error(transparent)]
    Store(#[from] StoreError),
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
            self.await_rollouts(set, &mut objects, &options.policy, progress)
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
        };
        if let Err(fault) = run.converge(&pending, &mut passes).await {
            let why = fault.to_string();
            for object in pending {
                let ended = match &fault {
                    AppFault::Busy { .. } => Ended::Held(why.clone()),
                    _ => Ended::Failed(why.clone()),
                };
                if let Some(pass) = passes.get_mut(&object.key)
                    && !matches!(pass.ended, Ended::Converged | Ended::RollingOut(_))
                {
                    pass.ended = ended;
                }
            }
        }
        passes.into_values().collect()
    }
}

/// Whether an object's plan asks for the lease: something to write, to resolve or to remember.
pub fn is_work(object: &ObjectPlan) -> bool {
    object.change.is_some()
        || !object.remember.is_empty()
        || object
            .holds
            .iter()
            .any(|h| matches!(h, crate::model::change::Hold::OpenIntent { .. }))
}

fn untouched(object: &ObjectPlan) -> ObjectPass {
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

fn holds_text(object: &ObjectPlan) -> String {
    object
        .holds
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

struct AppRun<'a> {
    engine: &'a Engine,
    store: &'a Store,
    set: &'a DesiredSet,
    app: &'a str,
    options: &'a ApplyOptions,
    progress: &'a dyn Progress,
}

/// What became of one attempt at an object.
enum Attempt {
    Done(Ended),
    /// Somebody else was faster, or AWS asked to slow down: plan it again.
    Again(String),
}

impl AppRun<'_> {
    async fn converge(
        &self,
        pending: &[&ObjectPlan],
        passes: &mut BTreeMap<ResourceKey, ObjectPass>,
    ) -> Result<(), AppFault> {
        let lease = match self.store.acquire(self.app, self.options.patience).await {
            Ok(lease) => lease,
            Err(AcquireError::Held(row)) => {
                self.progress.event(&Event::Busy {
                    app: self.app.to_owned(),
                    holder: row.holder.clone(),
                });
                return Err(AppFault::Busy {
                    app: self.app.to_owned(),
                    holder: row.holder,
                    token: row.token,
                });
            }
            Err(AcquireError::Store(error)) => return Err(error.into()),
        };
        self.progress.event(&Event::Leased {
            app: self.app.to_owned(),
            token: lease.token(),
        });
        let result = self
            .store
            .keep(&lease, self.under_lease(&lease, pending, passes))
            .await;
        // A lease that cannot be given back runs out by itself.
        if let Err(error) = self.store.release(&lease).await {
            tracing::warn!(app = self.app, %error, "releasing the lease");
        }
        result
    }

    async fn under_lease(
        &self,
        lease: &Lease,
        pending: &[&ObjectPlan],
        passes: &mut BTreeMap<ResourceKey, ObjectPass>,
    ) -> Result<(), AppFault> {
        let mut memory = self.store.memory(self.app).await?;
        for (key, object) in &mut memory {
            if object.open.is_some() && pending.iter().any(|o| o.key == *key) {
                self.progress_resolving(key, object);
                self.engine
                    .resolve_open(self.store, lease, self.set, key, object)
                    .await?;
            }
        }
        for kind in KINDS {
            for planned in pending.iter().filter(|o| o.key.kind == kind.name()) {
                let remembered = memory.entry(planned.key.clone()).or_default();
                let mut written = Vec::new();
                let ended = self
                    .converge_object(lease, planned, remembered, &mut written)
                    .await?;
                self.tell(&planned.key, &ended);
                if let Some(pass) = passes.get_mut(&planned.key) {
                    pass.ended = ended;
                    pass.written = written;
                }
            }
        }
        Ok(())
    }

    fn progress_resolving(&self, key: &ResourceKey, memory: &ObjectMemory) {
        if let Some(open) = &memory.open {
            self.progress.event(&Event::Resolving {
                key: key.clone(),
                intent: open.id.clone(),
            });
        }
    }

    fn tell(&self, key: &ResourceKey, ended: &Ended) {
        let key = key.clone();
        self.progress.event(&match ended {
            Ended::InOrder | Ended::Converged => Event::Converged { key },
            Ended::RollingOut(detail) => Event::Rollout {
                key,
                detail: detail.clone(),
            },
            Ended::Held(why) => Event::Held {
                key,
                why: why.clone(),
            },
            Ended::RolledBack(why) | Ended::Failed(why) => Event::Failed {
                key,
                why: why.clone(),
            },
        });
    }

    async fn converge_object(
        &self,
        lease: &Lease,
        planned: &ObjectPlan,
        memory: &mut ObjectMemory,
        written: &mut Vec<String>,
    ) -> Result<Ended, AppFault> {
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            match self
                .attempt_object(lease, planned, memory, written)
                .await?
            {
                Attempt::Done(ended) => return Ok(ended),
                Attempt::Again(reason) => why = reason,
            }
        }
        Ok(Ended::Failed(format!(
            "given up for now after {ATTEMPTS} attempts: {why}"
        )))
    }

    /// Reads and plans one object afresh. The rate token for its first step is in hand already, so
    /// that nothing waits between this reading and the write.
    async fn replan(&self, key: &ResourceKey, memory: &ObjectMemory) -> Option<ObjectPlan> {
        let scope = Scope::target(key);
        let snapshot = self.engine.observe(self.set, &scope).await;
        let memory = Memory {
            consulted: true,
            objects: BTreeMap::from([(key.clone(), memory.clone())]),
        };
        let mut plan = self.engine.plan_from(
            self.set,
            &scope,
            &snapshot,
            &memory,
            &self.options.policy,
        );
        plan.objects.pop()
    }

    async fn attempt_object(
        &self,
        lease: &Lease,
        planned: &ObjectPlan,
        memory: &mut ObjectMemory,
        written: &mut Vec<String>,
    ) -> Result<Attempt, AppFault> {
        let key = &planned.key;
        let first = planned
            .change
            .as_ref()
            .and_then(|c| c.steps.first())
            .map(|s| s.operation.clone());
        let mut token = match &first {
            Some(operation) => Some((operation.clone(), self.engine.cell.budget.take(operation).await)),
            None => None,
        };
        let Some(fresh) = self.replan(key, memory).await else {
            return Ok(Attempt::Done(Ended::Failed(
                "its document is gone".to_owned(),
            )));
        };
        if self.options.pinned == Pinned::Yes && written.is_empty() && fresh.pin != planned.pin {
            return Ok(Attempt::Done(Ended::Held(MOVED.to_owned())));
        }
        self.remember(lease, &fresh, memory).await?;
        let Some(change) = &fresh.change else {
            return Ok(Attempt::Done(match (&fresh.status, written.is_empty()) {
                (Status::InSync, false) => self.rolled(&fresh),
                _ => untouched(&fresh).ended,
            }));
        };
        let mut earlier = BTreeMap::new();
        for (index, step) in change.steps.iter().enumerate() {
            let token = match token.take() {
                Some((operation, token)) if operation == step.operation => token,
                _ => self.engine.cell.budget.take(&step.operation).await,
            };
            let Some(driver) = self.engine.driver(&key.kind) else {
                return Ok(Attempt::Done(Ended::Failed("its kind has no driver".into())));
            };
            match driver.prepare(step, &earlier).await {
                Ok(()) => {}
                Err(StepError::Superseded(why)) => return Ok(Attempt::Again(why)),
                Err(StepError::Aws(error)) => {
                    return Ok(Attempt::Done(Ended::Failed(error.to_string())));
                }
            }
            self.await_lease(lease).await?;
            self.progress.event(&Event::Writing {
                key: key.clone(),
                title: step.title.clone(),
            });
            let intent = NewIntent {
                id: self.engine.cell.entropy.id(),
                key: key.clone(),
                step: step.clone(),
                drift: fresh.drift.clone(),
                risk: change.risk,
                plan: fresh.pin.clone(),
            };
            let id = intent.id.clone();
            let permit = match self.store.intend(lease, intent, token).await {
                Ok(permit) => permit,
                Err(IntendError::LeaseLost) => {
                    return Err(AppFault::LeaseLost(self.app.to_owned()));
                }
                Err(IntendError::ObjectBusy { intent }) => {
                    return Ok(Attempt::Done(Ended::Held(format!(
                        "an earlier write ({intent}) has no known outcome yet"
                    ))));
                }
                Err(IntendError::Store(error)) => return Err(error.into()),
            };
            match driver.apply(step, &earlier, permit).await {
                Ok(applied) => {
                    note_write(memory, &id, &fresh, change, index, &applied.detail, self.engine);
                    self.settle(lease, &id, key, Outcome::Applied, applied.detail.clone(), Some(memory))
                        .await?;
                    written.push(step.title.clone());
                    self.progress.event(&Event::Written {
                        key: key.clone(),
                        title: step.title.clone(),
                    });
                    earlier.insert(index, applied.detail);
                }
                Err(StepError::Superseded(why)) => {
                    self.settle(lease, &id, key, Outcome::Superseded, Tree::from(why.clone()), None)
                        .await?;
                    return Ok(Attempt::Again(why));
                }
                Err(StepError::Aws(error)) if error.fault.certainly_not_applied() => {
                    let text = error.to_string();
                    self.settle(lease, &id, key, Outcome::NotApplied, Tree::from(text.clone()), None)
                        .await?;
                    match error.fault {
                        Fault::Throttled => {
                            self.engine.cell.budget.throttled(token);
                            return Ok(Attempt::Again(text));
                        }
                        Fault::NotSent => return Ok(Attempt::Again(text)),
                        _ => return Ok(Attempt::Done(Ended::Failed(text))),
                    }
                }
                Err(StepError::Aws(error)) => {
                    let text = error.to_string();
                    self.settle(lease, &id, key, Outcome::Unknown, Tree::from(text.clone()), None)
                        .await?;
                    return self.resolve_unknown(lease, key, memory, &id, step, text).await;
                }
            }
        }
        self.await_showing(key, memory, lease).await
    }

    /// A lease whose renewal is late is waited for; it is renewed beside this work.
    async fn await_lease(&self, lease: &Lease) -> Result<(), AppFault> {
        let needed = CALL_TIMEOUT + LEASE_MARGIN;
        let left = lease
            .deadline()
            .saturating_sub(self.engine.cell.clock.boot());
        if left > needed {
            return Ok(());
        }
        match self.store.renew(lease).await {
            Ok(()) => Ok(()),
            Err(_) => Err(AppFault::LeaseLost(self.app.to_owned())),
        }
    }

    async fn remember(
        &self,
        lease: &Lease,
        fresh: &ObjectPlan,
        memory: &mut ObjectMemory,
    ) -> Result<(), AppFault> {
        let news = fresh
            .remember
            .iter()
            .any(|(word, fact)| memory.facts.get(word) != Some(fact));
        if news {
            memory.facts.extend(fresh.remember.clone());
            self.store.remember(lease, &fresh.key, memory).await?;
        }
        Ok(())
    }

    async fn settle(
        &self,
        lease: &Lease,
        intent: &str,
        key: &ResourceKey,
        outcome: Outcome,
        detail: Tree,
        memory: Option<&ObjectMemory>,
    ) -> Result<(), AppFault> {
        let result = self
            .store
            .settle(
                lease,
                NewOutcome {
                    intent: intent.to_owned(),
                    key: key.clone(),
                    outcome,
                    detail,
                    memory: memory.cloned(),
                },
            )
            .await;
        match result {
            Ok(()) => Ok(()),
            // Somebody resolved it before us; what we know was kept as late testimony.
            Err(SettleError::Late) => Err(AppFault::LeaseLost(self.app.to_owned())),
            Err(SettleError::Store(error)) => Err(error.into()),
        }
    }

    async fn resolve_unknown(
        &self,
        lease: &Lease,
        key: &ResourceKey,
        memory: &mut ObjectMemory,
        id: &str,
        step: &crate::model::change::Step,
        text: String,
    ) -> Result<Attempt, AppFault> {
        memory.open = Some(crate::model::memory::OpenIntent {
            id: id.to_owned(),
            at: self.engine.cell.clock.now(),
            operation: step.operation.clone(),
            step: crate::model::tree::to_tree(step),
        });
        self.progress_resolving(key, memory);
        self.engine
            .resolve_open(self.store, lease, self.set, key, memory)
            .await?;
        Ok(match memory.open {
            None => Attempt::Again(text),
            Some(_) => Attempt::Done(Ended::Held(format!(
                "{text}; what became of it could not be read, and it is looked up next time"
            ))),
        })
    }

    fn rolled(&self, fresh: &ObjectPlan) -> Ended {
        match &fresh.rollout {
            None => Ended::Converged,
            Some(Rollout::InProgress { detail }) => Ended::RollingOut(detail.clone()),
            Some(Rollout::Failed { detail }) => Ended::RolledBack(detail.clone()),
        }
    }

    /// Reads until what was written shows, or the settling bound passes.
    async fn await_showing(
        &self,
        key: &ResourceKey,
        memory: &mut ObjectMemory,
        lease: &Lease,
    ) -> Result<Attempt, AppFault> {
        let clock = &self.engine.cell.clock;
        let deadline = clock.boot() + SETTLING_BOUND;
        let mut pause = SHOW_PAUSE;
        loop {
            let Some(fresh) = self.replan(key, memory).await else {
                return Ok(Attempt::Done(Ended::Failed("its document is gone".into())));
            };
            let shows = fresh.drift.is_empty() && fresh.change.is_none();
            if shows && fresh.status == Status::InSync {
                self.remember(lease, &fresh, memory).await?;
                return Ok(Attempt::Done(self.rolled(&fresh)));
            }
            let over = clock.boot() >= deadline;
            // Held in part: what could be written is written, and the rest says why.
            if shows && over {
                return Ok(Attempt::Done(untouched(&fresh).ended));
            }
            if over {
                return Ok(match fresh.change {
                    Some(_) => Attempt::Again(format!(
                        "{} still differs {} s after it was written",
                        fresh.drift.first().map_or_else(
                            || "the object".to_owned(),
                            |d| d.path.to_string()
                        ),
                        SETTLING_BOUND.as_secs()
                    )),
                    None => Attempt::Done(untouched(&fresh).ended),
                });
            }
            clock.sleep(pause).await;
            pause = (pause * 2).min(SHOW_PAUSE_MAX);
        }
    }
}

/// What an applied step leaves in the object's memory.
fn note_write(
    memory: &mut ObjectMemory,
    intent: &str,
    fresh: &ObjectPlan,
    change: &Change,
    index: usize,
    detail: &Tree,
    engine: &Engine,
) {
    let now = engine.cell.clock.now();
    memory.last_write = Some(LastWrite {
        intent: intent.to_owned(),
        at: now,
    });
    memory.settling_until = Some(now + SETTLING_BOUND);
    // A later step may need what an earlier one made, even after a crash between the two.
    if let Some(step) = change.steps.get(index) {
        memory.facts.insert(
            format!("applied:{}", step.operation),
            serde_json::json!({"step": step.detail, "result": detail}),
        );
    }
    if index + 1 == change.steps.len() {
        memory.writes.push(PastWrite {
            at: now,
            correction: correction(&fresh.drift),
        });
        let excess = memory.writes.len().saturating_sub(WRITES_KEPT);
        memory.writes.drain(..excess);
    }
}
