//! A trial: the data services' models behind the SDK's own clients, for the models' tests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::cloudwatch::CloudWatch;
use super::dynamodb::DynamoDb;
use super::rds::Rds;
use super::sts::Sts;
use super::wire::{CallContext, TwinError};
use super::{cbor, query};
use crate::clock::Clock;

/// The models of the data services.
#[derive(Debug, Default)]
pub(super) struct Models {
    pub(super) cloudwatch: CloudWatch,
    pub(super) rds: Rds,
    pub(super) sts: Sts,
    pub(super) dynamodb: DynamoDb,
}

/// Models and a clock that starts on Monday 2026-11-23, 12:00 UTC.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    models: Arc<Mutex<Models>>,
    clock: Clock,
}

impl Trial {
    pub(super) fn new() -> Self {
        Self {
            models: Arc::default(),
            clock: Clock::virtual_at("2026-11-23T12:00:00Z".parse().unwrap()),
        }
    }

    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Models) -> R) -> R {
        f(&mut self.models.lock().unwrap())
    }

    pub(super) async fn pass(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    fn http_client(&self) -> SharedHttpClient {
        let trial = self.clone();
        http_client_fn(move |_, _| SharedHttpConnector::new(trial.clone()))
    }

    pub(super) fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        let config = aws_sdk_cloudwatch::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .time_source(self.clock.clone())
            .http_client(self.http_client());
        aws_sdk_cloudwatch::Client::from_conf(config.build())
    }

    pub(super) fn rds(&self) -> aws_sdk_rds::Client {
        let config = aws_sdk_rds::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .time_source(self.clock.clone())
            .http_client(self.http_client());
        aws_sdk_rds::Client::from_conf(config.build())
    }

    pub(super) fn sts(&self) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .time_source(self.clock.clone())
            .http_client(self.http_client());
        aws_sdk_sts::Client::from_conf(config.build())
    }

    pub(super) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .time_source(self.clock.clone())
            .http_client(self.http_client());
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    fn answer(&self, request: &HttpRequest) -> (u16, Vec<u8>) {
        let cx = CallContext {
            now: self.clock.now(),
            account: "123456789012",
            region: "us-east-1",
        };
        let body = request.body().bytes().unwrap();
        let status = |outcome: &Result<Value, TwinError>| match outcome {
            Ok(_) => 200,
            Err(error) => error.status,
        };
        let mut models = self.models.lock().unwrap();
        if let Some(target) = request.headers().get("x-amz-target") {
            let operation = target.rsplit('.').next().unwrap();
            let input = serde_json::from_slice(body).unwrap();
            let outcome = models.dynamodb.call(operation, &input, &cx);
            let body = match &outcome {
                Ok(value) => value.to_string(),
                Err(error) => json!({"__type": error.code, "message": error.message}).to_string(),
            };
            return (status(&outcome), body.into_bytes());
        }
        if let Some(protocol) = request.headers().get("smithy-protocol") {
            assert_eq!(protocol, "rpc-v2-cbor");
            let operation = request.uri().rsplit('/').next().unwrap();
            let outcome = models
                .cloudwatch
                .call(operation, &cbor::decode(body).unwrap(), &cx);
            let body = match &outcome {
                Ok(value) => cbor::encode(value),
                Err(error) => cbor::encode_error(&error.code, &error.message),
            };
            return (status(&outcome), body);
        }
        let service = if request.uri().contains("rds") {
            "rds"
        } else {
            "sts"
        };
        let (operation, input) = query::decode(service, body).unwrap();
        let outcome = match service {
            "rds" => models.rds.call(&operation, &input, &cx),
            _ => models.sts.call(&operation, &input, &cx),
        };
        let body = match &outcome {
            Ok(value) => query::encode(service, &operation, value, "id"),
            Err(error) => query::encode_error(service, error, "id"),
        };
        (status(&outcome), body)
    }
}

impl HttpConnector for Trial {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (status, body) = self.answer(&request);
        let status = status.try_into().unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        response
            .headers_mut()
            .insert("smithy-protocol", "rpc-v2-cbor");
        HttpConnectorFuture::ready(Ok(response))
    }
}
