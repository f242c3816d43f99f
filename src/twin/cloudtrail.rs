//! CloudTrail in the twin: every write that it served, by whom and whence, and the looking up of it.
//!
//! The event history keeps management events for 90 days; reads and the items of tables are not in
//! it. An event is there some minutes after the call ([`CloudTrail::delay`]).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ids::Ids;
use super::page::page;
use super::wire::{CallContext, Caller, TwinError};

/// How long events are kept (CloudTrail user guide, event history).
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Events a page at the most, which is the default, too (API reference, LookupEvents).
const PAGE_MAX: u64 = 50;
/// Words that begin the names of management writes.
const WRITES: [&str; 12] = [
    "Create",
    "Delete",
    "Deregister",
    "Disable",
    "Enable",
    "Modify",
    "Put",
    "Register",
    "Tag",
    "Untag",
    "Update",
    "Stop",
];
/// Operations on the items of tables, which are data events.
const DATA: [&str; 3] = ["PutItem", "UpdateItem", "DeleteItem"];

/// The attributes that events can be looked up by (API reference, LookupAttribute).
const ATTRIBUTES: [&str; 8] = [
    "AccessKeyId",
    "EventId",
    "EventName",
    "EventSource",
    "ReadOnly",
    "ResourceName",
    "ResourceType",
    "Username",
];

/// The event history.
#[derive(Clone, Debug)]
pub struct CloudTrail {
    /// How long after its call an event can be looked up: five minutes, as AWS says for the average.
    pub delay: Duration,
    /// IAM users by access key. A key that is not here is that of [`super::sts::Sts::user`].
    pub users: BTreeMap<String, String>,
    /// Who acts through [`super::World::call`] at present: somebody beside Evenkeel.
    pub actor: Caller,
    events: VecDeque<Recorded>,
    ids: Ids,
}

#[derive(Clone, Debug)]
struct Recorded {
    at: Timestamp,
    id: String,
    name: String,
    source: &'static str,
    user: String,
    access_key: String,
    resources: Vec<String>,
    event: Value,
}

impl CloudTrail {
    /// An empty history.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            delay: Duration::from_secs(300),
            users: [("AKIACONSOLE".to_owned(), "someone".to_owned())].into(),
            actor: Caller {
                access_key: "AKIACONSOLE".to_owned(),
                agent: "AWS Internal".to_owned(),
                address: "203.0.113.9".to_owned(),
            },
            events: VecDeque::new(),
            ids: Ids::new(seed),
        }
    }

    /// Enters a call that was carried out, if it is one that the history keeps.
    pub(super) fn record(
        &mut self,
        (service, operation): (&str, &str),
        input: &Value,
        (caller, user): (&Caller, &str),
        cx: &CallContext<'_>,
    ) {
        let is_write = WRITES.iter().any(|word| operation.starts_with(word));
        if !is_write || service == "cloudtrail" || DATA.contains(&operation) {
            return;
        }
        let source = match service {
            "ecs" => "ecs.amazonaws.com",
            "application-autoscaling" => "autoscaling.amazonaws.com",
            "cloudwatch" => "monitoring.amazonaws.com",
            "rds" => "rds.amazonaws.com",
            _ => "dynamodb.amazonaws.com",
        };
        while self
            .events
            .front()
            .is_some_and(|e| cx.now.duration_since(e.at) > KEPT)
        {
            self.events.pop_front();
        }
        let id = self.ids.uuid();
        let parameters = redacted(input);
        let event = json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "IAMUser",
                "principalId": "AIDATWINTWINTWINTWINT",
                "arn": format!("arn:aws:iam::{}:user/{user}", cx.account),
                "accountId": cx.account,
                "accessKeyId": caller.access_key,
                "userName": user,
            },
            "eventTime": second(cx.now).to_string(),
            "eventSource": source,
            "eventName": operation,
            "awsRegion": cx.region,
            "sourceIPAddress": caller.address,
            "userAgent": caller.agent,
            "requestParameters": parameters,
            "eventID": id,
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": cx.account,
            "eventCategory": "Management",
        });
        self.events.push_back(Recorded {
            at: second(cx.now),
            id,
            name: operation.to_owned(),
            source,
            user: user.to_owned(),
            access_key: caller.access_key.clone(),
            resources: resources(input),
            event,
        });
    }

    /// Answers one call.
    ///
    /// # Errors
    /// As CloudTrail does.
    pub fn call(
        &self,
        operation: &str,
        input: &Value,
        cx: &CallContext<'_>,
    ) -> Result<Value, TwinError> {
        match operation {
            "LookupEvents" => self.lookup(input, cx),
            other => Err(TwinError::unknown_operation("cloudtrail", other)),
        }
    }

    fn lookup(&self, input: &Value, cx: &CallContext<'_>) -> Result<Value, TwinError> {
        let invalid = |code: &str, text: &str| Err(TwinError::client(code, text));
        let size = match &input["MaxResults"] {
            Value::Null => PAGE_MAX,
            most => match most.as_u64() {
                Some(n @ 1..=PAGE_MAX) => n,
                _ => {
                    return invalid(
                        "InvalidMaxResultsException",
                        "A maximum results value is invalid: it must be between 1 and 50.",
                    );
                }
            },
        };
        let moment = |member: &str| {
            let seconds = input[member].as_f64()?;
            #[expect(clippy::cast_possible_truncation, reason = "whole seconds are meant")]
            Timestamp::from_second(seconds as i64).ok()
        };
        let (from, to) = (moment("StartTime"), moment("EndTime"));
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return invalid(
                "InvalidTimeRangeException",
                "The start time is after the end time.",
            );
        }
        let attributes = input["LookupAttributes"].as_array();
        let attribute = match attributes.map(Vec::as_slice) {
            None | Some([]) => None,
            Some([one]) => {
                let key = one["AttributeKey"].as_str().unwrap_or_default();
                let value = one["AttributeValue"].as_str().unwrap_or_default();
                if !ATTRIBUTES.contains(&key) || value.is_empty() {
                    return invalid(
                        "InvalidLookupAttributesException",
                        "A lookup attribute is invalid.",
                    );
                }
                Some((key, value))
            }
            // One attribute a call (API reference, LookupEvents).
            Some(_) => {
                return invalid(
                    "InvalidLookupAttributesException",
                    "You can only specify one lookup attribute.",
                );
            }
        };
        let oldest = cx.now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        let newest = cx.now.checked_sub(self.delay).unwrap_or(Timestamp::MIN);
        let found: Vec<Value> = self
            .events
            .iter()
            .rev()
            .filter(|e| e.at >= from.unwrap_or(oldest).max(oldest))
            .filter(|e| e.at <= to.unwrap_or(cx.now) && e.at <= newest)
            .filter(|e| attribute.is_none_or(|(key, value)| e.has(key, value)))
            .map(Recorded::view)
            .collect();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some((events, next)) = page(found, size, input["NextToken"].as_str()) else {
            return invalid("InvalidNextTokenException", "The next token is invalid.");
        };
        let mut answer = json!({"Events": events});
        if let Some(next) = next {
            answer["NextToken"] = json!(next);
        }
        Ok(answer)
    }
}

