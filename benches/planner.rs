//! How long the planner alone takes for a thousand services with four alarms each, in order.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    reason = "shares the tests' rig, of which it uses a part"
)]

use std::collections::BTreeMap;

use criterion::{Criterion, criterion_group, criterion_main};
use evenkeel::kinds::{KINDS, Policy};
use evenkeel::model::memory::Memory;
use evenkeel::model::plan::Verdict;
use evenkeel::model::scope::Scope;
use evenkeel::plan::{Inputs, plan};

#[path = "../tests/estates.rs"]
mod estates;
#[path = "../tests/rig.rs"]
mod rig;

fn planner(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let set = estates::thousand();
    let (snapshot, now) = runtime.block_on(async {
        let rig = rig::Rig::new().await;
        estates::settle_thousand(&rig).await;
        let snapshot = rig.engine.observe(&set, &Scope::all()).await;
        (snapshot, rig.clock.now())
    });
    let inputs = Inputs {
        kinds: KINDS,
        set: &set,
        scope: &Scope::all(),
        snapshot: &snapshot,
        memory: &Memory::default(),
        policy: &Policy::CONTROLLER,
        now,
        reads: &BTreeMap::new(),
    };
    assert_eq!(plan(&inputs).verdict(), Verdict::InOrder);
    c.bench_function("plan 1,000 services and 4,000 alarms in order", |b| {
        b.iter(|| plan(&inputs));
    });
}

criterion_group!(benches, planner);
criterion_main!(benches);
