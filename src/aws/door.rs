//! The door: the one way out to AWS, and the place where a write without a permit ends.
//!
//! Every HTTP request of every SDK client passes here, after signing. The door knows the service
//! and operation (an interceptor writes them on the request) and its own role. It never waits:
//! rate tokens are taken before the intent, so that no signature or lease ages in here.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use http_body_util::BodyExt as _;

use super::answer::{self, Sender};
use super::call::Permit;
use crate::clock::Clock;
use crate::model::operation::{Effect, operation};

/// Longest time from sending a request to giving up on its answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// What a lease must have left beyond [`CALL_TIMEOUT`] for a write to be sent under it.
pub const LEASE_MARGIN: Duration = Duration::from_secs(2);

/// Whether a lease that ends at `deadline` outlasts a write sent at `now`, answer and all (boot clock).
pub fn outlasts_a_write(deadline: Duration, now: Duration) -> bool {
    deadline.saturating_sub(now) > CALL_TIMEOUT + LEASE_MARGIN
}

/// Whether this process may write to AWS at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Writes pass with a permit.
    ReadWrite,
    /// No write passes.
    ReadOnly,
}

/// What a door is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The applications: reads of the operations table, writes with a permit.
    Estate(Mode),
    /// The store's table and nothing else; open in read-only mode, since reading history is.
    Store {
        /// The one table.
        table: String,
    },
    /// What fetches credentials: STS to take on a role, sign-in and metadata services. No API of the
    /// estate or the store.
    Credentials,
    /// Notices: publishes to one topic, and does nothing else.
    Notices {
        /// Its ARN.
        topic: String,
    },
}

/// Why the door did not let a request out. Nothing was sent.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// The request does not say what it is.
    #[error("the door refused a request that names no operation")]
    Nameless,
    /// The operation is not one that Evenkeel makes.
    #[error("the door refused {0}: it is not an operation that evenkeel makes")]
    UnknownOperation(String),
    /// A write in read-only mode.
    #[error("the door refused {0}: this is read-only mode")]
    ReadOnly(String),
    /// A write without a permit.
    #[error("the door refused {0}: it carries no permit from the ledger")]
    NoPermit(String),
    /// A permit for something else.
    #[error("the door refused {operation}: its permit is for {permitted}")]
    WrongPermit {
        /// What was to be sent.
        operation: String,
        /// What the permit admits.
        permitted: String,
    },
    /// A permit that was used already.
    #[error("the door refused {0}: its permit was used before")]
    UsedPermit(String),
    /// Too little of the lease is left to be sure that the answer comes under it.
    #[error("the door refused {0}: the lease ends too soon for it; it is planned again")]
    LeaseTooShort(String),
    /// The credentials' door was asked for something else.
    #[error("the credentials' door refused {0}: it is for fetching credentials only")]
    NotForCredentials(String),
    /// The store's door was asked for something that is not the store's.
    #[error("the store's door refused {0}: it is not an operation on the store's table {1}")]
    NotTheStore(String, String),
    /// The notices' door was asked for something else than publishing to its topic.
    #[error("the notices' door refused {0}: it is for publishing to {1} only")]
    NotANotice(String, String),
}

/// The name of a call, written on its request by [`NameTheCall`].
#[derive(Clone, Debug)]
struct CallName(String);

/// Puts `service.Operation` on each request of a client.
#[derive(Debug)]
pub struct NameTheCall;

impl Intercept for NameTheCall {
    fn name(&self) -> &'static str {
        "evenkeel::NameTheCall"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(metadata) = cfg.load::<Metadata>() {
            let service = match metadata.service() {
                "ECS" => "ecs",
                "Application Auto Scaling" => "application-autoscaling",
                "CloudWatch" => "cloudwatch",
                "RDS" => "rds",
                "DynamoDB" => "dynamodb",
                "STS" => "sts",
                "CloudTrail" => "cloudtrail",
                "SNS" => "sns",
                other => other,
            };
            let name = CallName(format!("{service}.{}", metadata.name()));
            context.request_mut().add_extension(name);
        }
        Ok(())
    }
}

