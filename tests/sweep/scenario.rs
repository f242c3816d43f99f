//! Scenarios: what is converged while things go wrong, generated from the table of kinds.

use std::sync::Arc;
use std::time::Duration;

use evenkeel::engine::Engine;
use evenkeel::engine::apply::{ApplyOptions, Pinned, Wait};
use evenkeel::engine::progress::Silent;
use evenkeel::kinds::{KINDS, kind};
use evenkeel::model::document::{DesiredSet, Document};
use evenkeel::model::pass::{Ended, Pass};
use evenkeel::model::scope::Scope;
use evenkeel::model::tree::Tree;
use evenkeel::store::Patience;
use evenkeel::twin::World;
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::faults::Fault;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::behind;
use super::samples::{documents, leaves};
use super::stage::{Fork, Stage, Who};
use super::wire::{Orders, Wire};
use super::{Wraps, between};
use crate::rig::{EVERYTHING, load};

/// Stands in a container's environment, and must stand nowhere else.
pub const CANARY: &str = "canary-7f3a";

/// What somebody does to a world.
pub type Act = Arc<dyn Fn(&mut World) + Send + Sync>;

/// Who brings an estate in order before a scenario begins.
const BEFORE: Who = Who {
    holder: "before@test/1",
    seed: 11,
};
/// A rollout is over by then, and what is written is old.
const HOUR: Duration = Duration::from_secs(3600);

/// Whether Evenkeel has written the estate before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// The estate was brought in order by it, and something drifted since.
    Managed,
    /// Its store is there and empty.
    Fresh,
    /// Its store is not there, and making it is part of what may be interrupted.
    NoTable,
}

/// Something that somebody else does in the middle of a run.
#[derive(Clone)]
pub struct Between {
    /// At the first call of this AWS operation.
    pub operation: &'static str,
    pub side: Beside,
    pub act: Act,
}

/// On which side of the call's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    Before,
    After,
}

/// One thing to converge.
#[derive(Clone)]
pub struct Scenario {
    pub name: String,
    pub set: Arc<DesiredSet>,
    pub history: History,
    /// Builds what is there at first.
    pub estate: Act,
    /// What happens to it before the run.
    pub drift: Act,
    pub between: Option<Between>,
    pub wait: Wait,
    /// The most crashes in a row that it is promised to stand.
    pub crashes: usize,
}

fn nothing() -> Act {
    Arc::new(|_| ())
}

impl Scenario {
    /// Documents over the least estate that they speak for.
    pub fn fresh(name: &str, set: DesiredSet) -> Self {
        let set = Arc::new(set);
        let wanted = set.clone();
        Self {
            name: name.to_owned(),
            history: History::Fresh,
            estate: Arc::new(move |w| build(w, &wanted)),
            drift: nothing(),
            between: None,
            wait: Wait::No,
            crashes: usize::MAX,
            set,
        }
    }

    /// The same, brought in order before `drift` happens.
    pub fn drifted(name: &str, set: DesiredSet, drift: Act) -> Self {
        Self {
            history: History::Managed,
            drift,
            ..Self::fresh(name, set)
        }
    }

    /// The same, with somebody else at work in the middle.
    #[must_use]
    pub fn with(self, name: &str, operation: &'static str, side: Beside, act: Act) -> Self {
        let at = match side {
            Beside::Before => "before",
            Beside::After => "after",
        };
        let call = operation.split('.').next_back().unwrap_or(operation);
        Self {
            name: format!("{}, {name} {at} {call}", self.name),
            between: Some(Between {
                operation,
                side,
                act,
            }),
            ..self
        }
    }

    /// The app that the documents are of.
    pub fn app(&self) -> &str {
        self.set.apps().into_iter().next().unwrap_or_default()
    }

    /// The moment at which its run begins.
    pub async fn start(&self, wraps: &Wraps) -> Fork {
        let stage = Stage::empty(&**wraps);
        stage.world(|w| (self.estate)(w));
        stage.clock.sleep(HOUR).await;
        if self.history != History::NoTable {
            let wire = Wire::new(&stage, Orders::Count);
            let engine = stage.replica(BEFORE, &wire).await;
            if self.history == History::Managed {
                let settled = Self {
                    wait: Wait::ForRollouts,
                    ..self.clone()
                };
                let pass = settled.pass(&engine).await;
                assert_eq!(complaints(&pass), Vec::<String>::new(), "{}", self.name);
                stage.clock.sleep(HOUR).await;
                settled.pass(&engine).await;
            }
        }
        stage.world(|w| {
            by_hand(w, &self.set);
            (self.drift)(w);
        });
        stage.clock.sleep(HOUR).await;
        stage.world(|w| w.calls.clear());
        let mut fork = stage.fork();
        fork.pending = self.between.is_some();
        fork
    }

