//! Net: the way between a replica and AWS or the store, where requests are delayed, lost and struck.
//!
//! A request that has left its process arrives, whether or not the process still lives: so each is
//! carried by a task of the network's own.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use evenkeel::aws::call::Permit;
use evenkeel::model::operation::{Effect, operation};
use evenkeel::twin::World;
use evenkeel::twin::faults::Fault;
use evenkeel::twin::wire::{self, Incoming, TwinError};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::guard::Guarded;
use super::happening::{Happening, Landed, Sent, Who, objects_of, of_store};
use super::stage::Stage;
use super::unnamed::unnamed;
use super::weather::{Strike, Target, lateness, ways};

/// One end of the net: a replica's way to AWS, or to the store.
#[derive(Clone)]
pub struct Net {
    pub stage: Stage,
    pub who: Who,
    pub target: Target,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Net of {:?}", self.who)
    }
}

impl Net {
    pub fn client(self) -> SharedHttpClient {
        SharedHttpClient::new(self)
    }
}

impl HttpClient for Net {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// What comes back, if anything does.
type Answer = Result<http::Response<Bytes>, ConnectorError>;

/// A call on its way.
struct Call {
    net: Net,
    incoming: Incoming,
    nth: usize,
    /// Set for a mutation of the estate.
    sent: Option<Sent>,
    boot: Duration,
}

impl HttpConnector for Net {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let permit = request.extension::<Permit>().cloned();
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let (parts, body) = request.into_parts();
        let body = Bytes::copy_from_slice(body.bytes().unwrap_or_default());
        let Ok(incoming) = wire::read(&http::Request::from_parts(parts, body)) else {
            return HttpConnectorFuture::ready(Err(ConnectorError::user("no such call".into())));
        };
        let call = self.begin(incoming, permit.as_ref());
        let (name, objects) = (call.incoming.name(), call.reads());
        let (answer, rest) = oneshot::channel();
        tokio::task::spawn_local(Guarded::new(&self.stage, call.travel(answer)));
        let net = self.clone();
        HttpConnectorFuture::new(async move {
            let Ok(answer) = rest.await else {
                // Nothing comes any more; the caller's own timeout ends this.
                return std::future::pending().await;
            };
            net.hear(&name, objects, answer)
        })
    }
}

impl Net {
    fn begin(&self, incoming: Incoming, permit: Option<&Permit>) -> Call {
        let name = incoming.name();
        let boot = self.stage.boot_of(self.who);
        let nth = self.stage.next_call(self.who, &name);
        let writes = operation(&name).is_none_or(|op| op.effect == Effect::Write);
        let sent = (self.target == Target::Aws && writes).then(|| Sent {
            who: self.who,
            intent: permit.map(|p| p.intent().to_owned()),
            operation: name.clone(),
            input: incoming.input.clone(),
            boot,
            deadline: permit.map_or(Duration::ZERO, Permit::lease_deadline),
            at: self.stage.now(),
        });
        self.stage.enter(self.who, &name, &incoming.input);
        if let Some(sent) = &sent {
            self.stage.happen(&Happening::Sent(sent.clone()));
        }
        if self.target == Target::Store {
            let text = incoming.input.to_string();
            self.stage.happen(&Happening::Said {
                place: "the store",
                text,
            });
        }
        Call {
            net: self.clone(),
            incoming,
            nth,
            sent,
            boot,
        }
    }

    fn hear(
        &self,
        name: &str,
        objects: Vec<String>,
        answer: Answer,
    ) -> Result<HttpResponse, ConnectorError> {
        let said = match &answer {
            Ok(response) => response.status().as_str().to_owned(),
            Err(error) => error.to_string(),
        };
        self.stage
            .enter(self.who, &format!("  {name} <- {said}"), &Value::Null);
        let response = answer?;
        let whole = response.headers().get("x-struck").is_none();
        if response.status().is_success() && whole && !objects.is_empty() {
            let at = self.stage.now();
            self.stage.happen(&Happening::Read {
                who: self.who,
                operation: name.to_owned(),
                objects,
                at,
            });
        }
        HttpResponse::try_from(response.map(SdkBody::from))
            .map_err(|error| ConnectorError::other(error.into(), None))
    }
}

impl Call {
    /// The objects that this call reads at AWS.
    fn reads(&self) -> Vec<String> {
        match self.net.target {
            Target::Aws if self.sent.is_none() => {
                objects_of(&self.incoming.name(), &self.incoming.input)
            }
            _ => Vec::new(),
        }
    }

