//! The twin: a deterministic model of the AWS APIs that Evenkeel calls.
//!
//! It keeps AWS's published rules (batch sizes, validation, token buckets, what is merged and what
//! is replaced, rollouts that take time and can fail) over one clock and one seed, and speaks the
//! real wire protocols: in process through [`Twin::http_client`], or on a socket through
//! [`server::serve`]. What fails, and when, is scripted in [`World::faults`].

pub mod autoscaling;
pub mod calls;
pub mod cbor;
pub mod clients;
pub mod cloudwatch;
pub mod connector;
pub mod dynamodb;
pub mod ecs;
pub mod estate;
pub mod faults;
pub mod query;
pub mod rates;
pub mod rds;
pub mod server;
pub mod sts;
pub mod wire;

mod ids;
mod lagging;
mod page;

#[cfg(test)]
mod trial;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;

use self::autoscaling::AutoScaling;
use self::calls::{CallOutcome, Calls};
use self::cloudwatch::CloudWatch;
use self::dynamodb::DynamoDb;
use self::ecs::Ecs;
use self::faults::{Fault, Faults};
use self::ids::Ids;
use self::rates::{Admission, Rates};
use self::rds::Rds;
use self::sts::Sts;
use self::wire::{CallContext, Incoming, Protocol, TwinError};
use crate::clock::Clock;

/// A handle on one modelled account and region. Cheap to clone; all clones share one world.
#[derive(Clone)]
pub struct Twin {
    world: Arc<Mutex<World>>,
    clock: Clock,
}

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Twin")
    }
}

/// What is there: one account in one region.
pub struct World {
    /// Twelve digits.
    pub account: String,
    /// `us-east-1`.
    pub region: String,
    /// ECS.
    pub ecs: Ecs,
    /// Application Auto Scaling.
    pub autoscaling: AutoScaling,
    /// CloudWatch alarms.
    pub cloudwatch: CloudWatch,
    /// RDS instances and clusters.
    pub rds: Rds,
    /// DynamoDB tables.
    pub dynamodb: DynamoDb,
    /// The caller's identity.
    pub sts: Sts,
    /// What goes wrong, and when.
    pub faults: Faults,
    /// AWS's token buckets.
    pub rates: Rates,
    /// Every call that arrived.
    pub calls: Calls,
    /// How long each call takes on its way, in the clock's time. Zero by default.
    pub latency: Duration,
    now: Timestamp,
    late: Vec<Late>,
    ids: Ids,
}

/// A call whose effect has not set in yet.
#[derive(Debug)]
struct Late {
    at: Timestamp,
    service: &'static str,
    operation: String,
    input: Value,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It was never sent.
    #[error("connection refused")]
    Refused,
    /// It may or may not have had its effect.
    #[error("the answer was lost")]
    Lost,
}

/// What became of a call, before it is put into bytes.
type Outcome = Result<Value, TwinError>;

impl Twin {
    /// An empty account 123456789012 in us-east-1. The same seed gives the same ids.
    pub fn new(clock: Clock, seed: u64) -> Self {
        let now = clock.now();
        let world = World {
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            ecs: Ecs::new(seed),
            autoscaling: AutoScaling::new(seed.wrapping_add(1)),
            cloudwatch: CloudWatch::default(),
            rds: Rds::default(),
            dynamodb: DynamoDb::default(),
            sts: Sts::default(),
            faults: Faults::default(),
            rates: Rates::default(),
            calls: Calls::default(),
            latency: Duration::ZERO,
            now,
            late: Vec::new(),
            ids: Ids::new(seed.wrapping_add(2)),
        };
        Self {
            world: Arc::new(Mutex::new(world)),
            clock,
        }
    }

    /// Reaches into the world as it is now: for tests, the demo and faults.
    pub fn world<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        f(&mut self.settled())
    }

    fn settled(&self) -> MutexGuard<'_, World> {
        // A panic in one test's closure must not hide behind a second one about poison.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.settle(self.clock.now());
        world
    }

    /// Answers any AWS request. One without an answer (see [`faults`]) gives HTTP 504 here.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.exchange(request).await.unwrap_or_else(|_| {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = http::StatusCode::GATEWAY_TIMEOUT;
            response
        })
    }

    /// Answers any AWS request, or says why there is no answer.
    ///
    /// # Errors
    /// A scripted fault took the answer.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let incoming = match wire::read(&request) {
            Ok(incoming) => incoming,
            Err((protocol, err)) => return Ok(self.bytes(protocol, "", "", &Err(err))),
        };
        let outcome = self.carry_out(&incoming).await?;
        Ok(self.bytes(
            incoming.protocol,
            incoming.service,
            &incoming.operation,
            &outcome,
        ))
    }

    fn bytes(
        &self,
        protocol: Protocol,
        service: &str,
        operation: &str,
        outcome: &Outcome,
    ) -> Response<Bytes> {
        let id = self.settled().ids.uuid();
        wire::answer(protocol, service, operation, outcome, &id)
    }

    async fn carry_out(&self, incoming: &Incoming) -> Result<Outcome, NoAnswer> {
        let name = incoming.name();
        let (number, fault, latency) = {
            let mut world = self.settled();
            let fault = world.faults.take(&name, &incoming.input);
            let now = world.now;
            let number = world.calls.begin(now, name.clone(), incoming.input.clone());
            (number, fault, world.latency)
        };
        let delay = match fault {
            Some(Fault::Delay(delay)) => latency + delay,
            _ => latency,
        };
        if !delay.is_zero() {
            self.clock.sleep(delay).await;
        }
        if matches!(fault, Some(Fault::Hang)) {
            return std::future::pending().await;
        }
        self.settled().strike(number, incoming, &name, fault)
    }

    /// The connector that SDK clients use to reach this twin without a socket.
    pub fn http_client(&self) -> aws_smithy_runtime_api::client::http::SharedHttpClient {
        connector::client(self.clone())
    }
}

