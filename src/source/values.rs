//! Values: the bounds that a schema puts on one value, and how to write a value that was mistyped.
//!
//! Pure: a schema and a value in, faults out.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value as Json;

use super::bytes::shorten;
use super::node::{Node, Value};
use super::schema::{Schema, Type};
use super::shape::Place;
use super::suggest::{list, nearest};
use super::text::Fault;

/// Names shown in a help line.
const SHOWN: usize = 20;

/// Checks a text against the only ones allowed.
pub(super) fn word(
    words: &[&str],
    schema: Schema<'_>,
    node: &Node,
    place: Place<'_>,
    faults: &mut Vec<Fault>,
) {
    let Value::Text(text) = &node.value else {
        return;
    };
    if words.contains(&text.as_str()) {
        return;
    }
    let message = format!("`{}` cannot be {:?}", place.path, shorten(text));
    let fault = Fault::error("not-allowed", node.at.clone(), message);
    let allowed = list(words.iter().copied(), SHOWN);
    faults.push(match nearest(text, words.iter().copied()) {
        Some(near) => fault
            .help(format!("did you mean `{near}`? Allowed: {allowed}"))
            .label("not allowed"),
        None => {
            let told = schema.told().map_or(String::new(), |t| format!(" ({t})"));
            fault
                .help(format!("write one of {allowed}{told}"))
                .label("not allowed")
        }
    });
}

/// Checks the bounds of a value of the right type.
pub(super) fn constraints(
    schema: Schema<'_>,
    node: &Node,
    place: Place<'_>,
    faults: &mut Vec<Fault>,
) {
    let problem = match &node.value {
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^52")]
        Value::Int(value) => number(schema, *value as f64),
        Value::Float { number: value, .. } => number(schema, *value),
        Value::Text(value) => text(schema, value),
        Value::List(items) => count(schema, items.len(), "Items", "item"),
        Value::Map(entries) => count(schema, entries.len(), "Properties", "key"),
        _ => None,
    };
    if let Some((rule, problem)) = problem {
        let at = if node.at.is_empty() {
            place.at
        } else {
            &node.at
        };
        let told = schema.told();
        faults.push(
            Fault::error(
                rule,
                at.clone(),
                match node.value {
                    Value::List(_) | Value::Map(_) => format!("`{}` {problem}", place.path),
                    _ => format!("`{}` {problem}, found {}", place.path, node.found()),
                },
            )
            .help(match told {
                Some(told) => format!("`{}`: {told}", place.path),
                None => "write a value that is allowed, or leave the key out".to_owned(),
            })
            .label(match rule {
                "pattern" => "does not match".to_owned(),
                _ => problem,
            }),
        );
    }
    if schema.get("uniqueItems") == Some(&Json::Bool(true))
        && let Value::List(items) = &node.value
    {
        let mut seen = BTreeSet::new();
        for item in items {
            if !seen.insert(item.to_tree().to_string()) {
                faults.push(
                    Fault::error(
                        "duplicate-item",
                        item.at.clone(),
                        format!("`{}` lists the same item twice", place.path),
                    )
                    .help("keep one of the two"),
                );
            }
        }
    }
}

