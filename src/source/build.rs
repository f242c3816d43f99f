//! Build: from parser events to nodes, with keys unique, merges expanded and aliases bounded.
//!
//! Pure: events in, nodes and faults out.

use std::collections::BTreeMap;
use std::ops::Range;

use super::again::{Again, Level};
use super::bytes::shorten;
use super::frame::{Frame, FrameKind, Key};
use super::hidden::{self, Role};
use super::merge::{self, Keys};
use super::node::{Entry, Node, Value};
use super::scalar;
use super::text::Fault;
use super::yaml::{ANCHORS, DEPTH, Doc, FAULTS, NODES};
use crate::model::finding::MORE_FINDINGS;

/// Collects the events of one file into documents.
pub(super) struct Builder<'b> {
    body: &'b str,
    frames: Vec<Frame>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Anchored>,
    faults: Vec<Fault>,
    again: Again,
    /// Faults of the documents before.
    told: usize,
    nodes: usize,
    aliases: usize,
    state: State,
}

#[derive(PartialEq)]
enum State {
    /// The document so far is whole.
    Sound,
    /// Its syntax is broken: there is no tree.
    Broken,
    /// A bound of the file is passed.
    Spent,
}

struct Anchored {
    node: Node,
    size: usize,
    height: usize,
}

impl<'b> Builder<'b> {
    pub fn new(body: &'b str) -> Self {
        Self {
            body,
            frames: Vec::new(),
            root: None,
            anchors: BTreeMap::new(),
            faults: Vec::new(),
            again: Again::default(),
            told: 0,
            nodes: 0,
            aliases: 0,
            state: State::Sound,
        }
    }

    /// Whether a bound is passed and nothing more is to be read.
    pub fn spent(&self) -> bool {
        self.state == State::Spent
    }

    /// The document's syntax is broken.
    pub fn fail(&mut self, fault: Fault) {
        self.faults.push(fault);
        self.state = State::Broken;
        self.overfull();
    }

    /// Gives up on a file with too many faults; says whether any bound of it is passed.
    pub fn overfull(&mut self) -> bool {
        let Some(last) = self.faults.last() else {
            return self.spent();
        };
        if self.told + self.faults.len() >= FAULTS && !self.spent() {
            let at = last.at.clone();
            let message = format!("{FAULTS} faults so far; the rest of the file is not read");
            let help = "mend the ones above and check again";
            self.give_up(Fault::error(MORE_FINDINGS, at, message).help(help));
        }
        self.spent()
    }

    /// Ends the document; the next event belongs to another.
    pub fn document(&mut self, range: Range<usize>) -> Doc {
        let root = self.root.take().filter(|_| self.state == State::Sound);
        self.frames.clear();
        self.anchors.clear();
        self.state = State::Sound;
        self.told += self.faults.len();
        let mut faults = std::mem::take(&mut self.faults);
        let owner = std::mem::take(&mut self.again).finish(&mut faults);
        Doc {
            root,
            faults,
            owner,
            range,
        }
    }

    pub fn scalar(
        &mut self,
        text: String,
        plain: bool,
        anchor: usize,
        tag: Option<Range<usize>>,
        at: Range<usize>,
    ) {
        let mut told = tag.is_some();
        if let Some(tag) = tag {
            self.tag(tag);
        }
        let role = if self.wants_key() {
            Role::Key
        } else {
            Role::Value
        };
        if let Some(fault) = hidden::fault(&text, role, &at) {
            self.faults.push(fault);
            if role == Role::Key && !told {
                let frame = self.frames.last_mut();
                let key = frame.map(|f| f.told_key(hidden::as_it_reads(&text), at));
                self.set_key(key.unwrap_or(Key::Bad));
                return;
            }
            told = true;
        }
        if role == Role::Key {
            let key = if told {
                Key::Bad
            } else {
                self.key(text, plain, at)
            };
            self.set_key(key);
            return;
        }
        let value = if told {
            Value::Bad
        } else if plain {
            scalar::plain(&text)
        } else {
            Value::Text(text)
        };
        self.place(Node { at, value }, anchor);
    }