    async fn travel(self, answer: oneshot::Sender<Answer>) {
        let Net { stage, who, target } = self.net.clone();
        let name = self.incoming.name();
        let objects = objects_of(&name, &self.incoming.input);
        let strike = stage.strike(who, self.nth, (target, &name, &objects));
        if let Some(strike) = strike {
            stage.enter(who, &format!("! {strike:?} strikes {name}"), &Value::Null);
        }
        let (there, back) = ways(stage.seed(), who, self.nth, target);
        let rest = |d| stage.clock().sleep(d);
        rest(there).await;
        let heard = match strike {
            Some(Strike::Refused) => {
                Err(ConnectorError::io("connection refused".into()).never_connected())
            }
            Some(Strike::LostBefore | Strike::Hang) => return hold(answer).await,
            Some(Strike::ErrorBefore) => self.serve(Some(Fault::ServerErrorBefore)).await,
            Some(Strike::Throttled) => self.serve(Some(self.throttled())).await,
            Some(Strike::Denied) => {
                self.serve(Some(self.refusal("AccessDeniedException")))
                    .await
            }
            Some(Strike::Expired) => {
                self.serve(Some(self.refusal("ExpiredTokenException")))
                    .await
            }
            Some(Strike::Conflict) => self.serve(Some(self.conflict())).await,
            Some(Strike::ErrorAfter) => {
                self.take_effect(false).await.ok();
                self.serve_failed()
            }
            Some(Strike::LostAfter) => {
                self.take_effect(false).await.ok();
                return hold(answer).await;
            }
            Some(Strike::Late) => {
                rest(lateness(stage.seed(), who, self.nth)).await;
                self.take_effect(false).await.ok();
                return hold(answer).await;
            }
            Some(Strike::Reset) => {
                self.take_effect(false).await.ok();
                Err(ConnectorError::io("connection reset".into()))
            }
            Some(Strike::Twice) => {
                let first = self.take_effect(false).await;
                rest(Duration::from_millis(700)).await;
                self.take_effect(true).await.ok();
                first
            }
            Some(Strike::Slow) => {
                let heard = self.take_effect(false).await;
                rest(Duration::from_secs(4)).await;
                heard
            }
            // Who answers in AWS's place does not pass anything on.
            Some(Strike::Html) => Ok(page("<html><body>Sign in to the network</body></html>")),
            Some(Strike::Nothing) => Ok(page("")),
            Some(Strike::EmptyPage) => {
                let mut empty = page(r#"{"services":[],"failures":[]}"#);
                let id = http::HeaderValue::from_static("00000000-0000-0000-0000-000000000000");
                empty.headers_mut().insert("x-amzn-requestid", id);
                Ok(empty)
            }
            None => self.take_effect(false).await,
        };
        rest(back).await;
        // A caller that has given up, or died, hears nothing.
        let _ = answer.send(heard);
    }

    /// The call takes effect, whatever becomes of its answer; the laws are asked.
    async fn take_effect(&self, again: bool) -> Answer {
        let stage = &self.net.stage;
        let name = self.incoming.name();
        let intent = self.sent.as_ref().and_then(|sent| sent.intent.as_ref());
        let named = stage.ghost(|g| g.named(intent));
        let look = |sent: &Sent| {
            let world = |w: &mut World| unnamed(w, &name, &sent.input, &named);
            stage.twin().world(world)
        };
        let before = self.sent.as_ref().map(look);
        let answer = self.serve(None).await;
        let done = answer
            .as_ref()
            .is_ok_and(|response| response.status().is_success());
        if let (Some(sent), Some(before), true) = (&self.sent, before, done) {
            let after = look(sent);
            stage.happen(&Happening::Landed(Box::new(Landed {
                sent: sent.clone(),
                at: stage.now(),
                unnamed: [before, after],
                again,
            })));
        }
        if self.net.target == Target::Store && done && !stage.is_replay(&self.incoming) {
            for happening in of_store(
                self.net.who,
                &self.incoming.operation,
                &self.incoming.input,
                self.boot,
                stage.now(),
            ) {
                stage.happen(&happening);
            }
        }
        answer
    }

    async fn serve(&self, fault: Option<Fault>) -> Answer {
        let twin = self.net.stage.twin();
        if let Some(fault) = fault {
            twin.world(|w| w.faults.next(&self.incoming.name(), fault));
        }
        match twin.serve(&self.incoming).await {
            Ok(response) => Ok(response),
            Err(why) => Err(ConnectorError::timeout(why.into())),
        }
    }

    fn serve_failed(&self) -> Answer {
        let error = Err(TwinError::internal(self.incoming.service));
        let Incoming {
            protocol,
            service,
            operation,
            ..
        } = &self.incoming;
        Ok(wire::answer(*protocol, service, operation, &error, "0"))
    }

    fn throttled(&self) -> Fault {
        match self.net.target {
            Target::Aws => Fault::Throttled,
            Target::Store => Fault::Error(TwinError::client(
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded.",
            )),
        }
    }

    fn refusal(&self, code: &str) -> Fault {
        Fault::Error(TwinError::client(code, "the weather says no"))
    }

    fn conflict(&self) -> Fault {
        let parts = self.incoming.input["TransactItems"]
            .as_array()
            .map_or(1, Vec::len);
        let mut reasons = vec![json!({"Code": "None"}); parts];
        reasons[0] = json!({"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"});
        let mut error = TwinError::client(
            "TransactionCanceledException",
            "Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict]",
        );
        error
            .more
            .insert("CancellationReasons".to_owned(), Value::Array(reasons));
        Fault::Error(error)
    }
}

/// Keeps the caller waiting for good.
async fn hold(answer: oneshot::Sender<Answer>) {
    drop(answer);
}

fn page(body: &str) -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::copy_from_slice(body.as_bytes()));
    let struck = http::HeaderValue::from_static("yes");
    response.headers_mut().insert("x-struck", struck);
    response
}
