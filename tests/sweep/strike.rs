//! Strikes: what becomes of a request that a fault befalls.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use evenkeel::twin::wire::{self, Incoming, TwinError};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::fault::Kind;
use super::meanwhile;
use super::wire::{Effect, Passed, Side, Wire};

/// How far a stale read is behind: less than the settling bound, as reads of AWS are.
const BEHIND: Duration = Duration::from_secs(20);
/// How far a wall clock is set.
const STEP: SignedDuration = SignedDuration::from_hours(1);
/// How often one page comes again.
const COMES_AGAIN: usize = 2;

/// Members of a paged answer: the list, the token in the answer and the token in the request.
pub fn pages(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "application-autoscaling.DescribeScalableTargets"
        | "application-autoscaling.DescribeScalingPolicies"
        | "application-autoscaling.DescribeScheduledActions"
        | "cloudwatch.DescribeAlarms" => ("NextToken", "NextToken"),
        "ecs.ListServiceDeployments" | "ecs.ListTaskDefinitions" => ("nextToken", "nextToken"),
        "rds.DescribeDBClusters" | "rds.DescribeDBInstances" => ("Marker", "Marker"),
        _ => return None,
    })
}

/// What precedes the count in a token that this sweep made.
const TOKEN: &str = "again-";

/// What a request that nothing befalls has to know of the faults of its run.
pub fn calm(kinds: &[Kind], wire: &Wire, passed: &Passed) {
    if kinds.contains(&Kind::Stale) && passed.side == Side::Aws {
        // The past is kept where writes find a lag, and reads that find none are fresh.
        let lag = match passed.effect {
            Effect::Read => Duration::ZERO,
            Effect::Write => BEHIND,
        };
        wire.stage().world(|w| w.set_read_lag(lag));
    }
}

/// What becomes of a request that `kind` befalls.
pub async fn strike(
    kind: Kind,
    wire: &Wire,
    passed: &Passed,
    inner: SharedHttpConnector,
    request: HttpRequest,
    incoming: Incoming,
) -> Result<HttpResponse, ConnectorError> {
    let lost = || ConnectorError::timeout("the answer was lost".into());
    let reset = || ConnectorError::io("connection reset by peer".into());
    let error = |error: TwinError| Ok(answer(&incoming, &Err(error)));
    let stage = wire.stage();
    let later = |after: Duration, request: HttpRequest| {
        let (inner, clock) = (inner.clone(), stage.clock.clone());
        tokio::spawn(async move {
            clock.sleep(after).await;
            let _unheard = inner.call(request).await;
        });
    };
    match kind {
        Kind::Throttled => error(TwinError::throttled(incoming.service)),
        Kind::ServerErrorBefore => error(TwinError::internal(incoming.service)),
        Kind::ServerErrorAfter => {
            let _unheard = inner.call(request).await;
            error(TwinError::internal(incoming.service))
        }
        Kind::LostBefore => Err(lost()),
        Kind::LostAfter => {
            let _unheard = inner.call(request).await;
            Err(lost())
        }
        Kind::LateSoon => {
            later(Duration::from_secs(3), request);
            Err(lost())
        }
        Kind::LateBeyond => {
            later(Duration::from_secs(120), request);
            Err(lost())
        }
        Kind::Twice => match request.try_clone() {
            Some(copy) => {
                let first = inner.call(request).await;
                let _unheard = inner.call(copy).await;
                first
            }
            None => inner.call(request).await,
        },
        Kind::Stale => {
            if !wire.has_written() {
                wire.strikes_in_vain();
            }
            stage.world(|w| w.set_read_lag(BEHIND));
            inner.call(request).await
        }
        Kind::Part => part(wire, &incoming, inner.call(request).await?),
        Kind::SamePageAgain => Ok(same_page(wire, passed, &incoming)),
        Kind::Expired => error(TwinError::client(
            "ExpiredTokenException",
            "The security token included in the request is expired",
        )),
        Kind::Denied => error(TwinError::client(
            "AccessDeniedException",
            "User is not authorized to perform this action",
        )),
        Kind::SetBack | Kind::SetForward => {
            let by = match kind {
                Kind::SetBack => -STEP,
                _ => STEP,
            };
            wire.clock().step(by);
            inner.call(request).await
        }
        // Stopped between its last look at the clock and the wire, it would send late: see [`Kind::LateBeyond`].
        Kind::Suspended | Kind::Stopped => {
            let heard = inner.call(request).await;
            wire.stop(kind).await;
            heard
        }
        Kind::RowLost => {
            meanwhile::rows_are_lost(stage);
            inner.call(request).await
        }
        Kind::TakenByHand => {
            let heard = inner.call(request).await;
            meanwhile::a_person_takes_all(stage).await;
            wire.stop(kind).await;
            heard
        }
        Kind::Page => Ok(page("<!doctype html><html><body>Sign in</body></html>")),
        Kind::EmptyBefore => Ok(page("")),
        Kind::EmptyAfter => {
            let _unheard = inner.call(request).await;
            Ok(page(""))
        }
        Kind::Refused => Err(ConnectorError::io("tcp connect error".into()).never_connected()),
        Kind::ResetBefore => Err(reset()),
        Kind::ResetAfter => {
            let _unheard = inner.call(request).await;
            Err(reset())
        }
        Kind::Conflict if incoming.operation == "TransactWriteItems" => {
            let parts = incoming.input["TransactItems"]
                .as_array()
                .map_or(1, Vec::len);
            let reasons: Vec<Value> = (0..parts)
                .map(|at| match at {
                    0 => json!({"Code": "TransactionConflict", "Message": "ongoing"}),
                    _ => json!({"Code": "None"}),
                })
                .collect();
            let mut cancelled = TwinError::client(
                "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Transaction cancelled, please refer cancellation reasons for specific reasons",
            );
            cancelled
                .more
                .insert("CancellationReasons".to_owned(), json!(reasons));
            error(cancelled)
        }
        Kind::Conflict => error(TwinError::client(
            "TransactionConflictException",
            "Transaction is ongoing for the item",
        )),
        Kind::InProgress => error(TwinError::client(
            "TransactionInProgressException",
            "The transaction with the given request token is already in progress.",
        )),
        Kind::Hang => std::future::pending().await,
        Kind::Delay => {
            let delay = match passed.side {
                Side::Aws => Duration::from_secs(8),
                Side::Store => Duration::from_secs(4),
            };
            stage.clock.sleep(delay).await;
            inner.call(request).await
        }
    }
}

