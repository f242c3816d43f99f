//! The report as Markdown, for wikis and pull requests.
//!
//! Pure: a report in, text out.

use super::{author, by, fate, lasting, mean, moved, period};
use crate::model::report::{Line, Report, Tally, moment};
use crate::render::markdown::escape;

/// The whole report.
pub fn markdown(report: &Report) -> String {
    let of = report
        .app
        .as_deref()
        .map_or(String::new(), |app| format!(" of {}", escape(app)));
    let mut out = format!(
        "### Evenkeel: drift report{of}\n\nAccount {}, {}, {}.\n\n**{}**\n\n",
        escape(&report.account),
        escape(&report.region),
        escape(&period(report)),
        escape(&report.sentence())
    );
    for standing in &report.overrides {
        out.push_str(&format!("- **{}**\n", escape(standing)));
    }
    let figures = &report.figures;
    let detect = mean(
        figures.mean_seconds_to_detect,
        figures.detected_of,
        "whose call is known",
    );
    let correct = mean(
        figures.mean_seconds_to_correct,
        figures.corrected_of,
        "corrected",
    );
    out.push_str(&format!("- To detect: {detect}\n- To correct: {correct}\n"));
    if figures.found_so > 0 {
        let n = figures.found_so;
        out.push_str(&format!(
            "- Found so at a first look: {n} (whether AWS or the document changed is not known)\n"
        ));
    }
    if figures.rolled_out > 0 {
        let n = figures.rolled_out;
        out.push_str(&format!("- Rolled out from documents: {n} (no drift)\n"));
    }
    out.push('\n');
    section(&mut out, "Open", &report.open);
    section(&mut out, "Ended", &report.ended);
    if !report.held.is_empty() {
        out.push_str("#### Held back\n\n| object | | since | why |\n|---|---|---|---|\n");
        for object in &report.held {
            let word = if object.blocked {
                "blocked"
            } else {
                "deferred"
            };
            let since = object.since.map_or(String::new(), moment);
            let why = escape(&object.reasons.join("; "));
            let key = escape(&object.key.to_string());
            out.push_str(&format!("| {key} | {word} | {since} | {why} |\n"));
        }
        out.push('\n');
    }
    tally(&mut out, "app", &report.by_app);
    tally(&mut out, "principal", &report.by_principal);
    if let Some(coverage) = &report.coverage {
        out.push_str("#### Coverage\n\n| | have a document | of |\n|---|---|---|\n");
        for share in &coverage.sorts {
            let row = format!("| {} | {} | {} |\n", share.sort, share.owned, share.live);
            out.push_str(&row);
        }
        out.push('\n');
        for unowned in &coverage.unowned {
            let beside = unowned.beside.as_ref().map_or(String::new(), |key| {
                format!(" (unmanaged: it watches {})", escape(&key.to_string()))
            });
            let name = escape(&unowned.name);
            out.push_str(&format!("- {}: {name}{beside}\n", unowned.sort));
        }
        for why in &coverage.unread {
            out.push_str(&format!("- could not be listed: {}\n", escape(why)));
        }
        out.push('\n');
    }
    for note in &report.notes {
        out.push_str(&format!("> {}\n\n", escape(note)));
    }
    out
}

fn section(out: &mut String, title: &str, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    out.push_str(&format!(
        "#### {title}\n\n| object | field | kind | severity | what | found | how it stands | by |\n\
         |---|---|---|---|---|---|---|---|\n"
    ));
    for line in lines {
        let cells = [
            line.record.key.to_string(),
            line.record.field(),
            line.record.kind.to_string(),
            format!("{} ({})", line.severity, line.record.at_risk),
            moved(line),
            format!(
                "{}, for {}",
                moment(line.record.first_seen),
                lasting(line.lasted_seconds)
            ),
            fate(line),
            match line.is_known_drift() {
                true => author(line),
                false => format!("{}{}", by(line), author(line)),
            },
        ];
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out.push('\n');
}

fn tally(out: &mut String, what: &str, tally: &[Tally]) {
    if tally.is_empty() {
        return;
    }
    out.push_str(&format!("| {what} | drift | severe |\n|---|---|---|\n"));
    for one in tally {
        let name = escape(&one.name);
        out.push_str(&format!("| {name} | {} | {} |\n", one.drift, one.severe));
    }
    out.push('\n');
}
