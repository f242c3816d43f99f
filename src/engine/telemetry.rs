//! Telemetry: what the controller counts and logs, and whether it is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::controller::Observer;
use super::news::{Item, News, Told};
use super::progress::{Event, Progress};
use super::webhook::Message;
use crate::aws::cell::Cell;
use crate::model::change::Hold;
use crate::model::document::DesiredSet;
use crate::model::finding::{Finding, Severity};
use crate::model::pass::{Ended, ObjectPass};
use crate::model::plan::{ObjectPlan, Plan, Status};
use crate::model::source::{SourceState, Why};
use crate::notify::outbox::{Delivery, Tally};
use crate::notify::send::SendError;

/// Metrics, log lines and readiness of one controller. Nothing of it is global.
pub struct Telemetry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    cell: Arc<Cell>,
    looked: AtomicBool,
    /// Of the last look, or of the start before the first.
    last_look: Mutex<Duration>,
    news: Mutex<News>,
    /// Apps of the last look, whose gauges are set to zero when they go.
    apps: Mutex<BTreeSet<String>>,
    /// Commits of the last look, likewise.
    source: Mutex<BTreeSet<Figure>>,
    /// Where each app's documents were from at the last look, for log lines.
    commits: Mutex<SourceState>,
}

/// Which commit something is at, as labels of a metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Figure {
    Commit(String),
    App {
        app: String,
        commit: String,
        why: &'static str,
    },
}

