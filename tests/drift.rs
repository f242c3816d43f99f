//! Drift records: what is found out of order is kept from its beginning to its end, by whom, and on
//! change only.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel::engine::Engine;
use evenkeel::engine::apply::Wait;
use evenkeel::engine::controller::{Observer, RunOptions, run};
use evenkeel::engine::desired::load_files;
use evenkeel::engine::progress::Silent;
use evenkeel::engine::telemetry::Telemetry;
use evenkeel::kinds::{Allow, Policy};
use evenkeel::model::document::DesiredSet;
use evenkeel::model::drift::{Authorship, DriftKind, DriftRecord, End, How, Origin};
use evenkeel::model::entry::{Outcome, Record};
use evenkeel::model::scope::Scope;
use evenkeel::model::stake::Stake;
use evenkeel::model::status::{ConditionKind, Truth};
use evenkeel::store::Opened;
use evenkeel::twin::World;
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::wire::TwinError;
use jiff::SignedDuration;
use serde_json::json;

use crate::rig::{Documents, Rig, documents, load, replica_through};

const WEB: &str = "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
                   spec: {cluster: main, desiredCount: 2, tags: {team: shop}}\n";
const SCALED: &str = "apiVersion: evenkeel/v1alpha1\nkind: Service\n\
                      metadata: {app: shop, name: web}\n\
                      spec: {cluster: main, scaling: {minCapacity: 1, maxCapacity: 4}}\n";

/// A rig with the service `main/web` of two tasks.
async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        let web = FargateService::new("main", "web").desired(2);
        w.add_service(&web.tag("team", "shop")).unwrap();
        w.calls.clear();
    });
    rig
}

/// Runs the controller and the looking up of authors, as `run` does, beside `script`.
async fn beside(rig: &Rig, documents: &Documents, script: impl Future<Output = ()>) {
    let telemetry = Telemetry::new(Arc::clone(&rig.engine.cell));
    beside_watched(rig, documents, &telemetry, script).await;
}

async fn beside_watched(
    rig: &Rig,
    documents: &Documents,
    observer: &dyn Observer,
    script: impl Future<Output = ()>,
) {
    let options = RunOptions {
        interval: Duration::from_secs(60),
        scope: Scope::all(),
        writes: Allow::Yes,
    };
    let mut folder = documents.clone();
    let running = run(
        &rig.engine,
        &mut folder,
        &options,
        &Silent,
        observer,
        script,
    );
    tokio::select! {
        () = running => {}
        never = rig.engine.follow_trail() => match never {},
    }
}

async fn records(rig: &Rig) -> Vec<DriftRecord> {
    let store = rig.engine.store.as_ref().unwrap();
    store.drift("shop").await.unwrap()
}

async fn rest(rig: &Rig, minutes: u64) {
    rig.clock.sleep(Duration::from_secs(60 * minutes)).await;
}

