//! Store calls: one table behind its door, and the one retry layer in front of it.
//!
//! A conditional write whose answer is lost may have happened. Repeating it is safe, since its
//! condition or its client request token makes the second one empty; but then its refusal may
//! be the echo of its own success. So every answer here says what went before it.

use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::BehaviorVersion;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

use super::embedded::FILE_TROUBLE;
use super::error::StoreError;
use super::rows::{self, Item};
use crate::aws::call::AwsError;
use crate::aws::cell::through_door;
use crate::aws::door::{Door, NameTheCall, Role};
use crate::aws::fault::{Fault, NEW_CREDENTIALS};
use crate::clock::Clock;
use crate::entropy::Entropy;

/// Longest wait for one answer of the store: short enough that a lost renewal can be repeated
/// while the lease still runs.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// Attempts at one store call, the first included.
pub(super) const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The one table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
}

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It happened, and was sent no earlier than this (boot clock).
    Done(Duration),
    /// Its condition did not hold.
    Refused(Before),
}

/// What went before a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing that could have had an effect.
    Nothing,
    /// An attempt whose answer was lost, sent no earlier than this (boot clock): the refusal may be
    /// the echo of its success.
    LostAnswer(Duration),
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Transacted {
    /// It happened, and was sent no earlier than this (boot clock).
    Done(Duration),
    /// The conditions at these positions did not hold.
    Cancelled(Vec<usize>, Before),
}

fn may_repeat(error: &AwsError) -> bool {
    error.fault.read_may_repeat()
        || matches!(
            error.code.as_str(),
            "TransactionConflictException"
                | "TransactionInProgressException"
                | "ReplicatedWriteConflictException"
        )
}

/// The most attempts at a call that ended so.
fn most(error: &AwsError) -> u32 {
    match error.fault {
        Fault::NoCredentials => 1 + NEW_CREDENTIALS,
        _ => ATTEMPTS,
    }
}

/// Reasons at one position of a cancelled transaction that pass.
fn passes(reason: &str) -> bool {
    matches!(
        reason,
        "None" | "" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"
    )
}

