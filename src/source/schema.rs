//! Schema: reading the JSON Schema of a kind's spec, as far as schemars writes it.
//!
//! Pure: only reads a schema.

use serde_json::Value as Json;

use super::node::{Node, Value};

/// `$ref` steps from one schema to the next before a loop is assumed.
const HOPS: usize = 16;

/// The types a value can have, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    Whole,
    Number,
    Text,
    Boolean,
    List,
    Map,
}

impl Type {
    /// What a field of this type wants.
    pub fn wants(self) -> &'static str {
        match self {
            Type::Whole => "a whole number",
            Type::Number => "a number",
            Type::Text => "text",
            Type::Boolean => "true or false",
            Type::List => "a list",
            Type::Map => "a mapping",
        }
    }

    /// Whether `node` is of this type.
    pub fn admits(self, node: &Node) -> bool {
        match self {
            Type::Whole => matches!(node.value, Value::Int(_)),
            Type::Number => matches!(node.value, Value::Int(_) | Value::Float { .. }),
            Type::Text => matches!(node.value, Value::Text(_)),
            Type::Boolean => matches!(node.value, Value::Bool(_)),
            Type::List => matches!(node.value, Value::List(_)),
            Type::Map => matches!(node.value, Value::Map(_)),
        }
    }
}

/// A schema and the document it stands in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema<'s> {
    root: &'s Json,
    pub here: &'s Json,
}

impl<'s> Schema<'s> {
    pub fn root(root: &'s Json) -> Self {
        Self { root, here: root }.followed()
    }

    /// The schema `here`, with references followed.
    pub fn at(self, here: &'s Json) -> Self {
        Self { here, ..self }.followed()
    }

    fn followed(mut self) -> Self {
        for _ in 0..HOPS {
            let Some(target) = self.here.get("$ref").and_then(Json::as_str) else {
                break;
            };
            let Some(found) = target
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(pointer))
            else {
                break;
            };
            self.here = found;
        }
        self
    }

    pub fn get(self, keyword: &str) -> Option<&'s Json> {
        self.here.get(keyword)
    }

    /// The schemas of which one must hold, without the `null` that an optional field has.
    pub fn alternatives(self) -> Vec<Self> {
        let choices = ["anyOf", "oneOf"]
            .into_iter()
            .find_map(|word| self.get(word)?.as_array());
        let Some(choices) = choices else {
            return vec![self];
        };
        choices
            .iter()
            .map(|choice| self.at(choice))
            .filter(|choice| choice.get("type").and_then(Json::as_str) != Some("null"))
            .flat_map(Schema::alternatives)
            .collect()
    }

    /// The texts it allows, if it allows only certain texts.
    pub fn words(self) -> Option<Vec<&'s str>> {
        let values = match (self.get("const"), self.get("enum")) {
            (Some(only), _) => std::slice::from_ref(only),
            (None, Some(Json::Array(values))) => values.as_slice(),
            _ => return None,
        };
        let texts = values.iter().filter(|v| !v.is_null());
        texts.map(Json::as_str).collect()
    }

    /// The types it allows; empty for any.
    pub fn types(self) -> Vec<Type> {
        let named = match self.get("type") {
            Some(Json::String(one)) => vec![one.as_str()],
            Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
            _ if self.words().is_some() => vec!["string"],
            _ if self.get("properties").is_some() => vec!["object"],
            _ if self.get("items").is_some() => vec!["array"],
            _ => Vec::new(),
        };
        let mut types: Vec<Type> = named
            .into_iter()
            .filter_map(|name| match name {
                "integer" => Some(Type::Whole),
                "number" => Some(Type::Number),
                "string" => Some(Type::Text),
                "boolean" => Some(Type::Boolean),
                "array" => Some(Type::List),
                "object" => Some(Type::Map),
                _ => None,
            })
            .collect();
        types.sort_unstable();
        types
    }

    /// The named fields of a mapping.
    pub fn properties(self) -> impl Iterator<Item = (&'s str, &'s Json)> {
        let properties = self.get("properties").and_then(Json::as_object);
        properties
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.as_str(), schema))
    }

    /// The fields that must be there.
    pub fn required(self) -> impl Iterator<Item = &'s str> {
        let required = self.get("required").and_then(Json::as_array);
        required.into_iter().flatten().filter_map(Json::as_str)
    }

    /// The first sentence of its description, on one line.
    pub fn told(self) -> Option<String> {
        let text = self.get("description").and_then(Json::as_str)?;
        let text = text.split("\n\n").next()?;
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(line.trim_end_matches('.').to_owned()).filter(|line| !line.is_empty())
    }
}
