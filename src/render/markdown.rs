//! Plans and passes as Markdown, for comments on pull requests.
//!
//! Pure: a value in, text out.

use super::findings::tally;
use super::layout::{clean, count, seconds, value};
use super::plan::writes;
use super::source;
use crate::model::change::Action;
use crate::model::finding::{Finding, Severity};
use crate::model::plan::{ObjectPlan, Plan, Status, Verdict};

/// `text` so that Markdown and HTML see nothing in it but letters: no link, mention, tag, emphasis
/// or cell border.
pub(super) fn escape(text: &str) -> String {
    clean(text)
        .chars()
        .map(|c| match c {
            '&' | '<' | '>' | '|' | '`' | '*' | '_' | '[' | ']' | '@' | '#' | '\\' | '~' | '!'
            | '"' => format!("&#{};", u32::from(c)),
            c => c.to_string(),
        })
        .collect()
}

pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

/// The whole plan.
pub fn plan(plan: &Plan) -> String {
    let s = &plan.summary;
    let title = match plan.verdict() {
        Verdict::InOrder => format!("in order ({})", count(s.in_sync, "object")),
        Verdict::Wrong => count(s.errors, "error"),
        Verdict::Drift => format!("{} to write", count(s.changes, "object")),
        Verdict::Held if s.blocked + s.deferred == 0 => match plan.source_is_held() {
            true => "the source is on hold".to_owned(),
            false => "the newest commit is not known".to_owned(),
        },
        Verdict::Held => format!("{} held back", count(s.blocked + s.deferred, "object")),
    };
    let mut out = format!("### Evenkeel: {title}\n\n");
    if let Some(source) = &plan.source {
        out.push_str(&source::markdown(source));
    }
    findings_into(&mut out, &plan.findings);
    let told: Vec<&ObjectPlan> = plan
        .objects
        .iter()
        .filter(|o| o.status != Status::InSync || o.change.is_some())
        .collect();
    if !told.is_empty() {
        out.push_str("| | object | field | live | desired | risk |\n|---|---|---|---|---|---|\n");
        for object in &told {
            rows(&mut out, object);
        }
        out.push('\n');
    }
    held(&mut out, &told);
    steps(&mut out, plan, &told);
    if !plan.history_consulted {
        out.push_str("History was not consulted: no store is configured.\n\n");
    }
    out.push_str(&format!(
        "{} to write, {} blocked, {} deferred, {} in order; plan {}\n",
        s.changes,
        s.blocked,
        s.deferred,
        s.in_sync,
        code(&plan.plan_id.chars().take(12).collect::<String>())
    ));
    out
}

/// Findings alone: the report of `check`.
pub fn findings(findings: &[Finding]) -> String {
    let (errors, warnings) = tally(findings);
    let mut out = format!(
        "### Evenkeel: {} and {}\n\n",
        count(errors, "error"),
        count(warnings, "warning")
    );
    findings_into(&mut out, findings);
    out
}

fn findings_into(out: &mut String, findings: &[Finding]) {
    let (errors, warnings) = tally(findings);
    if errors + warnings == 0 {
        return;
    }
    for finding in findings {
        out.push_str(&finding_line(finding));
    }
    out.push('\n');
}

/// One finding, as one point of a list.
pub(super) fn finding_line(finding: &Finding) -> String {
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut out = format!("- **{word}** {}", escape(&finding.message));
    if let Some(at) = &finding.at {
        out.push_str(&format!(" ({})", code(&at.to_string())));
    }
    if let Some(help) = &finding.help {
        out.push_str(&format!("; {}", escape(help)));
    }
    out.push('\n');
    out
}

fn rows(out: &mut String, object: &ObjectPlan) {
    let sign = match &object.change {
        Some(change) => match change.action {
            Action::Update => "&#126;",
            Action::Create => "+",
        },
        None => "&#33;",
    };
    let risk = match &object.change {
        Some(change) => change.risk.to_string(),
        None => format!("{:?}", object.status).to_lowercase(),
    };
    let key = code(&object.key.to_string());
    if object.drift.is_empty() {
        out.push_str(&format!("| {sign} | {key} | | | | {risk} |\n"));
    }
    for (i, drift) in object.drift.iter().enumerate() {
        let (sign, key, risk) = if i == 0 {
            (sign, key.as_str(), risk.as_str())
        } else {
            ("", "", "")
        };
        out.push_str(&format!(
            "| {sign} | {key} | {} | {} | {} | {risk} |\n",
            code(&drift.path.to_string()),
            code(&value(&drift.live)),
            code(&value(&drift.desired)),
        ));
    }
}

fn held(out: &mut String, told: &[&ObjectPlan]) {
    let before = out.len();
    for object in told {
        for hold in &object.holds {
            out.push_str(&format!(
                "- {}: {}\n",
                code(&object.key.to_string()),
                escape(&hold.to_string())
            ));
        }
    }
    if out.len() > before {
        out.insert_str(before, "**Held back**\n\n");
        out.push('\n');
    }
}

fn steps(out: &mut String, plan: &Plan, told: &[&ObjectPlan]) {
    let (_, total) = writes(plan);
    if total == 0 {
        return;
    }
    out.push_str(&format!(
        "<details><summary>{}, at least {} at AWS's rates</summary>\n\n",
        count(usize::try_from(total).unwrap_or(usize::MAX), "write"),
        seconds(plan.summary.least_seconds)
    ));
    out.push_str("| object | call | what | why |\n|---|---|---|---|\n");
    for object in told {
        let Some(change) = &object.change else {
            continue;
        };
        for step in &change.steps {
            out.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                code(&object.key.to_string()),
                code(&step.operation),
                escape(&step.title),
                escape(&change.reason)
            ));
        }
    }
    out.push_str("\n</details>\n\n");
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::mixed;
    use super::*;
    use crate::model::tree::Tree;

    #[test]
    fn a_plan_is_a_table_with_details() {
        insta::assert_snapshot!(plan(&mixed()));
    }

    #[test]
    fn a_value_cannot_break_out_of_its_cell() {
        let mut it = mixed();
        it.objects[0].drift[0].live =
            Tree::from("</code> | [x](http://evil) @team `\n| <img src=x>");
        let text = plan(&it);
        for bad in ["</code> |&#", "[x]", "@team", "<img", "](http"] {
            assert!(!text.contains(bad), "{bad} in {text}");
        }
        let rows = text.lines().filter(|l| l.starts_with("| ")).all(|l| {
            let cells = l.matches('|').count();
            cells == 7 || cells == 5
        });
        assert!(rows, "{text}");
    }
}
