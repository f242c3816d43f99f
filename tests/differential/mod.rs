//! The twin against others: random sequences of the same SDK calls on two models of AWS, compared member by member.
//!
//! What may differ stands in `known/`, one line each, with the AWS rule that decides.
//! `EVENKEEL_DIFFERENTIAL_SEEDS=FIRST..END` plays other seeds than the fixed ones.

mod autoscaling;
mod cloudwatch;
mod compare;
mod dice;
mod draw_ecs;
mod draw_items;
mod draw_rest;
mod draw_scaling;
mod dynamodb;
mod ecs;
mod input;
mod known;
mod play;
mod rds;
mod sides;
mod sns;
mod xml;

use std::ops::Range;

use evenkeel::store::embedded;
use evenkeel::twin::Twin;
use serde_json::json;

use self::compare::Normaliser;
use self::known::Known;
use self::play::Tally;
use self::sides::{AccountBy, Answer, Call, Side};

/// The seeds that are played everywhere, and those that someone asked for instead.
fn seeds(fixed: Range<u64>) -> (Range<u64>, Asked) {
    let Ok(asked) = std::env::var("EVENKEEL_DIFFERENTIAL_SEEDS") else {
        return (fixed, Asked::Fixed);
    };
    let (first, end) = asked.split_once("..").unwrap();
    (first.parse().unwrap()..end.parse().unwrap(), Asked::Others)
}

/// Only over the fixed seeds is it known which entries of a list are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Fixed,
    Others,
}

/// Another model of AWS.
struct Model {
    name: &'static str,
    /// Where its endpoint is told.
    variable: &'static str,
    by: AccountBy,
    /// What may differ, in `known/`.
    list: &'static str,
}

const MOTO: Model = Model {
    name: "moto",
    variable: "EVENKEEL_MOTO_ENDPOINT",
    by: AccountBy::Header,
    list: "moto.txt",
};

/// For the service deployments, which moto lacks. Its databases cannot be asked: the SDK reads nothing
/// out of an empty boolean in its answers.
const MINISTACK: Model = Model {
    name: "MiniStack",
    variable: "EVENKEEL_MINISTACK_ENDPOINT",
    by: AccountBy::AccessKey,
    list: "ministack.txt",
};

const DYNAMODB_LOCAL: Model = Model {
    name: "DynamoDB Local",
    variable: "EVENKEEL_DYNAMODB_LOCAL_ENDPOINT",
    by: AccountBy::Nothing,
    list: "dynamodb-local.txt",
};

impl Model {
    /// Where it is; `None`, and said so, where none runs.
    fn endpoint(&self) -> Option<String> {
        let endpoint = std::env::var(self.variable).ok();
        if endpoint.is_none() {
            eprintln!(
                "skipped: {} is not set, so there is no {} to compare with (`make test` starts what this machine can)",
                self.variable, self.name
            );
        }
        endpoint
    }

    fn known(&self) -> Known {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = folder.join("tests/differential/known").join(self.list);
        Known::read(self.list, &std::fs::read_to_string(path).unwrap())
    }
}

/// Twelve digits for each sequence of each run, since one moto serves all tests.
fn account(seed: u64) -> String {
    let run = u64::from_str_radix(&evenkeel::entropy::Entropy::system().id()[..8], 16).unwrap();
    format!("{:06}{:06}", 100_000 + run % 900_000, seed % 1_000_000)
}

/// Plays sequences on a new twin and a new account of the other model each, and demands that they agree.
async fn against(
    model: &Model,
    fixed: Range<u64>,
    draw: fn(u64, &str) -> Vec<Call>,
    operations: &[&'static str],
    estate: Estate,
) {
    let Some(endpoint) = model.endpoint() else {
        return;
    };
    let mut known = model.known();
    let (seeds, asked) = seeds(fixed);
    let mut tally = Tally::of(operations);
    for seed in seeds {
        let account = account(seed);
        let (one, twin) = Side::twin(&account);
        let other = Side::at(model.name, &endpoint, &account, model.by);
        match estate {
            Estate::None => {}
            Estate::Databases => databases(&twin, &other).await,
            Estate::Topic => topic(&twin, &other).await,
        }
        let calls = draw(seed, &account);
        let normaliser = Normaliser::new(&account);
        tally
            .play((&one, &other), &calls, &normaliser, &mut known)
            .await;
    }
    eprintln!(
        "{} sequences, {} calls: {:?}",
        tally.sequences, tally.calls, tally.alike
    );
    tally.demand_agreement();
    if asked == Asked::Fixed {
        assert_eq!(known.stale(operations), Vec::<String>::new());
        tally.demand_coverage(operations, 5);
    }
}

/// What a sequence needs that no call of the twin makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Estate {
    None,
    Databases,
    Topic,
}

