//! Crashes: a replica is killed at every request of a converging apply, and the next one ends
//! converged, with a whole chain and nothing done twice.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use evenkeel::engine::Engine;
use evenkeel::engine::apply::{ApplyOptions, Pinned, Wait};
use evenkeel::engine::progress::Silent;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::scope::Scope;
use evenkeel::store::Patience;
use evenkeel::twin::estate::FargateService;
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::faults::check_aftermath;
use crate::rig::{EVERYTHING, Rig, complaints, load};

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
    scheduled:
      - {name: nights, schedule: "cron(0 20 * * ? *)", minCapacity: 1, maxCapacity: 2}
      - {name: days, schedule: "cron(0 6 * * ? *)", minCapacity: 2, maxCapacity: 4}
---
apiVersion: evenkeel/v1alpha1
kind: Alarm
metadata: {app: shop, name: cpu}
spec: {preset: CpuHigh, serviceRef: web}
---
apiVersion: evenkeel/v1alpha1
kind: Database
metadata: {app: shop, name: orders}
spec: {instance: orders, backupRetentionDays: 7}
---
apiVersion: evenkeel/v1alpha1
kind: Table
metadata: {app: shop, name: sessions}
spec: {tableName: sessions, pointInTimeRecovery: {enabled: true, recoveryPeriodDays: 35}, deletionProtection: true}
"#;

/// On which side of the request's effect the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Nothing of it happens.
    Before,
    /// All of it happens, and nobody hears the answer.
    After,
}

/// Counts the requests of one replica, to AWS and to the store alike, and stops it at one.
#[derive(Clone, Debug, Default)]
struct Gate(Arc<Mutex<Passage>>, Arc<Notify>);

#[derive(Debug, Default)]
enum Passage {
    /// The replica is being set up.
    #[default]
    Uncounted,
    /// So many have passed; which one is the last.
    Counted(usize, Option<(usize, Moment)>),
}

impl Gate {
    fn count(&self, last: Option<(usize, Moment)>) {
        *self.0.lock().unwrap() = Passage::Counted(0, last);
    }

    fn passed(&self) -> usize {
        match &*self.0.lock().unwrap() {
            Passage::Uncounted => 0,
            Passage::Counted(passed, _) => *passed,
        }
    }

    /// One more request: whether the process dies at it.
    fn pass(&self) -> Option<Moment> {
        match &mut *self.0.lock().unwrap() {
            Passage::Uncounted => None,
            Passage::Counted(passed, last) => {
                *passed += 1;
                last.filter(|(last, _)| last == passed).map(|(_, at)| at)
            }
        }
    }

    fn wrap(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Gated {
            inner,
            gate: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Gated {
    inner: SharedHttpClient,
    gate: Gate,
}

impl HttpClient for Gated {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(GatedConnector {
            inner: self.inner.http_connector(settings, components),
            gate: self.gate.clone(),
        })
    }
}

#[derive(Debug)]
struct GatedConnector {
    inner: SharedHttpConnector,
    gate: Gate,
}

impl HttpConnector for GatedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(moment) = self.gate.pass() else {
            return self.inner.call(request);
        };
        let (inner, dead) = (self.inner.clone(), self.gate.1.clone());
        HttpConnectorFuture::new(async move {
            if moment == Moment::After {
                let _unheard = inner.call(request).await;
            }
            dead.notify_one();
            std::future::pending().await
        })
    }
}

async fn rig() -> (Rig, DesiredSet) {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        let web = FargateService::new("main", "web").env("TOKEN", "canary-7f3a");
        w.add_service(&web.size(256, 512).desired(1)).unwrap();
        w.rds.put_instance(json!({
            "DBInstanceIdentifier": "orders",
            "Engine": "postgres",
            "BackupRetentionPeriod": 1,
        }));
        w.dynamodb
            .put_table(json!({"TableName": "sessions", "DeletionProtectionEnabled": false}));
        w.calls.clear();
    });
    (rig, load(DOCUMENTS))
}

async fn apply(engine: &Engine, set: &DesiredSet) -> Vec<String> {
    let plan = engine.plan(set, &Scope::all(), &EVERYTHING).await;
    let options = ApplyOptions {
        policy: EVERYTHING,
        wait: Wait::ForRollouts,
        pinned: Pinned::No,
        patience: Patience::UntilDead,
        stop: CancellationToken::new(),
    };
    complaints(&engine.apply(set, plan, &options, &Silent).await)
}

/// Lets a replica converge, or kills it at `last`; says how many requests it made.
async fn live(last: Option<(usize, Moment)>, rig: &Rig, set: &DesiredSet) -> usize {
    let gate = Gate::default();
    let replica = rig.another_through(8, |http| gate.wrap(http)).await;
    gate.count(last);
    tokio::select! {
        biased;
        () = gate.1.notified() => {}
        complaints = apply(&replica, set) => {
            assert_eq!(last, None, "it ended before it could be killed");
            assert_eq!(complaints, Vec::<String>::new());
        }
    }
    gate.passed()
}

async fn killed_anywhere(moment: Moment) {
    let requests = {
        let (rig, set) = rig().await;
        live(None, &rig, &set).await
    };
    for nth in 1..=requests {
        let case = format!("killed {moment:?} request {nth} of {requests}");
        let (rig, set) = rig().await;
        live(Some((nth, moment)), &rig, &set).await;
        let complaints = apply(&rig.engine, &set).await;
        assert_eq!(complaints, Vec::<String>::new(), "{case}");
        check_aftermath(&rig, &set, &case).await;
    }
    println!("{requests} requests");
}

#[tokio::test(start_paused = true)]
async fn killed_before_any_request_the_next_apply_ends_converged() {
    killed_anywhere(Moment::Before).await;
}

#[tokio::test(start_paused = true)]
async fn killed_after_any_request_had_its_effect_the_next_apply_ends_converged() {
    killed_anywhere(Moment::After).await;
}
