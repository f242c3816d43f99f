//! Merge: the keys of one mapping, each once, those that `<<` brings included.
//!
//! Pure: entries in, entries and faults out.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bytes::shorten;
use super::node::{Entry, Node, Value};
use super::text::Fault;
use super::yaml::FAULTS;

/// Places of the keys of a mapping, to find the second of two.
pub(super) type Keys = BTreeMap<String, Range<usize>>;

/// The fault of a key that stands at `at` and, before that, at `first`.
pub(super) fn twice(body: &str, key: &str, first: &Range<usize>, at: Range<usize>) -> Fault {
    let first = line_of(body, first.start);
    Fault::error(
        "duplicate-key",
        at,
        format!("the key `{}` is written twice in one mapping", shorten(key)),
    )
    .help(format!("keep one of the two; the first is on line {first}"))
    .label(format!("first on line {first}"))
}

/// Adds what `<<` brings. A key that is there already is refused, not overridden: which of
/// the two values counts would have to be known by heart.
pub(super) fn merge(
    body: &str,
    mut entries: Vec<Entry>,
    mut keys: Keys,
    merges: Vec<(Range<usize>, Node)>,
    faults: &mut Vec<Fault>,
) -> Vec<Entry> {
    for (at, node) in merges {
        let sources = match node.value {
            Value::Map(map) => vec![map],
            Value::List(items) if items.iter().all(|i| matches!(i.value, Value::Map(_))) => items
                .into_iter()
                .filter_map(|item| match item.value {
                    Value::Map(map) => Some(map),
                    _ => None,
                })
                .collect(),
            Value::Bad => continue,
            _ => {
                faults.push(
                    Fault::error(
                        "bad-merge",
                        at,
                        "`<<` takes an alias of a mapping, or a list of them",
                    )
                    .help("write `<<: *name`, with `&name` at the mapping to take over"),
                );
                continue;
            }
        };
        for entry in sources.into_iter().flatten() {
            if faults.len() >= FAULTS {
                return entries;
            }
            if let Some(first) = keys.get(&entry.key) {
                let line = line_of(body, first.start);
                faults.push(
                    Fault::error(
                        "duplicate-key",
                        at.clone(),
                        format!("`<<` brings the key `{}`, which is here already", shorten(&entry.key)),
                    )
                    .help(format!(
                        "keep one of the two; the other is on line {line} (a merged key cannot be overridden here)"
                    ))
                    .label(format!("also on line {line}")),
                );
            } else {
                keys.insert(entry.key.clone(), entry.key_at.clone());
                entries.push(entry);
            }
        }
    }
    entries
}

fn line_of(body: &str, offset: usize) -> usize {
    let before = body.as_bytes().get(..offset).unwrap_or_default();
    1 + before.iter().filter(|b| **b == b'\n').count()
}
