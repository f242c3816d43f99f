//! Trial: asking one kind what it decides, for tests.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Allow, Decision, Kind, Policy, Question};
use crate::model::document::{DesiredSet, Document, Span};
use crate::model::finding::Severity;
use crate::model::key::ResourceKey;
use crate::model::memory::ObjectMemory;
use crate::model::snapshot::Live;
use crate::plan::diff::diff;

/// A person who allows everything.
pub const ALL_ALLOWED: Policy = Policy {
    destructive: Allow::Yes,
    during_rollout: Allow::Yes,
    apply_immediately: Allow::Yes,
};

/// A document `shop/<kind>/it` of this spec.
pub fn document(kind: &str, spec: Value) -> Document {
    named(kind, "it", spec)
}

/// A document `shop/<kind>/<name>` of this spec.
pub fn named(kind: &str, name: &str, spec: Value) -> Document {
    Document {
        key: ResourceKey::new("shop", kind, name),
        spec,
        at: Span {
            file: Arc::from("shop.yaml"),
            line: 1,
            column: 1,
        },
        fields: Default::default(),
    }
}

/// A set of these documents.
pub fn set(documents: impl IntoIterator<Item = Document>) -> DesiredSet {
    DesiredSet {
        documents: documents.into_iter().map(|d| (d.key.clone(), d)).collect(),
        ..DesiredSet::default()
    }
}

/// The rules of the errors that `check` finds in a document of this spec.
pub fn rules_found(kind: &dyn Kind, spec: Value) -> Vec<String> {
    let document = document(kind.name(), spec);
    let set = set([document.clone()]);
    kind.check(&document, &set)
        .into_iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| f.rule)
        .collect()
}

/// What `kind` decides for a document of this spec, with this view and these facts live.
pub fn ask(
    kind: &dyn Kind,
    spec: Value,
    live: Option<(Value, Value)>,
    policy: &Policy,
) -> Decision {
    let document = document(kind.name(), spec);
    let set = set([document.clone()]);
    decide(kind, &document, &set, live, policy)
}

/// The same, for a document within a set.
pub fn decide(
    kind: &dyn Kind,
    document: &Document,
    set: &DesiredSet,
    live: Option<(Value, Value)>,
    policy: &Policy,
) -> Decision {
    let desired = kind.desired(document, set);
    let live = live.map(|(view, facts)| Live { view, facts });
    let drift = live.as_ref().map_or_else(Vec::new, |live| {
        diff(&desired, &live.view, kind.rules(), kind.identity())
    });
    kind.decide(&Question {
        key: &document.key,
        desired: &desired,
        live: live.as_ref(),
        drift: &drift,
        memory: &ObjectMemory::default(),
        policy,
        now: Timestamp::UNIX_EPOCH,
    })
}
