//! Fields: every owned field of every kind, changed behind Evenkeel's back one at a time, is found
//! at its own path, corrected by one apply, in the ledger, and then left alone.
//!
//! Which fields there are is read from the kinds' schemas: a new one fails here until a document
//! of the sweep names it and a row of `tests/sweep/behind.rs` changes it, or [`STEERING`] says why not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::kinds::KINDS;
use evenkeel::model::chain::verify;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::entry::{Entry, Outcome, Record};
use evenkeel::model::key::ResourceKey;
use evenkeel::model::tree::{FieldPath, Tree};

use crate::rig::{Rig, complaints};
use crate::sweep::behind;
use crate::sweep::samples::{documents, estate, leaves};

/// Fields that own nothing, and why.
const STEERING: [(&str, &str, &str); 14] = [
    ("Service", "cluster", "finds the service"),
    ("Service", "serviceName", "finds the service"),
    ("Service", "launchType", "says which sizes are checked"),
    (
        "Service",
        "scaling.targetTracking.*.name",
        "finds the policy",
    ),
    (
        "Service",
        "scaling.targetTracking.*.policyName",
        "finds the policy",
    ),
    (
        "Service",
        "scaling.scheduled.*.name",
        "finds the scheduled action",
    ),
    ("Alarm", "alarmName", "finds the alarm"),
    (
        "Alarm",
        "preset",
        "stands for fields that are swept themselves",
    ),
    (
        "Alarm",
        "serviceRef",
        "stands for dimensions, which are swept",
    ),
    ("Alarm", "metrics.*.id", "finds the entry"),
    ("Database", "instance", "finds the instance"),
    ("Database", "cluster", "finds the cluster"),
    ("Database", "applyImmediately", "says how to write"),
    ("Table", "tableName", "finds the table"),
];

/// A rig over that estate, converged.
pub async fn converged(app: &str) -> (Rig, DesiredSet) {
    let rig = Rig::new().await;
    rig.twin.world(estate);
    let set = documents(app);
    let pass = rig.apply(&set, Wait::ForRollouts).await;
    assert_eq!(complaints(&pass), Vec::<String>::new());
    rig.clock.sleep(Duration::from_secs(60)).await;
    (rig, set)
}

/// Every property path of a schema, `*` for the entries of lists and maps.
fn properties(schema: &Tree) -> BTreeSet<String> {
    fn walk(root: &Tree, here: &Tree, path: &str, found: &mut BTreeSet<String>) {
        if let Some(name) = here["$ref"].as_str() {
            let pointer = name.trim_start_matches('#');
            return walk(root, root.pointer(pointer).unwrap(), path, found);
        }
        let of = |name: &str| match path {
            "" => name.to_owned(),
            _ => format!("{path}.{name}"),
        };
        let mut inner = false;
        for (name, property) in here["properties"].as_object().into_iter().flatten() {
            inner = true;
            walk(root, property, &of(name), found);
        }
        for way in ["anyOf", "oneOf", "allOf"] {
            for one in here[way].as_array().into_iter().flatten() {
                // The other alternative is null.
                if one.get("$ref").is_some() || one.get("properties").is_some() {
                    inner = true;
                    walk(root, one, path, found);
                }
            }
        }
        for entries in ["items", "additionalProperties"] {
            let entry = &here[entries];
            let structured = entry.get("$ref").is_some() || entry.get("properties").is_some();
            if entry.is_object() && (structured || entries == "additionalProperties") {
                inner = true;
                walk(root, entry, &of("*"), found);
            }
        }
        if !inner && !path.is_empty() {
            found.insert(path.to_owned());
        }
    }
    let mut found = BTreeSet::new();
    walk(schema, schema, "", &mut found);
    found
}