/// The same topic on both.
async fn topic(twin: &Twin, other: &Side) {
    let client = aws_sdk_sns::Client::new(&other.sdk);
    let made = client.create_topic().name(sns::TOPIC).send().await.unwrap();
    twin.world(|w| w.sns.add_topic(made.topic_arn().unwrap()));
}

/// An instance and a cluster, made at the other model; the twin begins with what that says of them,
/// so that the two differ only in what their own calls then do.
async fn databases(twin: &Twin, other: &Side) {
    let client = aws_sdk_rds::Client::new(&other.sdk);
    let instance = client
        .create_db_instance()
        .db_instance_identifier("postgres")
        .engine("postgres")
        .db_instance_class("db.t3.micro")
        .allocated_storage(20)
        .master_username("owner")
        .master_user_password("example-only")
        .backup_retention_period(1)
        .preferred_backup_window("03:00-03:30")
        .preferred_maintenance_window("sun:05:00-sun:05:30");
    instance.send().await.unwrap();
    let cluster = client
        .create_db_cluster()
        .db_cluster_identifier("aurora")
        .engine("aurora-postgresql")
        .master_username("owner")
        .master_user_password("example-only")
        .backup_retention_period(1)
        .preferred_backup_window("03:00-03:30")
        .preferred_maintenance_window("sun:05:00-sun:05:30");
    cluster.send().await.unwrap();
    let everything = json!({});
    for (operation, list) in [
        ("DescribeDBInstances", "DBInstances"),
        ("DescribeDBClusters", "DBClusters"),
    ] {
        let Answer::Done(described) = rds::send(other, operation, &everything).await else {
            panic!("{} describes no databases", other.name);
        };
        let database = described[list][0].clone();
        twin.world(|w| match list {
            "DBInstances" => w.rds.put_instance(database),
            _ => w.rds.put_cluster(database),
        });
    }
}

const ECS_AND_SCALING: &[&str] = &[
    "ecs.CreateCluster",
    "ecs.CreateService",
    "ecs.DeregisterTaskDefinition",
    "ecs.DescribeClusters",
    "ecs.DescribeServices",
    "ecs.DescribeTaskDefinition",
    "ecs.ListClusters",
    "ecs.ListServices",
    "ecs.ListTagsForResource",
    "ecs.ListTaskDefinitions",
    "ecs.RegisterTaskDefinition",
    "ecs.TagResource",
    "ecs.UntagResource",
    "ecs.UpdateService",
    "application-autoscaling.DeleteScalingPolicy",
    "application-autoscaling.DeleteScheduledAction",
    "application-autoscaling.DeregisterScalableTarget",
    "application-autoscaling.DescribeScalableTargets",
    "application-autoscaling.DescribeScalingPolicies",
    "application-autoscaling.DescribeScheduledActions",
    "application-autoscaling.PutScalingPolicy",
    "application-autoscaling.PutScheduledAction",
    "application-autoscaling.RegisterScalableTarget",
];

const ALARMS: &[&str] = &[
    "cloudwatch.DeleteAlarms",
    "cloudwatch.DescribeAlarms",
    "cloudwatch.ListTagsForResource",
    "cloudwatch.PutMetricAlarm",
    "cloudwatch.TagResource",
    "cloudwatch.UntagResource",
];

const DATABASES_AND_CALLER: &[&str] = &[
    "rds.DescribeDBClusters",
    "rds.DescribeDBInstances",
    "rds.ModifyDBCluster",
    "rds.ModifyDBInstance",
    "sts.GetCallerIdentity",
];

const NOTICES: &[&str] = &["sns.Publish"];

const TABLES: &[&str] = &[
    "dynamodb.CreateTable",
    "dynamodb.DeleteTable",
    "dynamodb.DescribeContinuousBackups",
    "dynamodb.DescribeTable",
    "dynamodb.DescribeTimeToLive",
    "dynamodb.ListTables",
    "dynamodb.UpdateContinuousBackups",
    "dynamodb.UpdateTable",
    "dynamodb.UpdateTimeToLive",
];

