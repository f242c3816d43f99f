//! Schema: the JSON Schema of a whole document, for editors, put together from the kinds.
//!
//! Pure: schemas in, one schema out.

use serde_json::{Map, Value, json};

use crate::control::document;
use crate::kinds::Kind;
use crate::model::key::LABEL_MAX;
use crate::source::API_VERSION;

/// The JSON Schema (draft 2020-12) that every document of every kind satisfies. A multi-document
/// file is checked document by document, as editors do.
///
/// It holds no rule that [`crate::source`] does not also enforce; what concerns the whole set
/// (names, references, sizes that exist) is left to `evenkeel check`.
pub fn editors(kinds: &[&dyn Kind]) -> Value {
    let mut definitions = Map::new();
    let mut branches = Vec::new();
    let mut shapes: Vec<(&str, &str, Value)> = kinds
        .iter()
        .map(|kind| (kind.name(), kind.about(), kind.schema().to_value()))
        .collect();
    shapes.push((
        document::POLICY,
        document::ABOUT,
        document::schema().to_value(),
    ));
    for (name, _, schema) in &shapes {
        let spec = adopt(name, schema.clone(), &mut definitions);
        definitions.insert((*name).to_owned(), spec);
        branches.push(json!({
            "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
            "then": {"properties": {"spec": {"$ref": format!("#/$defs/{name}")}}},
        }));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Evenkeel document",
        "description": "One object of an application on AWS ECS, as it is to be. A field that is left out is left alone.",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "The version of this format."},
            "kind": {
                "description": "What kind of object.",
                "oneOf": shapes.iter().map(|(name, about, _)| json!({
                    "const": name,
                    "description": about,
                })).collect::<Vec<_>>(),
            },
            "metadata": {
                "description": "Whose object it is, and its name among them.",
                "type": "object",
                "required": ["app", "name"],
                "additionalProperties": false,
                "properties": {
                    "app": label("The application: what is locked, written and frozen together."),
                    "name": label("The document's name, unique for its app and kind."),
                },
            },
            "spec": {"description": "What is wanted of it."},
        },
        "allOf": branches,
        "$defs": definitions,
    })
}

/// A DNS label.
fn label(description: &str) -> Value {
    json!({
        "description": description,
        "type": "string",
        "maxLength": LABEL_MAX,
        "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
    })
}

/// Moves a kind's own definitions under names that start with the kind's, so that two kinds may
/// both have a `Tags`, and returns its schema without them.
fn adopt(kind: &str, mut schema: Value, definitions: &mut Map<String, Value>) -> Value {
    rename_references(kind, &mut schema);
    refuse_null(&mut schema);
    accept_values(&mut schema);
    if let Value::Object(members) = &mut schema {
        members.remove("$schema");
        if let Some(Value::Object(own)) = members.remove("$defs") {
            for (name, definition) in own {
                definitions.insert(format!("{kind}.{name}"), definition);
            }
        }
    }
    schema
}

/// Takes the `null` out of optional fields: to the derive an option may be null, to the loader a
/// field that says nothing is left out.
fn refuse_null(schema: &mut Value) {
    let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    members.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| !is_null(choice));
                if let [Value::Object(one)] = choices.as_slice() {
                    // What stands beside the choice, its description, is about this field.
                    let one = one.clone();
                    members.remove("anyOf");
                    for (name, member) in one {
                        members.entry(name).or_insert(member);
                    }
                }
            }
            members.values_mut().for_each(refuse_null);
        }
        Value::Array(items) => items.iter_mut().for_each(refuse_null),
        _ => {}
    }
}

