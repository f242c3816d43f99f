//! SNS: what is published to a topic, and its call through the SDK.

use aws_sdk_sns::Client;
use aws_sdk_sns::types as t;
use serde_json::{Value, json};

use super::dice::Dice;
use super::input::text;
use super::sides::{Answer, Call, Side, call};

/// The one topic that is there.
pub const TOPIC: &str = "alerts";
/// Most bytes of a message, and most characters of a subject (API reference, Publish).
const MOST: (usize, usize) = (262_144, 100);

/// Messages to a topic, of any size.
pub fn sequence(seed: u64, account: &str) -> Vec<Call> {
    let dice = &mut Dice::seeded(seed);
    (0..10)
        .map(|_| {
            let topic = dice.pick(&[TOPIC, TOPIC, TOPIC, "none"]);
            let longest = "m".repeat(MOST.0);
            let too_long = "m".repeat(MOST.0 + 1);
            let messages = ["drift found", "Grüße & <b>", "", &longest, &too_long];
            let mut input = json!({
                "TopicArn": format!("arn:aws:sns:us-east-1:{account}:{topic}"),
                "Message": dice.pick(&messages),
            });
            let (longest, too_long) = ("s".repeat(MOST.1), "s".repeat(MOST.1 + 1));
            let subjects = ["drift", "", "two\nlines", &longest, &too_long];
            dice.maybe(&mut input, "Subject", &subjects.map(|s| json!(s)));
            dice.maybe(&mut input, "Severity", &[json!("warning")]);
            call("sns", "Publish", input)
        })
        .collect()
}

/// Makes one call. Panics for an operation that is not here.
pub async fn send(side: &Side, operation: &str, i: &Value) -> Answer {
    assert_eq!(operation, "Publish");
    let mut call = Client::new(&side.sdk)
        .publish()
        .set_topic_arn(text(i, "TopicArn"))
        .set_message(text(i, "Message"))
        .set_subject(text(i, "Subject"));
    if let Some(severity) = text(i, "Severity") {
        let value = t::MessageAttributeValue::builder()
            .data_type("String")
            .string_value(severity);
        call = call.message_attributes("severity", value.build().unwrap());
    }
    side.answer(call.send().await)
}
