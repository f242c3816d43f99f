//! Approved: what somebody was shown and said yes to is written, and nothing else.

use evenkeel::engine::apply::{ApplyOptions, Pinned, Wait};
use evenkeel::engine::progress::Silent;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::pass::{Ended, Pass};
use evenkeel::model::scope::Scope;
use evenkeel::twin::World;
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::faults::Fault;
use serde_json::json;

use crate::rig::{EVERYTHING, Rig, load};

async fn rig() -> (Rig, DesiredSet) {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.dynamodb.put_table(json!({
            "TableName": "sessions",
            "DeletionProtectionEnabled": true,
            "PointInTimeRecovery": {"enabled": false},
        }));
        w.calls.clear();
    });
    let set = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Table\nmetadata: {app: shop, name: sessions}\n\
         spec:\n  tableName: sessions\n  deletionProtection: false\n  \
         pointInTimeRecovery: {enabled: true, recoveryPeriodDays: 20}\n",
    );
    (rig, set)
}

async fn apply(rig: &Rig, set: &DesiredSet) -> Pass {
    let plan = rig.engine.plan(set, &Scope::all(), &EVERYTHING).await;
    assert_eq!(plan.objects[0].change.as_ref().unwrap().steps.len(), 2);
    let options = ApplyOptions {
        pinned: Pinned::Yes,
        ..rig.options(Wait::ForRollouts)
    };
    rig.engine.apply(set, plan, &options, &Silent).await
}

fn period(w: &mut World) -> Option<i64> {
    let input = json!({"TableName": "sessions"});
    let answer = w
        .call("dynamodb", "DescribeContinuousBackups", &input)
        .unwrap();
    answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"]
        .as_i64()
}

#[tokio::test(start_paused = true)]
async fn an_approved_plan_is_written_whole() {
    let (rig, set) = rig().await;
    let pass = apply(&rig, &set).await;
    assert_eq!(pass.objects[0].ended, Ended::Converged);
    assert_eq!(pass.written(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changes_between_two_approved_writes_is_not_written_over() {
    let (rig, set) = rig().await;
    rig.twin.world(|w| {
        // Just after the first write a colleague keeps everything for longer.
        let act = |w: &mut World| {
            let input = json!({
                "TableName": "sessions",
                "PointInTimeRecoverySpecification":
                    {"PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 35},
            });
            w.call("dynamodb", "UpdateContinuousBackups", &input)
                .unwrap();
        };
        let writes = |name: &str, _: &serde_json::Value| name.starts_with("dynamodb.Update");
        w.faults.at_match(2, Fault::ActAfter(Box::new(act)), writes);
    });
    let pass = apply(&rig, &set).await;
    let Ended::Held(why) = &pass.objects[0].ended else {
        panic!("{:?}", pass.objects[0].ended);
    };
    assert!(why.contains("moved since the plan was made"), "{why}");
    assert_eq!(rig.twin.world(period), Some(35));
}

#[tokio::test(start_paused = true)]
async fn an_approved_write_whose_answer_is_lost_is_looked_up_and_the_rest_goes_on() {
    for nth in [1, 2] {
        let (rig, set) = rig().await;
        rig.twin.world(|w| {
            let writes = |name: &str, _: &serde_json::Value| name.starts_with("dynamodb.Update");
            w.faults.at_match(nth, Fault::LostAfter, writes);
        });
        let pass = apply(&rig, &set).await;
        assert_eq!(pass.objects[0].ended, Ended::Converged, "write {nth}");
        assert_eq!(pass.written(), 2, "write {nth}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_an_approved_size_overtook_is_based_anew_at_once() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        let web = FargateService::new("main", "web")
            .image("app:v1")
            .size(256, 512);
        w.add_service(&web).unwrap();
    });
    rig.clock.sleep(std::time::Duration::from_secs(3600)).await;
    rig.twin.world(|w| {
        w.calls.clear();
        // Between our last reading and our write.
        let ci = |w: &mut World| {
            w.deploy_image("main", "web", "app:v2").unwrap();
        };
        w.faults
            .next("ecs.UpdateService", Fault::ActBefore(Box::new(ci)));
    });
    let set = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
         spec: {cluster: main, cpu: 512, memory: 1024}\n",
    );
    let plan = rig.engine.plan(&set, &Scope::all(), &EVERYTHING).await;
    let options = ApplyOptions {
        pinned: Pinned::Yes,
        ..rig.options(Wait::ForRollouts)
    };
    let pass = rig.engine.apply(&set, plan, &options, &Silent).await;
    assert_eq!(crate::rig::complaints(&pass), Vec::<String>::new());
    let images: Vec<String> = rig.twin.world(|w| {
        let definition = w.task_definition_of("main", "web").unwrap();
        definition.images().map(str::to_owned).collect()
    });
    assert_eq!(images, ["app:v2"]);
}
