//! Source news: what the log says of a source, line by line, so that each is said once.

use std::collections::BTreeMap;

use super::in_force::told as reasons;
use crate::model::finding::Severity;
use crate::model::source::{SourceState, Why};

/// The line of the commit in force.
pub(super) const IN_FORCE: &str = "in force";
const HELD: &str = "held";
const UNREAD: &str = "unread";
const PINNED: &str = "pinned ";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceLine {
    /// An error is somebody's to act on.
    pub severity: Severity,
    /// Which commit.
    pub commit: String,
    /// What is said of it.
    pub text: String,
}

impl SourceLine {
    /// What is said when the line of `what` is gone; nothing, where another line says it.
    pub fn over(what: &str) -> Option<Self> {
        let text = match what {
            HELD => "the source is no longer on hold".to_owned(),
            UNREAD => "the newest commit can be read again".to_owned(),
            _ => format!("{} is no longer pinned", what.strip_prefix(PINNED)?),
        };
        Some(Self {
            severity: Severity::Warning,
            commit: String::new(),
            text,
        })
    }
}

/// The lines of a source, by what they are about.
pub(super) fn told(source: &SourceState) -> BTreeMap<String, SourceLine> {
    let mut lines = BTreeMap::new();
    let mut say = |what: &str, severity, commit: &str, text: String| {
        let commit = commit.to_owned();
        let line = SourceLine {
            severity,
            commit,
            text,
        };
        lines.insert(what.to_owned(), line);
    };
    if let Some(commit) = &source.commit {
        let text = "in force".to_owned();
        say(IN_FORCE, Severity::Warning, commit.as_str(), text);
    }
    if let Some(held) = &source.held {
        let text = format!(
            "the source is on hold: {}; look at the commit, and revert it or run `evenkeel source \
             acknowledge {} --reason ...`",
            reasons(&held.reasons),
            held.commit.short()
        );
        say(HELD, Severity::Error, held.commit.as_str(), text);
    }
    if let Some(why) = &source.unread {
        let (commit, text) = match &source.bad {
            Some(bad) => (bad.as_str(), format!("the newest is not taken: {why}")),
            None => ("", format!("what is newest is not known: {why}")),
        };
        say(UNREAD, Severity::Error, commit, text);
    }
    for (app, at) in &source.apps {
        let commit = at.commit.as_str();
        match &at.why {
            Why::Pinned { by, reason, .. } => say(
                &format!("{PINNED}{app}"),
                Severity::Warning,
                commit,
                format!(
                    "{app} is pinned to commit {} by {by}: {reason}",
                    at.commit.short()
                ),
            ),
            Why::DidNotLoad => say(
                &format!("behind {app}"),
                Severity::Error,
                commit,
                format!("{app} stays at its last good commit: its newer documents do not load"),
            ),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::source::{CommitId, HoldReason, SourceHold};

    #[test]
    fn a_hold_says_why_and_what_to_do_and_its_end_is_told() {
        let commit = CommitId::parse(&"a".repeat(40)).unwrap();
        let source = SourceState {
            held: Some(SourceHold {
                commit,
                reasons: vec![HoldReason::Empty],
                since: jiff::Timestamp::UNIX_EPOCH,
            }),
            ..SourceState::default()
        };
        let line = &told(&source)[HELD];
        assert!(line.text.contains("it holds no document"), "{}", line.text);
        assert!(
            line.text.contains("acknowledge aaaaaaaaaaaa"),
            "{}",
            line.text
        );
        assert!(SourceLine::over(HELD).is_some());
        assert_eq!(SourceLine::over(IN_FORCE), None);
    }
}
