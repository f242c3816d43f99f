//! The controller: looks again and again, and keeps one queue entry per app for the writing.
//!
//! One look feeds all apps. Apps are converged side by side, each at most once at a time; an app
//! that fails waits for itself alone, longer each time.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::apply::{ApplyOptions, Pinned, Wait, is_work};
use super::progress::Progress;
use crate::kinds::{Allow, Policy};
use crate::model::change::Hold;
use crate::model::document::DesiredSet;
use crate::model::notice::Notice;
use crate::model::pass::{Ended, ObjectPass};
use crate::model::plan::{ObjectPlan, Plan, Rollout};
use crate::model::scope::Scope;
use crate::model::status::Firsts;
use crate::model::tree;
use crate::notify::derive;
use crate::store::Patience;

/// First pause of an app whose pass failed; doubled with each failure in a row.
const BACKOFF: Duration = Duration::from_secs(5);
/// Longest such pause.
const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// How soon to look again while something is rolling out, settling or waiting its turn.
const SOON: Duration = Duration::from_secs(10);

/// How to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Time between looks; jittered to between half and all of it.
    pub interval: Duration,
    /// Which part of the desired state.
    pub scope: Scope,
    /// Whether drift is corrected, or only told.
    pub writes: Allow,
}

/// Where the desired state comes from. The controller asks; it never watches by itself.
pub trait Desired: Send {
    /// Loads what is wanted now. Half-written files are waited out.
    fn load(&mut self) -> Pin<Box<dyn Future<Output = DesiredSet> + Send + '_>>;

    /// Returns when something may have changed. Must be safe to drop and call again.
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// What has become of the source itself since this was asked last, where this replica is the one to
    /// tell it. Default: nothing becomes of it.
    fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }
}

/// What the controller tells after each look and each pass; readiness, metrics and status records
/// are made of it.
pub trait Observer: Send + Sync {
    /// The whole estate was looked at.
    fn looked(&self, set: &DesiredSet, plan: &Plan);
    /// An app was converged.
    fn converged(&self, app: &str, objects: &[ObjectPass]);
    /// An app's pass begins, with this plan.
    fn begins(&self, app: &str, planned: &[ObjectPlan]) {
        let _ = (app, planned);
    }
    /// States have changed, and this replica is the one to tell it.
    fn noticed(&self, notices: Vec<Notice>) {
        let _ = notices;
    }
}

/// What is known of one app between looks.
#[derive(Debug, Default)]
struct AppState {
    failures: u32,
    /// Not before this, on the boot clock.
    not_before: Duration,
    /// What its documents said when it was looked at last.
    wish: String,
    /// Stops the pass that is in flight; `None` when there is none.
    pass: Option<CancellationToken>,
}

type Apps = BTreeMap<String, AppState>;

type Work<'a> = Pin<Box<dyn Future<Output = (String, Vec<ObjectPass>)> + Send + 'a>>;

/// When the next look is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// As set.
    OnTime,
    /// Something is on its way, or waits its turn: at this time of the boot clock.
    At(Duration),
    /// Somebody wants something else by now.
    AtOnce,
}

