//! YAML: from text to located documents, all faults at once, within tight bounds.
//!
//! Built on the events of `granit-parser` (the parser below `serde-saphyr`): only events tell a
//! quoted word from a plain one, keep the place of every node, and go on after a broken document.
//!
//! Pure: text in, nodes and faults out.

use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError};

use super::again::Owner;
use super::build::Builder;
use super::node::{Node, Value};
use super::syntax;
use super::text::Fault;

/// Levels of nesting in a document; the deepest kind needs eight.
pub(super) const DEPTH: usize = 32;
/// Nodes of a file, counting every alias as all that it stands for.
pub(super) const NODES: usize = 100_000;
/// Faults of a file that are looked for.
pub(super) const FAULTS: usize = 200;
/// Anchors and aliases of a file, each.
pub(super) const ANCHORS: usize = 1_000;

/// One document of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Doc {
    /// Its content, if it could be read to its end.
    pub root: Option<Node>,
    /// What is wrong with it as YAML.
    pub faults: Vec<Fault>,
    /// Whether it says clearly whose it is.
    pub owner: Owner,
    /// From its first to its last byte.
    pub range: Range<usize>,
}

fn options() -> granit_parser::Options {
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    options.strict_indentation = true;
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = DEPTH;
    options.block_nesting_limit = DEPTH;
    options
}

/// The last error of a text.
fn last_error(body: &str) -> Option<ScanError> {
    let mut parser = Parser::new_from_str_with_options(body, options());
    let mut last = None;
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => return last,
            Some(Ok(_)) => {}
            Some(Err(err)) => {
                last = Some(err);
                if !parser.proceed_next_document().unwrap_or(false) {
                    return last;
                }
            }
        }
    }
}

/// Reads every document of a file. Documents with nothing in them are left out.
pub(super) fn parse(body: &str) -> Vec<Doc> {
    let mut parser = Parser::new_from_str_with_options(body, options());
    let mut docs: Vec<Doc> = Vec::new();
    let mut builder = Builder::new(body);
    let mut start = 0;
    loop {
        let end = match parser.next_event() {
            None => break,
            Some(Ok((event, span))) => {
                let at = span.byte_range().unwrap_or(start..start);
                let tag = span.tag_span().and_then(|tag| tag.byte_range());
                match event {
                    Event::StreamEnd => break,
                    Event::DocumentEnd => at.start.max(start),
                    event => {
                        take(&mut builder, event, at, tag);
                        if builder.overfull() {
                            // Bounds are of the file: what follows is not looked at.
                            docs.push(builder.document(start..body.len()));
                            break;
                        }
                        continue;
                    }
                }
            }
            Some(Err(err)) => {
                builder.fail(fault_of(body, &err));
                if builder.spent() {
                    docs.push(builder.document(start..body.len()));
                    break;
                }
                let more = parser.proceed_next_document().unwrap_or(false);
                let end = more.then(|| {
                    let next = parser.peek().and_then(Result::ok);
                    next.and_then(|(_, span)| span.byte_range())
                });
                let end = end.flatten().map_or(body.len(), |at| at.start).max(start);
                docs.push(builder.document(start..end));
                start = end;
                if !more {
                    break;
                }
                continue;
            }
        };
        docs.push(builder.document(start..end));
        start = end;
    }
    docs.retain(|doc| !is_blank(doc));
    docs
}

fn take(
    builder: &mut Builder<'_>,
    event: Event<'_>,
    at: Range<usize>,
    tag_at: Option<Range<usize>>,
) {
    let tagged = |tag: bool, at: &Range<usize>| tag.then(|| tag_at.unwrap_or_else(|| at.clone()));
    match event {
        Event::Scalar(text, style, anchor, tag) => {
            let plain = style == ScalarStyle::Plain;
            let tag = tagged(tag.is_some(), &at);
            builder.scalar(text.into_owned(), plain, anchor, tag, at);
        }
        Event::SequenceStart(_, anchor, tag) => {
            builder.open(false, anchor, tagged(tag.is_some(), &at), at);
        }
        Event::MappingStart(_, anchor, tag) => {
            builder.open(true, anchor, tagged(tag.is_some(), &at), at);
        }
        Event::SequenceEnd | Event::MappingEnd => builder.close(at.end),
        Event::Alias(id) => builder.alias(id, at),
        Event::UnresolvedAlias(name) => builder.unresolved(&name, at),
        _ => {}
    }
}

