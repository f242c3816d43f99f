//! Shape: whether a document's spec has the fields and types of its kind, and all that differs.
//!
//! Pure: a schema and nodes in, faults out.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value as Json;

use super::node::{Entry, Node, Value};
use super::schema::{Schema, Type};
use super::suggest::{list, nearest};
use super::text::Fault;
use super::values;

/// The schema that allows every value.
static ANYTHING: Json = Json::Bool(true);
/// Names shown in a help line.
const SHOWN: usize = 20;

/// Everything in `node` that `schema` does not allow. `at` is the key that `node` belongs to.
pub(super) fn check(schema: &Json, node: &Node, path: &str, at: &Range<usize>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let place = Place { path, at };
    value(Schema::root(schema), node, place, &mut faults);
    faults
}

/// Where in the document a value stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// `spec.scaling.minCapacity`.
    pub path: &'p str,
    /// The key, for a value with no place of its own.
    pub at: &'p Range<usize>,
}

/// Checks one value.
pub(super) fn value(schema: Schema<'_>, node: &Node, place: Place<'_>, faults: &mut Vec<Fault>) {
    match &node.value {
        Value::Bad => return,
        Value::Null => {
            faults.push(
                Fault::error(
                    "null-value",
                    place.at.clone(),
                    format!("`{}` has no value", place.path),
                )
                .help("leave the key out to leave the field untouched, or write a value")
                .label("no value"),
            );
            return;
        }
        _ => {}
    }
    let alternatives = schema.alternatives();
    if let Some(words) = words_of(&alternatives)
        && Type::Text.admits(node)
    {
        values::word(&words, schema, node, place, faults);
        return;
    }
    let fitting: Vec<Schema<'_>> = alternatives
        .iter()
        .copied()
        .filter(|choice| fits(*choice, node))
        .collect();
    match fitting.as_slice() {
        [] => faults.push(wrong_type(schema, &alternatives, node, place)),
        [one] => inside(*one, node, place, faults),
        many => {
            // The alternative with the least to complain about is the one that was meant.
            let best = many
                .iter()
                .map(|choice| {
                    let mut found = Vec::new();
                    inside(*choice, node, place, &mut found);
                    found
                })
                .min_by_key(Vec::len);
            faults.extend(best.unwrap_or_default());
        }
    }
}

fn words_of<'s>(alternatives: &[Schema<'s>]) -> Option<Vec<&'s str>> {
    if alternatives.is_empty() {
        return None;
    }
    let words: Option<Vec<Vec<&str>>> = alternatives.iter().map(|a| a.words()).collect();
    words.map(|words| words.concat())
}

fn fits(schema: Schema<'_>, node: &Node) -> bool {
    if matches!(node.value, Value::Odd { .. }) {
        return false;
    }
    let types = schema.types();
    types.is_empty() || types.iter().any(|t| t.admits(node))
}

fn wrong_type(schema: Schema<'_>, choices: &[Schema<'_>], node: &Node, place: Place<'_>) -> Fault {
    let mut types: Vec<Type> = choices.iter().flat_map(|c| c.types()).collect();
    types.sort_unstable();
    types.dedup();
    let wants: Vec<&str> = types.iter().map(|t| t.wants()).collect();
    let wants = match wants.as_slice() {
        [] => "a value".to_owned(),
        [one] => (*one).to_owned(),
        [many @ .., last] => format!("{} or {last}", many.join(", ")),
    };
    let at = if node.at.is_empty() {
        place.at
    } else {
        &node.at
    };
    let odd = matches!(node.value, Value::Odd { .. });
    let rule = if odd { "ambiguous-value" } else { "wrong-type" };
    let fault = Fault::error(
        rule,
        at.clone(),
        format!("`{}` wants {wants}, found {}", place.path, node.found()),
    )
    .label(format!("wants {wants}"));
    let told = || match schema.told() {
        Some(told) => format!("`{}`: {told}", place.path),
        None => format!("write {wants}"),
    };
    let help = values::rewrite(&types, node).unwrap_or_else(told);
    fault.help(help)
}

/// Checks a value whose type is right.
fn inside(schema: Schema<'_>, node: &Node, place: Place<'_>, faults: &mut Vec<Fault>) {
    if let Some(Json::Array(parts)) = schema.get("allOf") {
        for part in parts {
            value(schema.at(part), node, place, faults);
        }
    }
    values::constraints(schema, node, place, faults);
    match &node.value {
        Value::Map(entries) => map(schema, entries, place, faults),
        Value::List(items) => {
            let each = schema.at(schema.get("items").unwrap_or(&ANYTHING));
            for (i, item) in items.iter().enumerate() {
                let path = format!("{}.{i}", place.path);
                let at = if item.at.is_empty() {
                    place.at
                } else {
                    &item.at
                };
                value(each, item, Place { path: &path, at }, faults);
            }
        }
        _ => {}
    }
}

