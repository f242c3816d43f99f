//! Snippets: the line that a finding is about, with a caret, in the look of rustc.
//!
//! Pure: a line in, a drawing out.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::model::document::Span;
use crate::model::finding::Severity;

/// Columns of a snippet in all.
const WIDTH: usize = 80;
/// Characters kept before the caret when a line is too long.
const LEAD: usize = 20;

/// Draws `line`, with a caret under the bytes `marked` of it (at least one column wide).
pub(super) fn draw(
    at: &Span,
    line: &str,
    marked: Range<usize>,
    severity: Severity,
    label: Option<&str>,
) -> String {
    // Line number, two spaces, the bar and the space before the text.
    let room = WIDTH.saturating_sub(at.line.to_string().len() + 4);
    let (line, marked) = trim(line, marked, room);
    // What is shown must be what is there: one visible column for each character.
    let line: String = line
        .chars()
        .map(|c| match c {
            c if c.is_control() && c != '\t' => '\u{fffd}',
            c if super::bytes::is_invisible(c) || super::bytes::is_odd_space(c) => '\u{fffd}',
            c => c,
        })
        .collect();
    let span = byte_range(&line, &marked);
    let mut annotation = AnnotationKind::Primary.span(span);
    if let Some(label) = label {
        annotation = annotation.label(label.to_owned());
    }
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let group = Group::with_level(level).element(
        Snippet::source(line.as_str())
            .line_start(at.line as usize)
            .annotation(annotation),
    );
    // The place is written here: the line may have been cut, so the renderer cannot know it.
    let margin = " ".repeat(at.line.to_string().len());
    let mut rows = vec![format!("{margin}--> {at}"), format!("{margin} |")];
    let drawn = Renderer::plain().term_width(400).render(&[group]);
    let body = drawn.lines().map(str::trim_end);
    rows.extend(body.skip_while(|row| row.trim() == "|").map(str::to_owned));
    rows.join("\n")
}

/// The part of `line` that fits `room`, and the marked characters (not bytes) in it.
fn trim(line: &str, marked: Range<usize>, room: usize) -> (String, Range<usize>) {
    let before = |at: usize| {
        let at = line.floor_char_boundary(at.min(line.len()));
        line.get(..at).map_or(0, |text| text.chars().count())
    };
    let (start, end) = (before(marked.start), before(marked.end));
    let total = line.chars().count();
    let end = end.max(start);
    if total <= room {
        return (line.to_owned(), start..end);
    }
    let from = if start + LEAD <= room {
        0
    } else {
        start - LEAD
    };
    let lead = if from > 0 { "..." } else { "" };
    let mut shown: String = lead.to_owned();
    let space = room.saturating_sub(lead.len() + 3);
    shown.extend(line.chars().skip(from).take(space));
    let limit = shown.chars().count();
    if from + space < total {
        shown.push_str("...");
    }
    let shift = |at: usize| (at - from + lead.len()).min(limit);
    (shown, shift(start)..shift(end.max(start)))
}

/// Bytes of the characters `marked` of `line`.
fn byte_range(line: &str, marked: &Range<usize>) -> Range<usize> {
    let byte = |n: usize| {
        line.char_indices()
            .nth(n)
            .map_or(line.len(), |(byte, _)| byte)
    };
    byte(marked.start)..byte(marked.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, column: u32) -> Span {
        Span {
            file: "desired-state/web.yaml".into(),
            line,
            column,
        }
    }

    #[test]
    fn a_snippet_shows_place_line_and_caret() {
        let drawn = draw(
            &at(7, 3),
            "  replcias: 2",
            2..10,
            Severity::Error,
            Some("did you mean `replicas`?"),
        );
        assert_eq!(
            drawn,
            [
                " --> desired-state/web.yaml:7:3",
                "  |",
                "7 |   replcias: 2",
                "  |   ^^^^^^^^ did you mean `replicas`?",
            ]
            .join("\n")
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let line = format!("a: {}X{}", "b".repeat(300), "c".repeat(300));
        let drawn = draw(&at(12, 304), &line, 303..304, Severity::Error, None);
        for row in drawn.lines() {
            assert!(row.chars().count() <= WIDTH, "{row}");
        }
        let rows: Vec<&str> = drawn.lines().collect();
        let caret = rows.last().and_then(|row| row.find('^')).unwrap();
        assert_eq!(rows[rows.len() - 2].as_bytes()[caret], b'X');
    }
}
