//! Nodes: a document as it was written, every part with its place.
//!
//! Pure: only values.

use std::ops::Range;

use serde_json::json;

use super::bytes::shorten;
use super::text::{Contents, Text};
use crate::model::document::Places;
use crate::model::tree::Tree;

/// One value and the bytes where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub at: Range<usize>,
    pub value: Value,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// `null`, `~` or nothing at all.
    Null,
    Bool(bool),
    Int(i64),
    /// A finite number with a point or an exponent.
    Float {
        number: f64,
        raw: String,
    },
    Text(String),
    /// An unquoted word that YAML readers disagree on.
    Odd {
        raw: String,
        /// Follows "which": `some YAML readers take for true`.
        why: &'static str,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something that was reported already; nothing more is to be said about it.
    Bad,
}

/// One line of a mapping. Keys are unique.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub key_at: Range<usize>,
    pub node: Node,
}

impl Node {
    /// The entry named `key`, if this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }

    /// The JSON of what was written. Odd and bad values, which no loaded document has, are null.
    pub fn to_tree(&self) -> Tree {
        match &self.value {
            Value::Null | Value::Odd { .. } | Value::Bad => Tree::Null,
            Value::Bool(value) => json!(value),
            Value::Int(value) => json!(value),
            Value::Float { number, .. } => json!(number),
            Value::Text(text) => json!(text),
            Value::List(items) => items.iter().map(Node::to_tree).collect(),
            Value::Map(entries) => Tree::Object(
                entries
                    .iter()
                    .map(|e| (e.key.clone(), e.node.to_tree()))
                    .collect(),
            ),
        }
    }

    /// The same, with words that readers disagree on as they are spelt.
    pub fn spelt(&self) -> Tree {
        match &self.value {
            Value::Odd { raw, .. } | Value::Float { raw, .. } => json!({ "spelt": raw }),
            Value::List(items) => items.iter().map(Node::spelt).collect(),
            Value::Map(entries) => {
                let below = entries.iter().map(|e| (e.key.clone(), e.node.spelt()));
                Tree::Object(below.collect())
            }
            _ => self.to_tree(),
        }
    }

    /// Where each key and each list item below this node stands.
    pub fn fields(&self, text: &Text) -> Places {
        let mut fields = Places::default();
        self.collect(&mut Vec::new(), text, &mut fields);
        fields
    }

    fn collect<'n>(&'n self, path: &mut Vec<&'n str>, text: &Text, into: &mut Places) {
        match &self.value {
            Value::Map(entries) => {
                for entry in entries {
                    path.push(entry.key.as_str());
                    let at = text.span(entry.key_at.start);
                    into.put(path, at.line, at.column);
                    entry.node.collect(path, text, into);
                    path.pop();
                }
            }
            Value::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    let index = i.to_string();
                    item.collect_item(&index, path, text, into);
                }
            }
            _ => {}
        }
    }

    fn collect_item(&self, index: &str, path: &[&str], text: &Text, into: &mut Places) {
        let mut path: Vec<&str> = path.to_vec();
        path.push(index);
        let at = text.span(self.at.start);
        into.put(&path, at.line, at.column);
        self.collect(&mut path, text, into);
    }

    /// What stands here and below.
    pub fn contents(&self) -> Contents {
        let mut parts = Vec::new();
        self.collect_parts(&mut parts);
        Contents {
            whole: self.at.clone(),
            parts,
        }
    }

    fn collect_parts(&self, into: &mut Vec<Range<usize>>) {
        match &self.value {
            Value::Text(_) | Value::Odd { .. } | Value::Int(_) | Value::Float { .. } => {
                into.push(self.at.clone());
            }
            Value::List(items) => items.iter().for_each(|item| item.collect_parts(into)),
            Value::Map(entries) => entries.iter().for_each(|e| e.node.collect_parts(into)),
            Value::Null | Value::Bool(_) | Value::Bad => {}
        }
    }

    /// Nodes in all, this one included.
    pub fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Node::size).sum(),
            Value::Map(entries) => entries.iter().map(|e| e.node.size()).sum(),
            _ => 0,
        }
    }

    /// Levels of nesting, this one included.
    pub fn height(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Node::height).max().unwrap_or(0),
            Value::Map(entries) => entries.iter().map(|e| e.node.height()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// What stands here, for "found ...".
    pub fn found(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => format!("the number {value}"),
            Value::Float { raw, .. } => format!("the number {raw}"),
            Value::Text(text) => format!("the text {:?}", shorten(text)),
            Value::Odd { raw, why } => format!("`{}`, which {why}", shorten(raw)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Bad => "something unreadable".to_owned(),
        }
    }
}
