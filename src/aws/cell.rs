//! Cells: one account and region, with its clients, its rate budget and its clock.

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::app_name::AppName;

use super::budget::Budget;
use super::call::{AwsError, read};
use super::door::{CALL_TIMEOUT, Door, Mode, NameTheCall, Role};
use crate::clock::Clock;
use crate::entropy::Entropy;

/// All that touches one account and region. Nothing global holds AWS state, so that one process
/// can hold several cells later.
#[derive(Debug)]
pub struct Cell {
    /// Twelve digits, from the caller's identity.
    pub account: String,
    /// Who calls: the ARN that STS gives, `arn:aws:iam::123456789012:user/alice`.
    pub caller: String,
    /// `us-east-1`.
    pub region: String,
    /// Whether this process may write.
    pub mode: Mode,
    /// ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// Application Auto Scaling.
    pub autoscaling: aws_sdk_applicationautoscaling::Client,
    /// CloudWatch.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// RDS: also Aurora, DocumentDB and Neptune.
    pub rds: aws_sdk_rds::Client,
    /// DynamoDB's control plane, for the estate's tables. The store has a client of its own.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// CloudTrail: only asked who did what.
    pub cloudtrail: aws_sdk_cloudtrail::Client,
    /// How fast it may call.
    pub budget: Budget,
    /// Its time.
    pub clock: Clock,
    /// Its randomness.
    pub entropy: Entropy,
}

/// A cell that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No region anywhere.
    #[error(
        "no AWS region is set; use --region, AWS_REGION, a profile, or `region:` in evenkeel.yaml"
    )]
    NoRegion,
    /// The identity could not be read.
    #[error("asking AWS who is calling: {0}")]
    Identity(#[source] AwsError),
    /// AWS answered without an account.
    #[error("asking AWS who is calling: the answer names no account")]
    NoAccount,
}

impl Cell {
    /// Asks STS which account the credentials in `sdk` belong to, and opens the cell there.
    /// `http` is the real way out (or the twin's connector); the cell puts its door in front.
    ///
    /// # Errors
    /// No region, or an identity that cannot be read.
    pub async fn connect(
        sdk: &SdkConfig,
        http: SharedHttpClient,
        mode: Mode,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, ConnectError> {
        let region = sdk.region().ok_or(ConnectError::NoRegion)?.to_string();
        let door = Door::new(Role::Estate(mode), clock.clone(), http);
        let sdk = through_door(sdk, door, &clock);
        let sts = aws_sdk_sts::Client::from_conf(
            aws_sdk_sts::config::Builder::from(&sdk)
                .interceptor(NameTheCall)
                .build(),
        );
        let mut cell = Self {
            account: String::new(),
            caller: String::new(),
            region,
            mode,
            ecs: aws_sdk_ecs::Client::from_conf(
                aws_sdk_ecs::config::Builder::from(&sdk)
                    .interceptor(NameTheCall)
                    .build(),
            ),
            autoscaling: aws_sdk_applicationautoscaling::Client::from_conf(
                aws_sdk_applicationautoscaling::config::Builder::from(&sdk)
                    .interceptor(NameTheCall)
                    .build(),
            ),
            cloudwatch: aws_sdk_cloudwatch::Client::from_conf(
                aws_sdk_cloudwatch::config::Builder::from(&sdk)
                    .interceptor(NameTheCall)
                    .build(),
            ),
            rds: aws_sdk_rds::Client::from_conf(
                aws_sdk_rds::config::Builder::from(&sdk)
                    .interceptor(NameTheCall)
                    .build(),
            ),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(
                aws_sdk_dynamodb::config::Builder::from(&sdk)
                    .interceptor(NameTheCall)
                    .build(),
            ),
            cloudtrail: aws_sdk_cloudtrail::Client::from_conf(
                aws_sdk_cloudtrail::config::Builder::from(&sdk)
                    .interceptor(NameTheCall)
                    .build(),
            ),
            budget: Budget::new(clock.clone()),
            clock,
            entropy,
        };
        let identity = read(&cell, "sts.GetCallerIdentity", "the caller", || {
            sts.get_caller_identity().send()
        })
        .await
        .map_err(ConnectError::Identity)?;
        cell.caller = identity.arn.unwrap_or_default();
        cell.account = identity.account.ok_or(ConnectError::NoAccount)?;
        Ok(cell)
    }
}

/// `sdk` with its requests going through `door`, one attempt each, and time from `clock`.
pub fn through_door(sdk: &SdkConfig, door: Door, clock: &Clock) -> SdkConfig {
    let mut sdk = sdk.to_builder();
    // By this word CloudTrail's events tell our writes from a person's.
    sdk.set_app_name(AppName::new("evenkeel").ok());
    sdk.http_client(door)
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(CALL_TIMEOUT)
                .operation_attempt_timeout(CALL_TIMEOUT)
                .build(),
        )
        .time_source(clock.clone())
        .build()
}
