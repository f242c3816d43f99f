//! The store, on any endpoint: the embedded engine always, DynamoDB Local where it is there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;
use jiff::Timestamp;
use serde_json::json;

use evenkeel::aws::budget::{Budget, RateToken};
use evenkeel::clock::Clock;
use evenkeel::entropy::Entropy;
use evenkeel::model::chain::verify;
use evenkeel::model::change::{Risk, Step};
use evenkeel::model::entry::Outcome;
use evenkeel::model::key::ResourceKey;
use evenkeel::model::memory::ObjectMemory;
use evenkeel::model::status::ObjectStatus;
use evenkeel::model::tree::Tree;
use evenkeel::store::embedded::{Engine, http_client};
use evenkeel::store::{
    AcquireError, IntendError, LEASE_DURATION, Lease, LeaseError, LeaseState, NewIntent,
    NewOutcome, Origin, Patience, Protection, ROW_MAX, Ready, Recorded, SettleError, Store,
    StoreConfig, StoreError,
};

const TABLE: &str = "evenkeel-test";

/// One table somewhere, and the ways to it.
struct World {
    http: SharedHttpClient,
    endpoint: String,
    table: String,
    clock: Clock,
    entropy: Entropy,
    budget: Budget,
}

impl World {
    /// A fresh table in memory, in virtual time.
    async fn embedded() -> Self {
        let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        let world = Self {
            http: http_client(Engine::memory().unwrap()),
            endpoint: "http://store.invalid".into(),
            table: TABLE.into(),
            budget: Budget::new(clock.clone()),
            clock,
            entropy: Entropy::seeded(7),
        };
        let store = world.store("maker");
        store.create_table(Protection::Embedded).await.unwrap();
        world
    }

    fn sdk(&self) -> SdkConfig {
        let keys = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        SdkConfig::builder()
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .endpoint_url(&self.endpoint)
            .build()
    }

    fn store(&self, holder: &str) -> Store {
        self.store_through(holder, self.http.clone())
    }

