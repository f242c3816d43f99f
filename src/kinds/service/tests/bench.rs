//! A bench: one service over the twin, read, decided and written with the real clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::NOW;
use crate::aws::call::Permit;
use crate::aws::cell::Cell;
use crate::aws::door::Mode;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::kinds::service::Service;
use crate::kinds::trial::{document, set};
use crate::kinds::{Applied, Decision, Driver, Kind as _, Policy, Question, StepError, Wanted};
use crate::model::change::{Drift, Step};
use crate::model::memory::ObjectMemory;
use crate::model::snapshot::Seen;
use crate::model::tree::Tree;
use crate::plan::diff::diff;
use crate::twin::Twin;
use crate::twin::estate::FargateService;

pub struct Bench {
    pub twin: Twin,
    pub cell: Arc<Cell>,
    pub driver: Box<dyn Driver>,
    pub memory: ObjectMemory,
    pub earlier: BTreeMap<usize, Tree>,
}

pub async fn bench() -> Bench {
    let clock = Clock::virtual_at(NOW.parse().unwrap());
    let twin = Twin::new(clock.clone(), 1);
    twin.world(|w| {
        w.add_cluster("main").unwrap();
        let web = FargateService::new("main", "web")
            .desired(2)
            .env("PASSWORD", "hunter2");
        w.add_service(&web).unwrap();
        // A container member that no SDK of today knows.
        w.deploy_changed("main", "web", |definition| {
            definition["containerDefinitions"][0]["somethingNew"] = json!({"a": [1, 2]});
        })
        .unwrap();
    });
    clock.sleep(Duration::from_secs(1800)).await;
    let cell = Cell::connect(
        &twin.sdk_config(),
        twin.http_client(),
        Mode::ReadWrite,
        clock.beside(1.0),
        Entropy::seeded(7),
    )
    .await
    .unwrap();
    let cell = Arc::new(cell);
    Bench {
        driver: Service.driver(&cell),
        twin,
        cell,
        memory: ObjectMemory::default(),
        earlier: BTreeMap::new(),
    }
}

impl Bench {
    pub fn wanted(spec: &Value) -> Wanted {
        let mut spec = spec.clone();
        spec["cluster"] = json!("main");
        if spec.get("serviceName").is_none() {
            spec["serviceName"] = json!("web");
        }
        let document = document("Service", spec);
        let desired = Service.desired(&document, &set([document.clone()]));
        Wanted {
            key: document.key,
            desired,
        }
    }

    pub async fn see(&self, spec: &Value) -> Seen {
        let wanted = [Self::wanted(spec)];
        let mut seen = self.driver.observe(&wanted).await;
        seen.remove(&wanted[0].key).unwrap()
    }

    pub async fn plan(&self, spec: &Value) -> (Vec<Drift>, Decision) {
        let wanted = Self::wanted(spec);
        let Seen::Present(live) = self.see(spec).await else {
            panic!("not there");
        };
        let now = self.cell.clock.now();
        let desired = Service.expected(wanted.desired.clone(), &live, now);
        let drift = diff(&desired, &live.view, Service.rules(), Service.identity());
        let decision = Service.decide(&Question {
            key: &wanted.key,
            desired: &desired,
            live: Some(&live),
            drift: &drift,
            memory: &self.memory,
            policy: &Policy::CONTROLLER,
            now,
        });
        (drift, decision)
    }

    pub async fn prepare(&self, step: &Step) -> Result<(), StepError> {
        self.driver.prepare(step, &self.earlier).await
    }

    pub async fn apply(&mut self, index: usize, step: &Step) -> Result<Applied, StepError> {
        let token = self.cell.budget.take(step.operation().unwrap().name).await;
        let deadline = self.cell.clock.boot() + Duration::from_secs(60);
        let permit = Permit::issue(
            &format!("intent-{index}"),
            &step.operation,
            &step.object,
            deadline,
            token,
        );
        let applied = self.driver.apply(step, &self.earlier, permit).await?;
        self.earlier.insert(index, applied.detail.clone());
        self.memory.facts.insert(
            format!("applied:{}", step.operation),
            json!({"step": step.detail, "result": applied.detail}),
        );
        Ok(applied)
    }

    pub async fn converge(&mut self, spec: &Value) {
        let (_, decision) = self.plan(spec).await;
        self.earlier.clear();
        for (index, step) in decision.steps.iter().enumerate() {
            self.prepare(step).await.unwrap();
            self.apply(index, step).await.unwrap();
        }
    }

    pub fn running(&self) -> (String, Tree) {
        self.twin.world(|w| {
            let td = w.task_definition_of("main", "web").unwrap();
            (td.arn.clone(), Tree::Object(td.members.clone()))
        })
    }

    pub fn calls(&self) -> BTreeMap<String, usize> {
        self.twin.world(|w| {
            let counts = w.calls.counts();
            w.calls.clear();
            counts
        })
    }
}
