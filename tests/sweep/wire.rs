//! The wire: every request of one process, to AWS and to the store alike, is counted and named here,
//! and here the process dies or one request goes wrong.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use bytes::Bytes;
use evenkeel::clock::Clock;
use evenkeel::model::operation::{self, operation};
use evenkeel::twin::wire::{self, Incoming};
use serde_json::Value;
use tokio::sync::Notify;

use super::fault::Kind;
use super::meanwhile;
use super::stage::Stage;
use super::strike;
use crate::pause::{Pausable, Pause};

/// Whom a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Aws,
    Store,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    pub side: Side,
    /// `ecs.UpdateService`, `store.PutItem`.
    pub name: String,
    /// Which sort of row an item is put into: `STATUS`.
    pub row: Option<String>,
    pub effect: Effect,
    /// Whether the app's lease is held as it is sent, where that is asked.
    pub leased: Option<bool>,
}

/// Whether a request can change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Read,
    Write,
}

/// Where in a request a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Nothing of the request happens.
    BeforeItIsSent,
    /// All of it happens, and nobody hears the answer.
    BeforeItsAnswer,
    /// The answer is heard, and nothing is done with it.
    AfterItsAnswer,
}

pub const MOMENTS: [Moment; 3] = [
    Moment::BeforeItIsSent,
    Moment::BeforeItsAnswer,
    Moment::AfterItsAnswer,
];

/// Told of each request before it is sent and once it has had its effect.
pub type Recorder = Box<dyn FnMut(&Passed, Moment) + Send>;

/// What is to happen on a wire.
pub enum Orders {
    /// Nothing but counting.
    Count,
    /// The process dies at this request (from 1).
    Kill(usize, Moment),
    /// Somebody looks at every moment.
    Record(Recorder),
    /// These requests (from 1) go wrong in these ways.
    Fail(Vec<(usize, Kind)>),
}

/// One process's wire. Clones share it.
#[derive(Clone)]
pub struct Wire(Arc<Shared>);

struct Shared {
    stage: Stage,
    /// The process's own, which can be stepped and stand still while the world's goes on.
    clock: Clock,
    pause: Pause,
    stopped: Notify,
    clients: AtomicUsize,
    state: Mutex<State>,
    dead: Notify,
}

struct State {
    orders: Orders,
    passed: Vec<Passed>,
    counting: bool,
    dead: bool,
    /// Faults that struck.
    struck: usize,
    vain: bool,
    /// By which fault the process is stopped.
    stopped_by: Option<Kind>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    /// A wire on `stage`. Nothing is counted, and nothing happens, before [`Wire::begin`].
    pub fn new(stage: &Stage, orders: Orders) -> Self {
        Self(Arc::new(Shared {
            stage: stage.clone(),
            clock: stage.clock.beside(1.0),
            pause: Pause::default(),
            stopped: Notify::new(),
            clients: AtomicUsize::new(0),
            state: Mutex::new(State {
                orders,
                passed: Vec::new(),
                counting: false,
                dead: false,
                struck: 0,
                vain: false,
                stopped_by: None,
            }),
            dead: Notify::new(),
        }))
    }

    /// From here on requests count.
    pub fn begin(&self) {
        self.state().counting = true;
    }

    /// From here on nothing counts, and nothing goes wrong.
    pub fn end(&self) {
        self.state().counting = false;
    }

    /// The requests so far.
    pub fn passed(&self) -> Vec<Passed> {
        self.state().passed.clone()
    }

    /// How many of the ordered faults have struck.
    pub fn struck(&self) -> usize {
        self.state().struck
    }

    /// Says that the fault which strikes now leaves the answer as it would have been.
    pub fn strikes_in_vain(&self) {
        self.state().vain = true;
    }

    /// Whether a fault left the answer as it would have been.
    pub fn in_vain(&self) -> bool {
        self.state().vain
    }

    /// Whether a write to AWS has passed.
    pub fn has_written(&self) -> bool {
        let writes = |p: &Passed| p.side == Side::Aws && p.effect == Effect::Write;
        self.state().passed.iter().any(writes)
    }

    /// Ends when the process is dead.
    pub async fn death(&self) {
        self.0.dead.notified().await;
    }

    /// The clock of the process.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// `life`, which can be stopped.
    pub fn over<F: Future>(&self, life: F) -> Pausable<F> {
        self.0.pause.over(life)
    }

    /// Stops the process where it is. Ends when it goes on.
    pub async fn stop(&self, by: Kind) {
        self.state().stopped_by = Some(by);
        self.0.pause.set(true);
        self.0.stopped.notify_one();
        // What is stopped is so from its next poll on.
        tokio::task::yield_now().await;
    }

    /// Ends when the process is stopped, and says by what.
    pub async fn stopped(&self) -> Kind {
        loop {
            if let Some(kind) = self.state().stopped_by.take() {
                return kind;
            }
            self.0.stopped.notified().await;
        }
    }

    /// Lets the process go on.
    pub fn go_on(&self) {
        self.0.pause.set(false);
    }

    /// The world and store behind it.
    pub fn stage(&self) -> &Stage {
        &self.0.stage
    }

