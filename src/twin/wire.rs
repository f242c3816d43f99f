//! Wire: turns a request of any AWS protocol into (service, operation, input) and an answer back into bytes.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{cbor, query};

/// What a service model may know of the call besides its input.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// Wall time at AWS.
    pub now: Timestamp,
    /// Twelve digits.
    pub account: &'a str,
    /// `us-east-1`.
    pub region: &'a str,
}

/// An error answer of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinError {
    /// The error's shape name, `ServiceNotFoundException`, or its code in the query protocol.
    pub code: String,
    /// HTTP status.
    pub status: u16,
    /// The text that AWS gives.
    pub message: String,
    /// Other members of the error's shape, such as DynamoDB's `CancellationReasons`.
    pub more: Map<String, Value>,
}

impl TwinError {
    /// A caller's error: HTTP 400.
    pub fn client(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            status: 400,
            message: message.into(),
            more: Map::new(),
        }
    }

    /// The answer to an operation that this model does not have.
    pub fn unknown_operation(service: &str, operation: &str) -> Self {
        Self::client(
            "UnknownOperationException",
            format!("the twin does not model {service}.{operation}"),
        )
    }

    /// AWS's own failure: HTTP 500, in the shape that each service uses.
    pub fn internal(service: &str) -> Self {
        let code = match service {
            "ecs" => "ServerException",
            "application-autoscaling" => "InternalServiceException",
            "dynamodb" => "InternalServerError",
            _ => "InternalFailure",
        };
        Self {
            status: 500,
            ..Self::client(code, "the twin was told to fail")
        }
    }

    /// The answer to a caller who is too fast, in the shape that each service uses.
    pub fn throttled(service: &str) -> Self {
        let code = match service {
            "cloudwatch" | "rds" | "sts" | "sns" => "Throttling",
            _ => "ThrottlingException",
        };
        Self::client(code, "Rate exceeded")
    }
}

/// How the caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// awsJson, with its version as in the content type: `1.0` or `1.1`.
    Json(&'static str),
    /// rpc-v2-cbor.
    Cbor,
    /// Form-encoded in, XML out.
    Query,
}

/// Who calls, as far as a request shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The access key that signed it; empty when nothing did.
    pub access_key: String,
    /// What the caller calls itself.
    pub agent: String,
    /// Where it comes from.
    pub address: String,
}

/// A request, understood.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// As in the operations table: `ecs`.
    pub service: &'static str,
    /// `UpdateService`.
    pub operation: String,
    /// The input shape as JSON, whatever the protocol.
    pub input: Value,
    /// How to answer.
    pub protocol: Protocol,
    /// Who asks.
    pub caller: Caller,
}

impl Incoming {
    /// `ecs.UpdateService`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.service, self.operation)
    }
}

/// The service behind a target prefix or an rpc-v2 service name.
fn service_of(target: &str) -> Option<&'static str> {
    Some(match target {
        "AmazonEC2ContainerServiceV20141113" => "ecs",
        "AnyScaleFrontendService" => "application-autoscaling",
        "DynamoDB_20120810" => "dynamodb",
        "GraniteServiceVersion20100801" => "cloudwatch",
        // The SDKs send the short one, the API reference shows the long one.
        "CloudTrail_20131101" | "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101" => {
            "cloudtrail"
        }
        _ => return None,
    })
}

/// Who signed a request, and what they call themselves: `Credential=AKID/20261123/...`.
fn caller(headers: &HeaderMap) -> Caller {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = said("authorization").and_then(|text| text.split("Credential=").nth(1));
    let key = signed.and_then(|scope| scope.split('/').next());
    let agent = said("x-amz-user-agent").or_else(|| said("user-agent"));
    Caller {
        access_key: key.unwrap_or_default().to_owned(),
        agent: agent.unwrap_or_default().to_owned(),
        // All who reach the twin are on its own machine, or in its process.
        address: "127.0.0.1".to_owned(),
    }
}

/// The service that a signature was made for: `Credential=AKID/20261123/us-east-1/rds/aws4_request`.
fn signed_service(headers: &HeaderMap) -> Option<&'static str> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let scope = authorization.split("Credential=").nth(1)?;
    match scope.split(',').next()?.split('/').nth(3)? {
        "rds" => Some("rds"),
        "sts" => Some("sts"),
        "sns" => Some("sns"),
        "monitoring" => Some("cloudwatch"),
        _ => None,
    }
}