impl Recorded {
    fn has(&self, key: &str, value: &str) -> bool {
        match key {
            "AccessKeyId" => self.access_key == value,
            "EventId" => self.id == value,
            "EventName" => self.name == value,
            "EventSource" => self.source == value,
            "ReadOnly" => value == "false",
            "ResourceName" => self.resources.iter().any(|name| name == value),
            "Username" => self.user == value,
            // The twin gives resources no types.
            _ => false,
        }
    }

    fn view(&self) -> Value {
        let resources: Vec<Value> = self
            .resources
            .iter()
            .map(|name| json!({"ResourceName": name}))
            .collect();
        json!({
            "EventId": self.id,
            "EventName": self.name,
            "ReadOnly": "false",
            "AccessKeyId": self.access_key,
            "EventTime": self.at.as_second(),
            "EventSource": self.source,
            "Username": self.user,
            "Resources": resources,
            "CloudTrailEvent": self.event.to_string(),
        })
    }
}

/// Events carry whole seconds.
fn second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// What the call names.
fn resources(input: &Value) -> Vec<String> {
    const NAMES: [&str; 9] = [
        "service",
        "serviceName",
        "resourceArn",
        "ResourceId",
        "AlarmName",
        "DBInstanceIdentifier",
        "DBClusterIdentifier",
        "TableName",
        "family",
    ];
    let named = NAMES.iter().filter_map(|name| input.get(*name)?.as_str());
    named.map(str::to_owned).collect()
}

