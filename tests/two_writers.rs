//! Two writers: two processes that apply one app at once; one writes, the other says who does.

use std::process::Command;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use evenkeel::clock::Clock;
use evenkeel::entropy::Entropy;
use evenkeel::store::{Protection, Store, StoreConfig};
use evenkeel::twin::faults::Fault;

use crate::process::estate::{SHOP, shop};
use crate::process::{Bench, Ended, LIMIT, Running, until};

/// Starts `first`, and `second` once the first is in the middle of two writes that take eight
/// seconds each: whoever watches its lease sees it move between them. Gives both ends.
fn one_after_the_other(bench: &Bench, first: Command, second: Command) -> (Ended, Ended) {
    let write = "application-autoscaling.RegisterScalableTarget";
    bench.twin.world(|w| {
        for name in [write, "application-autoscaling.PutScalingPolicy"] {
            w.faults.next(name, Fault::Delay(Duration::from_secs(8)));
        }
    });
    let first = Running::start(first);
    until("the first is in the middle of a write", LIMIT, || {
        bench.calls().iter().any(|name| name == write).then_some(())
    });
    let second = Running::start(second).wait(LIMIT);
    (first.wait(LIMIT), second)
}

#[track_caller]
fn assert_who_and_what_to_do(loser: &Ended) {
    let said = loser.all();
    assert_eq!(loser.code, Some(3), "{said}");
    for word in ["shop", "@", "lock list"] {
        assert!(said.contains(word), "{word} is not said:\n{said}");
    }
}

#[test]
fn on_one_embedded_store_the_second_says_who_holds_the_lease_and_writes_nothing() {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", SHOP);
    let apply = || bench.evenkeel(["apply", "--yes"]);
    let (first, second) = one_after_the_other(&bench, apply(), apply());
    first.expect(0);
    assert_who_and_what_to_do(&second);
    let registered = bench
        .twin
        .world(|w| w.calls.of("ecs.RegisterTaskDefinition").count());
    assert_eq!(registered, 1);
    bench.run(["history", "--verify"]).expect(0);
}

#[test]
fn two_that_make_the_store_at_once_leave_one_whole_history() {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", SHOP);
    assert!(!bench.store().exists());
    let start = || Running::start(bench.evenkeel(["apply", "--yes"]));
    let (first, second) = (start(), start());
    let ends = [first.wait(LIMIT), second.wait(LIMIT)];
    // Which of them is second is luck here; it may also come when all is done.
    assert!(
        ends.iter().any(|end| end.code == Some(0)),
        "{}{}",
        ends[0].all(),
        ends[1].all()
    );
    for end in &ends {
        match end.code {
            Some(0) => {}
            // It looked before the other's write showed, and read of it in the history.
            Some(3) if end.out.contains("written a moment ago") => {}
            Some(3) => assert_who_and_what_to_do(end),
            _ => panic!("{}", end.all()),
        }
    }
    let registered = bench
        .twin
        .world(|w| w.calls.of("ecs.RegisterTaskDefinition").count());
    assert_eq!(registered, 1);
    bench.run(["history", "--verify"]).expect(0);
    bench.run(["plan"]).expect(0);
}

/// The store's table, made as its own command makes it, less what DynamoDB Local has not got.
async fn make_table(endpoint: &str, table: &str) {
    let keys = Credentials::new("AKIAEXAMPLE", "example-only", None, None, "test");
    let http = aws_smithy_http_client::Builder::new().build_http();
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .endpoint_url(endpoint)
        .build();
    let store = Store::new(StoreConfig {
        sdk,
        http,
        table: table.to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        holder: "test@here/1".to_owned(),
        clock: Clock::system(),
        entropy: Entropy::system(),
    });
    store.create_table(Protection::Embedded).await.unwrap();
}

#[test]
fn on_dynamodb_local_the_second_says_who_holds_the_lease_and_writes_nothing() {
    let Ok(local) = std::env::var("EVENKEEL_DYNAMODB_LOCAL_ENDPOINT") else {
        eprintln!(
            "skipped: EVENKEEL_DYNAMODB_LOCAL_ENDPOINT is not set, so there is no DynamoDB Local for two writers to meet on"
        );
        return;
    };
    let table = format!("evenkeel-{}", Entropy::system().id());
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(make_table(&local, &table));
    let bench = Bench::new(shop);
    // Less the table: the estate's DynamoDB is the store's here.
    let documents = SHOP.rsplit_once("---").unwrap().0;
    bench.save("desired-state/shop.yaml", documents);
    let command = |words: &[&str]| {
        let mut command = bench.unpointed(words);
        command
            .args(["--store", &format!("dynamodb:{table}")])
            .env("AWS_ENDPOINT_URL", bench.endpoint())
            .env("AWS_ENDPOINT_URL_DYNAMODB", &local);
        command
    };
    let apply = || command(&["apply", "--yes"]);
    let (first, second) = one_after_the_other(&bench, apply(), apply());
    first.expect(0);
    assert_who_and_what_to_do(&second);
    let registered = bench
        .twin
        .world(|w| w.calls.of("ecs.RegisterTaskDefinition").count());
    assert_eq!(registered, 1);
    let history = command(&["history", "--verify"]);
    Running::start(history).wait(LIMIT).expect(0);
}
