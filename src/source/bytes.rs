//! Bytes: whether a file is text that a person could have meant as YAML.
//!
//! Pure: bytes in, text and faults out.

use std::ops::Range;

use super::text::Fault;

/// What the bytes of a file are.
pub(super) struct Decoded {
    /// The text, without byte-order mark; with replacement characters where it is broken.
    pub body: String,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
    /// Whether reading it as YAML makes sense.
    pub meaning: Meaning,
}

/// Whether a text is worth parsing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Parse it; the faults, if any, come on top.
    Yaml,
    /// It is something else: parsing would only add noise.
    Other,
}

/// Looks at the raw bytes of one file.
pub(super) fn decode(raw: &[u8]) -> Decoded {
    let mut faults = Vec::new();
    if matches!(raw, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) || looks_like_utf16(raw) {
        let fault = Fault::error("utf-16", 0..0, "this file is UTF-16 text, not UTF-8")
            .help("save it again as UTF-8; `iconv -f utf-16 -t utf-8` converts it");
        // Without the zero bytes, so that a scan for app names still works.
        let text = raw.iter().filter(|b| **b != 0 && b.is_ascii());
        return Decoded {
            body: text.map(|b| char::from(*b)).collect(),
            faults: vec![fault],
            meaning: Meaning::Other,
        };
    }
    let raw = match raw.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => {
            faults.push(
                Fault::warning(
                    "byte-order-mark",
                    0..0,
                    "this file starts with a byte-order mark",
                )
                .help(
                    "it is skipped; save the file as UTF-8 without BOM to be rid of this warning",
                ),
            );
            rest
        }
        None => raw,
    };
    let body = match std::str::from_utf8(raw) {
        Ok(text) => text.to_owned(),
        Err(err) => {
            let at = err.valid_up_to();
            let byte = raw.get(at).copied().unwrap_or(0);
            faults.push(
                Fault::error(
                    "invalid-utf-8",
                    at..at + 1,
                    format!("this file is not UTF-8 text: byte {byte:#04x} stands here"),
                )
                .help("save the file again as UTF-8"),
            );
            return Decoded {
                body: String::from_utf8_lossy(raw).into_owned(),
                faults,
                meaning: Meaning::Other,
            };
        }
    };
    let other = not_yaml(&body);
    let meaning = match other {
        Some(_) => Meaning::Other,
        None => Meaning::Yaml,
    };
    match other {
        Some(fault) => faults.push(fault),
        None => faults.extend(templates(&body)),
    }
    Decoded {
        body,
        faults,
        meaning,
    }
}

/// UTF-16 without a mark: every second byte of the start is zero.
fn looks_like_utf16(raw: &[u8]) -> bool {
    let zeros = |from: usize| {
        let mut half = raw.iter().take(64).skip(from).step_by(2).peekable();
        half.peek().is_some() && half.all(|b| *b == 0)
    };
    raw.len() >= 4 && zeros(0) != zeros(1)
}

