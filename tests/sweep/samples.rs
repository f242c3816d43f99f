//! Samples: documents that between them name every owned field of every kind, and what they speak for.

use std::path::Path;

use evenkeel::engine::desired::load_files;
use evenkeel::kinds::Kind;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::finding::Severity;
use evenkeel::model::tree::{FieldPath, Tree};
use evenkeel::twin::World;
use evenkeel::twin::estate::FargateService;
use serde_json::json;

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
    let mut set = load_files(
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
    // Their policies would hold most of it back until some window opens.
    set.policies.clear();
    set
}

/// Both applications in order, and what the extra documents speak for.
pub fn estate(w: &mut World) {
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

/// The paths at which the one diff compares: scalars, lists, and what a rule takes as a whole.
pub fn leaves(kind: &dyn Kind, desired: &Tree) -> Vec<FieldPath> {
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
