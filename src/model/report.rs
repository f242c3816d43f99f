//! Reports: how an estate stands, what drifted and what was done about it, as one value.
//!
//! Every format is drawn from this value, and its JSON is `report --format json`: members may be
//! added to it, and none changes its meaning within a version.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::drift::{Authorship, DriftKind, DriftRecord, How, Origin};
use super::key::ResourceKey;
use super::over_time::{Bucket, buckets};
use super::plan::{Plan, Status};
use super::source::SourceState;
use super::stake::{Severity, Stake};
use super::status::{ConditionKind, ObjectStatus, Truth};
use super::survey::Coverage;
use super::trail::role;
use super::tree::Tree;

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Format of this value: 1.
    pub version: u32,
    /// Twelve digits.
    pub account: String,
    /// `us-east-1`.
    pub region: String,
    /// The app that it is of, if it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The commit that is in force, where the documents are of one, and which apps are elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceState>,
    /// When the estate was looked at for it.
    pub made_at: Timestamp,
    /// What began or ended since then is in it; what stands open is, whenever it began.
    pub since: Timestamp,
    /// What stands over the documents now: pauses, pins, a source on hold, a Policy that waits for its
    /// approval, documents that do not load.
    pub overrides: Vec<String>,
    /// How the objects stand now.
    pub state: State,
    /// What the period comes to.
    pub figures: Figures,
    /// What stands open, the worst first.
    pub open: Vec<Line>,
    /// What ended in the period, the newest first.
    pub ended: Vec<Line>,
    /// What is not written, and why.
    pub held: Vec<Held>,
    /// What began and was corrected, hour by hour or day by day, without a gap.
    pub over_time: Vec<Bucket>,
    /// Drift by app, the most first.
    pub by_app: Vec<Tally>,
    /// Drift by who did it, the most first; a role's sessions are one.
    pub by_principal: Vec<Tally>,
    /// What AWS has that no document names; only in a report of the whole estate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// What the report could not find out, and why.
    pub notes: Vec<String>,
}

/// How many objects stand how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// All objects.
    pub objects: usize,
    /// As their documents say.
    pub in_order: usize,
    /// Differ and are about to be written.
    pub drifted: usize,
    /// Wait for a person.
    pub blocked: usize,
    /// Wait for something that passes.
    pub deferred: usize,
    /// Could not be read.
    pub unreadable: usize,
}

/// What a period comes to. Changes of documents that are on their way to AWS are no drift, and
/// counted apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Fields that began to drift in the period: that had been in order by the same document.
    pub began: usize,
    /// Fields that Evenkeel corrected in it.
    pub corrected: usize,
    /// Fields that stand open.
    pub open: usize,
    /// Those of them whose correcting has stopped, since somebody sets them back each time.
    pub contested: usize,
    /// Those of them that put data, service or alarms at risk.
    pub severe: usize,
    /// Mean seconds from the call that CloudTrail names to the look that found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_seconds_to_detect: Option<i64>,
    /// How many that is the mean of: those whose call is known.
    pub detected_of: usize,
    /// Mean seconds from that look to the correction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_seconds_to_correct: Option<i64>,
    /// How many that is the mean of.
    pub corrected_of: usize,
    /// Fields that a changed document asked for and that were written: no drift.
    pub rolled_out: usize,
    /// Fields that differed at the first look of all, or the first after nobody had looked: whether their
    /// document or AWS had changed is not known.
    pub found_so: usize,
}

/// One episode of drift.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// As it is recorded.
    #[serde(flatten)]
    pub record: DriftRecord,
    /// How bad it is.
    pub severity: Severity,
    /// For an open one: whether the report's own look still saw it.
    pub standing: bool,
    /// From the first look that found it to its end, or to now, in seconds.
    pub lasted_seconds: i64,
}

/// One object that is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Which.
    pub key: ResourceKey,
    /// Whether it waits for a person; else for something that passes.
    pub blocked: bool,
    /// Since when, where that is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Why.
    pub reasons: Vec<String>,
}

/// A name and how much is of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// An app, or a principal; `unknown` where CloudTrail names nobody.
    pub name: String,
    /// Episodes of drift.
    pub drift: usize,
    /// Those of them that put data, service or alarms at risk.
    pub severe: usize,
}

/// The principal of drift that CloudTrail names nobody for.
pub const UNKNOWN: &str = "unknown";

