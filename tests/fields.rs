//! Fields: every owned field of every kind, changed behind Evenkeel's back one at a time, is found
//! at its own path, corrected by one apply, in the ledger, and then left alone.
//!
//! Which fields there are is read from the kinds' schemas: a new one fails here until a document
//! of the sweep names it and a row of `tests/behind.rs` changes it, or [`STEERING`] says why not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::engine::desired::load_files;
use evenkeel::kinds::{KINDS, Kind};
use evenkeel::model::chain::verify;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::entry::{Entry, Outcome, Record};
use evenkeel::model::finding::Severity;
use evenkeel::model::key::ResourceKey;
use evenkeel::model::tree::{FieldPath, Tree};
use evenkeel::twin::World;
use evenkeel::twin::estate::FargateService;
use serde_json::json;

use crate::behind;
use crate::rig::{Rig, complaints};

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

/// What neither example names.
const EXTRA: &str = r#"
apiVersion: evenkeel/v1alpha1
kind: Service
metadata: {app: sweep, name: counted}
spec:
  cluster: sweep
  launchType: FARGATE
  desiredCount: 3
  cpu: 512
  memory: 1024
  containers: {app: {cpu: 128, memory: 512, memoryReservation: 256}}
---
apiVersion: evenkeel/v1alpha1
kind: Service
metadata: {app: sweep, name: scaled}
spec:
  cluster: sweep
  serviceName: scaled
  scaling:
    minCapacity: 2
    maxCapacity: 6
    targetTracking:
      - name: requests
        policyName: by-requests
        metric: ALBRequestCountPerTarget
        resourceLabel: app/web/0123456789abcdef/targetgroup/web/0123456789abcdef
        targetValue: 1000
        scaleInCooldown: 60
        scaleOutCooldown: 30
        disableScaleIn: true
---
apiVersion: evenkeel/v1alpha1
kind: Alarm
metadata: {app: sweep, name: slow}
spec:
  alarmName: sweep-slow
  description: The slowest requests
  metricName: Latency
  namespace: Sweep
  dimensions: {Stage: prod}
  extendedStatistic: p99
  period: 60
  unit: Seconds
  evaluationPeriods: 5
  datapointsToAlarm: 3
  threshold: 2
  comparisonOperator: GreaterThanOrEqualToThreshold
  treatMissingData: ignore
  evaluateLowSampleCountPercentile: ignore
  actionsEnabled: true
  alarmActions: ["arn:aws:sns:us-east-1:123456789012:alerts"]
  okActions: ["arn:aws:sns:us-east-1:123456789012:alerts"]
  insufficientDataActions: ["arn:aws:sns:us-east-1:123456789012:alerts"]
---
apiVersion: evenkeel/v1alpha1
kind: Alarm
metadata: {app: sweep, name: share}
spec:
  metrics:
    - id: bad
      returnData: false
      metricStat:
        metric: {namespace: Sweep, metricName: Errors, dimensions: {Stage: prod}}
        period: 60
        stat: Sum
        unit: Count
    - {id: share, expression: "bad / 100", label: errors, returnData: true, period: 60}
  evaluationPeriods: 3
  threshold: 0.5
  comparisonOperator: GreaterThanThreshold
---
apiVersion: evenkeel/v1alpha1
kind: Alarm
metadata: {app: sweep, name: unusual}
spec:
  metrics:
    - id: load
      returnData: true
      metricStat:
        metric: {namespace: Sweep, metricName: Load}
        period: 300
        stat: Average
    - {id: band, expression: "ANOMALY_DETECTION_BAND(load, 2)", label: expected, returnData: true}
  thresholdMetricId: band
  evaluationPeriods: 2
  comparisonOperator: LessThanLowerOrGreaterThanUpperThreshold
---
apiVersion: evenkeel/v1alpha1
kind: Database
metadata: {app: sweep, name: orders}
spec:
  instance: sweep-orders
  preferredMaintenanceWindow: "mon:09:00-mon:10:00"
  applyImmediately: true
"#;

/// The documents of one app of the sweep.
pub fn documents(app: &str) -> DesiredSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(app);
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    if app == "sweep" {
        files.push(("sweep.yaml".to_owned(), EXTRA.as_bytes().to_vec()));
    } else {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    let set = load_files(
        files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_slice())),
    );
    let errors: Vec<_> = set
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    set
}

/// Both applications in order, and what the extra documents speak for.
fn estate(w: &mut World) {
    evenkeel::demo::estate::in_order(w).unwrap();
    for name in ["counted", "scaled"] {
        let service = FargateService::new("sweep", name)
            .size(512, 1024)
            .desired(3);
        w.add_service(&service).unwrap();
    }
    w.rds
        .put_instance(json!({"DBInstanceIdentifier": "sweep-orders"}));
}

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

/// The paths at which the one diff compares: scalars, lists, and what a rule takes as a whole.
fn leaves(kind: &dyn Kind, desired: &Tree) -> Vec<FieldPath> {
    let mut found = Vec::new();
    let mut open = vec![(FieldPath::root(), desired)];
    while let Some((path, tree)) = open.pop() {
        if kind.identity().iter().any(|p| path.matches(p)) {
            continue;
        }
        let whole = kind.rules().iter().any(|rule| path.matches(rule.path));
        match tree.as_object() {
            Some(members) if !whole => open.extend(
                members
                    .iter()
                    .map(|(name, member)| (path.child(name.as_str()), member)),
            ),
            _ => found.push(path),
        }
    }
    found.sort();
    found
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
                    "{}.{path}: no row of tests/behind.rs changes it",
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
