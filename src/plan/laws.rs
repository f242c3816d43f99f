//! Laws of the diff, over generated trees and every kind's own rules.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::diff::{diff, is_mended};
use crate::kinds::{Compare, FieldRule, KINDS, Kind};
use crate::model::change::Drift;
use crate::model::tree::{FieldPath, Tree, is_named};

/// A kind that can be printed.
#[derive(Clone, Copy)]
struct Of(&'static dyn Kind);

impl std::fmt::Debug for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

/// Names that a tree of the kind may have: those of its fields and rules, and of a few strangers.
fn names(kind: &dyn Kind) -> Vec<String> {
    fn properties(schema: &Tree, into: &mut BTreeSet<String>) {
        match schema {
            Tree::Object(members) => {
                if let Some(Tree::Object(fields)) = members.get("properties") {
                    into.extend(fields.keys().cloned());
                }
                members.values().for_each(|inner| properties(inner, into));
            }
            Tree::Array(items) => items.iter().for_each(|inner| properties(inner, into)),
            _ => {}
        }
    }
    let mut found: BTreeSet<String> = ["nights", "a.b", "", "*"].map(str::to_owned).into();
    properties(&kind.schema().to_value(), &mut found);
    let patterns = kind.rules().iter().map(|rule| rule.path);
    for pattern in patterns.chain(kind.identity().iter().copied()) {
        found.extend(pattern.split('.').filter(|s| *s != "*").map(str::to_owned));
    }
    found.into_iter().collect()
}

fn leaf() -> impl Strategy<Value = Tree> {
    prop_oneof![
        any::<bool>().prop_map(Tree::from),
        (-3..9_i64).prop_map(Tree::from),
        prop::sample::select(vec![0.5, 1.0, 70.0, 70.5]).prop_map(Tree::from),
        "[a-c]{0,2}".prop_map(Tree::from),
        prop::collection::vec("[a-c]", 0..3).prop_map(Tree::from),
    ]
}

fn tree(names: Vec<String>) -> impl Strategy<Value = Tree> {
    leaf().prop_recursive(4, 40, 6, move |inner| {
        prop::collection::btree_map(prop::sample::select(names.clone()), inner, 0..6)
            .prop_map(|m| Tree::Object(m.into_iter().collect()))
    })
}

/// A value for a field of that comparison.
fn value(compare: Compare) -> BoxedStrategy<Tree> {
    match compare {
        Compare::Exact => leaf().boxed(),
        Compare::Set => prop::collection::vec("[a-d]", 0..4)
            .prop_map(Tree::from)
            .boxed(),
        Compare::Number => prop_oneof![
            (0..90_i64).prop_map(Tree::from),
            (0..90_u8).prop_map(|n| Tree::from(f64::from(n))),
        ]
        .boxed(),
        Compare::Band => (0..5_i64, 0..5_i64)
            .prop_map(|(min, more)| serde_json::json!({"min": min, "max": min + more}))
            .boxed(),
    }
}

/// Puts `value` at `path`, and mappings on the way there.
fn put(tree: &mut Tree, path: &[String], value: Tree) {
    let Some((first, rest)) = path.split_first() else {
        *tree = value;
        return;
    };
    if !tree.is_object() {
        *tree = Tree::Object(serde_json::Map::new());
    }
    let members = tree.as_object_mut().unwrap();
    put(
        members.entry(first.clone()).or_insert(Tree::Null),
        rest,
        value,
    );
}

fn rule_at<'k>(kind: &'k dyn Kind, path: &[String]) -> Option<&'k FieldRule> {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    kind.rules().iter().find(|rule| is_named(&names, rule.path))
}

/// A kind, what a document of it may want, and what may be live: a part of it as wanted, a part
/// otherwise, and more that nobody named.
fn case() -> impl Strategy<Value = (Of, Tree, Tree)> {
    prop::sample::select((0..KINDS.len()).collect::<Vec<_>>()).prop_flat_map(|nth| {
        let kind = KINDS[nth];
        let names = names(kind);
        let planted: Vec<BoxedStrategy<(Vec<String>, Tree)>> = kind
            .rules()
            .iter()
            .map(|rule| {
                let path: Vec<String> = rule
                    .path
                    .split('.')
                    .map(|s| if s == "*" { "nights" } else { s }.to_owned())
                    .collect();
                value(rule.compare)
                    .prop_map(move |v| (path.clone(), v))
                    .boxed()
            })
            .collect();
        let wanted = (tree(names.clone()), planted).prop_map(|(mut tree, planted)| {
            if !tree.is_object() {
                tree = Tree::Object(serde_json::Map::new());
            }
            for (path, value) in planted {
                put(&mut tree, &path, value);
            }
            tree
        });
        let edits = prop::collection::vec(
            (any::<prop::sample::Index>(), prop::option::of(leaf())),
            0..8,
        );
        (wanted, edits, tree(names)).prop_map(move |(wanted, edits, more)| {
            let mut live = met(kind, &wanted, &mut Vec::new());
            for (which, value) in edits {
                let paths = leaves(&live);
                if !paths.is_empty() {
                    let path = which.get(&paths).clone();
                    match value {
                        Some(value) => put(&mut live, &path, value),
                        None => remove(&mut live, &path),
                    }
                }
            }
            if let (Tree::Object(live), Tree::Object(more)) = (&mut live, more) {
                for (name, value) in more {
                    live.entry(name).or_insert(value);
                }
            }
            (Of(kind), wanted, live)
        })
    })
}

