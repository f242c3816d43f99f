//! Frozen: which apps a text that does not load may belong to.
//!
//! Pure: text in, names out.

use std::collections::BTreeSet;

use crate::model::document::Frozen;
use crate::model::key::is_label;

/// The apps that the `app:` keys of `text` name. All apps where there is none; where a `metadata`
/// names none; and where the value that should be a name is none, since it could stand for any.
pub(super) fn scan(text: &str) -> Frozen {
    let (apps, odd) = named(text);
    let headers = headers(text);
    let unsure = if headers.is_empty() {
        odd == Odd::Some
    } else {
        // An `app` outside of the metadata, such as a tag's, may have any value.
        headers.iter().any(|header| {
            let (apps, odd) = named(header);
            apps.is_empty() || odd == Odd::Some
        })
    };
    if apps.is_empty() || unsure {
        Frozen::All
    } else {
        Frozen::Apps(apps)
    }
}

/// Whether an `app:` key had a value that is no name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Odd {
    None,
    Some,
}

/// What belongs to each `metadata:` key of `text`: up to the brace that closes it, or the lines
/// that are indented deeper.
fn headers(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("metadata") {
        let line_start = text
            .get(..at)
            .and_then(|t| t.rfind('\n'))
            .map_or(0, |n| n + 1);
        let before = text.get(line_start..at).unwrap_or("");
        let own = before
            .chars()
            .all(|c| c == ' ' || matches!(c, '{' | ',' | '"' | '\''));
        let after = text.get(at + "metadata".len()..).unwrap_or("");
        let after = after.trim_start_matches(['"', '\'']);
        let Some(body) = after
            .trim_start_matches(' ')
            .strip_prefix(':')
            .filter(|_| own)
        else {
            continue;
        };
        found.push(if body.trim_start().starts_with('{') {
            body.split_inclusive('}').next().unwrap_or(body)
        } else {
            indented(body, before.chars().count())
        });
    }
    found
}

/// `body` up to its first line that is indented no deeper than `indent`, the first line aside.
fn indented(body: &str, indent: usize) -> &str {
    let mut end = 0;
    for (nth, line) in body.split_inclusive('\n').enumerate() {
        let blank = line.trim().is_empty() || line.trim_start().starts_with('#');
        let depth = line.len() - line.trim_start_matches(' ').len();
        if nth > 0 && !blank && depth <= indent {
            break;
        }
        end += line.len();
    }
    body.get(..end).unwrap_or(body)
}

/// The names that `app:` keys of `text` have. A key that holds a mapping, such as a container called
/// `app`, names no app.
fn named(text: &str) -> (BTreeSet<String>, Odd) {
    let (mut apps, mut odd) = (BTreeSet::new(), Odd::None);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        for (at, _) in line.match_indices("app") {
            let before = line.get(..at).and_then(|text| text.chars().last());
            if before.is_some_and(|c| !(c.is_whitespace() || matches!(c, '{' | ',' | '"' | '\''))) {
                continue;
            }
            let rest = line.get(at + 3..).unwrap_or("");
            let rest = rest.trim_start_matches(['"', '\'']).trim_start();
            let Some(value) = rest.strip_prefix(':') else {
                continue;
            };
            let value = value.trim_start();
            let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
            let holds_mapping = if value.is_empty() {
                lines
                    .peek()
                    .is_some_and(|next| next.contains(':') && depth(next) > depth(line))
            } else {
                value.starts_with('{') && !value.starts_with("{{")
            };
            if holds_mapping {
                continue;
            }
            let value = value.trim_start_matches(['"', '\'']);
            let end = value
                .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '}' | '#'))
                .unwrap_or(value.len());
            match value.get(..end) {
                Some(app) if is_label(app) => {
                    apps.insert(app.to_owned());
                }
                _ => odd = Odd::Some,
            }
        }
    }
    (apps, odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_found_in_every_way_of_writing_them() {
        let text = "metadata: {app: shop, name: x}\n  app: blog # ours\n\"app\": 'wiki'\n# app: none\nmyapp: no\n  application: no\n";
        let Frozen::Apps(apps) = scan(text) else {
            panic!("{text}");
        };
        assert_eq!(
            apps.into_iter().collect::<Vec<_>>(),
            ["blog", "shop", "wiki"]
        );
    }

    #[test]
    fn without_a_sound_name_all_apps_are_frozen() {
        for text in [
            "",
            "kind: Service",
            "app:",
            "app: {{ app }}",
            "app: a\napp: Shop_1",
            "metadata: {ap",
            "metadata:\n  app: a\n---\nmetadata:\n  name: b\nspec:\n  tags: {app: c}\n",
        ] {
            assert_eq!(scan(text), Frozen::All, "{text}");
        }
    }

    fn apps(text: &str) -> Vec<String> {
        let Frozen::Apps(apps) = scan(text) else {
            panic!("{text}");
        };
        apps.into_iter().collect()
    }

    #[test]
    fn a_container_or_a_tag_called_app_names_no_app() {
        assert_eq!(
            apps(
                "metadata: {app: shop, name: x}\nspec:\n  tags: {app: Shop Front}\n  containers: {app: {cpu: 1}}\n  x: [\n"
            ),
            ["shop"]
        );
        assert_eq!(
            apps(
                "metadata:\n  name: x\n  # whose\n  app: shop\n\nspec:\n  containers:\n    app:\n      cpu: 1\n  x: [\n"
            ),
            ["shop"]
        );
        assert_eq!(
            apps("app: shop\ncontainers:\n  app:\n    cpu: [\n"),
            ["shop"]
        );
    }

    #[test]
    fn every_metadata_of_a_torn_file_names_its_app() {
        assert_eq!(
            apps(
                "metadata: {app: a, name: x}\n---\n\"metadata\": {\n  name: y,\n  app: b}\n---\nmetadata:\n  app: c\nspec: [\n"
            ),
            ["a", "b", "c"]
        );
    }
}
