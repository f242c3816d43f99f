//! What a change brings, as text and Markdown.
//!
//! Pure: a comparison in, text out.

use anstyle::Style;

use super::layout::{BAD, BOLD, GOOD, WARN, clean, count, flow, hanging, paint, value};
use super::markdown::{code, escape, finding_line};
use crate::model::change::Risk;
use crate::model::plan::Verdict;
use crate::plan::against::{Against, ObjectChange};

/// For people.
pub fn text(told: &Against) -> String {
    let mut out = super::findings::text(&told.wrong);
    section(&mut out, "brought by the change", &told.brings);
    section(&mut out, "differs already", &told.existing);
    section(&mut out, "settled by the change", &told.settles);
    if !told.released.is_empty() {
        out.push_str(&format!(
            "{}\n",
            paint(BOLD, "no longer named by any document")
        ));
        for key in &told.released {
            hanging(&mut out, 4, "", &key.to_string());
        }
        hanging(&mut out, 2, "", "nothing of these is written or deleted");
        out.push('\n');
    }
    for why in &told.kept_back {
        hanging(&mut out, 10, "kept back ", why);
    }
    let (style, word) = match told.verdict() {
        Verdict::InOrder => (GOOD, "brings nothing"),
        Verdict::Wrong => (BAD, "errors"),
        Verdict::Drift => (WARN, "brings writes"),
        Verdict::Held => (WARN, "held"),
    };
    let lead = format!("{}: ", paint(style, word));
    flow(&mut out, &lead, 2, Style::new(), &summary(told));
    out
}

fn section(out: &mut String, title: &str, objects: &[ObjectChange]) {
    if objects.is_empty() {
        return;
    }
    out.push_str(&format!("{}\n", paint(BOLD, title)));
    for object in objects {
        let lead = format!("  {} ", paint(WARN, sign(object)));
        flow(out, &lead, 6, Style::new(), &clean(&object.key.to_string()));
        for drift in &object.drift {
            let line = format!(
                "{}  {} -> {}",
                drift.path,
                value(&drift.live),
                value(&drift.desired)
            );
            hanging(out, 6, "", &line);
        }
        if let Some(change) = &object.change
            && change.risk != Risk::Routine
        {
            let reason = format!("{}: {}", change.risk, change.reason);
            hanging(out, 14, "      risk    ", &reason);
        }
        for hold in &object.holds {
            hanging(out, 14, "      held    ", &hold.to_string());
        }
    }
    out.push('\n');
}

fn sign(object: &ObjectChange) -> &'static str {
    if object.change.is_some() { "~" } else { "!" }
}

fn summary(told: &Against) -> String {
    let written = told.brings.iter().filter(|o| o.change.is_some()).count();
    let held = told.brings.len() - written;
    let mut parts = Vec::new();
    if !told.wrong.is_empty() {
        parts.push(format!("{} brought", count(told.wrong.len(), "error")));
    }
    if !told.wrong_before.is_empty() {
        parts.push(format!(
            "{} there before",
            count(told.wrong_before.len(), "error")
        ));
    }
    parts.push(format!(
        "{} to write for this change",
        count(written, "object")
    ));
    if held > 0 {
        parts.push(format!("{held} held"));
    }
    parts.push(format!("{} drifted already", told.existing.len()));
    if !told.released.is_empty() {
        parts.push(format!("{} no longer named", told.released.len()));
    }
    format!(
        "{} (against {}, commit {})",
        parts.join(", "),
        told.revision,
        told.commit.short()
    )
}

