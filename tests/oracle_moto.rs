//! moto: the whole pass of the engine against an emulator that no one here wrote.
//!
//! What moto cannot do (measured with moto 5.2.5) and what is done about it here:
//! - It does not know DocumentDB's engine, so that one document is left out.
//! - It never finishes a rollout; `tests/oracles/moto_server.py` shows each as finished.
//! - It never scales a service whose count is below a scalable target's minimum, so the services
//!   begin with counts inside their bounds. That a count outside is mended is the twin's business.
//! - It has no ListServiceDeployments, so what was rolled back cannot be read.
//! - It asks for subnets that exist, and would have to be given a network first; but it takes a
//!   Fargate service without one, as AWS does not.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types as table;
use aws_sdk_ecs::types as ecs;
use evenkeel::aws::cell::Cell;
use evenkeel::aws::door::Mode;
use evenkeel::clock::Clock;
use evenkeel::engine::Engine;
use evenkeel::engine::apply::{ApplyOptions, Pinned, Wait};
use evenkeel::engine::desired::load_files;
use evenkeel::engine::progress::Silent;
use evenkeel::entropy::Entropy;
use evenkeel::kinds::Policy;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::finding::Severity;
use evenkeel::model::operation::{Effect, operation};
use evenkeel::model::plan::Verdict;
use evenkeel::model::scope::Scope;
use evenkeel::store::{Patience, Protection, Store, StoreConfig, embedded};

use crate::rig::{EVERYTHING, complaints};

/// The tests that share one moto keep to a region each.
const REGION: &str = "eu-north-1";

/// Both examples, all but DocumentDB.
const EXAMPLES: [&str; 6] = [
    "personal-journal/alarms.yaml",
    "personal-journal/services.yaml",
    "semiont/alarms.yaml",
    "semiont/databases.yaml",
    "semiont/services.yaml",
    "semiont/tables.yaml",
];

/// Names of their own for each run, since the server may outlive it.
struct Names {
    suffix: String,
}

impl Names {
    fn own(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for word in ["personal-journal", "semiont", "SemiontCluster"] {
            text = text.replace(word, &format!("{word}-{}", self.suffix));
        }
        text
    }

    fn documents(&self) -> DesiredSet {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let files: Vec<(&str, String)> = EXAMPLES
            .iter()
            .map(|name| {
                let text = std::fs::read_to_string(folder.join(name)).unwrap();
                (*name, self.own(&text))
            })
            .collect();
        let set = load_files(files.iter().map(|(name, text)| (*name, text.as_bytes())));
        let errors: Vec<_> = set
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        set
    }
}

fn sdk(endpoint: &str, clock: &Clock) -> SdkConfig {
    let keys = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .time_source(clock.clone())
        .build()
}

async fn service(client: &aws_sdk_ecs::Client, cluster: &str, name: &str, count: i32) {
    let port = ecs::PortMapping::builder().container_port(8080).build();
    let container = ecs::ContainerDefinition::builder()
        .name("app")
        .image("registry.example/app:1")
        .essential(true)
        .port_mappings(port)
        .environment(
            ecs::KeyValuePair::builder()
                .name("MODE")
                .value("live")
                .build(),
        )
        .build();
    client
        .register_task_definition()
        .family(name)
        .requires_compatibilities(ecs::Compatibility::Fargate)
        .network_mode(ecs::NetworkMode::Awsvpc)
        .cpu("256")
        .memory("512")
        .container_definitions(container)
        .send()
        .await
        .unwrap();
    client
        .create_service()
        .cluster(cluster)
        .service_name(name)
        .task_definition(name)
        .desired_count(count)
        .launch_type(ecs::LaunchType::Fargate)
        // Only a service behind a load balancer has a grace period.
        .load_balancers(
            ecs::LoadBalancer::builder()
                .target_group_arn(format!(
                    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/1"
                ))
                .container_name("app")
                .container_port(8080)
                .build(),
        )
        .send()
        .await
        .unwrap();
}

