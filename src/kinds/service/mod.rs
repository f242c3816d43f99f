//! Services: an ECS service's size, count, deployment rules, tags and auto scaling.

mod aws;
mod beside;
mod bodies;
mod bounds;
mod cron;
mod decide;
mod deploying;
mod desired;
mod effect;
mod facts;
pub mod list;
mod look;
mod look_scaling;
mod mends;
mod past;
mod revision;
mod rules;
mod scaling;
mod scaling_rules;
mod schedule;
mod size;
mod sizing;
mod spec;
mod stakes;
mod tasks;
#[cfg(test)]
mod tests;
mod unmoved;
mod view;
pub mod written;

use std::sync::Arc;

use jiff::Timestamp;

use super::{Decision, Driver, ExtraIam, FieldRule, Found, Kind, Purpose, Question};
use crate::aws::cell::Cell;
use crate::model::change::{Change, Drift, Step};
use crate::model::document::{DesiredSet, Document};
use crate::model::finding::Finding;
use crate::model::snapshot::Live;
use crate::model::stake::Stake;
use crate::model::tree::{FieldPath, Tree};

use crate::model::written::Written;

/// The kind `Service`.
#[derive(Clone, Copy, Debug)]
pub struct Service;

impl Kind for Service {
    fn name(&self) -> &'static str {
        "Service"
    }

    fn about(&self) -> &'static str {
        "An ECS service that exists: the size and number of its tasks, how deployments replace \
         them, its tags, and its auto scaling."
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(spec::ServiceSpec)
    }

    fn example(&self) -> &'static str {
        include_str!("example.yaml")
    }

    fn rules(&self) -> &'static [FieldRule] {
        stakes::RULES
    }

    fn stake(&self) -> Stake {
        Stake::Availability
    }

    fn changed_by(&self, path: &FieldPath) -> &'static [&'static str] {
        stakes::changed_by(path)
    }

    fn set_by(&self, path: &FieldPath) -> &'static [&'static str] {
        stakes::set_by(path)
    }

    fn named_in_call<'p>(&self, path: &'p FieldPath) -> Option<&'p str> {
        stakes::named_in_call(path)
    }

    fn check(&self, document: &Document, _set: &DesiredSet) -> Vec<Finding> {
        rules::check(document)
    }

    fn claims(&self, document: &Document, _set: &DesiredSet) -> Vec<String> {
        vec![format!(
            "ecs:service/{}",
            decide::object(&desired::desired(document))
        )]
    }

    fn named_by(&self) -> &'static [&'static str] {
        &["serviceName"]
    }

    fn desired(&self, document: &Document, _set: &DesiredSet) -> Tree {
        desired::desired(document)
    }

    fn expected(&self, desired: Tree, live: &Live, now: Timestamp) -> Tree {
        match facts::Facts::of(live) {
            Some(facts) => bounds::expected(desired, &facts, now),
            None => desired,
        }
    }

    fn identity(&self) -> &'static [&'static str] {
        &["cluster", "serviceName"]
    }

    fn decide(&self, question: &Question<'_>) -> Decision {
        decide::decide(question)
    }

    fn mends(&self, step: &Step, drift: &[Drift]) -> Vec<Drift> {
        mends::mends(step, drift)
    }

    fn written(&self, found: &Found<'_>) -> Result<Written, String> {
        written::written(found)
    }

    fn lists(&self) -> &'static [&'static str] {
        &["ecs.ListServices"]
    }

    fn tasks(&self, change: &Change, live: &Live) -> u64 {
        tasks::moved(change, live)
    }

    fn driver(&self, cell: &Arc<Cell>) -> Box<dyn Driver> {
        Box::new(aws::ServiceDriver::new(Arc::clone(cell)))
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "application-autoscaling.DescribeScalableTargets",
            "application-autoscaling.DescribeScalingPolicies",
            "application-autoscaling.DescribeScheduledActions",
            "ecs.DescribeServices",
            "ecs.DescribeTaskDefinition",
            "ecs.ListServiceDeployments",
            "ecs.ListTaskDefinitions",
        ]
    }

    fn writes(&self) -> &'static [&'static str] {
        &[
            "application-autoscaling.PutScalingPolicy",
            "application-autoscaling.PutScheduledAction",
            "application-autoscaling.RegisterScalableTarget",
            "ecs.RegisterTaskDefinition",
            "ecs.TagResource",
            "ecs.UpdateService",
        ]
    }

    fn extra_iam(&self) -> &'static [ExtraIam] {
        &[
            ExtraIam {
                action: "ecs:ListTagsForResource",
                resources: &["*"],
                purpose: Purpose::Look,
                condition: None,
                why: "services and task definitions are read with their tags",
            },
            ExtraIam {
                action: "cloudwatch:DescribeAlarms",
                resources: &["*"],
                purpose: Purpose::Look,
                condition: None,
                why: "Application Auto Scaling reads the alarms of a policy in the caller's name",
            },
            ExtraIam {
                action: "cloudwatch:PutMetricAlarm",
                resources: &["arn:aws:cloudwatch:*:*:alarm:TargetTracking-*"],
                purpose: Purpose::Converge,
                condition: None,
                why: "Application Auto Scaling makes the alarms of a policy in the caller's name; \
                      its right to delete them is left out, since no policy is ever deleted",
            },
            ExtraIam {
                action: "iam:PassRole",
                resources: &["arn:aws:iam::*:role/*"],
                purpose: Purpose::Converge,
                condition: Some(
                    r#"{"StringEquals":{"iam:PassedToService":"ecs-tasks.amazonaws.com"}}"#,
                ),
                why: "a registered revision carries the task and execution roles of the live \
                      one; narrow the resource to those roles",
            },
            ExtraIam {
                action: "iam:CreateServiceLinkedRole",
                resources: &[
                    "arn:aws:iam::*:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/*",
                ],
                purpose: Purpose::Converge,
                condition: Some(
                    r#"{"StringEquals":{"iam:AWSServiceName":"ecs.application-autoscaling.amazonaws.com"}}"#,
                ),
                why: "the first scalable target of an account makes Application Auto Scaling's \
                      own role",
            },
        ]
    }
}
