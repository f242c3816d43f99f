//! A source as text and Markdown: which commit is in force, what is on hold, which apps are elsewhere.
//!
//! Pure: a value in, text out.

use std::collections::BTreeMap;

use anstyle::Style;

use super::layout::{BAD, DIM, WARN, flow, hanging, paint};
use super::markdown::escape;
use crate::model::source::{HoldReason, SourceHold, SourceRecord, SourceState, Why};
use crate::store::PinRow;

/// What stands above a plan.
pub fn text(source: &SourceState) -> String {
    let mut out = String::new();
    if let Some(commit) = &source.commit {
        let branch = source.branch.as_deref().unwrap_or_default();
        let line = format!("commit {} of {branch}", commit.short());
        let mut block = String::new();
        hanging(&mut block, 0, "", &line);
        out.push_str(&format!("{}\n", paint(DIM, block.trim_end_matches('\n'))));
    }
    if let Some(held) = &source.held {
        out.push_str(&held_text(held));
    }
    if let Some(why) = &source.unread {
        let word = match &source.bad {
            Some(_) => paint(BAD, "not taken"),
            None => paint(WARN, "not known"),
        };
        let line = format!("what is newest: {why}");
        flow(&mut out, &format!("{word} "), 2, Style::new(), &line);
    }
    for (app, at) in &source.apps {
        let line = match &at.why {
            Why::Pinned {
                by,
                at: when,
                reason,
            } => format!(
                "{app} is pinned to commit {} by {by} since {}: {reason}",
                at.commit.short(),
                when.strftime("%Y-%m-%d %H:%MZ")
            ),
            Why::DidNotLoad => format!(
                "{app} stays at commit {}: its newer documents do not load",
                at.commit.short()
            ),
        };
        flow(&mut out, "", 2, Style::new(), &line);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn held_text(held: &SourceHold) -> String {
    let mut out = String::new();
    let line = format!(
        "commit {} is not taken, since {}:",
        held.commit.short(),
        held.since.strftime("%Y-%m-%d %H:%MZ")
    );
    let lead = format!("{} ", paint(BAD, "on hold"));
    flow(&mut out, &lead, 2, Style::new(), &line);
    for reason in &held.reasons {
        hanging(&mut out, 4, "  - ", &reason.to_string());
    }
    let line = format!(
        "revert it, or say that it is meant: evenkeel source acknowledge {} --reason TEXT",
        held.commit.short()
    );
    hanging(&mut out, 2, "", &line);
    out
}

/// The same for a pull request.
pub fn markdown(source: &SourceState) -> String {
    let mut out = String::new();
    if let Some(commit) = &source.commit {
        let branch = source.branch.as_deref().unwrap_or_default();
        out.push_str(&format!(
            "Commit <code>{}</code> of {}.\n\n",
            commit.short(),
            escape(branch)
        ));
    }
    if let Some(held) = &source.held {
        out.push_str(&format!(
            "**On hold:** commit <code>{}</code> is not taken:\n\n",
            held.commit.short()
        ));
        for reason in &held.reasons {
            out.push_str(&format!("- {}\n", escape(&reason.to_string())));
        }
        out.push('\n');
    }
    if let Some(why) = &source.unread {
        out.push_str(&format!("What is newest is not known: {}\n\n", escape(why)));
    }
    for (app, at) in &source.apps {
        let why = match &at.why {
            Why::Pinned { by, reason, .. } => format!("pinned by {by}: {reason}"),
            Why::DidNotLoad => "its newer documents do not load".to_owned(),
        };
        out.push_str(&format!(
            "- {} is at commit <code>{}</code>: {}\n",
            escape(app),
            at.commit.short(),
            escape(&why)
        ));
    }
    if !source.apps.is_empty() {
        out.push('\n');
    }
    out
}

/// Who let go of which app, and why.
pub fn unpinned(rows: &BTreeMap<String, PinRow>) -> String {
    let mut out = String::new();
    for (app, row) in rows.iter().filter(|(_, row)| row.pin.is_none()) {
        let line = format!(
            "{app} was unpinned on {} by {}: {}",
            row.at.strftime("%Y-%m-%d %H:%MZ"),
            row.by,
            row.reason
        );
        hanging(&mut out, 2, "", &line);
    }
    out
}

/// What `source status` says: the record, and what has just been looked at.
pub fn status(shown: &str, record: &SourceRecord, state: &SourceState) -> String {
    let mut out = String::new();
    flow(&mut out, "", 2, Style::new(), shown);
    match (&record.good, record.since) {
        (Some(good), Some(since)) => {
            let since = since.strftime("%Y-%m-%d %H:%MZ");
            hanging(&mut out, 2, "", &format!("in force: {good}, since {since}"));
        }
        (Some(good), None) => hanging(&mut out, 2, "", &format!("in force: {good}")),
        (None, _) => out.push_str("  in force: no commit was recorded yet\n"),
    }
    let rest = SourceState {
        commit: None,
        ..state.clone()
    };
    out.push_str(&text(&rest));
    if let Some(word) = &record.acknowledged {
        let line = format!(
            "{} is acknowledged by {}: {}; it is taken at the next look",
            word.commit.short(),
            word.by,
            word.reason
        );
        hanging(&mut out, 2, "", &line);
    }
    for word in record.used.iter().rev() {
        let why: Vec<String> = word.reasons.iter().map(HoldReason::to_string).collect();
        let line = format!(
            "earlier, {} was acknowledged on {} by {}: {} (held because {})",
            word.commit.short(),
            word.at.strftime("%Y-%m-%d %H:%MZ"),
            word.by,
            word.reason,
            why.join("; ")
        );
        hanging(&mut out, 2, "", &line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::source::{AppCommit, CommitId};
    use crate::render::layout::WIDTH;

    fn state() -> SourceState {
        let [a, b] = ["a", "b"].map(|digit| CommitId::parse(&digit.repeat(40)).unwrap());
        let pinned = AppCommit {
            commit: b.clone(),
            why: Why::Pinned {
                by: "ann@desk/7".into(),
                at: jiff::Timestamp::UNIX_EPOCH,
                reason: "the new size was too small".into(),
            },
        };
        SourceState {
            commit: Some(a),
            branch: Some("main".into()),
            held: Some(SourceHold {
                commit: b,
                reasons: vec![HoldReason::NotDescendant, HoldReason::Empty],
                since: jiff::Timestamp::UNIX_EPOCH,
            }),
            unread: Some("git fetch: no route to host".into()),
            bad: None,
            apps: [("shop".to_owned(), pinned)].into(),
        }
    }

    #[test]
    fn a_hold_says_why_and_what_to_do_in_eighty_columns() {
        let text = anstream::adapter::strip_str(&text(&state())).to_string();
        assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn markdown_lets_nothing_of_a_reason_through() {
        let mut state = state();
        state.unread = Some("<img src=x> @team".into());
        let text = markdown(&state);
        assert!(!text.contains("<img") && !text.contains("@team"), "{text}");
        assert!(
            text.contains("**On hold:**") && text.contains("shop is at"),
            "{text}"
        );
    }
}
