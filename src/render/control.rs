//! Approvals and pauses as text.
//!
//! Pure: values in, text out.

use anstyle::Style;
use jiff::Timestamp;

use super::layout::{BAD, DIM, GOOD, WARN, clean, flow, paint};
use super::markdown::escape;
use crate::control::approval::{ApprovalEntry, ApprovalRecord, Approved, Of, Reach, person};
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
    (change, of): (&Approved, Of),
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
        0 if of == Of::Policy => "it comes into force at the next look".to_owned(),
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

/// What became of an approval of `change`, by the entries that followed it in its app's chain.
fn fate<'a>(
    change: &Approved,
    until: Timestamp,
    mut later: impl Iterator<Item = &'a ApprovalEntry>,
    now: Timestamp,
) -> (Style, &'static str) {
    let end = later.find_map(|entry| match &entry.record {
        ApprovalRecord::Used { digest, .. } if *digest == change.digest => Some("used"),
        ApprovalRecord::Revoked { digest, .. } if *digest == change.digest => Some("revoked"),
        _ => None,
    });
    match end {
        Some(word) => (DIM, word),
        None if until <= now => (DIM, "expired"),
        None => (GOOD, "stands"),
    }
}

/// One entry of a chain, in words: its state, and what it says. `later` are the entries after it.
fn said(
    entry: &ApprovalEntry,
    later: &[ApprovalEntry],
    now: Timestamp,
) -> (Style, &'static str, String) {
    match &entry.record {
        ApprovalRecord::Granted {
            changes,
            reason,
            until,
            reach,
        } => {
            let fates: Vec<(Style, &str)> = changes
                .iter()
                .map(|change| {
                    let chain = later.iter().filter(|other| other.app == entry.app);
                    fate(change, *until, chain, now)
                })
                .collect();
            // One that still lets something pass says so, whatever became of its other changes.
            let fate = fates.iter().find(|(_, word)| *word == "stands");
            let (style, word) = *fate.or(fates.first()).unwrap_or(&(DIM, "empty"));
            let each_its_own = fates.iter().any(|(_, other)| *other != word);
            let what: Vec<String> = changes
                .iter()
                .zip(&fates)
                .map(|(c, (_, fate))| match each_its_own {
                    true => format!("{:.12} {} ({}): {fate}", c.digest, c.of, c.what),
                    false => format!("{:.12} {} ({})", c.digest, c.of, c.what),
                })
                .collect();
            let at_once = match reach {
                Reach::Now => ", --now",
                Reach::InTime => "",
            };
            let said = format!(
                "{} until {}{at_once}, by {}: {reason}",
                what.join(", "),
                moment(*until),
                person(&entry.caller)
            );
            (style, word, said)
        }
        ApprovalRecord::Revoked { digest, reason } => (
            BAD,
            "revoked",
            format!("{digest:.12} by {}: {reason}", entry.caller),
        ),
        ApprovalRecord::Used { digest, by } => (
            DIM,
            "used",
            format!("{digest:.12} for {by:.12} by {}", entry.caller),
        ),
    }
}

fn each(
    entries: &[ApprovalEntry],
    now: Timestamp,
) -> impl Iterator<Item = (&ApprovalEntry, (Style, &'static str, String))> {
    entries
        .iter()
        .enumerate()
        .map(move |(at, entry)| (entry, said(entry, &entries[at + 1..], now)))
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
            paint(style, word)
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
    lines(&format!(
        "the pause of {} is over; `evenkeel plan` says what else holds it",
        pause.of()
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).expect("a moment")
    }

    fn change(digest: &str) -> Approved {
        Approved {
            digest: digest.to_owned(),
            of: format!("shop/Service/{digest}"),
            what: "count 1 -> 2".to_owned(),
        }
    }

    fn chain(records: Vec<ApprovalRecord>) -> Vec<ApprovalEntry> {
        let entry = |(seq, record)| ApprovalEntry {
            app: "shop".to_owned(),
            seq,
            at: at(0),
            caller: "arn:aws:iam::123456789012:user/ann".to_owned(),
            record,
            prev: String::new(),
            hash: String::new(),
        };
        (1..).zip(records).map(entry).collect()
    }

    fn granted(digests: &[&str]) -> ApprovalRecord {
        ApprovalRecord::Granted {
            changes: digests.iter().copied().map(change).collect(),
            reason: "agreed".to_owned(),
            until: at(60),
            reach: Reach::InTime,
        }
    }

    fn used(digest: &str) -> ApprovalRecord {
        ApprovalRecord::Used {
            digest: digest.to_owned(),
            by: "an intent".to_owned(),
        }
    }

    fn first_word(entries: &[ApprovalEntry], now: Timestamp) -> &'static str {
        said(&entries[0], &entries[1..], now).1
    }

    #[test]
    fn an_approval_says_what_became_of_it_also_when_its_time_is_over() {
        let revoked = ApprovalRecord::Revoked {
            digest: "web".to_owned(),
            reason: "not today".to_owned(),
        };
        for (then, before, after) in [
            (vec![], "stands", "expired"),
            (vec![used("web")], "used", "used"),
            (vec![revoked], "revoked", "revoked"),
            (vec![used("api")], "stands", "expired"),
        ] {
            let entries = chain([vec![granted(&["web"])], then].concat());
            assert_eq!(first_word(&entries, at(30)), before, "{entries:?}");
            assert_eq!(first_word(&entries, at(90)), after, "{entries:?}");
        }
    }

    #[test]
    fn an_approval_that_came_after_the_use_of_another_stands() {
        let entries = chain(vec![granted(&["web"]), used("web"), granted(&["web"])]);
        let words: Vec<&str> = each(&entries, at(30)).map(|(_, said)| said.1).collect();
        assert_eq!(words, ["used", "used", "stands"]);
    }

    #[test]
    fn of_a_plan_that_was_written_in_part_each_change_says_its_own() {
        let entries = chain(vec![granted(&["web", "api"]), used("web")]);
        let (_, word, text) = said(&entries[0], &entries[1..], at(30));
        assert_eq!(word, "stands");
        assert!(
            text.contains(
                "shop/Service/web (count 1 -> 2): used, api shop/Service/api (count 1 -> 2): stands"
            ),
            "{text}"
        );
    }
}