async fn seed(sdk: &SdkConfig, names: &Names) {
    let client = aws_sdk_ecs::Client::new(sdk);
    for (cluster, services) in [
        (
            "personal-journal-cluster",
            [
                "personal-journal-frontend-service",
                "personal-journal-backend-service",
            ],
        ),
        ("SemiontCluster", ["semiont-frontend", "semiont-backend"]),
    ] {
        let cluster = names.own(cluster);
        let created = client.create_cluster().cluster_name(&cluster).send();
        created.await.unwrap();
        for name in services {
            // Inside the bounds of every document, at night, too.
            let count = if name.starts_with("semiont") { 3 } else { 2 };
            service(&client, &cluster, &names.own(name), count).await;
        }
    }
    let rds = aws_sdk_rds::Client::new(sdk);
    rds.create_db_instance()
        .db_instance_identifier(names.own("semiont-postgres"))
        .engine("postgres")
        .db_instance_class("db.t3.micro")
        .allocated_storage(20)
        .master_username("owner")
        .master_user_password("example-only")
        .backup_retention_period(1)
        .preferred_backup_window("12:00-13:00")
        .preferred_maintenance_window("sun:22:00-sun:23:00")
        .deletion_protection(false)
        .send()
        .await
        .unwrap();
    rds.create_db_cluster()
        .db_cluster_identifier(names.own("semiont-neptune"))
        .engine("neptune")
        // Of its own choice it lies across the window that the document asks for.
        .preferred_maintenance_window("sun:22:00-sun:23:00")
        .backup_retention_period(1)
        .deletion_protection(false)
        .send()
        .await
        .unwrap();
    let key = table::KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(table::KeyType::Hash)
        .build()
        .unwrap();
    let attribute = table::AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(table::ScalarAttributeType::S)
        .build()
        .unwrap();
    aws_sdk_dynamodb::Client::new(sdk)
        .create_table()
        .table_name(names.own("semiont-sessions"))
        .billing_mode(table::BillingMode::PayPerRequest)
        .key_schema(key)
        .attribute_definitions(attribute)
        .send()
        .await
        .unwrap();
}

async fn engine(sdk: &SdkConfig, clock: &Clock) -> Engine {
    let entropy = Entropy::system();
    let http = sdk.http_client().unwrap();
    let mode = Mode::ReadWrite;
    let cell = Cell::connect(sdk, http, mode, clock.clone(), entropy.clone())
        .await
        .unwrap();
    let store = Store::new(StoreConfig {
        sdk: sdk.clone(),
        http: embedded::http_client(embedded::Engine::memory().unwrap()),
        table: "evenkeel".to_owned(),
        account: cell.account.clone(),
        region: cell.region.clone(),
        holder: "moto@test/1".to_owned(),
        clock: clock.clone(),
        entropy,
    });
    store.create_table(Protection::Embedded).await.unwrap();
    Engine::new(Arc::new(cell), Some(Arc::new(store)))
}

/// How many writes the engine has sent.
fn writes(engine: &Engine) -> u64 {
    let is_write = |name: &str| operation(name).is_some_and(|op| op.effect == Effect::Write);
    let calls = engine.cell.budget.calls();
    calls
        .iter()
        .filter(|(name, _)| is_write(name))
        .map(|(_, n)| n)
        .sum()
}

#[tokio::test]
async fn both_applications_converge_against_moto_and_are_then_left_alone() {
    let Ok(endpoint) = std::env::var("EVENKEEL_MOTO_ENDPOINT") else {
        eprintln!(
            "skipped: EVENKEEL_MOTO_ENDPOINT is not set, so there is no moto to converge against (`make test` starts one)"
        );
        return;
    };
    let clock = Clock::system();
    let sdk = sdk(&endpoint, &clock);
    let names = Names {
        suffix: Entropy::system().id()[..8].to_lowercase(),
    };
    seed(&sdk, &names).await;
    let set = names.documents();
    let engine = engine(&sdk, &clock).await;
    let plan = |policy: Policy| {
        let (engine, set) = (&engine, &set);
        async move { engine.plan(set, &Scope::all(), &policy).await }
    };
    let first = plan(EVERYTHING).await;
    assert_eq!(first.verdict(), Verdict::Drift);
    let expected = first.summary.steps as u64;
    let options = ApplyOptions {
        policy: EVERYTHING,
        wait: Wait::ForRollouts,
        pinned: Pinned::No,
        patience: Patience::No,
        stop: tokio_util::sync::CancellationToken::new(),
    };
    let pass = engine.apply(&set, first, &options, &Silent).await;
    assert_eq!(complaints(&pass), Vec::<String>::new());
    // Nothing was written that was not planned, or twice.
    assert_eq!(writes(&engine), expected);
    let second = plan(Policy::CONTROLLER).await;
    let untidy: Vec<_> = second
        .objects
        .iter()
        .filter(|o| !o.drift.is_empty() || !o.holds.is_empty())
        .map(|o| (&o.key, &o.drift, &o.holds))
        .collect();
    assert_eq!(second.verdict(), Verdict::InOrder, "{untidy:#?}");
    let again = engine.apply(&set, second, &options, &Silent).await;
    assert_eq!((again.written(), writes(&engine)), (0, expected));
}
