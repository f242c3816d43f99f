//! Alarm: a CloudWatch metric alarm, created when it is absent.

mod aws;
mod canonical;
mod check;
mod evaluation;
pub mod list;
mod members;
mod normal;
mod preset;
mod rules;
mod spec;
mod values;
mod written;

use std::sync::Arc;

use super::{Decision, Driver, FieldRule, Found, Kind, Question};
use crate::aws::cell::Cell;
use crate::model::change::{Drift, Step};
use crate::model::document::{DesiredSet, Document};
use crate::model::finding::Finding;
use crate::model::stake::Stake;
use crate::model::tree::{FieldPath, Tree};
use crate::model::written::Written;
use crate::plan::diff::is_mended;

/// The kind `Alarm`.
#[derive(Debug)]
pub struct Alarm;

impl Kind for Alarm {
    fn name(&self) -> &'static str {
        "Alarm"
    }

    fn about(&self) -> &'static str {
        "A CloudWatch alarm on one metric or on metric math; created when it is absent."
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(spec::AlarmSpec)
    }

    fn example(&self) -> &'static str {
        "apiVersion: evenkeel/v1alpha1
kind: Alarm
metadata: {app: personal-journal, name: alb-5xx}
spec:
  alarmName: personal-journal-alb-5xx
  description: The load balancer answers with errors; look at the targets first
  metricName: HTTPCode_ELB_5XX_Count
  namespace: AWS/ApplicationELB
  dimensions: {LoadBalancer: app/personal-journal-alb/abcdef1234567890}
  statistic: Sum
  period: 60
  evaluationPeriods: 1
  threshold: 5
  comparisonOperator: GreaterThanThreshold
  treatMissingData: notBreaching
  alarmActions: [\"arn:aws:sns:us-east-1:123456789012:alerts\"]
"
    }

    fn rules(&self) -> &'static [FieldRule] {
        rules::RULES
    }

    fn stake(&self) -> Stake {
        Stake::Alarms
    }

    fn changed_by(&self, path: &FieldPath) -> &'static [&'static str] {
        match path.segments().get(1).map(String::as_str) {
            Some("actionsEnabled") => &[
                "cloudwatch.PutMetricAlarm",
                "cloudwatch.DisableAlarmActions",
                "cloudwatch.EnableAlarmActions",
            ],
            Some(_) => &["cloudwatch.PutMetricAlarm"],
            None => &["cloudwatch.DeleteAlarms"],
        }
    }

    fn check(&self, document: &Document, set: &DesiredSet) -> Vec<Finding> {
        check::check(document, set)
    }

    fn claims(&self, document: &Document, _set: &DesiredSet) -> Vec<String> {
        rules::claims(document)
    }

    fn named_by(&self) -> &'static [&'static str] {
        &["alarmName"]
    }

    fn desired(&self, document: &Document, set: &DesiredSet) -> Tree {
        rules::desired(document, set)
    }

    fn identity(&self) -> &'static [&'static str] {
        &["alarmName"]
    }

    fn decide(&self, question: &Question<'_>) -> Decision {
        rules::decide(question)
    }

    fn mends(&self, step: &Step, drift: &[Drift]) -> Vec<Drift> {
        // A field that is held back stands in the request as it is live.
        let after = normal::view(&step.detail["request"]);
        let here = |d: &&Drift| is_mended(d, &after, self.rules());
        drift.iter().filter(here).cloned().collect()
    }

    fn written(&self, found: &Found<'_>) -> Result<Written, String> {
        written::written(found)
    }

    fn driver(&self, cell: &Arc<Cell>) -> Box<dyn Driver> {
        Box::new(aws::AlarmDriver::new(cell))
    }

    fn reads(&self) -> &'static [&'static str] {
        &["cloudwatch.DescribeAlarms"]
    }

    fn writes(&self) -> &'static [&'static str] {
        &["cloudwatch.PutMetricAlarm"]
    }
}
