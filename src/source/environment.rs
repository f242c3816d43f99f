//! Environments: values by name, and the scalars of documents that stand for them.
//!
//! A plain scalar `$name` in a `spec` is the value `name` of the environment that was chosen: whole,
//! and of the value's own type. Quoted it is text. Nothing is pasted into other text.
//!
//! Pure: texts and nodes in, nodes and findings out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::node::{Node, Value};
use super::suggest::{list, nearest};
use super::text::{Fault, Text};
use super::{bytes, yaml};
use crate::model::document::Span;
use crate::model::finding::Finding;

/// Names shown in a help line.
const SHOWN: usize = 12;
/// Longest name of a value.
const NAME_MAX: usize = 63;

/// The folder, below that of the documents, where a file for each environment stands.
pub const FOLDER: &str = "environments";

/// The environments of a folder, one of them chosen.
#[derive(Debug, Default)]
pub(super) struct Environments {
    chosen: Option<String>,
    /// The file that the chosen one stands in.
    file: String,
    values: BTreeMap<String, Given>,
    /// Which environments have a value of that name; also those that were not chosen.
    having: BTreeMap<String, BTreeSet<String>>,
    /// All names of environments.
    all: BTreeSet<String>,
    used: BTreeSet<String>,
    uses: Vec<Use>,
}

/// A value as its file gives it.
#[derive(Debug)]
struct Given {
    value: Value,
    at: Span,
}

/// A place of a document where a value stands.
#[derive(Debug)]
struct Use {
    /// The scalar, and the key before it.
    places: [Span; 2],
    name: String,
    value: Span,
}

/// The name of the environment in the file `name`, if it stands directly in the folder for them.
pub(super) fn environment_of<'n>(root: &str, name: &'n str) -> Option<&'n str> {
    let below = match root {
        "" => name,
        root => name
            .strip_prefix(root.trim_end_matches('/'))?
            .strip_prefix('/')?,
    };
    let file = below.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let stem = file.strip_suffix(".yaml").or(file.strip_suffix(".yml"))?;
    (!stem.contains('/')).then_some(stem)
}

/// Whether a text is one of documents, although it stands among the environments: then it is read
/// as such, as it always was.
pub(super) fn holds_documents(body: &[u8]) -> bool {
    String::from_utf8_lossy(body)
        .lines()
        .any(|line| line.starts_with("apiVersion:"))
}

/// The name of the value that a scalar stands for.
fn reference<'v>(node: &'v Node, text: &Text) -> Option<&'v str> {
    let Value::Text(written) = &node.value else {
        return None;
    };
    let name = written.strip_prefix('$').filter(|name| is_name(name))?;
    // Quoted or in a block it is text.
    let first = text.body().get(node.at.start..)?.chars().next()?;
    (!matches!(first, '"' | '\'' | '|' | '>')).then_some(name)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= NAME_MAX
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

impl Environments {
    /// Reads the environments' files, as `(name, file, bytes)`, of which `chosen` counts; what is
    /// wrong with the chosen one goes to `findings`. Gives their texts, for what is found later.
    pub(super) fn read(
        chosen: Option<&str>,
        files: &[(String, String, Vec<u8>)],
        findings: &mut Vec<Finding>,
    ) -> (Self, Vec<(String, Text)>) {
        let mut all = Self {
            chosen: chosen.map(str::to_owned),
            ..Self::default()
        };
        let mut texts = Vec::new();
        for (name, file, raw) in files {
            let decoded = bytes::decode(raw);
            let text = Text::new(file, decoded.body);
            let is_chosen = chosen == Some(name);
            all.all.insert(name.clone());
            let mut faults = decoded.faults;
            let docs = yaml::parse(text.body());
            if docs.len() > 1 {
                faults.push(
                    Fault::error(
                        "environment-value",
                        docs[1].range.clone(),
                        "an environment is one mapping of names to values",
                    )
                    .help("take the line `---` out"),
                );
            }
            for doc in docs.into_iter().take(1) {
                faults.extend(doc.faults);
                let Some(root) = doc.root else { continue };
                for (value_name, given) in values(&root, &text, &mut faults) {
                    all.having
                        .entry(value_name.clone())
                        .or_default()
                        .insert(name.clone());
                    if is_chosen {
                        all.values.insert(value_name, given);
                    }
                }
            }
            if is_chosen {
                file.clone_into(&mut all.file);
                findings.extend(faults.into_iter().map(|fault| text.finding(fault, None)));
            }
            texts.push((file.clone(), text));
        }
        if let Some(chosen) = chosen.filter(|chosen| !all.all.contains(*chosen)) {
            let names = all.all.iter().map(String::as_str);
            let help = match nearest(chosen, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if all.all.is_empty() => {
                    format!("write its values into {FOLDER}/{chosen}.yaml")
                }
                None => format!("there are {}", list(names, SHOWN)),
            };
            findings.push(
                Finding::error(
                    "no-environment",
                    format!("there is no environment {chosen:?}"),
                )
                .help(help),
            );
        }
        (all, texts)
    }