    fn store_through(&self, holder: &str, http: SharedHttpClient) -> Store {
        Store::new(StoreConfig {
            sdk: self.sdk(),
            http,
            table: self.table.clone(),
            account: "123456789012".into(),
            region: "eu-central-1".into(),
            holder: holder.into(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        })
    }

    /// A store whose calls meet these misfortunes, each at the next call of its operation.
    fn unlucky(&self, holder: &str, script: &[(&'static str, Misfortune)]) -> (Store, Script) {
        let script: Script = Arc::new(Mutex::new(script.iter().cloned().collect()));
        let http = SharedHttpClient::new(Unlucky {
            inner: self.http.clone(),
            script: script.clone(),
            clock: self.clock.clone(),
        });
        (self.store_through(holder, http), script)
    }

    /// The SDK's own client, past the store: to spoil rows and to look at them.
    fn raw(&self) -> aws_sdk_dynamodb::Client {
        let sdk = self
            .sdk()
            .to_builder()
            .http_client(self.http.clone())
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .build();
        aws_sdk_dynamodb::Client::new(&sdk)
    }

    /// A row of an app, past the store.
    async fn row(&self, app: &str, sk: &str) -> Option<HashMap<String, AttributeValue>> {
        let get = self.raw().get_item().table_name(&self.table);
        let get = get
            .key("pk", self.pk(app))
            .key("sk", AttributeValue::S(sk.into()));
        get.consistent_read(true).send().await.unwrap().item
    }

    async fn put_row(&self, row: HashMap<String, AttributeValue>) {
        let put = self.raw().put_item().table_name(&self.table);
        put.set_item(Some(row)).send().await.unwrap();
    }

    async fn delete_row(&self, app: &str, sk: &str) {
        let delete = self.raw().delete_item().table_name(&self.table);
        let delete = delete
            .key("pk", self.pk(app))
            .key("sk", AttributeValue::S(sk.into()));
        delete.send().await.unwrap();
    }

    fn pk(&self, app: &str) -> AttributeValue {
        AttributeValue::S(format!("123456789012#eu-central-1#{app}"))
    }

    async fn rate(&self) -> RateToken {
        self.budget.take("ecs.UpdateService").await
    }

    fn intent(&self, key: &ResourceKey) -> NewIntent {
        NewIntent {
            id: self.entropy.id(),
            key: key.clone(),
            step: Step {
                operation: "ecs.UpdateService".into(),
                object: "c/web".into(),
                title: "set the count of web to 3".into(),
                detail: json!({"desiredCount": 3}),
            },
            drift: Vec::new(),
            risk: Risk::Routine,
            plan: "p".into(),
            tasks: 0,
            approval: None,
            commit: None,
        }
    }

    /// Writes an intent and says its id.
    async fn intend(&self, store: &Store, lease: &Lease, key: &ResourceKey) -> String {
        let intent = self.intent(key);
        let id = intent.id.clone();
        store
            .intend(lease, intent, self.rate().await)
            .await
            .unwrap();
        id
    }
}

fn outcome(intent: &str, key: &ResourceKey, outcome: Outcome) -> NewOutcome {
    NewOutcome {
        intent: intent.into(),
        key: key.clone(),
        outcome,
        detail: Tree::Null,
        memory: None,
    }
}

fn web() -> ResourceKey {
    ResourceKey::new("shop", "Service", "web")
}

/// The chain has no gap, no fork and no forgery.
async fn assert_whole(store: &Store, length: usize) {
    let entries = store.history("shop", None).await.unwrap();
    assert_eq!(verify("shop", &entries), Ok(()));
    assert_eq!(entries.len(), length);
}

type Script = Arc<Mutex<VecDeque<(&'static str, Misfortune)>>>;

/// What can befall a call.
#[derive(Clone, Debug)]
enum Misfortune {
    /// It never arrives, and nobody says so.
    LostBefore,
    /// It arrives and is done; the answer never comes.
    LostAfter,
    /// It is answered with this instead of being done.
    Answered(u16, String),
    /// It is done, and answered with this.
    DoneBut(u16, String),
    /// It arrives a second later.
    Late,
}

fn cancelled(codes: &[&str]) -> Misfortune {
    let reasons: Vec<_> = codes.iter().map(|code| json!({"Code": code})).collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled",
        "CancellationReasons": reasons,
    });
    Misfortune::Answered(400, body.to_string())
}

fn failed(status: u16, code: &str) -> Misfortune {
    Misfortune::Answered(status, fault(code))
}

fn fault(code: &str) -> String {
    json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": code})
        .to_string()
}

#[derive(Clone, Debug)]
struct Unlucky {
    inner: SharedHttpClient,
    script: Script,
    clock: Clock,
}

impl HttpClient for Unlucky {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(UnluckyConnector {
            inner: self.inner.http_connector(settings, components),
            script: self.script.clone(),
            clock: self.clock.clone(),
        })
    }
}

#[derive(Debug)]
struct UnluckyConnector {
    inner: SharedHttpConnector,
    script: Script,
    clock: Clock,
}

fn lost<T>() -> Result<T, ConnectorError> {
    Err(ConnectorError::io("connection reset by peer".into()))
}

fn answer(status: u16, body: String) -> HttpResponse {
    let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    answer.headers_mut().insert("x-amzn-requestid", "1");
    answer
}

impl HttpConnector for UnluckyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let due = {
            let mut script = self.script.lock().unwrap();
            match script.front() {
                Some((operation, _)) if target.ends_with(&format!(".{operation}")) => {
                    script.pop_front().map(|(_, misfortune)| misfortune)
                }
                _ => None,
            }
        };
        match due {
            None => self.inner.call(request),
            Some(Misfortune::LostBefore) => HttpConnectorFuture::ready(lost()),
            Some(Misfortune::Answered(status, body)) => {
                HttpConnectorFuture::ready(Ok(answer(status, body)))
            }
            Some(Misfortune::Late) => {
                let (inner, clock) = (self.inner.clone(), self.clock.clone());
                HttpConnectorFuture::new(async move {
                    clock.sleep(Duration::from_secs(1)).await;
                    inner.call(request).await
                })
            }
            Some(misfortune) => {
                let done = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    done.await?;
                    match misfortune {
                        Misfortune::DoneBut(status, body) => Ok(answer(status, body)),
                        _ => lost(),
                    }
                })
            }
        }
    }
}

// --- What holds on every endpoint -----------------------------------------------------------

async fn one_of_two_gets_the_lease(world: &World) {
    let (one, two) = (world.store("one@a/1"), world.store("two@b/2"));
    let (a, b) = tokio::join!(
        one.acquire("race", Patience::No),
        two.acquire("race", Patience::No)
    );
    let (lease, refused) = match (a, b) {
        (Ok(lease), Err(refused)) | (Err(refused), Ok(lease)) => (lease, refused),
        other => panic!("{other:?}"),
    };
    assert_eq!(lease.token(), 1);
    let AcquireError::Held(row) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((row.token, row.state.clone()), (1, LeaseState::Held));
    let said = AcquireError::Held(row.clone()).to_string();
    assert!(
        said.contains(&row.holder) && said.contains("evenkeel lock release race"),
        "{said}"
    );
}

