//! Frame: a list or mapping that is open while its events come in.
//!
//! Pure: only values.

use std::ops::Range;

use super::merge::Keys;
use super::node::{Entry, Node};

/// One open collection.
pub(super) struct Frame {
    pub start: usize,
    pub anchor: usize,
    pub tagged: bool,
    pub kind: FrameKind,
}

impl Frame {
    /// A key of which something has been told: it is not missed besides, nor told to stand twice.
    pub fn told_key(&mut self, text: String, at: Range<usize>) -> Key {
        match &mut self.kind {
            FrameKind::Map { keys, .. } if !keys.contains_key(&text) => {
                keys.insert(text.clone(), at.clone());
                Key::Text(text, at)
            }
            _ => Key::Bad,
        }
    }
}

/// What it has so far.
pub(super) enum FrameKind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        keys: Keys,
        merges: Vec<(Range<usize>, Node)>,
        pending: Option<Key>,
    },
}

/// A key that waits for its value.
pub(super) enum Key {
    Text(String, Range<usize>),
    Merge(Range<usize>),
    /// Reported already; the value is dropped.
    Bad,
}
