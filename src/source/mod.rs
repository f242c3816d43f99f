//! Source: from the folder of desired state to documents and everything that is wrong with them.
//!
//! `walk` finds and reads the files, beneath the folder only; all else is pure:
//! `bytes` (is it text?) → `yaml` (located nodes) → `header` (whose is it?) → `shape` (does it fit
//! its kind?) → `read` (documents and findings) with `frozen` (which apps may not be written).
//! `watch` says when to look again.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use self::environment::Environments;
use self::text::Text;
use crate::model::document::{DesiredSet, Frozen};
use crate::model::finding::{Finding, Severity};

mod again;
mod beneath;
mod build;
mod bytes;
pub mod environment;
mod frame;
mod frozen;
pub mod git;
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

/// The rule of the finding that a desired state without any document has.
pub const NO_DOCUMENTS: &str = "no-documents";

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
/// `check` finds is drawn into its line, as all else is. Values are those of `environment`.
pub fn load(
    root: &Path,
    environment: Option<&str>,
    kinds: &[KindShape<'_>],
    check: impl FnOnce(DesiredSet) -> DesiredSet,
) -> DesiredSet {
    let mut set = DesiredSet::default();
    let mut texts = BTreeMap::new();
    let (mut environments, given) = environments(root, environment, &mut set.findings);
    texts.extend(given);
    walk::walk(root, walk::Mind::Read, &mut |met| match met {
        walk::Met::File { name, .. } if texts.contains_key(&name) => {}
        walk::Met::File { name, bytes, stat } => {
            let text = read::file(&mut set, &name, &bytes, kinds, &mut environments);
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
    finish(
        set,
        &texts,
        &environments,
        &root.display().to_string(),
        check,
    )
}

/// The environments in the folder for them below `root`, and the texts of their files.
fn environments(
    root: &Path,
    chosen: Option<&str>,
    findings: &mut Vec<Finding>,
) -> (Environments, Vec<(String, Text)>) {
    let mut files = Vec::new();
    let folder = root.join(environment::FOLDER);
    // A folder that is not there has no environments; whatever else is wrong the walk tells.
    if folder.is_dir() {
        let root = root.display().to_string();
        walk::walk(&folder, walk::Mind::Read, &mut |met| {
            if let walk::Met::File { name, bytes, .. } = met
                && let Some(of) = environment::environment_of(&root, &name)
                && !environment::holds_documents(&bytes)
            {
                files.push((of.to_owned(), name.clone(), bytes));
            }
        });
    }
    Environments::read(chosen, &files, findings)
}

/// The files of documents in `root` with the values of `environment` in the place of what stands for
/// them, as `(name, text)`; a file whose values are not all there is left as it is. `scalar` spells
/// a value.
pub fn rendered(
    root: &Path,
    environment: Option<&str>,
    scalar: impl Fn(&crate::model::tree::Tree) -> String,
) -> Vec<(String, String)> {
    let (environments, given) = environments(root, environment, &mut Vec::new());
    let mut files = Vec::new();
    walk::walk(root, walk::Mind::Read, &mut |met| {
        if let walk::Met::File { name, bytes, .. } = met
            && given.iter().all(|(other, _)| *other != name)
        {
            let text = Text::new(&name, bytes::decode(&bytes).body);
            let filled = environment::rendered(&environments, &text, &scalar);
            files.push((name, filled.unwrap_or_else(|| text.body().to_owned())));
        }
    });
    files
}

/// The files of documents in `root` as they are, as `(name, content)`, and what stands in the way of
/// reading the others.
pub fn files(root: &Path) -> (Vec<(String, Vec<u8>)>, Vec<Finding>) {
    let (mut files, mut odd) = (Vec::new(), Vec::new());
    walk::walk(root, walk::Mind::Read, &mut |met| match met {
        walk::Met::File { name, bytes, .. } => files.push((name, bytes)),
        walk::Met::Odd(finding) => odd.push(finding),
    });
    (files, odd)
}

/// What the documents of a text say, one by one; `None` for a text that is no sound YAML.
pub fn meaning(text: &str) -> Option<Vec<crate::model::tree::Tree>> {
    let decoded = bytes::decode(text.as_bytes());
    let docs = yaml::parse(&decoded.body);
    let sound = |faults: &[text::Fault]| faults.iter().all(|f| f.severity != Severity::Error);
    if !sound(&decoded.faults) {
        return None;
    }
    docs.into_iter()
        .map(|doc| {
            let root = doc.root.filter(|_| sound(&doc.faults))?;
            Some(root.spelt())
        })
        .collect()
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
    let mut environments = Environments::default();
    for (name, bytes) in files {
        let text = read::file(&mut set, name, bytes, kinds, &mut environments);
        texts.insert(name.to_owned(), text);
    }
    finish(set, &texts, &environments, "given", check)
}

/// The same from the files of a commit, of which some may be odd.
pub fn load_commit(
    content: &git::Content,
    shown: &str,
    environment: Option<&str>,
    kinds: &[KindShape<'_>],
    check: impl FnOnce(DesiredSet) -> DesiredSet,
) -> DesiredSet {
    let mut set = DesiredSet::default();
    let mut texts = BTreeMap::new();
    let given: Vec<(String, String, Vec<u8>)> = content
        .files
        .iter()
        .filter(|(_, bytes)| !environment::holds_documents(bytes))
        .filter_map(|(name, bytes)| {
            let of = environment::environment_of(&content.folder, name)?;
            Some((of.to_owned(), name.clone(), bytes.clone()))
        })
        .collect();
    let (mut environments, given) = Environments::read(environment, &given, &mut set.findings);
    texts.extend(given);
    for (name, bytes) in &content.files {
        if !texts.contains_key(name) {
            let text = read::file(&mut set, name, bytes, kinds, &mut environments);
            texts.insert(name.clone(), text);
        }
    }
    for finding in &content.odd {
        set.findings.push(finding.clone());
        set.frozen = Frozen::All;
    }
    finish(set, &texts, &environments, shown, check)
}

fn finish(
    mut set: DesiredSet,
    texts: &BTreeMap<String, Text>,
    environments: &Environments,
    root: &str,
    check: impl FnOnce(DesiredSet) -> DesiredSet,
) -> DesiredSet {
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    if set.documents.is_empty() && !set.findings.iter().any(is_error) {
        set.frozen = Frozen::All;
        set.findings.push(
            Finding::error(
                NO_DOCUMENTS,
                format!("the desired-state folder {root} holds no document"),
            )
            .help("write a document into a .yaml file below it; nothing is written without one"),
        );
    }
    let mut set = check(set);
    set.findings.extend(environments.unused());
    for finding in &mut set.findings {
        environments.redirect(finding);
    }
    for finding in set.findings.iter_mut().filter(|f| f.snippet.is_none()) {
        if let Some(at) = &finding.at
            && let Some(text) = texts.get(&*at.file)
        {
            finding.snippet = text.snippet(at, finding.severity);
        }
    }
    set
}
