//! Sides: the same SDK clients before the twin and before another model of AWS, and what each of the two answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use bytes::Bytes;
use evenkeel::clock::Clock;
use evenkeel::twin::rates::Throttling;
use evenkeel::twin::{Twin, cbor};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::xml;

/// One call, in the members of AWS's own model: what is printed when the sides differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// `ecs`.
    pub service: &'static str,
    /// `DescribeServices`.
    pub operation: &'static str,
    /// The input shape. A text such as `$deployment` is what that side gave out for it.
    pub input: Value,
}

pub fn call(service: &'static str, operation: &'static str, input: Value) -> Call {
    Call {
        service,
        operation,
        input,
    }
}

impl Call {
    pub fn name(&self) -> String {
        format!("{}.{}", self.service, self.operation)
    }

    /// Whether it can leave the two sides with different worlds.
    pub fn writes(&self) -> bool {
        let reads = ["Describe", "List", "Get", "BatchGet", "Query", "Scan"];
        !reads.iter().any(|read| self.operation.starts_with(read))
    }
}

/// What a side said.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The output shape, as it came over the wire.
    Done(Value),
    /// The code that the SDK read, the HTTP status, and the members of the error besides its text.
    Refused(String, u16, Value),
}

/// How a model tells accounts apart: each sequence of calls has one of its own, new and empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountBy {
    /// It does not.
    Nothing,
    /// moto: a header.
    Header,
    /// MiniStack: an access key of twelve digits.
    AccessKey,
}

/// One of the two that are compared.
pub struct Side {
    pub name: &'static str,
    pub sdk: SdkConfig,
    tape: Tape,
    /// What this side gave out, by the name that calls use for it.
    given: Mutex<BTreeMap<&'static str, String>>,
}

type Tape = Arc<Mutex<Option<(u16, String, Bytes)>>>;

impl Side {
    /// A new twin, whose rollouts take no time and whose buckets never refuse.
    pub fn twin(account: &str) -> (Self, Twin) {
        let clock = Clock::virtual_at("2026-11-23T12:00:00Z".parse().unwrap());
        let twin = Twin::new(clock, 7);
        twin.world(|w| {
            account.clone_into(&mut w.account);
            w.rates.throttling = Throttling::Off;
            w.ecs.rollouts.duration = std::time::Duration::ZERO;
            w.ecs.rollouts.count_change = std::time::Duration::ZERO;
            w.rds.modifying_for = std::time::Duration::ZERO;
        });
        let side = Self::through(
            "twin",
            twin.http_client(),
            None,
            account,
            AccountBy::Nothing,
        );
        (side, twin)
    }

    /// A model behind an endpoint.
    pub fn at(name: &'static str, endpoint: &str, account: &str, by: AccountBy) -> Self {
        let http = aws_smithy_http_client::Builder::new().build_http();
        Self::through(name, http, Some(endpoint), account, by)
    }

    /// A model behind any HTTP client.
    pub fn through(
        name: &'static str,
        http: SharedHttpClient,
        endpoint: Option<&str>,
        account: &str,
        by: AccountBy,
    ) -> Self {
        let tape = Tape::default();
        let key = if by == AccountBy::AccessKey {
            account
        } else {
            "AKIDEXAMPLE"
        };
        let keys = Credentials::new(key, "secret", None, None, "test");
        let mut sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .retry_config(RetryConfig::disabled())
            .http_client(SharedHttpClient::new(Recording {
                inner: http,
                account: (by == AccountBy::Header).then(|| account.to_owned()),
                tape: tape.clone(),
            }));
        sdk.set_endpoint_url(endpoint.map(str::to_owned));
        Self {
            name,
            sdk: sdk.build(),
            tape,
            given: Mutex::default(),
        }
    }

    /// The answer behind what the SDK made of it. Panics where the SDK could not read one.
    pub fn answer<T, E>(&self, said: Result<T, SdkError<E, HttpResponse>>) -> Answer
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (status, kind, body) = self.tape.lock().unwrap().take().unwrap_or_default();
        match said {
            Ok(_) => Answer::Done(tree(&kind, &body)),
            Err(SdkError::ServiceError(error)) => {
                let code = error.err().code().unwrap_or("no code").to_owned();
                let mut members = tree(&kind, &body);
                if let Value::Object(all) = &mut members {
                    all.retain(|name, _| name == "CancellationReasons" || name == "Item");
                } else {
                    members = json!({});
                }
                Answer::Refused(code, status, members)
            }
            Err(other) => panic!(
                "the SDK made nothing of an answer of {}: {}; {status} {}",
                self.name,
                DisplayErrorContext(&other),
                String::from_utf8_lossy(&body)
            ),
        }
    }

    /// Keeps what later calls name as `$name`.
    pub fn give(&self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.given.lock().unwrap().insert(name, value.to_owned());
        }
    }

    /// The input with what this side gave out in the place of its names.
    pub fn filled(&self, input: &Value) -> Value {
        match input {
            Value::String(text) => {
                let name = text.strip_prefix('$').unwrap_or_default();
                let given = self.given.lock().unwrap();
                Value::String(given.get(name).unwrap_or(text).clone())
            }
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.filled(value)))
                .collect(),
            other => other.clone(),
        }
    }
}

fn tree(kind: &str, body: &Bytes) -> Value {
    if body.is_empty() {
        return json!({});
    }
    if kind.contains("cbor") {
        return cbor::decode(body).unwrap();
    }
    if kind.contains("xml") {
        return xml::result_of(&String::from_utf8_lossy(body));
    }
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

/// An HTTP client that keeps its last answer.
#[derive(Clone, Debug)]
struct Recording {
    inner: SharedHttpClient,
    account: Option<String>,
    tape: Tape,
}

impl HttpClient for Recording {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(RecordingConnector {
            inner: self.inner.http_connector(settings, components),
            account: self.account.clone(),
            tape: self.tape.clone(),
        })
    }
}

#[derive(Debug)]
struct RecordingConnector {
    inner: SharedHttpConnector,
    account: Option<String>,
    tape: Tape,
}

impl HttpConnector for RecordingConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if let Some(account) = &self.account {
            request
                .headers_mut()
                .insert("x-moto-account-id", account.clone());
        }
        let (answer, tape) = (self.inner.call(request), self.tape.clone());
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
            let body = body.collect().await.map_err(ConnectorError::user)?;
            let body = body.to_bytes();
            *answer.body_mut() = SdkBody::from(body.clone());
            let kind = answer.headers().get("content-type").unwrap_or_default();
            let kept = (answer.status().as_u16(), kind.to_owned(), body);
            *tape.lock().unwrap() = Some(kept);
            Ok(answer)
        })
    }
}
