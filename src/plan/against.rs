//! Against: what a change of the documents brings, told apart from what was drifted before it.
//!
//! Pure: two sets and their plans in, one comparison out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::change::{Change, Drift, Hold};
use crate::model::document::DesiredSet;
use crate::model::finding::{Finding, Severity};
use crate::model::key::ResourceKey;
use crate::model::plan::{ObjectPlan, Plan, Status, Verdict};
use crate::model::source::{CommitId, Pin};
use crate::model::tree::Tree;
use crate::plan::control::LEASH;
use crate::source::git::hold::{Ancestry, Candidate, Signature, reasons};

/// What the working tree changes against a revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Against {
    /// Format of this value: 1.
    pub version: u32,
    /// The revision as it was named.
    pub revision: String,
    /// The commit that it is.
    pub commit: CommitId,
    /// What the change brings, in key order.
    pub brings: Vec<ObjectChange>,
    /// What differs already, whatever becomes of the change.
    pub existing: Vec<ObjectChange>,
    /// Drift that the change takes away by no longer wanting what the revision wants.
    pub settles: Vec<ObjectChange>,
    /// Objects that no document names any more. Nothing of them is deleted or written.
    pub released: Vec<ResourceKey>,
    /// What is wrong with the documents, and was not before.
    pub wrong: Vec<Finding>,
    /// What was wrong with them before.
    pub wrong_before: Vec<Finding>,
    /// What would keep the change as a whole, or an app's part of it, from coming into force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_back: Vec<String>,
    /// The plan of the working tree.
    pub plan: Plan,
}

/// One object's part of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectChange {
    /// Whose.
    pub key: ResourceKey,
    /// The fields, in path order. None where the object as a whole is held or created.
    pub drift: Vec<Drift>,
    /// What would be written, with all that is written together with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Why it is held back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
}

impl ObjectChange {
    fn of(object: &ObjectPlan, drift: Vec<Drift>) -> Self {
        Self {
            key: object.key.clone(),
            drift,
            change: object.change.clone(),
            holds: object.holds.clone(),
        }
    }
}

impl Against {
    /// What the change comes to: its own errors, what it brings, and what of it is held.
    pub fn verdict(&self) -> Verdict {
        if !self.wrong.is_empty() {
            Verdict::Wrong
        } else if !self.kept_back.is_empty()
            || self.brings.iter().any(|object| object.change.is_none())
        {
            // A part of it would not happen: whoever merges it has to know.
            Verdict::Held
        } else if self.brings.is_empty() {
            Verdict::InOrder
        } else {
            Verdict::Drift
        }
    }
}

/// Compares `new`, with its plan, to the set of a revision with its own.
pub fn against(
    (revision, commit): (&str, &CommitId),
    (old, old_plan): (&DesiredSet, &Plan),
    (new, plan): (&DesiredSet, Plan),
) -> Against {
    let (mut brings, mut existing, mut settles) = (Vec::new(), Vec::new(), Vec::new());
    for object in &plan.objects {
        let was = old_plan.object(&object.key);
        let same = |drift: &Drift| was.is_some_and(|was| was.drift.contains(drift));
        let (before, brought): (Vec<Drift>, Vec<Drift>) =
            object.drift.iter().cloned().partition(same);
        // Something is the matter with it that is no single field's: it is absent, held, unreadable.
        let whole =
            object.drift.is_empty() && (object.change.is_some() || !object.holds.is_empty());
        let same_document = old.documents.get(&object.key).map(|d| &d.spec)
            == new.documents.get(&object.key).map(|d| &d.spec);
        // Something was the matter with it before, too, and the change did not touch it.
        let as_before = same_document && was.is_some_and(|was| was.status != Status::InSync);
        // The errors of the change say it for the whole app.
        let frozen = same_document && object.holds.iter().all(|hold| *hold == Hold::Frozen);
        if !brought.is_empty() || (whole && !as_before && !frozen) {
            brings.push(ObjectChange::of(object, brought));
        }
        if !before.is_empty() || (whole && as_before) {
            existing.push(ObjectChange::of(object, before));
        }
    }
    for was in &old_plan.objects {
        let is = plan.object(&was.key);
        let gone =
            |drift: &&Drift| is.is_some_and(|is| !is.drift.iter().any(|d| d.path == drift.path));
        let gone: Vec<Drift> = was.drift.iter().filter(gone).cloned().collect();
        if !gone.is_empty() {
            settles.push(ObjectChange {
                change: None,
                holds: Vec::new(),
                ..ObjectChange::of(was, gone)
            });
        }
    }
    let kept = new
        .documents
        .keys()
        .chain(plan.objects.iter().map(|o| &o.key));
    let kept: BTreeSet<&ResourceKey> = kept.collect();
    let released = old_plan.objects.iter().map(|o| &o.key);
    let released = released.filter(|key| !kept.contains(key) && !new.unread.may_hold(key));
    let known = |finding: &&Finding| {
        let same = |f: &Finding| f.rule == finding.rule && f.message == finding.message;
        old.findings.iter().any(same)
    };
    let errors = plan
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error);
    let (wrong_before, wrong): (Vec<&Finding>, Vec<&Finding>) = errors.partition(known);
    Against {
        version: 1,
        revision: revision.to_owned(),
        commit: commit.clone(),
        brings,
        existing,
        settles,
        released: released.cloned().collect(),
        wrong: wrong.into_iter().cloned().collect(),
        wrong_before: wrong_before.into_iter().cloned().collect(),
        kept_back: Vec::new(),
        plan,
    }
}

