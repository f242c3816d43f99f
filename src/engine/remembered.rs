//! Remembered: the facts of steps that later ones build upon, applied or given up.
//!
//! Pure: a step in, a word and a value of its object's memory out.

use jiff::Timestamp;

use crate::model::change::Step;
use crate::model::tree::Tree;

/// Under which word the newest application of an operation is remembered, of those that something
/// is built upon.
pub(super) fn applied_word(step: &Step) -> String {
    format!("applied:{}", step.operation)
}

/// The word for a write of that sort that was given up: its request may still be on its way, from a
/// machine that a host has stopped.
pub(super) fn given_up_word(step: &Step) -> String {
    format!("givenUp:{}", step.operation)
}

/// What is remembered of it; `at` is when its outcome was known.
pub(super) fn applied_fact(step: &Step, detail: &Tree, at: Timestamp) -> Tree {
    serde_json::json!({"step": step.detail, "result": detail, "at": at})
}
