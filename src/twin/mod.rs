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
pub mod cloudtrail;
pub mod cloudwatch;
pub mod connector;
pub mod dynamodb;
pub mod ecs;
pub mod estate;
pub mod faults;
pub mod operations;
pub mod query;
pub mod rates;
pub mod rds;
pub mod server;
pub mod sns;
pub mod sts;
pub mod wire;
pub mod world;

mod ids;
mod items;
mod lagging;
#[cfg(test)]
mod laws;
mod page;

#[cfg(test)]
mod trial;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response};

use self::faults::Fault;
use self::wire::{Incoming, Protocol};
use self::world::Outcome;
pub use self::world::World;
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

impl Twin {
    /// An empty account 123456789012 in us-east-1. The same seed gives the same ids.
    pub fn new(clock: Clock, seed: u64) -> Self {
        let world = World::new(clock.now(), seed);
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
        self.serve(&incoming).await
    }

    /// Answers a request that was read already, as [`Twin::exchange`] does.
    ///
    /// # Errors
    /// A scripted fault took the answer.
    pub async fn serve(&self, incoming: &Incoming) -> Result<Response<Bytes>, NoAnswer> {
        let outcome = self.carry_out(incoming).await?;
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
        let id = self.settled().request_id();
        wire::answer(protocol, service, operation, outcome, &id)
    }

