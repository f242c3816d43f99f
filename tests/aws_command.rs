//! The `aws` command: a client that no one here wrote drives the twin, on a socket, through every operation it offers.
//!
//! It speaks other protocols than the Rust SDK where a service has several (CloudWatch: JSON), parses
//! answers by AWS's own models, and checks its input against them before it sends anything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use evenkeel::clock::Clock;
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::operations::OFFERED;
use evenkeel::twin::rates::Throttling;
use evenkeel::twin::{Twin, server};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::aws_lines::{LINES, Line, Shows};

/// `None` where there is no such command on this machine.
fn aws() -> Option<PathBuf> {
    let found = std::env::var_os("EVENKEEL_AWS_COMMAND").map(PathBuf::from);
    if found.is_none() {
        eprintln!(
            "skipped: EVENKEEL_AWS_COMMAND is not set, so no aws command drives the twin (`make test` installs one)"
        );
    }
    found
}

/// A shop with one service behind a load balancer, a database, a cluster of databases and a table.
fn shop() -> Twin {
    let twin = Twin::new(Clock::system(), 7);
    let web = FargateService::new("shop", "web")
        .desired(2)
        .tag("team", "a");
    twin.world(|w| {
        w.rates.throttling = Throttling::Off;
        w.add_service(&web).unwrap();
        w.sns.add_topic("arn:aws:sns:us-east-1:123456789012:alerts");
        w.rds
            .put_instance(json!({"DBInstanceIdentifier": "postgres"}));
        w.rds.put_cluster(json!({"DBClusterIdentifier": "aurora"}));
        w.dynamodb.put_table(json!({"TableName": "sessions"}));
    });
    twin
}

/// The words of a command line: split at spaces outside of single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Runs one line, with nothing of this machine's own configuration.
fn run(aws: &Path, endpoint: &str, home: &Path, line: &str) -> Output {
    let mut command = Command::new(aws);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .args(["--endpoint-url", endpoint, "--output", "json"])
        .args(words(line))
        .output()
        .unwrap()
}

/// What is wrong with what a line printed.
fn fault(line: &Line, output: &Output) -> Option<String> {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    let wrong = |what: &str| Some(format!("aws {}\n  {what}\n  {out}{err}", line.command));
    match line.shows {
        Shows::Error(code) if output.status.success() => {
            wrong(&format!("did not fail with {code}"))
        }
        Shows::Error(code) if err.contains(&format!("({code})")) => None,
        Shows::Error(code) => wrong(&format!("does not say {code}")),
        _ if !output.status.success() => wrong("failed"),
        Shows::Nothing if out.trim().is_empty() => None,
        Shows::Nothing => wrong("printed something"),
        Shows::Member(pointer, wanted) => {
            let answer: Value = serde_json::from_str(&out).unwrap_or_default();
            let found = answer.pointer(pointer).map(|v| match v {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            match found {
                // What was drawn at random ends the text.
                Some(found)
                    if wanted
                        .strip_suffix("$any")
                        .is_some_and(|w| found.starts_with(w)) =>
                {
                    None
                }
                Some(found) if found == wanted => None,
                found => wrong(&format!("{pointer} is {found:?}, not {wanted}")),
            }
        }
    }
}

/// Runs the lines of one group of services in their order. `$deployment` and `$revision` are those
/// of the deployment that was listed last.
fn drive(aws: &Path, endpoint: &str, services: &[&str]) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let (mut faults, mut deployment, mut revision) = (Vec::new(), String::new(), String::new());
    for line in LINES {
        let service = line
            .operation
            .split_once('.')
            .map_or("", |(service, _)| service);
        if !services.contains(&service) {
            continue;
        }
        let text = line.command.replace("$deployment", &deployment);
        let text = text.replace("$revision", &revision);
        let output = run(aws, endpoint, home.path(), &text);
        faults.extend(fault(line, &output));
        if line.operation == "ecs.ListServiceDeployments" {
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let newest = &answer["serviceDeployments"][0];
            let member = |name: &str| newest[name].as_str().unwrap_or_default().to_owned();
            deployment = member("serviceDeploymentArn");
            revision = member("targetServiceRevisionArn");
        }
    }
    faults
}

#[test]
fn every_operation_that_the_twin_offers_has_a_line_of_the_aws_command() {
    let lines: BTreeSet<&str> = LINES.iter().map(|line| line.operation).collect();
    let offered: BTreeSet<&str> = OFFERED.iter().copied().collect();
    assert_eq!(lines, offered);
    for line in LINES {
        // `ecs.DescribeServices` is `aws ecs describe-services`.
        let mut named = String::new();
        let (service, operation) = line.operation.split_once('.').unwrap();
        for (at, c) in operation.replace("DB", "Db").char_indices() {
            if at > 0 && c.is_ascii_uppercase() {
                named.push('-');
            }
            named.push(c.to_ascii_lowercase());
        }
        let begins = format!("{service} {named} ");
        let command = format!("{} ", line.command);
        assert!(command.starts_with(&begins), "{command} is not {begins}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_command_drives_every_operation_of_the_twin_by_oracle() {
    let Some(aws) = aws() else { return };
    let twin = shop();
    twin.world(|w| w.cloudtrail.delay = std::time::Duration::ZERO);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(server::serve(
        twin.clone(),
        listener,
        std::future::pending(),
    ));
    // The command's start costs more than its call: two at a time, each with services of its own.
    let groups: [&[&str]; 2] = [
        &["ecs", "application-autoscaling", "cloudtrail"],
        &["cloudwatch", "dynamodb", "rds", "sns", "sts"],
    ];
    let mut running = Vec::new();
    for services in groups {
        let (aws, endpoint) = (aws.clone(), endpoint.clone());
        running.push(tokio::task::spawn_blocking(move || {
            drive(&aws, &endpoint, services)
        }));
    }
    let mut faults = Vec::new();
    for group in running {
        faults.extend(group.await.unwrap());
    }
    served.abort();
    assert!(
        faults.is_empty(),
        "{} lines went wrong:\n{}",
        faults.len(),
        faults.join("\n")
    );
    let made: BTreeSet<String> = twin.world(|w| w.calls.counts().into_keys().collect());
    let offered: BTreeSet<String> = OFFERED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(made, offered);
}