    /// A stage that goes on from `fork`, with what others are still to do in between.
    pub fn resume(&self, fork: &Fork, wraps: &Wraps) -> Stage {
        let mut stage = Stage::from(fork, &**wraps);
        stage.has_table &= self.history != History::NoTable;
        if let (true, Some(between)) = (fork.pending, &self.between) {
            let (operation, act) = (between.operation, between.act.clone());
            let act = Box::new(move |w: &mut World| act(w));
            stage.world(|w| {
                let fault = match between.side {
                    Beside::Before => Fault::ActBefore(act),
                    Beside::After => Fault::ActAfter(act),
                };
                w.faults.next(operation, fault);
            });
        }
        stage
    }

    /// What others were to do in between, if the moment for it never came.
    pub fn overdue(&self, stage: &Stage) {
        if let Some(between) = &self.between {
            stage.world(|w| {
                if w.faults.waiting() > 0 {
                    w.faults.clear();
                    (between.act)(w);
                }
            });
        }
    }

    /// One pass of a controller: looked, planned, written, recorded.
    pub async fn pass(&self, engine: &Engine) -> Pass {
        let plan = engine.plan(&self.set, &Scope::all(), &EVERYTHING).await;
        let options = ApplyOptions {
            policy: EVERYTHING,
            wait: self.wait,
            pinned: Pinned::No,
            patience: Patience::UntilDead,
            stop: CancellationToken::new(),
        };
        let pass = engine.apply(&self.set, plan, &options, &Silent).await;
        // What is not recorded is recorded at the next look.
        let _unrecorded = engine.record_pass(&self.set, &pass).await;
        pass
    }

    /// The life of one process on `wire`, unless it is killed or cannot begin.
    pub async fn live(&self, who: Who, wire: &Wire) -> Option<(Engine, Pass)> {
        let life = async {
            if self.history == History::NoTable {
                wire.begin();
            }
            let engine = wire.stage().begin(who, wire).await.ok()?;
            wire.begin();
            let pass = self.pass(&engine).await;
            Some((engine, pass))
        };
        tokio::select! {
            biased;
            () = wire.death() => None,
            lived = life => lived,
        }
    }
}

/// What is not in order after a pass that waits for no rollout.
pub fn complaints(pass: &Pass) -> Vec<String> {
    pass.objects
        .iter()
        .filter(|o| {
            !matches!(
                o.ended,
                Ended::InOrder | Ended::Converged | Ended::RollingOut(_)
            )
        })
        .map(|o| format!("{}: {:?}", o.key, o.ended))
        .collect()
}

/// The least that `set` can be converged on.
fn build(w: &mut World, set: &DesiredSet) {
    for document in set.documents.values() {
        let desired = kind(&document.key.kind).unwrap().desired(document, set);
        let text = |field: &str| desired[field].as_str().map(str::to_owned);
        match document.key.kind.as_str() {
            "Service" => {
                let (cluster, name) = (text("cluster").unwrap(), text("serviceName").unwrap());
                let service = FargateService::new(&cluster, &name)
                    .image("app:v1")
                    .env("TOKEN", CANARY)
                    .tag("cost-center", "4711");
                w.add_service(&service).unwrap();
            }
            "Database" => match (text("instance"), text("cluster")) {
                (Some(id), _) => w.rds.put_instance(json!({"DBInstanceIdentifier": id})),
                (_, id) => w
                    .rds
                    .put_cluster(json!({"DBClusterIdentifier": id, "Engine": "docdb"})),
            },
            "Table" => w
                .dynamodb
                .put_table(json!({"TableName": text("tableName")})),
            _ => {}
        }
    }
}

