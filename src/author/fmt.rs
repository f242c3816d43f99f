//! Formatting: lines indented and ordered alike, every comment kept and nothing that they say changed.
//!
//! It works on lines: blanks at their ends, indentation, separators and the order of a document's
//! four keys. Inside of values it changes nothing, and what it made is read again: a text that would
//! not give the same documents is left as it was.
//!
//! Pure: text in, text out.

use std::fmt;

use crate::source::meaning;

/// The order of a document's own keys.
const TOP: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];

/// Why a text is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It does not load.
    Unreadable,
    /// The layout would change what it says.
    OtherMeaning,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Left::Unreadable => "it does not load; `evenkeel check` says why",
            Left::OtherMeaning => "another layout would change what it says",
        })
    }
}

/// `text` in the one layout.
///
/// # Errors
/// Why it is left alone.
pub fn formatted(text: &str) -> Result<String, Left> {
    let before = meaning(text).ok_or(Left::Unreadable)?;
    let done = layout(text);
    match meaning(&done) {
        Some(after) if after == before => Ok(done),
        // Indentation is the riskier part: without it the rest may still be had.
        _ => {
            let done = trimmed(text);
            match meaning(&done) {
                Some(after) if after == before => Ok(done),
                _ => Err(Left::OtherMeaning),
            }
        }
    }
}

/// Only what stands at the ends of lines and of the file.
fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    ended(&lines.join("\n"))
}

/// With one line break at its end, and none at its start.
fn ended(text: &str) -> String {
    format!("{}\n", text.trim_matches('\n'))
}