/// Runs until `shutdown` completes; then finishes what is in flight and returns.
pub async fn run(
    engine: &Engine,
    desired: &mut dyn Desired,
    options: &RunOptions,
    progress: &dyn Progress,
    observer: &dyn Observer,
    shutdown: impl Future<Output = ()>,
) {
    let apply = ApplyOptions {
        policy: Policy::CONTROLLER,
        wait: Wait::No,
        pinned: Pinned::No,
        patience: Patience::UntilDead,
        stop: CancellationToken::new(),
    };
    let clock = &engine.cell.clock;
    let mut shutdown = pin!(shutdown);
    let mut apps = Apps::new();
    let mut work: FuturesUnordered<Work<'_>> = FuturesUnordered::new();
    loop {
        // What passes that end during the look ask for.
        let mut next = Next::OnTime;
        let mut ended = |app: String, objects: Vec<ObjectPass>, apps: &mut Apps| {
            next = next.or(conclude(engine, apps, observer, &app, &objects));
        };
        // A pass in flight goes on beside the loading and the look.
        let loaded = meanwhile(desired.load(), &mut shutdown, &mut work, |app, objects| {
            ended(app, objects, &mut apps);
        })
        .await;
        let Some(set) = loaded else {
            finish(work, &apply.stop, observer).await;
            return;
        };
        observer.noticed(desired.notices());
        // Before the look, which can take long: what nobody wants any more is not gone on with.
        for (app, state) in &mut apps {
            state.wishes(&wish(&set, app));
        }
        let look = async {
            let plan = engine.plan(&set, &options.scope, &apply.policy).await;
            if options.writes == Allow::Yes {
                let mut ours = Firsts::default();
                if let Err(error) = engine.record_changes(&set, &plan, &mut ours).await {
                    tracing::warn!(%error, "recording conditions; they are recorded at the next look");
                }
                observer.noticed(derive::of_look(&plan, &ours));
            }
            if options.writes == Allow::Yes
                && let Err(error) = engine.record_policies(&set).await
            {
                tracing::warn!(%error, "recording policies; they are recorded at the next look");
            }
            plan
        };
        let looked = meanwhile(look, &mut shutdown, &mut work, |app, objects| {
            ended(app, objects, &mut apps);
        })
        .await;
        // The look is let go of first: a pass may stand behind it in the line for a rate token.
        let Some(plan) = looked else {
            finish(work, &apply.stop, observer).await;
            return;
        };
        observer.looked(&set, &plan);
        let soon = clock.boot() + engine.cell.entropy.jitter(SOON);
        let set = Arc::new(set);
        for (app, objects) in by_app(plan) {
            let state = apps.entry(app.clone()).or_default();
            // One that is new here has no wish yet.
            state.wishes(&wish(&set, &app));
            let idle = options.writes == Allow::No || !objects.iter().any(is_work);
            if state.pass.is_some() || idle {
                if objects.iter().any(is_on_its_way) {
                    next = next.or(Next::At(soon));
                }
                if let Some(due) = due(&objects) {
                    next = next.or(Next::At(clock.boot() + until(due, clock.now())));
                }
                continue;
            }
            if clock.boot() < state.not_before {
                next = next.or(Next::At(state.not_before));
                continue;
            }
            let stop = apply.stop.child_token();
            state.pass = Some(stop.clone());
            let set = Arc::clone(&set);
            let apply = ApplyOptions {
                stop,
                ..apply.clone()
            };
            work.push(Box::pin(async move {
                observer.begins(&app, &objects);
                let planned: Vec<&ObjectPlan> = objects.iter().collect();
                let done = engine
                    .converge_app(&set, &app, &planned, &apply, progress)
                    .await;
                match engine.record_failures(&done).await {
                    Ok(new) => {
                        let now = engine.cell.clock.now();
                        observer.noticed(derive::of_failures(&app, &objects, &done, &new, now));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "recording failures; they are told at the next one");
                    }
                }
                (app, done)
            }));
        }
        let on_time = clock.boot() + engine.cell.entropy.jitter(options.interval);
        let mut due = match next {
            Next::OnTime => on_time,
            Next::At(at) => at.min(on_time),
            Next::AtOnce => continue,
        };
        let mut timer = clock.sleep_boxed(due.saturating_sub(clock.boot()));
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => {
                    finish(work, &apply.stop, observer).await;
                    return;
                }
                Some((app, objects)) = work.next(), if !work.is_empty() => {
                    match conclude(engine, &mut apps, observer, &app, &objects) {
                        Next::AtOnce => break,
                        // Never later than it was: many apps that end one after the other do not
                        // put a look off.
                        Next::At(at) if at < due => {
                            due = at;
                            timer = clock.sleep_boxed(due.saturating_sub(clock.boot()));
                        }
                        Next::At(_) | Next::OnTime => {}
                    }
                }
                () = desired.changed() => break,
                () = &mut timer => break,
            }
        }
    }
}

/// Sees `doing` through, and the passes that end beside it; `None` when it is time to stop.
async fn meanwhile<T>(
    doing: impl Future<Output = T>,
    shutdown: &mut Pin<&mut impl Future<Output = ()>>,
    work: &mut FuturesUnordered<Work<'_>>,
    mut ended: impl FnMut(String, Vec<ObjectPass>),
) -> Option<T> {
    let mut doing = pin!(doing);
    loop {
        tokio::select! {
            biased;
            () = &mut *shutdown => return None,
            Some((app, objects)) = work.next(), if !work.is_empty() => ended(app, objects),
            done = &mut doing => return Some(done),
        }
    }
}