    /// Puts itself around a client: the first is the one to AWS, the second the one to the store.
    pub fn around(&self, inner: SharedHttpClient) -> SharedHttpClient {
        let side = match self.0.clients.fetch_add(1, Ordering::Relaxed) {
            0 => Side::Aws,
            _ => Side::Store,
        };
        let wire = self.clone();
        SharedHttpClient::new(Wired { inner, wire, side })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request and gives its number, unless nothing counts yet.
    fn arrive(&self, passed: &Passed) -> Option<usize> {
        let mut state = self.state();
        if !state.counting {
            return None;
        }
        let mut passed = passed.clone();
        // Of a run that is disturbed nobody asks it.
        if matches!(&state.orders, Orders::Fail(faults) if faults.is_empty()) {
            passed.leased = Some(meanwhile::is_held(self.stage()));
        }
        state.passed.push(passed);
        Some(state.passed.len())
    }

    /// Whether a request is to be understood at all: it counts, or has a page that was promised.
    fn watches(&self) -> bool {
        let state = self.state();
        let promises =
            |faults: &[(usize, Kind)]| faults.iter().any(|(_, k)| *k == Kind::SamePageAgain);
        state.counting || matches!(&state.orders, Orders::Fail(faults) if promises(faults))
    }

    fn look(&self, passed: &Passed, moment: Moment) {
        // The recorder looks at the stage, so it must not be held here meanwhile.
        let mut recorder = match &mut self.state().orders {
            Orders::Record(recorder) => std::mem::replace(recorder, Box::new(|_, _| ())),
            _ => return,
        };
        recorder(passed, moment);
        self.state().orders = Orders::Record(recorder);
    }

    fn deadly(&self, nth: usize) -> Option<Moment> {
        match self.state().orders {
            Orders::Kill(at, moment) if at == nth => Some(moment),
            _ => None,
        }
    }

    fn fault(&self, nth: usize) -> Option<Kind> {
        let mut state = self.state();
        let kind = match &state.orders {
            Orders::Fail(faults) => faults.iter().find(|(at, _)| *at == nth).map(|(_, k)| *k),
            _ => None,
        };
        state.struck += usize::from(kind.is_some());
        kind
    }

    fn kinds(&self) -> Vec<Kind> {
        match &self.state().orders {
            Orders::Fail(faults) => faults.iter().map(|(_, kind)| *kind).collect(),
            _ => Vec::new(),
        }
    }

    fn die(&self) {
        self.state().dead = true;
        self.0.dead.notify_one();
    }

    async fn carry(
        &self,
        side: Side,
        inner: SharedHttpConnector,
        request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        if self.state().dead {
            return std::future::pending().await;
        }
        if !self.watches() {
            return inner.call(request).await;
        }
        let incoming = read(&request);
        let passed = named(side, &incoming);
        let Some(nth) = self.arrive(&passed) else {
            if let Some(answer) = strike::promised(self, &passed, &incoming) {
                return Ok(answer);
            }
            return inner.call(request).await;
        };
        if side == Side::Store {
            assert!(is_consistent(&incoming), "{} may be stale", passed.name);
        }
        self.look(&passed, Moment::BeforeItIsSent);
        if let Some(kind) = self.fault(nth) {
            return strike::strike(kind, self, &passed, inner, request, incoming).await;
        }
        strike::calm(&self.kinds(), self, &passed);
        if let Some(answer) = strike::promised(self, &passed, &incoming) {
            return Ok(answer);
        }
        let moment = self.deadly(nth);
        if moment == Some(Moment::BeforeItIsSent) {
            self.die();
            return std::future::pending().await;
        }
        let answer = inner.call(request).await;
        self.look(&passed, Moment::BeforeItsAnswer);
        match moment {
            Some(Moment::BeforeItsAnswer) => {
                self.die();
                std::future::pending().await
            }
            Some(_) => {
                self.die();
                answer
            }
            None => answer,
        }
    }
}

/// The request as the twin reads it.
pub fn read(request: &HttpRequest) -> Incoming {
    let mut builder = http::Request::builder()
        .method(request.method())
        .uri(request.uri());
    for (name, value) in request.headers() {
        builder = builder.header(name, value);
    }
    let body = Bytes::copy_from_slice(request.body().bytes().unwrap_or_default());
    wire::read(&builder.body(body).unwrap()).unwrap_or_else(|(_, error)| panic!("{error:?}"))
}

/// S9, of the store: whether a request cannot be answered with what was there before.
fn is_consistent(incoming: &Incoming) -> bool {
    let asks = |input: &Value| input["ConsistentRead"] == true;
    match incoming.operation.as_str() {
        "GetItem" | "Query" => asks(&incoming.input),
        "BatchGetItem" => {
            let tables = incoming.input["RequestItems"].as_object();
            tables.into_iter().flatten().all(|(_, keys)| asks(keys))
        }
        _ => true,
    }
}

/// Its name and whether it writes.
pub fn named(side: Side, incoming: &Incoming) -> Passed {
    let name = incoming.name();
    match side {
        Side::Aws => Passed {
            side,
            effect: match operation(&name).map(|op| op.effect) {
                Some(operation::Effect::Write) => Effect::Write,
                _ => Effect::Read,
            },
            name,
            row: None,
            leased: None,
        },
        Side::Store => Passed {
            side,
            effect: match incoming.operation.as_str() {
                "BatchGetItem" | "DescribeTable" | "DescribeTimeToLive" | "GetItem" | "Query" => {
                    Effect::Read
                }
                _ => Effect::Write,
            },
            name: format!("store.{}", incoming.operation),
            row: incoming.input["Item"]["sk"]["S"]
                .as_str()
                .and_then(|sk| sk.split('#').next())
                .map(str::to_owned),
            leased: None,
        },
    }
}

#[derive(Debug)]
struct Wired {
    inner: SharedHttpClient,
    wire: Wire,
    side: Side,
}

impl HttpClient for Wired {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            inner: self.inner.http_connector(settings, components),
            wire: self.wire.clone(),
            side: self.side,
        })
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    wire: Wire,
    side: Side,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (wire, inner, side) = (self.wire.clone(), self.inner.clone(), self.side);
        HttpConnectorFuture::new(async move { wire.carry(side, inner, request).await })
    }
}
