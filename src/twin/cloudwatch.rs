//! CloudWatch in the twin: alarms as AWS keeps them, and their tags.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::wire::{CallContext, TwinError};

/// The CloudWatch model.
#[derive(Clone, Debug, Default)]
pub struct CloudWatch {
    /// Metric alarms by name, each as the members that DescribeAlarms answers with.
    alarms: BTreeMap<String, Value>,
    /// Composite alarms by name. They share the metric alarms' names.
    composites: BTreeMap<String, Value>,
    logs: BTreeMap<String, Value>,
    /// Tags by alarm name.
    tags: BTreeMap<String, BTreeMap<String, String>>,
}

impl CloudWatch {
    /// Answers one call. Errors: those of AWS, and `UnknownOperationException` for what is not modelled.
    pub fn call(
        &mut self,
        operation: &str,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        match operation {
            "DescribeAlarms" => self.describe(input),
            "PutMetricAlarm" => self.put(input, cx),
            "DeleteAlarms" => self.delete(input),
            "TagResource" => self.tag(input, cx),
            "UntagResource" => self.untag(input, cx),
            "ListTagsForResource" => self.list_tags(input, cx),
            other => Err(TwinError::unknown_operation("cloudwatch", other)),
        }
    }

    /// Puts an alarm that another service owns, as target tracking does. `alarm` has the members
    /// of DescribeAlarms, `AlarmName` among them; without a name nothing happens.
    pub fn put_owned_alarm(&mut self, alarm: Value) {
        let Some(name) = alarm["AlarmName"].as_str().map(str::to_owned) else {
            return;
        };
        let mut alarm = alarm;
        if let Value::Object(members) = &mut alarm {
            for (member, value) in DEFAULTS {
                members
                    .entry(*member)
                    .or_insert_with(|| Value::from(*value));
            }
            members.entry("ActionsEnabled").or_insert(Value::Bool(true));
        }
        self.alarms.insert(name, alarm);
    }

    /// Puts a composite alarm, with the members of DescribeAlarms.
    pub fn put_composite_alarm(&mut self, alarm: Value) {
        if let Some(name) = alarm["AlarmName"].as_str() {
            self.composites.insert(name.to_owned(), alarm.clone());
        }
    }

    /// Puts a log alarm, with the members of DescribeAlarms.
    pub fn put_log_alarm(&mut self, alarm: Value) {
        if let Some(name) = alarm["AlarmName"].as_str() {
            self.logs.insert(name.to_owned(), alarm.clone());
        }
    }

    /// Removes an alarm of any owner, without the trace of a call.
    pub fn remove_alarm(&mut self, name: &str) {
        self.alarms.remove(name);
        self.composites.remove(name);
        self.logs.remove(name);
        self.tags.remove(name);
    }

    /// A metric alarm as DescribeAlarms shows it.
    pub fn alarm(&self, name: &str) -> Option<&Value> {
        self.alarms.get(name)
    }