fn answer(incoming: &Incoming, outcome: &Result<Value, TwinError>) -> HttpResponse {
    let answer = wire::answer(
        incoming.protocol,
        incoming.service,
        &incoming.operation,
        outcome,
        "00000000-0000-4000-a000-000000000000",
    );
    HttpResponse::try_from(answer.map(SdkBody::from)).unwrap()
}

fn page(body: &'static str) -> HttpResponse {
    let answer = http::Response::builder()
        .status(200)
        .header("content-type", "text/html")
        .body(SdkBody::from(body))
        .unwrap();
    HttpResponse::try_from(answer).unwrap()
}

/// The same answer less a part of it, and with AWS's word for that.
fn part(
    wire: &Wire,
    incoming: &Incoming,
    whole: HttpResponse,
) -> Result<HttpResponse, ConnectorError> {
    let body = whole.body().bytes().unwrap_or_default();
    let mut value: Value = serde_json::from_slice(body).unwrap_or_default();
    match incoming.operation.as_str() {
        "DescribeServices" => {
            let services = value["services"].take();
            let failures: Value = services
                .as_array()
                .into_iter()
                .flatten()
                .map(|s| json!({"arn": s["serviceArn"], "reason": "UNAVAILABLE"}))
                .collect();
            value = json!({"services": [], "failures": failures});
        }
        "BatchGetItem" => {
            value = json!({
                "Responses": {},
                "UnprocessedKeys": incoming.input["RequestItems"],
            });
        }
        _ => {
            let items = value["Items"].as_array().cloned().unwrap_or_default();
            let rest = items.split_last().map_or(&[][..], |(_, rest)| rest);
            match rest.last() {
                Some(item) => {
                    value = json!({
                        "Items": rest,
                        "Count": rest.len(),
                        "ScannedCount": rest.len(),
                        "LastEvaluatedKey": {"pk": item["pk"], "sk": item["sk"]},
                    });
                }
                None => wire.strikes_in_vain(),
            }
        }
    }
    Ok(answer(incoming, &Ok(value)))
}

/// The first page, with a token for a next one.
fn same_page(wire: &Wire, passed: &Passed, incoming: &Incoming) -> HttpResponse {
    let outcome = wire.stage().world(|w| {
        let mut answer = w.call(incoming.service, &incoming.operation, &incoming.input)?;
        if let Some((token, _)) = pages(&passed.name) {
            answer[token] = json!(format!("{TOKEN}1"));
        }
        Ok(answer)
    });
    answer(incoming, &outcome)
}

/// The answer to a request for a page that [`same_page`] promised: the same again, and then the end.
pub fn promised(wire: &Wire, passed: &Passed, incoming: &Incoming) -> Option<HttpResponse> {
    let (token, member) = pages(&passed.name)?;
    let asked = incoming.input[member].as_str()?.strip_prefix(TOKEN)?;
    let times: usize = asked.parse().ok()?;
    let mut input = incoming.input.clone();
    input.as_object_mut()?.remove(member);
    let outcome = wire.stage().world(|w| {
        let mut answer = w.call(incoming.service, &incoming.operation, &input)?;
        if times < COMES_AGAIN {
            answer[token] = json!(format!("{TOKEN}{}", times + 1));
        }
        Ok(answer)
    });
    Some(answer(incoming, &outcome))
}
