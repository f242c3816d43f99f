//! Telemetry: what the controller counts and logs, and whether it is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::controller::Observer;
use super::progress::{Event, Progress};
use crate::aws::cell::Cell;
use crate::model::document::DesiredSet;
use crate::model::finding::Severity;
use crate::model::pass::{Ended, ObjectPass};
use crate::model::plan::{Plan, Status};

/// Metrics, log lines and readiness of one controller. Nothing of it is global.
pub struct Telemetry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    cell: Arc<Cell>,
    looked: AtomicBool,
    /// Of the last look, or of the start before the first.
    last_look: Mutex<Duration>,
    /// What was told of each finding and held object at the last look; log lines are for news.
    told: Mutex<BTreeMap<String, String>>,
    /// Apps of the last look, whose gauges are set to zero when they go.
    apps: Mutex<BTreeSet<String>>,
}

const STATUSES: [(Status, &str); 6] = [
    (Status::InSync, "InSync"),
    (Status::Drifted, "Drifted"),
    (Status::Absent, "Absent"),
    (Status::Unreadable, "Unreadable"),
    (Status::Blocked, "Blocked"),
    (Status::Deferred, "Deferred"),
];

impl Telemetry {
    /// Nothing counted yet.
    pub fn new(cell: Arc<Cell>) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        Self {
            recorder,
            handle,
            looked: AtomicBool::new(false),
            last_look: Mutex::new(cell.clock.boot()),
            told: Mutex::default(),
            apps: Mutex::default(),
            cell,
        }
    }

    /// Whether the estate was looked at and planned at least once.
    pub fn is_ready(&self) -> bool {
        self.looked.load(Ordering::SeqCst)
    }

    /// Time since the last look, or since the start before the first.
    pub fn since_last_look(&self) -> Duration {
        let last = *self
            .last_look
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.cell.clock.boot().saturating_sub(last)
    }

    /// Everything counted, in the Prometheus text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    fn log_news(&self, set: &DesiredSet, plan: &Plan) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *told);
        // What is gone is forgotten, so that it is told of again when it comes back.
        let mut is_news = |subject: String, text: &str| {
            let known = before.get(&subject).is_some_and(|old| old == text);
            told.insert(subject, text.to_owned());
            !known
        };
        for (app, why) in &plan.history_unread {
            if is_news(format!("history {app}"), why) {
                tracing::error!(
                    app,
                    "its history could not be read; nothing of it is written: {why}"
                );
            }
        }
        for finding in &set.findings {
            let at = finding.at.as_ref().map(ToString::to_string);
            let at = at.unwrap_or_default();
            if is_news(format!("finding {at} {}", finding.rule), &finding.message) {
                match finding.severity {
                    Severity::Error => {
                        tracing::error!(rule = finding.rule, at, "{}", finding.message);
                    }
                    Severity::Warning => {
                        tracing::warn!(rule = finding.rule, at, "{}", finding.message);
                    }
                }
            }
        }
        for object in &plan.objects {
            let holds: Vec<String> = object.holds.iter().map(ToString::to_string).collect();
            let text = format!("{:?} {}", object.status, holds.join("; "));
            if !is_news(format!("object {}", object.key), &text) {
                continue;
            }
            match object.status {
                Status::InSync => tracing::debug!(key = %object.key, "in order"),
                Status::Drifted | Status::Absent => {
                    let fields: Vec<String> =
                        object.drift.iter().map(|d| d.path.to_string()).collect();
                    tracing::info!(key = %object.key, drift = fields.join(","), "drift");
                }
                Status::Unreadable | Status::Blocked => {
                    tracing::warn!(key = %object.key, "held: {}", holds.join("; "));
                }
                Status::Deferred => {
                    tracing::info!(key = %object.key, "deferred: {}", holds.join("; "));
                }
            }
        }
    }
}

impl Observer for Telemetry {
    fn looked(&self, set: &DesiredSet, plan: &Plan) {
        *self
            .last_look
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = self.cell.clock.boot();
        self.looked.store(true, Ordering::SeqCst);
        self.log_news(set, plan);
        let mut counts: BTreeMap<(&str, &str), f64> = BTreeMap::new();
        for object in &plan.objects {
            for (status, name) in STATUSES {
                let here = if object.status == status { 1.0 } else { 0.0 };
                *counts.entry((&object.key.app, name)).or_default() += here;
            }
        }
        let now: BTreeSet<String> = plan.objects.iter().map(|o| o.key.app.clone()).collect();
        let gone = {
            let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *apps, now.clone())
        };
        let gone: Vec<&String> = gone.difference(&now).collect();
        for app in &gone {
            for (_, name) in STATUSES {
                counts.insert((app, name), 0.0);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 apps")]
        let unread = plan.history_unread.len() as f64;
        with_local_recorder(&self.recorder, || {
            counter!("evenkeel_looks_total").increment(1);
            gauge!("evenkeel_apps_history_unread").set(unread);
            for ((app, status), n) in &counts {
                gauge!("evenkeel_objects", "app" => (*app).to_owned(), "status" => (*status).to_owned())
                    .set(*n);
            }
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52 findings")]
            gauge!("evenkeel_findings_errors").set(plan.summary.errors as f64);
            for (operation, n) in self.cell.budget.calls() {
                counter!("evenkeel_aws_calls_total", "operation" => operation).absolute(n);
            }
        });
    }

    fn converged(&self, app: &str, objects: &[ObjectPass]) {
        let written: usize = objects.iter().map(|o| o.written.len()).sum();
        let failed = objects
            .iter()
            .filter(|o| matches!(o.ended, Ended::Failed(_) | Ended::RolledBack(_)))
            .count();
        tracing::info!(app, written, failed, "pass");
        with_local_recorder(&self.recorder, || {
            counter!("evenkeel_passes_total", "app" => app.to_owned()).increment(1);
            counter!("evenkeel_writes_total", "app" => app.to_owned()).increment(written as u64);
            counter!("evenkeel_failures_total", "app" => app.to_owned()).increment(failed as u64);
        });
    }
}

impl Progress for Telemetry {
    fn event(&self, event: &Event) {
        match event {
            Event::Leasing { app } => tracing::debug!(app, "asking for the lease"),
            Event::Waiting { app, holder, most } => tracing::info!(
                app,
                holder,
                most_s = most.as_secs(),
                "waiting for another's lease"
            ),
            Event::Leased { app, token } => tracing::debug!(app, token, "lease taken"),
            Event::Busy { app, holder } => tracing::info!(app, holder, "another process holds it"),
            Event::Resolving { key, intent } => {
                tracing::warn!(%key, intent, "looking up a write of unknown outcome");
            }
            Event::Writing { key, title } => tracing::debug!(%key, "sending: {title}"),
            Event::Written { key, title } => tracing::info!(%key, "written: {title}"),
            Event::Converged { key } => tracing::info!(%key, "converged"),
            Event::Rollout { key, detail } => tracing::info!(%key, "rolling out: {detail}"),
            Event::Held { key, why } => tracing::info!(%key, "held: {why}"),
            Event::Failed { key, why } => tracing::error!(%key, "failed: {why}"),
        }
    }
}
