//! The controller in virtual time: when it looks, what it goes on with, and what it lets go of.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel::engine::controller::{Desired, Observer, RunOptions, run};
use evenkeel::engine::progress::Silent;
use evenkeel::engine::telemetry::Telemetry;
use evenkeel::kinds::Allow;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::pass::ObjectPass;
use evenkeel::model::plan::Plan;
use evenkeel::model::scope::Scope;
use evenkeel::twin::World;
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::faults::Fault;
use serde_json::json;
use tokio::sync::Notify;

use crate::rig::{Rig, load};

/// Documents that change while the controller runs.
#[derive(Clone, Default)]
pub struct Folder(Arc<Mutex<String>>, Arc<Notify>);

impl Folder {
    pub fn set(&self) -> DesiredSet {
        load(&self.0.lock().unwrap())
    }

    pub fn save(&self, text: &str) {
        text.clone_into(&mut self.0.lock().unwrap());
        self.1.notify_one();
    }
}

impl Desired for Folder {
    fn load(&mut self) -> Pin<Box<dyn Future<Output = DesiredSet> + Send + '_>> {
        Box::pin(async { self.set() })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.1.notified())
    }
}

/// Counts looks.
#[derive(Default)]
pub struct Looks(Mutex<usize>);

impl Looks {
    pub fn take(&self) -> usize {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Looks {
    fn looked(&self, _: &DesiredSet, _: &Plan) {
        *self.0.lock().unwrap() += 1;
    }

    fn converged(&self, _: &str, _: &[ObjectPass]) {}
}

/// Runs the controller beside `script`, which ends it.
async fn beside(rig: &Rig, folder: &Folder, looks: &Looks, script: impl Future<Output = ()>) {
    let options = RunOptions {
        interval: Duration::from_secs(60),
        scope: Scope::all(),
        writes: Allow::Yes,
    };
    run(
        &rig.engine,
        &mut folder.clone(),
        &options,
        &Silent,
        looks,
        script,
    )
    .await;
}

pub async fn rig(services: &[&str]) -> Rig {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        for name in services {
            let service = FargateService::new("main", name).size(256, 512);
            w.add_service(&service).unwrap();
        }
        w.calls.clear();
    });
    rig
}

pub fn service(app: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: evenkeel/v1alpha1\nkind: Service\n\
         metadata: {{app: {app}, name: {name}}}\nspec: {{cluster: main, {spec}}}\n"
    )
}

fn cpu(w: &mut World, name: &str) -> Option<i64> {
    w.task_definition_of("main", name).unwrap().cpu()
}

