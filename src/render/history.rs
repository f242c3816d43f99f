//! The ledger as text, JSON and Markdown: its chains, and what stands beside them.
//!
//! Pure: entries in, text out.

use anstyle::Style;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::layout::{BAD, BOLD, DIM, GOOD, WARN, count, flow, hanging, paint, value};
use super::markdown::escape;
use crate::model::entry::{Entry, Outcome, Record};
use crate::model::tree::Tree;
use crate::store::{Fence, Late};

/// One thing that the ledger says.
#[derive(Clone, Debug)]
pub enum Line {
    /// An entry of a chain.
    Entry(Box<Entry>),
    /// A lease that a person released. Outside the chain.
    Release(Fence),
    /// An outcome that came when its intent was no longer open. Outside the chain.
    Late(Late),
}

impl Line {
    /// When, by the writer's wall clock.
    pub fn at(&self) -> Timestamp {
        match self {
            Line::Entry(entry) => entry.at,
            Line::Release(fence) => fence.at,
            Line::Late(late) => late.at,
        }
    }

    fn app(&self) -> &str {
        match self {
            Line::Entry(entry) => &entry.app,
            Line::Release(fence) => &fence.app,
            Line::Late(late) => &late.key.app,
        }
    }
}

/// A line's place among the others: by time, then as its chain says. An entry is no earlier than the one
/// before it in its chain, whatever the clocks of their writers said.
pub type Place = (Timestamp, String, u64);

/// The lines of one app, each with its place. Entries come in the order of the chain.
pub fn placed(lines: impl IntoIterator<Item = Line>) -> impl Iterator<Item = (Place, Line)> {
    let mut latest = Timestamp::MIN;
    lines.into_iter().map(move |line| {
        let (at, seq) = match &line {
            Line::Entry(entry) => {
                latest = latest.max(entry.at);
                (latest, entry.seq)
            }
            Line::Release(_) | Line::Late(_) => (line.at(), 0),
        };
        ((at, line.app().to_owned(), seq), line)
    })
}

/// What is shown of the ledger, and what is not.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Newest first.
    pub lines: &'a [Line],
    /// How many more there are of what was asked for.
    pub omitted: usize,
    /// How many there are at all in the apps that were read.
    pub all: usize,
    /// What could not be read.
    pub faults: &'a [String],
}

/// For people.
pub fn text(shown: &Shown<'_>) -> String {
    let mut out = String::new();
    for line in shown.lines {
        match line {
            Line::Entry(entry) => entry_text(&mut out, entry),
            Line::Release(fence) => release_text(&mut out, fence),
            Line::Late(late) => late_text(&mut out, late),
        }
    }
    out.push_str(&rest(shown));
    for fault in shown.faults {
        let lead = paint(BAD, "unreadable: ");
        flow(&mut out, &lead, 6, Style::new(), fault);
    }
    out
}

/// What is not shown, in one line; nothing when all is.
fn rest(shown: &Shown<'_>) -> String {
    let Shown {
        lines,
        omitted,
        all,
        faults,
    } = shown;
    match (lines.len(), omitted, all) {
        (0, 0, 0) if faults.is_empty() => {
            "the ledger says nothing of this; nothing was ever written here\n".to_owned()
        }
        (0, 0, 0) => String::new(),
        (0, 0, all) => format!(
            "nothing in the ledger is as asked for, of {} that it has\n",
            records(*all)
        ),
        (0, omitted, _) => format!("{} not shown; see --limit and --since\n", records(*omitted)),
        (_, 0, _) => String::new(),
        (_, omitted, _) => format!("... and {omitted} older; see --limit and --since\n"),
    }
}

fn records(n: usize) -> String {
    count(n, "record")
}

fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn entry_text(out: &mut String, entry: &Entry) {
    let head = format!("{} #{}", second(entry.at), entry.seq);
    match &entry.record {
        Record::Intent {
            id,
            key,
            step,
            drift,
            risk,
            commit,
            ..
        } => {
            let lead = format!("{} {} ", paint(DIM, &head), paint(BOLD, "intent "));
            flow(out, &lead, 6, Style::new(), &key.to_string());
            hanging(
                out,
                6,
                "",
                &format!("{}: {} ({risk})", step.operation, step.title),
            );
            for d in drift {
                let line = format!("{}  {} -> {}", d.path, value(&d.live), value(&d.desired));
                hanging(out, 8, "", &line);
            }
            let by = format!(
                "by {}, lease token {}, intent {}",
                entry.by,
                entry.token,
                short(id)
            );
            hanging(out, 6, "", &by);
            if let Some(commit) = commit {
                hanging(out, 6, "", &format!("commit {}", commit.short()));
            }
        }
        Record::Outcome {
            intent,
            key,
            outcome,
            detail,
        } => {
            let style = match outcome {
                Outcome::Applied => GOOD,
                Outcome::NotApplied => BAD,
                Outcome::Unknown | Outcome::Superseded => WARN,
            };
            let word = paint(style, &format!("{outcome:?}"));
            let lead = format!("{} {word} ", paint(DIM, &head));
            flow(out, &lead, 6, Style::new(), &key.to_string());
            let said = match detail {
                Tree::Null => String::new(),
                Tree::String(text) => format!(": {text}"),
                other => format!(": {other}"),
            };
            hanging(out, 6, "", &format!("intent {}{said}", short(intent)));
        }
    }
}

