//! In force: what of a commit may be believed, which apps stay behind it, and what is shown where none
//! is in force.
//!
//! Pure: values in, values out.

use std::collections::BTreeMap;

use crate::model::document::{DesiredSet, Frozen};
use crate::model::finding::{Finding, Severity};
use crate::model::source::{AppCommit, CommitId, HoldReason, SourceRecord, Why};
use crate::source::NO_DOCUMENTS;
use crate::source::git::Remote;

/// Whether nothing of a commit can be believed: something did not load, and nothing tells which app
/// it belongs to. One without any document is not bad but empty.
pub(super) fn is_bad(set: &DesiredSet) -> bool {
    set.frozen == Frozen::All && set.findings.iter().any(is_broken)
}

fn is_broken(finding: &Finding) -> bool {
    finding.severity == Severity::Error && finding.rule != NO_DOCUMENTS
}

/// The apps of a commit that do not load in it, and the commit in which each of them is in force.
pub(super) fn behind(
    set: &DesiredSet,
    in_force: Option<&DesiredSet>,
) -> BTreeMap<String, CommitId> {
    let Some(in_force) = in_force else {
        return BTreeMap::new();
    };
    // Of an empty one nothing failed to load: whoever acknowledges it means that nothing is wanted.
    if !set.findings.iter().any(is_broken) {
        return BTreeMap::new();
    }
    in_force
        .apps()
        .into_iter()
        .filter(|app| set.frozen.holds(app) && !in_force.frozen.holds(app))
        .filter_map(|app| Some((app.to_owned(), in_force.commit_of(app)?.clone())))
        .collect()
}

pub(super) fn apps_behind(record: &SourceRecord) -> Vec<(String, AppCommit)> {
    let at = |commit: &CommitId| AppCommit {
        commit: commit.clone(),
        why: Why::DidNotLoad,
    };
    let behind = record.behind.iter();
    behind
        .map(|(app, commit)| (app.clone(), at(commit)))
        .collect()
}

/// A set in which nothing is written, since no commit is in force or it cannot be read.
pub(super) fn nothing_in_force(
    remote: &Remote,
    record: &SourceRecord,
    unread: Option<&str>,
) -> DesiredSet {
    let shown = remote.shown();
    let (message, help) = match (&record.good, &record.held, unread) {
        (Some(good), _, why) => (
            format!(
                "commit {} of {shown} is in force, and it cannot be read{}",
                good.short(),
                why.map_or_else(String::new, |why| format!(": {why}"))
            ),
            "bring it back to the remote, or acknowledge the newest commit with `evenkeel source \
             acknowledge`",
        ),
        (None, Some(held), _) => (
            format!(
                "no commit of {shown} is in force yet, and the first one, {}, is on hold: {}",
                held.commit.short(),
                told(&held.reasons)
            ),
            "look at it, and mend it or acknowledge it with `evenkeel source acknowledge`",
        ),
        (None, None, why) => (
            format!(
                "nothing of {shown} could be read{}",
                why.map_or_else(String::new, |why| format!(": {why}"))
            ),
            "check the URL, the branch and the rights of the user that runs evenkeel",
        ),
    };
    unwritable(message, help)
}

pub(super) fn unwritable(message: String, help: &str) -> DesiredSet {
    DesiredSet {
        frozen: Frozen::All,
        findings: vec![Finding::error("source-unreadable", message).help(help)],
        ..DesiredSet::default()
    }
}

/// The reasons of a hold in one line.
pub(super) fn told(reasons: &[HoldReason]) -> String {
    let all: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    all.join("; ")
}
