//! Replicas: two controllers over one account and one store.

use std::sync::Mutex;

use evenkeel::engine::apply::{ApplyOptions, Pinned, Wait};
use evenkeel::engine::progress::{Event, Progress, Silent};
use evenkeel::model::change::{Hold, Risk, Step};
use evenkeel::model::pass::Ended;
use evenkeel::model::plan::Status;
use evenkeel::model::scope::Scope;
use evenkeel::store::{LEASE_DURATION, NewIntent, Patience};
use evenkeel::twin::estate::FargateService;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::rig::{EVERYTHING, Rig, load};

#[tokio::test(start_paused = true)]
async fn of_two_that_write_one_app_at_once_one_writes_and_the_other_says_who_does() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.add_service(&FargateService::new("main", "web").size(256, 512))
            .unwrap();
        // Without it the first would be done before the second had begun.
        w.latency = std::time::Duration::from_millis(50);
        w.calls.clear();
    });
    let set = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
         spec: {cluster: main, cpu: 512, memory: 1024}\n",
    );
    let other = rig.another(8).await;
    let options = ApplyOptions {
        policy: EVERYTHING,
        wait: Wait::No,
        pinned: Pinned::No,
        patience: Patience::No,
        stop: CancellationToken::new(),
    };
    let first = rig.plan(&set).await;
    let second = other.plan(&set, &Scope::all(), &EVERYTHING).await;
    let (a, b) = tokio::join!(
        rig.engine.apply(&set, first, &options, &Silent),
        other.apply(&set, second, &options, &Silent),
    );
    let wrote = |pass: &evenkeel::model::pass::Pass| pass.written() > 0;
    assert_ne!(wrote(&a), wrote(&b));
    let loser = if wrote(&a) { &b } else { &a };
    let Ended::Held(why) = &loser.objects[0].ended else {
        panic!("{:?}", loser.objects[0].ended);
    };
    assert!(
        why.contains("rig@test/") && why.contains("lock list"),
        "{why}"
    );
    let registered =
        |w: &mut evenkeel::twin::World| w.calls.of("ecs.RegisterTaskDefinition").count();
    assert_eq!(rig.twin.world(registered), 1);
}

/// Keeps the events that it was told.
#[derive(Default)]
struct Watcher(Mutex<Vec<Event>>);

impl Progress for Watcher {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_anothers_lease_says_whose() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.add_service(&FargateService::new("main", "web").desired(2))
            .unwrap();
    });
    let set = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
         spec: {cluster: main, desiredCount: 3}\n",
    );
    let waited = |events: &[Event]| {
        events.iter().find_map(|event| match event {
            Event::Waiting { app, holder, most } => Some((app.clone(), holder.clone(), *most)),
            _ => None,
        })
    };
    // Somebody takes the lease and dies with it.
    let other = rig.another(8).await;
    let theirs = other.store.as_ref().unwrap();
    theirs.acquire("shop", Patience::No).await.unwrap();
    let watcher = Watcher::default();
    let options = rig.options(Wait::ForRollouts);
    let plan = rig.plan(&set).await;
    let pass = rig.engine.apply(&set, plan, &options, &watcher).await;
    assert_eq!(pass.objects[0].ended, Ended::Converged);
    let told = watcher.0.lock().unwrap().clone();
    assert_eq!(
        waited(&told),
        Some(("shop".to_owned(), "rig@test/8".to_owned(), LEASE_DURATION))
    );
    // Nothing of it where the lease is free.
    rig.twin
        .world(|w| w.set_desired_count("main", "web", 1).unwrap());
    let plan = rig.plan(&set).await;
    let watcher = Watcher::default();
    rig.engine.apply(&set, plan, &options, &watcher).await;
    assert_eq!(waited(&watcher.0.lock().unwrap()), None);
}

#[tokio::test(start_paused = true)]
async fn what_history_says_of_a_frozen_app_is_asked_again_when_it_is_mended() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.add_service(&FargateService::new("main", "web").size(256, 512))
            .unwrap();
    });
    let set = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
         spec: {cluster: main, cpu: 256, memory: 512}\n",
    );
    assert_eq!(rig.plan(&set).await.objects[0].status, Status::InSync);
    // Another one dies in the middle of a write.
    let other = rig.another(8).await;
    let store = other.store.as_ref().unwrap();
    let lease = store.acquire("shop", Patience::No).await.unwrap();
    let intent = NewIntent {
        id: other.cell.entropy.id(),
        key: set.documents.keys().next().unwrap().clone(),
        step: Step {
            operation: "ecs.UpdateService".into(),
            object: "main/web".into(),
            title: "set the count of web to 3".into(),
            detail: json!({"desiredCount": 3}),
        },
        drift: Vec::new(),
        risk: Risk::Routine,
        plan: "p".into(),
        tasks: 0,
        approval: None,
        commit: None,
    };
    let token = other.cell.budget.take("ecs.UpdateService").await;
    store.intend(&lease, intent, token).await.unwrap();

    let mut torn = set.clone();
    torn.frozen.add("shop");
    assert_eq!(rig.plan(&torn).await.objects[0].status, Status::Blocked);
    let mended = rig.plan(&set).await;
    assert!(
        matches!(mended.objects[0].holds[..], [Hold::OpenIntent { .. }]),
        "{:#?}",
        mended.objects[0]
    );
}