/// An HTTP client that lets out only what its role allows.
#[derive(Clone, Debug)]
pub struct Door(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    role: Role,
    clock: Clock,
    http: SharedHttpClient,
}

impl Door {
    /// A door of `role` in front of `http`.
    pub fn new(role: Role, clock: Clock, http: SharedHttpClient) -> Self {
        Self(Arc::new(Inner { role, clock, http }))
    }

    fn admit(&self, request: &HttpRequest) -> Result<(), Refusal> {
        if self.0.role == Role::Credentials {
            return admit_credentials(request);
        }
        let name = match request.extension::<CallName>() {
            Some(CallName(name)) => name.clone(),
            None => return Err(Refusal::Nameless),
        };
        match &self.0.role {
            Role::Estate(mode) => self.admit_estate(*mode, name, request.extension::<Permit>()),
            Role::Store { table } => admit_store(table, name, request.body().bytes()),
            Role::Credentials => admit_credentials(request),
            Role::Notices { topic } => admit_notice(topic, name, request.body().bytes()),
        }
    }

    fn admit_estate(
        &self,
        mode: Mode,
        name: String,
        permit: Option<&Permit>,
    ) -> Result<(), Refusal> {
        let Some(op) = operation(&name) else {
            return Err(Refusal::UnknownOperation(name));
        };
        if op.effect == Effect::Read {
            return Ok(());
        }
        if mode == Mode::ReadOnly {
            return Err(Refusal::ReadOnly(name));
        }
        let Some(permit) = permit else {
            return Err(Refusal::NoPermit(name));
        };
        if permit.operation() != name {
            return Err(Refusal::WrongPermit {
                operation: name,
                permitted: permit.operation().to_owned(),
            });
        }
        if !outlasts_a_write(permit.lease_deadline(), self.0.clock.boot()) {
            return Err(Refusal::LeaseTooShort(name));
        }
        if !permit.use_up() {
            return Err(Refusal::UsedPermit(name));
        }
        Ok(())
    }
}

/// How STS gives credentials. Its requests are forms that begin with the operation's name.
const ROLE_TAKING: &[&str] = &[
    "Action=AssumeRole&",
    "Action=AssumeRoleWithSAML&",
    "Action=AssumeRoleWithWebIdentity&",
];

/// Credential providers make their own clients, which do not name their calls; so what is refused
/// here is what speaks a protocol of the estate's or the store's APIs.
fn admit_credentials(request: &HttpRequest) -> Result<(), Refusal> {
    let refused = |what: &str| Err(Refusal::NotForCredentials(what.to_owned()));
    if let Some(CallName(name)) = request.extension::<CallName>() {
        return refused(name);
    }
    for header in ["x-amz-target", "smithy-protocol"] {
        if let Some(value) = request.headers().get(header) {
            return refused(value);
        }
    }
    let body = request.body().bytes().unwrap_or_default();
    let taking = |form: &&str| body.starts_with(form.as_bytes());
    if body.starts_with(b"Action=") && !ROLE_TAKING.iter().any(taking) {
        let text = String::from_utf8_lossy(body);
        return refused(text.split('&').next().unwrap_or_default());
    }
    Ok(())
}

/// The store's operations. `CreateTable` and the two after it are for `evenkeel store create`.
const STORE_OPERATIONS: &[&str] = &[
    "dynamodb.BatchGetItem",
    "dynamodb.CreateTable",
    "dynamodb.DescribeTable",
    "dynamodb.GetItem",
    "dynamodb.PutItem",
    "dynamodb.Query",
    "dynamodb.TransactWriteItems",
    "dynamodb.UpdateContinuousBackups",
    "dynamodb.UpdateItem",
    "dynamodb.UpdateTable",
];

fn admit_store(table: &str, name: String, body: Option<&[u8]>) -> Result<(), Refusal> {
    let refused = || Refusal::NotTheStore(name.clone(), table.to_owned());
    if !STORE_OPERATIONS.contains(&name.as_str()) {
        return Err(refused());
    }
    let body: serde_json::Value = body
        .and_then(|b| serde_json::from_slice(b).ok())
        .ok_or_else(refused)?;
    let mut tables = Vec::new();
    collect_tables(&body, &mut tables);
    if tables.is_empty() || tables.iter().any(|t| *t != table) {
        return Err(refused());
    }
    Ok(())
}