/// All that a report is made from.
#[derive(Debug)]
pub struct Material<'m> {
    /// Account and region.
    pub place: (&'m str, &'m str),
    /// The app that it is of, if it is of one.
    pub app: Option<&'m str>,
    /// The look that was made for it.
    pub plan: &'m Plan,
    /// What is recorded, and what that look saw that is not recorded yet; open ones with whether the
    /// look saw them.
    pub records: Vec<(DriftRecord, bool)>,
    /// The recorded conditions.
    pub statuses: &'m BTreeMap<ResourceKey, ObjectStatus>,
    /// What AWS has.
    pub coverage: Option<Coverage>,
    /// Since when.
    pub since: Timestamp,
    /// What stands over the documents now.
    pub overrides: Vec<String>,
    /// What could not be found out.
    pub notes: Vec<String>,
}

impl Report {
    /// The report of `material`.
    pub fn of(material: Material<'_>) -> Self {
        let Material {
            place,
            app,
            plan,
            records,
            statuses,
            coverage,
            since,
            overrides,
            notes,
        } = material;
        let now = plan.made_at;
        let (moved, drift): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|(r, _)| !r.is_drift());
        let ended_since = |r: &DriftRecord| r.end.as_ref().is_some_and(|end| end.at >= since);
        let rolled_out = moved.iter().filter(|(r, _)| ended_since(r)).count();
        let lines: Vec<Line> = drift
            .into_iter()
            .filter(|(r, _)| r.end.is_none() || ended_since(r) || r.first_seen >= since)
            .map(|(record, standing)| line(record, standing, now))
            .collect();
        let drifted: Vec<&Line> = lines.iter().filter(|l| l.is_known_drift()).collect();
        let over_time = buckets(&drifted, since, now);
        let by_app = tally(&drifted, |l| l.record.key.app.clone());
        let by_principal = tally(&drifted, |l| match &l.record.author {
            Authorship::Named(author) => role(&author.principal).to_owned(),
            Authorship::NotYet | Authorship::NotFound => UNKNOWN.to_owned(),
        });
        let figures = figures(&lines, since, rolled_out);
        let (mut ended, mut open): (Vec<Line>, Vec<Line>) =
            lines.into_iter().partition(|l| l.record.end.is_some());
        open.sort_by_key(|l| (std::cmp::Reverse(l.severity), l.record.first_seen));
        ended.sort_by_key(|l| {
            let at = l.record.end.as_ref().map(|end| end.at);
            std::cmp::Reverse((at, l.record.first_seen))
        });
        Self {
            version: 1,
            account: place.0.to_owned(),
            region: place.1.to_owned(),
            app: app.map(str::to_owned),
            source: plan.source.clone(),
            made_at: now,
            since,
            overrides,
            state: state(plan),
            figures,
            open,
            ended,
            held: held(plan, statuses),
            over_time,
            by_app,
            by_principal,
            coverage,
            notes,
        }
    }

    /// The report in one sentence.
    pub fn sentence(&self) -> String {
        let State {
            objects, in_order, ..
        } = self.state;
        let Figures {
            began,
            corrected,
            open,
            contested,
            ..
        } = self.figures;
        let stands = match (open, contested) {
            (0, _) => "nothing stands open".to_owned(),
            (1, 0) => "1 stands open".to_owned(),
            (1, _) => "1 stands open, contested".to_owned(),
            (n, 0) => format!("{n} stand open"),
            (n, c) => format!("{n} stand open, {c} of them contested"),
        };
        let began = match began {
            0 => "nothing drifted".to_owned(),
            1 => "1 field drifted".to_owned(),
            n => format!("{n} fields drifted"),
        };
        format!(
            "{in_order} of {objects} objects are in order; {began}, {corrected} corrected, {stands}."
        )
    }
}

fn line(record: DriftRecord, standing: bool, now: Timestamp) -> Line {
    let until = record.end.as_ref().map_or(now, |end| end.at);
    Line {
        severity: severity(&record),
        standing,
        lasted_seconds: until.duration_since(record.first_seen).as_secs().max(0),
        record,
    }
}

/// What stands beside a document, and what AWS makes right by itself, is worth a look and no more.
fn severity(record: &DriftRecord) -> Severity {
    match record.kind {
        // What may stop every task of a service is no trifle, whoever set it up.
        DriftKind::Unmanaged if stops_all(&record.live) => Severity::High,
        DriftKind::Unmanaged | DriftKind::Pending => Severity::Low,
        DriftKind::Suspended => Severity::Medium,
        DriftKind::Changed | DriftKind::Missing | DriftKind::Contested => {
            Stake::severity(record.at_risk)
        }
    }
}