/// What keeps `new` back once it is merged where `old` is in force: a source that holds commits and
/// takes away at most a share of `vanish` percent, apps that are pinned, and Policies that allow more.
pub fn kept_back(
    commit: &CommitId,
    (old, old_plan): (&DesiredSet, &Plan),
    (new, plan): (&DesiredSet, &Plan),
    vanish: Option<u8>,
    pins: &BTreeMap<String, Pin>,
) -> Vec<String> {
    let mut kept = Vec::new();
    if let Some(vanish) = vanish {
        let candidate = Candidate {
            commit,
            ancestry: Ancestry::Descendant,
            signature: &Signature::NotAsked,
            set: new,
            in_force: Some(old),
        };
        kept.extend(reasons(&candidate, vanish).into_iter().map(|reason| {
            format!("once merged the commit is on hold until somebody acknowledges it: {reason}")
        }));
    }
    let part = |set: &DesiredSet, app: &str| -> Vec<(ResourceKey, Tree)> {
        let documents = set.documents.values().filter(|d| d.key.app == app);
        documents.map(|d| (d.key.clone(), d.spec.clone())).collect()
    };
    for (app, pin) in pins {
        if part(old, app) != part(new, app) {
            kept.push(format!(
                "{app} is pinned to commit {} by {}: {}; the change reaches it after `evenkeel unpin {app}`",
                pin.commit.short(),
                pin.by,
                pin.reason
            ));
        }
    }
    let looser = plan.findings.iter().filter(|f| f.rule == LEASH);
    let known = |message: &str| old_plan.findings.iter().any(|f| f.message == message);
    kept.extend(
        looser
            .filter(|f| !known(&f.message))
            .map(|f| f.message.clone()),
    );
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::desired::load_files;
    use crate::render::plan::tests::mixed;

    fn commit() -> CommitId {
        CommitId::parse(&"a".repeat(40)).unwrap()
    }

    fn set(spec: &str) -> DesiredSet {
        let text = format!(
            "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {{app: shop, name: web}}\n\
             spec: {{cluster: main, {spec}}}\n"
        );
        load_files([("web.yaml", text.as_bytes())])
    }

    /// The plan of `shop/Service/web` alone, with the drift of the named fields only.
    fn plan(fields: &[&str]) -> Plan {
        let mut plan = mixed();
        plan.objects.retain(|o| o.key.name == "web");
        plan.objects[0]
            .drift
            .retain(|d| fields.contains(&d.path.to_string().as_str()));
        if plan.objects[0].drift.is_empty() {
            plan.objects[0].change = None;
        }
        plan
    }

    #[test]
    fn what_was_drifted_before_is_not_what_the_change_brings() {
        let (old, new) = (
            set("desiredCount: 2"),
            set("desiredCount: 2, cpu: 512, memory: 1024"),
        );
        let both = plan(&["spec.cpu", "spec.desiredCount"]);
        let told = against(
            ("main", &commit()),
            (&old, &plan(&["spec.desiredCount"])),
            (&new, both),
        );
        let paths = |objects: &[ObjectChange]| -> Vec<String> {
            let drift = objects.iter().flat_map(|o| &o.drift);
            drift.map(|d| d.path.to_string()).collect()
        };
        assert_eq!(paths(&told.brings), ["spec.cpu"]);
        assert_eq!(paths(&told.existing), ["spec.desiredCount"]);
        assert_eq!(told.verdict(), Verdict::Drift);
    }

    #[test]
    fn a_change_that_brings_nothing_is_in_order_whatever_drifts() {
        let (old, new) = (set("cpu: 512, memory: 1024"), set("cpu: 512, memory: 1024"));
        let drifted = plan(&["spec.cpu"]);
        let told = against(
            ("main", &commit()),
            (&old, &drifted),
            (&new, drifted.clone()),
        );
        assert_eq!((told.brings.len(), told.existing.len()), (0, 1));
        assert_eq!(told.verdict(), Verdict::InOrder);
    }

    #[test]
    fn what_no_document_wants_any_more_is_settled_or_released() {
        let (old, new) = (set("desiredCount: 2"), set("tags: {a: b}"));
        let told = against(
            ("main", &commit()),
            (&old, &plan(&["spec.desiredCount"])),
            (&new, plan(&[])),
        );
        assert_eq!(told.settles.len(), 1);
        let none = load_files([]);
        let mut nothing = plan(&[]);
        nothing.objects.clear();
        let told = against(
            ("main", &commit()),
            (&old, &plan(&["spec.desiredCount"])),
            (&none, nothing),
        );
        assert_eq!(told.released.len(), 1);
    }

    #[test]
    fn only_errors_that_the_change_brings_make_it_wrong() {
        let mut new_plan = plan(&[]);
        let (old, bad) = (set("desiredCount: 2"), set("desiredCont: 2"));
        new_plan.findings.clone_from(&bad.findings);
        let told = against(
            ("main", &commit()),
            (&old, &plan(&[])),
            (&bad, new_plan.clone()),
        );
        assert_eq!(told.verdict(), Verdict::Wrong);
        let told = against(("main", &commit()), (&bad, &plan(&[])), (&bad, new_plan));
        assert_eq!((told.wrong.len(), told.wrong_before.len()), (0, 1));
    }
}