    /// A metric alarm to change behind everyone's back, with members of any name.
    pub fn alarm_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.alarms.get_mut(name)
    }

    /// All metric alarms by name.
    pub fn alarms(&self) -> &BTreeMap<String, Value> {
        &self.alarms
    }

    /// The tags of an alarm.
    pub fn tags(&self, name: &str) -> BTreeMap<String, String> {
        self.tags.get(name).cloned().unwrap_or_default()
    }

    fn describe(&self, input: &Value) -> Result<Value, TwinError> {
        rules::check_describe(input)?;
        let types = strings(&input["AlarmTypes"]);
        // Only metric alarms unless others are asked for (API Reference, DescribeAlarms).
        let wanted = |kind: &str| match types.as_slice() {
            [] => kind == "MetricAlarm",
            types => types.contains(&kind),
        };
        let mut found: Vec<(&String, &str, &Value)> = Vec::new();
        if wanted("MetricAlarm") {
            found.extend(self.alarms.iter().map(|(n, a)| (n, "MetricAlarms", a)));
        }
        if wanted("CompositeAlarm") {
            found.extend(
                self.composites
                    .iter()
                    .map(|(n, a)| (n, "CompositeAlarms", a)),
            );
        }
        if wanted("LogAlarm") {
            found.extend(self.logs.iter().map(|(n, a)| (n, "LogAlarms", a)));
        }
        found.sort_by_key(|(name, ..)| *name);
        let names: BTreeSet<&str> = strings(&input["AlarmNames"]).into_iter().collect();
        found.retain(|(name, ..)| names.is_empty() || names.contains(name.as_str()));
        found.retain(|(name, _, alarm)| matches(input, name, alarm));
        let after = page_start(&input["NextToken"])?;
        let size = input["MaxRecords"]
            .as_u64()
            .unwrap_or(match input["AlarmNames"] {
                // A list of names is answered in one page.
                Value::Array(_) => 100,
                _ => 50,
            });
        let mut output = json!({"MetricAlarms": [], "CompositeAlarms": [], "LogAlarms": []});
        let mut rest = found
            .into_iter()
            .skip_while(|(name, ..)| after.as_ref().is_some_and(|after| *name <= after))
            .peekable();
        for _ in 0..size {
            let Some((name, list, alarm)) = rest.next() else {
                break;
            };
            if let Value::Array(list) = &mut output[list] {
                list.push(alarm.clone());
            }
            if rest.peek().is_some() {
                output["NextToken"] = Value::from(hex::encode(name));
            } else if let Value::Object(output) = &mut output {
                output.remove("NextToken");
            }
        }
        Ok(output)
    }

    fn put(&mut self, input: &Value, cx: &CallContext) -> Result<Value, TwinError> {
        rules::check_put(input)?;
        let name = input["AlarmName"].as_str().unwrap_or_default();
        if self.composites.contains_key(name) || self.logs.contains_key(name) {
            return Err(refused(
                "ValidationError",
                format!("An alarm of another type exists with the name {name}"),
            ));
        }
        let now = seconds(cx.now);
        // A full replacement: nothing of the old configuration survives that the request does not
        // name. The state does.
        let mut alarm = Map::new();
        for (member, value) in input.as_object().into_iter().flatten() {
            if member != "Tags" && !value.is_null() {
                alarm.insert(member.clone(), value.clone());
            }
        }
        for list in [
            "OKActions",
            "AlarmActions",
            "InsufficientDataActions",
            "Dimensions",
        ] {
            alarm.entry(list).or_insert_with(|| json!([]));
        }
        alarm.entry("ActionsEnabled").or_insert(Value::Bool(true));
        alarm
            .entry("TreatMissingData")
            .or_insert_with(|| Value::from("missing"));
        alarm.insert("AlarmArn".into(), arn(name, cx).into());
        alarm.insert("AlarmConfigurationUpdatedTimestamp".into(), now.into());
        match self.alarms.get(name) {
            Some(old) => {
                for member in STATE {
                    if let Some(value) = old.get(*member) {
                        alarm.insert((*member).to_owned(), value.clone());
                    }
                }
            }
            None => {
                alarm.insert("StateValue".into(), "INSUFFICIENT_DATA".into());
                alarm.insert(
                    "StateReason".into(),
                    "Unchecked: Initial alarm creation".into(),
                );
                alarm.insert("StateUpdatedTimestamp".into(), now.into());
                alarm.insert("StateTransitionedTimestamp".into(), now.into());
                // Tags count only on creation; an update ignores them without a word.
                self.tags.insert(name.to_owned(), tags_of(&input["Tags"]));
            }
        }
        self.alarms.insert(name.to_owned(), Value::Object(alarm));
        Ok(json!({}))
    }

    fn delete(&mut self, input: &Value) -> Result<Value, TwinError> {
        let names = strings(&input["AlarmNames"]);
        if names.is_empty() || names.len() > 100 {
            return Err(refused(
                "ValidationError",
                "AlarmNames must have 1 to 100 items".into(),
            ));
        }
        for name in names {
            self.remove_alarm(name);
        }
        Ok(json!({}))
    }

    fn tag(&mut self, input: &Value, cx: &CallContext) -> Result<Value, TwinError> {
        let name = self.name_of(input, cx)?;
        let new = tags_of(&input["Tags"]);
        let tags = self.tags.entry(name).or_default();
        let mut all = tags.clone();
        all.extend(new);
        if all.len() > 50 {
            return Err(refused("InvalidParameterValue", "more than 50 tags".into()));
        }
        *tags = all;
        Ok(json!({}))
    }

    fn untag(&mut self, input: &Value, cx: &CallContext) -> Result<Value, TwinError> {
        let name = self.name_of(input, cx)?;
        if let Some(tags) = self.tags.get_mut(&name) {
            for key in strings(&input["TagKeys"]) {
                tags.remove(key);
            }
        }
        Ok(json!({}))
    }

    fn list_tags(&self, input: &Value, cx: &CallContext) -> Result<Value, TwinError> {
        let name = self.name_of(input, cx)?;
        let tags: Vec<Value> = self
            .tags(&name)
            .into_iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        Ok(json!({"Tags": tags}))
    }

    /// The name of the alarm that `ResourceARN` means. Errors: `ResourceNotFoundException`.
    fn name_of(&self, input: &Value, cx: &CallContext) -> Result<String, TwinError> {
        let resource = input["ResourceARN"].as_str().unwrap_or_default();
        let known = |name: &&String| arn(name, cx) == resource;
        self.alarms
            .keys()
            .chain(self.composites.keys())
            .find(known)
            .cloned()
            .ok_or_else(|| TwinError {
                // The one error of these that is not a 400 (API model).
                status: 404,
                ..refused(
                    "ResourceNotFoundException",
                    format!("Unknown resource {resource}"),
                )
            })
    }
}