/// The one fault that says why `body` is no YAML at all, if it is none.
fn not_yaml(body: &str) -> Option<Fault> {
    if body.is_empty() {
        return Some(
            Fault::error("empty-file", 0..0, "this file is empty")
                .help("write a document into it, or delete the file"),
        );
    }
    let start = body.trim_start();
    if start.starts_with("version https://git-lfs.github.com/spec/") {
        return Some(
            Fault::error(
                "git-lfs-pointer",
                0..7,
                "this file is a Git LFS pointer, not the file itself",
            )
            .help("run `git lfs pull`, or keep these files out of LFS"),
        );
    }
    let head: String = start.chars().take(15).collect::<String>().to_lowercase();
    if head.starts_with("<!doctype html") || head.starts_with("<html") {
        let at = body.len() - start.len();
        return Some(
            Fault::error(
                "html-page",
                at..at + 5,
                "this file is an HTML page, not YAML",
            )
            .help("a download probably saved an error page; fetch the file again"),
        );
    }
    let mut offset = 0;
    for line in body.split_inclusive('\n') {
        if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
            return Some(
                Fault::error(
                    "conflict-marker",
                    offset..offset + 7,
                    "this file has a merge conflict in it",
                )
                .help("settle the conflict, take out the lines of <<<<<<<, ======= and >>>>>>>, and commit"),
            );
        }
        offset += line.len();
    }
    if let Some((at, c)) = odd_space(body) {
        return Some(
            Fault::error(
                "hidden-character",
                at..at + c.len_utf8(),
                format!(
                    "a space stands here that YAML does not take for one (U+{:04X})",
                    u32::from(c)
                ),
            )
            .help("put plain spaces in its place, here and wherever else it stands"),
        );
    }
    let odd = body
        .char_indices()
        .find(|(at, c)| is_forbidden(*c, body.get(at + 1..)));
    let (at, c) = odd?;
    let fault = |rule, what: &str| {
        Fault::error(
            rule,
            at..at + c.len_utf8(),
            format!("this file holds {what} (U+{:04X})", u32::from(c)),
        )
    };
    Some(if is_bidi(c) {
        fault(
            "hidden-character",
            "a character that changes the direction of text, so it does not read as it is",
        )
        .help("delete the character; type the line again if it cannot be seen")
    } else {
        fault("control-character", "a control character")
            .help("delete it; the file may be cut off or not be text at all")
    })
}

/// Characters that may stand nowhere in a file. A lone carriage return is one: editors disagree
/// on whether it ends the line.
fn is_forbidden(c: char, rest: Option<&str>) -> bool {
    match c {
        '\n' | '\t' => false,
        '\r' => !rest.is_some_and(|rest| rest.starts_with('\n')),
        c => c.is_control() || is_bidi(c),
    }
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

/// Characters that show nothing or reorder their neighbours: two names that differ only by them
/// look the same.
pub(super) fn is_invisible(c: char) -> bool {
    is_bidi(c)
        || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}' | '\u{180e}')
}

/// Spaces that look like the plain one and are none to YAML: a word processor or a web page had the
/// text before.
pub(super) fn is_odd_space(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Where such a space takes the place of one that parts a line of a mapping or list: before the key
/// or the dash, or after the colon.
fn odd_space(body: &str) -> Option<(usize, char)> {
    let mut offset = 0;
    for line in body.split_inclusive('\n') {
        let blank = |c: char| c == ' ' || is_odd_space(c);
        let inner = line.trim_start_matches(blank);
        let indent = line.len() - inner.len();
        let key = inner.find(|c: char| !(c.is_alphanumeric() || "_-./\"'".contains(c)));
        let after = key.and_then(|end| inner.get(end..)).unwrap_or("");
        let after = after.strip_prefix(':');
        let is_entry = after.is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace()));
        let is_item = inner.starts_with("- ");
        let before = line.get(..indent).unwrap_or("");
        let found = before
            .char_indices()
            .find(|(_, c)| is_odd_space(*c) && (is_entry || is_item));
        if let Some((at, c)) = found {
            return Some((offset + at, c));
        }
        if let Some(c) = after.and_then(|rest| rest.chars().next())
            && is_odd_space(c)
        {
            let colon = indent + key.unwrap_or(0);
            return Some((offset + colon + 1, c));
        }
        offset += line.len();
    }
    None
}

/// A last line without an end, whose value nothing closes: of 25 that was cut off behind its first digit
/// nobody could tell.
pub(super) fn unfinished(body: &str) -> Option<Fault> {
    let start = body.rfind('\n').map_or(0, |end| end + 1);
    let line = body.get(start..)?;
    let written = line.trim();
    let closed = written.ends_with(['}', ']', '"', '\'']);
    if written.is_empty() || written.starts_with('#') || closed {
        return None;
    }
    let at = body.trim_end().len();
    let last = body
        .get(..at)?
        .chars()
        .next_back()
        .map_or(0, char::len_utf8);
    Some(
        Fault::error(
            "unfinished-line",
            at - last..at,
            "this file does not end with a line break, so its last value may be cut off",
        )
        .help("if the file is whole, end its last line with a line break; if not, write it again"),
    )
}