/// What people set that no document names; a write that forgets it would clear it.
fn by_hand(w: &mut World, set: &DesiredSet) {
    for document in set.documents.values() {
        let desired = kind(&document.key.kind).unwrap().desired(document, set);
        match document.key.kind.as_str() {
            "Alarm" => {
                let name = desired["alarmName"].as_str().unwrap_or_default();
                if let Some(alarm) = w.cloudwatch.alarm_mut(name) {
                    let quiet = json!(["arn:aws:sns:us-east-1:123456789012:quiet"]);
                    for (field, member, value) in [
                        ("okActions", "OKActions", quiet.clone()),
                        ("insufficientDataActions", "InsufficientDataActions", quiet),
                        ("description", "AlarmDescription", json!("by hand")),
                    ] {
                        if desired.get(field).is_none() {
                            alarm[member] = value;
                        }
                    }
                }
            }
            "Service" if desired.get("scaling").is_some() => {
                let (cluster, name) = (&desired["cluster"], &desired["serviceName"]);
                let (cluster, name) = (cluster.as_str().unwrap(), name.as_str().unwrap());
                if w.autoscaling.target(cluster, name).is_some() {
                    scale_by_hand(w, cluster, name);
                }
            }
            _ => {}
        }
    }
}

fn scale_by_hand(w: &mut World, cluster: &str, name: &str) {
    let of = |mut input: Value| {
        input["ServiceNamespace"] = json!("ecs");
        input["ResourceId"] = json!(format!("service/{cluster}/{name}"));
        input["ScalableDimension"] = json!("ecs:service:DesiredCount");
        input
    };
    let suspended = of(json!({"SuspendedState": {
        "DynamicScalingInSuspended": true,
        "DynamicScalingOutSuspended": false,
        "ScheduledScalingSuspended": false,
    }}));
    let action = of(json!({
        "ScheduledActionName": "by-hand",
        "Schedule": "at(2027-01-01T00:00:00)",
        "ScalableTargetAction": {"MinCapacity": 3},
    }));
    let service = "application-autoscaling";
    w.call(service, "RegisterScalableTarget", &suspended)
        .unwrap();
    w.call(service, "PutScheduledAction", &action).unwrap();
}

/// The set of one document.
fn alone(document: &Document) -> DesiredSet {
    DesiredSet {
        documents: [(document.key.clone(), document.clone())].into(),
        ..DesiredSet::default()
    }
}

fn is_alone(document: &Document) -> bool {
    document.spec.get("serviceRef").is_none()
}

/// Every owned field of every kind, changed behind Evenkeel's back: one scenario each.
pub fn fields() -> Vec<Scenario> {
    let mut found = Vec::new();
    let sets: Vec<DesiredSet> = ["sweep", "personal-journal", "semiont"]
        .map(documents)
        .into();
    for (of, pattern) in behind::rows() {
        let kind = kind(of).unwrap();
        let sample = sets.iter().find_map(|set| {
            let documents = set.documents.values();
            documents
                .filter(|d| d.key.kind == of && is_alone(d))
                .find_map(|document| {
                    let desired: Tree = kind.desired(document, set);
                    let path = leaves(kind, &desired)
                        .into_iter()
                        .find(|path| path.matches(pattern))?;
                    Some((alone(document), desired, path))
                })
        });
        let (set, desired, path) =
            sample.unwrap_or_else(|| panic!("{of}.{pattern}: no document of its own names it"));
        let row = behind::row(of, &path).unwrap();
        let drift: Act = Arc::new(move |w| {
            (row.act)(w, &desired, &path);
        });
        found.push(Scenario::drifted(&format!("{of}.{pattern}"), set, drift));
    }
    found
}

/// Every kind from nothing: what it creates, and what it takes over as it finds it.
pub fn actions() -> Vec<Scenario> {
    let mut found = Vec::new();
    for app in ["sweep", "personal-journal", "semiont"] {
        let set = documents(app);
        for kind in KINDS {
            let documents = set.documents.values();
            for document in documents.filter(|d| d.key.kind == kind.name() && is_alone(d)) {
                let name = format!("{} taken over as it is", document.key);
                found.push(Scenario::fresh(&name, alone(document)));
            }
        }
    }
    found
}

/// All of them.
pub fn all() -> Vec<Scenario> {
    let mut all = fields();
    all.extend(actions());
    all.extend(between::together());
    all.extend(between::in_between());
    all
}

/// A service of one size, which CI deploys and people resize.
pub fn sized(spec: &str) -> DesiredSet {
    load(&format!(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {{app: shop, name: web}}\n\
         spec: {{cluster: main, {spec}}}\n"
    ))
}
