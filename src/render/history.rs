//! The ledger as text and Markdown.
//!
//! Pure: entries in, text out.

use anstyle::Style;

use super::layout::{BAD, BOLD, DIM, GOOD, WARN, flow, hanging, paint, value};
use super::markdown::escape;
use crate::model::entry::{Entry, Outcome, Record};
use crate::model::tree::Tree;

/// Newest first, as they come. `more` were left out.
pub fn text(entries: &[Entry], more: usize) -> String {
    if entries.is_empty() {
        return "the ledger says nothing of this; nothing was ever written here\n".to_owned();
    }
    let mut out = String::new();
    for entry in entries {
        let at = entry.at.strftime("%Y-%m-%d %H:%M:%SZ");
        let head = format!("{at} #{}", entry.seq);
        match &entry.record {
            Record::Intent {
                id,
                key,
                step,
                drift,
                risk,
                ..
            } => {
                let lead = format!("{} {} ", paint(DIM, &head), paint(BOLD, "intent "));
                flow(&mut out, &lead, 6, Style::new(), &key.to_string());
                hanging(
                    &mut out,
                    6,
                    "",
                    &format!("{}: {} ({risk})", step.operation, step.title),
                );
                for d in drift {
                    let line = format!("{}  {} -> {}", d.path, value(&d.live), value(&d.desired));
                    hanging(&mut out, 8, "", &line);
                }
                let by = format!(
                    "by {}, lease token {}, intent {}",
                    entry.by,
                    entry.token,
                    short(id)
                );
                hanging(&mut out, 6, "", &by);
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
                flow(&mut out, &lead, 6, Style::new(), &key.to_string());
                let said = match detail {
                    Tree::Null => String::new(),
                    Tree::String(text) => format!(": {text}"),
                    other => format!(": {other}"),
                };
                hanging(&mut out, 6, "", &format!("intent {}{said}", short(intent)));
            }
        }
    }
    if more > 0 {
        out.push_str(&format!("... and {more} older; see --limit and --since\n"));
    }
    out
}

/// A table, newest first.
pub fn markdown(entries: &[Entry], more: usize) -> String {
    let mut out = String::from("| when | # | object | what | by |\n|---|---|---|---|---|\n");
    for entry in entries {
        let what = match &entry.record {
            Record::Intent { step, .. } => format!("intent: {} ({})", step.title, step.operation),
            Record::Outcome { outcome, .. } => format!("{outcome:?}"),
        };
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            entry.at.strftime("%Y-%m-%d %H:%M:%SZ"),
            entry.seq,
            escape(&entry.key().to_string()),
            escape(&what),
            escape(&entry.by),
        ));
    }
    if more > 0 {
        out.push_str(&format!("\n{more} older entries are not shown.\n"));
    }
    out
}

/// Enough of an id to find it by.
fn short(id: &str) -> String {
    id.chars().take(12).collect()
}
