//! Faults: one thing goes wrong, at every call of a converging apply in turn, and all still ends
//! as the documents say, with one revision an intent and a whole chain.

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::model::chain::whole;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::entry::{Outcome, Record};
use evenkeel::model::plan::Verdict;
use evenkeel::store::Chain;
use evenkeel::twin::World;
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::faults::Fault;

use crate::rig::{Rig, complaints, load};

const DOCUMENTS: &str = r#"
apiVersion: evenkeel/v1alpha1
kind: Service
metadata: {app: shop, name: web}
spec:
  cluster: main
  cpu: 512
  memory: 1024
  healthCheckGracePeriodSeconds: 90
  tags: {team: shop}
  scaling:
    minCapacity: 2
    maxCapacity: 4
    targetTracking: [{name: cpu, metric: ECSServiceAverageCPUUtilization, targetValue: 70}]
---
apiVersion: evenkeel/v1alpha1
kind: Service
metadata: {app: shop, name: worker}
spec: {cluster: main, desiredCount: 3, cpu: 512, memory: 1024}
"#;

async fn rig() -> (Rig, DesiredSet) {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        for name in ["web", "worker"] {
            let service = FargateService::new("main", name).env("TOKEN", "canary-7f3a");
            w.add_service(&service.size(256, 512).desired(1)).unwrap();
        }
        w.calls.clear();
    });
    (rig, load(DOCUMENTS))
}

/// Revisions that carry the same intent's tag: more than one would be a double effect.
fn doubles(w: &World) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for definition in w.ecs.all_task_definitions() {
        for (key, value) in &definition.tags {
            if key == "evenkeel:intent" {
                *seen.entry(value.clone()).or_default() += 1;
            }
        }
    }
    seen.retain(|_, n| *n > 1);
    seen.into_keys().collect()
}

/// All is in order, the chain is whole, nothing is open, nothing was done twice, nothing was told.
pub async fn check_aftermath(rig: &Rig, set: &DesiredSet, case: &str) {
    let store = rig.engine.store.as_ref().unwrap();
    let plan = rig.plan(set).await;
    assert_eq!(
        plan.verdict(),
        Verdict::InOrder,
        "{case}: {:#?}",
        plan.objects
    );
    let Chain { entries, head } = store.chain("shop").await.unwrap();
    whole("shop", &entries, head.as_ref()).unwrap_or_else(|fault| panic!("{case}: {fault}"));
    let open: Vec<_> = store
        .memory("shop")
        .await
        .unwrap()
        .into_iter()
        .filter_map(|(key, memory)| memory.open.map(|_| key))
        .collect();
    assert!(open.is_empty(), "{case}: {open:?}");
    let doubles = rig.twin.world(|w| doubles(w));
    assert!(doubles.is_empty(), "{case}: {doubles:?}");
    let text = serde_json::to_string(&entries).unwrap();
    assert!(
        !text.contains("canary-7f3a"),
        "{case}: a secret in the ledger"
    );
    let intents = entries
        .iter()
        .filter(|e| matches!(e.record, Record::Intent { .. }))
        .count();
    let applied = entries
        .iter()
        .filter(|e| {
            matches!(
                &e.record,
                Record::Outcome {
                    outcome: Outcome::Applied,
                    ..
                }
            )
        })
        .count();
    assert!(intents >= applied && applied > 0, "{case}");
}

#[tokio::test(start_paused = true)]
async fn an_undisturbed_apply_converges_and_the_next_one_writes_nothing() {
    let (rig, set) = rig().await;
    let pass = rig.apply(&set, Wait::ForRollouts).await;
    assert_eq!(complaints(&pass), Vec::<String>::new());
    check_aftermath(&rig, &set, "undisturbed").await;
    rig.twin.world(|w| w.calls.clear());
    rig.apply(&set, Wait::ForRollouts).await;
    assert_eq!(rig.writes(), 0);
}

async fn at_any_call(name: &str, fault: fn() -> Fault) {
    let calls = {
        let (rig, set) = rig().await;
        rig.apply(&set, Wait::ForRollouts).await;
        rig.twin.world(|w| w.calls.all().len())
    };
    for nth in 1..=calls {
        let case = format!("{name} at call {nth} of {calls}");
        let (rig, set) = rig().await;
        rig.twin.world(|w| w.faults.at_any(nth, fault()));
        for _ in 0..3 {
            rig.apply(&set, Wait::ForRollouts).await;
        }
        assert_eq!(rig.twin.world(|w| w.faults.waiting()), 0, "{case}: not hit");
        check_aftermath(&rig, &set, &case).await;
    }
    println!("{name}: {calls} calls");
}

/// One test a fault, so that they run side by side.
macro_rules! lived_through {
    ($($name:ident: $fault:expr;)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            at_any_call(stringify!($name), || $fault).await;
        }
    )*};
}

lived_through! {
    a_throttled_answer_at_any_call_is_lived_through: Fault::Throttled;
    a_server_error_before_the_effect_of_any_call_is_lived_through: Fault::ServerErrorBefore;
    a_server_error_after_the_effect_of_any_call_is_lived_through: Fault::ServerErrorAfter;
    a_refused_connection_at_any_call_is_lived_through: Fault::ConnectionRefused;
    a_request_lost_at_any_call_is_lived_through: Fault::LostBefore;
    an_answer_lost_at_any_call_is_lived_through: Fault::LostAfter;
    a_call_that_hangs_is_lived_through_wherever_it_is: Fault::Hang;
    an_effect_that_comes_late_is_lived_through: Fault::LateEffect(Duration::from_secs(20));
    a_slow_answer_at_any_call_is_lived_through: Fault::Delay(Duration::from_secs(8));
}