/// Whether it is a scheduled action that leaves no task.
fn stops_all(live: &Tree) -> bool {
    let most = live.get("maxCapacity").and_then(Tree::as_u64);
    most == Some(0)
}

fn state(plan: &Plan) -> State {
    let mut state = State {
        objects: plan.objects.len(),
        ..State::default()
    };
    for object in &plan.objects {
        *match object.status {
            Status::InSync => &mut state.in_order,
            Status::Drifted | Status::Absent => &mut state.drifted,
            Status::Blocked => &mut state.blocked,
            Status::Deferred => &mut state.deferred,
            Status::Unreadable => &mut state.unreadable,
        } += 1;
    }
    state
}

fn figures(lines: &[Line], since: Timestamp, rolled_out: usize) -> Figures {
    let is_ours = |l: &&Line| {
        l.is_known_drift()
            && matches!(&l.record.end, Some(end) if end.at >= since && matches!(end.how, How::Corrected { .. }))
    };
    let open = || lines.iter().filter(|l| l.record.end.is_none());
    let first_seen = || lines.iter().filter(|l| l.record.first_seen >= since);
    let began = || first_seen().filter(|l| l.is_known_drift());
    let detected = mean(began().filter_map(|l| l.record.time_to_detect()));
    let ours = lines.iter().filter(is_ours);
    let corrected = mean(ours.clone().filter_map(|l| l.record.time_to_correct()));
    Figures {
        began: began().count(),
        corrected: ours.count(),
        open: open().count(),
        contested: open()
            .filter(|l| l.record.kind == DriftKind::Contested)
            .count(),
        severe: open().filter(|l| l.severity == Severity::High).count(),
        mean_seconds_to_detect: detected.0,
        detected_of: detected.1,
        mean_seconds_to_correct: corrected.0,
        corrected_of: corrected.1,
        rolled_out,
        found_so: first_seen().filter(|l| !l.is_known_drift()).count(),
    }
}

impl Line {
    /// Whether something moved away from a document for certain.
    pub fn is_known_drift(&self) -> bool {
        self.record.origin == Origin::Live
    }
}

/// The mean in whole seconds, and of how many.
fn mean(times: impl Iterator<Item = SignedDuration>) -> (Option<i64>, usize) {
    let seconds: Vec<i64> = times.map(|t| t.as_secs()).collect();
    let sum: i64 = seconds.iter().sum();
    let of = i64::try_from(seconds.len()).unwrap_or(i64::MAX);
    ((of > 0).then(|| sum / of), seconds.len())
}

fn held(plan: &Plan, statuses: &BTreeMap<ResourceKey, ObjectStatus>) -> Vec<Held> {
    let mut held: Vec<Held> = plan
        .objects
        .iter()
        .filter(|o| !o.holds.is_empty())
        .map(|object| {
            let blocked = object.holds.iter().any(|hold| !hold.is_passing());
            let kind = if blocked {
                ConditionKind::Blocked
            } else {
                ConditionKind::Deferred
            };
            let condition = statuses.get(&object.key).and_then(|s| s.condition(kind));
            Held {
                key: object.key.clone(),
                blocked,
                since: condition
                    .filter(|c| c.status == Truth::True)
                    .map(|c| c.last_transition),
                reasons: object.holds.iter().map(ToString::to_string).collect(),
            }
        })
        .collect();
    held.sort_by(|a, b| (b.blocked, &a.key).cmp(&(a.blocked, &b.key)));
    held
}

fn tally(lines: &[&Line], name: impl Fn(&Line) -> String) -> Vec<Tally> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for line in lines {
        let count = counts.entry(name(line)).or_default();
        count.0 += 1;
        count.1 += usize::from(line.severity == Severity::High);
    }
    let mut tally: Vec<Tally> = counts
        .into_iter()
        .map(|(name, (drift, severe))| Tally {
            name,
            drift,
            severe,
        })
        .collect();
    tally.sort_by(|a, b| (b.drift, &a.name).cmp(&(a.drift, &b.name)));
    tally
}

/// A moment as reports write it: `2026-03-02 03:14 UTC`.
pub fn moment(at: Timestamp) -> String {
    let zoned = at.to_zoned(TimeZone::UTC);
    zoned.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
