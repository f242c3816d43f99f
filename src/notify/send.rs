//! Sending: one message to one receiver, once. URLs are secrets: no error or log names one.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aws_sdk_sns::types::MessageAttributeValue;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnector as _, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;

use super::message::{self, From, Letter};
use super::receiver::{Kept, Receiver, Way, region_of};
use crate::aws::call::AwsError;
use crate::aws::cell::through_door;
use crate::aws::door::{Door, NameTheCall, Role};
use crate::clock::Clock;

/// Longest wait for a connection, and for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of an SNS message (API reference, Publish: 256 KiB); the rest is room for attributes.
const SNS_BYTES: usize = 200 * 1024;

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It may arrive another time.
    #[error("{0}")]
    Passing(String),
    /// It never will.
    #[error("{0}")]
    Lasting(String),
}

/// A way to reach one receiver.
pub trait Send: std::marker::Send + Sync {
    /// Sends `letter` once.
    ///
    /// # Errors
    /// Why it did not arrive, without any secret.
    fn send<'a>(
        &'a self,
        letter: &'a Letter,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + std::marker::Send + 'a>>;
}

/// A receiver that cannot be reached because of what the settings say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receiver {receiver} of `notify` cannot be used: {why}")]
pub struct BadReceiver {
    receiver: String,
    why: String,
}

/// What every sender is made from.
#[derive(Clone, Debug)]
pub struct Ways {
    /// Credentials and endpoint.
    pub sdk: SdkConfig,
    /// The way out to AWS.
    pub http: SharedHttpClient,
    /// The way out to everybody else.
    pub web: SharedHttpConnector,
    /// Time for signatures.
    pub clock: Clock,
    /// Who sends.
    pub from: From,
}

/// The way out to others than AWS: TLS, and HTTP to this machine only.
pub fn web() -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(TIMEOUT)
        .read_timeout(TIMEOUT)
        .build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build();
    SharedHttpConnector::new(connector)
}

/// The way to `receiver`. Reads its secret; sends nothing.
///
/// # Errors
/// A secret that is not there, or is no URL.
pub fn way(receiver: &Receiver, ways: &Ways) -> Result<Box<dyn Send>, BadReceiver> {
    let bad = |why: String| BadReceiver {
        receiver: receiver.name.clone(),
        why,
    };
    Ok(match &receiver.way {
        Way::Sns(topic) => Box::new(Sns::new(topic, ways)),
        Way::Slack(kept) => Box::new(Webhook::new(kept, Body::Slack, ways).map_err(bad)?),
        Way::Webhook(kept) => Box::new(Webhook::new(kept, Body::Json, ways).map_err(bad)?),
    })
}

struct Sns {
    client: aws_sdk_sns::Client,
    topic: String,
    from: From,
}

impl Sns {
    fn new(topic: &str, ways: &Ways) -> Self {
        let role = Role::Notices {
            topic: topic.to_owned(),
        };
        let door = Door::new(role, ways.clock.clone(), ways.http.clone());
        let sdk = through_door(&ways.sdk, door, &ways.clock);
        let mut config = aws_sdk_sns::config::Builder::from(&sdk).interceptor(NameTheCall);
        if let Some(region) = region_of(topic) {
            config = config.region(Region::new(region.to_owned()));
        }
        Self {
            client: aws_sdk_sns::Client::from_conf(config.build()),
            topic: topic.to_owned(),
            from: ways.from.clone(),
        }
    }

    async fn publish(&self, letter: &Letter) -> Result<(), SendError> {
        let mut text = message::text(letter, &self.from);
        if text.len() > SNS_BYTES {
            let end = (0..=SNS_BYTES).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
        }
        let notice = &letter.notice;
        let mut publish = self
            .client
            .publish()
            .topic_arn(&self.topic)
            .subject(message::subject(notice))
            .message(text);
        for (name, value) in [
            ("app", notice.app.as_str()),
            ("event", notice.topic.word()),
            ("severity", notice.severity.word()),
        ]
        .into_iter()
        // SNS takes no empty attribute.
        .filter(|(_, value)| !value.is_empty())
        {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build();
            if let Ok(value) = value {
                publish = publish.message_attributes(name, value);
            }
        }
        match publish.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = AwsError::from_sdk("sns.Publish", &self.topic, &error);
                let text = error.to_string();
                // What a read may repeat, a notice may: twice told is better than not at all.
                Err(match error.fault.read_may_repeat() {
                    true => SendError::Passing(text),
                    false => SendError::Lasting(text),
                })
            }
        }
    }
}

