//! How alarms are read from and written to CloudWatch.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_cloudwatch::types::AlarmType;
use serde_json::json;

use super::rules::{facts, whole};
use super::{canonical, members, normal};
use crate::aws::call::{AwsError, Permit, RawAnswer, read};
use crate::aws::cell::Cell;
use crate::kinds::{Applied, BoxFuture, Driver, StepError, Wanted};
use crate::model::change::Step;
use crate::model::key::ResourceKey;
use crate::model::snapshot::{Live, Seen};
use crate::model::tree::{Tree, digest};

/// Names in one DescribeAlarms call, the most that CloudWatch takes.
const NAMES: usize = 100;

/// Reads and writes the alarms of one cell.
#[derive(Debug)]
pub struct AlarmDriver {
    cell: Arc<Cell>,
}

impl AlarmDriver {
    /// Over `cell`.
    pub fn new(cell: &Arc<Cell>) -> Self {
        Self { cell: cell.clone() }
    }

    /// Those of `names` that are there. Alarms of the other sorts are asked for too, since they
    /// share the names: without asking, one would look like an absence.
    async fn look(&self, names: &[String]) -> Result<BTreeMap<String, Live>, String> {
        let object = match names {
            [one] => format!("alarm {one}"),
            many => format!("{} alarms", many.len()),
        };
        let mut found = BTreeMap::new();
        let mut token: Option<String> = None;
        loop {
            let raw = RawAnswer::default();
            let answer = read(&self.cell, "cloudwatch.DescribeAlarms", &object, || {
                self.cell
                    .cloudwatch
                    .describe_alarms()
                    .set_alarm_names(Some(names.to_vec()))
                    .alarm_types(AlarmType::MetricAlarm)
                    .alarm_types(AlarmType::CompositeAlarm)
                    .alarm_types(AlarmType::LogAlarm)
                    .max_records(100)
                    .set_next_token(token.clone())
                    .customize()
                    .interceptor(raw.clone())
                    .send()
            })
            .await
            .map_err(|error| error.to_string())?;
            let unknown = members::unknown(&raw.bytes())
                .map_err(|e| format!("CloudWatch's answer on {object} cannot be read: {e}"))?;
            for alarm in answer.metric_alarms() {
                let name = alarm.alarm_name().unwrap_or_default();
                let Some(unknown) = unknown.get(name) else {
                    return Err(format!("CloudWatch's answer on alarm {name} is incomplete"));
                };
                let alarm = canonical::whole(alarm);
                let live = Live {
                    view: normal::view(&alarm),
                    facts: facts(&alarm, unknown),
                };
                found.insert(name.to_owned(), live);
            }
            let composites = answer.composite_alarms().iter();
            let composites = composites.map(|alarm| ("composite", alarm.alarm_name()));
            let logs = answer.log_alarms().iter();
            let logs = logs.map(|alarm| ("log", alarm.alarm_name()));
            for (sort, name) in composites.chain(logs) {
                let name = name.unwrap_or_default();
                let live = Live {
                    view: json!({"alarmName": name}),
                    facts: json!({"sort": sort}),
                };
                found.insert(name.to_owned(), live);
            }
            let next = answer.next_token.filter(|next| !next.is_empty());
            if next.is_none() {
                return Ok(found);
            }
            if next == token {
                return Err(format!(
                    "the list of {object} does not end: AWS gave the same page twice"
                ));
            }
            token = next;
        }
    }

    /// Whether the alarm is still the one that the request was made from. PutMetricAlarm knows no
    /// version, so what somebody else changed since would be set back unseen.
    async fn still_as_planned(&self, step: &Step) -> Result<(), StepError> {
        let name = step.detail["request"]["alarmName"]
            .as_str()
            .unwrap_or_default();
        let superseded = |why: String| Err(StepError::Superseded(why));
        let found = match self.look(&[name.to_owned()]).await {
            Ok(found) => found,
            Err(cause) => {
                return superseded(format!("alarm {name} could not be read again: {cause}"));
            }
        };
        let from = step.detail["from"].as_str();
        let now = found.get(name).map(|live| digest(&whole(live)));
        match (from, now) {
            (None, None) => Ok(()),
            (Some(from), Some(now)) if from == now => Ok(()),
            (None, Some(_)) => superseded(format!("alarm {name} has been created meanwhile")),
            (Some(_), None) => superseded(format!("alarm {name} has been deleted meanwhile")),
            (Some(_), Some(_)) => superseded(format!("alarm {name} has been changed meanwhile")),
        }
    }
}

impl Driver for AlarmDriver {
    fn at_a_time(&self) -> usize {
        10 * NAMES
    }

    fn observe<'a>(&'a self, wanted: &'a [Wanted]) -> BoxFuture<'a, BTreeMap<ResourceKey, Seen>> {
        Box::pin(async move {
            let mut seen = BTreeMap::new();
            let mut named: Vec<(&ResourceKey, String)> = Vec::new();
            for want in wanted {
                match want.desired["alarmName"].as_str() {
                    Some(name) => named.push((&want.key, name.to_owned())),
                    None => {
                        let cause = "its document names no alarm".to_owned();
                        seen.insert(want.key.clone(), Seen::Unreadable(cause));
                    }
                }
            }
            for batch in named.chunks(NAMES) {
                let names: Vec<String> = batch.iter().map(|(_, name)| name.clone()).collect();
                let mut found = self.look(&names).await;
                for (key, name) in batch {
                    let one = match &mut found {
                        // No two documents speak for one alarm.
                        Ok(found) => found.remove(name).map_or(Seen::Absent, Seen::Present),
                        Err(cause) => Seen::Unreadable(cause.clone()),
                    };
                    seen.insert((*key).clone(), one);
                }
            }
            seen
        })
    }

    fn prepare<'a>(
        &'a self,
        step: &'a Step,
        _earlier: &'a BTreeMap<usize, Tree>,
    ) -> BoxFuture<'a, Result<(), StepError>> {
        Box::pin(self.still_as_planned(step))
    }

    fn apply<'a>(
        &'a self,
        step: &'a Step,
        _earlier: &'a BTreeMap<usize, Tree>,
        permit: Permit,
    ) -> BoxFuture<'a, Result<Applied, StepError>> {
        Box::pin(async move {
            let put = self.cell.cloudwatch.put_metric_alarm();
            canonical::fill(put, &step.detail["request"])
                .customize()
                .interceptor(permit.ticket())
                .send()
                .await
                .map_err(|e| AwsError::from_sdk(&step.operation, &step.object, &e))?;
            Ok(Applied::default())
        })
    }
}