type Problem = Option<(&'static str, String)>;

fn number(schema: Schema<'_>, value: f64) -> Problem {
    let bound = |word| schema.get(word).and_then(Json::as_f64);
    // schemars bounds small integers by keywords, and the larger ones by their format only.
    let (format_least, format_most) = match schema.get("format").and_then(Json::as_str) {
        Some("uint8") => (Some(0.0), Some(f64::from(u8::MAX))),
        Some("uint16") => (Some(0.0), Some(f64::from(u16::MAX))),
        Some("uint32") => (Some(0.0), Some(f64::from(u32::MAX))),
        Some("uint64" | "uint") => (Some(0.0), None),
        Some("int8") => (Some(f64::from(i8::MIN)), Some(f64::from(i8::MAX))),
        Some("int16") => (Some(f64::from(i16::MIN)), Some(f64::from(i16::MAX))),
        Some("int32") => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
        _ => (None, None),
    };
    let least = bound("minimum").or(format_least);
    let most = bound("maximum").or(format_most);
    let above = bound("exclusiveMinimum");
    let below = bound("exclusiveMaximum");
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let problem = match (least, most) {
        (Some(a), Some(b)) if value < a || value > b => format!("must be from {a} to {b}"),
        (Some(a), _) if value < a => format!("must be at least {a}"),
        (_, Some(b)) if value > b => format!("must be at most {b}"),
        _ if above.is_some_and(|a| value <= a) => {
            format!("must be above {}", above.unwrap_or_default())
        }
        _ if below.is_some_and(|b| value >= b) => {
            format!("must be below {}", below.unwrap_or_default())
        }
        _ => match step {
            Some(step) if (value / step).fract() != 0.0 => {
                format!("must be a multiple of {step}")
            }
            _ => return None,
        },
    };
    Some(("out-of-range", problem))
}

fn text(schema: Schema<'_>, value: &str) -> Problem {
    if let Some(words) = schema.words()
        && !words.contains(&value)
    {
        return Some(("not-allowed", format!("must be {}", list(words, SHOWN))));
    }
    let length = value.chars().count();
    let bound = |word| {
        let bound = schema.get(word).and_then(Json::as_u64)?;
        usize::try_from(bound).ok()
    };
    let (least, most) = (bound("minLength"), bound("maxLength"));
    if least == Some(1) && length == 0 {
        return Some(("out-of-range", "must not be empty".to_owned()));
    }
    if least.is_some_and(|least| length < least) || most.is_some_and(|most| length > most) {
        let problem = match (least, most) {
            (Some(a), Some(b)) => format!("must have {a} to {b} characters"),
            (Some(a), None) => format!("must have at least {a} characters"),
            (_, most) => format!("must have at most {} characters", most.unwrap_or_default()),
        };
        return Some(("out-of-range", format!("{problem} (it has {length})")));
    }
    let pattern = schema.get("pattern").and_then(Json::as_str)?;
    let regex = Regex::new(pattern).ok()?;
    (!regex.is_match(value)).then(|| ("pattern", format!("must match the pattern `{pattern}`")))
}

fn count(schema: Schema<'_>, have: usize, of: &str, noun: &str) -> Problem {
    let bound = |word: &str| {
        let bound = schema.get(&format!("{word}{of}")).and_then(Json::as_u64)?;
        usize::try_from(bound).ok()
    };
    let many = |n: usize| if n == 1 { "" } else { "s" };
    if let Some(least) = bound("min").filter(|least| have < *least) {
        let problem = format!(
            "needs at least {least} {noun}{} and has {have}",
            many(least)
        );
        return Some(("out-of-range", problem));
    }
    let most = bound("max").filter(|most| have > *most)?;
    let problem = format!("takes at most {most} {noun}{} and has {have}", many(most));
    Some(("out-of-range", problem))
}

/// How to write what was probably meant, for a value of the wrong type.
pub(super) fn rewrite(wanted: &[Type], node: &Node) -> Option<String> {
    let wants = |t| wanted.contains(&t);
    match &node.value {
        Value::Float { number, .. }
            if wants(Type::Whole) && number.fract() == 0.0 && number.abs() < 1e15 =>
        {
            Some(format!("write `{number:.0}`"))
        }
        Value::Float { raw, .. } | Value::Odd { raw, .. } if wants(Type::Text) => {
            Some(format!("quote it to mean text: `\"{}\"`", shorten(raw)))
        }
        Value::Odd { raw, .. } if wants(Type::Boolean) => match raw.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" => Some("write `true`".to_owned()),
            "no" | "off" | "false" => Some("write `false`".to_owned()),
            _ => None,
        },
        Value::Odd { raw, .. } if wants(Type::Whole) || wants(Type::Number) => {
            let decimal = raw.trim_start_matches('0').replace('_', "");
            decimal
                .parse::<i64>()
                .ok()
                .map(|number| format!("write `{number}`, if that is what is meant"))
        }
        Value::Int(value) if wants(Type::Text) => {
            Some(format!("quote it to mean text: `\"{value}\"`"))
        }
        Value::Bool(value) if wants(Type::Text) => {
            Some(format!("quote it to mean text: `\"{value}\"`"))
        }
        Value::Text(text) if wants(Type::Whole) || wants(Type::Number) => text
            .parse::<i64>()
            .ok()
            .map(|number| format!("take the quotes away: `{number}`")),
        Value::Text(text) if wants(Type::Boolean) && matches!(text.as_str(), "true" | "false") => {
            Some(format!("take the quotes away: `{text}`"))
        }
        Value::Odd { raw, .. } => Some(format!(
            "quote it if it is meant as text: `\"{}\"`",
            shorten(raw)
        )),
        _ => None,
    }
}
