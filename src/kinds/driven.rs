//! Driven: alarms, databases and tables over the twin, read and written with the real clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::trial::{ALL_ALLOWED, decide, named, set};
use super::{Decision, Driver, Kind, StepError, Wanted};
use crate::aws::call::Permit;
use crate::aws::cell::Cell;
use crate::aws::door::Mode;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::kinds::alarm::Alarm;
use crate::kinds::database::Database;
use crate::kinds::table::Table;
use crate::model::change::{Hold, Step};
use crate::model::document::Document;
use crate::model::snapshot::Seen;
use crate::twin::Twin;
use crate::twin::wire::TwinError;

struct Bench {
    twin: Twin,
    cell: Arc<Cell>,
    kind: &'static dyn Kind,
    driver: Box<dyn Driver>,
}

async fn bench(kind: &'static dyn Kind) -> Bench {
    let clock = Clock::virtual_at("2026-11-23T12:00:00Z".parse().unwrap());
    let twin = Twin::new(clock.clone(), 1);
    let cell = Cell::connect(
        &twin.sdk_config(),
        twin.http_client(),
        Mode::ReadWrite,
        clock,
        Entropy::seeded(7),
    )
    .await
    .unwrap();
    let cell = Arc::new(cell);
    Bench {
        driver: kind.driver(&cell),
        twin,
        cell,
        kind,
    }
}

impl Bench {
    fn document(&self, name: &str, spec: &Value) -> Document {
        named(self.kind.name(), name, spec.clone())
    }

    /// What one look finds of documents `0`, `1`, ... of these specs.
    async fn look(&self, specs: &[Value]) -> Vec<Seen> {
        let documents: Vec<Document> = specs
            .iter()
            .enumerate()
            .map(|(i, spec)| self.document(&i.to_string(), spec))
            .collect();
        let set = set(documents.clone());
        let wanted: Vec<Wanted> = documents
            .iter()
            .map(|document| Wanted {
                key: document.key.clone(),
                desired: self.kind.desired(document, &set),
            })
            .collect();
        let mut seen = self.driver.observe(&wanted).await;
        wanted
            .iter()
            .map(|want| seen.remove(&want.key).unwrap())
            .collect()
    }

    async fn plan(&self, spec: &Value) -> Decision {
        let live = match self.look(std::slice::from_ref(spec)).await.remove(0) {
            Seen::Present(live) => Some((live.view, live.facts)),
            Seen::Absent => None,
            Seen::Unreadable(cause) => panic!("{cause}"),
        };
        let document = self.document("0", spec);
        let set = set([document.clone()]);
        decide(self.kind, &document, &set, live, &ALL_ALLOWED)
    }

    async fn write(&self, step: &Step) -> Result<(), StepError> {
        let earlier = BTreeMap::new();
        self.driver.prepare(step, &earlier).await?;
        let token = self.cell.budget.take(step.operation().unwrap().name).await;
        let deadline = self.cell.clock.boot() + Duration::from_secs(60);
        let permit = Permit::issue("intent", &step.operation, &step.object, deadline, token);
        self.driver.apply(step, &earlier, permit).await.map(drop)
    }

    /// Writes what is planned and shows that nothing is left to plan.
    async fn converge(&self, spec: &Value) {
        let decision = self.plan(spec).await;
        assert!(!decision.steps.is_empty(), "{decision:?}");
        for step in &decision.steps {
            self.write(step).await.unwrap();
        }
        self.cell.clock.sleep(Duration::from_secs(300)).await;
        assert_eq!(self.plan(spec).await, Decision::default());
    }

    fn calls(&self, operation: &str) -> u64 {
        self.cell
            .budget
            .calls()
            .get(operation)
            .copied()
            .unwrap_or(0)
    }

    fn fails_once(&self, operation: &str) {
        let denied = TwinError::client("AccessDenied", "no");
        self.twin.world(|w| w.faults.errors(operation, 1, &denied));
    }
}

fn alarm() -> Value {
    json!({
        "alarmName": "high", "preset": "CpuHigh", "threshold": 75,
        "dimensions": {"ClusterName": "main", "ServiceName": "web"},
        "alarmActions": ["arn:aws:sns:us-east-1:123456789012:alerts"],
    })
}