async fn release_is_terminal_and_the_next_token_is_higher(world: &World) {
    let store = world.store("me@a/1");
    let lease = store.acquire("shop", Patience::No).await.unwrap();
    let id = world.intend(&store, &lease, &web()).await;
    store.release(&lease).await.unwrap();
    assert_eq!(lease.deadline(), Duration::ZERO);
    assert!(matches!(store.renew(&lease).await, Err(LeaseError::Lost)));
    let api = ResourceKey::new("shop", "Service", "api");
    let late = store
        .intend(&lease, world.intent(&api), world.rate().await)
        .await;
    assert!(matches!(late, Err(IntendError::LeaseLost)));
    let memory = store.remember(&lease, &api, &ObjectMemory::default()).await;
    assert!(matches!(memory, Err(StoreError::LeaseLost { .. })));
    // An outcome needs the open intent, not the lease.
    store
        .settle(&lease, outcome(&id, &web(), Outcome::Applied))
        .await
        .unwrap();
    let again = store.acquire("shop", Patience::No).await.unwrap();
    assert_eq!((lease.token(), again.token()), (1, 2));
    assert_whole(&store, 2).await;
    store.release(&again).await.unwrap();
}

async fn an_intent_opens_its_object_and_an_outcome_closes_it(world: &World) {
    let store = world.store("me@a/1");
    let lease = store.acquire("shop", Patience::No).await.unwrap();
    let before = store.history("shop", None).await.unwrap().len();
    let key = ResourceKey::new("shop", "Alarm", "cpu");
    let intent = world.intent(&key);
    let id = intent.id.clone();
    let permit = store
        .intend(&lease, intent, world.rate().await)
        .await
        .unwrap();
    assert_eq!(permit.intent(), id);
    assert_eq!(permit.operation(), "ecs.UpdateService");
    assert_eq!(permit.lease_deadline(), lease.deadline());

    let busy = store
        .intend(&lease, world.intent(&key), world.rate().await)
        .await;
    assert!(matches!(busy, Err(IntendError::ObjectBusy { intent }) if intent == id));

    store
        .settle(&lease, outcome(&id, &key, Outcome::Unknown))
        .await
        .unwrap();
    let open = store.memory("shop").await.unwrap()[&key].open.clone();
    assert_eq!(open.map(|o| o.id), Some(id.clone()));

    let mut facts = ObjectMemory::default();
    facts.facts.insert("rolledBack".into(), json!("x:3"));
    store
        .settle(
            &lease,
            NewOutcome {
                memory: Some(facts.clone()),
                ..outcome(&id, &key, Outcome::Applied)
            },
        )
        .await
        .unwrap();
    assert_eq!(store.memory("shop").await.unwrap()[&key], facts);

    let late = store
        .settle(&lease, outcome(&id, &key, Outcome::NotApplied))
        .await;
    assert!(matches!(late, Err(SettleError::Late)));
    let late = store.late("shop").await.unwrap();
    assert_eq!((late.len(), &late[0].intent), (1, &id));
    assert_eq!(late[0].outcome, Outcome::NotApplied);
    assert_whole(&store, before + 3).await;
    let newest = store.history("shop", Some(2)).await.unwrap();
    let all = store.history("shop", None).await.unwrap();
    assert_eq!(newest, all[all.len() - 2..]);
    store.release(&lease).await.unwrap();
}

async fn memory_and_conditions_are_kept_by_object(world: &World) {
    let store = world.store("me@a/1");
    let lease = store.acquire("keep", Patience::No).await.unwrap();
    let key = ResourceKey::new("keep", "Service", "web");
    let mut memory = ObjectMemory::default();
    memory.facts.insert("seen".into(), json!(1));
    store.remember(&lease, &key, &memory).await.unwrap();
    assert_eq!(store.memory("keep").await.unwrap()[&key], memory);
    let status = ObjectStatus::default();
    let recorded = store.record_status(&key, None, &status).await.unwrap();
    assert_eq!(recorded, Recorded::Ours);
    assert_eq!(store.statuses("keep").await.unwrap()[&key], status);
    assert!(store.apps().await.unwrap().contains(&"keep".to_owned()));
}