/// Every row of the store, as it stands.
fn stored(rig: &Rig) -> serde_json::Value {
    let (status, body) = rig.store.call("Scan", br#"{"TableName": "evenkeel"}"#);
    assert_eq!(status, 200);
    serde_json::from_slice(&body).unwrap()
}

fn as_dana(w: &mut World, count: i64) {
    w.acting_as("dana", |w| {
        w.set_desired_count("main", "web", count).unwrap()
    });
}

#[tokio::test(start_paused = true)]
async fn a_console_change_by_night_is_found_corrected_and_named() {
    let rig = rig().await;
    let began = Mutex::new(rig.clock.now());
    beside(&rig, &documents(WEB), async {
        rest(&rig, 900).await;
        *began.lock().unwrap() = rig.clock.now();
        rig.twin.world(|w| as_dana(w, 9));
        rest(&rig, 30).await;
    })
    .await;
    let began = *began.lock().unwrap();
    let records = records(&rig).await;
    let [record] = &records[..] else {
        panic!("{records:#?}");
    };
    assert_eq!(record.path.to_string(), "spec.desiredCount");
    assert_eq!(
        (record.kind, record.at_risk),
        (DriftKind::Changed, Stake::Cost)
    );
    assert_eq!(record.origin, Origin::Live);
    assert_eq!((&record.desired, &record.live), (&json!(2), &json!(9)));
    let Authorship::Named(author) = &record.author else {
        panic!("{record:#?}");
    };
    assert_eq!(author.principal, "arn:aws:iam::123456789012:user/dana");
    assert_eq!(author.call, "ecs.UpdateService");
    assert_eq!(author.address, "203.0.113.9");
    assert_eq!(author.at, began);
    assert!(record.time_to_detect().unwrap() <= SignedDuration::from_secs(61));
    assert!(record.time_to_correct().unwrap() <= SignedDuration::from_secs(30));
    // The ledger says the same of the intent that the record names.
    let How::Corrected { intent } = &record.end.as_ref().unwrap().how else {
        panic!("{record:#?}");
    };
    let store = rig.engine.store.as_ref().unwrap();
    let chain = store.chain("shop").await.unwrap().entries;
    assert!(chain.iter().any(|e| matches!(&e.record,
        Record::Outcome { intent: of, outcome: Outcome::Applied, .. } if of == intent)));
}

#[tokio::test(start_paused = true)]
async fn of_two_people_who_change_a_field_within_the_minute_each_is_named_for_their_own() {
    let rig = rig().await;
    beside(&rig, &documents(WEB), async {
        rest(&rig, 60).await;
        rig.twin.world(|w| as_dana(w, 9));
        while records(&rig).await.iter().all(|r| r.end.is_none()) {
            rig.clock.sleep(Duration::from_secs(1)).await;
        }
        rig.clock.sleep(Duration::from_secs(10)).await;
        rig.twin.world(|w| {
            w.acting_as("erin", |w| w.set_desired_count("main", "web", 14).unwrap());
        });
        rest(&rig, 30).await;
    })
    .await;
    let records = records(&rig).await;
    let mut named: Vec<(i64, &str)> = records
        .iter()
        .map(|record| match &record.author {
            Authorship::Named(author) => (record.live.as_i64().unwrap(), &*author.principal),
            other => panic!("{other:?}"),
        })
        .collect();
    named.sort_unstable();
    let user = "arn:aws:iam::123456789012:user";
    let expected = [(9, format!("{user}/dana")), (14, format!("{user}/erin"))];
    assert_eq!(
        named,
        expected.each_ref().map(|(live, who)| (*live, who.as_str()))
    );
}

#[tokio::test(start_paused = true)]
async fn a_quiet_estate_and_a_standing_drift_write_nothing_to_the_store() {
    let rig = rig().await;
    // The second document asks for what is not there and is never created.
    let missing = WEB.replace("web}", "api}");
    let documents = documents(&format!("{WEB}---\n{missing}"));
    let rows = Mutex::new(Vec::new());
    beside(&rig, &documents, async {
        // Long enough that its author is not looked for any more.
        rest(&rig, 45).await;
        rows.lock().unwrap().push(stored(&rig));
        rest(&rig, 600).await;
        rows.lock().unwrap().push(stored(&rig));
    })
    .await;
    let rows = rows.into_inner().unwrap();
    assert_eq!(rows[0], rows[1], "something was written");
    let records = records(&rig).await;
    let [record] = &records[..] else {
        panic!("{records:#?}");
    };
    assert_eq!(record.key.name, "api");
    assert_eq!(
        (record.kind, record.field().as_str()),
        (DriftKind::Missing, "(the whole object)")
    );
    assert!(record.end.is_none());
    assert_eq!(record.author, Authorship::NotFound);
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_read_cloudtrail_drift_is_corrected_all_the_same() {
    let rig = rig().await;
    rig.twin.world(|w| {
        let denied = TwinError::client("AccessDeniedException", "User is not authorized");
        w.faults.errors("cloudtrail.LookupEvents", 1000, &denied);
    });
    beside(&rig, &documents(WEB), async {
        rest(&rig, 5).await;
        rig.twin.world(|w| as_dana(w, 9));
        rest(&rig, 50).await;
    })
    .await;
    let records = records(&rig).await;
    assert!(matches!(
        records[0].end.as_ref().unwrap().how,
        How::Corrected { .. }
    ));
    assert_eq!(records[0].author, Authorship::NotYet);
    let asked = rig
        .twin
        .world(|w| w.calls.of("cloudtrail.LookupEvents").count());
    assert_eq!(asked, 1, "once an hour is enough");
    let mut read = records.clone();
    let set = load(WEB);
    let why = rig.engine.fill_in_authors(&set, &mut read).await.unwrap();
    assert!(why.contains("not permitted"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_late_is_looked_for_again_and_not_for_ever() {
    let rig = rig().await;
    rig.twin
        .world(|w| w.cloudtrail.delay = Duration::from_secs(14 * 60));
    beside(&rig, &documents(WEB), async {
        rest(&rig, 5).await;
        rig.twin.world(|w| as_dana(w, 9));
        rest(&rig, 120).await;
    })
    .await;
    let records = records(&rig).await;
    assert!(
        matches!(records[0].author, Authorship::Named(_)),
        "{records:#?}"
    );
    let asked = rig
        .twin
        .world(|w| w.calls.of("cloudtrail.LookupEvents").count());
    assert!((2..=5).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changes_right_after_a_commit_was_rolled_out_is_drift() {
    let rig = rig().await;
    let documents = documents(WEB);
    let count = || {
        rig.twin
            .world(|w| w.service("main", "web").unwrap().desired)
    };
    beside(&rig, &documents, async {
        rest(&rig, 5).await;
        *documents.0.lock().unwrap() = WEB.replace("desiredCount: 2", "desiredCount: 3");
        while count() != 3 {
            rig.clock.sleep(Duration::from_millis(100)).await;
        }
        // It has been seen in order by the new document, and the next look is yet to come.
        rig.clock.sleep(Duration::from_secs(2)).await;
        rig.twin.world(|w| as_dana(w, 9));
        rest(&rig, 60).await;
    })
    .await;
    let records = records(&rig).await;
    let origins: Vec<Origin> = records.iter().map(|r| r.origin).collect();
    assert_eq!(origins, [Origin::Document, Origin::Live], "{records:#?}");
    assert!(matches!(records[1].author, Authorship::Named(_)));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_ends_no_episode() {
    let rig = rig().await;
    let set = load(WEB);
    let look = async || {
        let plan = rig.plan(&set).await;
        rig.engine
            .record_drift(&set, &plan, &mut Vec::new())
            .await
            .unwrap();
    };
    look().await;
    rig.clock.step(-SignedDuration::from_mins(5));
    rig.twin.world(|w| as_dana(w, 9));
    for _ in 0..10 {
        rest(&rig, 1).await;
        look().await;
    }
    let records = records(&rig).await;
    assert_eq!(records.len(), 1, "{records:#?}");
    assert!(records[0].end.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_the_document_moved_away_from_is_no_drift_and_nobody_is_asked_for() {
    let rig = rig().await;
    let documents = documents(WEB);
    beside(&rig, &documents, async {
        rest(&rig, 5).await;
        *documents.0.lock().unwrap() = WEB.replace("desiredCount: 2", "desiredCount: 3");
        rest(&rig, 60).await;
    })
    .await;
    let records = records(&rig).await;
    assert_eq!(records[0].origin, Origin::Document);
    assert!(!records[0].is_drift());
    let asked = rig
        .twin
        .world(|w| w.calls.of("cloudtrail.LookupEvents").count());
    assert_eq!(asked, 0);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_sets_right_themselves_is_not_called_our_correction() {
    let rig = rig().await;
    let set = load(WEB);
    let look = || async {
        let plan = rig.plan(&set).await;
        rig.engine.record_conditions(&set, &plan).await.unwrap();
    };
    look().await;
    rig.twin.world(|w| as_dana(w, 9));
    look().await;
    rest(&rig, 5).await;
    rig.twin.world(|w| as_dana(w, 2));
    look().await;
    let found = records(&rig).await;
    assert_eq!(found[0].end.as_ref().unwrap().how, How::SetRight);
    assert_eq!(found[0].time_to_correct(), None);
    // Again, and now nobody wants it any more.
    rig.twin.world(|w| as_dana(w, 9));
    look().await;
    let accepted = load(&WEB.replace("desiredCount: 2", "desiredCount: 9"));
    let plan = rig.plan(&accepted).await;
    rig.engine
        .record_conditions(&accepted, &plan)
        .await
        .unwrap();
    let found = records(&rig).await;
    assert_eq!(found[1].end.as_ref().unwrap().how, How::Withdrawn);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_leaves_its_open_drift_as_it_is() {
    let rig = rig().await;
    let set = load(WEB);
    rig.twin.world(|w| as_dana(w, 9));
    let plan = rig.plan(&set).await;
    rig.engine.record_conditions(&set, &plan).await.unwrap();
    rig.twin.world(|w| {
        let denied = TwinError::client("AccessDeniedException", "no");
        w.faults.errors("ecs.DescribeServices", 1, &denied);
    });
    let plan = rig.plan(&set).await;
    rig.engine.record_conditions(&set, &plan).await.unwrap();
    assert!(records(&rig).await[0].end.is_none());
}

/// One look of a replica, and what it records of it.
async fn look(engine: &Engine, set: &DesiredSet) {
    let plan = engine.plan(set, &Scope::all(), &Policy::CONTROLLER).await;
    engine.record_conditions(set, &plan).await.unwrap();
}

/// Two replicas that have both seen the rig's service in order.
async fn two_replicas() -> (Rig, DesiredSet, Engine) {
    let rig = rig().await;
    let set = load(WEB);
    let other = rig.another(8).await;
    look(&rig.engine, &set).await;
    look(&other, &set).await;
    (rig, set, other)
}

#[tokio::test(start_paused = true)]
async fn what_another_replica_recorded_before_it_died_is_set_right_within_minutes() {
    let (rig, set, other) = two_replicas().await;
    // One of them sees a drift that is gone when the other looks, and sees nothing more.
    rig.twin.world(|w| as_dana(w, 9));
    look(&other, &set).await;
    drop(other);
    rig.twin.world(|w| as_dana(w, 2));
    rest(&rig, 1).await;
    look(&rig.engine, &set).await;
    assert_eq!(
        records(&rig).await[0].end,
        None,
        "it does not ask at each look"
    );
    rest(&rig, 5).await;
    look(&rig.engine, &set).await;
    let found = records(&rig).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].end.as_ref().unwrap().how, How::SetRight);
    let store = rig.engine.store.as_ref().unwrap();
    for status in store.statuses("shop").await.unwrap().values() {
        let ready = status.condition(ConditionKind::Ready).unwrap();
        assert_eq!(ready.status, Truth::True, "{ready:?}");
    }
    let before = stored(&rig);
    rest(&rig, 6).await;
    look(&rig.engine, &set).await;
    assert_eq!(stored(&rig), before);
}

#[tokio::test(start_paused = true)]
async fn a_drift_that_a_clock_an_hour_ahead_dated_is_ended_at_the_second_reading() {
    let rig = rig().await;
    let set = load(WEB);
    let ahead = rig.clock.beside(1.0);
    ahead.step(SignedDuration::from_hours(1));
    let place = (&ahead, &rig.twin, &rig.store);
    let other = replica_through(place, 8, "rig@test/8", |http| http).await;
    let other = other.unwrap();
    look(&rig.engine, &set).await;
    rig.twin.world(|w| as_dana(w, 9));
    look(&other, &set).await;
    drop(other);
    rig.twin.world(|w| as_dana(w, 2));
    rest(&rig, 6).await;
    look(&rig.engine, &set).await;
    // By its date it began after this look, and may be another's of just now.
    assert_eq!(records(&rig).await[0].end, None);
    rest(&rig, 6).await;
    look(&rig.engine, &set).await;
    assert!(records(&rig).await[0].end.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_row_that_landed_after_its_drift_had_ended_is_taken_away_again() {
    let rig = rig().await;
    let set = load(WEB);
    look(&rig.engine, &set).await;
    rig.twin.world(|w| as_dana(w, 9));
    look(&rig.engine, &set).await;
    let late = records(&rig).await.remove(0);
    rest(&rig, 1).await;
    rig.twin.world(|w| as_dana(w, 2));
    look(&rig.engine, &set).await;
    let ended = records(&rig).await;
    assert!(ended[0].end.is_some());
    let store = rig.engine.store.as_ref().unwrap();
    assert_eq!(store.open_drift(&late).await.unwrap(), Opened::New);
    assert_eq!(records(&rig).await.len(), 2);
    rest(&rig, 6).await;
    look(&rig.engine, &set).await;
    assert_eq!(records(&rig).await, ended);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_of_an_owned_service_that_no_document_names_is_recorded_with_its_author() {
    let rig = rig().await;
    let set = load(WEB);
    look(&rig.engine, &set).await;
    rest(&rig, 16).await;
    look(&rig.engine, &set).await;
    assert_eq!(records(&rig).await, []);
    let call = |operation: &str, input: serde_json::Value| {
        rig.twin.world(|w| {
            w.acting_as("dana", |w| w.call("cloudwatch", operation, &input))
                .unwrap();
        });
    };
    call(
        "PutMetricAlarm",
        json!({
            "AlarmName": "by hand", "Namespace": "AWS/ECS", "MetricName": "CPUUtilization",
            "Dimensions": [
                {"Name": "ClusterName", "Value": "main"}, {"Name": "ServiceName", "Value": "web"},
            ],
            "Statistic": "Average", "Period": 60, "EvaluationPeriods": 1, "Threshold": 90.0,
            "ComparisonOperator": "GreaterThanThreshold",
        }),
    );
    rest(&rig, 16).await;
    look(&rig.engine, &set).await;
    let found = records(&rig).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].kind, DriftKind::Unmanaged);
    assert_eq!(found[0].path.segments(), ["spec", "alarms", "by hand"]);
    assert_eq!(found[0].origin, Origin::Live);
    rest(&rig, 20).await;
    rig.engine.name_authors().await.unwrap();
    let Authorship::Named(author) = &records(&rig).await[0].author else {
        panic!("{:#?}", records(&rig).await);
    };
    assert!(author.principal.ends_with("user/dana"), "{author:?}");
    // Neither a list that is refused nor a replica that has none yet ends it.
    call("DeleteAlarms", json!({"AlarmNames": ["by hand"]}));
    let denied = TwinError::client("AccessDeniedException", "no");
    rig.twin
        .world(|w| w.faults.errors("cloudwatch.DescribeAlarms", 1, &denied));
    look(&rig.engine, &set).await;
    let other = rig.another(8).await;
    look(&other, &set).await;
    assert_eq!(records(&rig).await[0].end, None);
    // Nor does one beside a document that does not load, which may be that of the alarm.
    rest(&rig, 16).await;
    let broken = format!(
        "{WEB}---\napiVersion: evenkeel/v1alpha1\nkind: Alarm\nmetadata: {{app: x, name: y}}\nspec: 1\n"
    );
    let broken = load_files([("test.yaml", broken.as_bytes())]);
    assert!(broken.frozen.holds("x"));
    look(&rig.engine, &broken).await;
    assert_eq!(records(&rig).await[0].end, None);
    rest(&rig, 16).await;
    look(&rig.engine, &set).await;
    let end = records(&rig).await[0].end.clone().unwrap();
    assert_eq!(end.how, How::SetRight);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_an_older_episode_touches_no_newer_one() {
    let rig = rig().await;
    let set = load(WEB);
    let store = rig.engine.store.as_ref().unwrap();
    look(&rig.engine, &set).await;
    rig.twin.world(|w| as_dana(w, 9));
    look(&rig.engine, &set).await;
    let older = records(&rig).await.remove(0);
    rest(&rig, 1).await;
    rig.twin.world(|w| as_dana(w, 2));
    look(&rig.engine, &set).await;
    rest(&rig, 1).await;
    rig.twin.world(|w| as_dana(w, 8));
    look(&rig.engine, &set).await;
    let both = records(&rig).await;
    assert_eq!((both[0].end.is_some(), both[1].end.is_none()), (true, true));
    // Another replica still has the first for open, finds who it was, and ends it.
    store.put_drift(&older).await.unwrap();
    assert_eq!(records(&rig).await, both);
    let end = End {
        at: rig.clock.now(),
        how: How::Withdrawn,
    };
    store.end_drift(&older.ended(end, None)).await.unwrap();
    assert_eq!(records(&rig).await, both);
}

#[tokio::test(start_paused = true)]
async fn two_replicas_that_find_a_drift_keep_one_record_of_it() {
    let (rig, set, other) = two_replicas().await;
    rig.twin.world(|w| as_dana(w, 9));
    look(&rig.engine, &set).await;
    rest(&rig, 1).await;
    look(&other, &set).await;
    assert_eq!(records(&rig).await.len(), 1);
    rig.apply(&set, Wait::No).await;
    look(&other, &set).await;
    // Of two that saw it one ends it, and the other leaves that as it is.
    let before = stored(&rig);
    rest(&rig, 1).await;
    look(&rig.engine, &set).await;
    assert_eq!(stored(&rig), before);
    let found = records(&rig).await;
    assert_eq!(found.len(), 1);
    // The one that did not write it finds the other's intent in what is remembered.
    let how = &found[0].end.as_ref().unwrap().how;
    assert!(matches!(how, How::Corrected { .. }), "{how:?}");
}

#[tokio::test(start_paused = true)]
async fn an_apply_records_what_it_found_and_what_it_did() {
    let rig = rig().await;
    rig.twin.world(|w| as_dana(w, 9));
    let set = load(WEB);
    let pass = rig.apply(&set, Wait::No).await;
    rig.engine.record_pass(&set, &pass).await.unwrap();
    let records = records(&rig).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].origin, Origin::Unknown);
    assert!(records[0].time_to_correct().is_some(), "{records:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_stands_beside_the_document_is_told_by_kind_and_never_touched() {
    let rig = rig().await;
    let set = load(SCALED);
    rig.apply(&set, Wait::No).await;
    rig.clock.sleep(Duration::from_secs(60)).await;
    rig.twin.world(|w| {
        w.acting_as("dana", |w| {
            let target = json!({
                "ServiceNamespace": "ecs", "ResourceId": "service/main/web",
                "ScalableDimension": "ecs:service:DesiredCount",
            });
            let with = |more: serde_json::Value| {
                let mut all = target.clone();
                all.as_object_mut()
                    .unwrap()
                    .extend(more.as_object().unwrap().clone());
                all
            };
            let policy = with(json!({
                "PolicyName": "by-hand", "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": 50.0,
                    "PredefinedMetricSpecification":
                        {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                },
            }));
            w.call("application-autoscaling", "PutScalingPolicy", &policy)
                .unwrap();
            let action = with(json!({
                "ScheduledActionName": "sale", "Schedule": "cron(0 8 1 12 ? *)",
                "ScalableTargetAction": {"MinCapacity": 2},
            }));
            w.call("application-autoscaling", "PutScheduledAction", &action)
                .unwrap();
            let suspended = with(json!({"SuspendedState": {"DynamicScalingInSuspended": true}}));
            w.call(
                "application-autoscaling",
                "RegisterScalableTarget",
                &suspended,
            )
            .unwrap();
        });
        w.calls.clear();
    });
    beside(&rig, &documents(SCALED), async { rest(&rig, 40).await }).await;
    assert_eq!(rig.writes(), 0);
    let records = records(&rig).await;
    let told: BTreeSet<(DriftKind, String)> = records
        .iter()
        .map(|r| (r.kind, r.path.to_string()))
        .collect();
    let expected = [
        (DriftKind::Unmanaged, "spec.scaling.scheduled.sale"),
        (DriftKind::Unmanaged, "spec.scaling.targetTracking.by-hand"),
        (DriftKind::Suspended, "spec.scaling.suspended"),
    ];
    assert_eq!(told, expected.map(|(k, p)| (k, p.to_owned())).into());
    for record in &records {
        assert!(record.end.is_none());
        assert!(
            matches!(&record.author, Authorship::Named(a) if a.principal.ends_with("/dana")),
            "{record:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_sets_it_back_again_and_again_is_told_of_and_not_fought_on() {
    let rig = rig().await;
    let telemetry = Telemetry::new(Arc::clone(&rig.engine.cell));
    beside_watched(&rig, &documents(WEB), &telemetry, async {
        for _ in 0..20 {
            rig.twin.world(|w| as_dana(w, 9));
            rest(&rig, 2).await;
        }
        // The rounds are over; what is left is within the hour.
        rig.twin.world(|w| w.calls.clear());
        rest(&rig, 10).await;
        assert_eq!(rig.writes(), 0);
    })
    .await;
    let records = records(&rig).await;
    let open: Vec<&DriftRecord> = records.iter().filter(|r| r.end.is_none()).collect();
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!(open[0].kind, DriftKind::Contested);
    assert_eq!(
        records.len(),
        4,
        "three rounds, and the one that was not fought"
    );
    let metrics = telemetry.render();
    assert!(
        metrics.contains("evenkeel_objects_contested{app=\"shop\"} 1"),
        "{metrics}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_retention_that_waits_for_its_window_is_pending_until_it_is_there() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.rds.put_instance(json!({
            "DBInstanceIdentifier": "orders", "Engine": "postgres", "BackupRetentionPeriod": 0,
        }));
    });
    let document = "apiVersion: evenkeel/v1alpha1\nkind: Database\n\
                    metadata: {app: shop, name: orders}\n\
                    spec: {instance: orders, backupRetentionDays: 7}\n";
    beside(&rig, &documents(document), async { rest(&rig, 60).await }).await;
    let records = records(&rig).await;
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(
        (records[0].kind, records[0].at_risk),
        (DriftKind::Pending, Stake::Data)
    );
    assert!(records[0].end.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_somebody_deleted_is_missing_and_made_again() {
    let rig = Rig::new().await;
    let document = "apiVersion: evenkeel/v1alpha1\nkind: Alarm\n\
                    metadata: {app: shop, name: high}\n\
                    spec: {alarmName: high, preset: Elb5xx, dimensions: {LoadBalancer: app/a/1}}\n";
    beside(&rig, &documents(document), async {
        rest(&rig, 5).await;
        rig.twin.world(|w| {
            w.acting_as("robin", |w| {
                let input = json!({"AlarmNames": ["high"]});
                w.call("cloudwatch", "DeleteAlarms", &input).unwrap();
            });
        });
        rest(&rig, 40).await;
    })
    .await;
    let records = records(&rig).await;
    let [made, again] = &records[..] else {
        panic!("{records:#?}");
    };
    assert_eq!(made.origin, Origin::Unknown);
    assert_eq!(
        (again.kind, again.origin),
        (DriftKind::Missing, Origin::Live)
    );
    assert!(again.time_to_correct().is_some());
    assert!(matches!(&again.author, Authorship::Named(a) if a.call == "cloudwatch.DeleteAlarms"));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_some_two_hundred_ended_records_of_an_object_are_kept_and_none_for_ever() {
    let rig = rig().await;
    let set = load(WEB);
    let look = || async {
        let plan = rig.plan(&set).await;
        rig.engine
            .record_drift(&set, &plan, &mut Vec::new())
            .await
            .unwrap();
    };
    for _ in 0..300 {
        rig.twin.world(|w| as_dana(w, 9));
        look().await;
        rest(&rig, 1).await;
        rig.twin.world(|w| as_dana(w, 2));
        look().await;
        rest(&rig, 1).await;
    }
    let kept = records(&rig).await.len();
    assert!((200..250).contains(&kept), "{kept}");
    rig.clock.sleep(Duration::from_secs(91 * 86_400)).await;
    assert_eq!(records(&rig).await.len(), 0, "expired ones are not told of");
}
