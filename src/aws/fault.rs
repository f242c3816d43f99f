//! Faults: what an AWS error means for what may be done next. Decided here and nowhere else.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::call::AwsError;
use super::door::Refusal;

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// AWS said "too fast". Nothing was done; not a failure.
    Throttled,
    /// Somebody else is at work on the object; later it may go.
    Conflict,
    /// Credentials or permissions. No retry helps.
    Denied,
    /// AWS calls the credentials expired, or none are to be had. Nothing was done; the next request
    /// asks for others.
    NoCredentials,
    /// AWS's word that the object is not there.
    NotFound,
    /// AWS will never accept this request.
    Terminal,
    /// AWS failed; whether a write was applied is not known, a read may be repeated.
    Transient,
    /// Nothing was sent: our own door refused, or no connection was made.
    NotSent,
    /// It was sent, and nobody knows what became of it.
    Unknown,
}

impl Fault {
    /// Whether a *mutation* that ended so certainly did not happen.
    pub fn certainly_not_applied(self) -> bool {
        match self {
            Fault::Throttled
            | Fault::Conflict
            | Fault::Denied
            | Fault::NoCredentials
            | Fault::NotFound
            | Fault::Terminal
            | Fault::NotSent => true,
            Fault::Transient | Fault::Unknown => false,
        }
    }

    /// Whether a *read* may be sent again. Where there are no credentials, once: see
    /// [`NEW_CREDENTIALS`].
    pub fn read_may_repeat(self) -> bool {
        match self {
            Fault::Throttled
            | Fault::NoCredentials
            | Fault::Transient
            | Fault::Unknown
            | Fault::NotSent => true,
            Fault::Conflict | Fault::Denied | Fault::NotFound | Fault::Terminal => false,
        }
    }
}

/// How often one call asks for other credentials. Whoever had none that work a moment ago, and has
/// been asked again, will not have better ones the next time.
pub const NEW_CREDENTIALS: u32 = 1;

/// Codes of AWS that mean "too fast" (botocore's list, less `LimitExceededException`, which is a
/// hard quota in ECS and Application Auto Scaling).
const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

const CONFLICT: &[&str] = &[
    "ConcurrentUpdateException",
    "ConflictException",
    "ContinuousBackupsUnavailableException",
    "InvalidDBClusterStateFault",
    "InvalidDBInstanceState",
    "InvalidDBInstanceStateFault",
    "LimitExceededFault",
    "ResourceInUseException",
    "UpdateInProgressException",
];

const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException"];

const NOT_FOUND: &[&str] = &[
    "ClusterNotFoundException",
    "DBClusterNotFoundFault",
    "DBInstanceNotFound",
    "DBInstanceNotFoundFault",
    "ObjectNotFoundException",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "ServiceNotFoundException",
    "TableNotFoundException",
];

/// What an answer with this code, HTTP status and message means.
pub fn classify(code: &str, status: u16, message: &str) -> Fault {
    // DescribeScalingPolicies wraps CloudWatch's throttling in a permission error; only the text
    // tells the two apart (aws/aws-sdk-go#1472).
    if code == "FailedResourceAccessException" && message.contains("Rate exceeded") {
        return Fault::Throttled;
    }
    // ECS has no typed error for a task definition that is not there.
    if code == "ClientException" && message.contains("Unable to describe task definition") {
        return Fault::NotFound;
    }
    if THROTTLED.contains(&code) || status == 429 {
        Fault::Throttled
    } else if CONFLICT.contains(&code) {
        Fault::Conflict
    } else if DENIED.contains(&code) {
        Fault::Denied
    } else if EXPIRED.contains(&code) {
        Fault::NoCredentials
    } else if NOT_FOUND.contains(&code) {
        Fault::NotFound
    } else if status >= 500 || code.is_empty() {
        // Without a code the answer did not come from the service: a proxy's page, perhaps.
        Fault::Transient
    } else {
        Fault::Terminal
    }
}

/// Longest text of AWS's that is kept of an error: enough to act on, too short to carry a body.
const MESSAGE_MAX: usize = 400;

impl AwsError {
    /// What the SDK's error of `operation` on `object` means.
    pub fn from_sdk<E>(operation: &str, object: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (fault, code, message) = match error {
            SdkError::ServiceError(answer) => {
                let meta = answer.err().meta();
                let code = meta.code().unwrap_or_default().to_owned();
                let message = meta.message().unwrap_or_default().to_owned();
                let status = answer.raw().status().as_u16();
                (classify(&code, status, &message), code, message)
            }
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(e) => match refusal_of(e) {
                    Some(refusal) => (Fault::NotSent, String::new(), refusal.to_string()),
                    None if never_connected(e) => (Fault::NotSent, String::new(), chain(e)),
                    None if unsigned(e) => (
                        Fault::NoCredentials,
                        String::new(),
                        NO_CREDENTIALS.to_owned(),
                    ),
                    None => (Fault::Unknown, String::new(), chain(e)),
                },
                None if unsigned(error) => (
                    Fault::NoCredentials,
                    String::new(),
                    NO_CREDENTIALS.to_owned(),
                ),
                None => (Fault::Unknown, String::new(), chain(error)),
            },
            SdkError::ConstructionFailure(_) => (Fault::NotSent, String::new(), chain(error)),
            SdkError::TimeoutError(_) => (
                Fault::Unknown,
                String::new(),
                "no answer within the call timeout".to_owned(),
            ),
            SdkError::ResponseError(_) => (
                Fault::Unknown,
                String::new(),
                "the answer could not be read; is the endpoint an AWS API?".to_owned(),
            ),
            _ => (Fault::Unknown, String::new(), chain(error)),
        };
        AwsError {
            operation: operation.to_owned(),
            object: object.to_owned(),
            fault,
            code,
            message: message.chars().take(MESSAGE_MAX).collect(),
        }
    }
}

const NO_CREDENTIALS: &str = "there are no AWS credentials that work; set AWS_PROFILE or --profile, \
    or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in again";

/// Whether no credentials were to be had, so that nothing could be signed, nor sent.
fn unsigned(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut current = Some(error);
    while let Some(e) = current {
        if e.is::<CredentialsError>() {
            return true;
        }
        current = e.source();
    }
    false
}

/// Whether the request cannot have left: hyper's connector says so in the text of its I/O error.
fn never_connected(error: &ConnectorError) -> bool {
    error.is_io() && {
        let text = chain(error);
        ["tcp connect error", "dns error", "Connection refused"]
            .iter()
            .any(|word| text.contains(word))
    }
}

fn refusal_of<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Refusal> {
    let mut current = Some(error);
    while let Some(e) = current {
        if let Some(refusal) = e.downcast_ref::<Refusal>() {
            return Some(refusal);
        }
        current = e.source();
    }
    None
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut current = error.source();
    while let Some(e) = current {
        let next = e.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        current = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hard_quota_is_not_throttling() {
        assert_eq!(classify("LimitExceededException", 400, ""), Fault::Terminal);
    }

    #[test]
    fn throttling_behind_a_permission_error_is_throttling() {
        let code = "FailedResourceAccessException";
        assert_eq!(classify(code, 400, "Rate exceeded (x)"), Fault::Throttled);
        assert_eq!(classify(code, 400, "not authorized"), Fault::Terminal);
    }

    #[test]
    fn a_page_without_a_code_is_not_an_answer() {
        assert_eq!(classify("", 404, "<html>"), Fault::Transient);
        assert!(!Fault::Transient.certainly_not_applied());
    }

    #[test]
    fn a_server_error_may_have_been_applied() {
        assert!(!classify("ServerException", 500, "").certainly_not_applied());
    }
}
