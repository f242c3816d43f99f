//! Approvals and pauses as text.
//!
//! Pure: values in, text out.

use anstyle::Style;
use jiff::Timestamp;

use super::layout::{BAD, DIM, GOOD, WARN, clean, flow, paint};
use super::markdown::escape;
use crate::control::approval::{ApprovalEntry, ApprovalRecord, Approved, Reach, Standing, person};
use crate::control::pause::Pause;
use crate::model::change::Hold;

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn lines(text: &str) -> String {
    let mut out = String::new();
    flow(&mut out, "", 2, Style::new(), text);
    out
}

/// What was approved just now, and what it still lacks.
pub fn approved(
    change: &Approved,
    by: &str,
    until: Timestamp,
    lacks: u32,
    waits: &[&Hold],
) -> String {
    let lacks = match lacks {
        0 if !waits.is_empty() => {
            let passable =
                |hold: &&Hold| !matches!(hold, Hold::Paused { .. }) && hold.due().is_some();
            let why: Vec<String> = waits.iter().map(ToString::to_string).collect();
            let now = match waits.iter().copied().any(|hold| passable(&hold)) {
                true => "; in an emergency approve it with --now",
                false => "",
            };
            let late = waits
                .iter()
                .filter_map(|hold| hold.due())
                .any(|due| due > until);
            let late = match late {
                true => ", which is too late: the approval ends before",
                false => "",
            };
            format!(
                "it stands until {} and waits{late}: {}{now}",
                moment(until),
                why.join("; ")
            )
        }
        0 => format!("it will be written once, until {}", moment(until)),
        1 => "one more person has to approve it".to_owned(),
        n => format!("{n} more people have to approve it"),
    };
    lines(&format!(
        "approved by {by}: {:.12}, {} ({}); {lacks}",
        change.digest, change.of, change.what
    ))
}

/// What was revoked just now.
pub fn revoked(change: &Approved) -> String {
    lines(&format!(
        "revoked: {:.12}, {} ({}); what was on its way may still be written",
        change.digest, change.of, change.what
    ))
}

/// One entry of a chain, in words: its state, and what it says.
fn said(entry: &ApprovalEntry, standing: &Standing, now: Timestamp) -> (Style, String, String) {
    match &entry.record {
        ApprovalRecord::Granted {
            changes,
            reason,
            until,
            reach,
        } => {
            let stands = |c: &Approved| standing.people(&c.digest, Reach::InTime, now) > 0;
            let (style, word) = match (*until <= now, changes.iter().any(stands)) {
                (true, _) => (DIM, "expired"),
                (false, true) => (GOOD, "stands"),
                (false, false) => (DIM, "used or revoked"),
            };
            let what: Vec<String> = changes
                .iter()
                .map(|c| format!("{:.12} {} ({})", c.digest, c.of, c.what))
                .collect();
            let at_once = match reach {
                Reach::Now => ", --now",
                Reach::InTime => "",
            };
            (
                style,
                word.to_owned(),
                format!(
                    "{} until {}{at_once}, by {}: {reason}",
                    what.join(", "),
                    moment(*until),
                    person(&entry.caller)
                ),
            )
        }
        ApprovalRecord::Revoked { digest, reason } => (
            BAD,
            "revoked".to_owned(),
            format!("{digest:.12} by {}: {reason}", entry.caller),
        ),
        ApprovalRecord::Used { digest, by } => (
            DIM,
            "used".to_owned(),
            format!("{digest:.12} for {by:.12} by {}", entry.caller),
        ),
    }
}

fn each(
    entries: &[ApprovalEntry],
    now: Timestamp,
) -> impl Iterator<Item = (&ApprovalEntry, (Style, String, String))> {
    entries.iter().map(move |entry| {
        let app = entries.iter().filter(|other| other.app == entry.app);
        let chain: Vec<ApprovalEntry> = app.cloned().collect();
        let standing = Standing::of(&chain, now);
        (entry, said(entry, &standing, now))
    })
}

/// Approvals, revocations and uses, oldest first.
pub fn approvals(entries: &[ApprovalEntry], now: Timestamp) -> String {
    if entries.is_empty() {
        return "nothing was ever approved\n".to_owned();
    }
    let mut out = String::new();
    for (entry, (style, word, rest)) in each(entries, now) {
        let lead = format!(
            "{} {} #{} {} ",
            moment(entry.at),
            clean(&entry.app),
            entry.seq,
            paint(style, &word)
        );
        flow(&mut out, &lead, 6, Style::new(), &rest);
    }
    out
}

/// The same as a table.
pub fn approvals_markdown(entries: &[ApprovalEntry], now: Timestamp) -> String {
    let mut out = String::from("| when | app | state | what |\n|---|---|---|---|\n");
    for (entry, (_, word, rest)) in each(entries, now) {
        out.push_str(&format!(
            "| {} | {} #{} | {word} | {} |\n",
            moment(entry.at),
            escape(&entry.app),
            entry.seq,
            escape(&rest)
        ));
    }
    out
}

/// What was paused just now.
pub fn paused(pause: &Pause) -> String {
    lines(&format!(
        "{pause}. Every replica sees it before its next write; what was sent already may still \
         arrive within seconds. To end it now: evenkeel resume {}{}",
        pause.app,
        pause
            .object
            .as_ref()
            .map_or_else(String::new, |object| format!(" --object {object}"))
    ))
}

/// What goes on just now.
pub fn resumed(pause: &Pause) -> String {
    lines(&format!("{} is written again", pause.of()))
}

fn state(pause: &Pause, now: Timestamp) -> (Style, &'static str) {
    match (&pause.resumed, pause.is_on(now)) {
        (Some(_), _) => (DIM, "resumed"),
        (None, true) => (WARN, "paused"),
        (None, false) => (DIM, "over"),
    }
}

fn told(pause: &Pause) -> String {
    let ended = pause.resumed.as_ref().map_or_else(String::new, |resumed| {
        format!("; resumed {} by {}", moment(resumed.at), resumed.by)
    });
    format!(
        "from {} until {} by {}: {}{ended}",
        moment(pause.at),
        moment(pause.until),
        pause.by,
        pause.reason
    )
}

/// Pauses, the newest of each app and object.
pub fn pauses(pauses: &[Pause], now: Timestamp) -> String {
    if pauses.is_empty() {
        return "nothing was ever paused\n".to_owned();
    }
    let mut out = String::new();
    for pause in pauses {
        let (style, word) = state(pause, now);
        let lead = format!("{}  {} ", clean(&pause.of()), paint(style, word));
        flow(&mut out, &lead, 6, Style::new(), &told(pause));
    }
    out
}

/// The same as a table.
pub fn pauses_markdown(pauses: &[Pause], now: Timestamp) -> String {
    let mut out = String::from("| what | state | pause |\n|---|---|---|\n");
    for pause in pauses {
        let (_, word) = state(pause, now);
        out.push_str(&format!(
            "| {} | {word} | {} |\n",
            escape(&pause.of()),
            escape(&told(pause))
        ));
    }
    out
}