/// A publication names its topic in a form (API reference, Publish).
fn admit_notice(topic: &str, name: String, body: Option<&[u8]>) -> Result<(), Refusal> {
    let body = body.unwrap_or_default();
    let values = |field: &str| -> Vec<String> {
        form_urlencoded::parse(body)
            .filter(|(key, _)| key == field)
            .map(|(_, value)| value.into_owned())
            .collect()
    };
    let other = !values("TargetArn").is_empty() || !values("PhoneNumber").is_empty();
    let sound = name == "sns.Publish"
        && values("Action") == ["Publish"]
        && values("TopicArn") == [topic]
        && !other;
    if sound {
        Ok(())
    } else {
        Err(Refusal::NotANotice(name, topic.to_owned()))
    }
}

/// Every table that a request names: `TableName` at the top or inside a transaction, and the keys
/// of `RequestItems`. Item attributes are not looked into.
fn collect_tables<'b>(body: &'b serde_json::Value, tables: &mut Vec<&'b str>) {
    if let Some(name) = body.get("TableName").and_then(|t| t.as_str()) {
        tables.push(name);
    }
    if let Some(items) = body.get("RequestItems").and_then(|i| i.as_object()) {
        tables.extend(items.keys().map(String::as_str));
    }
    for item in body
        .get("TransactItems")
        .and_then(|i| i.as_array())
        .into_iter()
        .flatten()
    {
        for part in item.as_object().into_iter().flat_map(|o| o.values()) {
            collect_tables(part, tables);
        }
    }
}

