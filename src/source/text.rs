//! Text: one file's text, its places, and how a fault in it becomes a finding.
//!
//! Pure: only a text and its places.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::snippet;
use crate::model::document::Span;
use crate::model::finding::{Finding, Severity};
use crate::model::key::ResourceKey;

/// Something wrong at a place of a text, before file and object are known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub severity: Severity,
    pub rule: &'static str,
    pub message: String,
    pub help: Option<String>,
    /// The word or two beside the caret.
    pub label: Option<String>,
    /// Bytes of the text.
    pub at: Range<usize>,
    /// What no drawing shows: what a field holds that no kind has may be a secret.
    pub conceals: Option<Contents>,
}

/// What a field holds: bytes of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contents {
    /// All of it.
    pub whole: Range<usize>,
    /// Its texts and numbers.
    pub parts: Vec<Range<usize>>,
}

impl Fault {
    pub fn error(rule: &'static str, at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            rule,
            message: message.into(),
            help: None,
            label: None,
            at,
            conceals: None,
        }
    }

    pub fn warning(rule: &'static str, at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(rule, at, message)
        }
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub fn conceal(mut self, contents: Contents) -> Self {
        self.conceals = Some(contents);
        self
    }
}

/// A file's text with an index of its lines.
#[derive(Debug)]
pub(super) struct Text {
    file: Arc<str>,
    body: String,
    /// Byte offset of each line's first character.
    lines: Vec<usize>,
    /// Characters before every block of `BLOCK` bytes, so that a place in a line of a megabyte
    /// costs no more than one in a short line.
    characters: Vec<usize>,
    /// Texts and numbers that no drawing shows.
    concealed: Stretches,
    /// What the fields hold that no kind has.
    strange: Stretches,
}

/// Stretches of bytes that do not overlap: where each starts, and its end.
#[derive(Debug, Default)]
struct Stretches(BTreeMap<usize, usize>);

impl Stretches {
    fn add(&mut self, bytes: &Range<usize>) {
        self.0.insert(bytes.start, bytes.end);
    }

    fn hold(&self, at: usize) -> bool {
        let before = self.0.range(..=at).next_back();
        before.is_some_and(|(_, end)| at < *end)
    }
}

/// Bytes between two counts of characters.
const BLOCK: usize = 1024;

/// Bytes of a line before and behind a mark that are worth drawing: more than a row has, so that what
/// is cut off there is seen to be.
const AROUND: usize = 400;

/// Characters that begin in `bytes`, which may start or end in the middle of one.
fn begun(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| *b & 0xC0 != 0x80).count()
}

impl Text {
    pub fn new(file: &str, body: String) -> Self {
        let starts = body.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let lines = std::iter::once(0).chain(starts.map(|(at, _)| at + 1));
        let counts = body.as_bytes().chunks(BLOCK).scan(0, |sum, block| {
            *sum += begun(block);
            Some(*sum)
        });
        Self {
            file: file.into(),
            lines: lines.collect(),
            characters: std::iter::once(0).chain(counts).collect(),
            concealed: Stretches::default(),
            strange: Stretches::default(),
            body,
        }
    }

    /// Keeps what a field holds out of all that is drawn from now on.
    pub fn conceal(&mut self, contents: &Contents) {
        self.strange.add(&contents.whole);
        contents
            .parts
            .iter()
            .for_each(|part| self.concealed.add(part));
    }

    pub fn body(&self) -> &str {
        &self.body
    }

    /// The place of a byte offset; an offset beyond the end is the end.
    pub fn span(&self, offset: usize) -> Span {
        let offset = self.floor(offset);
        let line = self
            .lines
            .partition_point(|start| *start <= offset)
            .saturating_sub(1);
        let start = self.lines.get(line).copied().unwrap_or(0);
        let column = self.characters_before(offset) - self.characters_before(start);
        Span {
            file: Arc::clone(&self.file),
            line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        }
    }

    /// The finding that tells `fault`, with the object's name in front where that is known.
    pub fn finding(&self, fault: Fault, key: Option<&ResourceKey>) -> Finding {
        let at = self.span(fault.at.start);
        let message = match key {
            Some(key) => format!("{key}: {}", fault.message),
            None => fault.message,
        };
        let end = self.floor(fault.at.end.max(fault.at.start));
        let start = self.floor(fault.at.start);
        let (line_start, line) = self.line(at.line);
        Finding {
            severity: fault.severity,
            rule: fault.rule.to_owned(),
            message,
            help: fault.help,
            key: key.cloned(),
            stands_for: 1,
            snippet: (!line.trim().is_empty()).then(|| {
                let marked = start - line_start..end - line_start;
                let (line, marked) = self.shown(line_start, line, marked);
                snippet::draw(&at, &line, marked, fault.severity, fault.label.as_deref())
            }),
            at: Some(at),
        }
    }

    /// The line of a place that a rule named, with the field that begins there marked.
    pub fn snippet(&self, at: &Span, severity: Severity) -> Option<String> {
        let (start, line) = self.line(at.line);
        if line.trim().is_empty() {
            return None;
        }
        let characters = (at.column as usize).saturating_sub(1);
        let from = line
            .char_indices()
            .nth(characters)
            .map_or(line.len(), |(byte, _)| byte);
        let length = field_length(line.get(from..).unwrap_or(""));
        let (line, marked) = self.shown(start, line, from..from + length);
        Some(snippet::draw(at, &line, marked, severity, None))
    }