async fn a_person_can_fence_a_holder_even_on_a_row_that_cannot_be_read(world: &World) {
    let store = world.store("me@a/1");
    let lease = store.acquire("fence", Patience::No).await.unwrap();
    let row = store
        .force_release("fence", "the host is gone")
        .await
        .unwrap();
    assert_eq!((row.token, row.state), (2, LeaseState::Released));
    assert!(matches!(store.renew(&lease).await, Err(LeaseError::Lost)));

    world
        .raw()
        .put_item()
        .table_name(&world.table)
        .item(
            "pk",
            AttributeValue::S("123456789012#eu-central-1#fence".into()),
        )
        .item("sk", AttributeValue::S("LEASE".into()))
        .item("token", AttributeValue::S("nonsense".into()))
        .send()
        .await
        .unwrap();
    let apps = ["fence".to_owned()];
    let rows = store.leases(&apps).await.unwrap();
    assert!(matches!(rows[0].state, LeaseState::Corrupt(_)));
    let refused = store.acquire("fence", Patience::No).await.unwrap_err();
    assert!(
        refused.to_string().contains("evenkeel lock release"),
        "{refused}"
    );
    let mended = store.force_release("fence", "mending it").await.unwrap();
    assert!(mended.token > 2);
    let after = store.acquire("fence", Patience::No).await.unwrap();
    assert!(after.token() > mended.token);
    let fences = store.fences("fence").await.unwrap();
    assert_eq!(fences.len(), 2);
    assert_eq!(fences[0].reason, "the host is gone");
    let none = store.force_release("nobody", "x").await;
    assert!(matches!(none, Err(StoreError::NoLease { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_names_no_object_is_told_and_not_passed_over() {
    let world = World::embedded().await;
    let store = world.store("me@a/1");
    for sk in [
        "OPEN#Service",
        "OPEN#/web",
        "MEMORY#Service/web/x",
        "STATUS#",
    ] {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        world
            .put_row(HashMap::from([
                ("pk".to_owned(), world.pk("shop")),
                ("sk".to_owned(), text(sk)),
                ("body".to_owned(), text("{}")),
            ]))
            .await;
        let refused = match sk.starts_with("STATUS") {
            true => store.statuses("shop").await.map(|_| ()),
            false => store.memory("shop").await.map(|_| ()),
        };
        assert_eq!(
            refused.unwrap_err().to_string(),
            format!(
                "store table evenkeel-test: row 123456789012#eu-central-1#shop / {sk} is not as evenkeel wrote it (its key names no object as Kind/name); a lease is mended with `evenkeel lock release --reason`, anything else from a backup of the table"
            )
        );
        world.delete_row("shop", sk).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_at_the_end_of_all_numbers_is_a_row_that_cannot_be_read() {
    let world = World::embedded().await;
    let store = world.store("me@a/1");
    let lease = store.acquire("shop", Patience::No).await.unwrap();
    store.release(&lease).await.unwrap();
    for name in ["token", "version"] {
        let mut row = world.row("shop", "LEASE").await.unwrap();
        let end = AttributeValue::N(u64::MAX.to_string());
        let was = row.insert(name.to_owned(), end).unwrap();
        world.put_row(row.clone()).await;
        let refused = store.acquire("shop", Patience::No).await.unwrap_err();
        let why = format!("{name} is 18446744073709551615, more than 999999999999");
        assert!(refused.to_string().contains(&why), "{refused}");
        row.insert(name.to_owned(), was);
        world.put_row(row).await;
    }
    assert_eq!(
        store.acquire("shop", Patience::No).await.unwrap().token(),
        2
    );
}

async fn two_may_make_the_table_at_once(world: &World) {
    let (one, two) = (world.store("one@a/1"), world.store("two@b/2"));
    let (a, b) = tokio::join!(
        one.create_table(Protection::Embedded),
        two.create_table(Protection::Embedded)
    );
    a.unwrap();
    b.unwrap();
    assert_eq!(one.ready().await.unwrap(), Ready::Exists);
}

async fn a_row_too_large_is_refused_and_nothing_is_written(world: &World) {
    let store = world.store("me@a/1");
    let lease = store.acquire("large", Patience::No).await.unwrap();
    let key = ResourceKey::new("large", "Service", "web");
    let mut intent = world.intent(&key);
    intent.step.detail = json!("x".repeat(ROW_MAX));
    let refused = store.intend(&lease, intent, world.rate().await).await;
    assert!(matches!(
        refused,
        Err(IntendError::Store(StoreError::TooLarge { .. }))
    ));
    assert!(store.history("large", None).await.unwrap().is_empty());
}

async fn the_whole_suite(world: &World) {
    two_may_make_the_table_at_once(world).await;
    one_of_two_gets_the_lease(world).await;
    release_is_terminal_and_the_next_token_is_higher(world).await;
    an_intent_opens_its_object_and_an_outcome_closes_it(world).await;
    memory_and_conditions_are_kept_by_object(world).await;
    a_person_can_fence_a_holder_even_on_a_row_that_cannot_be_read(world).await;
    a_row_too_large_is_refused_and_nothing_is_written(world).await;
}

#[tokio::test(start_paused = true)]
async fn the_store_keeps_its_word_on_the_embedded_engine() {
    the_whole_suite(&World::embedded().await).await;
}

#[tokio::test]
async fn the_store_keeps_its_word_on_dynamodb_local() {
    let Ok(endpoint) = std::env::var("EVENKEEL_DYNAMODB_LOCAL_ENDPOINT") else {
        eprintln!(
            "skipped: EVENKEEL_DYNAMODB_LOCAL_ENDPOINT is not set, so there is no DynamoDB Local to test the store on"
        );
        return;
    };
    let clock = Clock::system();
    let entropy = Entropy::system();
    let world = World {
        http: aws_smithy_http_client::Builder::new().build_http(),
        endpoint,
        // A table of its own for each run: the server may outlive it.
        table: format!("evenkeel-{}", entropy.id()),
        budget: Budget::new(clock.clone()),
        clock,
        entropy,
    };
    the_whole_suite(&world).await;
}

// --- What only virtual time and injected misfortune can show -------------------------------

#[tokio::test(start_paused = true)]
async fn a_missing_table_says_how_to_make_it() {
    let world = World {
        table: "absent".into(),
        ..World::embedded().await
    };
    let store = world.store("me@a/1");
    assert_eq!(store.ready().await.unwrap(), Ready::Missing);
    let error = store.acquire("shop", Patience::No).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("evenkeel store create --store dynamodb:absent"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_holder_is_taken_over_after_one_lease_duration_and_its_intent_is_found() {
    let world = World::embedded().await;
    let (dead, heir) = (world.store("dead@a/1"), world.store("heir@b/2"));
    let lease = dead.acquire("shop", Patience::No).await.unwrap();
    let id = world.intend(&dead, &lease, &web()).await;
    let started = world.clock.boot();
    let taken = heir.acquire("shop", Patience::UntilDead).await.unwrap();
    let waited = world.clock.boot() - started;
    assert!(waited >= LEASE_DURATION && waited < LEASE_DURATION + Duration::from_secs(3));
    assert_eq!(taken.token(), lease.token() + 1);
    assert_eq!(
        taken.origin(),
        &Origin::TakenOver {
            from: "dead@a/1".into()
        }
    );
    assert!(lease.deadline() <= world.clock.boot());
    assert!(matches!(dead.renew(&lease).await, Err(LeaseError::Lost)));
    let open = heir.memory("shop").await.unwrap()[&web()].open.clone();
    assert_eq!(open.map(|o| o.id), Some(id.clone()));
    heir.settle(&taken, outcome(&id, &web(), Outcome::Applied))
        .await
        .unwrap();
    let late = dead
        .settle(&lease, outcome(&id, &web(), Outcome::Applied))
        .await;
    assert!(matches!(late, Err(SettleError::Late)));
    assert_whole(&heir, 2).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_holder_that_ended_on_this_machine_is_taken_over_at_once_and_one_that_runs_is_not() {
    let world = World::embedded().await;
    let (dead, heir) = (
        world.store("dead@a/1").on_this_machine(),
        world.store("heir@a/2").on_this_machine(),
    );
    dead.acquire("shop", Patience::No).await.unwrap();
    let refused = heir.acquire("shop", Patience::No).await;
    assert!(matches!(refused, Err(AcquireError::Held(_))));
    // As if its process had started long ago, and its id been given out again since.
    world
        .raw()
        .update_item()
        .table_name(&world.table)
        .key(
            "pk",
            AttributeValue::S("123456789012#eu-central-1#shop".into()),
        )
        .key("sk", AttributeValue::S("LEASE".into()))
        .update_expression("SET started = :zero")
        .expression_attribute_values(":zero", AttributeValue::N("0".into()))
        .send()
        .await
        .unwrap();
    let far = world.store("far@b/3").acquire("shop", Patience::No).await;
    assert!(matches!(far, Err(AcquireError::Held(_))));
    let began = world.clock.boot();
    let taken = heir.acquire("shop", Patience::No).await.unwrap();
    assert_eq!(world.clock.boot(), began);
    assert!(matches!(taken.origin(), Origin::TakenOver { from } if from == "dead@a/1"));
    assert_eq!(taken.token(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_who_got_the_lease_anew_after_its_row_was_lost_is_not_taken_for_the_silent_one() {
    let world = World::embedded().await;
    let (dead, alive) = (world.store("dead@a/1"), world.store("alive@b/2"));
    dead.acquire("shop", Patience::No).await.unwrap();
    let heir = world.store("heir@c/3");
    let watching = heir.acquire("shop", Patience::UntilDead);
    let meanwhile = async {
        world
            .clock
            .sleep(LEASE_DURATION - Duration::from_secs(1))
            .await;
        world.delete_row("shop", "LEASE").await;
        alive.acquire("shop", Patience::No).await.unwrap()
    };
    let (watched, lease) = tokio::join!(watching, meanwhile);
    // No chain told which numbers were used before: they are the same.
    assert_eq!(lease.token(), 1);
    assert!(
        matches!(&watched, Err(AcquireError::Held(row)) if row.holder == "alive@b/2"),
        "{watched:?}"
    );
    alive.renew(&lease).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_keeps_its_lease_is_never_taken_over() {
    let world = World::embedded().await;
    let (holder, rival) = (world.store("holder@a/1"), world.store("rival@b/2"));
    let lease = holder.acquire("shop", Patience::No).await.unwrap();
    let work = holder.keep(&lease, async {
        let refused = rival.acquire("shop", Patience::UntilDead).await;
        assert!(matches!(refused, Err(AcquireError::Held(_))));
        for _ in 0..600 {
            world.clock.sleep(Duration::from_secs(1)).await;
            assert!(lease.deadline() > world.clock.boot() + LEASE_DURATION / 2);
        }
        "done"
    });
    assert_eq!(work.await, "done");
    assert_eq!(rival.leases(&["shop".into()]).await.unwrap()[0].token, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_fenced_under_its_keeper_is_lost_and_the_work_goes_on() {
    let world = World::embedded().await;
    let (holder, person) = (world.store("holder@a/1"), world.store("person@b/2"));
    let lease = holder.acquire("shop", Patience::No).await.unwrap();
    let done = holder
        .keep(&lease, async {
            person.force_release("shop", "test").await.unwrap();
            world.clock.sleep(LEASE_DURATION).await;
            lease.deadline()
        })
        .await;
    assert_eq!(done, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_lease_survives_renewals_that_get_lost_either_way() {
    let world = World::embedded().await;
    let (store, script) = world.unlucky(
        "me@a/1",
        &[
            ("UpdateItem", Misfortune::LostBefore),
            ("UpdateItem", Misfortune::LostAfter),
            (
                "UpdateItem",
                failed(400, "ProvisionedThroughputExceededException"),
            ),
        ],
    );
    let lease = store.acquire("shop", Patience::No).await.unwrap();
    let before = world.clock.boot();
    store.renew(&lease).await.unwrap();
    assert!(script.lock().unwrap().is_empty());
    assert!(lease.deadline() > before + LEASE_DURATION);
}

#[tokio::test(start_paused = true)]
async fn a_grant_whose_answer_got_lost_is_recognised_and_counted_from_its_own_sending() {
    let world = World::embedded().await;
    world
        .store("x")
        .acquire("shop", Patience::No)
        .await
        .unwrap();
    world
        .store("x")
        .force_release("shop", "free it")
        .await
        .unwrap();
    let (store, script) = world.unlucky("me@a/1", &[("PutItem", Misfortune::LostAfter)]);
    let sent = world.clock.boot();
    let lease = store.acquire("shop", Patience::No).await.unwrap();
    assert!(script.lock().unwrap().is_empty());
    assert_eq!(
        (lease.token(), lease.deadline()),
        (3, sent + LEASE_DURATION)
    );
    store.renew(&lease).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_first_grant_that_somebody_overtook_does_not_begin_at_1_again() {
    let world = World::embedded().await;
    let (slow, script) = world.unlucky("slow@a/1", &[("TransactWriteItems", Misfortune::Late)]);
    let meanwhile = async {
        world.clock.sleep(Duration::from_millis(500)).await;
        let quick = world.store("quick@b/2");
        let lease = quick.acquire("shop", Patience::No).await.unwrap();
        world.intend(&quick, &lease, &web()).await;
        world.delete_row("shop", "LEASE").await;
        lease.token()
    };
    let (lease, overtaken) = tokio::join!(slow.acquire("shop", Patience::No), meanwhile);
    assert!(script.lock().unwrap().is_empty());
    let token = lease.unwrap().token();
    assert!(token > overtaken, "{token} after {overtaken}");
}

#[tokio::test(start_paused = true)]
async fn a_first_grant_whose_answer_got_lost_is_recognised() {
    let world = World::embedded().await;
    let (store, script) = world.unlucky(
        "me@a/1",
        &[
            ("TransactWriteItems", Misfortune::LostAfter),
            (
                "TransactWriteItems",
                cancelled(&["ConditionalCheckFailed", "None"]),
            ),
        ],
    );
    let sent = world.clock.boot();
    let lease = store.acquire("shop", Patience::No).await.unwrap();
    assert!(script.lock().unwrap().is_empty());
    assert_eq!(
        (lease.token(), lease.deadline()),
        (1, sent + LEASE_DURATION)
    );
    store.renew(&lease).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_intent_meets_every_misfortune_and_is_written_exactly_once() {
    let conflict = ["None", "TransactionConflict", "None", "None"];
    let internal = fault("InternalServerError");
    for misfortune in [
        Misfortune::LostBefore,
        Misfortune::LostAfter,
        Misfortune::DoneBut(500, internal),
        failed(500, "InternalServerError"),
        failed(400, "ThrottlingException"),
        failed(400, "TransactionInProgressException"),
        cancelled(&conflict),
        cancelled(&["ThrottlingError", "None", "None", "None"]),
        cancelled(&["None", "ConditionalCheckFailed", "None", "None"]),
    ] {
        let world = World::embedded().await;
        let script = [
            ("TransactWriteItems", misfortune.clone()),
            ("TransactWriteItems", Misfortune::LostAfter),
        ];
        let (store, script) = world.unlucky("me@a/1", &script);
        let lease = world
            .store("me@a/1")
            .acquire("shop", Patience::No)
            .await
            .unwrap();
        let sent = world.clock.boot();
        let intent = world.intent(&web());
        let id = intent.id.clone();
        let permit = store
            .intend(&lease, intent, world.rate().await)
            .await
            .unwrap_or_else(|e| panic!("{misfortune:?}: {e}"));
        assert!(script.lock().unwrap().is_empty(), "{misfortune:?}");
        assert!(permit.lease_deadline() >= sent + LEASE_DURATION);
        assert!(permit.lease_deadline() <= world.clock.boot() + LEASE_DURATION);
        assert_whole(&store, 1).await;
        let open = store.memory("shop").await.unwrap()[&web()].open.clone();
        assert_eq!(open.map(|o| o.id), Some(id.clone()), "{misfortune:?}");
        store
            .settle(&lease, outcome(&id, &web(), Outcome::Applied))
            .await
            .unwrap();
        assert_whole(&store, 2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_meets_every_misfortune_and_is_written_exactly_once() {
    for misfortune in [
        Misfortune::LostBefore,
        Misfortune::LostAfter,
        failed(400, "ThrottlingException"),
        cancelled(&["TransactionConflict", "None", "None"]),
        cancelled(&["None", "ConditionalCheckFailed", "None"]),
    ] {
        let world = World::embedded().await;
        let (store, script) = world.unlucky("me@a/1", &[]);
        let lease = world
            .store("me@a/1")
            .acquire("shop", Patience::No)
            .await
            .unwrap();
        let id = world.intend(&store, &lease, &web()).await;
        script.lock().unwrap().extend([
            ("TransactWriteItems", misfortune.clone()),
            ("TransactWriteItems", Misfortune::LostAfter),
        ]);
        store
            .settle(&lease, outcome(&id, &web(), Outcome::Applied))
            .await
            .unwrap_or_else(|e| panic!("{misfortune:?}: {e}"));
        assert!(script.lock().unwrap().is_empty(), "{misfortune:?}");
        assert_whole(&store, 2).await;
        assert!(store.late("shop").await.unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_without_a_remembered_token_is_found_in_the_chain() {
    // The engine's idempotency would answer the repeat; here it forgets, and refuses instead.
    let world = World::embedded().await;
    let refused = [
        "None",
        "ConditionalCheckFailed",
        "ConditionalCheckFailed",
        "ConditionalCheckFailed",
    ];
    let script = [
        ("TransactWriteItems", Misfortune::LostAfter),
        ("TransactWriteItems", cancelled(&refused)),
    ];
    let (store, _) = world.unlucky("me@a/1", &script);
    let lease = world
        .store("me@a/1")
        .acquire("shop", Patience::No)
        .await
        .unwrap();
    let sent = world.clock.boot();
    let permit = store
        .intend(&lease, world.intent(&web()), world.rate().await)
        .await
        .unwrap();
    assert_eq!(permit.lease_deadline(), sent + LEASE_DURATION);
    assert_whole(&store, 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_intent_stops_when_its_token_has_moved_whatever_else_happened() {
    let world = World::embedded().await;
    let (store, person) = (world.store("me@a/1"), world.store("person@b/2"));
    let lease = store.acquire("shop", Patience::No).await.unwrap();
    person.force_release("shop", "test").await.unwrap();
    let lost = store
        .intend(&lease, world.intent(&web()), world.rate().await)
        .await;
    assert!(matches!(lost, Err(IntendError::LeaseLost)));
    assert_eq!(lease.deadline(), Duration::ZERO);
    assert_whole(&store, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_gives_an_error_and_no_permit() {
    let world = World::embedded().await;
    let script = vec![("TransactWriteItems", Misfortune::LostBefore); 20];
    let (store, _) = world.unlucky("me@a/1", &script);
    let lease = world
        .store("me@a/1")
        .acquire("shop", Patience::No)
        .await
        .unwrap();
    let error = store
        .intend(&lease, world.intent(&web()), world.rate().await)
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains(TABLE) && said.contains("TransactWriteItems"),
        "{said}"
    );
    assert_whole(&world.store("x"), 0).await;
}

/// What DynamoDB answers when it was busy with the keys of these apps: nothing of them.
fn unprocessed(apps: &[&str]) -> Misfortune {
    let row = |app: &&str| {
        let pk = format!("123456789012#eu-central-1#{app}");
        json!({"pk": {"S": pk}, "sk": {"S": "LEASE"}})
    };
    let keys: Vec<_> = apps.iter().map(row).collect();
    let asked = json!({TABLE: {"Keys": keys, "ConsistentRead": true}});
    let body = json!({"Responses": {TABLE: []}, "UnprocessedKeys": asked});
    Misfortune::Answered(200, body.to_string())
}

#[tokio::test(start_paused = true)]
async fn leases_that_dynamodb_did_not_get_to_are_asked_for_again_and_never_taken_for_none() {
    let world = World::embedded().await;
    let holder = world.store("me@a/1");
    for app in ["shop", "desk"] {
        holder.acquire(app, Patience::No).await.unwrap();
    }
    let apps = ["shop".to_owned(), "desk".to_owned()];
    let busy = ("BatchGetItem", unprocessed(&["shop", "desk"]));
    let (store, script) = world.unlucky("me@b/2", &[busy.clone(), busy.clone()]);
    let found = store.leases(&apps).await.unwrap();
    let found: Vec<&str> = found.iter().map(|row| row.app.as_str()).collect();
    assert_eq!(found, ["shop", "desk"]);
    assert!(script.lock().unwrap().is_empty());
    // One that is never got to is an error, and not a command that hangs.
    let (store, _) = world.unlucky("me@b/3", &vec![busy; 50]);
    let why = store.leases(&apps).await.unwrap_err().to_string();
    assert!(
        why.contains("BatchGetItem") && why.contains("slow down"),
        "{why}"
    );
}

#[tokio::test(start_paused = true)]
async fn two_stores_taking_turns_leave_one_whole_chain_and_growing_tokens() {
    let world = World::embedded().await;
    let stores = [world.store("one@a/1"), world.store("two@b/2")];
    let mut tokens = Vec::new();
    for turn in 0..40 {
        let store = &stores[turn % 2];
        let lease = store.acquire("shop", Patience::No).await.unwrap();
        tokens.push(lease.token());
        let id = world.intend(store, &lease, &web()).await;
        store
            .settle(&lease, outcome(&id, &web(), Outcome::Applied))
            .await
            .unwrap();
        store.release(&lease).await.unwrap();
    }
    assert!(tokens.windows(2).all(|w| w[0] < w[1]));
    assert_whole(&stores[0], 80).await;
}

#[tokio::test(start_paused = true)]
async fn a_long_history_comes_in_pages_and_whole() {
    let world = World::embedded().await;
    let store = world.store("me@a/1");
    let lease = store.acquire("shop", Patience::No).await.unwrap();
    for _ in 0..15 {
        let mut intent = world.intent(&web());
        // Fifteen of these are above the megabyte that one page holds.
        intent.step.detail = json!("x".repeat(ROW_MAX / 2));
        let id = intent.id.clone();
        store
            .intend(&lease, intent, world.rate().await)
            .await
            .unwrap();
        store
            .settle(&lease, outcome(&id, &web(), Outcome::Applied))
            .await
            .unwrap();
    }
    assert_whole(&store, 30).await;
    assert_eq!(store.history("shop", Some(29)).await.unwrap().len(), 29);
}

/// Whatever is asked of a chain whose head is not its last entry names the row.
async fn assert_names_the_head(store: &Store, why: &str) {
    let error = store.check_head("shop").await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{said}");
    assert!(said.contains("#shop / HEAD"), "{said}");
    assert!(said.contains(why), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_chain_is_not_added_to_unless_its_head_is_its_last_entry() {
    let world = World::embedded().await;
    let store = world.store("me");
    let lease = store.acquire("shop", Patience::No).await.unwrap();
    store.check_head("shop").await.unwrap();
    let id = world.intend(&store, &lease, &web()).await;
    let first = world.row("shop", "HEAD").await.unwrap();
    store
        .settle(&lease, outcome(&id, &web(), Outcome::Applied))
        .await
        .unwrap();
    store.check_head("shop").await.unwrap();
    let last = world.row("shop", "HEAD").await.unwrap();
    // Set back.
    world.put_row(first).await;
    assert_names_the_head(&store, "names entry 1, and the entries go on to 2").await;
    // Before its time.
    let mut early = last.clone();
    early.insert("seq".into(), AttributeValue::N("7".into()));
    world.put_row(early).await;
    assert_names_the_head(&store, "names entry 7, and the last one is 2").await;
    // Gone: and an intent says so too, instead of having met another writer.
    world.delete_row("shop", "HEAD").await;
    assert_names_the_head(&store, "is gone, and the entries up to 2").await;
    let error = store
        .intend(&lease, world.intent(&web()), world.rate().await)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("#shop / HEAD"), "{error}");
    world.put_row(last).await;
    store.check_head("shop").await.unwrap();
}