impl HttpClient for Door {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Threshold {
            door: self.clone(),
            inner: self.0.http.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct Threshold {
    door: Door,
    inner: SharedHttpConnector,
}

impl HttpConnector for Threshold {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.door.admit(&request) {
            Ok(()) => {
                let name = request.extension::<CallName>().cloned();
                let answer = self.inner.call(request);
                HttpConnectorFuture::new(async move { sound(name, answer.await?).await })
            }
            // `user` errors are never retried by the SDK.
            Err(refusal) => {
                HttpConnectorFuture::ready(Err(ConnectorError::user(Box::new(refusal))))
            }
        }
    }
}

/// What every answer of AWS carries, and no proxy's page.
const REQUEST_ID: &str = "x-amzn-requestid";

/// Lets in only what can be AWS's whole answer: see [`answer`].
async fn sound(
    name: Option<CallName>,
    mut response: HttpResponse,
) -> Result<HttpResponse, ConnectorError> {
    let Some(CallName(name)) = name.filter(|_| response.status().is_success()) else {
        return Ok(response);
    };
    let protocol = response.headers().get("smithy-protocol");
    answer::check_protocol(&name, protocol)
        .map_err(|why| ConnectorError::other(Box::new(why), None))?;
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let body = body
        .collect()
        .await
        .map_err(|error| ConnectorError::other(error, None))?
        .to_bytes();
    let sender = match response.headers().get(REQUEST_ID) {
        Some(_) => Sender::Aws,
        None => Sender::Nobody,
    };
    answer::check(&name, sender, &body)
        .map_err(|why| ConnectorError::other(Box::new(why), None))?;
    *response.body_mut() = SdkBody::from(body);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::budget::Budget;
    use jiff::Timestamp;

    fn body(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    async fn door_and_permit(deadline: Duration) -> (Door, Permit) {
        let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        let token = Budget::new(clock.clone()).take("ecs.UpdateService").await;
        let nowhere = aws_smithy_runtime_api::client::http::http_client_fn(|_, _| {
            SharedHttpConnector::new(Nowhere)
        });
        let door = Door::new(Role::Estate(Mode::ReadWrite), clock, nowhere);
        let permit = Permit::issue("i", "ecs.UpdateService", "c/s", deadline, token);
        (door, permit)
    }

    #[derive(Debug)]
    struct Nowhere;
    impl HttpConnector for Nowhere {
        fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
            HttpConnectorFuture::ready(Err(ConnectorError::io("nowhere".into())))
        }
    }

    #[test]
    fn the_credentials_door_lets_out_what_fetches_credentials_and_no_call_of_an_estate() {
        let form = |text: &'static str| HttpRequest::new(SdkBody::from(text));
        assert_eq!(
            admit_credentials(&form("Action=AssumeRole&Version=2011-06-15")),
            Ok(())
        );
        assert_eq!(admit_credentials(&form("")), Ok(()));
        let refused = |request: &HttpRequest| {
            matches!(
                admit_credentials(request),
                Err(Refusal::NotForCredentials(_))
            )
        };
        assert!(refused(&form(
            "Action=ModifyDBInstance&DBInstanceIdentifier=x"
        )));
        let mut update = form("{}");
        update.headers_mut().insert(
            "x-amz-target",
            "AmazonEC2ContainerServiceV20141113.UpdateService",
        );
        assert!(refused(&update));
        let mut put = form("");
        put.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
        assert!(refused(&put));
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_admits_one_request_of_its_operation() {
        let (door, permit) = door_and_permit(Duration::from_secs(30)).await;
        let mode = Mode::ReadWrite;
        let update = || "ecs.UpdateService".to_owned();
        assert!(matches!(
            door.admit_estate(mode, "ecs.RegisterTaskDefinition".into(), Some(&permit)),
            Err(Refusal::WrongPermit { .. })
        ));
        assert_eq!(door.admit_estate(mode, update(), Some(&permit)), Ok(()));
        assert_eq!(
            door.admit_estate(mode, update(), Some(&permit)),
            Err(Refusal::UsedPermit(update()))
        );
        assert_eq!(
            door.admit_estate(mode, update(), None),
            Err(Refusal::NoPermit(update()))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_is_refused_when_the_lease_could_end_before_the_answer() {
        let (door, permit) = door_and_permit(CALL_TIMEOUT + LEASE_MARGIN).await;
        let name = "ecs.UpdateService".to_owned();
        assert_eq!(
            door.admit_estate(Mode::ReadWrite, name.clone(), Some(&permit)),
            Err(Refusal::LeaseTooShort(name))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn read_only_mode_lets_no_write_out_whatever_it_carries() {
        let (door, permit) = door_and_permit(Duration::from_secs(30)).await;
        let name = "ecs.UpdateService".to_owned();
        assert_eq!(
            door.admit_estate(Mode::ReadOnly, name.clone(), Some(&permit)),
            Err(Refusal::ReadOnly(name))
        );
    }

    #[test]
    fn the_notices_door_publishes_to_its_own_topic_only() {
        let topic = "arn:aws:sns:us-east-1:123456789012:a";
        let form = |rest: &str| body(&format!("Action=Publish&Version=2010-03-31&{rest}"));
        let ask =
            |name: &str, rest: &str| admit_notice(topic, name.to_owned(), form(rest).as_deref());
        let own = "TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A123456789012%3Aa&Message=m";
        assert_eq!(ask("sns.Publish", own), Ok(()));
        assert!(ask("sns.DeleteTopic", own).is_err());
        assert!(
            ask(
                "sns.Publish",
                "TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A123456789012%3Ab"
            )
            .is_err()
        );
        assert!(ask("sns.Publish", &format!("{own}&PhoneNumber=1")).is_err());
        assert!(ask("sns.Publish", &format!("{own}&TopicArn=b")).is_err());
    }

    #[test]
    fn the_stores_door_admits_its_own_table_only() {
        let put = || "dynamodb.PutItem".to_owned();
        let own = body(r#"{"TableName":"t","Item":{"TableName":{"S":"other"}}}"#);
        assert_eq!(admit_store("t", put(), own.as_deref()), Ok(()));
        let other = body(r#"{"TableName":"u"}"#);
        assert!(admit_store("t", put(), other.as_deref()).is_err());
        let mixed =
            body(r#"{"TransactItems":[{"Put":{"TableName":"t"}},{"Update":{"TableName":"u"}}]}"#);
        assert!(admit_store("t", "dynamodb.TransactWriteItems".into(), mixed.as_deref()).is_err());
        assert!(admit_store("t", "dynamodb.DeleteTable".into(), own.as_deref()).is_err());
    }
}