impl Next {
    fn or(self, other: Next) -> Next {
        match (self, other) {
            (Next::AtOnce, _) | (_, Next::AtOnce) => Next::AtOnce,
            (Next::At(a), Next::At(b)) => Next::At(a.min(b)),
            (Next::At(at), Next::OnTime) | (Next::OnTime, Next::At(at)) => Next::At(at),
            (Next::OnTime, Next::OnTime) => Next::OnTime,
        }
    }
}

impl AppState {
    /// Another wish than the last one is tried at once, and what is being written for the last one
    /// is not gone on with.
    fn wishes(&mut self, wish: &str) {
        if self.wish == wish {
            return;
        }
        wish.clone_into(&mut self.wish);
        self.failures = 0;
        self.not_before = Duration::ZERO;
        if let Some(pass) = &self.pass {
            pass.cancel();
        }
    }
}

/// What an app's documents say, and whether they may be believed.
fn wish(set: &DesiredSet, app: &str) -> String {
    let specs: Vec<_> = set
        .documents
        .values()
        .filter(|d| d.key.app == app)
        .map(|d| (&d.key, &d.spec))
        .collect();
    let policy = set.policies.get(app).map(|policy| &policy.policy);
    tree::digest_of(&(set.frozen.holds(app), specs, policy))
}

/// What was sent is seen through; nothing new is begun.
async fn finish(
    mut work: FuturesUnordered<Work<'_>>,
    stop: &CancellationToken,
    observer: &dyn Observer,
) {
    stop.cancel();
    while let Some((app, objects)) = work.next().await {
        observer.converged(&app, &objects);
    }
}

/// Takes note of how a pass ended; says when its app is looked at again.
fn conclude(
    engine: &Engine,
    apps: &mut Apps,
    observer: &dyn Observer,
    app: &str,
    objects: &[ObjectPass],
) -> Next {
    observer.converged(app, objects);
    let state = apps.entry(app.to_owned()).or_default();
    let stopped = state.pass.take().is_some_and(|pass| pass.is_cancelled());
    if stopped {
        return Next::AtOnce;
    }
    if objects.iter().any(|o| matches!(o.ended, Ended::Failed(_))) {
        let pause = BACKOFF
            .saturating_mul(2u32.saturating_pow(state.failures))
            .min(BACKOFF_MAX);
        let pause = engine.cell.entropy.jitter(pause);
        state.failures = state.failures.saturating_add(1);
        state.not_before = engine.cell.clock.boot() + pause;
        return Next::At(state.not_before);
    }
    state.failures = 0;
    state.not_before = Duration::ZERO;
    if objects.iter().any(|o| !o.written.is_empty()) {
        Next::At(engine.cell.clock.boot() + engine.cell.entropy.jitter(SOON))
    } else {
        Next::OnTime
    }
}

/// Whether something moves by itself that the next look may find at its end within seconds.
fn is_on_its_way(object: &ObjectPlan) -> bool {
    matches!(object.rollout, Some(Rollout::InProgress { .. }))
        || object.holds.iter().any(|hold| {
            matches!(
                hold,
                Hold::Settling { .. } | Hold::OpenIntent { .. } | Hold::RolloutInProgress { .. }
            )
        })
}

/// When change control lets the first of the objects pass that wait for nothing else.
fn due(objects: &[ObjectPlan]) -> Option<Timestamp> {
    let of = |object: &ObjectPlan| {
        let all: Option<Vec<Timestamp>> = object.holds.iter().map(Hold::due).collect();
        all?.into_iter().max()
    };
    objects.iter().filter_map(of).min()
}

/// How long it is until then. A clock that was set back meanwhile makes it longer, which the looks
/// in between see.
fn until(due: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(due.duration_since(now)).unwrap_or_default()
}

fn by_app(plan: Plan) -> BTreeMap<String, Vec<ObjectPlan>> {
    let mut apps: BTreeMap<String, Vec<ObjectPlan>> = BTreeMap::new();
    for object in plan.objects {
        apps.entry(object.key.app.clone()).or_default().push(object);
    }
    apps
}
