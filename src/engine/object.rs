//! One object: read once more, planned once more, then per step intent, one request, outcome; then
//! read until it shows. Nothing is decided here except to stop.

use std::collections::BTreeMap;
use std::time::Duration;

use super::app::{AppFault, AppRun};
use super::apply::{Pinned, untouched};
use super::approach::{Done, Repair, was_shown};
use super::drift::generation;
use super::gate::Verdict;
use super::progress::Event;
use super::remembered::{applied_fact, applied_word, given_up_word};
use crate::aws::budget::RateToken;
use crate::aws::door::outlasts_a_write;
use crate::aws::fault::Fault;
use crate::kinds::{Applied, StepError};
use crate::model::change::{Change, Hold, Step};
use crate::model::entry::Outcome;
use crate::model::key::ResourceKey;
use crate::model::memory::{LastWrite, ObjectMemory, OpenIntent, PastWrite, WRITES_KEPT};
use crate::model::pass::Ended;
use crate::model::plan::{ObjectPlan, Rollout, Status};
use crate::model::tree::{self, Tree};
use crate::plan::object::correction;
use crate::store::{IntendError, Lease, LeaseError, NewIntent, NewOutcome, SettleError};

pub use crate::model::memory::SETTLING_BOUND;

/// First pause between readings that wait for a write to show; doubled each time.
const SHOW_PAUSE: Duration = Duration::from_millis(250);
/// Longest such pause.
const SHOW_PAUSE_MAX: Duration = Duration::from_secs(4);
/// Attempts at one object that others changed under us.
const ATTEMPTS: usize = 5;
/// How long one object is tried again while AWS throttles it. That is no failure: the bucket slows
/// down, and what is not written by then is looked at again like all else.
const THROTTLE_PATIENCE: Duration = Duration::from_secs(300);

pub(super) const STOPPED: &str = "stopped before it was written; run again to go on";
const MOVED: &str = "its document, the live object or its last write has moved since the plan was \
                     made; make a new plan";

/// What became of one attempt at an object.
enum Attempt {
    Done(Ended),
    /// Somebody else was faster: plan it again.
    Again(String),
    /// AWS asked to slow down: plan it again when its turn has come.
    Throttled(String),
}

/// Whether a reading brought facts that were not in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    Some,
    None,
}

/// One step of a change, and what it was planned from.
#[derive(Clone, Copy)]
struct Order<'a> {
    lease: &'a Lease,
    fresh: &'a ObjectPlan,
    change: &'a Change,
    index: usize,
    step: &'a Step,
}

/// What became of one step.
enum Sent {
    Applied(Tree),
    Stop(Attempt),
}

