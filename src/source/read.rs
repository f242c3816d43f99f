//! Read: from the bytes of one file to its documents and findings.
//!
//! Pure: bytes in, documents and findings out.

use std::collections::BTreeSet;

use super::again::{MISSING_SEPARATOR, Owner};
use super::bytes::{self, Meaning};
use super::environment::Environments;
use super::node::Value;
use super::text::{Fault, Text};
use super::{KindShape, frozen, header, shape, yaml};
use crate::model::document::{DesiredSet, Document};
use crate::model::finding::{Finding, MORE_FINDINGS, Severity};
use crate::model::key::ResourceKey;
use crate::model::tree::Tree;

/// Findings of one file that are told one by one.
const TOLD: usize = 200;

/// Adds all that the file named `name` holds to `set`; gives back its text, for what is found later.
pub(super) fn file(
    set: &mut DesiredSet,
    name: &str,
    raw: &[u8],
    kinds: &[KindShape<'_>],
    environments: &mut Environments,
) -> Text {
    let decoded = bytes::decode(raw);
    let mut text = Text::new(name, decoded.body);
    let mut told = Told::default();
    if decoded.meaning == Meaning::Other {
        torn(set, text.body());
    }
    let templates: BTreeSet<u32> = decoded
        .faults
        .iter()
        .filter(|fault| fault.rule == "template-leftover")
        .map(|fault| text.span(fault.at.start).line)
        .collect();
    for fault in decoded.faults {
        told.add(&text, fault, None);
    }
    if decoded.meaning == Meaning::Yaml {
        let docs = yaml::parse(text.body());
        if docs.is_empty() {
            let fault = Fault::error("empty-file", 0..0, "this file holds no document")
                .help("write one, or delete the file");
            told.add(&text, fault, None);
            torn(set, text.body());
        }
        // A text without the sign has nothing to be filled in.
        let refers = text.body().contains('$');
        let mut docs = docs.into_iter().peekable();
        while let Some(mut doc) = docs.next() {
            if refers {
                fill(&mut doc, &text, environments);
            }
            let unfinished = match docs.peek() {
                None => bytes::unfinished(text.body()),
                Some(_) => None,
            };
            document(
                set, &mut text, doc, kinds, &templates, unfinished, &mut told,
            );
        }
    }
    told.finish(set);
    text
}

/// Puts the values of the environment into a document's spec.
fn fill(doc: &mut yaml::Doc, text: &Text, environments: &mut Environments) {
    let Some(Value::Map(entries)) = doc.root.as_mut().map(|root| &mut root.value) else {
        return;
    };
    for entry in entries.iter_mut().filter(|entry| entry.key == "spec") {
        environments.fill(
            &mut entry.node,
            "spec",
            &entry.key_at,
            text,
            &mut doc.faults,
        );
    }
}

/// Freezes the apps that a text may hold which is no document.
fn torn(set: &mut DesiredSet, text: &str) {
    let apps = frozen::scan(text);
    set.frozen.join(apps.clone());
    set.unread.torn.join(apps);
}

fn is_bad(faults: &[Fault]) -> bool {
    faults.iter().any(|f| f.severity == Severity::Error)
}

fn document(
    set: &mut DesiredSet,
    text: &mut Text,
    doc: yaml::Doc,
    kinds: &[KindShape<'_>],
    templates: &BTreeSet<u32>,
    unfinished: Option<Fault>,
    told: &mut Told,
) {
    // A placeholder is told about already, not also as the odd YAML that it makes.
    let worth_telling =
        |text: &Text, fault: &Fault| !templates.contains(&text.span(fault.at.start).line);
    let Some(root) = doc.root else {
        // Where a broken document ends is a guess, so the whole file is scanned.
        if !told.scanned {
            told.scanned = true;
            torn(set, text.body());
        }
        for fault in doc
            .faults
            .into_iter()
            .filter(|fault| worth_telling(text, fault))
        {
            told.add(text, fault, None);
        }
        return;
    };
    let head = header::read(&root, kinds);
    let mut faults = doc.faults;
    faults.extend(head.faults);
    if let (Some(kind), Some(spec)) = (head.kind, head.spec) {
        faults.extend(shape::check(
            kind.spec_schema,
            &spec.node,
            "spec",
            &spec.key_at,
        ));
    }
    let lines = text.span(doc.range.start).line..=text.span(doc.range.end).line;
    let unfilled = templates.range(lines).next().is_some();
    let mut bad = unfilled || is_bad(&faults);
    // Of a document that was cut off in its middle more is wrong, and says more.
    if let (false, Some(fault)) = (bad, unfinished) {
        faults.push(fault);
        bad = true;
    }
    if let (false, Some(key), Some(spec)) = (bad, &head.key, head.spec) {
        if let Some(first) = set.documents.get(key) {
            let fault = Fault::error(
                "duplicate-document",
                root.at.clone(),
                format!(
                    "this object has two documents; the other is at {}",
                    first.at
                ),
            )
            .help("keep one of the two, or give one of them another `metadata.name`")
            .label("second document");
            faults.push(fault);
            bad = true;
        } else {
            set.documents.insert(
                key.clone(),
                Document {
                    key: key.clone(),
                    spec: spec_tree(spec.node.to_tree()),
                    at: text.span(root.at.start),
                    fields: root.fields(text),
                },
            );
        }
    }
    if bad {
        set.unread.keys.extend(head.key.clone());
        if let Some(app) = &head.app {
            set.frozen.add(app);
        }
        // The first of two apps may not be the one that was meant.
        if head.app.is_none() || doc.owner == Owner::Doubtful {
            torn(set, text.body().get(doc.range).unwrap_or(""));
        }
    }
    for contents in faults.iter().filter_map(|fault| fault.conceals.as_ref()) {
        text.conceal(contents);
    }
    for fault in faults
        .into_iter()
        .filter(|fault| worth_telling(text, fault))
    {
        // Where a document begins in another one, the fault is of neither.
        let of = head
            .key
            .as_ref()
            .filter(|_| fault.rule != MISSING_SEPARATOR);
        told.add(text, fault, of);
    }
}

/// An empty `spec:` was refused by its schema; what is left is a mapping.
fn spec_tree(tree: Tree) -> Tree {
    match tree {
        Tree::Null => Tree::Object(serde_json::Map::new()),
        tree => tree,
    }
}

/// The findings of one file, in its order.
#[derive(Default)]
struct Told {
    findings: Vec<Finding>,
    /// How many more there are.
    more: usize,
    /// That reading was given up, if it was.
    given_up: Option<Finding>,
    /// Whether the file was scanned for apps already.
    scanned: bool,
}

impl Told {
    fn add(&mut self, text: &Text, fault: Fault, key: Option<&ResourceKey>) {
        if fault.rule == MORE_FINDINGS {
            self.given_up = Some(text.finding(fault, key));
        } else if self.findings.len() < TOLD {
            self.findings.push(text.finding(fault, key));
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self, set: &mut DesiredSet) {
        self.findings
            .sort_by_key(|f| f.at.as_ref().map(|at| (at.line, at.column)));
        let last = self.findings.last().and_then(|f| f.at.clone());
        set.findings.append(&mut self.findings);
        if let (1.., Some(at)) = (self.more, last) {
            let rest = match self.given_up {
                Some(_) => ", and the rest of it is not read",
                None => "",
            };
            let mut finding = Finding::error(
                MORE_FINDINGS,
                format!(
                    "{} more findings in {} are not shown{rest}",
                    self.more, at.file
                ),
            )
            .help("mend the ones above and check again")
            .at(at);
            finding.stands_for = self.more;
            set.findings.push(finding);
        } else if let Some(finding) = self.given_up {
            set.findings.push(finding);
        }
    }
}
