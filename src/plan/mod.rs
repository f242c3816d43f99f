//! Planning: from what is wanted, what is there and what is remembered, to what will be written.
//!
//! Pure: every function here takes values and returns values.

pub mod against;
pub mod approved;
pub mod audit;
pub mod control;
pub mod diff;
#[cfg(test)]
mod laws;
pub mod object;
pub mod sightings;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::kinds::{Kind, Policy};
use crate::model::change::Hold;
use crate::model::document::DesiredSet;
use crate::model::finding::Severity;
use crate::model::memory::{Memory, ObjectMemory};
use crate::model::operation::RateClass;
use crate::model::plan::{ObjectPlan, Plan, Status, Summary};
use crate::model::scope::Scope;
use crate::model::snapshot::Snapshot;
use crate::model::source::SourceState;
use crate::model::tree;

/// All that a plan is made from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The kinds that are known; [`crate::kinds::KINDS`] but in tests.
    pub kinds: &'a [&'a dyn Kind],
    /// What is wanted.
    pub set: &'a DesiredSet,
    /// Which part of it.
    pub scope: &'a Scope,
    /// What is there.
    pub snapshot: &'a Snapshot,
    /// What the store knows.
    pub memory: &'a Memory,
    /// What the caller allows.
    pub policy: &'a Policy,
    /// Wall time.
    pub now: Timestamp,
    /// Reads that the look took, by operation.
    pub reads: &'a BTreeMap<String, u64>,
}

/// Plans every object in scope, then looks at the result a second time: an object whose part
/// breaks one of [`audit`]'s laws is held, since that is a bug of ours.
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let nothing = ObjectMemory::default();
    let policies = control::policies(inputs);
    let mut objects: Vec<ObjectPlan> = inputs
        .set
        .documents
        .values()
        .filter(|document| inputs.scope.holds(&document.key))
        .filter_map(|document| {
            let kind = inputs
                .kinds
                .iter()
                .find(|k| k.name() == document.key.kind)?;
            let memory = inputs.memory.objects.get(&document.key).unwrap_or(&nothing);
            Some(object::plan(*kind, document, memory, inputs, &policies))
        })
        .collect();
    control::hold_back(&mut objects, inputs, &policies);
    audit::hold_violations(&mut objects, inputs);
    assemble(objects, inputs, &policies)
}

fn assemble(objects: Vec<ObjectPlan>, inputs: &Inputs<'_>, policies: &control::Policies) -> Plan {
    let mut findings: Vec<_> = inputs
        .set
        .findings
        .iter()
        .filter(|f| f.key.as_ref().is_none_or(|key| inputs.scope.holds(key)))
        .cloned()
        .collect();
    findings.extend(control::findings(inputs, policies));
    let mut plan = Plan {
        version: 1,
        plan_id: String::new(),
        made_at: inputs.now,
        history_consulted: inputs.memory.consulted,
        history_unread: inputs.memory.unread.clone(),
        objects,
        findings,
        pauses: control::pauses(inputs),
        calls: inputs.reads.clone(),
        summary: Summary::default(),
        source: inputs.set.source.clone(),
    };
    count(&mut plan);
    plan
}

/// Fills in what follows from a plan's objects and findings: its id, the counts, and the mutations
/// beside the reads that its calls hold.
fn count(plan: &mut Plan) {
    let Plan {
        version: _,
        plan_id,
        made_at: _,
        history_consulted: _,
        history_unread: _,
        objects,
        findings,
        pauses: _,
        calls,
        summary,
        source,
    } = plan;
    *summary = Summary::default();
    let mut writes: BTreeMap<&'static str, (&'static RateClass, u64)> = BTreeMap::new();
    for object in objects.iter() {
        match object.status {
            Status::InSync => summary.in_sync += 1,
            Status::Drifted | Status::Absent => {
                summary.changes += 1;
                // What is held of it waits all the same, and `apply` ends as it does for any other.
                match object.holds.as_slice() {
                    [] => {}
                    holds if holds.iter().all(Hold::is_passing) => summary.deferred += 1,
                    _ => summary.blocked += 1,
                }
            }
            Status::Unreadable | Status::Blocked => summary.blocked += 1,
            Status::Deferred => summary.deferred += 1,
        }
        for step in object.change.iter().flat_map(|c| &c.steps) {
            summary.steps += 1;
            *calls.entry(step.operation.clone()).or_default() += 1;
            if let Some(operation) = step.operation() {
                writes
                    .entry(operation.class.name)
                    .or_insert((operation.class, 0))
                    .1 += 1;
            }
        }
    }
    summary.errors = findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| f.stands_for)
        .sum();
    summary.least_seconds = writes
        .values()
        .map(|(class, n)| class.least_time(*n))
        // A part of a second is not none.
        .map(|least| least.as_secs() + u64::from(least.subsec_nanos() > 0))
        .max()
        .unwrap_or(0);
    let shown = (
        objects
            .iter()
            .map(|o| (&o.key, o.status, &o.pin, &o.holds))
            .collect::<Vec<_>>(),
        findings,
    );
    *plan_id = match source {
        Some(SourceState { commit, apps, .. }) => tree::digest_of(&(shown, commit, apps)),
        None => tree::digest_of(&shown),
    };
}

#[cfg(test)]
mod tests;