    /// Puts values in the place of all that stands for one in the spec `node`; `key_at` is its key.
    pub(super) fn fill(
        &mut self,
        node: &mut Node,
        path: &str,
        key_at: &Range<usize>,
        text: &Text,
        faults: &mut Vec<Fault>,
    ) {
        if let Some(name) = reference(node, text) {
            let name = name.to_owned();
            let value = match self.values.get(&name) {
                Some(given) => {
                    self.uses.push(Use {
                        places: [text.span(node.at.start), text.span(key_at.start)],
                        name: name.clone(),
                        value: given.at.clone(),
                    });
                    self.used.insert(name);
                    given.value.clone()
                }
                None => {
                    faults.push(self.missing(&name, path, &node.at));
                    Value::Bad
                }
            };
            node.value = value;
            return;
        }
        match &mut node.value {
            Value::List(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    let place = item.at.clone();
                    self.fill(item, &format!("{path}.{at}"), &place, text, faults);
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    let path = format!("{path}.{}", entry.key);
                    self.fill(&mut entry.node, &path, &entry.key_at, text, faults);
                }
            }
            _ => {}
        }
    }

    fn missing(&self, name: &str, path: &str, at: &Range<usize>) -> Fault {
        let fault = |message: String| Fault::error("missing-value", at.clone(), message);
        let Some(chosen) = &self.chosen else {
            let names = list(self.all.iter().map(String::as_str), SHOWN);
            return fault(format!(
                "`{path}` is the value `{name}` of an environment, and none is chosen"
            ))
            .help(match self.all.is_empty() {
                true => format!(
                    "write {FOLDER}/<name>.yaml with a line `{name}: ...`, and choose it with \
                     --environment; quote the text if it is meant as it is"
                ),
                false => format!(
                    "choose one with --environment NAME or `environment:` in evenkeel.yaml; there \
                     are {names}"
                ),
            });
        };
        let having = self.having.get(name);
        let having = having.map_or_else(String::new, |names| {
            let have = if names.len() == 1 { "has" } else { "have" };
            format!(
                " ({} {have} it)",
                list(names.iter().map(String::as_str), SHOWN)
            )
        });
        let near = nearest(name, self.values.keys().map(String::as_str));
        let near = near.map_or_else(String::new, |near| format!("did you mean `${near}`? Or "));
        fault(format!(
            "`{path}` is the value `{name}`, which the environment {chosen} does not have{having}"
        ))
        .help(match self.all.contains(chosen) {
            true => format!(
                "{near}add `{name}: ...` to {FOLDER}/{chosen}.yaml; quote the text if it is meant as it is"
            ),
            false => "choose an environment that there is".to_owned(),
        })
        .label("no such value")
    }

    /// What no document uses of the chosen environment.
    pub(super) fn unused(&self) -> Vec<Finding> {
        let unused = self
            .values
            .iter()
            .filter(|(name, _)| !self.used.contains(*name));
        unused
            .map(|(name, given)| {
                let message = format!("no document uses the value `{name}`");
                Finding::warning("unused-value", message)
                    .help("take it out, or write `$".to_owned() + name + "` where it belongs")
                    .at(given.at.clone())
            })
            .collect()
    }

    /// Points a finding about a value at the line where a person wrote it, and names the line of
    /// the document that uses it.
    pub(super) fn redirect(&self, finding: &mut Finding) {
        let Some(at) = &finding.at else { return };
        if finding.rule == "missing-value" {
            return;
        }
        let used = self.uses.iter().find(|used| used.places.contains(at));
        if let Some(used) = used {
            finding.message = format!(
                "{} (the value `{}`, used at {at})",
                finding.message, used.name
            );
            finding.at = Some(used.value.clone());
            finding.snippet = None;
        }
    }
}