impl Table {
    pub(super) fn new(
        sdk: &SdkConfig,
        http: SharedHttpClient,
        name: String,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        let role = Role::Store {
            table: name.clone(),
        };
        let door = Door::new(role, clock.clone(), http);
        let sdk = through_door(sdk, door, &clock);
        let config = aws_sdk_dynamodb::config::Builder::from(&sdk)
            .behavior_version(BehaviorVersion::latest())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(STORE_TIMEOUT)
                    .operation_attempt_timeout(STORE_TIMEOUT)
                    .build(),
            )
            .interceptor(NameTheCall)
            .build();
        Self {
            client: Client::from_conf(config),
            name,
            clock,
            entropy,
        }
    }

    pub(super) fn corrupt(&self, pk: &str, sk: &str, why: impl Into<String>) -> StoreError {
        StoreError::Corrupt {
            table: self.name.clone(),
            row: format!("{pk} / {sk}"),
            why: why.into(),
        }
    }

    /// JSON for the row, if it is not too large.
    pub(super) fn json<T: serde::Serialize>(
        &self,
        pk: &str,
        sk: &str,
        value: &T,
    ) -> Result<String, StoreError> {
        rows::json(value).map_err(|size| StoreError::TooLarge {
            table: self.name.clone(),
            row: format!("{pk} / {sk}"),
            size,
            limit: rows::ROW_MAX,
        })
    }

    pub(super) fn contended(&self, pk: &str, sk: &str) -> StoreError {
        StoreError::Contended {
            table: self.name.clone(),
            row: format!("{pk} / {sk}"),
            attempts: ATTEMPTS,
        }
    }

    /// What DynamoDB never got to, with its word for that and no error.
    pub(super) fn unprocessed(&self, operation: &str, row: &str) -> StoreError {
        self.error(AwsError {
            operation: operation.to_owned(),
            object: row.to_owned(),
            fault: Fault::Throttled,
            code: "UnprocessedKeys".to_owned(),
            message: format!("{ATTEMPTS} answers left some of the keys out"),
        })
    }

    fn error(&self, error: AwsError) -> StoreError {
        if error.code == FILE_TROUBLE {
            StoreError::File { why: error.message }
        } else if error.fault == Fault::NotFound {
            StoreError::Missing {
                table: self.name.clone(),
            }
        } else {
            StoreError::Call {
                table: self.name.clone(),
                error: Box::new(error),
            }
        }
    }

    /// Waits before attempt `attempt + 1`.
    pub(super) async fn pause(&self, attempt: u32) {
        let pause = PAUSE.saturating_mul(1 << attempt.min(10)).min(PAUSE_MAX);
        self.clock.sleep(self.entropy.jitter(pause)).await;
    }

    /// Sends what may be sent twice, until it is answered.
    pub(super) async fn repeat<T, E, F, Fut>(
        &self,
        operation: &str,
        row: &str,
        send: F,
    ) -> Result<T, StoreError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut attempt = 1;
        loop {
            let error = match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => AwsError::from_sdk(operation, row, &error),
            };
            if attempt >= most(&error) || !may_repeat(&error) {
                return Err(self.error(error));
            }
            self.pause(attempt).await;
            attempt += 1;
        }
    }

    /// Sends a conditional write until it is answered. It must be one that is empty the second
    /// time, or does no harm.
    pub(super) async fn write_if<T, E, F, Fut>(
        &self,
        operation: &str,
        row: &str,
        send: F,
    ) -> Result<Written, StoreError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut before = Before::Nothing;
        let mut attempt = 1;
        loop {
            let sent = self.clock.boot();
            let error = match send().await {
                // The answer is that of this attempt: an earlier one that happened would have
                // made its condition false, or has been overwritten by it.
                Ok(_) => return Ok(Written::Done(sent)),
                Err(error) => AwsError::from_sdk(operation, row, &error),
            };
            if error.code == "ConditionalCheckFailedException" {
                return Ok(Written::Refused(before));
            }
            if attempt >= most(&error) || !may_repeat(&error) {
                return Err(self.error(error));
            }
            before = before.and(sent, error.fault);
            self.pause(attempt).await;
            attempt += 1;
        }
    }

    /// Sends a transaction, always with the same client request token, until it is answered.
    pub(super) async fn transact(
        &self,
        row: &str,
        token: &str,
        items: &[TransactWriteItem],
    ) -> Result<Transacted, StoreError> {
        const OPERATION: &str = "dynamodb.TransactWriteItems";
        let mut before = Before::Nothing;
        let mut attempt = 1;
        loop {
            let sent = self.clock.boot();
            let answer = self
                .client
                .transact_write_items()
                .client_request_token(token)
                .set_transact_items(Some(items.to_vec()))
                .send()
                .await;
            let sdk_error = match answer {
                // It may be the replay of an earlier attempt whose answer was lost.
                Ok(_) => {
                    return Ok(Transacted::Done(match before {
                        Before::Nothing => sent,
                        Before::LostAnswer(first) => first,
                    }));
                }
                Err(error) => error,
            };
            let error = AwsError::from_sdk(OPERATION, row, &sdk_error);
            let cancelled = match sdk_error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(e)) => {
                    Some(e.cancellation_reasons())
                }
                _ => None,
            };
            let repeat = if let Some(reasons) = cancelled {
                let codes = || reasons.iter().map(|r| r.code().unwrap_or_default());
                let refused: Vec<usize> = codes()
                    .enumerate()
                    .filter(|(_, code)| *code == "ConditionalCheckFailed")
                    .map(|(at, _)| at)
                    .collect();
                if !refused.is_empty() {
                    return Ok(Transacted::Cancelled(refused, before));
                }
                // Cancelled without reasons, as some answers are, says nothing lasting either.
                codes().all(passes)
            } else {
                before = before.and(sent, error.fault);
                may_repeat(&error)
            };
            if attempt >= most(&error) || !repeat {
                return Err(self.error(error));
            }
            self.pause(attempt).await;
            attempt += 1;
        }
    }

    /// One row, as it is now.
    pub(super) async fn get(&self, pk: &str, sk: &str) -> Result<Option<Item>, StoreError> {
        let row = format!("{pk} / {sk}");
        let answer = self
            .repeat("dynamodb.GetItem", &row, || {
                self.client
                    .get_item()
                    .table_name(&self.name)
                    .key("pk", rows::text(pk))
                    .key("sk", rows::text(sk))
                    .consistent_read(true)
                    .send()
            })
            .await?;
        Ok(answer.item)
    }

    /// All rows of `pk` from `first` to `last`, as they are now, in order; the last `newest` of them
    /// in reverse order, when that is set.
    pub(super) async fn query(
        &self,
        pk: &str,
        first: &str,
        last: &str,
        newest: Option<usize>,
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut from: Option<Item> = None;
        loop {
            let left = newest.map(|n| n.saturating_sub(items.len()));
            if left == Some(0) {
                return Ok(items);
            }
            let answer = self
                .repeat("dynamodb.Query", pk, || {
                    self.client
                        .query()
                        .table_name(&self.name)
                        .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
                        .expression_attribute_names("#pk", "pk")
                        .expression_attribute_names("#sk", "sk")
                        .expression_attribute_values(":pk", rows::text(pk))
                        .expression_attribute_values(":first", rows::text(first))
                        .expression_attribute_values(":last", rows::text(last))
                        .consistent_read(true)
                        .scan_index_forward(newest.is_none())
                        .set_limit(left.map(|n| i32::try_from(n).unwrap_or(i32::MAX)))
                        .set_exclusive_start_key(from.clone())
                        .send()
                })
                .await?;
            items.extend(answer.items.unwrap_or_default());
            match answer.last_evaluated_key {
                Some(key) if !key.is_empty() => from = Some(key),
                _ => return Ok(items),
            }
        }
    }

    /// All rows of `pk` whose sort key begins with `prefix`.
    pub(super) async fn rows_of(&self, pk: &str, prefix: &str) -> Result<Vec<Item>, StoreError> {
        self.query(pk, prefix, &end_of(prefix), None).await
    }

    /// Puts a row whatever is there.
    pub(super) async fn put(&self, row: &str, item: Item) -> Result<(), StoreError> {
        self.repeat("dynamodb.PutItem", row, || {
            self.client
                .put_item()
                .table_name(&self.name)
                .set_item(Some(item.clone()))
                .send()
        })
        .await
        .map(|_| ())
    }
}

/// The last sort key that begins with `prefix`; what follows a prefix is printable ASCII.
pub(super) fn end_of(prefix: &str) -> String {
    format!("{prefix}~")
}

/// The value of attribute `name`, for conditions that name what was read.
pub(super) fn value(item: &Item, name: &str) -> Option<AttributeValue> {
    item.get(name).cloned()
}

impl Before {
    /// This, and then an attempt sent at `sent` that ended with `fault`.
    fn and(self, sent: Duration, fault: Fault) -> Self {
        match self {
            Before::Nothing if !fault.certainly_not_applied() => Before::LostAnswer(sent),
            same => same,
        }
    }
}
