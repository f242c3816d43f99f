//! Import: documents written for what is live load without a finding, and a plan of them is empty.

use evenkeel::author::import::{ImportError, Imported, Wish, import};
use evenkeel::demo::estate;
use evenkeel::engine::apply::Wait;
use evenkeel::engine::desired::{load, load_files};
use evenkeel::model::document::DesiredSet;
use evenkeel::model::plan::{Plan, Status, Verdict};
use evenkeel::twin::World;
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::wire::TwinError;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::process::{Bench, LIMIT, Running};
use crate::rig::Rig;

/// Rules that only say something true of the estate itself.
const TRUE_OF_THE_ESTATE: [&str; 3] = ["lone-schedule", "bounds-may-cross", "deployment-stops-all"];

fn loaded(imported: &Imported) -> DesiredSet {
    load_files([("import.yaml", imported.text.as_bytes())])
}

/// What of the import is not as it should be: a finding, or anything but an empty plan.
async fn faults(rig: &Rig, imported: &Imported) -> Vec<String> {
    let set = loaded(imported);
    let findings = set.findings.iter();
    let findings = findings.filter(|f| !TRUE_OF_THE_ESTATE.contains(&f.rule.as_str()));
    let mut faults: Vec<String> = findings.map(|f| format!("{f:?}")).collect();
    let plan = rig.plan(&set).await;
    faults.extend(unquiet(&plan));
    if set.documents.len() != imported.documents {
        faults.push(format!("{} of {}", set.documents.len(), imported.documents));
    }
    faults
}