/// The request as the history shows it: values of a container's environment are hidden.
fn redacted(input: &Value) -> Value {
    let mut shown = input.clone();
    let containers = shown.get_mut("containerDefinitions");
    for container in containers
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let environment = container.get_mut("environment");
        for variable in environment
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            variable["value"] = json!("HIDDEN_DUE_TO_SECURITY_REASONS");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudtrail::error::ProvideErrorMetadata as _;
    use aws_sdk_cloudtrail::primitives::DateTime;
    use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};

    use super::*;
    use crate::clock::Clock;
    use crate::twin::Twin;
    use crate::twin::estate::FargateService;

    fn attribute(key: LookupAttributeKey, value: &str) -> LookupAttribute {
        let builder = LookupAttribute::builder();
        let builder = builder.attribute_key(key).attribute_value(value);
        builder.build().unwrap()
    }

    fn stage() -> (Twin, Clock, aws_sdk_cloudtrail::Client) {
        let clock = Clock::virtual_at("2026-11-23T12:00:00Z".parse().unwrap());
        let twin = Twin::new(clock.clone(), 7);
        let web = FargateService::new("c", "web").env("TOKEN", "hush");
        twin.world(|w| w.add_service(&web)).unwrap();
        let client = aws_sdk_cloudtrail::Client::new(&twin.sdk_config());
        (twin, clock, client)
    }

    async fn named(client: &aws_sdk_cloudtrail::Client, name: &str) -> Vec<String> {
        let lookup = client
            .lookup_events()
            .lookup_attributes(attribute(LookupAttributeKey::EventName, name));
        let answer = lookup.send().await;
        let answer = answer.unwrap();
        let texts = answer.events().iter().map(|e| e.cloud_trail_event());
        texts.map(|text| text.unwrap().to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_can_be_looked_up_by_its_name_once_its_event_is_there() {
        let (twin, clock, client) = stage();
        let ecs = aws_sdk_ecs::Client::new(&twin.sdk_config());
        let update = ecs.update_service().cluster("c").service("web");
        update.desired_count(4).send().await.unwrap();
        assert_eq!(named(&client, "UpdateService").await, Vec::<String>::new());
        clock.sleep(Duration::from_secs(301)).await;
        let events = named(&client, "UpdateService").await;
        let event: Value = serde_json::from_str(&events[0]).unwrap();
        assert_eq!(events.len(), 1);
        let arn = &event["userIdentity"]["arn"];
        assert_eq!(*arn, json!("arn:aws:iam::123456789012:user/evenkeel"));
        assert_eq!(event["requestParameters"]["desiredCount"], json!(4));
        assert!(named(&client, "DescribeServices").await.is_empty());
        clock.sleep(Duration::from_secs(1)).await;
        let registered = named(&client, "RegisterTaskDefinition").await;
        assert!(!registered[0].contains("hush"), "{registered:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_call_is_in_no_history_of_what_was_done() {
        let (twin, clock, client) = stage();
        let ecs = aws_sdk_ecs::Client::new(&twin.sdk_config());
        let update = ecs.update_service().cluster("c").service("none");
        update.send().await.unwrap_err();
        clock.sleep(Duration::from_secs(600)).await;
        assert!(named(&client, "UpdateService").await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_gives_the_newest_first_in_pages_of_fifty_and_refuses_more() {
        let (twin, clock, client) = stage();
        for count in 1..=60 {
            twin.world(|w| w.set_desired_count("c", "web", count))
                .unwrap();
            clock.sleep(Duration::from_secs(1)).await;
        }
        clock.sleep(Duration::from_secs(300)).await;
        let lookup = || {
            let name = attribute(LookupAttributeKey::EventName, "UpdateService");
            client.lookup_events().lookup_attributes(name)
        };
        let first = lookup().send().await.unwrap();
        assert_eq!(first.events().len(), 50);
        let newest = first.events()[0].cloud_trail_event().unwrap();
        assert!(newest.contains("\"desiredCount\":60"), "{newest}");
        clock.sleep(Duration::from_secs(5)).await;
        let rest = lookup().set_next_token(first.next_token).send().await;
        assert_eq!(rest.unwrap().events().len(), 10);
        clock.sleep(Duration::from_secs(5)).await;
        let code = |result: Result<_, aws_sdk_cloudtrail::error::SdkError<_, _>>| {
            let error: aws_sdk_cloudtrail::operation::lookup_events::LookupEventsError = Result::<
                aws_sdk_cloudtrail::operation::lookup_events::LookupEventsOutput,
                _,
            >::unwrap_err(
                result
            )
            .into_service_error();
            error.code().unwrap_or_default().to_owned()
        };
        let many = lookup().max_results(51).send().await;
        assert_eq!(code(many), "InvalidMaxResultsException");
        let user = attribute(LookupAttributeKey::Username, "someone");
        let two = lookup().lookup_attributes(user).send().await;
        assert_eq!(code(two), "InvalidLookupAttributesException");
        clock.sleep(Duration::from_secs(5)).await;
        let backwards = lookup()
            .start_time(DateTime::from_secs(10))
            .end_time(DateTime::from_secs(1));
        assert_eq!(code(backwards.send().await), "InvalidTimeRangeException");
        let lost = lookup().next_token("elsewhere").send().await;
        assert_eq!(code(lost), "InvalidNextTokenException");
    }

    #[tokio::test(start_paused = true)]
    async fn two_lookups_a_second_are_let_through() {
        let (_, _, client) = stage();
        for _ in 0..2 {
            client.lookup_events().send().await.unwrap();
        }
        let third = client.lookup_events().send().await.unwrap_err();
        assert_eq!(third.code(), Some("ThrottlingException"));
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_else_acts_under_a_name_of_their_own() {
        let (twin, clock, client) = stage();
        twin.world(|w| {
            w.acting_as("dana", |w| w.set_desired_count("c", "web", 9).unwrap());
        });
        clock.sleep(Duration::from_secs(301)).await;
        let events = named(&client, "UpdateService").await;
        assert!(events[0].contains("user/dana"), "{events:?}");
    }
}
