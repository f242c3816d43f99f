//! Replicas: two controllers over one account and one store.

use evenkeel::engine::apply::{ApplyOptions, Pinned, Wait};
use evenkeel::engine::progress::Silent;
use evenkeel::model::pass::Ended;
use evenkeel::model::scope::Scope;
use evenkeel::store::Patience;
use evenkeel::twin::estate::FargateService;

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
