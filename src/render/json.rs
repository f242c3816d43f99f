//! JSON: any of our values, indented, with a line end.
//!
//! Pure: a value in, text out.

use serde::Serialize;

use crate::model::tree;

/// `value` as one JSON text. Keys are sorted, so equal values give equal text.
pub fn text<T: Serialize>(value: &T) -> String {
    format!("{:#}\n", tree::to_tree(value))
}