/// What an alarm that another service puts has unless it says otherwise.
const DEFAULTS: &[(&str, &str)] = &[
    ("StateValue", "INSUFFICIENT_DATA"),
    ("StateReason", "Unchecked: Initial alarm creation"),
    ("TreatMissingData", "missing"),
];

/// The members that a replacement leaves alone.
const STATE: &[&str] = &[
    "StateValue",
    "StateReason",
    "StateReasonData",
    "StateUpdatedTimestamp",
    "StateTransitionedTimestamp",
    "EvaluationState",
];

/// The ARN of an alarm.
pub fn arn(name: &str, cx: &CallContext) -> String {
    format!(
        "arn:aws:cloudwatch:{}:{}:alarm:{name}",
        cx.region, cx.account
    )
}

fn matches(input: &Value, name: &str, alarm: &Value) -> bool {
    let prefix = input["AlarmNamePrefix"].as_str().unwrap_or_default();
    let state = input["StateValue"].as_str();
    let action = input["ActionPrefix"].as_str();
    let has_action = |prefix: &str| {
        ["OKActions", "AlarmActions", "InsufficientDataActions"]
            .iter()
            .flat_map(|list| strings(&alarm[*list]))
            .any(|action| action.starts_with(prefix))
    };
    name.starts_with(prefix)
        && state.is_none_or(|state| alarm["StateValue"] == state)
        && action.is_none_or(has_action)
}

fn page_start(token: &Value) -> Result<Option<String>, TwinError> {
    let Some(token) = token.as_str() else {
        return Ok(None);
    };
    hex::decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Some)
        .ok_or_else(|| refused("InvalidNextToken", "The next token is invalid".into()))
}

fn tags_of(tags: &Value) -> BTreeMap<String, String> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    tags.as_array()
        .into_iter()
        .flatten()
        .map(|tag| (text(&tag["Key"]), text(&tag["Value"])))
        .collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Epoch seconds with milliseconds, as all timestamps of the JSON protocols.
fn seconds(at: jiff::Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds stay below 2^53")]
    let millis = at.as_millisecond() as f64;
    millis / 1000.0
}