#[tokio::test(start_paused = true)]
async fn an_absent_alarm_is_created_and_then_in_order() {
    let bench = bench(&Alarm).await;
    bench.converge(&alarm()).await;
    let math = json!({
        "alarmName": "math", "preset": "RunningBelowDesired",
        "dimensions": {"ClusterName": "main", "ServiceName": "web"},
    });
    bench.converge(&math).await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_changed_by_hand_is_mended_and_keeps_what_no_document_names() {
    let bench = bench(&Alarm).await;
    bench.converge(&alarm()).await;
    bench.twin.world(|w| {
        let live = w.cloudwatch.alarm_mut("high").unwrap();
        live["Threshold"] = json!(99.0);
        live["AlarmDescription"] = json!("by hand");
        live["OKActions"] = json!(["arn:aws:sns:us-east-1:123456789012:calm"]);
        live["EvaluationWindow"] = json!({"WallClockWindow": {"Timezone": "Europe/Zurich"}});
    });
    bench.converge(&alarm()).await;
    bench.twin.world(|w| {
        let live = w.cloudwatch.alarm("high").unwrap();
        assert_eq!(live["Threshold"], json!(75.0));
        assert_eq!(live["AlarmDescription"], "by hand");
        assert_eq!(live["OKActions"].as_array().unwrap().len(), 1);
        assert_eq!(
            live["EvaluationWindow"]["WallClockWindow"]["Timezone"],
            "Europe/Zurich"
        );
    });
}

#[tokio::test(start_paused = true)]
async fn a_live_member_of_tomorrow_blocks_the_write() {
    let bench = bench(&Alarm).await;
    bench.converge(&alarm()).await;
    bench.twin.world(|w| {
        let live = w.cloudwatch.alarm_mut("high").unwrap();
        live["Threshold"] = json!(99.0);
        live["Novelty"] = json!({"x": 1});
    });
    let decision = bench.plan(&alarm()).await;
    assert!(decision.steps.is_empty());
    assert!(
        matches!(&decision.holds[..], [Hold::UnknownLiveField { members }] if members == &["Novelty"])
    );
}

#[tokio::test(start_paused = true)]
async fn an_alarm_of_another_sort_with_that_name_is_seen_and_not_overwritten() {
    for sort in ["composite", "log"] {
        let bench = bench(&Alarm).await;
        let other = json!({"AlarmName": "high"});
        bench.twin.world(|w| match sort {
            "log" => w.cloudwatch.put_log_alarm(other),
            _ => w.cloudwatch.put_composite_alarm(other),
        });
        let decision = bench.plan(&alarm()).await;
        assert!(decision.steps.is_empty(), "{sort}");
        assert!(
            matches!(&decision.holds[..], [Hold::Conflict { why }] if why.contains(sort)),
            "{decision:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_somebody_changed_since_the_plan_is_not_replaced() {
    let bench = bench(&Alarm).await;
    bench.converge(&alarm()).await;
    let change = |threshold: f64| {
        bench.twin.world(|w| {
            w.cloudwatch.alarm_mut("high").unwrap()["Threshold"] = json!(threshold);
        });
    };
    change(99.0);
    let decision = bench.plan(&alarm()).await;
    change(98.0);
    let outcome = bench.write(&decision.steps[0]).await;
    assert!(matches!(outcome, Err(StepError::Superseded(_))));
}

#[tokio::test(start_paused = true)]
async fn two_hundred_and_fifty_alarms_take_three_calls_and_a_failed_one_proves_no_absence() {
    let bench = bench(&Alarm).await;
    let specs: Vec<Value> = (0..250)
        .map(|i| json!({"alarmName": format!("a-{i}"), "preset": "CpuHigh"}))
        .collect();
    let seen = bench.look(&specs).await;
    assert!(seen.iter().all(|s| *s == Seen::Absent));
    assert_eq!(bench.calls("cloudwatch.DescribeAlarms"), 3);
    bench.fails_once("cloudwatch.DescribeAlarms");
    let seen = bench.look(&specs).await;
    let unreadable = |s: &&Seen| matches!(s, Seen::Unreadable(_));
    assert_eq!(seen.iter().filter(unreadable).count(), 100);
}

#[tokio::test(start_paused = true)]
async fn an_instance_and_a_cluster_are_brought_to_their_documents() {
    let bench = bench(&Database).await;
    bench.twin.world(|w| {
        w.rds.put_instance(json!({"DBInstanceIdentifier": "db"}));
        w.rds
            .put_cluster(json!({"DBClusterIdentifier": "docs", "Engine": "docdb"}));
    });
    for field in ["instance", "cluster"] {
        let spec = json!({
            field: if field == "instance" { "DB" } else { "docs" },
            "backupRetentionDays": 7,
            "preferredBackupWindow": "02:00-04:00",
            "preferredMaintenanceWindow": "Mon:09:00-Mon:10:00",
            "deletionProtection": true,
        });
        bench.converge(&spec).await;
    }
    assert_eq!(bench.calls("rds.ModifyDBInstance"), 1);
}

#[tokio::test(start_paused = true)]
async fn backups_turned_on_wait_for_the_window_and_are_asked_for_once() {
    let bench = bench(&Database).await;
    bench.twin.world(|w| {
        w.rds
            .put_instance(json!({"DBInstanceIdentifier": "db", "BackupRetentionPeriod": 0}));
    });
    let spec = json!({"instance": "db", "backupRetentionDays": 7});
    let decision = bench.plan(&spec).await;
    bench.write(&decision.steps[0]).await.unwrap();
    bench.cell.clock.sleep(Duration::from_secs(300)).await;
    let decision = bench.plan(&spec).await;
    assert!(decision.steps.is_empty());
    assert!(matches!(decision.holds[..], [Hold::Pending { .. }]));
    // The next maintenance window is within a week.
    bench
        .cell
        .clock
        .sleep(Duration::from_secs(8 * 86_400))
        .await;
    assert_eq!(bench.plan(&spec).await, Decision::default());
}

#[tokio::test(start_paused = true)]
async fn backups_of_a_member_belong_to_its_cluster_and_those_of_a_plan_to_aws_backup() {
    let bench = bench(&Database).await;
    let point = "arn:aws:backup:us-east-1:123456789012:recovery-point:x";
    bench.twin.world(|w| {
        for (id, engine) in [
            ("aurora-1", "aurora-postgresql"),
            ("multi-az-1", "postgres"),
        ] {
            w.rds.put_instance(json!({
                "DBInstanceIdentifier": id, "Engine": engine, "DBClusterIdentifier": "main",
            }));
        }
        w.rds.put_instance(json!({
            "DBInstanceIdentifier": "planned", "AwsBackupRecoveryPointArn": point,
        }));
    });
    for (instance, owner) in [
        ("aurora-1", "cluster: main"),
        ("multi-az-1", "cluster: main"),
        ("planned", point),
    ] {
        let spec = json!({"instance": instance, "backupRetentionDays": 7});
        let decision = bench.plan(&spec).await;
        assert!(decision.steps.is_empty(), "{instance}");
        assert!(
            matches!(&decision.holds[..], [Hold::OwnedElsewhere { why }] if why.contains(owner)),
            "{decision:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_whose_storage_is_being_optimized_takes_its_changes() {
    let bench = bench(&Database).await;
    bench.twin.world(|w| {
        w.rds.put_instance(json!({
            "DBInstanceIdentifier": "db", "DBInstanceStatus": "storage-optimization",
        }));
    });
    bench
        .converge(&json!({"instance": "db", "deletionProtection": true}))
        .await;
}

#[tokio::test(start_paused = true)]
async fn one_database_is_asked_for_by_name_and_many_are_listed_once() {
    let bench = bench(&Database).await;
    bench.twin.world(|w| {
        for i in 0..150 {
            w.rds
                .put_instance(json!({"DBInstanceIdentifier": format!("db-{i:03}")}));
        }
    });
    let spec = |i: usize| json!({"instance": format!("db-{i:03}")});
    assert_eq!(bench.look(&[spec(200)]).await, [Seen::Absent]);
    assert_eq!(bench.calls("rds.DescribeDBInstances"), 1);
    let many: Vec<Value> = (0..151).map(spec).collect();
    let seen = bench.look(&many).await;
    assert_eq!(bench.calls("rds.DescribeDBInstances"), 3);
    assert!(seen[..150].iter().all(|s| matches!(s, Seen::Present(_))));
    assert_eq!(seen[150], Seen::Absent);
    bench.fails_once("rds.DescribeDBInstances");
    let seen = bench.look(&many).await;
    assert!(seen.iter().all(|s| matches!(s, Seen::Unreadable(_))));
}

#[tokio::test(start_paused = true)]
async fn a_table_is_brought_to_its_document_and_a_missing_one_is_absent() {
    let bench = bench(&Table).await;
    bench
        .twin
        .world(|w| w.dynamodb.put_table(json!({"TableName": "sessions"})));
    let spec = json!({
        "tableName": "sessions",
        "pointInTimeRecovery": {"enabled": true, "recoveryPeriodDays": 20},
        "deletionProtection": true,
    });
    bench.converge(&spec).await;
    let other = json!({"tableName": "nowhere", "deletionProtection": true});
    assert_eq!(bench.look(&[other]).await, [Seen::Absent]);
    bench.fails_once("dynamodb.DescribeContinuousBackups");
    assert!(matches!(
        bench.look(&[spec]).await[..],
        [Seen::Unreadable(_)]
    ));
}
