//! Beside: what of a live service's auto scaling stands beside what its document names.
//!
//! Pure. All of it is told and left alone: nothing is deleted because no document names it, and
//! what an operator suspended stays suspended.

use serde_json::json;

use super::facts::{Scaling, Target};
use super::view::{action_view, policy_view};
use crate::model::drift::{Beside, DriftKind};
use crate::model::tree::{FieldPath, Tree};

/// Live policies and scheduled actions that the document, which owns the scaling, does not name.
pub fn unmanaged(desired: &Tree, live: &Scaling) -> Vec<Beside> {
    let policies = live.policies.iter();
    let policies = policies.map(|(name, policy)| ("targetTracking", name, policy_view(policy)));
    let actions = live.actions.iter();
    let actions = actions.map(|(name, action)| ("scheduled", name, action_view(action)));
    policies
        .chain(actions)
        .filter(|(list, name, _)| {
            let declared = desired.get("scaling").and_then(|s| s.get(list));
            declared.and_then(|d| d.get(name.as_str())).is_none()
        })
        .map(|(list, name, live)| Beside {
            kind: DriftKind::Unmanaged,
            path: FieldPath::of(["spec", "scaling", list, name]),
            desired: Tree::Null,
            live,
        })
        .collect()
}

/// What an operator suspended of the target.
pub fn suspended(target: &Target) -> Beside {
    Beside {
        kind: DriftKind::Suspended,
        path: FieldPath::dotted("spec.scaling.suspended"),
        desired: Tree::Null,
        live: json!(target.suspended),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kinds::service::facts::{Action, Policy};

    #[test]
    fn what_the_document_does_not_name_is_told_and_what_it_names_is_not() {
        let live = Scaling {
            target: None,
            policies: ["cpu", "hand-made"]
                .map(|name| (name.to_owned(), Policy::default()))
                .into(),
            actions: BTreeMap::from([("nights".to_owned(), Action::default())]),
        };
        let desired = json!({"scaling": {"targetTracking": {"cpu": {"targetValue": 70}}}});
        let found: Vec<String> = unmanaged(&desired, &live)
            .iter()
            .map(|b| b.path.to_string())
            .collect();
        assert_eq!(
            found,
            [
                "spec.scaling.targetTracking.hand-made",
                "spec.scaling.scheduled.nights"
            ]
        );
    }
}