/// For a comment on a pull request. Its first line is hidden, and by it the comment is found again.
pub fn markdown(told: &Against) -> String {
    let title = match told.verdict() {
        Verdict::InOrder => "this change writes nothing".to_owned(),
        Verdict::Wrong => format!("{} in this change", count(told.wrong.len(), "error")),
        Verdict::Drift => {
            let steps = told.brings.iter().filter(|o| o.change.is_some()).count();
            format!("this change writes {}", count(steps, "object"))
        }
        Verdict::Held => "a part of this change would be held back".to_owned(),
    };
    let mut out = format!("<!-- evenkeel plan -->\n### Evenkeel: {title}\n\n");
    for finding in &told.wrong {
        out.push_str(&finding_line(finding));
    }
    if !told.wrong.is_empty() {
        out.push('\n');
    }
    for why in &told.kept_back {
        out.push_str(&format!("- **kept back**: {}\n", escape(why)));
    }
    if !told.kept_back.is_empty() {
        out.push('\n');
    }
    if !told.brings.is_empty() {
        table(&mut out, &told.brings);
    }
    if !told.settles.is_empty() {
        out.push_str("**Drift that this change takes away**\n\n");
        table(&mut out, &told.settles);
    }
    if !told.released.is_empty() {
        out.push_str(
            "**No longer named by any document** (nothing of these is written or deleted)\n\n",
        );
        for key in &told.released {
            out.push_str(&format!("- {}\n", code(&key.to_string())));
        }
        out.push('\n');
    }
    if !told.existing.is_empty() {
        out.push_str(&format!(
            "<details><summary>{} already, whatever becomes of this change</summary>\n\n",
            match told.existing.len() {
                1 => "1 object differs".to_owned(),
                n => format!("{n} objects differ"),
            }
        ));
        table(&mut out, &told.existing);
        out.push_str("</details>\n\n");
    }
    if !told.plan.history_consulted {
        out.push_str("History was not consulted: no store is configured.\n\n");
    }
    out.push_str(&format!("{}\n", escape(&summary(told))));
    out
}

fn table(out: &mut String, objects: &[ObjectChange]) {
    out.push_str("| object | field | live | desired | risk |\n|---|---|---|---|---|\n");
    for object in objects {
        let risk = match &object.change {
            Some(change) => change.risk.to_string(),
            None if object.holds.is_empty() => String::new(),
            None => "held".to_owned(),
        };
        let key = code(&object.key.to_string());
        if object.drift.is_empty() {
            out.push_str(&format!("| {key} | | | | {risk} |\n"));
        }
        for (i, drift) in object.drift.iter().enumerate() {
            let (key, risk) = if i == 0 {
                (key.as_str(), risk.as_str())
            } else {
                ("", "")
            };
            out.push_str(&format!(
                "| {key} | {} | {} | {} | {risk} |\n",
                code(&drift.path.to_string()),
                code(&value(&drift.live)),
                code(&value(&drift.desired)),
            ));
        }
    }
    out.push('\n');
    for object in objects {
        for hold in &object.holds {
            let key = code(&object.key.to_string());
            out.push_str(&format!("- held: {key}: {}\n", escape(&hold.to_string())));
        }
        if let Some(change) = &object.change
            && change.risk != Risk::Routine
        {
            let key = code(&object.key.to_string());
            out.push_str(&format!(
                "- {}: {key}: {}\n",
                change.risk,
                escape(&change.reason)
            ));
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::layout::WIDTH;
    use super::super::plan::tests::mixed;
    use super::*;
    use crate::model::document::DesiredSet;
    use crate::model::source::CommitId;
    use crate::plan::against::against;

    fn told() -> Against {
        let (mut old, new) = (mixed(), mixed());
        // The held one was so before; of web only the count.
        let web = old
            .objects
            .iter_mut()
            .find(|o| o.key.name == "web")
            .unwrap();
        web.drift.remove(0);
        old.objects.retain(|o| o.key.name != "cpu-high");
        let commit = CommitId::parse(&"a".repeat(40)).unwrap();
        let set = DesiredSet::default();
        against(("origin/main", &commit), (&set, &old), (&set, new))
    }

    #[test]
    fn what_the_change_brings_stands_before_what_differs_already() {
        let text = anstream::adapter::strip_str(&text(&told())).to_string();
        assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_comment_is_a_table_with_what_is_old_folded_away() {
        insta::assert_snapshot!(markdown(&told()));
    }
}
