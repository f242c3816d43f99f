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
mod dynamodb;
mod ecs;
mod input;
mod known;
mod play;
mod rds;
mod sides;
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

fn moto() -> Option<String> {
    let endpoint = std::env::var("EVENKEEL_MOTO_ENDPOINT").ok();
    if endpoint.is_none() {
        eprintln!(
            "skipped: EVENKEEL_MOTO_ENDPOINT is not set, so there is no moto to compare the twin with (`make test` starts one)"
        );
    }
    endpoint
}

/// Twelve digits for each sequence of each run, since one moto serves all tests.
fn account(seed: u64) -> String {
    let run = u64::from_str_radix(&evenkeel::entropy::Entropy::system().id()[..8], 16).unwrap();
    format!("{:06}{:06}", 100_000 + run % 900_000, seed % 1_000_000)
}

/// Plays sequences on a new twin and a new account of moto each, and demands that they agree.
async fn against_moto(
    fixed: Range<u64>,
    draw: fn(u64, &str) -> Vec<Call>,
    services: &[&str],
    operations: &[&str],
    estate: Estate,
) {
    let Some(endpoint) = moto() else { return };
    let mut known = Known::read("known/moto.txt", include_str!("known/moto.txt"));
    let (seeds, asked) = seeds(fixed);
    let mut tally = Tally::default();
    for seed in seeds {
        let account = account(seed);
        let (one, twin) = Side::twin(&account);
        let other = Side::at("moto", &endpoint, &account, AccountBy::Header);
        if estate == Estate::Databases {
            databases(&twin, &other).await;
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
        assert_eq!(known.stale(services), Vec::<String>::new());
        tally.demand_coverage(operations, 5);
    }
}

/// What a sequence needs that no call of the twin makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Estate {
    None,
    Databases,
}

/// An instance and a cluster, made at moto; the twin begins with what moto says of them, so that
/// the two differ only in what their own calls then do.
async fn databases(twin: &Twin, moto: &Side) {
    let client = aws_sdk_rds::Client::new(&moto.sdk);
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
        let Answer::Done(described) = rds::send(moto, operation, &everything).await else {
            panic!("moto describes no databases");
        };
        let database = described[list][0].clone();
        twin.world(|w| match list {
            "DBInstances" => w.rds.put_instance(database),
            _ => w.rds.put_cluster(database),
        });
    }
}

#[tokio::test]
async fn the_twin_and_moto_agree_about_ecs_and_its_scaling_by_oracle() {
    let operations = [
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
    let services = ["ecs", "application-autoscaling"];
    let draw = draw_ecs::sequence;
    against_moto(0..100, draw, &services, &operations, Estate::None).await;
}

#[tokio::test]
async fn the_twin_and_moto_agree_about_alarms_by_oracle() {
    let operations = [
        "cloudwatch.DeleteAlarms",
        "cloudwatch.DescribeAlarms",
        "cloudwatch.ListTagsForResource",
        "cloudwatch.PutMetricAlarm",
        "cloudwatch.TagResource",
        "cloudwatch.UntagResource",
    ];
    let draw = draw_rest::alarms;
    against_moto(0..60, draw, &["cloudwatch"], &operations, Estate::None).await;
}

#[tokio::test]
async fn the_twin_and_moto_agree_about_databases_and_who_calls_by_oracle() {
    let operations = [
        "rds.DescribeDBClusters",
        "rds.DescribeDBInstances",
        "rds.ModifyDBCluster",
        "rds.ModifyDBInstance",
        "sts.GetCallerIdentity",
    ];
    let draw = draw_rest::databases;
    against_moto(0..40, draw, &["rds", "sts"], &operations, Estate::Databases).await;
}

#[tokio::test]
async fn the_twin_and_moto_agree_about_tables_by_oracle() {
    let operations = [
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
    let draw = draw_rest::tables;
    against_moto(0..40, draw, &["dynamodb"], &operations, Estate::None).await;
}

#[tokio::test]
async fn the_embedded_engine_and_dynamodb_local_agree_about_the_stores_calls_by_oracle() {
    let Ok(endpoint) = std::env::var("EVENKEEL_DYNAMODB_LOCAL_ENDPOINT") else {
        eprintln!(
            "skipped: EVENKEEL_DYNAMODB_LOCAL_ENDPOINT is not set, so there is no DynamoDB Local to compare the engine with (`make test` starts one where Java 17 and npm are there)"
        );
        return;
    };
    let list = include_str!("known/dynamodb-local.txt");
    let mut known = Known::read("known/dynamodb-local.txt", list);
    let (seeds, asked) = seeds(0..80);
    let mut tally = Tally::default();
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
        assert_eq!(known.stale(&["dynamodb"]), Vec::<String>::new());
        let operations = [
            "dynamodb.BatchGetItem",
            "dynamodb.CreateTable",
            "dynamodb.DeleteItem",
            "dynamodb.DescribeTable",
            "dynamodb.GetItem",
            "dynamodb.PutItem",
            "dynamodb.Query",
            "dynamodb.TransactWriteItems",
            "dynamodb.UpdateItem",
        ];
        tally.demand_coverage(&operations, 20);
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
