//! Documents: what the desired-state folder says, and where it says it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::key::ResourceKey;
use super::source::{CommitId, SourceState};
use super::tree::{FieldPath, Tree};
use crate::control::document::PolicyDocument;

/// A place in a file. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file as the user would name it: the folder as given, then the path below it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One YAML item that loaded: of a known kind, of the right shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its identity.
    pub key: ResourceKey,
    /// The `spec` as written: only the fields that the author named.
    pub spec: Tree,
    /// Where the document starts.
    pub at: Span,
    /// Where each key of the document stands, from the root: `spec.cpu`, `metadata.name`,
    /// `spec.scaling.targetTracking.0.metric`. For the checks; emptied afterwards.
    pub fields: Places,
}

/// Where the keys and list entries of one document stand. One small allocation each: a large estate
/// has a hundred thousand of them while it is checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places(BTreeMap<Box<str>, (u32, u32)>);

/// Between the names of a path; no name holds it, since the loader refuses control characters.
const BETWEEN: char = '\u{1f}';

impl Places {
    /// That the entry at `path` (names from the root) stands at `line` and `column`.
    pub fn put(&mut self, path: &[&str], line: u32, column: u32) {
        self.0.insert(joined(path).into(), (line, column));
    }

    /// Line and column of the entry at `path`.
    pub fn get(&self, path: &[&str]) -> Option<(u32, u32)> {
        self.0.get(joined(path).as_str()).copied()
    }

    /// All of them: path, line, column.
    pub fn iter(&self) -> impl Iterator<Item = (FieldPath, u32, u32)> {
        self.0
            .iter()
            .map(|(path, (line, column))| (FieldPath::of(path.split(BETWEEN)), *line, *column))
    }
}

fn joined(path: &[&str]) -> String {
    path.join(BETWEEN.encode_utf8(&mut [0; 4]))
}

impl Document {
    /// Where exactly the entry at `path` (names from the document's root) stands.
    pub fn place_of(&self, path: &[&str]) -> Option<Span> {
        let (line, column) = self.fields.get(path)?;
        Some(Span {
            file: Arc::clone(&self.at.file),
            line,
            column,
        })
    }

    /// Where `path` (below `spec`, dotted) stands, or its nearest parent, or the document.
    pub fn span_of(&self, path: &str) -> Span {
        let mut names: Vec<&str> = std::iter::once("spec")
            .chain(path.split('.').filter(|s| !s.is_empty()))
            .collect();
        while !names.is_empty() {
            if let Some(span) = self.place_of(&names) {
                return span;
            }
            names.pop();
        }
        self.at.clone()
    }
}

/// All that one look at the folder found: the documents that loaded, what is wrong, and which
/// apps must not be written because something of theirs did not load.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DesiredSet {
    /// The documents, by key. Those of frozen apps are here too, if they loaded.
    pub documents: BTreeMap<ResourceKey, Document>,
    /// Everything that is wrong or odd, in file order.
    pub findings: Vec<Finding>,
    /// Apps with a bad document: shown, never written.
    pub frozen: Frozen,
    /// What is written down, but did not load.
    pub unread: Unread,
    /// The Policy documents, by app: how it may be written. They are no objects of AWS.
    pub policies: BTreeMap<String, PolicyDocument>,
    /// Which commit it is of, and what is to be told of its source; `None` for a plain folder.
    pub source: Option<SourceState>,
    /// Why nothing of it may be written, though all of it may be looked at: it is not known whether it
    /// is what is wanted now.
    pub unwritable: Option<String>,
}

/// What stands in the files and did not load, as far as it can be told. Nobody who looks for a
/// document there can say that it is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Documents whose header could be read.
    pub keys: BTreeSet<ResourceKey>,
    /// Apps that a text names which could not be taken apart into documents.
    pub torn: Frozen,
}

impl Unread {
    /// Whether `key` may be among what did not load.
    pub fn may_hold(&self, key: &ResourceKey) -> bool {
        self.keys.contains(key) || self.torn.holds(&key.app)
    }
}

/// Which apps may not be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Frozen {
    /// None.
    #[default]
    None,
    /// These.
    Apps(BTreeSet<String>),
    /// All: something did not load and nothing tells which app it belongs to.
    All,
}

impl Frozen {
    /// Whether `app` may not be written.
    pub fn holds(&self, app: &str) -> bool {
        match self {
            Frozen::None => false,
            Frozen::Apps(apps) => apps.contains(app),
            Frozen::All => true,
        }
    }

    /// Adds one app.
    pub fn add(&mut self, app: &str) {
        match self {
            Frozen::All => {}
            Frozen::Apps(apps) => {
                apps.insert(app.to_owned());
            }
            Frozen::None => *self = Frozen::Apps(BTreeSet::from([app.to_owned()])),
        }
    }

    /// Adds all that is in `more`.
    pub fn join(&mut self, more: Frozen) {
        match more {
            Frozen::None => {}
            Frozen::All => *self = Frozen::All,
            Frozen::Apps(apps) => apps.iter().for_each(|app| self.add(app)),
        }
    }
}

impl DesiredSet {
    /// The document of `kind` named `name` in `app`.
    pub fn find(&self, app: &str, kind: &str, name: &str) -> Option<&Document> {
        self.documents.get(&ResourceKey::new(app, kind, name))
    }

    /// The commit that `app`'s documents are of, where they are of one.
    pub fn commit_of(&self, app: &str) -> Option<&CommitId> {
        self.source.as_ref()?.commit_of(app)
    }

    /// The apps that have at least one document, in order.
    pub fn apps(&self) -> BTreeSet<&str> {
        self.documents.keys().map(|k| k.app.as_str()).collect()
    }
}