fn release_text(out: &mut String, fence: &Fence) {
    let lead = format!(
        "{} {} ",
        paint(DIM, &second(fence.at)),
        paint(WARN, "release")
    );
    flow(
        out,
        &lead,
        6,
        Style::new(),
        &format!("{} (outside the chain)", fence.app),
    );
    hanging(out, 6, "", &format!("reason: {}", fence.reason));
    hanging(out, 6, "", &released(fence));
}

fn released(fence: &Fence) -> String {
    let from = match (&fence.holder, fence.fenced) {
        (Some(holder), Some(token)) => format!("taken from {holder}, lease token {token}"),
        (Some(holder), None) => format!("taken from {holder}"),
        (None, _) => "taken from a row that could not be read".to_owned(),
    };
    format!("by {}, {from}", fence.by)
}

fn late_text(out: &mut String, late: &Late) {
    let word = format!("late {:?}", late.outcome);
    let lead = format!("{} {} ", paint(DIM, &second(late.at)), paint(WARN, &word));
    flow(
        out,
        &lead,
        6,
        Style::new(),
        &format!("{} (outside the chain)", late.key),
    );
    let said = match &late.detail {
        Tree::Null => String::new(),
        Tree::String(text) => format!(": {text}"),
        other => format!(": {other}"),
    };
    hanging(out, 6, "", &format!("intent {}{said}", short(&late.intent)));
    hanging(
        out,
        6,
        "",
        &format!("by {}, lease token {}", late.by, late.token),
    );
}

/// For programs. What stands outside the chains stands outside `entries`.
pub fn json(shown: &Shown<'_>) -> Value {
    let (mut entries, mut releases, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for line in shown.lines {
        match line {
            Line::Entry(one) => entries.push(json!(one)),
            Line::Release(one) => releases.push(json!(one)),
            Line::Late(one) => late.push(json!(one)),
        }
    }
    json!({
        "version": 1,
        "entries": entries,
        "releases": releases,
        "late": late,
        "omitted": shown.omitted,
        "faults": shown.faults,
    })
}

/// A table, newest first.
pub fn markdown(shown: &Shown<'_>) -> String {
    let mut out = String::from("| when | # | object | what | by |\n|---|---|---|---|---|\n");
    for line in shown.lines {
        let (number, object, what, by) = match line {
            Line::Entry(entry) => {
                let what = match &entry.record {
                    Record::Intent { step, commit, .. } => {
                        let of = commit.as_ref().map(|c| format!(", commit {}", c.short()));
                        let of = of.unwrap_or_default();
                        format!("intent: {} ({}{of})", step.title, step.operation)
                    }
                    Record::Outcome { outcome, .. } => format!("{outcome:?}"),
                };
                let number = entry.seq.to_string();
                (number, entry.key().to_string(), what, &entry.by)
            }
            Line::Release(fence) => {
                let what = format!("lease released, outside the chain: {}", fence.reason);
                (String::new(), fence.app.clone(), what, &fence.by)
            }
            Line::Late(late) => {
                let what = format!("late {:?}, outside the chain", late.outcome);
                (String::new(), late.key.to_string(), what, &late.by)
            }
        };
        out.push_str(&format!(
            "| {} | {number} | {} | {} | {} |\n",
            second(line.at()),
            escape(&object),
            escape(&what),
            escape(by),
        ));
    }
    if shown.omitted > 0 {
        out.push_str(&format!(
            "\n{} older records are not shown.\n",
            shown.omitted
        ));
    }
    for fault in shown.faults {
        out.push_str(&format!("\nUnreadable: {}\n", escape(fault)));
    }
    out
}

/// What `--verify` comes to.
pub fn verdict(entries: usize, apps: usize, faults: &[String]) -> String {
    let mut out = String::new();
    if faults.is_empty() {
        let text = format!(
            "{} of {} follow one another without gap, fork or change",
            // "entrys" is not a word.
            match entries {
                1 => "1 entry".to_owned(),
                n => format!("{n} entries"),
            },
            count(apps, "app"),
        );
        let lead = format!("{}: ", paint(GOOD, "whole"));
        flow(&mut out, &lead, 2, Style::new(), &text);
        return out;
    }
    out.push_str(&format!("{}:\n", paint(BAD, "not whole")));
    for fault in faults {
        flow(&mut out, "  ", 4, Style::new(), fault);
    }
    let advice = "Somebody changed the ledger by hand, or a backup was put in its place; compare it \
                  with CloudTrail, and with a restore of the table to a point in time";
    flow(&mut out, "", 0, Style::new(), advice);
    out
}

/// Enough of an id to find it by.
fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::ResourceKey;

    #[test]
    fn an_outcome_that_came_too_late_is_marked_as_outside_the_chain() {
        let late = Line::Late(Late {
            intent: "i1".into(),
            key: ResourceKey::new("shop", "Service", "web"),
            outcome: Outcome::Applied,
            detail: Tree::from("AWS said yes"),
            by: "me@here/1".into(),
            at: Timestamp::UNIX_EPOCH,
            token: 3,
        });
        let shown = Shown {
            lines: &[late],
            omitted: 0,
            all: 1,
            faults: &[],
        };
        assert_eq!(
            anstream::adapter::strip_str(&text(&shown)).to_string(),
            "1970-01-01 00:00:00Z late Applied shop/Service/web (outside the chain)\n      \
             intent i1: AWS said yes\n      by me@here/1, lease token 3\n"
        );
        assert_eq!(json(&shown)["late"][0]["intent"], "i1");
        assert_eq!(json(&shown)["entries"], json!([]));
        assert!(markdown(&shown).contains("late Applied, outside the chain"));
    }
}
