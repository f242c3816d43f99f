//! Source: from the folder of desired state to documents and everything that is wrong with them.
//!
//! `walk` finds and reads the files, beneath the folder only; all else is pure:
//! `bytes` (is it text?) → `yaml` (located nodes) → `header` (whose is it?) → `shape` (does it fit
//! its kind?) → `read` (documents and findings) with `frozen` (which apps may not be written).
//! `watch` says when to look again.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use self::text::Text;
use crate::model::document::{DesiredSet, Frozen};
use crate::model::finding::{Finding, Severity};

mod again;
mod beneath;
mod build;
mod bytes;
mod frame;
mod frozen;
mod header;
mod hidden;
#[cfg(test)]
mod laws;
mod merge;
mod node;
mod read;
mod scalar;
mod schema;
mod shape;
mod snippet;
mod suggest;
mod syntax;
mod text;
mod values;
mod walk;
pub mod watch;
mod yaml;

pub use header::API_VERSION;
pub use watch::{Watch, fingerprint};

/// A kind, as far as the shape of its documents goes.
#[derive(Clone, Copy, Debug)]
pub struct KindShape<'a> {
    /// Its name, as in `kind: Service`.
    pub name: &'a str,
    /// The JSON Schema (draft 2020-12, as schemars writes it) of its spec.
    pub spec_schema: &'a serde_json::Value,
}

/// Reads the folder `root`: every `*.yaml` and `*.yml` at any depth, in the order of names; then
/// lets `check` judge the set as a whole.
///
/// Never fails: whatever is wrong, with the folder, a file or a document, is a finding, and
/// `frozen` says which apps it keeps from being written. Where a file that does not load names no
/// app, all are frozen; the caller adds the apps that the file held when it last loaded. What
/// `check` finds is drawn into its line, as all else is.
pub fn load(
    root: &Path,
    kinds: &[KindShape<'_>],
    check: impl FnOnce(DesiredSet) -> DesiredSet,
) -> DesiredSet {
    let mut set = DesiredSet::default();
    let mut texts = BTreeMap::new();
    walk::walk(root, walk::Mind::Read, &mut |met| match met {
        walk::Met::File { name, bytes, stat } => {
            let text = read::file(&mut set, &name, &bytes, kinds);
            if stat.st_nlink > 1 {
                set.findings.push(hard_link(&name, &text, stat.st_nlink));
            }
            texts.insert(name, text);
        }
        walk::Met::Odd(finding) => {
            set.findings.push(finding);
            set.frozen = Frozen::All;
        }
    });
    finish(set, &texts, &root.display().to_string(), check)
}

/// A file can be written through any of its names, and those outside of the folder nobody watches.
fn hard_link(name: &str, text: &Text, names: impl Display) -> Finding {
    Finding::warning(
        "hard-link",
        format!("{name} is one of {names} names (hard links) of the same file"),
    )
    .help("put a copy in its place: what is written under another name changes this one unseen")
    .at(text.span(0))
}

/// The same from files that are in memory already, as `(name, content)`.
pub fn load_files<'f>(
    files: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    kinds: &[KindShape<'_>],
    check: impl FnOnce(DesiredSet) -> DesiredSet,
) -> DesiredSet {
    let mut set = DesiredSet::default();
    let mut texts = BTreeMap::new();
    for (name, bytes) in files {
        let text = read::file(&mut set, name, bytes, kinds);
        texts.insert(name.to_owned(), text);
    }
    finish(set, &texts, "given", check)
}

fn finish(
    mut set: DesiredSet,
    texts: &BTreeMap<String, Text>,
    root: &str,
    check: impl FnOnce(DesiredSet) -> DesiredSet,
) -> DesiredSet {
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    if set.documents.is_empty() && !set.findings.iter().any(is_error) {
        set.frozen = Frozen::All;
        set.findings.push(
            Finding::error(
                "no-documents",
                format!("the desired-state folder {root} holds no document"),
            )
            .help("write a document into a .yaml file below it; nothing is written without one"),
        );
    }
    let mut set = check(set);
    for finding in set.findings.iter_mut().filter(|f| f.snippet.is_none()) {
        if let Some(at) = &finding.at
            && let Some(text) = texts.get(&*at.file)
        {
            finding.snippet = text.snippet(at, finding.severity);
        }
    }
    set
}