    pub fn open(&mut self, map: bool, anchor: usize, tag: Option<Range<usize>>, at: Range<usize>) {
        let tagged = tag.is_some();
        if let Some(tag) = tag {
            self.tag(tag);
        }
        if self.wants_key() {
            self.bad_key(at.clone(), "a key must be text, not a list or a mapping");
        }
        if self.frames.len() >= DEPTH {
            self.give_up(
                Fault::error(
                    "too-deep",
                    at,
                    format!("nested more than {DEPTH} levels deep"),
                )
                .help("no document needs that; look for brackets that are never closed"),
            );
            return;
        }
        let kind = if map {
            FrameKind::Map {
                entries: Vec::new(),
                keys: Keys::new(),
                merges: Vec::new(),
                pending: None,
            }
        } else {
            FrameKind::List(Vec::new())
        };
        self.frames.push(Frame {
            start: at.start,
            anchor,
            tagged,
            kind,
        });
    }

    pub fn close(&mut self, end: usize) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let value = match frame.kind {
            FrameKind::List(items) => Value::List(items),
            FrameKind::Map {
                entries,
                keys,
                merges,
                ..
            } => {
                let (level, before) = (Level::below(&self.frames, frame.anchor), self.faults.len());
                let map = merge::merge(self.body, entries, keys, merges, &mut self.faults);
                if self.faults.len() > before {
                    self.again.merged(level);
                }
                Value::Map(map)
            }
        };
        let value = if frame.tagged { Value::Bad } else { value };
        // Block collections end where the next thing starts: take the blank away.
        let span = self.body.get(frame.start..end).unwrap_or("");
        let end = frame.start + span.trim_end().len();
        let node = Node {
            at: frame.start..end.max(frame.start),
            value,
        };
        self.place(node, frame.anchor);
    }

    pub fn alias(&mut self, id: usize, at: Range<usize>) {
        self.aliases += 1;
        if self.aliases > ANCHORS {
            self.give_up(
                Fault::error(
                    "too-many-aliases",
                    at,
                    format!("more than {ANCHORS} aliases in one file"),
                )
                .help("write the values out"),
            );
            return;
        }
        if self.wants_key() {
            self.bad_key(at, "a key must be text, not an alias");
            return;
        }
        let Some(anchored) = self.anchors.get(&id) else {
            self.faults.push(
                Fault::error(
                    "recursive-alias",
                    at.clone(),
                    "this alias stands for something that holds itself",
                )
                .help("write the value out"),
            );
            self.place(
                Node {
                    at,
                    value: Value::Bad,
                },
                0,
            );
            return;
        };
        if self.frames.len() + anchored.height > DEPTH {
            self.give_up(
                Fault::error(
                    "too-deep",
                    at,
                    format!("aliases nest more than {DEPTH} levels deep"),
                )
                .help("write the values out"),
            );
            return;
        }
        let size = anchored.size;
        if !self.charge(size, &at) {
            return;
        }
        if let Some(anchored) = self.anchors.get(&id) {
            let value = anchored.node.value.clone();
            self.place(Node { at, value }, 0);
        }
    }

    pub fn unresolved(&mut self, name: &str, at: Range<usize>) {
        self.faults.push(
            Fault::error(
                "unknown-alias",
                at.clone(),
                format!("the alias `*{}` has no anchor before it in this document", shorten(name)),
            )
            .help(format!(
                "mark the value with `&{}` earlier in the same document, or quote the text if it is no alias",
                shorten(name)
            )),
        );
        if self.wants_key() {
            self.set_key(Key::Bad);
        } else {
            self.place(
                Node {
                    at,
                    value: Value::Bad,
                },
                0,
            );
        }
    }

    /// Counts `more` nodes; `false` if that passes the bound.
    fn charge(&mut self, more: usize, at: &Range<usize>) -> bool {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes <= NODES {
            return true;
        }
        self.give_up(
            Fault::error(
                "too-many-nodes",
                at.clone(),
                format!("this file stands for more than {NODES} values"),
            )
            .help("split the file; if it has aliases of aliases, write the values out"),
        );
        false
    }

    fn give_up(&mut self, fault: Fault) {
        self.faults.push(fault);
        self.state = State::Spent;
        self.root = None;
    }

    fn tag(&mut self, at: Range<usize>) {
        self.faults.push(
            Fault::error("tag", at, "a YAML tag (`!...`) stands before this value")
                .help("take the tag away; quote the value if it is meant as text"),
        );
    }

    /// Whether the next node is the key of a mapping.
    fn wants_key(&self) -> bool {
        matches!(
            self.frames.last(),
            Some(Frame {
                kind: FrameKind::Map { pending: None, .. },
                ..
            })
        )
    }

    fn set_key(&mut self, key: Key) {
        if let Some(Frame {
            kind: FrameKind::Map { pending, .. },
            ..
        }) = self.frames.last_mut()
        {
            *pending = Some(key);
        }
    }

    fn bad_key(&mut self, at: Range<usize>, message: &str) {
        // A placeholder such as `{{ name }}` is told about as what it is.
        let before = self.body.get(at.start.saturating_sub(1)..at.start + 2);
        if !before.is_some_and(|text| text.contains("{{")) {
            self.faults.push(
                Fault::error("bad-key", at, message)
                    .help("write `key: value`; quote text that starts with [, {, * or &"),
            );
        }
        self.set_key(Key::Bad);
    }

    fn key(&mut self, text: String, plain: bool, at: Range<usize>) -> Key {
        if plain && text == "<<" {
            return Key::Merge(at);
        }
        if plain && scalar::plain(&text) == Value::Null {
            self.bad_key(at, "a key is missing before this `:`");
            return Key::Bad;
        }
        let Some((frame, above)) = self.frames.split_last_mut() else {
            return Key::Bad;
        };
        let FrameKind::Map { keys, .. } = &mut frame.kind else {
            return Key::Bad;
        };
        match keys.get(&text) {
            None => {
                keys.insert(text.clone(), at.clone());
                Key::Text(text, at)
            }
            Some(first) => {
                let level = Level::below(above, frame.anchor);
                self.again.note(level, &text, self.faults.len());
                self.faults.push(merge::twice(self.body, &text, first, at));
                Key::Bad
            }
        }
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node, anchor: usize) {
        if !self.charge(1, &node.at) {
            return;
        }
        if anchor != 0 {
            self.remember(anchor, &node);
            if self.spent() {
                return;
            }
        }
        match self.frames.last_mut().map(|frame| &mut frame.kind) {
            None => self.root = Some(node),
            Some(FrameKind::List(items)) => items.push(node),
            Some(FrameKind::Map {
                entries,
                merges,
                pending,
                ..
            }) => match pending.take() {
                Some(Key::Text(key, key_at)) => entries.push(Entry { key, key_at, node }),
                Some(Key::Merge(at)) => merges.push((at, node)),
                Some(Key::Bad) => {}
                // A collection in the place of a key: its value comes next and is dropped too.
                None => *pending = Some(Key::Bad),
            },
        }
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if self.anchors.len() >= ANCHORS {
            self.give_up(
                Fault::error(
                    "too-many-aliases",
                    node.at.clone(),
                    format!("more than {ANCHORS} anchors in one document"),
                )
                .help("write the values out"),
            );
            return;
        }
        let size = node.size();
        if self.charge(size, &node.at) {
            let anchored = Anchored {
                node: node.clone(),
                size,
                height: node.height(),
            };
            self.anchors.insert(anchor, anchored);
        }
    }
}