#[tokio::test(start_paused = true)]
async fn a_value_that_waits_for_its_window_does_not_hasten_the_looks() {
    let rig = rig(&[]).await;
    rig.twin.world(|w| {
        w.rds.put_instance(json!({
            "DBInstanceIdentifier": "orders", "Engine": "postgres", "BackupRetentionPeriod": 0,
        }));
    });
    let folder = Folder::default();
    folder.save(
        "apiVersion: evenkeel/v1alpha1\nkind: Database\nmetadata: {app: shop, name: orders}\n\
         spec: {instance: orders, backupRetentionDays: 7}\n",
    );
    let looks = Looks::default();
    beside(&rig, &folder, &looks, async {
        rig.clock.sleep(Duration::from_secs(600)).await;
        looks.take();
        rig.clock.sleep(Duration::from_secs(6000)).await;
    })
    .await;
    let plan = rig.plan(&folder.set()).await;
    assert_eq!(plan.summary.deferred, 1, "{:#?}", plan.objects);
    let looks = looks.take();
    assert!(
        (100..=200).contains(&looks),
        "{looks} looks in a hundred minutes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rolled_back_size_costs_neither_lease_nor_haste() {
    let rig = rig(&["web"]).await;
    rig.twin.world(|w| {
        w.ecs.rollouts.crashes.push(evenkeel::twin::ecs::CrashRule {
            revision: Some(2),
            ..evenkeel::twin::ecs::CrashRule::default()
        });
    });
    let folder = Folder::default();
    folder.save(&service("shop", "web", "cpu: 512, memory: 1024"));
    let looks = Looks::default();
    let token = || async {
        let store = rig.engine.store.as_ref().unwrap();
        store.leases(&["shop".to_owned()]).await.unwrap()[0].token
    };
    beside(&rig, &folder, &looks, async {
        rig.clock.sleep(Duration::from_secs(1800)).await;
        looks.take();
        let before = token().await;
        rig.clock.sleep(Duration::from_secs(6000)).await;
        assert_eq!(token().await, before, "the lease was taken again");
    })
    .await;
    let looks = looks.take();
    assert!(
        (100..=200).contains(&looks),
        "{looks} looks in a hundred minutes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pass_does_not_go_on_with_what_nobody_wants_any_more() {
    let names: Vec<String> = (0..30).map(|n| format!("web-{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rig = rig(&names).await;
    let documents = |size: &str| -> String {
        names
            .iter()
            .map(|name| service("shop", name, size))
            .collect()
    };
    let folder = Folder::default();
    folder.save(&documents("cpu: 1024, memory: 2048"));
    beside(&rig, &folder, &Looks::default(), async {
        // The pass is in the middle: registrations come at less than one a second.
        rig.clock.sleep(Duration::from_secs(8)).await;
        folder.save(&documents("cpu: 256, memory: 512"));
        rig.clock.sleep(Duration::from_secs(1200)).await;
    })
    .await;
    let (too_large, registered) = rig.twin.world(|w| {
        let too_large = names.iter().filter(|n| cpu(w, n) != Some(256)).count();
        (too_large, w.calls.of("ecs.RegisterTaskDefinition").count())
    });
    assert_eq!(too_large, 0);
    assert!(
        registered < 60,
        "{registered} revisions: the old wish was written to its end"
    );
}

#[tokio::test(start_paused = true)]
async fn a_corrected_document_does_not_wait_for_the_back_off_of_the_wrong_one() {
    let rig = rig(&["web"]).await;
    rig.twin.world(|w| {
        let refused = evenkeel::twin::wire::TwinError::client("InvalidParameterException", "no");
        w.faults.errors("ecs.TagResource", 1000, &refused);
    });
    let folder = Folder::default();
    folder.save(&service("shop", "web", "tags: {team: shop}"));
    beside(&rig, &folder, &Looks::default(), async {
        rig.clock.sleep(Duration::from_secs(3600)).await;
        folder.save(&service("shop", "web", "cpu: 512, memory: 1024"));
        rig.clock.sleep(Duration::from_secs(5)).await;
    })
    .await;
    assert_eq!(rig.twin.world(|w| cpu(w, "web")), Some(512));
}

#[tokio::test(start_paused = true)]
async fn one_app_whose_history_cannot_be_read_keeps_no_other_from_its_due() {
    let rig = rig(&["web", "blog"]).await;
    let folder = Folder::default();
    folder.save(
        &(service("shop", "web", "tags: {team: shop}")
            + &service("blog", "blog", "tags: {team: blog}")),
    );
    let set = folder.set();
    rig.apply(&set, evenkeel::engine::apply::Wait::No).await;
    // A row of a later version, or one that somebody edited.
    let (status, body) = rig.store.call(
        "UpdateItem",
        json!({
            "TableName": "evenkeel",
            "Key": {
                "pk": {"S": "123456789012#us-east-1#shop"},
                "sk": {"S": "MEMORY#Service/web"},
            },
            "UpdateExpression": "SET body = :body",
            "ExpressionAttributeValues": {":body": {"S": "not json"}},
        })
        .to_string()
        .as_bytes(),
    );
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    folder.save(
        &(service("shop", "web", "cpu: 512, memory: 1024")
            + &service("blog", "blog", "cpu: 512, memory: 1024")),
    );
    beside(&rig, &folder, &Looks::default(), async {
        rig.clock.sleep(Duration::from_secs(300)).await;
    })
    .await;
    assert_eq!(rig.twin.world(|w| cpu(w, "blog")), Some(512));
    assert_eq!(rig.twin.world(|w| cpu(w, "web")), Some(256));
    let plan = rig.plan(&folder.set()).await;
    let web = plan.objects.iter().find(|o| o.key.app == "shop").unwrap();
    assert!(
        web.holds[0]
            .to_string()
            .contains("history could not be read"),
        "{:?}",
        web.holds
    );
    assert_eq!(web.drift.len(), 2, "its drift is told all the same");
}

#[tokio::test(start_paused = true)]
async fn throttled_writes_are_no_failures() {
    let rig = rig(&["web"]).await;
    rig.twin.world(|w| {
        for _ in 0..12 {
            w.faults.next("ecs.TagResource", Fault::Throttled);
        }
    });
    let set = load(&service("shop", "web", "tags: {team: shop}"));
    let pass = rig.apply(&set, evenkeel::engine::apply::Wait::No).await;
    assert_eq!(crate::rig::complaints(&pass), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_is_told_to_stop_while_a_look_waits_in_line_ends() {
    let names: Vec<String> = (0..40).map(|n| format!("web-{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rig = rig(&names).await;
    let documents: String = names
        .iter()
        .map(|name| {
            service(
                name,
                name,
                "cpu: 512, memory: 1024, scaling: {minCapacity: 1, maxCapacity: 2}",
            )
        })
        .collect();
    let folder = Folder::default();
    folder.save(&documents);
    rig.twin.world(|w| w.latency = Duration::from_millis(200));
    // At any moment: in the middle of looks, of passes, and of both.
    for seconds in [1, 3, 7, 12, 20, 33] {
        let looks = Looks::default();
        let running = beside(&rig, &folder, &looks, async {
            rig.clock.sleep(Duration::from_secs(seconds)).await;
        });
        let limit = Duration::from_secs(120);
        let ended = tokio::time::timeout(limit, running).await;
        assert!(
            ended.is_ok(),
            "told to stop after {seconds} s, and still there"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_stops_when_the_documents_of_its_app_are_gone() {
    let names: Vec<String> = (0..30).map(|n| format!("web-{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rig = rig(&names).await;
    let documents: String = names
        .iter()
        .map(|name| service("shop", name, "cpu: 1024, memory: 2048"))
        .collect();
    let folder = Folder::default();
    folder.save(&(documents + &service("blog", "web-00-other", "tags: {a: b}")));
    beside(&rig, &folder, &Looks::default(), async {
        rig.clock.sleep(Duration::from_secs(8)).await;
        folder.save(&service("blog", "web-00-other", "tags: {a: b}"));
        rig.clock.sleep(Duration::from_secs(600)).await;
    })
    .await;
    let resized = rig
        .twin
        .world(|w| names.iter().filter(|n| cpu(w, n) == Some(1024)).count());
    assert!(
        resized < 28,
        "{resized} of 30 were resized after their documents had gone"
    );
}

#[tokio::test(start_paused = true)]
async fn a_look_at_which_nothing_could_be_read_is_no_sign_of_life() {
    let rig = rig(&["web"]).await;
    let telemetry = Telemetry::new(Arc::clone(&rig.engine.cell));
    let set = load(&service("shop", "web", "tags: {team: shop}"));
    rig.twin.world(|w| {
        let denied = evenkeel::twin::wire::TwinError::client("AccessDeniedException", "no");
        w.faults.errors("ecs.DescribeServices", 1, &denied);
    });
    telemetry.looked(&set, &rig.plan(&set).await);
    assert!(!telemetry.is_ready());
    rig.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(telemetry.since_last_look(), Duration::from_secs(60));
    telemetry.looked(&set, &rig.plan(&set).await);
    assert!(telemetry.is_ready());
    assert_eq!(telemetry.since_last_look(), Duration::ZERO);
}
