//! Fleets: what an estate of a thousand services costs, and how fast it may be changed.

use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::model::plan::Verdict;

use crate::estates::{seed, services, settle_thousand, thousand};
use crate::rig::{Rig, load};

#[tokio::test(start_paused = true)]
async fn two_hundred_size_changes_converge_as_fast_as_the_rates_allow_and_are_never_throttled() {
    let rig = Rig::new().await;
    seed(&rig, 40, 5, 4);
    let set = load(&services(40, 5, 4, "cpu: 512, memory: 1024"));
    let start = rig.clock.boot();
    let pass = rig.apply(&set, Wait::No).await;
    let took = rig.clock.boot() - start;
    let bad: Vec<_> = pass
        .objects
        .iter()
        .filter(|o| o.written.len() != 2)
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let (throttled, registered) = rig.twin.world(|w| {
        (
            w.calls.throttled(),
            w.calls.of("ecs.RegisterTaskDefinition").count(),
        )
    });
    assert_eq!((throttled, registered), (0, 200));
    // 200 cold definitions at 50 + 20/s, then 200 registrations at 20 + 1/s.
    let least = Duration::from_secs_f64(7.5 + 180.0);
    println!("200 size changes: {took:?}, least {least:?}");
    assert!(took <= least.mul_f64(1.2), "{took:?} against {least:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_services_in_order_cost_a_quarter_of_a_call_each_and_no_write() {
    let rig = Rig::new().await;
    settle_thousand(&rig).await;
    let set = thousand();
    // The first look of a fresh controller fills its caches; the second is what a day is made of.
    let mut rows = Vec::new();
    for look in ["first", "second"] {
        rig.twin.world(|w| w.calls.clear());
        let plan = rig.plan(&set).await;
        assert_eq!(plan.verdict(), Verdict::InOrder, "{look} look");
        // As `run` does after each look.
        rig.engine.record_conditions(&set, &plan).await.unwrap();
        rows.push(stored(&rig));
    }
    assert_eq!(rows[0], rows[1], "the second look wrote to the store");
    let counts = rig.twin.world(|w| w.calls.counts());
    let reads: usize = counts.values().sum();
    println!("reads of a look over 1,000 services: {reads} {counts:?}");
    assert!(reads <= 300, "{reads}: {counts:?}");
    assert_eq!(rig.writes(), 0);
}

/// Every row of the store, as it stands.
fn stored(rig: &Rig) -> serde_json::Value {
    let (status, body) = rig.store.call("Scan", br#"{"TableName": "evenkeel"}"#);
    assert_eq!(status, 200);
    serde_json::from_slice(&body).unwrap()
}
