//! Syntax: the parser's complaints, in the words of someone who has to mend the file.
//!
//! Pure: an error in, a fault out.

use std::ops::Range;

use granit_parser::ErrorKind as Kind;

use super::text::Fault;
use super::yaml::DEPTH;

/// The fault for the parser's error of `kind` at `at`.
pub(super) fn explain(kind: &Kind, at: Range<usize>) -> Fault {
    let (rule, message, help): (_, String, &str) = match kind {
        Kind::RecursionLimitExceeded => (
            "too-deep",
            format!("nested more than {DEPTH} levels deep"),
            "no document needs that; look for brackets that are never closed",
        ),
        Kind::DocumentIndicatorInQuotedScalar => (
            "syntax",
            "a quote opened above is not closed where this document ends".into(),
            "close the quote on the line where it was opened",
        ),
        Kind::UnclosedQuotedScalar => (
            "syntax",
            "a quote is opened and never closed".into(),
            "close the quote on the same line; the file may also be cut off",
        ),
        Kind::InvalidQuotedScalarIndent => (
            "syntax",
            "a quoted text goes on in this line, which is not indented below it".into(),
            "close the quote on the line where it was opened",
        ),
        Kind::UnclosedFlowCollection { open } => (
            "syntax",
            format!("the bracket `{open}` is never closed"),
            "close it; the file may also be cut off",
        ),
        Kind::UnexpectedEof
        | Kind::UnexpectedEofFlowSequence
        | Kind::UnexpectedEofFlowMapping
        | Kind::UnexpectedEofImplicitFlowMapping
        | Kind::UnexpectedEofBlockSequence
        | Kind::UnexpectedEofBlockMapping => (
            "syntax",
            "the file ends in the middle of a value".into(),
            "finish what was begun; the file may be cut off or still being written",
        ),
        Kind::MismatchedFlowCollectionEnd { open, close } => (
            "syntax",
            format!("`{close}` does not close `{open}`"),
            "pair the brackets",
        ),
        Kind::ExpectedFlowMappingSeparator | Kind::ExpectedFlowSequenceSeparator => (
            "syntax",
            "a `,` or a closing bracket is missing before this".into(),
            "separate the items with `,` and close the bracket; quote text that holds `,`, `[` or `{`",
        ),
        kind if is_tab(kind) => (
            "tab",
            "a tab stands where YAML wants spaces".into(),
            "indent with spaces only",
        ),
        Kind::MappingValueNotAllowed
        | Kind::InvalidColonPlacement
        | Kind::MappingKeyNotAllowed
        | Kind::InvalidMappingValueWhitespace => (
            "syntax",
            "no `key: value` can stand here".into(),
            "check the indentation of this line and the one above; quote text that holds `: `",
        ),
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => (
            "syntax",
            "a line of a mapping has no `:` after its key".into(),
            "write `key: value`; a text over several lines needs quotes or `|`",
        ),
        Kind::ExpectedBlockMappingKey
        | Kind::ExpectedBlockSequenceEntry
        | Kind::InvalidIndentation
        | Kind::InvalidFlowScalarIndent
        | Kind::InvalidBlockScalarIndent
        | Kind::BlockSequenceEntryNotAllowed => (
            "syntax",
            "this line does not fit the indentation of the lines above".into(),
            "indent every key of one mapping, and every `-` of one list, by the same number of spaces",
        ),
        Kind::DirectiveDisallowed => (
            "syntax",
            "a line that starts with `%` is a YAML directive, which is not used here".into(),
            "take the line away, or quote the text",
        ),
        Kind::UnexpectedCharacter { character } => (
            "syntax",
            format!("no value can start with `{character}`"),
            "quote the text",
        ),
        other => (
            "syntax",
            format!("this is not YAML: {other}"),
            "mend the line, or quote the text",
        ),
    };
    Fault::error(rule, at, message).help(help)
}

fn is_tab(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::TabNotAllowed
            | Kind::TabInBlockIndentation
            | Kind::TabInIndentation
            | Kind::TabAtBlockScalarStart
            | Kind::TabInPlainScalar
    )
}

/// The tab that an error about tabs is about: the parser points behind the tab of the line, or at
/// the value that the line with the tab would have continued.
pub(super) fn tab_near(kind: &Kind, body: &str, at: usize) -> Option<usize> {
    if !is_tab(kind) {
        return None;
    }
    let line = body.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let before = body.get(line..at)?;
    if before.trim().is_empty()
        && let Some(tab) = before.find('\t')
    {
        return Some(line + tab);
    }
    body.get(at..)?.find('\t').map(|tab| at + tab)
}
