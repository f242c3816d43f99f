//! Findings as text: what is wrong with the documents, where, and what to do.
//!
//! Pure: values in, text out.

use anstyle::Style;

use super::layout::{BAD, BOLD, GOOD, WARN, clean, clean_lines, count, flow, hanging, paint};
use crate::model::document::DesiredSet;
use crate::model::finding::{Finding, Severity};

/// All of them, a blank line after each.
pub fn text(findings: &[Finding]) -> String {
    findings.iter().map(one).collect()
}

fn one(finding: &Finding) -> String {
    let word = match finding.severity {
        Severity::Error => paint(BAD, &format!("error[{}]", finding.rule)),
        Severity::Warning => paint(WARN, &format!("warning[{}]", finding.rule)),
    };
    let mut message = finding.message.clone();
    if let Some(key) = &finding.key
        && !message.contains(&key.to_string())
    {
        message = format!("{key}: {message}");
    }
    let mut out = String::new();
    flow(&mut out, &format!("{word}: "), 8, BOLD, &message);
    match (&finding.snippet, &finding.at) {
        (Some(snippet), _) => out.push_str(&format!("{}\n", clean_lines(snippet))),
        (None, Some(at)) => out.push_str(&format!("  --> {}\n", clean(&at.to_string()))),
        (None, None) => {}
    }
    if let Some(help) = &finding.help {
        hanging(&mut out, 8, "  help: ", help);
    }
    out.push('\n');
    out
}

/// How many errors and warnings there are among `findings`.
pub fn tally(findings: &[Finding]) -> (usize, usize) {
    let of = |severity| {
        let found = findings.iter().filter(|f| f.severity == severity);
        found.map(|f| f.stands_for).sum()
    };
    (of(Severity::Error), of(Severity::Warning))
}

/// The whole report of `check`.
pub fn check(set: &DesiredSet, root: &str) -> String {
    let (errors, warnings) = tally(&set.findings);
    let size = format!(
        "{} of {}",
        count(set.documents.len(), "document"),
        count(set.apps().len(), "app")
    );
    let root = clean(root);
    let (lead, last) = match (errors, warnings) {
        (0, 0) => (paint(GOOD, "valid"), format!("{size} in {root}")),
        (0, w) => (
            paint(GOOD, "valid"),
            format!("{size} in {root}, with {}", count(w, "warning")),
        ),
        (e, w) => (
            paint(BAD, "not valid"),
            format!(
                "{} and {} in {root} ({size} read); apps with errors are frozen",
                count(e, "error"),
                count(w, "warning"),
            ),
        ),
    };
    let mut out = text(&set.findings);
    flow(&mut out, &format!("{lead}: "), 2, Style::new(), &last);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::document::Span;

    #[test]
    fn a_finding_says_what_where_and_what_to_do() {
        let mut finding = Finding::error("unknown-field", "`cpus` is not a field of Service")
            .help("did you mean `cpu`?")
            .at(Span {
                file: "desired-state/a.yaml".into(),
                line: 4,
                column: 3,
            });
        let plain = |f: &Finding| anstream::adapter::strip_str(&one(f)).to_string();
        insta::assert_snapshot!(plain(&finding), @r"
        error[unknown-field]: `cpus` is not a field of Service
          --> desired-state/a.yaml:4:3
          help: did you mean `cpu`?
        ");
        finding.snippet = Some(" --> desired-state/a.yaml:4:3\n  |\n4 |   cpus: 1".into());
        insta::assert_snapshot!(plain(&finding), @r"
        error[unknown-field]: `cpus` is not a field of Service
         --> desired-state/a.yaml:4:3
          |
        4 |   cpus: 1
          help: did you mean `cpu`?
        ");
    }

    #[test]
    fn an_empty_set_is_counted_too() {
        let report = check(&DesiredSet::default(), "desired-state");
        assert!(
            report.contains("0 documents of 0 apps in desired-state"),
            "{report}"
        );
    }
}
