//! The controller: looks again and again, and keeps one queue entry per app for the writing.
//!
//! One look feeds all apps. Apps are converged side by side, each at most once at a time; an app
//! that fails waits for itself alone, longer each time.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::apply::{ApplyOptions, Pinned, Wait, is_work};
use super::progress::Progress;
use crate::kinds::{Allow, Policy};
use crate::model::document::DesiredSet;
use crate::model::pass::{Ended, ObjectPass};
use crate::model::plan::{ObjectPlan, Plan};
use crate::model::scope::Scope;
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
}

/// What the controller tells after each look and each pass; readiness, metrics and status records
/// are made of it.
pub trait Observer: Send + Sync {
    /// The whole estate was looked at.
    fn looked(&self, set: &DesiredSet, plan: &Plan);
    /// A look could not be planned.
    fn look_failed(&self, why: &str);
    /// An app was converged.
    fn converged(&self, app: &str, objects: &[ObjectPass]);
}

#[derive(Debug, Default)]
struct AppState {
    failures: u32,
    /// Not before this, on the boot clock.
    not_before: Duration,
}

type Work<'a> = Pin<Box<dyn Future<Output = (String, Vec<ObjectPass>)> + Send + 'a>>;

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
    let mut shutdown = pin!(shutdown);
    let mut apps: BTreeMap<String, AppState> = BTreeMap::new();
    let mut busy: BTreeSet<String> = BTreeSet::new();
    let mut work: FuturesUnordered<Work<'_>> = FuturesUnordered::new();
    loop {
        let (set, plan) = {
            let mut look = pin!(async {
                let set = desired.load().await;
                let plan = engine.plan(&set, &options.scope, &apply.policy).await;
                if let Ok(plan) = &plan
                    && let Err(error) = engine.record_conditions(&set, plan).await
                {
                    tracing::warn!(%error, "recording conditions; they are recorded at the next look");
                }
                (set, plan)
            });
            loop {
                tokio::select! {
                    biased;
                    () = &mut shutdown => {
                        finish(work, &apply.stop, observer).await;
                        return;
                    }
                    // A pass in flight goes on beside the look.
                    Some((app, objects)) = work.next(), if !work.is_empty() => {
                        busy.remove(&app);
                        conclude(engine, &mut apps, observer, &app, &objects);
                    }
                    looked = &mut look => break looked,
                }
            }
        };
        let mut soon = false;
        match plan {
            Ok(plan) => {
                observer.looked(&set, &plan);
                soon = is_restless(&plan);
                let set = Arc::new(set);
                for (app, objects) in by_app(plan) {
                    let state = apps.entry(app.clone()).or_default();
                    let waiting = engine.cell.clock.boot() < state.not_before;
                    let idle = options.writes == Allow::No || !objects.iter().any(is_work);
                    if idle || waiting || busy.contains(&app) {
                        continue;
                    }
                    busy.insert(app.clone());
                    let (set, apply) = (Arc::clone(&set), apply.clone());
                    work.push(Box::pin(async move {
                        let planned: Vec<&ObjectPlan> = objects.iter().collect();
                        let done = engine
                            .converge_app(&set, &app, &planned, &apply, progress)
                            .await;
                        (app, done)
                    }));
                }
            }
            Err(error) => observer.look_failed(&error.to_string()),
        }
        let pause = if soon {
            SOON.min(options.interval)
        } else {
            options.interval
        };
        let mut timer = engine
            .cell
            .clock
            .sleep_boxed(engine.cell.entropy.jitter(pause));
        let mut hastened = soon;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => {
                    finish(work, &apply.stop, observer).await;
                    return;
                }
                Some((app, objects)) = work.next(), if !work.is_empty() => {
                    busy.remove(&app);
                    conclude(engine, &mut apps, observer, &app, &objects);
                    // What was written is looked at soon; many apps that end one after the other
                    // do not put that look off.
                    if !hastened {
                        hastened = true;
                        let again = engine.cell.entropy.jitter(SOON.min(options.interval));
                        timer = engine.cell.clock.sleep_boxed(again);
                    }
                }
                () = desired.changed() => break,
                () = &mut timer => break,
            }
        }
    }
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

fn conclude(
    engine: &Engine,
    apps: &mut BTreeMap<String, AppState>,
    observer: &dyn Observer,
    app: &str,
    objects: &[ObjectPass],
) {
    observer.converged(app, objects);
    let state = apps.entry(app.to_owned()).or_default();
    if objects.iter().any(|o| matches!(o.ended, Ended::Failed(_))) {
        let pause = BACKOFF
            .saturating_mul(2u32.saturating_pow(state.failures))
            .min(BACKOFF_MAX);
        state.failures = state.failures.saturating_add(1);
        state.not_before = engine.cell.clock.boot() + engine.cell.entropy.jitter(pause);
    } else {
        *state = AppState::default();
    }
}

fn is_restless(plan: &Plan) -> bool {
    plan.summary.changes > 0
        || plan.summary.deferred > 0
        || plan.objects.iter().any(|o| o.rollout.is_some())
}

fn by_app(plan: Plan) -> BTreeMap<String, Vec<ObjectPlan>> {
    let mut apps: BTreeMap<String, Vec<ObjectPlan>> = BTreeMap::new();
    for object in plan.objects {
        apps.entry(object.key.app.clone()).or_default().push(object);
    }
    apps
}
