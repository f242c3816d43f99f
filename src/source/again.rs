//! Again: what keys that are written twice say of a document: that another one begins there, or
//! that nobody can tell whose it is.
//!
//! Pure: faults in, faults out.

use super::frame::{Frame, FrameKind, Key};
use super::header::{METADATA, TOP};
use super::text::Fault;

/// Whether a document says clearly whose it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Owner {
    /// It does.
    #[default]
    Clear,
    /// A key that says so, or one that holds it, is written twice: which of the two was meant is
    /// not known.
    Doubtful,
}

/// Where in a document a mapping stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// It is the document.
    Top,
    /// It is its metadata, or may become that by an alias.
    Metadata,
    /// Elsewhere.
    Below,
}

impl Level {
    /// The level of a mapping below the frames `above`.
    pub fn below(above: &[Frame], anchor: usize) -> Self {
        match above {
            [] => Level::Top,
            [
                Frame {
                    kind:
                        FrameKind::Map {
                            pending: Some(Key::Text(key, _)),
                            ..
                        },
                    ..
                },
            ] if key == "metadata" => Level::Metadata,
            _ if anchor != 0 => Level::Metadata,
            _ => Level::Below,
        }
    }
}

/// The keys of one document that are written twice, as far as they matter here.
#[derive(Default)]
pub(super) struct Again {
    /// Keys of the document itself, and which fault tells of each.
    top: Vec<(String, usize)>,
    owner: Owner,
}

impl Again {
    /// Notes that `key` stands twice in a mapping at `level`, as fault number `fault` tells.
    pub fn note(&mut self, level: Level, key: &str, fault: usize) {
        match level {
            Level::Top => {
                self.top.push((key.to_owned(), fault));
                self.owner = Owner::Doubtful;
            }
            Level::Metadata if METADATA.contains(&key) => self.owner = Owner::Doubtful,
            Level::Metadata | Level::Below => {}
        }
    }

    /// Notes that `<<` brings keys which a mapping at `level` has already.
    pub fn merged(&mut self, level: Level) {
        if level != Level::Below {
            self.owner = Owner::Doubtful;
        }
    }

    /// Whose the document is, and its `faults`: where a whole header comes again, the one fault is
    /// that nothing parts the two documents.
    pub fn finish(self, faults: &mut Vec<Fault>) -> Owner {
        let header = |key: &str| {
            let mut again = self.top.iter().filter(|(again, _)| again == key);
            again.next().map(|(_, fault)| *fault)
        };
        let [Some(first), Some(_), ..] = sorted(TOP.map(header)) else {
            return self.owner;
        };
        // Every time that this key comes again, another document begins.
        let begins = self.top.iter().find(|(_, fault)| *fault == first);
        let begins = begins.map(|(key, _)| key.as_str()).unwrap_or_default();
        let mut number = 0;
        let mut told = std::mem::take(faults);
        told.retain_mut(|fault| {
            let here = self.top.iter().find(|(_, at)| *at == number);
            number += 1;
            match here {
                None => true,
                Some((key, _)) if key == begins => {
                    *fault = missing_separator(fault);
                    true
                }
                Some(_) => false,
            }
        });
        *faults = told;
        self.owner
    }
}

/// Those that are there first, in order.
fn sorted(mut faults: [Option<usize>; 4]) -> [Option<usize>; 4] {
    faults.sort_by_key(|fault| fault.unwrap_or(usize::MAX));
    faults
}

/// The rule of a fault that belongs to no document.
pub(super) const MISSING_SEPARATOR: &str = "missing-separator";

fn missing_separator(fault: &Fault) -> Fault {
    Fault::error(
        MISSING_SEPARATOR,
        fault.at.clone(),
        "a `---` is missing before this document",
    )
    .help("write a line `---` above this one; or, if it is one document, keep one of each key")
    .label("begins here")
}
