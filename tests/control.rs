//! Change control in virtual time: nothing is written while it holds, and all of it right after.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use evenkeel::aws::door::CALL_TIMEOUT;
use evenkeel::control::approval::{ApprovalRecord, Approved, Reach};
use evenkeel::control::pause::{Pause, Resumed};
use evenkeel::engine::Engine;
use evenkeel::engine::apply::Wait;
use evenkeel::engine::controller::{Observer, RunOptions, run};
use evenkeel::engine::progress::Silent;
use evenkeel::engine::telemetry::Telemetry;
use evenkeel::kinds::{Allow, Policy};
use evenkeel::model::change::Hold;
use evenkeel::model::plan::{ObjectPlan, Plan, Status};
use evenkeel::model::scope::Scope;
use evenkeel::model::source::{AppCommit, CommitId, SourceState, Why};
use evenkeel::store::Store;
use jiff::Timestamp;
use serde_json::json;

use crate::controller::{Folder, Looks, rig, service};
use crate::rig::{EVERYTHING, NOON, Rig, load};

const ALICE: &str = "arn:aws:iam::123456789012:user/alice";
const BOB: &str = "arn:aws:iam::123456789012:user/bob";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Longer than a lease, a look and a write take.
const PROMPT: Duration = Duration::from_secs(20);

fn policy(app: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: evenkeel/v1alpha1\nkind: Policy\nmetadata: {{app: {app}, name: policy}}\n\
         spec: {spec}\n"
    )
}

/// Runs a controller that looks by itself once a day only, beside `script`, which ends it.
async fn beside(engine: &Engine, folder: &Folder, script: impl Future<Output = ()>) {
    let options = RunOptions {
        interval: 2 * DAY,
        scope: Scope::all(),
        writes: Allow::Yes,
    };
    let looks = Looks::default();
    run(
        engine,
        &mut folder.clone(),
        &options,
        &Silent,
        &looks,
        script,
    )
    .await;
}

/// A rig, and documents that differ from it under this policy of `shop`.
async fn held(spec: &str) -> (Rig, Folder) {
    let rig = rig(&["web"]).await;
    let folder = Folder::default();
    folder.save(&(policy("shop", spec) + &service("shop", "web", "desiredCount: 4")));
    (rig, folder)
}