    async fn carry_out(&self, incoming: &Incoming) -> Result<Outcome, NoAnswer> {
        let name = incoming.name();
        let (number, fault, latency) = {
            let mut world = self.settled();
            let fault = world.faults.take(&name, &incoming.input);
            let now = world.now();
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_ecs::error::{ProvideErrorMetadata as _, SdkError};

    use super::calls::CallOutcome;
    use super::estate::FargateService;
    use super::rates::Throttling;
    use super::*;

    /// A twin with the service `c/web`, on Monday 2026-11-23, 12:00 UTC, and a client.
    pub(super) fn one_service() -> (Twin, aws_sdk_ecs::Client) {
        let clock = Clock::virtual_at("2026-11-23T12:00:00Z".parse().unwrap());
        let twin = Twin::new(clock, 7);
        let web = FargateService::new("c", "web")
            .env("TOKEN", "hush")
            .desired(2);
        twin.world(|w| w.add_service(&web)).unwrap();
        let client = aws_sdk_ecs::Client::new(&twin.sdk_config());
        (twin, client)
    }

    fn count(
        client: &aws_sdk_ecs::Client,
        count: i32,
    ) -> aws_sdk_ecs::operation::update_service::builders::UpdateServiceFluentBuilder {
        client
            .update_service()
            .cluster("c")
            .service("web")
            .desired_count(count)
    }

    fn desired(twin: &Twin) -> i64 {
        twin.world(|w| w.service("c", "web").unwrap().desired)
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_before_the_effect_leaves_all_as_it_was_and_one_after_does_not() {
        let (twin, client) = one_service();
        let script = |fault| twin.world(|w| w.faults.next("ecs.UpdateService", fault));
        script(Fault::ConnectionRefused);
        let err = count(&client, 3).send().await.unwrap_err();
        assert!(matches!(err, SdkError::DispatchFailure(e) if e.is_io()));
        script(Fault::LostBefore);
        let err = count(&client, 3).send().await.unwrap_err();
        assert!(matches!(err, SdkError::DispatchFailure(e) if e.is_timeout()));
        script(Fault::ServerErrorBefore);
        let err = count(&client, 3).send().await.unwrap_err();
        assert_eq!(err.raw_response().unwrap().status().as_u16(), 500);
        script(Fault::Throttled);
        let err = count(&client, 3).send().await.unwrap_err();
        assert_eq!(err.code(), Some("ThrottlingException"));
        assert_eq!(desired(&twin), 2);
        script(Fault::ServerErrorAfter);
        count(&client, 3).send().await.unwrap_err();
        assert_eq!(desired(&twin), 3);
        script(Fault::LostAfter);
        count(&client, 4).send().await.unwrap_err();
        assert_eq!(desired(&twin), 4);
        let throttled = twin.world(|w| w.calls.throttled());
        assert_eq!(throttled, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_effect_sets_in_when_its_time_comes() {
        let (twin, client) = one_service();
        let late = Fault::LateEffect(Duration::from_secs(20));
        twin.world(|w| w.faults.next("ecs.UpdateService", late));
        count(&client, 5).send().await.unwrap_err();
        twin.clock.sleep(Duration::from_secs(19)).await;
        assert_eq!(desired(&twin), 2);
        twin.clock.sleep(Duration::from_secs(2)).await;
        assert_eq!(desired(&twin), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn someone_can_act_at_the_very_moment_of_a_call() {
        let (twin, client) = one_service();
        twin.world(|w| {
            let act = |w: &mut World| w.set_desired_count("c", "web", 9).unwrap();
            w.faults.at_any(1, Fault::ActAfter(Box::new(act)));
        });
        count(&client, 3).send().await.unwrap();
        assert_eq!(desired(&twin), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_ends_with_the_callers_timeout() {
        let (twin, _) = one_service();
        let timeouts = aws_smithy_types::timeout::TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(10))
            .build();
        let config = aws_sdk_ecs::config::Builder::from(&twin.sdk_config());
        let client = aws_sdk_ecs::Client::from_conf(config.timeout_config(timeouts).build());
        twin.world(|w| w.faults.next("ecs.UpdateService", Fault::Hang));
        let began = twin.clock.now();
        let err = count(&client, 3).send().await.unwrap_err();
        assert!(matches!(err, SdkError::TimeoutError(_)));
        assert_eq!(twin.clock.now().duration_since(began).as_secs(), 10);
        assert_eq!(desired(&twin), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_is_too_fast_is_throttled_until_the_bucket_refills() {
        let (twin, client) = one_service();
        for _ in 0..50 {
            count(&client, 3).send().await.unwrap();
        }
        let err = count(&client, 3).send().await.unwrap_err();
        assert_eq!(err.code(), Some("ThrottlingException"));
        twin.clock.sleep(Duration::from_millis(200)).await;
        count(&client, 3).send().await.unwrap();
        twin.world(|w| w.rates.throttling = Throttling::Off);
        for _ in 0..200 {
            count(&client, 3).send().await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn latency_is_spent_in_the_clocks_time() {
        let (twin, client) = one_service();
        twin.world(|w| w.latency = Duration::from_millis(30));
        let began = twin.clock.now();
        count(&client, 3).send().await.unwrap();
        assert_eq!(twin.clock.now().duration_since(began).as_millis(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn reads_lag_writes_when_told_to() {
        let (twin, client) = one_service();
        twin.world(|w| w.set_read_lag(Duration::from_secs(3)));
        count(&client, 3).send().await.unwrap();
        let read = || async {
            let answer = client
                .describe_services()
                .cluster("c")
                .services("web")
                .send();
            answer.await.unwrap().services()[0].desired_count()
        };
        assert_eq!(read().await, 2);
        twin.clock.sleep(Duration::from_secs(3)).await;
        assert_eq!(read().await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_tells_every_call_and_prints_no_input() {
        let (twin, client) = one_service();
        count(&client, 3).send().await.unwrap();
        twin.world(|w| {
            assert_eq!(
                w.calls.counts(),
                [("ecs.UpdateService".to_owned(), 1)].into()
            );
            assert_eq!(w.calls.writes().count(), 1);
            assert_eq!(w.calls.all()[0].outcome, CallOutcome::Done);
            assert!(!format!("{:?}", w.calls).contains("desiredCount"));
        });
    }

    #[tokio::test(start_paused = true)]
    async fn every_other_service_answers_its_own_client() {
        let (twin, _) = one_service();
        let sdk = twin.sdk_config();
        let who = aws_sdk_sts::Client::new(&sdk).get_caller_identity().send();
        assert_eq!(who.await.unwrap().account(), Some("123456789012"));
        let alarms = aws_sdk_cloudwatch::Client::new(&sdk)
            .describe_alarms()
            .send();
        assert!(alarms.await.unwrap().metric_alarms().is_empty());
        let databases = aws_sdk_rds::Client::new(&sdk)
            .describe_db_instances()
            .send();
        assert!(databases.await.unwrap().db_instances().is_empty());
        let tables = aws_sdk_dynamodb::Client::new(&sdk).list_tables().send();
        assert!(tables.await.unwrap().table_names().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_transaction_tells_its_reasons_by_position() {
        use aws_sdk_dynamodb::types as t;

        let (twin, _) = one_service();
        let client = aws_sdk_dynamodb::Client::new(&twin.sdk_config());
        let attribute = t::AttributeDefinition::builder()
            .attribute_name("pk")
            .attribute_type(t::ScalarAttributeType::S);
        let key = t::KeySchemaElement::builder()
            .attribute_name("pk")
            .key_type(t::KeyType::Hash);
        let create = client
            .create_table()
            .table_name("store")
            .billing_mode(t::BillingMode::PayPerRequest)
            .attribute_definitions(attribute.build().unwrap())
            .key_schema(key.build().unwrap());
        create.send().await.unwrap();
        let put = || {
            let put = t::Put::builder()
                .table_name("store")
                .item("pk", t::AttributeValue::S("a".to_owned()))
                .condition_expression("attribute_not_exists(pk)");
            let item = t::TransactWriteItem::builder().put(put.build().unwrap());
            client.transact_write_items().transact_items(item.build())
        };
        put().send().await.unwrap();
        let err = put().send().await.unwrap_err().into_service_error();
        let t::error::TransactionCanceledException {
            cancellation_reasons,
            ..
        } = match err {
            aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(err) => err,
            other => panic!("{other:?}"),
        };
        let code = cancellation_reasons.unwrap()[0].code.clone();
        assert_eq!(code.as_deref(), Some("ConditionalCheckFailed"));
    }
}
