//! SNS in the twin: topics, and what was published to them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::wire::{CallContext, TwinError};

/// Most bytes of a message (API reference, Publish).
const MESSAGE_BYTES: usize = 256 * 1024;
/// Most characters of a subject (API reference, Publish).
const SUBJECT_CHARS: usize = 100;

/// One message as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The topic's ARN.
    pub topic: String,
    /// The subject, if it has one.
    pub subject: Option<String>,
    /// The message.
    pub message: String,
    /// The attributes as they came.
    pub attributes: Value,
}

/// The SNS model.
#[derive(Clone, Debug, Default)]
pub struct Sns {
    topics: BTreeSet<String>,
    published: Vec<Published>,
}

impl Sns {
    /// A topic, by its ARN.
    pub fn add_topic(&mut self, arn: &str) {
        self.topics.insert(arn.to_owned());
    }

    /// All that was published, oldest first.
    pub fn published(&self) -> &[Published] {
        &self.published
    }

    /// Answers one call.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn call(
        &mut self,
        operation: &str,
        input: &Value,
        _cx: &CallContext,
    ) -> Result<Value, TwinError> {
        match operation {
            "Publish" => self.publish(input),
            other => Err(TwinError::client(
                "InvalidAction",
                format!("the twin does not model sns.{other}"),
            )),
        }
    }

    fn publish(&mut self, input: &Value) -> Result<Value, TwinError> {
        let text = |name: &str| input[name].as_str().map(str::to_owned);
        let invalid = |what: &str| {
            TwinError::client("InvalidParameter", format!("Invalid parameter: {what}"))
        };
        let topic = text("TopicArn").ok_or_else(|| {
            invalid("TopicArn or TargetArn Reason: no value for required parameter")
        })?;
        let message = text("Message").filter(|m| !m.is_empty());
        let message = message.ok_or_else(|| invalid("Empty message"))?;
        if message.len() > MESSAGE_BYTES {
            return Err(invalid("Message too long"));
        }
        let subject = text("Subject");
        let odd = |s: &String| {
            s.is_empty() || s.chars().count() > SUBJECT_CHARS || s.chars().any(char::is_control)
        };
        if subject.as_ref().is_some_and(odd) {
            return Err(invalid("Subject"));
        }
        if !self.topics.contains(&topic) {
            return Err(TwinError {
                status: 404,
                ..TwinError::client("NotFound", "Topic does not exist")
            });
        }
        self.published.push(Published {
            topic,
            subject,
            message,
            attributes: input["MessageAttributes"].clone(),
        });
        let number = self.published.len();
        Ok(json!({"MessageId": format!("00000000-0000-4000-8000-{number:012}")}))
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Clock;
    use crate::twin::Twin;

    #[tokio::test(start_paused = true)]
    async fn a_message_reaches_a_topic_that_is_there_and_no_other() {
        let twin = Twin::new(Clock::virtual_at(jiff::Timestamp::UNIX_EPOCH), 7);
        let topic = "arn:aws:sns:us-east-1:123456789012:alerts";
        let client = aws_sdk_sns::Client::new(&twin.sdk_config());
        let publish = || {
            client
                .publish()
                .topic_arn(topic)
                .subject("s")
                .message("m & <n>")
        };
        let error = publish().send().await.unwrap_err().into_service_error();
        assert!(error.is_not_found_exception(), "{error:?}");
        twin.world(|w| w.sns.add_topic(topic));
        publish().send().await.unwrap();
        let error = publish().subject("two\nlines").send().await.unwrap_err();
        assert!(error.into_service_error().is_invalid_parameter_exception());
        twin.world(|w| {
            assert_eq!(w.sns.published().len(), 1);
            assert_eq!(w.sns.published()[0].message, "m & <n>");
        });
    }
}
