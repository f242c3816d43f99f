//! Meanwhile: what happens to the lease, and to the machine, while a process is at a request of its own.

use std::time::Duration;

use evenkeel::entropy::Entropy;
use evenkeel::store::{Store, StoreConfig, embedded};
use serde_json::{Value, json};

use super::fault::Kind;
use super::scenario::Scenario;
use super::stage::{Stage, Who};
use super::wire::{Orders, Wire};

/// The other replica, which works while the first stands still.
const OTHER: Who = Who {
    holder: "other@test/3",
    seed: 33,
};

/// Longer than a lease.
const STANDS_STILL: Duration = Duration::from_secs(45);

/// Waits until the process of `wire` is stopped, lets another replica make its passes meanwhile, and
/// lets the first go on.
pub async fn another_works(scenario: &Scenario, wire: &Wire) {
    let kind = wire.stopped().await;
    let stage = wire.stage();
    if kind == Kind::Suspended {
        wire.clock().stand_still();
    }
    let others = Wire::new(stage, Orders::Count);
    let other = stage.replica(OTHER, &others).await;
    scenario.pass(&other).await;
    if kind != Kind::TakenByHand {
        stage.clock.sleep(STANDS_STILL).await;
    }
    wire.clock().go_on();
    wire.go_on();
}

fn leases(stage: &Stage) -> Vec<Value> {
    let mut rows = stage.rows();
    rows.retain(|row| row["sk"]["S"] == "LEASE");
    rows
}

/// Whether the app's lease is held.
pub fn is_held(stage: &Stage) -> bool {
    leases(stage).iter().any(|row| row["state"]["S"] == "Held")
}

/// Deletes every lease's row.
pub fn rows_are_lost(stage: &Stage) {
    for row in leases(stage) {
        stage.delete(&json!({"pk": row["pk"], "sk": row["sk"]}));
    }
}

/// Takes every lease from its holder, as `evenkeel lock release` does.
pub async fn a_person_takes_all(stage: &Stage) {
    for row in leases(stage) {
        let place = row["pk"]["S"].as_str().unwrap_or_default();
        let mut parts = place.splitn(3, '#').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        let (account, region, app) = (part(), part(), part());
        let store = Store::new(StoreConfig {
            sdk: stage.twin.sdk_config(),
            http: embedded::http_client(stage.store.clone()),
            table: super::stage::TABLE.to_owned(),
            account,
            region,
            holder: "person@test/1".to_owned(),
            clock: stage.clock.clone(),
            entropy: Entropy::seeded(34),
        });
        store
            .force_release(&app, "the sweep says so")
            .await
            .unwrap();
    }
}