impl AppRun<'_> {
    pub(super) async fn converge_object(
        &self,
        lease: &Lease,
        planned: &ObjectPlan,
        memory: &mut ObjectMemory,
        done: &mut Done,
    ) -> Result<Ended, AppFault> {
        let clock = &self.engine.cell.clock;
        let (mut attempts, mut throttled_since) = (0, None);
        loop {
            match self.attempt_object(lease, planned, memory, done).await? {
                Attempt::Done(ended) => return Ok(ended),
                Attempt::Again(why) => {
                    attempts += 1;
                    if attempts == ATTEMPTS {
                        return Ok(Ended::Failed(format!(
                            "given up for now after {ATTEMPTS} attempts: {why}"
                        )));
                    }
                }
                Attempt::Throttled(why) => {
                    let since = *throttled_since.get_or_insert_with(|| clock.boot());
                    if clock.boot().saturating_sub(since) >= THROTTLE_PATIENCE {
                        return Ok(Ended::Held(format!(
                            "{why}; it was throttled for {} s, find who else calls AWS so often; \
                             run again to go on",
                            THROTTLE_PATIENCE.as_secs()
                        )));
                    }
                }
            }
        }
    }

    async fn attempt_object(
        &self,
        lease: &Lease,
        planned: &ObjectPlan,
        memory: &mut ObjectMemory,
        done: &mut Done,
    ) -> Result<Attempt, AppFault> {
        let fresh = match self.plan_with_tokens(planned, memory, done).await {
            Ok(fresh) => fresh,
            Err(ended) => return Ok(Attempt::Done(ended)),
        };
        self.remember(lease, &fresh, memory).await?;
        let Some(change) = &fresh.change else {
            return Ok(Attempt::Done(match (&fresh.status, done.written.len()) {
                (Status::InSync, 1..) => self.rolled(&fresh),
                _ => untouched(&fresh).ended,
            }));
        };
        let spec = self.set.documents.get(&planned.key).map(|d| &d.spec);
        if self.options.pinned == Pinned::Yes
            && !spec.is_some_and(|spec| was_shown(&fresh, change, planned, done, spec))
        {
            return Ok(Attempt::Done(Ended::Held(MOVED.to_owned())));
        }
        // An approval serves the change that was approved, and the rest of it.
        if self.is_rest(&planned.key, &fresh.pin)
            && !spec.is_some_and(|spec| was_shown(&fresh, change, planned, done, spec))
        {
            return Ok(Attempt::Done(Ended::Held(MOVED.to_owned())));
        }
        done.repair = Repair::None;
        let mut earlier = BTreeMap::new();
        for (index, step) in change.steps.iter().enumerate() {
            // Writing takes time, and may be stopped between two steps.
            if self.options.stop.is_cancelled() {
                return Ok(Attempt::Done(Ended::Held(STOPPED.to_owned())));
            }
            let Some(token) = done.spend(&step.operation) else {
                return Ok(Attempt::Again("a rate token was missing".to_owned()));
            };
            let order = Order {
                lease,
                fresh: &fresh,
                change,
                index,
                step,
            };
            match self.send(&order, &earlier, token, memory, done).await? {
                Sent::Applied(detail) => {
                    done.written.push(step.title.clone());
                    earlier.insert(index, detail);
                }
                Sent::Stop(attempt) => return Ok(attempt),
            }
        }
        self.await_showing(&planned.key, memory, lease, done).await
    }

    /// One step: the last reading, the intent, one request, the outcome.
    async fn send(
        &self,
        order: &Order<'_>,
        earlier: &BTreeMap<usize, Tree>,
        token: RateToken,
        memory: &mut ObjectMemory,
        done: &mut Done,
    ) -> Result<Sent, AppFault> {
        let Order {
            lease, fresh, step, ..
        } = *order;
        let key = &fresh.key;
        let stop = |ended| Ok(Sent::Stop(Attempt::Done(ended)));
        let again = |why| Ok(Sent::Stop(Attempt::Again(why)));
        let Some(driver) = self.engine.driver(&key.kind) else {
            return stop(Ended::Failed("its kind has no driver".to_owned()));
        };
        match driver.prepare(step, earlier).await {
            Ok(()) => {}
            Err(StepError::Superseded(why)) => return again(why),
            Err(StepError::Aws(error)) => return stop(Ended::Failed(error.to_string())),
        }
        self.await_lease(lease).await?;
        // The reading took time, too.
        if self.options.stop.is_cancelled() {
            return stop(Ended::Held(STOPPED.to_owned()));
        }
        let approval = match self.verdict(fresh, order.change).await? {
            Verdict::Held(why) => return stop(Ended::Held(why)),
            Verdict::Free(approval) => approval,
        };
        let title = step.title.clone();
        self.progress.event(&Event::Writing {
            key: key.clone(),
            title: title.clone(),
        });
        let intent = NewIntent {
            id: self.engine.cell.entropy.id(),
            key: key.clone(),
            step: step.clone(),
            drift: self.engine.mends(&key.kind, step, &fresh.drift),
            risk: order.change.risk,
            plan: fresh.pin.clone(),
            tasks: fresh.tasks,
            approval: approval.clone(),
            commit: self.set.commit_of(self.app).cloned(),
        };
        let id = intent.id.clone();
        let permit = match self.store.intend(lease, intent, token).await {
            Ok(permit) => permit,
            Err(IntendError::LeaseLost) => return Err(AppFault::LeaseLost(self.app.to_owned())),
            Err(IntendError::ObjectBusy { intent }) => {
                return stop(Ended::Held(Hold::OpenIntent { intent }.to_string()));
            }
            Err(error @ IntendError::Unapproved) => return stop(Ended::Held(error.to_string())),
            Err(IntendError::Store(error)) => return Err(error.into()),
        };
        self.begun(fresh, approval.as_deref());
        let end = |outcome, detail: Tree| NewOutcome {
            intent: id.clone(),
            key: key.clone(),
            outcome,
            detail,
            memory: None,
        };
        match driver.apply(step, earlier, permit).await {
            Ok(Applied { detail }) => {
                done.sent += 1;
                self.note_write(memory, &id, order);
                if driver.is_built_upon(step) {
                    let fact = applied_fact(step, &detail, self.engine.cell.clock.now());
                    memory.facts.insert(applied_word(step), fact);
                    memory.facts.remove(&given_up_word(step));
                }
                let outcome = NewOutcome {
                    memory: Some(memory.clone()),
                    ..end(Outcome::Applied, detail.clone())
                };
                self.settle(lease, outcome).await?;
                let mended = self.engine.mends(&key.kind, step, &fresh.drift);
                let at = self.engine.cell.clock.now();
                self.engine.drifts.corrected(key, &id, &mended, at);
                self.progress.event(&Event::Written {
                    key: key.clone(),
                    title,
                });
                Ok(Sent::Applied(detail))
            }
            Err(StepError::Superseded(why)) => {
                self.settle(lease, end(Outcome::Superseded, why.clone().into()))
                    .await?;
                again(why)
            }
            Err(StepError::Aws(error)) if error.fault.certainly_not_applied() => {
                let text = error.to_string();
                self.settle(lease, end(Outcome::NotApplied, text.clone().into()))
                    .await?;
                match error.fault {
                    Fault::Throttled => {
                        self.engine.cell.budget.throttled(token);
                        Ok(Sent::Stop(Attempt::Throttled(text)))
                    }
                    Fault::NotSent | Fault::NoCredentials => again(text),
                    _ => stop(Ended::Failed(text)),
                }
            }
            Err(StepError::Aws(error)) => {
                done.sent += 1;
                let text = error.to_string();
                self.settle(lease, end(Outcome::Unknown, text.clone().into()))
                    .await?;
                memory.open = Some(OpenIntent {
                    id: id.clone(),
                    at: self.engine.cell.clock.now(),
                    token: lease.token(),
                    operation: step.operation.clone(),
                    step: tree::to_tree(step),
                    drift: self.engine.mends(&key.kind, step, &fresh.drift),
                    commit: self.set.commit_of(self.app).cloned(),
                });
                let sent = self.look_up(lease, key, memory, text).await?;
                if memory.last_write.as_ref().is_some_and(|w| w.intent == id) {
                    done.written.push(title);
                }
                Ok(sent)
            }
        }
    }

    /// After a lost answer: what became of it decides whether to go on, from a fresh plan.
    async fn look_up(
        &self,
        lease: &Lease,
        key: &ResourceKey,
        memory: &mut ObjectMemory,
        text: String,
    ) -> Result<Sent, AppFault> {
        self.progress_resolving(key, memory);
        self.engine
            .resolve_open(self.store, lease, self.set, key, memory)
            .await?;
        Ok(Sent::Stop(match memory.open {
            None => Attempt::Again(text),
            Some(_) => Attempt::Done(Ended::Held(format!(
                "{text}; what became of it could not be read, and is looked up next time"
            ))),
        }))
    }

    /// A lease whose renewal is late is waited for; it is renewed beside this work.
    async fn await_lease(&self, lease: &Lease) -> Result<(), AppFault> {
        if outlasts_a_write(lease.deadline(), self.engine.cell.clock.boot()) {
            return Ok(());
        }
        match self.store.renew(lease).await {
            Ok(()) => Ok(()),
            Err(LeaseError::Lost) => Err(AppFault::LeaseLost(self.app.to_owned())),
            Err(LeaseError::Store(error)) => Err(error.into()),
        }
    }

    pub(super) async fn remember(
        &self,
        lease: &Lease,
        fresh: &ObjectPlan,
        memory: &mut ObjectMemory,
    ) -> Result<News, AppFault> {
        let known = fresh
            .remember
            .iter()
            .all(|(word, fact)| memory.facts.get(word) == Some(fact));
        if known {
            return Ok(News::None);
        }
        memory.facts.extend(fresh.remember.clone());
        self.store.remember(lease, &fresh.key, memory).await?;
        Ok(News::Some)
    }

    async fn settle(&self, lease: &Lease, outcome: NewOutcome) -> Result<(), AppFault> {
        match self.store.settle(lease, outcome).await {
            Ok(()) => Ok(()),
            // Somebody resolved it before us; what we know was kept as late testimony.
            Err(SettleError::Late) => Err(AppFault::LeaseLost(self.app.to_owned())),
            Err(SettleError::Store(error)) => Err(error.into()),
        }
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
        done: &mut Done,
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
                let generation = generation(self.set, key);
                self.engine.drifts.mended(key, generation, clock.now());
                return Ok(Attempt::Done(self.rolled(&fresh)));
            }
            // What came to light at this reading is no lag: waiting could only lose sight of it.
            if fresh.change.is_some() && self.remember(lease, &fresh, memory).await? == News::Some {
                done.repair = Repair::Due;
                return Ok(Attempt::Again(fresh.notes.join("; ")));
            }
            // Waiting cannot change what waits for a person.
            if fresh.change.is_none() && fresh.status == Status::Blocked {
                return Ok(Attempt::Done(untouched(&fresh).ended));
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
                        fresh
                            .drift
                            .first()
                            .map_or_else(|| "the object".to_owned(), |d| d.path.to_string()),
                        SETTLING_BOUND.as_secs()
                    )),
                    None => Attempt::Done(untouched(&fresh).ended),
                });
            }
            clock.sleep(pause).await;
            pause = (pause * 2).min(SHOW_PAUSE_MAX);
        }
    }

    /// What an applied step leaves in the object's memory.
    fn note_write(&self, memory: &mut ObjectMemory, intent: &str, order: &Order<'_>) {
        let now = self.engine.cell.clock.now();
        memory.last_write = Some(LastWrite {
            intent: intent.to_owned(),
            at: now,
        });
        memory.settling_until = Some(now + SETTLING_BOUND);
        if order.index + 1 == order.change.steps.len() {
            memory.writes.push(PastWrite {
                at: now,
                correction: correction(&order.fresh.drift),
            });
            let excess = memory.writes.len().saturating_sub(WRITES_KEPT);
            memory.writes.drain(..excess);
        }
    }
}
