//! Checking: the rules over a whole desired state that no single field can break.
//!
//! Pure: takes the documents that loaded, gives them back with what is wrong, and freezes the
//! apps of which something is.

use std::collections::BTreeMap;

use crate::kinds::Kind;
use crate::model::document::{DesiredSet, Document, Span};
use crate::model::finding::{Finding, MORE_FINDINGS, Severity};
use crate::model::key::ResourceKey;

/// Applies every kind's own rules, and the rule that no live object has two documents. Apps with
/// an error are frozen.
pub fn check(mut set: DesiredSet, kinds: &[&dyn Kind]) -> DesiredSet {
    let mut found = crate::control::document::take(&mut set);
    for document in set.documents.values() {
        if let Some(kind) = kinds.iter().find(|k| k.name() == document.key.kind) {
            found.extend(kind.check(document, &set));
        }
    }
    // A document that broke a rule may not be able to say what it claims.
    let broken: Vec<&ResourceKey> = found
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .filter_map(|f| f.key.as_ref())
        .collect();
    let mut claims: BTreeMap<String, Vec<Claimant<'_>>> = BTreeMap::new();
    for document in set.documents.values() {
        if broken.contains(&&document.key) {
            continue;
        }
        if let Some(kind) = kinds.iter().find(|k| k.name() == document.key.kind) {
            for claim in kind.claims(document, &set) {
                let at = place(*kind, document);
                claims
                    .entry(claim)
                    .or_default()
                    .push(Claimant { document, at });
            }
        }
    }
    let doubles: Vec<Finding> = claims
        .iter()
        .filter(|(_, claimants)| claimants.len() > 1)
        .flat_map(|(claim, claimants)| doubles(claim, claimants))
        .collect();
    found.extend(doubles);
    for finding in found.iter().filter(|f| f.severity == Severity::Error) {
        match &finding.key {
            Some(key) => set.frozen.add(&key.app),
            None => set.frozen = crate::model::document::Frozen::All,
        }
    }
    set.findings.extend(found);
    set.findings.sort_by(|a, b| place_of(a).cmp(&place_of(b)));
    set
}

/// By file and place; last of a file that there are more.
fn place_of(finding: &Finding) -> (Option<&str>, bool, Option<&Span>, &str) {
    let (at, rule) = (finding.at.as_ref(), finding.rule.as_str());
    (at.map(|at| &*at.file), rule == MORE_FINDINGS, at, rule)
}

/// A document that speaks for a live object, and where it says so.
struct Claimant<'d> {
    document: &'d Document,
    at: Span,
}

/// The field by which a document names its live object, or its own name.
fn place(kind: &dyn Kind, document: &Document) -> Span {
    let named = kind.named_by().iter().map(|field| ["spec", field]);
    named
        .chain(std::iter::once(["metadata", "name"]))
        .find_map(|path| document.place_of(&path))
        .unwrap_or_else(|| document.at.clone())
}

/// One error for each document that claims what another one claims too.
fn doubles(claim: &str, claimants: &[Claimant<'_>]) -> Vec<Finding> {
    claimants
        .iter()
        .map(|Claimant { document, at }| {
            let others: Vec<String> = claimants
                .iter()
                .filter(|other| other.document.key != document.key)
                .map(|other| format!("{} at {}", other.document.key, other.at))
                .collect();
            Finding::error(
                "claimed-twice",
                format!(
                    "{} speaks for {claim}, and so does {}",
                    document.key,
                    others.join(", ")
                ),
            )
            .help("keep one of them; two documents for one live object would undo each other")
            .at(at.clone())
            .of(&document.key)
        })
        .collect()
}
