//! Listing: which alarms an account has, and of which services they are.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::{Dimension, MetricAlarm};

use crate::aws::call::{AwsError, read};
use crate::aws::cell::Cell;

/// `ClusterName` and `ServiceName`.
pub type OfService = (String, String);

/// The names of all metric alarms, and the services whose metrics each watches.
/// All pages or none: half a list proves nothing.
///
/// # Errors
/// AWS's.
pub async fn alarms(cell: &Cell) -> Result<BTreeMap<String, BTreeSet<OfService>>, AwsError> {
    let mut found = BTreeMap::new();
    let mut token: Option<String> = None;
    loop {
        let answer = read(cell, "cloudwatch.DescribeAlarms", "all alarms", || {
            cell.cloudwatch
                .describe_alarms()
                .max_records(100)
                .set_next_token(token.clone())
                .send()
        })
        .await?;
        for alarm in answer.metric_alarms() {
            let name = alarm.alarm_name().unwrap_or_default().to_owned();
            found.insert(name, watched(alarm));
        }
        token = answer.next_token.filter(|next| !next.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn watched(alarm: &MetricAlarm) -> BTreeSet<OfService> {
    let stats = alarm.metrics().iter().filter_map(|m| m.metric_stat());
    let of_stats = stats.filter_map(|stat| Some(stat.metric()?.dimensions()));
    of_stats
        .chain([alarm.dimensions()])
        .filter_map(|dimensions| {
            let value = |name: &str| {
                let named = |d: &&Dimension| d.name() == Some(name);
                Some(dimensions.iter().find(named)?.value()?.to_owned())
            };
            Some((value("ClusterName")?, value("ServiceName")?))
        })
        .collect()
}