/// A document of nothing: the space after a last `---`.
fn is_blank(doc: &Doc) -> bool {
    let nothing = match &doc.root {
        None => true,
        Some(node) => node.value == Value::Null && node.at.is_empty(),
    };
    nothing && doc.faults.is_empty()
}

fn fault_of(body: &str, err: &ScanError) -> Fault {
    let blank = |at: usize| body.get(at..).is_none_or(|rest| rest.trim().is_empty());
    let written = body.trim_end();
    if *err.kind() == ErrorKind::InvalidQuotedScalarIndent
        && err.marker().byte_offset().is_none_or(blank)
        && written.len() < body.len()
        && let Some(err) = last_error(written)
    {
        // To the parser the empty rest of the file is a line that goes on with the text.
        return fault_of(written, &err);
    }
    let at = err.marker().byte_offset().unwrap_or(body.len());
    let mut kind = err.kind();
    let mut at = syntax::tab_near(kind, body, at).unwrap_or(at);
    let rest = body.get(at..).unwrap_or("");
    if *kind == ErrorKind::InvalidQuotedScalarIndent && rest.starts_with("---") {
        kind = &ErrorKind::DocumentIndicatorInQuotedScalar;
    }
    // An error at the very end is shown at the last thing that was written.
    if at >= body.len() {
        at = body
            .trim_end()
            .char_indices()
            .last()
            .map_or(0, |(at, _)| at);
    }
    let width = body.get(at..).and_then(|rest| rest.chars().next());
    let end = at + width.map_or(0, char::len_utf8);
    syntax::explain(kind, at..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(body: &str) -> Vec<&'static str> {
        let docs = parse(body);
        docs.iter()
            .flat_map(|d| d.faults.iter().map(|f| f.rule))
            .collect()
    }

    fn tree(body: &str) -> serde_json::Value {
        let docs = parse(body);
        assert_eq!(docs.len(), 1, "{docs:?}");
        assert_eq!(docs[0].faults, [], "{body}");
        docs[0].root.as_ref().unwrap().to_tree()
    }

    #[test]
    fn values_are_what_was_written() {
        assert_eq!(
            tree("a: 1\nb: [x, 'no', 2.5]\nc: {d: true}\ne: |\n  two\n  lines\n"),
            json!({"a": 1, "b": ["x", "no", 2.5], "c": {"d": true}, "e": "two\nlines\n"})
        );
    }

    #[test]
    fn merge_keys_are_expanded() {
        assert_eq!(
            tree("base: &b {x: 1, y: 2}\nuse: {<<: *b, z: 3}\n"),
            json!({"base": {"x": 1, "y": 2}, "use": {"x": 1, "y": 2, "z": 3}})
        );
    }

    #[test]
    fn a_key_stands_once_even_after_a_merge() {
        assert_eq!(rules("a: 1\na: 2\n"), ["duplicate-key"]);
        assert_eq!(
            rules("b: &b {x: 1}\nu: {<<: *b, x: 2}\n"),
            ["duplicate-key"]
        );
        assert_eq!(
            rules("b: &b {x: 1}\nu: {<<: [*b, *b]}\n"),
            ["duplicate-key"]
        );
        assert_eq!(
            rules("b: &b {x: 1}\nu: {<<: *b, <<: *b}\n"),
            ["duplicate-key"]
        );
        assert_eq!(rules("u: {<<: 5}\n"), ["bad-merge"]);
    }

    #[test]
    fn a_whole_header_that_comes_again_is_one_fault_for_each_missing_separator() {
        let document = "kind: K\nmetadata: {app: a}\nspec: {x: 1}\n";
        assert_eq!(rules(&document.repeat(3)), ["missing-separator"; 2]);
        assert_eq!(rules(&format!("{document}spec: {{}}\n")), ["duplicate-key"]);
        // What is wrong within a document is told beside it.
        let inner = format!("{document}kind: K\nmetadata: {{app: a}}\nspec: {{x: 1, x: 2}}\n");
        assert_eq!(rules(&inner), ["missing-separator", "duplicate-key"]);
    }

    #[test]
    fn an_app_that_is_written_twice_leaves_the_owner_in_doubt() {
        let owner = |body| parse(body)[0].owner;
        for body in [
            "metadata: {app: a, app: b}\n",
            "metadata: {app: a}\nmetadata: {app: b}\n",
            "x: &x {app: a, app: b}\nmetadata: *x\n",
            "x: &x {app: a}\nmetadata: {<<: *x, app: b}\n",
        ] {
            assert_eq!(owner(body), Owner::Doubtful, "{body}");
        }
        assert_eq!(owner("spec: {tags: {app: a, app: b}}\n"), Owner::Clear);
    }

    #[test]
    fn a_bomb_is_refused_within_its_budget() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..10 {
            let previous = format!("*a{}", level - 1);
            let row = vec![previous; 10].join(",");
            bomb.push_str(&format!("a{level}: &a{level} [{row}]\n"));
        }
        assert_eq!(rules(&bomb), ["too-many-nodes"]);
    }

    #[test]
    fn nesting_is_bounded_by_brackets_indentation_and_aliases() {
        assert_eq!(rules(&"[".repeat(200_000)), ["too-deep"]);
        let steps: String = (0..100).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert_eq!(rules(&steps), ["too-deep"]);
        let mut chain = "- &a0 [x]\n".to_owned();
        for level in 1..100 {
            chain.push_str(&format!("- &a{level} [*a{}]\n", level - 1));
        }
        assert_eq!(rules(&chain), ["too-deep"]);
    }

    #[test]
    fn aliases_must_stand_for_something_finished() {
        assert_eq!(rules("a: &a [*a]\n"), ["recursive-alias"]);
        assert_eq!(rules("a: *nothing\n"), ["unknown-alias"]);
        assert_eq!(rules("a: &x 1\n*x : 2\n"), ["bad-key"]);
    }

    #[test]
    fn tags_and_odd_keys_are_refused() {
        assert_eq!(rules("a: !!python/object:os.system x\n"), ["tag"]);
        assert_eq!(rules("? [a, b]\n: 1\n"), ["bad-key"]);
        assert_eq!(rules("~: 1\n"), ["bad-key"]);
        assert_eq!(rules("\"a\\u200b\": 1\n"), ["hidden-character"]);
    }

    #[test]
    fn a_broken_document_does_not_hide_the_next() {
        let docs = parse("a: [1, 2\n---\nb: 'x\n---\nc: 3\nc: 4\n");
        let faults: Vec<_> = docs.iter().map(|d| d.faults.len()).collect();
        assert_eq!(faults, [1, 1, 1], "{docs:?}");
        assert!(docs[0].root.is_none() && docs[2].root.is_some());
    }

    #[test]
    fn blank_documents_are_no_documents() {
        assert_eq!(parse("# only words\n"), []);
        assert_eq!(parse("---\na: 1\n---\n").len(), 1);
        assert_eq!(parse("---\n---\na: 1\n...\n").len(), 1);
    }

    #[test]
    fn tabs_and_half_written_lines_are_syntax_errors() {
        for body in [
            "a:\n\tb: 1\n",
            "a: 1\nb\n",
            "a: \"x\n",
            "a: {b: 1\n",
            "a: 1\n  b: 2\n",
        ] {
            assert_eq!(rules(body).len(), 1, "{body:?}");
        }
    }
}