const DEPLOYMENTS: &[&str] = &[
    "ecs.DescribeServiceDeployments",
    "ecs.DescribeServiceRevisions",
    "ecs.ListServiceDeployments",
];

const ROWS: &[&str] = &[
    "dynamodb.BatchGetItem",
    "dynamodb.CreateTable",
    "dynamodb.DeleteItem",
    "dynamodb.DescribeTable",
    "dynamodb.DescribeTimeToLive",
    "dynamodb.GetItem",
    "dynamodb.PutItem",
    "dynamodb.Query",
    "dynamodb.TransactWriteItems",
    "dynamodb.UpdateItem",
    "dynamodb.UpdateTimeToLive",
];

#[tokio::test]
async fn the_twin_and_moto_agree_about_ecs_and_its_scaling_by_oracle() {
    let draw = draw_ecs::sequence;
    against(&MOTO, 0..100, draw, ECS_AND_SCALING, Estate::None).await;
}

#[tokio::test]
async fn the_twin_and_moto_agree_about_alarms_by_oracle() {
    let draw = draw_rest::alarms;
    against(&MOTO, 0..60, draw, ALARMS, Estate::None).await;
}

#[tokio::test]
async fn the_twin_and_moto_agree_about_databases_and_who_calls_by_oracle() {
    let draw = draw_rest::databases;
    against(&MOTO, 0..40, draw, DATABASES_AND_CALLER, Estate::Databases).await;
}

#[tokio::test]
async fn the_twin_and_moto_agree_about_tables_by_oracle() {
    let draw = draw_rest::tables;
    against(&MOTO, 0..40, draw, TABLES, Estate::None).await;
}

#[tokio::test]
async fn the_twin_and_moto_agree_about_what_is_published_by_oracle() {
    against(&MOTO, 0..40, sns::sequence, NOTICES, Estate::Topic).await;
}

#[tokio::test]
async fn the_twin_and_ministack_agree_about_service_deployments_by_oracle() {
    let draw = draw_ecs::deployments;
    against(&MINISTACK, 0..30, draw, DEPLOYMENTS, Estate::None).await;
}

#[tokio::test]
async fn the_embedded_engine_and_dynamodb_local_agree_about_the_stores_calls_by_oracle() {
    let Some(endpoint) = DYNAMODB_LOCAL.endpoint() else {
        return;
    };
    let mut known = DYNAMODB_LOCAL.known();
    let (seeds, asked) = seeds(0..60);
    let mut tally = Tally::of(ROWS);
    for seed in seeds {
        let table = account(seed);
        let http = embedded::http_client(embedded::Engine::memory().unwrap());
        let nowhere = Some("http://engine.invalid");
        let one = Side::through("the engine", http, nowhere, &table, AccountBy::Nothing);
        let other = Side::at("DynamoDB Local", &endpoint, &table, AccountBy::Nothing);
        let calls = draw_items::sequence(seed, &table);
        let normaliser = Normaliser::new(&table);
        tally
            .play((&one, &other), &calls, &normaliser, &mut known)
            .await;
    }
    eprintln!(
        "{} sequences, {} calls: {:?}",
        tally.sequences, tally.calls, tally.alike
    );
    tally.demand_agreement();
    if asked == Asked::Fixed {
        assert_eq!(known.stale(ROWS), Vec::<String>::new());
        tally.demand_coverage(ROWS, 5);
        tally.demand_refusals(&[
            ("dynamodb.PutItem", "ConditionalCheckFailedException"),
            ("dynamodb.UpdateItem", "ConditionalCheckFailedException"),
            (
                "dynamodb.TransactWriteItems",
                "TransactionCanceledException",
            ),
            (
                "dynamodb.TransactWriteItems",
                "IdempotentParameterMismatchException",
            ),
        ]);
    }
}

#[test]
fn every_line_of_a_list_is_about_an_operation_that_is_compared() {
    let moto = [
        ECS_AND_SCALING,
        ALARMS,
        DATABASES_AND_CALLER,
        NOTICES,
        TABLES,
    ]
    .concat();
    let ministack = DEPLOYMENTS.to_vec();
    for (model, compared) in [
        (MOTO, moto),
        (MINISTACK, ministack),
        (DYNAMODB_LOCAL, ROWS.to_vec()),
    ] {
        let known = model.known();
        for operation in known.operations() {
            assert!(compared.contains(&operation), "{}: {operation}", model.list);
        }
    }
}
