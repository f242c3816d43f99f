//! The report for a terminal, in eighty columns.
//!
//! Pure: a report in, text out.

use anstyle::Style;

use super::{author, by, fate, lasting, mean, moved, period};
use crate::model::drift::DriftKind;
use crate::model::report::{Held, Line, Report, Tally, moment};
use crate::model::stake::Severity;
use crate::model::survey::{Coverage, Sort};
use crate::render::layout::{BAD, BOLD, DIM, GOOD, WARN, clean, count, flow, hanging, paint};

/// Names of one sort that no document names, before the rest is only counted.
const NAMES_SHOWN: usize = 12;

/// The whole report.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let of = report
        .app
        .as_deref()
        .map_or(String::new(), |app| format!(" of {app}"));
    let title = clean(&format!("Drift report{of}"));
    let place = format!("account {}, {}", report.account, report.region);
    flow(
        &mut out,
        &format!("{}  ", paint(BOLD, &title)),
        2,
        DIM,
        &place,
    );
    hanging(&mut out, 0, "", &period(report));
    out.push('\n');
    hanging(&mut out, 0, "", &report.sentence());
    for standing in &report.overrides {
        let lead = format!("{} ", paint(WARN, "!"));
        flow(&mut out, &lead, 2, Style::new(), &clean(standing));
    }
    out.push('\n');
    figures(&mut out, report);
    section(&mut out, "Open", &report.open);
    section(&mut out, "Ended", &report.ended);
    held(&mut out, &report.held);
    tally(&mut out, "By app", &report.by_app);
    tally(&mut out, "By principal", &report.by_principal);
    if let Some(found) = &report.coverage {
        coverage(&mut out, found);
    }
    for note in &report.notes {
        hanging(&mut out, 6, "note  ", note);
    }
    out
}

fn figures(out: &mut String, report: &Report) {
    let (state, figures) = (&report.state, &report.figures);
    let now = format!(
        "{} in order, {} to be written, {} blocked, {} deferred, {} unreadable",
        state.in_order, state.drifted, state.blocked, state.deferred, state.unreadable
    );
    hanging(out, 14, "Now", &now);
    let detect = mean(
        figures.mean_seconds_to_detect,
        figures.detected_of,
        "whose call is known",
    );
    hanging(out, 14, "To detect", &detect);
    let correct = mean(
        figures.mean_seconds_to_correct,
        figures.corrected_of,
        "corrected",
    );
    hanging(out, 14, "To correct", &correct);
    if figures.found_so > 0 {
        let fields = count(figures.found_so, "field");
        let told =
            format!("{fields} at a first look (whether AWS or the document changed is not known)");
        hanging(out, 14, "Found so", &told);
    }
    if figures.rolled_out > 0 {
        let fields = count(figures.rolled_out, "field");
        let told = format!("{fields} that documents asked for (no drift)");
        hanging(out, 14, "Rolled out", &told);
    }
}

fn section(out: &mut String, title: &str, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", paint(BOLD, title)));
    for line in lines {
        let (sign, style) = match (&line.record.end, line.severity) {
            (Some(_), _) => ("=", GOOD),
            (None, Severity::High) => ("!", BAD),
            (None, Severity::Medium) => ("~", WARN),
            (None, Severity::Low) => ("-", DIM),
        };
        let lead = format!("  {} ", paint(style, sign));
        let name = format!("{} {}", line.record.key, line.record.field());
        flow(out, &lead, 6, Style::new(), &name);
        let kind = match line.record.kind {
            DriftKind::Contested => paint(BAD, "contested"),
            kind => kind.to_string(),
        };
        let risk = format!(
            "{kind}, {} ({}): {}",
            line.severity,
            line.record.at_risk,
            moved(line)
        );
        flow(
            out,
            "      ",
            6,
            Style::new(),
            &anstream::adapter::strip_str(&risk).to_string(),
        );
        let since = format!(
            "found {}, stood {}: {}",
            moment(line.record.first_seen),
            lasting(line.lasted_seconds),
            fate(line)
        );
        flow(out, "      ", 6, Style::new(), &since);
        let by = format!("      {}", by(line));
        flow(out, &by, 9, Style::new(), &author(line));
    }
}

fn held(out: &mut String, held: &[Held]) {
    if held.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", paint(BOLD, "Held back")));
    for object in held {
        let (word, style) = if object.blocked {
            ("blocked", BAD)
        } else {
            ("deferred", WARN)
        };
        let since = object
            .since
            .map_or(String::new(), |at| format!(", since {}", moment(at)));
        let lead = format!("  {} ", paint(style, "!"));
        flow(
            out,
            &lead,
            6,
            Style::new(),
            &format!("{}: {word}{since}", object.key),
        );
        for reason in &object.reasons {
            flow(out, "      ", 6, Style::new(), reason);
        }
    }
}

fn tally(out: &mut String, title: &str, tally: &[Tally]) {
    if tally.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", paint(BOLD, title)));
    for one in tally {
        let severe = match one.severe {
            0 => String::new(),
            n => format!(", {n} severe"),
        };
        let label = format!("  {:>4}  ", one.drift);
        flow(
            out,
            &label,
            8,
            Style::new(),
            &format!("{}{severe}", one.name),
        );
    }
}

fn coverage(out: &mut String, coverage: &Coverage) {
    out.push_str(&format!("\n{}\n", paint(BOLD, "Coverage")));
    for share in &coverage.sorts {
        let told = format!("{} of {} have a document", share.owned, share.live);
        hanging(out, 20, &format!("  {}", share.sort), &told);
        names(out, coverage, share.sort);
    }
    for why in &coverage.unread {
        hanging(out, 4, "  ! ", &format!("could not be listed: {why}"));
    }
}

fn names(out: &mut String, coverage: &Coverage, sort: Sort) {
    let of_sort: Vec<_> = coverage.unowned.iter().filter(|u| u.sort == sort).collect();
    for unowned in of_sort.iter().take(NAMES_SHOWN) {
        let beside = unowned.beside.as_ref().map_or(String::new(), |key| {
            format!(" (unmanaged: it watches {key})")
        });
        flow(
            out,
            "    - ",
            8,
            Style::new(),
            &format!("{}{beside}", unowned.name),
        );
    }
    if of_sort.len() > NAMES_SHOWN {
        let more = of_sort.len() - NAMES_SHOWN;
        out.push_str(&format!("    - and {more} more\n"));
    }
}