fn store(rig: &Rig) -> &Arc<Store> {
    rig.engine.store.as_ref().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Waits until right before `moment`, sees that nothing was written, and that it is right after.
async fn is_written_at(rig: &Rig, moment: &str) {
    let wait = at(moment).duration_since(rig.clock.now());
    let wait = Duration::try_from(wait).unwrap();
    rig.clock.sleep(wait - Duration::from_secs(1)).await;
    assert_eq!(rig.writes(), 0, "written before {moment}");
    rig.clock.sleep(PROMPT).await;
    assert_eq!(rig.writes(), 1, "not written right after {moment}");
}

fn only(plan: &Plan) -> &ObjectPlan {
    assert_eq!(plan.objects.len(), 1, "{:#?}", plan.objects);
    &plan.objects[0]
}

#[tokio::test(start_paused = true)]
async fn an_app_is_not_written_before_its_window_opens() {
    for (windows, opens) in [
        (
            "{from: \"02:00\", to: \"04:00\", timeZone: UTC}",
            "2026-03-03T02:00:00Z",
        ),
        (
            "{days: [Mon], from: \"09:00\", to: \"10:00\", timeZone: UTC}",
            "2026-03-09T09:00:00Z",
        ),
        (
            "{days: [Mon], ofMonth: first, from: \"09:00\", to: \"11:00\", timeZone: UTC}",
            "2026-04-06T09:00:00Z",
        ),
        (
            "{days: [Sun], from: \"23:00\", to: \"02:30\", timeZone: Europe/Berlin}",
            "2026-03-08T22:00:00Z",
        ),
    ] {
        let (rig, folder) = held(&format!("{{windows: [{windows}]}}")).await;
        let plan = rig.plan(&folder.set()).await;
        let hold = Hold::OutsideWindow {
            opens: Some(at(opens)),
        };
        assert_eq!(only(&plan).holds, [hold]);
        assert_eq!(only(&plan).status, Status::Deferred);
        // By hand it is the same.
        rig.apply(&folder.set(), Wait::No).await;
        assert_eq!(rig.writes(), 0);
        beside(&rig.engine, &folder, is_written_at(&rig, opens)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_closes_in_the_middle_of_a_pass_ends_it() {
    let names: Vec<String> = (0..60).map(|n| format!("web-{n:02}")).collect();
    let rig = rig(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let folder = Folder::default();
    // It is noon; sixty registrations take longer than the twenty seconds that are left.
    let spec = "{windows: [{from: \"11:00\", to: \"12:01\", timeZone: UTC}]}";
    let services: String = names
        .iter()
        .map(|name| service("shop", name, "cpu: 512, memory: 1024"))
        .collect();
    folder.save(&service("shop", "web-00", "cpu: 256, memory: 512"));
    beside(&rig.engine, &folder, async {
        rig.clock.sleep(Duration::from_secs(40)).await;
        folder.save(&(policy("shop", spec) + &services));
        rig.clock.sleep(Duration::from_secs(3600)).await;
    })
    .await;
    let sent = rig.twin.world(|w| {
        let last = w.calls.writes().map(|call| call.at).max();
        (w.calls.writes().count(), last)
    });
    assert!(sent.0 > 0 && sent.0 < 120, "{sent:?}");
    assert!(sent.1.unwrap() < at("2026-03-02T12:01:01Z"), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_app_is_not_written_before_its_freeze_ends() {
    let (rig, folder) = held(
        "{freezes: [{from: 2026-03-01T00:00:00Z, until: 2026-03-05T06:00:00Z, reason: the sale}]}",
    )
    .await;
    let plan = rig.plan(&folder.set()).await;
    let told = only(&plan).holds[0].to_string();
    assert_eq!(
        told,
        "frozen: the sale; the freeze ends 2026-03-05T06:00:00Z"
    );
    beside(
        &rig.engine,
        &folder,
        is_written_at(&rig, "2026-03-05T06:00:00Z"),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_freeze_and_a_window_are_told_as_the_moment_when_both_let_it_pass() {
    let (rig, folder) = held(
        "{windows: [{from: \"02:00\", to: \"04:00\", timeZone: UTC}], \
          freezes: [{from: 2026-03-01T00:00:00Z, until: 2026-03-05T06:00:00Z, reason: sale}]}",
    )
    .await;
    beside(
        &rig.engine,
        &folder,
        is_written_at(&rig, "2026-03-06T02:00:00Z"),
    )
    .await;
}

/// How many of these services run four tasks.
fn done(rig: &Rig, names: &[&str]) -> usize {
    rig.twin.world(|w| {
        let wanted = |name: &&&str| w.service("main", name).unwrap().desired == 4;
        names.iter().filter(wanted).count()
    })
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_refills_after_an_hour_and_every_replica_counts_the_same() {
    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
    for budget in ["objectsPerHour: 2", "tasksPerHour: 7"] {
        let rig = rig(&NAMES).await;
        let folder = Folder::default();
        // Each starts three tasks: seven an hour are two services.
        let services: String = NAMES
            .iter()
            .map(|n| service("shop", n, "desiredCount: 4"))
            .collect();
        folder.save(&(policy("shop", &format!("{{budget: {{{budget}}}}}")) + &services));
        let begun = rig.clock.now();
        let plan = rig.plan(&folder.set()).await;
        let due = |object: &ObjectPlan| {
            let [hold] = &object.holds[..] else {
                return None;
            };
            let wait = hold.due().unwrap().duration_since(begun).as_secs();
            Some((wait + 1799) / 3600)
        };
        // Two now, two in an hour, one in two; the times are told to five minutes.
        let told: Vec<_> = plan.objects.iter().map(due).collect();
        assert_eq!(told, [None, None, Some(1), Some(1), Some(2)], "{budget}");
        let first = async {
            rig.clock.sleep(Duration::from_secs(600)).await;
            assert_eq!(done(&rig, &NAMES), 2, "{budget}");
        };
        beside(&rig.engine, &folder, first).await;
        assert_eq!(rig.writes(), 2, "{budget}");
        // Another process, which knows nothing but the ledger.
        let other = rig.another(8).await;
        let rest = async {
            rig.clock.sleep(Duration::from_secs(2990)).await;
            assert_eq!(rig.writes(), 2, "{budget}");
            rig.clock.sleep(Duration::from_secs(60)).await;
            assert_eq!(done(&rig, &NAMES), 4, "{budget}");
            rig.clock.sleep(Duration::from_secs(3500)).await;
            assert_eq!(rig.writes(), 4, "{budget}");
            rig.clock.sleep(Duration::from_secs(120)).await;
            assert_eq!(done(&rig, &NAMES), 5, "{budget}");
        };
        beside(&other, &folder, rest).await;
        let took = rig.clock.now().duration_since(begun);
        assert!(took.as_secs() < 3 * 3600, "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_larger_than_the_whole_budget_waits_for_a_person() {
    let (rig, folder) = held("{budget: {tasksPerHour: 2}}").await;
    beside(&rig.engine, &folder, rig.clock.sleep(DAY)).await;
    assert_eq!(rig.writes(), 0);
    let plan = rig.plan(&folder.set()).await;
    assert_eq!(only(&plan).status, Status::Blocked);
    let pin = only(&plan).pin.clone();
    assert!(
        only(&plan).holds[0].to_string().contains("--now"),
        "{:?}",
        only(&plan).holds
    );
    approve(&rig, &pin, ALICE, Reach::Now).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 1);
}

async fn approve(rig: &Rig, digest: &str, caller: &str, reach: Reach) {
    let change = Approved {
        digest: digest.to_owned(),
        of: "shop/Service/web".to_owned(),
        what: "a test".to_owned(),
    };
    let record = ApprovalRecord::Granted {
        changes: vec![change],
        reason: "agreed".to_owned(),
        until: rig.clock.now() + DAY,
        reach,
    };
    store(rig).approve("shop", caller, record).await.unwrap();
}

/// One controller, for as long as a look and a pass take.
async fn look(rig: &Rig, folder: &Folder) {
    beside(
        &rig.engine,
        folder,
        rig.clock.sleep(Duration::from_secs(300)),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_needs_an_approval_is_written_once_after_it_and_never_before() {
    let rig = rig(&["web"]).await;
    let folder = Folder::default();
    let size = service("shop", "web", "cpu: 512, memory: 1024");
    folder.save(&(policy("shop", "{withoutApproval: []}") + &size));
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 0);
    let plan = rig.plan(&folder.set()).await;
    let Hold::Approval { change, .. } = &only(&plan).holds[0] else {
        panic!("{:?}", only(&plan).holds);
    };
    assert!(
        only(&plan).holds[0]
            .to_string()
            .contains(&format!("evenkeel approve {change:.12}"))
    );
    approve(&rig, change, ALICE, Reach::InTime).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 2, "a revision and a deployment");
    // Somebody sets it back: that is another change.
    rig.twin.world(|w| {
        w.calls.clear();
        let back = json!({"cluster": "main", "service": "web", "taskDefinition": "web:1"});
        w.call("ecs", "UpdateService", &back).unwrap();
        w.calls.clear();
    });
    rig.clock.sleep(Duration::from_secs(1200)).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 0, "the approval served twice");
    let chain = store(&rig).approvals("shop").await.unwrap();
    assert!(matches!(chain[1].record, ApprovalRecord::Used { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_was_not_needed_is_used_up_all_the_same() {
    let (rig, folder) = held("{withoutApproval: [routine, disruptive]}").await;
    let plan = rig.plan(&folder.set()).await;
    approve(&rig, &only(&plan).pin, ALICE, Reach::InTime).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 1);
    let chain = store(&rig).approvals("shop").await.unwrap();
    assert!(matches!(chain[1].record, ApprovalRecord::Used { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_revoked_or_expired_approval_lets_nothing_pass() {
    let (rig, folder) = held("{mode: report}").await;
    look(&rig, &folder).await;
    let plan = rig.plan(&folder.set()).await;
    let pin = only(&plan).pin.clone();
    approve(&rig, &pin, ALICE, Reach::InTime).await;
    let record = ApprovalRecord::Revoked {
        digest: pin.clone(),
        reason: "a mistake".to_owned(),
    };
    store(&rig).approve("shop", BOB, record).await.unwrap();
    look(&rig, &folder).await;
    approve(&rig, &pin, ALICE, Reach::InTime).await;
    rig.clock.sleep(DAY).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 0);
    approve(&rig, &pin, ALICE, Reach::InTime).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 1);
}

/// A table whose protection its document takes away.
async fn destructive(spec: &str) -> (Rig, Folder) {
    let rig = rig(&[]).await;
    rig.twin.world(|w| {
        w.dynamodb.put_table(json!({
            "TableName": "sessions", "DeletionProtectionEnabled": true,
            "PointInTimeRecovery": {"enabled": true},
        }));
        w.calls.clear();
    });
    let folder = Folder::default();
    let table = "---\napiVersion: evenkeel/v1alpha1\nkind: Table\n\
                 metadata: {app: shop, name: sessions}\n\
                 spec: {tableName: sessions, deletionProtection: false}\n";
    folder.save(&(policy("shop", spec) + table));
    (rig, folder)
}

#[tokio::test(start_paused = true)]
async fn a_destructive_change_waits_for_two_people_whatever_flag_is_given() {
    let (rig, folder) = destructive("{destructiveApprovers: 2}").await;
    let set = folder.set();
    let pass = rig.apply(&set, Wait::No).await;
    assert_eq!(rig.writes(), 0, "{pass:#?}");
    let plan = rig.engine.plan(&set, &Scope::all(), &EVERYTHING).await;
    let Hold::Approval {
        change,
        have: 0,
        need: 2,
        ..
    } = only(&plan).holds[0].clone()
    else {
        panic!("{:?}", only(&plan).holds);
    };
    for caller in [ALICE, ALICE] {
        approve(&rig, &change, caller, Reach::InTime).await;
        look(&rig, &folder).await;
        assert_eq!(rig.writes(), 0, "one person counted twice");
    }
    approve(&rig, &change, BOB, Reach::InTime).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_destructive_change_says_what_it_waits_for_beside_its_people() {
    let (rig, folder) = destructive(
        "{destructiveApprovers: 1, freezes: [{from: 2026-01-01T00:00:00Z, until: \
         2199-01-01T00:00:00Z, reason: sale}]}",
    )
    .await;
    let set = folder.set();
    let plan = rig.engine.plan(&set, &Scope::all(), &EVERYTHING).await;
    let [Hold::Approval { change, .. }, Hold::ChangeFreeze { .. }] = &only(&plan).holds[..] else {
        panic!("{:?}", only(&plan).holds);
    };
    let all = rig.engine.approvable(&set, &Scope::all()).await;
    let asked = all.iter().find(|one| one.change.digest == *change);
    let waits = asked.unwrap().waits(Reach::InTime);
    assert!(
        matches!(waits[..], [Hold::ChangeFreeze { .. }]),
        "{waits:?}"
    );
    approve(&rig, change, ALICE, Reach::InTime).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 0);
    approve(&rig, change, ALICE, Reach::Now).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_controller_writes_what_destroys_once_it_was_approved_without_any_policy() {
    let (rig, folder) = destructive("{}").await;
    let bare = "---\napiVersion: evenkeel/v1alpha1\nkind: Table\n\
                metadata: {app: shop, name: sessions}\n\
                spec: {tableName: sessions, deletionProtection: false}\n";
    folder.save(bare);
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 0);
    let plan = rig.plan(&folder.set()).await;
    assert!(
        only(&plan).notes[0].contains("evenkeel approve"),
        "{:?}",
        only(&plan).notes
    );
    let all = rig.engine.approvable(&folder.set(), &Scope::all()).await;
    let told = only(&plan).notes[0].clone();
    let meant = all
        .iter()
        .find(|one| told.contains(&one.change.digest[..12]));
    approve(&rig, &meant.unwrap().change.digest, ALICE, Reach::InTime).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_emergency_passes_a_freeze_but_never_a_pause() {
    let (rig, folder) = held(
        "{freezes: [{from: 2026-03-01T00:00:00Z, until: 2026-04-01T00:00:00Z, reason: sale}]}",
    )
    .await;
    let plan = rig.plan(&folder.set()).await;
    let pin = only(&plan).pin.clone();
    approve(&rig, &pin, ALICE, Reach::InTime).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 0, "an approval in time passed a freeze");
    let pause = pause(&rig, None, Duration::from_secs(7200));
    store(&rig).put_pause(&pause).await.unwrap();
    approve(&rig, &pin, ALICE, Reach::Now).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 0, "an approval passed a pause");
    let ended = Pause {
        resumed: Some(Resumed {
            by: BOB.to_owned(),
            at: rig.clock.now(),
        }),
        ..pause
    };
    store(&rig).put_pause(&ended).await.unwrap();
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_approvals_that_was_changed_lets_nothing_pass() {
    let (rig, folder) = held("{mode: report}").await;
    let plan = rig.plan(&folder.set()).await;
    approve(&rig, &only(&plan).pin, ALICE, Reach::InTime).await;
    let (status, body) = rig.store.call("Scan", br#"{"TableName": "evenkeel"}"#);
    assert_eq!(status, 200);
    let rows: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let entry =
        |row: &&serde_json::Value| row["sk"]["S"].as_str().unwrap().starts_with("APPROVAL#");
    let mut row = rows["Items"]
        .as_array()
        .unwrap()
        .iter()
        .find(entry)
        .unwrap()
        .clone();
    let forged = row["body"]["S"]
        .as_str()
        .unwrap()
        .replace("alice", "mallory");
    row["body"]["S"] = json!(forged);
    let put = json!({"TableName": "evenkeel", "Item": row}).to_string();
    assert_eq!(rig.store.call("PutItem", put.as_bytes()).0, 200);
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 0);
    let plan = rig.plan(&folder.set()).await;
    assert!(
        plan.history_unread["shop"].contains("does not match its own hash"),
        "{plan:#?}"
    );
}

fn pause(rig: &Rig, object: Option<&str>, lasts: Duration) -> Pause {
    Pause {
        app: "shop".to_owned(),
        object: object.map(str::to_owned),
        until: rig.clock.now() + lasts,
        reason: "an incident".to_owned(),
        by: ALICE.to_owned(),
        at: rig.clock.now(),
        resumed: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_until_it_ends_by_itself() {
    for object in [None, Some("Service/web")] {
        let rig = rig(&["web"]).await;
        let folder = Folder::default();
        folder.save(&service("shop", "web", "desiredCount: 4"));
        let pause = pause(&rig, object, Duration::from_secs(7200));
        store(&rig).put_pause(&pause).await.unwrap();
        let plan = rig.plan(&folder.set()).await;
        assert_eq!(plan.pauses, [pause]);
        let telemetry = Telemetry::new(Arc::clone(&rig.engine.cell));
        telemetry.looked(&folder.set(), &plan);
        let shown = telemetry.render();
        assert!(shown.contains("evenkeel_pauses{app=\"shop\"} 1"), "{shown}");
        assert!(
            plan.findings[0]
                .message
                .contains("is paused until 2026-03-02T14:00:00Z")
        );
        beside(
            &rig.engine,
            &folder,
            is_written_at(&rig, "2026-03-02T14:00:00Z"),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_object_holds_no_other() {
    let rig = rig(&["web", "api"]).await;
    let folder = Folder::default();
    folder.save(
        &(service("shop", "web", "desiredCount: 4") + &service("shop", "api", "desiredCount: 4")),
    );
    let pause = pause(&rig, Some("Service/web"), DAY);
    store(&rig).put_pause(&pause).await.unwrap();
    look(&rig, &folder).await;
    assert_eq!((done(&rig, &["web"]), done(&rig, &["api"])), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_pause_stops_every_replica_in_the_middle_of_its_pass() {
    let names: Vec<String> = (0..60).map(|n| format!("web-{n:02}")).collect();
    let rig = rig(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let folder = Folder::default();
    let services: String = names
        .iter()
        .map(|name| service("shop", name, "cpu: 512, memory: 1024"))
        .collect();
    folder.save(&services);
    let other = rig.another(8).await;
    let paused = async {
        rig.clock.sleep(Duration::from_secs(15)).await;
        let before = rig.writes();
        assert!(before > 0, "nothing to stop");
        let pause = pause(&rig, None, DAY);
        store(&rig).put_pause(&pause).await.unwrap();
        let readable = rig.clock.now();
        rig.clock.sleep(Duration::from_secs(3600)).await;
        let last = rig
            .twin
            .world(|w| w.calls.writes().map(|call| call.at).max());
        let late = last.unwrap().duration_since(readable);
        let bound = i64::try_from(CALL_TIMEOUT.as_secs()).unwrap();
        assert!(late.as_secs() <= bound, "a write {late} after the pause");
        assert!(rig.writes() < 120);
    };
    let beside_other = beside(&other, &folder, rig.clock.sleep(Duration::from_secs(3700)));
    tokio::join!(beside(&rig.engine, &folder, paused), beside_other);
}

#[tokio::test(start_paused = true)]
async fn the_second_app_waits_until_the_canary_was_in_order_for_the_bake_time() {
    let rig = rig(&["canary", "web"]).await;
    let folder = Folder::default();
    let waits = policy("shop", "{canary: {app: first, bake: 30m}}");
    let size = "cpu: 512, memory: 1024";
    folder.save(&(waits + &service("first", "canary", size) + &service("shop", "web", size)));
    let began = |name: &str| {
        rig.twin.world(|w| {
            let to = |call: &&evenkeel::twin::calls::Call| {
                call.name.ends_with("UpdateService") && call.input["service"] == json!(name)
            };
            w.calls.writes().find(to).map(|call| call.at)
        })
    };
    let script = async {
        rig.clock.sleep(Duration::from_secs(1800)).await;
        assert!(began("canary").is_some());
        assert_eq!(began("web"), None, "the second app did not wait");
        rig.clock.sleep(Duration::from_secs(1800)).await;
    };
    let options = RunOptions {
        interval: Duration::from_secs(60),
        scope: Scope::all(),
        writes: Allow::Yes,
    };
    let looks = Looks::default();
    run(
        &rig.engine,
        &mut folder.clone(),
        &options,
        &Silent,
        &looks,
        script,
    )
    .await;
    let (first, second) = (began("canary").unwrap(), began("web").unwrap());
    let rolled = store(&rig).statuses("first").await.unwrap();
    let ready = rolled
        .values()
        .next()
        .unwrap()
        .condition(evenkeel::model::status::ConditionKind::Ready);
    let healthy = ready.unwrap().last_transition;
    assert!(healthy > first);
    let baked = second.duration_since(healthy);
    assert!((1800..1860).contains(&baked.as_secs()), "{baked}");
}

#[tokio::test(start_paused = true)]
async fn an_ailing_canary_holds_the_second_app_for_ever() {
    let rig = rig(&["web"]).await;
    let folder = Folder::default();
    // The canary's service does not exist, and services are not created.
    let waits = policy("shop", "{canary: {app: first, bake: 1m}}");
    let canary = service("first", "canary", "desiredCount: 1");
    folder.save(&(waits + &canary + &service("shop", "web", "desiredCount: 4")));
    beside(&rig.engine, &folder, rig.clock.sleep(7 * DAY)).await;
    assert_eq!(rig.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_canary_at_another_commit_holds_the_second_app_until_it_comes_along() {
    let rig = rig(&["canary", "web"]).await;
    let waits = policy("shop", "{canary: {app: first, bake: 1m}}");
    let canary = service("first", "canary", "desiredCount: 1");
    let text = waits + &canary + &service("shop", "web", "desiredCount: 4");
    let mut set = load(&text);
    let commit = |digit: &str| CommitId::parse(&digit.repeat(40)).unwrap();
    let behind = AppCommit {
        commit: commit("a"),
        why: Why::DidNotLoad,
    };
    set.source = Some(SourceState {
        commit: Some(commit("b")),
        apps: BTreeMap::from([("first".to_owned(), behind)]),
        ..SourceState::default()
    });
    rig.clock.sleep(DAY).await;
    rig.apply(&set, Wait::No).await;
    assert_eq!(rig.writes(), 0);
    let plan = rig.plan(&set).await;
    let web = plan.objects.iter().find(|o| o.key.app == "shop").unwrap();
    let told = web.holds[0].to_string();
    assert!(told.contains("it is at commit aaaaaaaaaaaa"), "{told}");
    set.source.as_mut().unwrap().apps.clear();
    rig.apply(&set, Wait::No).await;
    assert_eq!(rig.writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_freezes_that_follow_each_other_the_end_of_the_last_is_told() {
    let (rig, folder) = held(
        "{freezes: [{from: 2026-03-01T00:00:00Z, until: 2026-03-05T06:00:00Z, reason: a}, \
          {from: 2026-03-05T06:00:00Z, until: 2026-03-07T00:00:00Z, reason: b}]}",
    )
    .await;
    let plan = rig.plan(&folder.set()).await;
    let told = only(&plan).holds[0].to_string();
    assert_eq!(told, "frozen: a; the freeze ends 2026-03-07T00:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn a_commit_cannot_loosen_its_own_leash() {
    let (rig, folder) = held("{mode: report}").await;
    look(&rig, &folder).await;
    let count = service("shop", "web", "desiredCount: 4");
    for looser in ["{mode: correct}", "{}"] {
        folder.save(&(policy("shop", looser) + &count));
        look(&rig, &folder).await;
        assert_eq!(rig.writes(), 0, "{looser} took effect by itself");
    }
    // Without any policy, too; and by hand.
    folder.save(&count);
    look(&rig, &folder).await;
    rig.apply(&folder.set(), Wait::No).await;
    assert_eq!(
        rig.writes(),
        0,
        "a policy was deleted, and that took effect"
    );
    let plan = rig.plan(&folder.set()).await;
    let told = &plan.findings[0];
    assert_eq!(told.rule, "leash");
    let all = rig.engine.approvable(&folder.set(), &Scope::all()).await;
    let leash = all
        .iter()
        .find(|one| one.change.of == "the policy of shop")
        .unwrap();
    let command = format!("evenkeel approve {:.12}", leash.change.digest);
    assert!(told.help.as_ref().unwrap().contains(&command), "{told:?}");
    approve(&rig, &leash.change.digest, ALICE, Reach::InTime).await;
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 1, "it was approved, and did not take effect");
    // The approval is used up: the same loosening once more is another one.
    folder.save(&(policy("shop", "{mode: report}") + &count));
    look(&rig, &folder).await;
    rig.twin.world(|w| {
        let back = json!({"cluster": "main", "service": "web", "desiredCount": 1});
        w.call("ecs", "UpdateService", &back).unwrap();
        w.calls.clear();
    });
    folder.save(&count);
    look(&rig, &folder).await;
    assert_eq!(
        rig.writes(),
        0,
        "an approval of a looser policy served twice"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_does_not_load_lets_nothing_pass() {
    let (rig, folder) = held("{mode: report}").await;
    look(&rig, &folder).await;
    let broken = policy("shop", "{mode: whatever}") + &service("shop", "web", "desiredCount: 4");
    let set = evenkeel::engine::desired::load_files([("a.yaml", broken.as_bytes())]);
    let plan = rig
        .engine
        .plan(&set, &Scope::all(), &Policy::CONTROLLER)
        .await;
    assert_eq!(only(&plan).holds, [Hold::Frozen]);
    rig.engine.record_policies(&set).await.unwrap();
    let rows = store(&rig).control_rows().await.unwrap();
    assert_eq!(rows["shop"].leash.as_ref().unwrap().version, 1);
}

#[tokio::test(start_paused = true)]
async fn an_app_in_order_under_a_policy_costs_the_store_no_write() {
    let (rig, folder) = held("{windows: [{from: \"11:00\", to: \"13:00\", timeZone: UTC}]}").await;
    assert_eq!(rig.clock.now(), at(NOON));
    look(&rig, &folder).await;
    assert_eq!(rig.writes(), 1);
    let stored = || -> serde_json::Value {
        let (_, body) = rig.store.call("Scan", br#"{"TableName": "evenkeel"}"#);
        serde_json::from_slice(&body).unwrap()
    };
    rig.clock.sleep(DAY).await;
    look(&rig, &folder).await;
    let before = stored();
    beside(&rig.engine, &folder, rig.clock.sleep(10 * DAY)).await;
    assert_eq!(before, stored());
}

#[tokio::test(start_paused = true)]
async fn no_document_passes_a_ceiling() {
    let rig = rig(&["web"]).await;
    let ceiling = "ceilings:\n  freezes:\n    - {from: 2026-03-01T00:00:00Z, \
                   until: 2026-03-04T00:00:00Z, reason: ours}\n";
    let settings = evenkeel::cli::settings::parse("evenkeel.yaml", ceiling).unwrap();
    let engine = rig.another(9).await.under(settings.ceiling.unwrap());
    let folder = Folder::default();
    folder.save(&service("shop", "web", "desiredCount: 4"));
    beside(
        &engine,
        &folder,
        is_written_at(&rig, "2026-03-04T00:00:00Z"),
    )
    .await;
}