#[test]
fn every_field_of_every_kind_is_swept_or_says_why_not() {
    let mut swept: BTreeMap<&str, Vec<FieldPath>> = BTreeMap::new();
    for app in ["personal-journal", "semiont", "sweep"] {
        let set = documents(app);
        for document in set.documents.values() {
            let kind = evenkeel::kinds::kind(&document.key.kind).unwrap();
            let desired = kind.desired(document, &set);
            swept
                .entry(kind.name())
                .or_default()
                .extend(leaves(kind, &desired));
        }
    }
    let mut faults = Vec::new();
    for kind in KINDS {
        let all = properties(&kind.schema().to_value());
        let none = Vec::new();
        let swept = swept.get(kind.name()).unwrap_or(&none);
        let steering: Vec<&str> = STEERING
            .iter()
            .filter(|(of, ..)| *of == kind.name())
            .map(|(_, path, _)| *path)
            .collect();
        for path in &all {
            // A map that is compared as a whole stands for its entries.
            let whole = path.strip_suffix(".*").unwrap_or(path);
            let is_swept = swept.iter().any(|p| p.matches(path) || p.matches(whole));
            if !is_swept && !steering.contains(&path.as_str()) {
                faults.push(format!(
                    "{}.{path}: no document of the sweep names it",
                    kind.name()
                ));
            }
        }
        for path in steering.iter().filter(|p| !all.contains(**p)) {
            faults.push(format!("{}.{path}: no such field any more", kind.name()));
        }
        for path in swept {
            if behind::row(kind.name(), path).is_none() {
                faults.push(format!(
                    "{}.{path}: no row of tests/sweep/behind.rs changes it",
                    kind.name()
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether the ledger's newest entries tell of a write that mended `path` and was applied.
fn is_told(entries: &[Entry], key: &ResourceKey, path: &FieldPath) -> bool {
    let mended: Vec<&String> = entries
        .iter()
        .filter_map(|e| match &e.record {
            Record::Intent {
                id, key: of, drift, ..
            } if of == key && drift.iter().any(|d| d.path == *path) => Some(id),
            _ => None,
        })
        .collect();
    entries.iter().any(|e| {
        matches!(&e.record, Record::Outcome { intent, outcome: Outcome::Applied, .. }
            if mended.contains(&intent))
    })
}

/// Everything that drifts, as `key: path`.
pub async fn drift(rig: &Rig, set: &DesiredSet) -> BTreeSet<String> {
    let plan = rig.plan(set).await;
    plan.objects
        .iter()
        .flat_map(|o| {
            o.drift
                .iter()
                .map(move |d| format!("{}: {}", o.key, d.path))
        })
        .collect()
}

async fn sweep(app: &str) {
    let (rig, set) = converged(app).await;
    let store = rig.engine.store.clone().unwrap();
    assert_eq!(drift(&rig, &set).await, BTreeSet::new());
    for document in set.documents.values() {
        let kind = evenkeel::kinds::kind(&document.key.kind).unwrap();
        let desired = kind.desired(document, &set);
        for path in leaves(kind, &desired) {
            let key = &document.key;
            let row = behind::row(kind.name(), &path).unwrap();
            let before = store.history(app, None).await.unwrap().len();
            let along = rig.twin.world(|w| (row.act)(w, &desired, &path));
            // A rollout is over by then; the next scheduled action is hours away.
            let pause = if kind.name() == "Service" { 300 } else { 30 };
            rig.clock.sleep(Duration::from_secs(pause)).await;
            let full = |p: &FieldPath| {
                FieldPath::of(["spec".to_owned()].iter().chain(p.segments()).cloned())
            };
            let expected: BTreeSet<String> = std::iter::once(&path)
                .chain(&along)
                .map(|p| format!("{key}: {}", full(p)))
                .collect();
            assert_eq!(drift(&rig, &set).await, expected, "{key}: {path}");
            let pass = rig.apply(&set, Wait::ForRollouts).await;
            assert_eq!(complaints(&pass), Vec::<String>::new(), "{key}: {path}");
            let entries = store.history(app, None).await.unwrap();
            verify(app, &entries).unwrap();
            assert!(
                is_told(&entries[before..], key, &full(&path)),
                "{key}: {path}: not in the ledger: {:#?}",
                &entries[before..]
            );
            rig.twin.world(|w| w.calls.clear());
            rig.apply(&set, Wait::ForRollouts).await;
            assert_eq!(rig.writes(), 0, "{key}: {path}: a second apply writes");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_owned_field_of_personal_journal_is_found_and_corrected_and_told() {
    sweep("personal-journal").await;
}

#[tokio::test(start_paused = true)]
async fn every_owned_field_of_semiont_is_found_and_corrected_and_told() {
    sweep("semiont").await;
}

#[tokio::test(start_paused = true)]
async fn every_owned_field_that_no_example_names_is_found_and_corrected_and_told() {
    sweep("sweep").await;
}