/// Placeholders that a template engine should have filled in; one fault a line.
fn templates(body: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut offset = 0;
    for line in body.split_inclusive('\n') {
        if let Some(found) = template_in(line) {
            let at = offset + found.start..offset + found.end;
            let what = line.get(found).unwrap_or("").trim().to_owned();
            faults.push(
                Fault::error(
                    "template-leftover",
                    at,
                    format!("the placeholder `{}` was never filled in", shorten(&what)),
                )
                .help("render the template before it is committed here, or write the value"),
            );
        }
        offset += line.len();
    }
    faults
}

fn template_in(line: &str) -> Option<Range<usize>> {
    if line.trim_start().starts_with('#') {
        return None;
    }
    [("{{", "}}"), ("${", "}"), ("{%", "%}"), ("<%", "%>")]
        .into_iter()
        .filter_map(|(open, close)| {
            let start = line.find(open)?;
            let length = line.get(start..)?.find(close)?;
            Some(start..start + length + close.len())
        })
        .min_by_key(|range| range.start)
}

/// At most 40 characters of `text`, for messages.
pub(super) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(raw: &[u8]) -> Vec<&'static str> {
        decode(raw).faults.iter().map(|f| f.rule).collect()
    }

    #[test]
    fn what_is_not_text_is_named_for_what_it_is() {
        let cases: [(&[u8], &str); 9] = [
            (b"", "empty-file"),
            (b"\xFF\xFEa\0:\0", "utf-16"),
            (b"a\0:\0 \x001\0", "utf-16"),
            (b"a: \xC3\x28", "invalid-utf-8"),
            (b"a: b\0c", "control-character"),
            (b"a: 1\rb: 2", "control-character"),
            (b"a: 1\n<<<<<<< HEAD\n", "conflict-marker"),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "git-lfs-pointer",
            ),
            (b"\n<!DOCTYPE html>", "html-page"),
        ];
        for (raw, rule) in cases {
            assert_eq!(rules(raw), [rule], "{raw:?}");
        }
    }

    #[test]
    fn a_space_that_is_none_to_yaml_is_named() {
        for body in [
            "spec:\n\u{a0}\u{a0}cluster: main\n",
            "spec:\n  cluster:\u{a0}main\n",
            "list:\n \u{3000}- a\n",
        ] {
            assert_eq!(rules(body.as_bytes()), ["hidden-character"], "{body:?}");
        }
        // Text may hold one.
        for body in [
            "a: above 80\u{a0}%\n",
            "a: |\n  \u{a0}so far indented\n",
            "# \u{a0}a: b\n",
        ] {
            assert_eq!(rules(body.as_bytes()), [""; 0], "{body:?}");
        }
    }

    #[test]
    fn a_mark_is_only_a_warning_and_crlf_is_nothing() {
        assert_eq!(rules(b"\xEF\xBB\xBFa: 1\r\n"), ["byte-order-mark"]);
        assert_eq!(rules(b"a: 1\r\nb: 2\r\n"), [""; 0]);
    }

    #[test]
    fn a_last_line_without_an_end_is_told_unless_its_value_is_closed() {
        for body in [
            "a: 2",
            "a: x\nb: |\n  text",
            "a",
            "a: {b: 1}\nc: d ",
            "é: ü",
        ] {
            assert!(unfinished(body).is_some(), "{body:?}");
        }
        for body in [
            "a: 25\n",
            "a: {b: 2}",
            "a: [1]",
            "a: \"2\"",
            "a: 'x'",
            "a: 1\n# c",
            "a: 1\r\n",
            "a: 1\n  ",
        ] {
            assert_eq!(unfinished(body), None, "{body:?}");
        }
    }

    #[test]
    fn flow_mappings_are_not_taken_for_templates() {
        assert_eq!(rules(b"a: {b: {c: 1}}\n# {{ comment }}\n"), [""; 0]);
        assert_eq!(rules(b"a: ${X}\nb: {{ .Y }}\n"), ["template-leftover"; 2]);
    }
}