fn layout(text: &str) -> String {
    let mut documents: Vec<Vec<String>> = vec![Vec::new()];
    let lines = indented(text);
    for line in lines {
        if line == "---" {
            documents.push(Vec::new());
        } else if let Some(last) = documents.last_mut() {
            last.push(line);
        }
    }
    let texts: Vec<String> = documents
        .into_iter()
        .map(|lines| in_order(&lines).join("\n").trim_matches('\n').to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    // A first part of comments only, such as an editor's line, is of the first document.
    let mut out = String::new();
    for (at, text) in texts.iter().enumerate() {
        let comments = |text: &String| text.lines().all(|l| l.is_empty() || l.starts_with('#'));
        if at > 0 {
            let joins = at == 1 && texts.first().is_some_and(comments);
            out.push_str(if joins { "\n" } else { "\n---\n" });
        }
        out.push_str(text);
    }
    ended(&out)
}

/// What stands between two documents: with its comment, if it has one.
fn separator(line: &str) -> Option<Option<&str>> {
    let rest = line.strip_prefix("---")?;
    let comment = rest.trim_start();
    match comment.is_empty() {
        true => Some(None),
        false => (comment.starts_with('#') && comment != rest).then_some(Some(comment)),
    }
}

/// Lines without blanks at their ends, each level of mappings two spaces in. Lines of block scalars
/// keep their own form, moved as a whole.
fn indented(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    // How far in the levels were that are open, and how far in they are now.
    let mut levels: Vec<(usize, usize)> = vec![(0, 0)];
    // The indentation of the line that began a block scalar, before and after.
    let mut scalar: Option<(usize, usize)> = None;
    // Comments and blank lines, with how far in they were.
    let mut waiting: Vec<(usize, &str)> = Vec::new();
    for line in text.lines() {
        let line = line.trim_end();
        let inner = line.trim_start_matches(' ');
        let was = line.len() - inner.len();
        if inner.is_empty() && scalar.is_some() {
            out.push(String::new());
            continue;
        }
        if let Some((start, moved)) = scalar {
            if was > start {
                out.push(format!(
                    "{}{inner}",
                    " ".repeat((was + moved).saturating_sub(start))
                ));
                continue;
            }
            scalar = None;
        }
        if inner.is_empty() || inner.starts_with('#') {
            waiting.push((was, inner));
            continue;
        }
        if let Some(comment) = separator(line) {
            out.extend(placed(&mut waiting, &levels, (0, 0)));
            levels = vec![(0, 0)];
            out.push("---".to_owned());
            out.extend(comment.map(str::to_owned));
            continue;
        }
        let open = levels.clone();
        while levels.len() > 1 && levels.last().is_some_and(|(old, _)| *old > was) {
            levels.pop();
        }
        let (old, new) = levels.last().copied().unwrap_or((0, 0));
        let now = if was > old {
            levels.push((was, new + 2));
            new + 2
        } else {
            new
        };
        out.extend(placed(&mut waiting, &open, (was, now)));
        out.push(format!("{}{inner}", " ".repeat(now)));
        // What follows a dash on its line is a level of its own.
        let mut rest = inner;
        let (mut from, mut to) = (was, now);
        while let Some(after) = rest.strip_prefix("- ") {
            let after = after.trim_start();
            let step = rest.len() - after.len();
            (from, to) = (from + step, to + step);
            levels.push((from, to));
            rest = after;
        }
        let bare = rest.split(" #").next().unwrap_or(rest).trim_end();
        let begins = bare
            .rsplit(' ')
            .next()
            .is_some_and(|word| word.starts_with(['|', '>']) && word.len() <= 3);
        if begins {
            scalar = Some((from, to));
        }
    }
    out.extend(placed(&mut waiting, &levels, (0, 0)));
    out
}

/// The comments and blank lines before a line that was and is so far in. They are as far in as it, but for those at
/// the end of a block, such as a field that is commented out: these stay in the one of the `open` levels that they
/// were in.
fn placed(
    waiting: &mut Vec<(usize, &str)>,
    open: &[(usize, usize)],
    (next, now): (usize, usize),
) -> Vec<String> {
    let indent = |was: usize| {
        let within = open.iter().rfind(|(old, _)| *old <= was && *old > next);
        within.map_or(now, |(_, new)| *new)
    };
    let line = |(was, text): (usize, &str)| match text {
        "" => String::new(),
        comment => format!("{}{comment}", " ".repeat(indent(was))),
    };
    waiting.drain(..).map(line).collect()
}

/// A document's lines with its four keys in order. What stands before a key, comments and blank
/// lines, goes with it; what stands before the first one stays at the head.
fn in_order(lines: &[String]) -> Vec<String> {
    let key = |line: &String| {
        let name = line.split(':').next().unwrap_or_default();
        TOP.iter().position(|top| *top == name)
    };
    let mut head: Vec<String> = Vec::new();
    let mut parts: Vec<(usize, Vec<String>)> = Vec::new();
    let mut before: Vec<String> = Vec::new();
    for line in lines {
        match key(line) {
            Some(place) => {
                if parts.is_empty() {
                    head = std::mem::take(&mut before);
                }
                let mut part = std::mem::take(&mut before);
                part.push(line.clone());
                parts.push((place, part));
            }
            None if line.is_empty() || line.starts_with('#') => before.push(line.clone()),
            None => {
                before.push(line.clone());
                match parts.last_mut() {
                    Some((_, part)) => part.append(&mut before),
                    None => return lines.to_vec(),
                }
            }
        }
    }
    parts.sort_by_key(|(place, _)| *place);
    head.into_iter()
        .chain(parts.into_iter().flat_map(|(_, part)| part))
        .chain(before)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn layout_is_mended_and_comments_anchors_and_quotes_stay() {
        let text = "\n# yaml-language-server: $schema=x\n---\n# whose\nkind: Table\nmetadata:\n    app: shop   \n    \
                    name: 'a'\n# what\nspec:\n    tableName: &t \"abc\" # quoted\n    pointInTimeRecovery:\n        \
                    enabled: true\napiVersion: evenkeel/v1alpha1\n\n\n";
        assert_eq!(
            formatted(text).unwrap(),
            "# yaml-language-server: $schema=x\n# whose\napiVersion: evenkeel/v1alpha1\nkind: Table\n\
             metadata:\n  app: shop\n  name: 'a'\n# what\nspec:\n  tableName: &t \"abc\" # quoted\n  \
             pointInTimeRecovery:\n    enabled: true\n"
        );
    }

    #[test]
    fn what_is_commented_out_at_the_end_of_a_block_stays_in_it() {
        let text = "apiVersion: evenkeel/v1alpha1\nkind: Policy\nspec:\n    mode: report\n    budget:\n        \
                    objectsPerHour: 3\n        # tasksPerHour: 9\n    # withoutApproval: [routine]\n\n# whose\n\
                    metadata: {app: shop, name: policy}\n# the end\n";
        let done = formatted(text).unwrap();
        assert_eq!(
            done,
            "apiVersion: evenkeel/v1alpha1\nkind: Policy\n\n# whose\nmetadata: {app: shop, name: policy}\nspec:\n  \
             mode: report\n  budget:\n    objectsPerHour: 3\n    # tasksPerHour: 9\n  \
             # withoutApproval: [routine]\n# the end\n"
        );
        assert_eq!(formatted(&done).unwrap(), done);
        let last = text.replace("# the end\n", "---\n") + &done.replace("policy", "policy-2");
        let again = formatted(&last).unwrap();
        assert_eq!(again.matches("\n  # withoutApproval").count(), 2, "{again}");
    }

    #[test]
    fn a_block_scalar_keeps_its_own_form() {
        let text = "apiVersion: evenkeel/v1alpha1\nkind: Alarm\nmetadata: {app: a, name: b}\nspec:\n    \
                    description: |\n        one\n          two\n    preset: Elb5xx\n    metrics:\n    -   id: a\n        \
                    expression: b\n";
        let done = formatted(text).unwrap();
        assert!(
            done.contains("  description: |\n      one\n        two\n  preset: Elb5xx\n"),
            "{done}"
        );
        assert_eq!(formatted(&done).unwrap(), done);
    }

    #[test]
    fn a_comment_between_two_documents_stays_and_both_are_mended() {
        let one = "kind: Table\napiVersion: evenkeel/v1alpha1\nmetadata: {app: a, name: b-1}\n\
                   spec: {tableName: b-1, deletionProtection: true}\n";
        let text = format!("{one}--- # the second\n{}", one.replace("b-1", "b-2"));
        let done = formatted(&text).unwrap();
        assert!(done.contains("\n---\n# the second\napiVersion"), "{done}");
        assert_eq!(formatted(&done).unwrap(), done);
    }

    #[test]
    fn what_does_not_load_is_left_alone() {
        assert_eq!(formatted("a: [\n"), Err(Left::Unreadable));
    }

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("1".to_owned()),
            Just("\"a # b\"".to_owned()),
            Just("'it''s'".to_owned()),
            Just("plain text  # why".to_owned()),
            Just("{a: 1,   b: [x, y]}".to_owned()),
            Just("&a 5".to_owned()),
        ]
    }

    /// Lines of a mapping, some of them nested, `step` spaces a level.
    fn mapping(step: usize, depth: u32) -> BoxedStrategy<Vec<String>> {
        let leaf = value().prop_map(|v| vec![format!(" {v}")]).boxed();
        let comment = prop_oneof![
            Just(None),
            Just(Some("# a comment".to_owned())),
            Just(Some(String::new()))
        ];
        let below = if depth == 0 {
            leaf
        } else {
            let nested = mapping(step, depth - 1).prop_map(move |lines| {
                std::iter::once(String::new())
                    .chain(lines.into_iter().map(|l| {
                        if l.is_empty() {
                            l
                        } else {
                            format!("{}{l}", " ".repeat(step))
                        }
                    }))
                    .collect()
            });
            let text = Just(vec![
                " |  ".to_owned(),
                format!("{}one", " ".repeat(step)),
                format!("{}  two", " ".repeat(step)),
            ]);
            let list = prop::collection::vec(value(), 1..3).prop_map(move |items| {
                std::iter::once(String::new())
                    .chain(
                        items
                            .into_iter()
                            .map(|v| format!("{}-   k: {v}", " ".repeat(step))),
                    )
                    .collect()
            });
            prop_oneof![leaf, nested, text, list].boxed()
        };
        prop::collection::vec((comment, below, "[ ]{0,2}"), 1..4)
            .prop_map(|entries| {
                let mut lines = Vec::new();
                for (at, (comment, below, blank)) in entries.into_iter().enumerate() {
                    lines.extend(comment);
                    let mut below = below.into_iter();
                    lines.push(format!(
                        "key{at}:{}{blank}",
                        below.next().unwrap_or_default()
                    ));
                    lines.extend(below);
                }
                lines
            })
            .boxed()
    }

    fn comments(text: &str) -> Vec<String> {
        let mut found: Vec<String> = text
            .lines()
            .filter_map(|l| Some(l.trim_end().split_once("# ")?.1.to_owned()))
            .collect();
        found.sort();
        found
    }

    proptest! {
        #[test]
        fn formatting_keeps_meaning_and_comments_and_is_done_once(
            specs in prop::collection::vec((1..6_usize).prop_flat_map(|step| mapping(step, 2)), 1..3),
            order in Just(vec![0, 1, 2, 3]).prop_shuffle(),
        ) {
            let documents: Vec<String> = specs
                .iter()
                .map(|spec| {
                    let spec: Vec<String> = spec
                        .iter()
                        .map(|l| if l.is_empty() { l.clone() } else { format!("  {l}") })
                        .collect();
                    let parts = [
                        "apiVersion: evenkeel/v1alpha1".to_owned(),
                        "kind: Table".to_owned(),
                        "metadata: {app: a, name: b}".to_owned(),
                        format!("spec:\n{}", spec.join("\n")),
                    ];
                    order.iter().map(|at| parts[*at].clone()).collect::<Vec<_>>().join("\n")
                })
                .collect();
            let text = documents.join("\n---\n") + "\n\n";
            prop_assume!(meaning(&text).is_some());
            let done = formatted(&text).map_err(|left| TestCaseError::fail(format!("{left}\n{text}")))?;
            prop_assert_eq!(meaning(&done), meaning(&text), "{}", &done);
            prop_assert_eq!(comments(&done), comments(&text), "{}", &done);
            prop_assert_eq!(formatted(&done), Ok(done.clone()), "{}", text);
        }
    }
}
