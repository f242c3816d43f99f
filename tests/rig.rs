//! The rig: the real engine, store and SDK clients over a twin, in one process, in virtual time.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use evenkeel::aws::cell::Cell;
use evenkeel::aws::door::Mode;
use evenkeel::clock::Clock;
use evenkeel::engine::Engine;
use evenkeel::engine::apply::{ApplyOptions, Pinned, Wait};
use evenkeel::engine::controller::Desired;
use evenkeel::engine::desired::load_files;
use evenkeel::engine::progress::Silent;
use evenkeel::entropy::Entropy;
use evenkeel::kinds::{Allow, Policy};
use evenkeel::model::document::DesiredSet;
use evenkeel::model::pass::Pass;
use evenkeel::model::plan::Plan;
use evenkeel::model::scope::Scope;
use evenkeel::store::{Patience, Protection, Store, StoreConfig, embedded};
use evenkeel::twin::Twin;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub const NOON: &str = "2026-03-02T12:00:00Z";

pub const EVERYTHING: Policy = Policy {
    destructive: Allow::Yes,
    during_rollout: Allow::No,
    apply_immediately: Allow::Yes,
};

/// One replica over one twin and one store.
pub struct Rig {
    pub clock: Clock,
    pub twin: Twin,
    pub store: embedded::Engine,
    pub engine: Engine,
}

impl Rig {
    /// A rig at noon over an empty account.
    pub async fn new() -> Self {
        let start: Timestamp = NOON.parse().unwrap();
        let clock = Clock::virtual_at(start);
        let twin = Twin::new(clock.clone(), 1);
        let store = embedded::Engine::memory().unwrap();
        let engine = replica(&clock, &twin, &store, 7).await;
        Self {
            clock,
            twin,
            store,
            engine,
        }
    }

    /// A plan, over everything, for the controller.
    pub async fn plan(&self, set: &DesiredSet) -> Plan {
        self.engine
            .plan(set, &Scope::all(), &Policy::CONTROLLER)
            .await
    }

    /// Everything allowed, for one pass.
    pub fn options(&self, wait: Wait) -> ApplyOptions {
        ApplyOptions {
            policy: EVERYTHING,
            wait,
            pinned: Pinned::No,
            patience: Patience::UntilDead,
            stop: CancellationToken::new(),
        }
    }

    /// Plans and converges once, everything allowed.
    pub async fn apply(&self, set: &DesiredSet, wait: Wait) -> Pass {
        self.apply_as(set, wait, EVERYTHING).await
    }

    /// Plans and converges once.
    pub async fn apply_as(&self, set: &DesiredSet, wait: Wait, policy: Policy) -> Pass {
        let plan = self.engine.plan(set, &Scope::all(), &policy).await;
        let options = ApplyOptions {
            policy,
            ..self.options(wait)
        };
        self.engine.apply(set, plan, &options, &Silent).await
    }

    /// Another controller over the same twin and store.
    pub async fn another(&self, seed: u64) -> Engine {
        replica(&self.clock, &self.twin, &self.store, seed).await
    }

    /// Writes that reached the twin since its log was cleared.
    pub fn writes(&self) -> usize {
        self.twin.world(|w| w.calls.writes().count())
    }
}

/// A controller of its own over the same twin and store.
async fn replica(clock: &Clock, twin: &Twin, store: &embedded::Engine, seed: u64) -> Engine {
    let holder = format!("rig@test/{seed}");
    let place = (clock, twin, store);
    let replica = replica_through(place, seed, &holder, |http| http).await;
    replica.unwrap()
}

/// The controller `holder`, whose every request passes through `wrap`: to AWS first, then to the store.
/// Or why it could not begin.
pub async fn replica_through(
    place: (&Clock, &Twin, &embedded::Engine),
    seed: u64,
    holder: &str,
    wrap: impl Fn(SharedHttpClient) -> SharedHttpClient,
) -> Result<Engine, String> {
    let engine = replica_on_a_table(place, seed, holder, wrap).await?;
    if let Some(store) = &engine.store {
        let created = store.create_table(Protection::Embedded).await;
        created.map_err(|error| error.to_string())?;
    }
    Ok(engine)
}

/// The same, where the store's table is known to be there.
pub async fn replica_on_a_table(
    (clock, twin, store): (&Clock, &Twin, &embedded::Engine),
    seed: u64,
    holder: &str,
    wrap: impl Fn(SharedHttpClient) -> SharedHttpClient,
) -> Result<Engine, String> {
    let entropy = Entropy::seeded(seed);
    let cell = Cell::connect(
        &twin.sdk_config(),
        wrap(twin.http_client()),
        Mode::ReadWrite,
        clock.clone(),
        entropy.clone(),
    )
    .await
    .map_err(|error| error.to_string())?;
    let store = Store::new(StoreConfig {
        sdk: twin.sdk_config(),
        http: wrap(embedded::http_client(store.clone())),
        table: "evenkeel".to_owned(),
        account: cell.account.clone(),
        region: cell.region.clone(),
        holder: holder.to_owned(),
        clock: clock.clone(),
        entropy,
    });
    Ok(Engine::new(Arc::new(cell), Some(Arc::new(store))))
}

/// Documents that must be without an error.
pub fn load(text: &str) -> DesiredSet {
    let set = load_files([("test.yaml", text.as_bytes())]);
    assert!(
        set.findings
            .iter()
            .all(|f| f.severity != evenkeel::model::finding::Severity::Error),
        "{:#?}",
        set.findings
    );
    set
}

/// What is not in order, for a message.
pub fn complaints(pass: &Pass) -> Vec<String> {
    use evenkeel::model::pass::Ended;
    pass.objects
        .iter()
        .filter(|o| !matches!(o.ended, Ended::InOrder | Ended::Converged))
        .map(|o| format!("{}: {:?}", o.key, o.ended))
        .collect()
}

/// Documents that a test may exchange.
#[derive(Clone)]
pub struct Documents(pub Arc<Mutex<String>>);

/// Documents of `text`.
pub fn documents(text: &str) -> Documents {
    Documents(Arc::new(Mutex::new(text.to_owned())))
}

impl Desired for Documents {
    fn load(&mut self) -> Pin<Box<dyn Future<Output = DesiredSet> + Send + '_>> {
        Box::pin(async { load(&self.0.lock().unwrap()) })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}
