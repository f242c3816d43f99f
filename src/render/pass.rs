//! A pass as text and Markdown: what was done, and what was not and why.
//!
//! Pure: a pass in, text out.

use anstyle::Style;

use super::layout::{BAD, GOOD, WARN, count, flow, hanging, paint, seconds};
use super::markdown::escape;
use crate::model::pass::{Ended, ObjectPass, Pass, PassVerdict};

fn word(ended: &Ended) -> (Style, &'static str, &str) {
    match ended {
        Ended::InOrder => (GOOD, "in order", ""),
        Ended::Converged => (GOOD, "converged", ""),
        Ended::RollingOut(detail) => (WARN, "rolling out", detail),
        Ended::RolledBack(why) => (BAD, "rolled back", why),
        Ended::Held(why) => (WARN, "held", why),
        Ended::Failed(why) => (BAD, "failed", why),
    }
}

/// The objects that something was done to or that something is to be said of, then one line.
pub fn text(pass: &Pass) -> String {
    let mut out = String::new();
    let told = |o: &&ObjectPass| o.ended != Ended::InOrder || !o.written.is_empty();
    for object in pass.objects.iter().filter(told) {
        let (style, word, detail) = word(&object.ended);
        let lead = format!("{} ", paint(style, &format!("{word:<11}")));
        flow(&mut out, &lead, 12, Style::new(), &object.key.to_string());
        if !detail.is_empty() {
            hanging(&mut out, 12, "", detail);
        }
    }
    out.push_str(&summary(pass));
    out
}

fn summary(pass: &Pass) -> String {
    let (style, word) = match pass.verdict() {
        PassVerdict::Converged => (GOOD, "converged"),
        PassVerdict::Failed => (BAD, "failed"),
        PassVerdict::Held => (WARN, "held"),
    };
    let n = |test: fn(&Ended) -> bool| pass.objects.iter().filter(|o| test(&o.ended)).count();
    let mut parts = vec![count(pass.written(), "write")];
    for (found, word) in [
        (
            n(|e| matches!(e, Ended::InOrder | Ended::Converged)),
            "in order",
        ),
        (n(|e| matches!(e, Ended::RollingOut(_))), "rolling out"),
        (n(|e| matches!(e, Ended::Held(_))), "held"),
        (
            n(|e| matches!(e, Ended::Failed(_) | Ended::RolledBack(_))),
            "failed",
        ),
    ] {
        if found > 0 {
            parts.push(format!("{found} {word}"));
        }
    }
    if pass.plan.summary.errors > 0 {
        parts.push(count(pass.plan.summary.errors, "error"));
    }
    let took = pass.ended.duration_since(pass.started).as_secs();
    format!(
        "{}: {} in {}\n",
        paint(style, word),
        parts.join(", "),
        seconds(u64::try_from(took).unwrap_or(0))
    )
}

/// A table of what became of each object.
pub fn markdown(pass: &Pass) -> String {
    let mut out = String::from("\n| object | ended | writes |\n|---|---|---|\n");
    for object in &pass.objects {
        let (_, word, detail) = word(&object.ended);
        let detail = match detail {
            "" => String::new(),
            text => format!(": {}", escape(text)),
        };
        out.push_str(&format!(
            "| {} | {word}{detail} | {} |\n",
            escape(&object.key.to_string()),
            object.written.len()
        ));
    }
    out
}