impl World {
    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Does what someone else would do through the API: no faults, no rates, no entry in the log.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn call(&mut self, service: &str, operation: &str, input: &Value) -> Outcome {
        let cx = CallContext {
            now: self.now,
            account: &self.account,
            region: &self.region,
        };
        match service {
            "ecs" => self.ecs.call(operation, input, &cx),
            "application-autoscaling" => {
                let (ecs, cloudwatch) = (&mut self.ecs, &mut self.cloudwatch);
                self.autoscaling
                    .call(operation, input, &cx, ecs, cloudwatch)
            }
            "cloudwatch" => self.cloudwatch.call(operation, input, &cx),
            "rds" => self.rds.call(operation, input, &cx),
            "dynamodb" => self.dynamodb.call(operation, input, &cx),
            "sts" => self.sts.call(operation, input, &cx),
            other => Err(TwinError::unknown_operation(other, operation)),
        }
    }

    /// How far reads stay behind writes, for ECS and Application Auto Scaling. Zero by default.
    pub fn set_read_lag(&mut self, lag: Duration) {
        self.ecs.set_read_lag(lag);
        self.autoscaling.set_read_lag(lag);
    }

    /// Lets time pass until `now`: late effects set in, scheduled actions fire, rollouts move.
    fn settle(&mut self, now: Timestamp) {
        loop {
            let late = self.late.iter().map(|late| late.at).min();
            let fire = self.autoscaling.next_firing();
            let Some(next) = [late, fire].into_iter().flatten().min() else {
                break;
            };
            if next > now {
                break;
            }
            let next = next.max(self.now);
            self.now = next;
            self.ecs.settle(next);
            if let Some(at) = self.late.iter().position(|late| late.at <= next) {
                let late = self.late.remove(at);
                // Nobody hears the answer.
                let _unheard = self.call(late.service, &late.operation, &late.input);
            }
            self.autoscaling.fire(next, &mut self.ecs);
        }
        self.now = self.now.max(now);
        self.ecs.settle(self.now);
        self.rds.settle(self.now);
    }

    /// One call and what its fault makes of it.
    fn strike(
        &mut self,
        number: usize,
        incoming: &Incoming,
        name: &str,
        fault: Option<Fault>,
    ) -> Result<Outcome, NoAnswer> {
        let outcome = |this: &mut Self, outcome| this.calls.end(number, outcome);
        match fault {
            Some(Fault::ConnectionRefused) => {
                outcome(self, CallOutcome::NoEffect);
                return Err(NoAnswer::Refused);
            }
            Some(Fault::LostBefore) => {
                outcome(self, CallOutcome::NoEffect);
                return Err(NoAnswer::Lost);
            }
            Some(Fault::LateEffect(after)) => {
                self.late.push(Late {
                    at: self.now + after,
                    service: incoming.service,
                    operation: incoming.operation.clone(),
                    input: incoming.input.clone(),
                });
                return Err(NoAnswer::Lost);
            }
            Some(Fault::ServerErrorBefore) => {
                outcome(self, CallOutcome::NoEffect);
                return Ok(Err(TwinError::internal(incoming.service)));
            }
            Some(Fault::Error(err)) => {
                outcome(self, CallOutcome::Refused(err.code.clone()));
                return Ok(Err(err));
            }
            _ => {}
        }
        let throttled = matches!(fault, Some(Fault::Throttled))
            || self.rates.take(name, self.now) == Admission::Throttled;
        if throttled {
            let err = TwinError::throttled(incoming.service);
            outcome(self, CallOutcome::Refused(err.code.clone()));
            return Ok(Err(err));
        }
        let (before, after) = match fault {
            Some(Fault::ActBefore(act)) => (Some(act), None),
            Some(Fault::ActAfter(act)) => (None, Some(act)),
            Some(Fault::ServerErrorAfter) => {
                let done = self.perform(number, incoming);
                return Ok(done.and(Err(TwinError::internal(incoming.service))));
            }
            Some(Fault::LostAfter) => {
                let _unheard = self.perform(number, incoming);
                return Err(NoAnswer::Lost);
            }
            _ => (None, None),
        };
        if let Some(act) = before {
            act(self);
        }
        let done = self.perform(number, incoming);
        if let Some(act) = after {
            act(self);
        }
        Ok(done)
    }

    fn perform(&mut self, number: usize, incoming: &Incoming) -> Outcome {
        let outcome = self.call(incoming.service, &incoming.operation, &incoming.input);
        let end = match &outcome {
            Ok(_) => CallOutcome::Done,
            Err(err) => CallOutcome::Refused(err.code.clone()),
        };
        self.calls.end(number, end);
        outcome
    }
}