fn source_figures(plan: &Plan) -> BTreeSet<Figure> {
    let Some(source) = &plan.source else {
        return BTreeSet::new();
    };
    let commit = source.commit.iter();
    let commit = commit.map(|commit| Figure::Commit(commit.to_string()));
    let apps = source.apps.iter().map(|(app, at)| Figure::App {
        app: app.clone(),
        commit: at.commit.to_string(),
        why: match at.why {
            Why::Pinned { .. } => "pinned",
            Why::DidNotLoad => "did-not-load",
        },
    });
    commit.chain(apps).collect()
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
        with_local_recorder(&recorder, describe);
        Self {
            recorder,
            handle,
            looked: AtomicBool::new(false),
            last_look: Mutex::new(cell.clock.boot()),
            news: Mutex::default(),
            apps: Mutex::default(),
            source: Mutex::default(),
            commits: Mutex::default(),
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

    /// Wall time.
    pub fn now(&self) -> jiff::Timestamp {
        self.cell.clock.now()
    }

    /// Counts a message that came to the webhook.
    pub fn webhook(&self, message: Message) {
        let outcome = match message {
            Message::Genuine => "accepted",
            Message::Foreign => {
                tracing::warn!("a webhook message without a right signature was refused");
                "refused"
            }
        };
        with_local_recorder(&self.recorder, || {
            counter!("evenkeel_webhook_messages_total", "outcome" => outcome).increment(1);
        });
    }

    /// Counts a commit status that was told to the forge, or was not.
    pub fn status_told(&self, outcome: &'static str) {
        with_local_recorder(&self.recorder, || {
            counter!("evenkeel_commit_statuses_total", "outcome" => outcome).increment(1);
        });
    }

    /// What is known of the source, as figures: which commits are in force, and what is on hold.
    fn count_source(&self, plan: &Plan) {
        let figures = source_figures(plan);
        let mut shown = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<Figure> = shown.difference(&figures).cloned().collect();
        shown.clone_from(&figures);
        drop(shown);
        if let Some(source) = &plan.source {
            let flag = |yes: bool| if yes { 1.0 } else { 0.0 };
            gauge!("evenkeel_source_held").set(flag(source.held.is_some()));
            gauge!("evenkeel_source_unread").set(flag(source.unread.is_some()));
        }
        let both = figures.iter().map(|f| (f, 1.0));
        for (figure, value) in gone.iter().map(|f| (f, 0.0)).chain(both) {
            match figure {
                Figure::Commit(commit) => {
                    gauge!("evenkeel_source_info", "commit" => commit.clone()).set(value);
                }
                Figure::App { app, commit, why } => {
                    gauge!("evenkeel_app_commit_info", "app" => app.clone(), "commit" => commit.clone(), "why" => *why)
                        .set(value);
                }
            }
        }
    }

    /// Everything counted, in the Prometheus text format; of commits those that are in force, since there
    /// is a new one every day.
    pub fn render(&self) -> String {
        let over = |line: &str| {
            let of_a_commit = ["evenkeel_source_info{", "evenkeel_app_commit_info{"];
            of_a_commit.iter().any(|name| line.starts_with(name)) && line.ends_with(" 0")
        };
        let text = self.handle.render();
        let lines = text.lines().filter(|line| !over(line));
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    fn log_news(&self, set: &DesiredSet, plan: &Plan) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        for item in news.of(set, plan) {
            match item {
                Item::Unread { app, why } => tracing::error!(
                    app,
                    "its history could not be read; nothing of it is written: {why}"
                ),
                Item::ReadAgain { app } => tracing::info!(app, "its history can be read again"),
                Item::Found(finding) => log_finding(finding),
                Item::Gone(Told {
                    file,
                    rule,
                    message,
                }) => tracing::info!(rule, file, "no longer so: {message}"),
                Item::Object(object) => log_object(object),
                Item::Source(line) => {
                    let commit = (!line.commit.is_empty()).then_some(line.commit);
                    match line.severity {
                        Severity::Error => tracing::error!(commit, "{}", line.text),
                        Severity::Warning => tracing::info!(commit, "{}", line.text),
                    }
                }
            }
        }
    }
}

fn log_finding(finding: &Finding) {
    let at = finding.at.as_ref().map(ToString::to_string);
    let at = at.unwrap_or_default();
    match finding.severity {
        Severity::Error => tracing::error!(rule = finding.rule, at, "{}", finding.message),
        Severity::Warning => tracing::warn!(rule = finding.rule, at, "{}", finding.message),
    }
}

fn log_object(object: &ObjectPlan) {
    let holds: Vec<String> = object.holds.iter().map(ToString::to_string).collect();
    let holds = holds.join("; ");
    match object.status {
        Status::InSync => tracing::debug!(key = %object.key, "in order"),
        Status::Drifted | Status::Absent => {
            let fields: Vec<String> = object.drift.iter().map(|d| d.path.to_string()).collect();
            let whole = "(the whole object)".to_owned();
            let drift = if fields.is_empty() {
                whole
            } else {
                fields.join(",")
            };
            tracing::info!(key = %object.key, drift, "drift");
        }
        Status::Unreadable | Status::Blocked => tracing::warn!(key = %object.key, "held: {holds}"),
        Status::Deferred => tracing::info!(key = %object.key, "deferred: {holds}"),
    }
}

/// Whether somebody set it back so often that it is not corrected any more.
fn is_contested(object: &ObjectPlan) -> bool {
    let stalled = |hold: &Hold| matches!(hold, Hold::Stalled { .. });
    object.holds.iter().any(stalled)
}

/// What each metric counts, as Prometheus shows it.
fn describe() {
    describe_counter!("evenkeel_looks_total", "Looks at the estate.");
    describe_gauge!(
        "evenkeel_apps_history_unread",
        "Apps whose history the store does not give: nothing of them is written."
    );
    describe_gauge!(
        "evenkeel_objects",
        "Objects by status, as of the last look."
    );
    describe_gauge!(
        "evenkeel_objects_contested",
        "Objects that were set back so often that correcting them has stopped."
    );
    describe_gauge!(
        "evenkeel_pauses",
        "Pauses that are on, of the app and of its objects."
    );
    describe_gauge!("evenkeel_findings_errors", "Errors in the documents.");
    describe_counter!("evenkeel_passes_total", "Passes over an app.");
    describe_counter!("evenkeel_writes_total", "Writes that AWS accepted.");
    describe_counter!(
        "evenkeel_failures_total",
        "Objects that failed or were rolled back."
    );
    describe_counter!("evenkeel_aws_calls_total", "Calls to AWS.");
    describe_counter!(
        "evenkeel_notices_total",
        "Notices by receiver, and what became of them."
    );
    describe_gauge!(
        "evenkeel_notices_failing",
        "1 while a receiver of notices does not take them."
    );
    describe_gauge!(
        "evenkeel_source_info",
        "1 for the commit of the Git source that is in force."
    );
    describe_gauge!(
        "evenkeel_source_held",
        "1 while the newest commit waits for `evenkeel source acknowledge`."
    );
    describe_gauge!(
        "evenkeel_source_unread",
        "1 while it is not known what the newest commit is or says."
    );
    describe_gauge!(
        "evenkeel_app_commit_info",
        "1 for an app at a commit of its own: pinned, or its newer documents did not load."
    );
    describe_counter!(
        "evenkeel_webhook_messages_total",
        "Messages to the webhook."
    );
    describe_counter!(
        "evenkeel_commit_statuses_total",
        "Commit statuses for the forge."
    );
}

impl Tally for Telemetry {
    fn told(&self, receiver: &str, delivery: Delivery) {
        let receiver = receiver.to_owned();
        with_local_recorder(&self.recorder, || {
            counter!("evenkeel_notices_total", "receiver" => receiver, "outcome" => delivery.word())
                .increment(1);
        });
    }

    fn reached(&self, receiver: &str, last: Result<(), &SendError>) {
        let receiver = receiver.to_owned();
        let failing = f64::from(u8::from(last.is_err()));
        with_local_recorder(&self.recorder, || {
            gauge!("evenkeel_notices_failing", "receiver" => receiver).set(failing);
        });
    }
}

impl Observer for Telemetry {
    fn looked(&self, set: &DesiredSet, plan: &Plan) {
        // A look at which nothing could be read saw nothing: AWS or the way to it is gone.
        let saw = |o: &ObjectPlan| o.status != Status::Unreadable;
        if plan.objects.is_empty() || plan.objects.iter().any(saw) {
            *self
                .last_look
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = self.cell.clock.boot();
            self.looked.store(true, Ordering::SeqCst);
        }
        self.log_news(set, plan);
        *self.commits.lock().unwrap_or_else(PoisonError::into_inner) =
            plan.source.clone().unwrap_or_default();
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
        let mut contested: BTreeMap<&str, f64> =
            gone.iter().map(|app| (app.as_str(), 0.0)).collect();
        for object in &plan.objects {
            let here = if is_contested(object) { 1.0 } else { 0.0 };
            *contested.entry(&object.key.app).or_default() += here;
        }
        with_local_recorder(&self.recorder, || {
            counter!("evenkeel_looks_total").increment(1);
            self.count_source(plan);
            gauge!("evenkeel_apps_history_unread").set(unread);
            for (app, n) in &contested {
                gauge!("evenkeel_objects_contested", "app" => (*app).to_owned()).set(*n);
            }
            for ((app, status), n) in &counts {
                gauge!("evenkeel_objects", "app" => (*app).to_owned(), "status" => (*status).to_owned())
                    .set(*n);
            }
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52 findings")]
            gauge!("evenkeel_findings_errors").set(plan.summary.errors as f64);
            for app in now.iter().chain(gone.iter().copied()) {
                let on = plan.pauses.iter().filter(|pause| pause.app == *app).count();
                #[expect(clippy::cast_precision_loss, reason = "far below 2^52 pauses")]
                gauge!("evenkeel_pauses", "app" => app.clone()).set(on as f64);
            }
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
        let commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        match commits.commit_of(app) {
            Some(commit) => {
                tracing::info!(app, written, failed, commit = commit.short(), "pass");
            }
            None => tracing::info!(app, written, failed, "pass"),
        }
        drop(commits);
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
            Event::GivenUp { app, why } => tracing::error!(app, "given up for now: {why}"),
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
