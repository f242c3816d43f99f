//! The one diff: which of the fields that a document names are not as it says.
//!
//! The walk follows the desired tree only, so a field that no document names is never compared.

use crate::kinds::{Compare, FieldRule};
use crate::model::change::Drift;
use crate::model::tree::{FieldPath, Tree, is_named};

/// The drift of `live` from `desired`, in path order. Paths start with `spec`. Fields that match
/// a pattern of `identity` are skipped, with all below them.
pub fn diff(desired: &Tree, live: &Tree, rules: &[FieldRule], identity: &[&str]) -> Vec<Drift> {
    let mut walk = Walk {
        rules,
        identity,
        here: Vec::new(),
        drift: Vec::new(),
    };
    walk.compare(desired, Some(live));
    walk.drift
}

/// Whether `live`, a whole live view, is as one drift's document wanted it at its path.
pub fn is_mended(drift: &Drift, live: &Tree, rules: &[FieldRule]) -> bool {
    let below: Vec<&str> = drift
        .path
        .segments()
        .iter()
        .skip(1)
        .map(String::as_str)
        .collect();
    let here = below.iter().try_fold(live, |tree, name| tree.get(name));
    let rule = rules.iter().find(|rule| is_named(&below, rule.path));
    in_order(
        rule.map_or(Compare::Exact, |r| r.compare),
        &drift.desired,
        here,
    )
}

struct Walk<'a> {
    rules: &'a [FieldRule],
    identity: &'a [&'a str],
    /// The names that lead from the root to where the walk is. A path is made of them only for
    /// what differs: nearly nothing does, and there are thousands of objects.
    here: Vec<&'a str>,
    drift: Vec<Drift>,
}

impl<'a> Walk<'a> {
    fn compare(&mut self, desired: &'a Tree, live: Option<&Tree>) {
        if self
            .identity
            .iter()
            .any(|pattern| is_named(&self.here, pattern))
        {
            return;
        }
        let rule = self
            .rules
            .iter()
            .find(|rule| is_named(&self.here, rule.path));
        match (rule, desired) {
            // A map without a rule is a level of the tree; with one it is a value.
            (None, Tree::Object(fields)) => {
                for (name, value) in fields {
                    self.here.push(name);
                    self.compare(value, live.and_then(|l| l.get(name)));
                    self.here.pop();
                }
            }
            _ => {
                let compare = rule.map_or(Compare::Exact, |r| r.compare);
                if !in_order(compare, desired, live) {
                    let path = std::iter::once("spec").chain(self.here.iter().copied());
                    self.drift.push(Drift {
                        path: FieldPath::of(path),
                        desired: desired.clone(),
                        live: live.cloned().unwrap_or(Tree::Null),
                    });
                }
            }
        }
    }
}

fn in_order(compare: Compare, desired: &Tree, live: Option<&Tree>) -> bool {
    let Some(live) = live else {
        return desired.is_null();
    };
    match compare {
        Compare::Exact => desired == live,
        Compare::Number => match (desired.as_f64(), live.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= f64::EPSILON * a.abs().max(b.abs()),
            _ => desired == live,
        },
        Compare::Set => match (desired.as_array(), live.as_array()) {
            (Some(a), Some(b)) => {
                a.iter().all(|item| b.contains(item)) && b.iter().all(|item| a.contains(item))
            }
            _ => desired == live,
        },
        Compare::Band => match (desired.get("min"), desired.get("max"), live.as_f64()) {
            (Some(min), Some(max), Some(n)) => {
                min.as_f64().is_some_and(|min| n >= min) && max.as_f64().is_some_and(|max| n <= max)
            }
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stake::{Stake, Stakes};
    use proptest::prelude::*;
    use serde_json::json;

    const RULES: &[FieldRule] = &[
        FieldRule::new("count", Compare::Band, Stakes::always(Stake::Cosmetic)),
        FieldRule::new(
            "policies.*.target",
            Compare::Number,
            Stakes::always(Stake::Cosmetic),
        ),
        FieldRule::new("actions", Compare::Set, Stakes::always(Stake::Cosmetic)),
    ];

    fn paths(desired: Tree, live: Tree) -> Vec<String> {
        diff(&desired, &live, RULES, &["cluster"])
            .into_iter()
            .map(|d| d.path.to_string())
            .collect()
    }

    #[test]
    fn a_field_that_no_document_names_is_never_compared() {
        assert!(paths(json!({"cpu": 1}), json!({"cpu": 1, "memory": 2})).is_empty());
    }

    #[test]
    fn a_field_that_is_not_set_live_is_drift_to_null() {
        let drift = diff(&json!({"cpu": 1}), &json!({}), RULES, &[]);
        assert_eq!(drift[0].live, Tree::Null);
    }

    #[test]
    fn a_number_is_a_number_however_it_is_written() {
        let desired = json!({"policies": {"cpu": {"target": 70}}});
        assert!(
            paths(
                desired.clone(),
                json!({"policies": {"cpu": {"target": 70.0}}})
            )
            .is_empty()
        );
        assert_eq!(
            paths(desired, json!({"policies": {"cpu": {"target": 70.5}}})),
            ["spec.policies.cpu.target"]
        );
    }

    #[test]
    fn a_count_inside_its_band_is_in_order() {
        let desired = json!({"count": {"min": 2, "max": 4}});
        for (live, drifted) in [(1, true), (2, false), (4, false), (5, true)] {
            assert_eq!(
                !paths(desired.clone(), json!({"count": live})).is_empty(),
                drifted
            );
        }
    }

    #[test]
    fn sets_ignore_order_and_identity_is_skipped() {
        assert!(
            paths(
                json!({"actions": ["a", "b"], "cluster": "x"}),
                json!({"actions": ["b", "a"], "cluster": "y"})
            )
            .is_empty()
        );
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Tree::from),
            any::<i32>().prop_map(Tree::from),
            "[a-z]{0,4}".prop_map(Tree::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|m| Tree::Object(m.into_iter().collect()))
        })
    }

    #[test]
    fn a_drift_is_mended_when_its_own_field_is_as_wanted() {
        let desired = json!({"count": {"min": 2, "max": 4}, "policies": {"a": {"target": 70}}});
        let drift = diff(
            &desired,
            &json!({"count": 1, "policies": {"a": {"target": 50}}}),
            RULES,
            &[],
        );
        let now = json!({"count": 3, "policies": {"a": {"target": 50.0}}});
        let mended: Vec<bool> = drift.iter().map(|d| is_mended(d, &now, RULES)).collect();
        assert_eq!(mended, [true, false]);
    }

    proptest! {
        #[test]
        fn nothing_drifts_from_itself(t in tree()) {
            prop_assert_eq!(diff(&t, &t, &[], &[]), vec![]);
        }
    }
}