    /// What is drawn of the line that begins at byte `start`: the part around the bytes `marked` of it,
    /// with a star for each character that is not shown; and where the mark is then.
    fn shown(&self, start: usize, line: &str, marked: Range<usize>) -> (String, Range<usize>) {
        let from = line.floor_char_boundary(marked.start.saturating_sub(AROUND));
        let to = line.ceil_char_boundary((marked.start + AROUND).min(line.len()));
        let mut shown = String::new();
        let mut mark = None..None;
        let part = line.get(from..to).unwrap_or("");
        // A fault inside: what stands behind it may be no part of the tree, as with a key's second value.
        let strange = self.strange.hold(start + marked.start);
        for (at, c) in part.char_indices().map(|(at, c)| (from + at, c)) {
            if at >= marked.start {
                mark.start.get_or_insert(shown.len());
            }
            if at >= marked.end {
                mark.end.get_or_insert(shown.len());
            }
            let hidden = strange && at >= marked.end && !c.is_whitespace();
            let hidden = hidden || self.concealed.hold(start + at);
            shown.push(if hidden { '*' } else { c });
        }
        let end = shown.len();
        (shown, mark.start.unwrap_or(end)..mark.end.unwrap_or(end))
    }

    /// Where line `number` (from 1) begins, and what it says.
    fn line(&self, number: u32) -> (usize, &str) {
        let index = (number as usize).saturating_sub(1);
        let start = self.lines.get(index).copied().unwrap_or(self.body.len());
        let line = self.body.get(start..).unwrap_or("");
        let line = line.split('\n').next().unwrap_or("");
        (start, line.trim_end_matches('\r'))
    }

    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let rest = self.body.as_bytes().get(block * BLOCK..offset);
        self.characters.get(block).copied().unwrap_or(0) + begun(rest.unwrap_or_default())
    }

    /// The nearest character boundary at or before `offset`.
    fn floor(&self, offset: usize) -> usize {
        self.body.floor_char_boundary(offset.min(self.body.len()))
    }
}

/// Bytes of the field that `rest` begins with: its key, and its value where that is one word on the
/// same line.
fn field_length(rest: &str) -> usize {
    let word = |text: &str| {
        text.find(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | '{' | '}' | '[' | ']'))
            .unwrap_or(text.len())
    };
    let key = word(rest);
    let Some(after) = rest.get(key..).and_then(|after| after.strip_prefix(':')) else {
        return key;
    };
    let value = after.trim_start_matches(' ');
    let gap = after.len() - value.len();
    let length = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value
            .get(1..)
            .and_then(|inner| inner.find(quote))
            .map_or(0, |end| end + 2),
        Some('|' | '>' | '&' | '*' | '!' | '#') | None => 0,
        Some(_) => word(value),
    };
    if length == 0 || gap == 0 {
        key
    } else {
        key + 1 + gap + length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_never_leave_the_text() {
        let text = Text::new("a.yaml", "é: 1\r\nb: 2\n".to_owned());
        let place = |at| {
            let span = text.span(at);
            (span.line, span.column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(4), (1, 4));
        assert_eq!(place(7), (2, 1));
        assert_eq!(place(9_999), (3, 1));
        let long = "ä".repeat(5_000);
        let text = Text::new("a.yaml", format!("a: 1\n{long}b"));
        assert_eq!(text.span(5 + 10_000).column, 5_001);
    }

    #[test]
    fn a_field_is_marked_with_its_value_where_that_is_one_word() {
        let marked = |rest: &'static str| &rest[..field_length(rest)];
        assert_eq!(marked("cpu: 300 # odd"), "cpu: 300");
        assert_eq!(marked("cpu: 300, memory: 1}"), "cpu: 300");
        assert_eq!(
            marked("schedule: \"cron(0 6 * * ? *)\", x: 1"),
            "schedule: \"cron(0 6 * * ? *)\""
        );
        assert_eq!(marked("scaling:"), "scaling");
        assert_eq!(marked("scaling: {minCapacity: 2}"), "scaling");
        assert_eq!(marked("description: |"), "description");
        assert_eq!(marked("- name: x"), "-");
        assert_eq!(marked(""), "");
    }

    #[test]
    fn what_is_concealed_is_drawn_as_stars_and_moves_no_mark() {
        let mut text = Text::new("a.yaml", "spec: {kéy: \"größe\", cpus: 1}\n".to_owned());
        let at = text.body().find("cpus").unwrap();
        let secret = text.body().find('"').unwrap();
        let of = |bytes: Range<usize>| Contents {
            whole: bytes.clone(),
            parts: vec![bytes],
        };
        text.conceal(&of(secret..secret + 9));
        let drawn = text.finding(Fault::error("x", at..at + 4, "x"), None);
        assert_eq!(
            drawn.snippet.unwrap(),
            " --> a.yaml:1:22\n  |\n1 | spec: {kéy: *******, cpus: 1}\n  |                      ^^^^"
        );
        let long = format!("{{x: {}secret}}", "a, ".repeat(100_000));
        let at = long.find("secret").unwrap();
        let mut text = Text::new("a.yaml", long);
        text.conceal(&of(at..at + 6));
        let drawn = text.finding(Fault::error("x", at..at + 6, "x"), None);
        let drawn = drawn.snippet.unwrap();
        assert!(
            drawn.contains("1 | ...") && drawn.contains(", *******\n"),
            "{drawn}"
        );
    }

    #[test]
    fn a_place_that_a_rule_named_is_drawn() {
        let text = Text::new("a.yaml", "é: 1\nspec: {cpu: 300}\n".to_owned());
        let at = text.span(13);
        let drawn = text.snippet(&at, Severity::Error).unwrap();
        assert_eq!(
            drawn,
            " --> a.yaml:2:8\n  |\n2 | spec: {cpu: 300}\n  |        ^^^^^^^^"
        );
        assert_eq!(text.snippet(&Span { line: 9, ..at }, Severity::Error), None);
    }
}