/// Understands a request.
///
/// # Errors
/// A request that none of the modelled services would take, with the protocol to say so in.
pub fn read(request: &Request<Bytes>) -> Result<Incoming, (Protocol, TwinError)> {
    let header = |name| request.headers().get(name).and_then(|v| v.to_str().ok());
    let content_type = header("content-type").unwrap_or_default();
    if let Some(target) = header("x-amz-target") {
        let protocol = if content_type.contains("json-1.1") {
            Protocol::Json("1.1")
        } else {
            Protocol::Json("1.0")
        };
        let unknown = || (protocol, TwinError::unknown_operation("?", target));
        let (prefix, operation) = target.rsplit_once('.').ok_or_else(unknown)?;
        let service = service_of(prefix).ok_or_else(unknown)?;
        let body: &[u8] = if request.body().is_empty() {
            b"{}"
        } else {
            request.body()
        };
        let input = serde_json::from_slice(body).map_err(|err| {
            let text = format!("the body is not JSON: {err}");
            (protocol, TwinError::client("SerializationException", text))
        })?;
        return Ok(Incoming {
            service,
            operation: operation.to_owned(),
            input,
            protocol,
            caller: caller(request.headers()),
        });
    }
    if header("smithy-protocol") == Some("rpc-v2-cbor") {
        let protocol = Protocol::Cbor;
        let path = request.uri().path();
        let unknown = || (protocol, TwinError::unknown_operation("?", path));
        let mut parts = path.trim_start_matches('/').split('/');
        let (service, operation) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("service"), Some(service), Some("operation"), Some(operation)) => {
                (service_of(service).ok_or_else(unknown)?, operation)
            }
            _ => return Err(unknown()),
        };
        let input = if request.body().is_empty() {
            json!({})
        } else {
            cbor::decode(request.body()).map_err(|err| {
                let text = format!("the body is not CBOR: {err}");
                (protocol, TwinError::client("SerializationException", text))
            })?
        };
        return Ok(Incoming {
            service,
            operation: operation.to_owned(),
            input,
            protocol,
            caller: caller(request.headers()),
        });
    }
    let protocol = Protocol::Query;
    let service = signed_service(request.headers()).ok_or_else(|| {
        let text = "the request has no target and its signature names no modelled service";
        (protocol, TwinError::client("InvalidAction", text))
    })?;
    let (operation, input) =
        query::decode(service, request.body()).map_err(|err| (protocol, err))?;
    Ok(Incoming {
        service,
        operation,
        input,
        protocol,
        caller: caller(request.headers()),
    })
}

/// The bytes of an answer. `service` and `operation` name the elements of XML answers.
pub fn answer(
    protocol: Protocol,
    service: &str,
    operation: &str,
    outcome: &Result<Value, TwinError>,
    request_id: &str,
) -> Response<Bytes> {
    let status = match outcome {
        Ok(_) => 200,
        Err(err) => err.status,
    };
    let (content_type, body) = match (protocol, outcome) {
        (Protocol::Json(version), Ok(value)) => {
            (json_type(version), value.to_string().into_bytes())
        }
        (Protocol::Json(version), Err(err)) => {
            let mut body = err.more.clone();
            body.insert("__type".to_owned(), json!(err.code));
            body.insert("message".to_owned(), json!(err.message));
            let body = Value::Object(body).to_string();
            (json_type(version), body.into_bytes())
        }
        (Protocol::Cbor, Ok(value)) => ("application/cbor", cbor::encode(value)),
        (Protocol::Cbor, Err(err)) => (
            "application/cbor",
            cbor::encode_error(&err.code, &err.message),
        ),
        (Protocol::Query, Ok(value)) => (
            "text/xml",
            query::encode(service, operation, value, request_id),
        ),
        (Protocol::Query, Err(err)) => ("text/xml", query::encode_error(service, err, request_id)),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert("content-type", http::HeaderValue::from_static(content_type));
    if let Ok(id) = http::HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    if protocol == Protocol::Cbor {
        headers.insert(
            "smithy-protocol",
            http::HeaderValue::from_static("rpc-v2-cbor"),
        );
    }
    response
}

fn json_type(version: &str) -> &'static str {
    if version == "1.1" {
        "application/x-amz-json-1.1"
    } else {
        "application/x-amz-json-1.0"
    }
}