impl Send for Sns {
    fn send<'a>(
        &'a self,
        letter: &'a Letter,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + std::marker::Send + 'a>> {
        Box::pin(self.publish(letter))
    }
}

/// What a webhook takes.
enum Body {
    Slack,
    Json,
}

struct Webhook {
    /// A secret.
    url: String,
    body: Body,
    web: SharedHttpConnector,
    from: From,
    clock: Clock,
}

impl Webhook {
    fn new(kept: &Kept, body: Body, ways: &Ways) -> Result<Self, String> {
        Ok(Self {
            url: secret(kept)?,
            body,
            web: ways.web.clone(),
            from: ways.from.clone(),
            clock: ways.clock.clone(),
        })
    }

    async fn post(&self, letter: &Letter) -> Result<(), SendError> {
        let body = match self.body {
            Body::Slack => message::slack(letter, &self.from),
            Body::Json => message::json(letter, &self.from),
        };
        let mut request = HttpRequest::new(SdkBody::from(body.to_string()));
        let lasting = |what: &str| SendError::Lasting(what.to_owned());
        request
            .set_method("POST")
            .map_err(|_| lasting("the request cannot be made"))?;
        request
            .set_uri(self.url.as_str())
            .map_err(|_| lasting("its URL is none"))?;
        request
            .headers_mut()
            .insert("content-type", "application/json");
        request.headers_mut().insert("user-agent", "evenkeel");
        let answer = tokio::select! {
            answer = self.web.call(request) => answer,
            () = self.clock.sleep(TIMEOUT) => {
                return Err(SendError::Passing("it did not answer within 10 s".to_owned()));
            }
        };
        let status = match answer {
            Ok(response) => response.status().as_u16(),
            // The error may hold the URL, so only its sort is told.
            Err(error) if error.is_timeout() => {
                return Err(SendError::Passing("it did not answer in time".to_owned()));
            }
            Err(_) => {
                return Err(SendError::Passing(
                    "it could not be connected to".to_owned(),
                ));
            }
        };
        match status {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500..=599 => Err(SendError::Passing(format!(
                "it answered with HTTP {status}"
            ))),
            _ => Err(SendError::Lasting(format!(
                "it refused the notice with HTTP {status}; check its URL"
            ))),
        }
    }
}

impl Send for Webhook {
    fn send<'a>(
        &'a self,
        letter: &'a Letter,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + std::marker::Send + 'a>> {
        Box::pin(self.post(letter))
    }
}

/// The URL that is kept there. What is wrong with it is said without showing it.
fn secret(kept: &Kept) -> Result<String, String> {
    let text = match kept {
        Kept::Env(name) => std::env::var(name).map_err(|_| format!("{kept} is not set"))?,
        Kept::File(path) => std::fs::read_to_string(path)
            .map_err(|error| format!("{kept} cannot be read: {}", error.kind()))?,
    };
    let text = text.trim();
    let uri: http::Uri = text
        .parse()
        .map_err(|_| format!("{kept} holds no URL; it is not shown here"))?;
    let local = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(text.to_owned()),
        (Some("http"), Some(_)) if local => Ok(text.to_owned()),
        (Some("http"), Some(_)) => Err(format!(
            "{kept} holds a URL of http://, and a notice is sent to another machine only by https://"
        )),
        _ => Err(format!(
            "{kept} holds no URL that begins with https://; it is not shown here"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_secret_is_told_by_where_it_is_kept_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hook");
        let kept = Kept::File(path.display().to_string());
        assert!(secret(&kept).unwrap_err().contains("cannot be read"));
        for text in [
            "hunter2",
            "http://example.com/hunter2",
            "https:///hunter2 x",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = secret(&kept).unwrap_err();
            assert!(
                error.starts_with("the file ") && !error.contains("hunter2"),
                "{error}"
            );
        }
        for text in ["https://example.com/x\n", "http://127.0.0.1:1/x"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(secret(&kept).unwrap(), text.trim());
        }
    }
}