fn map(schema: Schema<'_>, entries: &[Entry], place: Place<'_>, faults: &mut Vec<Fault>) {
    let mut meant = BTreeSet::new();
    let written: BTreeSet<&str> = entries.iter().map(|e| e.key.as_str()).collect();
    for entry in entries {
        let path = format!("{}.{}", place.path, super::bytes::shorten(&entry.key));
        let below = Place {
            path: &path,
            at: &entry.key_at,
        };
        let known = schema.properties().find(|(name, _)| *name == entry.key);
        let (_, known) = known.unzip();
        match (known, schema.get("additionalProperties")) {
            (Some(known), _) => value(schema.at(known), &entry.node, below, faults),
            (None, Some(Json::Bool(false))) => {
                let names = schema.properties().map(|(name, _)| name);
                let free = names.filter(|name| !written.contains(name));
                let near = nearest(&entry.key, free);
                meant.extend(near);
                faults.push(unknown(schema, entry, near, place));
            }
            (None, Some(any @ Json::Object(_))) => {
                value(schema.at(any), &entry.node, below, faults);
            }
            // Whatever it is, it must be something that reads in one way only.
            (None, _) => value(schema.at(&ANYTHING), &entry.node, below, faults),
        }
    }
    for name in schema.required() {
        // A slip of the pen is told once, not also as a missing field.
        if written.contains(name) || meant.contains(&name) {
            continue;
        }
        let field = schema.properties().find(|(known, _)| *known == name);
        let told = field.and_then(|(_, field)| schema.at(field).told());
        faults.push(
            Fault::error(
                "missing-field",
                place.at.clone(),
                format!("`{}` lacks the field `{name}`", place.path),
            )
            .help(match told {
                Some(told) => format!("add `{name}: ...` below it: {told}"),
                None => format!("add `{name}: ...` below it"),
            })
            .label(format!("lacks `{name}`")),
        );
    }
}

fn unknown(schema: Schema<'_>, entry: &Entry, near: Option<&str>, place: Place<'_>) -> Fault {
    let fault = Fault::error(
        "unknown-field",
        entry.key_at.clone(),
        format!(
            "unknown field `{}` in `{}`",
            super::bytes::shorten(&entry.key),
            place.path
        ),
    );
    match near {
        Some(near) => fault
            .help(format!("did you mean `{near}`?"))
            .label("unknown field"),
        None => fault
            .help(format!(
                "take it out; the fields of `{}` are {}",
                place.path,
                list(schema.properties().map(|(name, _)| name), SHOWN)
            ))
            .conceal(entry.node.contents())
            .label("unknown field"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(schema: &Json, body: &str) -> Vec<&'static str> {
        let docs = super::super::yaml::parse(body);
        let root = docs[0].root.as_ref().unwrap();
        let faults = check(schema, root, "spec", &(0..1));
        faults.iter().map(|f| f.rule).collect()
    }

    #[test]
    fn where_anything_goes_a_value_still_reads_in_one_way_only() {
        for schema in [json!({}), json!(true), json!({"type": "object"})] {
            assert_eq!(rules(&schema, "a: no\nb: [010, 1]\nc: {d: }\n").len(), 3);
        }
    }

    #[test]
    fn of_several_alternatives_the_nearest_is_told() {
        let schema = json!({"properties": {"size": {"anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "object", "additionalProperties": false, "required": ["least"],
             "properties": {"least": {"type": "integer"}}},
            {"type": "object", "additionalProperties": false, "required": ["most"],
             "properties": {"most": {"type": "integer"}}},
            {"type": "null"},
        ]}}});
        assert_eq!(rules(&schema, "size: 4\n"), [""; 0]);
        assert_eq!(rules(&schema, "size: {most: 4}\n"), [""; 0]);
        assert_eq!(rules(&schema, "size: 0\n"), ["out-of-range"]);
        assert_eq!(rules(&schema, "size: {most: a}\n"), ["wrong-type"]);
        assert_eq!(rules(&schema, "size: big\n"), ["wrong-type"]);
        assert_eq!(rules(&schema, "size: ~\n"), ["null-value"]);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}});
        assert_eq!(rules(&schema, "a: 1\n"), [""; 0]);
    }
}
