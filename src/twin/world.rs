//! The world: one modelled account in one region, and what time and calls do to it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::NoAnswer;
use super::autoscaling::AutoScaling;
use super::calls::{CallOutcome, Calls};
use super::cloudtrail::CloudTrail;
use super::cloudwatch::CloudWatch;
use super::dynamodb::DynamoDb;
use super::ecs::Ecs;
use super::faults::{Fault, Faults};
use super::ids::Ids;
use super::operations;
use super::rates::{Admission, Rates};
use super::rds::Rds;
use super::sns::Sns;
use super::sts::Sts;
use super::wire::{CallContext, Caller, Incoming, TwinError};

/// What became of a call, before it is put into bytes.
pub(super) type Outcome = Result<Value, TwinError>;

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
    /// Who did what.
    pub cloudtrail: CloudTrail,
    /// SNS topics.
    pub sns: Sns,
    /// What goes wrong, and when.
    pub faults: Faults,
    /// AWS's token buckets.
    pub rates: Rates,
    /// Every call that arrived.
    pub calls: Calls,
    /// How long each call takes on its way, in the clock's time. Zero by default.
    pub latency: Duration,
    pub(super) now: Timestamp,
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
    caller: Caller,
}

impl World {
    /// Empty: account 123456789012 in us-east-1.
    pub(super) fn new(now: Timestamp, seed: u64) -> Self {
        Self {
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            ecs: Ecs::new(seed),
            autoscaling: AutoScaling::new(seed.wrapping_add(1)),
            cloudwatch: CloudWatch::default(),
            rds: Rds::default(),
            dynamodb: DynamoDb::default(),
            sts: Sts::default(),
            cloudtrail: CloudTrail::new(seed.wrapping_add(3)),
            sns: Sns::default(),
            faults: Faults::default(),
            rates: Rates::default(),
            calls: Calls::default(),
            latency: Duration::ZERO,
            now,
            late: Vec::new(),
            ids: Ids::new(seed.wrapping_add(2)),
        }
    }

    pub(super) fn request_id(&mut self) -> String {
        self.ids.uuid()
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Does what someone else would do through the API: no faults, no rates, no entry in the log.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn call(&mut self, service: &str, operation: &str, input: &Value) -> Outcome {
        let actor = self.cloudtrail.actor.clone();
        self.call_by(&actor, service, operation, input)
    }

    /// Lets `act` call as the IAM user `user`, in the console.
    pub fn acting_as<R>(&mut self, user: &str, act: impl FnOnce(&mut Self) -> R) -> R {
        let key = format!("AKIA{}", user.to_uppercase());
        let users = &mut self.cloudtrail.users;
        users.insert(key.clone(), user.to_owned());
        let actor = Caller {
            access_key: key,
            ..self.cloudtrail.actor.clone()
        };
        let before = std::mem::replace(&mut self.cloudtrail.actor, actor);
        let done = act(self);
        self.cloudtrail.actor = before;
        done
    }

    fn call_by(
        &mut self,
        caller: &Caller,
        service: &str,
        operation: &str,
        input: &Value,
    ) -> Outcome {
        let outcome = self.answer(caller, service, operation, input);
        if outcome.is_ok() {
            let user = self.user_of(caller);
            let cx = CallContext {
                now: self.now,
                account: &self.account,
                region: &self.region,
            };
            let call = (service, operation);
            self.cloudtrail.record(call, input, (caller, &user), &cx);
        }
        outcome
    }

    fn user_of(&self, caller: &Caller) -> String {
        let user = self.cloudtrail.users.get(&caller.access_key);
        user.unwrap_or(&self.sts.user).clone()
    }

    fn answer(
        &mut self,
        caller: &Caller,
        service: &str,
        operation: &str,
        input: &Value,
    ) -> Outcome {
        if !operations::is_offered(service, operation) {
            return Err(TwinError::unknown_operation(service, operation));
        }
        let mut sts = Sts {
            user: self.user_of(caller),
        };
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
            "sts" => sts.call(operation, input, &cx),
            "cloudtrail" => self.cloudtrail.call(operation, input, &cx),
            "sns" => self.sns.call(operation, input, &cx),
            other => Err(TwinError::unknown_operation(other, operation)),
        }
    }

    /// How far reads stay behind writes: those of ECS and Application Auto Scaling, and those of
    /// DynamoDB's items that ask for no consistency. Zero by default.
    pub fn set_read_lag(&mut self, lag: Duration) {
        self.dynamodb.set_read_lag(lag);
        self.ecs.set_read_lag(lag);
        self.autoscaling.set_read_lag(lag);
    }

    /// Lets time pass until `now`: late effects set in, scheduled actions fire, rollouts move.
    pub(super) fn settle(&mut self, now: Timestamp) {
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
                let Late {
                    service,
                    operation,
                    input,
                    caller,
                    ..
                } = late;
                let _unheard = self.call_by(&caller, service, &operation, &input);
            }
            self.autoscaling.fire(next, &mut self.ecs);
        }
        self.now = self.now.max(now);
        self.ecs.settle(self.now);
        self.rds.settle(self.now);
    }

    /// One call and what its fault makes of it.
    pub(super) fn strike(
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
                    caller: incoming.caller.clone(),
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
        let Incoming {
            service,
            operation,
            input,
            caller,
            ..
        } = incoming;
        let outcome = self.call_by(caller, service, operation, input);
        let end = match &outcome {
            Ok(_) => CallOutcome::Done,
            Err(err) => CallOutcome::Refused(err.code.clone()),
        };
        self.calls.end(number, end);
        outcome
    }
}
