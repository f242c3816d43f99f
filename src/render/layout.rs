//! Layout: how values and sentences fit into eighty columns without harm to a terminal.
//!
//! Pure: text in, text out.

use anstyle::{AnsiColor, Style};

use crate::model::tree::Tree;

/// Columns of a terminal that every report must fit.
pub const WIDTH: usize = 80;

/// Something is wrong or failed.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something is held back or odd.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// Something new, or done.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Something that stands out.
pub const BOLD: Style = Style::new().bold();
/// Something beside the point.
pub const DIM: Style = Style::new().dimmed();

/// `text` in `style`.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// `text` without anything that a terminal would obey: control characters (escape sequences start
/// with one) and marks that turn the direction of writing become `?`. Line ends become spaces.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() => '?',
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
            c => c,
        })
        .collect()
}

/// The same, line by line: for text that is drawn over several lines.
pub fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// `text` broken at spaces into lines of at most `width` columns; a longer word is cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    wrap_from(text, width, width)
}

/// The same, where the first line has only `first` columns.
fn wrap_from(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in clean(text).split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let width = if lines.len() == 1 { first } else { rest }.max(1);
            let used = lines.last().map_or(0, |l| l.chars().count());
            let gap = usize::from(used > 0);
            if used + gap + word.len() <= width {
                if let Some(line) = lines.last_mut() {
                    line.push_str(if gap == 1 { " " } else { "" });
                    line.extend(&word);
                }
                break;
            }
            if used > 0 {
                lines.push(String::new());
            } else {
                let left = word.split_off(joint(&word, width));
                if let Some(line) = lines.last_mut() {
                    line.extend(&word);
                }
                lines.push(String::new());
                word = left;
            }
        }
    }
    lines
}

/// Where a word of more than `width` characters is cut: at its last joint that fits, if that leaves a
/// line worth having.
fn joint(word: &[char], width: usize) -> usize {
    let fits = word.get(..width).unwrap_or(word);
    fits.iter()
        .rposition(|c| matches!(c, '.' | '/' | '-' | ':' | '_' | ',' | '?' | '&'))
        .map(|at| at + 1)
        .filter(|at| *at > width / 3)
        .unwrap_or(width)
}

/// `label` padded to `indent`, then `text`, wrapped below itself.
pub fn hanging(out: &mut String, indent: usize, label: &str, text: &str) {
    for (i, line) in wrap(text, WIDTH.saturating_sub(indent)).iter().enumerate() {
        if i == 0 {
            out.push_str(&format!("{label:<indent$}{line}\n"));
        } else {
            out.push_str(&format!("{:indent$}{line}\n", ""));
        }
    }
}

/// `lead`, which may be styled, then `text` in `style`, wrapped below itself at `indent`.
pub fn flow(out: &mut String, lead: &str, indent: usize, style: Style, text: &str) {
    let taken = anstream::adapter::strip_str(lead)
        .to_string()
        .chars()
        .count();
    let lines = wrap_from(
        text,
        WIDTH.saturating_sub(taken),
        WIDTH.saturating_sub(indent),
    );
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            out.push_str(&" ".repeat(indent));
        } else {
            out.push_str(lead);
        }
        out.push_str(&paint(style, line));
        out.push('\n');
    }
}

/// A value as people write it: text bare, a band as `2 to 10`, nothing as `(not set)`.
pub fn value(tree: &Tree) -> String {
    match tree {
        Tree::Null => "(not set)".to_owned(),
        Tree::String(text) if text.is_empty() => "\"\"".to_owned(),
        Tree::String(text) => clean(text),
        Tree::Object(members) => match (members.get("min"), members.get("max")) {
            (Some(min), Some(max)) if members.len() == 2 => {
                format!("{} to {}", value(min), value(max))
            }
            _ => clean(&tree.to_string()),
        },
        Tree::Number(n) => number(n),
        _ => clean(&tree.to_string()),
    }
}

/// 70.0 and 70 are one number to people.
fn number(n: &serde_json::Number) -> String {
    let text = n.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// `1 write`, `2 writes`.
pub fn count(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        _ => format!("{n} {noun}s"),
    }
}

/// `45 s`, `3 min 20 s`, `2 h 5 min`.
pub fn seconds(total: u64) -> String {
    match total {
        0..=119 => format!("{total} s"),
        120..=7199 => match total % 60 {
            0 => format!("{} min", total / 60),
            rest => format!("{} min {rest} s", total / 60),
        },
        _ => format!("{} h {} min", total / 3600, total % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_escape_sequence_never_reaches_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\u{202e}c\r\n"), "a?[2Jb?c  ");
    }

    #[test]
    fn a_word_that_is_too_long_is_cut_and_nothing_is_lost() {
        let lines = wrap("one abcdefghij two", 4);
        assert_eq!(lines, ["one", "abcd", "efgh", "ij", "two"]);
        let lines = wrap("spec.scaling.targetTracking.web-cpu.scaleInCooldown", 40);
        assert_eq!(
            lines,
            ["spec.scaling.targetTracking.web-cpu.", "scaleInCooldown"]
        );
    }

    #[test]
    fn text_flows_on_behind_its_lead_and_below_itself() {
        let mut out = String::new();
        let lead = paint(BAD, "error: ");
        flow(&mut out, &lead, 2, Style::new(), &"word ".repeat(20));
        let plain = anstream::adapter::strip_str(&out).to_string();
        let lines: Vec<&str> = plain.lines().collect();
        assert_eq!(lines[0], format!("error: {}", ["word"; 14].join(" ")));
        assert_eq!(lines[1], format!("  {}", ["word"; 6].join(" ")));
    }

    #[test]
    fn values_read_as_people_write_them() {
        assert_eq!(value(&json!({"min": 2, "max": 10})), "2 to 10");
        assert_eq!(value(&json!(70.0)), "70");
        assert_eq!(value(&Tree::Null), "(not set)");
        assert_eq!(value(&json!(["b", "a"])), r#"["b","a"]"#);
    }

    #[test]
    fn long_times_are_told_in_larger_units() {
        assert_eq!(seconds(90), "90 s");
        assert_eq!(seconds(200), "3 min 20 s");
        assert_eq!(seconds(7500), "2 h 5 min");
    }
}