fn unquiet(plan: &Plan) -> Vec<String> {
    plan.objects
        .iter()
        .filter(|o| o.status != Status::InSync || !o.drift.is_empty() || !o.holds.is_empty())
        .map(|o| format!("{o:?}"))
        .collect()
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn journal() -> Wish {
    Wish {
        app: "personal-journal".into(),
        cluster: Some(estate::JOURNAL.into()),
        alarms: texts(&[
            "personal-journal-response-time-high",
            "personal-journal-api-errors",
        ]),
        databases: texts(&["personal-journal-docdb"]),
        ..Wish::default()
    }
}

fn semiont() -> Wish {
    Wish {
        app: "semiont".into(),
        cluster: Some(estate::SEMIONT.into()),
        databases: texts(&["semiont-postgres", "semiont-neptune"]),
        tables: texts(&["semiont-sessions"]),
        ..Wish::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_an_imported_demo_estate_is_empty_in_order_or_not() {
    for build in [estate::in_order, estate::out_of_order] {
        let rig = Rig::new().await;
        rig.twin.world(build).unwrap();
        rig.twin.world(|w| w.calls.clear());
        for wish in [journal(), semiont()] {
            let imported = import(&rig.engine, &wish).await.unwrap();
            assert_eq!(faults(&rig, &imported).await, [""; 0], "{}", imported.text);
            assert!(
                imported.text.lines().all(|l| l.chars().count() <= 80),
                "{}",
                imported.text
            );
        }
        assert_eq!(rig.writes(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_an_imported_example_is_empty() {
    for (folder, wish) in [("personal-journal", journal()), ("semiont", semiont())] {
        let rig = Rig::new().await;
        rig.twin.world(estate::out_of_order).unwrap();
        let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut example = load(&package.join("examples").join(folder));
        // Its windows are not open at noon.
        example.policies.clear();
        rig.apply(&example, Wait::ForRollouts).await;
        assert_eq!(rig.plan(&example).await.verdict(), Verdict::InOrder);
        let imported = import(&rig.engine, &wish).await.unwrap();
        assert_eq!(faults(&rig, &imported).await, [""; 0], "{}", imported.text);
        // It speaks for all that the example speaks for.
        let of =
            |set: &DesiredSet, kind: &str| set.documents.keys().filter(|k| k.kind == kind).count();
        for kind in ["Database", "Table"] {
            assert_eq!(of(&loaded(&imported), kind), of(&example, kind), "{kind}");
        }
        assert!(of(&loaded(&imported), "Service") >= of(&example, "Service"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_reads_as_a_person_would_have_written_it() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        let web = FargateService::new("main", "web")
            .size(512, 1024)
            .desired(2)
            .tag("team", "shop");
        w.add_service(&web).unwrap();
        scaling(
            w,
            "web",
            "RegisterScalableTarget",
            json!({"MinCapacity": 2, "MaxCapacity": 6}),
        );
        tracking(w, "web", "web-cpu", "ECSServiceAverageCPUUtilization", 70.0);
        put_alarm(
            w,
            "shop-cpu-high",
            json!({
                "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
                "Period": 300, "Dimensions": dimensions("main", "web"),
            }),
        );
    });
    let wish = Wish {
        app: "shop".into(),
        cluster: Some("main".into()),
        ..Wish::default()
    };
    let imported = import(&rig.engine, &wish).await.unwrap();
    insta::assert_snapshot!(imported.text);
    assert_eq!(imported.beyond, [""; 0]);
    assert_eq!(faults(&rig, &imported).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_no_document_can_say_is_told_and_left_out() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.add_service(&FargateService::new("main", "web").desired(2))
            .unwrap();
        scaling(
            w,
            "web",
            "RegisterScalableTarget",
            json!({"MinCapacity": 2, "MaxCapacity": 6}),
        );
        scaling(
            w,
            "web",
            "PutScalingPolicy",
            json!({
                "PolicyName": "by-steps", "PolicyType": "StepScaling",
                "StepScalingPolicyConfiguration": {
                    "AdjustmentType": "ChangeInCapacity",
                    "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
                },
            }),
        );
        scaling(
            w,
            "web",
            "PutScalingPolicy",
            json!({
                "PolicyName": "queue", "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": 10.0,
                    "CustomizedMetricSpecification": {
                        "MetricName": "Depth", "Namespace": "Shop", "Statistic": "Average",
                    },
                },
            }),
        );
        w.rds.put_instance(json!({
            "DBInstanceIdentifier": "shop-db", "Engine": "postgres", "BackupRetentionPeriod": 7,
            "PreferredBackupWindow": "02:00-03:00",
            "PendingModifiedValues": {"BackupRetentionPeriod": 3},
        }));
        put_alarm(
            w,
            "elsewhere",
            json!({
                "Namespace": "Other", "MetricName": "M", "Statistic": "Sum", "Period": 60,
            }),
        );
    });
    let wish = Wish {
        app: "shop".into(),
        cluster: Some("main".into()),
        databases: texts(&["Shop-DB"]),
        ..Wish::default()
    };
    let imported = import(&rig.engine, &wish).await.unwrap();
    let told = imported.beyond.join("\n");
    for words in [
        "policy \"by-steps\" is of the type StepScaling",
        "policy \"queue\" follows a metric of its own",
        "`backupRetentionDays` of 3 is pending in place of 7",
        "1 more alarm(s) of the account",
    ] {
        assert!(told.contains(words), "{words} in {told}");
        let whole = imported.text.replace("\n#   ", " ").replace("\n# ", " ");
        assert!(whole.contains(words), "{words} in {whole}");
    }
    assert!(
        !imported.text.contains("backupRetentionDays: "),
        "{}",
        imported.text
    );
    assert_eq!(faults(&rig, &imported).await, [""; 0], "{}", imported.text);
}

#[tokio::test(start_paused = true)]
async fn bounds_that_the_schedule_did_not_set_are_left_out_with_the_reason() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.add_service(&FargateService::new("main", "web").desired(2))
            .unwrap();
        scaling(
            w,
            "web",
            "RegisterScalableTarget",
            json!({"MinCapacity": 1, "MaxCapacity": 4}),
        );
        for (name, hour, max) in [("days", 6, 8), ("nights", 20, 2)] {
            scaling(
                w,
                "web",
                "PutScheduledAction",
                json!({
                    "ScheduledActionName": name, "Schedule": format!("cron(0 {hour} * * ? *)"),
                    "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": max},
                }),
            );
        }
    });
    let wish = Wish {
        app: "shop".into(),
        cluster: Some("main".into()),
        ..Wish::default()
    };
    let imported = import(&rig.engine, &wish).await.unwrap();
    let told = imported.beyond.join("\n");
    assert!(
        told.contains("`scaling` is left out: spec.scaling"),
        "{told}"
    );
    assert_eq!(faults(&rig, &imported).await, [""; 0], "{}", imported.text);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_or_is_not_there_is_an_error_and_no_half_of_a_document() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.add_service(&FargateService::new("main", "web")).unwrap();
        let denied = TwinError::client("AccessDeniedException", "You may not.");
        w.faults.errors(
            "application-autoscaling.DescribeScalingPolicies",
            9,
            &denied,
        );
    });
    let wish = Wish {
        app: "shop".into(),
        cluster: Some("main".into()),
        ..Wish::default()
    };
    let error = import(&rig.engine, &wish).await.unwrap_err();
    assert!(matches!(error, ImportError::Unreadable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("service main/web could not be read"),
        "{error}"
    );
    let wrong = Wish {
        services: texts(&["wed"]),
        ..wish.clone()
    };
    let error = import(&rig.engine, &wrong).await.unwrap_err().to_string();
    assert!(
        error.contains("service wed in cluster main") && error.contains("did you mean web?"),
        "{error}"
    );
    let wrong = Wish {
        app: "shop".into(),
        databases: texts(&["gone"]),
        ..Wish::default()
    };
    let error = import(&rig.engine, &wrong).await.unwrap_err().to_string();
    assert!(
        error.contains("database gone") && error.contains("neither"),
        "{error}"
    );
}

#[test]
fn the_command_writes_files_that_load_and_writes_over_none() {
    let bench = Bench::new(|w| estate::out_of_order(w).unwrap());
    let typed = [
        "import",
        "--app",
        "semiont",
        "--cluster",
        estate::SEMIONT,
        "--table",
        "semiont-sessions",
        "--out",
        "desired-state",
    ];
    bench.run(typed).expect(0);
    Running::start(bench.unpointed(["check"]))
        .wait(LIMIT)
        .expect(0);
    bench.run(["plan"]).expect(0);
    assert_eq!(bench.writes(), 0);
    let again = bench.run(typed).expect(1);
    assert!(again.all().contains("is there already"), "{}", again.all());
    let shown = bench
        .run(["import", "--app", "semiont", "--table", "semiont-sessions"])
        .expect(0);
    assert!(
        shown.out.contains("tableName: semiont-sessions"),
        "{}",
        shown.all()
    );
}

fn dimensions(cluster: &str, service: &str) -> Value {
    json!([{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": service}])
}

fn scaling(w: &mut World, service: &str, operation: &str, members: Value) {
    let mut input = json!({
        "ServiceNamespace": "ecs", "ResourceId": format!("service/main/{service}"),
        "ScalableDimension": "ecs:service:DesiredCount",
    });
    input
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    w.call("application-autoscaling", operation, &input)
        .unwrap();
}

fn tracking(w: &mut World, service: &str, name: &str, metric: &str, value: f64) {
    scaling(
        w,
        service,
        "PutScalingPolicy",
        json!({
            "PolicyName": name, "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": value,
                "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
            },
        }),
    );
}

fn put_alarm(w: &mut World, name: &str, members: Value) {
    let mut input = json!({
        "AlarmName": name, "EvaluationPeriods": 2, "Threshold": 80.0,
        "ComparisonOperator": "GreaterThanThreshold",
    });
    input
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    w.call("cloudwatch", "PutMetricAlarm", &input).unwrap();
}

/// Name, schedule, zone, fewest and most tasks.
type Scheduled = (String, String, Option<String>, Option<u32>, Option<u32>);

/// One object of a random estate: what to call on the twin.
#[derive(Clone, Debug)]
struct Service {
    name: String,
    size: (i64, i64),
    count: i64,
    deployment: (u32, u32, bool),
    grace: u32,
    tags: Vec<(String, String)>,
    bounds: Option<(u32, u32)>,
    policies: Vec<(String, usize, f64, bool, Option<u32>)>,
    actions: Vec<Scheduled>,
    alarms: Vec<AlarmOf>,
}

#[derive(Clone, Debug)]
struct AlarmOf {
    name: String,
    math: bool,
    percentile: bool,
    periods: u32,
    datapoints: Option<u32>,
    threshold: i32,
    missing: usize,
    actions: usize,
    silenced: bool,
    description: String,
}

fn an_alarm() -> impl Strategy<Value = AlarmOf> {
    (
        "[A-Za-z][A-Za-z0-9 _.:$-]{0,20}",
        any::<bool>(),
        any::<bool>(),
        1..5_u32,
        prop::option::of(1..5_u32),
        -50..500_i32,
        0..4_usize,
        0..3_usize,
        any::<bool>(),
        prop_oneof![
            Just(String::new()),
            "[ -~]{1,40}",
            Just("${name} {{x}} <% a %>\nline".to_owned())
        ],
    )
        .prop_map(
            |(
                name,
                math,
                percentile,
                periods,
                datapoints,
                threshold,
                missing,
                actions,
                silenced,
                description,
            )| AlarmOf {
                name: name.trim().to_owned(),
                math,
                percentile,
                periods,
                datapoints: datapoints.map(|n| n.min(periods)),
                threshold,
                missing,
                actions,
                silenced,
                description,
            },
        )
}

fn a_service() -> impl Strategy<Value = Service> {
    let size = prop::sample::select(vec![
        (256, 512),
        (256, 2048),
        (512, 1024),
        (1024, 8192),
        (4096, 30720),
    ]);
    let policy = (
        "[a-zA-Z][a-zA-Z0-9_ -]{0,10}[a-z]",
        0..2_usize,
        1..900_u32,
        any::<bool>(),
        prop::option::of(0..600_u32),
    )
        .prop_map(|(name, metric, value, flag, cooldown)| {
            (name, metric, f64::from(value) / 8.0, flag, cooldown)
        });
    let schedule = prop::sample::select(vec![
        "cron(0 20 * * ? *)",
        "cron(30  6 ? * MON-FRI *)",
        "rate(2 hours)",
        "at(2031-01-01T00:00:00)",
        "cron(0 0 1 1 ? 2024)",
    ]);
    let zone = prop::option::of(prop::sample::select(vec![
        "Europe/Zurich",
        "UTC",
        "America/New_York",
    ]));
    let action = (
        "[a-zA-Z][a-zA-Z0-9_.-]{0,10}",
        schedule,
        zone,
        prop::option::of(0..5_u32),
        prop::option::of(5..9_u32),
    )
        .prop_map(|(name, schedule, zone, min, max)| {
            (name, schedule.to_owned(), zone.map(str::to_owned), min, max)
        });
    (
        "[A-Za-z][A-Za-z0-9_-]{0,15}",
        size,
        0..4_i64,
        (
            prop::sample::select(vec![0, 50, 100]),
            prop::sample::select(vec![150, 200]),
            any::<bool>(),
        ),
        prop::sample::select(vec![0, 60]),
        prop::collection::vec(
            (
                "[a-zA-Z][a-zA-Z0-9 _.:/=+@-]{0,10}[a-z]",
                "[a-zA-Z0-9 _.:/=+@-]{0,10}",
            ),
            0..3,
        ),
        prop::option::of((0..4_u32, 4..9_u32)),
        prop::collection::vec(policy, 0..3),
        prop::collection::vec(action, 0..3),
        prop::collection::vec(an_alarm(), 0..3),
    )
        .prop_map(
            |(name, size, count, deployment, grace, tags, bounds, policies, actions, alarms)| {
                Service {
                    name,
                    size,
                    count,
                    deployment,
                    grace,
                    tags,
                    bounds,
                    policies,
                    actions,
                    alarms,
                }
            },
        )
}

#[derive(Clone, Debug)]
struct Store {
    id: String,
    cluster: bool,
    days: u32,
    protected: bool,
    pending: Option<u32>,
}

fn a_database() -> impl Strategy<Value = Store> {
    (
        "[a-z][a-z0-9]{0,10}",
        any::<bool>(),
        1..35_u32,
        any::<bool>(),
        prop::option::of(1..35_u32),
    )
        .prop_map(|(id, cluster, days, protected, pending)| Store {
            id,
            cluster,
            days,
            protected,
            pending,
        })
}

type Tables = Vec<(String, bool, Option<u32>)>;

/// Builds what AWS takes of it, as an estate grows by hand; what it refuses is not there.
fn build(w: &mut World, services: &[Service], databases: &[Store], tables: &Tables) {
    for s in services {
        let mut setup = FargateService::new("main", &s.name)
            .size(s.size.0, s.size.1)
            .desired(s.count);
        for (key, value) in &s.tags {
            setup = setup.tag(key, value);
        }
        if w.add_service(&setup).is_err() {
            continue;
        }
        let (least, most, breaker) = s.deployment;
        let _ = w.update_service(
            "main",
            &s.name,
            json!({
                "healthCheckGracePeriodSeconds": s.grace,
                "deploymentConfiguration": {
                    "minimumHealthyPercent": least, "maximumPercent": most,
                    "deploymentCircuitBreaker": {"enable": breaker, "rollback": breaker},
                },
            }),
        );
        if let Some((min, max)) = s.bounds {
            let call = |w: &mut World, operation: &str, members: Value| {
                let mut input = json!({
                    "ServiceNamespace": "ecs", "ResourceId": format!("service/main/{}", s.name),
                    "ScalableDimension": "ecs:service:DesiredCount",
                });
                input
                    .as_object_mut()
                    .unwrap()
                    .extend(members.as_object().unwrap().clone());
                let _ = w.call("application-autoscaling", operation, &input);
            };
            call(
                w,
                "RegisterScalableTarget",
                json!({"MinCapacity": min, "MaxCapacity": max}),
            );
            for (at, (name, metric, value, flag, cooldown)) in s.policies.iter().enumerate() {
                let metric = [
                    "ECSServiceAverageCPUUtilization",
                    "ECSServiceAverageMemoryUtilization",
                ][*metric];
                let name = if at == 0 {
                    format!("{}-{name}", s.name)
                } else {
                    name.clone()
                };
                let mut configuration = json!({
                    "TargetValue": value,
                    "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
                    "DisableScaleIn": flag,
                });
                if let Some(seconds) = cooldown {
                    configuration["ScaleInCooldown"] = json!(seconds);
                }
                call(
                    w,
                    "PutScalingPolicy",
                    json!({
                        "PolicyName": name, "PolicyType": "TargetTrackingScaling",
                        "TargetTrackingScalingPolicyConfiguration": configuration,
                    }),
                );
            }
            for (name, schedule, zone, least, most) in &s.actions {
                let mut members = json!({
                    "ScheduledActionName": name, "Schedule": schedule, "ScalableTargetAction": {},
                });
                if let Some(zone) = zone {
                    members["Timezone"] = json!(zone);
                }
                for (bound, value) in [("MinCapacity", least), ("MaxCapacity", most)] {
                    if let Some(value) = value {
                        members["ScalableTargetAction"][bound] = json!(value);
                    }
                }
                call(w, "PutScheduledAction", members);
            }
        }
        for alarm in &s.alarms {
            let _ = w.call("cloudwatch", "PutMetricAlarm", &alarm_of(&s.name, alarm));
        }
    }
    for db in databases {
        let id = if db.cluster {
            "DBClusterIdentifier"
        } else {
            "DBInstanceIdentifier"
        };
        let mut made = json!({
            id: db.id, "Engine": if db.cluster { "docdb" } else { "postgres" },
            "BackupRetentionPeriod": db.days, "PreferredBackupWindow": "02:00-03:00",
            "PreferredMaintenanceWindow": "mon:09:00-mon:10:00", "DeletionProtection": db.protected,
        });
        if let Some(pending) = db.pending {
            made["PendingModifiedValues"] = json!({"BackupRetentionPeriod": pending});
        }
        if db.cluster {
            w.rds.put_cluster(made)
        } else {
            w.rds.put_instance(made)
        }
    }
    for (name, protected, days) in tables {
        w.dynamodb
            .put_table(json!({"TableName": name, "DeletionProtectionEnabled": protected}));
        if let Some(days) = days {
            let _ = w.call(
                "dynamodb",
                "UpdateContinuousBackups",
                &json!({
                    "TableName": name,
                    "PointInTimeRecoverySpecification": {
                        "PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": days,
                    },
                }),
            );
        }
    }
}

fn alarm_of(service: &str, alarm: &AlarmOf) -> Value {
    let arns: Vec<String> = (0..alarm.actions)
        .map(|n| format!("arn:aws:sns:us-east-1:123456789012:topic-{n}"))
        .collect();
    let missing = ["missing", "breaching", "notBreaching", "ignore"][alarm.missing];
    let mut input = json!({
        "AlarmName": alarm.name, "EvaluationPeriods": alarm.periods,
        "Threshold": f64::from(alarm.threshold) / 4.0, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": missing,
        "AlarmActions": arns, "ActionsEnabled": !alarm.silenced,
    });
    if let Some(n) = alarm.datapoints {
        input["DatapointsToAlarm"] = json!(n);
    }
    if !alarm.description.is_empty() {
        input["AlarmDescription"] = json!(alarm.description);
    }
    if alarm.math {
        let stat = |id: &str, metric: &str| {
            json!({
                "Id": id, "ReturnData": false,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "ECS/ContainerInsights", "MetricName": metric,
                        "Dimensions": dimensions("main", service),
                    },
                    "Period": 60, "Stat": "Average",
                },
            })
        };
        input["Metrics"] = json!([
            stat("m_run", "RunningTaskCount"), stat("m_des", "DesiredTaskCount"),
            {"Id": "e1", "Expression": "m_des - m_run", "Label": "missing: {}", "ReturnData": true},
        ]);
    } else {
        input["Namespace"] = json!("AWS/ECS");
        input["MetricName"] = json!("CPUUtilization");
        input["Period"] = json!(60);
        input["Dimensions"] = dimensions("main", service);
        if alarm.percentile {
            input["ExtendedStatistic"] = json!("p99");
            input["EvaluateLowSampleCountPercentile"] = json!("ignore");
        } else {
            input["Statistic"] = json!("Average");
            input["Unit"] = json!("Percent");
        }
    }
    input
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_of_any_imported_estate_is_empty(
        services in prop::collection::vec(a_service(), 1..6),
        databases in prop::collection::btree_map("[a-z][a-z0-9]{0,8}", a_database(), 0..3),
        tables in prop::collection::btree_map(
            "[A-Za-z0-9_.-]{3,12}", (any::<bool>(), prop::option::of(1..36_u32)), 0..3,
        ),
    ) {
        let databases: Vec<Store> = databases
            .into_iter()
            .map(|(id, db)| Store { id, ..db })
            .collect();
        let tables: Tables = tables.into_iter().map(|(n, (p, d))| (n, p, d)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let outcome = runtime.block_on(async {
            let rig = Rig::new().await;
            rig.twin.world(|w| build(w, &services, &databases, &tables));
            // What was put in place by hand is settled before anybody imports it.
            rig.clock.sleep(std::time::Duration::from_secs(1800)).await;
            rig.twin.world(|w| w.calls.clear());
            let wish = Wish {
                app: "shop".into(),
                cluster: Some("main".into()),
                databases: databases.iter().map(|db| db.id.clone()).collect(),
                tables: tables.iter().map(|(name, ..)| name.clone()).collect(),
                ..Wish::default()
            };
            let imported = import(&rig.engine, &wish).await.map_err(|e| e.to_string())?;
            let faults = faults(&rig, &imported).await;
            // Nothing of it lacks a document: AWS took all that is there.
            let without: Vec<&String> = imported
                .beyond
                .iter()
                .filter(|what| what.contains("has no document"))
                .collect();
            if faults.is_empty() && without.is_empty() && rig.writes() == 0 {
                Ok(())
            } else {
                Err(format!("{faults:#?}\n{without:#?}\n{}", imported.text))
            }
        });
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