/// A live tree in which everything is as `wanted`, in the ways that each field allows.
fn met(kind: &dyn Kind, wanted: &Tree, here: &mut Vec<String>) -> Tree {
    match (rule_at(kind, here).map(|rule| rule.compare), wanted) {
        (Some(Compare::Band), wanted) => wanted["max"].clone(),
        (Some(Compare::Set), Tree::Array(items)) => items.iter().rev().cloned().collect(),
        (Some(Compare::Number), wanted) => wanted.as_f64().map_or(wanted.clone(), Tree::from),
        (None, Tree::Object(members)) => {
            let mut met_members = serde_json::Map::new();
            for (name, value) in members {
                here.push(name.clone());
                met_members.insert(name.clone(), met(kind, value, here));
                here.pop();
            }
            Tree::Object(met_members)
        }
        (_, wanted) => wanted.clone(),
    }
}

/// The paths of all that is no mapping.
fn leaves(tree: &Tree) -> Vec<Vec<String>> {
    match tree {
        Tree::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                leaves(value).into_iter().map(move |mut path| {
                    path.insert(0, name.clone());
                    path
                })
            })
            .collect(),
        _ => vec![Vec::new()],
    }
}

fn remove(tree: &mut Tree, path: &[String]) {
    if let (Some((first, rest)), Some(members)) = (path.split_first(), tree.as_object_mut()) {
        match (rest, members.get_mut(first)) {
            ([], _) => drop(members.remove(first)),
            (rest, Some(inner)) => remove(inner, rest),
            (_, None) => {}
        }
    }
}

fn at<'t>(tree: &'t Tree, path: &[String]) -> Option<&'t Tree> {
    path.iter().try_fold(tree, |tree, name| tree.get(name))
}

fn drift_of(kind: &dyn Kind, desired: &Tree, live: &Tree) -> Vec<Drift> {
    diff(desired, live, kind.rules(), kind.identity())
}

/// The live tree after each drifted field, and no other, has been given what was wanted of it.
fn applied(kind: &dyn Kind, live: &Tree, drift: &[Drift]) -> Tree {
    let mut live = live.clone();
    for one in drift {
        let path = below_spec(&one.path);
        let value = met(kind, &one.desired, &mut path.to_vec());
        put(&mut live, path, value);
    }
    live
}

fn below_spec(path: &FieldPath) -> &[String] {
    &path.segments()[1..]
}

proptest! {
    #[test]
    fn what_is_as_wanted_does_not_drift((Of(kind), desired, _) in case()) {
        let live = met(kind, &desired, &mut Vec::new());
        prop_assert_eq!(drift_of(kind, &desired, &live), vec![]);
    }

    #[test]
    fn applying_a_diff_leaves_nothing_to_do((Of(kind), desired, live) in case()) {
        let drift = drift_of(kind, &desired, &live);
        let after = applied(kind, &live, &drift);
        prop_assert_eq!(drift_of(kind, &desired, &after), vec![]);
        for one in &drift {
            prop_assert!(is_mended(one, &after, kind.rules()), "{:?}", one);
            prop_assert!(!is_mended(one, &live, kind.rules()), "{:?}", one);
        }
    }

    #[test]
    fn applying_a_diff_leaves_every_other_field_as_it_is((Of(kind), desired, live) in case()) {
        let drift = drift_of(kind, &desired, &live);
        let after = applied(kind, &live, &drift);
        for path in leaves(&live) {
            let touched = drift.iter().any(|one| {
                let drifted = below_spec(&one.path);
                path.starts_with(drifted) || drifted.starts_with(&path)
            });
            prop_assert!(touched || at(&live, &path) == at(&after, &path), "{:?}", path);
        }
    }

    #[test]
    fn a_diff_speaks_of_nothing_but_what_the_document_names((Of(kind), desired, live) in case()) {
        for one in drift_of(kind, &desired, &live) {
            let path = below_spec(&one.path);
            prop_assert_eq!(at(&desired, path), Some(&one.desired));
            prop_assert_eq!(at(&live, path).unwrap_or(&Tree::Null), &one.live);
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let found_by = |end: usize| kind.identity().iter().any(|p| is_named(&names[..end], p));
            prop_assert!(!(0..=names.len()).any(found_by), "{:?}", path);
        }
    }

    #[test]
    fn a_field_that_is_left_out_takes_its_own_drift_along_and_no_other(
        (Of(kind), desired, live) in case(),
        which in any::<prop::sample::Index>(),
    ) {
        let paths = leaves(&desired);
        prop_assume!(!paths.is_empty());
        let left_out = which.get(&paths);
        // What a rule holds together is one field.
        let end = (1..=left_out.len())
            .find(|end| rule_at(kind, &left_out[..*end]).is_some())
            .unwrap_or(left_out.len());
        let left_out = &left_out[..end];
        prop_assume!(!left_out.is_empty());
        let mut less = desired.clone();
        remove(&mut less, left_out);
        let mut expected = drift_of(kind, &desired, &live);
        expected.retain(|one| !below_spec(&one.path).starts_with(left_out));
        prop_assert_eq!(drift_of(kind, &less, &live), expected);
    }
}