/// Lets a value of an environment stand where the loader would put one: for a whole scalar that is
/// no free text, which holds any.
fn accept_values(schema: &mut Value) {
    let Value::Object(members) = schema else {
        return;
    };
    for word in ["properties", "$defs"] {
        if let Some(Value::Object(below)) = members.get_mut(word) {
            below.values_mut().for_each(accept_values);
        }
    }
    for word in ["items", "additionalProperties"] {
        if let Some(below) = members.get_mut(word) {
            accept_values(below);
        }
    }
    for word in ["anyOf", "allOf"] {
        if let Some(Value::Array(choices)) = members.get_mut(word) {
            choices.iter_mut().for_each(accept_values);
        }
    }
    let is_text = |choice: &Value| choice.get("type").and_then(Value::as_str) == Some("string");
    let words = members.get("oneOf").and_then(Value::as_array);
    // Words, each with its description: one more of them would match every one.
    let scalar = match members.get("type").and_then(Value::as_str) {
        _ if words.is_some_and(|words| words.iter().all(is_text)) => true,
        Some("integer" | "number" | "boolean") => true,
        Some("string") => ["enum", "const", "pattern", "minLength"]
            .iter()
            .any(|word| members.contains_key(*word)),
        _ => false,
    };
    if scalar {
        let mut whole = Map::new();
        if let Some(description) = members.remove("description") {
            whole.insert("description".to_owned(), description);
        }
        let own = Value::Object(std::mem::take(members));
        whole.insert(
            "anyOf".to_owned(),
            json!([own, {"type": "string", "pattern": "^\\$[A-Za-z][A-Za-z0-9_-]*$"}]),
        );
        *members = whole;
    }
}

fn rename_references(kind: &str, schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(target) if name == "$ref" => {
                        if let Some(rest) = target.strip_prefix("#/$defs/") {
                            *target = format!("#/$defs/{kind}.{rest}");
                        }
                    }
                    _ => rename_references(kind, member),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                rename_references(kind, item);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KINDS;

    fn references<'s>(schema: &'s Value, found: &mut Vec<&'s str>) {
        match schema {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(target) if name == "$ref" => found.push(target),
                        _ => references(member, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_of_the_editors_schema_resolves() {
        let schema = editors(KINDS);
        let mut found = Vec::new();
        references(&schema, &mut found);
        assert!(found.len() >= KINDS.len());
        for target in found {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(schema.pointer(pointer).is_some(), "{target}");
        }
    }

    /// The parts of a schema that allow `null`.
    fn nulls<'s>(schema: &'s Value, found: &mut Vec<&'s Value>) {
        match schema {
            Value::Object(members) => {
                let listed = |v: &Value| *v == json!("null") || *v == json!(["null"]);
                for (name, member) in members {
                    let types = member.as_array().into_iter().flatten();
                    if name == "type" && (listed(member) || types.into_iter().any(listed)) {
                        found.push(schema);
                    }
                    nulls(member, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| nulls(item, found)),
            _ => {}
        }
    }

    #[test]
    fn nothing_may_be_null_since_the_loader_refuses_it() {
        let schema = editors(KINDS);
        let mut found = Vec::new();
        nulls(&schema, &mut found);
        assert_eq!(found, [&json!(null); 0]);
        let validator = jsonschema::validator_for(&schema).unwrap();
        let with = |kind: &str, spec: Value| {
            validator.is_valid(&json!({
                "apiVersion": API_VERSION, "kind": kind,
                "metadata": {"app": "shop", "name": "web"}, "spec": spec,
            }))
        };
        assert!(with("Service", json!({"cluster": "main", "cpu": 256})));
        assert!(!with("Service", json!({"cluster": "main", "cpu": null})));
        assert!(!with(
            "Service",
            json!({"cluster": "main", "scaling": null})
        ));
        assert!(!with("Alarm", json!({"preset": null})));
    }

    #[test]
    fn a_misspelt_field_of_a_known_kind_does_not_satisfy_the_editors_schema() {
        let validator = jsonschema::validator_for(&editors(KINDS)).unwrap();
        let good = json!({
            "apiVersion": API_VERSION, "kind": "Table",
            "metadata": {"app": "shop", "name": "orders"},
            "spec": {"tableName": "orders"},
        });
        assert!(validator.is_valid(&good));
        for (pointer, name) in [
            ("/spec", "tableNam"),
            ("/metadata", "labels"),
            ("", "specs"),
        ] {
            let mut bad = good.clone();
            let members = bad.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
            members.insert(name.to_owned(), json!("x"));
            assert!(!validator.is_valid(&bad), "{pointer}/{name}");
        }
    }
}
