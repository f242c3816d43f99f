//! Sightings: in which ways one object is not as its document says, told apart by kind and stake.

use crate::kinds::Kind;
use crate::model::change::{Drift, Hold};
use crate::model::drift::{DriftKind, Sighting};
use crate::model::plan::{ObjectPlan, Status};
use crate::model::stake::Stake;
use crate::model::tree::{FieldPath, Tree, is_named};

/// What an object's plan shows; `None` where it shows nothing either way: the object could not be
/// read, its document did not load, or an absence is not believed yet. What is known of it from
/// before then stands.
pub fn sightings(kind: &dyn Kind, object: &ObjectPlan) -> Option<Vec<Sighting>> {
    let blind = |hold: &Hold| {
        matches!(
            hold,
            Hold::Unreadable { .. } | Hold::Frozen | Hold::Settling { .. }
        )
    };
    if object.status == Status::Unreadable || object.holds.iter().any(blind) {
        return None;
    }
    let gone = |hold: &Hold| matches!(hold, Hold::MustExist { .. });
    if object.status == Status::Absent || object.holds.iter().any(gone) {
        return Some(vec![Sighting {
            kind: DriftKind::Missing,
            path: FieldPath::root(),
            desired: Tree::Null,
            live: Tree::Null,
            stake: kind.stake(),
        }]);
    }
    let contested = object
        .holds
        .iter()
        .any(|hold| matches!(hold, Hold::Stalled { .. }));
    let drift = object.drift.iter().map(|drift| Sighting {
        kind: match (contested, drift.live.is_null()) {
            (true, _) => DriftKind::Contested,
            (false, true) => DriftKind::Missing,
            (false, false) => DriftKind::Changed,
        },
        path: drift.path.clone(),
        desired: drift.desired.clone(),
        live: drift.live.clone(),
        stake: stake(kind, drift),
    });
    let beside = object.beside.iter().map(|beside| Sighting {
        kind: beside.kind,
        path: beside.path.clone(),
        desired: beside.desired.clone(),
        live: beside.live.clone(),
        stake: match beside.kind {
            DriftKind::Pending => stake(
                kind,
                &Drift {
                    path: beside.path.clone(),
                    desired: beside.desired.clone(),
                    live: beside.live.clone(),
                },
            ),
            _ => kind.stake(),
        },
    });
    Some(drift.chain(beside).collect())
}

/// What a field that differs puts at risk, by its kind's rules.
fn stake(kind: &dyn Kind, drift: &Drift) -> Stake {
    let names = drift.path.segments().iter().skip(1);
    let names: Vec<&str> = names.map(String::as_str).collect();
    let rule = kind.rules().iter().find(|r| is_named(&names, r.path));
    match rule {
        Some(rule) => rule.stakes.of(&drift.desired, &drift.live),
        None => kind.stake(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::KINDS;
    use crate::kinds::service::Service;
    use crate::model::drift::Beside;
    use crate::render::plan::tests::object;

    fn drifted(live: Tree) -> ObjectPlan {
        let mut web = object("shop/Service/web", Status::Drifted);
        web.drift = vec![Drift {
            path: FieldPath::dotted("spec.desiredCount"),
            desired: json!(3),
            live,
        }];
        web.holds = Vec::new();
        web
    }

    fn seen(object: &ObjectPlan) -> Vec<(DriftKind, String, Stake)> {
        sightings(&Service, object)
            .unwrap()
            .into_iter()
            .map(|s| (s.kind, s.path.to_string(), s.stake))
            .collect()
    }

    fn count(kind: DriftKind, stake: Stake) -> Vec<(DriftKind, String, Stake)> {
        vec![(kind, "spec.desiredCount".to_owned(), stake)]
    }

    #[test]
    fn a_value_that_differs_is_changed_and_one_that_is_not_there_is_missing() {
        let changed = count(DriftKind::Changed, Stake::Cost);
        assert_eq!(seen(&drifted(json!(9))), changed);
        let changed = count(DriftKind::Changed, Stake::Availability);
        assert_eq!(seen(&drifted(json!(1))), changed);
        let missing = count(DriftKind::Missing, Stake::Availability);
        assert_eq!(seen(&drifted(Tree::Null)), missing);
    }

    #[test]
    fn an_object_that_is_not_there_is_missing_whether_it_may_be_created_or_not() {
        let whole = vec![(DriftKind::Missing, String::new(), Stake::Availability)];
        assert_eq!(seen(&object("shop/Service/web", Status::Absent)), whole);
        let mut held = object("shop/Service/web", Status::Blocked);
        held.holds = vec![Hold::MustExist {
            help: "create it".into(),
        }];
        assert_eq!(seen(&held), whole);
    }

    #[test]
    fn a_correction_that_stopped_is_contested() {
        let mut web = drifted(json!(9));
        web.holds = vec![Hold::Stalled {
            why: "again".into(),
        }];
        assert_eq!(seen(&web), count(DriftKind::Contested, Stake::Cost));
    }

    #[test]
    fn what_stands_beside_keeps_its_kind() {
        let mut web = object("shop/Service/web", Status::InSync);
        for kind in [
            DriftKind::Unmanaged,
            DriftKind::Pending,
            DriftKind::Suspended,
        ] {
            web.beside = vec![Beside {
                kind,
                path: FieldPath::dotted("spec.desiredCount"),
                desired: json!(3),
                live: json!(2),
            }];
            assert_eq!(seen(&web), count(kind, Stake::Availability));
        }
    }

    #[test]
    fn what_cannot_be_seen_says_nothing_either_way() {
        let mut web = object("shop/Service/web", Status::Blocked);
        for hold in [
            Hold::Frozen,
            Hold::Unreadable { cause: "no".into() },
            Hold::Settling { until: "x".into() },
        ] {
            web.holds = vec![hold];
            assert_eq!(sightings(&Service, &web), None);
        }
        web.holds = Vec::new();
        web.status = Status::Unreadable;
        assert_eq!(sightings(&Service, &web), None);
    }

    #[test]
    fn every_field_of_every_example_has_a_rule_that_says_what_it_puts_at_risk() {
        fn leaves(tree: &Tree, here: &mut Vec<String>, kind: &dyn Kind, faults: &mut Vec<String>) {
            let names: Vec<&str> = here.iter().map(String::as_str).collect();
            let named = |pattern: &str| is_named(&names, pattern);
            let known = kind.identity().iter().any(|p| named(p))
                || kind.rules().iter().any(|r| named(r.path));
            match tree {
                _ if known => {}
                Tree::Object(members) => {
                    for (name, value) in members {
                        here.push(name.clone());
                        leaves(value, here, kind, faults);
                        here.pop();
                    }
                }
                _ => faults.push(format!("{} {}", kind.name(), here.join("."))),
            }
        }
        let mut faults = Vec::new();
        for folder in ["examples/personal-journal", "examples/semiont"] {
            let set = crate::engine::desired::load(std::path::Path::new(folder));
            for document in set.documents.values() {
                let kind = KINDS
                    .iter()
                    .find(|k| k.name() == document.key.kind)
                    .unwrap();
                let desired = kind.desired(document, &set);
                leaves(&desired, &mut Vec::new(), *kind, &mut faults);
            }
            assert!(set.documents.len() > 5);
        }
        faults.dedup();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}
