//! Stages: one world and one store at one moment, which a run can be forked from.
//!
//! A crash leaves what AWS and the store hold, and the time. So a fork of these is all that a next
//! run can know of the one before it.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use evenkeel::clock::Clock;
use evenkeel::engine::Engine;
use evenkeel::store::embedded;
use evenkeel::twin::autoscaling::AutoScaling;
use evenkeel::twin::cloudwatch::CloudWatch;
use evenkeel::twin::dynamodb::DynamoDb;
use evenkeel::twin::ecs::Ecs;
use evenkeel::twin::rates::Rates;
use evenkeel::twin::rds::Rds;
use evenkeel::twin::sts::Sts;
use evenkeel::twin::{Twin, World};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Wrap;
use super::wire::Wire;
use crate::rig::{NOON, Rig, replica_on_a_table, replica_through};

/// The store's one table.
pub const TABLE: &str = "evenkeel";

/// A world, its store and its time, under one runtime.
#[derive(Clone)]
pub struct Stage {
    pub clock: Clock,
    pub twin: Twin,
    pub store: embedded::Engine,
    /// Whether the store's table was there, whole, before any process began.
    pub has_table: bool,
    /// Goes around every client of this stage, closest to AWS.
    pub wrap: Wrap,
}

/// All that is left of a stage when every process on it is dead.
#[derive(Clone)]
pub struct Fork {
    now: Timestamp,
    ecs: Ecs,
    autoscaling: AutoScaling,
    cloudwatch: CloudWatch,
    rds: Rds,
    dynamodb: DynamoDb,
    sts: Sts,
    rates: Rates,
    rows: Vec<Value>,
    /// Whether what others do in between is still to come.
    pub pending: bool,
}

/// Who runs: its name in the rows, and its randomness.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    pub holder: &'static str,
    pub seed: u64,
}

impl Stage {
    /// An empty account at noon.
    pub fn empty(wrap: &dyn Fn(&Stage) -> Wrap) -> Self {
        Self::at(NOON.parse().unwrap(), wrap)
    }

    /// The stage of a rig, with nothing around its clients.
    pub fn of(rig: &Rig) -> Self {
        Self {
            clock: rig.clock.clone(),
            twin: rig.twin.clone(),
            store: rig.store.clone(),
            has_table: true,
            wrap: Arc::new(|http| http),
        }
    }

    fn at(now: Timestamp, wrap: &dyn Fn(&Stage) -> Wrap) -> Self {
        let clock = Clock::virtual_at(now);
        let mut stage = Self {
            twin: Twin::new(clock.clone(), 1),
            store: embedded::Engine::memory().unwrap(),
            has_table: false,
            clock,
            wrap: Arc::new(|http| http),
        };
        stage.wrap = wrap(&stage);
        stage
    }

    /// What is left if every process dies now.
    pub fn fork(&self) -> Fork {
        let rows = self.rows();
        self.twin.world(|w| Fork {
            now: w.now(),
            ecs: w.ecs.clone(),
            autoscaling: w.autoscaling.clone(),
            cloudwatch: w.cloudwatch.clone(),
            rds: w.rds.clone(),
            dynamodb: w.dynamodb.clone(),
            sts: w.sts.clone(),
            rates: w.rates.clone(),
            rows,
            pending: w.faults.waiting() > 0,
        })
    }

    /// A stage of its own that begins with what is left.
    pub fn from(fork: &Fork, wrap: &dyn Fn(&Stage) -> Wrap) -> Self {
        let mut stage = Self::at(fork.now, wrap);
        stage.twin.world(|w| {
            w.ecs = fork.ecs.clone();
            w.autoscaling = fork.autoscaling.clone();
            w.cloudwatch = fork.cloudwatch.clone();
            w.rds = fork.rds.clone();
            w.dynamodb = fork.dynamodb.clone();
            w.sts = fork.sts.clone();
            w.rates = fork.rates.clone();
        });
        if !fork.rows.is_empty() {
            stage.put(&fork.rows);
            stage.has_table = true;
        }
        stage
    }

    /// A controller on this stage, whose requests all pass `wire`, or why it could not begin.
    pub async fn begin(&self, who: Who, wire: &Wire) -> Result<Engine, String> {
        let wrap = |http: SharedHttpClient| wire.around((self.wrap)(http));
        let place = (wire.clock(), &self.twin, &self.store);
        match self.has_table {
            true => replica_on_a_table(place, who.seed, who.holder, wrap).await,
            false => replica_through(place, who.seed, who.holder, wrap).await,
        }
    }

    /// A controller on this stage, whose requests all pass `wire`.
    pub async fn replica(&self, who: Who, wire: &Wire) -> Engine {
        self.begin(who, wire).await.unwrap()
    }

    /// Every row of the store, in the order of their keys; none where there is no table.
    pub fn rows(&self) -> Vec<Value> {
        let answer = self.ask("Scan", &json!({"TableName": TABLE}));
        let mut rows = answer["Items"].as_array().cloned().unwrap_or_default();
        let key = |row: &Value| {
            let part = |name: &str| row[name]["S"].as_str().unwrap_or_default().to_owned();
            (part("pk"), part("sk"))
        };
        rows.sort_by_key(key);
        rows
    }

    /// Deletes the row of this key.
    pub fn delete(&self, key: &Value) {
        self.ask("DeleteItem", &json!({"TableName": TABLE, "Key": key}));
    }

    fn put(&self, rows: &[Value]) {
        let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
        let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        self.ask(
            "CreateTable",
            &json!({
                "TableName": TABLE,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [attribute("pk"), attribute("sk")],
                "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
            }),
        );
        for some in rows.chunks(25) {
            let puts: Value = some
                .iter()
                .map(|row| json!({"PutRequest": {"Item": row}}))
                .collect();
            self.ask("BatchWriteItem", &json!({"RequestItems": {TABLE: puts}}));
        }
    }

    fn ask(&self, operation: &str, input: &Value) -> Value {
        let (_, body) = self.store.call(operation, input.to_string().as_bytes());
        serde_json::from_slice(&body).unwrap()
    }

    /// Reaches into the world.
    pub fn world<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        self.twin.world(f)
    }
}
