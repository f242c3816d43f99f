//! Header: the apiVersion, kind and metadata that say what a document is and whose.
//!
//! Pure: nodes in, a header and faults out.

use std::ops::Range;

use super::KindShape;
use super::bytes::shorten;
use super::node::{Entry, Node, Value};
use super::suggest::{list, nearest};
use super::text::Fault;
use crate::model::key::{LABEL_MAX, ResourceKey, is_label};

/// The only version that this build reads.
pub const API_VERSION: &str = "evenkeel/v1alpha1";

pub(super) const TOP: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
pub(super) const METADATA: [&str; 2] = ["app", "name"];

/// What the head of a document says, as far as it can be read.
pub(super) struct Header<'n, 'k> {
    /// The app, if it is a proper label.
    pub app: Option<String>,
    /// The key, if all three parts of it are sound.
    pub key: Option<ResourceKey>,
    /// The kind, if this build has it and the document is of a version that this build reads.
    pub kind: Option<&'k KindShape<'k>>,
    /// The spec, if there is one.
    pub spec: Option<&'n Entry>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Reads the head of the document `root`.
pub(super) fn read<'n, 'k>(root: &'n Node, kinds: &'k [KindShape<'k>]) -> Header<'n, 'k> {
    let mut faults = Vec::new();
    let Value::Map(entries) = &root.value else {
        let bad = matches!(root.value, Value::Bad);
        if !bad {
            faults.push(
                Fault::error(
                    "not-a-document",
                    root.at.clone(),
                    format!("a document is a mapping, found {}", root.found()),
                )
                .help("start it with `apiVersion: evenkeel/v1alpha1`; several documents in a file are separated by `---`"),
            );
        }
        return Header {
            app: None,
            key: None,
            kind: None,
            spec: None,
            faults,
        };
    };
    let top = first_line(root);
    let version = version(root, &top, &mut faults);
    let ours = faults.len();
    strangers(entries, &TOP, "the document", &mut faults);
    let (kind_name, kind) = kind(root, &top, kinds, version, &mut faults);
    let (app, name) = metadata(root, &top, &mut faults);
    let spec = root.entry("spec");
    match spec.map(|entry| &entry.node.value) {
        None if version == Version::Ours && !misspelled(entries, "spec") => {
            faults.push(missing(
                "spec",
                &top,
                "say below it what is wanted of the object",
            ));
        }
        _ => {}
    }
    let key = match (&app, kind_name, name) {
        (Some(app), Some(kind), Some(name)) => Some(ResourceKey::new(app, kind, name)),
        _ => None,
    };
    let kind = kind.filter(|_| version == Version::Ours);
    if version == Version::Other {
        // Another version's header follows other rules; one word about it is enough.
        faults.truncate(ours);
    }
    Header {
        app,
        key,
        kind,
        spec,
        faults,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Version {
    Ours,
    Other,
}

fn version(root: &Node, top: &Range<usize>, faults: &mut Vec<Fault>) -> Version {
    let Some(entry) = root.entry("apiVersion") else {
        let written =
            matches!(&root.value, Value::Map(entries) if misspelled(entries, "apiVersion"));
        if !written {
            faults.push(missing(
                "apiVersion",
                top,
                &format!("write `apiVersion: {API_VERSION}`"),
            ));
        }
        // Most likely just forgotten: the rest is worth reading.
        return Version::Ours;
    };
    let at = place(entry);
    let Value::Text(text) = &entry.node.value else {
        if entry.node.value != Value::Bad {
            faults.push(
                Fault::error(
                    "api-version",
                    at,
                    format!("`apiVersion` wants text, found {}", entry.node.found()),
                )
                .help(format!("write `apiVersion: {API_VERSION}`")),
            );
        }
        return Version::Ours;
    };
    if text == API_VERSION {
        return Version::Ours;
    }
    let fault = |message: String| Fault::error("api-version", at.clone(), message);
    let newer = text.strip_prefix("evenkeel/").is_some_and(is_version);
    faults.push(if newer {
        fault(format!(
            "this build reads {API_VERSION}, not {:?}",
            shorten(text)
        ))
        .help(format!(
            "upgrade evenkeel to a release that reads {}, or write `apiVersion: {API_VERSION}`",
            shorten(text)
        ))
    } else {
        fault(format!("`apiVersion` cannot be {:?}", shorten(text))).help(format!(
            "write `apiVersion: {API_VERSION}`; files of other tools belong outside this folder"
        ))
    });
    // A slip in our own name is read on; another tool's document is not.
    match newer || nearest(text, [API_VERSION]).is_none() {
        true => Version::Other,
        false => Version::Ours,
    }
}

/// `v1`, `v2beta3`: a version in the manner of Kubernetes.
fn is_version(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some(rest) = text.strip_prefix('v') else {
        return false;
    };
    match rest.split_once("alpha").or_else(|| rest.split_once("beta")) {
        Some((major, minor)) => digits(major) && digits(minor),
        None => digits(rest),
    }
}

fn kind<'k>(
    root: &Node,
    top: &Range<usize>,
    kinds: &'k [KindShape<'k>],
    version: Version,
    faults: &mut Vec<Fault>,
) -> (Option<String>, Option<&'k KindShape<'k>>) {
    let names = || kinds.iter().map(|kind| kind.name);
    let allowed = || list(names(), 20);
    let Some(entry) = root.entry("kind") else {
        let written = matches!(&root.value, Value::Map(entries) if misspelled(entries, "kind"));
        if version == Version::Ours && !written {
            faults.push(missing(
                "kind",
                top,
                &format!("write `kind: ...`, one of {}", allowed()),
            ));
        }
        return (None, None);
    };
    let Value::Text(text) = &entry.node.value else {
        if entry.node.value != Value::Bad {
            faults.push(
                Fault::error(
                    "unknown-kind",
                    place(entry),
                    format!("`kind` wants text, found {}", entry.node.found()),
                )
                .help(format!("write one of {}", allowed())),
            );
        }
        return (None, None);
    };
    let found = kinds.iter().find(|kind| kind.name == text);
    if found.is_none() && version == Version::Ours {
        let fault = Fault::error(
            "unknown-kind",
            place(entry),
            format!("there is no kind {:?}", shorten(text)),
        );
        faults.push(match nearest(text, names()) {
            Some(near) => fault
                .help(format!("did you mean `{near}`?"))
                .label("unknown kind"),
            None => fault.help(format!("the kinds are {}", allowed())),
        });
    }
    (found.map(|kind| kind.name.to_owned()), found)
}

fn metadata(
    root: &Node,
    top: &Range<usize>,
    faults: &mut Vec<Fault>,
) -> (Option<String>, Option<String>) {
    let Some(entry) = root.entry("metadata") else {
        let written = matches!(&root.value, Value::Map(entries) if misspelled(entries, "metadata"));
        if !written {
            faults.push(missing(
                "metadata",
                top,
                "write `metadata: {app: ..., name: ...}`",
            ));
        }
        return (None, None);
    };
    let Value::Map(entries) = &entry.node.value else {
        if entry.node.value != Value::Bad {
            faults.push(
                Fault::error(
                    "wrong-type",
                    place(entry),
                    format!("`metadata` wants a mapping, found {}", entry.node.found()),
                )
                .help("write `metadata: {app: ..., name: ...}`"),
            );
        }
        return (None, None);
    };
    strangers(entries, &METADATA, "`metadata`", faults);
    let mut part = |name| label(&entry.node, entries, name, &entry.key_at, faults);
    (part("app"), part("name"))
}

fn label(
    metadata: &Node,
    entries: &[Entry],
    name: &'static str,
    above: &Range<usize>,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let Some(entry) = metadata.entry(name) else {
        if !misspelled(entries, name) {
            faults.push(
                Fault::error(
                    "missing-field",
                    above.clone(),
                    format!("`metadata` lacks the field `{name}`"),
                )
                .help(format!("add `{name}: ...` below it"))
                .label(format!("lacks `{name}`")),
            );
        }
        return None;
    };
    let path = format!("metadata.{name}");
    match &entry.node.value {
        Value::Text(text) if is_label(text) => Some(text.clone()),
        Value::Text(text) => {
            let fault = Fault::error(
                "bad-label",
                place(entry),
                format!("`{path}` cannot be {:?}", shorten(text)),
            );
            let rule = format!(
                "use 1 to {LABEL_MAX} of a-z, 0-9 and -, with a letter or digit at both ends"
            );
            let folded = text.to_lowercase().replace(['_', '.', ' '], "-");
            faults.push(fault.help(match is_label(&folded) {
                true => format!("{rule}, such as `{folded}`"),
                false => rule,
            }));
            None
        }
        Value::Bad => None,
        _ => {
            faults.push(
                Fault::error("wrong-type", place(entry), format!("`{path}` wants text, found {}", entry.node.found()))
                    .help("write a name of a-z, 0-9 and -; quote it if it looks like a number or like yes or no"),
            );
            None
        }
    }
}

fn strangers(entries: &[Entry], known: &[&'static str], of: &str, faults: &mut Vec<Fault>) {
    let free: Vec<&'static str> = known
        .iter()
        .copied()
        .filter(|name| entries.iter().all(|e| e.key != *name))
        .collect();
    for entry in entries {
        if known.contains(&entry.key.as_str()) {
            continue;
        }
        let fault = Fault::error(
            "unknown-field",
            entry.key_at.clone(),
            format!("unknown field `{}` in {of}", shorten(&entry.key)),
        );
        faults.push(match nearest(&entry.key, free.iter().copied()) {
            Some(near) => fault
                .help(format!("did you mean `{near}`?"))
                .label("unknown field"),
            None => fault
                .help(format!(
                    "take it out; the fields of {of} are {}",
                    list(known.iter().copied(), 9)
                ))
                .conceal(entry.node.contents())
                .label("unknown field"),
        });
    }
}

/// Whether a key that is not `name` was probably meant as `name`, and is told about as that.
fn misspelled(entries: &[Entry], name: &str) -> bool {
    entries
        .iter()
        .any(|e| !TOP.contains(&e.key.as_str()) && nearest(&e.key, [name]).is_some())
}

fn missing(name: &str, at: &Range<usize>, help: &str) -> Fault {
    Fault::error(
        "missing-field",
        at.clone(),
        format!("this document lacks the field `{name}`"),
    )
    .help(help)
}

/// The value's place, or the key's for a value that was not written.
fn place(entry: &Entry) -> Range<usize> {
    if entry.node.at.is_empty() {
        entry.key_at.clone()
    } else {
        entry.node.at.clone()
    }
}

/// The first key of the document.
fn first_line(root: &Node) -> Range<usize> {
    match &root.value {
        Value::Map(entries) => entries
            .iter()
            .map(|e| e.key_at.clone())
            .min_by_key(|at| at.start)
            .unwrap_or_else(|| root.at.clone()),
        _ => root.at.clone(),
    }
}