/// The values of an environment's root: scalars by name.
fn values(root: &Node, text: &Text, faults: &mut Vec<Fault>) -> Vec<(String, Given)> {
    let Value::Map(entries) = &root.value else {
        if root.value != Value::Bad {
            let message = format!(
                "an environment is a mapping of names to values, found {}",
                root.found()
            );
            let fault = Fault::error("environment-value", root.at.clone(), message);
            faults.push(fault.help("write lines such as `webCount: 2`"));
        }
        return Vec::new();
    };
    let mut values = Vec::new();
    for entry in entries {
        let at = if entry.node.at.is_empty() {
            &entry.key_at
        } else {
            &entry.node.at
        };
        let fault = |message: String, help: &str| {
            Fault::error("environment-value", at.clone(), message).help(help)
        };
        if !is_name(&entry.key) {
            faults.push(fault(
                format!("`{}` cannot name a value", bytes::shorten(&entry.key)),
                "take a letter, then letters, digits, - and _, at most 63",
            ));
            continue;
        }
        match &entry.node.value {
            Value::Bool(_) | Value::Int(_) | Value::Float { .. } | Value::Text(_) => {
                values.push((
                    entry.key.clone(),
                    Given {
                        value: entry.node.value.clone(),
                        at: text.span(at.start),
                    },
                ));
            }
            Value::Bad => {}
            Value::Odd { .. } => faults.push(fault(
                format!("`{}` is {}", entry.key, entry.node.found()),
                "quote it if it is meant as text",
            )),
            _ => faults.push(fault(
                format!(
                    "`{}` is {}, and a value is one text, number or truth value",
                    entry.key,
                    entry.node.found()
                ),
                "write one value a name; lists and mappings belong into the documents",
            )),
        }
    }
    values
}

/// The text of a document's file with each of its references replaced by its value, as YAML. `None`
/// where a value is missing.
pub(super) fn rendered(
    environments: &Environments,
    text: &Text,
    scalar: impl Fn(&crate::model::tree::Tree) -> String,
) -> Option<String> {
    let mut found: Vec<(Range<usize>, String)> = Vec::new();
    for doc in yaml::parse(text.body()) {
        let Some(spec) = doc.root.as_ref().and_then(|root| root.entry("spec")) else {
            continue;
        };
        collect(&spec.node, text, &mut found);
    }
    found.sort_by_key(|(at, _)| at.start);
    found.dedup();
    let mut out = String::new();
    let mut from = 0;
    for (at, name) in found {
        let given = environments.values.get(&name)?;
        // What an alias stands for was replaced where its anchor is.
        if at.start < from || text.body().get(at.clone()) != Some(format!("${name}").as_str()) {
            continue;
        }
        let node = Node {
            at: at.clone(),
            value: given.value.clone(),
        };
        out.push_str(text.body().get(from..at.start)?);
        out.push_str(&scalar(&node.to_tree()));
        from = at.end;
    }
    out.push_str(text.body().get(from..)?);
    Some(out)
}

fn collect(node: &Node, text: &Text, found: &mut Vec<(Range<usize>, String)>) {
    if let Some(name) = reference(node, text) {
        found.push((node.at.clone(), name.to_owned()));
        return;
    }
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect(item, text, found)),
        Value::Map(entries) => entries.iter().for_each(|e| collect(&e.node, text, found)),
        _ => {}
    }
}
