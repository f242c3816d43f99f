//! Calls: how a read is made, what a write has to carry, and what an error says.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::budget::RateToken;
use super::cell::Cell;
use super::fault::{Fault, NEW_CREDENTIALS};

/// An AWS call that did not give an answer to work with.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} on {object}: {}", explain(*.fault, .code, .message))]
pub struct AwsError {
    /// `ecs.UpdateService`.
    pub operation: String,
    /// What it was called for.
    pub object: String,
    /// What it means.
    pub fault: Fault,
    /// AWS's code, if it answered with one.
    pub code: String,
    /// AWS's text, shortened.
    pub message: String,
}

fn explain(fault: Fault, code: &str, message: &str) -> String {
    let meaning = match fault {
        // Whatever the code: what is wrong is the time that the signature carries.
        Fault::Denied if is_about_the_clock(code, message) => {
            "AWS takes the time of the request for wrong; set the clock of this machine"
        }
        Fault::Throttled => "AWS asks to slow down",
        Fault::Conflict => "another change is in progress there",
        Fault::Denied => "not permitted; see `evenkeel iam-policy` and the credentials in use",
        Fault::NoCredentials if code.is_empty() => "nothing was sent",
        Fault::NoCredentials => {
            "the credentials have expired, and asking again gave no others; sign in again"
        }
        Fault::NotFound => "AWS does not know it",
        Fault::Terminal => "AWS refused it",
        Fault::Transient => "AWS failed; it may work later",
        Fault::NotSent => "nothing was sent",
        Fault::Unknown => "sent, but the outcome is not known",
    };
    match (code.is_empty(), message.is_empty()) {
        (true, true) => meaning.to_owned(),
        (true, false) => format!("{meaning} ({message})"),
        (false, true) => format!("{meaning} ({code})"),
        (false, false) => format!("{meaning} ({code}: {message})"),
    }
}

fn is_about_the_clock(code: &str, message: &str) -> bool {
    code == "RequestExpired"
        || ["Signature expired", "Signature not yet current"]
            .iter()
            .any(|words| message.contains(words))
}

/// Attempts at one read, the first included. This is the one retry layer: the SDK's own is off.
const READ_ATTEMPTS: u32 = 6;
/// Throttled answers to one read before it is given up. They are no failures: the bucket slows
/// down and the read waits its turn.
const READ_THROTTLES: u32 = 30;
/// First pause between attempts; doubled each time and jittered.
const READ_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause between attempts.
const READ_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Makes one read: takes a rate token, sends, and repeats what may be repeated, each time with a
/// token of its own.
///
/// # Errors
/// The last attempt's.
pub async fn read<T, E, F, Fut>(
    cell: &Cell,
    operation: &'static str,
    object: &str,
    send: F,
) -> Result<T, AwsError>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let mut pause = READ_PAUSE;
    let (mut attempts, mut throttles, mut expired) = (0, 0, 0);
    loop {
        let token = cell.budget.take(operation).await;
        let error = match send().await {
            Ok(answer) => return Ok(answer),
            Err(error) => AwsError::from_sdk(operation, object, &error),
        };
        if error.fault == Fault::Throttled {
            cell.budget.throttled(token);
            throttles += 1;
        } else {
            attempts += 1;
        }
        expired += u32::from(error.fault == Fault::NoCredentials);
        let spent =
            attempts >= READ_ATTEMPTS || throttles >= READ_THROTTLES || expired > NEW_CREDENTIALS;
        if spent || !error.fault.read_may_repeat() {
            return Err(error);
        }
        cell.clock.sleep(cell.entropy.jitter(pause)).await;
        pause = (pause * 2).min(READ_PAUSE_MAX);
    }
}

/// The right to send one mutation, born of one committed ledger intent. The door uses it up, and
/// refuses a mutation without one, so that no kind can forget the ledger.
#[derive(Clone, Debug)]
pub struct Permit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    intent: String,
    operation: String,
    object: String,
    lease_deadline: Duration,
    token: RateToken,
    used: AtomicBool,
}

impl Permit {
    /// A permit for one request of `operation` on `object`, announced by the committed `intent`,
    /// while the lease runs until `lease_deadline` (on the boot clock), with a rate token in
    /// hand.
    pub fn issue(
        intent: &str,
        operation: &str,
        object: &str,
        lease_deadline: Duration,
        token: RateToken,
    ) -> Self {
        Self(Arc::new(Inner {
            intent: intent.to_owned(),
            operation: operation.to_owned(),
            object: object.to_owned(),
            lease_deadline,
            token,
            used: AtomicBool::new(false),
        }))
    }

    /// The intent's id.
    pub fn intent(&self) -> &str {
        &self.0.intent
    }

    /// The operation that it admits: `ecs.UpdateService`.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The live object that it was issued for.
    pub fn object(&self) -> &str {
        &self.0.object
    }

    /// When the lease that it was issued under ends, on the boot clock.
    pub fn lease_deadline(&self) -> Duration {
        self.0.lease_deadline
    }

    /// The rate token, for the budget's book-keeping.
    pub fn token(&self) -> RateToken {
        self.0.token
    }

    /// Uses it up: true the first time only.
    pub(super) fn use_up(&self) -> bool {
        !self.0.used.swap(true, Ordering::SeqCst)
    }

    /// What puts it on a request: `.customize().interceptor(permit.ticket()).send()`.
    pub fn ticket(&self) -> Ticket {
        Ticket(self.clone())
    }
}

/// Carries a [`Permit`] to the door, on the request.
#[derive(Debug)]
pub struct Ticket(Permit);

impl Intercept for Ticket {
    fn name(&self) -> &'static str {
        "evenkeel::Ticket"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().add_extension(self.0.clone());
        Ok(())
    }
}

/// Keeps the raw bytes of an answer, for members that the SDK's types do not know. Put a clone on
/// the request: `.customize().interceptor(raw.clone()).send()`, then [`RawAnswer::bytes`].
#[derive(Clone, Debug, Default)]
pub struct RawAnswer(Arc<Mutex<Vec<u8>>>);

impl RawAnswer {
    /// The bytes of the newest answer; empty when there was none.
    pub fn bytes(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Intercept for RawAnswer {
    fn name(&self) -> &'static str {
        "evenkeel::RawAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(bytes) = context.response().body().bytes() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
        }
        Ok(())
    }
}