fn refused(code: &str, message: String) -> TwinError {
    TwinError::client(code, message)
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::operation::put_metric_alarm::builders::PutMetricAlarmFluentBuilder;
    use aws_sdk_cloudwatch::types::{
        AlarmType, ComparisonOperator, MetricAlarm, MetricDataQuery, StateValue, Statistic, Tag,
    };

    use super::*;
    use crate::twin::trial::Trial;

    fn base(trial: &Trial) -> PutMetricAlarmFluentBuilder {
        trial
            .cloudwatch()
            .put_metric_alarm()
            .alarm_name("cpu")
            .comparison_operator(ComparisonOperator::GreaterThanThreshold)
            .evaluation_periods(2)
            .threshold(80.0)
    }

    fn cpu(trial: &Trial) -> PutMetricAlarmFluentBuilder {
        base(trial)
            .namespace("AWS/ECS")
            .metric_name("CPUUtilization")
            .statistic(Statistic::Average)
            .period(300)
    }

    async fn live(trial: &Trial) -> MetricAlarm {
        let describe = trial.cloudwatch().describe_alarms().alarm_names("cpu");
        describe
            .send()
            .await
            .unwrap()
            .metric_alarms
            .unwrap()
            .remove(0)
    }

    fn tag(key: &str) -> Tag {
        Tag::builder().key(key).value("x").build()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_alarm_has_the_defaults_of_aws_and_insufficient_data() {
        let trial = Trial::new();
        cpu(&trial).send().await.unwrap();
        let alarm = live(&trial).await;
        assert_eq!(alarm.actions_enabled(), Some(true));
        assert_eq!(alarm.treat_missing_data(), Some("missing"));
        assert_eq!(alarm.state_value(), Some(&StateValue::InsufficientData));
        assert_eq!(alarm.threshold(), Some(80.0));
        assert_eq!(alarm.period(), Some(300));
        assert_eq!(
            alarm
                .alarm_configuration_updated_timestamp()
                .map(|t| t.secs()),
            Some(1_795_435_200)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_replacement_forgets_the_configuration_and_keeps_the_state() {
        let trial = Trial::new();
        cpu(&trial)
            .alarm_description("old")
            .ok_actions("arn:a")
            .send()
            .await
            .unwrap();
        trial.with(|models| {
            models.cloudwatch.alarm_mut("cpu").unwrap()["StateValue"] = "ALARM".into();
        });
        cpu(&trial).threshold(70.0).send().await.unwrap();
        let alarm = live(&trial).await;
        assert_eq!(alarm.alarm_description(), None);
        assert!(alarm.ok_actions().is_empty());
        assert_eq!(alarm.threshold(), Some(70.0));
        assert_eq!(alarm.state_value(), Some(&StateValue::Alarm));
    }

    #[tokio::test(start_paused = true)]
    async fn tags_count_on_creation_and_by_their_own_call_only() {
        let trial = Trial::new();
        let client = trial.cloudwatch();
        cpu(&trial).tags(tag("a")).send().await.unwrap();
        cpu(&trial).tags(tag("b")).send().await.unwrap();
        let arn = live(&trial).await.alarm_arn.unwrap();
        client
            .tag_resource()
            .resource_arn(&arn)
            .tags(tag("c"))
            .send()
            .await
            .unwrap();
        let tags = client
            .list_tags_for_resource()
            .resource_arn(&arn)
            .send()
            .await
            .unwrap();
        let keys: Vec<_> = tags.tags().iter().map(|t| t.key().unwrap()).collect();
        assert_eq!(keys, ["a", "c"]);
        let error = client
            .list_tags_for_resource()
            .resource_arn("arn:none")
            .send()
            .await;
        assert!(
            error
                .unwrap_err()
                .into_service_error()
                .is_resource_not_found_exception()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_aws_forbids_is_refused() {
        let trial = Trial::new();
        let expression = |id: &str| MetricDataQuery::builder().id(id).expression("1").build();
        let refused = [
            base(&trial),
            cpu(&trial).metrics(expression("e1")),
            base(&trial).metrics(expression("e1")).namespace("AWS/ECS"),
            base(&trial).metrics(expression("E1")),
            base(&trial)
                .metrics(expression("e1"))
                .metrics(expression("e2")),
            cpu(&trial).extended_statistic("p99"),
            cpu(&trial).set_statistic(None),
            cpu(&trial).set_statistic(None).extended_statistic("p101"),
            cpu(&trial).period(45),
            cpu(&trial).period(90),
            cpu(&trial).period(300).evaluation_periods(289),
            cpu(&trial).datapoints_to_alarm(3),
            cpu(&trial).set_threshold(None),
            cpu(&trial).treat_missing_data("maybe"),
            cpu(&trial).set_ok_actions(Some(vec!["arn:a".to_owned(); 6])),
        ];
        for (at, put) in refused.into_iter().enumerate() {
            let error = put
                .send()
                .await
                .expect_err(&at.to_string())
                .into_service_error();
            let code = error.meta().code().unwrap_or_default().to_owned();
            assert!(
                ["ValidationError", "InvalidParameterCombination"].contains(&code.as_str()),
                "{at}: {error:?}"
            );
        }
        trial.with(|models| assert!(models.cloudwatch.alarms().is_empty()));
        base(&trial).metrics(expression("e1")).send().await.unwrap();
        cpu(&trial)
            .period(300)
            .evaluation_periods(288)
            .send()
            .await
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn only_metric_alarms_are_answered_unless_others_are_asked_for() {
        let trial = Trial::new();
        cpu(&trial).send().await.unwrap();
        trial.with(|models| {
            let composite = json!({"AlarmName": "any", "AlarmRule": "ALARM(cpu)"});
            models.cloudwatch.put_composite_alarm(composite);
        });
        let client = trial.cloudwatch();
        let plain = client.describe_alarms().send().await.unwrap();
        assert_eq!(
            (plain.metric_alarms().len(), plain.composite_alarms().len()),
            (1, 0)
        );
        let describe = client
            .describe_alarms()
            .alarm_types(AlarmType::CompositeAlarm);
        let composite = describe.send().await.unwrap();
        assert_eq!(
            (
                composite.metric_alarms().len(),
                composite.composite_alarms().len()
            ),
            (0, 1)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_tags_of_an_alarm_that_is_not_there_are_not_found() {
        let list = Trial::new().cloudwatch().list_tags_for_resource();
        let arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:none";
        let error = list.resource_arn(arn).send().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 404);
        assert!(error.into_service_error().is_resource_not_found_exception());
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_a_hundred_names_and_pages_that_follow_the_token() {
        let trial = Trial::new();
        trial.with(|models| {
            for n in 0..120 {
                let alarm = json!({"AlarmName": format!("a-{n:03}"), "Owner": "someone"});
                models.cloudwatch.put_owned_alarm(alarm);
            }
        });
        let client = trial.cloudwatch();
        let names = |count: usize| Some((0..count).map(|n| format!("a-{n:03}")).collect());
        let too_many = client
            .describe_alarms()
            .set_alarm_names(names(101))
            .send()
            .await;
        assert_eq!(
            too_many.unwrap_err().into_service_error().meta().code(),
            Some("ValidationError")
        );
        let hundred = client
            .describe_alarms()
            .set_alarm_names(names(100))
            .send()
            .await
            .unwrap();
        assert_eq!(hundred.metric_alarms().len(), 100);
        let both = client
            .describe_alarms()
            .alarm_names("a-001")
            .alarm_name_prefix("a");
        assert!(both.send().await.is_err());
        assert!(
            client
                .describe_alarms()
                .max_records(101)
                .send()
                .await
                .is_err()
        );
        let pages = client
            .describe_alarms()
            .alarm_name_prefix("a-")
            .into_paginator();
        let pages = pages.page_size(50).send().try_collect().await.unwrap();
        let sizes: Vec<_> = pages
            .iter()
            .map(|page| page.metric_alarms().len())
            .collect();
        assert_eq!(sizes, [50, 50, 20]);
        let wrong = client
            .describe_alarms()
            .next_token("zz")
            .send()
            .await
            .unwrap_err();
        assert!(wrong.into_service_error().is_invalid_next_token());
        trial.with(|models| {
            assert_eq!(
                models.cloudwatch.alarm("a-000").unwrap()["Owner"],
                "someone"
            );
        });
    }
}
